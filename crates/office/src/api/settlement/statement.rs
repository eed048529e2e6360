//! Reading the rows of a statement.

use std::collections::{BTreeSet, HashMap};

use http::StatusCode;
use tables::{Amount, Row, RowKind, Table};

use super::{MAX_ROWS, Mapping, Unit, WrongRow, fees};
use crate::{
    api::Problem,
    domain::{Currency, PaymentId, folded},
    json::FieldError,
    store::Secret,
};

/// The content of a statement.
pub(super) struct Statement {
    pub rows: Vec<StatementRow>,
    /// The numbers of the rows with totals.
    pub totals: Vec<usize>,
    pub errors: Vec<WrongRow>,
}

/// A row with a payment, a refund, a fee, or the sum of a day.
#[derive(Clone)]
pub(super) struct StatementRow {
    pub row: usize,
    /// The text in the column of PaymentIDs, if the whole text may be a PaymentID.
    pub payment_id: Option<String>,
    /// The words in its texts that may be PaymentIDs.
    pub words: Vec<String>,
    pub order_key: Option<String>,
    /// The order key in the form in which two keys of a service differ.
    pub folded_key: Option<String>,
    pub amount: Amount,
    /// The currency of the amount, if the row or the caller says it.
    pub currency: Option<String>,
    /// The fee in hundredths that was withheld from the amount, without its sign.
    pub fee: Option<i128>,
    /// True if its text names a fee. A row of a positive amount, such as the payment of a fee, is none itself.
    pub names_a_fee: bool,
    /// The date, as it is written.
    pub date: Option<String>,
    /// The date as `2026-11-27`, if it can be read as one.
    pub day: Option<String>,
    pub account: Option<String>,
    /// The identity of the row, the same in every statement that contains it.
    pub name: String,
    /// True if another file can have the same row: it has a reference or a date.
    pub has_permanent_name: bool,
}

impl StatementRow {
    /// True if the row itself may be a fee: money that went, with a text that names a fee.
    pub fn may_be_fee(&self) -> bool {
        self.names_a_fee && self.amount.hundredths() < 0
    }

    /// True if its texts contain this word.
    pub fn names(&self, word: &str) -> bool {
        self.payment_id.as_deref() == Some(word) || self.words.iter().any(|known| known == word)
    }
}

/// Reads the rows of a statement.
pub(super) fn read(
    sheet: &Table,
    mapping: &Mapping<'_>,
    secret: &Secret,
    sha256: &str,
) -> Result<Statement, Problem> {
    let mut statement = Statement {
        rows: Vec::new(),
        totals: Vec::new(),
        errors: Vec::new(),
    };
    let mut keys = mapping.keys();
    keys.extend(mapping.date);
    keys.extend(mapping.reference);
    // Number of earlier rows with the same content.
    let mut before: HashMap<String, u64> = HashMap::new();
    for (count, (row, kind)) in sheet.rows().zip(sheet.kinds(&keys)).enumerate() {
        if count >= MAX_ROWS {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("A statement has {MAX_ROWS} rows at most; send it in parts."),
            ));
        }
        if kind == RowKind::Total {
            statement.totals.push(row.number());
            continue;
        }
        match read_row(&row, mapping) {
            Ok(mut next) => {
                let (content, is_permanent) = content(&next, &row, mapping, sha256);
                let before = before.entry(content.clone()).or_default();
                let parts = [content.as_bytes(), &before.to_be_bytes()];
                next.name = secret.digest("row", &parts);
                next.has_permanent_name = is_permanent;
                *before += 1;
                statement.rows.push(next);
            }
            Err(errors) => {
                let row = row.number();
                statement.errors.push(WrongRow { row, errors });
            }
        }
    }
    Ok(statement)
}

/// The content that identifies a row in whatever file it comes: the bank's name for it, or else all of its
/// cells. Without a name and a date, the row cannot be told from another row with the same content in another
/// file, so it counts as a row of this file alone, which the second value tells: true if it is not.
fn content(
    shown: &StatementRow,
    row: &Row<'_>,
    mapping: &Mapping<'_>,
    sha256: &str,
) -> (String, bool) {
    let amount = shown.amount.to_string();
    let reference = mapping.reference.map(|column| row.cell(column).shown());
    if let Some(reference) = reference.filter(|reference| !reference.is_empty()) {
        let key = shown.payment_id.as_deref().or(shown.order_key.as_deref());
        let members = [Some(&*reference), key, Some(&amount)];
        return (
            serde_json::json!({ "reference": members }).to_string(),
            true,
        );
    }
    let mut content: Vec<_> = row
        .cells()
        .map(|(column, cell)| match column.is(mapping.amount) {
            // The amount counts, not its spelling.
            true => (column.name(), amount.clone()),
            false => (column.name(), cell.shown().into_owned()),
        })
        .collect();
    if shown.date.is_none() {
        content.push(("", sha256.to_owned()));
    }
    let content = serde_json::json!({ "cells": content }).to_string();
    (content, shown.date.is_some())
}

fn read_row(row: &Row<'_>, mapping: &Mapping<'_>) -> Result<StatementRow, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |column: &str, detail: String| {
        errors.push(FieldError::new(column, detail));
    };
    let mut identifier = |column: Option<&str>| {
        let read = row.cell(column?).identifier();
        read.unwrap_or_else(|error| {
            wrong(column.unwrap_or_default(), error.to_string());
            None
        })
    };
    let named = identifier(mapping.payment_id);
    let order_key = identifier(mapping.order_key);
    let account = mapping.account.map(|column| row.cell(column).iban());
    let amount = row.cell(mapping.amount).amount();
    let fee = mapping.fee.map(|column| row.cell(column).amount());
    let text = mapping
        .text
        .and_then(|column| row.cell(column).text().ok().flatten());
    let account = account.unwrap_or(Ok(None)).unwrap_or_else(|error| {
        wrong(mapping.account.unwrap_or_default(), error.to_string());
        None
    });
    let fee = fee.unwrap_or(Ok(None)).unwrap_or_else(|error| {
        wrong(mapping.fee.unwrap_or_default(), error.to_string());
        None
    });
    let amount = match amount {
        Ok(Some(amount)) => amount,
        Ok(None) => {
            wrong(mapping.amount, "is empty".to_owned());
            Amount::default()
        }
        Err(error) => {
            wrong(mapping.amount, error.to_string());
            Amount::default()
        }
    };
    let date = mapping.date.map(|column| row.cell(column));
    let day = date.and_then(|cell| cell.date().ok().flatten());
    let currency = match currency(row, mapping, amount.is_in_lei()) {
        Ok(currency) => currency,
        Err((column, detail)) => {
            wrong(column, detail);
            None
        }
    };
    // A text of several words is no PaymentID, but may contain one.
    let is_word = |text: &String| !text.contains(char::is_whitespace);
    let payment_id = match named.as_deref().map(PaymentId::parse) {
        Some(Err(error)) if named.as_ref().is_some_and(is_word) => {
            wrong(mapping.payment_id.unwrap_or_default(), error.to_string());
            None
        }
        Some(Ok(id)) => Some(id.to_string()),
        _ => None,
    };
    let texts = [named.as_deref(), text.as_deref()];
    let texts = texts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let (words, names_a_fee) = (words(&texts), fees::names_a_fee(&texts));
    if named.is_none() && text.is_none() && order_key.is_none() {
        match mapping.keys().first() {
            // The sum of a day is named by its day.
            _ if day.is_some() && mapping.keys().is_empty() => {}
            Some(column) => wrong(column, "is empty".to_owned()),
            None => wrong(
                mapping.date.unwrap_or_default(),
                "must be the day that the row is the sum of".to_owned(),
            ),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(StatementRow {
        row: row.number(),
        payment_id,
        words,
        folded_key: order_key.as_deref().map(folded),
        order_key,
        amount,
        currency,
        fee: fee.map(fees::without_sign),
        names_a_fee,
        date: date
            .map(|cell| cell.shown().into_owned())
            .filter(|date| !date.is_empty()),
        day: day.and_then(|day| day.get(..10).map(str::to_owned)),
        account,
        name: String::new(),
        has_permanent_name: false,
    })
}

/// The currency that a row or the caller says. An error has the name of the column.
fn currency<'a>(
    row: &Row<'_>,
    mapping: &Mapping<'a>,
    is_in_lei: bool,
) -> Result<Option<String>, (&'a str, String)> {
    let said = match mapping.currency {
        None => None,
        Some(Unit::Of(currency)) => Some(currency),
        Some(Unit::Column(column)) => {
            let code = row.cell(column).text();
            let code = code.map_err(|error| (column, error.to_string()))?;
            let code = code.map(|code| Currency::parse(&code.to_uppercase()));
            code.transpose()
                .map_err(|error| (column, error.to_string()))?
        }
    };
    match said {
        Some(said) if is_in_lei && said != Currency::MDL => Err((
            mapping.amount,
            format!("is in lei, and the currency is {}", said.as_str()),
        )),
        None if is_in_lei => Ok(Some(Currency::MDL.as_str().to_owned())),
        said => Ok(said.map(|said| said.as_str().to_owned())),
    }
}

/// The words of a text that may be PaymentIDs, without surrounding punctuation.
fn words(text: &str) -> Vec<String> {
    /// The most words that are looked up. The texts of banks hardly have more.
    const MOST: usize = 40;
    let around = |c: char| matches!(c, '.' | '"' | '\'' | '„' | '”' | '«' | '»' | '#' | '№');
    let apart = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                ',' | ';' | ':' | '(' | ')' | '[' | ']' | '=' | '|' | '<' | '>'
            )
    };
    let words = text.split(apart).map(|word| word.trim_matches(around));
    // Every word that could be a PaymentID is taken.
    let words = words.filter(|word| PaymentId::parse(word).is_ok());
    let words: BTreeSet<_> = words.take(MOST).map(str::to_owned).collect();
    words.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_text_are_without_the_marks_around_them() {
        assert_eq!(
            words("Plata MPay nr. \"P-1\"; ID=7f3a-2, (Q/3)."),
            ["7f3a-2", "ID", "MPay", "P-1", "Plata", "Q/3", "nr"]
        );
        assert_eq!(words(&"x".repeat(37)), [""; 0]);
    }
}
