//! Partial and advance payments: the Allow flags, and the amount due after a payment.

use mpay_domain::Money;

use crate::{
    check::{Check, must, should},
    node::Node,
    orders::Role,
    reply::{CONFIRM_ORDER_PAYMENT, amount, is_payable},
    verdict::{Verdict, failed, hold, skipped},
};

const ONE_LINE: &str =
    "Partial and advance payments: one line: the Allow flag is set on the order and on the line";
const SEVERAL: &str = "Partial and advance payments: several lines: the flag is set on the order and on the first line only";
const REST: &str = "Partial and advance payments: after a partial payment only what is still due, status PartiallyPaid";
const TAKEN: &str = "Settled readings: money that has moved is taken, and flagged for review where it should not have come";

pub const CHECKS: &[Check] = &[
    must(
        "payment.partial-flags",
        "An order of one line that may be paid partially says so on itself and on the line",
        ONE_LINE,
        |s| {
            let order = s.look(Role::Partial)?;
            s.show(Role::Partial);
            flags(&order, "AllowPartialPayments")
        },
    ),
    must(
        "payment.partial-flags-of-lines",
        "Of several lines the first alone carries AllowPartialPayments",
        SEVERAL,
        |s| {
            let order = s.look(Role::PartialLines)?;
            s.show(Role::PartialLines);
            flags(&order, "AllowPartialPayments")
        },
    ),
    must(
        "payment.advance-flags",
        "An order that may be paid in advance says so on itself and on its first line",
        ONE_LINE,
        |s| {
            let order = s.look(Role::Advance)?;
            s.show(Role::Advance);
            flags(&order, "AllowAdvancePayments")
        },
    ),
    must(
        "payment.no-flags",
        "An order that may only be paid in full carries no Allow flag",
        ONE_LINE,
        |s| {
            for role in [Role::Plain, Role::Lines] {
                let order = s.look(role)?;
                s.show(role);
                let allowed = order
                    .descendants()
                    .into_iter()
                    .find(|n| n.name.starts_with("Allow") && is_true(n));
                hold(allowed.is_none(), || {
                    format!("it carries {}", allowed.map_or("", |n| &n.name))
                })?;
            }
            Ok(())
        },
    ),
    must(
        "payment.full",
        "After a payment in full the order is Paid, and nothing is due",
        REST,
        |s| {
            let order = s.paid_order()?;
            status(&order, "Paid")?;
            nothing_due(&order)
        },
    ),
    must(
        "payment.full-of-lines",
        "After a payment in full of several lines the order is Paid",
        REST,
        |s| {
            let order = s.order(Role::Lines)?;
            let payment = s.payment_of(&order)?;
            s.confirmed("a payment of several lines", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            status(&after, "Paid")?;
            nothing_due(&after)
        },
    ),
    must(
        "payment.rest",
        "After a partial payment the rest is due, and the order is PartiallyPaid",
        REST,
        |s| {
            let order = s.order(Role::Partial)?;
            let before = amount(&order, "TotalAmountDue")?;
            let part = s.part_of(&order, 0, "1.25")?;
            s.confirmed("a partial payment", &part)?;
            let after = s.details(&part.order_key, "ro")?;
            status(&after, "PartiallyPaid")?;
            due(&after, before, "1.25")?;
            flags(&after, "AllowPartialPayments")?;
            // And another, and then what remains.
            let part = s.part_of(&after, 0, "2.00")?;
            s.confirmed("a second partial payment", &part)?;
            let after = s.details(&part.order_key, "ro")?;
            due(&after, before, "3.25")?;
            let rest = s.payment_of(&after)?;
            s.confirmed("the rest", &rest)?;
            let after = s.details(&part.order_key, "ro")?;
            status(&after, "Paid")
        },
    ),
    must(
        "payment.hundredths",
        "Amounts that binary fractions cannot hold are counted to the hundredth",
        "Structures: amounts are decimals of XML Schema, which are exact",
        |s| {
            for part in ["0.29", "0.57", "1.15", "4.35", "0.01"] {
                let order = s.purse()?;
                let before = amount(&order, "TotalAmountDue")?;
                let part_of = s.part_of(&order, 0, part)?;
                s.confirmed(&format!("a payment of {part}"), &part_of)?;
                let after = s.details(&part_of.order_key, "ro")?;
                due(&after, before, part)?;
            }
            Ok(())
        },
    ),
    must(
        "payment.sum-of-lines",
        "Lines of 0.10 and 0.20 add up to 0.30",
        "Structures: decimals are XML Schema decimals, which are exact",
        |s| {
            let order = s.order(Role::PartialLines)?;
            let before = amount(&order, "TotalAmountDue")?;
            let mut payment = s.part_of(&order, 0, "0.10")?;
            payment.lines.extend(s.part_of(&order, 1, "0.20")?.lines);
            payment.total = "0.30".into();
            s.confirmed("0.10 and 0.20", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            due(&after, before, "0.30")
        },
    ),
    must(
        "payment.rest-of-lines",
        "After a partial payment of several lines they still add up, and the first that remains carries the flag",
        REST,
        |s| {
            let order = s.order(Role::PartialLines)?;
            let before = amount(&order, "TotalAmountDue")?;
            let part = s.part_of(&order, 0, "1.25")?;
            s.confirmed("a partial payment", &part)?;
            let after = s.details(&part.order_key, "ro")?;
            status(&after, "PartiallyPaid")?;
            due(&after, before, "1.25")?;
            flags(&after, "AllowPartialPayments")
        },
    ),
    must(
        "payment.line-by-line",
        "After one of several lines is paid the others are due, and the first that remains carries the flag",
        REST,
        |s| {
            let order = s.order(Role::PartialLines)?;
            let before = amount(&order, "TotalAmountDue")?;
            let Some(first) = order.items("Lines").first() else {
                return skipped("the order has no lines");
            };
            let paid = amount(first, "AmountDue")?.to_string();
            let part = s.part_of(&order, 0, &paid)?;
            s.confirmed("a payment of the first line", &part)?;
            let after = s.details(&part.order_key, "ro")?;
            status(&after, "PartiallyPaid")?;
            due(&after, before, &paid)?;
            flags(&after, "AllowPartialPayments")?;
            let line = part
                .lines
                .first()
                .map(|(id, _)| id.clone())
                .unwrap_or_default();
            let left = after
                .items("Lines")
                .iter()
                .find(|l| l.get("LineID") == Some(&line));
            hold(
                left.is_none_or(|l| amount(l, "AmountDue").is_ok_and(Money::is_zero)),
                || format!("line {line} was paid, and is still due"),
            )
        },
    ),
    must(
        "payment.advance",
        "More than is due is accepted where the order allows it",
        "Partial and advance payments: AllowAdvancePayments lets the payer pay more than is due",
        |s| {
            let order = s.order(Role::Advance)?;
            let more = (amount(&order, "TotalAmountDue")? + Money::parse("5").unwrap_or_default())
                .to_string();
            let payment = s.part_of(&order, 0, &more)?;
            s.confirmed("5.00 more than is due", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            status(&after, "Paid")?;
            nothing_due(&after)
        },
    ),
    must(
        "payment.unknown-amount",
        "An order whose amount is not known yet has neither TotalAmountDue nor AmountDue",
        "Structures: TotalAmountDue absent: not yet known, needs one of the two Allow flags",
        |s| {
            let order = s.look(Role::Open)?;
            s.show(Role::Open);
            hold(
                order.get("TotalAmountDue").is_none()
                    && order
                        .items("Lines")
                        .iter()
                        .all(|l| l.get("AmountDue").is_none()),
                || "it says an amount".into(),
            )
        },
    ),
    must(
        "payment.of-unknown-amount",
        "An order of unknown amount is paid and stays payable",
        "Settled readings: an order of unknown amount becomes PartiallyPaid with its first payment",
        |s| {
            let order = s.order(Role::Open)?;
            let payment = s.part_of(&order, 0, "7.50")?;
            s.confirmed("7.50 for an order of unknown amount", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            hold(is_payable(&after), || {
                format!("the order is {}", after.get("Status").unwrap_or("—"))
            })
        },
    ),
    must(
        "payment.zero-line",
        "A line of zero beside another is taken, and pays nothing of it",
        "Settled readings: a line of zero beside others is legal in a partial payment (the guide lets a part be zero)",
        |s| {
            let order = s.order(Role::PartialLines)?;
            let before = amount(&order, "TotalAmountDue")?;
            let mut payment = s.part_of(&order, 0, "1.00")?;
            payment.lines.extend(s.part_of(&order, 1, "0.00")?.lines);
            s.confirmed("1.00 for a line, and 0.00 for another", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            status(&after, "PartiallyPaid")?;
            due(&after, before, "1.00")
        },
    ),
    must(
        "payment.by-line-id",
        "A payment of several lines pays those that it names, in whatever order it names them",
        "Structures: PaymentConfirmationLine.LineID: a confirmation names lines by LineID",
        |s| {
            let order = s.order(Role::PartialLines)?;
            let mut payment = s.part_of(&order, 1, "0.50")?;
            payment.lines.extend(s.part_of(&order, 0, "0.25")?.lines);
            payment.total = "0.75".into();
            s.confirmed("0.50 of the second line, and 0.25 of the first", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            let line = |order: &Node, id: &str| {
                let mut lines = order.items("Lines").iter();
                match lines.find(|line| line.get("LineID") == Some(id)) {
                    Some(line) => amount(line, "AmountDue"),
                    None => failed(format!("the line {id} is no longer there")),
                }
            };
            for (id, paid) in &payment.lines {
                let expected =
                    line(&order, id)?.saturating_sub(Money::parse(paid).unwrap_or_default());
                let due = line(&after, id)?;
                hold(due == expected, || {
                    format!(
                        "{paid} was paid of the line {id}, and {due} is due instead of {expected}"
                    )
                })?;
            }
            Ok(())
        },
    ),
    must(
        "payment.line-twice",
        "A payment that names a line twice counts in full, or is refused",
        "Settled readings: equal content: the same multiset of (LineID, Amount)",
        |s| {
            let order = s.purse()?;
            let mut payment = s.part_of(&order, 0, "1.00")?;
            payment.lines.extend(payment.lines.clone());
            payment.total = "2.00".into();
            let reply = s.confirm("1.00 of a line, and 1.00 of the same", &payment)?;
            let taken = reply.result(CONFIRM_ORDER_PAYMENT).is_some();
            let paid = if taken { "2.00" } else { "0" };
            s.counted(&payment, amount(&order, "TotalAmountDue")?, paid)
        },
    ),
    must(
        "payment.large-amounts",
        "Amounts of tens of millions are counted to the hundredth",
        "Structures: amounts are decimals of XML Schema, which are exact",
        |s| {
            let order = s.order(Role::Large)?;
            let before = amount(&order, "TotalAmountDue")?;
            // More hundredths than numbers of 32 bits hold.
            let payment = s.part_of(&order, 0, "21500000.03")?;
            if before <= Money::parse(&payment.total).unwrap_or_default() {
                return skipped("the order is of less than 21500000.03");
            }
            s.confirmed("a payment of 21500000.03", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            due(&after, before, &payment.total)
        },
    ),
    must(
        "payment.implausible-time",
        "A payment of a time that cannot be is taken",
        "Settled readings: a PaidAt before 2013, or more than a day ahead, is taken, since the money has moved",
        |s| {
            for paid_at in ["1999-12-31T23:59:59+02:00", "2099-01-01T00:00:00+02:00"] {
                let order = s.purse()?;
                let before = amount(&order, "TotalAmountDue")?;
                let mut payment = s.part_of(&order, 0, "1.00")?;
                payment.paid_at = paid_at.to_owned();
                s.confirmed(&format!("a payment of {paid_at}"), &payment)?;
                let after = s.details(&payment.order_key, "ro")?;
                due(&after, before, "1.00")?;
            }
            Ok(())
        },
    ),
    should(
        "payment.too-little",
        "Less than is due is taken though the order does not allow it",
        TAKEN,
        |s| {
            let order = s.order(Role::Plain)?;
            let before = amount(&order, "TotalAmountDue")?;
            let part = s.part_of(&order, 0, "1.00")?;
            s.confirmed("1.00 of an order that may only be paid in full", &part)?;
            let after = s.details(&part.order_key, "ro")?;
            status(&after, "PartiallyPaid")?;
            due(&after, before, "1.00")
        },
    ),
    should(
        "payment.too-much",
        "More than is due is taken though the order does not allow it",
        TAKEN,
        |s| {
            let order = s.order(Role::Plain)?;
            let more = (amount(&order, "TotalAmountDue")? + Money::parse("1").unwrap_or_default())
                .to_string();
            let payment = s.part_of(&order, 0, &more)?;
            s.confirmed("1.00 more than is due", &payment)?;
            let after = s.details(&payment.order_key, "ro")?;
            status(&after, "Paid")?;
            nothing_due(&after)
        },
    ),
];

fn is_true(node: &Node) -> bool {
    matches!(node.text.as_deref().map(str::trim), Some("true" | "1"))
}

/// A flag on the order and its first line, and on no other.
fn flags(order: &Node, name: &str) -> Verdict {
    let set = |node: &Node| node.child(name).is_some_and(is_true);
    hold(set(order), || format!("the order does not say {name}"))?;
    for (i, line) in order.items("Lines").iter().enumerate() {
        hold(set(line) == (i == 0), || match i {
            0 => format!("the first line does not say {name}"),
            i => format!("line {} says {name} too", i + 1),
        })?;
    }
    Ok(())
}

fn status(order: &Node, expected: &str) -> Verdict {
    hold(order.get("Status") == Some(expected), || {
        format!(
            "the order is {} instead of {expected}",
            order.get("Status").unwrap_or("without Status")
        )
    })
}

fn nothing_due(order: &Node) -> Verdict {
    let due = amount(order, "TotalAmountDue")?;
    hold(due.is_zero(), || format!("TotalAmountDue is {due}"))
}

/// So much less is due than before.
fn due(order: &Node, before: Money, paid: &str) -> Verdict {
    let expected = before.saturating_sub(Money::parse(paid).unwrap_or_default());
    let total = amount(order, "TotalAmountDue")?;
    hold(total == expected, || {
        format!("of {before} {paid} was paid, and TotalAmountDue is {total} instead of {expected}")
    })?;
    let lines = order
        .items("Lines")
        .iter()
        .map(|line| amount(line, "AmountDue"))
        .collect::<Verdict<Vec<_>>>()?;
    let sum: Money = lines.into_iter().sum();
    hold(sum == total, || {
        format!("TotalAmountDue is {total}, and its lines make {sum}")
    })
}
