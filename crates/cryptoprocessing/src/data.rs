//! The field `Data` (Ap&Pay) or `DATA` (Wallet): `Name=Value` joined by `;`, in one field of the form.
//!
//! The field is encoded once, with the form. The gateway may decode it a second time, so no value may
//! hold a character that a second decoding would change, or that would begin another parameter: a reason
//! `x;Amount=1` would set the amount. Values that must arrive unchanged are refused if they have such a
//! character; texts for people are cut.

use crate::value::{Unsendable, undivided};

/// The most characters of a text that is sent for the page of the gateway. The contract names no limit;
/// longer texts are cut.
pub const MAX_TEXT: usize = 250;

/// A text for the page of the gateway: letters, digits, spaces and `.,-/():#` stay; any other character
/// divides words. At most [`MAX_TEXT`] characters.
///
/// ```
/// assert_eq!(cryptoprocessing::sendable_text("Chirie; Amount=1"), "Chirie Amount 1");
/// ```
#[must_use]
pub fn sendable_text(text: &str) -> String {
    // A letter with a combining mark stays in its word, without the mark.
    let is_mark = |c: char| matches!(c, '\u{300}'..='\u{36F}');
    let stays = |c: char| c.is_alphanumeric() || ".,-/():#".contains(c);
    let text: String = text
        .chars()
        .filter(|&c| !is_mark(c))
        .map(|c| if stays(c) { c } else { ' ' })
        .collect();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(MAX_TEXT).collect();
    cut.trim_end().to_owned()
}

/// The text that stands for a value which logs and evidence may not have.
pub(crate) const HIDDEN: &str = "***";

/// A list of `Name=Value`: `Data` within a form, whose values may not divide it.
#[derive(Default)]
pub(crate) struct Data {
    text: String,
    /// The list without secrets and personal data.
    shown: String,
}

impl Data {
    fn push(&mut self, name: &str, value: &str, shown: &str) {
        for (text, value) in [(&mut self.text, value), (&mut self.shown, shown)] {
            if !text.is_empty() {
                text.push(';');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
    }

    /// Adds a value that must arrive unchanged.
    pub fn exact(mut self, name: &'static str, value: &str) -> Result<Self, Unsendable> {
        undivided(name, value)?;
        self.push(name, value, value);
        Ok(self)
    }

    /// Adds a value that must arrive unchanged, and that nobody else may see.
    pub fn hidden(mut self, name: &'static str, value: &str) -> Result<Self, Unsendable> {
        undivided(name, value)?;
        self.push(name, value, HIDDEN);
        Ok(self)
    }

    /// Adds a text for people, unless it is empty.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        let text = sendable_text(text);
        if !text.is_empty() {
            self.push(name, &text, &text);
        }
        self
    }

    /// `Name=Value;Name=Value`, not encoded, and the same to be shown.
    pub fn finish(self) -> (String, String) {
        (self.text, self.shown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent_decoded(text: &str) -> String {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    }

    fn form_decoded(text: &str) -> String {
        percent_decoded(&text.replace('+', " "))
    }

    fn pairs(data: &str) -> Vec<(String, String)> {
        data.split(';')
            .map(|pair| pair.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    proptest! {
        #[test]
        fn one_decoding_and_two_decodings_agree(
            exact in "[^;%+&\\p{Cc}]{0,40}",
            text in ".{0,60}",
            amount in any::<u64>(),
        ) {
            let data = Data::default()
                .exact("Url", &exact).unwrap()
                .text("Product", &text)
                .exact("Amount", &amount.to_string()).unwrap();
            let (sent, shown) = data.finish();
            prop_assert_eq!(&sent, &shown);
            let encoded = crate::command::form::encoded(&sent);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_graphic() && b != b'+' && b != b'&'));
            for decode in [percent_decoded, form_decoded] {
                let once = decode(&encoded);
                prop_assert_eq!(&once, &sent);
                for again in [percent_decoded, form_decoded] {
                    prop_assert_eq!(again(&once), once.as_str());
                }
            }
            let mut expected = vec![("Url".to_owned(), exact)];
            let kept = sendable_text(&text);
            if !kept.is_empty() {
                expected.push(("Product".to_owned(), kept));
            }
            expected.push(("Amount".to_owned(), amount.to_string()));
            prop_assert_eq!(pairs(&sent), expected);
        }

        #[test]
        fn a_value_that_would_divide_is_refused(
            before in ".{0,10}", divides in "[;%+&\\r\\n\\t\\x00]", after in ".{0,10}",
        ) {
            let value = format!("{before}{divides}{after}");
            prop_assert!(Data::default().exact("Url", &value).is_err());
            prop_assert!(Data::default().hidden("Password", &value).is_err());
        }

        #[test]
        fn a_text_never_divides_and_is_cut_once(text in ".{0,400}") {
            let cut = sendable_text(&text);
            prop_assert!(Data::default().exact("Product", &cut).is_ok());
            prop_assert!(!cut.contains('='));
            prop_assert!(cut.chars().count() <= MAX_TEXT);
            prop_assert_eq!(sendable_text(&cut), cut);
        }
    }

    #[test]
    fn texts_keep_what_people_read() {
        for (text, sent) in [
            (
                "Chirie, sala nr. 3 (mai) #12/7: A-B",
                "Chirie, sala nr. 3 (mai) #12/7: A-B",
            ),
            ("Școala „Țânțar”", "Școala Țânțar"),
            ("Аренда зала №7", "Аренда зала 7"),
            ("x;Amount=1", "x Amount 1"),
            ("100% + 5 & <b>", "100 5 b"),
            (" a\r\n\tb ", "a b"),
            ("s\u{326}coala", "scoala"),
            ("%3BAmount%3D1", "3BAmount 3D1"),
            ("", ""),
            ("%", ""),
        ] {
            assert_eq!(sendable_text(text), sent);
        }
        assert_eq!(sendable_text(&"ș".repeat(300)).chars().count(), MAX_TEXT);
    }

    #[test]
    fn what_is_hidden_is_sent_and_not_shown() {
        let data = Data::default().hidden("Password", "hunter2").unwrap();
        let data = data.exact("OrderId", "a1").unwrap();
        let (sent, shown) = data.finish();
        assert_eq!(sent, "Password=hunter2;OrderId=a1");
        assert_eq!(shown, "Password=***;OrderId=a1");
    }
}
