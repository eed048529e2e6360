//! The wire of *Cryptoprocessing*, the card gateway whose interfaces are called *Ap&Pay* and *Wallet*:
//! values in, form bodies out; answers and notifications in, values out. No I/O, no clock, and no host.
//!
//! In the order in which a request passes them:
//!
//! | module | content |
//! | --- | --- |
//! | `value` | ids, and secrets that `Debug` does not show |
//! | `data` | the field `Data`, whose values would otherwise divide it |
//! | `command` | a type for each command, with its request and the reading of its answer |
//! | `answer` | the XML of answers: [`Outcome`], and the reason for which an answer is [`Unclear`] |
//! | `state` | every state and error code, with its meaning |
//! | `notification` | the unsigned notifications to the merchant |
//!
//! A command that moves money has one of three outcomes: [`Outcome::Done`], [`Outcome::Refused`], or
//! [`Outcome::Unknown`], in which it may have been done. The gateway's flag `Success` is not exposed:
//! [`GetState`] gives a [`State`], which alone tells if anything was paid.
//!
//! ```
//! use cryptoprocessing::{Command, GetState, Interface, OrderId, Secret, State, StateAnswer, Terminal};
//!
//! let terminal = Terminal::new(Interface::ApPay, "Merchant", Secret::new("password"))?;
//! let ask = GetState { order_id: OrderId::parse("card0001")? };
//! let request = ask.request(&terminal)?;
//! assert_eq!(request.path(), "/apim/GetState");
//! assert_eq!(request.body(), b"Key=Merchant&OrderId=card0001");
//!
//! let answer = br#"<GetState Success="True" OrderId="card0001" State="Charged" Amount="1999"/>"#;
//! let StateAnswer::Found(found) = ask.outcome(&terminal, 200, answer) else { panic!() };
//! assert_eq!(found.state, State::Paid { remaining: 1999 });
//!
//! // A state that was found, and nothing paid.
//! let answer = br#"<GetState Success="True" OrderId="card0001" State="Rejected" Amount="1999"/>"#;
//! let StateAnswer::Found(found) = ask.outcome(&terminal, 200, answer) else { panic!() };
//! assert_eq!(found.state, State::Failed);
//! # Ok::<(), cryptoprocessing::Unsendable>(())
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
#![forbid(unsafe_code)]

mod answer;
mod command;
mod data;
mod notification;
mod state;
mod value;

pub use answer::{
    Found, MAX_ANSWER, Outcome, SavedCard, StateAnswer, Unclear, without_card_numbers,
};
pub use command::{
    Activate, Charge, Check, Command, Customer, Delete, GetList, GetState, Init, Interface,
    MAX_CARDS, Opened, PaySaved, Purpose, Refund, Register, Remove, Request, StateCommand,
    Terminal, Unblock, Update,
};
pub use data::{MAX_TEXT, sendable_text};
pub use notification::{Claim, Notification};
pub use state::{ErrCode, Group, State, WalletError};
pub use value::{CardId, CustomerId, OrderId, Secret, SessionId, Unsendable, decimal};
