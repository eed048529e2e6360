//! The variables that are read for notification.

use std::{cell::Cell, cell::RefCell, collections::HashSet, time::Duration};

use jiff::Timestamp;
use mpay_door::{
    config::{Environment, Reader},
    pages::PayLinks,
};
use mpay_ledger::{
    domain::{OrderKey, ServiceId},
    json::{Event, Group, Groups},
};

use crate::Webhook;

/// The variable that lists the receivers.
pub const WEBHOOKS: &str = "webhooks";

/// The variables that let the components call the receivers.
const ORIGINS: [&str; 3] = ["webhook_origin", "webhook_origin_2", "webhook_origin_3"];

/// The variables without which a receiver may be missing.
pub const OF_RECEIVERS: [&str; 4] = [ORIGINS[0], ORIGINS[1], ORIGINS[2], WEBHOOKS];

/// Every variable that is read for notification. All are optional.
pub const VARIABLES: [&str; 5] = ["max_silence", ORIGINS[0], ORIGINS[1], ORIGINS[2], WEBHOOKS];

/// The most receivers: each is a walk of its own through the journal.
const MOST_RECEIVERS: usize = 8;

/// The most characters of a receiver's name.
const MAX_NAME: usize = 32;

/// A receiver of messages.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name, which identifies it whatever its address.
    pub name: String,
    /// The address that messages are posted to, and the key that signs them.
    pub webhook: Webhook,
    /// The events that it is told of.
    pub groups: Groups,
}

/// The receivers, each with its events.
#[derive(Debug, Default)]
pub struct Settings {
    /// The receivers.
    pub receivers: Vec<Receiver>,
    /// The time for which MPay may be silent until somebody is told; `None` for no limit.
    pub max_silence: Option<Duration>,
    /// The maker of links to the page of an order in a message; `None` without pages. The reader of the
    /// pages' variables sets it.
    pub links: Option<PayLinks>,
}

/// The memory of an instance, so that it need not ask the store.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The last call of MPay's that was noted.
    pub(crate) last_call: Cell<Option<Timestamp>>,
    /// Alerts that were sent, by their ids: a few a day.
    pub(crate) alerted: RefCell<HashSet<String>>,
    /// The time at which the list of receivers that have ended was read last, and the list.
    pub(crate) ended: RefCell<Option<(Timestamp, Vec<String>)>>,
}

impl Settings {
    /// Reads the variables. A mistake is noted, and switches off the function of its variable; of the
    /// list of receivers, only the receiver that has it.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Self {
        let max_silence = reader.seconds("max_silence", 0, 90 * 86_400);
        Self {
            receivers: receivers(reader, environment),
            max_silence: (!max_silence.is_zero()).then_some(max_silence),
            links: None,
        }
    }

    /// The payer's page of the order of an event, if the event is an order's own.
    pub fn pay_url(&self, event: &Event) -> Option<String> {
        let links = self.links.as_ref()?;
        let is_of_order = event.name().starts_with("order.");
        let (service, key, _) = event.change().filter(|_| is_of_order)?;
        let (service, key) = (ServiceId::parse(service).ok()?, OrderKey::parse(key).ok()?);
        Some(links.pay_url(&service, &key))
    }

    /// The receiver of a name.
    pub fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }
}

/// Reads the variable [`WEBHOOKS`]: entries with semicolons or line breaks between.
fn receivers(reader: &mut Reader<'_>, environment: Environment) -> Vec<Receiver> {
    for variable in ORIGINS {
        let text = reader.variables.get(variable).unwrap_or_default();
        if !text.is_empty() && !is_origin(text) {
            reader.error(
                variable,
                "must be scheme, host and port alone, such as https://erp.example.md",
            );
        }
    }
    // The host lets requests go to these alone.
    let origins = ORIGINS.map(|variable| reader.variables.get(variable).unwrap_or_default());
    let text = reader.variables.get(WEBHOOKS).unwrap_or_default();
    let texts = text.split([';', '\n']).map(str::trim);
    let plain = environment == Environment::Development;
    let mut receivers: Vec<Receiver> = Vec::new();
    for (index, text) in texts.filter(|text| !text.is_empty()).enumerate() {
        let receiver = Receiver::read(text, plain);
        match receiver.and_then(|receiver| receiver.beside(&receivers)) {
            Ok(receiver) => {
                let origin = receiver.webhook.origin();
                let mut allowed = origins.iter().map(|allowed| allowed.trim_end_matches('/'));
                if allowed.any(|allowed| allowed == origin) {
                    receivers.push(receiver);
                } else if !reader.is_wrong(&ORIGINS) {
                    let detail = format!(
                        "entry {} has an address that may not be called: set webhook_origin, webhook_origin_2 or webhook_origin_3 to its scheme, host and port, such as https://erp.example.md",
                        index + 1
                    );
                    reader.error(WEBHOOKS, detail);
                }
            }
            Err(detail) => reader.error(WEBHOOKS, format!("entry {} {detail}", index + 1)),
        }
    }
    receivers
}

/// True if a text is an address without a path.
fn is_origin(text: &str) -> bool {
    let text = text.strip_suffix('/').unwrap_or(text);
    let url = Webhook::parse_url(text, true);
    url.is_ok_and(|url| text.len() == Webhook::origin_of(&url).len())
}

impl Receiver {
    /// Reads an entry: name, address, secrets and groups of events, with spaces between. The error shows
    /// no part of the entry, which may be the secret.
    fn read(text: &str, plain: bool) -> Result<Self, String> {
        const FORM: &str = "must be a name, an address, a secret such as `echo whsec_$(openssl rand -base64 32)` prints, and perhaps what is told, with spaces between";
        let mut words = text.split_whitespace();
        let (Some(name), Some(url)) = (words.next(), words.next()) else {
            return Err(FORM.to_owned());
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.chars().all(fits) || name.len() > MAX_NAME || name.starts_with("whsec_") {
            return Err(format!(
                "must begin with a name of up to {MAX_NAME} letters, digits, - and _"
            ));
        }
        let url = Webhook::parse_url(url, plain)
            .map_err(|error| format!("has an address that {error}"))?;
        let (secrets, groups): (Vec<_>, Vec<_>) =
            words.partition(|word| word.starts_with("whsec_"));
        if secrets.is_empty() {
            return Err(FORM.to_owned());
        }
        let webhook = Webhook::new(url, &secrets).map_err(|error| error.to_string())?;
        let groups = match groups.as_slice() {
            [] => [Group::Payments, Group::Alerts].into_iter().collect(),
            [groups] => {
                Groups::parse(groups).map_err(|error| format!("has a last word that {error}"))?
            }
            _ => return Err(FORM.to_owned()),
        };
        Ok(Self {
            name: name.to_owned(),
            webhook,
            groups,
        })
    }

    /// Refuses an entry that contradicts the entries before.
    fn beside(self, others: &[Self]) -> Result<Self, String> {
        if others.iter().any(|other| other.name == self.name) {
            return Err("has a name that an entry before it has".to_owned());
        }
        if others.len() >= MOST_RECEIVERS {
            return Err(format!(
                "is one too many: at most {MOST_RECEIVERS} receivers can be told"
            ));
        }
        Ok(self)
    }
}

/// Reads the receiver of signed messages from three variables: origin, secrets, address. Two of them
/// alone would send to the wrong address, or sign so that nobody believes it.
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
    let origin = Webhook::origin_of(&url);
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
    let secrets: Vec<_> = secrets.split_whitespace().collect();
    Webhook::new(url, &secrets)
        .map_err(|error| reader.error(secret_at, error))
        .ok()
}

#[cfg(test)]
mod tests {
    use mpay_door::config::Variables;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The receivers of some texts of variables, and the mistakes.
    fn read(texts: &[(&'static str, &str)]) -> (Vec<Receiver>, Vec<String>) {
        let mut variables = Variables::default();
        for (name, text) in texts {
            variables.set(name, (*text).to_owned());
        }
        let mut reader = Reader::new(&variables);
        let settings = Settings::read(&mut reader, Environment::Test);
        let errors = reader.errors.iter().map(ToString::to_string);
        (settings.receivers, errors.collect())
    }

    #[test]
    fn receivers_are_read_with_what_they_want() {
        let webhooks = format!(
            "erp https://erp.example.md/hook {SECRET}; \n archive-2  https://a.example.md {SECRET} {SECRET} orders,payments,settlements\nchat http://localhost:80/x {SECRET} alerts"
        );
        let (receivers, errors) = read(&[
            ("webhooks", &webhooks),
            ("webhook_origin", "https://erp.example.md/"),
            ("webhook_origin_2", "https://a.example.md"),
            ("webhook_origin_3", "http://localhost:80"),
        ]);
        assert_eq!(errors, [""; 0]);
        let names: Vec<_> = receivers.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["erp", "archive-2", "chat"]);
        let groups = receivers.iter().map(|receiver| {
            let names: Vec<_> = receiver.groups.iter().map(Group::as_str).collect();
            names.join(" ")
        });
        let expected = ["payments alerts", "orders payments settlements", "alerts"];
        assert_eq!(groups.collect::<Vec<_>>(), expected);
        assert_eq!(read(&[]).0.len(), 0);
    }

    #[test]
    fn a_mistake_in_one_receiver_leaves_out_that_one_alone() {
        let good = format!("erp https://erp.example.md/hook {SECRET}");
        let other = "https://other.example.md/hook";
        for (entry, named) in [
            ("chat".to_owned(), "must be a name"),
            (format!("chat {SECRET}"), "an address that"),
            (
                format!("{SECRET} https://erp.example.md"),
                "begin with a name",
            ),
            (
                format!("chät https://erp.example.md {SECRET}"),
                "begin with a name",
            ),
            ("chat https://erp.example.md".to_owned(), "a secret such as"),
            (
                "chat https://erp.example.md whsec_short".to_owned(),
                "must have secrets",
            ),
            (format!("chat http://erp.example.md/ {SECRET}"), "https://"),
            (format!("chat {other} {SECRET}"), "webhook_origin_2"),
            (
                format!("chat https://erp.example.md {SECRET} bills"),
                "must be of orders",
            ),
            (
                format!("chat https://erp.example.md {SECRET} orders alerts"),
                "must be a name",
            ),
            (
                format!("erp https://erp.example.md {SECRET}"),
                "before it has",
            ),
        ] {
            let (receivers, errors) = read(&[
                ("webhooks", &format!("{good}\n{entry}")),
                ("webhook_origin", "https://erp.example.md"),
            ]);
            assert_eq!(receivers.len(), 1, "{entry}");
            assert!(!errors.is_empty(), "{entry}");
            let starts = errors[0].starts_with("variable webhooks: entry 2 ");
            assert!(starts && errors[0].contains(named), "{entry}: {errors:?}");
            for part in ["MfKQ", "other.example", "chat", "bills", "short"] {
                assert!(!errors.join("").contains(part), "{errors:?}");
            }
        }
        // It is unknown which receiver a wrong origin was meant for, so only the origin is named.
        for wrong in [
            "https://erp.example.md/hook",
            "erp.example.md",
            "\u{1}x",
            "https://a:b@c",
        ] {
            let webhooks = format!("{good}\nother {other} {SECRET}");
            let (receivers, errors) = read(&[
                ("webhooks", &webhooks),
                ("webhook_origin", "https://erp.example.md"),
                ("webhook_origin_2", wrong),
            ]);
            assert_eq!((receivers.len(), errors.len()), (1, 1), "{errors:?}");
            assert!(errors[0].starts_with("variable webhook_origin_2: must be scheme"));
        }
        let many: Vec<_> = (0..9)
            .map(|n| format!("n{n} https://erp.example.md/hook {SECRET}"))
            .collect();
        let (receivers, errors) = read(&[
            ("webhooks", &many.join("\n")),
            ("webhook_origin", "https://erp.example.md"),
        ]);
        assert_eq!((receivers.len(), errors.len()), (8, 1));
    }
}
