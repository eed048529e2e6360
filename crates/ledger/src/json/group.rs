//! The groups of events, among which receivers of webhooks choose.

use super::Event;

/// A group of events, among which receivers of webhooks choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Changes of orders.
    Orders,
    /// Payments, refunds, and voids of payments that were entered by hand.
    Payments,
    /// Confirmations that were refused.
    Refusals,
    /// Statements that show payments.
    Settlements,
    /// Proposals, decisions and reviews of people.
    Reviews,
    /// Alerts: facts that a person should know today. They are in no journal.
    Alerts,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Orders,
        Self::Payments,
        Self::Refusals,
        Self::Settlements,
        Self::Reviews,
        Self::Alerts,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Payments => "payments",
            Self::Refusals => "refusals",
            Self::Settlements => "settlements",
            Self::Reviews => "reviews",
            Self::Alerts => "alerts",
        }
    }
}

/// Some groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Groups(u8);

impl Groups {
    /// True if a group is among them.
    pub fn has(self, group: Group) -> bool {
        self.0 & (1 << group as u8) != 0
    }

    /// The groups among them.
    pub fn iter(self) -> impl Iterator<Item = Group> {
        Group::ALL.into_iter().filter(move |group| self.has(*group))
    }

    /// Reads names with commas between.
    ///
    /// # Errors
    /// [`UnknownGroup`] if a name is no group's.
    pub fn parse(names: &str) -> Result<Self, UnknownGroup> {
        let names = names.split(',').map(str::trim);
        let group = |name| {
            let mut all = Group::ALL.into_iter();
            all.find(|group| group.as_str() == name).ok_or(UnknownGroup)
        };
        names.map(group).collect()
    }
}

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Self {
        let bits = groups.into_iter().map(|group| 1 << group as u8);
        Self(bits.fold(0, |all, bit| all | bit))
    }
}

/// The error that a name is no group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be of orders, payments, refusals, settlements, reviews and alerts, with commas between"
)]
pub struct UnknownGroup;

impl Event {
    /// The group of the event. MPay's confirmation of a payment that was entered by hand is no payment,
    /// so that a receiver that adds up payments does not meet it.
    pub fn group(&self) -> Group {
        match self {
            Self::OrderRegistered(_)
            | Self::OrderAmended(_)
            | Self::OrderCompleted(_)
            | Self::OrderCancelled(_)
            | Self::OrderRefunding(_)
            | Self::OrderRefunded(_)
            | Self::OrderReopened(_)
            | Self::CardStarted(_)
            | Self::PersonalDataErased(_) => Group::Orders,
            Self::PaymentRecorded(_) | Self::PaymentVoided(_) | Self::PaymentRefunded(_) => {
                Group::Payments
            }
            Self::PaymentRefused(_) => Group::Refusals,
            Self::SettlementImported(_) => Group::Settlements,
            Self::PaymentProposed(_)
            | Self::PaymentConfirmed(_)
            | Self::PaymentVoidProposed(_)
            | Self::ProposalWithdrawn(_)
            | Self::ReviewOpened(_)
            | Self::ReviewClosed(_) => Group::Reviews,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_they_are_named() {
        let all = "orders, payments,refusals,settlements,reviews,alerts";
        assert_eq!(Groups::parse(all).unwrap().iter().count(), 6);
        let two = Groups::parse("alerts,orders").unwrap();
        assert_eq!(
            two.iter().collect::<Vec<_>>(),
            [Group::Orders, Group::Alerts]
        );
        for wrong in ["", "order", "orders,", "orders payments"] {
            assert_eq!(Groups::parse(wrong), Err(UnknownGroup), "{wrong}");
        }
    }
}
