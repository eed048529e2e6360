//! The Spin variables, read into one [`Config`]. Every mistake in them is a clear line.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wsse::{Certificate, Policy, Signer, Trust, TrustError};

use crate::{
    digest::hex,
    domain::{Iban, PaymentAccount, ServiceId, Text},
};

/// The names of all variables. The manifest gives each to the component.
pub const VARIABLES: [&str; 19] = [
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
    "mpay_authorities",
    "mpay_certificates",
    "mpay_signer_names",
    "public_url",
    "service_certificate",
    "service_ids",
    "service_key",
    "unknown_order",
];

/// The common names of development certificates begin like this.
pub const DEVELOPMENT_CERTIFICATE: &str = "DEVELOPMENT ONLY";
/// Development tokens begin like this.
pub const DEVELOPMENT_TOKEN: &str = "development-only-";

/// The texts of the variables as the platform gives them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    /// Sets a variable.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.0.insert(name, value);
    }

    /// The value without white space around it; `None` where it is empty.
    fn get(&self, name: &'static str) -> Option<&str> {
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

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Real money.
    Production,
    /// MPay's test environment.
    Test,
    /// A developer's machine: development certificates and tokens are accepted.
    Development,
}

impl Environment {
    /// The word for it in the variable `environment`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
            Self::Development => "development",
        }
    }
}

/// What GetOrderDetails answers for an order that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOrder {
    /// The fault `UnknownOrder`.
    Fault,
    /// An empty result.
    Empty,
}

/// A bearer token, of which only the digest is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of this text.
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The first eight hexadecimal digits of its SHA-256: enough to tell the few tokens of a
    /// deployment apart, and far too few to find a token by.
    pub fn fingerprint(&self) -> String {
        hex(&self.0[..4])
    }

    /// Whether `candidate` is this token, in time that does not depend on either.
    pub fn matches(&self, candidate: &str) -> bool {
        self.0.ct_eq(&Self::new(candidate).0).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A deployment's configuration.
#[derive(Debug)]
pub struct Config {
    /// Where the deployment stands.
    pub environment: Environment,
    /// The services that it serves.
    pub service_ids: Vec<ServiceId>,
    /// The account of lines that name none.
    pub default_account: Option<PaymentAccount>,
    /// The institution's key and certificate.
    pub signer: Signer,
    /// Whose messages are believed.
    pub policy: Policy,
    /// Tokens of the order API; without any of either kind it is closed.
    pub api_tokens: Vec<Token>,
    /// Tokens of the order API that may only read.
    pub api_read_tokens: Vec<Token>,
    /// What GetOrderDetails answers for an order that does not exist.
    pub unknown_order: UnknownOrder,
    /// Address of this provider for the WSDL.
    pub public_url: Option<String>,
}

/// A mistake in a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("variable {variable}: {detail}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// Every mistake in the variables.
#[derive(Debug)]
pub struct Misconfigured {
    /// The mistakes, at least one.
    pub errors: Vec<ConfigError>,
    /// The institution's key and certificate where they are right, so that what is answered
    /// meanwhile is signed all the same.
    pub signer: Option<Box<Signer>>,
}

impl Config {
    /// Reads the variables.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn read(variables: &Variables) -> Result<Self, Misconfigured> {
        let mut reader = Reader {
            variables,
            errors: Vec::new(),
        };
        let environment = reader.word(
            "environment",
            Environment::Production,
            &[
                ("production", Environment::Production),
                ("test", Environment::Test),
                ("development", Environment::Development),
            ],
        );
        let service_ids = reader.service_ids();
        let default_account = reader.default_account();
        let signer = reader.signer(environment);
        let trust = reader.trust(environment);
        let accept_sha1 = reader.word("accept_sha1", true, &[("true", true), ("false", false)]);
        let clock_skew = reader.seconds("clock_skew", 120, 600);
        let max_age = reader.seconds("max_message_age", 1800, 86_400);
        let api_tokens = reader.api_tokens("api_token", environment);
        let api_read_tokens = reader.api_tokens("api_read_token", environment);
        reader.refuse_shared_tokens(&api_tokens);
        let unknown_order = reader.word(
            "unknown_order",
            UnknownOrder::Fault,
            &[
                ("fault", UnknownOrder::Fault),
                ("empty", UnknownOrder::Empty),
            ],
        );
        let public_url = reader.public_url();
        match (signer.map(Box::new), trust) {
            (Some(signer), Some(trust)) if reader.errors.is_empty() => Ok(Self {
                environment,
                service_ids,
                default_account,
                signer: *signer,
                policy: Policy {
                    trust,
                    accept_sha1,
                    clock_skew,
                    max_age,
                },
                api_tokens,
                api_read_tokens,
                unknown_order,
                public_url,
            }),
            (signer, _) => Err(Misconfigured {
                errors: reader.errors,
                signer,
            }),
        }
    }
}

impl Config {
    /// A line for each configured certificate that has expired, or will within 30 days.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
        let own = ("service_certificate", self.signer.certificate());
        let trusted = self.policy.trust.certificates();
        std::iter::once(own)
            .chain(
                trusted.map(|certificate| ("mpay_certificates or mpay_authorities", certificate)),
            )
            .filter(|(_, certificate)| certificate.not_after().duration_since(now) < NOTICE)
            .map(|(variable, certificate)| {
                let subject = certificate.subject();
                let not_after = certificate.not_after();
                let expires = if not_after < now {
                    "expired"
                } else {
                    "expires"
                };
                format!(
                    "variable {variable}: the certificate of {subject} {expires} at {not_after}"
                )
            })
            .collect()
    }
}

struct Reader<'a> {
    variables: &'a Variables,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    fn error(&mut self, variable: &'static str, detail: impl ToString) {
        self.errors.push(ConfigError {
            variable,
            detail: detail.to_string(),
        });
    }

    fn required(&mut self, variable: &'static str, what: &str) -> Option<&'a str> {
        let value = self.variables.get(variable);
        if value.is_none() {
            self.error(variable, format!("is not set; give it {what}"));
        }
        value
    }

    fn word<T: Copy>(&mut self, variable: &'static str, default: T, words: &[(&str, T)]) -> T {
        let Some(value) = self.variables.get(variable) else {
            return default;
        };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.error(
                    variable,
                    format!("is {value:?}, but must be {}", words.join(" or ")),
                );
                default
            }
        }
    }

    fn seconds(&mut self, variable: &'static str, default: u64, max: u64) -> Duration {
        let seconds = match self.variables.get(variable).map(str::parse) {
            None => default,
            Some(Ok(seconds)) if seconds <= max => seconds,
            Some(_) => {
                self.error(
                    variable,
                    format!("must be a number of seconds from 0 to {max}"),
                );
                default
            }
        };
        Duration::from_secs(seconds)
    }

    fn service_ids(&mut self) -> Vec<ServiceId> {
        let Some(value) = self.required(
            "service_ids",
            "the ServiceIDs that MPay gave you, separated by commas",
        ) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        for text in value.split(',') {
            match ServiceId::parse(text) {
                Ok(id) => ids.push(id),
                Err(error) => self.error("service_ids", format!("{text:?} {error}")),
            }
        }
        ids
    }

    fn default_account(&mut self) -> Option<PaymentAccount> {
        const MEMBERS: [&str; 4] = [
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
        ];
        if MEMBERS
            .iter()
            .all(|member| self.variables.get(member).is_none())
        {
            return None;
        }
        let bank_account = self.account_member("bank_account", Iban::parse);
        let bank_code = self.account_member("bank_code", Text::parse);
        let bank_fiscal_code = self.account_member("bank_fiscal_code", Text::parse);
        let beneficiary_name = self.account_member("beneficiary_name", Text::parse);
        Some(PaymentAccount {
            bank_account: bank_account?,
            bank_code: bank_code?,
            bank_fiscal_code: bank_fiscal_code?,
            beneficiary_name: beneficiary_name?,
            configuration_code: None,
        })
    }

    fn account_member<T, E: ToString>(
        &mut self,
        variable: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.required(
            variable,
            "a value, or leave bank_account, bank_code, bank_fiscal_code and beneficiary_name all empty",
        )?;
        parse(value)
            .map_err(|error| self.error(variable, error.to_string()))
            .ok()
    }

    fn signer(&mut self, environment: Environment) -> Option<Signer> {
        let key = self.required(
            "service_key",
            "the private key of your system certificate, PEM",
        );
        let certificate = self.required(
            "service_certificate",
            "your system certificate of STISC, PEM",
        );
        let certificate = certificate?;
        if let Err(error) = Certificate::from_pem(certificate) {
            self.error("service_certificate", error);
            return None;
        }
        let signer = Signer::from_pem(key?, certificate)
            .map_err(|error| self.error("service_key", error))
            .ok()?;
        self.refuse_development("service_certificate", signer.certificate(), environment);
        Some(signer)
    }

    /// Pinned certificates, authorities with the names they are trusted for, or both.
    fn trust(&mut self, environment: Environment) -> Option<Trust> {
        let with_authorities = self.variables.get("mpay_authorities").is_some();
        let pinned = if with_authorities && self.variables.get("mpay_certificates").is_none() {
            Vec::new()
        } else {
            self.required(
                "mpay_certificates",
                "the certificates that MPay signs with, PEM, one after the other; \
                 or set mpay_authorities and mpay_signer_names",
            )?;
            self.certificates("mpay_certificates", environment)?
        };
        let grace = self.seconds("expired_signer_grace", 0, 30 * 86_400);
        let trust = Trust::pinned(pinned).with_grace(grace);
        let names = self.variables.get("mpay_signer_names").unwrap_or_default();
        let names: Vec<&str> = names
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        if !with_authorities {
            if !names.is_empty() {
                self.error("mpay_signer_names", "is set, but mpay_authorities is not");
            }
            return Some(trust);
        }
        let (authorities, intermediates) = self
            .certificates("mpay_authorities", environment)?
            .into_iter()
            .partition(Certificate::is_self_issued);
        trust
            .with_authorities(authorities, intermediates, &names)
            .map_err(|error| match error {
                TrustError::NoNames | TrustError::BadName { .. } => {
                    self.error("mpay_signer_names", error);
                }
                _ => self.error("mpay_authorities", error),
            })
            .ok()
    }

    fn certificates(
        &mut self,
        variable: &'static str,
        environment: Environment,
    ) -> Option<Vec<Certificate>> {
        let bundle = self.variables.get(variable).unwrap_or_default();
        let certificates = Certificate::bundle_from_pem(bundle)
            .map_err(|error| self.error(variable, error))
            .ok()?;
        for certificate in &certificates {
            self.refuse_development(variable, certificate, environment);
        }
        Some(certificates)
    }

    fn refuse_development(
        &mut self,
        variable: &'static str,
        certificate: &Certificate,
        environment: Environment,
    ) {
        let marked = certificate
            .common_name()
            .is_some_and(|name| name.starts_with(DEVELOPMENT_CERTIFICATE));
        if marked && environment != Environment::Development {
            self.error(
                variable,
                format!(
                    "is a development certificate, whose key protects nothing; it is refused where environment is {}",
                    environment.as_str()
                ),
            );
        }
    }

    fn api_tokens(&mut self, variable: &'static str, environment: Environment) -> Vec<Token> {
        let mut tokens = Vec::new();
        for token in self.listed(variable) {
            if token.chars().count() < 32 {
                self.error(variable, "has a token of less than 32 characters");
            } else if token.starts_with(DEVELOPMENT_TOKEN)
                && environment != Environment::Development
            {
                self.error(
                    variable,
                    format!(
                        "has a development token; it is refused where environment is {}",
                        environment.as_str()
                    ),
                );
            } else {
                tokens.push(Token::new(token));
            }
        }
        tokens
    }

    /// Whoever got a token to read with must not be able to write by an oversight.
    fn refuse_shared_tokens(&mut self, full: &[Token]) {
        let mut read_only = self.listed("api_read_token");
        if read_only.any(|token| full.iter().any(|other| other.matches(token))) {
            self.error(
                "api_read_token",
                "has a token that is in api_token too; make one of its own",
            );
        }
    }

    fn listed(&self, variable: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.variables.get(variable).unwrap_or_default();
        value
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }

    fn public_url(&mut self) -> Option<String> {
        let url = self.variables.get("public_url")?;
        match url.parse::<http::Uri>() {
            Ok(uri)
                if matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.host().is_some_and(|host| !host.is_empty()) =>
            {
                Some(url.to_owned())
            }
            _ => {
                self.error(
                    "public_url",
                    "must be an address such as https://pay.example.md/",
                );
                None
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const KEY: &str = include_str!("../crates/wsse/tests/data/service.key.pem");
    const CERTIFICATE: &str = include_str!("../crates/wsse/tests/data/service.pem");
    const MPAY: &str = include_str!("../crates/wsse/tests/data/mpay.pem");

    const ROOT: &str = include_str!("../crates/wsse/tests/data/chain/root.pem");
    const ISSUING: &str = include_str!("../crates/wsse/tests/data/chain/issuing.pem");

    pub(crate) fn variables() -> Variables {
        let mut variables = Variables::default();
        for (name, value) in [
            ("environment", "test"),
            ("service_ids", "TAX, SCHOOL"),
            ("service_key", KEY),
            ("service_certificate", CERTIFICATE),
            ("mpay_certificates", MPAY),
            ("api_token", "0123456789012345678901234567890123456789"),
            ("bank_account", "MD24AG000225100013104168"),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria"),
        ] {
            variables.set(name, value.to_owned());
        }
        variables
    }

    fn errors(name: &'static str, value: &str) -> Vec<ConfigError> {
        let mut variables = variables();
        variables.set(name, value.to_owned());
        Config::read(&variables)
            .err()
            .map(|wrong| wrong.errors)
            .unwrap_or_default()
    }

    #[test]
    fn defaults_are_the_safe_ones() {
        let mut variables = variables();
        variables.set("environment", String::new());
        let config = Config::read(&variables).unwrap();
        assert_eq!(config.environment, Environment::Production);
        assert_eq!(config.unknown_order, UnknownOrder::Fault);
        assert_eq!(config.policy.clock_skew, Duration::from_secs(120));
        assert_eq!(config.policy.max_age, Duration::from_secs(1800));
        assert_eq!(config.service_ids.len(), 2);
    }

    #[test]
    fn every_mistake_names_its_variable() {
        for (name, value) in [
            ("environment", "staging"),
            ("service_ids", ""),
            ("service_ids", "TAX,,SCHOOL"),
            ("service_key", ""),
            (
                "service_key",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            ),
            ("service_certificate", "nonsense"),
            ("mpay_certificates", ""),
            ("mpay_certificates", "nonsense"),
            ("accept_sha1", "yes"),
            ("clock_skew", "-1"),
            ("max_message_age", "999999"),
            ("expired_signer_grace", "9999999"),
            ("mpay_authorities", "nonsense"),
            ("mpay_signer_names", "1003600000001"),
            ("api_token", "short"),
            ("api_token", "development-only-0123456789012345"),
            ("api_read_token", "short"),
            ("api_read_token", "0123456789012345678901234567890123456789"),
            ("bank_code", ""),
            ("bank_account", "MD24AG0002251000131041689"),
            ("bank_account", "MD24AG000225100013104186"),
            ("unknown_order", "null"),
            ("public_url", "pay.example.md"),
            ("public_url", "ftp://pay.example.md"),
        ] {
            let errors = errors(name, value);
            assert_eq!(errors.len(), 1, "{name}={value:?}: {errors:?}");
            assert_eq!(errors[0].variable, name);
        }
    }

    #[test]
    fn authorities_need_the_names_of_signers() {
        let errors = |authorities: &str, names: &str| {
            let mut variables = variables();
            variables.set("mpay_certificates", String::new());
            variables.set("mpay_authorities", authorities.to_owned());
            variables.set("mpay_signer_names", names.to_owned());
            let errors = Config::read(&variables).err().map(|wrong| wrong.errors);
            let errors = errors.unwrap_or_default().into_iter();
            errors.map(|error| error.variable).collect::<Vec<_>>()
        };
        let both = format!("{ROOT}{ISSUING}");
        assert!(errors(&both, "1003600000001").is_empty());
        assert!(errors(&both, "1003600000001\nCN=mpay.example, C=MD\n").is_empty());
        assert_eq!(errors(&both, ""), ["mpay_signer_names"]);
        assert_eq!(errors(&both, "XX=1"), ["mpay_signer_names"]);
        assert_eq!(errors(ISSUING, "1003600000001"), ["mpay_authorities"]);
        assert_eq!(errors(MPAY, "1003600000001"), ["mpay_authorities"]);
        assert_eq!(errors("", "1003600000001"), ["mpay_certificates"]);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let errors = errors("service_certificate", MPAY);
        assert_eq!(errors[0].variable, "service_key");
    }

    #[test]
    fn without_a_token_the_api_is_closed() {
        let mut variables = variables();
        variables.set("api_token", " , ".to_owned());
        assert!(Config::read(&variables).unwrap().api_tokens.is_empty());
    }

    #[test]
    fn certificates_are_warned_of_thirty_days_before_they_expire() {
        let config = Config::read(&variables()).unwrap();
        let end = config.signer.certificate().not_after();
        let day = SignedDuration::from_hours(24);
        assert_eq!(config.warnings(end - day * 31), [""; 0]);
        let soon = config.warnings(end - day * 29);
        assert!(
            soon[0].starts_with("variable service_certificate: "),
            "{soon:?}"
        );
        assert!(soon[0].contains(" expires at "), "{soon:?}");
        let late = config.warnings(end + day);
        assert!(
            late.iter().all(|line| line.contains(" expired at ")),
            "{late:?}"
        );
        assert_eq!(late.len(), 2, "its own and MPay's");
    }

    #[test]
    fn secrets_do_not_show() {
        let config = Config::read(&variables()).unwrap();
        let shown = format!("{config:?} {:?}", variables());
        assert!(!shown.contains("0123456789"), "{shown}");
        assert!(!shown.contains("PRIVATE KEY"), "{shown}");
        assert!(config.api_tokens[0].matches("0123456789012345678901234567890123456789"));
        assert!(!config.api_tokens[0].matches("012345678901234567890123456789012345678"));
    }
}
