//! Counting on a store that cannot count: no operation of it reads and writes at once.
//!
//! A caller writes the next number with a nonce, waits, and looks whether its own is still there.
//! Whoever wrote in between has the number, and the other takes another one. What remains is a
//! writer that stalls between reading and writing for longer than others wait: it may hand out a
//! number again, or set the counter back. So the entries of a list count too, and whoever writes one
//! reads it back. The promise is weaker all the same; see DESIGN.md, "Without atomics".

use std::{collections::HashMap, time::Duration};

use super::{Platform, PlatformError, list::parse_counter};

/// The least that a caller waits before it looks.
const PAUSE: Duration = Duration::from_millis(60);
/// How often a number is tried for.
const TRIES: u32 = 12;
/// Entries looked for beyond the counter, which may have been set back.
const BEYOND: u64 = 32;

/// Adds one to a counter, and gives its new value to this caller alone, as far as that can be had.
pub async fn increment<P: Platform>(platform: &P, key: &str) -> Result<u64, PlatformError> {
    for attempt in 0..TRIES {
        let started = platform.now();
        let values = platform.get_many(&[key.to_owned()]).await?;
        let number = highest(platform, key, count(key, &values)?).await? + 1;
        let mine = format!("{number} {:016x}", platform.random()).into_bytes();
        platform.set_many(&[(key.to_owned(), mine.clone())]).await?;
        // A store that is slow now is slow for the others too.
        let took = Duration::try_from(platform.now().duration_since(started)).unwrap_or_default();
        platform.sleep(PAUSE.max(took.saturating_mul(2))).await;
        let entry = format!("{key}/{number}");
        let values = platform.get_many(&[key.to_owned(), entry.clone()]).await?;
        if values.get(key) == Some(&mine) && !values.contains_key(&entry) {
            return Ok(number);
        }
        // Those who met must not meet again.
        let spread = u64::from(attempt + 1) * 100;
        let chance = platform.random() % spread;
        platform.sleep(Duration::from_millis(chance)).await;
    }
    Err(PlatformError::Failed(format!(
        "too many writers at the counter {key}"
    )))
}

/// The highest number that is known: that of the counter, or of an entry beyond it.
pub async fn highest<P: Platform>(
    platform: &P,
    key: &str,
    counter: u64,
) -> Result<u64, PlatformError> {
    let mut highest = counter;
    loop {
        let numbers = highest + 1..=highest + BEYOND;
        let entry = |number| format!("{key}/{number}");
        let keys: Vec<_> = numbers.clone().map(entry).collect();
        let values = platform.get_many(&keys).await?;
        match numbers.rev().find(|n| values.contains_key(&entry(*n))) {
            Some(found) => highest = found,
            None => return Ok(highest),
        }
    }
}

fn count(key: &str, values: &HashMap<String, Vec<u8>>) -> Result<u64, PlatformError> {
    values.get(key).map_or(Ok(0), |bytes| {
        parse_counter(bytes).ok_or_else(|| PlatformError::Denied(format!("{key} is not a counter")))
    })
}
