//! `mpay orders show`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{path, reason};
use crate::{
    api::{Api, review, text, when},
    terminal::{Grid, Page, print_json},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders show DEMO DEMO-1
  mpay orders show TAX 2026-0001 --json")]
pub struct Show {
    /// The service.
    service: String,
    /// The order's key.
    key: String,
    /// Print JSON, as the API answers it.
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Shows an order.
    ///
    /// # Errors
    /// If there is none, or the call failed for good.
    pub fn run(&self, api: &Api) -> anyhow::Result<ExitCode> {
        let order = api.get(&path(&self.service, &self.key))?.json()?;
        match self.json {
            true => print_json(&order)?,
            false => page(&order).print()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An order, for people.
pub fn page(order: &Value) -> Page {
    let currency = text(order, "currency");
    let money = |document: &Value, member: &str| match text(document, member) {
        "" => "not known".to_owned(),
        amount => format!("{amount} {currency}"),
    };
    let mut page = Page::new();
    page.heading(format!(
        "Order {} of service {}",
        text(order, "order_key"),
        text(order, "service_id")
    ));
    page.field("Status", text(order, "status"));
    page.field("Reason", reason(order));
    for (name, value) in [
        ("Customer", text(order, "customer_name").to_owned()),
        ("IDNP/IDNO", text(order, "customer_id").to_owned()),
        ("Issued", when(order, "issued_at")),
        ("Payable from", when(order, "payable_from")),
        ("Due date", when(order, "due_date")),
        ("Refund", text(order, "refund_reference").to_owned()),
        (
            "Overpaid",
            match text(order, "amount_overpaid") {
                "" => String::new(),
                amount => format!("{amount} {currency}"),
            },
        ),
    ] {
        if !value.is_empty() {
            page.field(name, value);
        }
    }
    for (member, words) in [
        ("allow_partial_payments", "may be paid in part"),
        ("allow_advance_payments", "may be paid in advance"),
    ] {
        if order[member] == true {
            page.field("", words);
        }
    }
    page.field("Paid", money(order, "amount_paid"));
    page.field("Due now", money(order, "amount_due"));
    for period in list(order, "amount_due_by_day") {
        page.field("", in_words(period, currency));
    }
    for warning in list(order, "warnings") {
        let warning = format!("{} {}", text(warning, "field"), text(warning, "detail"));
        page.field("Warning", warning);
    }
    page.gap();
    let mut grid = Grid::new(&["line", "amount", "reason"])
        .numbers(&["amount"])
        .long(&["reason"]);
    for line in list(order, "lines") {
        grid.row([
            text(line, "line_id").to_owned(),
            money(line, "amount_due"),
            reason(line).to_owned(),
        ]);
    }
    grid.print(&mut page);
    let payments: Vec<_> = list(order, "payments").collect();
    if !payments.is_empty() {
        page.gap();
        let mut grid =
            Grid::new(&["payment", "amount", "paid at", "review", ""]).numbers(&["amount"]);
        for payment in payments {
            grid.row([
                text(payment, "payment_id").to_owned(),
                format!("{} {}", text(payment, "amount"), text(payment, "currency")),
                when(payment, "paid_at"),
                review(payment),
                marks(payment),
            ]);
        }
        grid.print(&mut page);
    }
    if !text(order, "payments_url").is_empty() {
        page.line(format!(
            "These are the latest of {} payments: `--json` names the address of all.",
            order["payment_count"]
        ));
    }
    page
}

/// The marks that a reader of a payment must see at once.
pub fn marks(payment: &Value) -> String {
    let marks = [
        (payment["voided"].is_object(), "voided"),
        (payment["manual"].is_object(), "entered by hand"),
    ];
    let marks = marks.into_iter().filter(|(is_so, _)| *is_so);
    marks.map(|(_, words)| words).collect::<Vec<_>>().join(", ")
}

/// The amount that is due in a period, in words.
fn in_words(period: &Value, currency: &str) -> String {
    let (from, until) = (text(period, "from"), text(period, "until"));
    let days = match until {
        "" => format!("from {from} on"),
        until => format!("{from} to {until}"),
    };
    let more = match text(period, "more_per_day") {
        "" => String::new(),
        more => format!(", and {more} more on each day after the first"),
    };
    format!("{days}: {} {currency}{more}", text(period, "amount_due"))
}

fn list<'a>(document: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    document[member].as_array().into_iter().flatten()
}
