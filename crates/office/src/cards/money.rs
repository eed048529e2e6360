//! Records the money that a state reports: taken, refunded, or disputed.

use cryptoprocessing::{Found, State};
use serde_json::json;

use super::{Desk, amount, busy, divided, gateway::Proof, id_of, minor_units};
use crate::{
    api::Problem,
    domain::{Confirmation, LineId, Money, PaymentId, Review, time},
    json::{CardJson, CardState, CommandKind, MetadataJson, PaymentJson, RefundJson},
    store::{CardPayment, Command, Platform, Recorded, Refunded, StoredOrder, StoredPayment},
};

/// The outcome of recording money.
pub(super) enum Noted {
    /// The money is recorded, or the state reports none.
    Recorded,
    /// The gateway reports more remaining than the books have.
    Stale,
}

impl<P: Platform> Desk<'_, P> {
    /// Records the money that a state reports.
    pub(super) async fn record_money(
        &self,
        payment: &CardPayment,
        found: &Found,
        proof: &Proof,
        last_try: bool,
    ) -> Result<Noted, Problem> {
        let asked = amount(payment.asked())?;
        let (total, remaining) = match found.state {
            State::Paid { remaining } => {
                let remaining = Money::of_hundredths(remaining.into());
                let remaining =
                    remaining.ok_or_else(|| Problem::internal("an amount beyond any"))?;
                match remaining.is_zero() {
                    // Money was taken, and nothing of it remains: the same as the state `Refunded`.
                    true => (asked, Some(remaining)),
                    false => (remaining, Some(remaining)),
                }
            }
            State::Refunded => (asked, Some(Money::ZERO)),
            // The disputed amount may not be the whole payment. So a payment that is not recorded yet is
            // recorded, and nothing is subtracted.
            State::ChargedBack { amount } => {
                let told = amount.filter(|amount| *amount > 0);
                let told = told.and_then(|amount| Money::of_hundredths(amount.into()));
                (told.unwrap_or(asked), None)
            }
            _ => return Ok(Noted::Recorded),
        };
        let recorded = self.recorded(payment, total, found, proof).await?;
        let id = id_of(payment)?;
        if recorded.payment.card.is_none() {
            // The gateway has taken money, but another payment has this id.
            self.flag(&id, Review::Mismatch, proof).await?;
            return Ok(Noted::Recorded);
        }
        if let Some(remaining) = remaining {
            let known = recorded.state.remaining();
            if remaining > known {
                if !last_try {
                    return Ok(Noted::Stale);
                }
                self.flag(&id, Review::Mismatch, proof).await?;
            }
            if remaining < known {
                self.refunded(payment, &recorded, remaining, found, proof)
                    .await?;
            }
        }
        if let State::ChargedBack { amount } = found.state {
            self.flag(&id, Review::ChargedBack, proof).await?;
            if amount.is_some_and(|amount| amount > 0) && total != recorded.state.remaining() {
                self.flag(&id, Review::Mismatch, proof).await?;
            }
        }
        Ok(Noted::Recorded)
    }

    /// The payment in the books. It is recorded now, or was recorded before, perhaps by another channel under
    /// this id.
    async fn recorded(
        &self,
        payment: &CardPayment,
        total: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<StoredPayment, Problem> {
        let id = id_of(payment)?;
        let payments = self.store.payments();
        if let Some(known) = payments.get(&id).await? {
            return Ok(known);
        }
        let (record, order) = self.record_of(payment, total, found, proof).await?;
        let confirmation = record.to_confirmation().map_err(Problem::fields)?;
        let evidence = proof.evidence();
        let recorded = payments.record(&confirmation, &record, &order, &evidence, None);
        match recorded.await? {
            Recorded::New | Recorded::Repeated { .. } | Recorded::Conflict => {}
            Recorded::Manual => return Err(Problem::internal("a card payment entered by hand")),
        }
        // Of two concurrent calls, one may have seen the payment after a refund. The first record counts, and
        // the other call continues from it.
        let known = payments.get(&id).await?;
        known.ok_or_else(|| Problem::internal("a payment by card is not recorded"))
    }

    /// The record of the money taken, with the present time, and the order.
    async fn record_of(
        &self,
        payment: &CardPayment,
        total: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<(PaymentJson, StoredOrder), Problem> {
        let started = &payment.attempt.started;
        let mut asked = Vec::with_capacity(started.lines.len());
        for line in &started.lines {
            let id = LineId::parse(&line.line_id).map_err(Problem::internal)?;
            asked.push((id, amount(&line.amount)?));
        }
        let mut lines = divided(asked, total);
        let account = self.cards.bank_account.as_ref();
        for line in &mut lines {
            line.bank_account = account.map(|iban| iban.as_str().to_owned());
        }
        let now = time::format(self.store.now());
        let record = PaymentJson {
            payment_id: started.payment_id.clone(),
            service_id: started.service_id.clone(),
            order_key: started.order_key.clone(),
            invoice_id: None,
            amount: total.to_string(),
            currency: started.currency.clone(),
            paid_at: now.clone(),
            lines,
            properties: Vec::new(),
            received_at: now,
            amount_validity: None,
            signer: None,
            evidence: proof.name.clone(),
            card: Some(CardJson {
                asked: payment.asked().to_owned(),
                terminal: started.terminal.clone(),
                rrn: own_reference(payment, found)?,
                masked_number: found.card.clone().filter(|_| !payment.is_erased),
            }),
            manual: None,
            after_void: false,
            version: None,
            metadata: MetadataJson::new(),
        };
        let confirmation: Confirmation = record.to_confirmation().map_err(Problem::fields)?;
        let (service, key) = (&confirmation.service_id, &confirmation.order_key);
        let order = self.store.orders().get(service, key).await?;
        let Some(order) = order else {
            return Ok((record, StoredOrder::default()));
        };
        // The payer was asked for the amount that was due when the payment began.
        let since = self.store.now().duration_since(payment.started_at);
        let since = std::time::Duration::try_from(since).unwrap_or_default();
        let record = record
            .with_metadata(&order.state)
            .with_validity(&order.state, since);
        if account.is_some() {
            return Ok((record, order));
        }
        let default = self.config.service(service);
        let default = default.and_then(|service| service.account.as_ref());
        Ok((record.to_accounts_of(&order.state, default), order))
    }

    /// Records a refund. It belongs to our own command if the remaining amount is the one that the command
    /// wanted.
    async fn refunded(
        &self,
        payment: &CardPayment,
        recorded: &StoredPayment,
        remaining: Money,
        found: &Found,
        proof: &Proof,
    ) -> Result<(), Problem> {
        let command = payment.commands.iter().rev().find(|command| {
            let left = command.command.remaining.as_deref().map(Money::parse);
            command.command.kind == CommandKind::Refund && left == Some(Ok(remaining))
        });
        let command = command.map(|command| &command.command);
        let started = &payment.attempt.started;
        let refund = RefundJson {
            payment_id: started.payment_id.clone(),
            service_id: started.service_id.clone(),
            order_key: recorded.payment.order_key.clone(),
            amount: String::new(),
            remaining: remaining.to_string(),
            currency: started.currency.clone(),
            lines: Vec::new(),
            recorded: recorded.index,
            note: command.and_then(|command| command.note.clone()),
            by: command.and_then(|command| command.by.clone()),
            // The gateway reports a single number for a payment and its refunds: that of the latest.
            rrn: found.rrn.clone().filter(|rrn| !names(recorded, rrn)),
            evidence: proof.name.clone(),
            version: None,
        };
        let refunds = self.store.refunds();
        match refunds.refund(&refund, &proof.evidence()).await {
            Ok(Refunded::New | Refunded::Known) => Ok(()),
            Ok(Refunded::NoPayment) => Err(Problem::internal("a payment by card is gone")),
            Err(error) => Err(busy(error)),
        }
    }

    pub(super) async fn flag(
        &self,
        id: &PaymentId,
        review: Review,
        proof: &Proof,
    ) -> Result<(), Problem> {
        let refunds = self.store.refunds();
        let opened = refunds.open(id, review, &proof.evidence()).await;
        if opened.map_err(busy)? {
            let detail = json!({"payment_id": id.as_str(), "review": review.as_str()});
            self.tell(id.as_str(), review.as_str(), detail).await?;
        }
        Ok(())
    }
}

/// The reference number of a payment that is recorded only now. The gateway reports a single number for a
/// payment and its refunds: that of the latest. So if everything was refunded, the reported number is the
/// refund's, and the payment's own is the one reported while the money was held, if it was. If less remains
/// than was asked for, either less was charged or a part was refunded, and the number of the hold is the more
/// certain one. The number reported for a try that failed belongs to neither.
fn own_reference(payment: &CardPayment, found: &Found) -> Result<Option<String>, Problem> {
    let seen = payment.seen.as_ref().map(|(_, seen)| seen);
    let of_hold = seen.filter(|seen| seen.state.reach() >= CardState::Held.reach());
    let of_hold = of_hold.and_then(|seen| seen.rrn.clone());
    let told = found.rrn.clone();
    Ok(match found.state {
        State::Refunded | State::Paid { remaining: 0 } => of_hold,
        State::Paid { remaining } if remaining != minor_units(amount(payment.asked())?)? => {
            of_hold.or(told)
        }
        _ => told,
    })
}

/// True if a reference number is that of the payment, or of an earlier refund.
fn names(recorded: &StoredPayment, rrn: &str) -> bool {
    let card = recorded.payment.card.as_ref();
    let own = card.and_then(|card| card.rrn.as_deref());
    let refunds = recorded.state.refunds.iter();
    let refunds = refunds.filter_map(|refund| refund.rrn.as_deref());
    own.into_iter().chain(refunds).any(|known| known == rrn)
}

/// True if a refund in the books left exactly the amount that a command wanted to leave. If less remains, other
/// refunds were made too, and perhaps only those.
pub(super) fn is_in_the_books(command: &Command, recorded: &StoredPayment) -> bool {
    let wanted = command.command.remaining.as_deref().map(Money::parse);
    let mut refunds = recorded.state.refunds.iter();
    refunds.any(|refund| wanted == Some(Ok(refund.remaining)))
}
