//! Dates and times as the MPay contract reads and writes them.

use std::{iter, ops::Range, str::FromStr};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};

static CHISINAU: TimeZone = jiff::tz::get!("Europe/Chisinau");

/// The reason why a text is not a time.
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

/// The first instant that a dateTime of the contract can carry: years have four digits there, and
/// the first is 1 (XML Schema Part 2, 3.2.7.1; .NET's `DateTime`).
pub const EARLIEST: Timestamp = Timestamp::constant(-62_135_596_800, 0);
/// The last one, to the second, that there is here: nearly the end of the year 9999.
pub const LATEST: Timestamp = Timestamp::constant(253_402_207_200, 0);

/// Reads an `xs:dateTime`, or a date, in every form that [`format()`] or the store has ever written.
///
/// Without an offset it is the local time of Chişinău: the first of the two in an hour that
/// autumn repeats, the instant of the jump in an hour that spring skips. A date without a time
/// is the last second of that day (MPay contract, "Settled readings").
///
/// A record must stay readable whatever is refused today, so this reads years that no order may
/// have: a caller that takes something new asks [`is_sendable`] too.
///
/// # Errors
/// [`TimeError`] for another form, or for a time that does not exist.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    match read(text)? {
        Reading::Time(time) => Ok(time),
        Reading::Date(date) => last_second_of(date),
    }
}

/// Reads the beginning of a span: as [`parse`], but a date without a time is the first second of
/// that day.
///
/// # Errors
/// As [`parse`].
pub fn parse_start(text: &str) -> Result<Timestamp, TimeError> {
    match read(text)? {
        Reading::Time(time) => Ok(time),
        Reading::Date(date) => in_chisinau(date.to_datetime(Time::midnight())),
    }
}

/// Reads the end of a span that does not include its end: as [`parse`], but a date without a time
/// is the instant at which that day is over.
///
/// # Errors
/// As [`parse`].
pub fn parse_end(text: &str) -> Result<Timestamp, TimeError> {
    match read(text)? {
        Reading::Time(time) => Ok(time),
        Reading::Date(date) => end_of(date),
    }
}

/// Reads `PaidAt`, in whole seconds: an `xs:dateTime` of any year. The money has moved, so a time that is
/// too far away is no reason for a refusal: it becomes the nearest possible one.
///
/// # Errors
/// As [`parse`]; [`TimeError::NotADateTime`] also for a date without a time.
pub fn parse_paid_at(text: &str) -> Result<Timestamp, TimeError> {
    let text = trim(text);
    let (date, time) = text.split_once('T').ok_or(TimeError::NotADateTime)?;
    let (year, day) = date
        .len()
        .checked_sub("-00-00".len())
        .and_then(|at| date.split_at_checked(at))
        .ok_or(TimeError::NotADateTime)?;
    let (before_our_era, digits) = match year.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, year),
    };
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TimeError::NotADateTime);
    }
    // A year that cannot be kept is judged as one that has all days that it can have.
    let in_year = |year: &str| parse(&format!("{year}{day}T{time}"));
    if before_our_era {
        return in_year("2000").map(|_| EARLIEST);
    }
    if digits.len() > 4 {
        return in_year("2000").map(|_| LATEST);
    }
    match in_year(digits) {
        // Its last day is beyond `LATEST`. Like 1999 it has no 29 February.
        Err(TimeError::OutOfRange) if digits == "9999" => in_year("1999").map(|_| LATEST),
        time => time.map(|time| whole(time).clamp(EARLIEST, LATEST)),
    }
}

/// True if a dateTime of the contract can carry it.
pub fn is_sendable(time: Timestamp) -> bool {
    (EARLIEST..=LATEST).contains(&whole(time))
}

/// `time` without fractions of a second, which [`format()`] does not write.
pub fn whole(time: Timestamp) -> Timestamp {
    // Before 1970 the fraction is below zero.
    let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
}

enum Reading {
    Time(Timestamp),
    Date(Date),
}

fn read(text: &str) -> Result<Reading, TimeError> {
    let text = trim(text);
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let date = parse_date(date)?;
    match time {
        Some(time) => parse_time(date, time).map(Reading::Time),
        None => Ok(Reading::Date(date)),
    }
}

fn parse_time(date: Date, time: &str) -> Result<Timestamp, TimeError> {
    let (clock, offset) = split_offset(time);
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    if !has_shape(seconds, "00:00:00")
        || fraction.is_empty()
        || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(TimeError::NotADateTime);
    }
    let local = if seconds == "24:00:00" && fraction.bytes().all(|b| b == b'0') {
        date.tomorrow()
            .map_err(|_| TimeError::OutOfRange)?
            .to_datetime(Time::midnight())
    } else {
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
        DateTime::from_parts(date, clock)
    };
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

/// The time at which a day begins in Chişinău.
///
/// # Errors
/// [`TimeError::OutOfRange`] at the ends of the calendar.
pub fn start_of(date: Date) -> Result<Timestamp, TimeError> {
    in_chisinau(date.to_datetime(Time::midnight()))
}

/// The day so many days after another; `None` at the ends of the calendar. The calendar's own
/// arithmetic knows spans of every unit, which is a tenth of a component's size.
pub fn days_after(date: Date, days: i64) -> Option<Date> {
    let second = day_number(date)?.checked_add(days)?.checked_mul(DAY)?;
    let day = Timestamp::from_second(second).ok()?;
    Some(Offset::UTC.to_datetime(day).date())
}

/// Days from one to another; negative if that is before it, and 0 at the ends of the calendar.
pub fn days_between(from: Date, to: Date) -> i64 {
    let numbers = day_number(from).zip(day_number(to));
    numbers.map_or(0, |(from, to)| to - from)
}

/// The days from one on.
pub fn days_from(date: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(date), |day| day.tomorrow().ok())
}

const DAY: i64 = 86_400;

/// Days since 1970, counted as if all had as many hours.
fn day_number(date: Date) -> Option<i64> {
    let midnight = Offset::UTC.to_timestamp(date.to_datetime(Time::midnight()));
    Some(midnight.ok()?.as_second().div_euclid(DAY))
}

/// The last seconds of the days of Chişinău that end within a span, the latest first.
pub fn ends_of_days(first: Timestamp, last: Timestamp) -> impl Iterator<Item = Timestamp> {
    let days = std::iter::successors(date(last).yesterday().ok(), |day| day.yesterday().ok());
    let ends = days.map_while(|day| last_second_of(day).ok());
    ends.take_while(move |end| *end >= first)
}

/// Reads a date as XML Schema writes it, or with a year before our era as ISO 8601 does and earlier
/// versions of this program wrote it.
///
/// # Errors
/// [`TimeError`] for another form, or for a date that does not exist.
pub fn parse_date(text: &str) -> Result<Date, TimeError> {
    let (year, from) = if has_shape(text, "0000-00-00") {
        (number(text, 0..4)?, 5)
    } else if has_shape(text, "-000000-00-00") {
        (number(text, 0..7)?, 8)
    } else {
        return Err(TimeError::NotADateTime);
    };
    Date::new(
        year,
        number(text, from..from + 2)?,
        number(text, from + 3..from + 5)?,
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

/// Writes `time` as Chişinău time with offset and whole seconds: `2026-12-31T23:59:59+02:00`.
/// [`parse`] gives back the same instant, [`whole`].
pub fn format(time: Timestamp) -> String {
    let time = whole(time);
    // Until 1931 the zone differs from Greenwich by seconds too, which a dateTime cannot say: then
    // the minutes are given, and the local time that they make of the instant.
    let east = CHISINAU.to_offset(time).seconds();
    let offset = Offset::from_seconds(east - east.rem_euclid(60)).unwrap_or(Offset::UTC);
    time.display_with_offset(offset).to_string()
}

/// Writes the beginning of a span: the date alone where it is the first second of a day, else as
/// [`format()`]. [`parse_start`] gives back the same instant, [`whole`].
pub fn format_start(time: Timestamp) -> String {
    let date = date(time);
    match start_of(date) {
        Ok(start) if start == whole(time) => date.to_string(),
        _ => format(time),
    }
}

/// Writes the end of a span: the date alone where it is the last second of a day, else as
/// [`format()`]. [`parse`] gives back the same instant, [`whole`].
pub fn format_end(time: Timestamp) -> String {
    let date = date(time);
    match last_second_of(date) {
        Ok(end) if end == whole(time) => date.to_string(),
        _ => format(time),
    }
}

fn end_of(date: Date) -> Result<Timestamp, TimeError> {
    let midnight = date.tomorrow().map_err(|_| TimeError::OutOfRange)?;
    in_chisinau(midnight.to_datetime(Time::midnight()))
}

fn last_second_of(date: Date) -> Result<Timestamp, TimeError> {
    let end = end_of(date)?;
    end.checked_sub(SignedDuration::from_secs(1))
        .map_err(|_| TimeError::OutOfRange)
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

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// True if `text` has digits where `shape` has `0`, and the same characters elsewhere.
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
    use proptest::{prelude::*, string::string_regex};

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
    fn a_whole_day_is_written_as_that_day() {
        for day in ["2026-12-31", "2026-03-29", "2026-10-25"] {
            assert_eq!(format_end(parse(day).unwrap()), day);
            assert_eq!(format_start(parse_start(day).unwrap()), day);
            assert_ne!(format_end(parse_start(day).unwrap()), day);
        }
        let noon = parse("2026-12-31T12:00:00").unwrap();
        assert_eq!(format_end(noon), "2026-12-31T12:00:00+02:00");
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

    /// Any time, and the ends of the range of times, of the contract and of the zone's history.
    fn any_time() -> impl Strategy<Value = Timestamp> {
        let (first, last) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let near = |at: i64| (at - 100_000).max(first)..=(at + 100_000).min(last);
        let second = prop_oneof![
            first..=last,
            near(first),
            near(last),
            near(EARLIEST.as_second()),
            near(LATEST.as_second()),
            near(0),
            // 1880, 1918, 1931: offsets with seconds.
            -2_900_000_000..=-1_200_000_000_i64,
            1_300_000_000..=2_000_000_000_i64,
        ];
        let nanosecond = prop_oneof![Just(0), Just(1), Just(999_999_999), 0..=999_999_999];
        (second, nanosecond).prop_map(|(second, nanosecond)| {
            Timestamp::new(second, nanosecond).unwrap_or(Timestamp::MIN)
        })
    }

    /// Texts that look like a dateTime.
    fn any_text() -> impl Strategy<Value = String> {
        let year = "(-?[0-9]{3,7}|000[01]|0000|9999|19[0-9]{2}|20[0-9]{2})";
        let clock = "([0-9]{2}:[0-9]{2}:[0-9]{2}|24:00:00|23:59:60)";
        let offset = "(Z|[+-](14:00|13:59|0[0-9]:[0-9]{2}))?";
        let text = format!(
            "[ \n]?{year}-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])(T{clock}([.][0-9]{{1,12}})?{offset})?"
        );
        string_regex(&text).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_is_written_of_a_time_is_read_back(time in any_time()) {
            prop_assert_eq!(parse(&format(time)), Ok(whole(time)), "{}", format(time));
            prop_assert_eq!(parse_start(&format(time)), Ok(whole(time)));
            prop_assert_eq!(parse_start(&format_start(time)), Ok(whole(time)));
            prop_assert_eq!(parse(&format_end(time)), Ok(whole(time)), "{}", format_end(time));
            prop_assert_eq!(parse(&time.to_string()), Ok(time), "{}", time);
        }

        #[test]
        fn whatever_is_read_is_written_and_read_again(text in any_text()) {
            for read in [parse(&text), parse_start(&text), parse_end(&text)].into_iter().flatten() {
                prop_assert_eq!(parse(&format(read)), Ok(whole(read)));
                // Four digits for the year, and no sign.
                let four = format(read).find('-') == Some(4);
                prop_assert!(!is_sendable(read) || four, "{}", format(read));
            }
            if let Ok(paid_at) = parse_paid_at(&text) {
                prop_assert!(is_sendable(paid_at));
                prop_assert_eq!(parse(&format(paid_at)), Ok(paid_at));
            }
        }

        #[test]
        fn a_time_of_payment_is_read_as_any_other(text in any_text()) {
            if let (Ok(paid_at), Ok(read)) = (parse_paid_at(&text), parse(&text)) {
                let expected = whole(read).clamp(EARLIEST, LATEST);
                // Before our era, XML Schema and ISO 8601 differ by a year.
                prop_assert!(paid_at == expected || text.contains("-0"));
            }
        }
    }

    #[test]
    fn a_payment_of_a_time_that_cannot_be_kept_is_one_of_the_nearest_that_can() {
        for (text, nearest) in [
            ("0001-01-01T00:00:00", EARLIEST),
            ("0001-01-01T00:00:00Z", EARLIEST),
            ("0000-01-01T00:00:00+14:00", EARLIEST),
            ("-0044-03-15T12:00:00", EARLIEST),
            ("-20260-02-29T12:00:00", EARLIEST),
            ("9999-12-31T23:59:59.9999999", LATEST),
            ("9999-12-31T23:59:59Z", LATEST),
            ("9999-12-31T24:00:00Z", LATEST),
            ("12026-06-01T12:00:00+03:00", LATEST),
        ] {
            assert_eq!(parse_paid_at(text), Ok(nearest), "{text}");
        }
        for text in [
            "9999-02-29T12:00:00",
            "-0044-02-30T12:00:00",
            "2026-02-29T12:00:00",
        ] {
            assert_eq!(parse_paid_at(text), Err(TimeError::OutOfRange), "{text}");
        }
        for text in [
            "2026-06-01",
            "-44-03-15T12:00:00",
            "T12:00:00",
            "é-01-01T12:00:00",
            "",
        ] {
            assert_eq!(parse_paid_at(text), Err(TimeError::NotADateTime), "{text}");
        }
    }

    #[test]
    fn what_earlier_versions_wrote_of_years_before_our_era_is_read() {
        assert_eq!(
            utc("-000001-12-31T11:55:00+01:55"),
            "-000001-12-31T10:00:00Z"
        );
        assert_eq!(utc("0000-01-01T00:00:00+14:00"), "-000001-12-31T10:00:00Z");
    }

    #[test]
    fn a_leap_second_is_the_one_before_it() {
        assert_eq!(utc("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59Z");
        assert_eq!(parse("2016-12-31T23:59:61Z"), Err(TimeError::OutOfRange));
    }

    #[test]
    fn a_date_is_shown_as_that_day_and_ends_with_its_last_second() {
        assert_eq!(utc("2026-12-31"), "2026-12-31T21:59:59Z");
        let shown = parse("2026-12-31").map(format);
        assert_eq!(shown.as_deref(), Ok("2026-12-31T23:59:59+02:00"));
    }

    #[test]
    fn the_hour_24_is_the_midnight_after() {
        assert_eq!(utc("2026-12-31T24:00:00"), "2026-12-31T22:00:00Z");
        assert_eq!(utc("2026-12-31T24:00:00.0Z"), "2027-01-01T00:00:00Z");
        assert_eq!(parse("2026-12-31T24:00:01Z"), Err(TimeError::OutOfRange));
    }

    #[test]
    fn a_span_of_one_date_is_that_day() {
        // 25 October 2026 has 25 hours.
        let day = "2026-10-25";
        let (start, end) = (parse_start(day).unwrap(), parse_end(day).unwrap());
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
    fn an_offset_of_old_is_written_in_minutes_and_means_the_same_instant() {
        let time: Timestamp = "1850-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(format(time), "1850-01-01T01:55:00+01:55");
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
