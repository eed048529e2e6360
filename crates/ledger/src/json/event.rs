use std::fmt;

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    CardStartedJson, FieldError, MetadataJson, PaymentJson, ProposalJson, RefundJson,
    ReviewOpenedJson, SignerJson, VoidJson, VoidProposalJson, WithdrawalJson, metadata,
};
use crate::domain::{ClosedReview, Order, PaymentId, Review, SetStatus, Text};

/// An event: an entry of the journal. Flat, with `type` beside the members of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Event {
    /// A new order.
    #[serde(rename = "order.registered")]
    OrderRegistered(OrderEvent),
    /// A new version of an order, with the status as it was.
    #[serde(rename = "order.amended")]
    OrderAmended(OrderEvent),
    /// The status `Completed` was set. Other members may have changed with it.
    #[serde(rename = "order.completed")]
    OrderCompleted(OrderEvent),
    /// The status `Cancelled` was set. Other members may have changed with it.
    #[serde(rename = "order.cancelled")]
    OrderCancelled(OrderEvent),
    /// The status `Refunding` was set. Other members may have changed with it.
    #[serde(rename = "order.refunding")]
    OrderRefunding(OrderEvent),
    /// The status `Refunded` was set. Other members may have changed with it.
    #[serde(rename = "order.refunded")]
    OrderRefunded(OrderEvent),
    /// A status that was set is taken back.
    #[serde(rename = "order.reopened")]
    OrderReopened(OrderEvent),
    /// A payment. It is one only if the payment's marker names this entry.
    #[serde(rename = "payment.recorded")]
    PaymentRecorded(Box<PaymentJson>),
    /// A confirmation that MPay signed and this provider refused.
    #[serde(rename = "payment.refused")]
    PaymentRefused(Box<RefusalJson>),
    /// A person proposes to enter a payment by hand.
    #[serde(rename = "payment.proposed")]
    PaymentProposed(Box<ProposalJson>),
    /// MPay confirms a payment that was entered by hand.
    #[serde(rename = "payment.confirmed")]
    PaymentConfirmed(Box<PaymentJson>),
    /// A person proposes to void a payment that was entered by hand.
    #[serde(rename = "payment.void_proposed")]
    PaymentVoidProposed(Box<VoidProposalJson>),
    /// A payment that was entered by hand is voided.
    #[serde(rename = "payment.voided")]
    PaymentVoided(Box<VoidJson>),
    /// Somebody begins to pay an order by card. No money is paid by this.
    #[serde(rename = "card.started")]
    CardStarted(Box<CardStartedJson>),
    /// Money of a payment was given back.
    #[serde(rename = "payment.refunded")]
    PaymentRefunded(Box<RefundJson>),
    /// A proposal to enter or to void a payment is withdrawn.
    #[serde(rename = "proposal.withdrawn")]
    ProposalWithdrawn(Box<WithdrawalJson>),
    /// A statement shows payments.
    #[serde(rename = "settlement.imported")]
    SettlementImported(Box<SettlementJson>),
    /// A payment needs a person, because of a fact that came to be known later.
    #[serde(rename = "review.opened")]
    ReviewOpened(Box<ReviewOpenedJson>),
    /// A person has closed a review.
    #[serde(rename = "review.closed")]
    ReviewClosed(Box<ReviewClosedJson>),
    /// An erasure of the personal data of an order, or of a refused confirmation's message.
    #[serde(rename = "personal_data.erased")]
    PersonalDataErased(Box<ErasureJson>),
}

/// The `type` of an [`Event`].
#[derive(Clone, Copy, Deserialize)]
enum EventType {
    #[serde(rename = "order.registered")]
    OrderRegistered,
    #[serde(rename = "order.amended")]
    OrderAmended,
    #[serde(rename = "order.completed")]
    OrderCompleted,
    #[serde(rename = "order.cancelled")]
    OrderCancelled,
    #[serde(rename = "order.refunding")]
    OrderRefunding,
    #[serde(rename = "order.refunded")]
    OrderRefunded,
    #[serde(rename = "order.reopened")]
    OrderReopened,
    #[serde(rename = "payment.recorded")]
    PaymentRecorded,
    #[serde(rename = "payment.refused")]
    PaymentRefused,
    #[serde(rename = "payment.proposed")]
    PaymentProposed,
    #[serde(rename = "payment.confirmed")]
    PaymentConfirmed,
    #[serde(rename = "payment.void_proposed")]
    PaymentVoidProposed,
    #[serde(rename = "payment.voided")]
    PaymentVoided,
    #[serde(rename = "card.started")]
    CardStarted,
    #[serde(rename = "payment.refunded")]
    PaymentRefunded,
    #[serde(rename = "proposal.withdrawn")]
    ProposalWithdrawn,
    #[serde(rename = "settlement.imported")]
    SettlementImported,
    #[serde(rename = "review.opened")]
    ReviewOpened,
    #[serde(rename = "review.closed")]
    ReviewClosed,
    #[serde(rename = "personal_data.erased")]
    PersonalDataErased,
}

/// The type comes first, as `serde` writes it, so that the members after it are read as those of its
/// record. A derived reader of tagged enums, which finds the type anywhere, would keep every member
/// aside, and put all types of records into the component twice.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TypeFirst;
        impl<'de> Visitor<'de> for TypeFirst {
            type Value = Event;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
                let first = map.next_key()?;
                if first != Some("type") {
                    return read_in_any_order(first, map);
                }
                let r#type = map.next_value()?;
                let record = MapAccessDeserializer::new(map);
                Ok(match r#type {
                    EventType::OrderRegistered => {
                        Event::OrderRegistered(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderAmended => {
                        Event::OrderAmended(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderCompleted => {
                        Event::OrderCompleted(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderCancelled => {
                        Event::OrderCancelled(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderRefunding => {
                        Event::OrderRefunding(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderRefunded => {
                        Event::OrderRefunded(Deserialize::deserialize(record)?)
                    }
                    EventType::OrderReopened => {
                        Event::OrderReopened(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentRecorded => {
                        Event::PaymentRecorded(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentRefused => {
                        Event::PaymentRefused(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentProposed => {
                        Event::PaymentProposed(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentConfirmed => {
                        Event::PaymentConfirmed(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentVoidProposed => {
                        Event::PaymentVoidProposed(Deserialize::deserialize(record)?)
                    }
                    EventType::PaymentVoided => {
                        Event::PaymentVoided(Deserialize::deserialize(record)?)
                    }
                    EventType::CardStarted => Event::CardStarted(Deserialize::deserialize(record)?),
                    EventType::PaymentRefunded => {
                        Event::PaymentRefunded(Deserialize::deserialize(record)?)
                    }
                    EventType::ReviewOpened => {
                        Event::ReviewOpened(Deserialize::deserialize(record)?)
                    }
                    EventType::ProposalWithdrawn => {
                        Event::ProposalWithdrawn(Deserialize::deserialize(record)?)
                    }
                    EventType::SettlementImported => {
                        Event::SettlementImported(Deserialize::deserialize(record)?)
                    }
                    EventType::ReviewClosed => {
                        Event::ReviewClosed(Deserialize::deserialize(record)?)
                    }
                    EventType::PersonalDataErased => {
                        Event::PersonalDataErased(Deserialize::deserialize(record)?)
                    }
                })
            }
        }
        deserializer.deserialize_map(TypeFirst)
    }
}

/// Reads an event that another program has written again, since members of JSON have no order.
fn read_in_any_order<'de, A: MapAccess<'de>>(
    first: Option<&str>,
    mut map: A,
) -> Result<Event, A::Error> {
    let mut members = serde_json::Map::new();
    let mut name = first.map(str::to_owned);
    while let Some(member) = name {
        members.insert(member, map.next_value()?);
        name = map.next_key()?;
    }
    let r#type = members.remove("type");
    let r#type = r#type.ok_or_else(|| de::Error::missing_field("type"))?;
    let rest = serde_json::to_string(&members).map_err(de::Error::custom)?;
    let rest = rest.strip_prefix('{').unwrap_or_default();
    let text = format!(r#"{{"type":{type},{rest}"#);
    serde_json::from_slice(text.as_bytes()).map_err(de::Error::custom)
}

/// The order that changed, and the amount that it asks for now. It names nobody, so that it can be kept
/// for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct OrderEvent {
    pub service_id: String,
    pub order_key: String,
    /// The version that the change made: the order's `ETag`, until the next change.
    pub version: u64,
    pub currency: String,
    /// Absent while it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_amount_due: Option<String>,
    /// A status that the institution set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_reference: Option<String>,
    /// The institution's own notes, without personal data.
    #[serde(default, skip_serializing_if = "MetadataJson::is_empty")]
    pub metadata: MetadataJson,
    /// Name of the principal who made the change; absent where a payment registered the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Payments that a bank's or the treasury's statement shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SettlementJson {
    /// SHA-256 of the statement.
    pub sha256: String,
    /// PaymentIDs of those that no statement had shown before.
    pub payments: Vec<String>,
    /// For each of them the row that shows it: a digest that only this store can make.
    pub rows: Vec<String>,
    /// Parts of payments of which the rest is still to come, or which other rows settle, and money that was
    /// given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartJson>,
    /// Name of the principal who sent it.
    pub by: String,
    /// Place of its entry in the list of statements; the event counts if that place does.
    pub entry: u64,
}

/// A part of a payment that a statement shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PartJson {
    /// The payment.
    pub payment_id: String,
    /// The row that shows it: a digest that only this store can make.
    pub row: String,
    /// The number of the part, from 1.
    pub number: u32,
    /// The amount; below zero for money that was given back, or that a statement took back.
    pub amount: String,
    /// The refund of the payment, named by the amount that remained after it, since two refunds may have
    /// one amount. Absent in records of earlier versions, and if it is no refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// True if the row does not name the refund's own number, so that only the amount identifies it. A
    /// row that names the number takes its place, and this one then shows another refund of the same
    /// amount.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_amount: bool,
    /// The account of the lines that the part shows, if it is of a sum for one account. Absent in records of
    /// earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// A person has closed a review: of a payment, or of a refused confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ReviewClosedJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Of a refused confirmation, the name of the signed message among the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The reason of the review.
    pub reason: String,
    pub note: String,
    /// Name of the principal who closed it.
    pub by: String,
    /// The version of the order that this change made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Of a refused confirmation, the place in the list of its outcomes; the event counts if that place
    /// does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// An erasure of personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ErasureJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Of a refused confirmation, the name of the signed message among the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// `retention`, or `request`.
    pub reason: String,
    /// Name of the principal who asked for it.
    pub by: String,
    /// The version of the order that this change made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Of a refused confirmation, the place in the list of its outcomes; the event counts if that place
    /// does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

/// A confirmation that MPay signed and this provider refused, for people to sort out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RefusalJson {
    /// `PaymentID`, where the message has one; the others likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// Code of the fault that MPay got.
    pub code: String,
    /// Its text.
    pub reason: String,
    /// The time at which the message came in.
    pub received_at: String,
    pub signer: SignerJson,
    /// Name of the signed message among the evidence.
    pub evidence: String,
}

impl Event {
    /// The event of an order's change from `before` to `after`, which made version `version`.
    pub fn of_order(before: Option<&Order>, after: &Order, version: u64, by: Option<&str>) -> Self {
        let event = OrderEvent {
            service_id: after.service_id.to_string(),
            order_key: after.order_key.to_string(),
            version,
            currency: after.currency.as_str().to_owned(),
            total_amount_due: after.total().map(|total| total.to_string()),
            status: after.set_status.map(|status| status.as_str().to_owned()),
            refund_reference: after
                .refund_reference
                .as_ref()
                .map(|text| text.as_str().to_owned()),
            metadata: metadata::write_impersonal(&after.metadata),
            by: by.map(str::to_owned),
        };
        let Some(before) = before else {
            return Self::OrderRegistered(event);
        };
        if before.set_status == after.set_status {
            return Self::OrderAmended(event);
        }
        match after.set_status {
            Some(SetStatus::Completed) => Self::OrderCompleted(event),
            Some(SetStatus::Cancelled) => Self::OrderCancelled(event),
            Some(SetStatus::Refunding) => Self::OrderRefunding(event),
            Some(SetStatus::Refunded) => Self::OrderRefunded(event),
            None => Self::OrderReopened(event),
        }
    }
}

impl Event {
    /// Name of the principal who made this change of an order.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::OrderRegistered(event)
            | Self::OrderAmended(event)
            | Self::OrderCompleted(event)
            | Self::OrderCancelled(event)
            | Self::OrderRefunding(event)
            | Self::OrderRefunded(event)
            | Self::OrderReopened(event) => event.by.as_deref(),
            _ => None,
        }
    }

    /// Its `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OrderRegistered(_) => "order.registered",
            Self::OrderAmended(_) => "order.amended",
            Self::OrderCompleted(_) => "order.completed",
            Self::OrderCancelled(_) => "order.cancelled",
            Self::OrderRefunding(_) => "order.refunding",
            Self::OrderRefunded(_) => "order.refunded",
            Self::OrderReopened(_) => "order.reopened",
            Self::PaymentRecorded(_) => "payment.recorded",
            Self::PaymentRefused(_) => "payment.refused",
            Self::PaymentProposed(_) => "payment.proposed",
            Self::PaymentConfirmed(_) => "payment.confirmed",
            Self::PaymentVoidProposed(_) => "payment.void_proposed",
            Self::PaymentVoided(_) => "payment.voided",
            Self::CardStarted(_) => "card.started",
            Self::PaymentRefunded(_) => "payment.refunded",
            Self::ProposalWithdrawn(_) => "proposal.withdrawn",
            Self::SettlementImported(_) => "settlement.imported",
            Self::ReviewOpened(_) => "review.opened",
            Self::ReviewClosed(_) => "review.closed",
            Self::PersonalDataErased(_) => "personal_data.erased",
        }
    }

    /// The order's service and key, and the version that a change of the order made; the event counts if
    /// that version does.
    pub fn change(&self) -> Option<(&str, &str, u64)> {
        match self {
            Self::OrderRegistered(event)
            | Self::OrderAmended(event)
            | Self::OrderCompleted(event)
            | Self::OrderCancelled(event)
            | Self::OrderRefunding(event)
            | Self::OrderRefunded(event)
            | Self::OrderReopened(event) => {
                Some((&event.service_id, &event.order_key, event.version))
            }
            Self::ReviewClosed(event) => Some((
                event.service_id.as_deref()?,
                event.order_key.as_deref()?,
                event.version?,
            )),
            Self::PersonalDataErased(event) => Some((
                event.service_id.as_deref()?,
                event.order_key.as_deref()?,
                event.version?,
            )),
            Self::PaymentConfirmed(event) => {
                Some((&event.service_id, &event.order_key, event.version?))
            }
            Self::PaymentVoided(event) => {
                Some((&event.service_id, &event.order_key, event.version?))
            }
            Self::PaymentRefunded(event) => {
                Some((&event.service_id, &event.order_key, event.version?))
            }
            Self::CardStarted(event) => Some((&event.service_id, &event.order_key, event.version?)),
            Self::ReviewOpened(event) => {
                Some((&event.service_id, &event.order_key, event.version?))
            }
            _ => None,
        }
    }
}

impl ReviewClosedJson {
    /// The payment whose review was closed `at` this time, and the closing.
    ///
    /// # Errors
    /// A [`FieldError`] for the invalid member.
    pub fn read(&self, at: Timestamp) -> Result<(PaymentId, ClosedReview), FieldError> {
        let wrong = |field: &str, detail: String| FieldError::new(field, detail);
        let payment_id = self.payment_id.as_deref().unwrap_or_default();
        let payment_id =
            PaymentId::parse(payment_id).map_err(|error| wrong("payment_id", error.to_string()))?;
        let review = Review::parse(&self.reason)
            .ok_or_else(|| wrong("reason", "is no reason for a review".to_owned()))?;
        let note = Text::parse(&self.note).map_err(|error| wrong("note", error.to_string()))?;
        let closed = ClosedReview {
            review,
            note,
            closed_at: at,
            by: self.by.clone(),
        };
        Ok((payment_id, closed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_and_written(text: &str) -> Value {
        let event: Event = serde_json::from_str(text).unwrap();
        serde_json::to_value(event).unwrap()
    }

    #[test]
    fn each_type_of_event_is_read_as_it_is_written() {
        let signer = json!({"subject": "CN=MPay", "fingerprint": "ab", "algorithm": "rsa-sha1"});
        let of_order =
            json!({"service_id": "TAX", "order_key": "1", "version": 1, "currency": "MDL"});
        let payment = json!({
            "payment_id": "P", "service_id": "TAX", "order_key": "1", "currency": "MDL",
            "amount": "1.00", "paid_at": "2026-06-01T12:00:00+03:00",
            "received_at": "2026-06-01T12:00:01+03:00", "lines": [], "signer": signer, "evidence": "e"
        });
        let proposal = json!({
            "payment_id": "P", "service_id": "TAX", "order_key": "1", "currency": "MDL",
            "amount": "1.00", "paid_at": "2026-06-01T12:00:00+03:00", "lines": [],
            "note": "n", "by": "b"
        });
        let refusal = json!({
            "code": "UnknownOrder", "reason": "r", "received_at": "2026-06-01T12:00:00+03:00",
            "signer": signer, "evidence": "e"
        });
        let records = [
            ("order.registered", &of_order),
            ("order.amended", &of_order),
            ("order.completed", &of_order),
            ("order.cancelled", &of_order),
            ("order.refunding", &of_order),
            ("order.refunded", &of_order),
            ("order.reopened", &of_order),
            ("payment.recorded", &payment),
            ("payment.refused", &refusal),
            ("payment.proposed", &proposal),
            ("payment.confirmed", &payment),
            (
                "payment.void_proposed",
                &json!({
                    "payment_id": "P", "service_id": "TAX", "order_key": "1", "proposal": 2,
                    "note": "n", "by": "b"
                }),
            ),
            (
                "payment.voided",
                &json!({
                    "payment_id": "P", "service_id": "TAX", "order_key": "1", "amount": "1.00",
                    "currency": "MDL", "paid_at": "2026-06-01T12:00:00+03:00", "lines": [],
                    "recorded": 3, "proposal": 2, "void_proposal": 4, "proposed_by": "b",
                    "approved_by": "c", "note": "n"
                }),
            ),
            (
                "card.started",
                &json!({
                    "payment_id": "P", "service_id": "TAX", "order_key": "1", "amount": "1.00",
                    "currency": "MDL", "lines": [], "capture": "checked", "terminal": "T",
                    "by": "b", "version": 3
                }),
            ),
            (
                "payment.refunded",
                &json!({
                    "payment_id": "P", "service_id": "TAX", "order_key": "1", "amount": "1.00",
                    "remaining": "0.00", "lines": [], "currency": "MDL", "recorded": 3, "note": "n", "by": "b",
                    "evidence": "e"
                }),
            ),
            (
                "review.opened",
                &json!({
                    "payment_id": "P", "service_id": "TAX", "order_key": "1",
                    "reason": "charged-back", "evidence": "e"
                }),
            ),
            (
                "proposal.withdrawn",
                &json!({"proposal": 2, "payment_id": "P", "by": "b", "entry": 1}),
            ),
            (
                "settlement.imported",
                &json!({"sha256": "s", "payments": ["P"], "rows": ["r"], "by": "b", "entry": 1}),
            ),
            (
                "review.closed",
                &json!({"reason": "r", "note": "n", "by": "b"}),
            ),
            (
                "personal_data.erased",
                &json!({"reason": "retention", "by": "b"}),
            ),
        ];
        // An event of a type that is written but not read would be lost, so no type is left out.
        let schema = serde_json::to_value(schemars::schema_for!(Event)).unwrap();
        let mut written: Vec<_> = schema["oneOf"].as_array().unwrap().iter().collect();
        written.retain(|event| {
            let name = &event["properties"]["type"]["const"];
            !records.iter().any(|(known, _)| name == known)
        });
        assert!(written.is_empty(), "{written:#?}");

        for (name, record) in records {
            let members = &record.to_string()[1..];
            let written = read_and_written(&format!(r#"{{"type":"{name}",{members}"#));
            let mut expected = record.clone();
            expected["type"] = name.into();
            assert_eq!(written, expected);
            // In the order of the alphabet.
            assert_eq!(read_and_written(&expected.to_string()), expected);
            let event: Event = serde_json::from_str(&expected.to_string()).unwrap();
            assert_eq!(event.name(), name);
        }
    }
}
