//! Texts that people read.

use std::fmt;

/// The reason why a text is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than the contract allows.
    #[error("has {length} characters, at most {max} are allowed")]
    TooLong {
        /// Length found, in characters.
        length: usize,
        /// Longest allowed, in characters.
        max: usize,
    },
    /// A character that XML cannot carry, or a line break.
    #[error("contains a control character")]
    ControlCharacter,
}

/// A text of 1 to `MAX` characters on one line, trimmed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Trims and checks `text`.
    ///
    /// # Errors
    /// [`TextError`] when it is empty, too long or holds control characters.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 {
            return Err(TextError::Empty);
        }
        if length > MAX {
            return Err(TextError::TooLong { length, max: MAX });
        }
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}'))
        {
            return Err(TextError::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// Digits written by this program, which need no check.
    pub(super) fn of_digits(digits: String) -> Self {
        debug_assert!(Self::parse(&digits).is_ok_and(|text| text.0 == digits));
        Self(digits)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// True if a character would move the cursor, change colours or turn the direction of what follows,
/// instead of being seen: control characters (C0, C1), those of bidirectional formatting, and others
/// that are invisible. Received text could otherwise write what it likes on a terminal or a page, a
/// verdict for example.
///
/// ```
/// use mpay_domain::steers_display;
///
/// assert!("\u{1b}\u{9b}\n\u{61c}\u{202e}\u{feff}".chars().all(steers_display));
/// assert!(!"Taxă, Плата".chars().any(steers_display));
/// ```
pub fn steers_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(c, '\u{E0000}'..='\u{E007F}')
}

/// A language of MPay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// `ro`, also what an absent or unknown language means.
    #[default]
    Romanian,
    /// `ru`.
    Russian,
    /// `en`.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Romanian, Self::Russian, Self::English];

    /// Reads a language code; case does not matter, what is unknown is Romanian.
    pub fn parse(code: &str) -> Self {
        Self::of_code(code).unwrap_or_default()
    }

    /// The language of a code such as `ru` or `ru-MD`, in any case.
    pub fn of_code(code: &str) -> Option<Self> {
        let primary = code.split('-').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The first one that a browser asks for by the values of `Accept-Language` (RFC 9110, section
    /// 12.5.4).
    pub fn accepted<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in values.flat_map(|value| value.split(',')) {
            let (code, parameters) = range.split_once(';').unwrap_or((range, ""));
            let Some(language) = Self::of_code(code) else {
                continue;
            };
            let weight = match parameters.trim().strip_prefix("q=") {
                Some(weight) => weight.parse().unwrap_or(0.0),
                None => 1.0,
            };
            if weight > 0.0 && best.is_none_or(|(greatest, _)| weight > greatest) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// Its code, as the contract has it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Romanian => "ro",
            Self::Russian => "ru",
            Self::English => "en",
        }
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Romanian => "Română",
            Self::Russian => "Русский",
            Self::English => "English",
        }
    }
}

/// A text in one language or several; at least Romanian, or one text for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Localized<const MAX: usize> {
    /// The text in Romanian, or in whatever language the only text is.
    pub ro: Text<MAX>,
    /// The text in Russian.
    pub ru: Option<Text<MAX>>,
    /// The text in English.
    pub en: Option<Text<MAX>>,
}

impl<const MAX: usize> Localized<MAX> {
    /// The text in `language`, else in Romanian.
    pub fn get(&self, language: Language) -> &str {
        match language {
            Language::Romanian => None,
            Language::Russian => self.ru.as_ref(),
            Language::English => self.en.as_ref(),
        }
        .unwrap_or(&self.ro)
        .as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_in_any_case_and_default_to_romanian() {
        assert_eq!(Language::parse("RU"), Language::Russian);
        assert_eq!(Language::parse(" en "), Language::English);
        assert_eq!(Language::parse("ro"), Language::Romanian);
        assert_eq!(Language::parse("fr"), Language::Romanian);
    }

    #[test]
    fn a_missing_translation_falls_back_to_romanian() {
        let text = Localized::<50> {
            ro: Text::parse("Taxă").unwrap(),
            ru: Some(Text::parse("Сбор").unwrap()),
            en: None,
        };
        assert_eq!(text.get(Language::Russian), "Сбор");
        assert_eq!(text.get(Language::English), "Taxă");
    }

    #[test]
    fn line_breaks_and_noncharacters_are_refused() {
        assert_eq!(Text::<9>::parse("a\nb"), Err(TextError::ControlCharacter));
        assert_eq!(
            Text::<9>::parse("a\u{FFFE}"),
            Err(TextError::ControlCharacter)
        );
        assert_eq!(
            Text::<2>::parse("abc"),
            Err(TextError::TooLong { length: 3, max: 2 })
        );
    }
}
