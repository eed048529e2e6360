//! Proposals to enter a payment by hand, or to void one. One person proposes, and another decides.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use mpay_log::BLOCK;
use mpay_log::{Entry, Listing};
use serde::{Deserialize, Serialize};

use super::{
    Platform, StoreError,
    attempts::{Attempts, Patience, PaymentName},
    became::Became,
    folds::Folds,
    journal_list::{self, JournalList},
    keys,
    record::{Place, over_the_log, read, to_json},
};
use crate::domain::PaymentId;
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
    /// True if what it proposes was done: the payment is entered, or voided.
    pub is_carried_out: bool,
}

impl StoredProposal {
    /// True if somebody has still to decide on it, or to carry it out.
    pub fn is_open(&self) -> bool {
        matches!(self.decided, None | Some((_, Decision::Void))) || self.is_unfinished()
    }

    /// True if it is approved, but was not carried out: the store failed, or something else came between. It
    /// may be approved again, or withdrawn.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.decided, Some((_, Decision::Approved { .. }))) && !self.is_carried_out
    }
}

/// A proposal, with what was decided on it.
struct Undecided {
    index: u64,
    proposed_at: Timestamp,
    proposed: Proposed,
    decisions: Listing<Decision>,
}

impl Undecided {
    fn is_approved(&self) -> bool {
        let mut decisions = self.decisions.entries.iter();
        decisions.any(|entry| matches!(entry.value, Decision::Approved { .. }))
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
/// Proposals whose payments are looked for at once.
const AT_ONCE: usize = 25;

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
        let undecided = self.undecided(index).await?.into_iter().collect();
        Ok(self.decided(undecided).await?.pop())
    }

    /// The proposal at a place of the journal, with the entries among which the decision is.
    async fn undecided(self, index: u64) -> Result<Option<Undecided>, StoreError> {
        let Some(entry) = JournalList::on(self.log).at(index).await? else {
            return Ok(None);
        };
        let proposed = match entry.event {
            Event::PaymentProposed(proposal) => Proposed::Payment(*proposal),
            Event::PaymentVoidProposed(proposal) => Proposed::Void(*proposal),
            _ => return Ok(None),
        };
        let made = self.log.read_all(&decisions(index)).await?;
        Ok(Some(Undecided {
            index,
            proposed_at: entry.at,
            proposed,
            decisions: made,
        }))
    }

    /// Proposals with the decisions that count, and whether they are carried out.
    async fn decided(self, undecided: Vec<Undecided>) -> Result<Vec<StoredProposal>, StoreError> {
        let approved = undecided.iter().filter(|it| it.is_approved());
        let approved: Vec<_> = approved.map(|it| (it.index, &it.proposed)).collect();
        let carried_out = match self.carried_out(&approved).await {
            // The damage of one payment keeps no other proposal from being shown.
            Err(StoreError::Corrupt { .. }) => {
                let mut carried_out = HashSet::new();
                for (index, proposed) in approved {
                    match self.carried_out(&[(index, proposed)]).await {
                        Ok(found) => carried_out.extend(found),
                        // Something is recorded; who asks for the payment is told what is wrong.
                        Err(StoreError::Corrupt { .. }) => {
                            carried_out.insert(index);
                        }
                        Err(error) => return Err(error),
                    }
                }
                carried_out
            }
            carried_out => carried_out?,
        };
        let decided = undecided.into_iter().map(|it| {
            let is_carried_out = carried_out.contains(&it.index);
            StoredProposal {
                index: it.index,
                proposed_at: it.proposed_at,
                proposed: it.proposed,
                decided: decided(it.decisions, is_carried_out).map(|entry| (entry.at, entry.value)),
                is_carried_out,
            }
        });
        Ok(decided.collect())
    }

    /// Finds those of these approved proposals that are carried out, by their places in the journal.
    async fn carried_out(self, approved: &[(u64, &Proposed)]) -> Result<HashSet<u64>, StoreError> {
        let attempts = Attempts::on(self.log);
        let named = approved.iter().filter_map(|(index, proposed)| {
            let id = PaymentId::parse(proposed.payment_id()).ok()?;
            Some((*index, *proposed, PaymentName::first(&id)))
        });
        let named: Vec<_> = named.collect();
        let names: Vec<_> = named.iter().map(|(.., name)| name.clone()).collect();
        let mut markers = attempts.decided(&names).await?;
        let mut entered = Vec::new();
        let mut carried_out = HashSet::new();
        for (index, proposed, name) in named {
            // It may be being entered at this moment.
            if !markers.contains_key(&name) {
                let marker = attempts.finish(&name, Patience::Wait).await?;
                markers.extend(marker.map(|marker| (name.clone(), marker)));
            }
            let marker = markers.get(&name).and_then(Option::as_ref);
            let Some(marker) = marker.filter(|marker| marker.is_manual()) else {
                continue;
            };
            match proposed {
                Proposed::Payment(_) => entered.push((index, name, marker.clone())),
                Proposed::Void(_) => {
                    let (list, place) = marker.order().ok_or_else(|| name.marker().lost())?;
                    let payment = Folds::on(self.log).payment(&list, place, &name).await?;
                    if payment.is_some_and(|payment| payment.state.voided.is_some()) {
                        carried_out.insert(index);
                    }
                }
            }
        }
        let keys = entered.iter();
        let keys = keys.map(|(.., marker)| journal_list::entry(marker.journal));
        let keys: BTreeSet<_> = keys.collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let mut values = read(self.log, &keys).await?;
        // Several proposals may be about one payment, and one of them has entered it.
        let mut proposals = HashMap::new();
        for (_, name, marker) in &entered {
            if !proposals.contains_key(&marker.journal)
                && let Event::PaymentRecorded(payment) = marker.entry(name, &mut values)?.event
            {
                let proposal = payment.manual.as_ref().map(|manual| manual.proposal);
                proposals.insert(marker.journal, proposal);
            }
        }
        let done = entered.iter().filter(|(index, _, marker)| {
            proposals.get(&marker.journal).copied().flatten() == Some(*index)
        });
        carried_out.extend(done.map(|(index, ..)| *index));
        Ok(carried_out)
    }

    /// Up to `limit` proposals, the newest first, below the place `before` of the journal; with `is_open`
    /// only those that are [open](StoredProposal::is_open). Only a fixed number of entries and proposals is looked at.
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
            let mut places = block.entries.iter();
            let mut places = std::iter::from_fn(|| {
                let proposal = places.find(|entry| is_proposal(&entry.event));
                proposal.map(|entry| entry.index)
            });
            loop {
                let at_once: Vec<_> = places.by_ref().take(AT_ONCE).collect();
                if at_once.is_empty() {
                    break;
                }
                let mut found = Vec::new();
                for index in at_once {
                    found.extend(self.undecided(index).await?);
                }
                for proposal in self.decided(found).await? {
                    looked_at += 1;
                    page.next = Some(proposal.index);
                    if !is_open || proposal.is_open() {
                        page.proposals.push(proposal);
                    }
                    if page.proposals.len() >= limit || looked_at >= MOST_PROPOSALS {
                        return Ok(page);
                    }
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

    /// Finds those of these proposals that are [open](StoredProposal::is_open), in the order of their places.
    pub(super) async fn open_among(self, places: &[u64]) -> Result<Vec<u64>, StoreError> {
        let lists: Vec<_> = places.iter().map(|place| decisions(*place)).collect();
        let made = self.log.read_lists(&lists, u64::MAX).await?;
        let (mut open, mut approved) = (Vec::new(), Vec::new());
        for (place, made) in places.iter().zip(made) {
            match decided(made, false).map(|entry| entry.value) {
                None => open.push(*place),
                // It may not be carried out yet.
                Some(Decision::Approved { .. }) => approved.extend(self.undecided(*place).await?),
                Some(_) => {}
            }
        }
        let approved = self.decided(approved).await?.into_iter();
        let unfinished = approved.filter(StoredProposal::is_open);
        open.extend(unfinished.map(|proposal| proposal.index));
        open.sort_unstable();
        Ok(open)
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

    /// Decides on a proposal, once, and gives the decision, made by this call or by an earlier one. One that is
    /// approved and [unfinished](StoredProposal::is_unfinished) can still be withdrawn.
    ///
    /// The person who approved it may be entering the payment at this moment: if it is carried out then, it
    /// counts, and the withdrawal does not.
    ///
    /// # Errors
    /// [`StoreError`]; repeating the call then does it.
    pub async fn decide(
        self,
        proposal: &StoredProposal,
        decision: &Decision,
    ) -> Result<Decision, StoreError> {
        let may_follow = matches!(decision, Decision::Withdrawn { .. }) && proposal.is_unfinished();
        let is_decision = |decision: &Decision| match decision {
            Decision::Approved { .. } => !may_follow,
            Decision::Withdrawn { .. } => true,
            Decision::Void => false,
        };
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

/// The decision that counts: the last one, for an approved proposal may be withdrawn; where it is carried out,
/// the approval.
fn decided(decisions: Listing<Decision>, is_carried_out: bool) -> Option<Entry<Decision>> {
    let mut decisions = decisions.entries.into_iter().rev();
    decisions.find(|entry| match entry.value {
        Decision::Void => false,
        Decision::Withdrawn { .. } => !is_carried_out,
        Decision::Approved { .. } => true,
    })
}
