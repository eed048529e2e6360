//! `mpay payments`: payments, by the order API.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    api::{Access, Api, encode, review, text, when},
    orders::{
        list::{pages, say_more, with_next},
        show::marks,
    },
    terminal::{Grid, Page, print_json},
};

/// The arguments of `mpay payments`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay payments list --from 2026-11-01 --to 2026-11-30
  mpay payments show P-1")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List payments, in the order in which they were recorded.
    List(List),
    /// Show a payment.
    Show(Show),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay payments list --from 2026-11-01 --to 2026-11-30
  mpay payments list --review double --json")]
struct List {
    /// Recorded on this day, or at this time, or later.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Recorded on this day, or at this time, or before.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// `open`, or one flag that a person must look at, such as `double`.
    #[arg(long, value_name = "FLAG")]
    review: Option<String>,
    /// The number of payments at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// The place to go on from: `next` of the page before.
    #[arg(long)]
    cursor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay payments show P-1
  mpay payments show P-1 --json")]
struct Show {
    /// PaymentID.
    payment_id: String,
    /// Print JSON, as the API answers it.
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no token, or the API has not done what it was asked for.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let api = arguments.access.api()?;
    match &arguments.command {
        Command::List(list) => list.run(&api)?,
        Command::Show(show) => show.run(&api)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl List {
    fn run(&self, api: &Api) -> anyhow::Result<()> {
        let filters = [
            ("from", &self.from),
            ("to", &self.to),
            ("review", &self.review),
        ];
        let filters = filters.into_iter();
        let filters: Vec<_> = filters
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
        let (payments, next) = pages(api, "payments", &filters, self.cursor.clone(), self.limit)?;
        if self.json {
            return print_json(&with_next("payments", payments, next));
        }
        let mut page = Page::new();
        let columns = [
            "payment", "service", "order", "amount", "", "paid at", "review", " ",
        ];
        let mut grid = Grid::new(&columns).numbers(&["amount"]);
        for payment in &payments {
            grid.row([
                text(payment, "payment_id").to_owned(),
                text(payment, "service_id").to_owned(),
                text(payment, "order_key").to_owned(),
                text(payment, "amount").to_owned(),
                text(payment, "currency").to_owned(),
                when(payment, "paid_at"),
                review(payment),
                marks(payment),
            ]);
        }
        match payments.is_empty() {
            true => page.line("No payments."),
            false => grid.print(&mut page),
        }
        page.print()?;
        say_more(next.is_some(), payments.len());
        Ok(())
    }
}

impl Show {
    fn run(&self, api: &Api) -> anyhow::Result<()> {
        let path = format!("payments/{}", encode(&self.payment_id));
        let payment = api.get(&path)?.json()?;
        match self.json {
            true => print_json(&payment),
            false => Ok(page(&payment).print()?),
        }
    }
}

fn page(payment: &Value) -> Page {
    let currency = text(payment, "currency");
    let mut page = Page::new();
    page.heading(format!("Payment {}", text(payment, "payment_id")));
    let order = format!(
        "{} of service {}",
        text(payment, "order_key"),
        text(payment, "service_id")
    );
    let closed = payment["closed_reviews"].as_array().into_iter().flatten();
    let closed: Vec<_> = closed
        .map(|closed| match text(closed, "note") {
            "" => text(closed, "reason").to_owned(),
            note => format!("{}: {note}", text(closed, "reason")),
        })
        .collect();
    let settlement = payment["settlement"].as_u64();
    for (name, value) in [
        ("Amount", format!("{} {currency}", text(payment, "amount"))),
        ("Order", order),
        ("Invoice", text(payment, "invoice_id").to_owned()),
        ("Paid at", when(payment, "paid_at")),
        ("Received at", when(payment, "received_at")),
        ("To look at", review(payment)),
        ("Looked at", closed.join("\n")),
        ("", marks(payment)),
        (
            "Settled by",
            settlement
                .map(|event| format!("the statement of event {event}"))
                .unwrap_or_default(),
        ),
    ] {
        if !value.is_empty() {
            page.field(name, value);
        }
    }
    page.gap();
    let mut grid = Grid::new(&["line", "amount"]).numbers(&["amount"]);
    for line in payment["lines"].as_array().into_iter().flatten() {
        grid.row([
            text(line, "line_id").to_owned(),
            format!("{} {currency}", text(line, "amount")),
        ]);
    }
    grid.print(&mut page);
    page
}
