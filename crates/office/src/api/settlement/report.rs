//! The comparison as a table.

use tables::{Format, Sheet, Value};

use super::{Comparison, Difference, Known, Shown};

const COLUMNS: [(&str, Value); 13] = [
    ("result", Value::Text),
    ("difference", Value::Text),
    ("detail", Value::Text),
    ("rows", Value::Text),
    ("payment_id", Value::Text),
    ("order_key", Value::Text),
    ("amount", Value::Amount),
    ("shown", Value::Amount),
    ("fee", Value::Amount),
    ("date", Value::Text),
    ("paid_at", Value::Time),
    ("recorded_at", Value::Time),
    ("index", Value::Number),
];

/// A row for each payment and for each group of rows, then the fees, the rows that cannot be read, and the
/// number of entries of each kind.
pub(super) fn of(format: Format, comparison: Comparison) -> Sheet {
    let mut sheet = Sheet::new(format, &COLUMNS);
    let mut counts = Vec::new();
    let mut count = |kind: &str, number: usize| {
        if number > 0 {
            counts.push(format!("{number} {kind}"));
        }
    };
    for (kind, list) in [
        ("matched", &comparison.matched),
        ("differing", &comparison.differing),
        ("not_settled", &comparison.not_settled),
    ] {
        count(kind, list.len());
        for payment in list {
            known(&mut sheet, kind, payment);
        }
    }
    for (kind, list) in [
        ("not_recorded", &comparison.not_recorded),
        ("netted", &comparison.netted),
        ("fee", &comparison.fees),
    ] {
        count(kind, list.len());
        for rows in list {
            shown(&mut sheet, kind, rows);
        }
    }
    count("error", comparison.errors.len());
    for wrong in &comparison.errors {
        let errors = wrong.errors.iter();
        let errors: Vec<_> = errors
            .map(|error| format!("{} {}", error.field, error.detail))
            .collect();
        row(&mut sheet, "error", |cells| {
            cells.detail = errors.join("; ");
            cells.rows = wrong.row.to_string();
        });
    }
    count("total", comparison.totals.len());
    let mut detail = format!("{}; read as {}", counts.join(", "), comparison.read_as);
    if comparison.unreadable > 0 {
        detail.push_str(&format!(
            "; not complete: {} of the entries of the period cannot be read, and may be a payment; repair tells more",
            comparison.unreadable
        ));
    } else if !comparison.complete {
        detail.push_str(
            "; not complete: a payment is being recorded, and what is behind it is missing; compare again in a minute",
        );
    }
    row(&mut sheet, "total", |cells| cells.detail = detail);
    sheet
}

#[derive(Default)]
struct Cells {
    difference: String,
    detail: String,
    rows: String,
    payment_id: String,
    order_key: String,
    amount: String,
    shown: String,
    fee: String,
    date: String,
    paid_at: String,
    recorded_at: String,
    index: String,
}

fn row(sheet: &mut Sheet, result: &str, fill: impl FnOnce(&mut Cells)) {
    let mut cells = Cells::default();
    fill(&mut cells);
    sheet.row(&[
        result,
        &cells.difference,
        &cells.detail,
        &cells.rows,
        &cells.payment_id,
        &cells.order_key,
        &cells.amount,
        &cells.shown,
        &cells.fee,
        &cells.date,
        &cells.paid_at,
        &cells.recorded_at,
        &cells.index,
    ]);
}

fn known(sheet: &mut Sheet, kind: &str, payment: &Known) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    row(sheet, kind, |cells| {
        cells.difference = word(payment.difference);
        cells.detail = text(&payment.detail);
        cells.rows = numbers(&payment.rows);
        cells.payment_id.clone_from(&payment.payment_id);
        cells.order_key.clone_from(&payment.order_key);
        cells.amount.clone_from(&payment.amount);
        cells.shown = text(&payment.shown);
        cells.fee = text(&payment.fee);
        cells.paid_at.clone_from(&payment.paid_at);
        cells.recorded_at.clone_from(&payment.recorded_at);
        cells.index = payment.index.to_string();
    });
}

fn shown(sheet: &mut Sheet, kind: &str, rows: &Shown) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    row(sheet, kind, |cells| {
        cells.difference = word(rows.difference);
        cells.detail = text(&rows.detail);
        if !rows.shown_by_others.is_empty() {
            let others = rows.shown_by_others.join(", ");
            cells.detail = format!("{}: {others}", cells.detail);
        }
        cells.rows = numbers(&rows.rows);
        cells.payment_id = text(&rows.payment_id);
        cells.order_key = text(&rows.order_key);
        cells.shown.clone_from(&rows.amount);
        cells.date = text(&rows.date);
    });
}

fn numbers(rows: &[usize]) -> String {
    let rows: Vec<_> = rows.iter().map(usize::to_string).collect();
    rows.join(" ")
}

/// The word for a difference, as in the JSON answer.
fn word(difference: Option<Difference>) -> String {
    let word = difference.map(serde_json::to_value).and_then(Result::ok);
    let word = word.as_ref().and_then(|word| word.as_str());
    word.unwrap_or_default().to_owned()
}
