//! The variables of the card gateway.

use cryptoprocessing::{Interface, Secret, StateCommand, Terminal};
use http::Uri;
use mpay_door::config::{Environment, Reader, Variables};
use serde::Deserialize;

use crate::{
    domain::{Currency, Iban, ServiceId},
    json::Capture,
};

/// Every variable that is read for cards. All are optional.
pub const VARIABLES: [&str; 14] = [
    "card_bank_account",
    "card_capture",
    "card_currency",
    GATEWAY,
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
];

const GATEWAY: &str = "card_gateway";
const PASSWORD: &str = "card_password";
const TERMINAL: &str = "card_terminal";
const TERMINALS: &str = "card_terminals";

/// The gateway that is nobody: the default, so that the manifest has an address to name.
const NOBODY: &str = "https://card-gateway.invalid";

/// Who may give money back through this provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refunding {
    /// Nobody: refunds are made in the gateway's cabinet.
    Nobody,
    /// Managers.
    Managers,
    /// Managers, and programs.
    Programs,
}

/// A terminal, and what it is called by.
#[derive(Debug, Clone)]
pub struct CardTerminal {
    /// Its `Key` or `VWID`: a payment keeps it, to be asked for where it was begun.
    pub name: String,
    /// What requests are made with.
    pub terminal: Terminal,
    /// The service whose money it takes; `None` is all the others.
    service: Option<ServiceId>,
}

/// What payments by card are made with.
#[derive(Debug)]
pub struct Cards {
    /// Scheme, host and port of the gateway.
    pub gateway: String,
    terminals: Vec<CardTerminal>,
    /// Where the money goes.
    pub bank_account: Option<Iban>,
    /// The currency of the terminals.
    pub currency: Currency,
    /// The services that are paid by card; empty for all.
    services: Vec<ServiceId>,
    /// How money is taken, unless a request says otherwise.
    pub capture: Capture,
    /// Which pages of the gateway are shown.
    pub template: Option<String>,
    /// The languages that these have.
    languages: Vec<String>,
    /// Minutes that a payer has.
    pub session_minutes: u32,
    /// Who may give money back.
    pub refunding: Refunding,
    /// The address of this provider, without a slash at its end.
    pub public_url: String,
    /// Whether addresses without encryption are allowed.
    pub plain: bool,
}

/// A terminal of `card_terminals`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalJson {
    terminal: String,
    password: String,
}

impl Cards {
    /// Reads the variables. `None` where no gateway is set, or a variable of it is wrong.
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
        // A mistake in it was told by whoever read it before.
        let is_told = reader.is_wrong(&["public_url"]);
        let public_url = (!is_told).then(|| reader.public_url()).flatten();
        if public_url.is_none() && !reader.is_wrong(&["public_url"]) {
            reader.error(
                "public_url",
                "is not set; cards need the address to which payers come back, such as https://pay.example.md/",
            );
        }
        let terminals = terminals(reader, state_command);
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
        })
    }

    /// The terminal of a service; `None` if it is not paid by card.
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

    /// The terminal of a name.
    pub fn named(&self, name: &str) -> Option<&CardTerminal> {
        self.terminals.iter().find(|terminal| terminal.name == name)
    }

    /// A language that the gateway's pages have, the one that is asked for if possible.
    pub fn language(&self, asked: Option<&str>) -> Option<&str> {
        let known = |code: &str| self.languages.iter().find(|known| *known == code);
        let asked = asked.and_then(known);
        asked.or(self.languages.first()).map(String::as_str)
    }
}

/// The terminals, that of all services last.
fn terminals(reader: &mut Reader<'_>, state_command: StateCommand) -> Vec<CardTerminal> {
    let mut terminals = Vec::new();
    let path = reader.variables.get("card_path");
    let mut make = |reader: &mut Reader<'_>, variable, service, name: &str, password: &str| {
        let terminal = Terminal::new(Interface::ApPay, name, Secret::new(password));
        let terminal = terminal.map(|terminal| terminal.with_state_command(state_command));
        match terminal {
            Ok(terminal) => {
                let terminal = match path {
                    None => Ok(terminal),
                    Some(path) => terminal.with_path(path),
                };
                match terminal {
                    Ok(terminal) => terminals.push(CardTerminal {
                        name: name.to_owned(),
                        terminal,
                        service,
                    }),
                    Err(error) => reader.error("card_path", error),
                }
            }
            Err(error) => {
                // With a password that is none, the mistake is in the name.
                let named = Terminal::new(Interface::ApPay, name, Secret::new("x"));
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
        // What the parser says may hold a part of a password.
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
        (Some(name), Some(password)) => make(reader, TERMINAL, None, name, password),
        (None, None) if is_any => {}
        (None, _) => {
            reader.required(TERMINAL, "the Key that the bank gave with the password");
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

/// The gateway that is set, whether it can be used or not.
pub fn wanted(variables: &Variables) -> Option<&str> {
    let gateway = variables.get(GATEWAY)?.trim_end_matches('/');
    (gateway != NOBODY).then_some(gateway)
}

/// Scheme, host and port alone: encrypted, or to this machine in development.
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

    /// What is read of some variables, and the mistakes.
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

    #[test]
    fn mistakes_are_told_without_a_part_of_a_value() {
        for (name, value, said) in [
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
