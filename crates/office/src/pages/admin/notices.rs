//! Notices of many orders, printed one after the other.

use http::StatusCode;
use maud::html;
use mpay_door::Problem;

use super::{
    super::{
        layout::{Answer, Page},
        payer,
    },
    desk::{Ask, Desk, encode},
    orders::{Register, chosen},
};
use crate::store::Platform;

/// `GET /admin/notices`: the notices of up to 50 orders that match the filters of the list. Orders that cannot
/// be paid, and orders that a held payment by card covers, are left out.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let filters = chosen(desk)?;
    let mut address = format!("orders?limit=50{filters}");
    if let Some(cursor) = desk.query.text("cursor") {
        address.push_str(&format!("&cursor={}", encode(&cursor)));
    }
    let page: Register = desk.document(Ask::get(address)).await?;
    let mut sheets = Vec::new();
    for order in &page.orders {
        let (service, key) = order.names()?;
        if let Some(stored) = desk.store.orders().get(&service, &key).await? {
            sheets.extend(payer::sheet(&desk.view, desk.store, &stored).await?);
        }
    }
    let title = desk.t("notices");
    let content = html! {
        p.screen {
            a href=(desk.link(&format!("/admin/orders?{}", filters.trim_start_matches('&')))) { (desk.t("menu-orders")) }
            span { (desk.with("notices-here", &[("count", sheets.len().into())])) }
            span.hint { (desk.t("print-hint")) }
            @if let Some(next) = &page.next {
                a href=(desk.link(&format!("/admin/notices?cursor={}{filters}", encode(next)))) { (desk.t("further")) }
            }
        }
        @for sheet in &sheets { (sheet) }
    };
    let page = Page {
        is_sheet: true,
        ..Page::new(title, content)
    };
    Ok(desk.page(StatusCode::OK, &page))
}
