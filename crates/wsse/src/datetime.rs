//! Times as `wsu:Timestamp` has them: `xsd:dateTime` (XML Schema Part 2, section 3.2.7).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction][Z|±hh:mm]`. Without a zone it is UTC, the only zone that
/// WSS (SOAP Message Security 1.1, section 10) has. Digits below the nanosecond are dropped.
/// Leap seconds and hour 24 are refused.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let (local, rest) = text.split_at_checked("YYYY-MM-DDThh:mm:ss".len())?;
    let mut numbers = Numbers(local);
    let year = numbers.take(4)?;
    let month = numbers.after('-')?;
    let day = numbers.after('-')?;
    let hour = numbers.after('T')?;
    let minute = numbers.after(':')?;
    let second = numbers.after(':')?;
    let (nanosecond, zone) = fraction(rest)?;
    let small = |n: i32| i8::try_from(n).ok();
    let local = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    );
    offset(zone)?.to_timestamp(local.ok()?).ok()
}

/// Writes `YYYY-MM-DDThh:mm:ss.mmmZ`; digits below the millisecond are dropped. `None` for years
/// that do not have four digits.
#[cfg(feature = "sign")]
pub(crate) fn format(time: Timestamp) -> Option<String> {
    let utc = Offset::UTC.to_datetime(time);
    let date = format!("{:04}-{:02}-{:02}", utc.year(), utc.month(), utc.day());
    let clock = format!("{:02}:{:02}:{:02}", utc.hour(), utc.minute(), utc.second());
    (utc.year() > 0).then(|| format!("{date}T{clock}.{:03}Z", utc.millisecond()))
}

struct Numbers<'a>(&'a str);

impl Numbers<'_> {
    fn take(&mut self, digits: usize) -> Option<i32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let is_number = number.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| number.parse().ok()).flatten()
    }

    fn after(&mut self, separator: char) -> Option<i32> {
        self.0 = self.0.strip_prefix(separator)?;
        self.take(2)
    }
}

/// The nanoseconds of an optional fraction, and what follows it.
fn fraction(text: &str) -> Option<(i32, &str)> {
    let Some(digits) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let digits = digits.bytes().map(|digit| i32::from(digit - b'0'));
    let nine = digits.chain(std::iter::repeat(0)).take(9);
    Some((nine.fold(0, |number, digit| 10 * number + digit), rest))
}

fn offset(zone: &str) -> Option<Offset> {
    if matches!(zone, "" | "Z") {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match zone.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, zone.strip_prefix('-')?),
    };
    let mut numbers = Numbers(digits);
    let hours = numbers.take(2)?;
    let minutes = numbers.after(':')?;
    let in_range = minutes < 60 && hours * 60 + minutes <= 14 * 60 && numbers.0.is_empty();
    let seconds = sign * (hours * 3600 + minutes * 60);
    in_range.then(|| Offset::from_seconds(seconds).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_fractions_and_zones() {
        for (text, utc) in [
            ("2026-06-01T10:00:00Z", "2026-06-01T10:00:00Z"),
            ("2026-06-01T10:00:00", "2026-06-01T10:00:00Z"),
            ("2026-06-01T10:00:00.5Z", "2026-06-01T10:00:00.5Z"),
            (
                "2026-06-01T10:00:00.1234567Z",
                "2026-06-01T10:00:00.1234567Z",
            ),
            (
                "2026-06-01T10:00:00.123456789012Z",
                "2026-06-01T10:00:00.123456789Z",
            ),
            ("2026-06-01T12:30:00.000+02:30", "2026-06-01T10:00:00Z"),
            ("2026-06-01T00:00:00-14:00", "2026-06-01T14:00:00Z"),
        ] {
            assert_eq!(parse(text), utc.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-06-01",
            "2026-06-01 10:00:00Z",
            "2026-06-01T10:00Z",
            "2026-6-1T10:00:00Z",
            "2026-06-01T10:00:00z",
            "2026-06-01T10:00:00.Z",
            "2026-06-01T10:00:60Z",
            "2026-06-01T24:00:00Z",
            "2026-02-29T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "-2026-06-01T10:00:00Z",
            "+026-06-01T10:00:00Z",
            "12026-06-01T10:00:00Z",
            "2026-06-01T10:00:00+02",
            "2026-06-01T10:00:00+0200",
            "2026-06-01T10:00:00+14:01",
            "2026-06-01T10:00:00+01:60",
            "2026-06-01T10:00:00Z ",
            "2026-06-01T10:00:00ZZ",
            "2026-06-01T10:00:00[UTC]",
            "2026-06-01T1é:00:00Z",
            "2026-06-01T10:00:00é",
            "0000-00-00T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_with_milliseconds_and_z() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            format(time("2026-06-01T10:00:00.9996Z")).as_deref(),
            Some("2026-06-01T10:00:00.999Z")
        );
        assert_eq!(
            format(time("0999-06-01T00:00:00Z")).as_deref(),
            Some("0999-06-01T00:00:00.000Z")
        );
        assert_eq!(format(Timestamp::MIN), None);
    }
}
