//! The page to which MPay sends the payer back. The confirmation may arrive later than the payer, or never. The
//! page shows what the books have, and believes nothing that its address says.

use maud::html;

use super::{
    super::{Query, layout::Page},
    Shown, card,
};
use crate::domain::{OrderStatus, SetStatus};

/// Seconds until each reload of the page: ten minutes in all.
const PAUSES: [u32; 14] = [2, 2, 3, 4, 5, 8, 13, 21, 34, 55, 60, 120, 120, 153];

pub fn page(shown: &Shown<'_>, query: &Query) -> Page {
    // The number of payments when the payer left. A false number only shows payments that the page shows
    // anyway.
    let before = query.number("paid").unwrap_or(shown.payment_count());
    let new = shown.payment_count().saturating_sub(before);
    let is_settled = matches!(
        shown.status(),
        OrderStatus::Paid | OrderStatus::Set(SetStatus::Completed)
    );
    if new > 0 || is_settled {
        return confirmed(shown, new);
    }
    // A reader who chose to stay is not reloaded.
    if query.text("stay").is_some() {
        return waiting(shown, before, None);
    }
    let step = query.number("n").and_then(|n| usize::try_from(n).ok());
    match PAUSES.get(step.unwrap_or(0)) {
        Some(pause) => waiting(shown, before, Some((step.unwrap_or(0), *pause))),
        None => not_confirmed(shown, before),
    }
}

fn confirmed(shown: &Shown<'_>, new: u64) -> Page {
    let view = shown.view;
    let title = view.t("confirmed-title");
    let new = usize::try_from(new).unwrap_or(usize::MAX);
    let content = html! {
        div.banner.good role="status" {
            h1 { (title) }
            p { (view.own(&shown.order.reason)) }
        }
        section.card {
            (shown.payment_list(shown.payments().take(new.max(1))))
            p {
                a.button href=(view.link(&format!("{}/receipt", shown.path))) { (view.t("to-receipt")) }
            }
            @if let Some(due) = shown.due().filter(|due| !due.is_zero() && shown.can_be_paid()) {
                @if shown.has_paid_in_part() {
                    (card::why_not(shown))
                } @else {
                    p { (view.with("still-due", &[("amount", shown.money(due).into())])) }
                }
                (shown.pay_button("pay-rest"))
            }
        }
        p { a href=(view.link(shown.path)) { (view.t("to-order")) } }
    };
    Page::new(title, content)
}

/// The page that waits for the confirmation. `reload`: the number of reloads so far, and the seconds until the
/// next one.
fn waiting(shown: &Shown<'_>, before: u64, reload: Option<(usize, u32)>) -> Page {
    let view = shown.view;
    let title = view.t("waiting-title");
    let at = |rest: String| view.link(&format!("{}/return?paid={before}{rest}", shown.path));
    let reload = reload.map(|(step, pause)| (pause, at(format!("&n={}", step + 1))));
    let stay = at("&stay=1".to_owned());
    let again = reload.as_ref().map_or(&stay, |(_, address)| address);
    let content = html! {
        div.banner.busy role="status" {
            h1 { (title) }
            p { (view.t(if reload.is_some() { "waiting-text" } else { "waiting-here" })) }
        }
        section.card {
            (shown.facts())
            p.hint { (view.t("waiting-hint")) }
            p { a.button href=(again) { (view.t("look-again")) } }
            @if reload.is_some() { p { a #stay href=(stay) { (view.t("do-not-reload")) } } }
        }
    };
    Page {
        reload,
        ..Page::new(title, content)
    }
}

fn not_confirmed(shown: &Shown<'_>, before: u64) -> Page {
    let view = shown.view;
    let title = view.t("not-confirmed-title");
    let again = format!("{}/return?paid={before}", shown.path);
    let content = html! {
        div.banner.busy {
            h1 { (title) }
            p { (view.t("not-confirmed-text")) }
        }
        section.card {
            (shown.facts())
            p { a.button href=(view.link(&again)) { (view.t("look-again")) } }
            @if shown.can_be_paid() && shown.has_paid_in_part() {
                (card::why_not(shown))
                (shown.pay_button("pay"))
            } @else if shown.can_be_paid() {
                p { (view.t("not-confirmed-pay-again")) }
                (shown.pay_button("pay-again"))
            }
        }
        p { a href=(view.link(shown.path)) { (view.t("to-order")) } }
    };
    Page::new(title, content)
}
