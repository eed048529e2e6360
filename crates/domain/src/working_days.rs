//! Working days in Moldova, so that a term can be given as three working days.

use jiff::civil::{Date, Weekday};

use crate::time::{TimeError, days_after, days_between, days_from, parse_date};

/// Public holidays of the same date each year, as month and day: Labour Code of the Republic of
/// Moldova, article 111, as it has been in force since 2024. The feast of the locality (*hram*),
/// which is in that article too, differs from place to place.
const FIXED: [(i8, i8); 10] = [
    (1, 1),
    (1, 7),
    (1, 8),
    (3, 8),
    (5, 1),
    (5, 9),
    (6, 1),
    (8, 27),
    (8, 31),
    (12, 25),
];

/// The longest term, in working days: two years and more.
pub const LONGEST_TERM: u16 = 500;

/// A day of one year, or of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    Once(Date),
    Yearly(i8, i8),
}

impl Day {
    fn parse(text: &str) -> Result<Self, TimeError> {
        // A leap year has every day that a year can have.
        if text.len() == "00-00".len() {
            let date = parse_date(&format!("2000-{text}"))?;
            return Ok(Self::Yearly(date.month(), date.day()));
        }
        parse_date(text).map(Self::Once)
    }

    fn is(self, date: Date) -> bool {
        match self {
            Self::Once(day) => day == date,
            Self::Yearly(month, day) => (date.month(), date.day()) == (month, day),
        }
    }
}

/// The calendar of working days: Monday to Friday without public holidays, and the exceptions of a
/// government or a town.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkingDays {
    free: Vec<Day>,
    worked: Vec<Day>,
}

impl WorkingDays {
    /// Adds days that are free and days that are worked, each a list of days such as `2026-05-11`, or
    /// `10-14` for every year, separated by commas. A day that is listed as worked is worked even if
    /// another rule makes it free.
    ///
    /// # Errors
    /// [`NoDay`] says which text is no day.
    pub fn new(free: &str, worked: &str) -> Result<Self, NoDay> {
        let read = |list: &str, is_worked| -> Result<Vec<Day>, NoDay> {
            let texts = list.split(',').map(str::trim);
            let texts = texts.filter(|text| !text.is_empty());
            texts
                .enumerate()
                .map(|(position, text)| {
                    Day::parse(text).map_err(|_| NoDay {
                        is_worked,
                        position,
                    })
                })
                .collect()
        };
        Ok(Self {
            free: read(free, false)?,
            worked: read(worked, true)?,
        })
    }

    /// True if `date` is worked.
    pub fn is_worked(&self, date: Date) -> bool {
        let is_among = |days: &[Day]| days.iter().any(|day| day.is(date));
        is_among(&self.worked)
            || !(matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
                || is_among(&self.free)
                || is_public_holiday(date))
    }

    /// The working day number `count` after `date`, which is itself not counted; `date` for 0.
    /// `None` beyond the end of the calendar.
    pub fn after(&self, date: Date, count: u16) -> Option<Date> {
        let mut days = days_from(date).skip(1);
        (0..count).try_fold(date, |_, _| days.find(|day| self.is_worked(*day)))
    }
}

/// The reason why a list of days cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("day {} is no day such as 2026-05-11, or 10-14 for every year", position + 1)]
pub struct NoDay {
    /// True if it is one of the days that are worked.
    pub is_worked: bool,
    /// Its position, from 0.
    pub position: usize,
}

fn is_public_holiday(date: Date) -> bool {
    if FIXED.contains(&(date.month(), date.day())) {
        return true;
    }
    // Easter, the day after it, and the Monday a week later (Memorial Easter, Paștele blajinilor).
    let since = orthodox_easter(date.year()).map(|easter| days_between(easter, date));
    matches!(since, Some(0 | 1 | 8))
}

/// Easter Sunday of the Orthodox churches, in the Gregorian calendar (J. Meeus, *Astronomical
/// Algorithms*, chapter 9, for the Julian one). `None` for years before 1900 or after 2099, between
/// which the calendars are 13 days apart.
fn orthodox_easter(year: i16) -> Option<Date> {
    const BETWEEN_CALENDARS: i64 = 13;
    if !(1900..=2099).contains(&year) {
        return None;
    }
    let (a, b, c) = (year % 4, year % 7, year % 19);
    let d = (19 * c + 15) % 30;
    let e = (2 * a + 4 * b - d + 34) % 7;
    let days = d + e + 114;
    let (month, day) = (
        i8::try_from(days / 31).ok()?,
        i8::try_from(days % 31 + 1).ok()?,
    );
    let julian = Date::new(year, month, day).ok()?;
    days_after(julian, BETWEEN_CALENDARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// Easter Sundays as the churches' tables have them (and the Python package `holidays` 0.8x).
    const EASTERS: &str = "2015-04-12 2016-05-01 2017-04-16 2018-04-08 2019-04-28 2020-04-19 \
        2021-05-02 2022-04-24 2023-04-16 2024-05-05 2025-04-20 2026-04-12 2027-05-02 2028-04-16 \
        2029-04-08 2030-04-28 2031-04-13 2032-05-02 2033-04-24 2034-04-09 2035-04-29 2036-04-20 \
        2037-04-05 2038-04-25 2039-04-17 2040-05-06 2041-04-21 2042-04-13 2043-05-03 2044-04-24 \
        2045-04-09 2046-04-29 2047-04-21 2048-04-05 2049-04-25 2050-04-17";

    #[test]
    fn easter_is_when_the_churches_say() {
        for easter in EASTERS.split_whitespace().map(date) {
            assert_eq!(orthodox_easter(easter.year()), Some(easter));
        }
    }

    #[test]
    fn the_days_that_are_free_on_weekdays_are_these() {
        let days = WorkingDays::default();
        for (year, free) in [
            (
                2024,
                "01-01 01-08 03-08 05-01 05-06 05-09 05-13 08-27 12-25",
            ),
            (
                2025,
                "01-01 01-07 01-08 04-21 04-28 05-01 05-09 08-27 12-25",
            ),
            // Ziarul de Gardă, 8 January 2026: eleven days beside the weekends, of which one is the
            // feast of Chişinău.
            (
                2026,
                "01-01 01-07 01-08 04-13 04-20 05-01 06-01 08-27 08-31 12-25",
            ),
            (
                2027,
                "01-01 01-07 01-08 03-08 05-03 05-10 06-01 08-27 08-31",
            ),
            (
                2028,
                "01-07 03-08 04-17 04-24 05-01 05-09 06-01 08-31 12-25",
            ),
        ] {
            let first = Date::new(year, 1, 1).unwrap();
            let weekdays = first
                .series(jiff::ToSpan::day(1))
                .take_while(|day| day.year() == year)
                .filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday));
            let found: Vec<_> = weekdays
                .filter(|day| !days.is_worked(*day))
                .map(|day| format!("{:02}-{:02}", day.month(), day.day()))
                .collect();
            assert_eq!(found.join(" "), free, "{year}");
        }
    }

    #[test]
    fn three_working_days_are_counted_from_the_day_after() {
        let days = WorkingDays::default();
        for (from, until) in [
            // A Thursday.
            ("2026-03-05", "2026-03-10"),
            // The Friday before Easter: Monday is free.
            ("2026-04-10", "2026-04-16"),
            // Memorial Easter.
            ("2026-04-17", "2026-04-23"),
            // A Saturday.
            ("2026-03-07", "2026-03-11"),
            ("2025-12-24", "2025-12-30"),
            ("2026-12-31", "2027-01-06"),
        ] {
            assert_eq!(days.after(date(from), 3), Some(date(until)), "{from}");
        }
        assert_eq!(days.after(date("2026-03-07"), 0), Some(date("2026-03-07")));
        assert_eq!(days.after(Date::MAX, 1), None);
    }

    #[test]
    fn a_town_and_a_government_move_days() {
        let days = WorkingDays::new("10-14, 2026-03-09", " 2026-03-21,2026-04-13,").unwrap();
        assert!(!days.is_worked(date("2026-10-14")));
        assert!(!days.is_worked(date("2027-10-14")));
        assert!(!days.is_worked(date("2026-03-09")));
        assert!(days.is_worked(date("2026-03-21")));
        // Whatever else says that it is free.
        assert!(days.is_worked(date("2026-04-13")));
        assert_eq!(days.after(date("2026-03-06"), 1), Some(date("2026-03-10")));
        for (free, worked, error) in [
            ("2026-02-30", "", (false, 0)),
            ("10-14,13-01", "", (false, 1)),
            ("", "2026-03-21,tomorrow", (true, 1)),
        ] {
            let read = WorkingDays::new(free, worked).unwrap_err();
            assert_eq!((read.is_worked, read.position), error);
        }
    }
}
