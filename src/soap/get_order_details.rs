//! `GetOrderDetails`: what is there to be paid.

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use wsse::{Content, Element, Writer};

use super::{Call, Fault, NAMESPACE, member::Structure};
use mpay_door::{
    Platform,
    config::SourcePolicy,
    log::{self, Field, end_of_key, log},
};
use mpay_ledger::{
    StoredOrder,
    domain::{
        Language, Line, Money, Order, OrderKey, OrderStatus, PaymentAccount, Property, ServiceId,
        time,
    },
};

use crate::config::{Service, UnknownOrder};

pub async fn answer<P: Platform>(
    call: &Call<'_, P>,
    operation: Element<'_>,
) -> Result<Content, Fault> {
    let query = Query::decode(operation)?;
    log::note(Field::Service, &query.service_id);
    log::note(Field::Order, end_of_key(query.order_key.as_str()));
    let service = call
        .config
        .service(&query.service_id)
        .ok_or_else(Fault::unknown_service)?;
    let found = find(call, service, &query).await?;
    let (orders, opens_at) = shown(found, call.store.now());
    if orders.is_empty() && call.config.unknown_order == UnknownOrder::Fault {
        return Err(opens_at.map_or_else(Fault::unknown_order, Fault::not_payable_before));
    }
    let mut xml = Writer::new();
    xml.start_in("GetOrderDetailsResponse", NAMESPACE);
    xml.start("GetOrderDetailsResult");
    for order in &orders {
        encode(&mut xml, call, service, order, query.language)?;
    }
    Ok(xml.finish())
}

/// The orders that somebody means who types this key: that of the key, which the institution's own system
/// may give; else those of the alias, or what the service's template makes.
async fn find<P: Platform>(
    call: &Call<'_, P>,
    service: &Service,
    query: &Query,
) -> Result<Vec<StoredOrder>, Fault> {
    let (orders, id, key) = (call.store.orders(), &query.service_id, &query.order_key);
    let mut known = orders.find(id, key).await?;
    if let Some(policy) = &service.source
        && must_ask(call, policy, query, known.as_ref()).await?
    {
        match ask(call, query).await {
            Asked::Taken => known = orders.find(id, key).await?,
            // What has the key is meant, before what only goes by it.
            Asked::NotThere => return Ok(orders.named(id, key).await?),
            Asked::Failed if policy.last_known && known.is_some() => {}
            Asked::Failed => {
                let named = match policy.last_known {
                    true => orders.named(id, key).await?,
                    false => Vec::new(),
                };
                if named.is_empty() {
                    let text = "The institution's system did not answer. Try again.";
                    return Err(Fault::internal(text));
                }
                return Ok(named);
            }
        }
    }
    if let Some(known) = known {
        return Ok(vec![known]);
    }
    let named = orders.named(id, key).await?;
    if !named.is_empty() {
        return Ok(named);
    }
    // Nothing is written for a key that somebody tries.
    let open = service.open.as_ref();
    let made = open.and_then(|open| open.order(key));
    Ok(made.map(StoredOrder::unregistered).into_iter().collect())
}

/// The outcome of asking the institution's own system.
enum Asked {
    /// The order is in the books as it has it.
    Taken,
    /// It has no such order.
    NotThere,
    /// Nobody knows.
    Failed,
}

/// The address at which the people's door asks the institution's system for an order. This door has no
/// way to that system, nor its secret; it believes no answer, but reads the books again.
const OFFICE: &str = "http://mpay-office.spin.internal/ask";

async fn ask<P: Platform>(call: &Call<'_, P>, query: &Query) -> Asked {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (service, key) = (query.service_id.as_str(), query.order_key.as_str());
    let address = format!("{OFFICE}/{}/{}", encoded(service), encoded(key));
    let Ok(request) = Request::post(address).body(Bytes::new()) else {
        return Asked::Failed;
    };
    match call
        .store
        .platform()
        .send(request)
        .await
        .map(|answer| answer.status())
    {
        Ok(StatusCode::NO_CONTENT) => Asked::Taken,
        Ok(StatusCode::NOT_FOUND) => Asked::NotThere,
        Ok(_) => Asked::Failed,
        Err(reason) => {
            log!("the people's door could not be asked for an order: {reason}");
            Asked::Failed
        }
    }
}

async fn must_ask<P: Platform>(
    call: &Call<'_, P>,
    policy: &SourcePolicy,
    query: &Query,
    known: Option<&StoredOrder>,
) -> Result<bool, Fault> {
    let (Some(known), now) = (known, call.store.now()) else {
        return Ok(true);
    };
    // What is closed is not changed any more.
    let may_change = known.state.status(now) == OrderStatus::Expired || is_payable(known, now);
    match policy.older_than.filter(|_| may_change) {
        None => Ok(false),
        Some(age) if age.is_zero() => Ok(true),
        Some(age) => {
            let note = SourcePolicy::note(&query.service_id, &query.order_key);
            let asked = call.store.notes().time(&note).await?;
            Ok(asked.is_none_or(|asked| now.duration_since(asked) >= age))
        }
    }
}

/// The most orders that one answer has (MPay contract, "Settled readings").
const MOST: usize = 20;

/// Of the orders that were found, those that MPay is told of: all that can be paid, the one that is due
/// first first. Where there is none of these, the latest of the others, so that the payer learns what
/// became of it. Gives also when the first can be paid that cannot be paid yet.
fn shown(found: Vec<StoredOrder>, now: Timestamp) -> (Vec<StoredOrder>, Option<Timestamp>) {
    let (mut later, mut payable, mut others) = (None::<Timestamp>, Vec::new(), Vec::new());
    for order in found {
        if let Some(opens_at) = opens_at(&order, now) {
            later = Some(later.map_or(opens_at, |later| later.min(opens_at)));
        } else if is_payable(&order, now) {
            payable.push(order);
        } else {
            others.push(order);
        }
    }
    if payable.is_empty() {
        others.truncate(1);
        return (others, later);
    }
    // They come the latest first; what is never due comes last.
    payable.reverse();
    payable.sort_by_key(|stored| {
        let due = stored.state.order().and_then(|order| order.due_date);
        (due.is_none(), due)
    });
    payable.truncate(MOST);
    (payable, later)
}

fn is_payable(stored: &StoredOrder, now: Timestamp) -> bool {
    let status = stored.state.status(now);
    matches!(status, OrderStatus::Active | OrderStatus::PartiallyPaid)
}

/// The time at which an order can be paid for the first time, if that is still to come and nothing else is to be
/// said of it: no status of the contract says that it cannot be paid yet.
fn opens_at(stored: &StoredOrder, now: Timestamp) -> Option<Timestamp> {
    let opens_at = stored.state.opens_at(now)?;
    is_payable(stored, now).then_some(opens_at)
}

/// `OrderDetailsQuery`.
struct Query {
    service_id: ServiceId,
    order_key: OrderKey,
    language: Language,
}

impl Query {
    fn decode(operation: Element<'_>) -> Result<Self, Fault> {
        let query = Structure::parameter(operation, "query")?;
        Ok(Self {
            service_id: query.required("ServiceID", ServiceId::parse)?,
            order_key: query.required("OrderKey", OrderKey::parse)?,
            language: query
                .text("Language")?
                .map_or(Language::default(), |code| Language::parse(&code)),
        })
    }
}

/// Writes `OrderDetails`, its members in alphabetical order as DataContract serialisers do and
/// old readers expect.
fn encode<P: Platform>(
    xml: &mut Writer,
    call: &Call<'_, P>,
    service: &Service,
    stored: &StoredOrder,
    language: Language,
) -> Result<(), Fault> {
    let Some(order) = stored.state.order() else {
        return Ok(());
    };
    let now = call.store.now();
    let lines = stored.state.lines_due(now);
    let flags = Flags::of(order);
    xml.start("OrderDetails");
    flags.encode(xml);
    xml.element("Currency", order.currency.as_str());
    optional(
        xml,
        "CustomerID",
        order.customer_id.as_ref().map(|id| id.as_str()),
    );
    optional(
        xml,
        "CustomerName",
        order.customer_name.as_ref().map(|name| name.as_str()),
    );
    optional(
        xml,
        "CustomerType",
        order.customer_type.map(|kind| kind.as_str()),
    );
    optional(xml, "DueDate", order.due_date.map(time::format).as_deref());
    optional(
        xml,
        "IssuedAt",
        order.issued_at.map(time::format).as_deref(),
    );
    xml.start("Lines");
    for (i, due) in lines.iter().enumerate() {
        let Some(line) = order.lines.get(due.position) else {
            continue;
        };
        // With several lines the flags stand on the first only.
        let flags = if i == 0 { flags } else { flags.withdrawn() };
        let account = line
            .destination_account
            .as_ref()
            .or(service.account.as_ref())
            .ok_or_else(|| Fault::internal("The order has a line without an account."))?;
        encode_line(xml, line, due.amount, flags, account, language);
    }
    xml.end();
    xml.element("OrderKey", order.order_key.as_str());
    encode_properties(xml, &order.properties, language);
    xml.element("Reason", order.reason.get(language));
    xml.element("ServiceID", order.service_id.as_str());
    xml.element("Status", stored.state.status(now).as_str());
    let total = stored
        .state
        .amount_due(now)
        .map(|amount| amount.to_string());
    optional(xml, "TotalAmountDue", total.as_deref());
    xml.end();
    Ok(())
}

fn encode_line(
    xml: &mut Writer,
    line: &Line,
    amount_due: Option<Money>,
    flags: Flags,
    account: &PaymentAccount,
    language: Language,
) {
    xml.start("OrderLine");
    flags.encode(xml);
    optional(
        xml,
        "AmountDue",
        amount_due.map(|amount| amount.to_string()).as_deref(),
    );
    encode_account(xml, account);
    xml.element("LineID", line.line_id.as_str());
    encode_properties(xml, &line.properties, language);
    xml.element("Reason", line.reason.get(language));
    xml.end();
}

fn encode_account(xml: &mut Writer, account: &PaymentAccount) {
    xml.start("DestinationAccount");
    if let Some(details) = account.details() {
        xml.element("BankAccount", details.bank_account.as_str());
        xml.element("BankCode", details.bank_code.as_str());
        xml.element("BankFiscalCode", details.bank_fiscal_code.as_str());
        xml.element("BeneficiaryName", details.beneficiary_name.as_str());
    }
    let code = account.configuration_code().map(|code| code.as_str());
    optional(xml, "ConfigurationCode", code);
    xml.end();
}

fn encode_properties(xml: &mut Writer, properties: &[Property], language: Language) {
    if properties.is_empty() {
        return;
    }
    xml.start("Properties");
    for property in properties {
        xml.start("OrderProperty");
        xml.element("DisplayName", property.display_name.get(language));
        optional(xml, "Id", property.id.as_ref().map(|id| id.as_str()));
        optional(xml, "IsVisible", property.is_visible.map(boolean));
        optional(xml, "Modifiable", property.modifiable.map(boolean));
        xml.element("Name", property.name.as_str());
        optional(xml, "Required", property.required.map(boolean));
        optional(xml, "Type", property.kind);
        xml.element(
            "Value",
            property.value.as_ref().map_or("", |value| value.as_str()),
        );
        xml.end();
    }
    xml.end();
}

/// `AllowAdvancePayments` and `AllowPartialPayments`. What an order does not allow is not said.
#[derive(Clone, Copy)]
struct Flags {
    advance: Option<bool>,
    partial: Option<bool>,
}

impl Flags {
    fn of(order: &Order) -> Self {
        Self {
            advance: order.allow_advance_payments.then_some(true),
            partial: order.allow_partial_payments.then_some(true),
        }
    }

    /// For the lines after the first: `false` where the first says `true`.
    fn withdrawn(self) -> Self {
        Self {
            advance: self.advance.map(|_| false),
            partial: self.partial.map(|_| false),
        }
    }

    fn encode(self, xml: &mut Writer) {
        optional(xml, "AllowAdvancePayments", self.advance.map(boolean));
        optional(xml, "AllowPartialPayments", self.partial.map(boolean));
    }
}

/// An optional member: absent where it has no value, never nil or empty.
fn optional(xml: &mut Writer, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        xml.element(name, value);
    }
}

fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
