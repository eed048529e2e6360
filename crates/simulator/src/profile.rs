//! Profiles: the main subject of a run. Most faults need events that seldom coincide by themselves. Each
//! profile makes some of them coincide often, and each seed chooses a profile by chance.

use crate::{
    chaos::Chaos,
    engine::Weather,
    executor::Micros,
    random::{MINUTE, Random, SECOND},
};

/// The main subject of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A mixture of everything.
    Usual,
    /// One order after the other, which everybody changes and pays at the same time.
    Contested,
    /// Payments at the end of the day, on hosts whose clocks differ, and accountants who wait for the day
    /// to close.
    Midnight,
    /// One order with so many payments that folds of it are kept, while some payments are slow.
    Long,
    /// Configurations that change again and again while they are read slowly.
    Rotation,
    /// Payments by card. No seed chooses this profile; it must be asked for.
    Cards,
}

/// The requests of people and programs, in the order of the weights of [`Profile::weights`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An order is registered by `PUT`.
    Register,
    /// An order is registered under a generated key.
    Create,
    /// Orders are imported.
    Import,
    /// An order is replaced by `PUT`.
    Put,
    /// The same, with `If-Match`.
    PutIfMatch,
    /// The amount of an order is changed.
    Patch,
    /// An order is cancelled.
    Cancel,
    /// The status of an order is set.
    SetStatus,
    /// MPay asks for an order.
    Ask,
    /// MPay confirms a payment.
    Pay,
    /// MPay asks for an order that nobody has registered, and confirms a payment of it.
    PayOpen,
    /// A payment is entered by hand.
    EnterByHand,
    /// A statement is compared.
    Settle,
    /// A review is closed.
    CloseReview,
    /// The personal data of an order is erased.
    Erase,
    /// An order is read.
    Look,
    /// A day is asked for.
    Reconcile,
    /// The store is mended.
    Repair,
    /// A payment by card is begun.
    BeginCard,
    /// Money held on a card is taken or released.
    SettleCard,
    /// Money of a payment by card is given back.
    RefundCard,
    /// Something is done in the gateway's cabinet.
    Cabinet,
}

const STEPS: [Step; 22] = [
    Step::Register,
    Step::Create,
    Step::Import,
    Step::Put,
    Step::PutIfMatch,
    Step::Patch,
    Step::Cancel,
    Step::SetStatus,
    Step::Ask,
    Step::Pay,
    Step::PayOpen,
    Step::EnterByHand,
    Step::Settle,
    Step::CloseReview,
    Step::Erase,
    Step::Look,
    Step::Reconcile,
    Step::Repair,
    Step::BeginCard,
    Step::SettleCard,
    Step::RefundCard,
    Step::Cabinet,
];

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 6] = [
        Self::Usual,
        Self::Contested,
        Self::Midnight,
        Self::Long,
        Self::Rotation,
        Self::Cards,
    ];

    /// A profile for a run, by chance.
    pub fn of_run(random: &Random) -> Self {
        let position = random.weighted(&[5, 3, 4, 3, 2]);
        Self::ALL.get(position).copied().unwrap_or(Self::Usual)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::Contested => "contested",
            Self::Midnight => "midnight",
            Self::Long => "long",
            Self::Rotation => "rotation",
            Self::Cards => "cards",
        }
    }

    /// The next step of an actor, by chance.
    pub fn step(self, random: &Random) -> Step {
        let position = random.weighted(&self.weights());
        STEPS.get(position).copied().unwrap_or(Step::Look)
    }

    fn weights(self) -> [u32; STEPS.len()] {
        let weights = match self {
            Self::Usual => [14, 6, 3, 10, 10, 6, 6, 8, 8, 26, 6, 4, 3, 4, 4, 10, 4, 2],
            Self::Contested => [2, 0, 0, 14, 8, 18, 10, 12, 4, 34, 6, 1, 0, 2, 0, 6, 0, 1],
            Self::Midnight => [8, 1, 0, 3, 2, 3, 1, 2, 2, 52, 2, 4, 2, 2, 0, 2, 14, 1],
            Self::Long => [0, 0, 0, 0, 0, 0, 0, 0, 2, 80, 0, 1, 0, 0, 0, 18, 0, 1],
            Self::Rotation => [10, 4, 2, 6, 4, 4, 2, 4, 50, 20, 2, 2, 1, 1, 1, 6, 2, 1],
            Self::Cards => [9, 2, 0, 3, 2, 5, 3, 3, 3, 10, 0, 1, 1, 3, 1, 5, 3, 1],
        };
        let of_cards = match self {
            Self::Cards => [26, 8, 14, 5],
            _ => [0; 4],
        };
        let mut all = weights.into_iter().chain(of_cards);
        std::array::from_fn(|_| all.next().unwrap_or(0))
    }

    /// The least and the longest pause of an actor between two requests.
    pub fn pause(self) -> (Micros, Micros) {
        match self {
            Self::Usual => (10_000, 20 * SECOND),
            Self::Cards => (10_000, MINUTE),
            Self::Contested => (1_000, 2 * SECOND),
            Self::Midnight => (5_000, SECOND / 2),
            Self::Long => (1_000, 60_000),
            Self::Rotation => (50_000, 10 * SECOND),
        }
    }

    /// Number of the latest orders that most requests are about.
    pub fn latest_orders(self) -> usize {
        match self {
            Self::Usual | Self::Midnight | Self::Rotation | Self::Cards => 4,
            Self::Contested | Self::Long => 1,
        }
    }

    /// Most requests about one order. A search explains their answers; for a long order only sums are
    /// compared.
    pub fn most_requests(self) -> usize {
        match self {
            Self::Long => usize::MAX,
            _ => 24,
        }
    }

    /// The time before midnight at which a run begins; `None` for the usual beginning, 20 minutes before
    /// it.
    pub fn before_midnight(self, random: &Random) -> Option<Micros> {
        let (before, most) = match self {
            Self::Midnight => (random.scaled(2 * SECOND, 6 * SECOND), true),
            _ => (random.scaled(SECOND, 3 * MINUTE), random.happens(0.7)),
        };
        most.then_some(before)
    }

    /// The least and the longest pause of readers with a cursor between two requests.
    pub fn readers_pause(self) -> (Micros, Micros) {
        match self {
            Self::Usual | Self::Rotation => (50_000, 30 * SECOND),
            Self::Cards => (SECOND, 2 * MINUTE),
            Self::Contested | Self::Midnight | Self::Long => (20_000, 2 * SECOND),
        }
    }

    /// The factor by which a run has more requests than others.
    pub fn length(self) -> u64 {
        match self {
            Self::Long | Self::Midnight => 2,
            // Payers take their time.
            Self::Cards => 3,
            _ => 1,
        }
    }

    /// Most events of the executor per request.
    pub fn most_events(self) -> u64 {
        match self {
            // At the end the gateway is asked for days.
            Self::Cards => 2_000,
            _ => 400,
        }
    }

    /// The least and the longest pause of accountants between two requests.
    pub fn accountants_pause(self) -> (Micros, Micros) {
        match self {
            Self::Midnight => (10_000, SECOND),
            _ => (300_000, 40 * SECOND),
        }
    }

    /// Number of accountants.
    pub fn accountants(self) -> usize {
        match self {
            Self::Midnight => 6,
            _ => 2,
        }
    }

    /// Changes the faults of a run so that the events of this profile coincide.
    pub fn change(self, random: &Random, weather: &mut Weather, chaos: &mut Chaos) {
        let stall = random.scaled(10, 60) as f64 / 1_000.0;
        let longest = random.scaled(2 * SECOND, 40 * SECOND);
        if self != Self::Usual {
            // These runs are over in seconds.
            chaos.pause = chaos.pause.min(random.scaled(SECOND / 5, 5 * SECOND));
            chaos.longest_stop = chaos.longest_stop.min(longest);
        }
        match self {
            Self::Usual => {}
            Self::Contested => {
                if random.happens(0.5) {
                    weather.stall = weather.stall.max(stall);
                    weather.longest_stall = longest;
                }
            }
            Self::Midnight => {
                weather.stall = weather.stall.max(stall);
                weather.longest_stall = longest;
                if random.happens(0.85) {
                    chaos.farthest_clock = random.scaled(1_000, 2 * SECOND);
                    chaos.steps = false;
                }
            }
            Self::Long => {
                weather.stall = weather.stall.max(stall);
                weather.longest_stall = longest;
            }
            Self::Cards => {
                // Sessions and commands at the gateway end by the clock, a quarter of an hour late.
                chaos.farthest_clock = chaos.farthest_clock.min(2 * MINUTE);
                chaos.steps = false;
            }
            Self::Rotation => {
                chaos.rotates = true;
                chaos.unreadable = chaos.unreadable.max(0.01);
            }
        }
    }
}
