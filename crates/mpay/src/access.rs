//! `mpay access`: who may call the order API.

use std::{path::PathBuf, process::ExitCode};

use anyhow::anyhow;
use base64ct::{Base64UrlUnpadded, Encoding};
use clap::{Args, Subcommand, ValueEnum};
use mpay::{say, tell};
use mpay_office::access::{self, Principal};
use rand::RngExt;

use crate::files::write_secret;

/// The arguments of `mpay access`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token for a person or a program, and the entry of the variable `access` that admits it.
    #[command(after_help = "\
Examples:
  mpay access add 'Ana Rusu' --role accountant
  mpay access add webshop --role program --out webshop.token >> access

The token is shown, or written, this once. The entry holds its SHA-256 only.")]
    Add(Add),
}

#[derive(Debug, Args)]
struct Add {
    /// The name, under which everything that is done is recorded.
    name: String,
    /// The role, which decides which calls the principal may make.
    #[arg(long, value_enum)]
    role: Role,
    /// A new file for the token, instead of the terminal.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// The roles as the command line has them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Reads, and changes nothing.
    Read,
    /// Registers, changes and cancels orders.
    Clerk,
    /// Closes reviews, compares statements, proposes payments by hand.
    Accountant,
    /// May do everything: approves what others proposed, refunds, erases.
    Manager,
    /// The institution's own system: orders, refunds, erasures and the calls by a timer.
    Program,
}

impl From<Role> for access::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::Clerk => Self::Clerk,
            Role::Accountant => Self::Accountant,
            Role::Manager => Self::Manager,
            Role::Program => Self::Program,
        }
    }
}

/// Runs it.
///
/// # Errors
/// If the name cannot be one, or the file cannot be made.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Command::Add(add) = &arguments.command;
    let principal = Principal::new(&add.name, add.role.into())
        .map_err(|wrong| anyhow!("a principal {wrong}"))?;
    let token = Base64UrlUnpadded::encode_string(&rand::rng().random::<[u8; 32]>());
    match &add.out {
        Some(file) => {
            write_secret(file, format!("{token}\n").as_bytes())?;
            tell!("The token of {} is in {}.", principal.name, file.display());
        }
        None => {
            tell!("The token of {}, which is kept nowhere:", principal.name);
            tell!("\n  {token}\n");
        }
    }
    tell!("Add this to the variable access, on a line of its own or after a semicolon:");
    say!("{}", principal.entry(&token))?;
    Ok(ExitCode::SUCCESS)
}
