//! Names of people and institutions, as somebody looks for them.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The beginnings of some words of a name, in any order, without case and without the marks of letters.
///
/// ```
/// use mpay_domain::NameSearch;
///
/// let search = NameSearch::parse("turcanu st").unwrap();
/// assert!(search.finds("Ștefania Țurcanu"));
/// assert!(!search.finds("Ștefania Munteanu"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NameSearch(Vec<String>);

impl NameSearch {
    /// Reads what somebody types.
    ///
    /// # Errors
    /// If it has no letter and no digit.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let words: Vec<_> = words(text).collect();
        match words.is_empty() {
            true => Err("must have letters or digits"),
            false => Ok(Self(words)),
        }
    }

    /// True if each of them begins a word of this name.
    #[must_use]
    pub fn finds(&self, name: &str) -> bool {
        let words: Vec<_> = words(name).collect();
        let is_there = |searched: &String| words.iter().any(|word| word.starts_with(searched));
        self.0.iter().all(is_there)
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    // Decomposed after it is in lower case: a capital with a dot becomes two characters.
    let plain: String = text.to_lowercase().nfkd().collect();
    let plain: String = plain.chars().filter(|c| !is_combining_mark(*c)).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_the_beginnings_of_their_words_however_they_are_written() {
        for (search, name, is_found) in [
            ("țurcanu", "Ștefania Țurcanu", true),
            ("TURCANU", "Ștefania Ţurcanu", true),
            ("tur", "Ștefania Țurcanu", true),
            ("canu", "Ștefania Țurcanu", false),
            ("ștefania  turcanu", "Țurcanu Ștefania", true),
            ("stefania ion", "Ștefania Țurcanu", false),
            ("popescu", "Ana-Maria Popescu-Rusu", true),
            ("rusu maria", "Ana-Maria Popescu-Rusu", true),
            ("оао молд", "ОАО «Молдтелеком»", true),
            ("ё", "Ёлкин", true),
            ("елкин", "Ёлкин", true),
            ("12", "Gospodăria nr. 12", true),
            ("istanbul", "İstanbul", true),
            ("", "Ana", false),
        ] {
            let found = NameSearch::parse(search).is_ok_and(|search| search.finds(name));
            assert_eq!(found, is_found, "{search:?} in {name:?}");
        }
        for nothing in ["", " ", "-.,", "\u{301}"] {
            assert!(NameSearch::parse(nothing).is_err(), "{nothing:?}");
        }
    }
}
