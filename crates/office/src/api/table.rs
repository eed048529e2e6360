//! Tables that callers send and receive.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use tables::{Encoding, Format, Options, Separator, Sheet, Source, Table, TableError};

use super::{Problem, file, query::Query};

/// The media type of XLSX.
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The media types that a table may have. The bytes decide the format, since browsers take the media type from
/// the system: on many systems a CSV has Excel's type.
const MEDIA_TYPES: [&str; 5] = [
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.ms-excel",
    "application/octet-stream",
    XLSX,
];

/// The media type of a table for generated clients that know only JSON and bytes.
#[cfg(feature = "description")]
pub(super) const BYTES: &str = "application/octet-stream";

/// The schema of a body of bytes.
#[cfg(feature = "description")]
pub(super) fn bytes() -> serde_json::Value {
    serde_json::json!({"schema": {"type": "string", "format": "binary"}})
}

/// The media type of a request's body, without parameters and in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or_default();
    media_type.trim().to_ascii_lowercase()
}

/// True if a body with this media type may be a table.
pub(super) fn is_table(media_type: &str) -> bool {
    MEDIA_TYPES.contains(&media_type)
}

/// Reads a table with these columns. The parameter `encoding` names its encoding, and the parameter `columns`
/// maps other column names to these.
///
/// # Errors
/// A [`Problem`] if the body is no table, or if it is a table with mistakes.
pub(super) fn read(body: &[u8], query: &Query, columns: &[&str]) -> Result<Table, Problem> {
    let encoding = query.parsed("encoding", |name| {
        Encoding::parse(name).map_err(|_| format!("must be {}", Encoding::NAMES))
    })?;
    let names = query.parsed("columns", |text| {
        serde_json::from_str::<BTreeMap<String, String>>(text).map_err(|_| {
            r#"must be an object in JSON that says which column one is, such as {"Suma": "amount_due"}"#
        })
    })?;
    let meaning = |name: &str| names.as_ref()?.get(name.trim()).cloned();
    let options = Options {
        columns,
        meaning: Some(&meaning),
        encoding,
        ..Options::default()
    };
    Table::read(body, &options).map_err(unreadable)
}

fn unreadable(error: TableError) -> Problem {
    let status = match &error {
        TableError::NotATable(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        TableError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        TableError::NoHeader { .. } | TableError::ColumnTwice { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, error.to_string())
}

/// The format of an answer about a table: that of the table itself.
pub(super) fn format_of(source: &Source) -> Format {
    match source {
        Source::Csv { separator, .. } => Format::Csv(*separator),
        Source::Xlsx { .. } => Format::Xlsx,
    }
}

/// The parameter `separator`: a comma unless it names another one. Spreadsheets expect a semicolon where
/// amounts have a decimal comma.
pub(super) fn separator(query: &Query) -> Result<Separator, Problem> {
    let separators = [
        ("comma", Separator::Comma),
        ("semicolon", Separator::Semicolon),
        ("tab", Separator::Tab),
    ];
    let separator = query.word("separator", &separators)?;
    Ok(separator.unwrap_or(Separator::Comma))
}

/// The table as a file; `stem` is its name without the extension.
pub(crate) fn into_response(
    sheet: Sheet,
    format: Format,
    stem: &str,
) -> Result<Response<Bytes>, Problem> {
    let (media_type, extension) = match format {
        Format::Csv(_) => ("text/csv; charset=utf-8", "csv"),
        Format::Xlsx => (XLSX, "xlsx"),
    };
    let content = sheet.finish();
    let content = content.ok_or_else(|| Problem::internal("a table too large for a workbook"))?;
    file(media_type, &format!("{stem}.{extension}"), content)
}
