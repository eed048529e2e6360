//! Amounts and times as people write them.

use jiff::{Timestamp, civil::Date};

use crate::domain::{Language, Money, time};

/// Separator of groups of digits: as wide as a point, and lines do not break there.
const GROUPS: char = '\u{202F}';

/// An amount with its currency, such as `1 250,50 MDL`.
pub fn money(language: Language, amount: Money, currency: &str) -> String {
    let text = amount.to_string();
    let (whole, hundredths) = text.split_once('.').unwrap_or((&text, "00"));
    let point = match language {
        Language::English => '.',
        Language::Romanian | Language::Russian => ',',
    };
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(GROUPS);
        }
        grouped.push(digit);
    }
    format!("{grouped}{point}{hundredths}\u{A0}{currency}")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A day, such as `31.12.2026`.
pub fn day(language: Language, date: Date) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match language {
        Language::English => {
            let place = usize::try_from(month - 1).ok();
            let name = place.and_then(|place| MONTHS.get(place));
            format!("{day} {} {year}", name.copied().unwrap_or_default())
        }
        Language::Romanian | Language::Russian => format!("{day:02}.{month:02}.{year}"),
    }
}

/// The day of a time in Chișinău.
pub fn day_of(language: Language, at: Timestamp) -> String {
    day(language, time::date(at))
}

/// A time in Chișinău, such as `31.12.2026, 14:05`.
pub fn time_of(language: Language, at: Timestamp) -> String {
    let local = time::format(at);
    // The characters of 2026-12-31T14:05:00+02:00 that give hours and minutes.
    let clock = local.get(11..16).unwrap_or_default();
    format!("{}, {clock}", day_of(language, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_groups_and_the_point_of_the_language() {
        let text = |language, amount| money(language, Money::parse(amount).unwrap(), "MDL");
        assert_eq!(text(Language::Romanian, "0.5"), "0,50\u{A0}MDL");
        assert_eq!(text(Language::Russian, "999"), "999,00\u{A0}MDL");
        let (space, grouped) = (GROUPS, "1.234567");
        assert!(Money::parse(grouped).is_err());
        let large = format!("1{space}234{space}567.80\u{A0}MDL");
        assert_eq!(text(Language::English, "1234567.80"), large);
    }

    #[test]
    fn times_are_those_of_chisinau() {
        let at: Timestamp = "2026-12-31T22:05:09Z".parse().unwrap();
        assert_eq!(time_of(Language::Romanian, at), "01.01.2027, 00:05");
        assert_eq!(time_of(Language::English, at), "1 Jan 2027, 00:05");
        assert_eq!(day_of(Language::Russian, at), "01.01.2027");
    }
}
