use super::{Environment, reader::Reader};
use crate::notify::Webhook;

/// The variables that make a webhook.
pub const WEBHOOK: [&str; 3] = ["webhook_origin", "webhook_secret", "webhook_url"];

impl Reader<'_> {
    pub fn webhook(&mut self, environment: Environment) -> Option<Webhook> {
        let webhook = self.whole_webhook(environment);
        // Half a webhook would tell the wrong address, or sign so that nobody believes it.
        webhook.filter(|_| !self.is_wrong(&WEBHOOK))
    }

    fn whole_webhook(&mut self, environment: Environment) -> Option<Webhook> {
        let Some(url) = self.variables.get("webhook_url") else {
            if self.variables.get("webhook_secret").is_some()
                && !self.variables.is_unread("webhook_url")
            {
                self.error("webhook_url", "is not set, but webhook_secret is");
            }
            return None;
        };
        let url = Webhook::parse_url(url, environment == Environment::Development)
            .map_err(|error| self.error("webhook_url", error))
            .ok()?;
        // The host lets requests go to this address alone.
        let origin = Webhook::origin(&url);
        let allowed = self.variables.get("webhook_origin").unwrap_or_default();
        if allowed.trim_end_matches('/') != origin && !self.variables.is_unread("webhook_origin") {
            self.error(
                "webhook_origin",
                "must be scheme, host and port of webhook_url, such as https://erp.example.md",
            );
        }
        let secrets = self.required(
            "webhook_secret",
            "a secret such as `echo whsec_$(openssl rand -base64 32)`",
        )?;
        Webhook::new(url, secrets)
            .map_err(|error| self.error("webhook_secret", error))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, tests::variables};

    #[test]
    fn a_webhook_needs_a_secret_and_leave_to_be_called() {
        let errors = |origin: &str, secret: &str, url: &str| {
            let mut variables = variables();
            variables.set("webhook_url", url.to_owned());
            variables.set("webhook_origin", origin.to_owned());
            variables.set("webhook_secret", secret.to_owned());
            let config = Config::read(&variables).unwrap();
            let errors: Vec<_> = config.off.iter().map(|error| error.variable).collect();
            assert!(errors.is_empty() || config.webhook.is_none());
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
