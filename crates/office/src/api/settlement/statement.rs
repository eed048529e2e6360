//! The rows of a statement, read.

use std::collections::HashMap;

use http::StatusCode;

use super::{MAX_ROWS, Mapping, Shown, WrongRow};
use crate::{
    api::{
        Problem,
        sheet::{Row, Sheet},
    },
    domain::{Money, PaymentId},
    json::FieldError,
    store::Secret,
};

/// What the statement shows, rows of one PaymentID together.
pub(super) fn read(
    sheet: &Sheet,
    mapping: &Mapping<'_>,
    secret: &Secret,
    sha256: &str,
) -> Result<(Vec<Shown>, Vec<WrongRow>), Problem> {
    let (mut shown, mut errors) = (Vec::<Shown>::new(), Vec::new());
    let mut by_id: HashMap<String, usize> = HashMap::new();
    // How many rows before are like this one.
    let mut before: HashMap<String, u64> = HashMap::new();
    for (count, (row, cells)) in sheet.rows().enumerate() {
        if count >= MAX_ROWS {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("A statement has {MAX_ROWS} rows at most; send it in parts."),
            ));
        }
        let next = match read_row(row, &cells, mapping) {
            Ok(mut next) => {
                let content = content(&next, &cells, mapping, sha256);
                let before = before.entry(content.clone()).or_default();
                let parts = [content.as_bytes(), &before.to_be_bytes()];
                next.name = secret.digest("row", &parts);
                *before += 1;
                next
            }
            Err(wrong) => {
                errors.push(WrongRow { row, errors: wrong });
                continue;
            }
        };
        let known = next.payment_id.as_ref().and_then(|id| by_id.get(id));
        match known.and_then(|position| shown.get_mut(*position)) {
            Some(known) => {
                known.rows.push(row);
                known.sum = known.sum + next.sum;
                known.amount = known.sum.to_string();
            }
            None => {
                if let Some(id) = &next.payment_id {
                    by_id.insert(id.clone(), shown.len());
                }
                shown.push(next);
            }
        }
    }
    Ok((shown, errors))
}

/// What makes a row the row it is, in whatever file it comes: the bank's own name for it, or else
/// all of its cells. Where it has no date either, nothing tells another row of the same content from
/// the same row in another file: then it is a row of this file alone.
fn content(shown: &Shown, cells: &Row<'_>, mapping: &Mapping<'_>, sha256: &str) -> String {
    if let Some(id) = &shown.payment_id {
        return serde_json::json!({ "payment_id": id }).to_string();
    }
    let amount = shown.sum.to_string();
    if let Some(reference) = mapping.reference.and_then(|column| cells.get(column)) {
        let members = [Some(reference), shown.order_key.as_deref(), Some(&amount)];
        return serde_json::json!({ "reference": members }).to_string();
    }
    let mut content: Vec<_> = cells
        .cells()
        .map(|(column, cell)| match column == mapping.amount {
            // However it is written.
            true => (column, amount.as_str()),
            false => (column, cell),
        })
        .collect();
    if shown.date.is_none() {
        content.push(("", sha256));
    }
    serde_json::json!({ "cells": content }).to_string()
}

fn read_row(row: usize, cells: &Row<'_>, mapping: &Mapping<'_>) -> Result<Shown, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| {
        errors.push(FieldError::new(field, detail));
    };
    let text = |column: Option<&str>| cells.get(column?).map(str::to_owned);
    let payment_id = text(mapping.payment_id);
    let order_key = text(mapping.order_key);
    if let (Some(column), Some(id)) = (mapping.payment_id, &payment_id)
        && let Err(error) = PaymentId::parse(id)
    {
        wrong(column, error.to_string());
    }
    if payment_id.is_none() && order_key.is_none() {
        let column = mapping.payment_id.or(mapping.order_key).unwrap_or_default();
        wrong(column, "is empty".to_owned());
    }
    let sum = match cells.get(mapping.amount).map(amount) {
        Some(Ok(sum)) => sum,
        Some(Err(error)) => {
            wrong(mapping.amount, error);
            Money::ZERO
        }
        None => {
            wrong(mapping.amount, "is empty".to_owned());
            Money::ZERO
        }
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Shown {
        rows: vec![row],
        payment_id,
        order_key,
        amount: sum.to_string(),
        date: text(mapping.date),
        shown_by_others: Vec::new(),
        sum,
        name: String::new(),
    })
}

/// An amount as statements have it: also with a decimal comma, and thousands set apart.
pub(super) fn amount(text: &str) -> Result<Money, String> {
    let text = text.trim();
    let (whole, fraction) = match text.rsplit_once([',', '.']) {
        None => (text, None),
        Some((whole, fraction)) => {
            if fraction.len() == 3 && !whole.contains([',', '.']) {
                return Err(
                    "could be thousands or thousandths; write two digits behind the point"
                        .to_owned(),
                );
            }
            (whole, Some(fraction))
        }
    };
    let point = text.get(whole.len()..).and_then(|rest| rest.chars().next());
    let apart = |c: char| c.is_whitespace() || matches!(c, '\'' | ',' | '.') && Some(c) != point;
    let groups: Vec<_> = whole.split(apart).collect();
    let (first, others) = groups.split_first().unwrap_or((&"", &[]));
    if !others.is_empty() && (first.len() > 3 || others.iter().any(|group| group.len() != 3)) {
        return Err(
            "has its thousands set apart in other places than those of thousands".to_owned(),
        );
    }
    let mut plain = groups.concat();
    if let Some(fraction) = fraction {
        plain = format!("{plain}.{fraction}");
    }
    Money::parse(&plain).map_err(|error| error.to_string())
}
