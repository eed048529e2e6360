//! MPay offline: the payer's side of MPay on one's own machine, for rehearsals. It shows an order like
//! MPay's pay page, confirms payments until that succeeds, plays faults, and keeps a journal of all
//! messages.
//!
//! Every page works without a script. All state is in memory, and bounded.
//!
//! ```no_run
//! # async fn run(options: mpay_offline::Options) -> anyhow::Result<()> {
//! let server = mpay_offline::start(options).await?;
//! println!("pay at {}", server.url());
//! server.stop().await
//! # }
//! ```
//!
//! In the order in which a payment passes them:
//!
//! | module | what |
//! | --- | --- |
//! | `routes` | from a request to a page: the paths are those of MPay's own sites |
//! | `text`, `pages`, `pdf` | what the payer sees, in three languages, and the invoice as PDF |
//! | `checkout` | what an order asks of the payer, and what they entered |
//! | `invoice`, `payment` | an invoice, and the confirmations that are sent for it until one succeeds |
//! | `mischief`, `shape` | what can go wrong on the way, and the forms that other stacks give a message |
//! | `provider`, `journal` | the calls, and what was said in them |
//!
//! A payment: `routes` → `checkout` → `payment` → `mischief`, if one was chosen → `provider` →
//! [`mpay_client`] → the provider; its answer goes into `journal`, and the page shows the state of
//! `payment`.

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod checkout;
mod invoice;
mod journal;
mod mischief;
mod pages;
mod payment;
mod pdf;
mod provider;
mod routes;
mod shape;
mod text;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
pub use mischief::Mischief;
use mpay_client::Client;
pub use stage::Server;
use stage::{Language, Reply, Request};
use wsse::{Algorithms, Certificate, Signer};

/// The options of MPay offline: the identity that plays MPay, and the provider.
#[derive(Clone)]
pub struct Options {
    /// The address to listen at; port 0 takes a free one. On a loopback address, requests for other hosts are
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
    /// The algorithms by which MPay signs.
    pub algorithms: Algorithms,
    /// ServiceIDs that the start page offers.
    pub services: Vec<String>,
    /// Orders that the start page offers, as `ServiceID` and `OrderKey`.
    pub orders: Vec<(String, String)>,
    /// The mischief with which confirmations are sent unless the payer chooses; `None` is as MPay sends them.
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

/// Reads the keys and listens.
///
/// # Errors
/// If a key or certificate cannot be used, or the address cannot be listened at.
pub async fn start(options: Options) -> anyhow::Result<Server> {
    let listen = options.listen;
    let offline = Offline::new(options, tokio::runtime::Handle::current())?;
    Server::start(Arc::new(offline), listen).await
}

/// Everything that requests share.
struct Offline {
    provider: Arc<provider::Provider>,
    payments: payment::Payments,
    invoices: invoice::Invoices,
    services: Vec<String>,
    orders: Vec<(String, String)>,
    mischief: Option<Mischief>,
    pause: Duration,
    runtime: tokio::runtime::Handle,
}

impl stage::Play for Offline {
    const NAME: &'static str = "MPay offline";

    fn is_entrance(&self, path: &str) -> bool {
        routes::is_entrance(path)
    }

    // Calls of the provider wait.
    fn answer(&self, request: &Request) -> Reply {
        routes::answer(self, request)
    }
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
            orders: options.orders,
            mischief: options.mischief,
            pause: options.pause,
            runtime,
        })
    }
}
