//! The Wallet's customers, and the cards that they save.

use super::{Command, Request, Terminal, form::sendable};
use crate::{
    answer::{self, Answer, Expected, Outcome, SavedCard},
    data::Data,
    value::{CardId, CustomerId, OrderId, Secret, Unsendable},
};

/// The most cards that the gateway lists of a customer.
pub const MAX_CARDS: usize = 20;

/// A customer of the Wallet, as the commands name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// `VWUserLgn`.
    pub id: CustomerId,
    password: Secret,
}

impl Customer {
    /// A customer, and the password that the merchant keeps for them.
    ///
    /// # Errors
    /// If the password is empty or longer than 50 characters, or has a character that would divide
    /// `DATA`.
    pub fn new(id: CustomerId, password: Secret) -> Result<Self, Unsendable> {
        let name = "VWUserPsw";
        if !(1..=50).contains(&password.reveal().chars().count()) {
            return Err(Unsendable::Length { name, most: 50 });
        }
        crate::value::undivided(name, password.reveal())?;
        Ok(Self { id, password })
    }

    pub(super) fn data(&self) -> Result<Data, Unsendable> {
        Data::default()
            .hidden("VWUserLgn", self.id.as_str())?
            .hidden("VWUserPsw", self.password.reveal())
    }
}

fn of_customer(
    command: &'static str,
    customer: &CustomerId,
    status: u16,
    body: &[u8],
) -> Outcome<Answer> {
    let expected = Expected {
        command,
        order: None,
        customer: Some(customer),
    };
    answer::outcome(&expected, status, body)
}

/// A command about a customer of the Wallet, whose answer tells only that it was done.
macro_rules! about_customers {
    ($($(#[$doc:meta])* $name:ident, $text:literal {$($(#[$field_doc:meta])* $field:ident: $type:ty,)*}
        $self:ident => $data:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The customer.
            pub customer: Customer,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Command for $name {
            type Outcome = Outcome<()>;

            fn request(&$self, terminal: &Terminal) -> Result<Request, Unsendable> {
                terminal.wallet($text)?;
                Ok(terminal.data_form($text, $data?))
            }

            fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
                of_customer($text, &self.customer.id, status, body).then(|_| Ok(()))
            }
        }
    )*};
}

about_customers! {
    /// `Register`: makes a customer of the Wallet.
    Register, "Register" {
        /// `PhoneNumber`.
        phone: Option<Secret>,
        /// `Email`.
        email: Option<Secret>,
    } self => reachable(&self.customer, self.phone.as_ref(), self.email.as_ref());

    /// `Update`: changes the contact data of a customer.
    Update, "Update" {
        /// `PhoneNumber`.
        phone: Option<Secret>,
        /// `Email`.
        email: Option<Secret>,
    } self => reachable(&self.customer, self.phone.as_ref(), self.email.as_ref());

    /// `Check`: asks if there is such a customer, with this password.
    Check, "Check" {} self => self.customer.data();

    /// `Remove`: forgets a saved card.
    Remove, "Remove" {
        /// The card.
        card: CardId,
    } self => self.customer.data()?.exact("CardId", self.card.as_str());

    /// `Activate`: proves that a card is the customer's, by an amount that was held on it.
    Activate, "Activate" {
        /// The card.
        card: CardId,
        /// The amount on the card's statement, in minor units.
        amount: u64,
    } self => self.customer.data()?
        .exact("CardId", self.card.as_str())?
        .exact("Amount", &sendable(self.amount)?);
}

/// The data of a customer, with the contact data.
fn reachable(
    customer: &Customer,
    phone: Option<&Secret>,
    email: Option<&Secret>,
) -> Result<Data, Unsendable> {
    let mut data = customer.data()?;
    for (name, value) in [("PhoneNumber", phone), ("Email", email)] {
        if let Some(value) = value {
            data = data.hidden(name, value.reveal())?;
        }
    }
    Ok(data)
}

/// `Delete`: removes a customer of the Wallet with all their cards. The terminal's password allows it,
/// so the customer's is not needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// The customer.
    pub customer: CustomerId,
}

impl Command for Delete {
    type Outcome = Outcome<()>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        terminal.wallet("Delete")?;
        let data = Data::default()
            .hidden("VWUserLgn", self.customer.as_str())?
            .hidden("Password", terminal.password.reveal())?;
        Ok(terminal.data_form("Delete", data))
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_customer("Delete", &self.customer, status, body).then(|_| Ok(()))
    }
}

/// `GetList`: the cards that a customer saved, [`MAX_CARDS`] at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetList {
    /// The customer.
    pub customer: Customer,
}

impl Command for GetList {
    type Outcome = Outcome<Vec<SavedCard>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        terminal.wallet("GetList")?;
        Ok(terminal.data_form("GetList", self.customer.data()?))
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        let answer = of_customer("GetList", &self.customer.id, status, body);
        answer.then(|answer| answer.cards())
    }
}

/// `Pay`: takes money from a saved card whose holder is absent, by leave of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaySaved {
    /// The customer.
    pub customer: Customer,
    /// Their card.
    pub card: CardId,
    /// The payment.
    pub order_id: OrderId,
    /// The amount to take, in minor units.
    pub amount: u64,
}

impl Command for PaySaved {
    /// The amount that was taken, if the gateway tells it. Ask for the state before you believe it.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        terminal.wallet("Pay")?;
        let data = self
            .customer
            .data()?
            .exact("CardId", self.card.as_str())?
            .exact("OrderId", self.order_id.as_str())?
            .exact("Amount", &sendable(self.amount)?)?;
        Ok(terminal.data_form("Pay", data))
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        let expected = Expected {
            command: "Pay",
            order: Some(&self.order_id),
            customer: Some(&self.customer.id),
        };
        answer::outcome(&expected, status, body).then(|answer| answer.amount("Amount"))
    }
}
