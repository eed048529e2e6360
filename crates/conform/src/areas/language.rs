//! Texts in Romanian, Russian and English.

use wsse::Writer;

use crate::{
    check::{Check, must},
    names::MPAY,
    node::Node,
    orders::Role,
    reply::order_in,
    session::Session,
    verdict::{Verdict, hold, skipped},
};

const RULE: &str =
    "Structures: OrderDetailsQuery.Language (2; ro default, ru, en; MPay sends upper case too)";
const UNKNOWN: &str =
    "Settled readings: Language is case-insensitive, unknown values mean Romanian";

pub const CHECKS: &[Check] = &[
    must(
        "language.default",
        "Without a Language the texts are the Romanian ones",
        RULE,
        |s| same(s, None, "ro"),
    ),
    must(
        "language.upper-case",
        "RO, RU and EN are ro, ru and en",
        RULE,
        |s| {
            same(s, Some("RO"), "ro")?;
            same(s, Some("RU"), "ru")?;
            same(s, Some("EN"), "en")
        },
    ),
    must(
        "language.mixed-case",
        "Ru and eN are ru and en",
        UNKNOWN,
        |s| {
            same(s, Some("Ru"), "ru")?;
            same(s, Some("eN"), "en")
        },
    ),
    must(
        "language.unknown",
        "A language that the provider does not have means Romanian",
        UNKNOWN,
        |s| {
            same(s, Some("de"), "ro")?;
            same(s, Some("xx"), "ro")
        },
    ),
    must(
        "language.romanian",
        "Reason is in Romanian when Romanian is asked for",
        "Structures: Reason (50, localised)",
        |s| reason(s, "ro"),
    ),
    must(
        "language.russian",
        "Reason is in Russian when Russian is asked for",
        "Structures: Reason (50, localised)",
        |s| reason(s, "ru"),
    ),
    must(
        "language.english",
        "Reason is in English when English is asked for",
        "Structures: Reason (50, localised)",
        |s| reason(s, "en"),
    ),
    must(
        "language.lengths",
        "Texts keep their lengths in every language",
        "Structures: Reason (50), DisplayName (36), in characters",
        |s| {
            let key = s.orders.shared(Role::Full)?;
            for language in ["ro", "ru", "en"] {
                for (name, text) in texts(&s.details(&key, language)?) {
                    let longest = if name == "DisplayName" { 36 } else { 50 };
                    let length = text.chars().count();
                    hold(length <= longest, || {
                        format!("{name} in {language} has {length} characters: {text:?}")
                    })?;
                }
            }
            Ok(())
        },
    ),
    must(
        "language.same-order",
        "Only texts differ between languages",
        "Operations: GetOrderDetails; the language chooses texts, not amounts",
        |s| {
            let key = s.orders.shared(Role::Full)?;
            let romanian = facts(&s.details(&key, "ro")?);
            for language in ["ru", "en"] {
                let other = facts(&s.details(&key, language)?);
                hold(romanian == other, || {
                    format!("amounts, keys or status differ between ro and {language}")
                })?;
            }
            Ok(())
        },
    ),
];

/// The texts that are localised.
fn texts(order: &Node) -> Vec<(String, String)> {
    order
        .descendants()
        .into_iter()
        .filter(|node| matches!(node.name.as_str(), "Reason" | "DisplayName"))
        .map(|node| {
            let text = node.text.as_deref().unwrap_or_default();
            (node.name.clone(), text.trim().to_owned())
        })
        .collect()
}

/// The members that do not depend on the language.
fn facts(order: &Node) -> Vec<(String, String)> {
    const NAMES: [&str; 6] = [
        "OrderKey",
        "Status",
        "TotalAmountDue",
        "AmountDue",
        "LineID",
        "Currency",
    ];
    order
        .descendants()
        .into_iter()
        .filter(|node| NAMES.contains(&node.name.as_str()))
        .map(|node| (node.name.clone(), node.text.clone().unwrap_or_default()))
        .collect()
}

fn ask(s: &mut Session, key: &str, language: Option<&str>) -> Verdict<Node> {
    let Some(language) = language else {
        let mut xml = Writer::new();
        xml.start_in("GetOrderDetails", MPAY);
        xml.start("query");
        xml.element("OrderKey", key);
        xml.element("ServiceID", &s.service);
        let message = s.sign(&xml.finish())?;
        let reply = s.ask("GetOrderDetails without Language", &message)?;
        return order_in(&reply, key);
    };
    s.details(key, language)
}

/// One way of asking gives the texts of another.
fn same(s: &mut Session, asked: Option<&str>, meant: &str) -> Verdict {
    let key = s.orders.shared(Role::Full)?;
    let got = texts(&ask(s, &key, asked)?);
    let expected = texts(&s.details(&key, meant)?);
    hold(got == expected, || {
        let shown = |texts: &[(String, String)]| {
            let texts: Vec<_> = texts.iter().map(|(_, text)| text.as_str()).collect();
            texts.join(" / ")
        };
        format!(
            "Language {} got {:?}, and {meant} got {:?}",
            asked.map_or("absent".to_owned(), |a| format!("{a:?}")),
            shown(&got),
            shown(&expected)
        )
    })
}

/// Checks that `Reason` is the text of the order's description, or at least not that of another language.
fn reason(s: &mut Session, language: &str) -> Verdict {
    let key = s.orders.shared(Role::Full)?;
    let expected = match language {
        "ro" => &s.orders.full_reason.ro,
        "ru" => &s.orders.full_reason.ru,
        _ => &s.orders.full_reason.en,
    };
    let expected = expected.clone();
    let got = s.details(&key, language)?;
    let got = got.get("Reason").unwrap_or_default();
    if let Some(expected) = expected {
        return hold(got == expected, || {
            format!("Reason in {language} is {got:?} instead of {expected:?}")
        });
    }
    if language == "ro" {
        return skipped(
            "what Reason is in Romanian is not given ([full_reason] in the file of --orders)",
        );
    }
    let romanian = s.details(&key, "ro")?;
    hold(romanian.get("Reason") != Some(got), || {
        format!("Reason in {language} is the Romanian one: {got:?}")
    })
}
