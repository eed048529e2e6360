//! Mending of records that the store has lost, or that were left unfinished.
//!
//! A walk over the journal, block by block, compares all records of the orders and payments that a block
//! is about. If a payment's entry is missing or damaged, in its order's list or in the journal, it is
//! written again *at its own place*, from the other records: so nothing is entered twice, and a closed
//! day keeps its content. An event whose change was made, but which came too late to its place, is
//! entered behind. Erased data that a late write brought back is erased again.

use std::collections::{BTreeMap, BTreeSet};

use mpay_log::{BLOCK, Listing, read_entry};
use mutation::{Mutation, mutated};
use serde::Serialize;

use super::{
    Cursor, Erasures, Platform, StoreError,
    aliases::Aliases,
    attempts::{Attempt, Attempts, Marker, Patience, PaymentName},
    cursor::Cursors,
    folds::Folds,
    journal_list::{self, JournalList},
    long_orders::Parts,
    notes::{JOURNAL_MENDED, Notes},
    order_list::{OrderEntry, OrderList, OrderLists},
    record::{Key, over_the_log_and_the_secret, read, to_json},
    standings::Standings,
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, PaymentJson},
};

over_the_log_and_the_secret! {
    /// The mending of lost records.
    pub struct Repairs
}

/// The findings of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Repair {
    /// Payments that were looked at.
    pub checked: usize,
    /// Payments of which an entry was missing or damaged, and is there again.
    pub repaired: Vec<String>,
    /// Aliases of orders that the index had lost, and has again.
    pub aliases: usize,
    /// Payments whose content is lost; only their evidence is left.
    pub lost: Vec<String>,
    /// Keys of damaged records that cannot be made again from others. Each concerns only what its key
    /// names.
    pub damaged: Vec<String>,
    /// Keys of records that a later version of this program has written.
    pub unknown: Vec<String>,
    /// The place to go on from; `None` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(any(test, feature = "schema"), schemars(with = "Option<String>"))]
    pub next: Option<Cursor>,
    /// True if the cursor was beyond the end of the journal.
    #[serde(skip)]
    pub is_beyond_end: bool,
}

impl Repair {
    /// Notes the entries that cannot be read, and the keys of the damaged ones.
    fn note<T>(&mut self, listing: &Listing<T>, key: impl Fn(u64) -> Key, damaged: &mut Vec<Key>) {
        for raw in &listing.unreadable {
            let key = key(raw.index);
            match serde_json::from_slice::<serde_json::Value>(&raw.bytes) {
                Ok(_) if !raw.bytes.is_empty() => self.unknown.push(key.to_string()),
                _ => damaged.push(key),
            }
        }
    }
}

impl<'a, P: Platform> Repairs<'a, P> {
    fn journal(self) -> JournalList<'a, P> {
        JournalList::on(self.log)
    }

    /// Compares and mends the records that a block of the journal after the place `after` is about.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; records repaired until then stay repaired.
    pub async fn block(self, after: &Cursor) -> Result<Repair, StoreError> {
        let after = after.place;
        let part = self.journal().next(after.saturating_add(1), BLOCK).await?;
        let until = part.settled();
        let mut repair = Repair {
            is_beyond_end: after > part.length,
            ..Repair::default()
        };
        if until > after && until < part.length {
            repair.next = Some(Cursors::on(self.secrets).at(until).await?);
        }
        Standings::on(self.log).enter_late(&part.late).await?;
        let mut found: BTreeMap<(String, bool), PaymentJson> = BTreeMap::new();
        let mut lists = BTreeSet::new();
        for entry in &part.entries {
            if let Event::PaymentRecorded(payment) = &entry.value {
                let found = found.entry((payment.payment_id.clone(), payment.after_void));
                found.or_insert_with(|| PaymentJson::clone(payment));
                if let Ok(list) = OrderList::of_payment(payment) {
                    lists.insert(list);
                }
            } else if let Some((service, key, _)) = entry.value.change()
                && let (Ok(service), Ok(key)) = (ServiceId::parse(service), OrderKey::parse(key))
            {
                lists.insert(OrderList::of(&service, &key));
            }
        }
        let parts = Parts::on(self.log);
        let long = parts.long_orders(&part.entries).await?;
        let (mut damaged, mut named) = (Vec::new(), Vec::new());
        for list in &lists {
            let listings = match long.contains(list) {
                true => parts.around(&long, list).await?,
                false => vec![OrderLists::on(self.log).all(list).await?],
            };
            for listing in listings {
                if listing
                    .entries
                    .iter()
                    .any(|entry| entry.value.has_aliases())
                {
                    named.push(list.clone());
                }
                for entry in &listing.entries {
                    if let OrderEntry::Payment(payment) = &entry.value {
                        let found = found.entry((payment.payment_id.clone(), payment.after_void));
                        found.or_insert_with(|| PaymentJson::clone(payment));
                    }
                }
                repair.note(&listing, |place| list.entry(place), &mut damaged);
            }
        }
        repair.note(&part, journal_list::entry, &mut damaged);
        for ((id, _), found) in found {
            repair.checked += 1;
            let Ok(name) = PaymentName::of(&found) else {
                continue;
            };
            let Some(Some(marker)) = Attempts::on(self.log).finish(&name, Patience::Wait).await?
            else {
                continue;
            };
            if self.mend(&name, &marker, &found).await? {
                repair.repaired.push(id);
            }
        }
        Erasures::on(self.log, self.secrets)
            .erase_again(after)
            .await?;
        for order in Folds::on(self.log).orders(&named).await? {
            if let Some(order) = order.ok().as_ref().and_then(|order| order.state.order()) {
                repair.aliases += Aliases::on(self.log, self.secrets).mend(order).await?;
            }
        }
        // Mended records are not damaged any more.
        let values = read(self.log, &damaged).await?;
        damaged.retain(|key| {
            let value = values
                .get(key)
                .map(|bytes| read_entry::<serde_json::Value>(0, bytes));
            !matches!(value, Some(Ok(_)))
        });
        repair.damaged = damaged.iter().map(Key::to_string).collect();
        Ok(repair)
    }

    /// Writes again the entries of a payment that are missing or damaged.
    async fn mend(
        self,
        name: &PaymentName,
        marker: &Marker,
        record: &PaymentJson,
    ) -> Result<bool, StoreError> {
        let (list, place) = marker.order().ok_or_else(|| name.marker().lost())?;
        let attempts = Attempts::on(self.log);
        let places = [list.entry(place), journal_list::entry(marker.journal)];
        let values = read(self.log, &places).await?;
        let [in_order, in_journal] = &places;
        let order = values
            .get(in_order)
            .map(|bytes| read_entry::<OrderEntry>(0, bytes));
        let journal = values
            .get(in_journal)
            .map(|bytes| read_entry::<Event>(0, bytes));
        let is_here = |payment: &PaymentJson| {
            (&payment.payment_id, payment.after_void) == (&record.payment_id, record.after_void)
        };
        let whole_order = matches!(&order, Some(Ok(entry))
            if matches!(&entry.value, OrderEntry::Payment(payment) if is_here(payment)));
        let whole_journal = matches!(&journal, Some(Ok(entry))
            if matches!(&entry.value, Event::PaymentRecorded(payment) if is_here(payment)));
        if mutated(Mutation::RepairEntersTwice) {
            let event = to_json(&Event::PaymentRecorded(Box::new(record.clone())))?;
            let journal = self.journal().enter(&event).await?;
            let moved = Attempt {
                order: place,
                journal,
                payment: Box::new(record.clone()),
            };
            attempts.mark(&moved).await?;
            return Ok(true);
        }
        if whole_order && whole_journal {
            return Ok(false);
        }
        // The time is that of the other entry, or of the attempt: all three were written at once.
        let listing = attempts.all(name).await?;
        let attempt = listing
            .entries
            .iter()
            .find(|attempt| attempt.value.journal == marker.journal);
        let at = match (&order, &journal, attempt) {
            (Some(Ok(entry)), _, _) if whole_order => entry.at,
            (_, Some(Ok(entry)), _) if whole_journal => entry.at,
            (_, _, Some(attempt)) => attempt.at,
            _ => self.log.now(),
        };
        let mut record = Box::new(attempt.map_or_else(
            || record.clone(),
            |attempt| PaymentJson::clone(&attempt.value.payment),
        ));
        record.version = None;
        let mut batch = Vec::new();
        if !whole_order {
            let entry = OrderEntry::Payment(record.clone());
            batch.push(list.rewritten(place, at, None, &entry)?);
        }
        if !whole_journal {
            record.version = Some(place);
            let event = Event::PaymentRecorded(record);
            batch.push(journal_list::rewritten(marker.journal, at, &event)?);
        }
        let mended = format!("{} {:x}", self.log.now(), self.log.platform().random());
        batch.push(Notes::<P>::written(JOURNAL_MENDED, &mended)?);
        self.log.set_many(&batch).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use super::*;
    use crate::{
        memory::{Fault, Memory},
        testing::{record, register, stored},
        tests::ledger,
    };

    /// Random numbers from a seed.
    struct Chance(RefCell<u64>);

    impl Chance {
        fn below(&self, limit: u64) -> u64 {
            let mut state = self.0.borrow_mut();
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) % limit
        }

        async fn sleep(&self) {
            tokio::time::sleep(Duration::from_millis(self.below(400))).await;
        }
    }

    async fn repair_all(memory: &Memory) -> Result<Vec<Repair>, StoreError> {
        let store = crate::Ledger::new(memory.clone());
        let (mut all, mut after) = (Vec::new(), Cursor::default());
        loop {
            let part = store.repairs().block(&after).await?;
            let next = part.next.clone();
            all.push(part);
            match next {
                Some(next) => after = next,
                None => return Ok(all),
            }
        }
    }

    /// The keys of the three entries of a payment, by its marker.
    fn entries_of(memory: &Memory, id: &str) -> [String; 3] {
        let json = |key: &str| -> Option<serde_json::Value> {
            serde_json::from_slice(&memory.value(key)?).ok()
        };
        let marker = json(&format!("done/{id}")).unwrap();
        let attempts = (1..=100).map(|place| format!("payment/{id}/{place}"));
        let is_it = |key: &String| {
            json(key).is_some_and(|attempt| attempt["entry"]["journal"] == marker["journal"])
        };
        let attempt = attempts.into_iter().find(is_it).unwrap();
        let order = marker["order"].as_str().unwrap().to_owned();
        [order, format!("journal/{}", marker["journal"]), attempt]
    }

    /// Records of payments are damaged or lost, and mended while others pay, amend and mend: in the end
    /// each payment is once in its order and in the journal, and each of its records as it was.
    #[tokio::test(start_paused = true)]
    async fn what_is_damaged_is_mended_while_others_write() {
        const ORDERS: [&str; 3] = ["1", "2", "3"];
        let mut mended = 0;
        for seed in 0..60 {
            let (memory, chance) = (Memory::new(), Chance(RefCell::new(seed)));
            for order in ORDERS {
                register(&memory, order, "1000").await.unwrap();
            }
            let delays = (0..4_000).map(|_| match chance.below(8) {
                0 => Fault::Delay(Duration::from_millis(chance.below(2_000))),
                _ => Fault::Delay(Duration::from_millis(chance.below(20))),
            });
            memory.script(delays);
            let (paid, writing) = (RefCell::new(Vec::new()), RefCell::new(4));
            let pay = async |writer: u64| {
                for number in 0..8 {
                    let (id, order) = (
                        format!("P{writer}-{number}"),
                        ORDERS[chance.below(3) as usize],
                    );
                    chance.sleep().await;
                    while record(&memory, &id, order, "1").await.is_err() {
                        chance.sleep().await;
                    }
                    paid.borrow_mut().push((id, order));
                }
                *writing.borrow_mut() -= 1;
            };
            let amend = async {
                for total in 0..6 {
                    chance.sleep().await;
                    let order = ORDERS[chance.below(3) as usize];
                    // An order that is damaged is changed by nobody until it is mended.
                    let _ = register(&memory, order, &(2_000 + total).to_string()).await;
                }
                *writing.borrow_mut() -= 1;
            };
            let damaged = RefCell::new(BTreeMap::new());
            let damage = async {
                while *writing.borrow() > 0 {
                    chance.sleep().await;
                    let victims = paid.borrow().clone();
                    let Some((id, _)) =
                        victims.get(chance.below(victims.len().max(1) as u64) as usize)
                    else {
                        continue;
                    };
                    // One record at a time, since it is made again from the others.
                    if damaged.borrow().contains_key(id) {
                        continue;
                    }
                    let entries = entries_of(&memory, id);
                    let values = entries.each_ref().map(|key| memory.value(key).unwrap());
                    let which = chance.below(2) as usize;
                    match chance.below(3) {
                        0 => memory.remove(&entries[which]),
                        1 => memory.overwrite(&entries[which], b"garbage".to_vec()),
                        _ => memory.overwrite(&entries[which], values[which][..40].to_vec()),
                    }
                    damaged.borrow_mut().insert(id.clone(), (entries, values));
                }
            };
            let mend = async {
                while *writing.borrow() > 0 {
                    chance.sleep().await;
                    let _ = repair_all(&memory).await;
                }
            };
            tokio::join!(pay(0), pay(1), pay(2), amend, damage, mend);
            memory.script([]);
            tokio::time::sleep(Duration::from_secs(120)).await;
            repair_all(&memory).await.unwrap();
            for repair in repair_all(&memory).await.unwrap() {
                let left = (repair.repaired, repair.lost, repair.damaged);
                assert_eq!(left, Default::default(), "{seed}");
            }
            for (id, (entries, values)) in damaged.take() {
                let now = entries.each_ref().map(|key| memory.value(key));
                assert_eq!(now, values.map(Some), "{seed}: {id}");
                mended += 1;
            }
            let mut ids = ledger(&memory).await;
            ids.sort_unstable();
            let mut expected: Vec<_> = paid.borrow().iter().map(|(id, _)| id.clone()).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{seed}");
            for order in ORDERS {
                let of = paid.borrow().iter().filter(|(_, of)| *of == order).count();
                let state = stored(&memory, order).await.unwrap().state;
                assert_eq!(
                    state.amount_paid().to_string(),
                    format!("{of}.00"),
                    "{seed}: {order}"
                );
            }
        }
        assert!(mended > 200, "{mended}");
    }
}
