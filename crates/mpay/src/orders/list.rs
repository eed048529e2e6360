//! `mpay orders list`.

use std::process::ExitCode;

use clap::Args;
use mpay::tell;
use serde_json::{Value, json};

use super::{filters::Filters, reason};
use crate::{
    api::{Api, query, review, text, when},
    terminal::{Grid, Page, count, print_json},
};

/// As many as one call gives.
const PAGE: usize = 200;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders list
  mpay orders list --status PartiallyPaid --due-to 2026-12-31 --limit 1000
  mpay orders list --review open --json")]
pub struct List {
    /// The number of orders at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// The place to go on from: `next` of the page before.
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filters: Filters,
}

impl List {
    /// Lists orders.
    ///
    /// # Errors
    /// If a call failed for good.
    pub fn run(&self, api: &Api) -> anyhow::Result<ExitCode> {
        let pairs = self.filters.pairs();
        let (orders, next) = pages(api, "orders", &pairs, self.cursor.clone(), self.limit)?;
        if self.json {
            print_json(&with_next("orders", orders, next))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut page = Page::new();
        let columns = [
            "service", "order", "status", "due", "paid", "", "due date", "customer", "reason",
            "review",
        ];
        let mut grid = Grid::new(&columns)
            .numbers(&["due", "paid"])
            .long(&["customer", "reason"]);
        for order in &orders {
            grid.row([
                text(order, "service_id").to_owned(),
                text(order, "order_key").to_owned(),
                text(order, "status").to_owned(),
                text(order, "amount_due").to_owned(),
                text(order, "amount_paid").to_owned(),
                text(order, "currency").to_owned(),
                when(order, "due_date"),
                text(order, "customer_name").to_owned(),
                reason(order).to_owned(),
                reviews(order),
            ]);
        }
        match orders.is_empty() {
            true => page.line("No orders."),
            false => grid.print(&mut page),
        }
        page.print()?;
        say_more(next.is_some(), orders.len());
        Ok(ExitCode::SUCCESS)
    }
}

/// The flags of an order's payments.
fn reviews(order: &Value) -> String {
    let payments = order["payments"].as_array().into_iter().flatten();
    let mut flags: Vec<_> = payments
        .map(review)
        .filter(|flags| !flags.is_empty())
        .collect();
    flags.sort();
    flags.dedup();
    flags.join(", ")
}

/// The entries of a list, from a cursor on, over as many pages as it takes; and where to go on, if there
/// is more.
///
/// # Errors
/// If a call failed for good.
pub fn pages(
    api: &Api,
    name: &str,
    filters: &[(&str, &str)],
    mut cursor: Option<String>,
    limit: usize,
) -> anyhow::Result<(Vec<Value>, Option<String>)> {
    let mut entries = Vec::new();
    while entries.len() < limit {
        let most = (limit - entries.len()).min(PAGE).to_string();
        let mut pairs = filters.to_vec();
        pairs.push(("limit", &most));
        if let Some(cursor) = &cursor {
            pairs.push(("cursor", cursor));
        }
        let mut page = api.get(&format!("{name}{}", query(pairs)))?.json()?;
        if let Some(more) = page[name].as_array_mut() {
            entries.append(more);
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok((entries, cursor))
}

/// A list as the API answers it.
pub fn with_next(name: &str, entries: Vec<Value>, next: Option<String>) -> Value {
    let mut list = json!({name: entries});
    if let Some(next) = next {
        list["next"] = next.into();
    }
    list
}

/// Tells people that a list is not at its end.
pub fn say_more(is_more: bool, shown: usize) {
    if is_more {
        tell!(
            "These are {}, and there are more: --limit {} shows them.",
            count(shown),
            shown * 10
        );
    }
}
