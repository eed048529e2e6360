//! An order's payments by card: their states, commands and refunds.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::layout::Answer,
    desk::{Ask, Desk, encode},
    order_form,
    orders::money,
    payments::moment,
};
use crate::{
    access::{CLERKS, MANAGERS},
    cards::Refunding,
    store::Platform,
};

#[derive(Deserialize)]
struct Begun {
    card_payments: Vec<CardPayment>,
}

#[derive(Deserialize)]
struct CardPayment {
    id: String,
    amount: String,
    currency: String,
    state: String,
    ended: Option<String>,
    started_at: String,
    remaining: Option<String>,
    unclear_until: Option<String>,
    decided_at: Option<String>,
    masked_number: Option<String>,
    rrn: Option<String>,
    #[serde(default)]
    commands: Vec<Command>,
    #[serde(default)]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Command {
    kind: String,
    amount: String,
    at: String,
    by: Option<String>,
    note: Option<String>,
    outcome: Option<String>,
}

#[derive(Deserialize)]
struct Refund {
    at: String,
    amount: String,
    remaining: String,
}

/// The payments of an order by card; empty if no gateway is configured, or if no payment was begun.
/// `is_refunded` is true if the order has the status `Refunded`: then a refund by card needs a tick.
pub async fn of_order<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
    is_refunded: bool,
) -> Result<Markup, Problem> {
    let Some(cards) = &desk.config.cards else {
        return Ok(html! {});
    };
    let address = format!("{path}/card-payments");
    let address = address.trim_start_matches("/admin/").to_owned();
    let begun: Begun = desk.document(Ask::get(address)).await?;
    if begun.card_payments.is_empty() {
        return Ok(html! {});
    }
    let may_refund = desk.may(&MANAGERS) && cards.refunding != Refunding::Nobody;
    Ok(html! {
        section.card {
            h2 { (desk.t("card-payments")) }
            ul.payments {
                @for payment in &begun.card_payments {
                    li { (one(desk, payment, path, may_refund.then_some(is_refunded))) }
                }
            }
        }
    })
}

fn one<P: Platform>(
    desk: &Desk<'_, P>,
    payment: &CardPayment,
    back: &str,
    may_refund: Option<bool>,
) -> Markup {
    let amount = |amount: &str| money(desk, amount, &payment.currency);
    let is_open = payment
        .commands
        .iter()
        .any(|command| command.outcome.is_none());
    let is_unseen = |command: &Command| {
        command.kind == "refund" && command.outcome.as_deref() == Some("unseen")
    };
    let is_unseen = payment.commands.iter().any(is_unseen);
    let remaining = payment.remaining.as_deref().unwrap_or_default();
    html! {
        strong.amount { (amount(&payment.amount)) }
        span { (moment(desk, &payment.started_at)) }
        span { (desk.t("payment-number")) " " code { (payment.id) } }
        @let (mark, text) = state(payment);
        span.mark.(mark) { (desk.t(text)) }
        @if let Some(until) = &payment.unclear_until {
            span.property { (desk.with("card-unclear-until", &[("time", moment(desk, until).into())])) }
        }
        @if payment.state == "held" && payment.ended.is_none() || is_open && payment.remaining.is_none() {
            span.property { (desk.t("card-payer-waits")) }
        }
        @if let Some(at) = &payment.decided_at {
            span.property { (desk.with("card-decided", &[("time", moment(desk, at).into())])) }
        }
        @if let Some(number) = &payment.masked_number { span { code { (number) } } }
        @if let Some(rrn) = &payment.rrn { span { "RRN " code { (rrn) } } }
        @for command in &payment.commands {
            span.property {
                (desk.t(kind(&command.kind))) " " (amount(&command.amount)) ", " (moment(desk, &command.at))
                @if let Some(by) = &command.by { ", " (by) }
                ": " (desk.t(outcome(command.outcome.as_deref())))
                @if let Some(note) = &command.note { " – " (note) }
            }
        }
        @for refund in &payment.refunds {
            span.property {
                (desk.t("card-given-back")) " " (amount(&refund.amount)) ", " (moment(desk, &refund.at)) "; "
                (desk.t("card-remains")) " " (amount(&refund.remaining))
            }
        }
        @if desk.may(&CLERKS) && payment.state == "held" && !is_open {
            form method="post" action=(action(desk, payment, "charge")) {
                (desk.form_fields())
                input type="hidden" name="back" value=(back);
                label { span { (desk.t("amount")) } input name="amount" inputmode="decimal" required value=(remaining); }
                button type="submit" { (desk.t("card-take")) }
            }
            form method="post" action=(action(desk, payment, "cancel")) {
                (desk.form_fields())
                input type="hidden" name="back" value=(back);
                button type="submit" { (desk.t("card-release")) }
            }
        }
        @if let Some(is_refunded) = may_refund && payment.state == "paid" && !is_open {
            details {
                summary { (desk.t("card-refund")) }
                form method="post" action=(action(desk, payment, "refunds")) {
                    (desk.form_fields())
                    input type="hidden" name="back" value=(back);
                    input type="hidden" name="once" value=(format!("{:016x}{:016x}", desk.store.random(), desk.store.random()));
                    label { span { (desk.t("amount")) } input name="amount" inputmode="decimal" required value=(remaining); }
                    label { span { (desk.t("note")) } input name="note" required maxlength="500"; }
                    @if is_unseen {
                        label.check { input type="checkbox" name="checked" value="1"; span { (desk.t("card-checked")) } }
                    }
                    @if is_refunded {
                        label.check { input type="checkbox" name="despite" value="1"; span { (desk.t("card-despite-refunded")) } }
                    }
                    button type="submit" { (desk.t("card-refund")) }
                }
            }
        }
    }
}

/// The address to which a form about a payment is sent.
fn action<P: Platform>(desk: &Desk<'_, P>, payment: &CardPayment, what: &str) -> String {
    let id = encode(&payment.id);
    desk.link(&format!("/admin/card-payments/{id}/{what}"))
}

/// `POST /admin/card-payments/{id}/refunds`, `…/charge` and `…/cancel`.
pub async fn post<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let text = |name| desk.form.text(name).unwrap_or_default();
    // An absent amount becomes an empty one, which the API refuses. To the API an absent amount means all of
    // it.
    let amount = order_form::amount(desk, "amount")?.unwrap_or_default();
    let ask = Ask::new("POST", path);
    let ask = match path.rsplit('/').next() {
        Some("refunds") => ask.once(text("once")).json(&json!({
            "amount": amount,
            "note": text("note"),
            "checked_in_cabinet": !text("checked").is_empty(),
            "despite_refunded": !text("despite").is_empty(),
        })),
        Some("charge") => ask.json(&json!({"amount": amount})),
        Some("cancel") => ask,
        _ => return Ok(desk.no_such_page()),
    };
    let answer = desk.call(ask).await?;
    // A reader of "done" does not look further, so a command whose outcome is open says so.
    let became = match answer.status() {
        StatusCode::ACCEPTED => "unknown=1",
        _ => "done=1",
    };
    let back = desk.form.back();
    Ok(Answer::see_other(&desk.link(&format!("{back}?{became}"))))
}

/// The state as a colour and a text. A payment that has ended waits for nobody.
fn state(payment: &CardPayment) -> (&'static str, &'static str) {
    let waits = if payment.ended.is_none() {
        "busy"
    } else {
        "bad"
    };
    match payment.state.as_str() {
        "open" => (waits, "card-open"),
        "failed" => (waits, "card-failed"),
        "pending" => (waits, "card-pending"),
        "held" => (waits, "card-held"),
        "released" => ("bad", "card-released"),
        "paid" => ("good", "card-paid"),
        "refunded" => ("bad", "card-refunded"),
        "charged_back" => ("bad", "flag-charged-back"),
        _ => (waits, "card-unknown"),
    }
}

fn kind(kind: &str) -> &'static str {
    match kind {
        "charge" => "card-charge",
        "cancel" => "card-cancel",
        "pay" => "card-pay",
        _ => "card-refund",
    }
}

fn outcome(outcome: Option<&str>) -> &'static str {
    match outcome {
        Some("done") => "card-done",
        Some("unseen") => "card-unseen",
        Some(_) => "card-not-done",
        None => "card-at-work",
    }
}
