//! The card gateway *Cryptoprocessing*, played on one's own machine: its interfaces *Ap&Pay* and
//! *Wallet*, the pages at which a card is typed, the cabinet, the notifications, and their failures. It
//! shares no code with the provider's side, so each side checks the other.
//!
//! No money moves, and only the cards of [`CARDS`] exist. Everything is in memory, and bounded.
//!
//! | module | content |
//! | --- | --- |
//! | `wire` | requests, read strictly; answers as XML |
//! | `gateway`, `order`, `card` | the commands; a payment and its money; the cards |
//! | `mischief` | the failures, and their occasions |
//! | `journal` | requests and answers, and the mistakes in them |
//! | `play`, `pages`, `text` | the server, and its pages in three languages |
//!
//! A test starts it, and counts the money:
//!
//! ```no_run
//! # async fn run() -> anyhow::Result<()> {
//! use mpay_gateway::{Mischief, Options, Plan, start};
//!
//! let gateway = start(Options::default()).await?;
//! gateway.plan(Plan::new(Mischief::DoneAnswerLost).at("Refund"));
//! // … the provider opens a session for the payment `card0001` …
//! gateway.pay("card0001", "4111111111100031").map_err(anyhow::Error::msg)?;
//! let order = gateway.order("card0001").expect("the payment");
//! assert_eq!((order.taken, order.given_back), (1999, 0));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod card;
mod gateway;
mod journal;
mod mischief;
mod order;
mod pages;
mod play;
mod text;
mod wire;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

pub use card::{CARDS, CODE, Card, Deed, Step};
pub use gateway::{Answer, Gateway, Notice};
pub use journal::{Entry, Kind};
pub use mischief::{Mischief, Plan};
pub use order::{Order, State};
pub use play::{Running, start};
pub use wire::Interface;

/// The options of a gateway.
#[derive(Clone)]
pub struct Options {
    /// The address to listen at; port 0 takes a free one. On a loopback address, requests for other hosts
    /// are refused.
    pub listen: SocketAddr,
    /// The interfaces.
    pub interfaces: Vec<Interface>,
    /// The terminal's `Key` and `VWID`.
    pub terminal: String,
    /// The terminal's `Password`.
    pub password: String,
    /// The terminal's currency, for the pages.
    pub currency: String,
    /// The address to which notifications are posted; `None` for no notifications.
    pub notify: Option<String>,
    /// The mischief of the first occasion that fits; `None` for none.
    pub mischief: Option<Mischief>,
    /// The time for which a session lasts.
    pub session: Duration,
    /// The time that slow cards take.
    pub slow: Duration,
}

impl Default for Options {
    /// The options for both interfaces on a free port of this machine, with the terminal `Merchant` and
    /// the password `123`, and as slow as the gateway.
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            interfaces: vec![Interface::ApPay, Interface::Wallet],
            terminal: "Merchant".to_owned(),
            password: "123".to_owned(),
            currency: "MDL".to_owned(),
            notify: None,
            mischief: None,
            session: Duration::from_secs(60 * 60),
            slow: Duration::from_secs(40),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("interfaces", &self.interfaces)
            .finish_non_exhaustive()
    }
}
