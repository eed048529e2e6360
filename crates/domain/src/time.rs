//! Dates and times as the MPay contract reads and writes them.

use std::{iter, ops::Range, str::FromStr};

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

static CHISINAU: TimeZone = jiff::tz::get!("Europe/Chisinau");

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not of the form `2026-12-31T23:59:59`, with or without fraction and offset.
    #[error("must be a date and time such as 2026-12-31T23:59:59+02:00")]
    NotADateTime,
    /// No such day, hour or offset.
    #[error("is no date and time of the calendar")]
    OutOfRange,
}

/// Reads an `xs:dateTime`, or a date.
///
/// Without an offset it is the local time of Chişinău: the first of the two in an hour that
/// autumn repeats, the instant of the jump in an hour that spring skips. A date without a time
/// is the end of that day (MPay contract, "Settled readings").
///
/// # Errors
/// [`TimeError`] for another form, or for what the calendar does not have.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let date = parse_date(date)?;
    let Some(time) = time else {
        return end_of(date);
    };
    let (clock, offset) = split_offset(time);
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if !has_shape(seconds, "00:00:00")
        || fraction.is_empty()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(TimeError::NotADateTime);
    }
    if seconds == "24:00:00" && fraction.bytes().all(|b| b == b'0') && offset.is_none() {
        return end_of(date);
    }
    // Finer than a nanosecond does not exist here.
    let digits = fraction.bytes().map(|digit| i32::from(digit - b'0'));
    let nine = digits.chain(iter::repeat(0)).take(9);
    let nanosecond = nine.fold(0, |number, digit| 10 * number + digit);
    let second = match number(seconds, 6..8)? {
        // A leap second, which this calendar does not have.
        60 => 59,
        second => second,
    };
    let clock = Time::new(
        number(seconds, 0..2)?,
        number(seconds, 3..5)?,
        second,
        nanosecond,
    )
    .map_err(|_| TimeError::OutOfRange)?;
    let local = DateTime::from_parts(date, clock);
    let Some(offset) = offset else {
        return in_chisinau(local);
    };
    let east = if offset == "Z" {
        0
    } else {
        parse_offset(offset)?
    };
    Offset::from_seconds(east)
        .and_then(|offset| offset.to_timestamp(local))
        .map_err(|_| TimeError::OutOfRange)
}

/// The day in Chişinău.
pub fn date(time: Timestamp) -> Date {
    CHISINAU.to_datetime(time).date()
}

/// When a day begins in Chişinău.
///
/// # Errors
/// [`TimeError::OutOfRange`] at the ends of the calendar.
pub fn start_of(date: Date) -> Result<Timestamp, TimeError> {
    in_chisinau(date.to_datetime(Time::midnight()))
}

/// Reads a date as XML Schema writes it.
///
/// # Errors
/// [`TimeError`] for another form, or for what the calendar does not have.
pub fn parse_date(text: &str) -> Result<Date, TimeError> {
    if !has_shape(text, "0000-00-00") {
        return Err(TimeError::NotADateTime);
    }
    Date::new(
        number(text, 0..4)?,
        number(text, 5..7)?,
        number(text, 8..10)?,
    )
    .map_err(|_| TimeError::OutOfRange)
}

/// Seconds east of Greenwich.
fn parse_offset(text: &str) -> Result<i32, TimeError> {
    let (sign, clock) = text.split_at_checked(1).ok_or(TimeError::NotADateTime)?;
    if !has_shape(clock, "00:00") {
        return Err(TimeError::NotADateTime);
    }
    let (hours, minutes): (i32, i32) = (number(clock, 0..2)?, number(clock, 3..5)?);
    // XML Schema Part 2, 3.2.7.3: offsets reach from -14:00 to +14:00.
    if minutes > 59 || hours * 60 + minutes > 14 * 60 {
        return Err(TimeError::OutOfRange);
    }
    Ok((hours * 60 + minutes) * if sign == "-" { -60 } else { 60 })
}

fn number<N: FromStr>(text: &str, digits: Range<usize>) -> Result<N, TimeError> {
    let digits = text.get(digits).and_then(|digits| digits.parse().ok());
    digits.ok_or(TimeError::NotADateTime)
}

/// As [`parse`], without fractions of a second, so that [`format()`] gives back the same.
///
/// # Errors
/// As [`parse`].
pub fn parse_seconds(text: &str) -> Result<Timestamp, TimeError> {
    Timestamp::from_second(parse(text)?.as_second()).map_err(|_| TimeError::OutOfRange)
}

/// Reads the beginning of a span: as [`parse`], but a date without a time is the start of that day.
///
/// # Errors
/// As [`parse`].
pub fn parse_start(text: &str) -> Result<Timestamp, TimeError> {
    if has_shape(text, "0000-00-00") {
        return in_chisinau(parse_date(text)?.to_datetime(Time::midnight()));
    }
    parse(text)
}

/// Writes `time` as Chişinău time with offset and whole seconds: `2026-12-31T23:59:59+02:00`.
pub fn format(time: Timestamp) -> String {
    let seconds = Timestamp::from_second(time.as_second()).unwrap_or(time);
    seconds
        .display_with_offset(CHISINAU.to_offset(time))
        .to_string()
}

fn end_of(date: Date) -> Result<Timestamp, TimeError> {
    let midnight = date.tomorrow().map_err(|_| TimeError::OutOfRange)?;
    in_chisinau(midnight.to_datetime(Time::midnight()))
}

fn in_chisinau(local: DateTime) -> Result<Timestamp, TimeError> {
    let ambiguous = CHISINAU.to_ambiguous_timestamp(local);
    let gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let shifted = ambiguous.compatible().map_err(|_| TimeError::OutOfRange)?;
    if gap && let Some(jump) = CHISINAU.preceding(shifted).next() {
        return Ok(jump.timestamp());
    }
    Ok(shifted)
}

/// Whether `text` has digits where `shape` has `0`, and the same characters elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, model)| match model {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            })
}

fn split_offset(time: &str) -> (&str, Option<&str>) {
    match time
        .find(['Z', '+', '-'])
        .and_then(|at| time.split_at_checked(at))
    {
        Some((clock, offset)) => (clock, Some(offset)),
        None => (time, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> String {
        parse(text)
            .map(|t| t.to_string())
            .unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn times_without_offset_are_local_times_of_chisinau() {
        assert_eq!(utc("2026-01-15T12:00:00"), "2026-01-15T10:00:00Z");
        assert_eq!(utc("2026-07-15T12:00:00"), "2026-07-15T09:00:00Z");
        assert_eq!(
            utc("2026-07-15T12:00:00.1234567"),
            "2026-07-15T09:00:00.1234567Z"
        );
    }

    #[test]
    fn offsets_are_honoured() {
        assert_eq!(utc("2026-01-15T12:00:00Z"), "2026-01-15T12:00:00Z");
        assert_eq!(utc("2026-01-15T12:00:00+05:30"), "2026-01-15T06:30:00Z");
        assert_eq!(utc("2026-01-15T12:00:00-01:00"), "2026-01-15T13:00:00Z");
    }

    #[test]
    fn a_repeated_hour_is_the_first_and_a_skipped_one_the_jump() {
        // 25 October 2026, 04:00 summer time becomes 03:00.
        assert_eq!(utc("2026-10-25T03:30:00"), "2026-10-25T00:30:00Z");
        // 29 March 2026, 03:00 winter time becomes 04:00.
        assert_eq!(utc("2026-03-29T02:59:59"), "2026-03-29T00:59:59Z");
        assert_eq!(utc("2026-03-29T03:30:00"), "2026-03-29T01:00:00Z");
        assert_eq!(utc("2026-03-29T04:00:00"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn what_the_store_keeps_of_a_time_is_read_back() {
        for second in (0..4_000_000_000).step_by(123_456_789) {
            for nanosecond in [0, 1, 20, 123_000_000, 999_999_999] {
                let time = Timestamp::new(second, nanosecond).unwrap();
                assert_eq!(parse(&time.to_string()), Ok(time));
            }
        }
        assert_eq!(parse(&Timestamp::MAX.to_string()), Ok(Timestamp::MAX));
    }

    #[test]
    fn a_leap_second_is_the_one_before_it() {
        assert_eq!(utc("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59Z");
        assert_eq!(parse("2016-12-31T23:59:61Z"), Err(TimeError::OutOfRange));
    }

    #[test]
    fn a_date_ends_with_its_day() {
        assert_eq!(utc("2026-12-31"), "2026-12-31T22:00:00Z");
        assert_eq!(utc("2026-12-31T24:00:00"), "2026-12-31T22:00:00Z");
    }

    #[test]
    fn a_span_of_one_date_is_that_day() {
        // 25 October 2026 has 25 hours.
        let day = "2026-10-25";
        let (start, end) = (parse_start(day).unwrap(), parse(day).unwrap());
        assert_eq!(start.to_string(), "2026-10-24T21:00:00Z");
        assert_eq!(end.to_string(), "2026-10-25T22:00:00Z");
        assert_eq!(
            parse_start("2026-10-25T12:00:00"),
            parse("2026-10-25T12:00:00")
        );
        assert_eq!(parse_start("2026-10"), Err(TimeError::NotADateTime));
    }

    #[test]
    fn times_go_out_with_offset_and_whole_seconds() {
        let time: Timestamp = "2026-12-31T21:59:59.987Z".parse().unwrap();
        assert_eq!(format(time), "2026-12-31T23:59:59+02:00");
        let summer: Timestamp = "2026-06-30T20:59:59Z".parse().unwrap();
        assert_eq!(format(summer), "2026-06-30T23:59:59+03:00");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "T",
            "2026-1-1",
            "2026-01-01 12:00:00",
            "2026-01-01T12:00",
            "2026-01-01T12:00:00.",
            "2026-01-01T12:00:00+2:00",
            "2026-01-01T12:00:00ZZ",
            "2026-01-01T12:00:00é",
            "2026-01-01t12:00:00",
            "-2026-01-01T12:00:00",
        ] {
            assert_eq!(parse(text), Err(TimeError::NotADateTime), "{text:?}");
        }
        for text in [
            "2026-02-30",
            "2026-01-01T25:00:00",
            "2026-01-01T12:00:00+15:00",
            "9999-12-31",
        ] {
            assert_eq!(parse(text), Err(TimeError::OutOfRange), "{text:?}");
        }
    }
}
