//! Tables, as they come in and go out.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use tables::{Encoding, Format, Options, Separator, Sheet, Source, Table, TableError};

use super::{Problem, file, query::Query};

/// The media type of XLSX.
pub(super) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Media types that tables come as. What a file is, its bytes tell: browsers call a CSV what the
/// system calls it, which is Excel's type on many.
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

/// Whether a body may be a table by its media type.
pub(super) fn is_table(media_type: &str) -> bool {
    MEDIA_TYPES.contains(&media_type)
}

/// Reads a table that has these columns, in the encoding that the parameter `encoding` names, if any, and
/// with columns that are called otherwise, as the parameter `columns` says.
///
/// # Errors
/// What the file is instead, or what is wrong with it as a table.
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

/// How an answer is written about a table that was read: as that one was.
pub(super) fn format_of(source: &Source) -> Format {
    match source {
        Source::Csv { separator, .. } => Format::Csv(*separator),
        Source::Xlsx { .. } => Format::Xlsx,
    }
}

/// The parameter `separator`: a comma, or what a spreadsheet expects where amounts have one.
pub(super) fn separator(query: &Query) -> Result<Separator, Problem> {
    let separators = [
        ("comma", Separator::Comma),
        ("semicolon", Separator::Semicolon),
        ("tab", Separator::Tab),
    ];
    let separator = query.word("separator", &separators)?;
    Ok(separator.unwrap_or(Separator::Comma))
}

/// The answer: a file whose name has this stem.
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
