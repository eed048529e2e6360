//! Texts that people could confuse.

use unicode_normalization::UnicodeNormalization;

/// Greek and Cyrillic letters, in lower case, whose capitals look like a Latin capital (Unicode
/// Technical Standard #39, section 4, "Confusable Detection"; a test compares with its data). Those
/// of which only the small letter looks like a Latin one, such as `г` like `r`, are left out: since
/// case does not matter either, `Г` would pass for `R`.
const LOOK_ALIKES: [(char, char); 43] = [
    ('α', 'a'),
    ('β', 'b'),
    ('ε', 'e'),
    ('ζ', 'z'),
    ('η', 'h'),
    ('ι', 'i'),
    ('κ', 'k'),
    ('μ', 'm'),
    ('ν', 'n'),
    ('ο', 'o'),
    ('ρ', 'p'),
    ('τ', 't'),
    ('υ', 'y'),
    ('χ', 'x'),
    ('ϝ', 'f'),
    ('ϳ', 'j'),
    ('ϻ', 'm'),
    ('а', 'a'),
    ('в', 'b'),
    ('е', 'e'),
    ('к', 'k'),
    ('м', 'm'),
    ('н', 'h'),
    ('о', 'o'),
    ('р', 'p'),
    ('с', 'c'),
    ('т', 't'),
    ('у', 'y'),
    ('х', 'x'),
    ('ь', 'b'),
    ('ѕ', 's'),
    ('і', 'i'),
    ('ј', 'j'),
    ('ѵ', 'v'),
    ('ү', 'y'),
    ('һ', 'h'),
    ('ӏ', 'i'),
    ('ԍ', 'g'),
    ('ԛ', 'q'),
    ('ԝ', 'w'),
    // The same letter, at the end of a word.
    ('ς', 'σ'),
    // Latin, with the capital I.
    ('ı', 'i'),
    // Cedilla and comma below: Romanian letters are written with either.
    ('\u{327}', '\u{326}'),
];

/// The form that a text has in common with all that people could take for it: without case, white space and
/// invisible characters; decomposed; with one dash for all; and with Latin letters for Greek and
/// Cyrillic ones of their look (MPay contract, "Settled readings").
pub fn folded(text: &str) -> String {
    // Nearly all keys are of ASCII, which is decomposed and has nothing of another script.
    if text.is_ascii() {
        let seen = text.bytes().filter(u8::is_ascii_graphic);
        return seen
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect();
    }
    let lower = text
        .nfkd()
        .filter(|c| !is_unseen(*c))
        .flat_map(char::to_lowercase);
    // A letter in lower case may be decomposed again, such as that of `İ`.
    let decomposed = lower.nfkd();
    // A mark that stands for another one has another place among those of its letter.
    let latin = decomposed.map(|c| latin(if is_dash(c) { '-' } else { c }));
    latin.nfkd().collect()
}

/// The first character of a text that nobody sees, but for spaces.
pub fn invisible(text: &str) -> Option<char> {
    text.chars().find(|c| is_unseen(*c) && !c.is_whitespace())
}

/// The Latin capital that a letter of another script looks like.
pub fn latin_capital(letter: char) -> Option<char> {
    let mut lower = letter.to_lowercase();
    let lower = lower.next().filter(|_| lower.next().is_none())?;
    let found = LOOK_ALIKES.iter().find(|(other, _)| *other == lower);
    let (_, latin) = found?;
    latin.is_ascii().then(|| latin.to_ascii_uppercase())
}

fn latin(c: char) -> char {
    let found = LOOK_ALIKES.iter().find(|(other, _)| *other == c);
    found.map_or(c, |(_, latin)| *latin)
}

/// White space, control characters and what Unicode calls ignorable by default.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
        )
        || matches!(c, '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(c, '\u{2800}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFF0}'..='\u{FFFB}')
        || matches!(c, '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Unicode's property Dash, and what looks like one.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '\u{2010}'
            ..='\u{2015}'
                | '\u{2043}'
                | '\u{2053}'
                | '\u{207B}'
                | '\u{208B}'
                | '\u{2212}'
                | '\u{2796}'
                | '\u{58A}'
                | '\u{5BE}'
                | '\u{1400}'
                | '\u{1806}'
                | '\u{2E17}'
                | '\u{2E1A}'
                | '\u{2E3A}'
                | '\u{2E3B}'
                | '\u{2E40}'
                | '\u{2E5D}'
                | '\u{301C}'
                | '\u{3030}'
                | '\u{30A0}'
                | '\u{FE31}'
                | '\u{FE32}'
                | '\u{FE58}'
                | '\u{FE63}'
                | '\u{FF0D}'
                | '\u{2CBA}'
                | '\u{6D4}'
                | '\u{10EAD}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_security::confusable_detection::skeleton;

    use super::*;

    #[test]
    fn what_payers_could_confuse_is_one() {
        for (one, other) in [
            ("AC-77", "АС-77"),
            ("AB-77", "ΑΒ-77"),
            ("Ș-1", "S\u{326}-1"),
            ("Ș-1", "Ş-1"),
            ("Z-1", "Z\u{200b}-1"),
            ("b-1", "B-1"),
            ("b-1", "B\u{2011}1"),
            ("b-1", "B–1"),
            ("b-1", "B − 1"),
            ("12", "１２"),
            ("straße", "STRAßE"),
            ("İ1", "i\u{307}1"),
            ("НОВ/5", "HOB/5"),
            ("ﬁ1", "fi1"),
            ("в1", "B1"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [
            ("AC-77", "AC77"),
            ("S-1", "Ș-1"),
            ("Г-1", "R-1"),
            ("O-1", "0-1"),
            ("a/b", "a-b"),
            ("Ж1", "K1"),
        ] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn look_alikes_are_those_of_the_standard() {
        let latin_of = |c: char| {
            let text: String = skeleton(&c.to_string()).collect();
            let mut chars = text.chars();
            let first = chars.next().filter(|c| c.is_ascii_alphabetic());
            first.filter(|_| chars.next().is_none())
        };
        let single = |mut chars: std::char::ToUppercase| {
            let first = chars.next();
            first.filter(|_| chars.next().is_none())
        };
        for c in ('\u{370}'..='\u{52F}').chain('\u{A640}'..='\u{A69F}') {
            let is_decomposed = c.nfkd().eq([c]);
            if !c.is_lowercase() || !is_decomposed {
                continue;
            }
            let upper = single(c.to_uppercase()).filter(|upper| *upper != c);
            let expected = upper.and_then(latin_of).map(|latin| match latin {
                // The capital I has the skeleton l.
                'l' => 'i',
                latin => latin.to_ascii_lowercase(),
            });
            let known = Some(latin(c)).filter(char::is_ascii);
            assert_eq!(known, expected, "{c} U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn marks_are_in_their_order_after_one_took_the_place_of_another() {
        let text = "\u{1D15E}\u{B8}";
        assert_eq!(folded(&folded(text)), folded(text));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_folded_stays_as_it_is(text in "\\PC{0,20}") {
            prop_assert_eq!(folded(&folded(&text)), folded(&text));
        }

        #[test]
        fn composition_case_and_spaces_make_no_difference(text in "\\PC{0,20}") {
            let composed: String = text.nfkc().collect();
            prop_assert_eq!(folded(&composed), folded(&text));
            prop_assert_eq!(folded(&text.to_lowercase()), folded(&text));
        }

        #[test]
        fn ascii_is_folded_as_all_else_is(text in "[ -~]{0,20}") {
            let other = format!("{text}\u{200b}");
            prop_assert_eq!(folded(&other), folded(&text));
        }
    }
}
