//! `POST /api/orders/import`: many orders at once, each judged for itself.

use std::collections::HashMap;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;

use super::{
    Call, Problem, checks, file, order_table,
    orders::{accept, keeping_status, strict},
    sheet::{Sheet, SheetWriter},
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{FieldError, OrderJson},
    store::{Platform, Registered},
};

/// How many orders one call takes.
const MAX_ROWS: usize = 500;

/// What became of a row.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct RowResult {
    /// Its number, as editors and spreadsheets count.
    row: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
    /// `created`, `amended`, `unchanged` or `error`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldError>,
}

impl RowResult {
    fn refused(row: usize, json: Option<&OrderJson>, problem: Problem) -> Self {
        let (detail, errors) = problem.into_parts();
        Self {
            row,
            service_id: json.and_then(|json| json.service_id.clone()),
            order_key: json.and_then(|json| json.order_key.clone()),
            result: "error",
            detail: Some(detail),
            errors,
            warnings: Vec::new(),
        }
    }
}

/// A row that names its order.
struct Candidate {
    row: usize,
    json: OrderJson,
    key: (ServiceId, OrderKey),
}

/// Registers or amends the orders of a document, as `PUT` does with each, and answers a line for
/// each row in the same format.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    // A wrong parameter is wrong for all rows, and said once.
    strict(call.query)?;
    let media_type = call.headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next());
    let table = match media_type
        .map(|text| text.trim().to_ascii_lowercase())
        .as_deref()
    {
        Some("text/csv") => true,
        Some("application/x-ndjson") => false,
        _ => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Orders are imported as `Content-Type: text/csv` or `Content-Type: application/x-ndjson`.",
            ));
        }
    };
    let rows = if table {
        rows_of_table(body)?
    } else {
        rows_of_lines(body)?
    };
    if rows.len() > MAX_ROWS {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("One call takes {MAX_ROWS} orders at most; send the others in another."),
        ));
    }
    let mut results = import(call, rows).await;
    results.sort_by_key(|result| result.row);
    if table {
        let columns = [
            "row",
            "service_id",
            "order_key",
            "result",
            "detail",
            "warnings",
        ];
        let mut sheet = SheetWriter::new(',', &columns);
        for result in results {
            let detail = match result.errors.as_slice() {
                [] => result.detail.unwrap_or_default(),
                errors => sentence(errors),
            };
            sheet.row(&[
                result.row.to_string(),
                result.service_id.unwrap_or_default(),
                result.order_key.unwrap_or_default(),
                result.result.to_owned(),
                detail,
                sentence(&result.warnings),
            ]);
        }
        sheet.into_response("import.csv")
    } else {
        let mut lines = Vec::new();
        for result in &results {
            serde_json::to_writer(&mut lines, result).map_err(Problem::internal)?;
            lines.push(b'\n');
        }
        file("application/x-ndjson", "import.ndjson", lines)
    }
}

fn sentence(errors: &[FieldError]) -> String {
    let errors: Vec<_> = errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.detail))
        .collect();
    errors.join("; ")
}

type Rows = Vec<(usize, Result<OrderJson, Problem>)>;

fn rows_of_table(body: &[u8]) -> Result<Rows, Problem> {
    let sheet = Sheet::read(body)?;
    let unknown = order_table::unknown_columns(&sheet);
    if !unknown.is_empty() {
        return Err(Problem::fields(unknown));
    }
    let rows = sheet.rows();
    Ok(rows
        .map(|(row, cells)| (row, order_table::read(&cells).map_err(Problem::fields)))
        .collect())
}

fn rows_of_lines(body: &[u8]) -> Result<Rows, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The document is not UTF-8."))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    Ok(lines
        .map(|(position, line)| (position + 1, super::document::read_object(line.as_bytes())))
        .collect())
}

async fn import<P: Platform>(call: &Call<'_, P>, rows: Rows) -> Vec<RowResult> {
    let (mut results, mut candidates) = (Vec::with_capacity(rows.len()), Vec::new());
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    for (row, json) in rows {
        let json = match json {
            Ok(json) => json,
            Err(problem) => {
                results.push(RowResult::refused(row, None, problem));
                continue;
            }
        };
        let key = match address(call, &json) {
            Ok(key) => key,
            Err(errors) => {
                results.push(RowResult::refused(
                    row,
                    Some(&json),
                    Problem::fields(errors),
                ));
                continue;
            }
        };
        let same = (key.0.to_string(), key.1.folded());
        if let Some(first) = seen.insert(same.clone(), row) {
            seen.insert(same, first);
            let problem = Problem::fields(vec![FieldError::new(
                "order_key",
                format!("is that of row {first}, or one that payers would confuse with it"),
            )]);
            results.push(RowResult::refused(row, Some(&json), problem));
            continue;
        }
        candidates.push(Candidate { row, json, key });
    }
    let keys: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.key.clone())
        .collect();
    let changed = call
        .store
        .change_many(&keys, |position, state| {
            let candidate = candidates
                .get(position)
                .ok_or_else(|| Problem::internal("a row that is not there"))?;
            let json = keeping_status(candidate.json.clone(), state);
            accept(call, &candidate.key.0, &candidate.key.1, json)
        })
        .await;
    for (candidate, changed) in candidates.into_iter().zip(changed) {
        results.push(match changed {
            Ok(registered) => RowResult {
                row: candidate.row,
                warnings: checks::warnings(&candidate.json),
                service_id: Some(candidate.key.0.to_string()),
                order_key: Some(candidate.key.1.to_string()),
                result: match registered {
                    Registered::Created => "created",
                    Registered::Amended => "amended",
                    Registered::Unchanged => "unchanged",
                },
                detail: None,
                errors: Vec::new(),
            },
            Err(error) => RowResult::refused(candidate.row, Some(&candidate.json), error.into()),
        });
    }
    results
}

/// Which order a row is about.
fn address<P: Platform>(
    call: &Call<'_, P>,
    json: &OrderJson,
) -> Result<(ServiceId, OrderKey), Vec<FieldError>> {
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
                    None => "is missing".to_owned(),
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
    service.zip(key).ok_or(errors)
}
