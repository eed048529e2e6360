//! `mpay keys`: keys, requests and certificates, from the first request to the variables of the
//! provider.

mod ber;
mod export;
pub mod material;
mod new;
mod pkcs12;
mod show;
mod variables;

use std::process::ExitCode;

use clap::{Args, Subcommand};
pub use show::check_system_certificate;

/// The arguments of `mpay keys`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an RSA key, and the request for its system certificate.
    New(new::Arguments),
    /// Show what is in a file: PEM, DER or PKCS#12; a key, certificates or a request.
    Show(show::Arguments),
    /// Write the certificate as the `.cer` that MPay asks for.
    ExportCer(export::Arguments),
    /// Turn a PKCS#12 file, or a key and its certificate, into the provider's variables.
    Variables(variables::Arguments),
}

/// Does it.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::New(arguments) => new::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::ExportCer(arguments) => export::run(arguments),
        Command::Variables(arguments) => variables::run(arguments),
    }
}
