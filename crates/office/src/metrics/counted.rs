//! The counters that are kept in the books, since no instance lives long enough to count.

use std::{collections::BTreeMap, time::Duration};

use mpay_door::Platform;
use mpay_ledger::{JOURNAL_MENDED, Ledger, Span, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{Money, MoneyError},
    json::{Channel, Event, PaymentJson},
};

/// The most pages of the journal that one answer counts.
const PAGES: u32 = 16;

/// Entries of the journal in a page.
const LIMIT: usize = 1024;

/// The longest time that one answer spends counting. Prometheus still waits for the rest of the answer.
const LONGEST: Duration = Duration::from_secs(3);

/// Name of the note that holds the counters.
pub(super) const COUNTED: &str = "metrics";

/// The counters of the journal up to a place. They depend on that place only, so any host may compute and store
/// them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// The last place that is counted.
    pub(super) until: u64,
    /// The latest repair before the count, and the version that counted. After a repair, and in a later
    /// version, more entries may be legible, so the count begins again.
    #[serde(default)]
    mended: Option<String>,
    #[serde(default)]
    pub(super) version: String,
    pub(super) unreadable: usize,
    pub(super) events: BTreeMap<String, u64>,
    pub(super) paid: Vec<Paid>,
}

/// Payments of a channel in a currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Paid {
    pub(super) channel: Channel,
    pub(super) currency: String,
    pub(super) count: u64,
    pub(super) amount: String,
}

impl Counted {
    /// The counters, brought forward from the note by as many pages as one answer counts.
    pub(super) async fn until_now<P: Platform>(store: &Ledger<P>) -> Result<Self, StoreError> {
        let notes = store.notes();
        // If the note is damaged, the count begins again.
        let kept = notes.get_many(&[COUNTED.to_owned()]).await?;
        let kept: Option<Self> = kept.into_iter().next().flatten();
        let nothing = Self {
            mended: notes.get(JOURNAL_MENDED).await?,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        };
        let is_good =
            |kept: &&Self| kept.mended == nothing.mended && kept.version == nothing.version;
        let mut counted = kept.as_ref().filter(is_good).unwrap_or(&nothing).clone();
        let begun = store.platform().monotonic();
        for _ in 0..PAGES {
            // The caller does not wait for long. The counters so far are stored below.
            if store.platform().monotonic().saturating_sub(begun) > LONGEST {
                break;
            }
            let journal = store.journal();
            let page = journal
                .read(counted.until, LIMIT, Span::ALWAYS, |_| true)
                .await?;
            if page.is_beyond_end {
                // The journal is shorter than the note says, since a backup was restored.
                counted = nothing.clone();
                continue;
            }
            for entry in &page.entries {
                counted.add(&entry.event);
            }
            counted.unreadable += page.unreadable.len();
            let is_over = page.complete || page.next == counted.until;
            counted.until = page.next;
            if is_over {
                break;
            }
        }
        if kept.as_ref() != Some(&counted) {
            notes.set(COUNTED, &counted).await?;
        }
        Ok(counted)
    }

    fn add(&mut self, event: &Event) {
        *self.events.entry(event.name().to_owned()).or_default() += 1;
        if let Event::PaymentRecorded(payment) = event
            && self.pay(payment).is_err()
        {
            self.unreadable += 1;
        }
    }

    /// Adds a payment; nothing of it if its amount cannot be read.
    fn pay(&mut self, payment: &PaymentJson) -> Result<(), MoneyError> {
        let (channel, currency) = (payment.channel(), payment.currency.as_str());
        let mut paid = self.paid.iter_mut();
        let known = paid.find(|paid| paid.channel == channel && paid.currency == currency);
        let amount = Money::parse_sum(&payment.amount)?;
        match known {
            Some(paid) => {
                paid.amount = (Money::parse_sum(&paid.amount)? + amount).to_string();
                paid.count += 1;
            }
            None => self.paid.push(Paid {
                channel,
                currency: currency.to_owned(),
                count: 1,
                amount: amount.to_string(),
            }),
        }
        Ok(())
    }
}
