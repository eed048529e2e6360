//! Numbers of invoices. An order has one, whenever and wherever it is asked for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

/// Invoices whose orders are remembered.
const KEPT: usize = 10_000;

/// The `InvoiceID` of an order: fourteen digits with zeros in front, as MPay writes them. They follow
/// from service and order key, so that they outlive a restart.
pub fn number(service_id: &str, order_key: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(
        u64::try_from(service_id.len())
            .unwrap_or_default()
            .to_be_bytes(),
    );
    hasher.update(service_id);
    hasher.update(order_key);
    let head = hasher.finalize().iter().take(8).fold(0, |number, byte| {
        (number << 8 | u128::from(*byte)) % 900_000_000_000
    });
    format!("{:014}", head + 100_000_000_000)
}

/// The orders of invoices. Only of invoices that were asked for since the start.
#[derive(Debug, Default)]
pub struct Invoices(Mutex<HashMap<String, (String, String)>>);

impl Invoices {
    /// The number of an order's invoice, which is remembered.
    pub fn of_order(&self, service_id: &str, order_key: &str) -> String {
        let number = number(service_id, order_key);
        let mut known = self.known();
        if known.len() < KEPT {
            known.insert(number.clone(), (service_id.into(), order_key.into()));
        }
        number
    }

    /// `ServiceID` and `OrderKey` of an invoice.
    pub fn order(&self, number: &str) -> Option<(String, String)> {
        self.known().get(number).cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_keeps_its_number_and_others_have_others() {
        assert_eq!(number("DEMO", "DEMO-1"), number("DEMO", "DEMO-1"));
        assert_ne!(number("DEMO", "DEMO-1"), number("DEMOD", "EMO-1"));
        assert_ne!(number("DEMO", "DEMO-1"), number("DEMO", "DEMO-2"));
        let number = number("DEMO", "DEMO-1");
        assert!(number.len() == 14 && number.starts_with("00"), "{number}");
        let invoices = Invoices::default();
        let number = invoices.of_order("S", "K");
        assert_eq!(invoices.order(&number), Some(("S".into(), "K".into())));
        assert_eq!(invoices.order("1"), None);
    }
}
