//! The pages. All input from outside goes through maud, which escapes it.

mod invoice;
mod journal;
mod payment;

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use mpay_domain::{Money, time};

pub use invoice::{instrument, invoice, no_order, several};
pub use journal::{exchange, journal};
pub use payment::{path as payment_path, payment};

pub use stage::View;
use stage::{Look, Reload, Text, link};

use super::{
    checkout::Visit,
    journal::Outcome,
    payment::{Payment, Stage},
    text,
};
use mpay_client::OrderDetails;

/// The frame of every page of MPay offline.
const LOOK: Look = Look {
    brand: ("MPay", "offline"),
    rehearsal: text::REHEARSAL,
    warning: text::NOT_MPAY,
    languages: text::LANGUAGES,
    nav: &[("/journal", text::JOURNAL)],
};

/// A page, which the browser reloads after so many seconds.
fn layout(view: &View, title: &str, reload: Option<u32>, content: Markup) -> Markup {
    let reload = reload.map(|seconds| Reload { seconds, url: None });
    stage::layout(&LOOK, view, title, reload, content)
}

/// The start page: the payer picks a service and types the order number.
pub fn start(
    view: &View,
    provider: &str,
    services: &[String],
    orders: &[(String, String)],
    recent: &[Arc<Payment>],
) -> Markup {
    let content = html! {
        h1 { (view.t(text::START_TITLE)) }
        p.hint { (view.t(text::START_HINT)) }
        form.card.narrow method="post" action="/service/pay" {
            label {
                span { (view.t(text::SERVICE)) }
                @if services.is_empty() {
                    input name="ServiceID" required maxlength="36" autocomplete="off";
                } @else {
                    select name="ServiceID" {
                        @for service in services { option { (service) } }
                    }
                }
            }
            label {
                span { (view.t(text::ORDER_NUMBER)) }
                input name="OrderKey" required maxlength="36" autocomplete="off" autofocus;
            }
            button.primary { (view.t(text::SHOW_INVOICE)) }
        }
        @if !orders.is_empty() {
            h2 { (view.t(text::SAMPLE_ORDERS)) }
            ul.list.narrow {
                @for (service_id, order_key) in orders {
                    @if let Some(visit) = Visit::new(service_id, order_key, None, false) {
                        li { a href=(visit.link()) {
                            span { (order_key) } span.end { (service_id) }
                        } }
                    }
                }
            }
        }
        @if !recent.is_empty() {
            h2 { (view.t(text::RECENT)) }
            ul.list {
                @for payment in recent {
                    @let purchase = &payment.purchase;
                    li { a href=(payment_path(payment)) {
                        span { (purchase.confirmation.order_key) " · " (purchase.reason) }
                        span.end {
                            (money(&purchase.confirmation.total)) " " (purchase.confirmation.currency) " "
                            (stage(view, payment.progress().stage))
                        }
                    } }
                }
            }
        }
        p.hint { (view.t(text::PROVIDER)) ": " code { (provider) } }
    };
    layout(view, view.t(text::START_TITLE), None, content)
}

/// The page where an operator sets up a terminal at MPay. Here every browser is one.
pub fn terminal(view: &View) -> Markup {
    message(view, text::TERMINAL, text::TERMINAL_HINT)
}

/// The page for when another page sends too little.
pub fn missing(view: &View) -> Markup {
    message(view, text::MISSING, text::MISSING_HINT)
}

/// The page for an address where there is none.
pub fn not_found(view: &View) -> Markup {
    message(view, text::NOT_FOUND, text::NOT_FOUND_HINT)
}

fn message(view: &View, title: Text, hint: Text) -> Markup {
    let content = html! {
        h1 { (view.t(title)) }
        p { (view.t(hint)) }
        p { a.button href="/" { (view.t(text::START)) } }
    };
    layout(view, view.t(title), None, content)
}

/// A payment's stage, as a mark.
fn stage(view: &View, stage: Stage) -> Markup {
    let (class, label) = match stage {
        Stage::Confirmed => ("good", text::CONFIRMED),
        Stage::Sending | Stage::Waiting(_) => ("busy", text::CONFIRMING),
        Stage::Idle => ("busy", text::UNCONFIRMED),
        Stage::Failed => ("bad", text::FAILED),
    };
    html! { span.mark.(class) { (view.t(label)) } }
}

/// The outcome of a call, as a mark.
fn outcome(view: &View, outcome: &Outcome) -> Markup {
    html! {
        @match outcome {
            Outcome::Success => span.mark.good { (view.t(text::SUCCESS)) },
            Outcome::Fault(fault) => span.mark.bad { (fault.code) },
            Outcome::Unusable(_) => span.mark.bad { (view.t(text::UNUSABLE)) },
            Outcome::Unreachable(_) => span.mark.bad { (view.t(text::UNREACHABLE)) },
        }
    }
}

/// The reason of an outcome, in a sentence of the provider's or of the network's.
fn reason(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Success => None,
        Outcome::Fault(fault) => Some(&fault.reason),
        Outcome::Unusable(reason) | Outcome::Unreachable(reason) => Some(reason),
    }
}

/// An order's status, as a mark.
fn status(view: &View, order: &OrderDetails) -> Markup {
    let status = order.get("Status").unwrap_or("—");
    let class = match status {
        "Active" | "PartiallyPaid" => "busy",
        "Paid" | "Completed" => "good",
        _ => "bad",
    };
    html! {
        span.mark.(class) { (status_text(view, status)) } " " code.hint { (status) }
    }
}

/// A status of the contract in the payer's language; as it is, if the contract has no such one.
fn status_text<'a>(view: &View, status: &'a str) -> &'a str {
    text::status(status).map_or(status, |text| view.t(text))
}

/// An amount for people: thousands apart, two fraction digits.
pub fn money(amount: &str) -> String {
    let Ok(amount) = Money::parse(amount) else {
        return amount.to_owned();
    };
    let amount = amount.to_string();
    let (whole, fraction) = amount.split_once('.').unwrap_or((&amount, "00"));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{fraction}")
}

/// A time of the contract for people: day and time of Chişinău.
pub fn day_and_time(text: &str) -> String {
    match time::parse(text) {
        Ok(time) => moment(time),
        Err(_) => text.to_owned(),
    }
}

fn moment(moment: Timestamp) -> String {
    let local = time::format(moment);
    let parts = (
        local.get(..4),
        local.get(5..7),
        local.get(8..10),
        local.get(11..19),
    );
    match parts {
        (Some(year), Some(month), Some(day), Some(time)) => {
            format!("{day}.{month}.{year} {time}")
        }
        _ => local,
    }
}

/// A choice among all mischief.
fn mischief_options(view: &View, chosen: Option<super::Mischief>) -> Markup {
    html! {
        @for mischief in super::Mischief::all() {
            option value=(mischief.name()) selected[chosen == Some(*mischief)] {
                (view.t(text::title(*mischief)))
            }
        }
    }
}

/// The address of the PDF of an order's invoice.
fn pdf_link(view: &View, service_id: &str, order_key: &str) -> String {
    let fields = [
        ("serviceID", service_id),
        ("orderKey", order_key),
        ("lang", view.language.code()),
    ];
    link("/api/Invoices/DownloadInvoicePdf", &fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_written_for_people() {
        assert_eq!(money("1234567.5"), "1\u{a0}234\u{a0}567.50");
        assert_eq!(money("100"), "100.00");
        assert_eq!(money("1000"), "1\u{a0}000.00");
        assert_eq!(money("<b>"), "<b>");
        assert_eq!(day_and_time("2026-12-31T21:59:59Z"), "31.12.2026 23:59:59");
        assert_eq!(day_and_time("soon"), "soon");
    }
}
