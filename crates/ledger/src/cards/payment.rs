//! A payment by card: the entries of its list, and the fold over them.

use jiff::{SignedDuration, Timestamp};
use mpay_log::Entry;
use serde::{Deserialize, Serialize};

use crate::json::{
    AttemptJson, CommandJson, CommandKind, Ended, EndedJson, Outcome, OutcomeJson, SeenJson,
};

/// An entry of the list of a payment by card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardEntry {
    /// The payment is begun.
    Started(Box<AttemptJson>),
    /// The gateway has opened a session.
    Opened {
        /// The session's name, with which the payer goes there.
        session: String,
    },
    /// The gateway gave no session, or one of somebody else: nobody can pay.
    NotOpened {
        /// The reason.
        reason: String,
    },
    /// The gateway has told another state.
    Seen(SeenJson),
    /// A command is about to be sent.
    Command(CommandJson),
    /// A command has come to its end.
    Outcome(OutcomeJson),
    /// Nothing more is to be expected.
    Ended(EndedJson),
    /// The personal data of the list is erased, and is left out from here on.
    Erased,
    /// An entry that fills a place which was taken and is not needed.
    Void,
}

/// A command to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its place in the list.
    pub place: u64,
    /// The time at which it was recorded, just before it was sent.
    pub at: Timestamp,
    /// The command.
    pub command: CommandJson,
    /// Its end and the time of that; `None` while the end is not known.
    pub outcome: Option<(Timestamp, OutcomeJson)>,
}

/// A payment by card, folded from its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPayment {
    /// The time at which it was begun.
    pub started_at: Timestamp,
    /// The payment as it was begun.
    pub attempt: AttemptJson,
    /// The session at the gateway; `None` where none is known to have been opened.
    pub session: Option<String>,
    /// The reason for which no session was opened.
    pub not_opened: Option<String>,
    /// The state that the gateway told last, and the time since which it tells that.
    pub seen: Option<(Timestamp, SeenJson)>,
    /// The commands, in the order in which they were to be sent.
    pub commands: Vec<Command>,
    /// The reason for which nothing more is expected; `None` while something is.
    pub ended: Option<Ended>,
    /// True if the personal data is erased.
    pub is_erased: bool,
    /// The highest place of its list.
    length: u64,
}

impl CardPayment {
    /// Its id: the order number at the gateway, and the PaymentID.
    pub fn id(&self) -> &str {
        &self.attempt.started.payment_id
    }

    /// The command whose end is not known; there is one at most.
    pub fn open_command(&self) -> Option<&Command> {
        self.commands
            .iter()
            .find(|command| command.outcome.is_none())
    }

    /// The number of recorded commands to take the money that is held.
    pub fn charges(&self) -> usize {
        let commands = self.commands.iter();
        commands
            .filter(|known| known.command.kind == CommandKind::Charge)
            .count()
    }

    /// The command to charge a saved card; there is one at most.
    pub fn pay_command(&self) -> Option<&Command> {
        let mut commands = self.commands.iter();
        commands.find(|command| command.command.kind == CommandKind::Pay)
    }

    /// Refunds of which the gateway showed nothing, and which nobody has since confirmed to be not done:
    /// the gateway may have done them, or may do so yet.
    pub fn unseen_refunds(&self) -> impl Iterator<Item = &Command> {
        let checked = self.commands.iter().rfind(|known| known.command.checked);
        let checked = checked.map_or(0, |known| known.place);
        self.commands.iter().filter(move |known| {
            let outcome = known.outcome.as_ref().map(|(_, outcome)| outcome.outcome);
            known.command.kind == CommandKind::Refund
                && outcome == Some(Outcome::Unseen)
                && known.place > checked
        })
    }

    /// The amount that the payer is asked for; the part to take where the institution takes a part of it.
    pub fn asked(&self) -> &str {
        let charged = self.commands.iter().rev().find(|command| {
            let outcome = command.outcome.as_ref().map(|(_, outcome)| outcome.outcome);
            let is_not_done = matches!(outcome, Some(Outcome::NotDone | Outcome::Unseen));
            command.command.kind == CommandKind::Charge && !is_not_done
        });
        charged.map_or(&self.attempt.started.amount, |charge| {
            &charge.command.amount
        })
    }

    /// The time at which the payer's session ends.
    pub fn expires_at(&self) -> Timestamp {
        let minutes = i64::from(self.attempt.session_minutes);
        let session = SignedDuration::from_mins(minutes);
        self.started_at
            .saturating_add(session)
            .unwrap_or(self.started_at)
    }

    /// The payment folded from a list; `None` if the list has no beginning.
    pub(super) fn of(entries: Vec<Entry<CardEntry>>, length: u64) -> Option<Self> {
        let mut folded: Option<Self> = None;
        for entry in entries {
            let at = entry.at;
            let Some(payment) = &mut folded else {
                if let CardEntry::Started(attempt) = entry.value {
                    folded = Some(Self {
                        started_at: at,
                        attempt: *attempt,
                        session: None,
                        not_opened: None,
                        seen: None,
                        commands: Vec::new(),
                        ended: None,
                        is_erased: false,
                        length,
                    });
                }
                continue;
            };
            match entry.value {
                CardEntry::Started(_) | CardEntry::Void => {}
                CardEntry::Opened { session } => {
                    payment.session.get_or_insert(session);
                }
                CardEntry::NotOpened { reason } => {
                    payment.not_opened.get_or_insert(reason);
                }
                CardEntry::Seen(seen) => {
                    // A payment of which the gateway tells something after its end goes on.
                    payment.ended = None;
                    payment.seen = Some((at, seen));
                }
                CardEntry::Command(command) => payment.commands.push(Command {
                    place: entry.index,
                    at,
                    command,
                    outcome: None,
                }),
                CardEntry::Outcome(outcome) => {
                    let mut commands = payment.commands.iter_mut();
                    let command = commands.find(|command| command.place == outcome.command);
                    if let Some(command) = command
                        && command.outcome.is_none()
                    {
                        command.outcome = Some((at, outcome));
                    }
                }
                CardEntry::Ended(ended) => payment.ended = Some(ended.reason),
                CardEntry::Erased => payment.is_erased = true,
            }
        }
        if let Some(payment) = folded.as_mut().filter(|payment| payment.is_erased) {
            payment.attempt.erase_personal_data();
            if let Some((_, seen)) = &mut payment.seen {
                seen.masked_number = None;
            }
        }
        folded
    }
}

impl CardEntry {
    /// Removes the personal data; `false` if there was none.
    pub(super) fn erase_personal_data(&mut self) -> bool {
        match self {
            Self::Started(attempt) => attempt.erase_personal_data(),
            Self::Seen(seen) => seen.masked_number.take().is_some(),
            _ => false,
        }
    }
}
