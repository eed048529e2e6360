//! The meaning of a receiver's answer.

use http::{Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp, civil, tz::Offset};
use mpay_door::Platform;
use mpay_ledger::{LONGEST_WAIT, Ledger};

use crate::{Message, Webhook};

/// The time for which a receiver is left alone that is asked too often and gives no time itself.
const USUAL_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The outcome of a message that was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    /// The receiver has taken it.
    Taken,
    /// The receiver wants nothing any more (410).
    Gone,
    /// The receiver wants nothing before a time, with a text for people.
    Later(Timestamp, String),
    /// The receiver is up, but does not take this message, with a text for people.
    Refused(String),
    /// Anything else, with a text for people.
    Failed(String),
}

/// Posts a message.
pub(super) async fn send<P: Platform>(
    webhook: &Webhook,
    store: &Ledger<P>,
    message: &Message,
) -> Sent {
    let Ok(request) = webhook.post(message, store.now()) else {
        return Sent::Failed("The message has an id that no header can hold.".to_owned());
    };
    match store.platform().send(request).await {
        Ok(answer) => read(&answer, store.now()),
        Err(reason) => Sent::Failed(reason),
    }
}

/// Reads an answer that came at a time.
fn read(answer: &Response<()>, now: Timestamp) -> Sent {
    let status = answer.status();
    if status.is_success() {
        return Sent::Taken;
    }
    let words = format!("The receiver answered {}.", status.as_u16());
    let wait = match status {
        StatusCode::GONE => return Sent::Gone,
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => return Sent::Refused(words),
        StatusCode::TOO_MANY_REQUESTS => wait(answer, now).or(Some(USUAL_WAIT)),
        // A receiver that gives no time has failed.
        StatusCode::SERVICE_UNAVAILABLE => wait(answer, now),
        status if status.is_redirection() => {
            let hint = "A redirect is not followed: give its target as the address.";
            return Sent::Failed(format!("{words} {hint}"));
        }
        _ => None,
    };
    match wait.and_then(|wait| now.checked_add(wait).ok()) {
        Some(until) => Sent::Later(until, words),
        None => Sent::Failed(words),
    }
}

/// The time to wait, by `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
fn wait(answer: &Response<()>, now: Timestamp) -> Option<SignedDuration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let text = text.trim();
    let wait = match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true if text.is_empty() => return None,
        // A number too long to be read is a long time.
        true => text.parse().map_or(LONGEST_WAIT, SignedDuration::from_secs),
        false => http_date(text)?.duration_since(now),
    };
    Some(wait.clamp(SignedDuration::ZERO, LONGEST_WAIT))
}

/// Reads a date such as `Sun, 06 Nov 1994 08:49:37 GMT`. The two obsolete forms are not read.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, date) = text.split_once(", ")?;
    let mut words = date.split(' ');
    let (day, month, year) = (words.next()?, words.next()?, words.next()?);
    let mut time = words.next()?.split(':').map(|part| part.parse().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if words.next() != Some("GMT") || words.next().is_some() || time.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let time = civil::DateTime::new(
        year.parse().ok()?,
        i8::try_from(month).ok()?,
        day.parse().ok()?,
        hour,
        minute,
        second,
        0,
    );
    Offset::UTC.to_timestamp(time.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(status: u16, retry_after: &str) -> Sent {
        let now = "2026-06-01T09:00:00Z".parse().unwrap();
        let mut answer = Response::builder().status(status);
        if !retry_after.is_empty() {
            answer = answer.header("retry-after", retry_after);
        }
        read(&answer.body(()).unwrap(), now)
    }

    #[test]
    fn an_answer_says_what_to_do() {
        assert_eq!(read_at(204, "10"), Sent::Taken);
        assert_eq!(read_at(410, "10"), Sent::Gone);
        for (status, words) in [
            (404, "The receiver answered 404."),
            (500, "The receiver answered 500."),
            (503, "The receiver answered 503."),
        ] {
            assert_eq!(read_at(status, ""), Sent::Failed(words.to_owned()));
        }
        for (status, words) in [
            (400, "The receiver answered 400."),
            (422, "The receiver answered 422."),
        ] {
            assert_eq!(read_at(status, "10"), Sent::Refused(words.to_owned()));
        }
        assert_eq!(read_at(500, "10"), read_at(500, ""), "not for every status");
        assert_eq!(read_at(503, "soon"), read_at(503, ""));
        let Sent::Failed(redirected) = read_at(307, "") else {
            panic!("a redirect is a failure");
        };
        assert!(
            redirected.starts_with("The receiver answered 307. "),
            "{redirected}"
        );
    }

    #[test]
    fn a_receiver_says_until_when_it_is_left_alone_within_a_day() {
        for (status, retry_after, until) in [
            (429, "", "2026-06-01T09:01:00Z"),
            (429, "soon", "2026-06-01T09:01:00Z"),
            (429, "120", "2026-06-01T09:02:00Z"),
            (503, "0", "2026-06-01T09:00:00Z"),
            (503, " 30 ", "2026-06-01T09:00:30Z"),
            (503, "Mon, 01 Jun 2026 10:30:05 GMT", "2026-06-01T10:30:05Z"),
            (503, "Mon, 01 Jun 2026 08:00:00 GMT", "2026-06-01T09:00:00Z"),
            (503, "Tue, 01 Jun 2027 08:00:00 GMT", "2026-06-02T09:00:00Z"),
            (429, "99999999999999999999999", "2026-06-02T09:00:00Z"),
            (429, "9223372036854775807", "2026-06-02T09:00:00Z"),
        ] {
            let words = format!("The receiver answered {status}.");
            let expected = Sent::Later(until.parse().unwrap(), words);
            assert_eq!(
                read_at(status, retry_after),
                expected,
                "{status} {retry_after}"
            );
        }
        for wrong in [
            "Mon, 01 Jun 2026 10:30:05",
            "Mon, 01 Jun 2026 10:30:05 GMT x",
            "Mon, 31 Feb 2026 10:30:05 GMT",
            "Mon, 01 Xyz 2026 10:30:05 GMT",
            "Mon, 01 Jun 2026 10:30 GMT",
            "Mon, 01 Jun 2026 10:30:05:06 GMT",
            ",",
        ] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }
}
