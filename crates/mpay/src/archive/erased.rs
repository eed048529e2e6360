//! The payments that were erased in the store at a person's request, by the words of its journal.

use std::collections::HashMap;

use serde_json::Value;

use super::file::Item;

/// The journal's words on erasures at a person's request, and on payments.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The places in the lists of orders before which they are erased.
    erased: HashMap<(String, String), u64>,
    /// Payments by their places in the journal.
    payments: HashMap<u64, Recorded>,
}

/// A payment in the journal.
#[derive(Debug)]
struct Recorded {
    payment_id: String,
    evidence: String,
    /// Its place in its order's list.
    version: u64,
}

impl Said {
    /// Adds an event, and of payments those of whose places is asked.
    pub(super) fn add(&mut self, event: &Value, is_asked: impl Fn(u64) -> bool) {
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let version = event["version"].as_u64();
        match event["type"].as_str() {
            Some("personal_data.erased")
                if event["reason"].as_str() == Some("request")
                    // Of a refused confirmation, which may name an order that was not erased.
                    && event["evidence"].is_null() =>
            {
                if let (Some(service), Some(key), Some(version)) =
                    (text("service_id"), text("order_key"), version)
                {
                    let erased = self.erased.entry((service, key)).or_default();
                    *erased = version.max(*erased);
                }
            }
            Some("payment.recorded") => {
                if let (Some(index), Some(payment_id), Some(evidence), Some(version)) = (
                    event["index"].as_u64().filter(|index| is_asked(*index)),
                    text("payment_id"),
                    text("evidence"),
                    version,
                ) {
                    let recorded = Recorded {
                        payment_id,
                        evidence,
                        version,
                    };
                    self.payments.insert(index, recorded);
                }
            }
            _ => {}
        }
    }

    /// True if this payment of this very store was erased. It stands in its order's list before the
    /// erasure; places in the journal may be the other way round.
    pub(super) fn is_erased(&self, item: &Item) -> bool {
        let order = (item.service_id.clone(), item.order_key.clone());
        let erased = self.erased.get(&order).copied().unwrap_or_default();
        self.payments.get(&item.index).is_some_and(|recorded| {
            (&recorded.payment_id, &recorded.evidence) == (&item.payment_id, &item.evidence)
                && recorded.version < erased
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::archive::file::tests::item;

    fn said(events: &[Value]) -> Said {
        let mut said = Said::default();
        events.iter().for_each(|event| said.add(event, |_| true));
        said
    }

    fn recorded(index: u64, version: u64) -> Value {
        json!({"type": "payment.recorded", "index": index, "payment_id": "P", "service_id": "TAX",
            "order_key": "1", "evidence": "e", "version": version})
    }

    fn erased(index: u64, version: u64, reason: &str) -> Value {
        json!({"type": "personal_data.erased", "index": index, "service_id": "TAX", "order_key": "1",
            "reason": reason, "by": "tester", "version": version})
    }

    #[test]
    fn what_was_erased_is_told_by_the_places_in_the_orders_list() {
        let (before, after) = (erased(9, 3, "request"), erased(5, 2, "request"));
        assert!(said(&[recorded(7, 2), before.clone()]).is_erased(&item(7, "P")));
        // The event of the erasure came late, or early.
        assert!(!said(&[recorded(7, 3), erased(9, 2, "request")]).is_erased(&item(7, "P")));
        assert!(said(&[erased(5, 3, "request"), recorded(7, 2)]).is_erased(&item(7, "P")));
        // The latest counts, whichever stands last.
        assert!(said(&[recorded(7, 2), before.clone(), after]).is_erased(&item(7, "P")));
        assert!(!said(&[recorded(7, 2), erased(9, 3, "retention")]).is_erased(&item(7, "P")));
        let mut refusal = before;
        refusal["evidence"] = json!("f");
        assert!(!said(&[recorded(7, 2), refusal]).is_erased(&item(7, "P")));
    }

    /// A folder may have been another provider's, or a backup may have been put back.
    #[test]
    fn only_what_this_store_has_at_this_place_is_taken_out() {
        let erasure = erased(9, 3, "request");
        let mut other = recorded(7, 2);
        other["evidence"] = json!("f");
        assert!(!said(&[other, erasure.clone()]).is_erased(&item(7, "P")));
        let mut other = recorded(7, 2);
        other["payment_id"] = json!("Q");
        assert!(!said(&[other, erasure.clone()]).is_erased(&item(7, "P")));
        assert!(!said(&[recorded(8, 2), erasure]).is_erased(&item(7, "P")));
    }
}
