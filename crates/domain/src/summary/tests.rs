use jiff::Timestamp;

use crate::{
    ClosedReview, Confirmation, ConfirmationLine, Currency, Line, LineId, Localized, Misfit, Money,
    Order, OrderFields, OrderKey, OrderState, OrderStatus, PaymentId, Receipt, Review, ServiceId,
    SetStatus, Text,
};

fn money(amount: &str) -> Money {
    Money::parse(amount).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The terms of an order in a test, besides its lines.
#[derive(Default)]
struct Terms {
    euro: bool,
    partial: bool,
    advance: bool,
    due_date: Option<&'static str>,
    status: Option<SetStatus>,
}

fn order(lines: &[(&str, &str)], terms: Terms) -> Order {
    let reason = Localized {
        ro: Text::parse("r").unwrap(),
        ru: None,
        en: None,
    };
    let lines = lines.iter().map(|(id, amount)| Line {
        line_id: LineId::parse(id).unwrap(),
        reason: reason.clone(),
        amount_due: Some(money(amount)),
        destination_account: None,
        properties: vec![],
    });
    Order::new(OrderFields {
        service_id: ServiceId::parse("S").unwrap(),
        order_key: OrderKey::parse("1").unwrap(),
        currency: currency(terms.euro),
        lines: lines.collect(),
        reason: reason.clone(),
        issued_at: None,
        due_date: terms.due_date.map(time),
        payable_from: None,
        customer_type: None,
        customer_id: None,
        customer_name: None,
        allow_partial_payments: terms.partial,
        allow_advance_payments: terms.advance,
        amounts: vec![],
        properties: vec![],
        min_payment: None,
        max_payment: None,
        aliases: vec![],
        metadata: vec![],
        set_status: terms.status,
        refund_reference: (terms.status == Some(SetStatus::Refunded))
            .then(|| Text::parse("OP 1").unwrap()),
    })
    .unwrap()
}

fn currency(euro: bool) -> Currency {
    Currency::parse(if euro { "EUR" } else { "MDL" }).unwrap()
}

const RECEIVED: &str = "2026-06-01T12:00:00Z";

/// Gives money of a payment back, so that so much of it remains.
fn give_back(state: &mut OrderState, id: &str, remaining: &str) -> bool {
    let id = PaymentId::parse(id).unwrap();
    let payment = state.payment(&id).unwrap();
    let remaining = money(remaining);
    let effect = state.refund_effect(payment, remaining, time(RECEIVED));
    let refund = crate::Refund {
        at: time(RECEIVED),
        amount: effect.amount,
        remaining,
        note: None,
        by: None,
        rrn: None,
    };
    state.refund(&id, refund, &effect)
}

#[test]
fn what_is_given_back_is_not_due_again_and_said_twice_is_said_once() {
    let mut state = OrderState::default();
    state.amend(order(&[("a", "100")], Terms::default()));
    state.pay(payment("P", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
    assert!(give_back(&mut state, "P", "60"));
    assert!(!give_back(&mut state, "P", "60"), "the same once more");
    assert!(!give_back(&mut state, "P", "80"), "less than before");
    assert_eq!(state.amount_refunded(), money("40"));
    assert_eq!(state.amount_due(time(RECEIVED)), Some(Money::ZERO));
    assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
    assert!(give_back(&mut state, "P", "0"));
    assert_eq!(state.amount_due(time(RECEIVED)), Some(Money::ZERO));
    let refunded = OrderStatus::Set(SetStatus::Refunded);
    assert_eq!(state.status(time(RECEIVED)), refunded);
    assert_eq!(state.allowed(time(RECEIVED)), [SetStatus::Refunded]);
    // What comes then comes late, and is money that is here.
    state.pay(payment("Q", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
    let late = state.payments().last().unwrap();
    assert_eq!(late.review, [Review::Late, Review::Double]);
    assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
}

/// Its status says that nobody can pay it, so no list of debts has it.
#[test]
fn of_what_is_refunded_nothing_is_due_though_a_part_was_never_paid() {
    let now = time(RECEIVED);
    let dues = |state: &OrderState| {
        let lines = state.lines_due(now).into_iter();
        let lines: Vec<_> = lines.map(|line| line.amount).collect();
        (state.amount_due(now), lines)
    };
    let mut state = OrderState::default();
    state.amend(order(&[("a", "100"), ("b", "20")], partial()));
    state.pay(payment("P", &[("a", "40")]), &Receipt::at(now));
    assert!(give_back(&mut state, "P", "10"));
    let left = [Some(money("60")), Some(money("20"))].to_vec();
    assert_eq!(dues(&state), (Some(money("80")), left));
    assert!(give_back(&mut state, "P", "0"));
    let refunded = OrderStatus::Set(SetStatus::Refunded);
    assert_eq!(state.status(now), refunded);
    let nothing = (Some(Money::ZERO), [Some(Money::ZERO); 2].to_vec());
    assert_eq!(dues(&state), nothing);
    // And where the institution says so.
    let mut state = OrderState::default();
    state.amend(order(&[("a", "100"), ("b", "20")], partial()));
    state.pay(payment("P", &[("a", "40")]), &Receipt::at(now));
    let terms = Terms {
        status: Some(SetStatus::Refunded),
        ..partial()
    };
    state.amend(order(&[("a", "100"), ("b", "20")], terms));
    assert_eq!(state.status(now), refunded);
    assert_eq!(dues(&state), nothing);
}

#[test]
fn a_payment_that_is_wholly_given_back_has_no_open_review() {
    let mut state = OrderState::default();
    state.amend(order(&[("a", "100")], Terms::default()));
    state.pay(payment("P", &[("a", "100")]), &Receipt::at(time(RECEIVED)));
    let asked = Receipt {
        asked: Some(money("90")),
        ..Receipt::at(time(RECEIVED))
    };
    state.pay(payment("Q", &[("a", "100")]), &asked);
    let review = |state: &OrderState| state.payments()[1].review.clone();
    assert_eq!(review(&state), [Review::Double, Review::Mismatch]);
    assert_eq!(state.amount_overpaid(time(RECEIVED)), money("100"));
    assert!(give_back(&mut state, "Q", "30"));
    assert_eq!(review(&state).len(), 2);
    assert!(state.open(&PaymentId::parse("Q").unwrap(), Review::ChargedBack));
    assert!(!state.open(&PaymentId::parse("Q").unwrap(), Review::ChargedBack));
    assert_eq!(state.open_reviews_of(Review::ChargedBack), 1);
    assert!(give_back(&mut state, "Q", "0"));
    assert_eq!(review(&state), []);
    assert!(!state.has_open_review());
    assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
    assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
}

/// The payment with the review of overpayment need not be the one that overpaid.
#[test]
fn what_is_too_much_is_said_also_when_the_payment_that_says_it_is_given_back() {
    let mut state = OrderState::default();
    state.amend(order(&[("a", "100")], Terms::default()));
    state.pay(payment("P", &[("a", "99")]), &Receipt::at(time(RECEIVED)));
    state.pay(payment("Q", &[("a", "1")]), &Receipt::at(time(RECEIVED)));
    state.amend(order(&[("a", "50")], Terms::default()));
    let review = |state: &OrderState| state.payments()[1].review.clone();
    assert_eq!(review(&state), [Review::OverPaid]);
    assert!(give_back(&mut state, "Q", "0"));
    assert_eq!(review(&state), [Review::OverPaid]);
    assert_eq!(state.amount_overpaid(time(RECEIVED)), money("49"));
    assert!(give_back(&mut state, "P", "0"));
    assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
}

fn payment(id: &str, lines: &[(&str, &str)]) -> Confirmation {
    let lines = lines.iter().map(|(line, amount)| ConfirmationLine {
        line_id: LineId::parse(line).unwrap(),
        amount: money(amount),
        properties: vec![],
    });
    let lines: Vec<_> = lines.collect();
    Confirmation {
        service_id: ServiceId::parse("S").unwrap(),
        order_key: OrderKey::parse("1").unwrap(),
        payment_id: PaymentId::parse(id).unwrap(),
        invoice_id: None,
        currency: Currency::MDL,
        total: lines.iter().map(|line| line.amount).sum(),
        paid_at: time(RECEIVED),
        lines,
        properties: vec![],
    }
}

fn pay(state: &mut OrderState, payment: Confirmation) -> &[Review] {
    assert_eq!(state.check_payment(&payment), Ok(()));
    state.pay(payment, &Receipt::at(time(RECEIVED)));
    &state.payments().last().unwrap().review
}

fn partial() -> Terms {
    Terms {
        partial: true,
        ..Terms::default()
    }
}

fn euro() -> Terms {
    Terms {
        euro: true,
        ..partial()
    }
}

#[test]
fn another_currency_pays_nothing() {
    let mut state = OrderState::default();
    state.amend(order(&[("1", "100")], partial()));
    state.amend(order(&[("1", "100")], euro()));
    // MPay showed the version before.
    let reviews = pay(&mut state, payment("P", &[("1", "100")]));
    assert_eq!(reviews, [Review::OtherCurrency]);
    let now = time(RECEIVED);
    assert_eq!(state.status(now), OrderStatus::Active);
    assert_eq!(state.amount_paid(), Money::ZERO);
    assert_eq!(state.amount_due(now), Some(money("100")));
    assert_eq!(state.lines_due(now)[0].amount, Some(money("100")));
    // Any payment can be given back.
    assert_eq!(
        state.allowed(now),
        [SetStatus::Cancelled, SetStatus::Refunding]
    );

    let mut in_euro = payment("Q", &[("1", "100")]);
    in_euro.currency = currency(true);
    assert_eq!(pay(&mut state, in_euro), []);
    assert_eq!(state.status(now), OrderStatus::Paid);
    assert_eq!(state.amount_overpaid(time(RECEIVED)), Money::ZERO);
}

#[test]
fn an_order_goes_back_to_the_currency_in_which_it_was_paid() {
    let mut state = OrderState::default();
    state.amend(order(&[("1", "100")], partial()));
    state.amend(order(&[("1", "100")], euro()));
    pay(&mut state, payment("P", &[("1", "40")]));
    let back = order(&[("1", "100")], partial());
    assert_eq!(state.check_change(&back, time(RECEIVED)), Ok(()));
    state.amend(back);
    assert_eq!(state.amount_paid(), money("40"));
    let change = state.check_change(&order(&[("1", "100")], euro()), time(RECEIVED));
    assert!(change.is_err());
}

#[test]
fn a_total_below_what_is_paid_is_too_much_on_the_latest_payment() {
    let mut state = OrderState::default();
    state.amend(order(&[("1", "100")], partial()));
    pay(&mut state, payment("P", &[("1", "50")]));
    pay(&mut state, payment("Q", &[("1", "30")]));
    assert_eq!(state.amend(order(&[("1", "80")], partial())), None);
    let opened = state.amend(order(&[("1", "50")], partial())).unwrap();
    assert_eq!(opened.payment_id.as_str(), "Q");
    assert_eq!(state.status(time(RECEIVED)), OrderStatus::Paid);
    assert_eq!(state.amount_overpaid(time(RECEIVED)), money("30"));
    let reviews = |state: &OrderState| {
        let payments = state.payments().iter();
        payments
            .map(|payment| payment.review.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(reviews(&state), [vec![], vec![Review::OverPaid]]);
    assert_eq!(state.open_reviews_of(Review::OverPaid), 1);

    // Said once, until a person has looked at it and the total is lowered again.
    let completed = Terms {
        status: Some(SetStatus::Completed),
        ..partial()
    };
    assert_eq!(state.amend(order(&[("1", "50")], completed)), None);
    assert_eq!(state.amend(order(&[("1", "40")], partial())), None);
    let closed = ClosedReview {
        review: Review::OverPaid,
        note: Text::parse("Given back").unwrap(),
        closed_at: time(RECEIVED),
        by: "b".into(),
    };
    assert!(state.close(&opened.payment_id, closed));
    assert!(!state.has_open_review());
    assert_eq!(state.amend(order(&[("1", "40")], partial())), None);
    assert!(state.amend(order(&[("1", "20")], partial())).is_some());
    assert_eq!(reviews(&state), [vec![], vec![Review::OverPaid]]);
}

#[test]
fn what_the_payer_chooses_may_have_limits() {
    let advance = Terms {
        advance: true,
        ..partial()
    };
    let mut fields = OrderFields::clone(&order(&[("1", "5")], advance));
    fields.min_payment = Some(money("10"));
    let known = Order::new(fields.clone()).unwrap_err();
    assert_eq!(known, [crate::OrderError::LimitOfKnownAmount]);
    fields.lines[0].amount_due = None;
    fields.max_payment = Some(money("9"));
    let crossed = Order::new(fields.clone()).unwrap_err();
    assert_eq!(crossed, [crate::OrderError::LimitsCross]);
    fields.max_payment = Some(money("50"));
    let mut state = OrderState::default();
    state.amend(Order::new(fields).unwrap());
    for (id, amount, reviews) in [
        ("A", "10", vec![]),
        ("B", "9.99", vec![Review::UnderPaid]),
        ("C", "50", vec![]),
        ("D", "50.01", vec![Review::OverPaid]),
    ] {
        assert_eq!(pay(&mut state, payment(id, &[("1", amount)])), reviews);
    }
}

#[test]
fn what_may_be_paid_in_advance_is_too_much_only_without_that_leave() {
    let advance = || Terms {
        advance: true,
        ..partial()
    };
    let mut state = OrderState::default();
    state.amend(order(&[("1", "100")], advance()));
    assert_eq!(pay(&mut state, payment("P", &[("1", "120")])), []);
    assert_eq!(state.amount_overpaid(time(RECEIVED)), money("20"));
    assert_eq!(state.amend(order(&[("1", "90")], advance())), None);
    assert!(state.amend(order(&[("1", "90")], partial())).is_some());
}

#[test]
fn a_date_that_cannot_be_is_flagged_and_lateness_judged_by_receipt() {
    let due = |date| Terms {
        due_date: Some(date),
        ..Terms::default()
    };
    for (due_date, paid_at, reviews) in [
        ("2026-07-01T00:00:00Z", "2026-06-01T11:00:00Z", &[][..]),
        (
            "2026-05-01T00:00:00Z",
            "2026-06-01T11:00:00Z",
            &[Review::Late],
        ),
        // Paid in time, confirmed late.
        ("2026-05-01T00:00:00Z", "2026-04-01T11:00:00Z", &[]),
        (
            "2026-07-01T00:00:00Z",
            "2026-08-01T11:00:00Z",
            &[Review::ImplausibleDate],
        ),
        (
            "2026-07-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            &[Review::ImplausibleDate],
        ),
        (
            "2026-05-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            &[Review::Late, Review::ImplausibleDate],
        ),
    ] {
        let mut state = OrderState::default();
        state.amend(order(&[("1", "100")], due(due_date)));
        let mut payment = payment("P", &[("1", "100")]);
        payment.paid_at = time(paid_at);
        assert_eq!(pay(&mut state, payment), reviews, "{due_date} {paid_at}");
    }
}

#[test]
fn a_line_of_zero_pays_nothing_of_the_line() {
    let mut state = OrderState::default();
    state.amend(order(&[("1", "60"), ("2", "40")], partial()));
    assert_eq!(
        pay(&mut state, payment("P", &[("1", "0"), ("2", "40")])),
        []
    );
    let due = state.lines_due(time(RECEIVED));
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].position, due[0].amount), (0, Some(money("60"))));
    assert_eq!(
        state.check_payment(&payment("Q", &[("1", "0")])),
        Err(Misfit::NothingPaid)
    );
}

#[test]
fn versions_that_others_cover_are_not_kept() {
    let mut state = OrderState::default();
    for (lines, earlier, former) in [
        (&["a"][..], 0, 0),
        (&["a", "b"], 0, 0),
        (&["a"], 1, 1),
        (&["b"], 1, 1),
        (&["c"], 1, 2),
        (&["b", "d"], 2, 2),
        (&["a", "b", "c", "d"], 0, 0),
        (&["a"], 1, 3),
    ] {
        let version: Vec<_> = lines.iter().map(|id| (*id, "10")).collect();
        state.amend(order(&version, partial()));
        let kept = (state.earlier.len(), state.former_lines.len());
        assert_eq!(kept, (earlier, former), "{lines:?}");
    }
    assert_eq!(state.version_count, 8);
}
