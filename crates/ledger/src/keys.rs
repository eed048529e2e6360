//! The keys: `/` between the parts, everything else percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    domain::{OrderKey, PaymentId, Review, ServiceId, TextError},
    json::PaymentJson,
};

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// List of everything that happened, in the order of its recording.
pub const JOURNAL: &str = "journal";

/// List of the days that are closed.
pub const DAYS: &str = "days";

/// List of the keys under which names are digested; the lowest counts.
pub const SECRET: &str = "secret";

/// Where delivery stands.
pub const OUTBOX: &str = "outbox/state";

/// That the institution has been told of a payment at a place in the journal, or never will.
pub fn delivered(index: u64) -> String {
    format!("delivered/{index}")
}

/// What has been tried to tell it.
pub fn attempts(index: u64) -> String {
    format!("delivery/{index}")
}

/// A small value of which the last one written counts.
pub fn note(name: &str) -> String {
    format!("note/{}", encode(name))
}

/// Counter of those who would be the first.
pub fn once(name: &str) -> String {
    format!("once/{}", encode(name))
}

/// List of an order's versions and payments. Keys that payers would confuse share one list.
pub fn order(service: &ServiceId, key: &OrderKey) -> String {
    format!(
        "order/{}/{}",
        encode(service.as_str()),
        encode(&key.folded())
    )
}

/// What an order's list adds up to at the end of a segment.
pub fn fold(list: &str, segment: u64) -> String {
    format!("fold/{list}/{segment}")
}

/// The place in its order's list where a review of a payment was closed.
pub fn closed(id: &PaymentId, review: Review) -> String {
    format!("closed/{}/{}", encode(id.as_str()), review.as_str())
}

/// The place in its order's list where MPay's confirmation of a payment that was entered by hand is
/// noted.
pub fn confirmed(id: &PaymentId) -> String {
    format!("confirmed/{}", encode(id.as_str()))
}

/// List of the versions and payments of the order that a payment is for.
///
/// # Errors
/// What is wrong with the names.
pub fn order_of(payment: &PaymentJson) -> Result<String, TextError> {
    let service = ServiceId::parse(&payment.service_id)?;
    Ok(order(&service, &OrderKey::parse(&payment.order_key)?))
}

/// List of the claims of a request that may be repeated.
pub fn request(name: &str) -> String {
    format!("request/{}", encode(name))
}

/// Which payment of a PaymentID.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentName {
    /// The PaymentID.
    pub id: PaymentId,
    /// Whether it is MPay's own, where the first was entered by hand and voided.
    pub after_void: bool,
}

impl PaymentName {
    /// That of a record.
    ///
    /// # Errors
    /// What is wrong with the PaymentID.
    pub fn of(payment: &PaymentJson) -> Result<Self, TextError> {
        Ok(Self {
            id: PaymentId::parse(&payment.payment_id)?,
            after_void: payment.after_void,
        })
    }

    /// That of the first payment of an id.
    pub fn first(id: &PaymentId) -> Self {
        Self {
            id: id.clone(),
            after_void: false,
        }
    }

    /// That of MPay's own payment after the void of the first.
    pub fn after_void(id: &PaymentId) -> Self {
        Self {
            id: id.clone(),
            after_void: true,
        }
    }

    fn under(&self, prefix: &str) -> String {
        let suffix = if self.after_void { "/after-void" } else { "" };
        format!("{prefix}/{}{suffix}", encode(self.id.as_str()))
    }
}

/// List of the attempts to record a payment.
pub fn payment(name: &PaymentName) -> String {
    name.under("payment")
}

/// Marker of a payment that is recorded.
pub fn done(name: &PaymentName) -> String {
    name.under("done")
}

/// Whether the marker under this key is that of a payment.
pub fn is_marker_of(key: &str, payment: &PaymentJson) -> bool {
    PaymentName::of(payment).is_ok_and(|name| done(&name) == key)
}

/// The signed answer to a payment, by its place in the journal: who finishes an abandoned recording
/// has another place and another answer, and the marker says which counts.
pub fn answer(id: &PaymentId, journal: u64) -> String {
    format!("answer/{}/{journal}", encode(id.as_str()))
}

/// A place in the journal.
pub fn journal(index: u64) -> String {
    format!("{JOURNAL}/{index}")
}

/// List of the statements that were imported, one after the other.
pub const SETTLEMENTS: &str = "settlements";

/// The payment that a row of a statement shows, by the row's name.
pub fn shown(row: &str) -> String {
    format!("shown/{row}")
}

/// Claims of a place for the event of a change whose first place in the journal was passed by.
pub fn behind(dead: u64) -> String {
    format!("behind/{dead}")
}

/// Says of a place in the journal that it was claimed for the event of another that is dead.
pub fn claimed(place: u64) -> String {
    format!("claimed/{place}")
}

/// The statement that shows a payment, by its place in the journal.
pub fn settled(id: &PaymentId) -> String {
    format!("settled/{}", encode(id.as_str()))
}

/// A part of a payment that a statement shows, from 1.
pub fn settled_part(id: &PaymentId, number: u32) -> String {
    format!("{}/{number}", settled(id))
}

/// List of what became of a proposal, by its place in the journal.
pub fn proposal(index: u64) -> String {
    format!("proposal/{index}")
}

/// List of what became of a refused confirmation.
pub fn refusal(evidence: &str) -> String {
    format!("refusal/{evidence}")
}

/// The place in the journal of the refused confirmation that a message proves.
pub fn refused(evidence: &str) -> String {
    format!("refused/{evidence}")
}

/// A signed message.
pub fn evidence(id: &str) -> String {
    format!("evidence/{id}")
}

/// The signed fault that answered a refused confirmation, by the refusal's place in the journal.
pub fn fault(journal: u64) -> String {
    format!("fault/{journal}")
}

/// The certificate of this fingerprint, which signed a message that is kept.
pub fn certificate(fingerprint: &str) -> String {
    format!("certificate/{fingerprint}")
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_orders_share_a_key_by_their_spelling() {
        let service = |text| ServiceId::parse(text).unwrap();
        let key = |text| OrderKey::parse(text).unwrap();
        assert_eq!(
            order(&service("a/b"), &key("C ș%1")),
            "order/a%2Fb/c%C8%99%251"
        );
        assert_ne!(
            order(&service("a/b"), &key("c")),
            order(&service("a"), &key("b/c"))
        );
    }
}
