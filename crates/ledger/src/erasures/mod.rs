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

mod seen;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use mpay_log::{BLOCK, Entry, Listing};
use mutation::{Mutation, mutated};
use serde::Serialize;

use self::seen::{Seen, last};
use super::{
    CardPayments, Cursor, JournalEntry, Messages, Orders, Platform, Precondition, Refusals,
    RegisterError, StoreError,
    aliases::Aliases,
    attempts::{Attempts, PaymentName},
    cursor::Cursors,
    journal_list::JournalList,
    long_orders::Parts,
    order_list::OrderEntry,
    orders::Change,
    record::over_the_log_and_the_secret,
    standings::Standings,
};
use crate::{
    domain::{OrderKey, OrderState, OrderStatus, PaymentId, ServiceId, SetStatus},
    json::{ErasureJson, Event, RefusalJson},
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
