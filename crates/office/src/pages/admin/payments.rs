//! The payments of a day, the refusals, and the flags that people close.

use http::StatusCode;
use jiff::civil::Date;
use maud::{Markup, html};
use mpay_door::Problem;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::layout::{Answer, Page},
    desk::{Ask, Desk, encode},
    orders::money,
};
use crate::{access::BOOKKEEPERS, domain::time, store::Platform};

#[derive(Deserialize)]
struct Day {
    closed: bool,
    lines: Vec<Line>,
    totals: Vec<Total>,
    totals_complete: bool,
    #[serde(default)]
    totals_more: bool,
    #[serde(default)]
    unreadable: usize,
    next: Option<String>,
}

/// The alert that sums may lack records that cannot be read.
pub fn unreadable<P: Platform>(desk: &Desk<'_, P>) -> Markup {
    html! { p.alert { (desk.t("totals-unreadable")) } }
}

#[derive(Deserialize)]
struct Line {
    payment_id: String,
    service_id: String,
    order_key: String,
    #[serde(default)]
    line_id: String,
    amount: String,
    currency: String,
    paid_at: String,
    bank_account: Option<String>,
    review: Vec<String>,
    #[serde(default)]
    void: bool,
    #[serde(default)]
    refund: bool,
}

#[derive(Deserialize)]
struct Total {
    bank_account: Option<String>,
    currency: String,
    channel: String,
    amount: String,
    lines: usize,
}

#[derive(Deserialize)]
struct Refusals {
    refusals: Vec<Refusal>,
    next: Option<String>,
}

/// The outcome of MPay's latest calls.
#[derive(Deserialize)]
pub struct Calls {
    /// The payment that MPay confirmed last.
    pub last_payment: Option<LastPayment>,
    /// The latest refusals.
    pub latest_refusals: Vec<Refusal>,
    /// The refusals that nobody has closed.
    pub open_refusals: Vec<Refusal>,
    /// True if there are more open refusals than these.
    pub open_refusals_more: bool,
    /// True if the whole journal was looked through.
    pub complete: bool,
}

/// A payment that MPay confirmed.
#[derive(Deserialize)]
pub struct LastPayment {
    /// Its PaymentID.
    pub payment_id: String,
    /// The order's service.
    pub service_id: String,
    /// The order's key.
    pub order_key: String,
    /// Its amount, in the currency.
    pub amount: String,
    /// Its currency.
    pub currency: String,
    /// Its time of recording.
    pub recorded_at: String,
}

/// A refused confirmation. Its service, key and PaymentID are absent if the message did not name them legibly.
#[derive(Deserialize)]
pub struct Refusal {
    index: u64,
    payment_id: Option<String>,
    service_id: Option<String>,
    order_key: Option<String>,
    code: String,
    reason: String,
    received_at: String,
    #[serde(default)]
    review: Vec<String>,
}

impl Calls {
    /// The number of open refusals as text, with `+` if there are more.
    pub fn count(&self) -> String {
        let more = if self.open_refusals_more { "+" } else { "" };
        format!("{}{more}", self.open_refusals.len())
    }
}

/// Reads the outcome of MPay's latest calls.
pub async fn calls<P: Platform>(desk: &Desk<'_, P>) -> Result<Calls, Problem> {
    desk.document(Ask::get("mpay-calls").beside()).await
}

/// The texts for the meaning of a refusal and its remedy. The reason itself is written for MPay, so it is
/// English.
fn meaning(code: &str) -> [&'static str; 2] {
    match code {
        "UnknownOrder" => ["refused-unknown-order", "refused-unknown-order-do"],
        "UnknownService" => ["refused-unknown-service", "refused-unknown-service-do"],
        "InvalidParameter" => ["refused-wrong", "refused-wrong-do"],
        _ => ["refused-other", "refused-other-do"],
    }
}

/// A refusal in a list, with its reason.
pub fn refusal_line<P: Platform>(desk: &Desk<'_, P>, refusal: &Refusal) -> Markup {
    html! {
        li {
            @let [what, deed] = meaning(&refusal.code);
            strong { (desk.t(what)) }
            span {
                (moment(desk, &refusal.received_at))
                @if let Some(key) = &refusal.order_key { br; small { (desk.t("order-number")) " " (key) } }
            }
            p { (desk.t(deed)) (look_up(desk, refusal)) }
            p.hint { code { (refusal.code) } " " span lang="en" { (refusal.reason) } }
        }
    }
}

/// A link to the search for an order by another number. MPay may have used a number that an order has as an
/// alias.
fn look_up<P: Platform>(desk: &Desk<'_, P>, refusal: &Refusal) -> Markup {
    let names = refusal.service_id.as_ref().zip(refusal.order_key.as_ref());
    let names = names.filter(|_| refusal.code == "UnknownOrder");
    html! {
        @if let Some((service, key)) = names {
            " "
            a href=(desk.link(&format!("/admin/orders?service_id={}&alias={}", encode(service), encode(key)))) {
                (desk.t("refused-unknown-order-look"))
            }
        }
    }
}

/// `GET /admin/payments`.
pub async fn page<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let today = time::date(desk.store.now());
    let asked = desk.query.text("date");
    let date: Date = asked
        .and_then(|text| time::parse_date(&text).ok())
        .unwrap_or(today);
    let mut address = format!("reconciliation?date={date}");
    let mut here = format!("/admin/payments?date={date}");
    if let Some(cursor) = desk.query.text("cursor") {
        let cursor = format!("&cursor={}", encode(&cursor));
        address.push_str(&cursor);
        here.push_str(&cursor);
    }
    let day: Day = desk.document(Ask::get(address)).await?;
    let title = desk.with("payments-of", &[("day", desk.view.day(date).into())]);
    let of = |date: Date| desk.link(&format!("/admin/payments?date={date}"));
    let (before, after) = (time::days_after(date, -1), time::days_after(date, 1));
    let goes_on = day.totals_more.then(|| {
        let says = html! { (desk.t("totals-incomplete")) };
        desk.go_on(&here, &says, false)
    });
    let content = html! {
        h1 { (title) }
        // Not where the page would take away the day that somebody is choosing.
        @if goes_on.as_ref().is_none_or(|goes_on| goes_on.reload.is_none()) {
            form.filters.card method="get" action="/admin/payments" {
                input type="hidden" name="lang" value=(desk.view.language().code());
                label { span { (desk.t("day")) } input type="date" name="date" value=(date) max=(today); }
                button type="submit" { (desk.t("show")) }
            }
        }
        p.actions {
            @if let Some(before) = before { a href=(of(before)) rel="prev" { (desk.t("day-before")) } }
            @if let Some(after) = after && after <= today { a href=(of(after)) rel="next" { (desk.t("day-after")) } }
            a href={ "/admin/reconciliation?format=xlsx&date=" (date) } { (desk.t("export-xlsx")) }
            a href=(desk.link("/admin/refusals")) { (desk.t("refusals")) }
            a href=(desk.link("/admin/payments/manual")) { (desk.t("by-hand")) }
        }
        p { (desk.t(if day.closed { "day-closed" } else { "day-open" })) }
        @if let Some(goes_on) = &goes_on { (goes_on.note) }
        @if day.unreadable > 0 { (unreadable(desk)) }
        @if day.totals.is_empty() && day.totals_complete { p { (desk.t("no-payments")) } }
        @if !day.totals.is_empty() {
            section.card {
                h2 { (desk.t("sums")) }
                table {
                    tr { th scope="col" { (desk.t("account")) } th.end scope="col" { (desk.t("lines")) } th.end scope="col" { (desk.t("amount")) } }
                    @for total in &day.totals {
                        tr {
                            td { (account(desk, total.bank_account.as_deref(), &total.channel)) }
                            td.end { (total.lines) }
                            td.amount { (money(desk, &total.amount, &total.currency)) }
                        }
                    }
                }
            }
        }
        @if !day.lines.is_empty() {
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table.wide {
                    tr {
                        th scope="col" { (desk.t("order-number")) }
                        th.end scope="col" { (desk.t("amount")) }
                        th scope="col" { (desk.t("to-look-at")) }
                        th scope="col" { (desk.t("paid-at")) }
                        th scope="col" { (desk.t("payment-number")) }
                        th scope="col" { (desk.t("account")) }
                    }
                    @for line in &day.lines {
                        tr {
                            td {
                                a href=(desk.link(&format!("/admin/orders/{}/{}", encode(&line.service_id), encode(&line.order_key)))) { (line.order_key) }
                                br; small { (line.service_id) " · " (line.line_id) }
                            }
                            td.amount { (money(desk, &line.amount, &line.currency)) }
                            td { @for review in &line.review { span.mark.bad { (desk.t(flag(review))) } " " } }
                            td { (moment(desk, &line.paid_at)) }
                            td { code { (line.payment_id) } @if line.void { " " span.mark.bad { (desk.t("voided")) } } @if line.refund { " " span.mark.busy { (desk.t("card-given-back")) } } }
                            td { code { (line.bank_account.as_deref().unwrap_or("–")) } }
                        }
                    }
                }
            }
        }
        @if let Some(next) = &day.next {
            p { a.button href=(desk.link(&format!("/admin/payments?date={date}&cursor={next}"))) { (desk.t("further")) } }
        }
    };
    let page = Page {
        reload: goes_on.and_then(|goes_on| goes_on.reload),
        ..Page::new(title, content)
    };
    Ok(desk.page(StatusCode::OK, &page))
}

/// A time of the API's answer, as the page writes it.
pub fn moment<P: Platform>(desk: &Desk<'_, P>, at: &str) -> String {
    time::parse(at).map_or_else(|_| at.to_owned(), |at| desk.view.time_of(at))
}

/// A bank account, and the channel of its payments if it is not MPay.
pub fn account<P: Platform>(desk: &Desk<'_, P>, iban: Option<&str>, channel: &str) -> Markup {
    let how = match channel {
        "mpay" => None,
        "card" => Some("by-card"),
        _ => Some("by-hand"),
    };
    html! {
        code { (iban.unwrap_or("–")) }
        @if let Some(how) = how { " " (desk.t(how)) }
    }
}

/// The text for a flag.
pub fn flag(review: &str) -> &'static str {
    match review {
        "late" => "flag-late",
        "early" => "flag-early",
        "double" => "flag-double",
        "mismatch" => "flag-mismatch",
        "charged-back" => "flag-charged-back",
        "over-paid" => "flag-over-paid",
        "under-paid" => "flag-under-paid",
        "amended" => "flag-amended",
        "other-currency" => "flag-other-currency",
        "implausible-date" => "flag-implausible-date",
        "orphaned" => "flag-orphaned",
        _ => "flag-unknown",
    }
}

/// The message with the meaning of a flag and the action to take; `None` for a flag that this version does not
/// know.
pub fn flag_deed(review: &str) -> Option<&'static str> {
    Some(match review {
        "late" => "flag-late-do",
        "early" => "flag-early-do",
        "double" => "flag-double-do",
        "mismatch" => "flag-mismatch-do",
        "charged-back" => "flag-charged-back-do",
        "over-paid" => "flag-over-paid-do",
        "under-paid" => "flag-under-paid-do",
        "amended" => "flag-amended-do",
        "other-currency" => "flag-other-currency-do",
        "implausible-date" => "flag-implausible-date-do",
        "orphaned" => "flag-orphaned-do",
        _ => return None,
    })
}

/// `GET /admin/reconciliation`: the file, as the API answers it.
pub async fn file<P: Platform>(
    desk: &Desk<'_, P>,
) -> Result<http::Response<bytes::Bytes>, Problem> {
    let pairs = ["date", "from", "to", "format", "part", "cursor"].map(|name| {
        let value = desk.query.text(name)?;
        Some(format!("{name}={}", encode(&value)))
    });
    let pairs: Vec<_> = pairs.into_iter().flatten().collect();
    desk.call(Ask::get(format!("reconciliation?{}", pairs.join("&"))).file())
        .await
}

/// True if a path is that of a payment's evidence.
pub fn is_evidence(path: &str) -> bool {
    path.starts_with("payments/") && path.ends_with("/evidence")
}

/// `GET /admin/payments/{id}/evidence`: the file, as the API answers it.
pub async fn evidence<P: Platform>(
    desk: &Desk<'_, P>,
    path: &str,
) -> Result<http::Response<bytes::Bytes>, Problem> {
    desk.call(Ask::get(path)).await
}

/// `POST /admin/payments/{id}/reviews/{reason}`, and the same path for a refusal: closes a flag.
pub async fn close<P: Platform>(desk: &Desk<'_, P>, path: &str) -> Result<Answer, Problem> {
    let note = json!({"note": desk.form.text("note")});
    desk.call(Ask::new("POST", path).json(&note)).await?;
    Ok(Answer::see_other(&desk.link(desk.form.back())))
}

/// `GET /admin/refusals`: the refusals that need a person; with `cursor`, all refusals.
pub async fn refusals<P: Platform>(desk: &Desk<'_, P>) -> Result<Answer, Problem> {
    let cursor = desk.query.text("cursor");
    let (list, is_complete, has_more) = match &cursor {
        Some(cursor) => {
            let address = format!("refusals?limit=50&cursor={}", encode(cursor));
            (desk.document(Ask::get(address)).await?, true, false)
        }
        None => {
            let calls = calls(desk).await?;
            let open = Refusals {
                refusals: calls.open_refusals,
                next: None,
            };
            (open, calls.complete, calls.open_refusals_more)
        }
    };
    let all = "/admin/refusals?cursor=0";
    let can_be_closed = |refusal: &Refusal| !refusal.review.is_empty() && desk.may(&BOOKKEEPERS);
    let goes_on = (!is_complete).then(|| {
        let says = html! { (desk.t("refusals-incomplete")) };
        let has_form = list.refusals.iter().any(can_be_closed);
        desk.go_on("/admin/refusals", &says, has_form)
    });
    let title = desk.t("refusals");
    let content = html! {
        h1 { (title) }
        p { (desk.t("refusals-hint")) }
        p.actions {
            @if cursor.is_some() { a href=(desk.link("/admin/refusals")) { (desk.t("refusals-open")) } }
            @else { a href=(desk.link(all)) { (desk.t("refusals-all")) } }
        }
        @if let Some(goes_on) = &goes_on { (goes_on.note) }
        @if has_more { p.hint { (desk.t("refusals-more")) } }
        @if list.refusals.is_empty() { p { (desk.t("no-refusals")) } }
        @for refusal in &list.refusals {
            section.card {
                h2 { (desk.t("payment-number")) " " code { (refusal.payment_id.as_deref().unwrap_or("–")) } }
                p { (moment(desk, &refusal.received_at)) }
                @if let (Some(service), Some(key)) = (&refusal.service_id, &refusal.order_key) {
                    p { (desk.t("order-number")) ": " (key) " (" (service) ")" }
                }
                @let [what, deed] = meaning(&refusal.code);
                p { strong { (desk.t(what)) } }
                p { (desk.t(deed)) (look_up(desk, refusal)) }
                p.hint { code { (refusal.code) } " " span lang="en" { (refusal.reason) } }
                @if can_be_closed(refusal) {
                    (closing(desk, &format!("refusals/{}/reviews/refused", refusal.index), "/admin/refusals"))
                }
            }
        }
        @if let Some(next) = &list.next {
            p { a.button href=(desk.link(&format!("/admin/refusals?cursor={next}"))) { (desk.t("further")) } }
        }
    };
    let page = Page {
        reload: goes_on.and_then(|goes_on| goes_on.reload),
        ..Page::new(title, content)
    };
    Ok(desk.page(StatusCode::OK, &page))
}

/// The form that closes a flag.
pub fn closing<P: Platform>(desk: &Desk<'_, P>, path: &str, back: &str) -> maud::Markup {
    html! {
        form.inline method="post" action=(desk.link(&format!("/admin/{path}"))) {
            (desk.form_fields())
            input type="hidden" name="back" value=(back);
            label { span { (desk.t("note")) } input name="note" required maxlength="500"; }
            button type="submit" { (desk.t("close-flag")) }
        }
    }
}
