//! Pages to print: the notice that asks for a payment, and the receipt of what was paid.

use maud::{Markup, html};
use mpay_door::Problem;
use qrcodegen::{QrCode, QrCodeEcc};

use super::{super::layout::Page, Shown, card};
use crate::json::{Channel, PaymentJson};

/// Width of the white border around a QR code, in modules (ISO/IEC 18004, section 6.3.8).
const QUIET: i32 = 4;

/// The notice: amount and ways to pay, on a sheet of paper.
pub fn notice(shown: &Shown<'_>) -> Result<Page, Problem> {
    let content = html! {
        (how_to_print(shown))
        (sheet(shown)?)
    };
    Ok(Page {
        is_sheet: true,
        ..Page::new(shown.view.t("notice"), content)
    })
}

/// The notice's sheet, without the hint about printing.
pub fn sheet(shown: &Shown<'_>) -> Result<Markup, Problem> {
    let view = shown.view;
    Ok(html! {
        article.notice {
            (view.brand())
            h1 { (view.t("notice")) }
            p { strong { (view.own(&shown.order.reason)) } }
            (shown.facts())
            (shown.lines())
            @if shown.may_be_paid() && shown.has_paid() {
                p { (shown.mark()) }
                (card::why_not(shown))
            } @else if shown.may_be_paid() {
                @if shown.has_paid_in_part() { (card::why_not(shown)) }
                (ways(shown)?)
            } @else {
                p { (shown.mark()) " " (super::order::what_can_be_done(shown)) }
            }
            @if let Some(note) = &view.pages.institution.note { p.hint { (view.own(note)) } }
        }
    })
}

/// The amount due, and the ways to pay it.
fn ways(shown: &Shown<'_>) -> Result<Markup, Problem> {
    let view = shown.view;
    let url = view.pages.url_of(shown.link);
    let mpay = view.pages.mpay_url.split_once("://");
    let mpay = mpay.map_or("", |(_, host)| host).to_owned();
    let service = shown.link.service.to_string();
    Ok(html! {
        @if let Some(opens) = shown.stored.state.opens_at(shown.now) {
            p { (view.with("opens-on", &[("day", view.day_of(opens).into())])) }
        }
        p.total {
            span { (view.t("amount-due")) }
            @match shown.due() {
                Some(due) => strong { (shown.money(due)) },
                None => strong { (view.t("amount-open")) },
            }
        }
        div.ways {
            figure {
                (code(&url, &view.t("scan"))?)
                figcaption { (view.t("scan")) }
            }
            div {
                p { (view.with("or-type", &[("mpay", mpay.into()), ("service", service.into())])) }
                p.large { (shown.number()) }
            }
        }
    })
}

/// The receipt: the payments of the order.
pub fn receipt(shown: &Shown<'_>) -> Page {
    let view = shown.view;
    let title = view.t("receipt");
    let is_by_card = |(record, _): &(&PaymentJson, _)| record.channel() == Channel::Card;
    let by_card = shown.payments().filter(is_by_card).count();
    let others = shown.payments().count() - by_card;
    let content = html! {
        (how_to_print(shown))
        article.notice {
            (view.brand())
            h1 { (title) }
            p { strong { (view.own(&shown.order.reason)) } " " (shown.mark()) }
            (shown.facts())
            p.total {
                span { (view.t("amount-paid")) }
                strong { (shown.money(shown.stored.state.amount_paid())) }
            }
            (shown.refunded())
            (shown.payment_list(shown.payments()))
            @if !shown.stored.state.is_whole() { p.hint { (view.with("latest-payments", &[("count", shown.payment_count().into())])) } }
            p.hint {
                (view.with("receipt-hint", &[("time", view.time_of(shown.now).into())]))
                @if others > 0 { " " (view.t("receipt-fiscal")) }
                @if by_card > 0 { " " (view.t("receipt-fiscal-card")) }
            }
        }
    };
    Page {
        is_sheet: true,
        ..Page::new(title, content)
    }
}

fn how_to_print(shown: &Shown<'_>) -> Markup {
    let view = shown.view;
    html! {
        p.screen {
            a href=(view.link(shown.path)) { (view.t("to-order")) }
            span.hint { (view.t("print-hint")) }
        }
    }
}

/// A QR code as a picture (ISO/IEC 18004).
fn code(text: &str, label: &str) -> Result<Markup, Problem> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(Problem::internal)?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{},{}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    let side = size + 2 * QUIET;
    Ok(html! {
        svg.code xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (side) " " (side) }
            shape-rendering="crispEdges" role="img" aria-label=(label) {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}
