//! The contract that every platform must keep for the store to be right: one test for all of them.

use std::time::Duration;

use super::{Platform, stored::parse_counter};

/// Checks a platform with keys below `prefix`, which nothing else may use.
///
/// # Errors
/// The first rule that it breaks.
pub async fn check<P: Platform>(platform: &P, prefix: &str) -> Result<(), String> {
    let key = |name: &str| format!("{prefix}/{name}");
    let failed = |error: super::PlatformError| error.to_string();

    let absent = platform.get_many(&[key("absent")]).await.map_err(failed)?;
    expect(absent.is_empty(), "an absent key has no value")?;
    let none = platform.get_many(&[]).await.map_err(failed)?;
    expect(none.is_empty(), "no keys have no values")?;
    platform.set_many(&[]).await.map_err(failed)?;

    let all_bytes: Vec<u8> = (0..=255).collect();
    let entries = [
        (key("bytes"), all_bytes.clone()),
        (key("empty"), Vec::new()),
        (key("a%2Fb/c-._~ ș"), b"odd key".to_vec()),
        (key("large"), vec![7; 999_000]),
    ];
    platform.set_many(&entries).await.map_err(failed)?;
    let all: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
    let absent = [key("absent")];
    // A store may read one key, two and more, and one twice by commands that differ, and be wrong
    // in any of them.
    let mut readings: Vec<Vec<String>> = all.iter().map(|key| vec![key.clone()]).collect();
    readings.extend(all.windows(2).map(<[String]>::to_vec));
    readings.extend(all.iter().map(|key| vec![key.clone(), key.clone()]));
    readings.extend(
        all.iter()
            .map(|key| [&absent, std::slice::from_ref(key)].concat()),
    );
    readings.push([&absent, all.as_slice()].concat());
    readings.push(all);
    for keys in readings {
        let values = platform.get_many(&keys).await.map_err(failed)?;
        for (key, value) in &entries {
            let expected = keys.contains(key).then_some(value);
            expect(
                values.get(key) == expected,
                &format!("{key} has the value that was set, where {keys:?} are asked for"),
            )?;
        }
        expect(
            values
                .keys()
                .all(|key| keys.contains(key) && *key != absent[0]),
            &format!("nothing has a value but what was set, where {keys:?} are asked for"),
        )?;
    }

    platform
        .set_many(&[(key("bytes"), b"new".to_vec())])
        .await
        .map_err(failed)?;
    let value = platform.get_many(&[key("bytes")]).await.map_err(failed)?;
    expect(
        value.get(&key("bytes")).map(Vec::as_slice) == Some(b"new"),
        "a value can be replaced",
    )?;

    for expected in 1..=3 {
        let count = platform
            .increment(&key("counter"), 1)
            .await
            .map_err(failed)?;
        expect(
            count == expected,
            &format!("a counter counts from 1: {count} for {expected}"),
        )?;
    }
    let count = platform
        .increment(&key("counter"), 5)
        .await
        .map_err(failed)?;
    expect(
        count == 8,
        &format!("a counter counts several: {count} for 8"),
    )?;
    let counter = platform.get_many(&[key("counter")]).await.map_err(failed)?;
    let text = counter
        .get(&key("counter"))
        .ok_or("a counter has no value")?;
    expect(
        parse_counter(text) == Some(8),
        "a counter is eight bytes little-endian or decimal",
    )?;

    expect(
        platform.random() != platform.random(),
        "random numbers differ",
    )?;

    let (before, started) = (platform.now(), platform.monotonic());
    platform.sleep(Duration::from_millis(20)).await;
    let slept = platform.now().duration_since(before);
    expect(
        slept >= jiff::SignedDuration::from_millis(15),
        "time passes in sleep",
    )?;
    let slept = platform.monotonic().checked_sub(started);
    expect(
        slept.is_some_and(|slept| slept >= Duration::from_millis(15)),
        "monotonic time passes in sleep",
    )
}

fn expect(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("this does not hold: {what}"))
    }
}
