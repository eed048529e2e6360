//! The provider's notes beside the messages, compared with what was signed.

use mpay_domain::{Money, OrderKey, time};
use mpay_provider::soap::MENTIONED;
use wsse::{Verified, names::SOAP};

use super::{
    evidence::{Meta, MetaPayment, MetaRefusal, Verdict},
    signed::{Payment, body_child},
};
use crate::message::member;

fn same_amount(a: &str, b: &str) -> bool {
    matches!((Money::parse(a), Money::parse(b)), (Ok(a), Ok(b)) if a == b)
}

/// The provider writes down the key as it was registered, whatever letters of its look MPay has signed.
fn same_key(a: &str, b: &str) -> bool {
    let folded = |key: &str| OrderKey::parse(key).map(|key| key.folded()).ok();
    a == b || folded(a).is_some_and(|key| folded(b) == Some(key))
}

fn same_time(a: &str, b: &str) -> bool {
    // Records have whole seconds, and the nearest time there is for one that there is not.
    let seconds = |text: &str| time::parse_paid_at(text).ok();
    seconds(a).is_some() && seconds(a) == seconds(b)
}

/// Members of the notes, each with true if it says what was signed.
pub(super) type Members = Vec<(&'static str, bool)>;

impl Meta {
    pub(super) fn refusal(&self) -> Option<&MetaRefusal> {
        match &self.verdict {
            Verdict::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

impl MetaPayment {
    pub(super) fn compare(&self, signed: &Payment) -> Members {
        vec![
            ("payment_id", self.payment_id == signed.payment_id),
            ("service_id", self.service_id == signed.service_id),
            ("order_key", same_key(&self.order_key, &signed.order_key)),
            ("currency", self.currency == signed.currency),
            ("amount", same_amount(&self.amount, &signed.amount)),
            ("paid_at", same_time(&self.paid_at, &signed.paid_at)),
            ("lines", self.same_lines(signed)),
        ]
    }

    /// In any order: who enters a payment by hand need not keep MPay's.
    fn same_lines(&self, signed: &Payment) -> bool {
        let mut left: Vec<_> = signed.lines.iter().collect();
        let all = self.lines.iter().all(|line| {
            let same = left
                .iter()
                .position(|(id, amount)| line.line_id == *id && same_amount(&line.amount, amount));
            same.map(|position| left.swap_remove(position)).is_some()
        });
        all && left.is_empty()
    }
}

impl MetaRefusal {
    /// Members that could not be read when the message was refused are not compared.
    pub(super) fn compare(&self, signed: &Payment) -> Members {
        let same = |said: &Option<String>, signed: &str| {
            // Of what is too long the provider writes down the beginning.
            let beginning = signed.trim().chars().take(MENTIONED);
            said.as_ref().is_none_or(|said| beginning.eq(said.chars()))
        };
        vec![
            ("payment_id", same(&self.payment_id, &signed.payment_id)),
            ("service_id", same(&self.service_id, &signed.service_id)),
            (
                "order_key",
                same(&self.order_key, &signed.order_key)
                    || self
                        .order_key
                        .as_deref()
                        .is_some_and(|key| same_key(key, &signed.order_key)),
            ),
        ]
    }

    pub(super) fn is_answered_by(&self, answer: &Verified) -> bool {
        let fault = body_child(answer).filter(|child| child.is(SOAP, "Fault"));
        let said = |name| fault.and_then(|fault| member(fault, "", name));
        // The reason is kept in English; the fault says it in Romanian too.
        let is_reason = |text: &str| {
            let rest = text.strip_prefix(&self.reason);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" / "))
        };
        said("faultcode").as_deref() == Some(&self.code)
            && said("faultstring").as_deref().is_some_and(is_reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(order_key: &str) -> Payment {
        Payment {
            payment_id: "P".to_owned(),
            service_id: "TAX".to_owned(),
            order_key: order_key.to_owned(),
            amount: "1.00".to_owned(),
            currency: "MDL".to_owned(),
            paid_at: "2026-06-01T12:00:00+03:00".to_owned(),
            lines: Vec::new(),
        }
    }

    #[test]
    fn a_key_that_payers_take_for_the_registered_one_is_the_same() {
        let said = MetaPayment {
            payment_id: "P".to_owned(),
            service_id: "TAX".to_owned(),
            order_key: "AB-1".to_owned(),
            amount: "1".to_owned(),
            currency: "MDL".to_owned(),
            paid_at: "2026-06-01T12:00:00+03:00".to_owned(),
            lines: Vec::new(),
        };
        let refused = MetaRefusal {
            payment_id: Some("P".to_owned()),
            service_id: Some("TAX".to_owned()),
            order_key: Some("AB-1".to_owned()),
            code: "c".to_owned(),
            reason: "r".to_owned(),
        };
        for (key, same) in [("AB-1", true), ("ab-1", true), ("AB-2", false), ("", false)] {
            for members in [said.compare(&signed(key)), refused.compare(&signed(key))] {
                let wrong: Vec<_> = members.iter().filter(|(_, same)| !same).collect();
                assert_eq!(wrong.is_empty(), same, "{key} {wrong:?}");
            }
        }
    }
}
