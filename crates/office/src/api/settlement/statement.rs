//! The rows of a statement, read.

use std::collections::HashMap;

use http::StatusCode;
use tables::{Row, Table as Sheet};

use super::{MAX_ROWS, Mapping, Shown, WrongRow};
use crate::{
    api::Problem,
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
    for (count, cells) in sheet.rows().enumerate() {
        let row = cells.number();
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
    if let Some(reference) = text(cells, mapping.reference) {
        let members = [Some(reference.as_str()), shown.order_key.as_deref(), Some(&amount)];
        return serde_json::json!({ "reference": members }).to_string();
    }
    let mut content: Vec<_> = cells
        .cells()
        .map(|(column, cell)| match column.is(mapping.amount) {
            // However it is written.
            true => (column.name(), amount.clone()),
            false => (column.name(), cell.shown().into_owned()),
        })
        .collect();
    if shown.date.is_none() {
        content.push(("", sha256.to_owned()));
    }
    serde_json::json!({ "cells": content }).to_string()
}

fn read_row(row: usize, cells: &Row<'_>, mapping: &Mapping<'_>) -> Result<Shown, Vec<FieldError>> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| {
        errors.push(FieldError::new(field, detail));
    };
    let payment_id = text(cells, mapping.payment_id);
    let order_key = text(cells, mapping.order_key);
    if let (Some(column), Some(id)) = (mapping.payment_id, &payment_id)
        && let Err(error) = PaymentId::parse(id)
    {
        wrong(column, error.to_string());
    }
    if payment_id.is_none() && order_key.is_none() {
        let column = mapping.payment_id.or(mapping.order_key).unwrap_or_default();
        wrong(column, "is empty".to_owned());
    }
    let sum = match cells.cell(mapping.amount).amount() {
        Ok(Some(amount)) => Money::parse(&amount.to_string()).map_err(|error| error.to_string()),
        Ok(None) => Err("is empty".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let sum = sum.unwrap_or_else(|error| {
        wrong(mapping.amount, error);
        Money::ZERO
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Shown {
        rows: vec![row],
        payment_id,
        order_key,
        amount: sum.to_string(),
        date: text(cells, mapping.date),
        shown_by_others: Vec::new(),
        sum,
        name: String::new(),
    })
}

fn text(row: &Row<'_>, column: Option<&str>) -> Option<String> {
    row.cell(column?).identifier().ok().flatten()
}
