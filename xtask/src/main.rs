//! `cargo xtask`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::release;

/// The tasks of those who keep the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the archive that others run: components, `mpay`, documents, licences, SBOM, checksums.
    Release(release::Arguments),
}

fn main() -> ExitCode {
    let Command::Release(arguments) = Cli::parse().command;
    match release::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
