//! Confirmations: MPay's statements of payments.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{Currency, LineId, Money, Order, OrderKey, PaymentId, ServiceId};

/// The first midnight of 2013 in Chişinău: MPay took no payments before.
const FIRST_PAYMENTS: Timestamp = Timestamp::constant(1_356_991_200, 0);

/// `PaymentProperty`: a value that the payer filled in, or that the payment instrument adds. Nothing
/// depends on it, so it is kept as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmationProperty {
    /// `Name`.
    pub name: String,
    /// `Value`.
    pub value: Option<String>,
}

/// `PaymentConfirmationLine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmationLine {
    /// `LineID`.
    pub line_id: LineId,
    /// `Amount`; zero where nothing of the line is paid.
    pub amount: Money,
    /// `Properties`.
    pub properties: Vec<ConfirmationProperty>,
}

/// `PaymentConfirmation`. [`Confirmation::check_amounts`] checks its consistency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// `ServiceID`.
    pub service_id: ServiceId,
    /// `OrderKey`.
    pub order_key: OrderKey,
    /// `PaymentID`.
    pub payment_id: PaymentId,
    /// `InvoiceID`: MPay's own number of the invoice that it showed to the payer; nothing depends on it.
    pub invoice_id: Option<String>,
    /// `Currency`.
    pub currency: Currency,
    /// `TotalAmount`.
    pub total: Money,
    /// `PaidAt`.
    pub paid_at: Timestamp,
    /// `Lines`, at least one.
    pub lines: Vec<ConfirmationLine>,
    /// `Properties`.
    pub properties: Vec<ConfirmationProperty>,
}

/// The circumstances under which a confirmation came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The time.
    pub at: Timestamp,
    /// For how long MPay may go on showing an amount that it was told: the amounts of so long before
    /// `PaidAt`, and before receipt, are as good as those of `PaidAt`.
    pub amount_validity: SignedDuration,
    /// The amount that the institution itself asked the payer for, if it did.
    pub asked: Option<Money>,
}

impl Receipt {
    /// The longest validity of an amount: a day.
    pub const VALIDITY_MAX: SignedDuration = SignedDuration::from_hours(24);

    /// One whose confirmation is judged by the amounts at `PaidAt` alone.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            amount_validity: SignedDuration::ZERO,
            asked: None,
        }
    }
}

/// The reason why a confirmation is not for an order, or not consistent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// A total of zero.
    #[error("TotalAmount is zero")]
    NothingPaid,
    /// The lines add up to something else than the total.
    #[error("the lines add up to {lines}, TotalAmount is {total}")]
    Sum {
        /// Sum of the lines.
        lines: Money,
        /// `TotalAmount`.
        total: Money,
    },
    /// Another currency than the order's.
    #[error("the currency is {confirmed}, the order's is {order}")]
    Currency {
        /// The currency confirmed.
        confirmed: String,
        /// The currency of the order.
        order: String,
    },
    /// A line that the order does not have.
    #[error("the order has no line {0}")]
    UnknownLine(LineId),
}

impl Confirmation {
    /// Checks that something is paid and that the lines add up. A line of zero beside others is
    /// legal in a partial payment (MPay contract, "Settled readings").
    ///
    /// # Errors
    /// [`Misfit::NothingPaid`] or [`Misfit::Sum`].
    pub fn check_amounts(&self) -> Result<(), Misfit> {
        if self.total.is_zero() {
            return Err(Misfit::NothingPaid);
        }
        let lines: Money = self.lines.iter().map(|line| line.amount).sum();
        if lines != self.total {
            return Err(Misfit::Sum {
                lines,
                total: self.total,
            });
        }
        Ok(())
    }

    /// Checks that currency and lines are those of `order`.
    ///
    /// # Errors
    /// [`Misfit::Currency`] or [`Misfit::UnknownLine`].
    pub fn check_against(&self, order: &Order) -> Result<(), Misfit> {
        if self.currency != order.currency {
            return Err(Misfit::Currency {
                confirmed: self.currency.as_str().to_owned(),
                order: order.currency.as_str().to_owned(),
            });
        }
        match self.line_beyond(order) {
            Some(line) => Err(Misfit::UnknownLine(line.line_id.clone())),
            None => Ok(()),
        }
    }

    /// The first of its lines that `order` does not have.
    pub fn line_beyond(&self, order: &Order) -> Option<&ConfirmationLine> {
        let mut lines = self.lines.iter();
        lines.find(|line| !order.has_line(&line.line_id))
    }

    /// True if it can have been paid then: not before MPay was there, nor more than a day after it
    /// was received (MPay contract, "Settled readings").
    pub fn is_plausible(&self, received_at: Timestamp) -> bool {
        let ahead = self.paid_at.duration_since(received_at);
        self.paid_at >= FIRST_PAYMENTS && ahead <= SignedDuration::from_hours(24)
    }

    /// A digest of the members that make two confirmations of one PaymentID the same payment: service,
    /// order (in any spelling of its key), currency, total, and the multiset of lines and amounts (MPay
    /// contract, "Settled readings").
    pub fn content(&self) -> ContentDigest {
        let mut lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| (line.line_id.as_str(), line.amount))
            .collect();
        lines.sort();
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        field(self.service_id.as_str());
        field(&self.order_key.folded());
        field(self.currency.as_str());
        field(&self.total.to_string());
        for (line_id, amount) in lines {
            field(line_id);
            field(&amount.to_string());
        }
        ContentDigest(hash.finalize().into())
    }
}

/// SHA-256 over the members that make two confirmations the same payment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContentDigest([u8; 32]);

/// Lower-case hexadecimal.
impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirmation(lines: &[(&str, &str)], total: &str) -> Confirmation {
        Confirmation {
            service_id: ServiceId::parse("S").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            payment_id: PaymentId::parse("P").unwrap(),
            invoice_id: None,
            currency: Currency::MDL,
            total: Money::parse(total).unwrap(),
            paid_at: Timestamp::UNIX_EPOCH,
            lines: lines
                .iter()
                .map(|(id, amount)| ConfirmationLine {
                    line_id: LineId::parse(id).unwrap(),
                    amount: Money::parse(amount).unwrap(),
                    properties: vec![],
                })
                .collect(),
            properties: vec![],
        }
    }

    #[test]
    fn content_is_equal_over_notation_and_order_of_lines() {
        let one = confirmation(&[("a", "1.50"), ("b", "2")], "3.5");
        let other = confirmation(&[("b", "2.00"), ("a", "1.5")], "3.500");
        assert_eq!(one.content(), other.content());
    }

    #[test]
    fn content_differs_with_whatever_decides() {
        let base = confirmation(&[("a", "1"), ("b", "2")], "3");
        let swapped = confirmation(&[("a", "2"), ("b", "1")], "3");
        let repeated = confirmation(&[("a", "1"), ("a", "1"), ("b", "1")], "3");
        let run_together = confirmation(&[("ab", "1"), ("b", "2")], "3");
        let mut currency = base.clone();
        currency.currency = Currency::parse("EUR").unwrap();
        let mut order = base.clone();
        order.order_key = OrderKey::parse("2").unwrap();
        for other in [swapped, repeated, run_together, currency, order] {
            assert_ne!(base.content(), other.content());
        }
    }

    #[test]
    fn something_must_be_paid_and_lines_add_up() {
        for (lines, total) in [
            (&[("a", "1"), ("b", "2")][..], "3"),
            // The guide lets a part be zero.
            (&[("a", "1"), ("b", "0")], "1"),
        ] {
            assert_eq!(confirmation(lines, total).check_amounts(), Ok(()));
        }
        assert!(matches!(
            confirmation(&[("a", "1")], "1.01").check_amounts(),
            Err(Misfit::Sum { .. })
        ));
        for lines in [&[("a", "0")][..], &[("a", "0"), ("b", "0")]] {
            let checked = confirmation(lines, "0").check_amounts();
            assert_eq!(checked, Err(Misfit::NothingPaid));
        }
    }

    #[test]
    fn a_payment_is_of_2013_or_later_and_of_tomorrow_at_most() {
        let received_at = "2026-06-01T12:00:00Z".parse().unwrap();
        for (paid_at, plausible) in [
            ("2012-12-31T21:59:59Z", false),
            ("2012-12-31T22:00:00Z", true),
            ("2026-06-01T11:00:00Z", true),
            ("2026-06-02T12:00:00Z", true),
            ("2026-06-02T12:00:01Z", false),
        ] {
            let mut payment = confirmation(&[("a", "1")], "1");
            payment.paid_at = paid_at.parse().unwrap();
            assert_eq!(payment.is_plausible(received_at), plausible, "{paid_at}");
        }
    }
}
