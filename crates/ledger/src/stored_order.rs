//! The sum of an order's list: the fold of its entries, and the kept sums of a long list.
//!
//! A kept sum can always be computed again, and every call computes the same: it is kept only of a part
//! in which all places are settled. It holds no personal data; the latest version of the order is read
//! from its entry, and erased data stays erased.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use mpay_log::{Entry, Listing};
use mutation::{Mutation, mutated};
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    attempts::{Decisions, PaymentName},
    order_list::{OrderEntry, OrderList},
};
use crate::{
    domain::{Order, OrderKey, OrderState, PaymentId, RecordedPayment, Review},
    json::{CardStartedJson, ConfirmedJson, FieldError, OrderJson, PaymentJson, SummaryJson},
};

/// Entries that are folded together and kept.
pub(super) const SEGMENT: u64 = 64;
/// Lists up to this length are read whole.
pub(super) const LONG: u64 = 2 * SEGMENT;

/// An order as it is stored.
#[derive(Debug, Default)]
pub struct StoredOrder {
    /// Its versions and payments.
    pub state: OrderState,
    /// The records of `state`'s payments, in the same order. Of a long order these are the latest.
    pub payments: Vec<PaymentJson>,
    /// The order's version, which changes with every version and payment, and which `If-Match` compares.
    pub version: u64,
    /// True if its latest version is without personal data because that was erased.
    pub is_erased: bool,
    /// Payments by card that were begun lately and are not recorded, in the order of their beginning.
    pub begun: Vec<Begun>,
    /// Entries that a later version of this program has written.
    pub unreadable: usize,
    /// Digest of the name of the request that made it.
    pub(super) request: Option<String>,
    /// The place up to which payments are folded and not listed here, and the later changes of such
    /// payments.
    pub(super) folded: u64,
    pub(super) afterwards: Afterwards,
    /// The places of its first and of its latest version.
    pub(super) first: u64,
    pub(super) latest: u64,
    /// The place before which its entries are without personal data.
    pub(super) erased_before: u64,
    /// The places in the journal of its changes' events.
    pub(super) events: Vec<u64>,
    /// The highest place of its list, and the places that are settled.
    pub(super) length: u64,
    pub(super) settled: u64,
}

/// A payment by card that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The time.
    #[serde(deserialize_with = "crate::json::time::deserialize")]
    pub at: Timestamp,
    /// Digest of the name of the request that began it.
    pub request: String,
    /// Digest of the request's content.
    pub content: String,
    /// The payment that was begun.
    pub started: CardStartedJson,
    /// True if it is held, and about to be taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_taking: bool,
    /// The time at which that was decided; `None` in records of earlier versions.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::json::time::optional"
    )]
    pub taking_since: Option<Timestamp>,
    /// The number of its charges that had been noted by then: a decision is about the next one.
    #[serde(default)]
    pub taking_after: usize,
}

impl Begun {
    /// The time after the beginning for which somebody may still be paying: longer than any hold lasts.
    const LATELY: SignedDuration = SignedDuration::from_hours(10 * 24);
}

/// Notes of changes to payments that are not listed here, by their ids.
#[derive(Debug, Default)]
pub(super) struct Afterwards {
    /// Reviews that were closed.
    pub closed: Vec<(PaymentId, Review)>,
    /// The payments that MPay has confirmed after they were entered by hand.
    pub confirmed: Vec<PaymentId>,
    /// The payments that were voided.
    pub voided: Vec<PaymentId>,
    /// The payments to which a refund or another review came, and its place.
    pub changed: Vec<(PaymentId, u64)>,
}

impl StoredOrder {
    /// An order that nobody has registered.
    pub fn unregistered(order: Order) -> Self {
        let mut stored = Self::default();
        stored.state.amend(order);
        stored
    }

    /// True if its latest version, or one of the payments listed here, names this person, as
    /// [`Erasure::Customer`](super::Erasure) means it.
    pub fn names(&self, customer_id: &str) -> bool {
        let order = self.state.order().map(OrderJson::from);
        order.is_some_and(|order| order.names(customer_id))
            || self
                .payments
                .iter()
                .any(|payment| payment.names(customer_id))
    }

    /// The payment of this name, if it is listed here.
    pub(super) fn payment(&self, name: &PaymentName) -> Option<(PaymentJson, RecordedPayment)> {
        let mut payments = self.payments.iter().zip(self.state.payments());
        let (record, state) = payments.find(|(record, state)| {
            state.confirmation.payment_id == name.id && record.after_void == name.after_void
        })?;
        Some((record.clone(), state.clone()))
    }

    /// True if personal data is erased from the entry at a place of its list, or if the place is unknown
    /// and any was erased.
    pub(super) fn is_erased_at(&self, place: Option<u64>) -> bool {
        self.erased_before > 0 && place.is_none_or(|place| place < self.erased_before)
    }

    /// Notes the place of a version.
    fn has_version_at(&mut self, place: u64) {
        if self.first == 0 {
            self.first = place;
        }
        self.latest = place;
    }

    /// Notes that a payment by card is about to be taken, with the time of the decision and the charges
    /// before it; or that it is not.
    fn is_taking(&mut self, payment_id: &str, decided: Option<(Timestamp, usize)>) {
        let mut begun = self.begun.iter_mut();
        let begun = begun.find(|begun| begun.started.payment_id == payment_id);
        let Some(begun) = begun else {
            return;
        };
        let (since, after) = decided.unzip();
        let after = after.unwrap_or_default();
        // A call that stood still may decide on a charge that was sent long ago.
        if since.is_some() && begun.is_taking && after <= begun.taking_after {
            return;
        }
        begun.is_taking = since.is_some();
        begun.taking_since = since;
        begun.taking_after = after;
    }

    /// True if it has this alias.
    pub(super) fn is_named(&self, name: &OrderKey) -> bool {
        let order = self.state.order();
        order.is_some_and(|order| order.has_alias(name))
    }

    /// The order that is sent, in the form that is compared with the stored one. Erased personal data
    /// makes no difference, so a system that sends all orders again brings none of it back.
    pub(super) fn comparable<'a>(&self, sent: &'a Order) -> Cow<'a, Order> {
        if !self.is_erased {
            return Cow::Borrowed(sent);
        }
        let mut json = OrderJson::from(sent);
        json.erase_personal_data();
        json.to_order().map_or(Cow::Borrowed(sent), Cow::Owned)
    }
}

/// The depth to which a long order is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Its latest payments, and only the sums of those before.
    Latest,
    /// All of its payments, which is seldom worth the cost.
    Whole,
}

/// The sum of the entries of a list up to a place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    v: u32,
    /// The place.
    pub place: u64,
    /// Versions and payments, without the order itself.
    summary: SummaryJson,
    /// The places of the first and of the latest version.
    first: u64,
    latest: u64,
    /// The order's version.
    version: u64,
    is_erased: bool,
    erased_before: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

impl Kept {
    /// Raised with every change of the kept content: a sum kept by an earlier version would be read with
    /// defaults, while the entries have the values.
    const VERSION: u32 = 2;

    /// The sum of an order at a place.
    fn of(stored: &StoredOrder, place: u64, erased_before: u64) -> Self {
        let mut summary = SummaryJson::from(stored.state.summary());
        summary.order = None;
        Self {
            v: Self::VERSION,
            place,
            summary,
            first: stored.first,
            latest: stored.latest,
            version: stored.version,
            is_erased: stored.is_erased,
            erased_before,
            begun: stored.begun.clone(),
            request: stored.request.clone(),
        }
    }

    /// The place of the latest version of the order; 0 if there is none.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// The place before which personal data was erased when it was kept.
    pub fn erased_before(&self) -> u64 {
        self.erased_before
    }

    /// True if it can be used. A sum kept by another version is folded again.
    pub fn is_usable(&self) -> bool {
        self.v == Self::VERSION && self.summary.to_summary().is_ok()
    }

    /// The order at that place, with its latest version.
    pub fn restore(self, order: Option<OrderJson>) -> Result<StoredOrder, Vec<FieldError>> {
        let summary = SummaryJson {
            order,
            ..self.summary
        };
        Ok(StoredOrder {
            state: OrderState::from(summary.to_summary()?),
            version: self.version,
            is_erased: self.is_erased,
            begun: self.begun,
            request: self.request,
            first: self.first,
            latest: self.latest,
            folded: self.place,
            settled: self.place,
            length: self.place,
            ..StoredOrder::default()
        })
    }
}

/// Folds a list, or the part of it after `base`; the places are known before which personal data is
/// erased. A payment counts only at the place that its marker names. Also gives the sums to keep.
pub(super) fn fold(
    list: &OrderList,
    depth: Depth,
    base: Option<(StoredOrder, u64)>,
    listing: Listing<OrderEntry>,
    markers: &Decisions,
) -> Result<(StoredOrder, Vec<Kept>), StoreError> {
    let corrupt = |place: u64, reason: String| list.entry(place).corrupt(reason);
    let mut unreadable = 0;
    for raw in &listing.unreadable {
        if !OrderEntry::is_unknown(raw) {
            let reason = "it is damaged; POST /api/repair mends what can be mended".to_owned();
            return Err(corrupt(raw.index, reason));
        }
        unreadable += 1;
    }
    let (mut stored, erased_before) = base.unwrap_or_default();
    let erased_before = erased_before.max(OrderEntry::erased_before(&listing.entries));
    let last = listing.next - 1;
    stored.erased_before = erased_before;
    stored.unreadable = unreadable;
    stored.length = listing.length;
    stored.settled = listing.settled();
    // For a long order, the payments of the last segments are enough.
    let cut = match depth == Depth::Latest && last > LONG {
        true => (last - SEGMENT) / SEGMENT * SEGMENT,
        false => 0,
    };
    let mut keep = Vec::new();
    let mut entries = listing.entries.into_iter().peekable();
    for end in (1..=last.div_ceil(SEGMENT)).map(|segment| segment * SEGMENT) {
        let mut is_new = false;
        while let Some(mut entry) = entries.next_if(|entry| entry.index <= end) {
            is_new = true;
            if entry.index < erased_before {
                entry.value.erase_personal_data();
            }
            let place = entry.index;
            let counts = add(&mut stored, list, entry, markers);
            // A change that waits for an unwritten entry must not be taken for one that saw it.
            if counts.map_err(|reason| corrupt(place, reason))? && place <= stored.settled {
                stored.version = place;
            }
        }
        if is_new && end <= cut && (end <= stored.settled || mutated(Mutation::FoldOfWrongPrefix)) {
            keep.push(Kept::of(&stored, end, erased_before));
        }
        if end == cut {
            stored.state = OrderState::from(stored.state.summary().clone());
            stored.payments.clear();
            stored.folded = cut;
        }
    }
    Ok((stored, keep))
}

/// Adds an entry to the sum of those before it; `false` if it does not count.
fn add(
    stored: &mut StoredOrder,
    list: &OrderList,
    entry: Entry<OrderEntry>,
    markers: &Decisions,
) -> Result<bool, String> {
    let many = |errors: Vec<FieldError>| format!("{errors:?}");
    stored.events.extend(entry.beside);
    match entry.value {
        OrderEntry::Version(json) => {
            stored.is_erased = false;
            stored.has_version_at(entry.index);
            stored.state.amend(json.to_order().map_err(many)?);
        }
        OrderEntry::Created { request, order } => {
            stored.is_erased = false;
            stored.has_version_at(entry.index);
            stored.state.amend(order.to_order().map_err(many)?);
            stored.request = Some(request);
        }
        OrderEntry::Payment(json) => match PaymentName::of(&json)
            .ok()
            .and_then(|name| markers.get(&name))
        {
            Some(Some(marker)) if marker.names(list, entry.index) => {
                let (confirmation, receipt) = json.to_received().map_err(many)?;
                if stored.state.pay(confirmation, &receipt) {
                    stored
                        .begun
                        .retain(|begun| begun.started.payment_id != json.payment_id);
                    stored.payments.push(*json);
                }
            }
            Some(_) => return Ok(false),
            // It is being recorded, so this place is not settled yet.
            None => {
                stored.settled = stored.settled.min(entry.index - 1);
                return Ok(false);
            }
        },
        OrderEntry::Confirmed(json) => {
            let mut payments = stored.payments.iter_mut();
            match payments.find(|known| known.payment_id == json.payment_id) {
                Some(known) => confirm(known, *json),
                None => stored
                    .afterwards
                    .confirmed
                    .extend(PaymentId::parse(&json.payment_id)),
            }
        }
        OrderEntry::Voided(voided) => {
            let (voided, effect) = voided.read(entry.at).map_err(many)?;
            if stored.state.payment(&effect.payment_id).is_none() {
                stored.afterwards.voided.push(effect.payment_id.clone());
            }
            stored.state.void(&effect.payment_id, voided, &effect);
        }
        OrderEntry::CardStarted {
            request,
            content,
            started,
            ..
        } => {
            let is_lately = |begun: &Begun| entry.at.duration_since(begun.at) < Begun::LATELY;
            stored.begun.retain(is_lately);
            stored.begun.push(Begun {
                at: entry.at,
                request,
                content,
                started: *started,
                is_taking: false,
                taking_since: None,
                taking_after: 0,
            });
        }
        // Decisions on a payment by card change nothing that readers of the order see.
        OrderEntry::CardTaking {
            payment_id,
            charges,
        } => {
            stored.is_taking(&payment_id, Some((entry.at, charges)));
            return Ok(false);
        }
        OrderEntry::CardLeft { payment_id } => {
            stored.is_taking(&payment_id, None);
            return Ok(false);
        }
        OrderEntry::Refunded(refunded) => {
            let (refund, effect) = refunded.read(entry.at).map_err(many)?;
            if stored.state.payment(&effect.payment_id).is_none() {
                let changed = (effect.payment_id.clone(), entry.index);
                stored.afterwards.changed.push(changed);
            }
            stored.state.refund(&effect.payment_id, refund, &effect);
        }
        OrderEntry::Opened(opened) => {
            let (payment_id, review) = opened.read().map_err(|error| many(vec![error]))?;
            if stored.state.payment(&payment_id).is_none() {
                let changed = (payment_id.clone(), entry.index);
                stored.afterwards.changed.push(changed);
            }
            stored.state.open(&payment_id, review);
        }
        OrderEntry::Closed(closed) => {
            let (payment_id, closed) = closed.read(entry.at).map_err(|error| many(vec![error]))?;
            if stored.state.payment(&payment_id).is_none() {
                let closed = (payment_id.clone(), closed.review);
                stored.afterwards.closed.push(closed);
            }
            stored.state.close(&payment_id, closed);
        }
        OrderEntry::Erased(_) => stored.is_erased = true,
        OrderEntry::Void => return Ok(false),
    }
    Ok(true)
}

/// Notes on a payment that was entered by hand that MPay confirms it.
fn confirm(payment: &mut PaymentJson, confirmation: PaymentJson) {
    if let Some(manual) = &mut payment.manual {
        manual.confirmed.get_or_insert(ConfirmedJson {
            received_at: confirmation.received_at,
            signer: confirmation.signer,
            evidence: confirmation.evidence,
        });
    }
}

/// A payment as it is at the end of a part of its order's list.
#[derive(Debug)]
pub(super) struct OldPayment {
    /// The list.
    pub list: OrderList,
    /// The last place of that part.
    pub until: u64,
    /// Its record.
    pub record: PaymentJson,
    /// The payment's state.
    pub state: RecordedPayment,
}

impl OldPayment {
    /// Adds the entry at a place that a note names as a change of this payment; `false` if it is none.
    pub fn add(&mut self, entry: Entry<OrderEntry>) -> bool {
        let id = &self.state.confirmation.payment_id;
        match entry.value {
            _ if entry.index <= self.until => true,
            OrderEntry::Closed(closed) => match closed.read(entry.at) {
                Ok((of, closed)) if of == *id => {
                    self.state.review.retain(|open| *open != closed.review);
                    self.state.closed.push(closed);
                    true
                }
                _ => false,
            },
            OrderEntry::Confirmed(json) if json.payment_id == id.as_str() => {
                confirm(&mut self.record, *json);
                true
            }
            OrderEntry::Voided(voided) => match voided.read(entry.at) {
                Ok((voided, effect)) if effect.payment_id == *id => {
                    self.state.review.clear();
                    self.state.voided = Some(voided);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}

/// The key of the order that is there, if payers would confuse it with `key`.
pub(super) fn confused(state: &OrderState, key: &OrderKey) -> Option<OrderKey> {
    let known = &state.order()?.order_key;
    (known != key).then(|| known.clone())
}
