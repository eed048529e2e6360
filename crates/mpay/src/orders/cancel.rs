//! `mpay orders cancel`.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use mpay::tell;

use super::{path, show};
use crate::{
    api::{Api, text},
    terminal::{Page, print_json},
};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay orders cancel DEMO DEMO-1
  mpay orders cancel TAX 2026-0001 --yes")]
pub struct Cancel {
    /// The service.
    service: String,
    /// The order's key.
    key: String,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Print the order in JSON, as it is then.
    #[arg(long)]
    json: bool,
}

impl Cancel {
    /// Cancels an order, if a person says so who sees it. It is cancelled as it was seen: if it changes
    /// meanwhile, by a payment for example, it stays.
    ///
    /// # Errors
    /// If there is none, or it cannot be cancelled.
    pub fn run(&self, api: &Api) -> anyhow::Result<ExitCode> {
        let path = path(&self.service, &self.key);
        let answer = api.get(&path)?;
        let order = answer.json()?;
        if text(&order, "status") != "Cancelled" {
            if !self.yes && !asked(&order)? {
                tell!("The order stays as it is.");
                return Ok(ExitCode::FAILURE);
            }
            let entity_tag = answer
                .header("etag")
                .context("the provider names no version of the order")?;
            api.delete(&path, entity_tag)?;
        }
        match self.json {
            true => print_json(&api.get(&path)?.json()?)?,
            false => {
                let mut page = Page::new();
                page.line(format!(
                    "Order {} of service {} is cancelled.",
                    self.key, self.service
                ));
                page.print()?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn asked(order: &serde_json::Value) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nobody can be asked here: give --yes to cancel the order");
    }
    show::page(order).print()?;
    let _ = write!(io::stderr(), "\nCancel this order? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "da" | "да"))
}
