//! Repeated confirmations: the same answer and no further effect.

use mpay_domain::Money;

use crate::{
    check::{Check, must, should},
    message::swap,
    node::Node,
    orders::Role,
    reply::{CONFIRM_ORDER_PAYMENT, Reply, amount},
    session::Session,
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
        "idempotence.other-details",
        "A repetition with another InvoiceID, PaidAt and Properties is the same payment",
        "Settled readings: equal content: PaidAt, InvoiceID, Properties and DestinationAccount do not decide",
        |s| {
            let (mut payment, before) = payment(s)?;
            payment.invoice_id = Some(Confirmation::new_payment_id());
            s.confirmed("a confirmation", &payment)?;
            let mut other = payment.clone();
            other.invoice_id = Some(Confirmation::new_payment_id());
            other.paid_at = "2026-06-01T10:00:00".into();
            other.properties = vec![("Channel".into(), "web".into())];
            s.confirmed("the same with other details", &other)?;
            other.invoice_id = None;
            s.confirmed("the same without InvoiceID", &other)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.line-order",
        "A repetition with its lines in another order is the same payment",
        "Settled readings: equal content: the same multiset of (LineID, Amount)",
        |s| {
            let order = s.order(Role::PartialLines)?;
            let before = amount(&order, "TotalAmountDue")?;
            let payment = two_lines(s, &order, ["0.25", "0.50"])?;
            s.confirmed("0.25 and 0.50 of two lines", &payment)?;
            let mut other = payment.clone();
            other.lines.reverse();
            s.confirmed("the same with its lines reversed", &other)?;
            counted(s, &payment, before, "0.75")
        },
    ),
    must(
        "idempotence.same-invoice",
        "Two payments with one InvoiceID and two PaymentIDs both count",
        RULE,
        |s| {
            let (mut first, before) = payment(s)?;
            first.invoice_id = Some(Confirmation::new_payment_id());
            s.confirmed("a confirmation", &first)?;
            let mut second = first.clone();
            second.payment_id = Confirmation::new_payment_id();
            s.confirmed("another payment of the same invoice", &second)?;
            counted(s, &first, before, "2.00")
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
            // A caller that was told to come again does so, like MPay.
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
        "idempotence.two-orders-at-once",
        "The same PaymentID for two orders at once counts for one of them",
        CONFLICT,
        |s| {
            let other = s.order(Role::Partial)?;
            let (payment, before) = payment(s)?;
            let mut stolen = s.part_of(&other, 0, "1.00")?;
            stolen.payment_id.clone_from(&payment.payment_id);
            let messages = (0..4)
                .flat_map(|_| [&payment, &stolen])
                .map(|payment| s.sign(&payment.encode()))
                .collect::<anyhow::Result<Vec<_>>>()?;
            s.pay_at_once("one PaymentID for two orders at once", &messages)?;
            let first = s.confirm_at_last("the payment of one order again", &payment)?;
            let second = s.confirm_at_last("that of the other again", &stolen)?;
            let taken = |reply: &Reply| reply.result(CONFIRM_ORDER_PAYMENT).is_some();
            hold(taken(&first) != taken(&second), || {
                format!(
                    "one got {}, the other {}",
                    first.described(),
                    second.described()
                )
            })?;
            let paid = |taken| if taken { "1.00" } else { "0" };
            counted(s, &payment, before, paid(taken(&first)))?;
            let due = amount(&other, "TotalAmountDue")?;
            counted(s, &stolen, due, paid(taken(&second)))
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
            let payment = two_lines(s, &order, ["0.10", "0.20"])?;
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
    must(
        "idempotence.quoted-ids",
        "A payment counts, or is refused, whose PaymentID closes a quotation or is a pattern of another's",
        "Structures: PaymentConfirmation.PaymentID (36, unique within MPay); CWE-89",
        |s| {
            let (first, mut before) = payment(s)?;
            s.confirmed("a confirmation", &first)?;
            let start = first.payment_id.get(..8).unwrap_or_default();
            let mut paid = "1.00";
            for id in [
                format!("{start}%"),
                format!("{start}*"),
                format!("{start}' OR '1'='1"),
                format!("{start}\" OR \"1\"=\"1"),
            ] {
                counted(s, &first, before, paid)?;
                before = s.due(&first.order_key)?;
                let mut other = first.clone();
                other.payment_id = id;
                let what = format!("a payment with the PaymentID {}", other.payment_id);
                let reply = s.confirm_at_last(&what, &other)?;
                let taken = reply.result(CONFIRM_ORDER_PAYMENT).is_some();
                paid = if taken { "1.00" } else { "0" };
            }
            counted(s, &first, before, paid)
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
            // A provider that refuses it is as right as one that takes it for the same.
            s.pay("the same with a comment in PaymentID", &again)?;
            counted(s, &payment, before, "1.00")
        },
    ),
    must(
        "idempotence.comment-in-amount",
        "A confirmation with a comment within its amounts counts whole, or not at all",
        "Message security: the signature does not cover comments, so that anybody may put one in",
        |s| respelled(s, "a comment", "1<!-- -->.25"),
    ),
    must(
        "idempotence.cdata-in-amount",
        "A confirmation whose amounts are cut by CDATA or a character reference counts whole, or not at all",
        "Message security: the canonical form has no CDATA and no references, so that anybody may put them in",
        |s| {
            respelled(s, "CDATA", "1<![CDATA[.25]]>")?;
            respelled(s, "CDATA from the start", "<![CDATA[1]]>.25")?;
            respelled(s, "a character reference", "1&#46;25")
        },
    ),
];

/// A payment of so much for the first two lines.
fn two_lines(s: &Session, order: &Node, amounts: [&str; 2]) -> Verdict<Confirmation> {
    let mut payment = s.part_of(order, 0, amounts[0])?;
    payment.lines.extend(s.part_of(order, 1, amounts[1])?.lines);
    let total: Money = amounts
        .into_iter()
        .filter_map(|amount| Money::parse(amount).ok())
        .sum();
    payment.total = total.to_string();
    Ok(payment)
}

/// A payment of 1.00 that was not made yet, and the amount due before it.
fn payment(s: &mut Session) -> Verdict<(Confirmation, Money)> {
    let order = s.purse()?;
    Ok((
        s.part_of(&order, 0, "1.00")?,
        amount(&order, "TotalAmountDue")?,
    ))
}

/// So much less is due than before.
fn counted(s: &mut Session, payment: &Confirmation, before: Money, paid: &str) -> Verdict {
    s.counted(payment, before, paid)
}

/// A confirmation of 1.25 whose amounts are spelled so after it was signed.
fn respelled(s: &mut Session, what: &str, spelled: &str) -> Verdict {
    let order = s.purse()?;
    let before = amount(&order, "TotalAmountDue")?;
    let payment = s.part_of(&order, 0, "1.25")?;
    let message = s.sign(&payment.encode())?;
    let message = message.replace(">1.25<", &format!(">{spelled}<"));
    let reply = s.pay(&format!("{what} within Amount and TotalAmount"), &message)?;
    let paid = if reply.fault().is_some() { "0" } else { "1.25" };
    counted(s, &payment, before, paid)
}

fn success(what: &str, reply: &Reply) -> Verdict {
    crate::reply::accepted(what, reply)
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
