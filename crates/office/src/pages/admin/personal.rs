//! The data of a person: shown, exported, erased.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode},
    order_form::{Field, fields},
    orders::{Register, from_here, left_out, table},
};
use crate::{
    access::{MANAGERS, permit},
    json::FieldError,
    store::Platform,
};

/// The most API calls that one page makes. Each call looks through a part of the books. The export looks through
/// as much in one call.
const CALLS: usize = 20;

/// The most orders that one page shows.
const SHOWN: usize = 200;

const CODE: Field = Field {
    name: "customer_id",
    text: "payer-code",
    kind: "text",
    is_required: true,
    longest: 255,
};

const AGAIN: Field = Field {
    name: "again",
    text: "code-again",
    ..CODE
};

#[derive(Default, Deserialize)]
struct Erased {
    erased: Vec<Named>,
    messages: usize,
    kept: Vec<Named>,
    next: Option<String>,
}

/// An order of an answer; `reason` says why it is kept.
#[derive(Deserialize)]
struct Named {
    service_id: Option<String>,
    order_key: Option<String>,
    reason: Option<String>,
}

/// `GET /admin/personal`: the search for a person, and the orders found.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    permit(desk.principal, &MANAGERS)?;
    let code = desk.query.text("customer_id");
    let found = match &code {
        Some(code) => Some((code.as_str(), found(desk, code).await?)),
        None => None,
    };
    let title = desk.t("menu-personal");
    let value = |_: &str| code.clone();
    let content = html! {
        h1 { (title) }
        p { (desk.t("personal-hint")) }
        form.card.narrow method="get" action="/admin/personal" {
            input type="hidden" name="lang" value=(desk.view.language().code());
            (fields(desk, [&CODE].into_iter(), &value, &[]))
            button type="submit" { (desk.t("find")) }
        }
        @if let Some((code, page)) = &found {
            @if page.orders.is_empty() {
                p { (desk.t(if page.next.is_some() { "none-so-far" } else { "no-orders" })) }
            } @else {
                (table(desk, &page.orders))
            }
            (left_out(desk, page))
            @if let Some(next) = &page.next {
                p { (desk.t("personal-partly")) }
                p { a.button href=(desk.link(&format!("/admin/personal?customer_id={}&cursor={}", encode(code), encode(next)))) { (desk.t("further")) } }
            }
            p { a.button href={ "/admin/export?format=xlsx&person=" (encode(code)) (from_here(desk)) } { (desk.t("export-xlsx")) } }
            @if page.next.is_some() || desk.query.text("cursor").is_some() { p.hint { (desk.t("export-from-here")) } }
            p.hint { (desk.t("personal-found")) }
            section.card {
                h2 { (desk.t("erase-title")) }
                p { (desk.t("erase-hint")) }
                (erasing(desk, code, None, &[]))
            }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

/// Orders that name a person as the erasure finds them, and the cursor to continue if not all orders were looked
/// through.
async fn found<P: Platform>(desk: &Desk<'_, P>, code: &str) -> Result<Register, Problem> {
    let (mut orders, mut damaged) = (Vec::new(), 0);
    let mut cursor = desk.query.text("cursor");
    for _ in 0..CALLS {
        let mut address = format!(
            "orders?person={}&limit={}",
            encode(code),
            SHOWN - orders.len()
        );
        if let Some(cursor) = &cursor {
            address.push_str(&format!("&cursor={}", encode(cursor)));
        }
        let page: Register = desk.document(Ask::get(address)).await?;
        orders.extend(page.orders);
        damaged += page.damaged;
        cursor = page.next;
        if cursor.is_none() || orders.len() >= SHOWN {
            break;
        }
    }
    Ok(Register {
        orders,
        next: cursor,
        damaged,
    })
}

/// The form that erases. The person has to type the code a second time.
fn erasing<P: Platform>(
    desk: &Desk<'_, P>,
    code: &str,
    cursor: Option<&str>,
    wrong: &[FieldError],
) -> Markup {
    html! {
        form.narrow method="post" action=(desk.link("/admin/personal")) {
            (desk.form_fields())
            input type="hidden" name="back" value="/admin/personal";
            input type="hidden" name="customer_id" value=(code);
            @if let Some(cursor) = cursor { input type="hidden" name="cursor" value=(cursor); }
            (fields(desk, [&AGAIN].into_iter(), &|_| None, wrong))
            button type="submit" { (desk.t("erase")) }
        }
    }
}

/// `POST /admin/personal`: erases, and shows the orders that were erased and those that are kept.
pub async fn erase<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    permit(desk.principal, &MANAGERS)?;
    let code = desk.form.text("customer_id");
    // Without a code the request would mean everybody.
    let code = code.ok_or_else(|| Problem::member("customer_id", "is missing"))?;
    let mut cursor = desk.form.text("cursor").map(str::to_owned);
    let title = desk.t("menu-personal");
    if desk.form.text("again") != Some(code) {
        let wrong = FieldError::new("again", "is not the code above");
        let content = html! {
            h1 { (title) }
            section.card {
                h2 { (desk.t("erase-title")) }
                p { (desk.t("payer-code")) ": " code { (code) } }
                (erasing(desk, code, cursor.as_deref(), &[wrong]))
            }
        };
        let page = Page::new(title, content);
        return Ok(desk.page(StatusCode::UNPROCESSABLE_ENTITY, &page));
    }
    let mut all = Erased::default();
    for _ in 0..CALLS {
        let address = match &cursor {
            Some(cursor) => format!("erasures?cursor={}", encode(cursor)),
            None => "erasures".to_owned(),
        };
        let ask = Ask::new("POST", address).json(&json!({"customer_id": code}));
        let part: Erased = desk.document(ask).await?;
        all.erased.extend(part.erased);
        all.kept.extend(part.kept);
        all.messages += part.messages;
        cursor = part.next;
        if cursor.is_none() {
            break;
        }
    }
    let content = html! {
        h1 { (title) }
        @if all.erased.is_empty() && all.messages == 0 && all.kept.is_empty() && cursor.is_none() {
            p.banner role="status" { (desk.t("nothing-to-erase")) }
        } @else {
            section.card role="status" {
                h2 { (desk.t("erased")) }
                (orders(desk, &all.erased))
                p { (desk.with("erased-messages", &[("count", all.messages.into())])) }
                h2 { (desk.t("kept")) }
                (orders(desk, &all.kept))
            }
        }
        @if let Some(cursor) = &cursor {
            section.card {
                p { (desk.t("erased-partly")) }
                (erasing(desk, code, Some(cursor), &[]))
            }
        }
        p { a href=(desk.link("/admin/personal")) { (desk.t("go-back")) } }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}

fn orders<P: Platform>(desk: &Desk<'_, P>, orders: &[Named]) -> Markup {
    html! {
        @if orders.is_empty() { p { (desk.t("nothing-needs-somebody")) } }
        ul {
            @for order in orders {
                li {
                    @if let (Some(service), Some(key)) = (&order.service_id, &order.order_key) {
                        a href=(desk.link(&format!("/admin/orders/{}/{}", encode(service), encode(key)))) { (key) }
                        " " small { (service) }
                    }
                    @if let Some(reason) = &order.reason { " " (desk.view.said(reason)) }
                }
            }
        }
    }
}
