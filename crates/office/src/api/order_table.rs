//! Orders as rows of a table, one each.

use super::{
    Problem,
    sheet::{Row, Sheet},
};
use crate::json::{
    AccountJson, AmountJson, EachLanguage, FieldError, LineJson, LocalizedJson, MetadataJson,
    OrderJson, PropertyJson,
};

/// The columns that make an order.
const MEMBERS: [&str; 30] = [
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
    "payable_from",
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
    // What has no place in columns: several lines, amounts by day, properties and metadata, in JSON.
    "lines",
    "amounts",
    "properties",
    "metadata",
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
    let amounts = json::<Vec<AmountJson>>(row, "amounts", &mut errors);
    let properties = json::<Vec<PropertyJson>>(row, "properties", &mut errors);
    let metadata = json::<MetadataJson>(row, "metadata", &mut errors);
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
        payable_from: text("payable_from"),
        customer_type: text("customer_type"),
        customer_id: text("customer_id"),
        customer_name: text("customer_name"),
        allow_partial_payments,
        allow_advance_payments,
        lines,
        amounts: amounts.unwrap_or_default(),
        properties: properties.unwrap_or_default(),
        metadata: metadata.unwrap_or_default(),
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
        text(order.payable_from),
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
        in_json(&order.amounts)?,
        in_json(&order.properties)?,
        match order.metadata.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&order.metadata).map_err(Problem::internal)?,
        },
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_one(table: &str) -> Result<Value, Vec<String>> {
        let sheet = Sheet::read(table.as_bytes()).unwrap();
        let (_, row) = sheet.rows().next().unwrap();
        let order = read(&row);
        let order = order.map(|order| serde_json::to_value(order).unwrap());
        order.map_err(|errors| {
            let errors = errors.into_iter();
            errors
                .map(|error| format!("{} {}", error.field, error.detail))
                .collect()
        })
    }

    #[test]
    fn texts_are_one_or_one_for_each_language() {
        for (cells, reason) in [
            ("Taxă,,", json!("Taxă")),
            ("Taxă,Сбор,", json!({"ro": "Taxă", "ru": "Сбор"})),
            ("Taxă,,Fee", json!({"ro": "Taxă", "en": "Fee"})),
            // Romanian is missing, which is said where orders are judged.
            (",,Fee", json!({"ro": "", "en": "Fee"})),
        ] {
            let order =
                read_one(&format!("reason,reason_ru,reason_en,order_key\n{cells},1")).unwrap();
            assert_eq!(order["reason"], reason, "{cells}");
        }
        assert_eq!(
            read_one("reason,order_key\n,1").unwrap().get("reason"),
            None
        );
    }

    #[test]
    fn flags_are_words_in_any_case_and_nothing_else() {
        for (cell, flag) in [
            ("TRUE", json!(true)),
            ("true", json!(true)),
            ("False", json!(false)),
            ("", json!(false)),
        ] {
            for column in ["allow_partial_payments", "allow_advance_payments"] {
                let order = read_one(&format!("order_key,{column}\n1,{cell}")).unwrap();
                let read = order.get(column).cloned().unwrap_or(json!(false));
                assert_eq!(read, flag, "{column} {cell}");
            }
        }
        let wrong = read_one("allow_partial_payments,allow_advance_payments\n1,da").unwrap_err();
        let said = "must be true or false";
        assert_eq!(
            wrong,
            [
                format!("allow_partial_payments {said}"),
                format!("allow_advance_payments {said}")
            ]
        );
    }

    #[test]
    fn a_row_has_one_line_in_columns_or_several_in_json() {
        let one = read_one("line_id,line_reason,amount_due,bank_code\n1,Unu,5,X").unwrap();
        let account = json!({"bank_code": "X"});
        let line = json!({"line_id": "1", "reason": "Unu", "amount_due": "5", "destination_account": account});
        assert_eq!(one["lines"], json!([line]));
        let one = read_one("line_id,configuration_code,bank_account\n1,C,").unwrap();
        assert_eq!(
            one["lines"][0]["destination_account"],
            json!({"configuration_code": "C"})
        );
        let one = read_one("line_id,bank_account\n1,").unwrap();
        assert_eq!(one["lines"][0].get("destination_account"), None);

        let lines = "\"[{\"\"line_id\"\": \"\"a\"\"}, {\"\"line_id\"\": \"\"b\"\"}]\"";
        let several = read_one(&format!("line_id,lines\n,{lines}")).unwrap();
        assert_eq!(
            several["lines"],
            json!([{"line_id": "a"}, {"line_id": "b"}])
        );
        for (column, cell) in LINE.map(|column| (column, "1")) {
            let both = read_one(&format!("{column},lines\n{cell},{lines}")).unwrap_err();
            let said = "lines stands beside columns of one line; use either";
            assert_eq!(both, [said], "{column}");
        }
        for column in LINE.into_iter().skip(5) {
            let one = read_one(&format!("{column},line_id\nx,1")).unwrap();
            let account = &one["lines"][0]["destination_account"];
            assert_eq!(*account, json!({column: "x"}));
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_row_is_said_at_once() {
        let wrong = read_one("lines,properties,allow_partial_payments\n[,{},x,more").unwrap_err();
        let fields: Vec<_> = wrong
            .iter()
            .map(|error| error.split(' ').next().unwrap())
            .collect();
        assert_eq!(
            fields,
            ["allow_partial_payments", "lines", "properties", "row"]
        );
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let full = json!({
            "service_id": "TAX", "order_key": "1", "status": "Refunded", "refund_reference": "R",
            "currency": "EUR", "reason": {"ro": "a", "ru": "b", "en": "c"}, "issued_at": "2026-01-01T00:00:00+02:00",
            "due_date": "2026-02-01T00:00:00+02:00", "customer_type": "Person", "customer_id": "1", "customer_name": "Ana",
            "allow_partial_payments": true, "allow_advance_payments": true,
            "properties": [{"name": "n", "display_name": "d"}],
            "lines": [{
                "line_id": "l", "reason": {"ro": "d", "ru": "e", "en": "f"}, "amount_due": "5.00",
                "destination_account": {
                    "bank_account": "1", "bank_code": "2", "bank_fiscal_code": "3",
                    "beneficiary_name": "4", "configuration_code": "5"
                }
            }]
        });
        let mut several = full.clone();
        several["lines"] = json!([full["lines"][0], {"line_id": "m"}]);
        let mut special = full.clone();
        special["lines"][0]["properties"] = json!([{"name": "n", "display_name": "d"}]);
        for (order, in_columns) in [(full, true), (several, false), (special, false)] {
            let json: OrderJson = serde_json::from_value(order.clone()).unwrap();
            let derived = ["a", "b", "c", "d"].map(str::to_owned);
            let cells = cells(json, derived).unwrap();
            assert_eq!(cells.len(), columns().len());
            let cell = |name| &cells[columns().iter().position(|column| *column == name).unwrap()];
            assert_eq!(cell("lines").is_empty(), in_columns);
            assert_eq!(cell("line_id").is_empty(), !in_columns);
            assert_eq!(
                (cell("state").as_str(), cell("registered_at").as_str()),
                ("a", "d")
            );
            let quoted: Vec<_> = cells
                .iter()
                .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")))
                .collect();
            let table = format!("{}\n{}", columns().join(","), quoted.join(","));
            assert_eq!(read_one(&table).unwrap(), order);
        }
    }
}
