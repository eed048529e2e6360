//! The outcomes of MPay's latest calls: the payment that was recorded last, and the refused
//! confirmations. Those that nobody has looked at need a person, however old they are.
//!
//! A note says how far the journal was read and what was open there, so each call reads only what came
//! since. An older note is as good as a newer one: whatever it lacks is read again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use mpay_log::BLOCK;

use super::{
    Journal, Places, Platform, Refusals, StoreError, StoredRefusal, days::DayRange,
    journal_list::JournalList, notes::Notes, record::over_the_log,
};
use crate::json::{Channel, Event, PaymentJson};

/// The name of the note.
const WALK: &str = "mpay-calls";
/// Places of the journal that one call looks at, unless it says how many.
const PLACES: u64 = 40 * BLOCK;
/// Most open refusals that are known; if there are more, the newest.
const OPEN: usize = 100;
/// The latest refusals that are known.
const LATEST: usize = 10;

over_the_log! {
    /// The outcomes of MPay's calls.
    pub struct MPayCalls
}

/// The outcomes up to a place of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Walk {
    place: u64,
    /// The place of the payment that MPay confirmed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recorded: Option<u64>,
    /// The places of the latest refusals, and those that are open; the newest last.
    latest: Vec<u64>,
    open: Vec<u64>,
    /// True if there were more open ones than [`OPEN`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_more: bool,
}

/// The outcomes of MPay's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MPayCallsFound {
    /// The payment that MPay confirmed last, and the time at which it was recorded.
    pub recorded: Option<(Timestamp, PaymentJson)>,
    /// The latest refusals, the newest first.
    pub latest: Vec<StoredRefusal>,
    /// Those that are open, the newest first.
    pub open: Vec<StoredRefusal>,
    /// True if there are more open ones.
    pub has_more: bool,
    /// True if all of the journal was looked at; the next call goes on.
    pub is_complete: bool,
}

impl<P: Platform> MPayCalls<'_, P> {
    /// Reads the outcomes.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(self) -> Result<MPayCallsFound, StoreError> {
        self.read_within(&Places::new(PLACES)).await
    }

    /// Reads the outcomes, and looks at no more than so many places of the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read_within(self, places: &Places) -> Result<MPayCallsFound, StoreError> {
        let notes = Notes::on(self.log);
        // A damaged note only costs a walk, which begins anew.
        let known = notes.get_many(&[WALK.to_owned()]).await?;
        let known: Walk = known.into_iter().next().flatten().unwrap_or_default();
        let mut walk = known.clone();
        let mut is_complete = false;
        while places.left() > 0 {
            let journal = Journal::on(self.log);
            let page = journal
                .read_within(&DayRange::ALWAYS, walk.place, usize::MAX, places, is_meant)
                .await?;
            if page.is_beyond_end {
                // A note from before a backup was restored.
                walk = Walk::default();
                continue;
            }
            for entry in page.entries {
                match entry.event {
                    Event::PaymentRecorded(_) => walk.recorded = Some(entry.index),
                    _ => {
                        walk.latest.push(entry.index);
                        walk.open.push(entry.index);
                    }
                }
            }
            is_complete = page.complete;
            if walk.open.len() > OPEN {
                self.see_open(&mut walk).await?;
            }
            let has_ended = page.complete || page.next <= walk.place;
            walk.place = walk.place.max(page.next);
            if has_ended {
                break;
            }
        }
        walk.latest
            .drain(..walk.latest.len().saturating_sub(LATEST));
        let open = self.see_open(&mut walk).await?;
        let latest = self.refusals(&walk.latest).await?;
        let recorded = match walk.recorded {
            Some(place) => JournalList::on(self.log).at(place).await?,
            None => None,
        };
        let recorded = recorded.and_then(|entry| match entry.event {
            Event::PaymentRecorded(payment) => Some((entry.at, *payment)),
            _ => None,
        });
        let has_more = walk.has_more;
        if has_more && walk.open.is_empty() {
            // A walk that begins anew finds those that were left out.
            (walk, is_complete) = (Walk::default(), false);
        }
        if walk != known {
            notes.set(WALK, &walk).await?;
        }
        Ok(MPayCallsFound {
            recorded,
            latest,
            open,
            has_more,
            is_complete,
        })
    }

    /// Drops the open refusals that are closed by now, and those that are too many. Gives the rest.
    async fn see_open(self, walk: &mut Walk) -> Result<Vec<StoredRefusal>, StoreError> {
        let mut open = self.refusals(&walk.open).await?;
        open.retain(|refusal| refusal.closed.is_none());
        walk.has_more |= open.len() > OPEN;
        open.truncate(OPEN);
        walk.open = open.iter().rev().map(|refusal| refusal.index).collect();
        Ok(open)
    }

    /// The refusals at these places, the newest first.
    async fn refusals(self, places: &[u64]) -> Result<Vec<StoredRefusal>, StoreError> {
        let entries = JournalList::on(self.log).entries(places).await?;
        let mut refusals = Refusals::on(self.log).of(entries).await?;
        refusals.sort_by_key(|refusal| std::cmp::Reverse(refusal.index));
        Ok(refusals)
    }
}

/// True if an event tells of a call of MPay.
fn is_meant(event: &Event) -> bool {
    match event {
        Event::PaymentRecorded(payment) => payment.channel() == Channel::MPay,
        Event::PaymentRefused(_) => true,
        _ => false,
    }
}
