//! Order keys that this provider chooses.

use super::OrderKey;

/// Damm's quasigroup of order 10 (H. M. Damm, "Total anti-symmetrische Quasigruppen", 2004).
const QUASIGROUP: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// Smallest number of eleven digits, and how many there are: none begins with a zero, which
/// spreadsheets would drop.
const FIRST: u64 = 10_000_000_000;
const COUNT: u64 = 9 * FIRST;

impl OrderKey {
    /// A key of twelve digits: eleven of `random`, and a check digit of Damm's.
    ///
    /// Payers type it at terminals and read it over the phone: the check digit differs with any
    /// digit mistyped and any two neighbours swapped, so that a slip never names another order.
    pub fn generated(random: u64) -> Self {
        let number = (FIRST + random % COUNT).to_string();
        Self::of_digits(format!("{number}{}", damm(&number)))
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "rows and digits are below ten, as the table is"
)]
/// Damm's check digit; zero for digits that end with their own.
pub(super) fn damm(digits: &str) -> u8 {
    digits.bytes().fold(0, |row, digit| {
        QUASIGROUP[usize::from(row)][usize::from((digit - b'0') % 10)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_damms() {
        assert_eq!(damm("572"), 4);
        assert_eq!(damm("5724"), 0);
    }

    #[test]
    fn generated_keys_are_twelve_digits_that_check() {
        for random in [0, 1, COUNT - 1, COUNT, u64::MAX, 0x1234_5678_9abc_def0] {
            let key = OrderKey::generated(random);
            let text = key.as_str();
            assert_eq!(text.len(), 12, "{text}");
            assert!(text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0'));
            assert_eq!(damm(text), 0, "{text}");
        }
        assert_eq!(OrderKey::generated(7), OrderKey::generated(7 + COUNT));
    }

    #[test]
    fn a_digit_mistyped_or_two_neighbours_swapped_are_found() {
        let key = OrderKey::generated(40_517_283_946);
        let right = key.as_str().as_bytes();
        for position in 0..right.len() {
            for digit in b'0'..=b'9' {
                let mut wrong = right.to_vec();
                wrong[position] = digit;
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(damm(&wrong) == 0, wrong.as_bytes() == right, "{wrong}");
            }
            if position > 0 {
                let mut wrong = right.to_vec();
                wrong.swap(position - 1, position);
                let wrong = String::from_utf8(wrong).unwrap();
                assert_eq!(damm(&wrong) == 0, wrong.as_bytes() == right, "{wrong}");
            }
        }
    }
}
