//! `mpay offline`: MPay offline on its own, against any provider.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use mpay_offline::{Mischief, Options};

use crate::{development::SERVICE_ID, roles::Roles, say, tell};

/// The pause after the first confirmation that did not succeed.
pub const PAUSE: Duration = Duration::from_secs(2);

/// The arguments of `mpay offline`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  mpay offline --provider http://127.0.0.1:8080/ServiceProvider.svc --service TAX \\
      --key mpay.key.pem --certificate mpay.pem --provider-certificate provider.pem
  mpay offline --mischief drop-answer     every confirmation is sent twice

The key plays MPay's: the provider must be configured to believe its certificate.")]
pub struct Arguments {
    /// The provider.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:3000/")]
    provider: String,
    /// Address to listen at. Who reaches it can confirm payments to the provider.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    listen: SocketAddr,
    /// ServiceID that the start page offers; several times for several.
    #[arg(long = "service", value_name = "SERVICE", default_value = SERVICE_ID)]
    services: Vec<String>,
    /// The way in which confirmations are sent, unless the payer chooses another.
    #[arg(long, value_enum, value_name = "KIND")]
    mischief: Option<Mischief>,
    #[command(flatten)]
    roles: Roles,
}

/// Serves until it is told to stop.
///
/// # Errors
/// If the keys cannot be used, or the address cannot be listened at.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let cast = arguments.roles.cast()?;
    // With the names of the files, if something is wrong with them.
    cast.signer()?;
    cast.provider()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = mpay_offline::start(Options {
        listen: arguments.listen,
        provider: arguments.provider.clone(),
        key: cast.key,
        certificate: cast.certificate,
        provider_certificate: cast.provider_certificate,
        algorithms: arguments.roles.algorithms(),
        services: arguments.services,
        orders: Vec::new(),
        mischief: arguments.mischief,
        pause: PAUSE,
    })
    .await?;
    say!("Provider       {}", arguments.provider)?;
    say!("MPay offline   {}/", server.url())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tell!("Stopping …");
    server.stop().await
}

/// The address of MPay offline beside a provider: one port above it, always on loopback; any free one
/// where that is not known.
pub fn beside(provider: SocketAddr) -> SocketAddr {
    let port = match provider.port() {
        0 => 0,
        port => port.checked_add(1).unwrap_or_default(),
    };
    (Ipv4Addr::LOCALHOST, port).into()
}
