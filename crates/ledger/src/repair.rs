//! Mending what the store has lost, or brought to an end by halves.
//!
//! A walk over the journal, block by block: of the orders and payments that a block is about, all
//! records are compared. A payment's entry that is missing or damaged, in its order's list or in the
//! journal, is written again *at its own place*, by what the other records say: so nothing is entered
//! twice, and a day that is closed holds what it held. An event whose change was made, but which came
//! to its place too late, is entered behind. What was erased, and came back with a write that was
//! late, is erased again.

use std::collections::BTreeMap;

use mpay_log::{BLOCK, Listing, RawEntry, entry_key, read_entry, stored_entry};
use mutation::{Mutation, mutated};
use serde::Serialize;

use super::{
    Cursor, Platform, Store, StoreError,
    evidence::to_json,
    journal::made_at,
    keys::{self, PaymentName},
    orders::OrderEntry,
    payments::{Attempt, Marker, Patience},
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, PaymentJson},
};

/// What a call found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Repair {
    /// Payments that were looked at.
    pub checked: usize,
    /// Payments of which an entry was missing or damaged, and is there again.
    pub repaired: Vec<String>,
    /// Payments whose content is nowhere any more: their evidence is what is left.
    pub lost: Vec<String>,
    /// Keys of records that are damaged and cannot be made again from others. Each concerns what
    /// its key names, and nothing else.
    pub damaged: Vec<String>,
    /// Keys of records that a later version of this program has written.
    pub unknown: Vec<String>,
    /// Where to go on; `None` at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(any(test, feature = "schema"), schemars(with = "Option<String>"))]
    pub next: Option<Cursor>,
    /// Whether the cursor was beyond the end of the journal.
    #[serde(skip)]
    pub is_beyond_end: bool,
}

impl<P: Platform> Store<P> {
    /// Looks at what a block of the journal after the place `after` is about, and mends it.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; what was repaired until then is.
    pub async fn repair(&self, after: &Cursor) -> Result<Repair, StoreError> {
        let after = after.place;
        let part = self
            .log
            .read_on::<Event>(keys::JOURNAL, after.saturating_add(1), BLOCK)
            .await?;
        let until = part.settled();
        let mut repair = Repair {
            is_beyond_end: after > part.length,
            ..Repair::default()
        };
        if until > after && until < part.length {
            repair.next = Some(self.cursor(until, 0).await?);
        }
        self.enter_late(&part.late).await?;
        let mut found: BTreeMap<(String, bool), PaymentJson> = BTreeMap::new();
        let mut lists = BTreeMap::new();
        for entry in &part.entries {
            if let Event::PaymentRecorded(payment) = &entry.value {
                let found = found.entry((payment.payment_id.clone(), payment.after_void));
                found.or_insert_with(|| PaymentJson::clone(payment));
                if let Ok(list) = keys::order_of(payment) {
                    lists.insert(list, ());
                }
            } else if let Some((service, key, _)) = entry.value.change()
                && let (Ok(service), Ok(key)) = (ServiceId::parse(service), OrderKey::parse(key))
            {
                lists.insert(keys::order(&service, &key), ());
            }
        }
        let long = self.long_orders(&part.entries).await?;
        for list in lists.keys() {
            let listings = match long.contains(list) {
                true => self.read_around(&long, list).await?,
                false => vec![self.log.read_all::<OrderEntry>(list).await?],
            };
            for listing in listings {
                for entry in &listing.entries {
                    if let OrderEntry::Payment(payment) = &entry.value {
                        let found = found.entry((payment.payment_id.clone(), payment.after_void));
                        found.or_insert_with(|| PaymentJson::clone(payment));
                    }
                }
                self.note_raw(list, &listing, &mut repair);
            }
        }
        self.note_raw(keys::JOURNAL, &part, &mut repair);
        for ((id, _), found) in found {
            repair.checked += 1;
            let Ok(name) = PaymentName::of(&found) else {
                continue;
            };
            let Some(Some(marker)) = self.finish(&name, Patience::Wait).await? else {
                continue;
            };
            if self.mend(&name, &marker, &found).await? {
                repair.repaired.push(id);
            }
        }
        self.erase_again(after).await?;
        // What was mended is damaged no more.
        let keys: Vec<_> = repair.damaged.clone();
        let values = self.log.get_many(&keys).await?;
        repair.damaged.retain(|key| {
            let value = values
                .get(key)
                .map(|bytes| read_entry::<serde_json::Value>(0, bytes));
            !matches!(value, Some(Ok(_)))
        });
        Ok(repair)
    }

    /// Notes what cannot be read.
    fn note_raw<T>(&self, list: &str, listing: &Listing<T>, repair: &mut Repair) {
        for raw in &listing.unreadable {
            let key = entry_key(list, raw.index);
            match serde_json::from_slice::<serde_json::Value>(&raw.bytes) {
                Ok(_) if !raw.bytes.is_empty() => repair.unknown.push(key),
                _ => repair.damaged.push(key),
            }
        }
    }

    /// Writes the entries of a payment again that are not there, or not whole.
    async fn mend(
        &self,
        name: &PaymentName,
        marker: &Marker,
        record: &PaymentJson,
    ) -> Result<bool, StoreError> {
        let attempts = keys::payment(name);
        let places = [marker.order.clone(), keys::journal(marker.journal)];
        let values = self.log.get_many(&places).await?;
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
            let journal = self.enter(&event).await?;
            let (_, order) = in_order.rsplit_once('/').unwrap_or_default();
            let moved = Attempt {
                order: order.parse().unwrap_or_default(),
                journal,
                payment: Box::new(record.clone()),
            };
            self.mark(&moved).await?;
            return Ok(true);
        }
        if whole_order && whole_journal {
            return Ok(false);
        }
        // The time is that of the other entry, or of the attempt: all three were written at once.
        let listing = self.log.read_all::<Attempt>(&attempts).await?;
        let attempt = listing
            .entries
            .iter()
            .find(|attempt| attempt.value.journal == marker.journal);
        let at = match (&order, &journal, attempt) {
            (Some(Ok(entry)), _, _) if whole_order => entry.at,
            (_, Some(Ok(entry)), _) if whole_journal => entry.at,
            (_, _, Some(attempt)) => attempt.at,
            _ => self.now(),
        };
        let mut record = Box::new(attempt.map_or_else(
            || record.clone(),
            |attempt| PaymentJson::clone(&attempt.value.payment),
        ));
        record.version = None;
        let mut batch = Vec::new();
        if !whole_order {
            let entry = to_json(&OrderEntry::Payment(record.clone()))?;
            batch.push((in_order.clone(), stored_entry(at, &entry)));
        }
        if !whole_journal {
            record.version = marker.place();
            let event = to_json(&Event::PaymentRecorded(record))?;
            batch.push((in_journal.clone(), stored_entry(at, &event)));
        }
        self.log.set_many(&batch).await?;
        Ok(true)
    }

    /// Enters events again that came too late to their places, while the changes that they tell of
    /// were made: whoever made them died before he could.
    pub(super) async fn enter_late(&self, late: &[RawEntry]) -> Result<(), StoreError> {
        for raw in late {
            let Ok(entry) = read_entry::<Event>(raw.index, &raw.bytes) else {
                continue;
            };
            // A statement counts only with its event: that one was imported again, if at all.
            if matches!(entry.value, Event::SettlementImported(_)) {
                continue;
            }
            let Some((list, place)) = made_at(&entry.value) else {
                continue;
            };
            if !self.log.are_alive(&[(&list, place)]).await? {
                continue;
            }
            // What was too late at a place that was claimed is entered by its first place, if at all.
            if self.log.get(&keys::claimed(raw.index)).await?.is_some() {
                continue;
            }
            let event = to_json(&entry.value)?;
            self.enter_again(&event, raw.index).await?;
        }
        Ok(())
    }
}
