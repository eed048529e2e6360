//! Answers of the provider, read: as SOAP, as a fault, as the result of an operation.

use mpay_domain::Money;

use super::{
    exchange::Answer,
    names::SOAP,
    node::Node,
    verdict::{Stop, Verdict, failed, hold},
};

pub(super) const GET_ORDER_DETAILS: &str = "GetOrderDetails";
pub(super) const CONFIRM_ORDER_PAYMENT: &str = "ConfirmOrderPayment";

/// An answer, read.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub answer: Answer,
    root: Result<Node, String>,
}

/// A SOAP fault as it came.
#[derive(Debug, Clone)]
pub(super) struct Fault<'a> {
    pub node: &'a Node,
    /// `faultcode` as it is written, trimmed.
    pub code: &'a str,
    pub reason: &'a str,
}

impl Fault<'_> {
    /// The code without a prefix.
    pub fn local_code(&self) -> &str {
        self.code.rsplit(':').next().unwrap_or(self.code)
    }
}

impl Reply {
    pub(super) fn of(answer: Answer) -> Self {
        let root = Node::parse(&answer.body);
        Self { answer, root }
    }

    pub fn header(&self, name: &str) -> &str {
        let found = self.answer.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn root(&self) -> Option<&Node> {
        self.root.as_ref().ok()
    }

    /// The child of the Body.
    pub fn content(&self) -> Option<&Node> {
        let root = self.root().filter(|root| root.is(SOAP, "Envelope"))?;
        root.children
            .iter()
            .find(|child| child.is(SOAP, "Body"))?
            .children
            .first()
    }

    pub fn fault(&self) -> Option<Fault<'_>> {
        let node = self.content().filter(|child| child.is(SOAP, "Fault"))?;
        Some(Fault {
            node,
            code: node.get("faultcode").unwrap_or_default(),
            reason: node.get("faultstring").unwrap_or_default(),
        })
    }

    /// The result of an operation.
    pub fn result(&self, operation: &str) -> Option<&Node> {
        let name = format!("{operation}Response");
        self.content()
            .filter(|child| child.name == name && self.answer.status < 400)
    }

    /// The orders of a `GetOrderDetailsResponse`.
    pub fn orders(&self) -> Option<&[Node]> {
        Some(
            self.result(GET_ORDER_DETAILS)?
                .items("GetOrderDetailsResult"),
        )
    }

    /// True if it says neither that the operation succeeded, nor anything about its content.
    pub fn is_refusal(&self) -> bool {
        match self.fault() {
            Some(fault) => !matches!(
                fault.local_code(),
                "UnknownOrder" | "UnknownService" | "UnknownInvoice" | "UnknownPayment"
            ),
            None => self.answer.status >= 400,
        }
    }

    /// The answer in a few words.
    pub fn described(&self) -> String {
        let status = self.answer.status;
        match (self.fault(), self.content()) {
            (Some(fault), _) => {
                format!("HTTP {status} with fault {} ({})", fault.code, fault.reason)
            }
            (None, Some(content)) => format!("HTTP {status} with {}", content.name),
            (None, None) => match &self.root {
                Ok(root) => format!("HTTP {status} with {}", root.name),
                Err(_) => {
                    let text = String::from_utf8_lossy(&self.answer.body);
                    let text: String = text.trim().chars().take(80).collect();
                    format!("HTTP {status} without SOAP: {text:?}")
                }
            },
        }
    }
}

/// The one order of an answer, which must be the one asked for.
pub(super) fn order_in(reply: &Reply, key: &str) -> Verdict<Node> {
    let Some(orders) = reply.orders() else {
        return failed(format!(
            "GetOrderDetails of {key} got {}",
            reply.described()
        ));
    };
    match orders.first() {
        Some(order) => Ok(order.clone()),
        None => failed(format!("GetOrderDetails of {key} got no order")),
    }
}

/// Fails unless a confirmation was accepted.
pub(super) fn accepted(purpose: &str, reply: &Reply) -> Verdict {
    hold(reply.result(CONFIRM_ORDER_PAYMENT).is_some(), || {
        format!("{purpose}: got {}", reply.described())
    })
}

/// True if MPay would let an order be paid.
pub(super) fn is_payable(order: &Node) -> bool {
    matches!(order.get("Status"), Some("Active" | "PartiallyPaid"))
}

/// An amount of a structure.
pub(super) fn amount(structure: &Node, name: &str) -> Verdict<Money> {
    let Some(text) = structure.get(name) else {
        return failed(format!("{} has no {name}", structure.name));
    };
    Money::parse(text).map_err(|error| Stop::Failed(format!("{name} is {text:?}: it {error}")))
}
