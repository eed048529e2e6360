//! `POST /api/settlement`: a statement of the bank, the treasury or MPay, compared with what is
//! recorded.

use std::collections::{BTreeMap, HashMap, HashSet};

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
    json::{FieldError, SettlementJson},
    store::{Platform, Span, StoredPayment},
};

/// How many rows a statement has at most, and how many payments its period.
const MAX_ROWS: usize = 2000;
const MAX_PAYMENTS: usize = 5000;
const PAGE: usize = 200;

/// Which columns of the statement say what.
struct Mapping<'a> {
    payment_id: Option<&'a str>,
    order_key: Option<&'a str>,
    amount: &'a str,
    date: Option<&'a str>,
}

/// Rows of the statement about one payment: a statement may have one for each line.
#[derive(Serialize)]
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
    #[serde(skip)]
    sum: Money,
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
    let names = ["payment_id", "order_key", "amount", "date", "from", "to"];
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
    ]) {
        if let Some(column) = column
            && !sheet.columns().iter().any(|name| name == column)
        {
            return Err(Problem::field(parameter, "is no column of the statement"));
        }
    }
    let (shown, errors) = read(&sheet, &mapping)?;
    let recorded = recorded(call, span).await?;
    let (mut comparison, new) = compare(call, shown, recorded).await?;
    comparison.sha256 = sha256(body);
    comparison.errors = errors;
    if !new.is_empty() {
        let settlement = SettlementJson {
            sha256: comparison.sha256.clone(),
            payments: new,
            by: call.caller.to_owned(),
        };
        comparison.settlement = Some(call.store.settle(&settlement).await?);
    }
    json(StatusCode::OK, &comparison)
}

/// What the statement shows, rows of one PaymentID together.
fn read(sheet: &Sheet, mapping: &Mapping<'_>) -> Result<(Vec<Shown>, Vec<WrongRow>), Problem> {
    let (mut shown, mut errors) = (Vec::<Shown>::new(), Vec::new());
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for (count, (row, cells)) in sheet.rows().enumerate() {
        if count >= MAX_ROWS {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("A statement has {MAX_ROWS} rows at most; send it in parts."),
            ));
        }
        let next = match read_row(row, &cells, mapping) {
            Ok(next) => next,
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
        sum,
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
        found.extend(call.store.payments(page.entries).await?);
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

/// Compares; gives also the PaymentIDs that are settled only now.
async fn compare<P: Platform>(
    call: &Call<'_, P>,
    shown: Vec<Shown>,
    recorded: Vec<StoredPayment>,
) -> Result<(Comparison, Vec<String>), Problem> {
    let in_period: HashSet<String> = recorded
        .iter()
        .map(|p| p.payment.payment_id.clone())
        .collect();
    let mut elsewhere = Vec::new();
    for id in shown.iter().filter_map(|shown| shown.payment_id.as_ref()) {
        if !in_period.contains(id)
            && let Ok(id) = PaymentId::parse(id)
        {
            elsewhere.push(id);
        }
    }
    let mut left: BTreeMap<u64, StoredPayment> = recorded
        .into_iter()
        .chain(call.store.payments_by_id(&elsewhere).await?)
        .map(|payment| (payment.index, payment))
        .collect();
    let by_id: HashMap<String, u64> = left
        .values()
        .map(|payment| (payment.payment.payment_id.clone(), payment.index))
        .collect();
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
    // A row without a PaymentID must not take the payment that another one names.
    let (named, others): (Vec<_>, Vec<_>) = shown
        .into_iter()
        .partition(|shown| shown.payment_id.is_some());
    for shown in named.into_iter().chain(others) {
        let index = match (&shown.payment_id, &shown.order_key) {
            (Some(id), _) => by_id.get(id).copied(),
            (None, key) => left
                .values()
                .find(|payment| {
                    key.as_ref() == Some(&payment.payment.order_key) && total(payment) == shown.sum
                })
                .map(|payment| payment.index),
        };
        match index.and_then(|index| left.remove(&index)) {
            None => comparison.not_recorded.push(shown),
            Some(payment) if total(&payment) == shown.sum => {
                if payment.settled.is_none() {
                    new.push(payment.payment.payment_id.clone());
                }
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
    // Those of other times are gone: they were looked up because a row names them.
    let unsettled = left
        .into_values()
        .filter(|payment| payment.settled.is_none());
    comparison.not_settled = unsettled.map(|p| Known::new(p, Vec::new(), None)).collect();
    Ok((comparison, new))
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
    use crate::store::testing::{record, register};

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
