use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CardJson, FieldError, MetadataJson, Reader, metadata};
use crate::domain::{
    Confirmation, ConfirmationLine, ConfirmationProperty, Currency, LineId, Money, OrderKey,
    OrderState, PaymentAccount, PaymentId, Receipt, ServiceId, time,
};

/// A payment as MPay confirmed it, with its signer and the name of the signed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PaymentJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
    pub amount: String,
    pub currency: String,
    pub paid_at: String,
    pub lines: Vec<PaymentLineJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PaymentPropertyJson>,
    /// The time at which the signed message came in.
    pub received_at: String,
    /// Seconds for which MPay may go on showing an amount that it got, if the order's amounts depend on
    /// the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_validity: Option<u32>,
    /// The signer of MPay's message, if MPay confirmed the payment at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerJson>,
    /// Name of its proof among the evidence: the signed message, the card gateway's answer, or the
    /// decision of two people.
    pub evidence: String,
    /// The card gateway's statement of it, if it was paid by card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardJson>,
    /// Present, for ever, if the payment was entered by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<ManualJson>,
    /// True if MPay confirmed it after a payment of this id, entered by hand, was voided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_void: bool,
    /// In an event, the version of the order that the payment made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The institution's notes with the order, without personal data, as they were when the payment came
    /// in.
    #[serde(default, skip_serializing_if = "MetadataJson::is_empty")]
    pub metadata: MetadataJson,
}

/// The channel by which a payment came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// MPay confirmed it.
    #[default]
    MPay,
    /// It was paid by card, at the institution's own gateway.
    Card,
    /// Two people entered it by hand.
    Manual,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MPay, Self::Card, Self::Manual];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MPay => "mpay",
            Self::Card => "card",
            Self::Manual => "manual",
        }
    }
}

/// The record of a payment that was entered by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ManualJson {
    /// Place of the proposal in the journal.
    pub proposal: u64,
    /// Names of the two people.
    pub proposed_by: String,
    pub approved_by: String,
    pub note: String,
    /// MPay's own confirmation, where it came later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<ConfirmedJson>,
}

/// MPay's confirmation of a payment that was entered by hand before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ConfirmedJson {
    pub received_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerJson>,
    /// Name of the signed message among the evidence.
    pub evidence: String,
}

/// A payment that one person proposes to enter by hand, and another approves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ProposalJson {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<String>,
    pub amount: String,
    pub currency: String,
    pub paid_at: String,
    pub lines: Vec<PaymentLineJson>,
    /// The source from which it is known.
    pub note: String,
    /// Name of the principal who proposes.
    pub by: String,
}

/// The signer of a message, and the algorithms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SignerJson {
    /// Subject of the certificate (RFC 4514).
    pub subject: String,
    /// SHA-256 of the certificate's DER, in hexadecimal.
    pub fingerprint: String,
    /// `SignatureMethod` of the message (XML Signature 1.1, section 6.4).
    pub algorithm: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PaymentLineJson {
    pub line_id: String,
    pub amount: String,
    /// The account of the line when the payment was recorded; absent where none was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_account: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PaymentPropertyJson>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct PaymentPropertyJson {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl PaymentJson {
    /// Describes a confirmation, received now.
    pub fn new(
        confirmation: &Confirmation,
        received_at: Timestamp,
        signer: SignerJson,
        evidence: String,
    ) -> Self {
        Self {
            payment_id: confirmation.payment_id.to_string(),
            service_id: confirmation.service_id.to_string(),
            order_key: confirmation.order_key.to_string(),
            invoice_id: confirmation.invoice_id.clone(),
            amount: confirmation.total.to_string(),
            currency: confirmation.currency.as_str().to_owned(),
            paid_at: time::format(confirmation.paid_at),
            lines: confirmation
                .lines
                .iter()
                .map(|line| PaymentLineJson {
                    line_id: line.line_id.to_string(),
                    amount: line.amount.to_string(),
                    bank_account: None,
                    properties: write_properties(&line.properties),
                })
                .collect(),
            properties: write_properties(&confirmation.properties),
            received_at: time::format(received_at),
            amount_validity: None,
            signer: Some(signer),
            evidence,
            card: None,
            manual: None,
            after_void: false,
            version: None,
            metadata: MetadataJson::new(),
        }
    }

    /// Notes with each line the account that it is paid to: the line's account by `order`, or `default`.
    pub fn to_accounts_of(mut self, order: &OrderState, default: Option<&PaymentAccount>) -> Self {
        for line in &mut self.lines {
            let id = LineId::parse(&line.line_id).ok();
            let account = id.as_ref().and_then(|id| order.account(id)).or(default);
            let iban = account.and_then(PaymentAccount::bank_account);
            line.bank_account = iban.map(|iban| iban.as_str().to_owned());
        }
        self
    }

    /// Copies the institution's notes from the order.
    pub fn with_metadata(mut self, order: &OrderState) -> Self {
        self.metadata = order
            .order()
            .map(|order| metadata::write_impersonal(&order.metadata))
            .unwrap_or_default();
        self
    }

    /// Notes the time for which MPay may go on showing an amount, if the amounts of `order` depend on the
    /// day: the payment is judged by this for ever, also after the configuration changes.
    pub fn with_validity(mut self, order: &OrderState, amount_validity: Duration) -> Self {
        let depends_on_day = order.order().is_some_and(|order| !order.amounts.is_empty());
        let seconds = u32::try_from(amount_validity.as_secs()).unwrap_or(u32::MAX);
        self.amount_validity = depends_on_day.then_some(seconds);
        self
    }

    /// The channel by which it came.
    pub fn channel(&self) -> Channel {
        match (&self.card, &self.manual) {
            (Some(_), _) => Channel::Card,
            (None, Some(_)) => Channel::Manual,
            (None, None) => Channel::MPay,
        }
    }

    /// True if MPay has confirmed the payment: at once, or after it was entered by hand.
    pub fn is_confirmed(&self) -> bool {
        match self.channel() {
            Channel::MPay => true,
            Channel::Card => false,
            Channel::Manual => {
                let manual = self.manual.as_ref();
                manual.is_some_and(|manual| manual.confirmed.is_some())
            }
        }
    }

    /// The signer of MPay's confirmation, also of a payment that was entered by hand before.
    pub fn signer_of_confirmation(&self) -> Option<&SignerJson> {
        let confirmed = self
            .manual
            .as_ref()
            .and_then(|manual| manual.confirmed.as_ref());
        let later = confirmed.and_then(|confirmed| confirmed.signer.as_ref());
        self.signer.as_ref().or(later)
    }

    /// Name of MPay's signed confirmation among the messages, if there is one.
    pub fn signed_message(&self) -> Option<&str> {
        let manual = self.manual.as_ref();
        let confirmed = manual.and_then(|manual| manual.confirmed.as_ref());
        match self.channel() {
            Channel::MPay => Some(&self.evidence),
            Channel::Manual => confirmed.map(|confirmed| confirmed.evidence.as_str()),
            Channel::Card => None,
        }
    }

    /// The confirmation that this describes, and its receipt with the time at which it came in.
    ///
    /// # Errors
    /// [`FieldError`]s for the invalid members.
    pub fn to_received(&self) -> Result<(Confirmation, Receipt), Vec<FieldError>> {
        let asked = self.card.as_ref().map(|card| Money::parse(&card.asked));
        let asked = asked
            .transpose()
            .map_err(|error| vec![FieldError::new("card.asked", error)])?;
        let received_at = time::parse(&self.received_at)
            .map_err(|error| vec![FieldError::new("received_at", error)]);
        match (self.to_confirmation(), received_at) {
            (Ok(confirmation), Ok(at)) => {
                let seconds = self.amount_validity.unwrap_or(0);
                let receipt = Receipt {
                    at,
                    asked,
                    amount_validity: SignedDuration::from_secs(seconds.into()),
                };
                Ok((confirmation, receipt))
            }
            (Err(mut errors), received_at) => {
                errors.extend(received_at.err().into_iter().flatten());
                Err(errors)
            }
            (Ok(_), Err(errors)) => Err(errors),
        }
    }

    /// The confirmation that this describes.
    ///
    /// # Errors
    /// [`FieldError`]s for the invalid members.
    pub fn to_confirmation(&self) -> Result<Confirmation, Vec<FieldError>> {
        let mut reader = Reader::default();
        let payment_id = reader.check("payment_id", PaymentId::parse(&self.payment_id));
        let service_id = reader.check("service_id", ServiceId::parse(&self.service_id));
        let order_key = reader.check("order_key", OrderKey::parse(&self.order_key));
        let currency = reader.check("currency", Currency::parse(&self.currency));
        let total = reader.check("amount", Money::parse(&self.amount));
        let paid_at = reader.check("paid_at", time::parse_start(&self.paid_at).map(time::whole));
        let lines: Vec<_> = self
            .lines
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let line_id = reader.check(
                    format_args!("lines[{i}].line_id"),
                    LineId::parse(&line.line_id),
                );
                let amount = reader.check(
                    format_args!("lines[{i}].amount"),
                    Money::parse(&line.amount),
                );
                Some(ConfirmationLine {
                    line_id: line_id?,
                    amount: amount?,
                    properties: read_properties(&line.properties),
                })
            })
            .collect();
        let confirmation = (|| {
            Some(Confirmation {
                service_id: service_id?,
                order_key: order_key?,
                payment_id: payment_id?,
                invoice_id: self.invoice_id.clone(),
                currency: currency?,
                total: total?,
                paid_at: paid_at?,
                lines: lines.into_iter().collect::<Option<_>>()?,
                properties: read_properties(&self.properties),
            })
        })();
        match confirmation {
            Some(confirmation) if reader.errors.is_empty() => Ok(confirmation),
            _ => Err(reader.errors),
        }
    }
}

fn write_properties(properties: &[ConfirmationProperty]) -> Vec<PaymentPropertyJson> {
    properties
        .iter()
        .map(|property| PaymentPropertyJson {
            name: property.name.clone(),
            value: property.value.clone(),
        })
        .collect()
}

fn read_properties(properties: &[PaymentPropertyJson]) -> Vec<ConfirmationProperty> {
    properties
        .iter()
        .map(|property| ConfirmationProperty {
            name: property.name.clone(),
            value: property.value.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::OrderJson;

    #[test]
    fn a_line_is_paid_to_the_account_of_the_latest_version_that_has_it() {
        let (first, second, default) = (
            "MD80EX0900002374642125MD",
            "MD21EX000000000001234567",
            "MD24AG000225100013104168",
        );
        let account = |iban: &str| {
            json!({
                "bank_account": iban, "bank_code": "X", "bank_fiscal_code": "1", "beneficiary_name": "Y"
            })
        };
        let order = |lines: serde_json::Value| {
            let order = json!({"service_id": "S", "order_key": "1", "reason": "r", "lines": lines});
            serde_json::from_value::<OrderJson>(order)
                .unwrap()
                .to_order()
                .unwrap()
        };
        let line = |id: &str, iban: Option<&str>| json!({"line_id": id, "reason": "r", "amount_due": "1", "destination_account": iban.map(account)});
        let mut state = OrderState::default();
        state.amend(order(json!([
            line("a", Some(first)),
            line("b", None),
            line("c", Some(first))
        ])));
        state.amend(order(json!([line("a", Some(second)), line("b", None)])));
        let lines = ["a", "b", "c", "d"].map(|id| json!({"line_id": id, "amount": "1"}));
        let payment: PaymentJson = serde_json::from_value(json!({
            "payment_id": "P", "service_id": "S", "order_key": "1", "amount": "4", "currency": "MDL",
            "paid_at": "2026-01-01", "received_at": "2026-01-01", "evidence": "e",
            "lines": lines,
        }))
        .unwrap();
        let accounts = |default| {
            let payment = payment.clone().to_accounts_of(&state, default);
            payment
                .lines
                .into_iter()
                .map(|line| line.bank_account)
                .collect::<Vec<_>>()
        };
        let of = |ibans: [Option<&str>; 4]| ibans.map(|iban| iban.map(str::to_owned));
        assert_eq!(accounts(None), of([Some(second), None, Some(first), None]));
        let with_default = order(json!([line("x", Some(default))]));
        let account = with_default.lines[0].destination_account.as_ref();
        let expected = of([Some(second), Some(default), Some(first), Some(default)]);
        assert_eq!(accounts(account), expected);
    }
}
