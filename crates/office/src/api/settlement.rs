//! `POST /api/settlement`: a statement of the bank, the treasury or MPay, compared with what is
//! recorded.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::{
    Call, Problem, json, payments,
    query::{Query, span},
    sheet::{Row, Sheet},
};
use crate::{
    digest::sha256,
    domain::{Money, PaymentId, time},
    json::FieldError,
    store::{self, Platform, Secret, SettlementMark, Span, StoredPayment},
};

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
    let sheet = Sheet::read(body)?;
    for (parameter, column) in names.iter().zip([
        mapping.payment_id,
        mapping.order_key,
        Some(mapping.amount),
        mapping.date,
        mapping.reference,
    ]) {
        if let Some(column) = column
            && !sheet.columns().iter().any(|name| name == column)
        {
            return Err(Problem::field(parameter, "is no column of the statement"));
        }
    }
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

/// What the statement shows, rows of one PaymentID together.
fn read(
    sheet: &Sheet,
    mapping: &Mapping<'_>,
    secret: &Secret,
    sha256: &str,
) -> Result<(Vec<Shown>, Vec<WrongRow>), Problem> {
    let (mut shown, mut errors) = (Vec::<Shown>::new(), Vec::new());
    let mut by_id: HashMap<String, usize> = HashMap::new();
    // How many rows before are like this one.
    let mut before: HashMap<String, u64> = HashMap::new();
    for (count, (row, cells)) in sheet.rows().enumerate() {
        if count >= MAX_ROWS {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("A statement has {MAX_ROWS} rows at most; send it in parts."),
            ));
        }
        let next = match read_row(row, &cells, mapping) {
            Ok(mut next) => {
                let content = content(&next, &cells, mapping, sha256);
                let before = before.entry(content.clone()).or_default();
                let parts = [content.as_bytes(), &before.to_be_bytes()];
                next.name = secret.digest("row", &parts);
                *before += 1;
                next
            }
            Err(wrong) => {
                errors.push(WrongRow { row, errors: wrong });
                continue;
            }
        };
        let known = next.payment_id.as_ref().and_then(|id| by_id.get(id));
        match known.and_then(|position| shown.get_mut(*position)) {
            Some(known) => {
                known.rows.push(row);
                known.sum = known.sum + next.sum;
                known.amount = known.sum.to_string();
            }
            None => {
                if let Some(id) = &next.payment_id {
                    by_id.insert(id.clone(), shown.len());
                }
                shown.push(next);
            }
        }
    }
    Ok((shown, errors))
}

/// What makes a row the row it is, in whatever file it comes: the bank's own name for it, or else
/// all of its cells. Where it has no date either, nothing tells another row of the same content from
/// the same row in another file: then it is a row of this file alone.
fn content(shown: &Shown, cells: &Row<'_>, mapping: &Mapping<'_>, sha256: &str) -> String {
    if let Some(id) = &shown.payment_id {
        return serde_json::json!({ "payment_id": id }).to_string();
    }
    let amount = shown.sum.to_string();
    if let Some(reference) = mapping.reference.and_then(|column| cells.get(column)) {
        let members = [Some(reference), shown.order_key.as_deref(), Some(&amount)];
        return serde_json::json!({ "reference": members }).to_string();
    }
    let mut content: Vec<_> = cells
        .cells()
        .map(|(column, cell)| match column == mapping.amount {
            // However it is written.
            true => (column, amount.as_str()),
            false => (column, cell),
        })
        .collect();
    if shown.date.is_none() {
        content.push(("", sha256));
    }
    serde_json::json!({ "cells": content }).to_string()
}

fn read_row(row: usize, cells: &Row<'_>, mapping: &Mapping<'_>) -> Result<Shown, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| {
        errors.push(FieldError::new(field, detail));
    };
    let text = |column: Option<&str>| cells.get(column?).map(str::to_owned);
    let payment_id = text(mapping.payment_id);
    let order_key = text(mapping.order_key);
    if let (Some(column), Some(id)) = (mapping.payment_id, &payment_id)
        && let Err(error) = PaymentId::parse(id)
    {
        wrong(column, error.to_string());
    }
    if payment_id.is_none() && order_key.is_none() {
        let column = mapping.payment_id.or(mapping.order_key).unwrap_or_default();
        wrong(column, "is empty".to_owned());
    }
    let sum = match cells.get(mapping.amount).map(amount) {
        Some(Ok(sum)) => sum,
        Some(Err(error)) => {
            wrong(mapping.amount, error);
            Money::ZERO
        }
        None => {
            wrong(mapping.amount, "is empty".to_owned());
            Money::ZERO
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Shown {
        rows: vec![row],
        payment_id,
        order_key,
        amount: sum.to_string(),
        date: text(mapping.date),
        shown_by_others: Vec::new(),
        sum,
        name: String::new(),
    })
}

/// An amount as statements have it: also with a decimal comma, and thousands set apart.
fn amount(text: &str) -> Result<Money, String> {
    let text = text.trim();
    let (whole, fraction) = match text.rsplit_once([',', '.']) {
        None => (text, None),
        Some((whole, fraction)) => {
            if fraction.len() == 3 && !whole.contains([',', '.']) {
                return Err(
                    "could be thousands or thousandths; write two digits behind the point"
                        .to_owned(),
                );
            }
            (whole, Some(fraction))
        }
    };
    let point = text.get(whole.len()..).and_then(|rest| rest.chars().next());
    let apart = |c: char| c.is_whitespace() || matches!(c, '\'' | ',' | '.') && Some(c) != point;
    let groups: Vec<_> = whole.split(apart).collect();
    let (first, others) = groups.split_first().unwrap_or((&"", &[]));
    if !others.is_empty() && (first.len() > 3 || others.iter().any(|group| group.len() != 3)) {
        return Err(
            "has its thousands set apart in other places than those of thousands".to_owned(),
        );
    }
    let mut plain = groups.concat();
    if let Some(fraction) = fraction {
        plain = format!("{plain}.{fraction}");
    }
    Money::parse(&plain).map_err(|error| error.to_string())
}

/// The payments recorded in the period.
async fn recorded<P: Platform>(
    call: &Call<'_, P>,
    span: Span,
) -> Result<Vec<StoredPayment>, Problem> {
    let (mut found, mut cursor) = (Vec::new(), 0);
    loop {
        let page = payments::recorded(call, cursor, PAGE, span).await?;
        let mut payments = call.store.payments(page.entries).await?;
        payments.retain(|payment| payment.state.voided.is_none());
        found.extend(payments);
        if found.len() > MAX_PAYMENTS {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!(
                    "More than {MAX_PAYMENTS} payments were recorded in this period; choose a shorter one."
                ),
            ));
        }
        if page.complete || page.next <= cursor {
            return Ok(found);
        }
        cursor = page.next;
    }
}

/// What is known of the payments that a statement may show.
struct Ledger {
    /// Those that no row of this statement has taken yet, by their places in the journal.
    left: BTreeMap<u64, StoredPayment>,
    by_id: HashMap<String, u64>,
    /// What statements have shown before, this one among them if it comes again.
    marks: HashMap<String, SettlementMark>,
    by_row: HashMap<String, String>,
}

impl Ledger {
    async fn read<P: Platform>(
        call: &Call<'_, P>,
        shown: &[Shown],
        recorded: Vec<StoredPayment>,
    ) -> Result<Self, Problem> {
        let unnamed = shown.iter().filter(|shown| shown.payment_id.is_none());
        let names: Vec<_> = unnamed.map(|shown| shown.name.clone()).collect();
        let by_row = call.store.payments_shown(&names).await?;
        let mut by_id: HashMap<String, u64> = recorded
            .iter()
            .map(|payment| (payment.payment.payment_id.clone(), payment.index))
            .collect();
        let named = shown.iter().filter_map(|shown| shown.payment_id.as_ref());
        let elsewhere: Vec<_> = named
            .chain(by_row.values())
            .filter(|id| !by_id.contains_key(*id))
            .flat_map(|id| PaymentId::parse(id))
            .collect();
        let mut elsewhere = call.store.payments_by_id(&elsewhere).await?;
        elsewhere.retain(|payment| payment.state.voided.is_none());
        by_id.extend(
            elsewhere
                .iter()
                .map(|p| (p.payment.payment_id.clone(), p.index)),
        );
        let ids: Vec<_> = by_id.keys().cloned().collect();
        let marks = call.store.settlement_marks(&ids).await?;
        let payments = recorded.into_iter().chain(elsewhere);
        Ok(Self {
            left: payments.map(|payment| (payment.index, payment)).collect(),
            by_id,
            marks,
            by_row,
        })
    }

    /// Takes the payment that a row is about.
    fn take(&mut self, shown: &Shown) -> Option<StoredPayment> {
        let named = shown.payment_id.as_ref().or(self.by_row.get(&shown.name));
        let index = match named {
            Some(id) => self.by_id.get(id).copied(),
            None => self.free(shown),
        };
        self.left.remove(&index?)
    }

    /// A payment that fits a row and that no row has shown.
    fn free(&self, shown: &Shown) -> Option<u64> {
        let mut fitting = self.left.values().filter(|payment| fits(payment, shown));
        let free = fitting.find(|payment| !self.marks.contains_key(&payment.payment.payment_id));
        free.map(|payment| payment.index)
    }
}

/// Whether a row that names no payment may be about this one.
fn fits(payment: &StoredPayment, shown: &Shown) -> bool {
    shown.order_key.as_ref() == Some(&payment.payment.order_key) && total(payment) == shown.sum
}

/// Compares; gives also what is settled only now.
async fn compare<P: Platform>(
    call: &Call<'_, P>,
    shown: Vec<Shown>,
    recorded: Vec<StoredPayment>,
) -> Result<(Vec<store::Shown>, Comparison), Problem> {
    let mut ledger = Ledger::read(call, &shown, recorded).await?;
    let mut comparison = Comparison {
        sha256: String::new(),
        settlement: None,
        matched: Vec::new(),
        differing: Vec::new(),
        not_recorded: Vec::new(),
        not_settled: Vec::new(),
        errors: Vec::new(),
    };
    let mut new = Vec::new();
    let mut taken = Vec::new();
    // A row must not take the payment that another one names, or has shown before.
    let (named, others): (Vec<_>, Vec<_>) = shown
        .into_iter()
        .partition(|shown| shown.payment_id.is_some());
    let (again, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|shown| ledger.by_row.contains_key(&shown.name));
    for mut shown in named.into_iter().chain(again).chain(others) {
        match ledger.take(&shown) {
            None => {
                let settled = ledger.left.values().chain(&taken);
                let settled =
                    settled.filter(|payment| shown.payment_id.is_none() && fits(payment, &shown));
                let ids = settled.map(|payment| payment.payment.payment_id.clone());
                shown.shown_by_others = ids.collect();
                comparison.not_recorded.push(shown);
            }
            Some(payment) if total(&payment) == shown.sum => {
                let id = &payment.payment.payment_id;
                if !ledger.marks.contains_key(id) {
                    new.push(store::Shown {
                        payment_id: id.clone(),
                        row: shown.name.clone(),
                    });
                }
                taken.push(payment.clone());
                comparison
                    .matched
                    .push(Known::new(payment, shown.rows, None));
            }
            Some(payment) => {
                let amount = Some(shown.amount);
                comparison
                    .differing
                    .push(Known::new(payment, shown.rows, amount));
            }
        }
    }
    comparison.matched.sort_by(|a, b| a.rows.cmp(&b.rows));
    comparison.not_recorded.sort_by(|a, b| a.rows.cmp(&b.rows));
    // Those of other times are gone: they were looked up because a row is about them.
    let Ledger { left, marks, .. } = ledger;
    let unsettled = left
        .into_values()
        .filter(|payment| !marks.contains_key(&payment.payment.payment_id));
    comparison.not_settled = unsettled.map(|p| Known::new(p, Vec::new(), None)).collect();
    Ok((new, comparison))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{super::testing::Api, *};
    use crate::store::{
        memory::Fault,
        testing::{record, register},
    };

    const PERIOD: &str = "settlement?from=2026-06-01&to=2026-06-30";

    #[test]
    fn amounts_are_read_as_statements_have_them() {
        for (text, value) in [
            ("1250", "1250.00"),
            ("1250.5", "1250.50"),
            ("1250,50", "1250.50"),
            (" 1 250,50 ", "1250.50"),
            ("1\u{a0}250,50", "1250.50"),
            ("1.250,50", "1250.50"),
            ("1,250.50", "1250.50"),
            ("1,250,000.5", "1250000.50"),
            ("1'250.50", "1250.50"),
            ("1 250 000", "1250000.00"),
            ("0,05", "0.05"),
            ("1.250,000", "1250.00"),
            (",50", "0.50"),
        ] {
            assert_eq!(amount(text).unwrap().to_string(), value, "{text}");
        }
        for text in [
            "",
            ".",
            "-5",
            "5 lei",
            "1.5.5",
            "1,250",
            "1.250",
            "1,2.50",
            "12,34.50",
            "1 25,00",
            "1250 000,00",
            "1,,250.00",
            "1..250,00",
            "1,250,000",
            "5,ș",
        ] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert!(amount("1,250").unwrap_err().contains("thousandths"));
        assert!(amount("1,2.50").unwrap_err().contains("thousands"));
    }

    async fn settle(api: &Api, query: &str, statement: &str) -> Value {
        let answer = api
            .call("POST", &format!("{PERIOD}&{query}"), "text/csv", statement)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    fn ids(list: &Value) -> Vec<&str> {
        let list = list.as_array().unwrap().iter();
        list.map(|known| known["payment_id"].as_str().unwrap_or("-"))
            .collect()
    }

    /// P and Q are recorded in the period; A before it, and Z after it.
    async fn recorded() -> Api {
        let api = Api::new();
        let day = 86_400;
        register(&api.memory, "1", "1000").await.unwrap();
        register(&api.memory, "2", "1000").await.unwrap();
        for (id, key, amount, before) in [
            ("P", "1", "10", 0),
            ("Q", "2", "20.50", 60),
            ("Z", "1", "5", 30 * day),
        ] {
            tokio::time::sleep(Duration::from_secs(before)).await;
            record(&api.memory, id, key, amount).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(day)).await;
        api
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_statement_shows_is_matched_by_its_payment_id() {
        let api = recorded().await;
        let query = "payment_id=id&order_key=order&amount=sum&date=on";
        let statement = "id;order;sum;on\n\nP;;4,00;1.6\nQ;2;20.5;\nP;;6;\nZ;;6;\nX;9;1;2.6\n";
        let seen = settle(&api, query, statement).await;
        assert_eq!(ids(&seen["matched"]), ["P", "Q"]);
        let of = |list: &str, position: usize, member: &str| seen[list][position][member].clone();
        assert_eq!(of("matched", 0, "rows"), json!([3, 5]));
        assert_eq!(of("matched", 0, "amount"), "10");
        assert_eq!(of("matched", 0, "shown"), Value::Null);
        assert_eq!(of("matched", 0, "recorded_at"), "2026-06-01T12:00:00+03:00");
        // Of another period, and found all the same.
        assert_eq!(ids(&seen["differing"]), ["Z"]);
        assert_eq!(of("differing", 0, "shown"), "6.00");
        assert_eq!(of("differing", 0, "amount"), "5");
        let x = json!({"rows": [7], "payment_id": "X", "order_key": "9", "amount": "1.00", "date": "2.6"});
        assert_eq!(seen["not_recorded"], json!([x]));
        assert_eq!(
            (ids(&seen["not_settled"]), &seen["errors"]),
            (vec![], &json!([]))
        );
        assert_eq!(seen["sha256"], sha256(statement.as_bytes()));
        let event = seen["settlement"].as_u64().unwrap();
        for (id, expected) in [("P", json!(event)), ("Z", Value::Null)] {
            let payment = api.get(&format!("payments/{id}")).await.json();
            assert_eq!(payment["settlement"], expected, "{id}");
        }

        // Once more is found again, and nothing is new.
        let again = settle(&api, query, statement).await;
        assert_eq!(
            (&again["matched"], &again["settlement"]),
            (&seen["matched"], &Value::Null)
        );
        // What another statement has shown is not missing in this one.
        let other = settle(&api, "payment_id=id&amount=sum", "id,sum\nZ,5\n").await;
        assert_eq!(
            (ids(&other["matched"]), ids(&other["not_settled"])),
            (vec!["Z"], vec![])
        );
        assert!(other["settlement"].is_u64());
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_statement_shows_is_named_if_it_is_of_the_period() {
        let api = recorded().await;
        let seen = settle(&api, "payment_id=id&amount=sum", "id,sum\nP,9.99\nZ,1\n").await;
        assert_eq!(ids(&seen["differing"]), ["P", "Z"]);
        assert_eq!(ids(&seen["not_settled"]), ["Q"]);
        assert_eq!(seen["not_settled"][0].get("rows"), None);
        assert_eq!(
            seen["settlement"],
            Value::Null,
            "what differs is not settled"
        );
        let none = settle(&api, "payment_id=id&amount=sum", "id,sum\n").await;
        assert_eq!(ids(&none["not_settled"]), ["P", "Q"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_payment_ids_each_row_takes_one_payment_of_its_order_and_amount() {
        let api = recorded().await;
        record(&api.memory, "P2", "1", "10").await.unwrap();
        let period = "settlement?from=2026-06-01&to=2026-07-31&order_key=order&amount=sum";
        let statement = "order,sum\n1,10\n1,11\n1,10\n1,10\n2,10\n";
        let answer = api.call("POST", period, "text/csv", statement).await;
        let seen = answer.json();
        assert_eq!(ids(&seen["matched"]), ["P", "P2"]);
        assert_eq!(seen["matched"][1]["rows"], json!([4]));
        let rows: Vec<_> = seen["not_recorded"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| &r["rows"][0])
            .collect();
        assert_eq!(rows, [&json!(3), &json!(5), &json!(6)]);
        assert_eq!(ids(&seen["not_settled"]), ["Q", "Z"]);
        // What a row names is not for one that names nothing, though that comes first.
        let both = "payment_id=id&order_key=order&amount=sum";
        let seen = settle(&api, both, "id,order,sum\n,2,20.5\n,1,5\nQ,,20.5\nZ,,5\n").await;
        assert_eq!(ids(&seen["matched"]), ["Q", "Z"]);
        assert_eq!(seen["not_recorded"][0]["rows"], json!([2]));
        assert_eq!(seen["not_recorded"][1]["rows"], json!([3]));
        // A row that names a payment is about that payment alone.
        let seen = settle(&api, both, "id,order,sum\nX,2,20.50\n").await;
        assert_eq!(
            (ids(&seen["matched"]), ids(&seen["not_recorded"])),
            (vec![], vec!["X"])
        );
    }

    /// Two payments of 5.00 on one order.
    async fn alike() -> Api {
        let api = Api::new();
        register(&api.memory, "1", "1000").await.unwrap();
        for id in ["A", "B"] {
            record(&api.memory, id, "1", "5").await.unwrap();
        }
        api
    }

    fn rows(list: &Value) -> Vec<u64> {
        let list = list.as_array().unwrap().iter();
        list.map(|shown| shown["rows"][0].as_u64().unwrap())
            .collect()
    }

    /// The payments that events of statements name.
    async fn named(api: &Api) -> Vec<String> {
        // What was taken and never written holds readers up for a minute.
        tokio::time::sleep(Duration::from_secs(61)).await;
        let events = api.get("events?limit=200").await.json();
        let events = events["events"].as_array().unwrap().iter();
        let named = events.filter_map(|event| event["payments"].as_array());
        let mut named: Vec<_> = named
            .flatten()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect();
        named.sort();
        named
    }

    /// Three rows of 5.00 for two payments, each in a statement of its own, by what tells them
    /// apart.
    #[tokio::test(start_paused = true)]
    async fn each_row_of_all_statements_shows_one_payment_and_each_payment_is_shown_by_one() {
        let by_date = ["1.6", "2.6", "3.6"].map(|day| format!("order,sum,on\n1,5,{day}\n"));
        let by_number = ["7", "8", "9"].map(|n| format!("order,sum,on,n\n1,5,1.6,{n}\n"));
        // What has neither is a row of its file alone.
        let by_file = ["", "2,7\n", "3,7\n"].map(|more| format!("order,sum\n1,5\n{more}"));
        for (query, statements) in [
            ("order_key=order&amount=sum&date=on", by_date),
            ("order_key=order&amount=sum&date=on", by_number.clone()),
            ("order_key=order&amount=sum&date=on&reference=n", by_number),
            ("order_key=order&amount=sum", by_file),
        ] {
            let api = alike().await;
            let [first, second, third] = &statements;
            let seen = settle(&api, query, first).await;
            assert_eq!(ids(&seen["matched"]), ["A"], "{query}");
            assert_eq!(ids(&seen["not_settled"]), ["B"]);
            let seen = settle(&api, query, second).await;
            assert_eq!(ids(&seen["matched"]), ["B"], "{query}");
            assert_eq!(seen["not_settled"], json!([]));
            assert!(seen["settlement"].is_u64());
            let seen = settle(&api, query, third).await;
            assert_eq!(ids(&seen["matched"]), [""; 0], "{query}");
            assert_eq!(seen["not_recorded"][0]["rows"], json!([2]));
            assert_eq!(
                seen["not_recorded"][0]["shown_by_others"],
                json!(["A", "B"])
            );
            assert_eq!(seen["settlement"], Value::Null);
            // Each of them again finds what it has found before, and changes nothing.
            for (statement, expected) in [(first, vec!["A"]), (second, vec!["B"]), (third, vec![])]
            {
                let again = settle(&api, query, statement).await;
                assert_eq!(
                    (ids(&again["matched"]), &again["settlement"]),
                    (expected, &Value::Null)
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_overlaps_or_is_corrected_shows_the_same_rows() {
        let api = alike().await;
        let query = "order_key=order&amount=sum&date=on";
        let first = settle(&api, query, "order,sum,on\n1,5.00,1.6\n9,1,1.6\n").await;
        assert_eq!(ids(&first["matched"]), ["A"]);
        // The first again, written in another way, and beside it another of its day.
        let next = "order;sum;on\n8;3;2.6\n1;5,0;1.6\n1;5,0;1.6\n1;5,0;1.6\n";
        let next = settle(&api, query, next).await;
        assert_eq!(ids(&next["matched"]), ["A", "B"]);
        assert_eq!(
            (rows(&next["matched"]), rows(&next["not_recorded"])),
            (vec![3, 4], vec![2, 5])
        );
        // A balance is another in each file: the bank's number tells the row.
        let api = alike().await;
        let query = "order_key=order&amount=sum&date=on&reference=n";
        for balance in ["100", "200"] {
            let statement = format!("n,order,sum,on,balance\nX7,1,5,1.6,{balance}\n");
            let seen = settle(&api, query, &statement).await;
            assert_eq!(ids(&seen["matched"]), ["A"]);
            assert_eq!(ids(&seen["not_settled"]), ["B"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn statements_at_the_same_time_show_each_payment_once() {
        for count in [2, 3, 8] {
            let api = alike().await;
            let statement = |day: usize| format!("order,sum,on\n1,5,{day}.6\n");
            let address = format!("{PERIOD}&order_key=order&amount=sum&date=on");
            let statements: Vec<_> = (1..=count).map(statement).collect();
            let calls = statements
                .iter()
                .map(|statement| api.call("POST", &address, "text/csv", statement));
            let mut shown = Vec::new();
            for (answer, statement) in futures::future::join_all(calls)
                .await
                .into_iter()
                .zip(&statements)
            {
                // Who could not wait comes again.
                let seen = match answer.status {
                    200 => answer.json(),
                    _ => {
                        assert_eq!(answer.status, 503, "{}", answer.text);
                        let query = "order_key=order&amount=sum&date=on";
                        settle(&api, query, statement).await
                    }
                };
                shown.extend(ids(&seen["matched"]).into_iter().map(str::to_owned));
            }
            shown.sort();
            assert_eq!(shown, ["A", "B"]);
            assert_eq!(named(&api).await, ["A", "B"]);
        }
    }

    /// Wherever a call is cut off, the same statement again finishes it, and another one takes
    /// nothing of what it has shown.
    #[tokio::test(start_paused = true)]
    async fn an_import_that_broke_off_is_finished_by_the_next() {
        let query = "order_key=order&amount=sum&date=on";
        let (one, other) = ("order,sum,on\n1,5,1.6\n", "order,sum,on\n1,5,2.6\n");
        let mut whole = false;
        for position in 0.. {
            for fault in [Fault::Cut, Fault::CutAfter] {
                for again in [[one, other], [other, one]] {
                    let api = alike().await;
                    api.memory
                        .script(std::iter::repeat_n(Fault::None, position).chain([fault]));
                    let begun = settle(&api, query, one);
                    let begun = tokio::time::timeout(Duration::from_secs(5), begun).await;
                    whole = begun.is_ok();
                    api.memory.script([]);
                    let mut matched = Vec::new();
                    for statement in again {
                        let address = format!("{PERIOD}&{query}");
                        let seen = loop {
                            let answer = api.call("POST", &address, "text/csv", statement).await;
                            if answer.status == 200 {
                                break answer.json();
                            }
                            tokio::time::sleep(Duration::from_secs(7)).await;
                        };
                        matched.extend(ids(&seen["matched"]).into_iter().map(str::to_owned));
                    }
                    matched.sort();
                    assert_eq!(matched, ["A", "B"], "{fault:?} at {position}");
                    assert_eq!(named(&api).await, ["A", "B"], "{fault:?} at {position}");
                    for id in ["A", "B"] {
                        let payment = api.get(&format!("payments/{id}")).await.json();
                        assert!(payment["settlement"].is_u64(), "{fault:?} at {position}");
                    }
                }
            }
            if whole {
                assert!(position > 10, "{position}");
                break;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rows_that_cannot_be_read_are_named_with_all_that_is_wrong() {
        let api = recorded().await;
        let long = "p".repeat(37);
        let statement = format!("id,sum\n,5\n{long},x\nP,\nP,10\n");
        let seen = settle(&api, "payment_id=id&amount=sum", &statement).await;
        let errors: Vec<_> = seen["errors"].as_array().unwrap().iter().collect();
        let fields = |position: usize| -> Vec<_> {
            let errors = errors[position]["errors"].as_array().unwrap().iter();
            errors
                .map(|error| format!("{}: {}", error["field"], error["detail"]))
                .collect()
        };
        assert_eq!(
            errors.iter().map(|e| &e["row"]).collect::<Vec<_>>(),
            [2, 3, 4]
        );
        assert_eq!(fields(0), ["\"id\": \"is empty\""]);
        assert_eq!(fields(1).len(), 2);
        assert_eq!(fields(2), ["\"sum\": \"is empty\""]);
        assert_eq!(ids(&seen["matched"]), ["P"]);
        let by_order = settle(&api, "order_key=id&amount=sum", "id,sum\n,5\n").await;
        assert_eq!(by_order["errors"][0]["errors"][0]["field"], "id");
    }

    #[tokio::test(start_paused = true)]
    async fn a_statement_that_cannot_be_compared_is_refused_as_a_whole() {
        let api = Api::new();
        let table = "id,sum\nP,1\n";
        let rows = |count: usize| format!("id,sum\n{}", "P,1\n".repeat(count));
        for (address, body, status, said) in [
            (
                "settlement?from=2026-06-01&payment_id=id&amount=sum",
                table,
                400,
                "Give from and to",
            ),
            (
                "settlement?to=2026-06-01&payment_id=id&amount=sum",
                table,
                400,
                "Give from and to",
            ),
            (
                &format!("{PERIOD}&payment_id=id"),
                table,
                400,
                "Give from and to",
            ),
            (
                &format!("{PERIOD}&amount=sum"),
                table,
                400,
                "Give in payment_id",
            ),
            (
                &format!("{PERIOD}&payment_id=x&amount=sum"),
                table,
                400,
                "payment_id is no column",
            ),
            (
                &format!("{PERIOD}&order_key=x&amount=sum"),
                table,
                400,
                "order_key is no column",
            ),
            (
                &format!("{PERIOD}&payment_id=id&amount=x"),
                table,
                400,
                "amount is no column",
            ),
            (
                &format!("{PERIOD}&payment_id=id&amount=sum&date=x"),
                table,
                400,
                "date is no column",
            ),
            (
                &format!("{PERIOD}&payment_id=id&amount=sum"),
                &rows(2001),
                413,
                "2000 rows",
            ),
            (
                &format!("{PERIOD}&payment_id=id&amount=sum"),
                &rows(2000),
                200,
                "not_recorded",
            ),
        ] {
            let answer = api.call("POST", address, "text/csv", body).await;
            assert_eq!(answer.status, status, "{address}: {}", answer.text);
            assert!(answer.text.contains(said), "{address}: {}", answer.text);
        }
    }
}
