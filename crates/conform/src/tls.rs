//! TLS to providers that are not on the open web: authorities of their own, and platforms that
//! want to see a client certificate, as MPay shows one.

use anyhow::{Context, bail};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// The TLS side of a client: authorities instead of the web's, and a certificate with its key to
/// show to a server that asks, in PEM or base64. `trusting` takes any certificate of a server.
///
/// # Errors
/// If one of them cannot be read.
pub fn configure(
    authorities: Option<&str>,
    client: Option<(&str, &str)>,
    trusting: bool,
) -> anyhow::Result<TlsConfig> {
    let mut tls = TlsConfig::builder().disable_verification(trusting);
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
    // Of any kind of key, unlike those that sign messages.
    let blocks = wsse::pem_blocks(pem)?;
    let certificates: Vec<_> = blocks
        .iter()
        .filter(|block| !block.label().is_some_and(|label| label.ends_with(" KEY")))
        .map(|block| Certificate::from_der(block.certificate()).to_owned())
        .collect();
    if certificates.is_empty() {
        bail!("no certificate in the file");
    }
    Ok(certificates)
}
