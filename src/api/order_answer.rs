//! An order as the API answers it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Problem, checks, payments::VoidedAnswer, reviews::ReviewsAnswer};
use crate::{
    json::{FieldError, OrderJson, PaymentJson},
    store::StoredOrder,
};

/// An order with its status, what is paid and due, and its payments.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct OrderAnswer<'a> {
    #[serde(flatten)]
    order: OrderJson,
    amount_paid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_due: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_overpaid: Option<String>,
    payments: Vec<PaymentAnswer<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<FieldError>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "OrderPaymentAnswer"))]
pub(super) struct PaymentAnswer<'a> {
    #[serde(flatten)]
    payment: &'a PaymentJson,
    #[serde(flatten)]
    reviews: ReviewsAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided: Option<VoidedAnswer>,
}

impl<'a> OrderAnswer<'a> {
    /// Describes an order as it is at the time `now`.
    pub fn of(stored: &'a StoredOrder, now: Timestamp) -> Result<Self, Problem> {
        let order = stored
            .state
            .order()
            .ok_or_else(|| Problem::internal("an order without versions"))?;
        let mut order = OrderJson::from(order);
        let warnings = checks::warnings(&order);
        order.status = Some(stored.state.status(now).as_str().to_owned());
        let payments = stored
            .payments
            .iter()
            .zip(stored.state.payments())
            .map(|(payment, state)| PaymentAnswer {
                payment,
                reviews: state.into(),
                voided: state.voided.as_ref().map(VoidedAnswer::from),
            })
            .collect();
        Ok(Self {
            order,
            amount_paid: stored.state.amount_paid().to_string(),
            amount_due: stored.state.amount_due().map(|due| due.to_string()),
            amount_overpaid: Some(stored.state.amount_overpaid())
                .filter(|amount| !amount.is_zero())
                .map(|amount| amount.to_string()),
            payments,
            warnings,
        })
    }
}
