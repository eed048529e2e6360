//! Orders as rows of a table, one order in each row.

use tables::{Cell, CellError, Column, Row, Table, Value};

use super::Problem;
use crate::{
    domain::OrderStatus,
    json::{
        AccountJson, EachLanguage, FieldError, LineJson, LocalizedJson, MarkedJson, MetadataJson,
        MetadatumJson, OrderJson,
    },
};

/// The columns from which an order is read.
const MEMBERS: [&str; 33] = [
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
    "min_payment",
    "max_payment",
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
    // Several lines, amounts by day, properties and metadata have no columns of their own; they are written as
    // JSON.
    "lines",
    "amounts",
    "properties",
    "metadata",
    // Texts, separated by bars.
    "aliases",
];
/// The columns that are derived from payments and the journal. They are only written. A row holds the order and
/// its line, and the line's `amount_due` is a column of its own.
const DERIVED: [&str; 4] = [
    "amount_paid",
    "order_amount_due",
    "pay_url",
    "registered_at",
];
/// The columns of the order's only line.
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

/// The columns of that line's account.
const ACCOUNT: [&str; 5] = [
    "bank_account",
    "bank_code",
    "bank_fiscal_code",
    "beneficiary_name",
    "configuration_code",
];

/// All columns, in the order of writing.
pub(super) fn columns() -> Vec<(&'static str, Value)> {
    let columns = MEMBERS.into_iter().chain(DERIVED);
    let kind = |name: &str| match name {
        "min_payment" | "max_payment" | "amount_due" | "amount_paid" | "order_amount_due" => {
            Value::Amount
        }
        "issued_at" | "due_date" | "payable_from" | "registered_at" => Value::Time,
        _ => Value::Text,
    };
    columns.map(|name| (name, kind(name))).collect()
}

/// The columns of a table that no order has.
pub(super) fn unknown_columns(table: &Table) -> Vec<FieldError> {
    let columns = columns();
    let names = table.columns().iter();
    // A column that is left out has an empty name.
    let named = names.filter(|column| !column.is(""));
    let unknown = named.filter(|column| !columns.iter().any(|(name, _)| column.is(name)));
    unknown
        .map(|column| FieldError::new(column.name(), "is no column of an order"))
        .collect()
}

/// The column that holds a member of an order; the path itself if no column does.
///
/// A path is that of a document, such as `lines[0].destination_account.bank_code`.
fn column_of(path: &str) -> &str {
    let of_account = "lines[0].destination_account.";
    match path {
        "lines[0].reason" => "line_reason",
        "lines[0].reason.ru" => "line_reason_ru",
        "lines[0].reason.en" => "line_reason_en",
        "lines[0].reason.ro" => "line_reason",
        "reason.ro" => "reason",
        "reason.ru" => "reason_ru",
        "reason.en" => "reason_en",
        "lines[0].destination_account" => "bank_account",
        path if path.starts_with("aliases[") => "aliases",
        path => {
            let account = path.strip_prefix(of_account);
            account.or(path.strip_prefix("lines[0].")).unwrap_or(path)
        }
    }
}

/// All mistakes of a row: those in its cells, and those in the order that the other cells make.
pub(super) fn together(of_cells: Vec<FieldError>, of_order: Vec<FieldError>) -> Vec<FieldError> {
    let is_told = |path: &str| {
        let lines_are_told =
            path.starts_with("lines[") && of_cells.iter().any(|e| e.field == "lines");
        // The total is computed from the lines.
        let column = match path {
            "total_amount_due" => "amount_due",
            path => column_of(path),
        };
        lines_are_told || of_cells.iter().any(|error| error.field == column)
    };
    // A cell that could not be read must not be reported as missing.
    let others = of_order.into_iter().filter(|error| !is_told(&error.field));
    let others: Vec<_> = others.collect();
    of_cells.into_iter().chain(others).collect()
}

/// The mistakes of an order, named and sorted by the columns as the table writes them.
pub(super) fn in_its_words(table: &Table, errors: Vec<FieldError>) -> Vec<FieldError> {
    let lines_are_json = table.column("lines").is_some() && table.column("line_id").is_none();
    let names_line = table.column("line_reason").is_some() || lines_are_json;
    let reason_is_told = errors.iter().any(|error| error.field.starts_with("reason"));
    let mut named: Vec<_> = errors
        .into_iter()
        // The only line has the text of the order, so a mistake in it is reported once.
        .filter(|error| {
            names_line || !reason_is_told || !error.field.starts_with("lines[0].reason")
        })
        .map(|error| {
            let name = match error.field.as_str() {
                path if lines_are_json && path.starts_with("lines") => path,
                path => column_of(path),
            };
            let place = table.columns().iter().position(|column| column.is(name));
            let column = place.and_then(|place| table.columns().get(place));
            let field = column.map_or(name, Column::name).to_owned();
            (place.unwrap_or(usize::MAX), FieldError { field, ..error })
        })
        .collect();
    named.sort_by_key(|(place, _)| *place);
    named.into_iter().map(|(_, error)| error).collect()
}

/// A row that was read: the order, as far as its cells are legible, and the mistakes in the others.
pub(super) struct ReadRow {
    pub json: OrderJson,
    /// A status that cannot be set, as an export writes it: the status that payments and dates gave then.
    pub derived_status: Option<OrderStatus>,
    /// The mistakes, by the members' paths in documents.
    pub errors: Vec<FieldError>,
}

/// Reads the order of a row. The content of its members is judged elsewhere.
pub(super) fn read(row: &Row<'_>) -> ReadRow {
    let mut cells = Cells {
        row,
        errors: Vec::new(),
    };
    let has_account = ACCOUNT.iter().any(|column| !row.cell(column).is_empty());
    let account = AccountJson {
        bank_account: cells.read("bank_account", Cell::iban),
        bank_code: cells.read("bank_code", Cell::identifier),
        bank_fiscal_code: cells.read("bank_fiscal_code", Cell::state_identifier),
        beneficiary_name: cells.read("beneficiary_name", Cell::text),
        configuration_code: cells.read("configuration_code", Cell::identifier),
    };
    let currency = cells.read("currency", Cell::identifier);
    let limits = ["min_payment", "max_payment"];
    let [min_payment, max_payment] = limits.map(|column| cells.amount(column, currency.as_deref()));
    let line = LineJson {
        line_id: cells.read("line_id", Cell::identifier),
        reason: cells.localized("line_reason"),
        amount_due: cells.amount("amount_due", currency.as_deref()),
        destination_account: has_account.then_some(account),
        properties: Vec::new(),
    };
    let reason = cells.localized("reason");
    // An order with an amount, but without columns for its line, has one line.
    let line = match row.has_column("amount_due")
        && !["line_id", "line_reason"]
            .iter()
            .any(|name| row.has_column(name))
    {
        true => LineJson {
            line_id: Some("1".to_owned()),
            reason: reason.clone(),
            ..line
        },
        false => line,
    };
    let has_line = LINE.iter().any(|column| !row.cell(column).is_empty());
    let lines = match cells.json::<Vec<LineJson>>("lines") {
        None => vec![line],
        Some(_) if has_line => {
            cells.wrong("lines", "stands beside columns of one line; use either");
            Vec::new()
        }
        Some(lines) => lines,
    };
    let status = cells.read("status", Cell::text);
    let derived_status = status.as_deref().and_then(derived_status);
    let json = OrderJson {
        service_id: cells.read("service_id", Cell::identifier),
        order_key: cells.read("order_key", Cell::identifier),
        status: status.filter(|_| derived_status.is_none()),
        refund_reference: cells.read("refund_reference", Cell::identifier),
        currency,
        reason,
        total_amount_due: None,
        issued_at: cells.read("issued_at", Cell::date),
        due_date: cells.read("due_date", Cell::date),
        payable_from: cells.read("payable_from", Cell::date),
        customer_type: cells.read("customer_type", Cell::text),
        customer_id: cells.read("customer_id", Cell::state_identifier),
        customer_name: cells.read("customer_name", Cell::text),
        allow_partial_payments: cells.flag("allow_partial_payments"),
        allow_advance_payments: cells.flag("allow_advance_payments"),
        min_payment,
        max_payment,
        lines,
        amounts: cells.json("amounts").unwrap_or_default(),
        properties: cells.json("properties").unwrap_or_default(),
        aliases: cells.aliases(),
        metadata: cells.json::<MetadataJson>("metadata").unwrap_or_default(),
    };
    if let Some(letters) = row.beyond_columns() {
        cells.wrong(&letters, "has a cell, and the column has no name");
    }
    ReadRow {
        json,
        derived_status,
        errors: cells.errors,
    }
}

/// The prefix of an alias in a cell that belongs to a person.
const PERSONAL: &str = "personal:";

fn read_alias(text: &str) -> MetadatumJson {
    match text.strip_prefix(PERSONAL) {
        Some(value) => MetadatumJson::Marked(MarkedJson {
            value: value.trim().to_owned(),
            personal: true,
        }),
        None => MetadatumJson::Value(text.to_owned()),
    }
}

/// The text of a cell that [`Cells::aliases`] reads.
fn alias_cell(aliases: &[MetadatumJson]) -> Result<String, Problem> {
    let is_plain = |alias: &MetadatumJson| {
        let value = alias.value();
        !value.contains('|') && !value.starts_with(PERSONAL) && !value.starts_with('[')
    };
    if !aliases.iter().all(is_plain) {
        return in_json(aliases);
    }
    let texts = aliases.iter().map(|alias| {
        let mark = if alias.is_personal() { PERSONAL } else { "" };
        format!("{mark}{}", alias.value())
    });
    Ok(texts.collect::<Vec<_>>().join("|"))
}

fn derived_status(text: &str) -> Option<OrderStatus> {
    OrderStatus::all()
        .filter(|status| !matches!(status, OrderStatus::Set(_)))
        .find(|status| status.as_str() == text)
}

/// The cells of a row, and the mistakes found in them.
struct Cells<'a> {
    row: &'a Row<'a>,
    errors: Vec<FieldError>,
}

impl Cells<'_> {
    fn wrong(&mut self, column: &str, detail: impl ToString) {
        self.errors.push(FieldError::new(column, detail));
    }

    fn read<T>(
        &mut self,
        column: &str,
        read: impl Fn(&Cell) -> Result<Option<T>, CellError>,
    ) -> Option<T> {
        let read = read(self.row.cell(column));
        read.unwrap_or_else(|error| {
            self.wrong(column, error);
            None
        })
    }

    fn flag(&mut self, column: &str) -> bool {
        self.read(column, Cell::flag).unwrap_or_default()
    }

    fn amount(&mut self, column: &str, currency: Option<&str>) -> Option<String> {
        let amount = self.read(column, Cell::amount)?;
        if amount.is_in_lei()
            && let Some(currency) = currency.filter(|currency| *currency != "MDL")
        {
            self.wrong(column, format!("is in lei, and the currency is {currency}"));
            return None;
        }
        Some(amount.to_string())
    }

    /// A text, or a text for each language.
    fn localized(&mut self, column: &str) -> Option<LocalizedJson> {
        let one = self.read(column, Cell::text);
        let ru = self.read(&format!("{column}_ru"), Cell::text);
        let en = self.read(&format!("{column}_en"), Cell::text);
        match (one, ru, en) {
            (ro, None, None) => ro.map(LocalizedJson::One),
            (ro, ru, en) => Some(LocalizedJson::Each(EachLanguage {
                ro: ro.unwrap_or_default(),
                ru,
                en,
            })),
        }
    }

    /// Aliases, separated by bars. An alias that belongs to a person has the prefix `personal:`.
    fn aliases(&mut self) -> Vec<MetadatumJson> {
        let Some(text) = self.read("aliases", Cell::identifier) else {
            return Vec::new();
        };
        if text.starts_with('[') {
            return self.json("aliases").unwrap_or_default();
        }
        let parts = text.split('|').map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(read_alias).collect()
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, column: &str) -> Option<T> {
        let text = self.read(column, Cell::text)?;
        let read = serde_json::from_slice(text.as_bytes());
        read.map_err(|error| {
            self.wrong(column, format!("is not what it must be in JSON: {error}"));
        })
        .ok()
    }
}

/// The cells of an order: first those of [`MEMBERS`], then those of [`DERIVED`].
pub(super) fn cells(
    order: OrderJson,
    status: OrderStatus,
    derived: [String; 4],
) -> Result<Vec<String>, Problem> {
    let [reason, reason_ru, reason_en] = languages(order.reason);
    let mut lines = order.lines;
    // A single line without properties is written in columns.
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
        status.as_str().to_owned(),
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
        text(order.min_payment),
        text(order.max_payment),
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
        alias_cell(&order.aliases)?,
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
    use tables::Options;

    use super::*;
    use crate::domain::SetStatus;

    fn read_one(table: &str) -> Result<Value, Vec<String>> {
        let table = Table::read(table.as_bytes(), &Options::default()).unwrap();
        let row = table.rows().next().unwrap();
        let read = read(&row);
        if read.errors.is_empty() {
            return Ok(serde_json::to_value(read.json).unwrap());
        }
        let errors = in_its_words(&table, read.errors).into_iter();
        Err(errors
            .map(|error| format!("{} {}", error.field, error.detail))
            .collect())
    }

    #[test]
    fn texts_are_one_or_one_for_each_language() {
        for (cells, reason) in [
            ("Taxă,,", json!("Taxă")),
            ("Taxă,Сбор,", json!({"ro": "Taxă", "ru": "Сбор"})),
            ("Taxă,,Fee", json!({"ro": "Taxă", "en": "Fee"})),
            // The Romanian text is missing, which the check of orders reports.
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
        let wrong = read_one("allow_partial_payments,allow_advance_payments\n2,poate").unwrap_err();
        let said = "must be true or false, da or nu, да or нет, 1 or 0";
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
        let line = json!({"line_id": "1", "reason": "Unu", "amount_due": "5.00", "destination_account": account});
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
    fn aliases_have_a_bar_between_them() {
        for (cell, aliases) in [
            ("AC-1", json!(["AC-1"])),
            (" AC-1 | AC 2 |", json!(["AC-1", "AC 2"])),
            ("'1008600038413", json!(["1008600038413"])),
            (
                "personal: 2004001234567|C",
                json!([{"value": "2004001234567", "personal": true}, "C"]),
            ),
            (r#""[""a|b""]""#, json!(["a|b"])),
        ] {
            let order = read_one(&format!(
                "order_key,aliases
1,{cell}"
            ))
            .unwrap();
            assert_eq!(order["aliases"], aliases, "{cell}");
        }
        let damaged = read_one(
            "order_key,aliases
1,1.00860E+12",
        )
        .unwrap_err();
        assert!(damaged[0].starts_with("aliases "), "{damaged:?}");
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
            ["lines", "properties", "allow_partial_payments", "D"]
        );
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let full = json!({
            "service_id": "TAX", "order_key": "1", "status": "Refunded", "refund_reference": "R",
            "currency": "EUR", "reason": {"ro": "a", "ru": "b", "en": "c"}, "issued_at": "2026-01-01T00:00:00+02:00",
            "due_date": "2026-02-01T00:00:00+02:00", "customer_type": "Person", "customer_id": "1", "customer_name": "Ana",
            "allow_partial_payments": true, "allow_advance_payments": true,
            "min_payment": "1.00", "max_payment": "9.00",
            "properties": [{"name": "n", "display_name": "d"}],
            "lines": [{
                "line_id": "l", "reason": {"ro": "d", "ru": "e", "en": "f"}, "amount_due": "5.00",
                "destination_account": {
                    "bank_account": "1", "bank_code": "2", "bank_fiscal_code": "3",
                    "beneficiary_name": "4", "configuration_code": "5"
                }
            }]
        });
        let mut full = full;
        full["aliases"] = json!(["AC-1", {"value": "2004001234567", "personal": true}]);
        let mut several = full.clone();
        several["aliases"] = json!(["a|b", "personal:c", "[1]"]);
        several["lines"] = json!([full["lines"][0], {"line_id": "m"}]);
        let mut special = full.clone();
        special["lines"][0]["properties"] = json!([{"name": "n", "display_name": "d"}]);
        for (order, in_columns) in [(full, true), (several, false), (special, false)] {
            let json: OrderJson = serde_json::from_value(order.clone()).unwrap();
            let derived = ["1.00", "2.00", "u", "c"].map(str::to_owned);
            let status = OrderStatus::Set(SetStatus::Refunded);
            let cells = cells(json, status, derived).unwrap();
            assert_eq!(cells.len(), columns().len());
            let names: Vec<_> = columns().into_iter().map(|(name, _)| name).collect();
            let cell = |name| &cells[names.iter().position(|column| *column == name).unwrap()];
            assert_eq!(cell("lines").is_empty(), in_columns);
            assert_eq!(cell("line_id").is_empty(), !in_columns);
            assert_eq!(
                (cell("status").as_str(), cell("registered_at").as_str()),
                ("Refunded", "c")
            );
            let quoted: Vec<_> = cells
                .iter()
                .map(|cell| format!("\"{}\"", cell.replace('"', "\"\"")))
                .collect();
            let table = format!("{}\n{}", names.join(","), quoted.join(","));
            assert_eq!(read_one(&table).unwrap(), order);
        }
    }
}
