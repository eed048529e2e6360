//! Payments by card that were begun, and the records of their course.

use serde::{Deserialize, Serialize};

use super::PaymentLineJson;

/// The way in which money is taken from a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCapture"))]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// The money is taken as soon as the payer pays.
    Immediate,
    /// The money is held first, and taken if the order still asks for it then.
    Checked,
    /// The money is held until the institution takes or releases it.
    Manual,
}

/// The beginning of a payment of an order by card. It names no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CardStartedJson {
    /// The order number at the gateway; it is the PaymentID if this becomes a payment.
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    /// The amount that the payer is asked for.
    pub amount: String,
    pub currency: String,
    pub lines: Vec<PaymentLineJson>,
    pub capture: Capture,
    /// The terminal at the gateway.
    pub terminal: String,
    /// Name of the principal who began it; absent where the payer did, on the order's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The place of this entry in the order's list, which is the order's version from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

/// The gateway's data of a payment by card, as the payment's record has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct CardJson {
    /// The amount that the payer was asked for.
    pub asked: String,
    /// The terminal at the gateway.
    pub terminal: String,
    /// The reference number of the banks, by which statements name the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// The card's number, with the digits hidden that identify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_number: Option<String>,
}

/// A payment by card as it was begun, with members that are in its own list alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptJson {
    pub started: CardStartedJson,
    /// The address to which the payer returns in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// The name under which the gateway saves this payer's cards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// The gateway's name for the saved card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// True if the saved card is charged at once, in its holder's absence. No session is opened then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unattended: bool,
    /// Minutes that the payer has for the session.
    pub session_minutes: u32,
}

/// The state of a payment by card, derived from the gateway's own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CardState {
    /// Nobody has paid yet.
    Open,
    /// The payer's attempt failed; another may follow in the same session.
    Failed,
    /// The gateway is still working on it.
    Pending,
    /// The gateway's state has no known meaning.
    Unknown,
    /// The money is held.
    Held,
    /// The money that was held is released.
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

    /// The rank of the state in the course of a payment, from 0. A state that was seen late does not
    /// replace one of a higher rank.
    pub fn reach(self) -> u8 {
        match self {
            Self::Open | Self::Failed | Self::Pending | Self::Unknown => 0,
            Self::Held => 1,
            Self::Released => 2,
            Self::Paid | Self::Refunded | Self::ChargedBack => 3,
        }
    }
}

/// A state told by the gateway that differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenJson {
    /// The state.
    pub state: CardState,
    /// The gateway's word for it, or the code of its error.
    pub written: String,
    /// The amount in question: the money held, or the money taken and not given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked_number: Option<String>,
    /// Name of the gateway's answer among the evidence.
    pub evidence: String,
}

/// An operation of the gateway that needs a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCommandKind"))]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Take the money that is held.
    Charge,
    /// Release it.
    Cancel,
    /// Give money back.
    Refund,
    /// Take money from a saved card in its holder's absence.
    Pay,
}

/// A command to the gateway, as it is recorded before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandJson {
    pub kind: CommandKind,
    /// The amount to take or to release; of a refund, the amount to give back.
    pub amount: String,
    /// Of a refund, the amount that remains with the institution afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// The reason that the principal gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Name of the principal; absent where this provider decides by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Digests of the name of the request, which may be repeated, and of its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<[String; 2]>,
    /// True if the principal confirms that earlier refunds, of which the gateway showed nothing, are not
    /// done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checked: bool,
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardCommandOutcome"))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is not done.
    NotDone,
    /// The gateway showed nothing of it for so long that it counts as not done. The gateway did not say
    /// so.
    Unseen,
}

/// The recorded end of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeJson {
    /// The command's place in the payment's list.
    pub command: u64,
    pub outcome: Outcome,
    /// The code of the gateway's error, or the reason for which the command was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The recorded end of a payment that was begun: nothing more is expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedJson {
    /// The reason.
    pub reason: Ended,
}

/// The reason for which nothing more is expected of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[cfg_attr(any(test, feature = "schema"), schemars(rename = "CardEnd"))]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The session is over, and nobody paid.
    Unpaid,
    /// The gateway opened no session that anybody could know.
    NotOpened,
    /// The money that was held is released.
    Released,
    /// The state was unclear for three days; a person must look at the gateway.
    Unclear,
}

impl AttemptJson {
    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        let members = [&mut self.return_url, &mut self.customer, &mut self.card];
        members
            .into_iter()
            .fold(false, |erased, member| erased | member.take().is_some())
    }
}
