//! The lists of orders: an order's versions and payments, and the changes of its payments, entry by
//! entry. Their sum is in `stored_order`.

use std::{collections::HashMap, fmt};

use jiff::Timestamp;
use mpay_log::{Entry, Listing, Slot, entry_key, parse_counter, stored_entry_beside};
use serde::{Deserialize, Serialize};

use super::{
    Platform, RawEntry, StoreError, keys,
    record::{Key, Place, Write, emptied, over_the_log, to_json},
};
use crate::{
    domain::{OrderKey, ServiceId, TextError},
    json::{
        CardStartedJson, ErasureJson, OrderJson, PaymentJson, RefundedJson, ReviewClosedJson,
        ReviewOpenedJson, VoidedJson,
    },
};

over_the_log! {
    /// The lists of orders.
    pub(super) struct OrderLists
}

/// The list of an order. Orders with keys that payers would confuse share one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct OrderList(String);

/// The list in the form of keys.
impl fmt::Display for OrderList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OrderList {
    /// The list of an order.
    pub fn of(service: &ServiceId, key: &OrderKey) -> Self {
        let service = keys::encode(service.as_str());
        let key = keys::encode(&key.folded());
        Self(format!("{}/{service}/{key}", keys::ORDER))
    }

    /// The list of the order that a payment is for.
    ///
    /// # Errors
    /// [`TextError`] if a name is malformed.
    pub fn of_payment(payment: &PaymentJson) -> Result<Self, TextError> {
        let service = ServiceId::parse(&payment.service_id)?;
        Ok(Self::of(&service, &OrderKey::parse(&payment.order_key)?))
    }

    /// The list that an entry belongs to, and its place there, by the entry's name.
    pub fn of_entry(name: &str) -> Option<(Self, u64)> {
        let (list, place) = name.rsplit_once('/')?;
        Some((Self(list.to_owned()), place.parse().ok()?))
    }

    /// The key of the entry at a place, by which markers name it.
    pub fn entry(&self, place: u64) -> Key {
        Key::new(entry_key(&self.0, place))
    }

    /// A place.
    pub fn place(&self, index: u64) -> Place {
        Place::new(&self.0, index)
    }

    /// An entry that is written again at its place.
    pub fn rewritten(
        &self,
        place: u64,
        at: Timestamp,
        beside: Option<u64>,
        entry: &OrderEntry,
    ) -> Result<Write, StoreError> {
        let key = entry_key(&self.0, place);
        Ok((key, stored_entry_beside(at, beside, &to_json(entry)?)))
    }

    /// Entries that came too late, emptied.
    pub fn emptied(&self, part: &Listing<OrderEntry>) -> Vec<Write> {
        emptied(&self.0, part)
    }
}

/// An entry of an order's list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderEntry {
    /// The order, or the order amended.
    Version(Box<OrderJson>),
    /// The order, made by a request that may be repeated.
    Created {
        /// Digest of the request's name.
        request: String,
        /// The order.
        order: Box<OrderJson>,
    },
    /// A payment for it. It counts only if the payment's marker names this place.
    Payment(Box<PaymentJson>),
    /// MPay confirms a payment that was entered by hand.
    Confirmed(Box<PaymentJson>),
    /// A payment that was entered by hand counts no more.
    Voided(Box<VoidedJson>),
    /// Somebody begins to pay by card.
    CardStarted {
        /// Digest of the name of the request that may be repeated.
        request: String,
        /// Digest of the request's content.
        content: String,
        /// The payment that is begun.
        started: Box<CardStartedJson>,
        /// True if personal data was removed from the payment's own list.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_erased: bool,
    },
    /// Money held on a card is about to be taken.
    CardTaking {
        /// The payment that was begun.
        payment_id: String,
        /// The number of its charges before: the decision is about the next one. 0 in records of earlier
        /// versions.
        #[serde(default, skip_serializing_if = "is_zero")]
        charges: usize,
    },
    /// Money that was about to be taken cannot be taken any more.
    CardLeft {
        /// The payment that was begun.
        payment_id: String,
    },
    /// Money of a payment was given back.
    Refunded(Box<RefundedJson>),
    /// A review of a payment is opened.
    Opened(Box<ReviewOpenedJson>),
    /// A review of a payment is closed.
    Closed(Box<ReviewClosedJson>),
    /// Everything before it is without personal data.
    Erased(Box<ErasureJson>),
    /// A place that was taken, but whose change was refused.
    Void,
}

impl OrderEntry {
    /// True if an entry that cannot be read is of an unknown kind: a later version has written it, and it
    /// stops nobody. Any other unreadable entry is damage.
    pub fn is_unknown(raw: &RawEntry) -> bool {
        const KNOWN: [&str; 13] = [
            "version",
            "created",
            "payment",
            "confirmed",
            "voided",
            "card_started",
            "card_taking",
            "card_left",
            "refunded",
            "opened",
            "closed",
            "erased",
            "void",
        ];
        #[derive(Deserialize)]
        struct Stored {
            entry: serde_json::Value,
        }
        if raw.is_unknown {
            return true;
        }
        let Ok(stored) = serde_json::from_slice::<Stored>(&raw.bytes) else {
            return false;
        };
        match &stored.entry {
            serde_json::Value::String(kind) => !KNOWN.contains(&kind.as_str()),
            serde_json::Value::Object(members) => {
                members.len() == 1 && !members.keys().any(|kind| KNOWN.contains(&kind.as_str()))
            }
            _ => false,
        }
    }

    /// The index before which entries are without personal data.
    pub fn erased_before(entries: &[Entry<Self>]) -> u64 {
        let mut latest = entries.iter().rev();
        latest
            .find(|entry| matches!(entry.value, Self::Erased(_)))
            .map_or(0, |entry| entry.index)
    }

    /// True if it is a version of an order that has other names.
    pub fn has_aliases(&self) -> bool {
        matches!(self, Self::Version(order) | Self::Created { order, .. } if !order.aliases.is_empty())
    }

    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        match self {
            Self::Version(order) | Self::Created { order, .. } => order.erase_personal_data(),
            Self::Payment(payment) | Self::Confirmed(payment) => payment.erase_personal_data(),
            // The personal data is in a list of its own, which is written again first.
            Self::CardStarted { is_erased, .. } => !std::mem::replace(is_erased, true),
            Self::Voided(_)
            | Self::CardTaking { .. }
            | Self::CardLeft { .. }
            | Self::Refunded(_)
            | Self::Opened(_)
            | Self::Closed(_)
            | Self::Erased(_)
            | Self::Void => false,
        }
    }
}

// By reference, as serde needs it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The time at which an order was registered, and the place in the journal, by the first entries of its list.
pub(super) fn registration(first: &Listing<OrderEntry>) -> Option<(u64, Timestamp)> {
    let mut entries = first.entries.iter();
    let is_version = |entry: &&Entry<OrderEntry>| {
        matches!(
            entry.value,
            OrderEntry::Version(_) | OrderEntry::Created { .. }
        )
    };
    let first = entries.find(is_version)?;
    Some((first.beside?, first.at))
}

impl<P: Platform> OrderLists<'_, P> {
    /// Takes a place.
    pub async fn take(self, list: &OrderList) -> Result<Slot, StoreError> {
        self.log.take(&list.0).await
    }

    /// Gives up a place, so that nobody waits for it.
    pub async fn void(self, slot: &Slot) -> Result<(), StoreError> {
        let void = to_json(&OrderEntry::Void)?;
        let _ = self.log.fill(&[(slot, &void)], Vec::new()).await?;
        Ok(())
    }

    /// Waits for the writers at places from `first` up to `before`, and then passes them by.
    pub async fn settle(self, list: &OrderList, first: u64, before: u64) -> Result<(), StoreError> {
        self.log.settle(&list.0, first, before).await
    }

    /// A whole list.
    pub async fn all(self, list: &OrderList) -> Result<Listing<OrderEntry>, StoreError> {
        self.log.read_all(&list.0).await
    }

    /// Several lists; those longer than `most` are not read.
    pub async fn several(
        self,
        lists: &[OrderList],
        most: u64,
    ) -> Result<Vec<Listing<OrderEntry>>, StoreError> {
        let lists: Vec<_> = lists.iter().map(|list| list.0.clone()).collect();
        self.log.read_lists(&lists, most).await
    }

    /// Up to `count` places of a list from `first` on.
    pub async fn part(
        self,
        list: &OrderList,
        first: u64,
        count: u64,
    ) -> Result<Listing<OrderEntry>, StoreError> {
        self.log.read_part(&list.0, first, count).await
    }

    /// The places of a list from `first` up to `last`.
    pub async fn between(
        self,
        list: &OrderList,
        mut first: u64,
        last: u64,
    ) -> Result<Listing<OrderEntry>, StoreError> {
        let mut whole = Listing::default();
        while first <= last {
            let mut part = self.part(list, first, last - first + 1).await?;
            part.truncate(last);
            whole.length = part.length;
            if part.next <= first {
                break;
            }
            first = part.next;
            whole.append(part);
        }
        Ok(whole)
    }

    /// The lengths of the lists among these that exist.
    pub async fn lengths(self, lists: &[OrderList]) -> Result<HashMap<OrderList, u64>, StoreError> {
        let keys: Vec<_> = lists.iter().map(|list| list.0.clone()).collect();
        let counters = self.log.get_many(&keys).await?;
        let lengths = lists.iter().filter_map(|list| {
            let counter = counters.get(&list.0)?;
            Some((list.clone(), parse_counter(counter)?))
        });
        Ok(lengths.collect())
    }

    /// True if nobody has taken a place in a list.
    pub async fn is_empty(self, list: &OrderList) -> Result<bool, StoreError> {
        let listing = self.log.read_all::<serde::de::IgnoredAny>(&list.0).await?;
        Ok(listing.length == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_orders_share_a_key_by_their_spelling() {
        let service = |text| ServiceId::parse(text).unwrap();
        let key = |text| OrderKey::parse(text).unwrap();
        assert_eq!(
            OrderList::of(&service("a/b"), &key("C ș%1")).to_string(),
            "order/a%2Fb/cs%CC%A6%251"
        );
        assert_ne!(
            OrderList::of(&service("a/b"), &key("c")),
            OrderList::of(&service("a"), &key("b/c"))
        );
    }

    #[test]
    fn an_entry_names_its_list_and_its_place() {
        let list = OrderList::of(
            &ServiceId::parse("TAX").unwrap(),
            &OrderKey::parse("A-1").unwrap(),
        );
        let name = list.entry(17).to_string();
        assert_eq!(name, "order/TAX/a-1/17");
        assert_eq!(OrderList::of_entry(&name), Some((list, 17)));
        assert_eq!(OrderList::of_entry("order"), None);
    }
}
