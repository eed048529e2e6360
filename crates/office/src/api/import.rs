//! `POST /api/orders/import`: many orders at once, each judged for itself.

use std::collections::HashMap;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{FILE, Operation, example};
use super::{
    Call, Problem, checks,
    endpoint::{Endpoint, Role},
    file, order_table,
    orders::{accept, keeping_status, strict},
    sheet::{BYTE_ORDER_MARK, Sheet, SheetWriter},
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{FieldError, OrderJson},
    store::{Platform, Registered},
};
#[cfg(feature = "description")]
use serde_json::json;

/// How many orders one call takes.
const MAX_ROWS: usize = 500;

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

/// `POST /api/orders/import`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "orders/import",
        role: Role::Full,
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            let line = schemas.request::<crate::json::OrderJson>();
            let mut order = example();
            (order["service_id"], order["order_key"]) = (json!("TAX"), json!("2026-0001"));
            Operation::new("orders", "importOrders", "Registers or amends up to 500 orders")
                .describe("Each as `PUT` would, for itself, as lines of JSON or rows of CSV whose first row names the columns, as the export has them. The answer has a line or row for each, in the same format.")
                .takes(["strict"])
                .body(json!({
                    "application/x-ndjson": {
                        "schema": line,
                        "examples": {"order": {"summary": "A line", "value": order}}
                    },
                    "text/csv": {
                        "schema": {"type": "string"},
                        "examples": {"order": {"summary": "A table of one order", "value": "service_id,order_key,reason,line_id,line_reason,amount_due\r\nTAX,2026-0001,Taxă,1,Taxă locală,125.50\r\n"}}
                    }
                }))
                .answers(200, "What became of each; the schema is that of a line.", json!({
                    "application/x-ndjson": {"schema": schemas.answer::<RowResult>()},
                    "text/csv": {"schema": {"type": "string"}}
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
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
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
            let problem = Problem::member(
                "order_key",
                format!("is that of row {first}, or one that payers would confuse with it"),
            );
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
        .orders()
        .change_many(&keys, |position, state| {
            let candidate = candidates
                .get(position)
                .ok_or_else(|| Problem::internal("a row that is not there"))?;
            let json = keeping_status(candidate.json.clone(), state);
            accept(call, &candidate.key.0, &candidate.key.1, json, state)
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
            Err(error) => RowResult::refused(
                candidate.row,
                Some(&candidate.json),
                super::orders::not_changed(error),
            ),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Answer, Api};

    const HEAD: &str = "service_id,order_key,reason,line_id,line_reason,amount_due";

    async fn import(api: &Api, media_type: &str, body: &str) -> Answer {
        api.call("POST", "orders/import", media_type, body).await
    }

    fn row(key: &str) -> String {
        format!("TAX,{key},Taxă,1,Taxă,5")
    }

    fn document(key: &str) -> Value {
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
            answer.lines()[1..],
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
        let lines: Vec<Value> = answer
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
        assert_eq!(members("row"), [1, 3, 4, 6, 7].map(Value::from));
        let results = ["created", "error", "error", "error", "created"];
        assert_eq!(members("result"), results.map(Value::from));
        assert_eq!(lines[0]["warnings"][0]["field"], "customer_id");
        let fields = |line: &Value| -> Vec<Value> {
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

    #[tokio::test(start_paused = true)]
    async fn what_is_no_list_of_orders_is_refused_as_a_whole() {
        let api = Api::new();
        for (media_type, body, status, said) in [
            ("application/json", "{}", 415, "text/csv"),
            ("text/csvx", "a", 415, "text/csv"),
            ("text/csv", "", 400, "The table is empty"),
            (
                "text/csv",
                "order_key,what,order_key",
                422,
                "is no column of an order",
            ),
            (
                "text/csv",
                "order_key,what,order_key",
                422,
                "is a column twice",
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
}
