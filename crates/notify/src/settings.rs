//! The variables that are read for notification.

use std::{cell::Cell, cell::RefCell, collections::HashSet, time::Duration};

use jiff::Timestamp;
use mpay_door::config::{Environment, Reader};

use crate::Webhook;

/// The variables that make a webhook.
pub const WEBHOOK: [&str; 3] = ["webhook_origin", "webhook_secret", "webhook_url"];

/// Every variable that is read for notification. All are optional.
pub const VARIABLES: [&str; 4] = [
    "max_silence",
    "webhook_origin",
    "webhook_secret",
    "webhook_url",
];

/// Who is told, and of what.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where the institution is notified.
    pub webhook: Option<Webhook>,
    /// How long MPay may be silent until somebody is told; `None` for ever.
    pub max_silence: Option<Duration>,
}

/// What an instance remembers, so that it need not ask the store.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The last call of MPay's that was noted.
    pub(crate) last_call: Cell<Option<Timestamp>>,
    /// Alerts that were sent, by their ids: a few a day.
    pub(crate) alerted: RefCell<HashSet<String>>,
}

impl Settings {
    /// Reads the variables. A mistake is noted, and switches off what the variable is for.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Self {
        let webhook = signed_to(reader, environment, &WEBHOOK);
        let max_silence = reader.seconds("max_silence", 0, 90 * 86_400);
        Self {
            webhook,
            max_silence: (!max_silence.is_zero()).then_some(max_silence),
        }
    }
}

/// Reads where signed messages go, from three variables: origin, secrets, address. Half of it would
/// tell the wrong address, or sign so that nobody believes it.
pub fn signed_to(
    reader: &mut Reader<'_>,
    environment: Environment,
    variables: &[&'static str; 3],
) -> Option<Webhook> {
    let whole = read_signed_to(reader, environment, *variables);
    whole.filter(|_| !reader.is_wrong(variables))
}

fn read_signed_to(
    reader: &mut Reader<'_>,
    environment: Environment,
    [origin_at, secret_at, url_at]: [&'static str; 3],
) -> Option<Webhook> {
    let Some(url) = reader.variables.get(url_at) else {
        if reader.variables.get(secret_at).is_some() && !reader.variables.is_unread(url_at) {
            reader.error(url_at, format!("is not set, but {secret_at} is"));
        }
        return None;
    };
    let url = Webhook::parse_url(url, environment == Environment::Development)
        .map_err(|error| reader.error(url_at, error))
        .ok()?;
    // The host lets requests go to this address alone.
    let origin = Webhook::origin(&url);
    let allowed = reader.variables.get(origin_at).unwrap_or_default();
    if allowed.trim_end_matches('/') != origin && !reader.variables.is_unread(origin_at) {
        reader.error(
            origin_at,
            format!("must be scheme, host and port of {url_at}, such as https://erp.example.md"),
        );
    }
    let secrets = reader.required(
        secret_at,
        "a secret such as `echo whsec_$(openssl rand -base64 32)`",
    )?;
    Webhook::new(url, secrets)
        .map_err(|error| reader.error(secret_at, error))
        .ok()
}

#[cfg(test)]
mod tests {
    use mpay_door::config::Variables;

    use super::*;

    #[test]
    fn a_webhook_needs_a_secret_and_leave_to_be_called() {
        let errors = |origin: &str, secret: &str, url: &str| {
            let mut variables = Variables::default();
            variables.set("webhook_url", url.to_owned());
            variables.set("webhook_origin", origin.to_owned());
            variables.set("webhook_secret", secret.to_owned());
            let mut reader = Reader::new(&variables);
            let settings = Settings::read(&mut reader, Environment::Test);
            let errors: Vec<_> = reader.errors.iter().map(|error| error.variable).collect();
            assert!(errors.is_empty() || settings.webhook.is_none());
            errors
        };
        let (origin, url) = ("https://erp.example.md", "https://erp.example.md/hook");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert!(errors(origin, secret, url).is_empty());
        assert!(errors("https://webhook.invalid", "", "").is_empty());
        assert_eq!(errors(origin, "", url), ["webhook_secret"]);
        assert_eq!(errors(origin, "secret", url), ["webhook_secret"]);
        assert_eq!(
            errors("https://webhook.invalid", secret, url),
            ["webhook_origin"]
        );
        assert_eq!(errors(origin, secret, ""), ["webhook_url"]);
    }
}
