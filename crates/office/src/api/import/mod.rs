//! `POST /api/orders/import`: many orders in one call, each judged on its own.

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
    document::{Members, read_object},
    endpoint::Endpoint,
    file, order_table,
    orders::{accept, as_answered, keeping_status, may_be_answer, not_changed, refunded_by_right},
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

/// The most orders that one call accepts.
pub const MAX_ROWS: usize = 500;
/// The mark that some programs put at the beginning of UTF-8 text.
const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// The outcome of a row.
#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct RowResult {
    /// The row's number: the line of a document, or the row as spreadsheets number it.
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
    /// The total amount of the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    total_amount_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

impl RowResult {
    /// The result with its mistakes named by the columns as the table writes them.
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

/// A row from a body of any format, before it is judged.
struct ReadRow {
    row: usize,
    json: OrderJson,
    /// The document, if it may be an earlier answer of the API. It is read by the order as it stands, and until
    /// then `json` has nothing but the order's address.
    answered: Option<Members>,
    derived_status: Option<OrderStatus>,
    /// The mistakes in the row that made parts of it illegible.
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
        parameters: &[
            "strict",
            "dry_run",
            "encoding",
            "columns",
            "batch",
            "service_id",
        ],
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            let line = schemas.request::<crate::json::OrderJson>();
            let order = example([("service_id", "TAX"), ("order_key", "2026-0001")]);
            Operation::new("orders", "importOrders", "Registers or amends up to 500 orders")
                .describe("The body has lines of JSON, or rows of CSV or XLSX. Each order is judged on its own, as `PUT` would. The first row with a column `order_key` is the header; its columns have the names that the export uses. The answer has a line or row for each order, in the format of the body; the answer about a table ends with the totals. `service_id` may be absent if there is one service, or if the parameter names one.")
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
                .answers(200, "The outcome of each order. The schema is that of one line.", json!({
                    "application/x-ndjson": {"schema": schemas.answer::<RowResult>()},
                    "text/csv": {"schema": {"type": "string"}},
                    (table::XLSX): {}
                }))
                .header(200, "Content-Disposition", true, FILE)
                .fails([413, 415, 422])
        },
    }
}

/// Registers or amends the orders of a body, as `PUT` does with each of them. The answer has a line for each
/// row, in the body's format.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    // A mistake in a parameter concerns all rows, so it is answered once.
    let query = Query::of(call)?;
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
        let mut rows = part(rows_of_lines(body)?)?;
        read_answers(call, &mut rows.rows).await?;
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

/// The answer as JSON documents, one in each line.
fn lines(results: &[RowResult]) -> Result<Response<Bytes>, Problem> {
    let mut lines = Vec::new();
    for result in results {
        serde_json::to_writer(&mut lines, result).map_err(Problem::internal)?;
        lines.push(b'\n');
    }
    file(LINES, "import.ndjson", lines)
}

/// The answer about a table, in the table's format. The last row has the totals.
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

/// Number of rows with each outcome, and the sums of their orders: `2 created (110.50 MDL)`.
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

/// The rows: each is readable, or has its outcome already.
type Rows = Vec<Result<ReadRow, Box<RowResult>>>;

/// One part of the orders in a body, of at most [`MAX_ROWS`].
struct Part {
    before: Rows,
    rows: Rows,
    /// The numbers of the rows from the part's first order up to the next part's first order.
    within: Range<usize>,
}

/// The part that `batch` names. Without `batch` the body must not have more orders than one call accepts.
///
/// Orders that name no service receive the given one.
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

/// The rows with totals, and the rows with orders.
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
            answered: None,
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
        let read = |(json, answered)| ReadRow {
            row,
            json,
            answered,
            derived_status: None,
            errors: Vec::new(),
        };
        let line = read_line(line.as_bytes());
        line.map(read)
            .map_err(|problem| RowResult::refused(row, None, problem).into())
    });
    Ok(rows.collect())
}

/// The order of a line; of a line that may be an answer of the API only its address, and its members.
fn read_line(line: &[u8]) -> Result<(OrderJson, Option<Members>), Problem> {
    let document: Members = read_object(line)?;
    if !may_be_answer(&document) {
        return Ok((read_object(line)?, None));
    }
    let text = |name| document.get(name)?.as_str().map(str::to_owned);
    let json = OrderJson {
        service_id: text("service_id"),
        order_key: text("order_key"),
        ..OrderJson::default()
    };
    Ok((json, Some(document)))
}

/// Reads the rows that may be answers of the API, as `PUT` reads them: by the orders as they stand.
async fn read_answers<P: Platform>(call: &Call<'_, P>, rows: &mut Rows) -> Result<(), Problem> {
    /// Orders read at once.
    const AT_ONCE: usize = 25;
    let mut answered: Vec<_> = rows.iter_mut().collect();
    answered.retain(|row| row.as_ref().is_ok_and(|read| read.answered.is_some()));
    for chunk in answered.chunks_mut(AT_ONCE) {
        let keys = chunk.iter().map(|row| {
            let named = row.as_ref().ok()?;
            let named = OrderJson {
                service_id: named.json.service_id.clone(),
                order_key: named.json.order_key.clone(),
                ..OrderJson::default()
            };
            let (service, key, _) = address(call, &with_only_service(call, named));
            service.zip(key)
        });
        let keys: Vec<_> = keys.collect();
        let known: Vec<_> = keys.iter().flatten().cloned().collect();
        let mut stored = call.store.orders().get_many(&known).await?.into_iter();
        for (row, key) in chunk.iter_mut().zip(keys) {
            let Ok(read) = row.as_mut() else { continue };
            let Some(document) = read.answered.take() else {
                continue;
            };
            let order = key.and_then(|_| stored.next());
            let order = order
                .transpose()
                .map(Option::flatten)
                .map_err(Problem::from);
            let json = order.and_then(|order| as_answered(call, document, order.as_ref()));
            match json {
                Ok(json) => {
                    let service_id = json.service_id.or(read.json.service_id.take());
                    read.json = OrderJson { service_id, ..json };
                }
                Err(problem) => {
                    let refused = RowResult::refused(read.row, Some(&read.json), problem);
                    **row = Err(refused.into());
                }
            }
        }
    }
    Ok(())
}

async fn import<P: Platform>(
    call: &Call<'_, P>,
    part: Part,
    is_strict: bool,
    intent: Intent<'_>,
) -> Result<Vec<RowResult>, Problem> {
    let (mut results, mut candidates) = (Vec::with_capacity(part.rows.len()), Vec::new());
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    // An order may occur only once in a file, in whichever part it is.
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

/// The mistake in a row whose status can only follow from payments and dates, and differs from the order's
/// status.
fn says_otherwise(said: OrderStatus, is: Option<OrderStatus>) -> Option<FieldError> {
    let is = is.unwrap_or(OrderStatus::Active);
    (is != said).then(|| {
        let (said, is) = (said.as_str(), is.as_str());
        let detail =
            format!("is not set to {said}, which follows from payments and dates: it was {is}");
        FieldError::new("status", detail)
    })
}

/// The sum of the order's lines; `None` if a line has no amount.
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

/// The document with the deployment's only service, if it names none.
fn with_only_service<P: Platform>(call: &Call<'_, P>, mut json: OrderJson) -> OrderJson {
    let mut services = call.config.service_ids();
    if let (None, Some(only), None) = (&json.service_id, services.next(), services.next()) {
        json.service_id = Some(only.to_string());
    }
    json
}

/// The order that a row names, or all mistakes of the row.
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
        ..
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
    // The row is refused anyway, so further mistakes are looked for without reading the store.
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
        // A service that is not known might have supplied default texts.
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

/// The service and the key that a row names, and the mistakes in them.
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
mod tests;
