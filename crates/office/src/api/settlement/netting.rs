//! Entries of a statement that reverse each other.

use std::collections::HashMap;
use std::hash::Hash;

/// The positions of pairs of entries in which one reverses the other: the same subject, and opposite amounts.
/// Each entry has its subject and its amount, and is in one pair at most. The entries in no pair are not
/// reversed.
///
/// A reversal takes the nearest earlier entry, or else the first later one: most statements are in the order of
/// time, but some begin with the newest row.
pub(super) fn pairs<K: Hash + Eq>(entries: &[(K, i128)]) -> Vec<(usize, usize)> {
    let mut waiting: HashMap<(&K, i128), Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    for (position, (key, amount)) in entries.iter().enumerate() {
        let Some(opposite) = amount.checked_neg().filter(|_| *amount != 0) else {
            continue;
        };
        match waiting.get_mut(&(key, opposite)).and_then(Vec::pop) {
            Some(other) => pairs.push((other, position)),
            None => waiting.entry((key, *amount)).or_default().push(position),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// The entries that remain of each subject and amount, counted one by one: a slow and simple model.
    fn left_over(entries: &[(u8, i128)]) -> BTreeMap<(u8, i128), usize> {
        let mut left = BTreeMap::new();
        for (key, amount) in entries {
            let same = entries.iter().filter(|e| **e == (*key, *amount)).count();
            let opposite = entries.iter().filter(|e| **e == (*key, -amount)).count();
            let rest = if *amount == 0 {
                same
            } else {
                same.saturating_sub(opposite)
            };
            if rest > 0 {
                left.insert((*key, *amount), rest);
            }
        }
        left
    }

    #[test]
    fn a_reversal_takes_back_the_nearest_before_it() {
        let entries = [
            ("a", 5),
            ("a", 5),
            ("b", -5),
            ("a", -5),
            ("a", 3),
            ("b", 5),
            ("a", 0),
        ];
        assert_eq!(pairs(&entries), [(1, 3), (2, 5)]);
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_the_plain_model_leaves(
            entries in prop::collection::vec((0_u8..3, -3_i128..=3), 0..40)
        ) {
            let pairs = pairs(&entries);
            let mut taken = BTreeSet::new();
            for (first, second) in pairs {
                prop_assert!(first < second);
                prop_assert_eq!(entries[first].0, entries[second].0);
                prop_assert_eq!(entries[first].1 + entries[second].1, 0);
                prop_assert!(entries[first].1 != 0);
                prop_assert!(taken.insert(first) && taken.insert(second));
            }
            let mut left = BTreeMap::new();
            for (position, entry) in entries.iter().enumerate() {
                if !taken.contains(&position) {
                    *left.entry(*entry).or_insert(0) += 1;
                }
            }
            prop_assert_eq!(left, left_over(&entries));
        }
    }
}
