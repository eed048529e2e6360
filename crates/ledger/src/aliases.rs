//! The index of aliases, by which orders are found under their other names.
//!
//! The orders of a name stand in a list, whose key has a digest of the name under the store's secret,
//! since a fiscal code identifies a person. An entry is written before the version of the order that has
//! the alias, and names only an order to look at: the order's present version tells if it has the alias.
//! So an entry of a change that broke off, or of an alias that was removed, does no harm, and nobody
//! waits for a place that stays empty.

use std::collections::{BTreeMap, HashSet};

use mpay_log::{BLOCK, Entry, Listing, entry_key, parse_counter, stored_entry};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError, keys,
    order_list::OrderEntry,
    record::{Key, Write, over_the_log_and_the_secret, to_json},
};
use crate::{
    domain::{Order, OrderKey, ServiceId},
    json::MetadatumJson,
};

/// The number of times that entries are written whose places were passed by.
const TRIES: u32 = 5;
/// The most entries of a name that one call looks at: the latest.
pub(super) const MOST: u64 = BLOCK - 1;

over_the_log_and_the_secret! {
    /// The index of aliases.
    pub(super) struct Aliases
}

/// A name, and the order that has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Naming {
    pub service: ServiceId,
    pub name: OrderKey,
    pub order: OrderKey,
}

/// An entry of a name's list.
#[derive(Debug, Serialize, Deserialize)]
struct NamedOrder {
    /// Absent where it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_key: Option<String>,
}

/// Some entries of a name, the newest first.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The orders, each once, and their places in the list.
    pub orders: Vec<(u64, OrderKey)>,
    /// The place to go on below; `None` at the end.
    pub next: Option<u64>,
    /// True if the place to look below is beyond the end of the list.
    pub is_beyond_end: bool,
}

/// The names that a change gives to its order, and that the order did not have before.
pub(super) fn added(
    entry: &OrderEntry,
    before: Option<&Order>,
    service: &ServiceId,
    order: &OrderKey,
) -> Vec<Naming> {
    let (OrderEntry::Version(json) | OrderEntry::Created { order: json, .. }) = entry else {
        return Vec::new();
    };
    let names = names(&json.aliases);
    let added = names.filter(|name| before.is_none_or(|before| !before.has_alias(name)));
    let naming = |name| Naming {
        service: service.clone(),
        name,
        order: order.clone(),
    };
    added.map(naming).collect()
}

/// Aliases, as names.
fn names<'a>(
    aliases: impl IntoIterator<Item = &'a MetadatumJson>,
) -> impl Iterator<Item = OrderKey> {
    let aliases = aliases.into_iter();
    aliases.filter_map(|alias| OrderKey::parse(alias.value()).ok())
}

/// The names in an entry of an order's list that identify a person.
pub(super) fn personal(entry: &OrderEntry) -> Vec<OrderKey> {
    let (OrderEntry::Version(json) | OrderEntry::Created { order: json, .. }) = entry else {
        return Vec::new();
    };
    names(json.aliases.iter().filter(|alias| alias.is_personal())).collect()
}

impl<P: Platform> Aliases<'_, P> {
    async fn list(self, service: &ServiceId, name: &OrderKey) -> Result<String, StoreError> {
        let secret = self.secrets.get().await?;
        let folded = name.folded();
        let digest = secret.digest("alias", &[service.as_str().as_bytes(), folded.as_bytes()]);
        let service = keys::encode(service.as_str());
        Ok(format!("{}/{service}/{digest}", keys::ALIAS))
    }

    /// Enters the names of orders into the index, before the orders have them.
    pub async fn enter(self, names: &[Naming]) -> Result<(), StoreError> {
        if mutated(Mutation::AliasNotIndexed) {
            return Ok(());
        }
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for naming in names {
            let entry = to_json(&NamedOrder {
                order_key: Some(naming.order.to_string()),
            })?;
            let list = self.list(&naming.service, &naming.name).await?;
            lists.entry(list).or_default().push(entry);
        }
        for _ in 0..TRIES {
            if lists.is_empty() {
                return Ok(());
            }
            let mut entries = Vec::new();
            for (list, texts) in &lists {
                let places = u64::try_from(texts.len()).unwrap_or(u64::MAX);
                let slots = self.log.take_many(list, places).await?;
                entries.extend(slots.into_iter().zip(texts).map(|it| (list, it)));
            }
            let places: Vec<_> = entries
                .iter()
                .map(|(_, (slot, text))| (slot, text.as_str()))
                .collect();
            let filled = self.log.fill(&places, Vec::new()).await?;
            let mut again: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (list, (slot, text)) in &entries {
                if !filled.is_alive(slot) {
                    again
                        .entry((*list).clone())
                        .or_default()
                        .push((*text).clone());
                }
            }
            lists = again;
        }
        let list = lists.into_keys().next().unwrap_or_default();
        Err(StoreError::Contested(list))
    }

    /// The orders that may have a name, the newest entry first, from at most [`MOST`] entries below a
    /// place of the name's list. A name that no order has costs one read.
    pub async fn of(
        self,
        service: &ServiceId,
        name: &OrderKey,
        before: Option<u64>,
    ) -> Result<Named, StoreError> {
        if !self.secrets.is_made().await? {
            return Ok(Named::default());
        }
        let list = self.list(service, name).await?;
        let Some(counter) = self.log.get(&list).await? else {
            return Ok(Named {
                is_beyond_end: before.is_some_and(|before| before > 1),
                ..Named::default()
            });
        };
        let length = parse_counter(&counter)
            .ok_or_else(|| Key::new(list.clone()).corrupt("not a counter"))?;
        let last = before.map_or(length, |before| before.saturating_sub(1));
        let last = last.min(length);
        let first = last.saturating_sub(MOST - 1).max(1);
        let mut named = Named {
            is_beyond_end: before.is_some_and(|before| before > length.saturating_add(1)),
            next: (first > 1).then_some(first),
            ..Named::default()
        };
        if last == 0 {
            return Ok(named);
        }
        let part: Listing<NamedOrder> = self.log.read_part(&list, first, last - first + 1).await?;
        let mut seen = HashSet::new();
        for entry in part.entries.iter().rev() {
            if let Some(order) = order_of(entry)
                && seen.insert(order.clone())
            {
                named.orders.push((entry.index, order));
            }
        }
        Ok(named)
    }

    /// Enters again the names of an order that the index has lost; gives their number.
    pub async fn mend(self, order: &Order) -> Result<usize, StoreError> {
        let mut lost = Vec::new();
        for alias in &order.aliases {
            let is_here = |entry: &Entry<NamedOrder>| {
                order_of(entry).is_some_and(|known| known == order.order_key)
            };
            let list = self.list(&order.service_id, &alias.name).await?;
            if !self.all(&list).await?.iter().any(is_here) {
                lost.push(Naming {
                    service: order.service_id.clone(),
                    name: alias.name.clone(),
                    order: order.order_key.clone(),
                });
            }
        }
        self.enter(&lost).await?;
        Ok(lost.len())
    }

    /// The writes that remove these names of an order from the index.
    pub async fn erased(
        self,
        service: &ServiceId,
        order: &OrderKey,
        names: &HashSet<OrderKey>,
    ) -> Result<Vec<Write>, StoreError> {
        let mut erased = Vec::new();
        let nothing = to_json(&NamedOrder { order_key: None })?;
        for name in names {
            let list = self.list(service, name).await?;
            for entry in self.all(&list).await? {
                if order_of(&entry).as_ref() == Some(order) {
                    let key = entry_key(&list, entry.index);
                    erased.push((key, stored_entry(entry.at, &nothing)));
                }
            }
        }
        Ok(erased)
    }

    async fn all(self, list: &str) -> Result<Vec<Entry<NamedOrder>>, StoreError> {
        Ok(self.log.read_all(list).await?.entries)
    }
}

fn order_of(entry: &Entry<NamedOrder>) -> Option<OrderKey> {
    let key = entry.value.order_key.as_deref()?;
    OrderKey::parse(key).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        Cursor, Erasure, Ledger, Precondition, Span,
        domain::SetStatus,
        json::OrderJson,
        memory::{Fault, Memory},
        testing::{order, order_json, put, stored},
    };

    const PERSON: &str = "2004001234567";

    fn key(text: &str) -> OrderKey {
        OrderKey::parse(text).unwrap()
    }

    fn with(order: &str, aliases: serde_json::Value) -> Order {
        let json = OrderJson {
            aliases: serde_json::from_value(aliases).unwrap(),
            ..order_json(order, "10")
        };
        json.to_order().unwrap()
    }

    async fn register(memory: &Memory, order: &Order) {
        put(memory, order, Precondition::None).await.unwrap();
    }

    async fn named_in(memory: &Memory, service: &str, name: &str) -> Vec<String> {
        let service = ServiceId::parse(service).unwrap();
        let store = Ledger::new(memory.clone());
        let orders = store.orders().named(&service, &key(name)).await.unwrap();
        let keys = orders.iter().filter_map(|order| order.state.order());
        keys.map(|order| order.order_key.to_string()).collect()
    }

    async fn named(memory: &Memory, name: &str) -> Vec<String> {
        named_in(memory, "TAX", name).await
    }

    /// The entries of the index that name an order.
    fn entries(memory: &Memory) -> usize {
        let keys = memory.keys_with("order_key").into_iter();
        keys.filter(|key| key.starts_with("alias/")).count()
    }

    #[tokio::test(start_paused = true)]
    async fn orders_are_found_by_all_their_names_in_any_spelling() {
        let memory = Memory::empty();
        register(&memory, &with("1", json!(["AC-77", "Contract 5"]))).await;
        register(&memory, &with("2", json!(["ac 77"]))).await;
        assert_eq!(named(&memory, "АС-77").await, ["1"]);
        assert_eq!(named(&memory, "AC77").await, ["2"]);
        register(&memory, &with("2", json!(["ac 77", "AС-77"]))).await;
        assert_eq!(named(&memory, "ac-77").await, ["2", "1"]);
        assert_eq!(named(&memory, "contract5").await, ["1"]);
        assert_eq!(named_in(&memory, "SCHOOL", "AC-77").await, [""; 0]);
        // The entry in the index of an alias that an amendment removes is left, and does no harm.
        register(&memory, &with("1", json!(["Contract 5"]))).await;
        assert_eq!(named(&memory, "AC-77").await, ["2"]);
        register(&memory, &with("1", json!(["AC-77"]))).await;
        assert_eq!(named(&memory, "AC-77").await, ["1", "2"]);
        let with = memory.keys_with("AC-77");
        assert!(with.iter().all(|key| key.starts_with("order/")), "{with:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_shares_no_name_with_another() {
        let memory = Memory::new();
        let mut school = OrderJson::from(&with("1", json!(["A"])));
        school.service_id = Some("SCHOOL".to_owned());
        register(&memory, &school.to_order().unwrap()).await;
        register(&memory, &with("1", json!(["B"]))).await;
        assert_eq!(named_in(&memory, "SCHOOL", "A").await, ["1"]);
        assert_eq!(named(&memory, "A").await, [""; 0]);
        assert_eq!(named(&memory, "B").await, ["1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_has_costs_one_read_and_writes_nothing() {
        let memory = Memory::empty();
        assert_eq!(named(&memory, "A").await, [""; 0]);
        assert_eq!(memory.take_calls().len(), 1, "there is no secret");
        register(&memory, &with("1", json!(["A"]))).await;
        let store = Ledger::new(memory.clone());
        store.secret().await.unwrap();
        memory.take_calls();
        let service = ServiceId::parse("TAX").unwrap();
        store.orders().named(&service, &key("B")).await.unwrap();
        let calls = memory.take_calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert!(calls[0].starts_with("get"), "{calls:?}");
    }

    /// However far a registration came before it broke off, a caller who was told that it is done finds
    /// the order.
    #[tokio::test(start_paused = true)]
    async fn an_order_that_is_there_is_found_by_its_names() {
        for fault in [Fault::Fail, Fault::Drop, Fault::Cut, Fault::CutAfter] {
            for position in 0..14 {
                let memory = Memory::new();
                memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
                let order = with("1", json!(["A", {"value": PERSON, "personal": true}]));
                let begun = put(&memory, &order, Precondition::None);
                let _ = tokio::time::timeout(Duration::from_secs(5), begun).await;
                memory.script([]);
                tokio::time::sleep(Duration::from_secs(60)).await;
                let is_there = stored(&memory, "1").await.is_some();
                let found = named(&memory, PERSON).await;
                assert_eq!(!found.is_empty(), is_there, "{fault:?} at {position}");
                register(&memory, &order).await;
                assert_eq!(named(&memory, "A").await, ["1"], "{fault:?} at {position}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_orders_at_once_are_found_too() {
        let memory = Memory::new();
        let orders: Vec<_> = (0..60)
            .map(|n| with(&n.to_string(), json!(["ALL", format!("OF-{}", n % 7)])))
            .collect();
        let keys: Vec<_> = orders
            .iter()
            .map(|order| (order.service_id.clone(), order.order_key.clone()))
            .collect();
        let store = Ledger::new(memory.clone());
        let results = store
            .orders()
            .change_many::<()>(crate::Intent::Make { by: "tester" }, &keys, |row, _| {
                Ok(orders[row].clone())
            })
            .await;
        assert!(results.iter().all(Result::is_ok));
        let all = named(&memory, "all").await;
        assert_eq!(all.len(), 60);
        assert_eq!((all[0].as_str(), all[59].as_str()), ("59", "0"));
        assert_eq!(named(&memory, "of-3").await.len(), 9);
        // The list of orders goes on where it ended, and shows each once.
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let service = ServiceId::parse("TAX").unwrap();
            let name = (&service, &key("all"));
            let register = store.register();
            let page = register.named(name, before, 25, Span::ALWAYS, |_| true);
            let page = page.await.unwrap();
            for order in &page.orders {
                let key = order.order.state.order().unwrap().order_key.to_string();
                let event = memory.value(&format!("journal/{}", order.index)).unwrap();
                let event = String::from_utf8(event).unwrap();
                assert!(
                    event.contains(&format!(r#""order_key":"{key}""#)),
                    "{event}"
                );
                seen.push(key);
            }
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[tokio::test(start_paused = true)]
    async fn an_erasure_takes_the_names_of_a_person_and_no_others() {
        let memory = Memory::new();
        let aliases = json!(["C-5", {"value": PERSON, "personal": true}]);
        register(&memory, &with("1", aliases.clone())).await;
        register(&memory, &with("2", aliases.clone())).await;
        let closed = OrderJson {
            status: Some(SetStatus::Cancelled.as_str().to_owned()),
            ..OrderJson::from(&with("1", aliases))
        };
        register(&memory, &closed.to_order().unwrap()).await;
        let before = entries(&memory);
        let store = Ledger::new(memory.clone());
        let person = Erasure::Customer(PERSON.to_owned());
        let erased = store
            .erasures()
            .erase(&person, &Cursor::default(), "tester")
            .await
            .unwrap();
        assert_eq!(erased.erased.len(), 1, "{erased:?}");
        assert_eq!(erased.kept.len(), 1, "the other is open: {erased:?}");
        assert_eq!(named(&memory, PERSON).await, ["2"]);
        assert_eq!(named(&memory, "C-5").await, ["2", "1"]);
        assert_eq!(entries(&memory), before - 1);
        // Sent again, as systems do every night, it brings nothing back.
        register(&memory, &closed.to_order().unwrap()).await;
        assert_eq!(named(&memory, PERSON).await, ["2"]);
        assert_eq!(
            memory.keys_with(PERSON).len(),
            1,
            "the version of the other"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_repair_enters_again_what_the_index_has_lost() {
        let memory = Memory::new();
        register(&memory, &with("1", json!(["A", "B"]))).await;
        register(&memory, &order("2", "10")).await;
        let keys = memory.keys_with("order_key").into_iter();
        let keys: Vec<_> = keys.filter(|key| key.starts_with("alias/")).collect();
        assert_eq!(keys.len(), 2);
        memory.remove(&keys[0]);
        for mended in [1, 0] {
            let store = Ledger::new(memory.clone());
            let repair = store.repairs().block(&Cursor::default()).await.unwrap();
            assert_eq!(repair.aliases, mended);
            for name in ["A", "B"] {
                assert_eq!(named(&memory, name).await, ["1"], "{name}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_aliases_is_named() {
        let errors = |aliases| {
            let json = OrderJson {
                aliases: serde_json::from_value(aliases).unwrap(),
                ..order_json("1", "10")
            };
            let errors = json.to_order().unwrap_err().into_iter();
            errors.map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(errors(json!(["A", "B", "а"])), ["aliases[2]"]);
        assert_eq!(
            errors(json!(["", "x".repeat(37)])),
            ["aliases[0]", "aliases[1]"]
        );
        let many: Vec<_> = (0..11).map(|n| n.to_string()).collect();
        assert_eq!(errors(json!(many)), ["aliases"]);
    }
}
