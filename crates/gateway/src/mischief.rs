//! Mischief: the failures of a gateway, and of the way to it and from it.

use clap::ValueEnum;

use crate::wire::Element;

/// A failure that the gateway plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mischief {
    /// No notification comes.
    NotificationLost,
    /// Each notification comes twice.
    NotificationTwice,
    /// Notifications come late.
    NotificationLate,
    /// A notification comes after the next one.
    NotificationOutOfOrder,
    /// Somebody posts that all was paid, before anything is.
    NotificationForged,
    /// A command is done, and its answer lost.
    DoneAnswerLost,
    /// A command is not done, and there is no answer.
    NotDoneAnswerLost,
    /// A command is done, and answered with status 500.
    ServerError,
    /// A command is done, and answered with a page in HTML.
    NoXml,
    /// Answers have new attributes, in another order, and write `true` and names in another case.
    Dressed,
    /// The state is called `Status`.
    Status,
    /// A command is done, and answered with the code `NONE`.
    CodeNone,
    /// The state is told as pending.
    Pending,
    /// The answer is about another payment.
    OtherOrder,
    /// The session is over before anything was paid.
    SessionOver,
    /// The first try fails, whatever the card; the next ones do what the card does.
    FailedThenPaid,
    /// Half of what was paid is given back in the cabinet at once.
    RefundedInPart,
}

impl Mischief {
    /// All of them.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Its name, as options and forms have it.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The mischief of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }

    /// The occasion at which it can strike.
    pub(crate) fn strikes(self) -> Strikes {
        match self {
            Self::NotificationLost
            | Self::NotificationTwice
            | Self::NotificationLate
            | Self::NotificationOutOfOrder => Strikes::Notification,
            Self::NotificationForged | Self::SessionOver => Strikes::Session,
            Self::FailedThenPaid | Self::RefundedInPart => Strikes::Payment,
            Self::Status | Self::Pending => Strikes::State,
            Self::DoneAnswerLost
            | Self::NotDoneAnswerLost
            | Self::ServerError
            | Self::NoXml
            | Self::Dressed
            | Self::CodeNone
            | Self::OtherOrder => Strikes::Answer,
        }
    }

    /// The number of times that it strikes unless a plan gives another. A failure that only changes the
    /// appearance strikes always.
    fn usual_times(self) -> u32 {
        match self {
            Self::Dressed
            | Self::Status
            | Self::NotificationLost
            | Self::NotificationTwice
            | Self::NotificationLate => u32::MAX,
            Self::Pending => 3,
            _ => 1,
        }
    }
}

/// The occasion of a mischief.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strikes {
    /// The answer to any command.
    Answer,
    /// The answer that tells a state.
    State,
    /// A notification.
    Notification,
    /// A session that is opened.
    Session,
    /// A try to pay.
    Payment,
}

/// A planned mischief, with its occasion and the number of times. It waits for the first occasion that
/// fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(crate) mischief: Mischief,
    order_id: Option<String>,
    command: Option<String>,
    pub(crate) times: u32,
}

impl Plan {
    /// A plan for the next occasion that the mischief can strike.
    #[must_use]
    pub fn new(mischief: Mischief) -> Self {
        Self {
            mischief,
            order_id: None,
            command: None,
            times: mischief.usual_times(),
        }
    }

    /// The plan for one payment alone.
    #[must_use]
    pub fn of(mut self, order_id: &str) -> Self {
        self.order_id = Some(order_id.to_owned());
        self
    }

    /// The plan for one command alone, such as `Charge`.
    #[must_use]
    pub fn at(mut self, command: &str) -> Self {
        self.command = Some(command.to_owned());
        self
    }

    /// The plan for so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, strikes: Strikes, order_id: Option<&str>, command: Option<&str>) -> bool {
        let of_state = strikes == Strikes::Answer
            && self.mischief.strikes() == Strikes::State
            && matches!(command, Some("GetState" | "PayStatus"));
        let fits = |wanted: &Option<String>, given: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == given
        };
        self.times > 0
            && (self.mischief.strikes() == strikes || of_state)
            && fits(&self.order_id, order_id)
            && (strikes != Strikes::Answer || fits(&self.command, command))
    }
}

/// Takes the first plan that fits, once.
pub(crate) fn take(
    plans: &mut Vec<Plan>,
    strikes: Strikes,
    order_id: Option<&str>,
    command: Option<&str>,
) -> Option<Mischief> {
    take_where(plans, |plan| plan.fits(strikes, order_id, command))
}

/// Takes this mischief, if a plan of it fits.
pub(crate) fn take_this(plans: &mut Vec<Plan>, mischief: Mischief, order_id: Option<&str>) -> bool {
    let strikes = mischief.strikes();
    take_where(plans, |plan| {
        plan.mischief == mischief && plan.fits(strikes, order_id, None)
    })
    .is_some()
}

fn take_where(plans: &mut Vec<Plan>, fits: impl Fn(&Plan) -> bool) -> Option<Mischief> {
    let plan = plans.iter_mut().find(|plan| fits(plan))?;
    let mischief = plan.mischief;
    if plan.times != u32::MAX {
        plan.times -= 1;
    }
    plans.retain(|plan| plan.times > 0);
    Some(mischief)
}

/// Changes an answer that is given.
pub(crate) fn disguise(mischief: Option<Mischief>, answer: &mut Element) {
    match mischief {
        Some(Mischief::Dressed) => {
            answer.attributes.reverse();
            for (name, value) in &mut answer.attributes {
                match name.as_str() {
                    "Success" => value.make_ascii_lowercase(),
                    "State" => value.make_ascii_uppercase(),
                    "OrderId" => *name = "orderId".to_owned(),
                    _ => {}
                }
            }
            answer
                .attributes
                .insert(0, ("Terminal".to_owned(), "Pia\u{21b}a 1".to_owned()));
        }
        Some(Mischief::Status) => {
            for (name, _) in &mut answer.attributes {
                if name == "State" {
                    *name = "Status".to_owned();
                }
            }
        }
        Some(Mischief::Pending) => {
            if let Some(state) = answer.get_mut("State") {
                *state = "PendingCharge".to_owned();
            }
        }
        Some(Mischief::OtherOrder) => {
            if let Some(order_id) = answer.get_mut("OrderId") {
                *order_id = "another".to_owned();
            }
        }
        Some(Mischief::CodeNone) => {
            let name = answer.name.clone();
            let order_id = answer.get_mut("OrderId").cloned();
            *answer = Element::failure(&name, order_id.as_deref(), "NONE");
        }
        _ => {}
    }
}
