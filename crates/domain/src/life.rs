//! An order's life: which status the institution may set, and when an order may be amended.

use jiff::Timestamp;

use super::{Order, OrderFields, OrderStatus, OrderSummary, SetStatus};

/// The reason why an order is not changed, with the changes that are allowed instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeRefused {
    /// No such transition.
    #[error("{from} cannot become {to}. {allowed}")]
    Transition {
        /// The order's status.
        from: &'static str,
        /// The status that it was to get.
        to: &'static str,
        /// The changes that are allowed, as a sentence.
        allowed: String,
    },
    /// Only the status can be changed now.
    #[error(
        "it is {status}, and only an order that is Active, PartiallyPaid or Expired can be amended. {allowed}"
    )]
    Settled {
        /// The order's status.
        status: &'static str,
        /// The changes that are allowed, as a sentence.
        allowed: String,
        /// True if the status was set, and can be taken back.
        can_be_reopened: bool,
    },
    /// The payments would be counted in another currency.
    #[error("its currency stays {currency}, in which a part of it is paid already")]
    Currency {
        /// The order's currency.
        currency: String,
    },
}

impl OrderSummary {
    /// The statuses that may be set at the time `now`.
    ///
    /// Paid money can be given back whatever the order's status, so `Refunding` needs a payment, and
    /// after `Refunded` one that came since.
    pub fn allowed(&self, now: Timestamp) -> Vec<SetStatus> {
        use SetStatus::{Cancelled, Completed, Refunded, Refunding};
        if self.order().is_none() {
            // An institution imports orders with their statuses, but no money came through here.
            return vec![Completed, Cancelled];
        }
        let paid = self.payment_count > 0;
        if self.is_given_back() {
            // The order is refunded already; setting the status adds the reference by which the money is
            // found.
            return vec![Refunded];
        }
        let mut allowed = match self.status(now) {
            // In another currency than the order's something may have come.
            OrderStatus::Active => vec![Cancelled, Refunding],
            OrderStatus::PartiallyPaid => vec![Completed, Cancelled, Refunding],
            OrderStatus::Expired => vec![Completed, Cancelled, Refunding],
            OrderStatus::Paid => vec![Completed, Refunding],
            OrderStatus::Set(Completed | Cancelled) => vec![Refunding],
            OrderStatus::Set(Refunding) => vec![Refunded],
            OrderStatus::Set(Refunded) if self.paid_since_amended() => vec![Refunding],
            OrderStatus::Set(Refunded) => vec![],
        };
        allowed.retain(|status| paid || *status == Cancelled);
        allowed
    }

    /// True if a status that was set may be taken back, so that payments and dates decide again.
    /// Only money that was given back is given back for good.
    fn may_take_back(&self) -> bool {
        self.order()
            .and_then(|order| order.set_status)
            .is_none_or(|status| status != SetStatus::Refunded)
    }

    /// True if it has a status that was set and may be taken back.
    pub fn can_be_reopened(&self) -> bool {
        let order = self.order();
        order.is_some_and(|order| order.set_status.is_some()) && self.may_take_back()
    }

    /// Judges a new version at the time `now`.
    ///
    /// # Errors
    /// [`ChangeRefused`] names the changes that are allowed instead.
    pub fn check_change(&self, next: &Order, now: Timestamp) -> Result<(), ChangeRefused> {
        let allowed = self.allowed(now);
        let current = self.order();
        if next.set_status != current.and_then(|order| order.set_status) {
            let permitted = match next.set_status {
                Some(status) => allowed.contains(&status),
                None => self.may_take_back(),
            };
            if !permitted {
                return Err(ChangeRefused::Transition {
                    from: current.map_or("A new order", |_| self.status(now).as_str()),
                    to: next.set_status.map_or("what it was", SetStatus::as_str),
                    allowed: self.sentence(&allowed),
                });
            }
        }
        let Some(current) = current else {
            return Ok(());
        };
        let same = OrderFields {
            set_status: current.set_status,
            refund_reference: current.refund_reference.clone(),
            ..OrderFields::clone(next)
        } == **current;
        let status = self.status(now);
        let amendable = matches!(
            status,
            OrderStatus::Active | OrderStatus::PartiallyPaid | OrderStatus::Expired
        );
        if !same && !amendable {
            return Err(ChangeRefused::Settled {
                status: status.as_str(),
                allowed: self.sentence(&allowed),
                can_be_reopened: self.can_be_reopened(),
            });
        }
        // Payments in another currency than the order's do not count yet.
        if next.currency != current.currency && !self.amount_paid().is_zero() {
            return Err(ChangeRefused::Currency {
                currency: current.currency.as_str().to_owned(),
            });
        }
        Ok(())
    }

    fn sentence(&self, allowed: &[SetStatus]) -> String {
        let words: Vec<_> = allowed.iter().map(|status| status.as_str()).collect();
        match (words.is_empty(), self.can_be_reopened()) {
            (true, false) => "Its status stays".to_owned(),
            (true, true) => "Its status can be taken back".to_owned(),
            (false, false) => format!("Its status can be set to {}", words.join(" or ")),
            (false, true) => format!(
                "Its status can be set to {}, or taken back",
                words.join(" or ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Confirmation, ConfirmationLine, Currency, Line, LineId, Localized, Money, OrderKey,
        OrderState, PaymentId, Receipt, ServiceId, Text, time,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn version(amount: &str, due_date: Option<&str>, status: Option<SetStatus>) -> Order {
        version_in("MDL", amount, due_date, status)
    }

    fn version_in(
        currency: &str,
        amount: &str,
        due_date: Option<&str>,
        status: Option<SetStatus>,
    ) -> Order {
        let reason = Localized {
            ro: Text::parse("Taxă").unwrap(),
            ru: None,
            en: None,
        };
        let refund = Text::parse("PO 7").unwrap();
        Order::new(OrderFields {
            service_id: ServiceId::parse("TAX").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            currency: Currency::parse(currency).unwrap(),
            lines: vec![Line {
                line_id: LineId::parse("1").unwrap(),
                reason: reason.clone(),
                amount_due: Some(Money::parse(amount).unwrap()),
                destination_account: None,
                properties: vec![],
            }],
            reason,
            issued_at: None,
            due_date: due_date.map(|date| time::parse(date).unwrap()),
            payable_from: None,
            customer_type: None,
            customer_id: None,
            customer_name: None,
            allow_partial_payments: false,
            allow_advance_payments: false,
            amounts: vec![],
            properties: vec![],
            min_payment: None,
            max_payment: None,
            aliases: vec![],
            metadata: vec![],
            set_status: status,
            refund_reference: (status == Some(SetStatus::Refunded)).then_some(refund),
        })
        .unwrap()
    }

    fn payment(id: &str, amount: &str) -> Confirmation {
        let amount = Money::parse(amount).unwrap();
        let order = version("100", None, None);
        Confirmation {
            service_id: order.service_id.clone(),
            order_key: order.order_key.clone(),
            payment_id: PaymentId::parse(id).unwrap(),
            invoice_id: None,
            currency: Currency::MDL,
            total: amount,
            paid_at: NOW,
            lines: vec![ConfirmationLine {
                line_id: LineId::parse("1").unwrap(),
                amount,
                properties: vec![],
            }],
            properties: vec![],
        }
    }

    /// An order with a payment and, after it, a status that was set.
    fn state(paid: Option<&str>, due_date: Option<&str>, set: Option<SetStatus>) -> OrderState {
        let mut state = OrderState::default();
        state.amend(version("100", due_date, None));
        if let Some(amount) = paid {
            state.pay(payment("P", amount), &Receipt::at(NOW));
        }
        if set.is_some() {
            state.amend(version("100", due_date, set));
        }
        state
    }

    #[test]
    fn the_transitions_are_these_and_no_others() {
        const PAST: Option<&str> = Some("1969-01-01");
        let set = |word| SetStatus::parse(word);
        for (what, state, allowed, back) in [
            ("new", OrderState::default(), "Completed Cancelled", true),
            ("active", state(None, None, None), "Cancelled", true),
            ("expired", state(None, PAST, None), "Cancelled", true),
            (
                "expired, partly paid",
                state(Some("40"), PAST, None),
                "Completed Cancelled Refunding",
                true,
            ),
            (
                "partly paid",
                state(Some("40"), None, None),
                "Completed Cancelled Refunding",
                true,
            ),
            (
                "paid",
                state(Some("100"), None, None),
                "Completed Refunding",
                true,
            ),
            (
                "completed",
                state(Some("100"), None, set("Completed")),
                "Refunding",
                true,
            ),
            ("cancelled", state(None, None, set("Cancelled")), "", true),
            (
                "cancelled, partly paid",
                state(Some("40"), None, set("Cancelled")),
                "Refunding",
                true,
            ),
            (
                "refunding",
                state(Some("100"), None, set("Refunding")),
                "Refunded",
                true,
            ),
            (
                "refunded",
                state(Some("100"), None, set("Refunded")),
                "",
                false,
            ),
        ] {
            let now_set = state.order().and_then(|order| order.set_status);
            let due_date = state.order().and_then(|order| order.due_date);
            let due_date = due_date.and(PAST);
            for word in ["Completed", "Cancelled", "Refunding", "Refunded"] {
                let next = version("100", due_date, set(word));
                let permitted = state.check_change(&next, NOW).is_ok();
                let expected = allowed.split(' ').any(|a| a == word) || now_set == set(word);
                assert_eq!(permitted, expected, "{what} to {word}");
            }
            let next = version("100", due_date, None);
            assert_eq!(state.check_change(&next, NOW).is_ok(), back, "{what}, back");
        }
    }

    #[test]
    fn money_that_comes_after_a_refund_can_be_given_back_too() {
        let mut state = state(Some("100"), None, Some(SetStatus::Refunded));
        assert_eq!(state.allowed(NOW), []);
        state.pay(payment("Q", "100"), &Receipt::at(NOW));
        assert_eq!(state.allowed(NOW), [SetStatus::Refunding]);
    }

    #[test]
    fn what_is_settled_is_not_amended() {
        for (paid, set, amendable) in [
            (None, None, true),
            (Some("40"), None, true),
            (Some("100"), None, false),
            (None, Some(SetStatus::Cancelled), false),
            (Some("100"), Some(SetStatus::Completed), false),
            (Some("100"), Some(SetStatus::Refunding), false),
            (Some("100"), Some(SetStatus::Refunded), false),
        ] {
            let state = state(paid, None, set);
            let checked = state.check_change(&version("120", None, set), NOW);
            assert_eq!(checked.is_ok(), amendable, "{paid:?} {set:?}");
        }
        let expired = state(None, Some("1969-01-01"), None);
        let longer = version("100", Some("2069-01-01"), None);
        assert_eq!(expired.check_change(&longer, NOW), Ok(()));
    }

    #[test]
    fn a_refusal_says_what_is_allowed() {
        let paid = state(Some("100"), None, None);
        assert_eq!(
            paid.check_change(&version("120", None, None), NOW)
                .unwrap_err()
                .to_string(),
            "it is Paid, and only an order that is Active, PartiallyPaid or Expired can be amended. Its status can be set to Completed or Refunding"
        );
        let refunded = state(Some("100"), None, Some(SetStatus::Refunded));
        assert_eq!(
            refunded
                .check_change(&version("100", None, None), NOW)
                .unwrap_err()
                .to_string(),
            "Refunded cannot become what it was. Its status stays"
        );
    }

    #[test]
    fn what_is_paid_in_a_currency_stays_in_it() {
        let euro = version_in("EUR", "100", None, None);
        assert_eq!(state(None, None, None).check_change(&euro, NOW), Ok(()));
        assert!(matches!(
            state(Some("40"), None, None).check_change(&euro, NOW),
            Err(ChangeRefused::Currency { .. })
        ));
    }
}
