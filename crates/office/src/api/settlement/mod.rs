//! `POST /api/settlement`: comparison of a statement of the bank, the treasury or MPay with the recorded
//! payments.
//!
//! In the order of the work: `statement` reads the rows, `netting` removes rows that reverse each other, `fees`
//! computes the fees that may have been withheld, `comparison` compares the remaining rows with the payments,
//! `report` writes the answer as a table.

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
    domain::{Currency, ServiceId, time},
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

/// The most rows of a statement, the most payments of its period, and the payments that are read at once.
const MAX_ROWS: usize = 2000;
const MAX_PAYMENTS: usize = 20_000;
const PAGE: usize = 200;

/// The statement's columns, by their purposes.
struct Mapping<'a> {
    /// The column with PaymentIDs, alone or within a text.
    payment_id: Option<&'a str>,
    order_key: Option<&'a str>,
    /// The column with texts that may contain a PaymentID, for rows without one elsewhere.
    text: Option<&'a str>,
    amount: &'a str,
    date: Option<&'a str>,
    /// The column with a permanent name of the row, such as the number of the bank's document.
    reference: Option<&'a str>,
    /// The column with the fee that was withheld from the amount.
    fee: Option<&'a str>,
    /// The column with the account that received the sum.
    account: Option<&'a str>,
    currency: Option<Unit<'a>>,
    /// The service to which the order numbers belong; `None` if any service.
    service_id: Option<ServiceId>,
}

/// The currency of a statement's amounts.
#[derive(Clone, Copy)]
enum Unit<'a> {
    /// One for all rows.
    Of(Currency),
    /// The column that has it.
    Column(&'a str),
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
            currency: query
                .get("currency")
                .map(|text| Currency::parse(text).map_or(Unit::Column(text), Unit::Of)),
            service_id: query.parsed("service_id", ServiceId::parse)?,
        };
        if mapping.keys().is_empty() && mapping.date.is_none() {
            return wrong(
                "Give in payment_id the name of the column of PaymentIDs, in text that of a column whose text has them, in order_key that of order numbers, or in date that of days of which each row is the sum.",
            );
        }
        Ok(mapping)
    }

    /// The columns that the table must have.
    fn columns(&self, query: &'a Query) -> Vec<&'a str> {
        let columns = COLUMNS.iter().filter_map(|name| query.get(name));
        let currency = self.currency.and_then(|unit| match unit {
            Unit::Of(_) => None,
            Unit::Column(column) => Some(column),
        });
        columns.chain(currency).collect()
    }

    /// The columns that tell the subject of a row.
    fn keys(&self) -> Vec<&'a str> {
        let keys = [self.payment_id, self.order_key, self.text];
        keys.into_iter().flatten().collect()
    }
}

/// The kind of difference between a statement and the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Difference {
    /// The statement shows a part of the payment, and the rest is still to come.
    Part,
    /// The statement shows more than was paid.
    More,
    /// Another statement showed the whole payment, and this one shows it in another row, or another amount. For
    /// a row that names several payments, or is the sum of a day: other statements showed some of them.
    ShownBefore,
    /// The statement takes back a payment that another statement showed.
    TakenBack,
    /// No payment with this PaymentID is recorded.
    UnknownPayment,
    /// No recorded payment of this order has this amount, except payments that other rows show.
    UnknownOrder,
    /// The row names no recorded payment.
    NoPaymentNamed,
    /// The row has a negative amount, but the statement shows nothing that it could take back.
    ReversalOfNothing,
    /// The payments to which the row refers have another sum, or other rows of the statement show some of them.
    OtherSum,
    /// The payment is in another currency than the row.
    OtherCurrency,
    /// Payments or refunds of several services have the order number and the amount.
    SeveralServices,
    /// The statement shows a part of the payment, for which there is no room: it is not kept.
    TooManyParts,
    /// No statement shows the payment.
    NotShown,
    /// Statements show only a part of the payment.
    PartNotShown,
}

/// Rows of the statement about one payment. A statement may have one row for each line of a payment.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Shown {
    rows: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    /// The amount. It is negative if the row takes money back.
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// The kind of difference; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Payments with this order and amount that other rows showed before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown_by_others: Vec<String>,
}

/// A recorded payment or refund, and the rows that show it.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct Known {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<usize>,
    index: u64,
    payment_id: String,
    order_key: String,
    /// The amount. It is negative for a refund.
    amount: String,
    /// The amount in the statement; absent if it is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    /// The fee that was withheld.
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
    /// SHA-256 of the statement, in hexadecimal.
    sha256: String,
    /// The form in which the statement was read: its separator and encoding, or its sheet.
    read_as: String,
    /// The place in the journal of the event that marks the newly settled payments; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<u64>,
    /// True if all payments of the period were compared. If false, a payment is being recorded, and those after
    /// it are missing here: compare again in a minute. It is also false if some entries cannot be read.
    complete: bool,
    /// The number of journal entries of the period that this version cannot read; absent if there are none. Each
    /// may be a payment that is missing here.
    #[serde(skip_serializing_if = "is_none")]
    unreadable: usize,
    /// Shown, and recorded with the same amount.
    matched: Vec<Known>,
    /// Shown, and recorded with another amount.
    differing: Vec<Known>,
    /// Shown, but not recorded.
    not_recorded: Vec<Shown>,
    /// Recorded in the period, but not shown in this statement or an earlier one.
    not_settled: Vec<Known>,
    /// Shown and taken back in this statement, so that no money came.
    netted: Vec<Shown>,
    /// Fees in rows of their own, without a row of their payment.
    fees: Vec<Shown>,
    /// The numbers of rows with totals.
    totals: Vec<usize>,
    /// The rows that cannot be read.
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
        parameters: &[
            "from",
            "to",
            "amount",
            "payment_id",
            "text",
            "order_key",
            "date",
            "account",
            "reference",
            "fee",
            "fee_rate",
            "currency",
            "service_id",
            "encoding",
            "format",
            "separator",
        ],
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("payments", "settle", "Compares a statement with the recorded payments")
            .describe("The body is a table of the bank, the treasury or MPay, as CSV or XLSX, with at most 2,000 rows. The parameters name its columns; lines above the header are ignored. The payments that it shows are marked as settled; the same statement again changes nothing. Give `payment_id`; or `text` if PaymentIDs are within sentences; or `order_key` if the statement has no PaymentIDs; or only `date` if each row is the sum of a day, with `account` if it is the sum of a day and an account. Several statements may show a payment in parts. A payment and its reversal cancel each other out. A row shows only payments of its currency: the one that its cell, `currency` or the column that `currency` names says, or else that of all payments, or `MDL` if they have several. Over all statements, each row without a PaymentID shows at most one payment, and each payment is shown by one such row. A row in another file is the same row if it has the same `reference`, or, without a `reference`, the same `date` and the same other cells. Without either, the rows of each file are different rows.")
            .takes(["required_from", "required_to", "amount", "payment_id", "text", "order_key", "date_column", "account", "reference", "fee", "fee_rate", "settlement_currency", "settlement_service", "encoding", "settlement_format", "separator"])
            .body(json!({
                "text/csv": {
                    "schema": {"type": "string"},
                    "examples": {"statement": {"summary": "A statement of one row", "value": "id,sum,date\r\nP-1,125.50,2026-11-30\r\n"}}
                },
                (table::XLSX): {},
                (table::BYTES): table::bytes()
            }))
            .answers(200, "The comparison: what matches, and what does not.", json!({
                "application/json": {"schema": schemas.answer::<Comparison>()},
                "text/csv": {"schema": {"type": "string"}},
                (table::XLSX): {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .fails([413, 415, 422])
        },
    }
}

/// Compares a statement with the records of a period, and marks the payments that it shows as settled. The same
/// statement again marks nothing more.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let others = [
        "currency",
        "service_id",
        "from",
        "to",
        "fee_rate",
        "encoding",
        "format",
        "separator",
    ];
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
    let sheet = table::read(body, &query, &mapping.columns(&query))?;
    let sha256 = sha256(body);
    let secret = call.store.secret().await?;
    let statement = read(&sheet, &mapping, &secret, &sha256)?;
    let recorded = recorded(call, span).await?;
    let service = mapping.service_id.as_ref();
    let judge = async || compare(call, &statement, &rates, service, recorded.clone()).await;
    let (settlement, mut comparison) = call
        .store
        .settlements()
        .import(&sha256, &call.caller.name, judge)
        .await?;
    comparison.sha256 = sha256;
    comparison.read_as = sheet.source().to_string();
    comparison.settlement = settlement;
    comparison.complete = recorded.is_complete && recorded.unreadable == 0;
    comparison.unreadable = recorded.unreadable;
    comparison.totals = statement.totals;
    comparison.errors = statement.errors;
    let format = match format {
        Format::Json => return json(StatusCode::OK, &comparison),
        Format::Xlsx => tables::Format::Xlsx,
        // The separator is that of the statement, unless the caller asks for another one.
        Format::Csv => match (separator, table::format_of(sheet.source())) {
            (None, tables::Format::Csv(separator)) | (Some(separator), _) => {
                tables::Format::Csv(separator)
            }
            (None, tables::Format::Xlsx) => tables::Format::Csv(table::separator(&query)?),
        },
    };
    table::into_response(report::of(format, comparison), format, "settlement")
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The amount of a payment.
fn total(payment: &StoredPayment) -> Result<Amount, Problem> {
    amount(payment.state.confirmation.total.to_string())
}

/// The value of an amount that this program wrote.
fn amount(text: String) -> Result<Amount, Problem> {
    let digits = text.replacen('.', "", 1);
    let hundredths = digits.parse().map(Amount::of_hundredths);
    hundredths.map_err(|_| Problem::internal(format!("{text} is no amount")))
}

impl Known {
    fn new(stored: &StoredPayment, rows: Vec<usize>) -> Self {
        let payment = &stored.payment;
        Self {
            rows,
            index: stored.index,
            payment_id: payment.payment_id.clone(),
            order_key: payment.order_key.clone(),
            amount: payment.amount.clone(),
            shown: None,
            fee: None,
            difference: None,
            detail: None,
            paid_at: payment.paid_at.clone(),
            recorded_at: time::format(stored.recorded_at),
        }
    }
}
