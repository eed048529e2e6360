//! The variables of the card gateway.

use cryptoprocessing::{
    Customer, CustomerId, Interface, Secret, StateCommand, Terminal, Unsendable,
};
use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use mpay_door::config::{DEVELOPMENT_TOKEN, Environment, Reader, Variables};
use serde::Deserialize;
use sha2::Sha256;

use crate::{
    domain::{Currency, Iban, ServiceId},
    json::Capture,
};

/// Every variable that payments by card read. All of them are optional.
pub const VARIABLES: [&str; 16] = [
    "card_bank_account",
    "card_capture",
    "card_currency",
    GATEWAY,
    "card_interface",
    "card_languages",
    PASSWORD,
    "card_path",
    "card_refunds",
    "card_services",
    "card_session_minutes",
    "card_state_command",
    "card_template",
    TERMINAL,
    TERMINALS,
    WALLET_SECRET,
];

const GATEWAY: &str = "card_gateway";
const PASSWORD: &str = "card_password";
const TERMINAL: &str = "card_terminal";
const TERMINALS: &str = "card_terminals";
const WALLET_SECRET: &str = "card_wallet_secret";

/// The fewest characters of the secret from which customers' passwords are computed.
const SHORTEST_SECRET: usize = 32;
/// Number of hexadecimal digits of a customer's password: the most that the gateway accepts.
const PASSWORD_DIGITS: usize = 50;

/// The address of no gateway. It is the default, so that the manifest has an address to allow.
const NOBODY: &str = "https://card-gateway.invalid";

/// The roles that may refund through this provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refunding {
    /// No role: refunds are made in the gateway's cabinet only.
    Nobody,
    /// Managers.
    Managers,
    /// Managers and programs.
    Programs,
}

/// A terminal at the gateway, and its name.
#[derive(Debug, Clone)]
pub struct CardTerminal {
    /// Its `Key` or `VWID`, with the interface if that is Wallet. Each payment stores this name, so that
    /// questions about it go to the terminal where it was begun.
    pub name: String,
    /// The terminal's credentials, with which requests are made.
    pub terminal: Terminal,
    /// The service whose money it takes; `None` for all services without a terminal of their own.
    service: Option<ServiceId>,
}

/// The settings of payments by card.
pub struct Cards {
    /// Scheme, host and port of the gateway.
    pub gateway: String,
    terminals: Vec<CardTerminal>,
    /// The account that receives the money.
    pub bank_account: Option<Iban>,
    /// The currency of the terminals.
    pub currency: Currency,
    /// The services that are paid by card; empty for all.
    services: Vec<ServiceId>,
    /// The way in which money is taken, unless a request names another one.
    pub capture: Capture,
    /// The template of the gateway's pages.
    pub template: Option<String>,
    /// The languages of that template.
    languages: Vec<String>,
    /// Minutes for which a session lasts.
    pub session_minutes: u32,
    /// The roles that may refund.
    pub refunding: Refunding,
    /// The address of this provider, without a slash at its end.
    pub public_url: String,
    /// True if addresses without encryption are allowed.
    pub plain: bool,
    /// The key from which customers' passwords are computed; `None` if no terminal uses the interface Wallet.
    customers: Option<Hmac<Sha256>>,
}

/// A terminal in the variable `card_terminals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalJson {
    terminal: String,
    password: String,
    interface: Option<InterfaceJson>,
}

/// The interface of a terminal, if it differs from `card_interface`.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum InterfaceJson {
    Appay,
    Wallet,
}

impl From<InterfaceJson> for Interface {
    fn from(json: InterfaceJson) -> Self {
        match json {
            InterfaceJson::Appay => Self::ApPay,
            InterfaceJson::Wallet => Self::Wallet,
        }
    }
}

impl Cards {
    /// Reads the variables. `None` if no gateway is set, or if one of its variables has a mistake.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let gateway = wanted(reader.variables)?;
        let plain = environment == Environment::Development;
        let Some(gateway) = origin(gateway, plain) else {
            reader.error(
                GATEWAY,
                "must be scheme, host and port alone, with https, such as https://secure.example.md",
            );
            return None;
        };
        let capture = reader.word(
            "card_capture",
            Capture::Immediate,
            &[
                ("immediate", Capture::Immediate),
                ("checked", Capture::Checked),
                ("manual", Capture::Manual),
            ],
        );
        let refunding = reader.word(
            "card_refunds",
            Refunding::Nobody,
            &[
                ("nobody", Refunding::Nobody),
                ("managers", Refunding::Managers),
                ("programs", Refunding::Programs),
            ],
        );
        let state_command = reader.word(
            "card_state_command",
            StateCommand::GetState,
            &[
                ("GetState", StateCommand::GetState),
                ("PayStatus", StateCommand::PayStatus),
            ],
        );
        let interface = reader.word(
            "card_interface",
            Interface::ApPay,
            &[("appay", Interface::ApPay), ("wallet", Interface::Wallet)],
        );
        let session_minutes = reader.number("card_session_minutes", 60, 24 * 60, "minutes");
        if session_minutes == 0 {
            reader.error("card_session_minutes", "must be at least 1");
        }
        let currency = reader.variables.get("card_currency").unwrap_or("MDL");
        let currency = Currency::parse(currency)
            .map_err(|error| reader.error("card_currency", error))
            .ok();
        let bank_account = reader.variables.get("card_bank_account").map(Iban::parse);
        if let Some(Err(_)) = &bank_account {
            reader.error("card_bank_account", mpay_door::config::IBAN_NEEDED);
        }
        let listed = reader.listed("card_services").map(ServiceId::parse);
        let services: Result<Vec<_>, _> = listed.collect();
        let services = services
            .map_err(|error| reader.error("card_services", error))
            .unwrap_or_default();
        let languages = match reader.variables.get("card_languages") {
            None => vec!["ru".to_owned(), "en".to_owned()],
            Some(_) => reader
                .listed("card_languages")
                .map(str::to_lowercase)
                .collect(),
        };
        if !languages
            .iter()
            .all(|code| code.len() == 2 && is_word(code))
        {
            reader.error(
                "card_languages",
                "must be codes of two letters with commas between, such as ro,ru,en",
            );
        }
        let template = reader.variables.get("card_template").map(str::to_owned);
        if template.as_deref().is_some_and(|tag| !is_word(tag)) {
            reader.error(
                "card_template",
                "must be a name of Latin letters, digits, - and _",
            );
        }
        // A mistake in it was already reported.
        let is_told = reader.is_wrong(&["public_url"]);
        let public_url = (!is_told).then(|| reader.public_url()).flatten();
        if public_url.is_none() && !reader.is_wrong(&["public_url"]) {
            reader.error(
                "public_url",
                "is not set; cards need the address to which payers come back, such as https://pay.example.md/",
            );
        }
        let terminals = terminals(reader, interface, state_command);
        let is_wallet = |known: &CardTerminal| known.is_wallet();
        let customers = match terminals.iter().any(is_wallet) {
            true => customers(reader, environment),
            false => None,
        };
        if reader.is_wrong(&VARIABLES) || reader.is_wrong(&["public_url"]) {
            return None;
        }
        Some(Self {
            gateway,
            terminals,
            bank_account: bank_account.and_then(Result::ok),
            currency: currency?,
            services,
            capture,
            template,
            languages,
            session_minutes,
            refunding,
            public_url: public_url?.trim_end_matches('/').to_owned(),
            plain,
            customers,
        })
    }

    /// The Wallet's terminal whose customers belong to this service, or to all services; `None` if there is
    /// none.
    pub fn wallet(&self, service: Option<&ServiceId>) -> Option<&CardTerminal> {
        match service {
            Some(service) => self.of(service),
            None => self.terminals.iter().find(|known| known.service.is_none()),
        }
        .filter(|terminal| terminal.is_wallet())
    }

    /// A customer of the Wallet, with the password computed from their id; `None` if no Wallet is configured.
    ///
    /// # Errors
    /// [`Unsendable`] cannot occur for an id that was parsed.
    pub fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, Unsendable> {
        let Some(customers) = &self.customers else {
            return Ok(None);
        };
        let mut mac = customers.clone();
        mac.update(id.as_str().as_bytes());
        let mut password = mpay_ledger::digest::hex(&mac.finalize().into_bytes());
        password.truncate(PASSWORD_DIGITS);
        Customer::new(id.clone(), Secret::new(password)).map(Some)
    }

    /// The terminal for a service; `None` if the service is not paid by card.
    pub fn of(&self, service: &ServiceId) -> Option<&CardTerminal> {
        if !self.services.is_empty() && !self.services.contains(service) {
            return None;
        }
        let own = self
            .terminals
            .iter()
            .find(|terminal| terminal.service.as_ref() == Some(service));
        own.or_else(|| {
            self.terminals
                .iter()
                .find(|terminal| terminal.service.is_none())
        })
    }

    /// The terminal with this name.
    pub fn named(&self, name: &str) -> Option<&CardTerminal> {
        self.terminals.iter().find(|terminal| terminal.name == name)
    }

    /// A language of the gateway's pages: the one asked for if they have it, else their first one.
    pub fn language(&self, asked: Option<&str>) -> Option<&str> {
        let known = |code: &str| self.languages.iter().find(|known| *known == code);
        let asked = asked.and_then(known);
        asked.or(self.languages.first()).map(String::as_str)
    }
}

impl CardTerminal {
    /// True if the terminal has customers who save cards.
    pub fn is_wallet(&self) -> bool {
        self.terminal.interface() == Interface::Wallet
    }
}

impl std::fmt::Debug for Cards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cards")
            .field("gateway", &self.gateway)
            .field("terminals", &self.terminals)
            .finish_non_exhaustive()
    }
}

/// The key from which customers' passwords are computed.
fn customers(reader: &mut Reader<'_>, environment: Environment) -> Option<Hmac<Sha256>> {
    let Some(secret) = reader.variables.get(WALLET_SECRET) else {
        reader.required(
            WALLET_SECRET,
            "32 characters or more of chance, such as `openssl rand -hex 32` makes: customers of the Wallet have their passwords by it",
        );
        return None;
    };
    let is_short = secret.chars().count() < SHORTEST_SECRET;
    let is_known = environment != Environment::Development && secret.starts_with(DEVELOPMENT_TOKEN);
    if is_short || is_known {
        let detail = match is_short {
            true => "must have at least 32 characters; `openssl rand -hex 32` makes such",
            false => "is one for development, which everybody knows",
        };
        reader.error(WALLET_SECRET, detail);
        return None;
    }
    Hmac::new_from_slice(secret.as_bytes()).ok()
}

/// All terminals; the terminal for all services comes last.
fn terminals(
    reader: &mut Reader<'_>,
    interface: Interface,
    state_command: StateCommand,
) -> Vec<CardTerminal> {
    let mut terminals = Vec::new();
    let path = reader.variables.get("card_path");
    let mut make = |reader: &mut Reader<'_>,
                    variable,
                    service,
                    interface: Interface,
                    name: &str,
                    password: &str| {
        let terminal = Terminal::new(interface, name, Secret::new(password));
        let terminal = terminal.map(|terminal| terminal.with_state_command(state_command));
        match terminal {
            Ok(terminal) => {
                let terminal = match path {
                    None => Ok(terminal),
                    Some(path) => terminal.with_path(path),
                };
                match terminal {
                    Ok(terminal) => terminals.push(CardTerminal {
                        // The same name at both interfaces would mean two terminals, each of which knows only
                        // its own payments.
                        name: match interface {
                            Interface::ApPay => name.to_owned(),
                            Interface::Wallet => format!("{name} (Wallet)"),
                        },
                        terminal,
                        service,
                    }),
                    Err(error) => reader.error("card_path", error),
                }
            }
            Err(error) => {
                // If the name is valid with another password, the mistake is in the password.
                let named = Terminal::new(interface, name, Secret::new("x"));
                let variable = match (variable, named) {
                    (TERMINAL, Ok(_)) => PASSWORD,
                    (variable, _) => variable,
                };
                reader.error(variable, error);
            }
        }
    };
    let mut is_any = false;
    if let Some(text) = reader.variables.get(TERMINALS) {
        is_any = true;
        let read: Result<std::collections::BTreeMap<String, TerminalJson>, _> =
            serde_json::from_str(text);
        // The parser's message may contain a part of a password.
        let form = r#"must be an object such as {"TAX": {"terminal": "…", "password": "…"}}"#;
        match read {
            Err(_) => reader.error(TERMINALS, form),
            Ok(read) => {
                for (position, (service, json)) in read.into_iter().enumerate() {
                    match ServiceId::parse(&service) {
                        Ok(service) => {
                            make(
                                reader,
                                TERMINALS,
                                Some(service),
                                json.interface.map_or(interface, Interface::from),
                                &json.terminal,
                                &json.password,
                            );
                        }
                        Err(error) => {
                            let number = position + 1;
                            reader.error(TERMINALS, format!("ServiceID {number} {error}"));
                        }
                    }
                }
            }
        }
    }
    match (
        reader.variables.get(TERMINAL),
        reader.variables.get(PASSWORD),
    ) {
        (Some(name), Some(password)) => {
            make(reader, TERMINAL, None, interface, name, password);
        }
        (None, None) if is_any => {}
        (None, _) => {
            reader.required(
                TERMINAL,
                "the Key, or VWID, that the bank gave with the password",
            );
        }
        (_, None) => {
            reader.required(
                PASSWORD,
                "the password that the bank gave with the terminal",
            );
        }
    }
    terminals
}

fn is_word(text: &str) -> bool {
    let is = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(is)
}

/// The configured gateway, even if its variables have mistakes; `None` if none is configured.
pub fn wanted(variables: &Variables) -> Option<&str> {
    let gateway = variables.get(GATEWAY)?.trim_end_matches('/');
    (gateway != NOBODY).then_some(gateway)
}

/// The address if it is scheme, host and port only. It must be encrypted, except for this machine in
/// development.
fn origin(text: &str, plain: bool) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let here = matches!(uri.host()?, "localhost" | "127.0.0.1" | "[::1]");
    let is_allowed = scheme == "https" || (scheme == "http" && plain && here);
    let origin = format!("{scheme}://{authority}");
    (is_allowed && origin == text && !authority.as_str().contains('@')).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of reading these variables, and the mistakes.
    fn read(pairs: &[(&'static str, &str)]) -> (Option<Cards>, Vec<String>) {
        let mut variables = Variables::default();
        for (name, value) in pairs {
            variables.set(name, (*value).to_owned());
        }
        let mut reader = Reader::new(&variables);
        let cards = Cards::read(&mut reader, Environment::Production);
        let errors = reader.errors.iter().map(ToString::to_string).collect();
        (cards, errors)
    }

    const WHOLE: [(&str, &str); 4] = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_terminal", "Merchant"),
        ("card_password", "hunter2"),
        ("public_url", "https://pay.example.md/"),
    ];

    #[test]
    fn without_a_gateway_there_is_nothing() {
        assert!(read(&[]).0.is_none());
        let nobody = ("card_gateway", "https://card-gateway.invalid");
        let (cards, errors) = read(&[nobody, ("card_capture", "never")]);
        assert!(cards.is_none() && errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn services_have_their_terminals() {
        let own = r#"{"TAX": {"terminal": "Tax", "password": "p"}}"#;
        let more = [("card_terminals", own), ("card_services", "TAX, SCHOOL")];
        let (cards, errors) = read(&[WHOLE.as_slice(), &more].concat());
        assert_eq!(errors, Vec::<String>::new());
        let cards = cards.unwrap();
        let of = |service| {
            let terminal = cards.of(&ServiceId::parse(service).unwrap());
            terminal.map(|terminal| terminal.name.clone())
        };
        assert_eq!(of("TAX").as_deref(), Some("Tax"));
        assert_eq!(of("SCHOOL").as_deref(), Some("Merchant"));
        assert_eq!(of("OTHER"), None);
        assert!(cards.named("Tax").is_some() && cards.named("tax").is_none());
        assert_eq!(cards.language(Some("en")), Some("en"));
        assert_eq!(cards.language(Some("ro")), Some("ru"));
        assert!(!format!("{cards:?}").contains("hunter2"));
    }

    const WALLET: [(&str, &str); 2] = [
        ("card_interface", "wallet"),
        ("card_wallet_secret", "0123456789abcdef0123456789abcdef"),
    ];

    #[test]
    fn a_customer_has_the_password_that_openssl_makes_of_their_id() {
        let (cards, errors) = read(&[WHOLE.as_slice(), &WALLET].concat());
        assert_eq!(errors, Vec::<String>::new());
        let cards = cards.unwrap();
        let ana = CustomerId::parse("ana").unwrap();
        // printf %s ana | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef | cut -c1-50
        let password = "d66e77f17faf9bcf23f6c4d6c98814e0293d150aac51473a13";
        let expected = Customer::new(ana.clone(), Secret::new(password)).unwrap();
        assert_eq!(cards.customer(&ana).unwrap(), Some(expected));
        assert!(!format!("{cards:?}").contains("0123456789"));
        // Without a Wallet there are no customers, and no secret is needed.
        let cards = read(&WHOLE).0.unwrap();
        assert!(cards.customer(&ana).unwrap().is_none() && cards.wallet(None).is_none());
    }

    #[test]
    fn a_terminal_of_one_name_is_another_at_the_other_interface() {
        let old = r#"{"OLD": {"terminal": "Merchant", "password": "p", "interface": "appay"}}"#;
        let more = [WALLET.as_slice(), &[("card_terminals", old)]].concat();
        let cards = read(&[WHOLE.as_slice(), &more].concat()).0.unwrap();
        let of = |name| cards.named(name).map(CardTerminal::is_wallet);
        assert_eq!(of("Merchant"), Some(false));
        assert_eq!(of("Merchant (Wallet)"), Some(true));
        let service = |id| ServiceId::parse(id).unwrap();
        assert!(cards.wallet(None).is_some() && cards.wallet(Some(&service("TAX"))).is_some());
        assert!(cards.wallet(Some(&service("OLD"))).is_none());
        // Questions about payments at one terminal do not go to the other.
        let cards = read(&[WHOLE.as_slice(), &WALLET].concat()).0.unwrap();
        assert!(cards.named("Merchant").is_none());
    }

    #[test]
    fn the_wallet_needs_a_secret_that_nobody_guesses() {
        for secret in ["", "hunter2", "development-only-hunter2-hunter2-hunter2"] {
            let wallet = [WALLET[0], ("card_wallet_secret", secret)];
            let (cards, errors) = read(&[WHOLE.as_slice(), &wallet].concat());
            assert!(cards.is_none() && errors.len() == 1, "{errors:?}");
            assert!(errors[0].contains("card_wallet_secret") && !errors[0].contains("hunter2"));
        }
    }

    #[test]
    fn mistakes_are_told_without_a_part_of_a_value() {
        for (name, value, said) in [
            ("card_interface", "hunter2", "card_interface"),
            ("card_gateway", "http://gateway.example.md", "card_gateway"),
            ("card_gateway", "http://localhost:1", "card_gateway"),
            ("card_gateway", "https://a@gateway.md", "card_gateway"),
            ("card_gateway", "https://gateway.md/api", "card_gateway"),
            ("card_password", "", "card_password"),
            ("card_password", "hunter2;Amount=1", "card_password"),
            ("card_template", "hunter2;Amount=1", "card_template"),
            ("card_languages", "hunter2", "card_languages"),
            ("card_terminal", "", "card_terminal"),
            ("card_terminals", "{\"TAX\": \"hunter2\"}", "card_terminals"),
            ("card_bank_account", "hunter2", "card_bank_account"),
            ("card_capture", "hunter2", "card_capture"),
            ("card_refunds", "hunter2", "card_refunds"),
            ("card_currency", "hunter2", "card_currency"),
            ("card_path", "hunter2/..", "card_path"),
            ("card_session_minutes", "0", "card_session_minutes"),
            ("public_url", "", "public_url"),
        ] {
            let mut pairs: Vec<_> = WHOLE.to_vec();
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, value));
            let (cards, errors) = read(&pairs);
            assert!(cards.is_none(), "{name} {value}");
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].contains(said), "{errors:?}");
            assert!(!errors[0].contains("hunter2"), "{errors:?}");
        }
    }
}
