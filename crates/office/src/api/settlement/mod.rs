//! `POST /api/settlement`: a statement of the bank, the treasury or MPay, compared with what is
//! recorded.
//!
//! In the order of the work: `statement` reads the rows, `netting` takes out what was reversed, `fees`
//! says what may have been kept back, `comparison` holds the rest against the payments, `report` writes
//! the answer as a table.

mod comparison;
mod fees;
mod netting;
mod report;
mod statement;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use tables::Amount;

use super::{
    Call, Problem,
    endpoint::Endpoint,
    json,
    query::{Query, span},
    table,
};
use crate::{
    access::BOOKKEEPERS,
    digest::sha256,
    domain::time,
    json::FieldError,
    store::{Platform, StoredPayment},
};

#[cfg(feature = "description")]
use super::description::{FILE, Operation};
use comparison::{compare, recorded};
use fees::Rates;
#[cfg(feature = "description")]
use serde_json::json;
use statement::read;

/// How many rows a statement has at most, and how many payments its period.
const MAX_ROWS: usize = 2000;
const MAX_PAYMENTS: usize = 20_000;
const PAGE: usize = 200;

/// Which columns of the statement say what.
struct Mapping<'a> {
    /// PaymentIDs, alone or within a text.
    payment_id: Option<&'a str>,
    order_key: Option<&'a str>,
    /// Texts in which a PaymentID is looked for where the row names none otherwise.
    text: Option<&'a str>,
    amount: &'a str,
    date: Option<&'a str>,
    /// What names a row for ever, such as the number of the bank's document.
    reference: Option<&'a str>,
    /// What was kept back of the amount.
    fee: Option<&'a str>,
    /// To which account a sum went.
    account: Option<&'a str>,
}

/// The parameters that name columns.
const COLUMNS: [&str; 8] = [
    "payment_id",
    "order_key",
    "text",
    "amount",
    "date",
    "reference",
    "fee",
    "account",
];

impl<'a> Mapping<'a> {
    fn read(query: &'a Query) -> Result<Self, Problem> {
        let wrong = |detail| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        let Some(amount) = query.get("amount") else {
            return wrong(
                "Give from and to, the days that the statement is about, and in amount the name of the column of amounts.",
            );
        };
        let mapping = Self {
            payment_id: query.get("payment_id"),
            order_key: query.get("order_key"),
            text: query.get("text"),
            amount,
            date: query.get("date"),
            reference: query.get("reference"),
            fee: query.get("fee"),
            account: query.get("account"),
        };
        if mapping.keys().is_empty() && mapping.date.is_none() {
            return wrong(
                "Give in payment_id the name of the column of PaymentIDs, in text that of a column whose text has them, in order_key that of order numbers, or in date that of days of which each row is the sum.",
            );
        }
        Ok(mapping)
    }

    /// The columns that say what a row is about.
    fn keys(&self) -> Vec<&'a str> {
        let keys = [self.payment_id, self.order_key, self.text];
        keys.into_iter().flatten().collect()
    }
}

/// What is to be said of a row or a payment that is no plain match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Difference {
    /// The statement shows a part, and the rest is still to come.
    Part,
    /// The statement shows more than was paid.
    More,
    /// Another statement has shown the payment as a whole, and this one another amount.
    ShownBefore,
    /// The statement takes the payment back, which another statement has shown.
    TakenBack,
    /// No payment of this PaymentID is recorded.
    UnknownPayment,
    /// No payment of this order and amount is recorded that another row does not show.
    UnknownOrder,
    /// The row names no recorded payment.
    NoPaymentNamed,
    /// An amount below zero that takes nothing back which the statement shows.
    ReversalOfNothing,
    /// The sum of the payments that the row is about is another one.
    OtherSum,
    /// No statement shows the payment.
    NotShown,
    /// Statements show a part of the payment.
    PartNotShown,
}

/// Rows of the statement about one payment: a statement may have one for each line.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Shown {
    rows: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    /// Below zero for what is taken back.
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// What is wrong, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Payments of this order and amount, which other rows have shown before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown_by_others: Vec<String>,
}

/// A recorded payment, beside the rows that show it.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Known {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<usize>,
    index: u64,
    payment_id: String,
    order_key: String,
    /// Below zero for money that was given back.
    amount: String,
    /// What the statement says, where it says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    /// What was kept back of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    paid_at: String,
    recorded_at: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct WrongRow {
    row: usize,
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Comparison {
    /// SHA-256 of the statement.
    sha256: String,
    /// As what it was read: its separator and encoding, or its sheet.
    read_as: String,
    /// The event that marks what is settled only now; absent if there is nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<u64>,
    /// Whether all payments of the period are looked at. Otherwise one is being recorded, and what is
    /// behind it is missing here: compare again in a minute.
    complete: bool,
    /// Shown and recorded.
    matched: Vec<Known>,
    /// Shown and recorded with another amount.
    differing: Vec<Known>,
    /// Shown, but not recorded.
    not_recorded: Vec<Shown>,
    /// Recorded in the period, but shown neither here nor in a statement before.
    not_settled: Vec<Known>,
    /// Shown and taken back in this statement, so that nothing came.
    netted: Vec<Shown>,
    /// What was charged in rows of its own that name no payment.
    fees: Vec<Shown>,
    /// Rows of totals.
    totals: Vec<usize>,
    /// Rows that cannot be read.
    errors: Vec<WrongRow>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Xlsx,
}

/// `POST /api/settlement`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "settlement",
        roles: &BOOKKEEPERS,
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "settle", "Compares a statement with what was recorded")
            .describe("A table of the bank, the treasury or MPay, of up to 2,000 rows, as CSV or XLSX, whose columns the parameters name; lines above them are left out. What it shows is marked as settled; the same statement again changes nothing. Give `payment_id`, or `text` where PaymentIDs stand within sentences, or `order_key` where it has none, or `date` alone where each row is the sum of a day, with `account` of a day and an account. A payment may be shown in parts by several statements. A payment and its reversal are netted. Of all statements, each row without a PaymentID shows at most one payment, and each payment is shown by one such row. A row is the same in another file if its `reference` is, or without one its `date` and all of its other cells; without either, each file has rows of its own.")
            .takes(["required_from", "required_to", "amount", "payment_id", "text", "order_key", "date_column", "account", "reference", "fee", "fee_rate", "encoding", "settlement_format", "separator"])
            .body(json!({
                "text/csv": {
                    "schema": {"type": "string"},
                    "examples": {"statement": {"summary": "A statement of one row", "value": "id,sum,date\r\nP-1,125.50,2026-11-30\r\n"}}
                },
                (table::XLSX): {},
                (table::BYTES): table::bytes()
            }))
            .answers(200, "What fits and what does not.", json!({
                "application/json": {"schema": schemas.answer::<Comparison>()},
                "text/csv": {"schema": {"type": "string"}},
                (table::XLSX): {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .fails([413, 415, 422])
        },
    }
}

/// Compares a statement with what was recorded in a period, and marks as settled what it shows.
/// The same statement again marks nothing again.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let others = ["from", "to", "fee_rate", "encoding", "format", "separator"];
    let names: Vec<_> = COLUMNS.into_iter().chain(others).collect();
    let query = Query::read(call.query, &names)?;
    let span = span(&query, "from", "to")?;
    if span.from.is_none() || span.to.is_none() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Give from and to, the days that the statement is about.",
        ));
    }
    let formats = [
        ("json", Format::Json),
        ("csv", Format::Csv),
        ("xlsx", Format::Xlsx),
    ];
    let format = query.word("format", &formats)?.unwrap_or(Format::Json);
    let separator = query.get("separator").map(|_| table::separator(&query));
    let separator = separator.transpose()?;
    let rates = query.parsed("fee_rate", Rates::parse)?.unwrap_or_default();
    let mapping = Mapping::read(&query)?;
    let columns: Vec<_> = COLUMNS.iter().filter_map(|name| query.get(name)).collect();
    let sheet = table::read(body, &query, &columns)?;
    let sha256 = sha256(body);
    let secret = call.store.secret().await?;
    let statement = read(&sheet, &mapping, &secret, &sha256)?;
    let recorded = recorded(call, span).await?;
    let judge = async || compare(call, &statement, &rates, recorded.clone()).await;
    let (settlement, mut comparison) = call
        .store
        .settlements()
        .import(&sha256, &call.caller.name, judge)
        .await?;
    comparison.sha256 = sha256;
    comparison.read_as = sheet.source().to_string();
    comparison.settlement = settlement;
    comparison.complete = recorded.is_complete;
    comparison.totals = statement.totals;
    comparison.errors = statement.errors;
    let format = match format {
        Format::Json => return json(StatusCode::OK, &comparison),
        Format::Xlsx => tables::Format::Xlsx,
        // As the statement is, where nobody asks for another.
        Format::Csv => match (separator, table::format_of(sheet.source())) {
            (None, tables::Format::Csv(separator)) | (Some(separator), _) => {
                tables::Format::Csv(separator)
            }
            (None, tables::Format::Xlsx) => tables::Format::Csv(table::separator(&query)?),
        },
    };
    table::into_response(report::of(format, comparison), format, "settlement")
}

/// The amount of a payment.
fn total(payment: &StoredPayment) -> Result<Amount, Problem> {
    amount(payment.state.confirmation.total.to_string())
}

/// An amount that this program wrote.
fn amount(text: String) -> Result<Amount, Problem> {
    let digits = text.replacen('.', "", 1);
    let hundredths = digits.parse().map(Amount::of_hundredths);
    hundredths.map_err(|_| Problem::internal(format!("{text} is no amount")))
}

impl Known {
    fn new(stored: StoredPayment, rows: Vec<usize>) -> Self {
        Self {
            rows,
            index: stored.index,
            payment_id: stored.payment.payment_id,
            order_key: stored.payment.order_key,
            amount: stored.payment.amount,
            shown: None,
            fee: None,
            difference: None,
            detail: None,
            paid_at: stored.payment.paid_at,
            recorded_at: time::format(stored.recorded_at),
        }
    }
}
