//! The order API's errors in the reader's language.
//!
//! The API answers in English, and its sentences have no numbers. The catalogue has a text for each sentence,
//! under a name that begins with `said-`. A sentence is found by its English text, the values in it are
//! extracted, and the text of the page's language is filled with them. A sentence that is not found stays
//! English.

use fluent_bundle::{FluentResource, FluentValue};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::text::{Texts, catalogue};
use crate::domain::Language;

/// Beginning of the names of these texts.
pub const SAID: &str = "said-";

/// A sentence of the English catalogue: fixed text with placeholders between.
pub struct Sentence {
    id: String,
    begin: String,
    /// Each placeholder: its name, and the fixed text that follows it.
    rest: Vec<(String, String)>,
}

impl Sentence {
    fn of(id: &str, pattern: &Pattern<&str>) -> Self {
        let mut sentence = Self {
            id: id.to_owned(),
            begin: String::new(),
            rest: Vec::new(),
        };
        for element in &pattern.elements {
            let written = match element {
                PatternElement::TextElement { value } => value,
                PatternElement::Placeable {
                    expression: Expression::Inline(InlineExpression::StringLiteral { value }),
                } => value,
                PatternElement::Placeable {
                    expression: Expression::Inline(InlineExpression::VariableReference { id }),
                } => {
                    sentence.rest.push((id.name.to_owned(), String::new()));
                    continue;
                }
                PatternElement::Placeable { .. } => continue,
            };
            let last = sentence.rest.last_mut().map(|(_, written)| written);
            last.unwrap_or(&mut sentence.begin).push_str(written);
        }
        sentence
    }

    /// The fixed parts of the sentence, without its placeholders.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        let rest = self.rest.iter().map(|(_, written)| written.as_str());
        std::iter::once(self.begin.as_str()).chain(rest)
    }

    /// The values of the placeholders if `text` is this sentence; `None` if it is another one.
    fn values<'t>(&self, text: &'t str) -> Option<Vec<(&str, &'t str)>> {
        let mut text = text.strip_prefix(&self.begin)?;
        let mut values = Vec::with_capacity(self.rest.len());
        for (place, (name, written)) in self.rest.iter().enumerate() {
            let end = match place + 1 == self.rest.len() {
                true => text.strip_suffix(written.as_str())?.len(),
                false => text.find(written.as_str())?,
            };
            values.push((name.as_str(), text.get(..end)?));
            text = text.get(end + written.len()..)?;
        }
        text.is_empty().then_some(values)
    }
}

/// All sentences, those with the most fixed text first, so that the most specific one is found.
pub fn sentences() -> Vec<Sentence> {
    let resource = FluentResource::try_new(catalogue(Language::English).to_owned());
    let resource = resource.unwrap_or_else(|(readable, _)| readable);
    let messages = resource.entries().filter_map(|entry| match entry {
        Entry::Message(message) if message.id.name.starts_with(SAID) => {
            Some(Sentence::of(message.id.name, message.value.as_ref()?))
        }
        _ => None,
    });
    let mut sentences: Vec<_> = messages.collect();
    sentences.sort_by_key(|sentence| {
        let written = sentence.written().map(str::len);
        std::cmp::Reverse(written.sum::<usize>())
    });
    sentences
}

impl Texts {
    /// A sentence of the API in this language; `None` if the catalogue does not have it.
    pub fn said(&self, english: &str) -> Option<String> {
        thread_local! {
            static KNOWN: Vec<Sentence> = sentences();
        }
        if self.language() == Language::English {
            // The API marks code with backticks, which a page does not show.
            return Some(english.replace('`', ""));
        }
        KNOWN.with(|known| self.found(known, english))
    }

    fn found(&self, known: &[Sentence], english: &str) -> Option<String> {
        let mut found = known.iter();
        let (sentence, values) =
            found.find_map(|sentence| Some((sentence, sentence.values(english)?)))?;
        let values: Vec<_> = values
            .into_iter()
            .map(|(name, value)| (name, FluentValue::from(self.put_in(known, value))))
            .collect();
        Some(self.with(&sentence.id, &values))
    }

    /// A value for a placeholder: a status or a sentence is translated, alone or joined by "or"; any other
    /// value is a name and stays as it is.
    fn put_in(&self, known: &[Sentence], value: &str) -> String {
        let parts = || {
            let parts = value.split(" or ").map(|part| self.found(known, part));
            let parts: Option<Vec<_>> = parts.collect();
            Some(parts?.join(&self.t("or")))
        };
        let found = self.found(known, value).or_else(parts);
        found.unwrap_or_else(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_sentence_is_one_that_the_code_says() {
        let mut code = String::new();
        for name in ["domain", "ledger", "office", "tables"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../{name}/src"));
            sources(&folder, &mut code);
        }
        let code = code.replace("\\\"", "\"");
        for sentence in sentences() {
            // One sentence may be put together of several.
            let parts = sentence
                .written()
                .flat_map(|text| text.split([':', ';', '.']));
            for part in parts.map(|part| part.trim_matches([' ', ',', '(', ')'])) {
                assert!(
                    part.len() < 4 || code.contains(part),
                    "{}: {part:?} is not said",
                    sentence.id
                );
            }
        }
    }

    #[test]
    fn what_a_refund_is_refused_with_is_said_in_the_language() {
        for language in [Language::Romanian, Language::Russian] {
            let texts = Texts::new(language);
            for english in [
                "must be more than zero and no more than remains: 50.00",
                "must be more than zero and no more than is held: 50.00",
                "The card gateway did not do it: PROCESSING_ERROR.",
                "The card gateway did not do it: it had no effect.",
                "The card gateway did not do it: it did not say, and nothing of it was seen for fifteen minutes.",
                "A command of this payment is at work, and it is not known yet what came of it. Try again later.",
                "Nothing of it was taken, or nothing remains.",
                "The refund of 10.00 that was sent at 2026-06-01T12:00:00+03:00 may be done yet: the gateway did not say, and nothing of it was seen. Look for it in the gateway's cabinet. If it is not there, a manager sends this with checked_in_cabinet true.",
                "The variable card_refunds does not allow this refund: make it in the gateway's cabinet.",
            ] {
                let said = texts.said(english).unwrap_or_default();
                let is_english = ["must", "The ", " it ", "Nothing", "work"];
                let is_english = is_english.iter().any(|word| said.contains(word));
                assert!(!said.is_empty() && !is_english, "{english}: {said}");
            }
        }
    }

    #[test]
    fn what_marks_code_is_not_shown() {
        let english = "The file is larger than a page takes (600 kB). Divide it, or use `mpay orders import`.";
        for language in Language::ALL {
            let said = Texts::new(language).said(english).unwrap();
            assert!(
                said.contains("mpay orders import") && !said.contains('`'),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_put_in_is_said_in_the_language_too() {
        for (language, english, expected) in [
            (
                Language::Romanian,
                "has 61 characters, at most 60 are allowed",
                "are 61 caractere; sunt permise cel mult 60",
            ),
            (
                Language::Russian,
                "The order is not changed: Paid cannot become Cancelled. Its status can be set to Completed or Refunding, or taken back.",
                "Заказ не изменён: заказ в состоянии «Оплачен» не может перейти в «Отменён». Возможные состояния: Завершён или Возвращается; или заказ можно открыть снова.",
            ),
            (
                Language::Romanian,
                "No row of the table names the column order_key. The columns found are: Suma or Sold.",
                "Niciun rând nu numește: order_key. Coloane găsite: Suma or Sold.",
            ),
        ] {
            assert_eq!(
                Texts::new(language).said(english).as_deref(),
                Some(expected)
            );
        }
        assert_eq!(Texts::new(Language::Romanian).said("is blue"), None);
    }
}
