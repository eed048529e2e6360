//! The cabinet, where people of the merchant see and change payments; and the journal.

use maud::{Markup, html};
use stage::{Text, View};

use super::{layout, money};
use crate::{
    Options,
    journal::{Entry, Kind},
    order::{Order, State},
    text,
};

fn state(order: &Order) -> Markup {
    let class = match order.state {
        State::Charged => "good",
        State::Rejected | State::Chargeback => "bad",
        _ => "busy",
    };
    html! { span.mark.(class) { (order.state.name()) } }
}

/// All payments, given the oldest first and shown the latest first.
pub fn cabinet(view: &View, options: &Options, orders: &[Order]) -> Markup {
    let content = html! {
        h1 { (view.t(text::CABINET)) }
        p.hint { (view.t(text::CABINET_HINT)) }
        @if orders.is_empty() { p { (view.t(text::CABINET_EMPTY)) } } @else {
            ul.list {
                @for order in orders.iter().rev().take(200) {
                    li { a href={ "/cabinet/" (order.id) } {
                        code { (order.id) }
                        span.end { (money(order.asked)) " " (options.currency) " " (state(order)) }
                    } }
                }
            }
        }
    };
    layout(view, view.t(text::CABINET), content)
}

/// A payment, with the operations that are possible. `mistake` is the reason for which the last one was
/// not done.
pub fn order(
    view: &View,
    options: &Options,
    order: &Order,
    mistake: Option<(Text, &str)>,
) -> Markup {
    let amount = |amount: u64| html! { (money(amount)) " " (options.currency) };
    let action = |what: &str, label: Text, asks: Option<u64>, class: &str| {
        html! {
            form.inline method="post" action={ "/cabinet/" (order.id) "/" (what) } {
                @if let Some(most) = asks {
                    label { span { (view.t(text::AMOUNT)) } input name="amount" value=(money(most)) inputmode="decimal"; }
                }
                button.(class) { (view.t(label)) }
            }
        }
    };
    let content = html! {
        h1 { code { (order.id) } " " (state(order)) }
        @if let Some((what, code)) = mistake {
            p.alert role="alert" { (view.t(what)) " " (code) }
        }
        section.card {
            dl {
                dt { (view.t(text::ASKED)) } dd { (amount(order.asked)) }
                dt { (view.t(text::HELD)) } dd { (amount(order.held)) }
                dt { (view.t(text::TAKEN)) } dd { (amount(order.taken)) }
                dt { (view.t(text::GIVEN_BACK)) }
                dd {
                    (amount(order.given_back))
                    @if order.refunds.len() > 1 {
                        " (" (order.refunds.iter().map(|part| money(*part)).collect::<Vec<_>>().join(" + ")) ")"
                    }
                }
                dt { (view.t(text::REMAINS)) } dd { strong { (amount(order.remaining())) } }
                @if let Some(card) = order.card {
                    dt { (view.t(text::CARD)) } dd { (card.mask()) }
                }
                @if let Some(rrn) = &order.rrn {
                    dt { (view.t(text::REFERENCE)) } dd { code { (rrn) } }
                }
                dt { (view.t(text::TRIES)) }
                dd { (order.tries) @if let Some(code) = order.code { " · " code { (code) } } }
            }
        }
        @if order.state == State::Authorized {
            section.card {
                (action("charge", text::CHARGE, Some(order.held), "primary"))
                (action("cancel", text::CANCEL, None, "quiet"))
                (action("lapse", text::LAPSE, None, "quiet"))
            }
        }
        @if order.state == State::Charged {
            section.card {
                (action("refund", text::REFUND, Some(order.remaining()), "primary"))
                (action("chargeback", text::CHARGE_BACK, None, "quiet"))
            }
        }
        p { a href="/cabinet" { (view.t(text::CABINET)) } }
    };
    layout(view, &order.id, content)
}

/// The journal, given the oldest first and shown the latest first.
pub fn journal(view: &View, entries: &[Entry]) -> Markup {
    let kind = |entry: &Entry| match entry.kind {
        Kind::Command => "→",
        Kind::Notification => "←",
        Kind::Page => "☐",
        Kind::Cabinet => "✎",
    };
    let content = html! {
        h1 { (view.t(text::JOURNAL)) }
        p.hint { (view.t(text::JOURNAL_HINT)) }
        @if entries.is_empty() { p { (view.t(text::JOURNAL_EMPTY)) } } @else {
            p.actions { a.button href="/journal.json" { (view.t(text::DOWNLOAD)) } }
            @for entry in entries.iter().rev() {
                section.card #{ "entry-" (entry.number) } {
                    p {
                        span.time { (entry.at.strftime("%H:%M:%S UTC").to_string()) } " "
                        (kind(entry)) " " strong { (entry.what) } " "
                        @if let Some(order_id) = &entry.order_id {
                            a href={ "/cabinet/" (order_id) } { code { (order_id) } }
                        }
                    }
                    @if let Some(complaint) = &entry.complaint {
                        p.alert { (view.t(text::COMPLAINT)) ": " (complaint) }
                    }
                    @if !entry.sent.is_empty() { pre { (entry.sent) } }
                    @if !entry.answer.is_empty() { pre { (entry.answer) } }
                }
            }
        }
    };
    layout(view, view.t(text::JOURNAL), content)
}
