//! `GET /api/reconciliation`: what was paid to which account, for the books of a day.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use tables::{Sheet, Value};

#[cfg(feature = "description")]
use super::description::{FILE, LINK, Operation, as_json};
use super::{
    Call, Problem,
    endpoint::Endpoint,
    export::link,
    json, payments,
    query::{Query, cursor, next_if_any, span},
    table,
};
use crate::{
    access::EVERYBODY,
    domain::{Money, time},
    json::{Channel, Event, RefundJson, VoidJson},
    store::{JournalEntry, Platform, Span, StoredPayment},
};
#[cfg(feature = "description")]
use serde_json::json;

/// How many payments one call gives at most, and how many it reads at once.
const MOST: usize = 5000;
const PAGE: usize = 200;
/// How many lines one call adds up, where it gives not all of them.
const MOST_COUNTED: usize = 20_000;

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Reconciliation {
    from: String,
    to: String,
    /// Whether nothing can be recorded in this span any more.
    closed: bool,
    lines: Vec<PaidLine>,
    totals: Vec<Total>,
    /// Whether they are those of the whole span, also where `next` says that there are more lines.
    totals_complete: bool,
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
    /// Absent of a refund, which is of no line.
    #[serde(skip_serializing_if = "Option::is_none")]
    line_id: Option<String>,
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

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Total {
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    currency: String,
    /// How the payments came here.
    channel: Channel,
    amount: String,
    lines: usize,
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
            .answers(200, "The lines and totals, or one of them as a table.", json!({
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
    let reconciliation = reconcile(call, span(&query, first, last)?, after).await?;
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
#[derive(Clone, Serialize, Deserialize)]
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

/// How many days are told, and how many lines one call adds up before it leaves the rest to the next.
const DAYS: i64 = 28;
const MOST_ADDED: usize = 1000;
/// The note of sums of days that are closed, which are added up once.
const BY_DAY: &str = "paid-by-day";

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
    let noted = call.store.notes().get(BY_DAY).await?;
    let noted: BTreeMap<String, Vec<DayTotal>> = noted.unwrap_or_default();
    let (mut kept, mut days) = (BTreeMap::new(), Vec::new());
    let (mut added, mut is_new) = (0, false);
    for date in dates {
        let date = date.to_string();
        let mut totals = noted.get(&date).cloned();
        if totals.is_none() && added < MOST_ADDED {
            let span = Span {
                from: time::parse_start(&date).ok(),
                to: time::parse_end(&date).ok(),
            };
            let day = reconcile(call, span, 0).await?;
            added += day.totals.iter().map(|total| total.lines).sum::<usize>();
            // One that may still change, or is too large, is not told.
            if day.closed && day.totals_complete {
                totals = Some(of_day(&day.totals)?);
                is_new = true;
            }
        }
        if let Some(totals) = &totals {
            kept.insert(date.clone(), totals.clone());
        }
        days.push(PaidOnDay { date, totals });
    }
    if is_new {
        call.store.notes().set(BY_DAY, &kept).await?;
    }
    days.reverse();
    json(StatusCode::OK, &PaidByDay { days })
}

/// The totals of a day by currency.
fn of_day(totals: &[Total]) -> Result<Vec<DayTotal>, Problem> {
    let mut sums = ByAccount::default();
    for total in totals {
        // Whatever came by which channel.
        let key = (None, total.currency.clone(), Channel::default());
        sums.put(key, &total.amount, total.lines)?;
    }
    let totals = sums.totals().into_iter();
    Ok(totals
        .map(|total| DayTotal {
            currency: total.currency,
            amount: total.amount,
            lines: total.lines,
        })
        .collect())
}

async fn reconcile<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
    after: u64,
) -> Result<Reconciliation, Problem> {
    let range = call.store.days().range(span).await?;
    let wanted = |event: &Event| {
        matches!(
            event,
            Event::PaymentRecorded(_) | Event::PaymentVoided(_) | Event::PaymentRefunded(_)
        )
    };
    let (mut lines, mut sums) = (Vec::new(), ByAccount::default());
    let (mut cursor, mut next, mut counted, mut whole) = (after, None, 0, after == 0);
    loop {
        let page = call
            .store
            .journal()
            .read_in(&range, cursor, PAGE, wanted)
            .await?;
        if page.is_beyond_end {
            return Err(Problem::cursor_gone());
        }
        let mut of_page = Vec::new();
        for entry in &page.entries {
            match &entry.event {
                Event::PaymentVoided(void) => subtract(entry, void, &mut of_page),
                Event::PaymentRefunded(refund) => of_page.push(given_back(entry, refund)),
                _ => {}
            }
        }
        for payment in call.store.payments().of(page.entries).await? {
            add(call, payment, &mut of_page);
        }
        of_page.sort_by_key(|line| line.index);
        counted += of_page.len();
        for line in &of_page {
            sums.add(line)?;
        }
        if next.is_none() {
            lines.append(&mut of_page);
            next = (lines.len() >= MOST && !page.complete).then_some(page.next);
        }
        if page.complete {
            break;
        }
        let came_on = page.next > cursor;
        cursor = page.next;
        // Totals are those of the whole span, as far as one call goes.
        if !came_on || (next.is_some() && (after > 0 || counted >= MOST_COUNTED)) {
            whole = false;
            next = next.or(Some(cursor));
            break;
        }
    }
    Ok(Reconciliation {
        from: span.from.map(time::format).unwrap_or_default(),
        to: span.to.map(time::format).unwrap_or_default(),
        closed: range.closed,
        totals: sums.totals(),
        totals_complete: whole,
        lines,
        next: next_if_any(call, next).await?,
    })
}

/// Adds the lines of a payment. One that was voided since stays on its day, which does not change.
fn add<P: Platform>(call: &Call<'_, P>, stored: StoredPayment, lines: &mut Vec<PaidLine>) {
    let accounts = payments::accounts(call, &stored);
    let channel = stored.payment.channel();
    for (line, bank_account) in stored.payment.lines.into_iter().zip(accounts) {
        lines.push(PaidLine {
            index: stored.index,
            recorded_at: time::format(stored.recorded_at),
            paid_at: stored.payment.paid_at.clone(),
            service_id: stored.payment.service_id.clone(),
            order_key: stored.payment.order_key.clone(),
            payment_id: stored.payment.payment_id.clone(),
            invoice_id: stored.payment.invoice_id.clone(),
            line_id: Some(line.line_id),
            amount: line.amount,
            currency: stored.payment.currency.clone(),
            channel,
            bank_account,
            review: stored
                .state
                .review
                .iter()
                .map(|review| review.as_str())
                .collect(),
            void: false,
            refund: false,
        });
    }
}

/// The line of money that was given back.
fn given_back(entry: &JournalEntry, refund: &RefundJson) -> PaidLine {
    let at = time::format(entry.at);
    PaidLine {
        index: entry.index,
        recorded_at: at.clone(),
        paid_at: at,
        service_id: refund.service_id.clone(),
        order_key: refund.order_key.clone(),
        payment_id: refund.payment_id.clone(),
        invoice_id: None,
        line_id: None,
        amount: format!("-{}", refund.amount),
        currency: refund.currency.clone(),
        channel: Channel::Card,
        bank_account: refund.bank_account.clone(),
        review: Vec::new(),
        void: false,
        refund: true,
    }
}

/// Adds the lines of a void.
fn subtract(entry: &JournalEntry, void: &VoidJson, lines: &mut Vec<PaidLine>) {
    for line in &void.lines {
        lines.push(PaidLine {
            index: entry.index,
            recorded_at: time::format(entry.at),
            paid_at: void.paid_at.clone(),
            service_id: void.service_id.clone(),
            order_key: void.order_key.clone(),
            payment_id: void.payment_id.clone(),
            invoice_id: void.invoice_id.clone(),
            line_id: Some(line.line_id.clone()),
            amount: format!("-{}", line.amount),
            currency: void.currency.clone(),
            channel: Channel::Manual,
            bank_account: line.bank_account.clone(),
            review: Vec::new(),
            void: true,
            refund: false,
        });
    }
}

/// What was paid to an account, and what was taken away from that.
#[derive(Default)]
struct Sums {
    paid: Money,
    taken: Money,
    lines: usize,
}

impl Sums {
    /// The balance, with its sign.
    fn balance(&self) -> String {
        if self.taken > self.paid {
            format!("-{}", self.taken.saturating_sub(self.paid))
        } else {
            self.paid.saturating_sub(self.taken).to_string()
        }
    }
}

/// Sums by account, currency and channel.
#[derive(Default)]
struct ByAccount(BTreeMap<(Option<String>, String, Channel), Sums>);

impl ByAccount {
    fn add(&mut self, line: &PaidLine) -> Result<(), Problem> {
        let account = line.bank_account.clone();
        let key = (account, line.currency.clone(), line.channel);
        self.put(key, &line.amount, 1)
    }

    fn put(
        &mut self,
        key: (Option<String>, String, Channel),
        amount: &str,
        lines: usize,
    ) -> Result<(), Problem> {
        let sum = self.0.entry(key).or_default();
        let (amount, of_kind) = match amount.strip_prefix('-') {
            Some(amount) => (amount, &mut sum.taken),
            None => (amount, &mut sum.paid),
        };
        *of_kind = *of_kind + Money::parse(amount).map_err(Problem::internal)?;
        sum.lines += lines;
        Ok(())
    }

    fn totals(self) -> Vec<Total> {
        let sums = self.0.into_iter();
        sums.map(|((bank_account, currency, channel), sum)| Total {
            bank_account,
            currency,
            channel,
            amount: sum.balance(),
            lines: sum.lines,
        })
        .collect()
    }
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
            line.line_id.unwrap_or_default(),
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
    use crate::{
        json::PaymentJson,
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
        // A record of before, without an account, gets that of the configuration.
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
            of(b, "MDL", "2.50", 1),
            of("MD24AG000225100013104168", "MDL", "16.00", 1),
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
            table.lines()[..2],
            [
                "bank_account;currency;channel;amount;lines",
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
        assert_eq!(part["totals_complete"], false, "a part is not the day");
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
        let noted: Option<BTreeMap<String, Vec<DayTotal>>> = Ledger::new(api.memory.clone())
            .notes()
            .get(BY_DAY)
            .await
            .unwrap();
        let mut noted = noted.unwrap();
        assert_eq!(noted.len(), 28);
        noted.get_mut("2026-06-01").unwrap()[0].lines = 99;
        Ledger::new(api.memory.clone())
            .notes()
            .set(BY_DAY, &noted)
            .await
            .unwrap();
        let told = days().await;
        let day = told.iter().find(|day| day["date"] == "2026-06-01").unwrap();
        assert_eq!(day["totals"][0]["lines"], 99);
        assert_eq!(api.get("reconciliation/days?x=1").await.status, 400);
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_adds_up_so_much_and_the_next_goes_on() {
        let api = Api::new();
        register(&api.memory, "1", "100").await.unwrap();
        for day in 0..3 {
            for n in 0..40 {
                let lines = vec![("1.00", None); 13];
                pay(&api.memory, &format!("P-{day}-{n}"), "MDL", &lines).await;
            }
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        }
        let told = async || {
            let answer = api.get("reconciliation/days").await.json();
            let days = answer["days"].as_array().unwrap().clone();
            days.iter().filter(|day| day["totals"].is_array()).count()
        };
        // 520 lines a day: the second call finds the third day, and those without payments before.
        assert_eq!(told().await, 2);
        assert_eq!(told().await, 28);
    }
}
