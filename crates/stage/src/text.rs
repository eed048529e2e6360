//! Texts in three languages.

use crate::Language;

/// A text in three languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    ro: &'static str,
    ru: &'static str,
    en: &'static str,
}

impl Text {
    /// The text in Romanian, Russian and English.
    #[must_use]
    pub const fn new(ro: &'static str, ru: &'static str, en: &'static str) -> Self {
        Self { ro, ru, en }
    }

    /// The text in a language.
    #[must_use]
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::Romanian => self.ro,
            Language::Russian => self.ru,
            Language::English => self.en,
        }
    }

    /// The mistake in how it is written, if that can be told: Romanian with the letters of Turkish,
    /// Russian without Cyrillic, or nothing at all. For tests.
    #[must_use]
    pub fn mistake(self) -> Option<&'static str> {
        let is_russian = self.ru.chars().any(|c| ('а'..='я').contains(&c));
        let is_word = self.ru.chars().any(|c| c.is_ascii_alphabetic());
        match self {
            // Cedillas are the Turkish letters.
            _ if self.ro.contains(['ş', 'ţ', 'Ş', 'Ţ']) => Some(self.ro),
            _ if !is_russian && !is_word => Some(self.ru),
            _ if self.ro.is_empty() || self.en.is_empty() => Some("a text is empty"),
            _ => None,
        }
    }
}

/// Texts in Romanian, Russian and English, each a constant, and `ALL` of them for a test.
#[macro_export]
macro_rules! texts {
    ($($name:ident: $ro:literal, $ru:literal, $en:literal;)*) => {
        $(pub const $name: $crate::Text = $crate::Text::new($ro, $ru, $en);)*
        #[cfg(test)]
        const ALL: &[$crate::Text] = &[$($name),*];
    };
}
