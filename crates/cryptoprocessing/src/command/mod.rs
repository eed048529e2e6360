//! The commands of both interfaces: their requests, and the readers of their answers.
//!
//! Every request is `POST /{path}/{Command}` with a form in UTF-8. Names are case-sensitive; amounts are
//! whole minor units of the terminal's currency. Where the interfaces differ, the terminal decides.
//!
//! | module | content |
//! | --- | --- |
//! | `terminal` | the sender, and its interface |
//! | `form` | the form of a request |
//! | `init` | a session, in which the payer types the card |
//! | `payment` | the commands about a payment |
//! | `customer` | the Wallet's customers and their cards |

mod customer;
pub(crate) mod form;
mod init;
mod payment;
mod terminal;
#[cfg(test)]
mod tests;

pub use customer::{
    Activate, Check, Customer, Delete, GetList, MAX_CARDS, PaySaved, Register, Remove, Update,
};
pub use form::Request;
pub use init::{Init, Opened, Purpose};
pub use payment::{Charge, GetState, Refund, Unblock};
pub use terminal::{Interface, StateCommand, Terminal};

use crate::value::Unsendable;

/// A command: its request, and the reading of its answer.
pub trait Command {
    /// The content of the answer. See [`Outcome`](crate::Outcome).
    type Outcome;

    /// The request of this terminal.
    ///
    /// # Errors
    /// If a value cannot be sent, or the command is not one of the terminal's interface.
    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable>;

    /// Reads the answer, given its status and whole body. Anything that does not answer this very command
    /// is unknown.
    fn outcome(&self, terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome;
}
