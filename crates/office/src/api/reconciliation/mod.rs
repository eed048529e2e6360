//! `GET /api/reconciliation`: the payments of a day by account, for bookkeeping.

mod sums;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use jiff::Timestamp;
use serde::Serialize;

use tables::{Sheet, Value};

#[cfg(feature = "description")]
use super::description::{FILE, LINK, Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    export::link,
    json,
    query::{Query, cursor, next_if_any, span},
    table,
};
use crate::{
    access::EVERYBODY,
    domain::{Review, time},
    json::{Channel, Event, PaymentJson, RefundJson, VoidJson},
    store::{JournalEntry, Places, Platform, Span},
};
#[cfg(feature = "description")]
use serde_json::json;
use sums::{Added, OfService, Total};

/// Payments that are read at once.
const PAGE: usize = 200;

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Reconciliation {
    from: String,
    to: String,
    /// True if nothing can be recorded in this span any more.
    closed: bool,
    /// The lines on this page; empty with `part=totals`.
    lines: Vec<PaidLine>,
    /// Totals of the whole span, not only of the lines on this page, as far as they are added up.
    totals: Vec<Total>,
    /// The same totals by service, over all accounts and channels.
    services: Vec<OfService>,
    /// True if the totals cover everything that was recorded in the span until now.
    totals_complete: bool,
    /// True if another call adds up more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    totals_more: bool,
    /// Number of entries that this program cannot read. Each may concern money, so the totals are not complete.
    /// `POST /api/repair` gives details.
    #[serde(skip_serializing_if = "is_none")]
    unreadable: usize,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A line of a payment.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaidLine {
    index: u64,
    recorded_at: String,
    paid_at: String,
    service_id: String,
    order_key: String,
    payment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
    line_id: String,
    amount: String,
    currency: String,
    /// The channel by which the payment came.
    channel: Channel,
    /// The account at the time of recording; absent if it was not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    review: Vec<&'static str>,
    /// True for the void of a payment that was entered by hand: a line with a negative amount, on the day of
    /// the void.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    void: bool,
    /// True for a refund: a line with a negative amount, on the day on which the refund became known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refund: bool,
}

pub(super) fn is_none(count: &usize) -> bool {
    *count == 0
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Xlsx,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Lines,
    Totals,
}

/// `GET /api/reconciliation`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "reconciliation",
        roles: &EVERYBODY,
        parameters: &[
            "date",
            "from",
            "to",
            "cursor",
            "format",
            "part",
            "separator",
        ],
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "reconcile", "The payments of a day or a span, by account")
            .describe("Each line of each payment recorded on a day or in a span, with totals by account and channel, and by service. A void or a refund is a line with a negative amount, on its own day.")
            .takes(["date", "from", "to", "cursor", "reconciliation_format", "part", "separator"])
            .answers(200, "The lines and totals, or one of them as a table. A call looks at a limited part of the journal. Pass `next` as `cursor` for further lines. While the totals are not complete, the next call adds up more.", json!({
                "application/json": {"schema": schemas.answer::<Reconciliation>()},
                "text/csv": {"schema": {"type": "string"}},
                (table::XLSX): {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .header(200, "Link", false, LINK)
        },
    }
}

/// Answers the lines of all payments recorded on one day or several, and their totals by account.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let formats = [
        ("json", Format::Json),
        ("csv", Format::Csv),
        ("xlsx", Format::Xlsx),
    ];
    let format = query.word("format", &formats)?.unwrap_or(Format::Json);
    let parts = [("lines", Part::Lines), ("totals", Part::Totals)];
    let part = query.word("part", &parts)?.unwrap_or(Part::Lines);
    let separator = table::separator(&query)?;
    let after = cursor(call, &query).await?;
    let after = after.map_or(0, |after| after.place);
    let (first, last) = match (query.get("date"), query.get("from"), query.get("to")) {
        (Some(_), None, None) => ("date", "date"),
        (None, Some(_), Some(_)) => ("from", "to"),
        _ => {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "Give date, a day such as 2026-11-30, or from and to, of which the last is included.",
            ));
        }
    };
    if query.get("date").is_some_and(|date| date.contains('T')) {
        return Err(Problem::field("date", "must be a day, such as 2026-11-30"));
    }
    let span = span(&query, first, last)?;
    let reconciliation = match part {
        Part::Lines => reconcile(call, span, after).await?,
        Part::Totals => add_up(call, span).await?,
    };
    let format = match format {
        Format::Json => return json(StatusCode::OK, &reconciliation),
        Format::Csv => tables::Format::Csv(separator),
        Format::Xlsx => tables::Format::Xlsx,
    };
    let day = |name| {
        query
            .get(name)
            .unwrap_or_default()
            .get(..10)
            .unwrap_or_default()
    };
    let mut name = format!("payments-{}", day(first));
    if day(first) != day(last) {
        name = format!("{name}-{}", day(last));
    }
    if part == Part::Totals {
        name.push_str("-totals");
    }
    if !reconciliation.closed {
        name.push_str("-not-closed");
    }
    let is_part = match part {
        Part::Lines => after > 0 || reconciliation.next.is_some(),
        Part::Totals => !reconciliation.totals_complete,
    };
    if is_part {
        name.push_str("-part");
    }
    let next = reconciliation.next;
    let sheet = match part {
        Part::Lines => lines(format, reconciliation.lines),
        Part::Totals => totals(format, reconciliation.totals),
    };
    let mut response = table::into_response(sheet, format, &name)?;
    if let Some(next) = next {
        let link = link("/api/reconciliation", call.query, &next)?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// The totals of a day.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaidOnDay {
    date: String,
    /// The totals by currency; absent if they are not added up yet: call again.
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Vec<DayTotal>>,
}

/// The total of a day in a currency.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct DayTotal {
    currency: String,
    amount: String,
    lines: usize,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaidByDay {
    days: Vec<PaidOnDay>,
    /// True if another call adds up more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

/// Number of days in the answer.
const DAYS: i64 = 28;

/// `GET /api/reconciliation/days`.
pub const fn days_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "reconciliation/days",
        roles: &EVERYBODY,
        parameters: &[],
        answer: |call, _, _| Box::pin(days(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "sumDays", "The totals of each of the last 28 days")
                .describe("The closed days up to yesterday, the latest last. A call adds up some days, and stores their totals. The other days have no `totals` yet; a later call has them.")
                .answers(200, "The days.", as_json(schemas.answer::<PaidByDay>()))
        },
    }
}

/// Answers the totals of each of the last [`DAYS`] days.
pub async fn days<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let today = time::date(call.store.now());
    let dates = (1..=DAYS).filter_map(|days| time::days_after(today, -days));
    let dates: Vec<_> = dates.collect();
    let places = Places::new(call.effort.places);
    let sums = sums::of_days(call, &dates, &places).await?;
    let mut days = Vec::with_capacity(dates.len());
    let mut more = false;
    for (date, sum) in dates.into_iter().zip(sums) {
        // Entries that cannot be read keep a day's totals out, however often the call is repeated.
        more |= sum.unreadable == 0 && !(sum.closed && sum.is_complete);
        // Totals that may still change, or that are not complete, are left out.
        let totals = match sum.closed && sum.is_complete {
            true => Some(sum.added.by_currency()?.into_iter()),
            false => None,
        };
        let totals = totals.map(|totals| {
            totals.map(|(currency, amount, lines)| DayTotal {
                currency,
                amount,
                lines,
            })
        });
        days.push(PaidOnDay {
            date: date.to_string(),
            totals: totals.map(Iterator::collect),
        });
    }
    days.reverse();
    let more = more && places.left() == 0;
    json(StatusCode::OK, &PaidByDay { days, more })
}

/// True if an event concerns money.
fn is_money(event: &Event) -> bool {
    matches!(
        event,
        Event::PaymentRecorded(_) | Event::PaymentVoided(_) | Event::PaymentRefunded(_)
    )
}

/// The totals of a span, without its lines.
async fn add_up<P: Platform>(call: &Call<'_, P>, span: Span) -> Result<Reconciliation, Problem> {
    let sum = sums::of_span(call, span).await?;
    Ok(Reconciliation {
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: sum.closed,
        lines: Vec::new(),
        totals: sum.added.totals(),
        services: sum.added.services(),
        totals_complete: sum.is_complete,
        totals_more: sum.more,
        unreadable: sum.unreadable,
        next: None,
    })
}

/// A page of the lines of a span, with the totals of the span.
async fn reconcile<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
    after: u64,
) -> Result<Reconciliation, Problem> {
    let places = Places::new(call.effort.places);
    let range = call.store.days().range_within(span, &places).await?;
    let at_once = PAGE.min(call.effort.lines);
    let (mut lines, mut added) = (Vec::new(), Added::default());
    let (mut cursor, mut next, mut unreadable) = (after, None, 0);
    loop {
        let journal = call.store.journal();
        let page = journal
            .read_within(&range, cursor, at_once, &places, is_money)
            .await?;
        if page.is_beyond_end {
            return Err(Problem::cursor_gone());
        }
        unreadable += page.unreadable.len();
        let mut of_page = Vec::new();
        for entry in &page.entries {
            match &entry.event {
                Event::PaymentVoided(void) => of_page.extend(taken_back(entry, void)),
                Event::PaymentRefunded(refund) => of_page.extend(given_back(entry, refund)),
                _ => {}
            }
        }
        for stored in call.store.payments().of(page.entries).await? {
            let (index, at, reviews) = (stored.index, stored.recorded_at, &stored.state.review);
            of_page.extend(paid(index, at, &stored.payment, reviews));
        }
        of_page.sort_by_key(|line| line.index);
        for line in &of_page {
            added.add(line)?;
        }
        lines.append(&mut of_page);
        if page.complete {
            break;
        }
        let is_stuck = page.next <= cursor;
        cursor = page.next;
        if is_stuck || lines.len() >= call.effort.lines || places.left() == 0 {
            next = Some(cursor);
            break;
        }
    }
    let of_lines = Reconciliation {
        lines,
        totals: Vec::new(),
        services: Vec::new(),
        totals_complete: true,
        totals_more: false,
        unreadable,
        next: next_if_any(call, next).await?,
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: range.closed,
    };
    if after == 0 && next.is_none() && unreadable == 0 {
        return Ok(Reconciliation {
            totals: added.totals(),
            services: added.services(),
            ..of_lines
        });
    }
    let whole = add_up(call, span).await?;
    Ok(Reconciliation {
        totals: whole.totals,
        services: whole.services,
        totals_complete: whole.totals_complete,
        totals_more: whole.totals_more,
        unreadable: unreadable.max(whole.unreadable),
        ..of_lines
    })
}

/// The lines of a payment. A payment that was voided later stays on its day, which does not change.
fn paid(index: u64, at: Timestamp, payment: &PaymentJson, reviews: &[Review]) -> Vec<PaidLine> {
    let lines = payment.lines.iter();
    let lines = lines.map(|line| PaidLine {
        index,
        recorded_at: time::format(at),
        paid_at: payment.paid_at.clone(),
        service_id: payment.service_id.clone(),
        order_key: payment.order_key.clone(),
        payment_id: payment.payment_id.clone(),
        invoice_id: payment.invoice_id.clone(),
        line_id: line.line_id.clone(),
        amount: line.amount.clone(),
        currency: payment.currency.clone(),
        channel: payment.channel(),
        bank_account: line.bank_account.clone(),
        review: reviews.iter().map(|review| review.as_str()).collect(),
        void: false,
        refund: false,
    });
    lines.collect()
}

/// The lines of a refund, with negative amounts.
fn given_back(entry: &JournalEntry, refund: &RefundJson) -> Vec<PaidLine> {
    let at = time::format(entry.at);
    let lines = refund.lines.iter();
    let lines = lines.map(|line| PaidLine {
        index: entry.index,
        recorded_at: at.clone(),
        paid_at: at.clone(),
        service_id: refund.service_id.clone(),
        order_key: refund.order_key.clone(),
        payment_id: refund.payment_id.clone(),
        invoice_id: None,
        line_id: line.line_id.clone(),
        amount: format!("-{}", line.amount),
        currency: refund.currency.clone(),
        channel: Channel::Card,
        bank_account: line.bank_account.clone(),
        review: Vec::new(),
        void: false,
        refund: true,
    });
    lines.collect()
}

/// The lines of a void, with negative amounts.
fn taken_back(entry: &JournalEntry, void: &VoidJson) -> Vec<PaidLine> {
    let lines = void.lines.iter();
    let lines = lines.map(|line| PaidLine {
        index: entry.index,
        recorded_at: time::format(entry.at),
        paid_at: void.paid_at.clone(),
        service_id: void.service_id.clone(),
        order_key: void.order_key.clone(),
        payment_id: void.payment_id.clone(),
        invoice_id: void.invoice_id.clone(),
        line_id: line.line_id.clone(),
        amount: format!("-{}", line.amount),
        currency: void.currency.clone(),
        channel: Channel::Manual,
        bank_account: line.bank_account.clone(),
        review: Vec::new(),
        void: true,
        refund: false,
    });
    lines.collect()
}

fn lines(format: tables::Format, lines: Vec<PaidLine>) -> Sheet {
    let columns = [
        ("index", Value::Number),
        ("recorded_at", Value::Time),
        ("paid_at", Value::Time),
        ("service_id", Value::Text),
        ("order_key", Value::Text),
        ("payment_id", Value::Text),
        ("invoice_id", Value::Text),
        ("line_id", Value::Text),
        ("amount", Value::Amount),
        ("currency", Value::Text),
        ("bank_account", Value::Text),
        ("review", Value::Text),
        ("channel", Value::Text),
        ("kind", Value::Text),
    ];
    let mut sheet = Sheet::new(format, &columns);
    for line in lines {
        let kind = match (line.void, line.refund) {
            (true, _) => "void",
            (_, true) => "refund",
            _ => "payment",
        };
        sheet.row(&[
            line.index.to_string(),
            line.recorded_at,
            line.paid_at,
            line.service_id,
            line.order_key,
            line.payment_id,
            line.invoice_id.unwrap_or_default(),
            line.line_id,
            line.amount,
            line.currency,
            line.bank_account.unwrap_or_default(),
            line.review.join(" "),
            line.channel.as_str().to_owned(),
            kind.to_owned(),
        ]);
    }
    sheet
}

fn totals(format: tables::Format, totals: Vec<Total>) -> Sheet {
    let columns = [
        ("bank_account", Value::Text),
        ("currency", Value::Text),
        ("channel", Value::Text),
        ("amount", Value::Amount),
        ("lines", Value::Number),
    ];
    let mut sheet = Sheet::new(format, &columns);
    for total in totals {
        sheet.row(&[
            total.bank_account.unwrap_or_default(),
            total.currency,
            total.channel.as_str().to_owned(),
            total.amount,
            total.lines.to_string(),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests;
