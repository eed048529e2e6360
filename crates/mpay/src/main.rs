//! The command `mpay`.

mod call;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use mpay::{conform, host, up};

/// Be paid through MPay: run a provider on this machine, and play MPay against any provider.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: UpArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the provider on this machine, with development certificates and sample orders
    /// unless told otherwise.
    Up(UpArguments),
    /// Play MPay: make one signed call, verify the answer and print it.
    Call(call::Arguments),
    /// Put a provider, in any language and on any host, to MPay's functional test.
    Conform(Box<conform::Arguments>),
}

#[derive(Debug, Args)]
struct UpArguments {
    /// Address to listen at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Folder of the data [default: .spin beside spin.toml].
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// A variable's value, or a file that holds it; SPIN_VARIABLE_NAME does the same.
    #[arg(long = "variable", value_name = "NAME=VALUE|NAME=@FILE", value_parser = host::parse_argument)]
    variables: Vec<(String, String)>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(arguments) => serve(arguments).map(|()| ExitCode::SUCCESS),
        Command::Call(arguments) => call::run(&arguments),
        Command::Conform(arguments) => arguments.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("mpay: {error:#}");
        ExitCode::from(2)
    })
}

fn serve(arguments: UpArguments) -> anyhow::Result<()> {
    let up = up::Up {
        listen: arguments.listen,
        state_dir: arguments.state_dir,
        variables: arguments.variables,
    };
    tokio::runtime::Runtime::new()?.block_on(up::run(up))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
