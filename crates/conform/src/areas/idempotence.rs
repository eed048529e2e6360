//! Repeated confirmations: the same answer and no further effect.

use mpay_domain::Money;

use crate::{
    check::{Check, must, should},
    message::swap,
    node::Node,
    orders::Role,
    session::{CONFIRM_ORDER_PAYMENT, Reply, Session, amount},
    verdict::{Verdict, hold},
};
use mpay_client::Confirmation;

const RULE: &str = "Who calls whom: the same call repeated has the same answer and no further effect; a payment is identified by PaymentID";
const CONFLICT: &str = "Settled readings: the same PaymentID with other content, or on another order: refused, nothing changed";

pub const CHECKS: &[Check] = &[
    must(
        "idempotence.details",
        "GetOrderDetails asked twice answers the same",
        "Operations: GetOrderDetails may be called often",
        |s| {
            let key = s.known_order()?;
            let facts = |order: &Node| {
                ["Status", "TotalAmountDue", "Reason"]
                    .map(|name| order.get(name).map(str::to_owned))
            };
            let first = facts(&s.details(&key, "ro")?);
            let second = facts(&s.details(&key, "ro")?);
            hold(first == second, || {
                format!("first {first:?}, then {second:?}")
            })
        },
    ),
    must(
        "idempotence.repeat",
        "A confirmation repeated at once, signed anew, succeeds again and counts once",
        RULE,
        |s| {
            let (payment, before) = payment(s)?;
            s.confirmed("a confirmation", &payment)?;
            s.confirmed("the same again", &payment)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    should(
        "idempotence.same-bytes",
        "The same bytes sent again succeed again and count once",
        RULE,
        |s| {
            let (payment, before) = payment(s)?;
            let message = s.sign(&payment.encode())?;
            let first = s.pay("a confirmation", &message)?;
            success("a confirmation", &first)?;
            let second = s.pay("the same bytes again", &message)?;
            success("the same bytes again", &second)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.later",
        "A confirmation repeated after other payments succeeds again and counts once",
        RULE,
        |s| {
            let (first, before) = payment(s)?;
            s.confirmed("a confirmation", &first)?;
            let (second, _) = payment(s)?;
            s.confirmed("another payment of the order", &second)?;
            s.confirmed("the first again", &first)?;
            counted(s, &first, before, "2.00")
        },
    ),
    must(
        "idempotence.after-paid",
        "A confirmation repeated after the order is paid in full succeeds again",
        RULE,
        |s| {
            let order = s.order(Role::Plain)?;
            let payment = s.payment_of(&order)?;
            s.confirmed("a payment in full", &payment)?;
            s.confirmed("the same again", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            hold(after.get("Status") == Some("Paid"), || {
                format!("the order is {}", after.get("Status").unwrap_or("—"))
            })
        },
    ),
    must(
        "idempotence.spelling",
        "A repetition with amounts and PaidAt written in another way is the same payment",
        "Settled readings: equal content: decimals by value; PaidAt, InvoiceID and Properties do not decide",
        |s| {
            let (payment, before) = payment(s)?;
            s.confirmed("a confirmation", &payment)?;
            let mut respelled = payment.clone();
            respelled.total = "1".into();
            respelled.lines = payment
                .lines
                .iter()
                .map(|(id, _)| (id.clone(), "1.0".into()))
                .collect();
            respelled.paid_at = "2026-06-01T10:00:00+03:00".into();
            s.confirmed("the same, spelled in another way", &respelled)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.twice-at-once",
        "A confirmation sent twice at once counts once",
        RULE,
        |s| at_once(s, 2),
    ),
    must(
        "idempotence.eight-at-once",
        "A confirmation sent eight times at once counts once",
        RULE,
        |s| at_once(s, 8),
    ),
    must(
        "idempotence.different-at-once",
        "Different payments of one order at once all count",
        RULE,
        |s| {
            let order = s.purse()?;
            let before = amount(&order, "TotalAmountDue")?;
            let payments = (0..4)
                .map(|_| s.part_of(&order, 0, "1.00"))
                .collect::<Verdict<Vec<_>>>()?;
            let messages = payments
                .iter()
                .map(|p| s.sign(&p.encode()))
                .collect::<anyhow::Result<Vec<_>>>()?;
            let replies = s.pay_at_once("one of four payments at once", &messages)?;
            // Whoever was told to come again comes again, as MPay does.
            for (payment, reply) in payments.iter().zip(&replies) {
                if reply.result(CONFIRM_ORDER_PAYMENT).is_none() {
                    s.confirmed_at_last("the one that did not succeed, again", payment)?;
                }
            }
            match payments.first() {
                Some(payment) => counted(s, payment, before, "4.00"),
                None => Ok(()),
            }
        },
    ),
    must(
        "idempotence.two-payments",
        "Two payments of the same amount with two PaymentIDs both count",
        RULE,
        |s| {
            let (first, before) = payment(s)?;
            s.confirmed("a confirmation", &first)?;
            let (mut second, _) = payment(s)?;
            second.paid_at.clone_from(&first.paid_at);
            s.confirmed("the same with another PaymentID", &second)?;
            counted(s, &first, before, "2.00")
        },
    ),
    must(
        "idempotence.other-amount",
        "The same PaymentID with another amount is refused and changes nothing",
        CONFLICT,
        |s| {
            let (payment, before) = payment(s)?;
            s.confirmed("a confirmation", &payment)?;
            let mut other = payment.clone();
            other.total = "2.00".into();
            other.lines = payment
                .lines
                .iter()
                .map(|(id, _)| (id.clone(), "2.00".into()))
                .collect();
            let reply = s.confirm("the same PaymentID with 2.00", &other)?;
            refused(&reply)?;
            counted(s, &payment, before, "1.00")?;
            // The first is as true as before.
            s.confirmed("the first again", &payment)
        },
    ),
    must(
        "idempotence.other-order",
        "The same PaymentID for another order is refused and changes nothing",
        CONFLICT,
        |s| {
            let other = s.order(Role::Partial)?;
            let (payment, before) = payment(s)?;
            s.confirmed("a confirmation", &payment)?;
            let mut stolen = s.part_of(&other, 0, "1.00")?;
            stolen.payment_id.clone_from(&payment.payment_id);
            let reply = s.confirm("the same PaymentID for another order", &stolen)?;
            refused(&reply)?;
            s.unchanged(&other, "the PaymentID of another order's payment")?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.other-lines",
        "The same PaymentID with the amounts of lines exchanged is refused and changes nothing",
        CONFLICT,
        |s| {
            let order = s.order(Role::PartialLines)?;
            let payment = two_lines(s, &order)?;
            s.confirmed("0.10 and 0.20 of two lines", &payment)?;
            let paid = s.details(&payment.order_key, "ro")?;
            let mut other = payment.clone();
            let amounts = payment.lines.iter().rev().map(|(_, amount)| amount.clone());
            for (line, amount) in other.lines.iter_mut().zip(amounts) {
                line.1 = amount;
            }
            let reply = s.confirm("the same PaymentID with 0.20 and 0.10", &other)?;
            refused(&reply)?;
            s.unchanged(&paid, "the same PaymentID with other lines")
        },
    ),
    must(
        "idempotence.refusal",
        "A confirmation that was refused is refused again",
        "Who calls whom: MPay calls again and again until it succeeds; the same call repeated has the same answer",
        |s| {
            let (mut payment, before) = payment(s)?;
            payment.total = "1.01".into();
            for what in ["lines that do not add up", "the same again", "and again"] {
                refused(&s.confirm(what, &payment)?)?;
            }
            payment.order_key = "NO-SUCH-ORDER-OF-MPAY-CONFORM".into();
            payment.total = "1.00".into();
            payment.payment_id = Confirmation::new_payment_id();
            for what in ["an order that does not exist", "the same again"] {
                refused(&s.confirm(what, &payment)?)?;
            }
            let due = amount(&s.purse()?, "TotalAmountDue")?;
            hold(due == before, || {
                format!("{due} is due instead of {before}")
            })
        },
    ),
    must(
        "idempotence.after-refusal",
        "A PaymentID that was refused with a wrong total counts when its right confirmation comes",
        "Settled readings: a refused confirmation whose PaymentID is recorded later closes its own refusal",
        |s| {
            let (right, before) = payment(s)?;
            let mut wrong = right.clone();
            wrong.total = "1.01".into();
            refused(&s.confirm("lines that do not add up", &wrong)?)?;
            s.confirmed("the same PaymentID as it should be", &right)?;
            counted(s, &right, before, "1.00")
        },
    ),
    must(
        "idempotence.similar-ids",
        "Payments count whose PaymentIDs differ in one character of 36",
        "Structures: PaymentConfirmation.PaymentID (36, unique within MPay)",
        |s| {
            let (first, before) = payment(s)?;
            s.confirmed("a confirmation", &first)?;
            // Digits, which a reader may take for a number, and too many for one.
            let digits: String = Confirmation::new_payment_id()
                .chars()
                .map(|c| {
                    c.to_digit(16)
                        .map_or('1', |d| char::from_digit(d % 9 + 1, 10).unwrap_or('1'))
                })
                .collect();
            let (start, end) = digits.split_at(18);
            let middle = end.get(1..).unwrap_or_default();
            let head = start.get(1..).unwrap_or_default();
            let tail = digits.get(..35).unwrap_or_default();
            let ids = [
                format!("{tail}1"),
                format!("{tail}2"),
                format!("0{head}0{middle}"),
                format!("0{head}9{middle}"),
            ];
            for id in ids {
                let mut similar = first.clone();
                similar.payment_id = id;
                s.confirmed("one of four with similar PaymentIDs", &similar)?;
            }
            counted(s, &first, before, "5.00")
        },
    ),
    should(
        "idempotence.case-of-ids",
        "Payments count whose PaymentIDs differ in case",
        "Structures: PaymentConfirmation.PaymentID (36, unique within MPay)",
        |s| {
            let (mut first, before) = payment(s)?;
            first.payment_id = format!("a{}", first.payment_id.get(1..).unwrap_or_default());
            let mut second = first.clone();
            second.payment_id = first.payment_id.to_uppercase();
            s.confirmed("a confirmation", &first)?;
            s.confirmed("the PaymentID in capitals", &second)?;
            counted(s, &first, before, "2.00")
        },
    ),
    must(
        "idempotence.comment",
        "A confirmation repeated with a comment in its PaymentID counts once",
        "Message security: the signature does not cover comments, so that anybody may put one in",
        |s| {
            let (payment, before) = payment(s)?;
            let message = s.sign(&payment.encode())?;
            let first = s.pay("a confirmation", &message)?;
            success("a confirmation", &first)?;
            let (start, end) = payment.payment_id.split_at(9);
            let again = swap(
                &message,
                &payment.payment_id,
                &format!("{start}<!-- -->{end}"),
            )?;
            // Who refuses it is as right as who takes it for the same.
            s.pay("the same with a comment in PaymentID", &again)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.comment-in-amount",
        "A confirmation with a comment within its amounts counts whole, or not at all",
        "Message security: the signature does not cover comments, so that anybody may put one in",
        |s| {
            let order = s.purse()?;
            let before = amount(&order, "TotalAmountDue")?;
            let payment = s.part_of(&order, 0, "1.25")?;
            let message = s.sign(&payment.encode())?;
            let message = message.replace(">1.25<", ">1<!-- -->.25<");
            let reply = s.pay("a comment within Amount and TotalAmount", &message)?;
            let paid = if reply.fault().is_some() { "0" } else { "1.25" };
            counted(s, &payment, before, paid)
        },
    ),
];

/// A payment of 0.10 and 0.20 for the first two lines.
fn two_lines(s: &Session, order: &Node) -> Verdict<Confirmation> {
    let mut payment = s.part_of(order, 0, "0.10")?;
    payment.lines.extend(s.part_of(order, 1, "0.20")?.lines);
    payment.total = "0.30".into();
    Ok(payment)
}

/// A payment of 1.00 that was not made yet, and what is due before it.
fn payment(s: &mut Session) -> Verdict<(Confirmation, Money)> {
    let order = s.purse()?;
    Ok((
        s.part_of(&order, 0, "1.00")?,
        amount(&order, "TotalAmountDue")?,
    ))
}

/// So much less is due than before.
fn counted(s: &mut Session, payment: &Confirmation, before: Money, paid: &str) -> Verdict {
    let expected = before.saturating_sub(Money::parse(paid).unwrap_or_default());
    let due = s.due(&payment.order_key)?;
    hold(due == expected, || {
        format!("{paid} was paid of {before}, and {due} is due instead of {expected}")
    })
}

fn success(what: &str, reply: &Reply) -> Verdict {
    crate::session::accepted(what, reply)
}

fn refused(reply: &Reply) -> Verdict {
    hold(reply.fault().is_some(), || {
        format!("it was not refused but got {}", reply.described())
    })
}

fn at_once(s: &mut Session, times: usize) -> Verdict {
    let (payment, before) = payment(s)?;
    let messages = (0..times)
        .map(|_| s.sign(&payment.encode()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Any of them may be told to come again.
    s.pay_at_once(&format!("one of {times} at once"), &messages)?;
    s.confirmed_at_last("once more afterwards", &payment)?;
    counted(s, &payment, before, "1.00")
}
