use crate::{Cell, CellError, Moment, calendar::Civil};

impl Cell {
    /// A date, or a date and time, in ISO 8601: `2026-12-31` or `2026-12-31T23:59:00`, in the local time
    /// of the table; or with an offset if the cell has one.
    ///
    /// It is read from `31.12.2026`, `31.12.2026 23:59`, `2026-12-31 00:00:00`, ISO 8601, and from dates
    /// of a workbook. Programs write midnight with a space before it for a mere date, so it is read as
    /// the day. Slashes are refused.
    ///
    /// # Errors
    /// [`CellError`].
    pub fn date(&self) -> Result<Option<String>, CellError> {
        self.checked()?;
        match self {
            Self::Empty => Ok(None),
            Self::Date(moment) => Ok(Some(moment.iso())),
            Self::Number(number) => Err(CellError::NumberForDate(number.plain())),
            Self::Flag(_) => Err(CellError::Flag),
            _ => match self.text()? {
                None => Ok(None),
                Some(text) => parse(&text).map(Some),
            },
        }
    }
}

fn parse(text: &str) -> Result<String, CellError> {
    // Programs and spreadsheets put any space between date and time, and some a comma.
    let (day, rest) = match text.split_once(|c: char| c.is_whitespace() || c == 'T') {
        Some((day, rest)) => (day.trim_end_matches(','), rest.trim_start()),
        None => (text, ""),
    };
    let day_of = parse_day(day)?;
    let has_t = text
        .get(day.len()..)
        .is_some_and(|rest| rest.starts_with('T'));
    // Russian writes `г.` behind a year.
    let rest = rest.trim_start_matches("г.").trim_start();
    if rest.is_empty() && !has_t {
        return Ok(day_of.day());
    }
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(position) => rest.split_at_checked(position).unwrap_or((rest, "")),
        None => (rest, ""),
    };
    let at = parse_time(day_of, clock.trim_end())?;
    if offset.is_empty() && !has_t {
        return Ok(Moment::new(at, true).iso());
    }
    // As it was written: the reader of times judges the offset and the seconds.
    Ok(format!("{}T{}{offset}", at.day(), padded(clock.trim_end())))
}

/// A time with its seconds.
fn padded(clock: &str) -> String {
    if clock.matches(':').count() == 1 {
        format!("{clock}:00")
    } else {
        clock.to_owned()
    }
}

fn parse_day(text: &str) -> Result<Civil, CellError> {
    if text.contains('/') && text.contains(|c: char| c.is_ascii_digit()) {
        return Err(CellError::Slashes);
    }
    let of = |separator: char| {
        let mut parts = text.split(separator);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(a), Some(b), Some(c), None) => Some([a, b, c]),
            _ => None,
        }
    };
    let [year, month, day] = match (of('.'), of('-')) {
        (Some([day, month, year]), _) => {
            if day.len() == 4 {
                return Err(CellError::NotADate);
            }
            [year, month, day]
        }
        (None, Some([year, month, day])) => {
            // 31-12-2026 is read in one way only.
            if day.len() == 4 {
                [day, month, year]
            } else {
                [year, month, day]
            }
        }
        (None, None) => return Err(CellError::NotADate),
    };
    let number = |text: &str| -> Result<u16, CellError> {
        let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.ok_or(CellError::NotADate)
    };
    let (numbers, length) = ((number(year)?, number(month)?, number(day)?), year.len());
    if month.len() > 2 || day.len() > 2 {
        return Err(CellError::NotADate);
    }
    match length {
        4 => {}
        2 => return Err(CellError::ShortYear),
        _ => return Err(CellError::NotADate),
    }
    let (year, month, day) = numbers;
    let part = |number: u16| u8::try_from(number).map_err(|_| CellError::NoSuchDate);
    Civil::of_day(year, part(month)?, part(day)?).ok_or(CellError::NoSuchDate)
}

/// A time of a day: hours and minutes, and seconds where there are any; fractions of them are left out.
fn parse_time(day: Civil, text: &str) -> Result<Civil, CellError> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = text.split(':');
    let mut next = || -> Result<Option<u8>, CellError> {
        let Some(part) = parts.next() else {
            return Ok(None);
        };
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let number = part.parse().ok().filter(|_| is_number);
        number.map(Some).ok_or(CellError::NotADate)
    };
    let (hour, minute, second, more) = (next()?, next()?, next()?, next()?);
    let (Some(hour), Some(minute), None) = (hour, minute, more) else {
        return Err(CellError::NotADate);
    };
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CellError::NotADate);
    }
    day.at(hour, minute, second.unwrap_or(0))
        .ok_or(CellError::NoSuchDate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cell::testing::*;

    #[test]
    fn dates_are_read_as_people_and_programs_write_them() {
        for (text, iso) in [
            ("31.12.2026", "2026-12-31"),
            ("1.2.2026", "2026-02-01"),
            (" 31.12.2026 ", "2026-12-31"),
            ("31.12.2026 г.", "2026-12-31"),
            ("31.12.2026 23:59", "2026-12-31T23:59:00"),
            ("31.12.2026 23:59:58", "2026-12-31T23:59:58"),
            ("31.12.2026, 23:59", "2026-12-31T23:59:00"),
            ("31.12.2026\u{A0}9:05", "2026-12-31T09:05:00"),
            ("31.12.2026 00:00", "2026-12-31"),
            ("2026-12-31", "2026-12-31"),
            ("2026-12-31 00:00:00", "2026-12-31"),
            ("2026-12-31 00:00:00.000", "2026-12-31"),
            ("2026-12-31 10:20:30", "2026-12-31T10:20:30"),
            ("2026-12-31T23:59:59", "2026-12-31T23:59:59"),
            ("2026-12-31T00:00:00", "2026-12-31T00:00:00"),
            ("2026-12-31T23:59", "2026-12-31T23:59:00"),
            ("2026-12-31T23:59:59+02:00", "2026-12-31T23:59:59+02:00"),
            ("2026-12-31T23:59:59.123Z", "2026-12-31T23:59:59.123Z"),
            ("2026-12-31 23:59:59+02:00", "2026-12-31T23:59:59+02:00"),
            ("31-12-2026", "2026-12-31"),
            ("'2026-12-31", "2026-12-31"),
        ] {
            assert_eq!(
                written(text).date().unwrap().as_deref(),
                Some(iso),
                "{text}"
            );
        }
        assert_eq!(day(2026, 12, 31).date().unwrap().unwrap(), "2026-12-31");
        let at = Civil::of_day(2026, 12, 31).unwrap().at(23, 59, 0).unwrap();
        for (shows_time, iso) in [(true, "2026-12-31T23:59:00"), (false, "2026-12-31")] {
            let cell = Cell::Date(Moment::new(at, shows_time));
            assert_eq!(cell.date().unwrap().unwrap(), iso);
        }
        assert_eq!(Cell::Empty.date(), Ok(None));
    }

    #[test]
    fn what_is_no_date_or_more_than_one_is_refused() {
        use CellError::*;
        for (text, error) in [
            ("12/31/2026", Slashes),
            ("31/12/2026", Slashes),
            ("12/31/2026 10:00", Slashes),
            ("31.12.26", ShortYear),
            ("26-12-31", ShortYear),
            ("31.02.2026", NoSuchDate),
            ("31.13.2026", NoSuchDate),
            ("2026-02-30", NoSuchDate),
            ("1.1.2026 24:00", NoSuchDate),
            ("1.1.2026 10", NotADate),
            ("1.1.2026 10:0x", NotADate),
            ("1.1.2026 10:00:00:00", NotADate),
            ("2026.12.31", NotADate),
            ("31 decembrie 2026", NotADate),
            ("46387", NotADate),
            ("mâine", NotADate),
            ("1.1", NotADate),
            ("1.1.20261", NotADate),
            ("001.1.2026", NotADate),
            ("2026-12-31T", NotADate),
            ("+1.1.2026", NotADate),
        ] {
            assert_eq!(written(text).date(), Err(error), "{text}");
        }
        assert_eq!(number(46387.0).date(), Err(NumberForDate("46387".into())));
        assert_eq!(Cell::Flag(true).date(), Err(Flag));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.:T/ Zgг+-]{0,24}") {
            let _ = written(&text).date();
        }

        #[test]
        fn each_day_is_the_same_however_it_is_written(day in 1_i8..=28, month in 1_i8..=12, year in 1000_i16..=9999) {
            let iso = format!("{year:04}-{month:02}-{day:02}");
            for text in [format!("{day}.{month}.{year}"), format!("{day:02}.{month:02}.{year} 0:00"), format!("{iso} 00:00:00")] {
                prop_assert_eq!(written(&text).date().unwrap(), Some(iso.clone()));
            }
        }
    }
}
