//! The history of an order: each event, and the person who caused it.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode, member},
    orders::money,
    payments::{flag, moment},
};
use crate::store::Platform;

#[derive(Deserialize)]
struct History {
    history: Vec<Happened>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Happened {
    event: Event,
    #[serde(default)]
    order: Map<String, Value>,
    #[serde(default)]
    changed: Vec<String>,
}

#[derive(Deserialize)]
struct Event {
    at: String,
    r#type: String,
    payment_id: Option<String>,
    amount: Option<String>,
    currency: Option<String>,
    /// The flag of a review, or the reason of an erasure.
    reason: Option<String>,
    note: Option<String>,
    by: Option<String>,
    proposed_by: Option<String>,
    approved_by: Option<String>,
    manual: Option<ByHand>,
    card: Option<Value>,
}

#[derive(Deserialize)]
struct ByHand {
    proposed_by: String,
    approved_by: String,
    note: String,
}

/// End of the path of a history.
const HISTORY: &str = "/history";

/// True if a path below `/admin/` is that of an order's history.
pub fn is_history(path: &str) -> bool {
    path.ends_with(HISTORY) && path.split('/').count() == 4
}

/// The latest events of an order, with a link to all of them.
pub async fn latest<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Markup, Problem> {
    let api = path.trim_start_matches("/admin/");
    let history: History = desk
        .document(Ask::get(format!("{api}{HISTORY}?limit=10")))
        .await?;
    Ok(html! {
        section.card {
            h2 { (desk.t("history")) }
            (list(desk, &history))
            @if history.next.is_some() { p { a href=(desk.link(&format!("{path}{HISTORY}"))) { (desk.t("history-all")) } } }
        }
    })
}

/// `GET /admin/orders/{service}/{key}/history`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let mut address = format!("{path}?limit=50");
    if let Some(cursor) = desk.query.text("cursor") {
        address.push_str(&format!("&cursor={}", encode(&cursor)));
    }
    let history: History = desk.document(Ask::get(address)).await?;
    let order = path.trim_end_matches(HISTORY);
    let key = order.rsplit('/').next().unwrap_or_default();
    let key = crate::api::decode(key)?;
    let title = format!("{} {key}", desk.t("order"));
    let content = html! {
        h1 { (desk.t("history")) }
        p { a href=(desk.link(&format!("/admin/{order}"))) { (title) } }
        section.card { (list(desk, &history)) }
        @if let Some(next) = &history.next {
            p { a.button href=(desk.link(&format!("/admin/{path}?cursor={next}"))) { (desk.t("further")) } }
        }
    };
    let title = format!("{} – {title}", desk.t("history"));
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

fn list<P: Platform>(desk: &Desk<'_, P>, history: &History) -> Markup {
    html! {
        ul.payments.history {
            @for (place, entry) in history.history.iter().enumerate() {
                @let earlier = history.history.get(place + 1..).unwrap_or_default();
                @let before = earlier.iter().find(|entry| !entry.order.is_empty());
                li { (one(desk, entry, before.map(|entry| &entry.order))) }
            }
        }
    }
}

fn one<P: Platform>(
    desk: &Desk<'_, P>,
    happened: &Happened,
    before: Option<&Map<String, Value>>,
) -> Markup {
    let entry = &happened.event;
    let manual = entry.manual.as_ref();
    let proposed = entry
        .proposed_by
        .as_ref()
        .or(manual.map(|by| &by.proposed_by));
    let approved = entry
        .approved_by
        .as_ref()
        .or(manual.map(|by| &by.approved_by));
    let who = [proposed, approved, entry.by.as_ref()]
        .into_iter()
        .flatten();
    let who: Vec<_> = who.map(String::as_str).collect();
    let note = entry.note.as_ref().or(manual.map(|by| &by.note));
    let review = entry.reason.as_deref();
    let review = review.filter(|_| entry.r#type.starts_with("review."));
    // The event itself tells a change of status.
    let changed = happened.changed.iter().filter(|name| *name != "status");
    html! {
        strong { (desk.t(what(&entry.r#type))) }
        span { (moment(desk, &entry.at)) }
        @if !who.is_empty() { span { (who.join(", ")) } }
        @if entry.r#type == "payment.recorded" && manual.is_none() {
            span { @if entry.card.is_some() { (desk.t("by-card")) } @else { "MPay" } }
        }
        @if let (Some(amount), Some(currency)) = (&entry.amount, &entry.currency) {
            span.amount { (money(desk, amount, currency)) }
        }
        @if let Some(id) = &entry.payment_id { span { (desk.t("payment-number")) " " code { (id) } } }
        @if let Some(review) = review { span.mark.busy { (desk.t(flag(review))) } }
        @for name in changed {
            span.property {
                (member(desk, name))
                @if let Some((was, is)) = values(desk, name, before, &happened.order) {
                    ": " @if !was.is_empty() { del { (was) } " → " } (is)
                }
            }
        }
        @if let Some(note) = note { span.property { (note) } }
    }
}

/// The earlier and the present text of a member; `None` if the member is not a text.
fn values<P: Platform>(
    desk: &Desk<'_, P>,
    name: &str,
    before: Option<&Map<String, Value>>,
    order: &Map<String, Value>,
) -> Option<(String, String)> {
    let text = |order: &Map<String, Value>| {
        let currency = order.get("currency").and_then(Value::as_str);
        Some(match order.get(name) {
            None => String::new(),
            Some(Value::String(text)) => match name {
                "total_amount_due" => money(desk, text, currency.unwrap_or_default()),
                "due_date" | "issued_at" | "payable_from" => moment(desk, text),
                _ => text.clone(),
            },
            Some(_) => return None,
        })
    };
    let was = before.and_then(text).unwrap_or_default();
    let is = text(order)?;
    let is = if is.is_empty() { "–".to_owned() } else { is };
    Some((was, is))
}

/// The text that names an event.
fn what(r#type: &str) -> &'static str {
    match r#type {
        "order.registered" => "happened-registered",
        "order.amended" => "happened-amended",
        "order.completed" => "status-completed",
        "order.cancelled" => "status-cancelled",
        "order.refunding" => "status-refunding",
        "order.refunded" => "status-refunded",
        "order.reopened" => "happened-reopened",
        "payment.recorded" => "happened-paid",
        "payment.confirmed" => "happened-confirmed",
        "payment.voided" => "happened-voided",
        "payment.refunded" => "happened-given-back",
        "card.started" => "happened-card",
        "review.opened" => "happened-opened",
        "review.closed" => "happened-closed",
        "personal_data.erased" => "happened-erased",
        _ => "happened-other",
    }
}
