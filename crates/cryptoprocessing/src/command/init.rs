//! `Init`: a session at the gateway, in which the payer types the card.

use super::{Command, Customer, Interface, Request, Terminal, form::sendable};
use crate::{
    answer::{self, Expected, Outcome, Unclear},
    data::Data,
    value::{CardId, OrderId, SessionId, Unsendable, decimal},
};

/// The purpose of a session: `SessionType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Paying at once.
    Pay,
    /// Holding, for a later [`Charge`](crate::Charge) or [`Unblock`](crate::Unblock).
    Block,
    /// Saving a card, at the Wallet. See [`Init::add`].
    Add,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Pay => "Pay",
            Self::Block => "Block",
            Self::Add => "Add",
        }
    }
}

/// `Init`: opens a session, in which the payer types the card at the gateway.
#[derive(Debug, Clone)]
pub struct Init<'a> {
    purpose: Purpose,
    /// The payment and its amount; `None` if a card is saved.
    payment: Option<(&'a OrderId, u64)>,
    url: &'a str,
    customer: Option<&'a Customer>,
    card: Option<&'a CardId>,
    payer_ip: Option<&'a str>,
    template: Option<&'a str>,
    language: Option<&'a str>,
    product: Option<&'a str>,
    description: Option<&'a str>,
    own: Vec<(&'a str, &'a str)>,
}

/// The names that a parameter of the merchant's own cannot have.
const RESERVED: [&str; 17] = [
    "SessionType",
    "OrderId",
    "Amount",
    "Url",
    "IP",
    "TemplateTag",
    "Language",
    "Product",
    "Total",
    "Description",
    "VWUserLgn",
    "VWUserPsw",
    "CardId",
    "Password",
    "Key",
    "VWID",
    "SessionId",
];

impl<'a> Init<'a> {
    fn new(purpose: Purpose, payment: Option<(&'a OrderId, u64)>, url: &'a str) -> Self {
        Self {
            purpose,
            payment,
            url,
            customer: None,
            card: None,
            payer_ip: None,
            template: None,
            language: None,
            product: None,
            description: None,
            own: Vec::new(),
        }
    }

    /// A session for paying, after which the browser goes to `url`.
    #[must_use]
    pub fn pay(order_id: &'a OrderId, amount: u64, url: &'a str) -> Self {
        Self::new(Purpose::Pay, Some((order_id, amount)), url)
    }

    /// A session for holding, after which the browser goes to `url`.
    #[must_use]
    pub fn block(order_id: &'a OrderId, amount: u64, url: &'a str) -> Self {
        Self::new(Purpose::Block, Some((order_id, amount)), url)
    }

    /// A session in which a customer of the Wallet saves a card, after which the browser goes to `url`.
    #[must_use]
    pub fn add(customer: &'a Customer, url: &'a str) -> Self {
        Self::new(Purpose::Add, None, url).with_customer(customer)
    }

    /// The customer of the Wallet who pays.
    #[must_use]
    pub fn with_customer(mut self, customer: &'a Customer) -> Self {
        self.customer = Some(customer);
        self
    }

    /// The saved card that they chose, which the page then offers. Only with a customer.
    #[must_use]
    pub fn with_card(mut self, card: &'a CardId) -> Self {
        self.card = Some(card);
        self
    }

    /// `IP`: the payer's address.
    #[must_use]
    pub fn with_payer_ip(mut self, address: &'a str) -> Self {
        self.payer_ip = Some(address);
        self
    }

    /// `TemplateTag`: selects the merchant's page that is shown.
    #[must_use]
    pub fn with_template(mut self, tag: &'a str) -> Self {
        self.template = Some(tag);
        self
    }

    /// `Language` of the page. It is sent in capitals.
    #[must_use]
    pub fn with_language(mut self, language: &'a str) -> Self {
        self.language = Some(language);
        self
    }

    /// `Product` and `Total`, for the page: the goods or service that is paid for. The text is cut as
    /// [`sendable_text`](crate::sendable_text) does; the total is written with two fraction digits.
    #[must_use]
    pub fn with_product(mut self, product: &'a str) -> Self {
        self.product = Some(product);
        self
    }

    /// `Description`, for the page and the cabinet. The text is cut.
    #[must_use]
    pub fn with_description(mut self, description: &'a str) -> Self {
        self.description = Some(description);
        self
    }

    /// A parameter of the merchant's own templates. The text is cut.
    #[must_use]
    pub fn with_own(mut self, name: &'a str, text: &'a str) -> Self {
        self.own.push((name, text));
        self
    }

    fn data(&self) -> Result<Data, Unsendable> {
        let mut data = match self.customer {
            Some(customer) => customer.data()?,
            None => Data::default(),
        };
        data = data.exact("SessionType", self.purpose.name())?;
        if let Some((order_id, amount)) = self.payment {
            data = data
                .exact("OrderId", order_id.as_str())?
                .exact("Amount", &sendable(amount)?)?;
        }
        data = data.exact("Url", self.url)?;
        if let Some(card) = self.card {
            data = data.exact("CardId", card.as_str())?;
        }
        if let Some(address) = self.payer_ip {
            data = data.hidden("IP", address)?;
        }
        if let Some(tag) = self.template {
            data = data.exact("TemplateTag", tag)?;
        }
        if let Some(language) = self.language {
            data = data.exact("Language", &language.to_uppercase())?;
        }
        if let (Some(product), Some((_, amount))) = (self.product, self.payment) {
            data = data
                .text("Product", product)
                .exact("Total", &decimal(amount))?;
        }
        if let Some(description) = self.description {
            data = data.text("Description", description);
        }
        for (name, text) in &self.own {
            let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
            let is_reserved = RESERVED
                .iter()
                .any(|taken| taken.eq_ignore_ascii_case(name));
            if !is_word || is_reserved {
                return Err(Unsendable::Name);
            }
            data = data.text(name, text);
        }
        Ok(data)
    }
}

/// A session that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The name of the session, for the page: [`Terminal::page`].
    pub session: SessionId,
}

impl Command for Init<'_> {
    type Outcome = Outcome<Opened>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let is_wallet = terminal.interface == Interface::Wallet;
        if is_wallet != self.customer.is_some() || (self.card.is_some() && !is_wallet) {
            return Err(Unsendable::Customer);
        }
        Ok(terminal.data_form("Init", self.data()?))
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        let expected = Expected {
            command: "Init",
            order: self.payment.map(|(order_id, _)| order_id),
            customer: self.customer.map(|customer| &customer.id),
        };
        answer::outcome(&expected, status, body).then(|answer| {
            let asked = self.payment.map(|(_, amount)| amount);
            if let (Some(asked), Some(answered)) = (asked, answer.amount("Amount")?)
                && asked != answered
            {
                return Err(Unclear::OtherAmount);
            }
            let session = answer
                .get("SessionId")?
                .ok_or(Unclear::Lacks("SessionId"))?;
            let session = SessionId::parse(session);
            let session = session.map_err(|_| Unclear::Unreadable("SessionId"))?;
            Ok(Opened { session })
        })
    }
}
