//! Days of the Gregorian calendar, and the serial numbers of spreadsheets.
//!
//! `jiff` would do it: its arithmetic of spans, with the texts of its errors, is 70 KB of a component.

use std::fmt;

/// A day and a time of it, in no particular zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    year: u16,
    month: u8,
    day: u8,
    /// Of the day.
    second: u32,
}

const SECONDS_OF_DAY: u32 = 86_400;
/// Days from the first of March of the year 0 to 30 December 1899.
const BEFORE: u32 = 693_899;
/// Those of 400 years.
const DAYS_OF_ERA: u32 = 146_097;

impl Civil {
    /// The beginning of a day; `None` if the calendar does not have it.
    pub fn of_day(year: u16, month: u8, day: u8) -> Option<Self> {
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((1..=days).contains(&day) && (1..=9999).contains(&year)).then_some(Self {
            year,
            month,
            day,
            second: 0,
        })
    }

    /// A time of this day; `None` if a day has no such time.
    pub fn at(self, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let is_time = hour < 24 && minute < 60 && second < 60;
        let second = (u32::from(hour) * 60 + u32::from(minute)) * 60 + u32::from(second);
        is_time.then_some(Self { second, ..self })
    }

    /// The time `days` after 30 December 1899, from which spreadsheets count, and `second` seconds into
    /// that day. `None` beyond the year 9999, where they end.
    pub fn of_serial(days: u32, second: u32) -> Option<Self> {
        if second >= SECONDS_OF_DAY || days > 2_958_465 {
            return None;
        }
        // Years that begin in March, so that a leap day is the last (H. Hinnant, "chrono-Compatible
        // Low-Level Date Algorithms", civil_from_days).
        let days = days + BEFORE;
        let (era, of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let (month, next_year) = match shifted {
            0..10 => (shifted + 3, 0),
            _ => (shifted - 9, 1),
        };
        let year = era * 400 + year_of_era + next_year;
        Some(Self {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day: u8::try_from(day).ok()?,
            second,
        })
    }

    /// The serial number that [`Civil::of_serial`] makes it of: days after 30 December 1899, and seconds. A day before
    /// that is that day.
    pub fn serial(self) -> (u32, u32) {
        // `days_from_civil` of the same source.
        let (year, month) = (u32::from(self.year), u32::from(self.month));
        let (year, month) = match month {
            1 | 2 => (year - 1, month + 9),
            _ => (year, month - 3),
        };
        let (era, of_era) = (year / 400, year % 400);
        let of_year = (153 * month + 2) / 5 + u32::from(self.day) - 1;
        let days = era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        (days.saturating_sub(BEFORE), self.second)
    }

    pub fn is_midnight(self) -> bool {
        self.second == 0
    }

    /// `2026-12-31`.
    pub fn day(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// `2026-12-31T23:59:00`.
impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, second) = (self.second / 60, self.second % 60);
        write!(
            f,
            "{}T{:02}:{:02}:{second:02}",
            self.day(),
            minutes / 60,
            minutes % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan, civil::date};

    use super::*;

    #[test]
    fn each_day_that_spreadsheets_count_is_that_of_the_calendar() {
        let mut day = date(1899, 12, 30);
        for days in 0..=2_958_465 {
            let civil = Civil::of_serial(days, 0).unwrap();
            assert_eq!(civil.serial(), (days, 0));
            assert_eq!(civil.day(), day.to_string(), "{days}");
            let year = u16::try_from(day.year()).unwrap();
            let [month, of_month] = [day.month(), day.day()].map(|n| u8::try_from(n).unwrap());
            assert_eq!(Civil::of_day(year, month, of_month), Some(civil));
            day = day.checked_add(1.day()).unwrap_or(day);
        }
        assert_eq!(Civil::of_serial(2_958_466, 0), None);
        assert_eq!(Civil::of_serial(1, SECONDS_OF_DAY), None);
    }

    #[test]
    fn what_the_calendar_does_not_have_is_no_day() {
        for (year, month, day) in [
            (2026, 2, 29),
            (1900, 2, 29),
            (2026, 4, 31),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 1, 0),
            (2026, 1, 32),
            (0, 1, 1),
            (10_000, 1, 1),
        ] {
            assert_eq!(
                Civil::of_day(year, month, day),
                None,
                "{year}-{month}-{day}"
            );
        }
        let day = Civil::of_day(2028, 2, 29).unwrap();
        assert_eq!(
            day.at(23, 59, 58).unwrap().to_string(),
            "2028-02-29T23:59:58"
        );
        for (hour, minute, second) in [(24, 0, 0), (0, 60, 0), (0, 0, 60)] {
            assert_eq!(day.at(hour, minute, second), None);
        }
    }
}
