//! Today: the money that arrived, and the matters that need a person.

use http::StatusCode;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;

use super::{
    super::layout::{Answer, Page},
    connection,
    desk::{Ask, Desk, encode},
    findings,
    manual::Proposals,
    orders::{self, Listed},
    payments::{account, calls, refusal_line, unreadable},
};
use crate::{access::MANAGERS, domain::time, store::Platform};

/// A day's reconciliation, as the API answers it.
#[derive(Deserialize)]
struct Reconciliation {
    totals: Vec<OfAccount>,
    services: Vec<OfService>,
    totals_complete: bool,
    #[serde(default)]
    totals_more: bool,
    #[serde(default)]
    unreadable: usize,
}

/// The total of one bank account for the day.
#[derive(Deserialize)]
struct OfAccount {
    bank_account: Option<String>,
    channel: String,
    #[serde(flatten)]
    total: Total,
}

/// The total of one service for the day.
#[derive(Deserialize)]
struct OfService {
    service_id: String,
    currency: String,
    amount: String,
}

#[derive(Deserialize)]
struct Total {
    currency: String,
    amount: String,
    lines: Option<usize>,
}

#[derive(Deserialize)]
struct Register {
    orders: Vec<Listed>,
    next: Option<String>,
    /// True if the next look finds more.
    #[serde(default)]
    is_partial: bool,
}

/// The totals of the last days.
#[derive(Deserialize)]
struct Weeks {
    days: Vec<Sums>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Sums {
    date: String,
    totals: Option<Vec<Total>>,
}

impl Sums {
    fn of(&self, currency: &str) -> Option<&Total> {
        let mut totals = self.totals.iter().flatten();
        totals.find(|total| total.currency == currency)
    }

    /// Height of the day's bar, in hundredths of the currency. A negative total, of payments that were voided,
    /// gives no bar.
    fn height(&self, currency: &str) -> i64 {
        let amount = self.of(currency).map(|total| total.amount.replace('.', ""));
        let amount = amount.and_then(|amount| amount.parse().ok());
        amount.unwrap_or_default()
    }
}

/// The most refusals that are shown.
const REFUSALS: usize = 5;
/// Height of the chart, and width of a day, in units of the picture.
const HEIGHT: i64 = 120;
const WIDTH: usize = 20;

/// The last weeks as a chart and as a table. The chart shows one currency: MDL if there is any.
fn weeks<P: Platform>(desk: &Desk<'_, P>, weeks: &Weeks) -> Markup {
    let mut currencies: Vec<_> = weeks
        .days
        .iter()
        .flat_map(|day| day.totals.iter().flatten())
        .map(|total| total.currency.as_str())
        .collect();
    currencies.sort_by_key(|currency| (*currency != "MDL", *currency));
    currencies.dedup();
    let Some(currency) = currencies.first() else {
        return html! { p { (desk.t("no-payments")) } };
    };
    let highest = weeks.days.iter().map(|day| day.height(currency)).max();
    let highest = highest.unwrap_or_default().max(1);
    let day = |text: &str| {
        let date = time::parse_date(text);
        date.map_or_else(|_| text.to_owned(), |date| desk.view.day(date))
    };
    let bars = weeks.days.iter().enumerate().filter_map(|(place, day)| {
        let height = i128::from(day.height(currency)) * i128::from(HEIGHT) / i128::from(highest);
        let height = i64::try_from(height).ok().filter(|height| *height > 0)?;
        Some((place * WIDTH + 2, HEIGHT - height, height))
    });
    let width = weeks.days.len() * WIDTH;
    let title = desk.with("weeks-title", &[("currency", (*currency).into())]);
    html! {
        svg.chart viewBox={ "0 0 " (width) " " (HEIGHT + 1) } role="img" aria-label=(title) {
            @for (x, y, height) in bars {
                rect x=(x) y=(y) width=(WIDTH - 4) height=(height) {}
            }
            line x1="0" x2=(width) y1=(HEIGHT) y2=(HEIGHT) {}
        }
        p.ends {
            @if let Some(first) = weeks.days.first() { span { (day(&first.date)) } }
            @if let Some(last) = weeks.days.last() { span { (day(&last.date)) } }
        }
        @if weeks.days.iter().any(|day| day.totals.is_none()) { p.hint { (desk.t("weeks-partly")) } }
        details {
            summary { (desk.t("as-a-table")) }
            table {
                tr {
                    th scope="col" { (desk.t("day")) }
                    th.end scope="col" { (desk.t("lines")) }
                    th.end scope="col" { (desk.t("amount")) }
                }
                @for sums in weeks.days.iter().rev() {
                    @match &sums.totals {
                        None => tr { td { (day(&sums.date)) } td {} td.amount { "–" } },
                        Some(totals) if totals.is_empty() => {},
                        Some(totals) => {
                            @for total in totals {
                                tr {
                                    td { a href=(desk.link(&format!("/admin/payments?date={}", sums.date))) { (day(&sums.date)) } }
                                    td.end { (total.lines.unwrap_or_default()) }
                                    td.amount { (orders::money(desk, &total.amount, &total.currency)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /admin`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let today = time::date(desk.store.now());
    let day: Reconciliation = desk
        .document(Ask::get(format!("reconciliation?date={today}&part=totals")))
        .await?;
    let to_look_at: Register = desk
        .document(Ask::get("orders?review=open&limit=10").beside())
        .await?;
    let latest: Register = desk.document(Ask::get("orders?limit=10")).await?;
    let last: Weeks = desk
        .document(Ask::get("reconciliation/days").beside())
        .await?;
    let open: Proposals = match desk.may(&MANAGERS) {
        true => {
            let ask = Ask::get("payments/manual?open=true&limit=10");
            desk.document(ask.beside()).await?
        }
        false => Proposals::default(),
    };
    let calls = calls(desk).await?;
    let refused = &calls.open_refusals;
    // Each list looks through the newest entries only, and links to the rest.
    let all_seen = calls.complete
        && !calls.open_refusals_more
        && to_look_at.next.is_none()
        && !to_look_at.is_partial
        && open.next.is_none();
    let health = connection::health(desk).await?;
    let webhooks = connection::webhooks(desk).await?;
    let other = connection::other_door(desk).await?;
    let findings = findings::find(desk, &health, &other, &webhooks).await?;
    let view = &desk.view;
    let title = desk.with("today", &[("day", view.day(today).into())]);
    let adds_up = day.totals_more;
    let says = html! {
        @if !calls.complete { (desk.t("refusals")) ": " (desk.t("refusals-incomplete")) " " }
        @if to_look_at.is_partial { (desk.t("menu-orders")) ": " (desk.t("refusals-incomplete")) " " }
        @if adds_up { (desk.t("totals-incomplete")) " " }
        @else if last.more { (desk.t("weeks-incomplete")) }
    };
    let goes_on = adds_up || last.more || !calls.complete || to_look_at.is_partial;
    let goes_on = goes_on.then(|| desk.go_on("/admin", &says, false));
    let content = html! {
        h1 { (title) }
        @if let Some(goes_on) = &goes_on { (goes_on.note) }
        section.card {
            h2 { (desk.t("came-in")) }
            @if day.totals.is_empty() {
                p { (desk.t(if day.totals_complete { "nothing-came-in" } else { "nothing-so-far" })) }
            } @else {
                table {
                    tr { th scope="col" { (desk.t("account")) } th.end scope="col" { (desk.t("amount")) } }
                    @for OfAccount { bank_account, channel, total } in &day.totals {
                        tr {
                            td { (account(desk, bank_account.as_deref(), channel)) }
                            td.amount { (orders::money(desk, &total.amount, &total.currency)) }
                        }
                    }
                }
            }
            @if desk.config.service_ids().nth(1).is_some() && !day.services.is_empty() {
                table {
                    tr { th scope="col" { (desk.t("service")) } th.end scope="col" { (desk.t("amount")) } }
                    @for OfService { service_id, currency, amount } in &day.services {
                        tr {
                            td { (service_id) }
                            td.amount { (orders::money(desk, amount, currency)) }
                        }
                    }
                }
            }
            @if day.unreadable > 0 { (unreadable(desk)) }
        }
        section.card {
            h2 { (desk.t("needs-somebody")) }
            @if to_look_at.orders.is_empty() && findings.is_empty() && open.proposals.is_empty() && refused.is_empty() && all_seen {
                p { (desk.t("nothing-needs-somebody")) }
            }
            @if !to_look_at.orders.is_empty() { (orders::table(desk, &to_look_at.orders)) }
            @if let Some(next) = &to_look_at.next {
                p {
                    @if to_look_at.orders.is_empty() { (desk.t("newest-need-nobody")) " " }
                    a href=(desk.link(&format!("/admin/orders?review=open&cursor={}", encode(next)))) { (desk.t("older-to-look-at")) }
                }
            }
            @if !refused.is_empty() {
                p { a href=(desk.link("/admin/refusals")) { (desk.t("refusals")) ": " (calls.count()) } }
                ul.lines { @for refusal in refused.iter().take(REFUSALS) { (refusal_line(desk, refusal)) } }
            }
            @if !open.proposals.is_empty() {
                p { a href=(desk.link("/admin/payments/manual")) { (desk.t("proposals-open")) ": " (open.proposals.len()) @if open.next.is_some() { "+" } } }
            } @else if let Some(next) = &open.next {
                p { a href=(desk.link(&format!("/admin/payments/manual?cursor={}", encode(next)))) { (desk.t("proposals-open")) ": " (desk.t("none-so-far")) } }
            }
            @if !findings.is_empty() {
                (findings::list(desk, &findings, false))
                p { a href=(desk.link("/admin/connection")) { (desk.t("found-more")) } }
            }
        }
        section.card {
            h2 { (desk.t("weeks")) }
            (weeks(desk, &last))
        }
        section.card {
            h2 { (desk.t("latest-orders")) }
            @if latest.orders.is_empty() { p { (desk.t("no-orders")) } } @else { (orders::table(desk, &latest.orders)) }
        }
    };
    let page = Page {
        reload: goes_on.and_then(|goes_on| goes_on.reload),
        ..Page::new(title, content)
    };
    Ok(desk.page(StatusCode::OK, &page))
}
