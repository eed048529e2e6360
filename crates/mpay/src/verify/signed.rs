//! The signed content: the operation, and the payment that it confirms.

use mpay_client::NAMESPACE;
use serde::Serialize;
use wsse::{Element, Verified, names::SOAP};

use crate::{
    message::{child, member},
    terminal::Page,
};

/// The payment that a signed confirmation names, as it is written there.
#[derive(Serialize)]
pub(super) struct Payment {
    pub(super) payment_id: String,
    pub(super) service_id: String,
    pub(super) order_key: String,
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) paid_at: String,
    pub(super) lines: Vec<(String, String)>,
}

impl Payment {
    /// The verified confirmation, if the message is one.
    pub(super) fn read(verified: &Verified) -> Option<Payment> {
        let operation = body_child(verified)?;
        let confirmation = operation
            .is(NAMESPACE, "ConfirmOrderPayment")
            .then(|| child(operation, NAMESPACE, "confirmation"))??;
        let text = |name| member(confirmation, NAMESPACE, name).unwrap_or_default();
        let lines = child(confirmation, NAMESPACE, "Lines");
        let lines = lines.into_iter().flat_map(|lines| lines.children());
        Some(Payment {
            payment_id: text("PaymentID"),
            service_id: text("ServiceID"),
            order_key: text("OrderKey"),
            amount: text("TotalAmount"),
            currency: text("Currency"),
            paid_at: text("PaidAt"),
            lines: lines
                .map(|line| {
                    let text = |name| member(line, NAMESPACE, name).unwrap_or_default();
                    (text("LineID"), text("Amount"))
                })
                .collect(),
        })
    }

    pub(super) fn show(&self, page: &mut Page) {
        page.field("Payment", &self.payment_id);
        page.field(
            "Order",
            format!("{} of service {}", self.order_key, self.service_id),
        );
        page.field("Amount", format!("{} {}", self.amount, self.currency));
        page.field("Paid at", &self.paid_at);
        for (id, amount) in &self.lines {
            page.field("Line", format!("{id}: {amount}"));
        }
    }
}

/// The only child of the Body.
pub(super) fn body_child(verified: &Verified) -> Option<Element<'_>> {
    let mut children = verified.body().children();
    let child = children.next()?;
    children.next().is_none().then_some(child)
}

/// The name of the operation, or the fault.
pub(super) fn operation_name(verified: &Verified) -> String {
    match body_child(verified) {
        Some(fault) if fault.is(SOAP, "Fault") => {
            let code = member(fault, "", "faultcode").unwrap_or_default();
            format!("Fault {code}")
        }
        Some(child) => child.local_name().to_owned(),
        None => "none, or more than one".to_owned(),
    }
}
