//! Payments by card that were begun, and what came of them.

use serde::{Deserialize, Serialize};

use super::PaymentLineJson;

/// How money is taken from a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCapture"))]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// At once.
    Immediate,
    /// It is held, and taken if the order still asks for it.
    Checked,
    /// It is held until the institution says.
    Manual,
}

/// Somebody begins to pay an order by card. It names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CardStartedJson {
    /// The PaymentID, if it becomes a payment: the order number at the gateway.
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// What is asked for.
    pub amount: String,
    pub currency: String,
    pub lines: Vec<PaymentLineJson>,
    pub capture: Capture,
    /// The terminal at the gateway.
    pub terminal: String,
    /// Name of the principal who began it; absent where the payer did, on the order's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The version of the order that this made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// What the gateway said of a payment by card, for the payment's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CardJson {
    /// What the payer was asked for.
    pub asked: String,
    /// The terminal at the gateway.
    pub terminal: String,
    /// The reference number of the banks, by which statements name the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// The number of the card, but for the digits that tell which it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_number: Option<String>,
}

/// A payment by card as it was begun, with what only its own list keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptJson {
    pub started: CardStartedJson,
    /// Where the payer goes in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Whose cards are saved at the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// A card that is saved there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Whether the saved card is charged at once, its holder absent: then no session is opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unattended: bool,
    /// Minutes that the payer has.
    pub session_minutes: u32,
}

/// What the gateway's state of a payment comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    /// Nobody has paid yet.
    Open,
    /// The payer's try failed; there may be another in the session.
    Failed,
    /// It is at work.
    Pending,
    /// It is not known what it is.
    Unknown,
    /// The money is held.
    Held,
    /// What was held is released.
    Released,
    /// The money is taken.
    Paid,
    /// All of it was given back.
    Refunded,
    /// The payer's bank has taken it back.
    ChargedBack,
}

impl CardState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Failed,
        Self::Pending,
        Self::Unknown,
        Self::Held,
        Self::Released,
        Self::Paid,
        Self::Refunded,
        Self::ChargedBack,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Failed => "failed",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Released => "released",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::ChargedBack => "charged_back",
        }
    }

    /// How far a payment has come with it: what was seen late does not stand above what is further.
    pub fn reach(self) -> u8 {
        match self {
            Self::Open | Self::Failed | Self::Pending | Self::Unknown => 0,
            Self::Held => 1,
            Self::Released => 2,
            Self::Paid | Self::Refunded | Self::ChargedBack => 3,
        }
    }
}

/// A state that the gateway told, where it is not what it told before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenJson {
    /// What it comes to.
    pub state: CardState,
    /// The gateway's word for it, or the code of its error.
    pub written: String,
    /// What it is about: held, or taken and not given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_number: Option<String>,
    /// Name of the answer, among the evidence.
    pub evidence: String,
}

/// What is asked of the gateway with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCommandKind"))]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// To take what is held.
    Charge,
    /// To release it.
    Cancel,
    /// To give money back.
    Refund,
    /// To take money from a saved card, its holder absent.
    Pay,
}

/// A command, as it stands before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandJson {
    pub kind: CommandKind,
    /// How much; of a refund, how much is given back.
    pub amount: String,
    /// Of a refund, what remains once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Name of the principal; absent where this provider itself decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Digest of the name of the request that may be repeated, and of what it asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<[String; 2]>,
    /// Whether somebody says that refunds before, of which nothing was seen, are not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checked: bool,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCommandOutcome"))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is not done.
    NotDone,
    /// Nothing of it was seen for so long that it is taken for not done. The gateway did not say so.
    Unseen,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeJson {
    /// Its place in the list.
    pub command: u64,
    pub outcome: Outcome,
    /// The code of the gateway's error, or why it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// That nothing more is to be expected of a payment that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedJson {
    /// Why.
    pub reason: Ended,
}

/// Why nothing more is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardEnd"))]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The session is over, and nobody paid.
    Unpaid,
    /// The gateway never opened a session that anybody could know.
    NotOpened,
    /// What was held is released.
    Released,
    /// It was not clear for three days; a person must look at the gateway.
    Unclear,
}

impl AttemptJson {
    /// Takes out what is of a person; `false` if there is nothing of that kind.
    pub fn erase_personal_data(&mut self) -> bool {
        let members = [&mut self.return_url, &mut self.customer, &mut self.card];
        members
            .into_iter()
            .fold(false, |erased, member| erased | member.take().is_some())
    }
}
