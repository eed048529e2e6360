//! Orders: the list, the page of one order, and its changes.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};

use super::{
    super::layout::{Answer, Page},
    cards,
    desk::{Ask, Desk, encode},
    history,
    order_form::{self, Amendable},
    payments::{closing, flag, flag_deed, moment},
};
use crate::{
    access::{BOOKKEEPERS, CLERKS, REFUNDERS},
    domain::{Money, OrderKey, OrderStatus, ServiceId, time},
    json::LocalizedJson,
    store::Platform,
};

/// An order, with the members that lists show.
#[derive(Deserialize)]
pub struct Listed {
    service_id: String,
    order_key: String,
    status: String,
    reason: Option<LocalizedJson>,
    currency: String,
    total_amount_due: Option<String>,
    amount_due: Option<String>,
    amount_paid: String,
    customer_name: Option<String>,
    due_date: Option<String>,
    #[serde(default)]
    payments: Vec<Paid>,
}

#[derive(Deserialize)]
struct Paid {
    payment_id: String,
    amount: String,
    currency: String,
    paid_at: String,
    #[serde(default)]
    review: Vec<String>,
    #[serde(default)]
    closed_reviews: Vec<Closed>,
    received_at: Option<String>,
    voided: Option<ByHand>,
    manual: Option<ByHand>,
    /// True if it is MPay's own, after one of the same number was entered by hand and voided.
    #[serde(default)]
    after_void: bool,
}

/// A flag that a person has closed.
#[derive(Deserialize)]
struct Closed {
    reason: String,
    note: String,
    closed_at: String,
    by: Option<String>,
}

/// A proposal and its approval: the two people, and their note.
#[derive(Deserialize)]
struct ByHand {
    /// The number of the proposal, if it entered the payment.
    proposal: Option<u64>,
    proposed_by: String,
    approved_by: String,
    note: String,
    /// MPay's later confirmation of the payment.
    confirmed: Option<IgnoredAny>,
}

/// A page of orders.
#[derive(Deserialize)]
pub struct Register {
    /// The newest first.
    pub orders: Vec<Listed>,
    /// Cursor of the next page; `None` on the last page.
    pub next: Option<String>,
    /// Number of orders that are left out because a record of theirs is damaged.
    #[serde(default)]
    pub damaged: u64,
}

/// An order, with the members that only its own page shows.
#[derive(Deserialize)]
struct Whole {
    #[serde(flatten)]
    listed: Listed,
    customer_id: Option<String>,
    pay_url: Option<String>,
    lines: Vec<Line>,
    payments_url: Option<String>,
    amount_overpaid: Option<String>,
    amount_refunded: Option<String>,
    refund_reference: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct Line {
    line_id: String,
    reason: Option<LocalizedJson>,
    amount_due: Option<String>,
}

/// The filters of the list, named as the API's parameters.
const FILTERS: [&str; 12] = [
    "service_id",
    "status",
    "review",
    "alias",
    "customer_name",
    "customer_id",
    "person",
    "amount_due",
    "due_from",
    "due_to",
    "registered_from",
    "registered_to",
];

impl Listed {
    /// The path of the order's page.
    pub fn path(&self) -> String {
        path(&self.service_id, &self.order_key)
    }

    /// The order's service and key.
    ///
    /// # Errors
    /// A [`Problem`] if the API answered a service or key that is not valid.
    pub fn names(&self) -> Result<(ServiceId, OrderKey), Problem> {
        let service = ServiceId::parse(&self.service_id).map_err(Problem::internal)?;
        let key = OrderKey::parse(&self.order_key).map_err(Problem::internal)?;
        Ok((service, key))
    }

    fn reason<P: Platform>(&self, desk: &Desk<'_, P>) -> String {
        own(desk, self.reason.as_ref())
    }

    fn has_open_review(&self) -> bool {
        let mut payments = self.payments.iter();
        payments.any(|payment| !payment.review.is_empty())
    }
}

/// The path of an order's page.
pub fn path(service: &str, key: &str) -> String {
    format!("/admin/orders/{}/{}", encode(service), encode(key))
}

/// A text that the institution wrote, in the language of the page.
pub fn own<P: Platform>(desk: &Desk<'_, P>, text: Option<&LocalizedJson>) -> String {
    let text = text.and_then(|text| text.to_localized::<50>("").ok());
    text.map(|text| desk.view.own(&text).to_owned())
        .unwrap_or_default()
}

/// An amount of the API's answer, with its currency. It may be negative.
pub fn money<P: Platform>(desk: &Desk<'_, P>, amount: &str, currency: &str) -> String {
    let (sign, digits) = match amount.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", amount),
    };
    match Money::parse_sum(digits) {
        Ok(amount) => format!("{sign}{}", desk.view.money(amount, currency)),
        Err(_) => format!("{amount} {currency}"),
    }
}

fn day<P: Platform>(desk: &Desk<'_, P>, at: &str) -> String {
    time::parse(at).map_or_else(|_| at.to_owned(), |at| desk.view.day_of(at))
}

/// The text for a status.
fn status_text(status: &str) -> &'static str {
    match OrderStatus::parse(status).map(OrderStatus::as_str) {
        Some("Active") => "status-active",
        Some("PartiallyPaid") => "status-partially-paid",
        Some("Paid") => "status-paid",
        Some("Expired") => "status-expired",
        Some("Completed") => "status-completed",
        Some("Cancelled") => "status-cancelled",
        Some("Refunding") => "status-refunding",
        Some("Refunded") => "status-refunded",
        _ => "status-unknown",
    }
}

/// A table of orders.
pub fn table<P: Platform>(desk: &Desk<'_, P>, orders: &[Listed]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(desk.t("menu-orders")) {
            table.wide {
                tr {
                    th scope="col" { (desk.t("order-number")) }
                    // The last columns are those that a telephone has no room for.
                    th.end scope="col" { (desk.t("amount-due")) }
                    th scope="col" { (desk.t("status")) }
                    th scope="col" { (desk.t("for-what")) }
                    th scope="col" { (desk.t("payer")) }
                    th scope="col" { (desk.t("due-date")) }
                }
                @for order in orders {
                    tr {
                        td {
                            a href=(desk.link(&order.path())) { (order.order_key) }
                            br; small { (order.service_id) }
                            // Here a phone shows it whole.
                            @if order.has_open_review() { br; span.mark.bad { (desk.t("to-look-at")) } }
                        }
                        td.amount {
                            @if let Some(due) = &order.amount_due { (money(desk, due, &order.currency)) }
                        }
                        td { (desk.t(status_text(&order.status))) }
                        td { (order.reason(desk)) }
                        td { (order.customer_name.as_deref().unwrap_or_default()) }
                        td { @if let Some(due) = &order.due_date { (day(desk, due)) } }
                    }
                }
            }
        }
    }
}

/// `GET /admin/orders`.
pub async fn list<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    // If the number is that of an order, the browser goes to the order at once.
    let key = desk.query.text("order_key");
    let service = desk.query.text("service_id");
    let mut of_number: Vec<Listed> = Vec::new();
    if let Some(key) = &key {
        for id in desk.config.service_ids() {
            let address = format!("orders/{}/{}", encode(id.as_str()), encode(key));
            let is_meant = service
                .as_ref()
                .is_none_or(|service| service == id.as_str());
            if !is_meant {
                continue;
            }
            match desk.document(Ask::get(&address)).await {
                Ok(order) => of_number.push(order),
                Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
                Err(problem) => return Err(problem),
            }
        }
    }
    if let [order] = of_number.as_slice() {
        return Ok(Answer::see_other(&desk.link(&order.path())));
    }
    let filters_chosen = chosen(desk)?;
    let mut address = format!("orders?limit=50{filters_chosen}");
    let from_here = from_here(desk);
    address.push_str(&from_here);
    let page: Register = desk.document(Ask::get(&address)).await?;
    let title = desk.t("menu-orders");
    let next = page
        .next
        .as_ref()
        .map(|next| desk.link(&format!("/admin/orders?cursor={next}{filters_chosen}")));
    let content = html! {
        h1 { (title) }
        @if !of_number.is_empty() {
            p role="status" { (desk.t("number-of-several")) }
            (table(desk, &of_number))
        } @else if key.is_some() { p.alert role="alert" { (desk.t("no-such-order")) } }
        (filters(desk))
        @if desk.may(&CLERKS) {
            p { a.button href=(desk.link("/admin/orders/new")) { (desk.t("new-order")) } }
        }
        @if key.is_some() {
            // Other orders must not be taken for results of this search.
        } @else if page.orders.is_empty() {
            p { (desk.t(if next.is_some() { "none-so-far" } else { "no-orders" })) }
        } @else {
            (table(desk, &page.orders))
            (left_out(desk, &page))
            p.actions {
                a href=(desk.link(&format!("/admin/notices?{}", filters_chosen.trim_start_matches('&')))) { (desk.t("notices")) }
                a href={ "/admin/export?format=xlsx" (filters_chosen) (from_here) } { (desk.t("export-xlsx")) }
                a href={ "/admin/export?format=csv&separator=semicolon" (filters_chosen) (from_here) } { (desk.t("export-csv")) }
            }
            @if next.is_some() || !from_here.is_empty() { p.hint { (desk.t("export-from-here")) } }
        }
        @if let Some(next) = next.filter(|_| key.is_none()) { p { a.button href=(next) { (desk.t("further")) } } }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

/// The cursor of the page's address, after `&`; empty if the page begins with the newest order.
pub fn from_here<P: Platform>(desk: &Desk<'_, P>) -> String {
    let cursor = desk.query.text("cursor");
    cursor.map_or_else(String::new, |cursor| format!("&cursor={}", encode(&cursor)))
}

/// A note that orders are left out because a record of theirs is damaged.
pub fn left_out<P: Platform>(desk: &Desk<'_, P>, page: &Register) -> Markup {
    html! {
        @if page.damaged > 0 {
            p.alert { (desk.with("orders-damaged", &[("count", page.damaged.into())])) }
        }
    }
}

/// The filters of the page's address, each after `&`.
///
/// # Errors
/// A [`Problem`] about an amount that cannot be read.
pub fn chosen<P: Platform>(desk: &Desk<'_, P>) -> Result<String, Problem> {
    let mut chosen = String::new();
    for name in FILTERS {
        let value = match desk.query.text(name) {
            Some(value) if name == "amount_due" => order_form::typed_amount(name, &value)?,
            value => value,
        };
        if let Some(value) = value {
            chosen.push_str(&format!("&{name}={}", encode(&value)));
        }
    }
    Ok(chosen)
}

/// The filters that are shown when somebody asks for more: name, text and kind of field.
const MORE: [(&str, &str, &str); 7] = [
    ("customer_id", "payer-code", "search"),
    ("alias", "other-number", "search"),
    ("amount_due", "amount", "text"),
    ("registered_from", "registered-from", "date"),
    ("registered_to", "registered-to", "date"),
    ("due_from", "due-from", "date"),
    ("due_to", "due-to", "date"),
];

fn filters<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    let value = |name: &str| desk.query.text(name).unwrap_or_default();
    let field = |name: &str, id: &str, kind: &str| {
        html! {
            label { span { (desk.t(id)) } input name=(name) type=(kind) value=(value(name)); }
        }
    };
    let statuses = OrderStatus::all().map(OrderStatus::as_str);
    let services: Vec<_> = desk.config.service_ids().collect();
    let is_asked_more = MORE.iter().any(|(name, ..)| !value(name).is_empty());
    html! {
        form.card.filters method="get" action="/admin/orders" {
            input type="hidden" name="lang" value=(desk.view.language().code());
            (field("order_key", "order-number", "search"))
            @if services.len() > 1 {
                label {
                    span { (desk.t("service")) }
                    select name="service_id" {
                        option value="" { (desk.t("any")) }
                        @for id in services { option selected[value("service_id") == id.as_str()] { (id) } }
                    }
                }
            }
            label {
                span { (desk.t("status")) }
                select name="status" {
                    option value="" { (desk.t("any")) }
                    @for status in statuses {
                        option value=(status) selected[value("status") == status] { (desk.t(status_text(status))) }
                    }
                }
            }
            (field("customer_name", "payer", "search"))
            label.check {
                input type="checkbox" name="review" value="open" checked[!value("review").is_empty()];
                span { (desk.t("only-to-look-at")) }
            }
            // On a phone they would stand between the search and what it finds.
            details open[is_asked_more] {
                summary { (desk.t("more-filters")) }
                div.filters { @for (name, id, kind) in MORE { (field(name, id, kind)) } }
            }
            button type="submit" { (desk.t("find")) }
        }
        p.hint { (desk.t("search-hint")) }
    }
}

/// `GET` of a path below `/admin/orders/`: the form for a new order, or the page of an order.
pub async fn one<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    if path == "orders/new" {
        return Ok(order_form::new(desk, StatusCode::OK, &[]));
    }
    if path.split('/').count() != 3 {
        return Ok(desk.no_such_page());
    }
    let answer = desk.call(Ask::get(path)).await?;
    let etag = answer.headers().get("etag");
    let etag = etag.and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    let order: Whole = serde_json::from_slice(answer.body()).map_err(Problem::internal)?;
    let amendable: Amendable = serde_json::from_slice(answer.body()).map_err(Problem::internal)?;
    let listed = &order.listed;
    let title = format!("{} {}", desk.t("order"), listed.order_key);
    let mut facts: Vec<(String, Markup)> = Vec::new();
    let mut fact = |id: &str, value: Option<Markup>| {
        if let Some(value) = value {
            facts.push((desk.t(id), value));
        }
    };
    let text = |value: &Option<String>| value.as_ref().map(|value| html! { (value) });
    let amount = |value: &Option<String>| {
        value
            .as_ref()
            .map(|value| html! { (money(desk, value, &listed.currency)) })
    };
    fact("for-what", Some(html! { (listed.reason(desk)) }));
    fact("service", Some(html! { (listed.service_id) }));
    fact("payer", text(&listed.customer_name));
    fact("payer-code", text(&order.customer_id));
    fact(
        "due-date",
        listed
            .due_date
            .as_ref()
            .map(|due| html! { (day(desk, due)) }),
    );
    fact("total", amount(&listed.total_amount_due));
    fact("amount-paid", amount(&Some(listed.amount_paid.clone())));
    fact("amount-refunded", amount(&order.amount_refunded));
    fact("amount-due", amount(&listed.amount_due));
    fact("amount-overpaid", amount(&order.amount_overpaid));
    fact("refund-reference", text(&order.refund_reference));
    for (name, value) in &order.metadata {
        let value = value.get("value").unwrap_or(value);
        let value = value.as_str().unwrap_or_default();
        facts.push((name.clone(), html! { (value) }));
    }
    // True if refunds of any of its payments have made up for the overpayment.
    let is_even = order.amount_overpaid.is_none() && order.amount_refunded.is_some();
    let by_card = Box::pin(cards::of_order(
        desk,
        &listed.path(),
        listed.status == "Refunded",
    ))
    .await?;
    let history = Box::pin(history::latest(desk, &listed.path())).await?;
    let content = html! {
        @if desk.query.text("done").is_some() { p.banner.good role="status" { (desk.t("done")) } }
        @if desk.query.text("unknown").is_some() { p.banner.busy role="status" { (desk.t("card-unknown-yet")) } }
        h1 { (title) }
        p { span.mark.busy { (desk.t(status_text(&listed.status))) } }
        div.columns {
            section.card {
                dl { @for (name, value) in facts { dt { (name) } dd { (value) } } }
                h2 { (desk.t("lines")) }
                ul.lines {
                    @for line in &order.lines {
                        li {
                            span { (line.line_id) " · " (own(desk, line.reason.as_ref())) }
                            @if let Some(due) = &line.amount_due { span.amount { (money(desk, due, &listed.currency)) } }
                        }
                    }
                }
            }
            section.card {
                (actions(desk, &order, etag))
                @if desk.may(&CLERKS) {
                    @match order_form::amending(desk, &listed.path(), etag, &amendable) {
                        Some(form) => details { summary { (desk.t("amend-order")) } (form) },
                        None if listed.status == "Paid" => p.hint { (desk.t("why-not-paid")) },
                        None => p.hint { (desk.t("why-not-set")) },
                    }
                }
            }
        }
        section.card {
            h2 { (desk.t("payments")) }
            @if listed.payments.is_empty() { p { (desk.t("no-payments")) } }
            ul.payments {
                @for payment in listed.payments.iter().rev() {
                    li { (paid(desk, payment, &listed.path(), is_even)) (stand_ins(desk, payment, &listed.payments)) }
                }
            }
            @if desk.may(&BOOKKEEPERS) {
                p { a href=(desk.link(&format!("/admin/payments/manual?service_id={}&order_key={}", encode(&listed.service_id), encode(&listed.order_key)))) { (desk.t("propose-payment")) } }
            }
            @if order.payments_url.is_some() { p.hint { (desk.t("only-latest-payments")) } }
        }
        (by_card)
        (history)
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

/// A payment of an order, with its flags and refunds.
fn paid<P: Platform>(desk: &Desk<'_, P>, payment: &Paid, back: &str, is_even: bool) -> Markup {
    let id = encode(&payment.payment_id);
    let people = |text: String, by: &ByHand| html! { (text) ": " (by.note) };
    let names = |by: &ByHand| {
        [
            ("proposed", by.proposed_by.clone().into()),
            ("approved", by.approved_by.clone().into()),
        ]
    };
    html! {
        strong.amount { (money(desk, &payment.amount, &payment.currency)) }
        span { (moment(desk, &payment.paid_at)) }
        span { (desk.t("payment-number")) " " code { (payment.payment_id) } }
        @if payment.voided.is_some() { span.mark.bad { (desk.t("voided")) } }
        @for review in &payment.review {
            span.mark.bad { (desk.t(flag(review))) }
            @if is_even && matches!(review.as_str(), "double" | "over-paid") {
                span.property { (desk.t("flag-even")) }
            } @else if let Some(deed) = flag_deed(review) {
                span.property { (desk.t(deed)) }
            }
            @if desk.may(&BOOKKEEPERS) && review != "orphaned" {
                (closing(desk, &format!("payments/{id}/reviews/{review}"), back))
            }
        }
        @if let Some(at) = &payment.received_at {
            span.property { (desk.with("received", &[("time", moment(desk, at).into())])) }
        }
        @if let Some(by) = &payment.manual {
            span.property {
                (people(desk.with("entered-by-hand", &names(by)), by)) " "
                @if let Some(proposal) = by.proposal {
                    a href=(desk.link(&format!("/admin/payments/manual/{proposal}"))) { (desk.t("proposal")) " " (proposal) }
                }
            }
        }
        @if payment.manual.is_some() && payment.voided.is_none() && desk.may(&BOOKKEEPERS) {
            form.inline method="post" action=(desk.link(&format!("/admin/payments/{id}/void"))) {
                (desk.form_fields())
                input type="hidden" name="back" value=(back);
                label { span { (desk.t("note")) } input name="note" required maxlength="500"; }
                button type="submit" { (desk.t("propose-void")) }
            }
        }
        @if let Some(by) = &payment.voided {
            span.property { (people(desk.with("voided-by-hand", &names(by)), by)) }
        }
        @for closed in &payment.closed_reviews {
            span.property {
                (desk.t(flag(&closed.reason))) ": " (desk.t("flag-closed")) " " (moment(desk, &closed.closed_at))
                @if let Some(by) = &closed.by { ", " (by) }
                ": " (closed.note)
            }
        }
        span.property { a href={ "/admin/payments/" (id) "/evidence" } { (desk.t("evidence")) } }
    }
}

/// Beside a payment that MPay confirmed after its entry by hand was voided: what else may be entries of the same
/// money.
fn stand_ins<P: Platform>(desk: &Desk<'_, P>, payment: &Paid, all: &[Paid]) -> Markup {
    let is_unconfirmed = |by: &ByHand| by.confirmed.is_none();
    let others = all.iter().filter(|other| {
        other.voided.is_none() && other.manual.as_ref().is_some_and(is_unconfirmed)
    });
    html! {
        @if payment.after_void {
            span.property {
                (desk.t("after-void"))
                @for other in others { " " code { (other.payment_id) } }
            }
        }
    }
}

/// The actions that the order's status and the person's role allow.
fn actions<P: Platform>(desk: &Desk<'_, P>, order: &Whole, etag: &str) -> Markup {
    let path = order.listed.path();
    let status = order.listed.status.as_str();
    let action = |set: &str, id: &str| {
        html! {
            form method="post" action=(desk.link(&path)) {
                (desk.form_fields())
                input type="hidden" name="etag" value=(etag);
                input type="hidden" name="set" value=(set);
                input type="hidden" name="back" value=(path);
                @if set == "Refunded" {
                    label {
                        span { (desk.t("refund-reference")) }
                        input name="refund_reference" required maxlength="140";
                    }
                }
                button type="submit" { (desk.t(id)) }
            }
        }
    };
    let is = |known: &[&str]| known.contains(&status);
    let has_money = order
        .listed
        .amount_paid
        .bytes()
        .any(|digit| matches!(digit, b'1'..=b'9'));
    html! {
        @if let Some(url) = &order.pay_url {
            h2 { (desk.t("for-payer")) }
            p { a href=(url) { (desk.t("pay-link")) } }
            p { a href={ (url) "/notice" } { (desk.t("to-notice")) } }
            p.hint { code { (url) } }
        }
        @if desk.may(&CLERKS) {
            h2 { (desk.t("actions")) }
            div.actions {
                @if is(&["Active", "PartiallyPaid", "Expired"]) { (action("Cancelled", "do-cancel")) }
                @if is(&["PartiallyPaid", "Paid"]) || (is(&["Expired"]) && has_money) { (action("Completed", "do-complete")) }
                @if is(&["Completed", "Cancelled", "Refunding"]) { (action("", "do-reopen")) }
                @if desk.may(&REFUNDERS) && has_money && !is(&["Refunding", "Active"]) { (action("Refunding", "do-refund")) }
                @if desk.may(&REFUNDERS) && is(&["Refunding"]) { (action("Refunded", "do-refunded")) }
            }
        }
    }
}

/// `POST` to a path below `/admin/orders/`: registers, amends, or changes the status.
pub async fn change<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    if path == "orders/new" {
        return order_form::register(desk).await;
    }
    // Without an ETag a person could change an order that they have not seen.
    let etag = desk.form.text("etag");
    let etag = etag.ok_or_else(|| Problem::member("etag", "is not what a page has sent"))?;
    if desk.form.text("amend").is_some() {
        return order_form::amend(desk, path, etag).await;
    }
    let set = match desk.form.text("set") {
        None => Value::Null,
        Some(status) => json!(status),
    };
    let mut patch = json!({"status": set});
    if let (Some(reference), Some(patch)) =
        (desk.form.text("refund_reference"), patch.as_object_mut())
    {
        patch.insert("refund_reference".to_owned(), json!(reference));
    }
    let ask = Ask::new("PATCH", path)
        .body(
            "application/merge-patch+json",
            patch.to_string().into_bytes(),
        )
        .if_match(etag);
    desk.call(ask).await?;
    Ok(Answer::see_other(
        &desk.link(&format!("/admin/{path}?done=1")),
    ))
}
