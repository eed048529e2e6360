//! Erasure of personal data, while the payments and their proof stay.
//!
//! Entries are written again only here and by repair. First, an entry in the order's list says that all
//! entries before it are without personal data: from then on no reader of the list sees any. Then the
//! entries themselves are written without it. Every call writes the same values, so an interrupted
//! erasure can be repeated.
//!
//! A late write of such an entry, or of a message, can bring erased data back. Nobody reads it: the entry
//! of the erasure stands in the list, and a message's tombstone under a key of its own. The next walk
//! over the journal erases it again, whatever its purpose: every erasure and repair walks over it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use mpay_log::{BLOCK, Entry, Listing};
use mutation::{Mutation, mutated};
use serde::Serialize;

use super::{
    CardPayments, Cursor, JournalEntry, Messages, Orders, Platform, Precondition, Refusals,
    RegisterError, StoreError,
    aliases::{self, Aliases},
    attempts::{Attempts, Decisions, Marker, PaymentName},
    cursor::Cursors,
    folds::Folds,
    journal_list::JournalList,
    long_orders::{LongOrders, Parts},
    order_list::{OrderEntry, OrderList, OrderLists},
    orders::Change,
    record::{Write, over_the_log_and_the_secret},
    standings::Standings,
    stored_order::{Depth, fold},
};
use crate::{
    domain::{OrderKey, OrderState, OrderStatus, PaymentId, ServiceId, SetStatus},
    json::{ErasureJson, Event, PaymentJson, RefusalJson},
};

over_the_log_and_the_secret! {
    /// The erasure of personal data.
    pub struct Erasures
}

/// The mark by which a signed message that holds values of properties is known.
const PROPERTY: &[u8] = b"PaymentProperty";

/// True if a signed message holds values of properties.
pub(super) fn has_properties(message: &[u8]) -> bool {
    holds(message, PROPERTY)
}

/// The reason of an erasure that a person asked for.
const REQUEST: &str = "request";

/// The people whose personal data is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erasure {
    /// Everybody in orders to which nothing has happened for so long.
    Retention(SignedDuration),
    /// The customer with this IDNP or IDNO, or the payer who filled it in.
    Customer(String),
    /// The people of an order.
    Order(ServiceId, OrderKey),
}

/// The outcome of a call that erases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Erased {
    /// Orders without personal data from now on.
    pub erased: Vec<ErasedOrder>,
    /// Signed messages that were erased.
    pub messages: usize,
    /// The orders that were asked for but must stay, because somebody still needs it.
    pub kept: Vec<KeptOrder>,
    /// The place to go on from; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(any(test, feature = "schema"), schemars(with = "Option<String>"))]
    pub next: Option<Cursor>,
    /// True if the cursor was beyond the end of the journal.
    #[serde(skip)]
    pub is_beyond_end: bool,
}

/// An order without personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct ErasedOrder {
    /// Its service.
    pub service_id: String,
    /// Its key.
    pub order_key: String,
}

/// An order with personal data that must stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct KeptOrder {
    /// Its service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_key: Option<String>,
    /// The reason.
    pub reason: String,
}

/// The findings in an order's list.
struct Seen {
    key: (ServiceId, OrderKey),
    state: OrderState,
    /// The time at which the last entry was recorded.
    changed_at: Timestamp,
    /// True if there is personal data that nobody has erased.
    has_personal_data: bool,
    /// True if it names the customer.
    is_meant: bool,
    /// Entries that are still to be written without personal data.
    rest: Vec<Write>,
    /// Other names of a person that are still in them.
    names: HashSet<OrderKey>,
    /// Payments without personal data.
    payments: HashSet<PaymentName>,
    /// Payments by card that were begun, likewise.
    cards: HashSet<PaymentId>,
    /// The time at which the order was erased last.
    erased_at: Option<Timestamp>,
    /// True if a person asked for that.
    was_asked: bool,
    /// True if these are the findings of a part of the order's list only.
    is_part: bool,
}

impl Erasure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Retention(_) => "retention",
            Self::Customer(_) | Self::Order(..) => REQUEST,
        }
    }

    /// True if an entry of this time may be old enough.
    fn is_due(&self, at: Timestamp, now: Timestamp) -> bool {
        match self {
            Self::Retention(period) => now.duration_since(at) > *period,
            Self::Customer(_) | Self::Order(..) => true,
        }
    }

    fn means(&self, key: &(ServiceId, OrderKey), entries: &[Entry<OrderEntry>]) -> bool {
        match self {
            Self::Retention(_) => true,
            Self::Customer(id) => entries.iter().any(|entry| match &entry.value {
                OrderEntry::Version(order) | OrderEntry::Created { order, .. } => order.names(id),
                OrderEntry::Payment(payment) | OrderEntry::Confirmed(payment) => payment.names(id),
                _ => false,
            }),
            Self::Order(service, order) => *service == key.0 && *order == key.1,
        }
    }
}

impl<'a, P: Platform> Erasures<'a, P> {
    fn journal(self) -> JournalList<'a, P> {
        JournalList::on(self.log)
    }

    /// Erases personal data of closed orders and refusals, among those that a block of the journal
    /// after the place `after` names. `by` is the name of the principal who asks.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; data erased until then stays erased.
    pub async fn erase(
        self,
        erasure: &Erasure,
        after: &Cursor,
        by: &str,
    ) -> Result<Erased, StoreError> {
        self.walk(Some(erasure), after.place, by).await
    }

    /// Erases again the data that was erased before and that a late write brought back, in the orders
    /// that a block of the journal names.
    pub(super) async fn erase_again(self, after: u64) -> Result<(), StoreError> {
        self.walk(None, after, "").await?;
        Ok(())
    }

    async fn walk(
        self,
        erasure: Option<&Erasure>,
        after: u64,
        by: &str,
    ) -> Result<Erased, StoreError> {
        let first = after.saturating_add(1);
        let journal = self.journal();
        let mut part: Listing<Event> = journal.part(first, BLOCK).await?;
        if !part.unsettled.is_empty() {
            // An entry that is still being recorded is not passed by, and does not end the walk.
            let settled = part.settled();
            journal.settle(settled + 1, part.next).await?;
            part = journal.part(first, BLOCK).await?;
        }
        Attempts::on(self.log).recover_in_journal(&mut part).await?;
        let until = part.settled();
        part.truncate(until);
        let mut report = Erased {
            is_beyond_end: after > part.length,
            ..Erased::default()
        };
        if until <= after {
            return Ok(report);
        }
        if until < part.length {
            report.next = Some(Cursors::on(self.secrets).at(until).await?);
        }
        // An event that came too late to its place is still needed until it stands at another one.
        Standings::on(self.log).enter_late(&part.late).await?;
        journal.empty_late(&part).await?;
        let events = part.entries;
        let long = Parts::on(self.log).long_orders(&events).await?;
        let mut orders = self.see(erasure, &events, &long, &mut report).await?;
        let mut begun = Vec::new();
        for event in &events {
            if let Event::OrderRegistered(registered) = &event.value {
                begun.extend(address(&registered.service_id, &registered.order_key));
            }
        }
        let registered = begun.len();
        // This part of a long order may be the first one that names the person.
        let parts = orders.values().filter(|order| order.is_part);
        let parts: Vec<_> = parts.map(|order| order.key.clone()).collect();
        begun.extend(
            parts
                .into_iter()
                .filter(|key| !begun.contains(key))
                .collect::<Vec<_>>(),
        );
        for (position, key) in begun.into_iter().enumerate() {
            if let Some(order) = orders.get(&key)
                && let Some(meant) = erasure
                && self.erase_order(meant, order, by, &mut report).await?
            {
                if position >= registered {
                    // Parts of it were passed by: the walk begins anew, and finds it erased.
                    report.next = Some(Cursors::on(self.secrets).at(0).await?);
                }
                // Entries that came in between also stand before the entry that erases.
                let again = self.see_again(erasure, key, &long).await?;
                orders.extend(again.map(|order| (order.key.clone(), order)));
            }
        }
        for order in orders.values().filter(|order| !order.names.is_empty()) {
            // Names go first, since they are read from the entries that are written again next.
            let (service, key) = &order.key;
            let mut names = order.names.clone();
            // It may have got one of them again since.
            names.retain(|name| {
                let order = order.state.order();
                order.is_none_or(|order| !order.has_alias(name))
            });
            let index = Aliases::on(self.log, self.secrets);
            let erased = index.erased(service, key, &names).await?;
            self.log.set_many(&erased).await?;
        }
        // Payments by card go first, since the entries that are written again next tell if this was done.
        for id in orders.values().flat_map(|order| &order.cards) {
            self.erase_card(id, &mut report).await?;
        }
        for order in orders.values().filter(|order| !order.rest.is_empty()) {
            self.log.set_many(&order.rest).await?;
        }
        for event in events {
            match &event.value {
                Event::PaymentRecorded(payment) | Event::PaymentConfirmed(payment) => {
                    let order = address(&payment.service_id, &payment.order_key)
                        .and_then(|key| orders.get(&key));
                    if PaymentName::of(payment)
                        .is_ok_and(|name| order.is_some_and(|order| order.payments.contains(&name)))
                    {
                        self.erase_payment(event, &mut report).await?;
                    }
                }
                Event::PaymentProposed(proposal) => {
                    let order = address(&proposal.service_id, &proposal.order_key)
                        .and_then(|key| orders.get(&key));
                    let erased_at = order.and_then(|order| order.erased_at);
                    if erased_at.is_some_and(|erased_at| event.at <= erased_at) {
                        self.erase_entry(event).await?;
                    }
                }
                Event::PaymentRefused(_) => {
                    self.erase_refusal(erasure, event, by, &mut report).await?;
                }
                _ => {}
            }
        }
        Ok(report)
    }

    /// The orders that events are about.
    async fn see(
        self,
        erasure: Option<&Erasure>,
        events: &[Entry<Event>],
        long: &LongOrders,
        report: &mut Erased,
    ) -> Result<HashMap<(ServiceId, OrderKey), Seen>, StoreError> {
        let addresses = events.iter().filter_map(|event| match &event.value {
            Event::OrderRegistered(order) => address(&order.service_id, &order.order_key),
            Event::PaymentRecorded(payment) | Event::PaymentConfirmed(payment) => {
                address(&payment.service_id, &payment.order_key)
            }
            Event::PaymentProposed(proposal) => address(&proposal.service_id, &proposal.order_key),
            Event::CardStarted(started) => address(&started.service_id, &started.order_key),
            _ => None,
        });
        let addresses: HashSet<_> = addresses.collect();
        let is_long = |key: &(ServiceId, OrderKey)| long.contains(&OrderList::of(&key.0, &key.1));
        let (parts, whole): (Vec<_>, Vec<_>) = addresses.into_iter().partition(is_long);
        let mut seen = self.see_all(erasure, whole).await?;
        for key in parts {
            let part = self.see_part(erasure, key.clone(), long).await;
            seen.push((key, part));
        }
        let mut orders = HashMap::new();
        for (key, order) in seen {
            match order {
                Ok(order) => orders.extend(order.map(|order| (key, order))),
                // It keeps nobody else's data from being erased.
                Err(StoreError::Corrupt { .. }) => report.kept.push(KeptOrder {
                    service_id: Some(key.0.to_string()),
                    order_key: Some(key.1.to_string()),
                    reason: "a record of it is damaged; POST /api/repair mends what can be mended"
                        .to_owned(),
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(orders)
    }

    async fn see_again(
        self,
        erasure: Option<&Erasure>,
        key: (ServiceId, OrderKey),
        long: &LongOrders,
    ) -> Result<Option<Seen>, StoreError> {
        match long.contains(&OrderList::of(&key.0, &key.1)) {
            true => self.see_part(erasure, key, long).await,
            false => match self.see_all(erasure, vec![key]).await?.pop() {
                Some((_, order)) => order,
                None => Ok(None),
            },
        }
    }

    /// The findings in the part of a long order's list that the events of a block are about.
    async fn see_part(
        self,
        erasure: Option<&Erasure>,
        key: (ServiceId, OrderKey),
        long: &LongOrders,
    ) -> Result<Option<Seen>, StoreError> {
        let list = OrderList::of(&key.0, &key.1);
        let lists = OrderLists::on(self.log);
        let stored = Folds::on(self.log).order(&list).await?;
        let first = stored.length.saturating_sub(BLOCK - 1).max(1);
        let end = lists.part(&list, first, BLOCK).await?;
        let is_void = |entry: &&Entry<OrderEntry>| matches!(entry.value, OrderEntry::Void);
        let mut latest = end.entries.iter().rev();
        let latest = latest.find(|entry| !is_void(entry)).or(end.entries.last());
        let Some(changed_at) = latest.map(|entry| entry.at) else {
            return Ok(None);
        };
        let mut seen = Seen {
            key,
            state: stored.state,
            changed_at,
            has_personal_data: false,
            is_meant: false,
            rest: Vec::new(),
            names: HashSet::new(),
            payments: HashSet::new(),
            cards: HashSet::new(),
            erased_at: None,
            was_asked: false,
            is_part: true,
        };
        if stored.erased_before > 0 {
            let erased = lists.part(&list, stored.erased_before, 1).await?;
            seen.erased_at = erased.entries.first().map(|entry| entry.at);
            seen.was_asked = erased.entries.first().is_some_and(was_asked);
        }
        for part in Parts::on(self.log).around(long, &list).await? {
            let decisions = Folds::on(self.log).markers_of([&part]).await?;
            seen.is_meant |= erasure.is_some_and(|it| it.means(&seen.key, &part.entries));
            seen.add(&list, &part, stored.erased_before, &decisions)?;
        }
        Ok(Some(seen))
    }

    async fn see_all(
        self,
        erasure: Option<&Erasure>,
        addresses: Vec<(ServiceId, OrderKey)>,
    ) -> Result<Vec<((ServiceId, OrderKey), Result<Option<Seen>, StoreError>)>, StoreError> {
        let lists: Vec<_> = addresses
            .iter()
            .map(|(service, key)| OrderList::of(service, key))
            .collect();
        let mut listings = OrderLists::on(self.log).several(&lists, u64::MAX).await?;
        let attempts = Attempts::on(self.log);
        for (list, listing) in lists.iter().zip(&mut listings) {
            attempts.recover_in_order(list, listing).await?;
        }
        let decisions = Folds::on(self.log).markers_of(&listings).await?;
        let mut orders = Vec::with_capacity(lists.len());
        for ((list, listing), key) in lists.iter().zip(listings).zip(addresses) {
            let seen = see_order(erasure, list, listing, key.clone(), &decisions);
            orders.push((key, seen));
        }
        Ok(orders)
    }

    /// Enters that an order is without personal data, if that is to be. Gives `true` if it is so now.
    async fn erase_order(
        self,
        erasure: &Erasure,
        order: &Seen,
        by: &str,
        report: &mut Erased,
    ) -> Result<bool, StoreError> {
        let now = self.log.now();
        // A person's request reaches copies outside the store, which erasure by age does not: so it is
        // entered once also for an order that has no personal data any more.
        let is_asked = matches!(erasure, Erasure::Order(..));
        let is_news = is_asked && order.erased_at.is_some() && !order.was_asked;
        let is_to_be = order.has_personal_data || is_news;
        if !order.is_meant || !is_to_be || !erasure.is_due(last(order, now), now) {
            return Ok(false);
        }
        let (service, key) = &order.key;
        let kept = |reason: String| KeptOrder {
            service_id: Some(service.to_string()),
            order_key: Some(key.to_string()),
            reason,
        };
        if let Some(reason) = open(&order.state, now) {
            if !matches!(erasure, Erasure::Retention(_)) {
                report.kept.push(kept(reason));
            }
            return Ok(false);
        }
        let record = ErasureJson {
            service_id: Some(service.to_string()),
            order_key: Some(key.to_string()),
            evidence: None,
            reason: erasure.reason().to_owned(),
            by: by.to_owned(),
            version: None,
            entry: None,
        };
        let appended = Orders::on(self.log, self.secrets)
            .append::<()>(service, key, Precondition::None, |stored, place| {
                // It may have been opened again meanwhile.
                Ok(open(&stored.state, now).is_none().then(|| {
                    let record = Box::new(ErasureJson {
                        version: Some(place),
                        ..record.clone()
                    });
                    Change {
                        entry: OrderEntry::Erased(record.clone()),
                        event: Some(Event::PersonalDataErased(record)),
                        others: Vec::new(),
                    }
                }))
            })
            .await;
        match appended {
            Ok(Some(_)) => {
                report.erased.push(ErasedOrder {
                    service_id: service.to_string(),
                    order_key: key.to_string(),
                });
                Ok(true)
            }
            Err(RegisterError::Store(error)) => Err(error),
            Ok(None) | Err(_) => {
                report
                    .kept
                    .push(kept("another call is changing it; try again".to_owned()));
                Ok(false)
            }
        }
    }

    /// Removes the personal data from the records of a payment, and last from its entry in the journal,
    /// by which the payment is found.
    async fn erase_payment(
        self,
        event: Entry<Event>,
        report: &mut Erased,
    ) -> Result<(), StoreError> {
        let (Event::PaymentRecorded(payment) | Event::PaymentConfirmed(payment)) = &event.value
        else {
            return Ok(());
        };
        if !payment.clone().erase_personal_data() {
            return Ok(());
        }
        let mut rest = Vec::new();
        let mut messages = HashSet::from([payment.evidence.clone()]);
        if let Ok(name) = PaymentName::of(payment) {
            let attempts = Attempts::on(self.log);
            let made = attempts.all(&name).await?;
            attempts.empty_late(&name, &made).await?;
            for mut attempt in made.entries {
                if attempt.value.payment.erase_personal_data() {
                    messages.insert(attempt.value.payment.evidence.clone());
                    rest.push(name.rewritten(attempt.index, attempt.at, &attempt.value)?);
                }
            }
        }
        for message in &messages {
            let tombstone = Messages::on(self.log).tombstone(message).await?;
            report.messages += usize::from(!tombstone.is_empty());
            rest.extend(tombstone);
        }
        if mutated(Mutation::ErasureOfOneCopy) {
            rest.clear();
        }
        self.log.set_many(&rest).await?;
        if mutated(Mutation::ErasureUndone) {
            return Ok(());
        }
        self.erase_entry(event).await
    }

    /// Removes the personal data from the list of a payment by card.
    async fn erase_card(self, id: &PaymentId, report: &mut Erased) -> Result<(), StoreError> {
        let cards = CardPayments::on(self.log, self.secrets);
        let (mut rest, messages) = cards.erased(id).await?;
        let messages: HashSet<_> = messages.into_iter().collect();
        for message in &messages {
            let tombstone = Messages::on(self.log).tombstone(message).await?;
            report.messages += usize::from(!tombstone.is_empty());
            rest.extend(tombstone);
        }
        match rest.is_empty() {
            true => Ok(()),
            false => self.log.set_many(&rest).await,
        }
    }

    /// Writes an entry of the journal again, without personal data.
    async fn erase_entry(self, event: Entry<Event>) -> Result<(), StoreError> {
        let Entry {
            index,
            at,
            mut value,
            ..
        } = event;
        if !value.erase_personal_data() {
            return Ok(());
        }
        self.journal().rewrite(index, at, &value).await
    }

    /// Erases the message of a refused confirmation, if it holds personal data.
    async fn erase_refusal(
        self,
        erasure: Option<&Erasure>,
        event: Entry<Event>,
        by: &str,
        report: &mut Erased,
    ) -> Result<(), StoreError> {
        let (index, at) = (event.index, event.at);
        let entry = JournalEntry::from(event);
        let Event::PaymentRefused(refusal) = &entry.event else {
            return Ok(());
        };
        let refusal = RefusalJson::clone(refusal);
        let messages = Messages::on(self.log);
        let Some(message) = messages.kept(&refusal.evidence).await? else {
            return Ok(());
        };
        if message.is_erased {
            report.messages += 1;
            let again = messages.tombstone(&refusal.evidence).await?;
            return self.log.set_many(&again).await;
        }
        let message = message.bytes;
        if !has_properties(&message) {
            return Ok(());
        }
        let Some(stored) = Refusals::on(self.log).of(vec![entry]).await?.pop() else {
            return Ok(());
        };
        // An erasure that broke off has left the message for the next call.
        if !stored.is_erased {
            let Some(erasure) = erasure.filter(|erasure| erasure.is_due(at, self.log.now())) else {
                return Ok(());
            };
            let is_meant = match erasure {
                Erasure::Retention(_) => true,
                Erasure::Customer(id) => holds(&message, id.as_bytes()),
                Erasure::Order(service, key) => {
                    refusal.service_id.as_deref() == Some(service.as_str())
                        && refusal.order_key.as_deref() == Some(key.as_str())
                }
            };
            if !is_meant {
                return Ok(());
            }
            if stored.closed.is_none() {
                if !matches!(erasure, Erasure::Retention(_)) {
                    report.kept.push(KeptOrder {
                        service_id: refusal.service_id,
                        order_key: refusal.order_key,
                        reason: format!("the review of refusal {index} is open"),
                    });
                }
                return Ok(());
            }
            let erase = |place| ErasureJson {
                service_id: refusal.service_id.clone(),
                order_key: refusal.order_key.clone(),
                evidence: Some(refusal.evidence.clone()),
                reason: erasure.reason().to_owned(),
                by: by.to_owned(),
                version: None,
                entry: Some(place),
            };
            Refusals::on(self.log)
                .say_erased(&refusal.evidence, erase)
                .await?;
        }
        let tombstone = messages.tombstone(&refusal.evidence).await?;
        self.log.set_many(&tombstone).await?;
        report.messages += 1;
        Ok(())
    }
}

fn see_order(
    erasure: Option<&Erasure>,
    list: &OrderList,
    listing: Listing<OrderEntry>,
    key: (ServiceId, OrderKey),
    decisions: &Decisions,
) -> Result<Option<Seen>, StoreError> {
    let mut latest = listing.entries.iter().rev();
    let latest = latest.find(|entry| !matches!(entry.value, OrderEntry::Void));
    let Some(changed_at) = latest.map(|entry| entry.at) else {
        return Ok(None);
    };
    let erased_before = OrderEntry::erased_before(&listing.entries);
    let mut erased = listing.entries.iter();
    let erased = erased.find(|entry| entry.index == erased_before);
    let was_asked = erased.is_some_and(was_asked);
    let erased_at = erased.map(|entry| entry.at);
    let mut seen = Seen {
        is_meant: erasure.is_some_and(|it| it.means(&key, &listing.entries)),
        key,
        state: OrderState::default(),
        changed_at,
        has_personal_data: false,
        rest: Vec::new(),
        names: HashSet::new(),
        payments: HashSet::new(),
        cards: HashSet::new(),
        erased_at,
        was_asked,
        is_part: false,
    };
    seen.add(list, &listing, erased_before, decisions)?;
    seen.state = fold(list, Depth::Latest, None, listing, decisions)?.0.state;
    Ok(Some(seen))
}

/// True if an entry is an erasure that a person asked for.
fn was_asked(entry: &Entry<OrderEntry>) -> bool {
    matches!(&entry.value, OrderEntry::Erased(erased) if erased.reason == REQUEST)
}

impl Seen {
    /// Adds the findings in entries. Those before the place of an erasure are without personal data, and
    /// so is a repeated attempt to record a payment that counts before it.
    fn add(
        &mut self,
        list: &OrderList,
        part: &Listing<OrderEntry>,
        erased_before: u64,
        decisions: &Decisions,
    ) -> Result<(), StoreError> {
        let counts_before = |payment: &PaymentJson| {
            let name = PaymentName::of(payment).ok();
            let marker = name.and_then(|name| decisions.get(&name)?.as_ref());
            let place = marker.and_then(Marker::order);
            place.is_some_and(|(of, place)| of == *list && place < erased_before)
        };
        self.rest.extend(list.emptied(part));
        for entry in &part.entries {
            let is_erased = entry.index < erased_before
                || matches!(&entry.value, OrderEntry::Payment(payment) if counts_before(payment));
            if is_erased
                && let OrderEntry::Payment(payment) | OrderEntry::Confirmed(payment) = &entry.value
            {
                self.payments.extend(PaymentName::of(payment));
            }
            if is_erased && let OrderEntry::CardStarted { started, .. } = &entry.value {
                self.cards.extend(PaymentId::parse(&started.payment_id));
            }
            let mut value = entry.value.clone();
            if !value.erase_personal_data() {
                continue;
            }
            if is_erased {
                let rewritten = list.rewritten(entry.index, entry.at, entry.beside, &value)?;
                self.rest.push(rewritten);
                self.names.extend(aliases::personal(&entry.value));
            } else {
                self.has_personal_data = true;
            }
        }
        Ok(())
    }
}

/// The reason why somebody still needs an order's personal data and its evidence; `None` once it is closed.
pub(super) fn open(state: &OrderState, now: Timestamp) -> Option<String> {
    let status = state.status(now);
    match status {
        OrderStatus::Active
        | OrderStatus::PartiallyPaid
        | OrderStatus::Set(SetStatus::Refunding) => Some(format!("it is {}", status.as_str())),
        _ if state.has_open_review() => Some("a review of its payments is open".to_owned()),
        _ => None,
    }
}

/// The time of the last thing that happened to an order.
fn last(order: &Seen, now: Timestamp) -> Timestamp {
    let due_date = order.state.order().and_then(|order| order.due_date);
    match (order.state.status(now), due_date) {
        (OrderStatus::Expired, Some(due_date)) => order.changed_at.max(due_date),
        _ => order.changed_at,
    }
}

/// The order that two texts name; `None` where they name none.
fn address(service_id: &str, order_key: &str) -> Option<(ServiceId, OrderKey)> {
    Some((
        ServiceId::parse(service_id).ok()?,
        OrderKey::parse(order_key).ok()?,
    ))
}

fn holds(message: &[u8], part: &[u8]) -> bool {
    message
        .windows(part.len().max(1))
        .any(|window| window == part)
}
