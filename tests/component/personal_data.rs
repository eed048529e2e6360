use serde_json::{Value, json};

use crate::harness::*;

const NAME: &str = "Ion Țurcanu";
const IDNP: &str = "2004001234567";
const PHONE: &str = "079123456";

impl Provider {
    /// Has orders with everything that is known of a person, the first of them paid.
    fn with_orders(variables: &[(&str, &str)]) -> Self {
        let provider = Self::start_with(variables, None);
        for key in ["1", "2"] {
            let mut order = order("10");
            order["customer_id"] = IDNP.into();
            order["customer_name"] = NAME.into();
            order["properties"] = json!([
                {"name": "Telefon", "display_name": "Telefon", "type": "tc", "modifiable": true, "value": "069000000"}
            ]);
            provider.register(key, order);
        }
        let mut confirmation = confirmation("1", "P", "10");
        confirmation.properties = vec![("Telefon".into(), PHONE.into())];
        let paid = provider.mpay().confirm(&confirmation).unwrap();
        assert_eq!(code(paid), "ok");
        provider
    }

    fn erase(&self, body: &Value) -> ApiAnswer {
        self.api("POST", "erasures", Some(body))
    }

    /// The keys at which the store still has this text of a person.
    fn traces(&self, text: &str) -> Vec<String> {
        let mut keys = self.keys("");
        keys.retain(|key| {
            let value = self.stored(key).unwrap();
            value
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        });
        keys
    }

    /// Lets everything that is recorded have happened so long ago.
    fn age(&self, days: i64) {
        let mut aged = Vec::new();
        for key in self.keys("") {
            let value = self.stored(&key).unwrap();
            let Ok(Value::Object(mut entry)) = serde_json::from_slice::<Value>(&value) else {
                continue;
            };
            if let Some(Value::String(at)) = entry.get("at") {
                let at: jiff::Timestamp = at.parse().unwrap();
                let earlier = at - jiff::SignedDuration::from_hours(24 * days);
                entry["at"] = earlier.to_string().into();
                aged.push((key, serde_json::to_vec(&entry).unwrap()));
            }
        }
        self.load(&aged);
    }
}

#[test]
fn personal_data_of_a_closed_order_is_erased_when_it_is_old_enough() {
    let provider = Provider::with_orders(&[("personal_data_retention", "365")]);
    let before = provider.order("1");
    provider.age(364);
    let nothing = provider.api("POST", "erasures", None);
    assert_eq!(nothing.status, 200, "{nothing:?}");
    assert_eq!(nothing.body["erased"], json!([]));
    provider.age(2);
    let erased = provider.api("POST", "erasures", None);
    assert_eq!(
        erased.body,
        json!({"erased": [{"service_id": SERVICE, "order_key": "1"}], "messages": 1, "kept": []})
    );
    assert_eq!(provider.traces(PHONE), [""; 0]);

    // What was paid, and how it is found, stays.
    let after = provider.order("1");
    for member in ["status", "amount_paid", "reason", "lines"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(after["payments"][0]["payment_id"], "P");
    for member in ["customer_id", "customer_name"] {
        assert_eq!(after.get(member), None);
        assert!(before[member].is_string());
    }
    let details = provider.details("1");
    assert_eq!(details.get("Status"), Some("Paid"));
    assert_eq!(details.get("CustomerName"), None);
    let known = provider.order("2");
    assert_eq!(known["customer_name"], NAME);

    let evidence = provider.api("GET", "payments/P/evidence", None);
    assert_eq!(evidence.status, 410, "{evidence:?}");
    let detail = evidence.body["detail"].as_str().unwrap();
    assert!(detail.contains("SHA-256"), "{detail}");
    let events = provider.api("GET", "events?limit=200", None).body;
    let mut events = events["events"].as_array().unwrap().iter();
    let event = events.find(|event| event["type"] == "personal_data.erased");
    let event = event.unwrap();
    assert_eq!(
        (&event["order_key"], &event["reason"]),
        (&json!("1"), &json!("retention"))
    );

    // MPay repeats what it repeats.
    let mut again = confirmation("1", "P", "10");
    again.properties = vec![("Telefon".into(), PHONE.into())];
    assert_eq!(code(provider.mpay().confirm(&again).unwrap()), "ok");
    assert_eq!(provider.traces(PHONE), [""; 0]);
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_customer_is_erased_on_request_except_from_what_is_still_to_be_paid() {
    let provider = Provider::with_orders(&[]);
    let answer = provider.erase(&json!({"customer_id": IDNP}));
    assert_eq!(
        answer.body,
        json!({
            "erased": [{"service_id": SERVICE, "order_key": "1"}], "messages": 1,
            "kept": [{"service_id": SERVICE, "order_key": "2", "reason": "it is Active"}]
        })
    );
    let cancelled = provider.api("DELETE", "orders/TAX/2", None);
    assert!(cancelled.status < 300, "{cancelled:?}");
    let answer = provider.erase(&json!({"service_id": SERVICE, "order_key": "2"}));
    assert_eq!(answer.body["erased"][0]["order_key"], "2");
    for text in [NAME, IDNP, PHONE] {
        assert_eq!(provider.traces(text), [""; 0]);
    }
}

#[test]
fn an_erasure_that_is_not_meant_erases_nothing() {
    let provider = Provider::with_orders(&[]);
    let without_variable = provider.api("POST", "erasures", None);
    assert_eq!(without_variable.status, 409);
    let detail = without_variable.body["detail"].to_string();
    assert!(detail.contains("personal_data_retention"), "{detail}");
    for (body, field) in [
        (json!({"customer_id": ""}), "customer_id"),
        (
            json!({"customer_id": IDNP, "order_key": "1"}),
            "customer_id",
        ),
        (json!({"order_key": "1"}), "service_id"),
        (json!({"service_id": SERVICE}), "order_key"),
        (json!({"customer": IDNP}), "customer"),
        (json!({"customer_id": null}), "customer_id"),
    ] {
        let refused = provider.erase(&body);
        assert_eq!(refused.status, 422, "{body} {refused:?}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    let nobody = provider.erase(&json!({"customer_id": "2004007654321"}));
    assert_eq!(
        nobody.body,
        json!({"erased": [], "messages": 0, "kept": []})
    );
    assert_eq!(provider.order("1")["customer_name"], NAME);
}
