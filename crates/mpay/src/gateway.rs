//! `mpay gateway`: the card gateway on its own, for any provider.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use mpay_gateway::{Interface, Mischief, Options, start};
use tokio::signal::unix::{SignalKind, signal};

use crate::{say, tell};

/// The arguments of `mpay gateway`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  mpay gateway --notify http://127.0.0.1:8080/cards/notifications
  mpay gateway --interface wallet --terminal SHOP --password s3cret
  mpay gateway --mischief done-answer-lost     the next command is done, and its answer lost

No money moves, and only the cards of its start page exist: do not type a real one.")]
pub struct Arguments {
    /// Address to listen at. Who reaches it can pay, refund and see all payments.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3002")]
    listen: SocketAddr,
    /// The interfaces: Ap&Pay under /apim, Wallet under /vwapi.
    #[arg(long, value_enum, value_name = "INTERFACE", default_value_t = Interfaces::Both)]
    interface: Interfaces,
    /// The terminal: Key at Ap&Pay, VWID at the Wallet.
    #[arg(long, value_name = "NAME", default_value = TERMINAL)]
    terminal: String,
    /// The terminal's password.
    #[arg(long, value_name = "PASSWORD", default_value = PASSWORD)]
    password: String,
    /// The terminal's currency, for the pages.
    #[arg(long, value_name = "CODE", default_value = "MDL")]
    currency: String,
    /// The address where notifications are posted; without it there are none.
    #[arg(long, value_name = "URL")]
    notify: Option<String>,
    /// The fault that comes first, unless the payer chooses another.
    #[arg(long, value_enum, value_name = "KIND")]
    mischief: Option<Mischief>,
    /// Minutes that a session lasts.
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1440))]
    session_minutes: u32,
    /// Seconds that the slow cards take.
    #[arg(long, value_name = "SECONDS", default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=600))]
    slow_seconds: u32,
}

/// The terminal that is played unless another is asked for.
pub const TERMINAL: &str = "Merchant";
/// Its password.
pub const PASSWORD: &str = "123";

/// The interfaces that are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Interfaces {
    /// Ap&Pay alone.
    Appay,
    /// Wallet alone.
    Wallet,
    /// Both.
    Both,
}

/// Serves until it is told to stop.
///
/// # Errors
/// If the address cannot be listened at.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let interfaces = match arguments.interface {
        Interfaces::Appay => vec![Interface::ApPay],
        Interfaces::Wallet => vec![Interface::Wallet],
        Interfaces::Both => vec![Interface::ApPay, Interface::Wallet],
    };
    let paths: Vec<_> = interfaces
        .iter()
        .map(|interface| interface.path())
        .collect();
    let gateway = start(Options {
        listen: arguments.listen,
        interfaces: interfaces.clone(),
        terminal: arguments.terminal,
        password: arguments.password,
        currency: arguments.currency,
        notify: arguments.notify.clone(),
        mischief: arguments.mischief,
        session: Duration::from_secs(60 * u64::from(arguments.session_minutes)),
        slow: Duration::from_secs(arguments.slow_seconds.into()),
    })
    .await?;
    let url = gateway.url();
    say!("Card gateway   {url}/")?;
    for path in paths {
        say!("Commands       {url}/{path}/")?;
    }
    say!("Cabinet        {url}/cabinet")?;
    say!(
        "Notifications  {}",
        arguments.notify.as_deref().unwrap_or("none")
    )?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell!("Stopping …");
    gateway.stop().await
}
