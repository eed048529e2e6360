//! SOAP faults: the only place where failures become answers to MPay.

use std::borrow::Cow;

use wsse::{Content, EnvelopeError, Writer};

use jiff::Timestamp;
use mpay_door::log::of_store;
use mpay_ledger::{StoreError, domain::time};

/// `faultcode`: MPay's codes have no prefix, those of SOAP 1.1 (section 4.4.1) have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The message is wrong.
    Client,
    /// A header that must be understood is not.
    MustUnderstand,
    /// The envelope is of another SOAP.
    VersionMismatch,
    /// This provider failed; MPay tries again.
    InternalError,
    /// Message security failed.
    AuthenticationFailed,
    /// A member is missing or wrong.
    InvalidParameter,
    /// The ServiceID is not served here.
    UnknownService,
    /// The service has no such order.
    UnknownOrder,
}

impl FaultCode {
    /// The text of the mistake, in Romanian.
    fn in_romanian(self) -> &'static str {
        match self {
            Self::Client | Self::MustUnderstand | Self::VersionMismatch => {
                "Mesajul nu este un mesaj SOAP acceptat."
            }
            Self::InternalError => "Furnizorul nu poate răspunde acum. Încercați din nou.",
            Self::AuthenticationFailed => "Mesajul nu a putut fi autentificat.",
            Self::InvalidParameter => "Un parametru lipsește sau este greșit.",
            Self::UnknownService => "Serviciul nu este deservit aici.",
            Self::UnknownOrder => "Serviciul nu are nicio comandă cu acest număr.",
        }
    }

    /// The code as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "soap:Client",
            Self::MustUnderstand => "soap:MustUnderstand",
            Self::VersionMismatch => "soap:VersionMismatch",
            Self::InternalError => "InternalError",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::InvalidParameter => "InvalidParameter",
            Self::UnknownService => "UnknownService",
            Self::UnknownOrder => "UnknownOrder",
        }
    }
}

/// A SOAP fault: the texts for the caller, and the one for the log alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The code.
    pub code: FaultCode,
    reason: Cow<'static, str>,
    /// The text in Romanian, or as much of it as a payer needs.
    romanian: Cow<'static, str>,
    cause: Option<String>,
}

impl Fault {
    fn new(code: FaultCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
            romanian: code.in_romanian().into(),
            cause: None,
        }
    }

    /// The message is wrong as a SOAP message.
    pub fn client(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultCode::Client, reason)
    }

    /// This provider failed.
    pub fn internal(reason: &'static str) -> Self {
        Self::new(FaultCode::InternalError, reason)
    }

    /// Message security failed. The text is always the same: the reason is for the log.
    pub fn authentication_failed() -> Self {
        Self::new(
            FaultCode::AuthenticationFailed,
            "The message could not be authenticated.",
        )
    }

    /// A member is missing or wrong.
    pub fn invalid_parameter(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultCode::InvalidParameter, reason)
    }

    /// A header that must be understood is not.
    pub fn must_understand(header: &str) -> Self {
        Self::new(
            FaultCode::MustUnderstand,
            format!("The header {header} is not understood."),
        )
    }

    /// The ServiceID is not served here.
    pub fn unknown_service() -> Self {
        Self::new(
            FaultCode::UnknownService,
            "The ServiceID is not served here.",
        )
    }

    /// The service has no such order.
    pub fn unknown_order() -> Self {
        Self::new(
            FaultCode::UnknownOrder,
            "The service has no order with this OrderKey.",
        )
    }

    /// The order exists, and cannot be paid yet.
    pub fn not_payable_before(opens_at: Timestamp) -> Self {
        let from = time::format_start(opens_at);
        Self {
            romanian: format!("Comanda poate fi plătită începând cu {from}.").into(),
            ..Self::new(
                FaultCode::UnknownOrder,
                format!("The order can be paid from {from} on."),
            )
        }
    }

    /// The fault for a request that is no SOAP 1.1 message. The caller is unknown, so the text is one of
    /// a fixed set and repeats nothing of the message.
    pub fn of_envelope(error: &EnvelopeError) -> Self {
        let code = match error {
            EnvelopeError::VersionMismatch { .. } => FaultCode::VersionMismatch,
            _ => FaultCode::Client,
        };
        let reason = match error {
            EnvelopeError::Xml { reason, .. } => {
                format!("the message is not acceptable XML: {reason}")
            }
            EnvelopeError::NotUtf8 { .. } => "the message is not UTF-8".to_owned(),
            // The other texts have no part that comes from the message.
            other => other.to_string(),
        };
        let mut letters = reason.chars();
        let first: String = letters
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .collect();
        Self::new(code, format!("{first}{}.", letters.as_str()))
    }

    /// True if the fault judges the message; false if it tells of a failure that may pass.
    pub fn is_verdict(&self) -> bool {
        self.code != FaultCode::InternalError
    }

    /// The text for the caller.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The text for the log: the cause, if the caller must not see it.
    pub fn log(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.reason)
    }

    /// The `soap:Fault` element (SOAP 1.1, section 4.4; Basic Profile 1.1, R1004 and R1016). Its text
    /// is English, and then Romanian, as MPay's guide advises.
    pub fn encode(&self) -> Content {
        let mut xml = Writer::new();
        xml.start("soap:Fault");
        xml.element("faultcode", self.code.as_str());
        xml.start_with("faultstring", &[("xml:lang", "en")]);
        xml.text(&self.reason);
        xml.text(" / ");
        xml.text(&self.romanian);
        xml.end();
        xml.end();
        xml.finish()
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self {
            cause: Some(of_store(&error)),
            ..Self::internal("The provider could not do this now. Try again.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_mpay_are_unqualified_and_those_of_soap_are_not() {
        assert_eq!(
            Fault::unknown_order().encode().as_str(),
            "<soap:Fault><faultcode>UnknownOrder</faultcode><faultstring xml:lang=\"en\">The service has no order with this OrderKey. / Serviciul nu are nicio comandă cu acest număr.</faultstring></soap:Fault>"
        );
        assert!(
            Fault::client("x")
                .encode()
                .as_str()
                .contains("<faultcode>soap:Client</faultcode>")
        );
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_inside() {
        let fault = Fault::from(StoreError::InProgress("P-secret".into()));
        assert!(!fault.encode().as_str().contains("P-secret"));
        assert!(fault.log().contains("P-secret"));
    }
}
