//! The texts of the pages, in three languages: the catalogues in `crates/office/locales`
//! (Project Fluent, syntax 1.0).

use std::rc::Rc;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use unic_langid::langid;

use crate::domain::Language;

/// The texts of one language.
#[derive(Clone)]
pub struct Texts {
    language: Language,
    bundle: Rc<FluentBundle<FluentResource>>,
}

/// The catalogue of a language.
pub fn catalogue(language: Language) -> &'static str {
    match language {
        Language::Romanian => include_str!("../../locales/ro.ftl"),
        Language::Russian => include_str!("../../locales/ru.ftl"),
        Language::English => include_str!("../../locales/en.ftl"),
    }
}

impl Texts {
    /// The texts of a language.
    pub fn new(language: Language) -> Self {
        thread_local! {
            /// Each catalogue is read once per thread, since an instance may answer many requests.
            static KNOWN: std::cell::RefCell<Vec<Texts>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        KNOWN.with_borrow_mut(|known| {
            if let Some(texts) = known.iter().find(|texts| texts.language == language) {
                return texts.clone();
            }
            let texts = Self::read(language);
            known.push(texts.clone());
            texts
        })
    }

    fn read(language: Language) -> Self {
        let id = match language {
            Language::Romanian => langid!("ro"),
            Language::Russian => langid!("ru"),
            Language::English => langid!("en"),
        };
        let mut bundle = FluentBundle::new(vec![id]);
        // Values need no isolation: marks that change the direction of text are removed from them before.
        bundle.set_use_isolating(false);
        // A message with a syntax error is left out; a test reads every message.
        let resource = FluentResource::try_new(catalogue(language).to_owned());
        bundle.add_resource_overriding(resource.unwrap_or_else(|(readable, _)| readable));
        Self {
            language,
            bundle: Rc::new(bundle),
        }
    }

    /// The language of these texts.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The text with this identifier.
    pub fn t(&self, id: &str) -> String {
        self.with(id, &[])
    }

    /// The text with this identifier, with values in its placeholders. An identifier that is not in the
    /// catalogue is itself the text.
    pub fn with(&self, id: &str, values: &[(&str, FluentValue<'_>)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set(*name, value.clone());
        }
        let message = self.bundle.get_message(id);
        let Some(pattern) = message.and_then(|message| message.value()) else {
            return id.to_owned();
        };
        let text = self
            .bundle
            .format_pattern(pattern, Some(&args), &mut Vec::new());
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
    };

    use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

    use super::{super::said::SAID, *};

    /// Collects the names of a text's placeholders.
    fn variables(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            let PatternElement::Placeable { expression } = element else {
                continue;
            };
            let (selector, variants) = match expression {
                Expression::Inline(inline) => (inline, &[][..]),
                Expression::Select { selector, variants } => (selector, variants.as_slice()),
            };
            if let InlineExpression::VariableReference { id } = selector {
                found.insert(id.name.to_owned());
            }
            for variant in variants {
                variables(&variant.value, found);
            }
        }
    }

    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let resource = FluentResource::try_new(catalogue(language).to_owned()).unwrap();
        let messages = resource.entries().filter_map(|entry| match entry {
            Entry::Message(message) => {
                let mut found = BTreeSet::new();
                variables(message.value.as_ref().unwrap(), &mut found);
                Some((message.id.name.to_owned(), found))
            }
            _ => None,
        });
        let messages: Vec<_> = messages.collect();
        let distinct: BTreeMap<_, _> = messages.iter().cloned().collect();
        assert_eq!(distinct.len(), messages.len(), "one is there twice");
        distinct
    }

    #[test]
    fn every_text_is_there_in_every_language_with_the_same_values() {
        let romanian = messages(Language::Romanian);
        let english = messages(Language::English);
        for language in Language::ALL {
            let texts = messages(language);
            assert!(texts.keys().eq(romanian.keys()), "{}", language.code());
            for (id, values) in texts {
                // A translation may use fewer of the values than the English sentence has.
                let is_fit = match id.starts_with(SAID) {
                    true => {
                        romanian[&id].is_subset(&english[&id]) && values.is_subset(&english[&id])
                    }
                    false => values == romanian[&id],
                };
                assert!(is_fit, "{id} in {}", language.code());
            }
        }
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension().and_then(|extension| extension.to_str()) {
                None => sources(&path, found),
                Some("rs") => found.push_str(&fs::read_to_string(&path).unwrap()),
                Some(_) => {}
            }
        }
    }

    #[test]
    fn every_text_is_used_and_none_is_missing() {
        let mut code = String::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pages");
        sources(&folder, &mut code);
        let known = messages(Language::Romanian);
        for id in known.keys().filter(|id| !id.starts_with(SAID)) {
            assert!(code.contains(&format!("\"{id}\"")), "{id} is not used");
        }
        for call in [".t(\"", ".with(\"", ".with(\n            \""] {
            for rest in code.split(call).skip(1) {
                let id = rest.split('"').next().unwrap();
                let is_test = id.is_empty()
                    || id.contains(|c: char| {
                        !c.is_ascii_lowercase() && c != '-' && !c.is_ascii_digit()
                    });
                assert!(is_test || known.contains_key(id), "{id} is missing");
            }
        }
    }

    #[test]
    fn numbers_have_their_plural() {
        for (language, count, expected) in [
            (Language::Romanian, 3, "3 plăți"),
            (Language::Romanian, 21, "21 de plăți"),
            (Language::Russian, 1, "1 платёж;"),
            (Language::Russian, 3, "3 платежа;"),
            (Language::Russian, 11, "11 платежей;"),
            (Language::English, 1, "is 1 payment."),
            (Language::English, 2, "are 2 payments;"),
        ] {
            let count = FluentValue::from(count);
            let text = Texts::new(language).with("latest-payments", &[("count", count)]);
            assert!(text.contains(expected), "{text}");
        }
    }
}
