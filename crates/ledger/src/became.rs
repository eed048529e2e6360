//! The outcomes of entries of the journal: short lists in which each outcome is said once, mostly with an
//! event.

use mpay_log::Listing;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Platform, StoreError,
    journal_list::JournalList,
    record::{over_the_log, to_json},
};
use crate::json::Event;

over_the_log! {
    /// Lists of outcomes.
    pub(super) struct Became
}

/// Most attempts to make an entry, each at a new place after the last one was passed by.
const TRIES: u32 = 5;

impl<P: Platform> Became<'_, P> {
    /// Enters an outcome once, and gives the last entry for which `is_it` is true, made by this call or by an
    /// earlier one. `make` gives the entry, with its event, for a place; `void` fills a place that was
    /// taken and is not needed.
    ///
    /// A call that finds the entry made makes sure of its event, since the writer may have died before.
    ///
    /// # Errors
    /// [`StoreError`]; repeating the call then does it.
    pub async fn once<T: Serialize + DeserializeOwned>(
        self,
        list: &str,
        void: &T,
        is_it: impl Fn(&T) -> bool,
        make: impl Fn(u64) -> (T, Option<Event>),
    ) -> Result<T, StoreError> {
        let journal = JournalList::on(self.log);
        let made = |listing: Listing<T>| {
            let mut entries = listing.entries.into_iter().rev();
            entries.find(|entry| is_it(&entry.value))
        };
        for _ in 0..TRIES {
            if let Some(made) = made(self.log.read_all(list).await?) {
                journal.make_sure(made.beside.as_slice()).await?;
                return Ok(made.value);
            }
            let mut slot = self.log.take(list).await?;
            // Judged by the entries before its own place, so that one of several calls does it.
            self.log.settle(list, 1, slot.index()).await?;
            let mut seen = self.log.read_all(list).await?;
            seen.truncate(slot.index() - 1);
            if let Some(made) = made(seen) {
                let void = to_json(void)?;
                let _ = self.log.fill(&[(&slot, &void)], Vec::new()).await?;
                journal.make_sure(made.beside.as_slice()).await?;
                return Ok(made.value);
            }
            let (value, event) = make(slot.index());
            let Some(event) = event else {
                let entry = to_json(&value)?;
                if self.log.fill(&[(&slot, &entry)], Vec::new()).await?.all() {
                    return Ok(value);
                }
                continue;
            };
            let place = journal.take().await?;
            slot.stand_beside(&place);
            let (entry, event) = (to_json(&value)?, to_json(&event)?);
            let batch = [(&slot, entry.as_str()), (&place, event.as_str())];
            let filled = self.log.fill(&batch, Vec::new()).await?;
            if !filled.is_alive(&slot) {
                continue;
            }
            if !filled.is_alive(&place) {
                journal.enter_again(&event, place.index()).await?;
            }
            return Ok(value);
        }
        Err(StoreError::Contested(list.to_owned()))
    }
}
