//! `mpay schedule`: the calls that a host makes by itself, or a timer.

use std::{
    io::{IsTerminal, stdout},
    process::ExitCode,
};

use clap::Args;
use mpay::{
    say,
    schedule::{Outcome, When},
    tell,
};

use crate::{api::Access, terminal::clean_lines};

/// The calls to make, and the provider that is called.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay schedule minute --token-file /etc/mpay-provider/schedule-token
  mpay schedule night --url https://plati.exemplu.md/ --token-file token

`mpay up` makes these calls by itself. Where another host serves the provider, a timer makes them with this
command: deploy/server has units of systemd. The token is one of a principal with the role program. What the
provider has no use for, such as the calls about cards where none are taken, is left out without a word, and
what is done is told on a terminal only.
Exit status: 0; 1 if a call failed; 2 if none was made.")]
pub struct Arguments {
    /// The calls of each minute, or those of each night.
    #[arg(value_enum, value_name = "minute|night")]
    when: When,
    #[command(flatten)]
    access: Access,
}

/// Makes them once.
///
/// # Errors
/// If there is no token, or no address to call.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (path, outcome) in arguments.access.timer()?.make(arguments.when) {
        match outcome {
            Ok(Outcome::Done) if stdout().is_terminal() => say!("POST /api/{path}: done")?,
            Ok(Outcome::NotSet) if stdout().is_terminal() => {
                say!("POST /api/{path}: the provider has no use for it")?;
            }
            Ok(_) => {}
            Err(error) => {
                tell!(
                    "POST /api/{path} failed: {}",
                    clean_lines(&format!("{error:#}"))
                );
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
