//! What came in today, and what needs somebody.

use http::StatusCode;
use maud::html;
use mpay_door::{Configuration as _, Problem};
use serde::Deserialize;

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk},
    orders::{self, Listed},
};
use crate::{domain::time, store::Platform};

/// What the API answers of a day.
#[derive(Deserialize)]
struct Reconciliation {
    totals: Vec<Total>,
    totals_complete: bool,
}

#[derive(Deserialize)]
struct Total {
    #[serde(default)]
    bank_account: Option<String>,
    currency: String,
    amount: String,
}

#[derive(Deserialize)]
struct Register {
    orders: Vec<Listed>,
}

/// `GET /admin`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let today = time::date(desk.store.now());
    let day: Reconciliation = desk
        .document(Ask::get(format!("reconciliation?date={today}")))
        .await?;
    let to_look_at: Register = desk
        .document(Ask::get("orders?review=open&limit=10"))
        .await?;
    let latest: Register = desk.document(Ask::get("orders?limit=10")).await?;
    let warnings = desk.config.warnings(desk.store.now());
    let view = &desk.view;
    let title = desk.with("today", &[("day", view.day(today).into())]);
    let content = html! {
        h1 { (title) }
        div.columns.halves {
            section.card {
                h2 { (desk.t("came-in")) }
                @if day.totals.is_empty() {
                    p { (desk.t("nothing-came-in")) }
                } @else {
                    table {
                        tr { th scope="col" { (desk.t("account")) } th.end scope="col" { (desk.t("amount")) } }
                        @for total in &day.totals {
                            tr {
                                td { code { (total.bank_account.as_deref().unwrap_or("–")) } }
                                td.amount { (orders::money(desk, &total.amount, &total.currency)) }
                            }
                        }
                    }
                    @if !day.totals_complete { p.hint { (desk.t("totals-incomplete")) } }
                }
            }
            section.card {
                h2 { (desk.t("needs-somebody")) }
                @if to_look_at.orders.is_empty() && warnings.is_empty() {
                    p { (desk.t("nothing-needs-somebody")) }
                }
                @if !to_look_at.orders.is_empty() { (orders::table(desk, &to_look_at.orders)) }
                @if !warnings.is_empty() {
                    ul lang="en" {
                        @for warning in &warnings { li { (warning) } }
                    }
                }
            }
        }
        section.card {
            h2 { (desk.t("latest-orders")) }
            @if latest.orders.is_empty() { p { (desk.t("no-orders")) } } @else { (orders::table(desk, &latest.orders)) }
        }
    };
    Ok(desk.page(StatusCode::OK, &Page::new(title, content)))
}
