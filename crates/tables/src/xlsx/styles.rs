//! The styles of cells: which of them show a number as a date.

use std::collections::HashMap;

use super::parts::{Part, Parts, attribute, local_name};
use crate::TableError;

/// The kind of value that a cell's format shows for a number.
#[derive(Clone, Copy, Default)]
pub(super) struct Style {
    pub(super) is_date: bool,
    pub(super) shows_time: bool,
    pub(super) digits: usize,
}

/// The styles of cells, in their order.
pub(super) fn styles(text: &str) -> Result<Vec<Style>, TableError> {
    let mut formats: HashMap<u32, Style> = HashMap::new();
    let mut styles = Vec::new();
    let mut is_of_cells = false;
    let mut parts = Parts::new(text);
    while let Some(part) = parts.next()? {
        match part {
            Part::Start(tag) => match local_name(&tag) {
                "numFmt" => {
                    let id = attribute(&tag, "numFmtId").and_then(|id| id.parse().ok());
                    if let (Some(id), Some(code)) = (id, attribute(&tag, "formatCode")) {
                        formats.insert(id, style(&code));
                    }
                }
                "cellXfs" => is_of_cells = true,
                "xf" if is_of_cells => {
                    let id = attribute(&tag, "numFmtId").and_then(|id| id.parse().ok());
                    let id = id.unwrap_or_default();
                    styles.push(formats.get(&id).copied().unwrap_or_else(|| built_in(id)));
                }
                _ => {}
            },
            Part::End(name) if name == "cellXfs" => is_of_cells = false,
            Part::End(_) => {}
        }
    }
    Ok(styles)
}

/// The formats that have no code in the file (ISO/IEC 29500, 18.8.30).
fn built_in(id: u32) -> Style {
    let (is_date, shows_time) = match id {
        14..=17 | 27..=31 | 36 | 50..=54 | 57 | 58 => (true, false),
        18..=22 | 32..=35 | 45..=47 | 55 | 56 => (true, true),
        _ => (false, false),
    };
    Style {
        is_date,
        shows_time,
        digits: 0,
    }
}

/// The meaning of a format's code: letters of dates outside of quoted text tell a date.
fn style(code: &str) -> Style {
    let positive = code.split(';').next().unwrap_or_default();
    let digits = positive.bytes().all(|byte| byte == b'0');
    let digits = if digits { positive.len() } else { 0 };
    let (mut has_date, mut has_time) = (false, false);
    let mut characters = positive.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => while characters.next().is_some_and(|c| c != '"') {},
            '\\' | '_' | '*' => {
                characters.next();
            }
            // Colours, conditions and languages; hours that go on beyond a day.
            '[' => {
                let inside: String = characters.by_ref().take_while(|c| *c != ']').collect();
                let is_elapsed = matches!(
                    inside.to_ascii_lowercase().as_str(),
                    "h" | "hh" | "mm" | "ss"
                );
                has_time |= is_elapsed;
            }
            'h' | 'H' | 's' | 'S' => has_time = true,
            'y' | 'Y' | 'd' | 'D' | 'm' | 'M' => has_date = true,
            _ => {}
        }
    }
    // LibreOffice writes the word where a file of Excel has no code.
    let is_general =
        positive.eq_ignore_ascii_case("general") || positive.eq_ignore_ascii_case("standard");
    Style {
        is_date: (has_date || has_time) && !is_general,
        shows_time: has_time,
        digits,
    }
}
