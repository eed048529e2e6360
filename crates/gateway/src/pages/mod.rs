//! The pages. All input from outside goes through maud, which escapes it.

mod cabinet;
mod session;

use maud::{Markup, html};
use stage::{Look, Reload, Text, View};

pub use cabinet::{cabinet, journal, order};
pub use session::{Form, card_form, over, result, secure};

use crate::{
    card::{CARDS, Card, Deed, Step},
    text,
    wire::Interface,
};

/// The frame of every page.
const LOOK: Look = Look {
    brand: ("Cryptoprocessing", "offline"),
    rehearsal: text::REHEARSAL,
    warning: text::NOT_REAL,
    languages: text::LANGUAGES,
    nav: &[("/cabinet", text::CABINET), ("/journal", text::JOURNAL)],
};

fn layout(view: &View, title: &str, content: Markup) -> Markup {
    stage::layout(&LOOK, view, title, None, content)
}

fn layout_that_leaves(view: &View, title: &str, url: &str, content: Markup) -> Markup {
    let reload = Reload {
        seconds: 3,
        url: Some(url.to_owned()),
    };
    stage::layout(&LOOK, view, title, Some(reload), content)
}

/// The start page: the interfaces that are played, and the cards.
pub fn start(view: &View, options: &crate::Options, notify: Option<&str>) -> Markup {
    let path = |interface: &Interface| format!("/{}/", interface.path());
    let interfaces: Vec<_> = options.interfaces.iter().map(path).collect();
    let content = html! {
        h1 { (view.t(text::START_TITLE)) }
        p.hint { (view.t(text::START_HINT)) }
        section.card {
            dl {
                dt { (view.t(text::TERMINAL)) }
                dd { code { (options.terminal) } " (Key, VWID) · " (interfaces.join(" · ")) " · " (options.currency) }
                dt { (view.t(text::NOTIFICATIONS)) }
                dd {
                    @match notify {
                        Some(url) => code { (url) },
                        None => (view.t(text::NOT_SENT)),
                    }
                }
            }
        }
        (cards(view, options))
    };
    layout(view, view.t(text::START_TITLE), content)
}

/// The cards that exist.
fn cards(view: &View, options: &crate::Options) -> Markup {
    html! {
        h2 { (view.t(text::CARDS)) }
        p.hint { (view.t(text::CARDS_HINT)) }
        div.card {
            ul.lines {
                @for card in CARDS {
                    li { div.line { code { (spaced(card)) } span { (deed(view, options, card)) } } }
                }
            }
        }
    }
}

/// A number in groups of four.
fn spaced(card: &Card) -> String {
    let mut spaced = String::new();
    for (at, digit) in card.number.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            spaced.push(' ');
        }
        spaced.push(digit);
    }
    spaced
}

/// The behaviour of a card, for people. A code is the gateway's own word, and so is a command.
fn deed(view: &View, options: &crate::Options, card: &Card) -> String {
    let at = |step| match step {
        Step::Pay => view.t(text::AT_PAY).to_owned(),
        Step::Charge => format!("{} Charge", view.t(text::AT)),
        Step::Unblock => format!("{} Unblock", view.t(text::AT)),
        Step::Refund => format!("{} Refund", view.t(text::AT)),
    };
    match card.deed {
        Deed::Pays => view.t(text::PAYS).to_owned(),
        Deed::Asks3ds => view.t(text::ASKS_3DS).to_owned(),
        Deed::Fails3ds => view.t(text::FAILS_3DS).to_owned(),
        Deed::ExceedsAbove(most) => {
            format!("AMOUNT_EXCEED {} {}", view.t(text::ABOVE), money(most))
        }
        Deed::Refuses(step, code) => format!("{code} {}", at(step)),
        Deed::IsSlow(step) => format!(
            "{} {} {}",
            options.slow.as_secs(),
            view.t(text::SECONDS),
            at(step)
        ),
    }
}

/// The page for an address that does not exist.
pub fn not_found(view: &View) -> Markup {
    message(view, text::NOT_FOUND, text::NOT_FOUND_HINT, None)
}

fn message(view: &View, title: Text, hint: Text, back: Option<&str>) -> Markup {
    let content = html! {
        h1 { (view.t(title)) }
        p { (view.t(hint)) }
        p.actions {
            @match back {
                Some(url) => a.button.primary href=(url) rel="noreferrer" { (view.t(text::BACK)) },
                None => a.button href="/" { (view.t(text::START)) },
            }
        }
    };
    layout(view, view.t(title), content)
}

/// Minor units for people: thousands apart, two fraction digits.
fn money(minor_units: u64) -> String {
    let whole = (minor_units / 100).to_string();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{:02}", minor_units % 100)
}

/// Reads an amount that a person typed, in minor units.
pub fn minor_units(typed: &str) -> Option<u64> {
    let plain: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = plain.replace(',', ".");
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 2 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<2}").parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    whole.checked_mul(100)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_without_floats() {
        for (typed, amount) in [
            ("19.99", Some(1999)),
            ("19,9", Some(1990)),
            ("1 000", Some(100_000)),
            ("0.05", Some(5)),
            ("1.999", None),
            ("-1", None),
            ("", None),
            (".5", None),
            ("1e3", None),
            ("184467440737095516.16", None),
        ] {
            assert_eq!(minor_units(typed), amount, "{typed}");
        }
        assert_eq!(money(123_456_789), "1\u{a0}234\u{a0}567.89");
        assert_eq!(money(5), "0.05");
    }
}
