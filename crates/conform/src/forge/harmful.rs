//! XML that harms its reader.

use super::Message;
use crate::message::swap;

/// A DTD with an entity that stands for the signed text.
pub(crate) fn entity(message: &str) -> Message {
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>&l;</Language>",
    )?;
    Ok(format!("<!DOCTYPE x [<!ENTITY l \"ro\">]>{message}"))
}

/// A DTD with an entity from a file of the receiver.
pub(crate) fn external_entity(message: &str) -> Message {
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>ro&f;</Language>",
    )?;
    Ok(format!(
        "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/hostname\">]>{message}"
    ))
}

/// Entities of entities: a few hundred bytes that become a hundred million.
pub(crate) fn entity_bomb(message: &str) -> Message {
    let mut entities = "<!ENTITY a0 \"lollollollol\">".to_owned();
    for level in 1..=8 {
        let inner = format!("&a{};", level - 1).repeat(10);
        entities.push_str(&format!("<!ENTITY a{level} \"{inner}\">"));
    }
    let message = swap(
        message,
        "<Language>ro</Language>",
        "<Language>&a8;</Language>",
    )?;
    Ok(format!("<!DOCTYPE x [{entities}]>{message}"))
}

/// Elements in elements, deeper than a recursive reader's stack.
pub(crate) fn deep_nesting(message: &str) -> Message {
    const DEPTH: usize = 20_000;
    let nested = format!("{}{}", "<x>".repeat(DEPTH), "</x>".repeat(DEPTH));
    swap(
        message,
        "</soap:Header>",
        &format!("<d:d xmlns:d=\"urn:x\">{nested}</d:d></soap:Header>"),
    )
}
