//! Payments that a payer made here, and their confirmation, again and again until it succeeds.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use stage::Text;
use tokio::sync::Notify;

use super::{
    journal::{Entry, Outcome},
    mischief::{Mischief, Trial},
    provider::{Manner, Provider},
};
use mpay_client::Confirmation;

/// Payments that are kept; older ones are forgotten, and not confirmed any more.
const KEPT: usize = 200;
/// Attempts and trials of a payment that are shown.
const SHOWN: usize = 50;
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The constant part of a payment.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// The confirmation that MPay sends to the provider.
    pub confirmation: Confirmation,
    /// The reason of the order.
    pub reason: String,
    /// The name of the instrument that the payer chose.
    pub instrument: Text,
    /// The address that the payer goes back to.
    pub return_url: Option<String>,
}

/// A payment.
#[derive(Debug)]
pub struct Payment {
    /// The constant part.
    pub purchase: Purchase,
    progress: Mutex<Progress>,
    answered: Condvar,
    woken: Notify,
}

/// The progress of a payment's confirmation.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The stage that it is at.
    pub stage: Stage,
    /// Ordinary attempts, the oldest first.
    pub attempts: VecDeque<Arc<Entry>>,
    /// Attempts that were ever made.
    pub made: u32,
    /// Mischief that was played, the latest first.
    pub trials: VecDeque<Arc<Trial>>,
    /// True if a task is at it: one that was stopped may still wait for an answer.
    tended: bool,
}

/// The stage of the work on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// It is not being confirmed.
    #[default]
    Idle,
    /// An attempt is under way.
    Sending,
    /// The next attempt waits for its time.
    Waiting(Timestamp),
    /// The provider has confirmed it.
    Confirmed,
    /// The payer's money was not taken.
    Failed,
}

impl Payment {
    fn new(purchase: Purchase, stage: Stage) -> Self {
        Self {
            purchase,
            progress: Mutex::new(Progress {
                stage,
                ..Progress::default()
            }),
            answered: Condvar::new(),
            woken: Notify::new(),
        }
    }

    /// Its `PaymentID`.
    pub fn id(&self) -> &str {
        &self.purchase.confirmation.payment_id
    }

    /// The progress.
    pub fn progress(&self) -> Progress {
        self.lock().clone()
    }

    /// Waits, at most so long, for the answer to the attempt after so many.
    pub fn wait_for_answer(&self, made: u32, patience: Duration) {
        let unanswered = |progress: &mut Progress| match progress.stage {
            Stage::Sending => true,
            Stage::Waiting(_) => progress.made == made,
            Stage::Idle | Stage::Confirmed | Stage::Failed => false,
        };
        let waited = self
            .answered
            .wait_timeout_while(self.lock(), patience, unanswered);
        drop(waited);
    }

    /// Stops the attempts, unless one has succeeded.
    pub fn stop(&self) {
        let mut progress = self.lock();
        if matches!(progress.stage, Stage::Sending | Stage::Waiting(_)) {
            progress.stage = Stage::Idle;
        }
        drop(progress);
        self.woken.notify_one();
    }

    /// Plays a mischief on it. If the provider confirms the payment by that, it is confirmed. For a
    /// payment that failed there is nothing to send.
    pub fn play(&self, mischief: Mischief, provider: &Provider) {
        let stage = self.lock().stage;
        if stage == Stage::Failed {
            return;
        }
        let confirmed = stage == Stage::Confirmed;
        let trial = mischief.play(provider, &self.purchase.confirmation, confirmed);
        let mut progress = self.lock();
        if trial.confirmed() {
            progress.stage = Stage::Confirmed;
        }
        progress.trials.push_front(Arc::new(trial));
        progress.trials.truncate(SHOWN);
        drop(progress);
        self.woken.notify_one();
    }

    /// Makes one attempt. True if another should follow.
    fn attempt(&self, provider: &Provider) -> bool {
        let entry = provider.confirm(&self.purchase.confirmation, Manner::Usual, None);
        let success = entry.record.outcome == Outcome::Success;
        let mut progress = self.lock();
        progress.made = progress.made.saturating_add(1);
        if progress.attempts.len() == SHOWN {
            progress.attempts.pop_front();
        }
        progress.attempts.push_back(entry);
        if success {
            progress.stage = Stage::Confirmed;
        }
        progress.tended = progress.stage == Stage::Sending;
        let go_on = progress.tended;
        drop(progress);
        self.answered.notify_all();
        go_on
    }

    /// Goes from one stage to another, unless it is in neither any more. True if the attempts should go
    /// on.
    fn turn(&self, from: Stage, to: Stage) -> bool {
        let mut progress = self.lock();
        // It may have been stopped and begun again meanwhile.
        progress.tended = progress.stage == from || progress.stage == to;
        if progress.tended {
            progress.stage = to;
        }
        let go_on = progress.tended;
        drop(progress);
        self.answered.notify_all();
        go_on
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        // Nothing in here can panic half-way.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All payments that are kept.
#[derive(Debug, Default)]
pub struct Payments(Mutex<VecDeque<Arc<Payment>>>);

impl Payments {
    /// Adds a payment that is not being confirmed.
    pub fn add(&self, purchase: Purchase, stage: Stage) -> Arc<Payment> {
        let payment = Arc::new(Payment::new(purchase, stage));
        let mut payments = self.lock();
        if payments.len() == KEPT
            && let Some(oldest) = payments.pop_front()
        {
            oldest.stop();
        }
        payments.push_back(Arc::clone(&payment));
        payment
    }

    /// The payment of this id.
    pub fn get(&self, id: &str) -> Option<Arc<Payment>> {
        let payments = self.lock();
        payments.iter().find(|payment| payment.id() == id).cloned()
    }

    /// The latest payments, the latest first.
    pub fn latest(&self, count: usize) -> Vec<Arc<Payment>> {
        self.lock().iter().rev().take(count).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Payment>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Confirms a payment until that succeeds or is stopped, with pauses that double from `pause` to a
/// minute. If that is being done already, it tries at once.
pub fn deliver(
    runtime: &tokio::runtime::Handle,
    payment: &Arc<Payment>,
    provider: &Arc<Provider>,
    pause: Duration,
) {
    let mut progress = payment.lock();
    match progress.stage {
        Stage::Confirmed | Stage::Sending | Stage::Failed => return,
        Stage::Waiting(_) => return payment.woken.notify_one(),
        Stage::Idle => progress.stage = Stage::Sending,
    }
    if std::mem::replace(&mut progress.tended, true) {
        return;
    }
    drop(progress);
    let (payment, provider) = (Arc::clone(payment), Arc::clone(provider));
    runtime.spawn(async move {
        let mut pause = pause;
        loop {
            let attempt = {
                let (payment, provider) = (Arc::clone(&payment), Arc::clone(&provider));
                tokio::task::spawn_blocking(move || payment.attempt(&provider))
            };
            if !matches!(attempt.await, Ok(true)) {
                return;
            }
            let next = Timestamp::now() + SignedDuration::try_from(pause).unwrap_or_default();
            if !payment.turn(Stage::Sending, Stage::Waiting(next)) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = payment.woken.notified() => {}
            }
            if !payment.turn(Stage::Waiting(next), Stage::Sending) {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
}
