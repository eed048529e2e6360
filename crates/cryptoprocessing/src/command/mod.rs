//! The commands of both interfaces: what is sent, and how the answer is read.
//!
//! Every request is `POST /{path}/{Command}` with a form in UTF-8. Names are case-sensitive; amounts are
//! whole minor units of the terminal's currency. Where the interfaces differ, the terminal decides.
//!
//! | module | what |
//! | --- | --- |
//! | `terminal` | who sends, and by which interface |
//! | `form` | what is sent |
//! | `init` | a session, in which the payer types the card |
//! | `payment` | what is asked and done about a payment |
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

/// A command: what is sent, and what its answer says.
pub trait Command {
    /// What the answer says. See [`Outcome`].
    type Outcome;

    /// The request of this terminal.
    ///
    /// # Errors
    /// If a value cannot be sent, or the command is not one of the terminal's interface.
    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable>;

    /// Reads the answer: the status and the whole body. Anything that is no answer to this very command
    /// is unknown.
    fn outcome(&self, terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome;
}
