//! Statuses of orders, and money that comes when they say no.

use mpay_domain::Money;

use crate::{
    check::{Check, must, should},
    orders::Role,
    reply::amount,
    session::Session,
    verdict::{Verdict, hold},
};

const RULE: &str = "Structures: OrderStatus: Active and PartiallyPaid can be paid; Paid, Completed, Expired, Cancelled, Refunding, Refunded cannot";
const MONEY: &str = "Settled readings: money for an order in any status is taken and flagged for review; MPay confirms money that has moved";

pub const CHECKS: &[Check] = &[
    must(
        "status.active",
        "An order that waits for its payment is Active",
        RULE,
        |s| shows(s, Role::Plain, "Active"),
    ),
    must(
        "status.expired",
        "An order past its due date is Expired",
        RULE,
        |s| shows(s, Role::Expired, "Expired"),
    ),
    must(
        "status.cancelled",
        "A cancelled order is Cancelled",
        RULE,
        |s| shows(s, Role::Cancelled, "Cancelled"),
    ),
    must(
        "status.completed",
        "A completed order is Completed",
        RULE,
        |s| shows(s, Role::Completed, "Completed"),
    ),
    must(
        "status.refunding",
        "An order that is being refunded is Refunding",
        RULE,
        |s| shows(s, Role::Refunding, "Refunding"),
    ),
    must(
        "status.refunded",
        "A refunded order is Refunded",
        RULE,
        |s| shows(s, Role::Refunded, "Refunded"),
    ),
    must(
        "status.paid",
        "A paid order still answers, with its lines and nothing due",
        "Settled readings: a paid order still answers with its lines and status Paid; TotalAmountDue and every AmountDue 0.00",
        |s| {
            let order = s.paid_order()?;
            let key = order.get("OrderKey").unwrap_or_default().to_owned();
            let order = s.details(&key, "ro")?;
            hold(order.get("Status") == Some("Paid"), || {
                format!("the order is {}", order.get("Status").unwrap_or("—"))
            })?;
            hold(!order.items("Lines").is_empty(), || {
                "it has no lines".into()
            })?;
            for line in order.items("Lines") {
                hold(amount(line, "AmountDue").is_ok_and(Money::is_zero), || {
                    format!("AmountDue is {}", line.get("AmountDue").unwrap_or("absent"))
                })?;
            }
            Ok(())
        },
    ),
    should(
        "status.paid-twice",
        "A second payment of a paid order is taken",
        MONEY,
        |s| {
            let order = s.order(Role::Plain)?;
            let payment = s.payment_of(&order)?;
            s.confirmed("a payment in full", &payment)?;
            let again = s.payment_of(&order)?;
            s.confirmed("another payment in full, with another PaymentID", &again)
        },
    ),
    should(
        "status.money-for-expired",
        "A payment of an expired order is taken",
        MONEY,
        |s| takes_money(s, Role::Expired),
    ),
    should(
        "status.money-for-cancelled",
        "A payment of a cancelled order is taken",
        MONEY,
        |s| takes_money(s, Role::Cancelled),
    ),
];

fn shows(s: &mut Session, role: Role, status: &str) -> Verdict {
    let order = s.look(role)?;
    s.show(role);
    hold(order.get("Status") == Some(status), || {
        format!(
            "the order {} is {} instead of {status}",
            order.get("OrderKey").unwrap_or("?"),
            order.get("Status").unwrap_or("without Status")
        )
    })
}

fn takes_money(s: &mut Session, role: Role) -> Verdict {
    let order = s.order(role)?;
    let payment = s.payment_of(&order)?;
    s.confirmed("a payment that comes late", &payment)
}
