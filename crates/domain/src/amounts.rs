//! Amounts that depend on the day: a discount until one, a penalty from one on.
//!
//! A day is a whole day of Chişinău: a term from a day on holds from its first instant, and a term until
//! a day holds to its end. So a change of the clock changes nothing but the length of a day.

use jiff::{Timestamp, civil::Date};

use super::{LineId, Money, Order, time};

/// An amount of a line that holds on some days only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedAmount {
    /// The line.
    pub line_id: LineId,
    /// The first day on which it holds; `None` if it has held ever since.
    pub from: Option<Date>,
    /// The last day on which it holds; `None` if it will hold for ever.
    pub until: Option<Date>,
    /// The form in which the last day was given, if not as a day.
    pub term: Option<Term>,
    /// The amount asked on these days.
    pub change: AmountChange,
}

/// A term in working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The number of them.
    pub working_days: u16,
    /// The day after which they are counted; `None` stands for the day of the order's `IssuedAt`.
    pub after: Option<Date>,
}

/// The amount that is asked for a line on some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountChange {
    /// This instead of the line's own amount.
    Instead(Money),
    /// So much more.
    Add(Money),
    /// This amount more on the first day, twice as much on the second, and so on. The amount added by the
    /// last day stays.
    AddPerDay {
        /// For each day.
        amount: Money,
        /// The most that all days together add.
        at_most: Option<Money>,
    },
}

/// Days on which the same amount is asked, or regularly more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first of them.
    pub from: Date,
    /// The last one; `None` if nothing changes any more.
    pub until: Option<Date>,
    /// The amount that the order asks on the first day, before any payment.
    pub total: Money,
    /// The amount that each day adds to the day before.
    pub per_day: Money,
}

/// A mistake in an amount that depends on the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmountError {
    /// No such line.
    #[error("the order has no line {0}")]
    UnknownLine(LineId),
    /// The line has no amount that could change.
    #[error("the line {0} has no amount_due, which says what is asked on all other days")]
    UnknownAmount(LineId),
    /// It would always hold.
    #[error("needs from or until: what is asked on all days is the line's amount_due")]
    Always,
    /// It ends before it begins.
    #[error("ends before it begins")]
    EndsBefore,
    /// Nothing is added.
    #[error("must be more than zero")]
    Nothing,
    /// A sum that grows has a first day.
    #[error("needs from: the first day for which something is added")]
    NoFirstDay,
    /// A sum that grows has an end.
    #[error("needs at_most, which all days together add at most, or until")]
    NoEnd,
    /// Two amounts stand instead of one.
    #[error("holds on a day on which amounts[{0}] gives the line another amount_due")]
    Overlaps(usize),
}

impl DatedAmount {
    /// True if it holds on a day, its own end aside.
    fn has_begun(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day)
    }

    fn holds(&self, day: Date) -> bool {
        self.has_begun(day) && self.until.is_none_or(|until| day <= until)
    }

    /// The amount that it adds on a day to the other amounts.
    fn added(&self, day: Date) -> Money {
        match self.change {
            AmountChange::Add(amount) if self.holds(day) => amount,
            AmountChange::AddPerDay { amount, at_most } => {
                let Some(from) = self.from.filter(|from| *from <= day) else {
                    return Money::ZERO;
                };
                let last = self.until.map_or(day, |until| until.min(day));
                let days = days_between(from, last) + 1;
                let sum = amount.times(days);
                at_most.map_or(sum, |most| sum.min(most))
            }
            AmountChange::Add(_) | AmountChange::Instead(_) => Money::ZERO,
        }
    }

    /// The days, after its first, on which its effect on an amount changes.
    fn turns(&self) -> impl Iterator<Item = Date> {
        let after = self.until.and_then(|until| until.tomorrow().ok());
        let full = match self.change {
            AmountChange::AddPerDay {
                amount,
                at_most: Some(at_most),
            } => self.from.and_then(|from| {
                // The day on which the last part is added, which may be smaller than the others.
                let days = i64::try_from(at_most.div_ceil(amount)).ok()?;
                time::days_after(from, days - 1)
            }),
            _ => None,
        };
        // Once all is added, the end of the days ends nothing.
        let full = full.filter(|full| self.until.is_none_or(|until| *full <= until));
        let settled = full.and_then(|full| full.tomorrow().ok());
        [self.from, after, full, settled].into_iter().flatten()
    }

    /// Everything that is wrong with it, as the amount at this place of an order.
    pub(super) fn errors(&self, order: &Order, position: usize) -> Vec<AmountError> {
        let mut errors = Vec::new();
        let id = || self.line_id.clone();
        match order.lines.iter().find(|line| line.line_id == self.line_id) {
            None => errors.push(AmountError::UnknownLine(id())),
            Some(line) if line.amount_due.is_none() => {
                errors.push(AmountError::UnknownAmount(id()));
            }
            Some(_) => {}
        }
        match (self.from, self.until) {
            (None, None) => errors.push(AmountError::Always),
            (Some(from), Some(until)) if until < from => errors.push(AmountError::EndsBefore),
            _ => {}
        }
        match self.change {
            AmountChange::Add(amount) if amount.is_zero() => errors.push(AmountError::Nothing),
            AmountChange::AddPerDay { amount, at_most } => {
                if amount.is_zero() || at_most.is_some_and(Money::is_zero) {
                    errors.push(AmountError::Nothing);
                }
                if self.from.is_none() && self.until.is_some() {
                    errors.push(AmountError::NoFirstDay);
                }
                if at_most.is_none() && self.until.is_none() {
                    errors.push(AmountError::NoEnd);
                }
            }
            AmountChange::Instead(_) => {
                let before = order.amounts.iter().take(position);
                let overlapping = before.enumerate().find(|(_, other)| {
                    matches!(other.change, AmountChange::Instead(_))
                        && other.line_id == self.line_id
                        && self.until.is_none_or(|until| other.has_begun(until))
                        && other.until.is_none_or(|until| self.has_begun(until))
                });
                errors.extend(overlapping.map(|(other, _)| AmountError::Overlaps(other)));
            }
            AmountChange::Add(_) => {}
        }
        errors
    }
}

/// Days from one to another, which is not before it.
fn days_between(from: Date, to: Date) -> u64 {
    u64::try_from(time::days_between(from, to)).unwrap_or(0)
}

impl Order {
    /// The amount that a line asks at a time, before any payment; `None` where it is unknown.
    pub fn asked_at(&self, position: usize, time: Timestamp) -> Option<Money> {
        let line = self.lines.get(position)?;
        if self.amounts.is_empty() {
            return line.amount_due;
        }
        self.asked_on(position, time::date(time))
    }

    /// The sum of the lines at a time, before any payment; `None` while it is unknown.
    pub fn total_at(&self, time: Timestamp) -> Option<Money> {
        if self.amounts.is_empty() {
            return self.total();
        }
        self.total_on(time::date(time))
    }

    /// The time at which a payment settled the order, if its amounts depend on the day: by itself at the time that
    /// it is judged by, or with all others at the latest of theirs. `None` if it did not.
    pub(super) fn settled_by(
        &self,
        payment: (Money, Timestamp),
        all: (Money, Timestamp),
    ) -> Option<Timestamp> {
        if self.amounts.is_empty() {
            return None;
        }
        let reaches = |(sum, time): &(Money, Timestamp)| {
            self.total_at(*time).is_some_and(|total| *sum >= total)
        };
        let settled = [payment, all].into_iter().find(reaches);
        settled.map(|(_, time)| time)
    }

    fn asked_on(&self, position: usize, day: Date) -> Option<Money> {
        let line = self.lines.get(position)?;
        let own = || {
            let amounts = self.amounts.iter();
            amounts.filter(|amount| amount.line_id == line.line_id)
        };
        let instead = own().find_map(|amount| match amount.change {
            AmountChange::Instead(instead) if amount.holds(day) => Some(instead),
            _ => None,
        });
        let added: Money = own().map(|amount| amount.added(day)).sum();
        Some(instead.or(line.amount_due)? + added)
    }

    pub(super) fn total_on(&self, day: Date) -> Option<Money> {
        let lines = 0..self.lines.len();
        lines.map(|position| self.asked_on(position, day)).sum()
    }

    /// The days on which the total, or how it grows, begins to be another, in order.
    pub(super) fn turns(&self) -> Vec<Date> {
        let mut turns: Vec<_> = self.amounts.iter().flat_map(DatedAmount::turns).collect();
        turns.sort_unstable();
        turns.dedup();
        turns
    }

    /// The periods of the amount that the order asks from the day of `time` on, before any payment; empty
    /// if the amount does not depend on the day.
    pub fn periods(&self, time: Timestamp) -> Vec<Period> {
        if self.amounts.is_empty() {
            return Vec::new();
        }
        let today = time::date(time);
        let mut turns = self.turns();
        turns.retain(|turn| *turn > today);
        let starts = std::iter::once(today).chain(turns.iter().copied());
        let ends = turns.iter().map(|turn| turn.yesterday().ok());
        let mut periods: Vec<Period> = Vec::new();
        for (from, until) in starts.zip(ends.chain([None])) {
            let Some(total) = self.total_on(from) else {
                continue;
            };
            let next = from.tomorrow().ok().filter(|_| until != Some(from));
            let next = next.and_then(|next| self.total_on(next));
            let per_day = next.map_or(Money::ZERO, |next| next.saturating_sub(total));
            match periods.last_mut() {
                // The change made no difference.
                Some(last) if last.is_followed_by(from, total, per_day, until) => {
                    last.until = until
                }
                _ => periods.push(Period {
                    from,
                    until,
                    total,
                    per_day,
                }),
            }
        }
        periods
    }
}

impl Period {
    /// The amount asked on a day of it.
    pub fn total_on(&self, day: Date) -> Money {
        self.total + self.per_day.times(days_between(self.from, day))
    }

    /// True if a period that begins on a day goes on like this one.
    fn is_followed_by(
        &self,
        from: Date,
        total: Money,
        per_day: Money,
        until: Option<Date>,
    ) -> bool {
        let single = until == Some(from);
        self.total_on(from) == total && (self.per_day == per_day || single)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, ToSpan};
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{
        Confirmation, ConfirmationLine, Currency, Line, Localized, OrderError, OrderFields,
        OrderKey, OrderState, OrderStatus, PaymentId, Receipt, Review, ServiceId, Text,
    };

    fn money(amount: &str) -> Money {
        Money::parse(amount).unwrap()
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        time::parse(text).unwrap()
    }

    fn id(text: &str) -> LineId {
        LineId::parse(text).unwrap()
    }

    fn fields(lines: &[(&str, &str)], amounts: Vec<DatedAmount>) -> OrderFields {
        let reason = Localized {
            ro: Text::parse("Amendă").unwrap(),
            ru: None,
            en: None,
        };
        let lines = lines.iter().map(|(line, amount)| Line {
            line_id: id(line),
            reason: reason.clone(),
            amount_due: Some(money(amount)),
            destination_account: None,
            properties: vec![],
        });
        OrderFields {
            service_id: ServiceId::parse("S").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            currency: Currency::MDL,
            lines: lines.collect(),
            reason: reason.clone(),
            issued_at: None,
            due_date: None,
            payable_from: None,
            customer_type: None,
            customer_id: None,
            customer_name: None,
            allow_partial_payments: false,
            allow_advance_payments: false,
            amounts,
            properties: vec![],
            min_payment: None,
            max_payment: None,
            aliases: vec![],
            metadata: vec![],
            set_status: None,
            refund_reference: None,
        }
    }

    fn order(lines: &[(&str, &str)], amounts: Vec<DatedAmount>) -> Order {
        Order::new(fields(lines, amounts)).unwrap()
    }

    fn dated(
        line: &str,
        from: Option<&str>,
        until: Option<&str>,
        change: AmountChange,
    ) -> DatedAmount {
        DatedAmount {
            line_id: id(line),
            from: from.map(day),
            until: until.map(day),
            term: None,
            change,
        }
    }

    /// Halved until 10 March, and 5 a day more from 1 April on, at most 12.
    fn fine() -> Vec<DatedAmount> {
        let per_day = AmountChange::AddPerDay {
            amount: money("5"),
            at_most: Some(money("12")),
        };
        vec![
            dated(
                "1",
                None,
                Some("2026-03-10"),
                AmountChange::Instead(money("50")),
            ),
            dated("1", Some("2026-04-01"), None, per_day),
        ]
    }

    #[test]
    fn a_day_is_a_day_of_chisinau_to_the_second() {
        let order = order(&[("1", "100")], fine());
        for (time, total) in [
            ("2026-01-01T00:00:00", "50"),
            ("2026-03-10T21:59:59Z", "50"),
            ("2026-03-10T23:59:59", "50"),
            ("2026-03-10T22:00:00Z", "100"),
            // Summer time began on 29 March.
            ("2026-03-31T20:59:59Z", "100"),
            ("2026-03-31T21:00:00Z", "105"),
            ("2026-04-01T20:59:59Z", "105"),
            ("2026-04-01T21:00:00Z", "110"),
            ("2026-04-03T00:00:00", "112"),
            ("2036-04-03T00:00:00", "112"),
        ] {
            assert_eq!(order.total_at(at(time)), Some(money(total)), "{time}");
        }
    }

    #[test]
    fn a_penalty_grows_once_a_day_over_both_changes_of_the_clock() {
        let per_day = |from| {
            let change = AmountChange::AddPerDay {
                amount: money("1"),
                at_most: Some(money("100")),
            };
            order(&[("1", "100")], vec![dated("1", Some(from), None, change)])
        };
        // 23 and 25 hours long.
        for (from, last, next) in [
            ("2026-03-29", "2026-03-29T20:59:59Z", "2026-03-29T21:00:00Z"),
            ("2026-10-25", "2026-10-25T21:59:59Z", "2026-10-25T22:00:00Z"),
        ] {
            let order = per_day(from);
            assert_eq!(
                order.total_at(time::parse_start(from).unwrap()),
                Some(money("101"))
            );
            assert_eq!(order.total_at(at(last)), Some(money("101")));
            assert_eq!(order.total_at(at(next)), Some(money("102")));
        }
    }

    #[test]
    fn periods_say_what_holds_and_what_comes() {
        let order = order(&[("1", "100")], fine());
        let periods = |time| -> Vec<String> {
            let periods = order.periods(at(time)).into_iter();
            periods
                .map(|p| {
                    let until = p.until.map_or("…".to_owned(), |day| day.to_string());
                    format!("{} {until} {} {}", p.from, p.total, p.per_day)
                })
                .collect()
        };
        assert_eq!(
            periods("2026-03-05T12:00:00"),
            [
                "2026-03-05 2026-03-10 50.00 0.00",
                "2026-03-11 2026-03-31 100.00 0.00",
                "2026-04-01 2026-04-02 105.00 5.00",
                "2026-04-03 … 112.00 0.00"
            ]
        );
        assert_eq!(periods("2027-01-01T12:00:00"), ["2027-01-01 … 112.00 0.00"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let add = |amount| AmountChange::Add(money(amount));
        let instead = |amount| AmountChange::Instead(money(amount));
        let per_day = |at_most: Option<&str>| AmountChange::AddPerDay {
            amount: money("1"),
            at_most: at_most.map(money),
        };
        let (first, last) = (Some("2026-03-01"), Some("2026-03-31"));
        use AmountError::{Always, EndsBefore, NoEnd, NoFirstDay, Nothing, Overlaps, UnknownLine};
        for (amount, error) in [
            (dated("2", first, None, add("1")), UnknownLine(id("2"))),
            (dated("1", None, None, add("1")), Always),
            (dated("1", last, first, add("1")), EndsBefore),
            (dated("1", first, None, add("0")), Nothing),
            (dated("1", first, None, per_day(Some("0"))), Nothing),
            (dated("1", None, last, per_day(Some("1"))), NoFirstDay),
            (dated("1", first, None, per_day(None)), NoEnd),
            (dated("1", last, None, instead("3")), Overlaps(0)),
            (dated("1", None, last, instead("3")), Overlaps(0)),
        ] {
            let amounts = vec![dated("1", first, last, instead("2")), amount];
            let errors = Order::new(fields(&[("1", "10")], amounts)).unwrap_err();
            assert_eq!(errors, [OrderError::Amount { amount: 1, error }]);
        }
        let next = dated("1", Some("2026-04-01"), None, instead("3"));
        let amounts = vec![dated("1", first, last, instead("2")), next];
        assert!(Order::new(fields(&[("1", "10")], amounts)).is_ok());

        let nothing = vec![dated("1", None, last, instead("0"))];
        let errors = Order::new(fields(&[("1", "10")], nothing.clone())).unwrap_err();
        assert_eq!(errors, [OrderError::NothingDueOn(day("2026-03-31"))]);
        assert!(Order::new(fields(&[("1", "10"), ("2", "1")], nothing)).is_ok());
        let too_much = vec![dated("1", first, None, add("9999999999990"))];
        let errors = Order::new(fields(&[("1", "10")], too_much)).unwrap_err();
        assert_eq!(errors, [OrderError::TooLarge]);
        // Its last day is beyond the calendar.
        let for_ever = AmountChange::AddPerDay {
            amount: money("0.01"),
            at_most: Some(money("999999999")),
        };
        assert!(
            Order::new(fields(
                &[("1", "10")],
                vec![dated("1", first, None, for_ever)]
            ))
            .is_ok()
        );
        // A line for a penalty asks nothing before.
        let penalty = vec![dated("2", first, None, add("1"))];
        assert!(Order::new(fields(&[("1", "10"), ("2", "0")], penalty)).is_ok());
    }

    fn confirmation(number: usize, amount: Money, paid_at: Timestamp) -> Confirmation {
        Confirmation {
            service_id: ServiceId::parse("S").unwrap(),
            order_key: OrderKey::parse("1").unwrap(),
            payment_id: PaymentId::parse(&number.to_string()).unwrap(),
            invoice_id: None,
            currency: Currency::MDL,
            total: amount,
            paid_at,
            lines: vec![ConfirmationLine {
                line_id: id("1"),
                amount,
                properties: vec![],
            }],
            properties: vec![],
        }
    }

    fn paid(order: Order, amount: &str, paid_at: &str, received_at: &str) -> OrderState {
        let mut state = OrderState::default();
        state.amend(order);
        let receipt = Receipt {
            asked: None,
            at: at(received_at),
            amount_validity: SignedDuration::from_hours(1),
        };
        state.pay(confirmation(1, money(amount), at(paid_at)), &receipt);
        state
    }

    #[test]
    fn a_payment_is_judged_by_what_mpay_can_have_shown() {
        const LATE: &str = "2026-03-12T12:00:00";
        for (amount, paid_at, received_at, reviews) in [
            ("50", "2026-03-10T23:59:59", "2026-03-11T00:00:10", &[][..]),
            // Confirmed days later.
            ("50", "2026-03-10T23:59:59", LATE, &[]),
            // Shown before midnight.
            ("50", "2026-03-11T00:59:59", "2026-03-11T01:00:00", &[]),
            ("50", "2026-03-11T00:30:00", LATE, &[]),
            (
                "50",
                "2026-03-11T01:00:00",
                "2026-03-11T01:00:10",
                &[Review::UnderPaid],
            ),
            ("100", "2026-03-11T01:00:00", "2026-03-11T01:00:10", &[]),
            // By another clock than MPay's.
            ("100", "2026-03-10T23:59:00", "2026-03-11T00:10:00", &[]),
            (
                "100",
                "2026-03-10T22:00:00",
                "2026-03-10T22:00:10",
                &[Review::OverPaid],
            ),
            (
                "70",
                "2026-03-11T00:30:00",
                "2026-03-11T00:30:10",
                &[Review::UnderPaid],
            ),
        ] {
            let state = paid(order(&[("1", "100")], fine()), amount, paid_at, received_at);
            assert_eq!(state.payments()[0].review, reviews, "{amount} at {paid_at}");
            let is_settled = reviews != [Review::UnderPaid];
            assert_eq!(
                state.settled_at.is_some(),
                is_settled,
                "{amount} at {paid_at}"
            );
        }
    }

    #[test]
    fn what_is_paid_in_time_stays_paid() {
        let state = paid(
            order(&[("1", "100")], fine()),
            "50",
            "2026-03-10T12:00:00",
            "2026-03-10T12:00:10",
        );
        let later = at("2026-05-01T12:00:00");
        assert_eq!(state.status(later), OrderStatus::Paid);
        assert_eq!(state.amount_due(later), Some(Money::ZERO));
        assert_eq!(state.amount_overpaid(later), Money::ZERO);
        assert_eq!(state.periods(later), []);
        assert_eq!(state.lines_due(later)[0].amount, Some(Money::ZERO));
    }

    #[test]
    fn what_was_paid_in_time_counts_though_it_is_confirmed_last() {
        let judged = |payments: &[(&str, &str)]| {
            let mut state = OrderState::default();
            state.amend(order(&[("1", "100")], fine()));
            for (number, (amount, paid_at)) in payments.iter().enumerate() {
                let receipt = Receipt::at(at("2026-03-20T12:00:00"));
                state.pay(confirmation(number, money(amount), at(paid_at)), &receipt);
            }
            state.amount_due(at("2026-03-20T12:00:00")).unwrap()
        };
        let (early, late) = ("2026-03-10T12:00:00", "2026-03-11T12:00:00");
        assert_eq!(judged(&[("20", late), ("50", early)]), Money::ZERO);
        assert_eq!(judged(&[("50", early), ("20", late)]), Money::ZERO);
        // When the discount ended, only 20 had been paid.
        assert_eq!(judged(&[("40", late), ("20", early)]), money("40"));
        assert_eq!(judged(&[("20", early), ("40", late)]), money("40"));
        assert_eq!(judged(&[("30", early), ("20", early)]), Money::ZERO);
    }

    #[test]
    fn another_version_asks_anew_and_the_same_one_does_not() {
        let mut state = paid(
            order(&[("1", "100")], fine()),
            "50",
            "2026-03-10T12:00:00",
            "2026-03-10T12:00:10",
        );
        let later = at("2026-05-01T12:00:00");
        state.amend(order(&[("1", "100")], fine()).cancelled());
        assert!(state.settled_at.is_some());
        // What was paid on that day is enough for this one, and too much.
        let lower = vec![dated(
            "1",
            Some("2026-03-11"),
            None,
            AmountChange::Add(money("60")),
        )];
        let opened = state.amend(order(&[("1", "40")], lower)).unwrap();
        assert_eq!(opened.review, Review::OverPaid);
        assert_eq!(state.status(later), OrderStatus::Paid);
        state.amend(order(&[("1", "90")], fine()));
        assert_eq!(state.settled_at, Some(at("2026-03-10T12:00:00")));
        let higher = vec![dated(
            "1",
            None,
            Some("2026-03-10"),
            AmountChange::Instead(money("60")),
        )];
        state.amend(order(&[("1", "90")], higher));
        assert_eq!(state.amount_due(later), Some(money("40")));
    }

    #[test]
    fn an_order_is_paid_early_before_it_can_be() {
        let from = at("2026-03-10T00:00:00");
        let with = OrderFields {
            payable_from: Some(from),
            ..fields(&[("1", "50")], vec![])
        };
        let order = Order::new(with.clone()).unwrap();
        for (paid_at, reviews) in [
            ("2026-03-09T23:59:59", &[Review::Early][..]),
            ("2026-03-10T00:00:00", &[]),
        ] {
            let state = paid(order.clone(), "50", paid_at, paid_at);
            assert_eq!(state.payments()[0].review, reviews);
        }
        let never = OrderFields {
            due_date: Some(at("2026-03-09T23:59:59")),
            ..with
        };
        assert_eq!(Order::new(never), Err(vec![OrderError::NeverPayable]));
    }

    /// Ninety days over the change of the clock in spring, or in autumn.
    fn first_day() -> impl Strategy<Value = Date> {
        prop_oneof![Just(day("2026-02-20")), Just(day("2026-09-20"))]
    }

    const DAYS: i32 = 90;

    /// An amount, its days counted from the first.
    type Plain = (usize, Option<i32>, Option<i32>, AmountChange);

    fn amounts() -> impl Strategy<Value = Vec<Plain>> {
        let change = prop_oneof![
            (0..500_u32).prop_map(|sum| AmountChange::Instead(money(&sum.to_string()))),
            (1..300_u32).prop_map(|sum| AmountChange::Add(money(&sum.to_string()))),
            (1..40_u32, option::of(1..200_u32)).prop_map(|(sum, most)| AmountChange::AddPerDay {
                amount: money(&sum.to_string()),
                at_most: most.map(|most| money(&most.to_string())),
            }),
        ];
        vec(
            (0..2_usize, option::of(0..DAYS), option::of(0..DAYS), change),
            0..6,
        )
    }

    const LINES: [(&str, &str); 2] = [("1", "300"), ("2", "120.50")];

    /// The order of these amounts, if they are right.
    fn plain_order(first: Date, amounts: &[Plain]) -> Option<Order> {
        let date = |days: Option<i32>| days.map(|days| first.checked_add(days.days()).unwrap());
        let amounts = amounts
            .iter()
            .map(|(line, from, until, change)| DatedAmount {
                line_id: id(LINES[*line].0),
                from: date(*from),
                until: date(*until),
                term: None,
                change: *change,
            });
        let fields = OrderFields {
            allow_partial_payments: true,
            ..fields(&LINES, amounts.collect())
        };
        Order::new(fields).ok()
    }

    /// The amount that each line asks on each day, computed by sums alone.
    fn plain_days(amounts: &[Plain]) -> Vec<[Money; 2]> {
        let mut grown = vec![Money::ZERO; amounts.len()];
        (0..DAYS)
            .map(|today| {
                let mut asked = [money(LINES[0].1), money(LINES[1].1)];
                for (line, from, until, change) in amounts {
                    let holds = from.is_none_or(|from| from <= today)
                        && until.is_none_or(|until| today <= until);
                    if let (true, AmountChange::Instead(amount)) = (holds, change) {
                        asked[*line] = *amount;
                    }
                }
                for (i, (line, from, until, change)) in amounts.iter().enumerate() {
                    let holds = from.is_none_or(|from| from <= today)
                        && until.is_none_or(|until| today <= until);
                    match change {
                        AmountChange::Add(amount) if holds => {
                            asked[*line] = asked[*line] + *amount;
                        }
                        AmountChange::AddPerDay { amount, at_most } => {
                            if holds {
                                grown[i] = grown[i] + *amount;
                            }
                            if let Some(most) = at_most {
                                grown[i] = grown[i].min(*most);
                            }
                            asked[*line] = asked[*line] + grown[i];
                        }
                        _ => {}
                    }
                }
                asked
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn every_second_of_a_day_asks_what_a_plain_count_of_days_says(
            first in first_day(),
            amounts in amounts(),
            second in 0..82_800_i64,
        ) {
            let Some(order) = plain_order(first, &amounts) else { return Ok(()) };
            let days = plain_days(&amounts);
            for (date, asked) in first.series(1.day()).zip(&days) {
                let start = time::start_of(date).unwrap();
                let end = time::start_of(date.tomorrow().unwrap()).unwrap();
                let within = start + SignedDuration::from_secs(second);
                for time in [start, within, end - SignedDuration::from_nanos(1)] {
                    for (position, asked) in asked.iter().enumerate() {
                        prop_assert_eq!(order.asked_at(position, time), Some(*asked));
                    }
                    prop_assert_eq!(order.total_at(time), Some(asked[0] + asked[1]));
                }
            }
        }

        #[test]
        fn periods_say_of_every_day_what_a_plain_count_says(
            first in first_day(),
            amounts in amounts(),
            today in 0..DAYS,
        ) {
            let Some(order) = plain_order(first, &amounts) else { return Ok(()) };
            let days = plain_days(&amounts);
            let now = time::start_of(first.checked_add(today.days()).unwrap()).unwrap();
            let periods = order.periods(now);
            prop_assert_eq!(periods.is_empty(), amounts.is_empty());
            for (date, asked) in first.series(1.day()).zip(&days).skip(usize::try_from(today).unwrap()) {
                let Some(period) = periods.iter().rfind(|period| period.from <= date) else {
                    prop_assert!(periods.is_empty());
                    continue;
                };
                prop_assert!(period.until.is_none_or(|until| date <= until));
                prop_assert_eq!(period.total_on(date), asked[0] + asked[1], "{}", date);
            }
            prop_assert!(periods.last().is_none_or(|last| last.until.is_none()));
        }

        /// Compares with a count by hand of the amount due on each day: the order is settled on the first
        /// day on which the payments reach the asked amount, and asks nothing more.
        #[test]
        fn an_order_is_settled_once_what_came_reaches_what_was_asked(
            first in first_day(),
            amounts in amounts(),
            mut payments in vec((0..DAYS, 1..400_u32), 0..4),
        ) {
            let Some(order) = plain_order(first, &amounts) else { return Ok(()) };
            let days = plain_days(&amounts);
            payments.sort_unstable();
            let mut state = OrderState::default();
            state.amend(order.clone());
            let (mut sum, mut settled) = (Money::ZERO, None);
            let mut coming = payments.iter().enumerate().peekable();
            for (today, asked) in (0..DAYS).zip(&days) {
                let date = first.checked_add(today.days()).unwrap();
                let noon = time::start_of(date).unwrap() + SignedDuration::from_hours(11);
                while let Some((number, (_, amount))) = coming.next_if(|(_, (day, _))| *day == today) {
                    let amount = money(&amount.to_string());
                    state.pay(confirmation(number, amount, noon), &Receipt::at(noon));
                    sum = sum + amount;
                    if settled.is_none() && sum >= asked[0] + asked[1] {
                        settled = Some(asked[0] + asked[1]);
                    }
                }
                let asked = settled.unwrap_or(asked[0] + asked[1]);
                prop_assert_eq!(state.amount_due(noon), Some(asked.saturating_sub(sum)));
                prop_assert_eq!(state.amount_overpaid(noon), sum.saturating_sub(asked));
                let lines: Money = state.lines_due(noon).iter().filter_map(|line| line.amount).sum();
                prop_assert_eq!(Some(lines), state.amount_due(noon));
                let is_paid = state.status(noon) == OrderStatus::Paid;
                prop_assert_eq!(is_paid, sum >= asked);
            }
        }
    }
}
