//! Texts that a spreadsheet must not change. An apostrophe before them prevents that, and is removed when
//! the table is read.

/// The first characters of formulas (OWASP, "CSV Injection"), and the apostrophe itself, so that it can
/// be removed again.
const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// Digits of a number that a spreadsheet shows in full: Excel shows twelve in scientific notation.
const SHOWN: usize = 11;

/// The text, with an apostrophe before it where it needs one.
pub(crate) fn guarded(text: &str) -> String {
    if needs_guard(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// The text that [`guarded`] was given.
pub(crate) fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => text,
    }
}

/// True if a spreadsheet in Romanian, Russian or English could take a text for a formula, for a date,
/// for TRUE, or for a number that it would write in another way.
pub(crate) fn needs_guard(text: &str) -> bool {
    text.starts_with(DANGEROUS) || is_logical(text) || is_converted(text)
}

fn is_logical(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    ["true", "false", "adevărat", "fals", "истина", "ложь"].contains(&text.as_str())
}

/// True if it has digits, and no letters but those of months, currencies and exponents.
fn is_converted(text: &str) -> bool {
    /// A number is never so long.
    const LONGEST: usize = 40;
    let text = text.trim();
    if text.len() > LONGEST || !text.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let is_plain = text.len() <= SHOWN
        && !text.starts_with('0')
        && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain || text == "0" {
        return false;
    }
    let words = text.split(|c: char| !c.is_alphabetic());
    let mut words = words.filter(|word| !word.is_empty());
    // A date may begin with its month; a number, or a time, does not begin with a letter.
    let begins_with_letter = text.starts_with(char::is_alphabetic);
    words.all(|word| {
        let word = word.to_lowercase();
        is_month(&word) || (!begins_with_letter && OTHERS.contains(&word.as_str()))
    })
}

/// The words that may stand in a number, an amount or a time, besides months.
const OTHERS: [&str; 12] = [
    "e", "am", "pm", "t", "z", "lei", "mdl", "р", "руб", "usd", "eur", "ron",
];

/// True if a word begins as the name of a month does.
fn is_month(word: &str) -> bool {
    const MONTHS: [&str; 30] = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "ian",
        "mai", "iun", "iul", "noi", "янв", "фев", "мар", "апр", "май", "мая", "июн", "июл", "авг",
        "сен", "окт", "ноя", "дек",
    ];
    MONTHS.iter().any(|month| word.starts_with(month))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_change_is_guarded() {
        for text in [
            "=1+1",
            "+373",
            "-1",
            "@x",
            "\tx",
            "\rx",
            "'x",
            "'=x",
            "''=x",
            "'",
            "00012",
            "007",
            "1006601000255",
            "123456789012",
            "1-2",
            "12/2026",
            "2026-01",
            "1.5",
            "10.05",
            "12:30",
            "MAR1",
            "1 mai",
            "5-SEP",
            "ДЕК-5",
            "1E5",
            "1E+11",
            "12E5",
            "TRUE",
            "Fals",
            "ИСТИНА",
            "$5",
            "5%",
            "10 lei",
            "(5)",
            "1 1/2",
            "2026-12-31T23:59:59+02:00",
        ] {
            assert!(needs_guard(text), "{text:?}");
            assert_eq!(unguarded(&guarded(text)), text);
        }
        for text in [
            "",
            "1",
            "0",
            "12345678901",
            "a=b",
            "Ștefan",
            "A-1",
            "MD24AG000225100013104168",
            "B1-2026",
            "2026-A",
            "P-1",
            "E5",
        ] {
            assert_eq!((guarded(text).as_str(), unguarded(text)), (text, text));
        }
        // What people type.
        assert_eq!(unguarded("'tis"), "'tis");
    }

    proptest! {
        #[test]
        fn what_is_guarded_comes_back(text in "['=0-9A-Ea-z. /-]{0,12}") {
            let guarded = guarded(&text);
            prop_assert_eq!(unguarded(&guarded), text);
        }
    }
}
