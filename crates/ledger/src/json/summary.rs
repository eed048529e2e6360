use serde::{Deserialize, Serialize};

use super::{AccountJson, FieldError, OrderJson, Reader};
use crate::domain::{
    Currency, LineId, Money, OrderSummary, Paid, PaymentId, Review, Shape, SummaryFields, time,
};

/// The version of [`SummaryJson`] that is written, and the only one that is read. A sum of another
/// version is folded again.
const VERSION: u32 = 3;

/// The kept sum of an order's versions and payments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryJson {
    pub v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderJson>,
    pub versions: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ShapeJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_lines: Vec<FormerLineJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paid: Vec<PaidJson>,
    pub payments: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub voided: u64,
    pub paid_before: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_reviews: Vec<OpenReviewsJson>,
    /// The time at which the payments reached the asked amount, if amounts depend on the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
}

/// The number of payments that have an open review of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReviewsJson {
    pub reason: String,
    pub payments: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShapeJson {
    pub currency: String,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerLineJson {
    pub line_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_account: Option<AccountJson>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidJson {
    pub currency: String,
    pub amount: String,
    /// The part of it that was given back.
    pub refunded: String,
    pub lines: Vec<PaidOfLineJson>,
    /// The latest payment.
    pub payment_id: String,
    /// Its open reviews.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<String>,
    /// The time by whose amounts it was judged.
    pub judged_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidOfLineJson {
    pub line_id: String,
    pub amount: String,
}

impl SummaryJson {
    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        let order = self.order.as_mut();
        order.is_some_and(OrderJson::erase_personal_data)
    }

    /// The summary that this describes.
    ///
    /// # Errors
    /// [`FieldError`]s for all invalid members. Then compute the summary again.
    pub fn to_summary(&self) -> Result<OrderSummary, Vec<FieldError>> {
        if self.v != VERSION {
            return Err(vec![FieldError::new("v", "is of another version")]);
        }
        let mut reader = Reader::default();
        let order = match self.order.as_ref().map(OrderJson::to_order).transpose() {
            Ok(order) => order,
            Err(errors) => {
                reader.errors.extend(errors);
                None
            }
        };
        let mut earlier = Vec::with_capacity(self.earlier.len());
        for shape in &self.earlier {
            let currency = reader.check("earlier.currency", Currency::parse(&shape.currency));
            let lines = shape.lines.iter();
            let lines = lines.filter_map(|id| reader.check("earlier.lines", LineId::parse(id)));
            let lines = lines.collect();
            earlier.extend(currency.map(|currency| Shape { currency, lines }));
        }
        let mut former_lines = Vec::with_capacity(self.former_lines.len());
        for line in &self.former_lines {
            let id = reader.check("former_lines.line_id", LineId::parse(&line.line_id));
            let account = line.destination_account.as_ref();
            let account = account.map(|account| account.to_account("former_lines"));
            match account.transpose() {
                Ok(account) => former_lines.extend(id.map(|id| (id, account))),
                Err(errors) => reader.errors.extend(errors),
            }
        }
        let mut paid = Vec::with_capacity(self.paid.len());
        for sum in &self.paid {
            paid.extend(sum.read(&mut reader));
        }
        let mut open_reviews = Vec::with_capacity(self.open_reviews.len());
        for open in &self.open_reviews {
            let review = read_review(&mut reader, &open.reason);
            open_reviews.extend(review.map(|review| (review, open.payments)));
        }
        let settled_at = reader.optional("settled_at", self.settled_at.as_ref(), time::parse);
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        let summary = OrderSummary::new(SummaryFields {
            order,
            version_count: self.versions,
            earlier,
            former_lines,
            paid,
            payment_count: self.payments,
            voided_count: self.voided,
            paid_before: self.paid_before,
            open_reviews,
            settled_at,
        });
        summary.ok_or_else(|| vec![FieldError::new("", "its lists are not in order")])
    }
}

impl PaidJson {
    fn read(&self, reader: &mut Reader) -> Option<(Currency, Paid)> {
        let currency = reader.check("paid.currency", Currency::parse(&self.currency));
        let amount = reader.check("paid.amount", Money::parse_sum(&self.amount));
        let refunded = reader.check("paid.refunded", Money::parse_sum(&self.refunded));
        let latest = reader.check("paid.payment_id", PaymentId::parse(&self.payment_id));
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let id = reader.check("paid.lines.line_id", LineId::parse(&line.line_id));
            let amount = reader.check("paid.lines.amount", Money::parse_sum(&line.amount));
            lines.extend(id.zip(amount));
        }
        let reviews = self.review.iter();
        let latest_reviews = reviews.filter_map(|reason| read_review(reader, reason));
        let latest_reviews = latest_reviews.collect();
        let judged_at = reader.check("paid.judged_at", time::parse(&self.judged_at));
        Some((
            currency?,
            Paid {
                amount: amount?,
                refunded: refunded?,
                lines,
                latest: latest?,
                latest_reviews,
                latest_judged_at: judged_at?,
            },
        ))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

pub(super) fn read_review(reader: &mut Reader, reason: &str) -> Option<Review> {
    let review = Review::parse(reason).ok_or("is no reason for a review");
    reader.check("review", review)
}

impl From<&OrderSummary> for SummaryJson {
    fn from(summary: &OrderSummary) -> Self {
        let earlier = summary.earlier.iter().map(|shape| ShapeJson {
            currency: shape.currency.as_str().to_owned(),
            lines: shape.lines.iter().map(LineId::to_string).collect(),
        });
        let former_lines = summary.former_lines.iter();
        let former_lines = former_lines.map(|(id, account)| FormerLineJson {
            line_id: id.to_string(),
            destination_account: account.as_ref().map(Into::into),
        });
        let paid = summary.paid.iter().map(|(currency, paid)| PaidJson {
            currency: currency.as_str().to_owned(),
            amount: paid.amount.to_string(),
            refunded: paid.refunded.to_string(),
            lines: paid
                .lines
                .iter()
                .map(|(id, amount)| PaidOfLineJson {
                    line_id: id.to_string(),
                    amount: amount.to_string(),
                })
                .collect(),
            payment_id: paid.latest.to_string(),
            review: paid
                .latest_reviews
                .iter()
                .map(|review| review.as_str().to_owned())
                .collect(),
            judged_at: time::format(paid.latest_judged_at),
        });
        let open_reviews = summary.open_reviews.iter();
        Self {
            v: VERSION,
            order: summary.order().map(Into::into),
            versions: summary.version_count,
            earlier: earlier.collect(),
            former_lines: former_lines.collect(),
            paid: paid.collect(),
            payments: summary.payment_count,
            voided: summary.voided_count,
            paid_before: summary.paid_before,
            open_reviews: open_reviews
                .map(|(review, payments)| OpenReviewsJson {
                    reason: review.as_str().to_owned(),
                    payments: *payments,
                })
                .collect(),
            settled_at: summary.settled_at.map(time::format),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::{collection::vec, option, prelude::*, sample::Index, strategy::ValueTree};
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{
            ClosedReview, Confirmation, ConfirmationLine, Order, OrderKey, OrderState, Receipt,
            RecordedPayment, ServiceId, Text, VoidEffect, Voided,
        },
        json::{RefundJson, RefundedJson, VoidJson, VoidedJson},
    };

    const LINES: [&str; 4] = ["a", "b", "c", "d"];
    const CURRENCIES: [&str; 2] = ["MDL", "EUR"];
    const RECEIVED: &str = "2026-06-01T12:00:00Z";

    /// A step in the life of an order.
    #[derive(Debug, Clone)]
    enum Step {
        Amend(Box<Order>),
        Pay(Confirmation),
        /// Closes a review of one of the payments before.
        Close(Index, Review),
        /// Voids one of the payments before, with this effect.
        Void(Index, Option<VoidEffect>),
        /// Gives back a percentage of one of the payments before, with this record.
        Refund(Index, u8, Option<Box<RefundedJson>>),
        /// Opens a review of one of the payments before.
        Open(Index, Review),
    }

    fn received() -> Timestamp {
        RECEIVED.parse().unwrap()
    }

    fn receipt() -> Receipt {
        Receipt {
            asked: None,
            at: received(),
            amount_validity: SignedDuration::from_hours(20),
        }
    }

    fn amendment() -> impl Strategy<Value = Step> {
        let account = || {
            let account = |iban: &str| {
                json!({
                    "bank_account": iban, "bank_code": "X", "bank_fiscal_code": "1",
                    "beneficiary_name": "Y", "configuration_code": "Z"
                })
            };
            let ibans = ["MD80EX0900002374642125MD", "MD21EX000000000001234567"];
            option::of((0..2_usize).prop_map(move |i| account(ibans[i])))
        };
        let lines = vec((1..60_u32, account(), any::<bool>()), 4);
        let due_date = option::of(prop_oneof![Just("2026-05-01"), Just("2026-07-01")]);
        let status = option::weighted(0.1, Just("Cancelled"));
        let flags = (
            any::<bool>(),
            any::<bool>(),
            option::weighted(0.9, Just(())),
        );
        let amounts = option::of(prop_oneof![Just("2026-04-01"), Just("2026-05-31")]);
        (0..2_usize, lines, (due_date, amounts), status, flags).prop_map(
            |(currency, lines, (due_date, until), status, (partial, advance, known))| {
                let known = known.is_some() || !(partial || advance);
                // Less until one day, and more from another on.
                let amounts = until.filter(|_| known).map_or(json!([]), |until| {
                    json!([
                        {"line_id": "a", "until": until, "amount_due": "1"},
                        {"line_id": "a", "from": "2026-05-20", "add_per_day": "3", "at_most": "20"}
                    ])
                });
                let lines: Vec<_> = LINES
                    .iter()
                    .zip(lines)
                    .enumerate()
                    // The first is always there.
                    .filter(|(i, (_, (.., there)))| *there || *i == 0)
                    .map(|(_, (id, (amount, account, _)))| {
                        json!({
                            "line_id": id, "reason": "r", "destination_account": account,
                            "amount_due": known.then(|| amount.to_string())
                        })
                    })
                    .collect();
                let order: OrderJson = serde_json::from_value(json!({
                    "service_id": "S", "order_key": "1", "reason": "r", "lines": lines,
                    "currency": CURRENCIES[currency], "due_date": due_date, "status": status,
                    "allow_partial_payments": partial, "allow_advance_payments": advance,
                    "amounts": amounts
                }))
                .unwrap();
                Step::Amend(Box::new(order.to_order().unwrap()))
            },
        )
    }

    fn confirmation() -> impl Strategy<Value = Confirmation> {
        let lines = vec((0..4_usize, 0..60_u32), 1..4);
        let paid_at = prop_oneof![
            4 => Just("2026-06-01T11:00:00Z"),
            1 => Just("2026-04-01T11:00:00Z"),
            1 => Just("1999-01-01T11:00:00Z"),
        ];
        (any::<u32>(), 0..3_usize, lines, paid_at).prop_map(|(id, currency, lines, paid_at)| {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|(line, amount)| ConfirmationLine {
                    line_id: LineId::parse(LINES[line]).unwrap(),
                    amount: Money::parse(&amount.to_string()).unwrap(),
                    properties: vec![],
                })
                .collect();
            Confirmation {
                service_id: ServiceId::parse("S").unwrap(),
                order_key: OrderKey::parse("1").unwrap(),
                payment_id: PaymentId::parse(&id.to_string()).unwrap(),
                invoice_id: None,
                currency: Currency::parse(CURRENCIES[currency % 2]).unwrap(),
                total: lines.iter().map(|line| line.amount).sum(),
                paid_at: paid_at.parse().unwrap(),
                lines,
                properties: vec![],
            }
        })
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let closing = (any::<Index>(), 0..Review::ALL.len())
            .prop_map(|(payment, review)| Step::Close(payment, Review::ALL[review]));
        let step = prop_oneof![
            2 => amendment(),
            4 => confirmation().prop_map(Step::Pay),
            2 => closing,
            1 => any::<Index>().prop_map(|payment| Step::Void(payment, None)),
            1 => (any::<Index>(), 0..101_u8)
                .prop_map(|(payment, share)| Step::Refund(payment, share, None)),
            1 => (any::<Index>(), 0..Review::ALL.len())
                .prop_map(|(payment, review)| Step::Open(payment, Review::ALL[review])),
        ];
        vec(step, 0..30)
    }

    /// The steps that have an effect in the store, and the state that they fold to.
    fn folded(steps: Vec<Step>) -> (Vec<Step>, OrderState) {
        let mut whole = OrderState::default();
        let mut taken = Vec::new();
        for mut step in steps {
            if let Step::Void(payment, effect) = &mut step {
                let all = whole.payments();
                *effect = (!all.is_empty())
                    .then(|| &all[payment.index(all.len())].confirmation.payment_id)
                    .and_then(|id| whole.void_effect(id));
            }
            if let Step::Refund(payment, share, record) = &mut step {
                let all = whole.payments();
                let payment = (!all.is_empty()).then(|| &all[payment.index(all.len())]);
                *record = payment
                    .filter(|payment| payment.voided.is_none())
                    .map(|payment| {
                        let was = payment.remaining();
                        let left = was.hundredths() * u128::from(*share) / 100;
                        Box::new(refunded(
                            &whole,
                            payment,
                            Money::of_hundredths(left).unwrap(),
                        ))
                    });
            }
            if apply(&mut whole, &step, None) {
                taken.push(step);
            }
        }
        (taken, whole)
    }

    /// The record of a refund with the amount that remains after it.
    fn refunded(state: &OrderState, payment: &RecordedPayment, remaining: Money) -> RefundedJson {
        let effect = state.refund_effect(payment, remaining, received());
        let refund: RefundJson = serde_json::from_value(json!({
            "payment_id": payment.confirmation.payment_id.to_string(), "service_id": "S",
            "order_key": "1", "currency": payment.confirmation.currency.as_str(),
            "amount": payment.remaining().saturating_sub(remaining).to_string(),
            "remaining": remaining.to_string(), "lines": [], "recorded": 3, "evidence": "e"
        }))
        .unwrap();
        RefundedJson::new(refund, &effect.reviews)
    }

    /// The id of a payment that is listed or was folded.
    fn payment_id(
        state: &OrderState,
        index: &Index,
        all: Option<&OrderState>,
    ) -> Option<PaymentId> {
        let count = usize::try_from(state.payment_count + state.voided_count).unwrap();
        let payments = all.unwrap_or(state).payments();
        let payment = (count > 0).then(|| &payments[index.index(count)]);
        payment.map(|payment| payment.confirmation.payment_id.clone())
    }

    /// Applies a step. `all` is the state with all payments, if `state` does not have them.
    fn apply(state: &mut OrderState, step: &Step, all: Option<&OrderState>) -> bool {
        match step {
            Step::Amend(order) => {
                state.amend(Order::clone(order));
                true
            }
            Step::Pay(payment) => {
                state.check_payment(payment).is_ok() && state.pay(payment.clone(), &receipt())
            }
            Step::Close(payment, review) => {
                let count = state.payment_count + state.voided_count;
                let count = usize::try_from(count).unwrap();
                if count == 0 {
                    return false;
                }
                let payments = all.unwrap_or(state).payments();
                let id = payments[payment.index(count)]
                    .confirmation
                    .payment_id
                    .clone();
                let closed = ClosedReview {
                    review: *review,
                    note: Text::parse("n").unwrap(),
                    closed_at: received(),
                    by: "b".into(),
                };
                state.close(&id, closed)
            }
            Step::Void(_, None) | Step::Refund(_, _, None) => false,
            Step::Refund(_, _, Some(record)) => {
                let (refund, effect) = record.read(received()).unwrap();
                state.refund(&effect.payment_id, refund, &effect)
            }
            Step::Open(payment, review) => match payment_id(state, payment, all) {
                Some(id) => state.open(&id, *review),
                None => false,
            },
            Step::Void(_, Some(effect)) => {
                let voided = Voided {
                    at: received(),
                    note: Text::parse("n").unwrap(),
                    proposed_by: "a".into(),
                    approved_by: "b".into(),
                };
                // As it is read from the order's list.
                let lines = effect.lines.iter().map(
                    |(id, amount)| json!({"line_id": id.to_string(), "amount": amount.to_string()}),
                );
                let void: VoidJson = serde_json::from_value(json!({
                    "payment_id": effect.payment_id.to_string(), "service_id": "S",
                    "order_key": "1", "amount": effect.total.to_string(),
                    "currency": effect.currency.as_str(), "paid_at": RECEIVED,
                    "lines": lines.collect::<Vec<_>>(), "recorded": 3, "proposal": 2,
                    "void_proposal": 4, "proposed_by": "a", "approved_by": "b", "note": "n"
                }))
                .unwrap();
                let text = serde_json::to_string(&VoidedJson::new(void, effect)).unwrap();
                let json: VoidedJson = serde_json::from_str(&text).unwrap();
                let (read, again) = json.read(received()).unwrap();
                assert_eq!((&read, &again), (&voided, effect));
                state.void(&effect.payment_id, voided, effect)
            }
        }
    }

    fn through_json(summary: &OrderSummary) -> OrderSummary {
        let text = serde_json::to_string(&SummaryJson::from(summary)).unwrap();
        let json: SummaryJson = serde_json::from_str(&text).unwrap();
        json.to_summary().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn folding_goes_on_from_what_was_kept(steps in steps(), cut in any::<Index>()) {
            let (steps, whole) = folded(steps);
            let cut = cut.index(steps.len() + 1);
            let mut first = OrderState::default();
            for step in &steps[..cut] {
                apply(&mut first, step, None);
            }
            let kept = through_json(first.summary());
            prop_assert_eq!(&kept, first.summary());
            let mut second = OrderState::from(kept);
            for step in &steps[cut..] {
                prop_assert!(apply(&mut second, step, Some(&whole)), "{:?}", step);
            }
            prop_assert_eq!(second.summary(), whole.summary());
            let recent = &whole.payments()[first.payments().len()..];
            prop_assert_eq!(second.payments(), recent);
        }

        /// The summary equals the result of reading all versions and payments one by one.
        #[test]
        fn a_summary_says_what_all_versions_and_payments_do(
            steps in steps(),
            next in confirmation(),
        ) {
            let (_, state) = folded(steps);
            let versions = state.versions();
            let fits = |version| next.check_against(version).is_ok();
            let expected = next.check_amounts().is_ok()
                && (versions.is_empty() || versions.iter().any(fits));
            prop_assert_eq!(state.check_payment(&next).is_ok(), expected);
            for id in LINES.map(|id| LineId::parse(id).unwrap()) {
                let mut lines = versions.iter().rev().flat_map(|version| &version.lines);
                let line = lines.find(|line| line.line_id == id);
                let account = line.and_then(|line| line.destination_account.as_ref());
                prop_assert_eq!(state.account(&id), account);
            }
            let Some(order) = versions.last() else {
                return Ok(());
            };
            let counting = || state.payments().iter().filter(|payment| {
                payment.confirmation.currency == order.currency && payment.voided.is_none()
            });
            let paid: Money = counting().map(|payment| payment.confirmation.total).sum();
            prop_assert_eq!(state.amount_paid(), paid);
            if let Some(due) = state.amount_due(received()) {
                let lines: Money = state.lines_due(received()).iter().filter_map(|line| line.amount).sum();
                prop_assert_eq!(lines, due);
            }
            for review in Review::ALL {
                let open = state.payments().iter().filter(|payment| {
                    payment.review.contains(&review)
                });
                let open = u64::try_from(open.count()).unwrap();
                prop_assert_eq!(state.open_reviews_of(review), open);
            }
        }

        /// No payment makes an order overpaid without a review.
        #[test]
        fn what_is_too_much_is_or_was_under_review(steps in steps()) {
            let (_, state) = folded(steps);
            let advance = state.order().is_none_or(|order| order.allow_advance_payments);
            if !advance && !state.amount_overpaid(received()).is_zero() {
                let told = |review: &Review| {
                    matches!(review, Review::OverPaid | Review::Double)
                };
                let anybody = state.payments().iter().any(|payment| {
                    payment.review.iter().any(told)
                        || payment.closed.iter().any(|closed| told(&closed.review))
                });
                prop_assert!(anybody);
            }
        }
    }

    #[test]
    fn a_summary_does_not_grow_with_payments() {
        let mut state = OrderState::default();
        let mut lengths = Vec::new();
        let order: OrderJson = serde_json::from_value(json!({
            "service_id": "S", "order_key": "1", "reason": "r", "allow_partial_payments": true,
            "lines": [{"line_id": "a", "reason": "r"}]
        }))
        .unwrap();
        state.amend(order.to_order().unwrap());
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let payment = confirmation().new_tree(&mut runner).unwrap().current();
        for id in 1000..3000 {
            let mut payment = payment.clone();
            payment.payment_id = PaymentId::parse(&id.to_string()).unwrap();
            state.pay(payment, &Receipt::at(received()));
            let text = serde_json::to_string(&SummaryJson::from(state.summary())).unwrap();
            lengths.push(text.len());
        }
        // But for the digits of sums and counts.
        assert!(lengths[1999] < lengths[0] + 40, "{lengths:?}");
    }

    #[test]
    fn a_summary_whose_lists_are_out_of_order_is_not_read() {
        let sum = |currency: &str| PaidJson {
            currency: currency.to_owned(),
            amount: "1.00".into(),
            refunded: "0.00".into(),
            lines: vec![],
            payment_id: "P".into(),
            review: vec![],
            judged_at: RECEIVED.to_owned(),
        };
        let mut json = SummaryJson::from(&OrderSummary::default());
        json.paid = vec![sum("EUR"), sum("MDL")];
        assert!(json.to_summary().is_ok());
        json.paid.reverse();
        assert!(json.to_summary().is_err());
    }

    #[test]
    fn a_summary_of_another_version_is_not_read() {
        let mut json = SummaryJson::from(&OrderSummary::default());
        json.v = 1;
        assert_eq!(json.to_summary().unwrap_err()[0].field, "v");
    }
}
