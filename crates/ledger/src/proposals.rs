//! Proposals to enter a payment by hand, or to void one. One person proposes, and another decides.

use jiff::Timestamp;
use mpay_log::BLOCK;
use mpay_log::{Entry, Listing};
use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError,
    became::Became,
    journal_list::JournalList,
    keys,
    record::{Place, over_the_log, to_json},
};
use crate::json::{Event, ProposalJson, VoidProposalJson, WithdrawalJson};

over_the_log! {
    /// The proposals and the decisions on them.
    pub struct Proposals
}

/// Name of the list of decisions on a proposal.
fn decisions(index: u64) -> String {
    format!("{}/{index}", keys::PROPOSAL)
}

/// A place among the decisions on a proposal.
pub(super) fn place(proposal: u64, index: u64) -> Place {
    Place::new(decisions(proposal), index)
}

/// The proposed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// To enter a payment by hand.
    Payment(ProposalJson),
    /// To void one.
    Void(VoidProposalJson),
}

/// The decision on a proposal, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is approved.
    Approved {
        /// Name of the principal.
        by: String,
    },
    /// It is withdrawn.
    Withdrawn {
        /// Name of the principal.
        by: String,
    },
    /// An index that was taken, but not used.
    Void,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProposal {
    /// Its place in the journal, by which it is approved.
    pub index: u64,
    /// The time at which it was made.
    pub proposed_at: Timestamp,
    /// Its record.
    pub proposed: Proposed,
    /// The decision on it, and its time.
    pub decided: Option<(Timestamp, Decision)>,
}

impl StoredProposal {
    /// True if nobody has decided on it.
    pub fn is_open(&self) -> bool {
        matches!(self.decided, None | Some((_, Decision::Void)))
    }
}

/// Proposals, the newest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProposalPage {
    /// Those that were found.
    pub proposals: Vec<StoredProposal>,
    /// The place to go on below, if there may be more.
    pub next: Option<u64>,
    /// True if the place was beyond the end of the journal, so that it is not of this store as it is.
    pub is_beyond_end: bool,
}

/// Blocks of the journal, and proposals, that one call looks at.
const BLOCKS: usize = 10;
const MOST_PROPOSALS: usize = 100;

impl<P: Platform> Proposals<'_, P> {
    /// Keeps a proposal; gives its place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if it could not be kept.
    pub async fn propose(self, proposed: &Proposed) -> Result<u64, StoreError> {
        let event = to_json(&match proposed.clone() {
            Proposed::Payment(proposal) => Event::PaymentProposed(Box::new(proposal)),
            Proposed::Void(proposal) => Event::PaymentVoidProposed(Box::new(proposal)),
        })?;
        JournalList::on(self.log).enter(&event).await
    }

    /// The proposal at this place in the journal.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn get(self, index: u64) -> Result<Option<StoredProposal>, StoreError> {
        let Some(entry) = JournalList::on(self.log).at(index).await? else {
            return Ok(None);
        };
        let proposed = match entry.event {
            Event::PaymentProposed(proposal) => Proposed::Payment(*proposal),
            Event::PaymentVoidProposed(proposal) => Proposed::Void(*proposal),
            _ => return Ok(None),
        };
        let made = self.log.read_all(&decisions(index)).await?;
        Ok(Some(StoredProposal {
            index,
            proposed_at: entry.at,
            proposed,
            decided: decided(made).map(|entry| (entry.at, entry.value)),
        }))
    }

    /// Up to `limit` proposals, the newest first, below the place `before` of the journal; with `is_open`
    /// only those on which nobody has decided. Only a fixed number of entries and proposals is looked at.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn read(
        self,
        before: Option<u64>,
        limit: usize,
        is_open: bool,
    ) -> Result<ProposalPage, StoreError> {
        let journal = JournalList::on(self.log);
        let mut before = match before {
            Some(before) => before,
            None => journal.length().await? + 1,
        };
        let mut page = ProposalPage::default();
        let mut looked_at = 0;
        for _ in 0..BLOCKS {
            let block = journal.before(before, BLOCK).await?;
            page.is_beyond_end |= block.is_beyond_end;
            let is_proposal = |event: &Event| {
                matches!(
                    event,
                    Event::PaymentProposed(_) | Event::PaymentVoidProposed(_)
                )
            };
            for entry in block.entries {
                if !is_proposal(&entry.event) {
                    continue;
                }
                looked_at += 1;
                page.next = Some(entry.index);
                let proposal = self.get(entry.index).await?;
                let is_wanted = |proposal: &StoredProposal| !is_open || proposal.is_open();
                page.proposals.extend(proposal.filter(is_wanted));
                if page.proposals.len() >= limit || looked_at >= MOST_PROPOSALS {
                    return Ok(page);
                }
            }
            if block.start == 1 {
                page.next = None;
                return Ok(page);
            }
            page.next = Some(block.start);
            before = block.start;
        }
        Ok(page)
    }

    /// Those of these proposals on which nobody has decided, in the same order.
    pub(super) async fn open_among(self, places: &[u64]) -> Result<Vec<u64>, StoreError> {
        let lists: Vec<_> = places.iter().map(|place| decisions(*place)).collect();
        let made = self.log.read_lists(&lists, u64::MAX).await?;
        let open = places.iter().zip(made);
        let open = open.filter_map(|(place, made)| decided(made).is_none().then_some(*place));
        Ok(open.collect())
    }

    /// Up to `limit` of the proposals that are known to be open, the newest first. `next` leads to the others.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn known(
        self,
        places: &[u64],
        floor: u64,
        limit: usize,
    ) -> Result<ProposalPage, StoreError> {
        let mut page = ProposalPage::default();
        for place in places.iter().rev().take(limit) {
            let proposal = self.get(*place).await?;
            page.proposals
                .extend(proposal.filter(StoredProposal::is_open));
            page.next = Some(*place);
        }
        if places.len() <= limit {
            page.next = (floor > 0).then_some(floor + 1);
        }
        Ok(page)
    }

    /// Decides on a proposal, once, and gives the decision, made by this call or by an earlier one.
    ///
    /// # Errors
    /// [`StoreError`]; repeating the call then does it.
    pub async fn decide(
        self,
        proposal: &StoredProposal,
        decision: &Decision,
    ) -> Result<Decision, StoreError> {
        let is_decision = |decision: &Decision| *decision != Decision::Void;
        let decide = |place| {
            let event = match decision {
                Decision::Withdrawn { by } => {
                    Some(Event::ProposalWithdrawn(Box::new(WithdrawalJson {
                        proposal: proposal.index,
                        payment_id: proposal.proposed.payment_id().to_owned(),
                        by: by.clone(),
                        entry: place,
                    })))
                }
                // The payment that is entered or voided has an event of its own.
                Decision::Approved { .. } | Decision::Void => None,
            };
            (decision.clone(), event)
        };
        let list = decisions(proposal.index);
        Became::on(self.log)
            .once(&list, &Decision::Void, is_decision, decide)
            .await
    }
}

impl Proposed {
    /// The id of the payment that it is about.
    pub fn payment_id(&self) -> &str {
        match self {
            Self::Payment(proposal) => &proposal.payment_id,
            Self::Void(proposal) => &proposal.payment_id,
        }
    }

    /// Name of the principal who proposed it.
    pub fn by(&self) -> &str {
        match self {
            Self::Payment(proposal) => &proposal.by,
            Self::Void(proposal) => &proposal.by,
        }
    }
}

/// The decision that counts. There is one at most, since each was judged by the entries before it.
fn decided(decisions: Listing<Decision>) -> Option<Entry<Decision>> {
    let mut decisions = decisions.entries.into_iter();
    decisions.find(|entry| entry.value != Decision::Void)
}
