//! Decisions about held money, and alerts about holds that wait for people.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Desk, amount, busy, id_of, observe::Looked};
use crate::{
    api::Problem,
    domain::time,
    json::{Capture, CardState, CommandJson, CommandKind},
    store::{CardPayment, NotTaken, Platform},
};

/// The age at which people receive an alert about a hold.
const LONG_HELD: SignedDuration = SignedDuration::from_hours(5 * 24);
/// The time for which a hold waits for another one of its order, or for a command that was decided on, before
/// people receive an alert.
const WAITS: SignedDuration = SignedDuration::from_hours(1);
/// The most times that this provider tries a command of its own that the gateway refuses.
const TRIES: usize = 3;

impl<P: Platform> Desk<'_, P> {
    /// Sends an alert about a hold that waits for people.
    pub(super) async fn tell_of_hold(
        &self,
        payment: &CardPayment,
        age: SignedDuration,
    ) -> Result<(), Problem> {
        let id = payment.id();
        if age >= LONG_HELD {
            let detail = json!({"payment_id": id, "state": "held"});
            self.tell(id, "held", detail).await?;
        }
        if let Some(decided) = self.decided(payment).await?
            && self.store.now().duration_since(decided) >= WAITS
        {
            let detail = json!({"payment_id": id, "decided_at": time::format(decided)});
            self.tell(id, "decided", detail).await?;
        }
        Ok(())
    }

    /// The time of a person's decision to charge held money, if the charge is not in the list: the call was
    /// stopped in between. No other call sends it.
    ///
    /// # Errors
    /// A [`Problem`] if the books cannot be read.
    pub async fn decided(&self, payment: &CardPayment) -> Result<Option<Timestamp>, Problem> {
        let seen = payment.seen.as_ref();
        let is_held = seen.is_some_and(|(_, seen)| seen.state == CardState::Held);
        let is_at_work = payment.open_command().is_some();
        let is_for_people = payment.attempt.started.capture == Capture::Manual;
        if !is_held || !is_for_people || is_at_work || payment.ended.is_some() {
            return Ok(None);
        }
        let (service, key) = self.record_address(payment)?;
        let order = self.store.orders().get(&service, &key).await?;
        let begun = order.iter().flat_map(|order| &order.begun);
        let charges = payment.charges();
        let mut taking = begun.filter(|begun| begun.is_taking && begun.taking_after == charges);
        let own = taking.find(|begun| begun.started.payment_id == payment.id());
        // Records of earlier versions lack this time.
        Ok(own.map(|begun| begun.taking_since.unwrap_or(begun.at)))
    }

    /// Takes back the decision to charge this hold, so that other holds of the order may be charged.
    pub(super) async fn leave(&self, payment: &CardPayment) -> Result<(), Problem> {
        let (service, key) = self.record_address(payment)?;
        let id = id_of(payment)?;
        let left = self.store.card_payments().leave(&id, &service, &key);
        left.await.map_err(busy)
    }

    /// True if this provider itself must now charge or release the held money.
    pub(super) fn is_to_decide(&self, payment: &CardPayment) -> bool {
        let is_held = payment
            .seen
            .as_ref()
            .is_some_and(|(_, seen)| seen.state == CardState::Held);
        is_held
            && payment.attempt.started.capture == Capture::Checked
            && payment.ended.is_none()
            && payment.open_command().is_none()
    }

    /// Charges the held money if the order can still be paid with it, and releases it otherwise, so that an
    /// order which was paid through MPay or with another card meanwhile is not paid twice.
    pub(super) async fn decide(&self, payment: CardPayment) -> Result<Looked, Problem> {
        let tried = |kind| {
            let commands = payment.commands.iter();
            commands
                .filter(|command| command.command.kind == kind)
                .count()
        };
        let started = &payment.attempt.started;
        let is_enough = tried(CommandKind::Charge) >= TRIES;
        let kind = match is_enough {
            true => CommandKind::Cancel,
            false => match self.may_take(&payment, amount(&started.amount)?).await? {
                Ok(()) => CommandKind::Charge,
                Err(NotTaken::Refused(_)) => CommandKind::Cancel,
                // The other charge may fail. This money stays held until that is known.
                Err(NotTaken::Other(other)) => {
                    let held = payment.seen.as_ref().map(|(since, _)| *since);
                    let waited = held.map(|since| self.store.now().duration_since(since));
                    if waited.is_some_and(|waited| waited >= WAITS) {
                        let detail = json!({"payment_id": payment.id(), "waits_for": other});
                        self.tell(payment.id(), "waits", detail).await?;
                    }
                    return Ok(Looked::Told(Box::new(payment)));
                }
            },
        };
        if tried(kind) >= TRIES {
            let detail = json!({"payment_id": payment.id(), "state": "held"});
            self.tell(payment.id(), "held", detail).await?;
            return Ok(Looked::Told(Box::new(payment)));
        }
        let command = CommandJson {
            kind,
            amount: started.amount.clone(),
            remaining: None,
            note: None,
            by: None,
            request: None,
            checked: false,
        };
        self.send(payment, command).await
    }
}
