//! Verifies the SOAP message on standard input, and says on standard output who signed it or why it
//! is refused.
//!
//! `verify TIME PINNED [AUTHORITIES INTERMEDIATES NAME]`: the time of verification, and PEM texts, not
//! files, so that it needs nothing of its host. It is also what the test of the bound on work runs in
//! Wasm.

use std::error::Error;
use std::io::{Read, stdin};
use std::time::Duration;

use wsse::{Certificate, CertificateError, Envelope, Policy, Trust};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (now, trust) = match arguments.as_slice() {
        [now, pinned] => (now, Trust::pinned(bundle(pinned)?)),
        [now, pinned, authorities, intermediates, name] => {
            let trust = Trust::pinned(bundle(pinned)?).with_authorities(
                bundle(authorities)?,
                bundle(intermediates)?,
                &[name],
            )?;
            (now, trust)
        }
        _ => return Err("verify TIME PINNED [AUTHORITIES INTERMEDIATES NAME]".into()),
    };
    let policy = Policy {
        trust,
        accept_sha1: true,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    };
    let mut message = Vec::new();
    stdin().read_to_end(&mut message)?;
    match Envelope::parse(&message) {
        Err(error) => println!("{error}"),
        Ok(envelope) => match envelope.verify(&policy, now.parse()?) {
            Err(error) => println!("{error}"),
            Ok(verified) => println!("signed by {}", verified.signer().subject()),
        },
    }
    Ok(())
}

/// Certificates, or none.
fn bundle(pem: &str) -> Result<Vec<Certificate>, CertificateError> {
    match pem {
        "" => Ok(Vec::new()),
        pem => Certificate::bundle_from_pem(pem),
    }
}
