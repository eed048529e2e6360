//! The page of an order: amount, due date, and ways to pay.

use maud::{Markup, html};

use super::{super::layout::Page, Shown, card};
use crate::domain::{OrderStatus, Period, SetStatus};

pub fn page(shown: &Shown<'_>) -> Page {
    let view = shown.view;
    let reason = view.own(&shown.order.reason).to_owned();
    let content = html! {
        h1 { (reason) }
        p { (shown.mark()) }
        div.columns {
            section.card {
                h2 { (view.t("order")) }
                (shown.facts())
                (shown.lines())
            }
            section.card.pay {
                (amount(shown))
                (what_can_be_done(shown))
                @if !shown.has_paid() { (other_numbers(shown)) }
            }
        }
        @if shown.payments().next().is_some() {
            section.card {
                h2 { (view.t("payments")) }
                (shown.payment_list(shown.payments()))
                @if !shown.stored.state.is_whole() {
                    p.hint { (view.with("latest-payments", &[("count", shown.payment_count().into())])) }
                }
                p { a href=(view.link(&format!("{}/receipt", shown.path))) { (view.t("to-receipt")) } }
            }
        }
    };
    Page::new(reason, content)
}

/// The amount due, and the amount paid so far.
fn amount(shown: &Shown<'_>) -> Markup {
    let (view, state) = (shown.view, &shown.stored.state);
    let paid = state.amount_paid();
    let is_open = matches!(
        shown.status(),
        OrderStatus::Active | OrderStatus::PartiallyPaid | OrderStatus::Expired
    );
    html! {
        @if is_open {
            p.total {
                span { (view.t("amount-due")) }
                @match shown.due() {
                    Some(due) => strong { (shown.money(due)) },
                    None => strong { (view.t("amount-open")) },
                }
            }
        }
        @if !paid.is_zero() {
            p.total.small {
                span { (view.t("amount-paid")) }
                span { (shown.money(paid)) }
            }
        }
        (shown.refunded())
    }
}

pub fn what_can_be_done(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    let says = |id: &str| html! { p { (view.t(id)) } };
    if let Some(opens) = shown.stored.state.opens_at(shown.now) {
        let day = view.day_of(opens);
        return html! { p { (view.with("opens-on", &[("day", day.into())])) } };
    }
    match shown.status() {
        OrderStatus::Active | OrderStatus::PartiallyPaid => how_to_pay(shown),
        OrderStatus::Paid => says("is-paid"),
        OrderStatus::Expired => says("is-expired"),
        OrderStatus::Set(SetStatus::Completed) => says("is-completed"),
        OrderStatus::Set(SetStatus::Cancelled) => says("is-cancelled"),
        OrderStatus::Set(SetStatus::Refunding) => says("is-refunding"),
        OrderStatus::Set(SetStatus::Refunded) => says("is-refunded"),
    }
}

/// True if a number is written like that of a document, such as `C-77/2026`: one to four capital letters, an
/// optional hyphen or space, and two numbers with a slash between them, of six digits together at most.
/// Identity codes, telephone numbers, passports and names are not written so. An address or a date may be, so
/// the institution has to mark the numbers that belong to a person.
fn is_of_a_paper(name: &str) -> bool {
    let rest = name.trim_start_matches(char::is_uppercase);
    let letters = name.chars().count() - rest.chars().count();
    let rest = rest.strip_prefix(['-', ' ']).unwrap_or(rest);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    (1..=4).contains(&letters)
        && rest.len() <= "123/456".len()
        && rest
            .split_once('/')
            .is_some_and(|(first, second)| is_number(first) && is_number(second))
}

/// The other numbers by which MPay finds the order, and any other order with the same number. A number that may
/// belong to a person is left out, marked or not: a link may be in other hands than an identity document.
fn other_numbers(shown: &Shown<'_>) -> Markup {
    let aliases = shown.order.aliases.iter();
    let numbers = aliases.filter(|alias| !alias.is_personal && is_of_a_paper(alias.name.as_str()));
    html! {
        @for number in numbers.map(|alias| alias.name.as_str()) {
            p.hint { (shown.view.with("by-other-number", &[("number", number.into())])) }
        }
    }
}

fn how_to_pay(shown: &Shown<'_>) -> Markup {
    let (view, order) = (shown.view, shown.order);
    let periods = shown.stored.state.periods(shown.now);
    let id = match (order.allow_partial_payments, order.allow_advance_payments) {
        (true, true) => Some("any-amount"),
        (true, false) => Some("a-part"),
        (false, true) => Some("more"),
        (false, false) => None,
    };
    if shown.has_paid() {
        return card::why_not(shown);
    }
    html! {
        @if !periods.is_empty() { (later(shown, &periods)) }
        @if shown.kept.is_some() { (card::why_not(shown)) }
        (shown.pay_button("pay"))
        @if shown.by_card { (card::button(shown)) }
        @if let Some(id) = id { p.hint { (view.t(id)) } }
        p.hint { (view.t("number-hint")) }
        p { a href=(view.link(&format!("{}/notice", shown.path))) { (view.t("to-notice")) } }
    }
}

/// The amounts due today and in later periods.
fn later(shown: &Shown<'_>, periods: &[Period]) -> Markup {
    let view = shown.view;
    let paid = shown.stored.state.amount_paid();
    html! {
        table {
            caption { (view.t("amounts-by-day")) }
            @for period in periods {
                tr {
                    th scope="row" {
                        @match period.until {
                            Some(until) => (view.with("until-day", &[("day", view.day(until).into())])),
                            None => (view.with("from-day", &[("day", view.day(period.from).into())])),
                        }
                    }
                    td.amount {
                        (shown.money(period.total.saturating_sub(paid)))
                        @if !period.per_day.is_zero() {
                            br;
                            small { (view.with("more-per-day", &[("amount", shown.money(period.per_day).into())])) }
                        }
                    }
                }
            }
        }
    }
}
