//! `GET /api/orders/{service}/{key}/history`: the events of an order, and the person who caused each.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    document::read_object,
    endpoint::Endpoint,
    events::EventAnswer,
    json,
    order_answer::no_such_order,
    query::{Query, below, next_if_any},
};
use crate::{
    access::EVERYBODY,
    domain::{OrderKey, ServiceId, time},
    json::OrderJson,
    store::{HistoryEntry, Platform},
};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct HistoryAnswer {
    /// The events, the newest first.
    history: Vec<HappenedAnswer>,
    /// The `cursor` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct HappenedAnswer {
    /// The event, with the person who caused it.
    event: EventAnswer,
    /// For a version: the order from then on, with the status that was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderJson>,
    /// For a version after the first: the names of the members that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<String>,
}

/// `GET /api/orders/{service}/{key}/history`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}/history",
        roles: &EVERYBODY,
        parameters: &["cursor", "limit"],
        answer: |call, values, _| {
            Box::pin(async move { get(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "getOrderHistory", "The history of an order, the newest event first")
            .describe("Its versions, each with the person or program that made it; its payments, payments by card that were begun, refunds, voids, reviews and erasures. Each is shown as its event. No version contains data that was erased. Pass `next` as `cursor`. A page may be empty; the list ends when `next` is absent.")
            .takes(["service", "key", "cursor", "limit"])
            .answers(200, "A page.", as_json(schemas.answer::<HistoryAnswer>()))
            .fails([404])
        },
    }
}

/// Answers a page of an order's history.
pub async fn get<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let limit = usize::try_from(query.number("limit", 100, 1..=200)?).unwrap_or(usize::MAX);
    let before = below(call, &query).await?;
    let orders = call.store.orders();
    let page = orders.history(service, key, before, limit).await?;
    let page = page.ok_or_else(no_such_order)?;
    if page.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    let history = page.entries.into_iter().map(happened);
    let answer = HistoryAnswer {
        history: history.collect::<Result<_, _>>()?,
        next: next_if_any(call, page.next).await?,
    };
    json(StatusCode::OK, &answer)
}

fn happened(entry: HistoryEntry) -> Result<HappenedAnswer, Problem> {
    let (order, before) = entry.order.map(|versions| *versions).unzip();
    let changed = match (&order, before.flatten()) {
        (Some(order), Some(before)) => changed(&members(&before)?, &members(order)?),
        _ => Vec::new(),
    };
    Ok(HappenedAnswer {
        event: EventAnswer {
            index: entry.index,
            at: time::format(entry.at),
            event: entry.event,
            pay_url: None,
        },
        order,
        changed,
    })
}

/// The order as members. It is written as text and read again: both functions are in the component anyway, so
/// this adds nothing to its size.
fn members(order: &OrderJson) -> Result<Map<String, Value>, Problem> {
    read_object(&serde_json::to_vec(order).map_err(Problem::internal)?)
}

/// The members that only one of two documents has, or that differ.
fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let other = after.iter();
    let other = other.filter(|(name, value)| before.get(*name) != Some(value));
    let names = other.map(|(name, _)| name).chain(gone);
    names.cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::Api, *};
    use crate::store::testing::record;

    const HISTORY: &str = "orders/TAX/1/history";

    async fn put(api: &Api, order: Value) {
        let answer = api.call("PUT", "orders/TAX/1", "", order.to_string()).await;
        assert!(answer.status < 300, "{}", answer.text);
    }

    fn order(name: &str, amount: &str) -> Value {
        json!({
            "reason": "Taxă", "customer_name": name, "customer_id": "2001000000001",
            "metadata": {"clerk": {"value": name, "personal": true}, "fund": "7"},
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": amount,
                       "properties": [{"name": "flat", "display_name": "Ap.", "value": name}]}]
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_history_says_what_was_changed_and_by_whom() {
        let api = Api::new();
        assert_eq!(api.get(HISTORY).await.status, 404);
        put(&api, order("Ana", "10")).await;
        let api = api.in_role(crate::access::Role::Clerk);
        put(&api, order("Ana Rusu", "12")).await;
        record(&api.memory, "P", "1", "12").await.unwrap();
        let media_type = "application/merge-patch+json";
        let complete = r#"{"status": "Completed"}"#;
        api.call("PATCH", "orders/TAX/1", media_type, complete)
            .await;
        let page = api.get(HISTORY).await.json();
        let seen: Vec<_> = page["history"].as_array().unwrap().iter().collect();
        let of = |name: &str| {
            seen.iter()
                .map(|entry| entry["event"][name].clone())
                .collect::<Vec<_>>()
        };
        let kinds = [
            "order.completed",
            "payment.recorded",
            "order.amended",
            "order.registered",
        ];
        assert_eq!(of("type"), kinds);
        assert_eq!(
            of("by"),
            [json!("clerk"), Value::Null, json!("clerk"), json!("tester")]
        );
        assert_eq!(of("index"), [4, 3, 2, 1]);
        assert_eq!(seen[0]["changed"], json!(["status"]));
        assert_eq!(
            seen[2]["changed"],
            json!(["customer_name", "lines", "metadata", "total_amount_due"])
        );
        assert_eq!(seen[2]["order"]["customer_name"], "Ana Rusu");
        assert_eq!(seen[3]["order"]["customer_name"], "Ana");
        assert_eq!(seen[3].get("changed"), None);
        assert_eq!(seen[1]["event"]["payment_id"], "P");
        assert_eq!(page.get("next"), None);
        // The same history in pages.
        let mut address = format!("{HISTORY}?limit=1");
        for entry in &seen {
            let page = api.get(&address).await.json();
            assert_eq!(page["history"], json!([entry]));
            let next = page["next"].as_str().unwrap_or_default();
            address = format!("{HISTORY}?limit=1&cursor={next}");
        }
        for wrong in ["limit=0", "cursor=x", "cursor=0", "x=1"] {
            let answer = api.get(&format!("{HISTORY}?{wrong}")).await;
            assert_eq!(answer.status, 400, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_history_is_read_in_parts_that_cost_the_same() {
        let mut costs = Vec::new();
        for versions in [406, 918] {
            let api = Api::new();
            for n in 1..=versions {
                put(&api, order("Ana", &n.to_string())).await;
            }
            api.memory.take_calls();
            let newest = api.get(HISTORY).await.json();
            costs.push(api.memory.take_calls().len());
            let mut page = newest;
            let mut amounts = Vec::new();
            loop {
                for entry in page["history"].as_array().unwrap() {
                    let amount = &entry["order"]["lines"][0]["amount_due"];
                    amounts.push(amount.as_str().unwrap().to_owned());
                    // The changes are known also for the oldest entry of each page.
                    let is_first = entry["event"]["version"] == 1;
                    let changed = if is_first {
                        Value::Null
                    } else {
                        json!(["lines", "total_amount_due"])
                    };
                    assert_eq!(entry["changed"], changed, "{entry}");
                }
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                page = api.get(&format!("{HISTORY}?cursor={next}")).await.json();
            }
            let all: Vec<_> = (1..=versions).rev().map(|n| format!("{n}.00")).collect();
            assert_eq!(amounts, all);
        }
        assert_eq!(costs[0], costs[1]);
    }

    /// An erasure is recorded first and then carried out. In this test it was interrupted, or a late write
    /// brought an entry back.
    #[tokio::test(start_paused = true)]
    async fn what_was_erased_is_in_no_version_though_it_is_still_there() {
        // This also holds if neither the erasure nor the version before it is on the page.
        for more in [0, 1, 150] {
            let api = Api::new();
            put(&api, order("Ștefania", "10")).await;
            put(&api, order("Ștefania", "11")).await;
            for n in 0..more {
                put(&api, order("Ștefania", &format!("{}", n + 12))).await;
            }
            api.call("DELETE", "orders/TAX/1", "", "").await;
            let keys = api.memory.keys_with("Ștefania");
            let kept = keys
                .iter()
                .map(|key| (key.clone(), api.memory.value(key).unwrap()));
            let kept: Vec<_> = kept.collect();
            assert!(!kept.is_empty());
            let mut address = "erasures".to_owned();
            loop {
                let body = r#"{"service_id": "TAX", "order_key": "1"}"#;
                let done = api.call("POST", &address, "", body).await.json();
                let Some(next) = done["next"].as_str() else {
                    break;
                };
                address = format!("erasures?cursor={next}");
            }
            assert_eq!(api.memory.keys_with("Ștefania"), [""; 0], "{more}");
            for (key, value) in kept {
                api.memory.overwrite(&key, value);
            }
            let mut address = HISTORY.to_owned();
            let mut versions = 0;
            loop {
                let page = api.get(&address).await;
                // The history does not name these members as changed either.
                for text in ["Ștefania", "2001000000001", "customer"] {
                    assert!(!page.text.contains(text), "{more}: {}", page.text);
                }
                let page = page.json();
                let history = page["history"].as_array().unwrap();
                versions += history
                    .iter()
                    .filter(|entry| entry["order"].is_object())
                    .count();
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                address = format!("{HISTORY}?cursor={next}");
            }
            assert_eq!(versions, 3 + more, "{more}");
        }
    }
}
