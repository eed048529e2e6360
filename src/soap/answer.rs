//! Envelopes around answers.

use std::time::Duration;

use jiff::Timestamp;
use wsse::{Algorithms, Content, Signer, SignerError};

/// The time for which an answer is valid, as MPay's own messages are.
const LIFETIME: Duration = Duration::from_secs(300);

/// Signs an answer.
pub fn sign(
    signer: &Signer,
    content: &Content,
    algorithms: Algorithms,
    now: Timestamp,
) -> Result<String, SignerError> {
    signer.sign(content, algorithms, now, LIFETIME)
}

/// An envelope without a signature, for when there is no key to sign with.
pub fn unsigned(content: &Content) -> String {
    format!(
        r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{}</soap:Body></soap:Envelope>"#,
        content.as_str()
    )
}
