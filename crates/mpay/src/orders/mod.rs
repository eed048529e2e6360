//! `mpay orders`: orders, by the order API.

mod cancel;
mod export;
mod filters;
mod import;
pub mod list;
mod parts;
pub mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use crate::api::{Access, encode};

/// The arguments of `mpay orders`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders import taxe.xlsx --dry-run
  mpay orders export --output orders.xlsx --status Active
  mpay orders list --review open
  mpay orders show DEMO DEMO-1
  mpay orders cancel DEMO DEMO-1")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register or amend the orders of a file.
    Import(import::Import),
    /// Write orders into one file, so that they can be imported.
    Export(export::Export),
    /// List orders, the newest first.
    List(list::List),
    /// Show an order: its status, what is due now and later, and its payments.
    Show(show::Show),
    /// Cancel an order.
    Cancel(cancel::Cancel),
}

/// Runs it.
///
/// # Errors
/// If there is no token, or the API has not done what it was asked for.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let api = arguments.access.api()?;
    match &arguments.command {
        Command::Import(import) => import.run(api),
        Command::Export(export) => export.run(&api),
        Command::List(list) => list.run(&api),
        Command::Show(show) => show.run(&api),
        Command::Cancel(cancel) => cancel.run(&api),
    }
}

/// The path of an order.
fn path(service: &str, key: &str) -> String {
    format!("orders/{}/{}", encode(service), encode(key))
}

/// A text for payers, in its first language.
fn reason(document: &Value) -> &str {
    let reason = &document["reason"];
    reason
        .as_str()
        .or(reason["ro"].as_str())
        .unwrap_or_default()
}
