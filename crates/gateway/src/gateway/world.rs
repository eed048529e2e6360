//! The state of the gateway, and the course of a payment in it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::{CARDS_OF_CUSTOMER, Customer, LATE, Notice, Saved, Session};
use crate::{
    card::Card,
    journal::{Entry, Journal, Kind},
    mischief::{self, Mischief, Plan, Strikes},
    order::Order,
    wire::{self, Interface},
};

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) orders: Vec<Order>,
    pub(super) sessions: Vec<Session>,
    pub(super) customers: Vec<Customer>,
    pub(super) plans: Vec<Plan>,
    pub(super) notices: Vec<Notice>,
    /// Notifications that come after the next one of the same payment.
    pub(super) held_back: Vec<Notice>,
    pub(super) busy: Vec<(String, Timestamp)>,
    pub(super) journal: Journal,
    pub(super) notify: Option<String>,
    pub(super) now: Option<Timestamp>,
    pub(super) count: u64,
    pub(super) posted: Arc<Notify>,
}

impl World {
    pub(super) fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }

    pub(super) fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// An id of 36 characters.
    pub(super) fn id(&mut self) -> String {
        let count = self.count();
        // Different for each run of a program, so that a session of an earlier run is not valid in this
        // one.
        let run = self.now().as_second().unsigned_abs() & 0xFFFF_FFFF;
        format!("{run:08x}-0000-4000-8000-{count:012x}")
    }

    pub(super) fn reference(&mut self) -> String {
        format!("{:012}", self.count())
    }

    pub(super) fn order(&mut self, id: &str) -> Option<&mut Order> {
        self.orders.iter_mut().find(|order| order.id == id)
    }

    pub(super) fn change_session(&mut self, id: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.sessions.iter_mut().find(|s| s.id == id) {
            change(session);
        }
    }

    pub(super) fn be_busy(&mut self, order_id: Option<&str>, for_long: Duration) {
        let until = self.now() + SignedDuration::try_from(for_long).unwrap_or_default();
        self.busy.extend(order_id.map(|id| (id.to_owned(), until)));
        // No notification goes out before the operation is done.
        for notice in &mut self.notices {
            if notice.order_id.as_deref() == order_id {
                notice.after = notice.after.max(for_long);
            }
        }
    }

    pub(super) fn note_cabinet(&mut self, id: &str, what: &str, answer: &str) {
        let mut entry = Entry::new(self.now(), Kind::Cabinet, what);
        entry.order_id = Some(id.to_owned());
        answer.clone_into(&mut entry.answer);
        self.journal.add(entry);
    }

    /// Records the outcome of a payer's attempt.
    pub(super) fn settle(
        &mut self,
        session: &Session,
        card: &'static Card,
        outcome: Result<(), &'static str>,
        saves: bool,
        holder: &str,
    ) {
        self.change_session(&session.id, |session| {
            session.is_done = outcome.is_ok();
            session.code = outcome.err();
        });
        let mut entry = Entry::new(self.now(), Kind::Page, format!("Card {}", card.mask()));
        entry.order_id.clone_from(&session.order_id);
        outcome.err().unwrap_or("OK").clone_into(&mut entry.answer);
        self.journal.add(entry);
        let new_card = match (&session.customer, outcome) {
            (Some(login), Ok(())) if saves || session.order_id.is_none() => {
                Some(self.save(&login.clone(), card, holder, session.order_id.is_some()))
            }
            _ => None,
        };
        match &session.order_id {
            Some(id) => self.settle_order(id, card, outcome, new_card),
            None => {
                let name = match outcome {
                    Ok(()) => "CustomerAddSuccess",
                    Err(_) => "CustomerAddFail",
                };
                let mut fields = vec![("Success", truth(outcome.is_ok()))];
                fields.extend(session.customer.clone().map(|login| ("VWUserLgn", login)));
                fields.extend(new_card.map(|id| ("CardId", id)));
                fields.extend(outcome.err().map(|code| ("ErrCode", code.to_owned())));
                self.tell(name, None, fields);
            }
        }
    }

    pub(super) fn settle_order(
        &mut self,
        id: &str,
        card: &'static Card,
        outcome: Result<(), &'static str>,
        new_card: Option<String>,
    ) {
        let rrn = self.reference();
        let refunds = outcome.is_ok()
            && mischief::take_this(&mut self.plans, Mischief::RefundedInPart, Some(id));
        let Some(order) = self.order(id) else { return };
        match outcome {
            Ok(()) => {
                order.pay(card);
                order.rrn = Some(rrn);
                order.card_id = new_card.or(order.card_id.take());
            }
            Err(code) => order.fail(Some(card), code),
        }
        let what = if order.holds { "Block" } else { "Pay" };
        let amount = order.asked;
        self.tell_of(id, what, outcome.map(|()| amount));
        if let Some(order) = self.order(id)
            && refunds
            && let Ok(remains) = order.refund(Some((amount / 2).max(1)))
        {
            self.note_cabinet(id, "Refund", "OK");
            self.tell_of(id, "Refund", Ok(remains));
        }
    }

    /// Saves a card of a customer, once.
    pub(super) fn save(
        &mut self,
        login: &str,
        card: &'static Card,
        holder: &str,
        is_active: bool,
    ) -> String {
        let id = self.id();
        let proof = 100 + self.count % 100;
        let Some(customer) = self.customers.iter_mut().find(|c| c.login == login) else {
            return id;
        };
        if let Some(saved) = customer.cards.iter().find(|saved| saved.card == card) {
            return saved.id.clone();
        }
        if customer.cards.len() == CARDS_OF_CUSTOMER {
            customer.cards.remove(0);
        }
        customer.cards.push(Saved {
            id: id.clone(),
            card,
            holder: holder.chars().take(50).collect(),
            is_active,
            proof,
        });
        id
    }

    /// Tells the merchant of an operation on a payment.
    pub(super) fn tell_of(&mut self, id: &str, what: &str, outcome: Result<u64, &'static str>) {
        let Some(order) = self.order(id) else { return };
        let (interface, is_unattended) = (order.interface, order.is_unattended);
        let (customer, card_id) = (order.customer.clone(), order.card_id.clone());
        let ending = if outcome.is_ok() { "Success" } else { "Fail" };
        let by = match (interface, what) {
            (Interface::Wallet, "Pay" | "Refund") => "Customer",
            _ => "Engine",
        };
        let mut fields = vec![("Success", truth(outcome.is_ok()))];
        match outcome {
            Ok(remains) if matches!(what, "Refund" | "Unblock") => {
                fields.push(("NewAmount", remains.to_string()));
            }
            Ok(amount) => fields.push(("Amount", amount.to_string())),
            Err(code) => fields.push(("ErrCode", code.to_owned())),
        }
        fields.extend(customer.map(|login| ("VWUserLgn", login)));
        fields.extend(card_id.map(|id| ("CardId", id)));
        let name = match is_unattended && what == "Pay" {
            true => "MerchantPay".to_owned(),
            false => format!("{by}{what}{ending}"),
        };
        self.tell(&name, Some(id), fields);
    }

    /// Posts a forged notification, as anybody could, that all was paid.
    pub(super) fn forge(&mut self, order_id: &str) {
        let amount = self.order(order_id).map(|order| order.asked);
        if let Some(amount) = amount
            && mischief::take_this(
                &mut self.plans,
                Mischief::NotificationForged,
                Some(order_id),
            )
        {
            let fields = vec![("Success", truth(true)), ("Amount", amount.to_string())];
            self.tell("EnginePaySuccess", Some(order_id), fields);
        }
    }

    pub(super) fn tell(&mut self, name: &str, order_id: Option<&str>, fields: Vec<(&str, String)>) {
        let date = self.now().strftime("%d.%m.%Y %H:%M:%S").to_string();
        let mut all = vec![("Notification", name.to_owned())];
        all.extend(order_id.map(|id| ("OrderId", id.to_owned())));
        all.extend(fields);
        all.push(("TransactionDate", date));
        let notice = Notice {
            name: name.to_owned(),
            order_id: order_id.map(str::to_owned),
            body: wire::form(&all),
            after: Duration::ZERO,
        };
        let strikes = Strikes::Notification;
        match mischief::take(&mut self.plans, strikes, order_id, None) {
            Some(Mischief::NotificationLost) => {
                let mut entry = Entry::new(self.now(), Kind::Notification, name);
                entry.order_id = notice.order_id;
                entry.sent = notice.body;
                "lost".clone_into(&mut entry.answer);
                self.journal.add(entry);
            }
            Some(Mischief::NotificationLate) => self.notices.push(Notice {
                after: LATE,
                ..notice
            }),
            Some(Mischief::NotificationOutOfOrder) => self.held_back.push(notice),
            Some(Mischief::NotificationTwice) => {
                self.notices.push(notice.clone());
                self.notices.push(notice);
            }
            _ => {
                self.notices.push(notice);
                let is_before = |held: &mut Notice| held.order_id.as_deref() == order_id;
                self.notices
                    .extend(self.held_back.extract_if(.., is_before));
            }
        }
        self.posted.notify_one();
    }
}

pub(super) fn truth(is: bool) -> String {
    if is { "True" } else { "False" }.to_owned()
}
