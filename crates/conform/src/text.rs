//! Texts for people about content from a stranger.

use std::time::Duration;

/// The most characters of a message that are shown.
const LONGEST: usize = 16_000;

/// Text on one line, with U+FFFD for every character that could steer a terminal or reorder the text.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if mpay_domain::steers_display(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => {
            let left = text.len() - end;
            format!(
                "{}… ({left} more bytes)",
                text.get(..end).unwrap_or_default()
            )
        }
        None => text.to_owned(),
    }
}

/// A duration for people.
pub(super) fn shown(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_provider_steers_the_terminal() {
        assert_eq!(
            visible("a\x1b[31mb\u{9b}c\rd\ne\u{202E}f\u{7f}ă"),
            "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d e\u{FFFD}f\u{FFFD}ă"
        );
    }

    #[test]
    fn long_texts_are_shortened_between_characters() {
        let text = "ă".repeat(LONGEST + 5);
        assert!(shortened(&text).ends_with("ă… (10 more bytes)"));
        assert_eq!(shortened("ă"), "ă");
    }
}
