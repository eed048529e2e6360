//! The orders that checks need: named in a file, or registered through our own order API.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use anyhow::{Context, bail};
use mpay_client::proxy_to;
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::tls::TlsConfig;

use super::{
    text::visible,
    verdict::{Verdict, skipped},
};

/// The kind of order that a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    /// Active, one line, no Allow flag.
    Plain,
    /// Active, several lines, no Allow flag.
    Lines,
    /// One line, may be paid partially.
    Partial,
    /// Several lines, may be paid partially.
    PartialLines,
    /// One line of tens of millions, may be paid partially.
    Large,
    /// One line of known amount, may be paid in advance.
    Advance,
    /// No amount known yet.
    Open,
    /// Everything optional filled in, texts in three languages.
    Full,
    Expired,
    Cancelled,
    Completed,
    Refunding,
    Refunded,
}

impl Role {
    pub const ALL: [Role; 13] = [
        Role::Plain,
        Role::Lines,
        Role::Partial,
        Role::PartialLines,
        Role::Large,
        Role::Advance,
        Role::Open,
        Role::Full,
        Role::Expired,
        Role::Cancelled,
        Role::Completed,
        Role::Refunding,
        Role::Refunded,
    ];

    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Lines => "lines",
            Self::Partial => "partial",
            Self::PartialLines => "partial_lines",
            Self::Large => "large",
            Self::Advance => "advance",
            Self::Open => "open",
            Self::Full => "full",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Plain => "an Active order of one line that may only be paid in full",
            Self::Lines => "an Active order of several lines that may only be paid in full",
            Self::Partial => "an order of one line that may be paid partially",
            Self::PartialLines => "an order of several lines that may be paid partially",
            Self::Large => "an order of one line of tens of millions that may be paid partially",
            Self::Advance => "an order of one line that may be paid in advance",
            Self::Open => "an order whose amount is not known yet",
            Self::Full => "an order with all optional members and texts in three languages",
            Self::Expired => "an expired order",
            Self::Cancelled => "a cancelled order",
            Self::Completed => "a completed order",
            Self::Refunding => "an order that is being refunded",
            Self::Refunded => "a refunded order",
        }
    }
}

/// A text in the languages of MPay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Texts {
    pub ro: Option<String>,
    pub ru: Option<String>,
    pub en: Option<String>,
}

/// The file that describes orders.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrdersFile {
    service: Option<String>,
    #[serde(default)]
    orders: BTreeMap<String, Vec<String>>,
    /// The `Reason` of the order `full`.
    #[serde(default)]
    full_reason: Texts,
}

impl OrdersFile {
    /// Reads the file's text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let file: Self = toml::from_str(text)?;
        let known: Vec<_> = Role::ALL.map(Role::name).to_vec();
        if let Some(name) = file
            .orders
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            bail!(
                "[orders] has {name:?}, which is none of {}",
                known.join(", ")
            );
        }
        Ok(file)
    }

    /// The ServiceID.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }
}

/// A file with orders to fill in.
pub const TEMPLATE: &str = r#"# Orders for `mpay conform --orders FILE`.
# Register them at the provider first, then write their keys here. What is left out is skipped.
# Where orders are paid, the last of a list is paid first.

# The ServiceID that MPay gave you.
service = "YOUR-SERVICE"

[orders]
# Active, one line, no Allow flags. Six, of which five are paid.
plain = []
# Active, two lines and more, no Allow flags. Two, of which one is paid.
lines = []
# One line of 100.00 and more, AllowPartialPayments. Six, of which five are paid, some of them in many
# payments of 1.00.
partial = []
# Two lines and more of 10.00 and more each, AllowPartialPayments. Eight, of which seven are paid.
partial_lines = []
# One line of 30000000.00 and more, AllowPartialPayments. Two, of which one is paid.
large = []
# One line with an amount, AllowAdvancePayments. Two, of which one is paid.
advance = []
# No AmountDue and no TotalAmountDue, AllowAdvancePayments. Two, of which one is paid.
open = []
# Everything optional filled in: customer, dates, properties on the order and its line, texts in
# Romanian, Russian and English. One, which is only looked at.
full = []
# One each, in that status. The first two are paid in the end: MPay confirms money that has moved.
expired = []
cancelled = []
completed = []
refunding = []
refunded = []

# What Reason of the order "full" is; left out, only that the languages differ is looked at.
[full_reason]
# ro = "Taxă"
# ru = "Налог"
# en = "Tax"
"#;

/// The source of orders.
#[derive(Debug)]
pub(super) enum Source {
    None,
    File(HashMap<Role, Vec<String>>),
    Api(OrderApi),
}

/// The orders of a run.
#[derive(Debug)]
pub(super) struct Orders {
    source: Source,
    /// Orders that are only looked at.
    shared: HashMap<Role, String>,
    pub full_reason: Texts,
}

impl Orders {
    pub fn none() -> Self {
        Self::of(Source::None, Texts::default())
    }

    pub fn of_file(file: OrdersFile) -> Self {
        let keys = Role::ALL
            .into_iter()
            .filter_map(|role| Some((role, file.orders.get(role.name())?.clone())))
            .collect();
        Self::of(Source::File(keys), file.full_reason)
    }

    pub fn of_api(api: OrderApi) -> Self {
        let text = |text: &str| Some(text.to_owned());
        let reason = Texts {
            ro: text("Taxă, cu „ă”, <&> și țară"),
            ru: text("Налог, с буквой ё"),
            en: text("Tax, with “quotes”"),
        };
        Self::of(Source::Api(api), reason)
    }

    fn of(source: Source, full_reason: Texts) -> Self {
        Self {
            source,
            shared: HashMap::new(),
            full_reason,
        }
    }

    /// Registers a first order, where orders are registered.
    pub fn try_api(&mut self) -> anyhow::Result<()> {
        if let Source::Api(api) = &mut self.source {
            let key = api.register(Role::Plain, &self.full_reason)?;
            self.shared.insert(Role::Plain, key);
        }
        Ok(())
    }

    /// An order that checks only look at.
    pub fn shared(&mut self, role: Role) -> Verdict<String> {
        if let Some(key) = self.shared.get(&role) {
            return Ok(key.clone());
        }
        let key = match &mut self.source {
            Source::File(keys) => keys.get(&role).and_then(|keys| keys.first()).cloned(),
            _ => self.take(role)?,
        };
        match key {
            Some(key) => {
                self.shared.insert(role, key.clone());
                Ok(key)
            }
            None => missing(role, "none is given"),
        }
    }

    /// An order to pay, which no other check gets.
    pub fn fresh(&mut self, role: Role) -> Verdict<String> {
        match self.take(role)? {
            Some(key) => Ok(key),
            None => missing(role, "all that were given are used up, or none is given"),
        }
    }

    fn take(&mut self, role: Role) -> Verdict<Option<String>> {
        match &mut self.source {
            Source::None => Ok(None),
            // The last first, so that the one that is looked at is paid last.
            Source::File(keys) => Ok(keys.get_mut(&role).and_then(Vec::pop)),
            Source::Api(api) => {
                let key = api.register(role, &self.full_reason)?;
                Ok(Some(key))
            }
        }
    }

    /// Sets the status of an order, where there is an API for it.
    pub fn set_status(&self, key: &str, status: &str) -> Verdict {
        match &self.source {
            Source::Api(api) => Ok(api.set_status(key, status)?),
            _ => skipped("an order's status is only set through the order API"),
        }
    }

    /// True if orders are registered through the API.
    pub fn are_registered(&self) -> bool {
        matches!(self.source, Source::Api(_))
    }
}

fn missing<T>(role: Role, why: &str) -> Verdict<T> {
    skipped(format!(
        "it needs {} (`{}` in the file of --orders), and {why}",
        role.described(),
        role.name()
    ))
}

/// Our own order API.
pub(super) struct OrderApi {
    agent: ureq::Agent,
    base: String,
    service: String,
    token: String,
    /// Part of every key, so that a run does not meet the orders of another.
    run: String,
    registered: u32,
}

impl std::fmt::Debug for OrderApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderApi")
            .field("base", &self.base)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl OrderApi {
    /// The API at `base`, such as `https://pay.example.md/api`.
    pub fn new(base: &str, service: &str, token: &str, tls: TlsConfig) -> Self {
        let run: String = rand::rng()
            .sample_iter(rand::distr::Alphanumeric)
            .take(6)
            .map(|byte| char::from(byte).to_ascii_uppercase())
            .collect();
        Self {
            agent: ureq::Agent::config_builder()
                .tls_config(tls)
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(60)))
                .proxy(proxy_to(base))
                .build()
                .new_agent(),
            base: base.trim_end_matches('/').to_owned(),
            service: service.to_owned(),
            token: token.trim().to_owned(),
            run,
            registered: 0,
        }
    }

    fn register(&mut self, role: Role, reason: &Texts) -> anyhow::Result<String> {
        self.registered += 1;
        let name: String = role.name().to_uppercase().replace('_', "-");
        let key = format!("CONFORM-{}-{}-{name}", self.run, self.registered);
        let response = self
            .agent
            .put(self.address(&key))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("If-None-Match", "*")
            .send_json(order(role, reason));
        self.check(response, &format!("register the order {key}"))?;
        Ok(key)
    }

    fn set_status(&self, key: &str, status: &str) -> anyhow::Result<()> {
        let mut change = json!({"status": status});
        if status == "Refunded" {
            change["refund_reference"] = "mpay conform".into();
        }
        let response = self
            .agent
            .patch(self.address(key))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Content-Type", "application/merge-patch+json")
            .send(change.to_string());
        self.check(response, &format!("set the order {key} to {status}"))
    }

    fn address(&self, key: &str) -> String {
        format!("{}/orders/{}/{key}", self.base, encode(&self.service))
    }

    fn check(
        &self,
        response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        what: &str,
    ) -> anyhow::Result<()> {
        let mut response =
            response.with_context(|| format!("cannot {what}: {} is not reached", self.base))?;
        if response.status().is_success() {
            return Ok(());
        }
        let text = response.body_mut().read_to_string().unwrap_or_default();
        let text: String = text.chars().take(300).collect();
        bail!(
            "cannot {what}: HTTP {} {}",
            response.status().as_u16(),
            visible(&text)
        )
    }
}

/// A path segment (RFC 3986, section 3.3).
fn encode(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn order(role: Role, reason: &Texts) -> Value {
    let line =
        |id: &str, amount: &str| json!({"line_id": id, "reason": "Linie", "amount_due": amount});
    let mut order = json!({"reason": "Verificare", "lines": [line("1", "12.50")]});
    match role {
        Role::Plain => {}
        Role::Lines => order["lines"] = json!([line("1", "10.00"), line("2", "2.50")]),
        Role::Partial => {
            order["lines"] = json!([line("1", "500.00")]);
            order["allow_partial_payments"] = true.into();
        }
        Role::PartialLines => {
            order["lines"] = json!([line("1", "10.00"), line("2", "20.00"), line("3", "30.50")]);
            order["allow_partial_payments"] = true.into();
        }
        Role::Large => {
            order["lines"] = json!([line("1", "30000000.01")]);
            order["allow_partial_payments"] = true.into();
        }
        Role::Advance => order["allow_advance_payments"] = true.into(),
        Role::Open => {
            order["lines"] = json!([{"line_id": "1", "reason": "Linie"}]);
            order["allow_advance_payments"] = true.into();
        }
        Role::Full => order = full(reason),
        Role::Expired => order["due_date"] = "2024-01-31".into(),
        Role::Cancelled => order["status"] = "Cancelled".into(),
        Role::Completed => order["status"] = "Completed".into(),
        // Money has to come first; see `Session::order_of`.
        Role::Refunding | Role::Refunded => {}
    }
    order
}

fn full(reason: &Texts) -> Value {
    let property = |name: &str| {
        json!({
            "name": name,
            "display_name": {"ro": "Adresă", "ru": "Адрес", "en": "Address"},
            "value": "str. Ștefan cel Mare 1", "type": "string", "id": "p-1",
            "is_visible": true, "modifiable": false, "required": false
        })
    };
    json!({
        "reason": {"ro": reason.ro, "ru": reason.ru, "en": reason.en},
        "issued_at": "2026-01-15T10:30:00+02:00",
        "due_date": "2045-12-31",
        "customer_type": "Person",
        "customer_id": "2000000000015",
        "customer_name": "Ștefan Exemplu",
        "lines": [{
            "line_id": "L-1",
            "reason": {"ro": "Linia întâi", "ru": "Первая строка", "en": "The first line"},
            "amount_due": "1234.5",
            "destination_account": {
                "bank_account": "MD24AG000225100013104168", "bank_code": "AGRNMD2X",
                "bank_fiscal_code": "1000000000007", "beneficiary_name": "Beneficiar Exemplu",
                "configuration_code": "C-1"
            },
            "properties": [property("Adresa liniei")]
        }],
        "properties": [property("Adresa")]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_read_and_asks_for_every_kind_of_order() {
        let file = OrdersFile::parse(TEMPLATE).unwrap();
        assert_eq!(file.service(), Some("YOUR-SERVICE"));
        let names: Vec<_> = file.orders.keys().map(String::as_str).collect();
        let mut expected = Role::ALL.map(Role::name);
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_kind_of_order_that_does_not_exist_is_named() {
        let error = OrdersFile::parse("[orders]\nplane = ['1']").unwrap_err();
        assert!(error.to_string().contains("plane"), "{error}");
        assert!(OrdersFile::parse("order = []").is_err());
    }

    #[test]
    fn an_order_that_is_looked_at_is_paid_last() {
        let file = OrdersFile::parse("[orders]\nplain = ['1', '2']").unwrap();
        let mut orders = Orders::of_file(file);
        assert_eq!(orders.shared(Role::Plain).unwrap(), "1");
        assert_eq!(orders.fresh(Role::Plain).unwrap(), "2");
        assert_eq!(orders.fresh(Role::Plain).unwrap(), "1");
        assert!(orders.fresh(Role::Plain).is_err());
        assert!(orders.shared(Role::Open).is_err());
    }
}
