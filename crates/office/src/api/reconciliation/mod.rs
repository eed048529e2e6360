//! `GET /api/reconciliation`: what was paid to which account, for the books of a day.

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
    store::{JournalEntry, Platform, Span},
};
#[cfg(feature = "description")]
use serde_json::json;
use sums::{ByAccount, PLACES, Total};

/// How many lines one call gives at most, and how many payments it reads at once.
const MOST: usize = 5000;
const PAGE: usize = 200;

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Reconciliation {
    from: String,
    to: String,
    /// Whether nothing can be recorded in this span any more.
    closed: bool,
    /// Those of this part; none with `part=totals`.
    lines: Vec<PaidLine>,
    /// Those of the whole span, whatever part of its lines is here, as far as it is added up.
    totals: Vec<Total>,
    /// Whether they are those of all that was recorded in the span until now. Where they are not,
    /// the next call has more of them.
    totals_complete: bool,
    /// Entries among those that were read which this program cannot read: each may be of money, so
    /// the totals are not complete. `POST /api/repair` tells more.
    #[serde(skip_serializing_if = "is_none")]
    unreadable: usize,
    /// What `cursor` must be to go on; absent where all of it is here.
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
    /// How the payment came here.
    channel: Channel,
    /// The account when the payment was recorded; absent where none was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    review: Vec<&'static str>,
    /// Of what was entered by hand and is voided: a line with the amount negative, on the day on
    /// which it was voided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    void: bool,
    /// Of money that was given back: a line with the amount negative, on the day on which that was
    /// known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refund: bool,
}

fn is_none(count: &usize) -> bool {
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
        answer: |call, _, _| Box::pin(get(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "reconcile", "What was paid to which account")
            .describe("Each line of each payment recorded on a day or in a span, and totals by account and channel. What was voided or given back is a line of the day on which it was, with the amount negative.")
            .takes(["date", "from", "to", "cursor", "reconciliation_format", "part", "separator"])
            .answers(200, "The lines and totals, or one of them as a table. A call looks at a bounded part of the journal: the lines go on at `next`, and the totals with the next call while they are not complete.", json!({
                "application/json": {"schema": schemas.answer::<Reconciliation>()},
                "text/csv": {"schema": {"type": "string"}},
                (table::XLSX): {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .header(200, "Link", false, LINK)
        },
    }
}

/// Answers the lines of all payments recorded in a day or several, and their totals by account.
pub async fn get<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    let names = [
        "date",
        "from",
        "to",
        "cursor",
        "format",
        "part",
        "separator",
    ];
    let query = Query::read(call.query, &names)?;
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

/// What was paid on a day.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PaidOnDay {
    date: String,
    /// By currency; absent where it is not added up yet: ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Vec<DayTotal>>,
}

/// What was paid in a currency.
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
}

/// How many days are told.
const DAYS: i64 = 28;

/// `GET /api/reconciliation/days`.
pub const fn days_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "reconciliation/days",
        roles: &EVERYBODY,
        answer: |call, _, _| Box::pin(days(call)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "sumDays", "What was paid on each of the last 28 days")
                .describe("Days that are closed, up to yesterday, the latest last. A call adds up some days and keeps the sums; those that it leaves have no `totals`, and a later call has them.")
                .answers(200, "The days.", as_json(schemas.answer::<PaidByDay>()))
        },
    }
}

/// Answers what was paid on each of the last days.
pub async fn days<P: Platform>(call: &Call<'_, P>) -> Result<Response<Bytes>, Problem> {
    Query::read(call.query, &[])?;
    let today = time::date(call.store.now());
    let dates = (1..=DAYS).filter_map(|days| time::days_after(today, -days));
    let dates: Vec<_> = dates.collect();
    let sums = sums::of_days(call, &dates).await?;
    let mut days = Vec::with_capacity(dates.len());
    for (date, sum) in dates.into_iter().zip(sums) {
        // What may still change, or is not all of it, is not told.
        let totals = match sum.closed && sum.is_complete {
            true => Some(sum.totals.by_currency()?.totals().into_iter()),
            false => None,
        };
        let totals = totals.map(|totals| {
            totals.map(|total| DayTotal {
                currency: total.currency,
                amount: total.amount,
                lines: total.lines,
            })
        });
        days.push(PaidOnDay {
            date: date.to_string(),
            totals: totals.map(Iterator::collect),
        });
    }
    days.reverse();
    json(StatusCode::OK, &PaidByDay { days })
}

/// What is of money in the journal.
fn is_money(event: &Event) -> bool {
    matches!(
        event,
        Event::PaymentRecorded(_) | Event::PaymentVoided(_) | Event::PaymentRefunded(_)
    )
}

/// The totals of a span alone.
async fn add_up<P: Platform>(call: &Call<'_, P>, span: Span) -> Result<Reconciliation, Problem> {
    let sum = sums::of_span(call, span).await?;
    Ok(Reconciliation {
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: sum.closed,
        lines: Vec::new(),
        totals: sum.totals.totals(),
        totals_complete: sum.is_complete,
        unreadable: sum.unreadable,
        next: None,
    })
}

/// A part of the lines of a span, and its totals.
async fn reconcile<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
    after: u64,
) -> Result<Reconciliation, Problem> {
    let range = call.store.days().range(span).await?;
    let (mut lines, mut sums) = (Vec::new(), ByAccount::default());
    let (mut cursor, mut next, mut unreadable) = (after, None, 0);
    let first = after.max(range.after);
    loop {
        let journal = call.store.journal();
        let page = journal.read_in(&range, cursor, PAGE, is_money).await?;
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
            sums.add(line)?;
        }
        lines.append(&mut of_page);
        if page.complete {
            break;
        }
        let is_stuck = page.next <= cursor;
        cursor = page.next;
        if is_stuck || lines.len() >= MOST || cursor.saturating_sub(first) >= PLACES {
            next = Some(cursor);
            break;
        }
    }
    let of_lines = Reconciliation {
        lines,
        totals: Vec::new(),
        totals_complete: true,
        unreadable,
        next: next_if_any(call, next).await?,
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: range.closed,
    };
    if after == 0 && next.is_none() && unreadable == 0 {
        let totals = sums.totals();
        return Ok(Reconciliation { totals, ..of_lines });
    }
    let whole = add_up(call, span).await?;
    Ok(Reconciliation {
        totals: whole.totals,
        totals_complete: whole.totals_complete,
        unreadable: unreadable.max(whole.unreadable),
        ..of_lines
    })
}

/// The lines of a payment. One that was voided since stays on its day, which does not change.
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

/// The lines of money that was given back.
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

/// The lines of a void.
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
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{super::testing::Api, *};
    use jiff::SignedDuration;

    use crate::{
        domain::Money,
        store::{
            Evidence, Ledger, StoredOrder,
            memory::Memory,
            testing::{record, register, secret},
        },
    };

    /// Records a payment of lines, each with an amount and an account.
    async fn pay(memory: &Memory, id: &str, currency: &str, lines: &[(&str, Option<&str>)]) {
        let amounts = lines
            .iter()
            .map(|(amount, _)| Money::parse(amount).unwrap());
        let payment: PaymentJson = serde_json::from_value(json!({
            "payment_id": id, "service_id": "TAX", "order_key": "1", "invoice_id": "I",
            "amount": amounts.sum::<Money>().to_string(), "currency": currency,
            "paid_at": "2026-05-01T12:00:00+03:00", "received_at": "2026-06-01T12:00:00+03:00",
            "lines": lines.iter().enumerate().map(|(position, (amount, account))| json!({
                "line_id": (position + 1).to_string(), "amount": amount, "bank_account": account
            })).collect::<Vec<_>>(),
            "evidence": id,
        }))
        .unwrap();
        let evidence = Evidence::new(&secret(), b"", id, b"", "accepted");
        let confirmation = payment.to_confirmation().unwrap();
        let store = Ledger::new(memory.clone());
        let recorded = store
            .payments()
            .record(
                &confirmation,
                &payment,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await;
        recorded.unwrap();
    }

    async fn paid() -> Api {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        let (a, b) = (
            Some("MD80EX0900002374642125MD"),
            Some("MD21EX000000000001234567"),
        );
        pay(&api.memory, "P", "MDL", &[("1", a), ("2.50", b), ("4", a)]).await;
        pay(&api.memory, "Q", "EUR", &[("8", a)]).await;
        // One whose account nobody knew.
        pay(&api.memory, "R", "MDL", &[("16", None)]).await;
        api
    }

    #[tokio::test(start_paused = true)]
    async fn totals_are_by_account_and_currency() {
        let api = paid().await;
        let day = api.get("reconciliation?date=2026-06-01").await.json();
        let (a, b) = ("MD80EX0900002374642125MD", "MD21EX000000000001234567");
        let of = |account: &str, currency: &str, amount: &str, lines: u32| json!({"bank_account": account, "currency": currency, "channel": "mpay", "amount": amount, "lines": lines});
        let totals = [
            json!({"currency": "MDL", "channel": "mpay", "amount": "16.00", "lines": 1}),
            of(b, "MDL", "2.50", 1),
            of(a, "EUR", "8.00", 1),
            of(a, "MDL", "5.00", 2),
        ];
        assert_eq!(day["totals"], json!(totals));
        assert_eq!(day["lines"][1]["index"], 2);
        assert_eq!(day["lines"][1]["invoice_id"], "I");
        assert_eq!(day["lines"][1]["recorded_at"], "2026-06-01T12:00:00+03:00");
        assert_eq!(day["lines"][1]["line_id"], "2");
        assert_eq!(
            (&day["from"], &day["to"]),
            (
                &json!("2026-06-01T00:00:00+03:00"),
                &json!("2026-06-02T00:00:00+03:00")
            )
        );

        let table = api.get("reconciliation?date=2026-06-01&format=csv").await;
        assert_eq!(
            table.header("content-disposition"),
            "attachment; filename=\"payments-2026-06-01-not-closed.csv\""
        );
        assert_eq!(
            table.lines()[..3],
            [
                "index,recorded_at,paid_at,service_id,order_key,payment_id,invoice_id,line_id,amount,currency,bank_account,review,channel,kind",
                &format!(
                    "2,2026-06-01T12:00:00+03:00,2026-05-01T12:00:00+03:00,TAX,1,P,I,1,1,MDL,{a},under-paid amended,mpay,payment"
                ),
                &format!(
                    "2,2026-06-01T12:00:00+03:00,2026-05-01T12:00:00+03:00,TAX,1,P,I,2,2.50,MDL,{b},under-paid amended,mpay,payment"
                ),
            ]
        );
        let table = api.get("reconciliation?from=2026-06-01&to=2026-06-02&format=csv&part=totals&separator=semicolon").await;
        assert_eq!(
            table.header("content-disposition"),
            "attachment; filename=\"payments-2026-06-01-2026-06-02-totals-not-closed.csv\""
        );
        assert_eq!(
            table.lines()[..3],
            [
                "bank_account;currency;channel;amount;lines",
                ";MDL;mpay;16,00;1",
                &format!("{b};MDL;mpay;2,50;1")
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_is_closed_once_it_is_over() {
        let api = paid().await;
        let closed =
            async || api.get("reconciliation?date=2026-06-01").await.json()["closed"].clone();
        // It is noon.
        tokio::time::sleep(Duration::from_secs(12 * 3600 - 1)).await;
        assert_eq!(closed().await, false);
        tokio::time::sleep(Duration::from_secs(2)).await;
        record(&api.memory, "S", "1", "1").await.unwrap();
        assert_eq!(closed().await, true);
        for (query, name) in [
            ("date=2026-06-01", "payments-2026-06-01"),
            ("date=2026-06-01&part=totals", "payments-2026-06-01-totals"),
            (
                "from=2026-05-31&to=2026-06-01",
                "payments-2026-05-31-2026-06-01",
            ),
        ] {
            let table = api.get(&format!("reconciliation?format=csv&{query}")).await;
            let name = format!("attachment; filename=\"{name}.csv\"");
            assert_eq!(table.header("content-disposition"), name);
        }
        let table = api.get("reconciliation?date=2026-06-01&format=csv").await;
        assert!(!table.text.contains(",S,"), "it is of the next day");
        let part = api
            .get("reconciliation?date=2026-06-01&cursor=1")
            .await
            .json();
        assert_eq!(part["closed"], true);
        // Whatever part of the lines it is, the totals are those of the day.
        assert_eq!(part["totals_complete"], true);
        let of_day = api.get("reconciliation?date=2026-06-01").await.json();
        assert_eq!(part["totals"], of_day["totals"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_more_than_one_answer_holds_goes_on_at_its_link() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        let lines = vec![("1", Some("MD80EX0900002374642125MD")); 13];
        for id in 0..401 {
            pay(&api.memory, &id.to_string(), "MDL", &lines).await;
        }
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        let first = api.get("reconciliation?date=2026-06-01").await.json();
        let count = |answer: &Value| answer["lines"].as_array().unwrap().len();
        // Two pages of 200 payments, and then it is enough.
        assert_eq!((count(&first), &first["closed"]), (400 * 13, &json!(true)));
        // The totals are those of the day.
        assert_eq!(first["totals_complete"], true);
        assert_eq!(first["totals"][0]["amount"], "5213.00");
        let table = api
            .get("reconciliation?date=2026-06-01&format=csv&cursor=0")
            .await;
        let next = format!(
            "/api/reconciliation?date=2026-06-01&format=csv&cursor={}",
            first["next"].as_str().unwrap()
        );
        assert_eq!(table.header("link"), format!("<{next}>; rel=\"next\""));
        assert!(table.header("content-disposition").contains("-part"));
        let rest = api
            .get(&format!(
                "reconciliation?date=2026-06-01&cursor={}",
                first["next"].as_str().unwrap()
            ))
            .await
            .json();
        assert_eq!((count(&rest), rest.get("next")), (13, None));
        assert_eq!(rest["lines"][0]["payment_id"], "400");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_for_no_day_is_refused() {
        let api = Api::new();
        for query in [
            "",
            "from=2026-06-01",
            "to=2026-06-01",
            "date=2026-06-01&from=2026-06-01",
            "date=2026-06-01&from=2026-06-01&to=2026-06-01",
            "date=june",
            "date=2026-06-01&part=x",
            "date=2026-06-01&format=xml",
            "date=2026-06-01&separator=x",
            "date=2026-06-01&cursor=x",
        ] {
            assert_eq!(
                api.get(&format!("reconciliation?{query}")).await.status,
                400,
                "{query}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_days_are_added_up_once_they_are_closed_and_then_no_more() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        let account = Some("MD80EX0900002374642125MD");
        pay(
            &api.memory,
            "P",
            "MDL",
            &[("10.00", account), ("5.50", None)],
        )
        .await;
        pay(&api.memory, "Q", "EUR", &[("7.00", None)]).await;
        let days = async || {
            let answer = api.get("reconciliation/days").await.json();
            answer["days"].as_array().unwrap().clone()
        };
        assert!(days().await.iter().all(|day| day["date"] != "2026-06-01"));
        tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
        let told = days().await;
        assert_eq!(told.len(), 28);
        let day = told.iter().find(|day| day["date"] == "2026-06-01").unwrap();
        let totals = json!([
            {"currency": "EUR", "amount": "7.00", "lines": 1},
            {"currency": "MDL", "amount": "15.50", "lines": 2}
        ]);
        assert_eq!(day["totals"], totals);
        assert_eq!(
            told.last().unwrap(),
            &json!({"date": "2026-06-02", "totals": []})
        );
        // What is kept is not read again.
        let note = "note/paid-on-2026-06-01";
        let kept = String::from_utf8(api.memory.value(note).unwrap()).unwrap();
        let changed = kept.replace("\"10.00\"", "\"90.00\"");
        assert_ne!(changed, kept);
        api.memory.overwrite(note, changed.into_bytes());
        let told = days().await;
        let day = told.iter().find(|day| day["date"] == "2026-06-01").unwrap();
        assert_eq!(day["totals"][1]["amount"], "95.50");
        assert_eq!(api.get("reconciliation/days?x=1").await.status, 400);
    }

    /// Puts so many registrations into the journal.
    async fn register_many(memory: &Memory, count: u64) {
        use mpay_ledger::Platform as _;
        let last = memory.increment("journal", count).await.unwrap();
        let at = memory.now();
        for place in last - count + 1..=last {
            let event = json!({
                "type": "order.registered", "service_id": "TAX", "order_key": place.to_string(),
                "version": 1, "currency": "MDL"
            });
            let entry = json!({"v": 1, "at": at.to_string(), "entry": event});
            // As it is written, the type comes first.
            memory.overwrite(&format!("journal/{place}"), entry.to_string().into_bytes());
        }
    }

    const TOTALS: &str = "reconciliation?date=2026-06-01&part=totals";

    #[tokio::test(start_paused = true)]
    async fn a_large_day_is_added_up_by_several_calls_and_then_costs_what_a_small_one_does() {
        let mut costs = Vec::new();
        for (size, calls) in [(1000, 1), (40_000, 3)] {
            let api = Api::new();
            register(&api.memory, "1", "100").await.unwrap();
            pay(&api.memory, "P", "MDL", &[("10.00", None)]).await;
            register_many(&api.memory, size).await;
            pay(&api.memory, "Q", "MDL", &[("5.00", None)]).await;
            api.memory.take_calls();
            for call in 1..=calls {
                let day = api.get(TOTALS).await.json();
                let is_last = call == calls;
                assert_eq!(day["totals_complete"], is_last, "{size}, {call}");
                let amount = if is_last { "15.00" } else { "10.00" };
                assert_eq!(day["totals"][0]["amount"], amount, "{size}, {call}");
                assert_eq!((&day["lines"], day.get("next")), (&json!([]), None));
                // 64 blocks, and what finds the day.
                let asked = api.memory.take_calls().len();
                assert!(asked < 64 * 4 + 20, "{size}, {call}: {asked}");
            }
            // Its lines go on, and their totals are those of the day all the same.
            let first = api.get("reconciliation?date=2026-06-01").await.json();
            assert_eq!(first["totals"][0]["amount"], "15.00", "{size}");
            assert_eq!(first["totals_complete"], true, "{size}");
            let mut next = first["next"].as_str().map(str::to_owned);
            let mut lines = first["lines"].as_array().unwrap().len();
            while let Some(cursor) = next {
                let address = format!("reconciliation?date=2026-06-01&cursor={cursor}");
                let part = api.get(&address).await.json();
                lines += part["lines"].as_array().unwrap().len();
                next = part["next"].as_str().map(str::to_owned);
            }
            assert_eq!(lines, 2, "{size}");
            api.memory.take_calls();
            pay(&api.memory, "R", "MDL", &[("1.00", None)]).await;
            api.memory.take_calls();
            let day = api.get(TOTALS).await.json();
            assert_eq!(day["totals"][0]["amount"], "16.00", "{size}");
            costs.push(api.memory.take_calls().len());
        }
        assert_eq!(costs[0], costs[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn several_days_that_are_too_large_together_are_added_up_each_for_itself() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        for day in 0..3 {
            register_many(&api.memory, 9000).await;
            pay(&api.memory, &format!("P-{day}"), "MDL", &[("10.00", None)]).await;
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        }
        let span = "reconciliation?from=2026-06-01&to=2026-06-03";
        let mut seen = Vec::new();
        for _ in 0..4 {
            let answer = api.get(span).await.json();
            let amount = answer["totals"][0]["amount"].as_str().unwrap().to_owned();
            seen.push((amount, answer["totals_complete"].as_bool().unwrap()));
        }
        let whole = ("30.00".to_owned(), true);
        let (first, last) = (seen.first().unwrap(), seen.last().unwrap());
        assert!(!first.1 && first.0 != "30.00", "{seen:?}");
        assert_eq!(*last, whole, "{seen:?}");
        // One that is not of whole days is not kept, and never passes for whole.
        let odd = "reconciliation?from=2026-06-01T00:00:01%2B03:00&to=2026-06-03";
        for _ in 0..2 {
            assert_eq!(api.get(odd).await.json()["totals_complete"], false);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_may_be_money_and_is_not_passed_by() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        for id in ["P", "Q", "R"] {
            pay(&api.memory, id, "MDL", &[("10.00", None)]).await;
        }
        let entry = api.memory.value("journal/3").unwrap();
        for damage in [
            &b"{"[..],
            br#"{"v":9,"at":"2026-06-01T09:00:00Z","entry":{}}"#,
        ] {
            api.memory.overwrite("journal/3", damage.to_vec());
            for address in [TOTALS, "reconciliation?date=2026-06-01"] {
                let day = api.get(address).await.json();
                assert_eq!(day["totals_complete"], false, "{address}");
                assert_eq!(day["unreadable"], 1, "{address}");
                assert_eq!(day["totals"][0]["amount"], "20.00", "{address}");
            }
        }
        api.memory.overwrite("journal/3", entry);
        let day = api.get(TOTALS).await.json();
        assert_eq!(day["totals"][0]["amount"], "30.00");
        assert_eq!(
            (&day["totals_complete"], day.get("unreadable")),
            (&json!(true), None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_store_had_lost_is_added_up_once_it_is_mended() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        for id in ["P", "Q", "R"] {
            pay(&api.memory, id, "MDL", &[("10.00", None)]).await;
        }
        api.memory.remove("journal/3");
        // In the end whoever reads takes its place for one that nobody has filled.
        let mut before = api.get(TOTALS).await.json();
        for _ in 0..9 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            before = api.get(TOTALS).await.json();
        }
        assert_eq!(before["totals"][0]["amount"], "20.00");
        let repaired = api.call("POST", "repair", "", "").await.json();
        assert_eq!(repaired["repaired"], json!(["Q"]));
        let after = api.get(TOTALS).await.json();
        assert_eq!(after["totals"][0]["amount"], "30.00");
        assert_eq!(after["totals_complete"], true);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sums_of_a_day_are_those_of_its_lines_whatever_clocks_said() {
        for ahead in [&[1][..], &[1, 3, 5], &[6], &[0, 2], &[]] {
            let api = Api::new();
            register(&api.memory, "1", "100").await.unwrap();
            let hours = SignedDuration::from_hours(13);
            for (n, id) in ["A", "B", "C", "D", "E", "F", "G"].into_iter().enumerate() {
                // Some hosts believe that it is tomorrow, and pay, or only register something.
                if ahead.is_empty() && n == 3 {
                    api.memory.step_clock(hours);
                    register(&api.memory, "2", "100").await.unwrap();
                    api.memory.step_clock(-hours);
                }
                let is_ahead = ahead.contains(&n);
                if is_ahead {
                    api.memory.step_clock(hours);
                }
                pay(&api.memory, id, "MDL", &[(&format!("{}", 1 << n), None)]).await;
                if is_ahead {
                    api.memory.step_clock(-hours);
                }
                api.get(TOTALS).await;
            }
            tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
            let mut all = Vec::new();
            for date in ["2026-06-01", "2026-06-02"] {
                let lines = api.get(&format!("reconciliation?date={date}")).await.json();
                let amounts = lines["lines"].as_array().unwrap().iter();
                let amounts: Vec<_> = amounts
                    .map(|line| Money::parse(line["amount"].as_str().unwrap()).unwrap())
                    .collect();
                let sums = api
                    .get(&format!("reconciliation?date={date}&part=totals"))
                    .await
                    .json();
                assert_eq!(
                    (&sums["closed"], &sums["totals_complete"]),
                    (&json!(true), &json!(true))
                );
                let total = amounts.iter().copied().sum::<Money>().to_string();
                if !amounts.is_empty() {
                    assert_eq!(sums["totals"][0]["amount"], total, "{date}");
                }
                all.extend(amounts);
            }
            assert_eq!(all.into_iter().sum::<Money>().to_string(), "127.00");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_adds_up_so_much_and_the_next_goes_on() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        for day in 0..3 {
            register_many(&api.memory, 9000).await;
            pay(&api.memory, &format!("P-{day}"), "MDL", &[("1.00", None)]).await;
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        }
        let told = async || {
            let answer = api.get("reconciliation/days").await.json();
            let days = answer["days"].as_array().unwrap().clone();
            days.iter().filter(|day| day["totals"].is_array()).count()
        };
        // The latest first: the second call has the rest of the second day, the third, and those
        // before, on which there was nothing.
        assert_eq!(told().await, 1);
        assert_eq!(told().await, 28);
    }
}
