//! Lists of pairs as maps, in the order of their keys.

pub(super) fn is_map<K: Ord, V>(pairs: &[(K, V)]) -> bool {
    pairs.is_sorted_by(|(a, _), (b, _)| a < b)
}

/// The place of a key in a list of pairs, or where it would be.
pub(super) fn find<K: Ord, V>(pairs: &[(K, V)], key: &K) -> Result<usize, usize> {
    pairs.binary_search_by(|(known, _)| known.cmp(key))
}

pub(super) fn get<'a, K: Ord, V>(pairs: &'a [(K, V)], key: &K) -> Option<&'a V> {
    let (_, value) = pairs.get(find(pairs, key).ok()?)?;
    Some(value)
}

pub(super) fn get_mut<'a, K: Ord, V>(pairs: &'a mut [(K, V)], key: &K) -> Option<&'a mut V> {
    let position = find(pairs, key).ok()?;
    let (_, value) = pairs.get_mut(position)?;
    Some(value)
}

/// The value of a key, which is `absent` if there is none yet.
#[allow(
    clippy::indexing_slicing,
    reason = "the position was found, or has just been filled"
)]
pub(super) fn entry<'a, K: Ord + Clone, V>(
    pairs: &'a mut Vec<(K, V)>,
    key: &K,
    absent: impl FnOnce() -> V,
) -> &'a mut V {
    let position = find(pairs, key).unwrap_or_else(|position| {
        pairs.insert(position, (key.clone(), absent()));
        position
    });
    &mut pairs[position].1
}
