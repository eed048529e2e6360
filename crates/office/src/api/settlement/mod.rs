//! `POST /api/settlement`: a statement of the bank, the treasury or MPay, compared with what is
//! recorded: read by `statement`, compared by `comparison`.

mod comparison;
mod statement;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json,
    query::{Query, span},
    table,
};
use crate::{
    digest::sha256,
    domain::{Money, time},
    json::FieldError,
    store::{Platform, StoredPayment},
};

use comparison::{compare, recorded};
use statement::read;

/// How many rows a statement has at most, and how many payments its period.
const MAX_ROWS: usize = 2000;
const MAX_PAYMENTS: usize = 20_000;
const PAGE: usize = 200;

/// Which columns of the statement say what.
struct Mapping<'a> {
    payment_id: Option<&'a str>,
    order_key: Option<&'a str>,
    amount: &'a str,
    date: Option<&'a str>,
    /// What names a row for ever, such as the number of the bank's document.
    reference: Option<&'a str>,
}

/// Rows of the statement about one payment: a statement may have one for each line.
#[derive(Clone, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Shown {
    rows: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// Payments of this order and amount, which other rows have shown before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shown_by_others: Vec<String>,
    #[serde(skip)]
    sum: Money,
    /// What it is known by in all statements.
    #[serde(skip)]
    name: String,
}

/// A recorded payment, beside the rows that show it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Known {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rows: Vec<usize>,
    index: u64,
    payment_id: String,
    order_key: String,
    amount: String,
    /// What the statement says, where it says something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
    paid_at: String,
    recorded_at: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct WrongRow {
    row: usize,
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Comparison {
    /// SHA-256 of the statement.
    sha256: String,
    /// The event that marks what is settled only now; absent if there is nothing new.
    #[serde(skip_serializing_if = "Option::is_none")]
    settlement: Option<u64>,
    /// Shown and recorded.
    matched: Vec<Known>,
    /// Shown and recorded with another amount.
    differing: Vec<Known>,
    /// Shown, but not recorded.
    not_recorded: Vec<Shown>,
    /// Recorded in the period, but shown neither here nor in a statement before.
    not_settled: Vec<Known>,
    /// Rows that cannot be read.
    errors: Vec<WrongRow>,
}

/// Compares a statement with what was recorded in a period, and marks as settled what it shows.
/// The same statement again marks nothing again.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let names = [
        "payment_id",
        "order_key",
        "amount",
        "date",
        "reference",
        "from",
        "to",
    ];
    let query = Query::read(call.query, &names)?;
    let span = span(&query, "from", "to")?;
    let (Some(_), Some(_), Some(amount)) = (span.from, span.to, query.get("amount")) else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Give from and to, the days that the statement is about, and in amount the name of the column of amounts.",
        ));
    };
    let mapping = Mapping {
        payment_id: query.get("payment_id"),
        order_key: query.get("order_key"),
        amount,
        date: query.get("date"),
        reference: query.get("reference"),
    };
    if mapping.payment_id.is_none() && mapping.order_key.is_none() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Give in payment_id the name of the column of PaymentIDs, or in order_key that of order numbers.",
        ));
    }
    let columns = [
        mapping.payment_id,
        mapping.order_key,
        Some(mapping.amount),
        mapping.date,
        mapping.reference,
    ];
    let columns: Vec<_> = columns.into_iter().flatten().collect();
    let sheet = table::read(body, &query, &columns)?;
    let sha256 = sha256(body);
    let secret = call.store.secret().await?;
    let (shown, errors) = read(&sheet, &mapping, &secret, &sha256)?;
    let recorded = recorded(call, span).await?;
    let judge = async || compare(call, shown.clone(), recorded.clone()).await;
    let (settlement, mut comparison) = call.store.settle(&sha256, call.caller, judge).await?;
    comparison.sha256 = sha256;
    comparison.settlement = settlement;
    comparison.errors = errors;
    json(StatusCode::OK, &comparison)
}

fn total(payment: &StoredPayment) -> Money {
    payment.state.confirmation.total
}

impl Known {
    fn new(stored: StoredPayment, rows: Vec<usize>, shown: Option<String>) -> Self {
        Self {
            rows,
            index: stored.index,
            payment_id: stored.payment.payment_id,
            order_key: stored.payment.order_key,
            amount: stored.payment.amount,
            shown,
            paid_at: stored.payment.paid_at,
            recorded_at: time::format(stored.recorded_at),
        }
    }
}
