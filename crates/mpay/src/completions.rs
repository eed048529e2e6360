//! `mpay completions`: what a shell completes.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay completions bash > ~/.local/share/bash-completion/completions/mpay
  mpay completions zsh  > \"${fpath[1]}/_mpay\"
  mpay completions fish > ~/.config/fish/completions/mpay.fish")]
pub struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(
        arguments.shell,
        &mut crate::Cli::command(),
        "mpay",
        &mut script,
    );
    crate::terminal::print_raw(&script)?;
    Ok(ExitCode::SUCCESS)
}
