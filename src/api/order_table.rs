//! Orders as rows of a table, one each.

use super::{
    Problem,
    sheet::{Row, Sheet},
};
use crate::json::{
    AccountJson, EachLanguage, FieldError, LineJson, LocalizedJson, OrderJson, PropertyJson,
};

/// The columns that make an order.
const MEMBERS: [&str; 27] = [
    "service_id",
    "order_key",
    "status",
    "refund_reference",
    "currency",
    "reason",
    "reason_ru",
    "reason_en",
    "issued_at",
    "due_date",
    "customer_type",
    "customer_id",
    "customer_name",
    "allow_partial_payments",
    "allow_advance_payments",
    "line_id",
    "line_reason",
    "line_reason_ru",
    "line_reason_en",
    "amount_due",
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "configuration_code",
    // What has no place in columns: several lines, and properties, in JSON.
    "lines",
    "properties",
];
/// The columns that follow from payments, dates and the journal: written only.
const DERIVED: [&str; 4] = ["state", "amount_paid", "amount_left", "registered_at"];
/// The columns of the one line.
const LINE: [&str; 10] = [
    "line_id",
    "line_reason",
    "line_reason_ru",
    "line_reason_en",
    "amount_due",
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "configuration_code",
];

/// All columns, in the order they are written.
pub(super) fn columns() -> Vec<&'static str> {
    MEMBERS.into_iter().chain(DERIVED).collect()
}

/// Columns that no order has.
pub(super) fn unknown_columns(sheet: &Sheet) -> Vec<FieldError> {
    let columns = columns();
    let mut errors = Vec::new();
    for (position, name) in sheet.columns().iter().enumerate() {
        let detail = if !columns.contains(&name.as_str()) {
            "is no column of an order"
        } else if sheet
            .columns()
            .iter()
            .take(position)
            .any(|other| other == name)
        {
            "is a column twice"
        } else {
            continue;
        };
        errors.push(FieldError::new(name.clone(), detail));
    }
    errors
}

/// The order of a row.
///
/// # Errors
/// The columns whose cells cannot be read; what the order's members say is judged elsewhere.
pub(super) fn read(row: &Row<'_>) -> Result<OrderJson, Vec<FieldError>> {
    let mut errors = Vec::new();
    let text = |column: &str| row.get(column).map(str::to_owned);
    let localized = |column: &str| {
        let one = text(column);
        let (ru, en) = (text(&format!("{column}_ru")), text(&format!("{column}_en")));
        match (one, ru, en) {
            (ro, None, None) => ro.map(LocalizedJson::One),
            (ro, ru, en) => Some(LocalizedJson::Each(EachLanguage {
                ro: ro.unwrap_or_default(),
                ru,
                en,
            })),
        }
    };
    let mut flag = |column: &str| match row.get(column) {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => {
            errors.push(FieldError::new(column, "must be true or false"));
            false
        }
    };
    let allow_partial_payments = flag("allow_partial_payments");
    let allow_advance_payments = flag("allow_advance_payments");
    let account = AccountJson {
        bank_account: text("bank_account"),
        bank_code: text("bank_code"),
        bank_fiscal_code: text("bank_fiscal_code"),
        beneficiary_name: text("beneficiary_name"),
        configuration_code: text("configuration_code"),
    };
    let has_account = LINE.iter().skip(5).any(|column| row.get(column).is_some());
    let line = LineJson {
        line_id: text("line_id"),
        reason: localized("line_reason"),
        amount_due: text("amount_due"),
        destination_account: has_account.then_some(account),
        properties: Vec::new(),
    };
    let lines = match json::<Vec<LineJson>>(row, "lines", &mut errors) {
        None => vec![line],
        Some(_) if line != LineJson::default() => {
            errors.push(FieldError::new(
                "lines",
                "stands beside columns of one line; use either",
            ));
            Vec::new()
        }
        Some(lines) => lines,
    };
    let properties = json::<Vec<PropertyJson>>(row, "properties", &mut errors);
    let order = OrderJson {
        service_id: text("service_id"),
        order_key: text("order_key"),
        status: text("status"),
        refund_reference: text("refund_reference"),
        currency: text("currency"),
        reason: localized("reason"),
        total_amount_due: None,
        issued_at: text("issued_at"),
        due_date: text("due_date"),
        customer_type: text("customer_type"),
        customer_id: text("customer_id"),
        customer_name: text("customer_name"),
        allow_partial_payments,
        allow_advance_payments,
        lines,
        properties: properties.unwrap_or_default(),
    };
    if row.is_too_long() {
        errors.push(FieldError::new(
            "row",
            "has more cells than there are columns",
        ));
    }
    if errors.is_empty() {
        Ok(order)
    } else {
        Err(errors)
    }
}

fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let text = row.get(column)?;
    serde_json::from_slice(text.as_bytes())
        .map_err(|error| {
            errors.push(FieldError::new(
                column,
                format!("is not what it must be in JSON: {error}"),
            ));
        })
        .ok()
}

/// The cells of an order, of [`MEMBERS`] and then [`DERIVED`].
pub(super) fn cells(order: OrderJson, derived: [String; 4]) -> Result<Vec<String>, Problem> {
    let [reason, reason_ru, reason_en] = languages(order.reason);
    let mut lines = order.lines;
    // One plain line has columns.
    let line = match lines.as_slice() {
        [line] if line.properties.is_empty() => lines.pop(),
        _ => None,
    };
    let line = line.unwrap_or_default();
    let [line_reason, line_reason_ru, line_reason_en] = languages(line.reason);
    let account = line.destination_account;
    let account = |member: fn(AccountJson) -> Option<String>| {
        account.clone().and_then(member).unwrap_or_default()
    };
    let flag = |flag: bool| if flag { "true" } else { "" }.to_owned();
    let text = Option::unwrap_or_default;
    let mut cells = vec![
        text(order.service_id),
        text(order.order_key),
        text(order.status),
        text(order.refund_reference),
        text(order.currency),
        reason,
        reason_ru,
        reason_en,
        text(order.issued_at),
        text(order.due_date),
        text(order.customer_type),
        text(order.customer_id),
        text(order.customer_name),
        flag(order.allow_partial_payments),
        flag(order.allow_advance_payments),
        text(line.line_id),
        line_reason,
        line_reason_ru,
        line_reason_en,
        text(line.amount_due),
        account(|account| account.bank_account),
        account(|account| account.bank_code),
        account(|account| account.bank_fiscal_code),
        account(|account| account.beneficiary_name),
        account(|account| account.configuration_code),
        in_json(&lines)?,
        in_json(&order.properties)?,
    ];
    cells.extend(derived);
    Ok(cells)
}

fn in_json<T: serde::Serialize>(values: &[T]) -> Result<String, Problem> {
    if values.is_empty() {
        return Ok(String::new());
    }
    serde_json::to_string(values).map_err(Problem::internal)
}

fn languages(text: Option<LocalizedJson>) -> [String; 3] {
    match text {
        None => Default::default(),
        Some(LocalizedJson::One(text)) => [text, String::new(), String::new()],
        Some(LocalizedJson::Each(each)) => [
            each.ro,
            each.ru.unwrap_or_default(),
            each.en.unwrap_or_default(),
        ],
    }
}
