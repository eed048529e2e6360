use std::{collections::HashMap, fmt};

/// The names of all variables. The manifest gives each to the component.
pub const VARIABLES: [&str; 25] = [
    "accept_sha1",
    "api_read_token",
    "api_token",
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "clock_skew",
    "environment",
    "expired_signer_grace",
    "max_message_age",
    "max_silence",
    "mpay_authorities",
    "mpay_certificates",
    "mpay_signer_names",
    "personal_data_retention",
    "public_url",
    "service_certificate",
    "service_ids",
    "service_key",
    "services",
    "unknown_order",
    "webhook_origin",
    "webhook_secret",
    "webhook_url",
];

/// The texts of the variables as the platform gives them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(HashMap<&'static str, String>);

impl Variables {
    /// Sets a variable.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.0.insert(name, value);
    }

    /// The value without white space around it; `None` where it is empty.
    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        let value = self.0.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// Names only: values may be secret.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
