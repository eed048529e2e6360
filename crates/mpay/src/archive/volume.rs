//! The file that is being gathered: the payments of one month, as many as fit into it.

use jiff::Timestamp;

use super::{answers::Candidate, file::Item};

/// The most payments of one file: three or four files each, of the 65,535 that a ZIP may have.
const MOST_PAYMENTS: usize = 16_000;
/// About the most bytes of one file, before it is compressed. A run that is killed fetches so much
/// again.
const MOST_BYTES: usize = 64 << 20;

/// The file that is being gathered.
#[derive(Default)]
pub(super) struct Volume {
    month: String,
    pub(super) items: Vec<Item>,
    size: usize,
}

impl Volume {
    /// True if a payment goes into another file. One that is dated back, by another clock, does not.
    pub(super) fn is_full_for(&self, payment: &Candidate) -> bool {
        !self.items.is_empty()
            && (month(payment) > self.month.as_str()
                || self.items.len() >= MOST_PAYMENTS
                || self.size >= MOST_BYTES)
    }

    /// The name of its file: month, place of the first payment, and when it is made. It is given once, also
    /// when the files of before were moved elsewhere.
    pub(super) fn name(&self, now: Timestamp) -> String {
        let first = self.items.first().map_or(0, |item| item.index);
        let made = now.strftime("%Y%m%d%H%M%S");
        format!("{}-{first}-{made}.zip", self.month)
    }

    pub(super) fn add(&mut self, payment: &Candidate, item: Item) {
        if self.items.is_empty() {
            month(payment).clone_into(&mut self.month);
        }
        self.size += item.size();
        self.items.push(item);
    }
}

/// The month in which it was recorded, as `2026-01`.
fn month(payment: &Candidate) -> &str {
    payment.recorded_at.get(..7).unwrap_or("0000-00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{file::tests::item, folder::is_archive};

    #[test]
    fn a_name_is_given_once_also_when_the_files_of_before_are_elsewhere() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let volume = |index| Volume {
            month: "2025-12".to_owned(),
            items: vec![item(index, "P")],
            size: 0,
        };
        let names = [
            volume(7).name(at(0)),
            volume(8).name(at(0)),
            volume(7).name(at(1)),
        ];
        assert_eq!(names[0], "2025-12-7-20270115080000.zip");
        assert!(names[0] != names[1] && names[0] != names[2]);
        assert!(names.iter().all(|name| is_archive(name)));
    }
}
