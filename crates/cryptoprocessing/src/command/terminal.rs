//! A terminal at the gateway, and the two interfaces.

use super::{Request, form::Form, init::Purpose};
use crate::{
    data::Data,
    value::{Secret, SessionId, Unsendable},
};

/// The interfaces of the gateway whose pages take the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// Ap&Pay.
    ApPay,
    /// Wallet: customers, and cards that they save.
    Wallet,
}

impl Interface {
    /// The first segment of its paths, unless the bank says another one.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ApPay => "apim",
            Self::Wallet => "vwapi",
        }
    }
}

/// The command by which a terminal tells the state of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateCommand {
    /// `GetState`.
    #[default]
    GetState,
    /// `PayStatus`, the earlier name.
    PayStatus,
}

impl StateCommand {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::GetState => "GetState",
            Self::PayStatus => "PayStatus",
        }
    }
}

/// A terminal at the gateway: the sender of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    pub(super) interface: Interface,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) password: Secret,
    pub(super) state_command: StateCommand,
}

impl Terminal {
    /// A terminal by its `Key` (Ap&Pay) or `VWID` (Wallet), and its `Password`.
    ///
    /// # Errors
    /// If one of them is empty, too long, or would divide `DATA`.
    pub fn new(interface: Interface, id: &str, password: Secret) -> Result<Self, Unsendable> {
        for (name, value) in [
            (terminal_name(interface), id),
            ("Password", password.reveal()),
        ] {
            if !(1..=MAX_CREDENTIAL).contains(&value.chars().count()) {
                let most = MAX_CREDENTIAL;
                return Err(Unsendable::Length { name, most });
            }
            // The Wallet has the password within `DATA`, and both sides must read the same in both
            // fields.
            crate::value::undivided(name, value)?;
        }
        Ok(Self {
            interface,
            path: interface.path().to_owned(),
            id: id.to_owned(),
            password,
            state_command: StateCommand::default(),
        })
    }

    /// The terminal with another first segment of the path.
    ///
    /// # Errors
    /// If it is no segment of Latin letters, digits, `-` and `_`.
    pub fn with_path(mut self, path: &str) -> Result<Self, Unsendable> {
        let is = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !(1..=50).contains(&path.len()) || !path.chars().all(is) {
            return Err(Unsendable::Id {
                name: "the path",
                of: "Latin letters, digits, - and _",
            });
        }
        path.clone_into(&mut self.path);
        Ok(self)
    }

    /// The terminal with another command for the state.
    #[must_use]
    pub fn with_state_command(mut self, command: StateCommand) -> Self {
        self.state_command = command;
        self
    }

    /// The interface.
    #[must_use]
    pub fn interface(&self) -> Interface {
        self.interface
    }

    /// The path and query of the page at which the browser pays in a session, or saves a card.
    #[must_use]
    pub fn page(&self, session: &SessionId, purpose: Purpose) -> String {
        let page = match purpose {
            Purpose::Pay | Purpose::Block => "Pay",
            Purpose::Add => "Add",
        };
        format!("/{}/{page}?SessionId={}", self.path, session.as_str())
    }

    pub(super) fn wallet(&self, command: &'static str) -> Result<(), Unsendable> {
        match self.interface {
            Interface::Wallet => Ok(()),
            Interface::ApPay => Err(Unsendable::NotWallet { command }),
        }
    }

    pub(super) fn form(&self, command: &'static str) -> Form {
        Form::new(&self.path, command).field(terminal_name(self.interface), &self.id)
    }

    /// The form of a command that has its parameters in `DATA` at the Wallet.
    pub(super) fn data_form(&self, command: &'static str, data: Data) -> Request {
        let name = match self.interface {
            Interface::ApPay => "Data",
            Interface::Wallet => "DATA",
        };
        let (text, shown) = data.finish();
        self.form(command).pair(name, &text, &shown).finish()
    }
}

/// The most characters of a terminal's name or password.
const MAX_CREDENTIAL: usize = 100;

const fn terminal_name(interface: Interface) -> &'static str {
    match interface {
        Interface::ApPay => "Key",
        Interface::Wallet => "VWID",
    }
}
