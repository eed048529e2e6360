//! TLS to providers that are not on the open web: authorities of their own, and platforms that
//! want to see a client certificate, as MPay shows one.

use anyhow::{Context, bail};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// The TLS side of a client: authorities instead of the web's, and a certificate with its key to
/// show to a server that asks; all PEM.
///
/// # Errors
/// If one of them cannot be read.
pub fn configure(
    authorities: Option<&str>,
    client: Option<(&str, &str)>,
) -> anyhow::Result<TlsConfig> {
    let mut tls = TlsConfig::builder();
    if let Some(authorities) = authorities {
        let authorities = certificates(authorities).context("the authorities of TLS")?;
        tls = tls.root_certs(RootCerts::new_with_certs(&authorities));
    }
    if let Some((certificate, key)) = client {
        let chain = certificates(certificate).context("the client certificate of TLS")?;
        let key = PrivateKey::from_pem(key.as_bytes()).context("the client's key of TLS")?;
        tls = tls.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(tls.build())
}

fn certificates(pem: &str) -> anyhow::Result<Vec<Certificate<'static>>> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(certificate) = item? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        bail!("no certificate in the file");
    }
    Ok(certificates)
}
