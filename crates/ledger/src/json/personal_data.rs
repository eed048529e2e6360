//! The personal data of records: names, identifiers, and the values of properties, which payers fill in.
//! The facts of a payment stay: keys, reasons, amounts, times and notes.

use super::{Event, OrderJson, PaymentJson, PaymentLineJson, PropertyJson};

impl OrderJson {
    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        let mut erased = self.customer_id.take().is_some();
        erased |= self.customer_name.take().is_some();
        for property in self.all_properties_mut() {
            erased |= property.value.take().is_some();
        }
        let count = |order: &Self| order.aliases.len() + order.metadata.len();
        let before = count(self);
        self.aliases.retain(|alias| !alias.is_personal());
        self.metadata.retain(|_, value| !value.is_personal());
        erased | (count(self) < before)
    }

    /// True if it names the person of this IDNP or IDNO.
    pub fn names(&self, customer_id: &str) -> bool {
        let lines = self.lines.iter().flat_map(|line| &line.properties);
        let values = lines
            .chain(&self.properties)
            .map(|property| &property.value);
        let mut marked = self.metadata.values().chain(&self.aliases);
        is_among(customer_id, values.chain([&self.customer_id]))
            || marked.any(|value| value.is_personal() && value.value().trim() == customer_id)
    }

    fn all_properties_mut(&mut self) -> impl Iterator<Item = &mut PropertyJson> {
        let lines = self.lines.iter_mut().flat_map(|line| &mut line.properties);
        lines.chain(&mut self.properties)
    }
}

impl PaymentJson {
    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        let mut erased = false;
        for property in &mut self.properties {
            erased |= property.value.take().is_some();
        }
        let card = self.card.as_mut();
        erased |= card.is_some_and(|card| card.masked_number.take().is_some());
        erased | erase_lines(&mut self.lines)
    }

    /// True if it names the person of this IDNP or IDNO.
    pub fn names(&self, customer_id: &str) -> bool {
        let lines = self.lines.iter().flat_map(|line| &line.properties);
        let values = lines
            .chain(&self.properties)
            .map(|property| &property.value);
        is_among(customer_id, values)
    }
}

impl Event {
    /// Removes the personal data; `false` if there was none.
    pub fn erase_personal_data(&mut self) -> bool {
        match self {
            Self::PaymentRecorded(payment) | Self::PaymentConfirmed(payment) => {
                payment.erase_personal_data()
            }
            Self::PaymentProposed(proposal) => erase_lines(&mut proposal.lines),
            _ => false,
        }
    }
}

fn erase_lines(lines: &mut [PaymentLineJson]) -> bool {
    let properties = lines.iter_mut().flat_map(|line| &mut line.properties);
    properties.fold(false, |erased, property| {
        erased | property.value.take().is_some()
    })
}

fn is_among<'a>(customer_id: &str, mut values: impl Iterator<Item = &'a Option<String>>) -> bool {
    values.any(|value| value.as_deref().map(str::trim) == Some(customer_id))
}
