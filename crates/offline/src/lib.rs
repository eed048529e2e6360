//! MPay offline: the payer's side of MPay on one's own machine, for rehearsals. It shows an order as
//! MPay's pay page does, confirms payments until that succeeds, plays what can go wrong, and keeps a
//! journal of all messages.
//!
//! Every page works without a script. All state is in memory, and bounded.
//!
//! ```no_run
//! # async fn run(options: mpay::offline::Options) -> anyhow::Result<()> {
//! use mpay::offline::Server;
//!
//! let server = Server::start(options).await?;
//! println!("pay at {}", server.url());
//! server.stop().await
//! # }
//! ```

mod checkout;
mod command;
mod http;
mod invoice;
mod journal;
mod language;
mod mischief;
mod pages;
mod payment;
mod pdf;
mod provider;
mod routes;
mod server;
mod shape;
mod text;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
pub use command::{Arguments, PAUSE, beside, run};
pub use language::Language;
pub use mischief::Mischief;
pub use server::Server;
use wsse::{Algorithms, Certificate, Signer};

use crate::client::Client;

/// What to play MPay with, and against whom.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one. On a loopback address, requests for other hosts are
    /// refused.
    pub listen: SocketAddr,
    /// The provider.
    pub provider: String,
    /// MPay's private key, PEM.
    pub key: String,
    /// MPay's certificate, PEM.
    pub certificate: String,
    /// The certificate that the provider must sign with, PEM.
    pub provider_certificate: String,
    /// How MPay signs.
    pub algorithms: Algorithms,
    /// ServiceIDs that the start page offers.
    pub services: Vec<String>,
    /// How confirmations are sent unless the payer chooses; `None` is as MPay sends them.
    pub mischief: Option<Mischief>,
    /// The pause after the first confirmation that did not succeed; the next ones double.
    pub pause: Duration,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

/// Everything that requests share.
struct Offline {
    provider: Arc<provider::Provider>,
    payments: payment::Payments,
    invoices: invoice::Invoices,
    services: Vec<String>,
    mischief: Option<Mischief>,
    pause: Duration,
    runtime: tokio::runtime::Handle,
}

impl Offline {
    fn new(options: Options, runtime: tokio::runtime::Handle) -> anyhow::Result<Self> {
        let signer = Signer::from_pem(&options.key, &options.certificate)
            .context("MPay's key and certificate")?;
        let certificate = Certificate::from_pem(&options.provider_certificate)
            .context("the provider's certificate")?;
        let key = shape::Key::from_pem(&options.key, &options.certificate)?;
        let client =
            Client::new(&options.provider, signer, certificate).with_algorithms(options.algorithms);
        Ok(Self {
            provider: Arc::new(provider::Provider::new(client, options.algorithms, key)),
            payments: payment::Payments::default(),
            invoices: invoice::Invoices::default(),
            services: options.services,
            mischief: options.mischief,
            pause: options.pause,
            runtime,
        })
    }
}
