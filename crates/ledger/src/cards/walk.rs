//! The walk that finds the payments by card that are not over.

use mpay_log::BLOCK;
use serde::{Deserialize, Serialize};

use super::CardPayments;
use crate::{
    Platform, StoreError, domain::PaymentId, journal_list::JournalList, json::Event, keys,
    notes::Notes, standings::Standings,
};

/// Name of the note of payments that are not over, as found by the walk over the journal.
const WALK: &str = "card-walk";
/// Blocks of the journal that one call looks through.
const MOST_BLOCKS: u64 = 40;

/// Progress of the walk over the journal and the list of commands. A payment that was begun or commanded
/// at or before their places, and is not listed here, is over. An older note is also true, so nothing
/// depends on which of two was written last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardWalk {
    place: u64,
    /// The place in the list of commands: a refund may be sent long after its payment was over.
    #[serde(default)]
    commands: u64,
    /// The ids of those that are not over, in the order of their beginning.
    open: Vec<String>,
}

impl CardWalk {
    /// The payments that are not known to be over.
    pub fn open(&self) -> impl Iterator<Item = PaymentId> {
        self.open.iter().filter_map(|id| PaymentId::parse(id).ok())
    }

    /// Notes that a payment is over.
    pub fn is_over(&mut self, id: &PaymentId) {
        self.open.retain(|open| open != id.as_str());
    }
}

impl<P: Platform> CardPayments<'_, P> {
    /// The payments that are not over, up to the place that the last walk reached and a bounded part
    /// further.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn walk(self) -> Result<CardWalk, StoreError> {
        let mut walk: CardWalk = Notes::on(self.log).get(WALK).await?.unwrap_or_default();
        let journal = JournalList::on(self.log);
        for _ in 0..MOST_BLOCKS {
            let part = journal.next(walk.place + 1, BLOCK).await?;
            // A beginning that was written too late at its place is entered again at a later one.
            Standings::on(self.log).enter_late(&part.late).await?;
            let until = part.settled();
            if until <= walk.place {
                break;
            }
            for entry in part.entries {
                if entry.index <= until
                    && let Event::CardStarted(started) = entry.value
                    && !walk.open.contains(&started.payment_id)
                {
                    walk.open.push(started.payment_id);
                }
            }
            walk.place = until;
            if until >= part.length {
                break;
            }
        }
        for _ in 0..MOST_BLOCKS {
            let first = walk.commands + 1;
            let part = self
                .log
                .read_on::<String>(keys::COMMANDED, first, BLOCK)
                .await?;
            let until = part.settled();
            if until <= walk.commands {
                break;
            }
            for entry in part.entries {
                if entry.index <= until && !walk.open.contains(&entry.value) {
                    walk.open.push(entry.value);
                }
            }
            walk.commands = until;
        }
        Ok(walk)
    }

    /// Keeps the progress of a walk.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails; then the next walk does the same again.
    pub async fn keep(self, walk: &CardWalk) -> Result<(), StoreError> {
        Notes::on(self.log).set(WALK, walk).await
    }
}
