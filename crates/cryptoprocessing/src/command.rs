//! The commands of both interfaces: what is sent, and how the answer is read.
//!
//! Every request is `POST /{path}/{Command}` with a form in UTF-8. Names are case-sensitive; amounts are
//! whole minor units of the terminal's currency. Where the interfaces differ, the terminal decides.

use std::fmt;

use crate::{
    answer::{self, Answer, Expected, Outcome, SavedCard, StateAnswer, Unclear},
    data::{Data, HIDDEN},
    value::{CardId, CustomerId, OrderId, Secret, SessionId, Unsendable, decimal},
};

/// How many cards the gateway lists of a customer.
pub const MAX_CARDS: usize = 20;

/// The interfaces of the gateway at which the card is typed at the gateway.
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
    /// `PayStatus`, which it was called before.
    PayStatus,
}

impl StateCommand {
    const fn name(self) -> &'static str {
        match self {
            Self::GetState => "GetState",
            Self::PayStatus => "PayStatus",
        }
    }
}

/// A terminal at the gateway: who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    interface: Interface,
    path: String,
    id: String,
    password: Secret,
    state_command: StateCommand,
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
            // The Wallet has the password within `DATA`, and both must mean the same to both.
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

    /// The same at another first segment of the path.
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

    /// The same with another command for the state.
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

    fn wallet(&self, command: &'static str) -> Result<(), Unsendable> {
        match self.interface {
            Interface::Wallet => Ok(()),
            Interface::ApPay => Err(Unsendable::NotWallet { command }),
        }
    }

    fn form(&self, command: &'static str) -> Form {
        Form::new(&self.path, command).field(terminal_name(self.interface), &self.id)
    }

    /// The form of a command that has its parameters in `DATA` at the Wallet.
    fn data_form(&self, command: &'static str, data: Data) -> Request {
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
    /// If the password has not 1 to 50 characters, or one that would divide `DATA`.
    pub fn new(id: CustomerId, password: Secret) -> Result<Self, Unsendable> {
        let name = "VWUserPsw";
        if !(1..=50).contains(&password.reveal().chars().count()) {
            return Err(Unsendable::Length { name, most: 50 });
        }
        crate::value::undivided(name, password.reveal())?;
        Ok(Self { id, password })
    }

    fn data(&self) -> Result<Data, Unsendable> {
        Data::default()
            .hidden("VWUserLgn", self.id.as_str())?
            .hidden("VWUserPsw", self.password.reveal())
    }
}

/// A form as it is being written.
struct Form {
    path: String,
    body: String,
    shown: String,
}

impl Form {
    fn new(path: &str, command: &str) -> Self {
        Self {
            path: format!("/{path}/{command}"),
            body: String::new(),
            shown: String::new(),
        }
    }

    fn pair(mut self, name: &str, value: &str, shown: &str) -> Self {
        for (text, value) in [(&mut self.body, value), (&mut self.shown, shown)] {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value));
        }
        self
    }

    fn field(self, name: &str, value: &str) -> Self {
        self.pair(name, value, value)
    }

    fn password(self, terminal: &Terminal) -> Self {
        self.pair("Password", terminal.password.reveal(), HIDDEN)
    }

    fn amount(self, amount: Option<u64>) -> Result<Self, Unsendable> {
        Ok(match amount {
            Some(amount) => self.field("Amount", &sendable(amount)?),
            None => self,
        })
    }

    fn finish(self) -> Request {
        Request {
            path: self.path,
            body: self.body.into_bytes(),
            shown: self.shown,
        }
    }
}

/// Form encoding, with spaces as `%20`: read alike by those who take `+` for a space and those who do
/// not.
pub(crate) fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn sendable(amount: u64) -> Result<String, Unsendable> {
    match amount {
        0 => Err(Unsendable::NoAmount),
        amount => Ok(amount.to_string()),
    }
}

/// A request, ready to be sent by `POST` as `application/x-www-form-urlencoded`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    path: String,
    body: Vec<u8>,
    shown: String,
}

impl Request {
    /// The path, from `/` on. It has no query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The form, with its secrets.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The form without passwords, and without what names a person: for evidence.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("path", &self.path)
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

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

/// What a session is for: `SessionType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Paying at once.
    Pay,
    /// Holding, for a later [`Charge`] or [`Unblock`].
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
    /// The payment and its amount, but for saving a card.
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

/// The names that an own parameter cannot have.
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

    /// `TemplateTag`: which of the merchant's pages is shown.
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

    /// `Product` and `Total`, for the page: what is paid for. The text is cut as
    /// [`sendable_text`](crate::sendable_text) does; the total is that of a currency of hundredths.
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

    /// A parameter of one's own templates. The text is cut.
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
    /// What the page is called by: [`Terminal::page`].
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

/// `GetState`, or `PayStatus`: asks for the state of a payment, which alone says what was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetState {
    /// The payment.
    pub order_id: OrderId,
}

impl Command for GetState {
    type Outcome = StateAnswer;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let (command, id) = (terminal.state_command.name(), self.order_id.as_str());
        Ok(match (terminal.state_command, terminal.interface) {
            (StateCommand::PayStatus, Interface::Wallet) => {
                terminal.data_form(command, Data::default().exact("OrderId", id)?)
            }
            _ => Form::new(&terminal.path, command)
                .field("Key", &terminal.id)
                .field("OrderId", id)
                .finish(),
        })
    }

    fn outcome(&self, terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        let expected = Expected {
            command: terminal.state_command.name(),
            order: Some(&self.order_id),
            customer: None,
        };
        answer::state(&expected, status, body)
    }
}

/// `Charge`: takes what is held. Only of a payment that is held, and once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The payment.
    pub order_id: OrderId,
    /// As much as is held, or less; `None` is all of it.
    pub amount: Option<u64>,
}

/// `Unblock`: releases what is held, all of it. Only of a payment that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unblock {
    /// The payment.
    pub order_id: OrderId,
}

/// `Refund`: gives back what was taken, or a part of it. As often as something remains.
///
/// The gateway tells two refunds of one amount from each other by nothing: one whose outcome is unknown
/// must not be sent again before the state has settled it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The payment.
    pub order_id: OrderId,
    /// What to give back; `None` is all that remains.
    pub amount: Option<u64>,
}

impl Command for Charge {
    /// What was taken, if the gateway says so.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let form = terminal.form("Charge").password(terminal);
        let form = form.field("OrderId", self.order_id.as_str());
        Ok(form.amount(self.amount)?.finish())
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Charge", &self.order_id, status, body).then(|answer| answer.amount("Amount"))
    }
}

impl Command for Unblock {
    /// What remains held, if the gateway says so: nothing.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let form = terminal.form("Unblock").password(terminal);
        Ok(form.field("OrderId", self.order_id.as_str()).finish())
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Unblock", &self.order_id, status, body).then(|answer| answer.amount("NewAmount"))
    }
}

impl Command for Refund {
    /// What remains taken, if the gateway says so.
    type Outcome = Outcome<Option<u64>>;

    fn request(&self, terminal: &Terminal) -> Result<Request, Unsendable> {
        let id = self.order_id.as_str();
        match terminal.interface {
            Interface::ApPay => {
                let form = terminal.form("Refund").password(terminal);
                Ok(form.field("OrderId", id).amount(self.amount)?.finish())
            }
            Interface::Wallet => {
                let mut data = Data::default()
                    .hidden("Password", terminal.password.reveal())?
                    .exact("OrderId", id)?;
                if let Some(amount) = self.amount {
                    data = data.exact("Amount", &sendable(amount)?)?;
                }
                Ok(terminal.data_form("Refund", data))
            }
        }
    }

    fn outcome(&self, _terminal: &Terminal, status: u16, body: &[u8]) -> Self::Outcome {
        of_order("Refund", &self.order_id, status, body).then(|answer| answer.amount("NewAmount"))
    }
}

fn of_order(
    command: &'static str,
    order_id: &OrderId,
    status: u16,
    body: &[u8],
) -> Outcome<Answer> {
    let expected = Expected {
        command,
        order: Some(order_id),
        customer: None,
    };
    answer::outcome(&expected, status, body)
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

/// A command about a customer of the Wallet, whose answer says nothing but that it was done.
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

    /// `Update`: changes how a customer is reached.
    Update, "Update" {
        /// `PhoneNumber`.
        phone: Option<Secret>,
        /// `Email`.
        email: Option<Secret>,
    } self => reachable(&self.customer, self.phone.as_ref(), self.email.as_ref());

    /// `Check`: asks whether there is such a customer, with this password.
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
        /// What the statement of the card shows, in minor units.
        amount: u64,
    } self => self.customer.data()?
        .exact("CardId", self.card.as_str())?
        .exact("Amount", &sendable(self.amount)?);
}

/// The data of a customer, and how they are reached.
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
    /// What to take.
    pub amount: u64,
}

impl Command for PaySaved {
    /// What was taken, if the gateway says so. Ask for the state before it is believed.
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

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://plati.exemplu.md/cards/return/card01";

    fn terminal(interface: Interface) -> Terminal {
        Terminal::new(interface, "Merchant", Secret::new("hunter2")).unwrap()
    }

    fn order() -> OrderId {
        OrderId::parse("card01").unwrap()
    }

    fn card() -> CardId {
        CardId::parse("c-1").unwrap()
    }

    fn customer() -> Customer {
        let id = CustomerId::parse("ana@exemplu.md").unwrap();
        Customer::new(id, Secret::new("s3cret")).unwrap()
    }

    fn post(interface: Interface, command: &impl Command) -> String {
        let request = command.request(&terminal(interface)).unwrap();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        // What is sent and what is shown have the same fields, and the secrets are in one of them.
        assert_eq!(
            body.matches('=').count(),
            request.shown().matches('=').count()
        );
        for hidden in ["hunter2", "s3cret", "ana", "060123456", "10.0.0.1"] {
            for shown in [request.shown().to_owned(), format!("{request:?}")] {
                assert!(!shown.contains(hidden), "{shown} has {hidden}");
            }
        }
        let body = percent_encoding::percent_decode_str(&body);
        format!("{} {}", request.path(), body.decode_utf8().unwrap())
    }

    #[test]
    fn a_session_is_asked_for_at_ap_pay() {
        let id = order();
        assert_eq!(
            post(Interface::ApPay, &Init::pay(&id, 1999, URL)),
            format!(
                "/apim/Init Key=Merchant&Data=SessionType=Pay;OrderId=card01;Amount=1999;Url={URL}"
            )
        );
        let init = Init::block(&id, 12480, "https://a.md/{orderid}")
            .with_payer_ip("10.0.0.1")
            .with_template("primaria")
            .with_language("ro")
            .with_product("Chirie; Amount=1")
            .with_description("DEMO-2")
            .with_own("Contract", "7/2026");
        assert_eq!(
            post(Interface::ApPay, &init),
            "/apim/Init Key=Merchant&Data=SessionType=Block;OrderId=card01;Amount=12480;\
             Url=https://a.md/{orderid};IP=10.0.0.1;TemplateTag=primaria;Language=RO;\
             Product=Chirie Amount 1;Total=124.80;Description=DEMO-2;Contract=7/2026"
        );
    }

    #[test]
    fn data_is_encoded_once_and_spaces_are_no_plus() {
        let id = order();
        let init = Init::pay(&id, 5, "https://a.md/").with_product("Plată școlară");
        let request = init.request(&terminal(Interface::ApPay)).unwrap();
        assert_eq!(
            String::from_utf8(request.body().to_vec()).unwrap(),
            "Key=Merchant&Data=SessionType%3DPay%3BOrderId%3Dcard01%3BAmount%3D5%3B\
             Url%3Dhttps%3A%2F%2Fa.md%2F%3BProduct%3DPlat%C4%83%20%C8%99colar%C4%83%3BTotal%3D0.05"
        );
    }

    #[test]
    fn the_wallet_names_its_customer() {
        let (id, customer, card) = (order(), customer(), card());
        let init = Init::pay(&id, 1999, URL)
            .with_customer(&customer)
            .with_card(&card);
        assert_eq!(
            post(Interface::Wallet, &init),
            format!(
                "/vwapi/Init VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret;\
                 SessionType=Pay;OrderId=card01;Amount=1999;Url={URL};CardId=c-1"
            )
        );
        assert_eq!(
            post(Interface::Wallet, &Init::add(&customer, URL)),
            format!(
                "/vwapi/Init VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret;\
                 SessionType=Add;Url={URL}"
            )
        );
    }

    #[test]
    fn the_commands_of_payments_are_sent_as_each_interface_has_them() {
        let order_id = order();
        let (ask, unblock) = (
            GetState { order_id: order() },
            Unblock { order_id: order() },
        );
        let charge = |amount| Charge {
            order_id: order(),
            amount,
        };
        let refund = |amount| Refund {
            order_id: order_id.clone(),
            amount,
        };
        let ap_pay = Interface::ApPay;
        assert_eq!(
            post(ap_pay, &ask),
            "/apim/GetState Key=Merchant&OrderId=card01"
        );
        assert_eq!(
            post(ap_pay, &charge(Some(5))),
            "/apim/Charge Key=Merchant&Password=hunter2&OrderId=card01&Amount=5"
        );
        assert_eq!(
            post(ap_pay, &charge(None)),
            "/apim/Charge Key=Merchant&Password=hunter2&OrderId=card01"
        );
        assert_eq!(
            post(ap_pay, &unblock),
            "/apim/Unblock Key=Merchant&Password=hunter2&OrderId=card01"
        );
        assert_eq!(
            post(ap_pay, &refund(Some(7))),
            "/apim/Refund Key=Merchant&Password=hunter2&OrderId=card01&Amount=7"
        );
        let wallet = Interface::Wallet;
        assert_eq!(
            post(wallet, &ask),
            "/vwapi/GetState Key=Merchant&OrderId=card01"
        );
        assert_eq!(
            post(wallet, &charge(Some(5))),
            "/vwapi/Charge VWID=Merchant&Password=hunter2&OrderId=card01&Amount=5"
        );
        assert_eq!(
            post(wallet, &unblock),
            "/vwapi/Unblock VWID=Merchant&Password=hunter2&OrderId=card01"
        );
        assert_eq!(
            post(wallet, &refund(Some(7))),
            "/vwapi/Refund VWID=Merchant&DATA=Password=hunter2;OrderId=card01;Amount=7"
        );
        assert_eq!(
            post(wallet, &refund(None)),
            "/vwapi/Refund VWID=Merchant&DATA=Password=hunter2;OrderId=card01"
        );
    }

    #[test]
    fn the_older_command_for_the_state_has_the_older_form() {
        let ask = GetState { order_id: order() };
        let older = |interface| {
            let terminal = terminal(interface).with_state_command(StateCommand::PayStatus);
            let request = ask.request(&terminal).unwrap();
            (terminal, request)
        };
        let (terminal, request) = older(Interface::Wallet);
        assert_eq!(request.path(), "/vwapi/PayStatus");
        assert_eq!(request.body(), b"VWID=Merchant&DATA=OrderId%3Dcard01");
        assert_eq!(
            older(Interface::ApPay).1.body(),
            b"Key=Merchant&OrderId=card01"
        );
        let answer = |name: &str| {
            let answer = format!(r#"<{name} Success="True" OrderId="card01" State="New"/>"#);
            ask.outcome(&terminal, 200, answer.as_bytes())
        };
        assert!(matches!(answer("PayStatus"), StateAnswer::Found(_)));
        assert!(matches!(answer("GetState"), StateAnswer::Unknown(_)));
    }

    #[test]
    fn the_commands_of_the_wallet_are_sent_in_data() {
        let who = "VWUserLgn=ana@exemplu.md;VWUserPsw=s3cret";
        let sent =
            |command: &str, rest: &str| format!("/vwapi/{command} VWID=Merchant&DATA={who}{rest}");
        let of = |customer: Customer, phone| Register {
            customer,
            phone,
            email: None,
        };
        assert_eq!(
            post(Interface::Wallet, &of(customer(), None)),
            sent("Register", "")
        );
        assert_eq!(
            post(
                Interface::Wallet,
                &of(customer(), Some(Secret::new("060123456")))
            ),
            sent("Register", ";PhoneNumber=060123456")
        );
        let customer = customer();
        let update = Update {
            customer: customer.clone(),
            phone: Some(Secret::new("060123456")),
            email: Some(Secret::new("ana@exemplu.md")),
        };
        let wallet = Interface::Wallet;
        assert_eq!(
            post(wallet, &update),
            sent("Update", ";PhoneNumber=060123456;Email=ana@exemplu.md")
        );
        let check = Check {
            customer: customer.clone(),
        };
        assert_eq!(post(wallet, &check), sent("Check", ""));
        let list = GetList {
            customer: customer.clone(),
        };
        assert_eq!(post(wallet, &list), sent("GetList", ""));
        let remove = Remove {
            customer: customer.clone(),
            card: card(),
        };
        assert_eq!(post(wallet, &remove), sent("Remove", ";CardId=c-1"));
        let activate = Activate {
            customer: customer.clone(),
            card: card(),
            amount: 107,
        };
        assert_eq!(
            post(wallet, &activate),
            sent("Activate", ";CardId=c-1;Amount=107")
        );
        let pay = PaySaved {
            customer: customer.clone(),
            card: card(),
            order_id: order(),
            amount: 1999,
        };
        assert_eq!(
            post(wallet, &pay),
            sent("Pay", ";CardId=c-1;OrderId=card01;Amount=1999")
        );
        let delete = Delete {
            customer: customer.id,
        };
        assert_eq!(
            post(wallet, &delete),
            "/vwapi/Delete VWID=Merchant&DATA=VWUserLgn=ana@exemplu.md;Password=hunter2"
        );
        let refused = delete.request(&terminal(Interface::ApPay)).unwrap_err();
        assert_eq!(refused, Unsendable::NotWallet { command: "Delete" });
    }

    #[test]
    fn what_could_mean_something_else_is_not_sent() {
        let (id, customer, card) = (order(), customer(), card());
        let refused = |interface, init: &Init<'_>| init.request(&terminal(interface)).unwrap_err();
        let pay = |url| Init::pay(&id, 5, url);
        let ap_pay = Interface::ApPay;
        for url in [
            "https://a.md/;Amount=1",
            "https://a.md/%3BAmount%3D1",
            "https://a.md/?a=b&c=d",
            "https://a.md/a+b",
            "https://a.md/\r\n",
        ] {
            let refused = refused(ap_pay, &pay(url));
            assert_eq!(refused, Unsendable::Character { name: "Url" }, "{url}");
        }
        for (name, value) in [("IP", "1;2"), ("TemplateTag", "a%b"), ("Language", "r+o")] {
            let init = match name {
                "IP" => pay(URL).with_payer_ip(value),
                "TemplateTag" => pay(URL).with_template(value),
                _ => pay(URL).with_language(value),
            };
            assert_eq!(refused(ap_pay, &init), Unsendable::Character { name });
        }
        for name in ["", "Amount", "amount", "a;b", "a=b", "ș"] {
            let init = pay(URL).with_own(name, "x");
            assert_eq!(refused(ap_pay, &init), Unsendable::Name, "{name}");
        }
        let nothing = Init::pay(&id, 0, URL);
        assert_eq!(refused(ap_pay, &nothing), Unsendable::NoAmount);
        let refund = Refund {
            order_id: order(),
            amount: Some(0),
        };
        let refund = refund.request(&terminal(ap_pay)).unwrap_err();
        assert_eq!(refund, Unsendable::NoAmount);
        let with_customer = pay(URL).with_customer(&customer);
        assert_eq!(refused(ap_pay, &with_customer), Unsendable::Customer);
        assert_eq!(refused(Interface::Wallet, &pay(URL)), Unsendable::Customer);
        let with_card = pay(URL).with_card(&card);
        assert_eq!(refused(ap_pay, &with_card), Unsendable::Customer);
        for wrong in ["", "a;b", "a%b"] {
            assert!(Terminal::new(ap_pay, wrong, Secret::new("x")).is_err());
            assert!(Terminal::new(ap_pay, "x", Secret::new(wrong)).is_err());
            assert!(Customer::new(customer.id.clone(), Secret::new(wrong)).is_err());
            assert!(terminal(ap_pay).with_path(wrong).is_err());
        }
        assert!(terminal(ap_pay).with_path("a/b").is_err());
    }

    #[test]
    fn a_session_is_one_for_the_payment_and_amount_that_were_asked_for() {
        let (id, terminal) = (order(), terminal(Interface::ApPay));
        let init = Init::pay(&id, 1999, URL);
        let read = |answer: &str| init.outcome(&terminal, 200, answer.as_bytes());
        let Outcome::Done(opened) = read(
            r#"<Init Success="True" OrderId="card01" Amount="1999" SessionId="0b9a1c2d-0000-4000-8000-000000000000"/>"#,
        ) else {
            panic!("no session")
        };
        assert_eq!(
            terminal.page(&opened.session, Purpose::Pay),
            "/apim/Pay?SessionId=0b9a1c2d-0000-4000-8000-000000000000"
        );
        assert!(
            terminal
                .page(&opened.session, Purpose::Add)
                .starts_with("/apim/Add?")
        );
        for (answer, why) in [
            (
                r#"<Init Success="True" OrderId="card01" Amount="2000" SessionId="a"/>"#,
                Unclear::OtherAmount,
            ),
            (
                r#"<Init Success="True" OrderId="card01" Amount="1" SessionId="a"/>"#,
                Unclear::OtherAmount,
            ),
            (
                r#"<Init Success="True" OrderId="card02" Amount="1999" SessionId="a"/>"#,
                Unclear::OtherOrder,
            ),
            (
                r#"<Init Success="True" OrderId="card01" Amount="1999"/>"#,
                Unclear::Lacks("SessionId"),
            ),
            (
                r#"<Init Success="True" OrderId="card01" Amount="1999" SessionId="a&amp;b"/>"#,
                Unclear::Unreadable("SessionId"),
            ),
        ] {
            assert_eq!(read(answer), Outcome::Unknown(why), "{answer}");
        }
    }

    #[test]
    fn refunds_and_holds_tell_what_remains() {
        let terminal = terminal(Interface::ApPay);
        let refund = Refund {
            order_id: order(),
            amount: Some(7),
        };
        let answer = br#"<Refund Success="True" OrderId="card01" NewAmount="1992"/>"#;
        assert_eq!(
            refund.outcome(&terminal, 200, answer),
            Outcome::Done(Some(1992))
        );
        let unblock = Unblock { order_id: order() };
        let answer = br#"<Unblock Success="True" OrderId="card01" NewAmount="0"/>"#;
        assert_eq!(
            unblock.outcome(&terminal, 200, answer),
            Outcome::Done(Some(0))
        );
        let answer = br#"<Charge Success="True" OrderId="card01" NewAmount="0"/>"#;
        assert!(matches!(
            unblock.outcome(&terminal, 200, answer),
            Outcome::Unknown(_)
        ));
    }

    #[test]
    fn the_cards_of_a_customer_are_read() {
        let terminal = terminal(Interface::Wallet);
        let list = GetList {
            customer: customer(),
        };
        let answer = br#"<GetList Success="True" VWUserLgn="Ana@exemplu.md">
            <Item CardName="411111xxxxxx1111" CardId="c-1" CardHolder="ANA POPESCU" Status="isactive" NoCVV="True" Expired="False"/>
            <Item CardName="4111111111100031" CardId="c-2" Status="NotActive"/><Other CardId="c-3"/></GetList>"#;
        let Outcome::Done(cards) = list.outcome(&terminal, 200, answer) else {
            panic!("no cards")
        };
        let [first, second] = cards.as_slice() else {
            panic!("{} cards", cards.len())
        };
        assert_eq!((first.id.as_str(), first.is_active), ("c-1", true));
        assert!(first.without_code && !first.is_expired);
        assert_eq!(first.holder.as_deref(), Some("ANA POPESCU"));
        assert!(!format!("{first:?}").contains("ANA"));
        assert_eq!(
            (second.name.as_str(), second.is_active),
            ("411111******0031", false)
        );
        let other = br#"<GetList Success="True" VWUserLgn="ion"/>"#;
        assert_eq!(
            list.outcome(&terminal, 200, other),
            Outcome::Unknown(Unclear::OtherCustomer)
        );
        let other = br#"<GetList Success="True"><Item CardName="x"/></GetList>"#;
        assert_eq!(
            list.outcome(&terminal, 200, other),
            Outcome::Unknown(Unclear::Lacks("CardId"))
        );
    }

    #[test]
    fn debug_shows_no_secret_of_any_command() {
        let register = Register {
            customer: customer(),
            phone: Some(Secret::new("060123456")),
            email: None,
        };
        let shown = format!("{register:?} {:?}", terminal(Interface::Wallet));
        for hidden in ["s3cret", "hunter2", "ana@", "060123456"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
}
