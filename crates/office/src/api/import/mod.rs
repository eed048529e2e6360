//! `POST /api/orders/import`: many orders at once, each judged for itself.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    ops::Range,
};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;
use tables::{RowKind, Sheet, Table, Value};

#[cfg(feature = "description")]
use super::description::{FILE, Operation, example};
use super::{
    Call, Problem, checks,
    endpoint::Endpoint,
    file, order_table,
    orders::{accept, keeping_status, not_changed, refunded_by_right},
    query::Query,
    table,
};
use crate::{
    access::CLERKS,
    domain::{Money, OrderKey, OrderState, OrderStatus, ServiceId},
    json::{FieldError, OrderJson},
    store::{Intent, Platform, Registered},
};
#[cfg(feature = "description")]
use serde_json::json;

/// How many orders one call takes.
pub const MAX_ROWS: usize = 500;
/// What programs put before UTF-8 by which to know it.
const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// What became of a row.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RowResult {
    /// Its number: that of the line of a document, or of the row as spreadsheets show it.
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    /// `created`, `amended`, `unchanged`, or `error`; of a table also `skipped`, for a row of totals.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldError>,
    /// What the order is about in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_amount_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

impl RowResult {
    /// What is wrong, by the columns as the table writes them.
    fn in_words_of(self, table: &Table) -> Self {
        Self {
            errors: order_table::in_its_words(table, self.errors),
            warnings: order_table::in_its_words(table, self.warnings),
            ..self
        }
    }

    fn of(row: usize, json: Option<&OrderJson>, result: &'static str) -> Self {
        Self {
            row,
            service_id: json.and_then(|json| json.service_id.clone()),
            order_key: json.and_then(|json| json.order_key.clone()),
            result,
            detail: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            total_amount_due: None,
            currency: None,
        }
    }

    fn refused(row: usize, json: Option<&OrderJson>, problem: Problem) -> Self {
        let (detail, errors) = problem.into_parts();
        Self {
            detail: Some(detail),
            errors,
            ..Self::of(row, json, "error")
        }
    }
}

/// A row of whatever kind of body, before it is judged.
struct ReadRow {
    row: usize,
    json: OrderJson,
    derived_status: Option<OrderStatus>,
    /// What could not be read of it.
    errors: Vec<FieldError>,
}

/// A row that names its order.
struct Candidate {
    row: usize,
    json: OrderJson,
    derived_status: Option<OrderStatus>,
    key: (ServiceId, OrderKey),
}

/// `POST /api/orders/import`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "orders/import",
        roles: &CLERKS,
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            let line = schemas.request::<crate::json::OrderJson>();
            let order = example([("service_id", "TAX"), ("order_key", "2026-0001")]);
            Operation::new("orders", "importOrders", "Registers or amends up to 500 orders")
                .describe("Each as `PUT` would, for itself, as lines of JSON or rows of CSV or XLSX. The first row that has a column `order_key` names the columns, as the export has them. The answer has a line or row for each, in the same format; that of a table ends with the totals. `service_id` may be left out where there is one service, or the parameter names one.")
                .takes(["strict", "dry_run", "encoding", "columns", "batch", "own_service_id"])
                .body(json!({
                    "application/x-ndjson": {
                        "schema": line,
                        "examples": {"order": {"summary": "A line", "value": order}}
                    },
                    "text/csv": {
                        "schema": {"type": "string"},
                        "examples": {"order": {"summary": "A table of one order", "value": "service_id,order_key,reason,line_id,line_reason,amount_due\r\nTAX,2026-0001,Taxă,1,Taxă locală,125.50\r\n"}}
                    },
                    (table::XLSX): {},
                    (table::BYTES): table::bytes()
                }))
                .answers(200, "What became of each; the schema is that of a line.", json!({
                    "application/x-ndjson": {"schema": schemas.answer::<RowResult>()},
                    "text/csv": {"schema": {"type": "string"}},
                    (table::XLSX): {}
                }))
                .header(200, "Content-Disposition", true, FILE)
                .fails([413, 415, 422])
        },
    }
}

/// Registers or amends the orders of a document, as `PUT` does with each, and answers a line for
/// each row in the same format.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    // A wrong parameter is wrong for all rows, and said once.
    let query = Query::read(
        call.query,
        &[
            "strict",
            "dry_run",
            "encoding",
            "columns",
            "batch",
            "service_id",
        ],
    )?;
    let flag = [("true", true), ("false", false)];
    let is_strict = query.word("strict", &flag)? == Some(true);
    let intent = match query.word("dry_run", &flag)? {
        Some(true) => Intent::Try,
        _ => Intent::Make {
            by: &call.caller.name,
        },
    };
    let batch = query.parsed("batch", |text| {
        text.parse::<NonZeroUsize>()
            .map_err(|_| "must be a whole number, from 1")
    })?;
    let service = query.parsed("service_id", ServiceId::parse)?;
    let part = |rows| part_of(rows, batch, service.as_ref());
    let media_type = table::media_type(call.headers);
    if media_type == LINES {
        let rows = part(rows_of_lines(body)?)?;
        let results = import(call, rows, is_strict, intent).await?;
        return lines(&results);
    }
    if !table::is_table(&media_type) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "Orders are imported as `Content-Type: text/csv`, `{}` or `application/x-ndjson`.",
                table::XLSX
            ),
        ));
    }
    let table = table::read(body, &query, &["order_key"])?;
    let unknown = order_table::unknown_columns(&table);
    if !unknown.is_empty() {
        return Err(Problem::fields(unknown));
    }
    let (totals, rows) = rows_of_table(&table);
    let rows = part(rows)?;
    let within = rows.within.clone();
    let mut results = import(call, rows, is_strict, intent).await?;
    results.extend(totals.into_iter().filter(|row| within.contains(&row.row)));
    results.sort_by_key(|result| result.row);
    let results = results.into_iter();
    let results: Vec<_> = results.map(|result| result.in_words_of(&table)).collect();
    let accepts = call.headers.get(header::ACCEPT);
    match accepts.is_some_and(|accepted| accepted == LINES) {
        true => lines(&results),
        false => answer(&table, intent, results),
    }
}

/// The media type of lines of JSON.
const LINES: &str = "application/x-ndjson";

/// The answer as lines of JSON.
fn lines(results: &[RowResult]) -> Result<Response<Bytes>, Problem> {
    let mut lines = Vec::new();
    for result in results {
        serde_json::to_writer(&mut lines, result).map_err(Problem::internal)?;
        lines.push(b'\n');
    }
    file(LINES, "import.ndjson", lines)
}

/// The answer about a table, as that one is written, with the totals as its last row.
fn answer(
    table: &Table,
    intent: Intent<'_>,
    results: Vec<RowResult>,
) -> Result<Response<Bytes>, Problem> {
    let format = table::format_of(table.source());
    let columns = [
        ("row", Value::Number),
        ("service_id", Value::Text),
        ("order_key", Value::Text),
        ("result", Value::Text),
        ("detail", Value::Text),
        ("warnings", Value::Text),
    ];
    let mut sheet = Sheet::new(format, &columns);
    let totals = totals(table, intent, &results);
    for result in results {
        let detail = if result.errors.is_empty() {
            result.detail.unwrap_or_default()
        } else {
            sentence(result.errors)
        };
        sheet.row(&[
            result.row.to_string(),
            result.service_id.unwrap_or_default(),
            result.order_key.unwrap_or_default(),
            result.result.to_owned(),
            detail,
            sentence(result.warnings),
        ]);
    }
    sheet.row(&["", "", "", "total", &totals, ""]);
    table::into_response(sheet, format, "import")
}

/// How many rows became what, and what the orders of each kind are about: `2 created (110.50 MDL)`.
fn totals(table: &Table, intent: Intent<'_>, results: &[RowResult]) -> String {
    let kinds = ["created", "amended", "unchanged", "error", "skipped"];
    let counts = kinds.into_iter().filter_map(|kind| {
        let of_kind: Vec<_> = results.iter().filter(|row| row.result == kind).collect();
        if of_kind.is_empty() {
            return None;
        }
        let mut sums: BTreeMap<&str, Money> = BTreeMap::new();
        for row in &of_kind {
            let amount = row.total_amount_due.as_ref();
            let amount = amount.and_then(|amount| Money::parse(amount).ok());
            if let (Some(amount), Some(currency)) = (amount, &row.currency) {
                let sum = sums.entry(currency).or_default();
                *sum = *sum + amount;
            }
        }
        let sums: Vec<_> = sums
            .iter()
            .map(|(currency, sum)| format!("{sum} {currency}"))
            .collect();
        let count = of_kind.len();
        Some(match sums.as_slice() {
            [] => format!("{count} {kind}"),
            sums => format!("{count} {kind} ({})", sums.join(", ")),
        })
    });
    let counts: Vec<_> = counts.collect();
    let counts = match counts.as_slice() {
        [] => "no rows".to_owned(),
        counts => counts.join(", "),
    };
    let tried = match intent {
        Intent::Try => "nothing is written: dry_run; ",
        Intent::Make { .. } => "",
    };
    format!("{tried}{counts}; read as {}", table.source())
}

fn sentence(errors: Vec<FieldError>) -> String {
    let errors: Vec<_> = errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.detail))
        .collect();
    errors.join("; ")
}

/// A row, or at once what became of it.
type Rows = Vec<Result<ReadRow, Box<RowResult>>>;

/// A part of the orders of a document.
struct Part {
    before: Rows,
    rows: Rows,
    /// The numbers of rows from its first order to before that of the next part.
    within: Range<usize>,
}

/// The part of so many orders as one call takes.
///
/// Orders that name no service are of the one that is given.
fn part_of(
    mut rows: Rows,
    batch: Option<NonZeroUsize>,
    service: Option<&ServiceId>,
) -> Result<Part, Problem> {
    for read in rows.iter_mut().flatten() {
        let named = &mut read.json.service_id;
        if named.is_none() {
            *named = service.map(ToString::to_string);
        }
    }
    if batch.is_none() && rows.len() > MAX_ROWS {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("One call takes {MAX_ROWS} orders at most; send the others in another."),
        ));
    }
    let number = |row: &Result<ReadRow, Box<RowResult>>| match row {
        Ok(read) => read.row,
        Err(result) => result.row,
    };
    let begin = batch.map_or(0, |batch| (batch.get() - 1).saturating_mul(MAX_ROWS));
    let begin = begin.min(rows.len());
    let end = (begin + MAX_ROWS).min(rows.len());
    let first = match begin {
        0 => 0,
        begin => rows.get(begin).map_or(usize::MAX, number),
    };
    let within = first..rows.get(end).map_or(usize::MAX, number);
    rows.truncate(end);
    let mine = rows.split_off(begin);
    Ok(Part {
        before: rows,
        rows: mine,
        within,
    })
}

/// The rows of totals, and those that are orders.
fn rows_of_table(table: &Table) -> (Vec<RowResult>, Rows) {
    let (mut totals, mut rows) = (Vec::new(), Vec::new());
    for (row, kind) in table.rows().zip(table.kinds(&["order_key"])) {
        if kind == RowKind::Total {
            totals.push(RowResult {
                detail: Some("a row of totals".to_owned()),
                ..RowResult::of(row.number(), None, "skipped")
            });
            continue;
        }
        let read = order_table::read(&row);
        rows.push(Ok(ReadRow {
            row: row.number(),
            json: read.json,
            derived_status: read.derived_status,
            errors: read.errors,
        }));
    }
    (totals, rows)
}

fn rows_of_lines(body: &[u8]) -> Result<Rows, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The document is not UTF-8."))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let rows = lines.map(|(position, line)| {
        let row = position + 1;
        match super::document::read_object(line.as_bytes()) {
            Ok(json) => Ok(ReadRow {
                row,
                json,
                derived_status: None,
                errors: Vec::new(),
            }),
            Err(problem) => Err(RowResult::refused(row, None, problem).into()),
        }
    });
    Ok(rows.collect())
}

async fn import<P: Platform>(
    call: &Call<'_, P>,
    part: Part,
    is_strict: bool,
    intent: Intent<'_>,
) -> Result<Vec<RowResult>, Problem> {
    let (mut results, mut candidates) = (Vec::with_capacity(part.rows.len()), Vec::new());
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    // An order is in a file once, whatever part it is in.
    for read in part.before.into_iter().flatten() {
        let json = with_only_service(call, read.json);
        if let (Some(service), Some(key), _) = address(call, &json) {
            seen.entry((service.to_string(), key.folded()))
                .or_insert(read.row);
        }
    }
    for row in part.rows {
        let read = match row {
            Ok(read) => read,
            Err(result) => {
                results.push(*result);
                continue;
            }
        };
        match candidate(call, read, is_strict) {
            Ok(candidate) => {
                let same = (candidate.key.0.to_string(), candidate.key.1.folded());
                match seen.get(&same) {
                    None => {
                        seen.insert(same, candidate.row);
                        candidates.push(candidate);
                    }
                    Some(first) => {
                        let problem = Problem::member(
                            "order_key",
                            format!(
                                "is that of row {first}, or one that payers would confuse with it"
                            ),
                        );
                        let json = Some(&candidate.json);
                        results.push(RowResult::refused(candidate.row, json, problem));
                    }
                }
            }
            Err(result) => results.push(*result),
        }
    }
    let keys: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.key.clone())
        .collect();
    let now = call.store.now();
    let other_status = RefCell::new(HashMap::new());
    let changed = call
        .store
        .orders()
        .change_many(intent, &keys, |position, state| {
            let candidate = candidates
                .get(position)
                .ok_or_else(|| Problem::internal("a row that is not there"))?;
            if let Some(said) = candidate.derived_status {
                let is = state.order().map(|_| state.status(now));
                other_status
                    .borrow_mut()
                    .insert(position, says_otherwise(said, is));
            }
            let json = keeping_status(candidate.json.clone(), state);
            let (service, key) = &candidate.key;
            let order = accept(call, service, key, json, state, is_strict)?;
            refunded_by_right(call.caller, state, order)
        })
        .await;
    for (position, (candidate, changed)) in candidates.into_iter().zip(changed).enumerate() {
        let json = Some(&candidate.json);
        results.push(match changed {
            Ok(registered) => RowResult {
                warnings: other_status
                    .borrow_mut()
                    .remove(&position)
                    .flatten()
                    .into_iter()
                    .chain(checks::warnings(&candidate.json))
                    .collect(),
                service_id: Some(candidate.key.0.to_string()),
                order_key: Some(candidate.key.1.to_string()),
                total_amount_due: amount(&candidate.json).map(|amount| amount.to_string()),
                currency: Some(currency(&candidate.json).to_owned()),
                ..RowResult::of(
                    candidate.row,
                    None,
                    match registered {
                        Registered::Created => "created",
                        Registered::Amended => "amended",
                        Registered::Unchanged => "unchanged",
                    },
                )
            },
            Err(error) => RowResult::refused(candidate.row, json, not_changed(error)),
        });
    }
    results.sort_by_key(|result| result.row);
    Ok(results)
}

/// What a row says of the status, where only payments and dates make it so and they do not.
fn says_otherwise(said: OrderStatus, is: Option<OrderStatus>) -> Option<FieldError> {
    let is = is.unwrap_or(OrderStatus::Active);
    (is != said).then(|| {
        let (said, is) = (said.as_str(), is.as_str());
        let detail =
            format!("is not set to {said}, which follows from payments and dates: it was {is}");
        FieldError::new("status", detail)
    })
}

/// What an order is about in all, where its lines have amounts.
fn amount(json: &OrderJson) -> Option<Money> {
    let amounts = json.lines.iter().map(|line| line.amount_due.as_deref());
    let amounts: Option<Vec<_>> = amounts
        .map(|amount| amount.and_then(|amount| Money::parse(amount).ok()))
        .collect();
    Some(amounts?.into_iter().sum())
}

fn currency(json: &OrderJson) -> &str {
    json.currency.as_deref().unwrap_or("MDL")
}

/// A document with its service, where that is the only one.
fn with_only_service<P: Platform>(call: &Call<'_, P>, mut json: OrderJson) -> OrderJson {
    let mut services = call.config.service_ids();
    if let (None, Some(only), None) = (&json.service_id, services.next(), services.next()) {
        json.service_id = Some(only.to_string());
    }
    json
}

/// The order that a row is about; or everything that is wrong with it.
fn candidate<P: Platform>(
    call: &Call<'_, P>,
    read: ReadRow,
    is_strict: bool,
) -> Result<Candidate, Box<RowResult>> {
    let ReadRow {
        row,
        mut json,
        derived_status,
        errors,
    } = read;
    json = with_only_service(call, json);
    let (service, key, mut wrong) = address(call, &json);
    let key = match (service, key) {
        (Some(service), Some(key)) if errors.is_empty() => {
            let key = (service, key);
            return Ok(Candidate {
                row,
                json,
                derived_status,
                key,
            });
        }
        key => key,
    };
    // What else is wrong is found out without the store, where the row is refused anyway.
    let others = match key {
        (Some(service), key) => {
            let key = key.or_else(|| {
                json.order_key = None;
                OrderKey::parse("-").ok()
            });
            let key = key.ok_or_else(|| {
                RowResult::refused(row, None, Problem::internal("a key that is none"))
            })?;
            let nothing = OrderState::default();
            let judged = accept(call, &service, &key, json.clone(), &nothing, is_strict);
            judged.err().map(|problem| problem.into_parts().1)
        }
        // A service that is not known may have given texts.
        (None, _) => json.to_order().err().map(|mut errors| {
            errors
                .retain(|error| !(error.field.ends_with("reason") && error.detail == "is missing"));
            errors
        }),
    };
    let is_told = |error: &FieldError| ["service_id", "order_key"].contains(&error.field.as_str());
    let others = others.unwrap_or_default().into_iter();
    wrong.extend(others.filter(|error| !is_told(error)));
    let problem = Problem::fields(order_table::together(errors, wrong));
    Err(RowResult::refused(row, Some(&json), problem).into())
}

/// Which order a row is about, and what is wrong with the names of it.
fn address<P: Platform>(
    call: &Call<'_, P>,
    json: &OrderJson,
) -> (Option<ServiceId>, Option<OrderKey>, Vec<FieldError>) {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| {
        errors.push(FieldError::new(field, detail));
    };
    let service = match json.service_id.as_deref().map(ServiceId::parse) {
        Some(Ok(service)) if call.config.service(&service).is_some() => Some(service),
        given => {
            wrong(
                "service_id",
                match given {
                    None => "is missing; there is more than one service".to_owned(),
                    Some(Err(error)) => error.to_string(),
                    Some(Ok(_)) => {
                        "is not served here: the variables service_ids and services do not name it"
                            .to_owned()
                    }
                },
            );
            None
        }
    };
    let key = match json.order_key.as_deref().map(OrderKey::parse) {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            wrong("order_key", error.to_string());
            None
        }
        None => {
            wrong("order_key", "is missing".to_owned());
            None
        }
    };
    (service, key, errors)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tables::{Table, Value};

    use super::super::testing::{Answer, Api};

    const HEAD: &str = "service_id,order_key,reason,line_id,line_reason,amount_due";

    async fn import(api: &Api, media_type: &str, body: &str) -> Answer {
        api.call("POST", "orders/import", media_type, body).await
    }

    fn row(key: &str) -> String {
        format!("TAX,{key},Taxă,1,Taxă,5")
    }

    fn document(key: &str) -> serde_json::Value {
        json!({
            "service_id": "TAX", "order_key": key, "reason": "Taxă",
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "5"}]
        })
    }

    #[tokio::test(start_paused = true)]
    async fn an_import_takes_five_hundred_orders_and_no_more() {
        let api = Api::new();
        for (count, status) in [(500, 200), (501, 413)] {
            let rows: Vec<_> = (0..count).map(|n| row(&n.to_string())).collect();
            let table = format!("{HEAD}\n{}", rows.join("\n"));
            let answer = import(&api, "text/csv", &table).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }
        let found = api.get("orders/TAX/500").await;
        assert_eq!(found.status, 404, "nothing of it is registered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_without_a_status_leaves_the_order_the_one_it_was_given() {
        let api = Api::new();
        let mut cancelled = document("A");
        cancelled["status"] = json!("Cancelled");
        import(&api, "application/x-ndjson", &cancelled.to_string()).await;
        let answer = import(&api, "text/csv", &format!("{HEAD}\n{}", row("A"))).await;
        assert!(answer.text.contains(",unchanged,"), "{}", answer.text);
        let order = api.get("orders/TAX/A").await;
        assert_eq!(order.json()["status"], "Cancelled", "{}", order.text);
    }

    #[tokio::test(start_paused = true)]
    async fn a_status_that_follows_from_payments_is_not_set_and_said_where_it_differs() {
        let api = Api::new();
        let import = |key: &str, status: &str| {
            let table = format!("{HEAD},status\n{},{status}", row(key));
            let api = &api;
            async move { import(api, "text/csv", &table).await.text }
        };
        for (key, status, result, is_warned) in [
            ("A", "Active", "created", false),
            ("A", "Active", "unchanged", false),
            ("A", "Paid", "unchanged", true),
            ("B", "PartiallyPaid", "created", true),
            ("C", "Payed", "error", false),
        ] {
            let text = import(key, status).await;
            assert!(text.contains(&format!(",{result},")), "{text}");
            let warned = format!("is not set to {status}, which follows from payments");
            assert_eq!(text.contains(&warned), is_warned, "{text}");
        }
        for key in ["A", "B"] {
            let order = api.get(&format!("orders/TAX/{key}")).await;
            assert_eq!(order.json()["status"], "Active", "{}", order.text);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_rows_about_one_order_the_first_counts() {
        let api = Api::new();
        let rows = [row("A1"), row("B"), row(" a 1 "), row("A1"), row("b")].join("\n");
        let answer = import(
            &api,
            " TEXT/CSV ; charset=utf-8",
            &format!("{HEAD}\n\n{rows}"),
        )
        .await;
        assert_eq!(
            answer.header("content-disposition"),
            "attachment; filename=\"import.csv\""
        );
        let taken = "order_key is that of row";
        let or = "or one that payers would confuse with it";
        assert_eq!(
            answer.lines(),
            [
                "row,service_id,order_key,result,detail,warnings",
                "3,TAX,A1,created,,",
                "4,TAX,B,created,,",
                &format!("5,TAX,a 1,error,\"{taken} 3, {or}\","),
                &format!("6,TAX,A1,error,\"{taken} 3, {or}\","),
                &format!("7,TAX,b,error,\"{taken} 4, {or}\","),
                ",,,total,\"2 created (10.00 MDL), 3 error; read as CSV with commas, in UTF-8\",",
            ]
        );
        // In another service it is another order.
        let other = format!(
            "{HEAD}\n{}\n{}",
            row("A1"),
            row("A1").replace("TAX", "SCHOOL")
        );
        let answer = import(&api, "text/csv", &other).await;
        assert_eq!(
            answer.lines()[1..3],
            ["2,TAX,A1,unchanged,,", "3,SCHOOL,A1,created,,"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn lines_are_answered_in_their_order_with_all_that_is_wrong() {
        let api = Api::new();
        let mut unserved = document("1");
        (unserved["service_id"], unserved["order_key"]) = ("NONE".into(), "".into());
        let mut nobodys = document("2");
        nobodys.as_object_mut().unwrap().remove("service_id");
        nobodys.as_object_mut().unwrap().remove("order_key");
        let mut doubtful = document("3");
        doubtful["customer_id"] = "2000000000003".into();
        let body = format!(
            "\u{FEFF}{doubtful}\r\n\r\n{unserved}\n{nobodys}\n \n{{\n{}",
            document("4")
        );
        let answer = import(&api, "application/x-ndjson", &body).await;
        assert_eq!(
            answer.header("content-disposition"),
            "attachment; filename=\"import.ndjson\""
        );
        let lines: Vec<serde_json::Value> = answer
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let members = |member: &str| {
            lines
                .iter()
                .map(|line| line[member].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(members("row"), [1, 3, 4, 6, 7].map(serde_json::Value::from));
        let results = ["created", "error", "error", "error", "created"];
        assert_eq!(members("result"), results.map(serde_json::Value::from));
        assert_eq!(lines[0]["warnings"][0]["field"], "customer_id");
        let fields = |line: &serde_json::Value| -> Vec<serde_json::Value> {
            let errors = line["errors"].as_array().unwrap().iter();
            errors.map(|error| error["field"].clone()).collect()
        };
        for line in &lines[1..3] {
            assert_eq!(fields(line), ["service_id", "order_key"], "{line}");
        }
        assert_eq!(
            (&lines[1]["service_id"], &lines[1]["order_key"]),
            (&json!("NONE"), &json!(""))
        );
        assert_eq!(lines[2].get("service_id"), None);
        assert!(
            lines[1]["errors"][0]["detail"]
                .as_str()
                .unwrap()
                .contains("is not served here")
        );
    }

    const ACCOUNT: &str = "MD24AG000225100013104168,AGRNMD2X,1006601000255,Primaria Exemplu";

    /// The samples of `crates/tables/tests/files`, as an institution's people would import them.
    #[tokio::test(start_paused = true)]
    async fn tables_from_the_field_are_read_or_refused_with_the_reason() {
        let sample = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tables/tests/files");
            let table = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
            table.replace("DEMO", "TAX")
        };
        for (name, results) in [
            ("01-sep-line.csv", &[("created", "")][..]),
            (
                "05-scientific-key.csv",
                &[(
                    "error",
                    "order_key is 1.00012E+11: a spreadsheet has made a number of it",
                ); 2],
            ),
            ("09-bool-ro.csv", &[("created", "")]),
            ("13-date-dots.csv", &[("created", "")]),
            ("17-amount-comma.csv", &[("created", "")]),
            ("22-trailing-columns.csv", &[("created", "")]),
            (
                "27-lookalike.csv",
                &[
                    ("created", ""),
                    (
                        "error",
                        "order_key is that of row 2, or one that payers would confuse",
                    ),
                    ("created", ""),
                    (
                        "error",
                        "order_key is that of row 4, or one that payers would confuse",
                    ),
                    ("created", ""),
                ],
            ),
        ] {
            let api = Api::new();
            let answer = import(&api, "text/csv", &sample(name)).await;
            let table = answer.table();
            assert_eq!(table.len(), results.len() + 1, "{name}: {}", answer.text);
            for (row, (result, detail)) in table.iter().zip(results) {
                assert_eq!(row["result"], *result, "{name}: {}", answer.text);
                assert!(row["detail"].starts_with(detail), "{name}: {}", answer.text);
            }
            let order = async |key: &str| api.get(&format!("orders/TAX/{key}")).await.json();
            match name {
                "09-bool-ro.csv" => {
                    let order = order("F-09-bool-ro").await;
                    assert_eq!(order["allow_partial_payments"], true);
                    assert_eq!(order.get("allow_advance_payments"), None);
                }
                "13-date-dots.csv" => {
                    let due = order("F-13-date-dots").await["due_date"].clone();
                    assert!(due.as_str().unwrap().starts_with("2026-12-31"), "{due}");
                }
                "27-lookalike.csv" => {
                    assert_eq!(order("Z-1").await["order_key"], "Z-1");
                    assert_eq!(order("AC-77").await["amount_due"], "10.00");
                }
                "17-amount-comma.csv" => {
                    assert_eq!(order("F-17-amount-comma").await["amount_due"], "1250.50");
                }
                _ => {}
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_is_said_in_the_tables_own_words_and_all_at_once() {
        let api = Api::new();
        let table =
            "Registrul taxelor\n\n Service_ID ;Order_KEY;Reason;Line_Id;Line_Reason;Sold\nx;;;;;\n";
        let answer = import(&api, "text/csv", table).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(
            answer.text.contains("Sold is no column of an order"),
            "{}",
            answer.text
        );

        let head = " Service_ID ,ORDER_KEY,Reason,Line_Id,Line_Reason,Amount  ,Due_Date,Allow_Partial_Payments,Bank_Account,Bank_Code,Bank_Fiscal_Code,Beneficiary_Name";
        let head = head.replace("Amount  ", "  Amount_DUE ");
        let table = format!(
            "Registrul\n\n{head}\nTAX,#REF!,,1,Taxă,1.250,12/31/2026,poate,MD24AG000225100013104169,AGRNMD2X,6601000255123,x\nTAX,A,Taxă,1,Taxă,\"-5,00\",,,{ACCOUNT},beyond\n,,,,,\"5,00\",,,,,,\n"
        );
        let answer = import(&api, "text/csv", &table).await;
        let rows = answer.table();
        let fields = |row: usize| -> Vec<String> {
            let details = rows[row]["detail"].split("; ");
            let names = details.map(|detail| detail.split(' ').next().unwrap().to_owned());
            names
                .filter(|name| name.contains('_') || name == "Reason" || name == "M")
                .collect()
        };
        assert_eq!(rows[0]["row"], "4");
        assert_eq!(
            fields(0),
            [
                "ORDER_KEY",
                "Reason",
                "Amount_DUE",
                "Due_Date",
                "Allow_Partial_Payments",
                "Bank_Account"
            ],
            "{}",
            answer.text
        );
        assert_eq!(fields(1), ["Amount_DUE", "M"], "{}", answer.text);
        // An amount alone, which is no sum of those above it, is an order without its key.
        assert!(
            rows[2]["detail"].contains("ORDER_KEY is missing"),
            "{}",
            answer.text
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_says_what_would_happen_and_writes_nothing() {
        let api = Api::new();
        import(
            &api,
            "text/csv",
            &format!("{HEAD}\n{}\n{}", row("A"), row("B")),
        )
        .await;
        let before = api.get("events").await.text;
        let table = format!(
            "{HEAD}\n{}\n{}\n{}\nTAX,D,,1,Taxă,5\nTAX,B,Taxă,1,Taxă,x",
            row("A"),
            row("B").replace(",5", ",6.50"),
            row("C")
        );
        let answer = api
            .call("POST", "orders/import?dry_run=true", "text/csv", &table)
            .await;
        let rows = answer.table();
        let results: Vec<_> = rows.iter().map(|row| row["result"].as_str()).collect();
        assert_eq!(
            results,
            ["unchanged", "amended", "created", "error", "error", "total"]
        );
        assert_eq!(
            rows[5]["detail"],
            "nothing is written: dry_run; 1 created (5.00 MDL), 1 amended (6.50 MDL), 1 unchanged (5.00 MDL), 2 error; read as CSV with commas, in UTF-8"
        );
        assert_eq!(api.get("events").await.text, before);
        // And then it happens.
        let answer = api
            .call("POST", "orders/import?dry_run=false", "text/csv", &table)
            .await;
        let made: Vec<_> = answer
            .table()
            .iter()
            .map(|row| row["result"].clone())
            .collect();
        assert_eq!(made, results);
        let lines = format!("{}\n", document("Z"));
        let answer = api
            .call(
                "POST",
                "orders/import?dry_run=true",
                "application/x-ndjson",
                &lines,
            )
            .await;
        assert_eq!(answer.json()["result"], "created");
        assert_eq!(api.get("orders/TAX/Z").await.status, 404);
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_is_written_as_the_table_was() {
        let api = Api::new();
        let bytes: Vec<u8> = [
            &b"order_key;service_id;reason;line_id;line_reason;amount_due\r\n"[..],
            b"A;TAX;\xCF\xEB\xE0\xF2\xE0 \xE7\xE0 \xF3\xF7\xB8\xE1\xF3;1;\xCA\xF3\xF0\xF1;1 250,50 lei\r\n;;;;;1250,50\r\n",
        ]
        .concat();
        let answer = api.call("POST", "orders/import", "text/csv", &bytes).await;
        assert_eq!(
            answer.lines(),
            [
                "row;service_id;order_key;result;detail;warnings",
                "2;TAX;A;created;;",
                "3;;;skipped;a row of totals;",
                ";;;total;\"1 created (1250.50 MDL), 1 skipped; read as CSV with semicolons, in windows-1251, found out from its letters\";",
            ]
        );
        let order = api.get("orders/TAX/A").await.json();
        assert_eq!(order["reason"], "Плата за учёбу");
        // In the wrong encoding, if somebody says so; and in none.
        for (encoding, status) in [("windows-1250", 200), ("utf-8", 400), ("koi8-r", 400)] {
            let address = format!("orders/import?encoding={encoding}&dry_run=true");
            let answer = api.call("POST", &address, "text/csv", &bytes).await;
            assert_eq!(answer.status, status, "{}", answer.text);
        }

        let mut sheet = tables::Sheet::new(
            tables::Format::Xlsx,
            &[
                ("order_key", Value::Text),
                ("reason", Value::Text),
                ("line_id", Value::Number),
                ("line_reason", Value::Text),
                ("amount_due", Value::Amount),
                ("service_id", Value::Text),
            ]
            .map(|(name, kind): (&str, Value)| (name, kind)),
        );
        sheet.row(&["000012", "Taxă", "1", "Taxă", "10.05", "TAX"]);
        let workbook = sheet.finish().unwrap();
        let answer = api
            .bytes("POST", "orders/import", super::table::XLSX, &workbook)
            .await;
        assert_eq!((answer.0, answer.1.as_str()), (200, super::table::XLSX));
        let read = Table::read(&answer.2, &tables::Options::default()).unwrap();
        let row = read.rows().next().unwrap();
        assert_eq!(row.cell("result").text().unwrap().unwrap(), "created");
        assert_eq!(
            api.get("orders/TAX/000012").await.json()["amount_due"],
            "10.05"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_list_of_orders_is_refused_as_a_whole() {
        let api = Api::new();
        for (media_type, body, status, said) in [
            ("application/json", "{}", 415, "text/csv"),
            ("text/csvx", "a", 415, "text/csv"),
            ("text/csv", "", 400, "The table is empty"),
            (
                "text/csv",
                "order_key,what",
                422,
                "is no column of an order",
            ),
            (
                "text/csv",
                "order_key,what,order_key",
                422,
                "has the column order_key twice",
            ),
            ("application/x-ndjson", "\u{0}", 200, "error"),
        ] {
            let answer = import(&api, media_type, body).await;
            assert_eq!(
                answer.status, status,
                "{media_type} {body:?}: {}",
                answer.text
            );
            assert!(
                answer.text.contains(said),
                "{media_type} {body:?}: {}",
                answer.text
            );
        }
        let answer = api
            .call("POST", "orders/import", "application/x-ndjson", b"\xff")
            .await;
        assert_eq!(answer.status, 400);
    }

    #[tokio::test(start_paused = true)]
    async fn columns_that_are_called_otherwise_are_named_and_batches_are_of_one_file() {
        let api = Api::new();
        let columns = super::super::encode(
            r#"{"Nr": "order_key", "Suma": "amount_due", "Scop": "reason", "Obs": ""}"#,
        );
        let mut table = "Nr;Suma;Scop;Obs\n".to_owned();
        for n in 0..501 {
            table.push_str(&format!("N-{n};1;x;o\n"));
        }
        table.push_str("N-0;1;x;o\nN-700;mult;x;o\nTotal;503;;\n");
        let import = async |more: &str| {
            let address = format!("orders/import?service_id=TAX&columns={columns}{more}");
            api.call("POST", &address, "text/csv", &table).await
        };
        assert_eq!(import("").await.status, 413);
        for wrong in ["&batch=0", "&batch=x"] {
            assert_eq!(import(wrong).await.status, 400, "{wrong}");
        }
        let rows = import("&batch=1").await.table();
        assert_eq!(rows.len(), 501);
        assert_eq!(
            rows[500]["detail"].split("; ").next(),
            Some("500 created (500.00 MDL)")
        );
        let rows = import("&batch=2").await.table();
        let results: Vec<_> = rows.iter().map(|row| row["result"].as_str()).collect();
        assert_eq!(results, ["created", "error", "error", "skipped", "total"]);
        assert!(
            rows[1]["detail"].contains("is that of row 2"),
            "{}",
            rows[1]["detail"]
        );
        assert!(
            rows[2]["detail"].starts_with("Suma must be"),
            "{}",
            rows[2]["detail"]
        );
        let rows = import("&batch=3").await.table();
        assert_eq!(rows.len(), 1);
        let line = &api.get("orders/TAX/N-500").await.json()["lines"][0];
        assert_eq!(
            (&line["line_id"], &line["reason"]),
            (&"1".into(), &"x".into())
        );
        let wrong = api
            .call("POST", "orders/import?columns=x", "text/csv", "order_key\n")
            .await;
        assert_eq!(wrong.status, 400, "{}", wrong.text);
    }
}
