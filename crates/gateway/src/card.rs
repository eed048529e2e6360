//! The cards with which one can pay here. There are no others, so that nobody types a real one.

/// The code of every card.
pub const CODE: &str = "123";

/// The behaviour of a card at a step of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It pays at once.
    Pays,
    /// Asks for 3-D Secure first.
    Asks3ds,
    /// Fails at 3-D Secure.
    Fails3ds,
    /// Is refused above an amount.
    ExceedsAbove(u64),
    /// Is refused at a step.
    Refuses(Step, &'static str),
    /// It is slow at a step, and succeeds.
    IsSlow(Step),
}

/// A step of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Paying, or holding.
    Pay,
    /// `Charge`.
    Charge,
    /// `Unblock`.
    Unblock,
    /// `Refund`.
    Refund,
}

/// A card that exists only here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Card {
    /// Its number.
    pub number: &'static str,
    /// Its behaviour.
    pub deed: Deed,
}

const fn card(number: &'static str, deed: Deed) -> Card {
    Card { number, deed }
}

/// All cards.
pub const CARDS: &[Card] = &[
    card("4111111111100031", Deed::Pays),
    card("4111111111111111", Deed::Asks3ds),
    card("4111111111111114", Deed::Fails3ds),
    card("4111101000000046", Deed::ExceedsAbove(10_000)),
    card(
        "4111111111100056",
        Deed::Refuses(Step::Pay, "PROCESSING_ERROR"),
    ),
    card(
        "4111111111100072",
        Deed::Refuses(Step::Pay, "ISSUER_BLOCKED_CARD"),
    ),
    card(
        "4111111111100080",
        Deed::Refuses(Step::Pay, "ISSUER_CARD_FAIL"),
    ),
    card(
        "4111111111100221",
        Deed::Refuses(Step::Charge, "PROCESSING_ERROR"),
    ),
    card(
        "4111111111100627",
        Deed::Refuses(Step::Unblock, "PROCESSING_ERROR"),
    ),
    card(
        "4111111111102029",
        Deed::Refuses(Step::Refund, "PROCESSING_ERROR"),
    ),
    card("4100401111100062", Deed::IsSlow(Step::Pay)),
    card("4100401111100328", Deed::IsSlow(Step::Charge)),
    card("4100401111100724", Deed::IsSlow(Step::Unblock)),
    card("4100401111103025", Deed::IsSlow(Step::Refund)),
];

impl Card {
    /// The card of a number, with or without spaces.
    #[must_use]
    pub fn of(number: &str) -> Option<&'static Self> {
        let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
        CARDS.iter().find(|card| card.number == digits)
    }

    /// The number as answers and pages show it.
    #[must_use]
    pub fn mask(&self) -> String {
        let (start, end) = (self.number.get(..6), self.number.get(12..));
        format!(
            "{}xxxxxx{}",
            start.unwrap_or_default(),
            end.unwrap_or_default()
        )
    }

    /// The code with which this step fails for this amount; `None` if it succeeds.
    #[must_use]
    pub fn refuses(&self, at: Step, amount: u64) -> Option<&'static str> {
        match self.deed {
            Deed::Refuses(step, code) if step == at => Some(code),
            Deed::ExceedsAbove(most) if at == Step::Pay && amount > most => Some("AMOUNT_EXCEED"),
            _ => None,
        }
    }

    /// True if this step is slow.
    #[must_use]
    pub fn is_slow(&self, at: Step) -> bool {
        self.deed == Deed::IsSlow(at)
    }
}
