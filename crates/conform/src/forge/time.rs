//! Messages out of time.

use std::time::Duration;

use wsse::{Algorithms, Content};

use super::{Message, seconds_from_now, timestamp};
use crate::{
    message::{Identity, piece, swap},
    names::WSU,
};

/// Signed by MPay, so many seconds ago.
pub(crate) fn signed_ago(
    mpay: &Identity,
    content: &Content,
    seconds: i64,
    lifetime: Duration,
) -> Message {
    mpay.sign(
        content,
        Algorithms::SHA1,
        seconds_from_now(-seconds),
        lifetime,
    )
}

/// A message that expired, its signed timestamp hidden in a header and a fresh one, unsigned, in
/// its place.
pub(crate) fn wrapped_timestamp(stale: &str) -> Message {
    let signed = timestamp(stale)?.to_owned();
    let fresh = format!(
        "<wsu:Timestamp wsu:Id=\"Fresh\"><wsu:Created>{:.3}</wsu:Created><wsu:Expires>{:.3}</wsu:Expires></wsu:Timestamp>",
        seconds_from_now(0),
        seconds_from_now(300)
    );
    let message = swap(stale, &signed, &fresh)?;
    swap(
        &message,
        "</soap:Header>",
        &format!("<x:Old xmlns:x=\"urn:x\">{signed}</x:Old></soap:Header>"),
    )
}

/// A message that expired, with a fresh timestamp, unsigned, beside the signed one: for readers
/// that take the first, or the last.
pub(crate) fn two_timestamps(stale: &str) -> anyhow::Result<Vec<(String, String)>> {
    let signed = timestamp(stale)?;
    let fresh = format!(
        "<wsu:Timestamp xmlns:wsu=\"{WSU}\"><wsu:Created>{:.3}</wsu:Created><wsu:Expires>{:.3}</wsu:Expires></wsu:Timestamp>",
        seconds_from_now(0),
        seconds_from_now(300)
    );
    Ok(vec![
        (
            "a fresh Timestamp before the signed one".to_owned(),
            swap(stale, signed, &format!("{fresh}{signed}"))?,
        ),
        (
            "a fresh Timestamp after the signed one".to_owned(),
            swap(stale, signed, &format!("{signed}{fresh}"))?,
        ),
    ])
}

/// A message of two hours ago that does not say until when it holds, and one that does not say when
/// it was made.
pub(crate) fn half_timestamps(
    mpay: &Identity,
    content: &Content,
) -> anyhow::Result<Vec<(String, String)>> {
    let stale = signed_ago(mpay, content, 7200, Duration::from_secs(86_400))?;
    let without = |name: &str| {
        let half = piece(&stale, &format!("<wsu:{name}>"), &format!("</wsu:{name}>"))?;
        mpay.sign_again(&swap(&stale, half, "")?)
    };
    Ok(vec![
        (
            "signed 2 hours ago, without Expires".to_owned(),
            without("Expires")?,
        ),
        (
            "signed 2 hours ago for a day, without Created".to_owned(),
            without("Created")?,
        ),
    ])
}
