//! The standing of entries of the journal: if an entry counts, as the records that it is about tell it.

use std::collections::HashMap;

use mpay_log::{Entry, PATIENCE, RawEntry, read_entry};

use super::{
    Platform, StoreError,
    attempts::{Attempts, Decisions, Patience, PaymentName},
    journal_list::JournalList,
    order_list::OrderList,
    proposals,
    record::{Place, are_alive, over_the_log, read, to_json},
    refusals, settlements,
};
use crate::{
    domain::{OrderKey, ServiceId},
    json::{Event, PaymentJson},
};

over_the_log! {
    /// The standing of entries of the journal.
    pub(super) struct Standings
}

/// The standing of an entry, as the records that it is about tell it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts.
    Valid,
    /// It does not count: its change was not made, or was entered elsewhere.
    Abandoned,
    /// It is being recorded.
    Pending,
}

/// The place with which an event counts.
fn made_at(event: &Event) -> Option<Place> {
    match event {
        Event::ProposalWithdrawn(event) => Some(proposals::place(event.proposal, event.entry)),
        Event::SettlementImported(event) => Some(settlements::place(event.entry)),
        Event::ReviewClosed(event) if event.entry.is_some() => {
            Some(refusals::place(event.evidence.as_deref()?, event.entry?))
        }
        Event::PersonalDataErased(event) if event.entry.is_some() => {
            Some(refusals::place(event.evidence.as_deref()?, event.entry?))
        }
        event => {
            let (service, key, version) = event.change()?;
            let (service, key) = (ServiceId::parse(service).ok()?, OrderKey::parse(key).ok()?);
            Some(OrderList::of(&service, &key).place(version))
        }
    }
}

impl<'a, P: Platform> Standings<'a, P> {
    fn journal(self) -> JournalList<'a, P> {
        JournalList::on(self.log)
    }

    /// Looks up which entries count: a payment does if its marker names it, a change of an order
    /// if its place in the order's list is alive.
    pub async fn of(
        self,
        entries: Vec<Entry<Event>>,
    ) -> Result<Vec<(Entry<Event>, Standing)>, StoreError> {
        let mut names = Vec::new();
        let mut changes = HashMap::new();
        for entry in &entries {
            if let Event::PaymentRecorded(payment) = &entry.value {
                names.extend(PaymentName::of(payment));
            }
            changes.extend(made_at(&entry.value).map(|place| (entry.index, place)));
        }
        let mut decisions = Attempts::on(self.log).decided(&names).await?;
        let mut contests: Vec<_> = changes.values().map(Place::contest).collect();
        contests.sort_unstable();
        contests.dedup();
        let contests = read(self.log, &contests).await?;
        let mut standings = Vec::with_capacity(entries.len());
        for entry in entries {
            let standing = match (&entry.value, changes.get(&entry.index)) {
                (Event::PaymentRecorded(payment), _) => {
                    self.of_payment(&entry, payment, &mut decisions).await?
                }
                (_, Some(place))
                    if contests.has(&place.contest())
                        && !are_alive(self.log, std::slice::from_ref(place)).await? =>
                {
                    Standing::Abandoned
                }
                _ => Standing::Valid,
            };
            standings.push((entry, standing));
        }
        Ok(standings)
    }

    async fn of_payment(
        self,
        entry: &Entry<Event>,
        payment: &PaymentJson,
        decisions: &mut Decisions,
    ) -> Result<Standing, StoreError> {
        let Ok(name) = PaymentName::of(payment) else {
            return Ok(Standing::Abandoned);
        };
        if !decisions.contains_key(&name) {
            // Its recording gets as much time as a writer does.
            let age = std::time::Duration::try_from(self.log.now().duration_since(entry.at));
            if age.is_ok_and(|age| age < PATIENCE) {
                return Ok(Standing::Pending);
            }
            let decision = Attempts::on(self.log).finish(&name, Patience::Wait).await?;
            decisions.extend(decision.map(|decision| (name.clone(), decision)));
        }
        Ok(match decisions.get(&name) {
            Some(Some(marker)) if marker.journal == entry.index => Standing::Valid,
            Some(_) => Standing::Abandoned,
            None => Standing::Pending,
        })
    }

    /// Enters again the events that came too late to their places although their changes were made: their
    /// writers died before they could do so.
    pub async fn enter_late(self, late: &[RawEntry]) -> Result<(), StoreError> {
        for raw in late {
            let Ok(entry) = read_entry::<Event>(raw.index, &raw.bytes) else {
                continue;
            };
            // A statement counts only with its event, so this one was imported again, if at all.
            if matches!(entry.value, Event::SettlementImported(_)) {
                continue;
            }
            let Some(place) = made_at(&entry.value) else {
                continue;
            };
            if !are_alive(self.log, &[place]).await? {
                continue;
            }
            // An event that came too late to a claimed place is entered by its first place, if at all.
            if self.journal().is_claimed(raw.index).await? {
                continue;
            }
            let event = to_json(&entry.value)?;
            self.journal().enter_again(&event, raw.index).await?;
        }
        Ok(())
    }
}
