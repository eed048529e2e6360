//! The command `mpay`.

// `indexing_slicing` takes a look into an answer of JSON for one that may panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

mod access;
mod api;
mod archive;
mod backup;
mod bench;
mod call;
mod completions;
mod connect;
mod doctor;
mod files;
mod inspect;
mod keys;
mod message;
mod orders;
mod passphrase;
mod payments;
mod settle;
mod sign;
mod table_file;
mod terminal;
mod timers;
mod trust;
mod verify;
mod webhooks;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use mpay::{conform, gateway, offline, tell, text::parse_argument, up};
use mpay_offline::Mischief;

/// Be paid through MPay: run a provider on this machine, and play MPay against any provider.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: UpArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the provider on this machine: with development certificates and sample orders where no
    /// key, certificate or token is given.
    #[command(after_help = UP_EXAMPLES)]
    Up(UpArguments),
    /// Play MPay: make one signed call, verify the answer and print it.
    #[command(after_help = CALL_EXAMPLES)]
    Call(call::Arguments),
    /// Make, look at and convert keys and certificates.
    Keys(keys::Arguments),
    /// Say who may call the order API, and do what.
    Access(access::Arguments),
    /// Import, export, look at and cancel orders, over the order API.
    Orders(orders::Arguments),
    /// Look at payments, over the order API.
    Payments(payments::Arguments),
    /// Compare a statement of the bank, the treasury or MPay with the recorded payments.
    Settle(Box<settle::Arguments>),
    /// Forward what happens to a local program, as webhooks do.
    Webhooks(webhooks::Arguments),
    /// Take a copy of the books, while they are in use.
    Backup(backup::BackupArguments),
    /// Put a copy of the books back.
    Restore(backup::RestoreArguments),
    /// Move MPay's signed messages of old closed orders out of the store, into files.
    Archive(archive::Arguments),
    /// Make the calls of each minute or each night that `mpay up` makes by itself.
    Schedule(timers::Arguments),
    /// Look at the folder of the data.
    State(backup::StateArguments),
    /// Sign a message.
    Sign(sign::Arguments),
    /// Show what a signed message consists of, and whether it verifies.
    Inspect(inspect::Arguments),
    /// Judge kept evidence of a payment: who signed what, and when.
    Verify(verify::Arguments),
    /// Find what is wrong with a configuration or a running provider, and how to mend it.
    Doctor(doctor::Arguments),
    /// Gather what MPay's connection form asks.
    Connect(connect::Arguments),
    /// Load a provider with signed calls, and measure how fast it answers.
    Bench(bench::Arguments),
    /// Print a script that completes this command in a shell.
    Completions(completions::Arguments),
    /// Play MPay in the browser: show orders, confirm payments, rehearse what can go wrong.
    Offline(offline::Arguments),
    /// Play the card gateway in the browser: take payments by card, refund them, rehearse trouble.
    Gateway(gateway::Arguments),
    /// Put a provider, in any language and on any host, to MPay's functional test.
    Conform(Box<conform::Arguments>),
}

const EXAMPLES: &str = "\
Examples:
  mpay                                a provider with sample orders on this machine
  mpay call details DEMO-1            and, in another terminal, MPay's side
  mpay doctor . http://127.0.0.1:3000/

`mpay COMMAND --help` has examples for each command.";

const UP_EXAMPLES: &str = "\
Examples:
  mpay up
  mpay up --fresh                                         as at the first start
  mpay up --development --variable access=@access         own tokens, all else of development
  mpay up --listen 127.0.0.1:8080 --state-dir /var/lib/mpay-provider \\
      --variable environment=test --variable service_ids=TAX \\
      --variable service_key=@service.key.pem --variable service_certificate=@service.pem \\
      --variable mpay_certificates=@mpay.pem --variable access=@access";

const CALL_EXAMPLES: &str = "\
Examples:
  mpay call details DEMO-1 --language ru
  mpay call confirm DEMO-2 --line adult=100 --payment-id P-1
  mpay call details 2026-0001 --service TAX --url https://test.exemplu.md/mpay --key mpay.key.pem \\
      --certificate mpay.pem --provider-certificate service.pem

Exit status: 0; 1 for a fault; 2 if there was no answer that could be believed.";

#[derive(Debug, Args)]
struct UpArguments {
    /// The manifest, as for `spin up`: spin.postgres.toml keeps the books in PostgreSQL [default: the
    /// spin.toml of this folder or one above, or beside this program].
    #[arg(long, short = 'f', value_name = "FILE")]
    from: Option<PathBuf>,
    /// Address to listen at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Folder of the data [default: .spin beside spin.toml].
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Spin's runtime configuration: where the store is (a file, or Redis), and values of variables.
    #[arg(long = "runtime-config-file", value_name = "FILE")]
    runtime_config: Option<PathBuf>,
    /// A variable's value, or a file that holds it; SPIN_VARIABLE_NAME does the same.
    #[arg(long = "variable", value_name = "NAME=VALUE|NAME=@FILE", value_parser = parse_argument)]
    variables: Vec<(String, String)>,
    /// Fill what is missing with development certificates and sample orders. This is done anyway
    /// where no environment, key, certificate or token is given; where one is, what is started is
    /// production unless the variable environment says otherwise, as with `spin up`.
    #[arg(long)]
    development: bool,
    /// Begin with an empty store. The one that is there is moved aside, not deleted.
    #[arg(long)]
    fresh: bool,
    /// With --fresh: also where the store holds other orders than those of development.
    #[arg(long, requires = "fresh")]
    yes: bool,
    /// Serve a store that another host serves too, or may come to serve.
    #[arg(long, conflicts_with = "fresh")]
    shared: bool,
    /// Leave to cron the calls that are made by themselves otherwise: each minute `outbox/deliver`
    /// (webhooks) and `card-payments/check`, each night `card-payments/recheck` and `erasures`.
    #[arg(long)]
    no_schedule: bool,
    /// Requests that an instance of the component is at, at once. They share one processor and, if
    /// one of them should break, its end; Spin's default is 16, and its flag is the same.
    #[arg(long = "max-instance-concurrent-reuse-count", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    requests_at_once_per_instance: u16,
    /// Address for MPay offline to listen at, in development [default: one port above, on loopback].
    #[arg(long, value_name = "ADDRESS")]
    offline_listen: Option<SocketAddr>,
    /// Address for the card gateway to listen at, in development where no other one is set [default:
    /// two ports above, on loopback].
    #[arg(long, value_name = "ADDRESS")]
    gateway_listen: Option<SocketAddr>,
    /// The way in which MPay offline sends confirmations, unless the payer chooses another.
    #[arg(long, value_enum, value_name = "KIND")]
    mischief: Option<Mischief>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(arguments) => serve(arguments).map(|()| ExitCode::SUCCESS),
        Command::Call(arguments) => call::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Access(arguments) => access::run(&arguments),
        Command::Orders(arguments) => orders::run(&arguments),
        Command::Payments(arguments) => payments::run(&arguments),
        Command::Settle(arguments) => settle::run(&arguments),
        Command::Webhooks(arguments) => webhooks::run(&arguments),
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Archive(arguments) => archive::run(&arguments),
        Command::Schedule(arguments) => timers::run(&arguments),
        Command::State(arguments) => backup::state(&arguments),
        Command::Sign(arguments) => sign::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Connect(arguments) => connect::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Offline(arguments) => tokio::runtime::Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(offline::run(arguments)))
            .map(|()| ExitCode::SUCCESS),
        Command::Gateway(arguments) => tokio::runtime::Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(gateway::run(arguments)))
            .map(|()| ExitCode::SUCCESS),
        Command::Conform(arguments) => arguments.run(),
    };
    result.unwrap_or_else(|error| {
        tell!("mpay: {}", terminal::clean_lines(&format!("{error:#}")));
        ExitCode::from(2)
    })
}

fn serve(arguments: UpArguments) -> anyhow::Result<()> {
    let up = up::Up {
        from: arguments.from,
        listen: arguments.listen,
        state_dir: arguments.state_dir,
        runtime_config: arguments.runtime_config,
        variables: arguments.variables,
        development: arguments.development,
        fresh: arguments.fresh,
        yes: arguments.yes,
        shared: arguments.shared,
        schedule: !arguments.no_schedule,
        requests_at_once_per_instance: arguments.requests_at_once_per_instance.into(),
        offline_listen: arguments.offline_listen,
        gateway_listen: arguments.gateway_listen,
        mischief: arguments.mischief,
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
