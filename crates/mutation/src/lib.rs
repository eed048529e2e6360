//! Faults put in on purpose: a simulator that finds nothing proves something only once it has found
//! each of these.
//!
//! The code asks for a fault where it would be:
//!
//! ```
//! # use mutation::{Mutation, mutated};
//! # fn mark() {}
//! # fn enter() {}
//! if mutated(Mutation::MarkerBeforeEntries) {
//!     mark();
//! }
//! enter();
//! ```
//!
//! Without the feature `on`, which only the simulator has, the answer is a constant and the fault
//! is compiled away. With it a fault is there in threads that have switched it on, and in no other.

#[cfg(all(feature = "on", target_arch = "wasm32"))]
compile_error!("the feature `on` puts faults into the books: never in a component");

/// Declares the mutations with their names and what they are.
macro_rules! mutations {
    ($($(#[doc = $what:literal])* $variant:ident = $name:literal,)*) => {
        /// A fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutation {
            $($(#[doc = $what])* $variant,)*
        }

        impl Mutation {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Its description: the fault in one sentence.
            pub fn what(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($what,)*).trim_ascii(),)*
                }
            }
        }
    };
}

mutations! {
    /// Holes are dead by the clock, 20 and 60 seconds after, and not by a handshake.
    TimeWindows = "time-windows",
    /// A reader says that a hole is dead and does not look again, nor asks anybody.
    HoleWithoutHandshake = "hole-without-handshake",
    /// A writer does not look whether its place was declared dead.
    WriterWithoutHandshake = "writer-without-handshake",
    /// A payment's marker is written before its entries.
    MarkerBeforeEntries = "marker-before-entries",
    /// A payment's marker is written though there is one.
    MarkerOverwritten = "marker-overwritten",
    /// A payment is acknowledged once it is written, before it is decided what counts, and marked.
    AnswerBeforeMarker = "answer-before-marker",
    /// A day is closed above an index that is still being written.
    DayAbovePending = "day-above-pending",
    /// Of two entries that close a day the later one counts.
    DayClosedTwice = "day-closed-twice",
    /// The entries of a batch are written one after the other.
    TornBatch = "torn-batch",
    /// A repair enters a payment anew that is there, and marks it there.
    RepairEntersTwice = "repair-enters-twice",
    /// The outbox takes for settled what it could not deliver.
    OutboxForgets = "outbox-forgets",
    /// An entry that was erased is written again as it was.
    ErasureUndone = "erasure-undone",
    /// An erasure leaves out the copies of an entry.
    ErasureOfOneCopy = "erasure-of-one-copy",
    /// A change is judged by what stood there before somebody came in between.
    AmendmentOnOldState = "amendment-on-old-state",
    /// A fold is kept of a part of a list to which something is still coming.
    FoldOfWrongPrefix = "fold-of-wrong-prefix",
    /// A configuration is used as it is read, though only a part of it could be, or is of another.
    HalfConfiguration = "half-configuration",
    /// An order has an alias that is not in the index.
    AliasNotIndexed = "alias-not-indexed",
    /// A repeated request is done again.
    RepetitionDoneAgain = "repetition-done-again",
    /// A refund of which no answer came is sent again.
    RefundSentAgain = "refund-sent-again",
    /// That the gateway found a payment's state is taken for its being paid.
    StateTakenForPaid = "state-taken-for-paid",
    /// Money that is held on a card is taken though MPay has paid the order.
    ChargedTwice = "charged-twice",
    /// Money that is held on a card is taken though another hold of its order is being taken.
    HoldsTakenAtOnce = "holds-taken-at-once",
}

impl Mutation {
    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|mutation| mutation.name() == name)
    }
}

/// True if the fault is switched on. It never is without the feature `on`.
#[cfg(not(feature = "on"))]
#[inline(always)]
pub const fn mutated(_: Mutation) -> bool {
    false
}

#[cfg(feature = "on")]
pub use switch::{mutate, mutated, was_asked_for};

#[cfg(feature = "on")]
mod switch {
    use std::cell::Cell;

    use super::Mutation;

    thread_local! {
        static MUTATION: Cell<Option<Mutation>> = const { Cell::new(None) };
        static ASKED: Cell<bool> = const { Cell::new(false) };
    }

    /// Puts a fault into whatever this thread does from now on, or none.
    pub fn mutate(mutation: Option<Mutation>) {
        MUTATION.set(mutation);
        ASKED.set(false);
    }

    /// True if the fault is switched on.
    #[inline]
    pub fn mutated(mutation: Mutation) -> bool {
        let is = MUTATION.get() == Some(mutation);
        if is {
            ASKED.set(true);
        }
        is
    }

    /// True if the code has asked for the fault since it was switched on. If it never did, the fault is
    /// not in the code.
    pub fn was_asked_for() -> bool {
        ASKED.get()
    }
}

#[cfg(all(test, feature = "on"))]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_in_the_thread_that_has_switched_it_on() {
        mutate(Some(Mutation::TornBatch));
        assert!(!was_asked_for());
        assert!(mutated(Mutation::TornBatch) && !mutated(Mutation::TimeWindows));
        assert!(was_asked_for());
        let other = std::thread::spawn(|| mutated(Mutation::TornBatch));
        assert!(!other.join().unwrap());
    }

    #[test]
    fn every_fault_has_a_name_and_is_described() {
        for mutation in Mutation::ALL {
            assert_eq!(Mutation::parse(mutation.name()), Some(*mutation));
            assert!(mutation.what().ends_with('.'), "{mutation:?}");
        }
    }
}
