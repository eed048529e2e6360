//! For a terminal.

use super::{Report, Tested};
use crate::conform::{
    AREAS,
    check::{Outcome, Severity},
};

/// How much of a message is shown.
const LONGEST: usize = 16_000;

impl Report {
    /// The verdict by area, with the reason and the rule of everything that failed. Texts of the
    /// provider are shown without control characters; `colour` adds escape codes of ANSI.
    pub fn text(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut out = format!(
            "Tested     {}\nService    {}\n\n",
            visible(&self.url),
            visible(&self.service)
        );
        for (area, name, _) in AREAS {
            let count = |outcome| self.in_area(area).filter(|t| t.outcome == outcome).count();
            let (passed, failed, skipped) = (
                count(Outcome::Passed),
                count(Outcome::Failed),
                count(Outcome::Skipped),
            );
            if passed + failed + skipped == 0 {
                continue;
            }
            let mark = match (failed, skipped) {
                (0, 0) => paint("32", "passed "),
                (0, _) => paint("33", "skipped"),
                _ => paint("31", "FAILED "),
            };
            out.push_str(&format!("{mark}  {name:<30} {passed:>3} passed"));
            if failed > 0 {
                out.push_str(&format!(", {failed} failed"));
            }
            if skipped > 0 {
                out.push_str(&format!(", {skipped} skipped"));
            }
            out.push('\n');
        }
        for severity in [Severity::Must, Severity::Should] {
            for tested in self.of(Outcome::Failed) {
                if tested.check.severity == severity {
                    out.push_str(&failure(tested, &paint("1", tested.check.id)));
                }
            }
        }
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for tested in self.of(Outcome::Skipped) {
            match reasons
                .iter_mut()
                .find(|(known, _)| *known == tested.reason)
            {
                Some((_, ids)) => ids.push(tested.check.id),
                None => reasons.push((&tested.reason, vec![tested.check.id])),
            }
        }
        if !reasons.is_empty() {
            out.push_str("\nSkipped\n");
        }
        for (reason, ids) in reasons {
            out.push_str(&format!("  {}\n      {}\n", visible(reason), ids.join(" ")));
        }
        let verdict = self.verdict();
        let code = if self.passed() { "32" } else { "31" };
        out.push_str(&format!("\n{}\n{}\n", self.counts(), paint(code, &verdict)));
        out
    }
}

fn failure(tested: &Tested, id: &str) -> String {
    format!(
        "\n{id} ({})\n  Rule     {}\n           {}\n  Found    {}\n",
        tested.check.severity,
        tested.check.title,
        tested.check.rule,
        visible(&tested.reason)
    )
}

/// Text without what could steer a terminal or reorder what is read: controls of C0 and C1, and
/// the formatting characters of bidirectional text.
pub(in crate::conform) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => ' ',
            c if c.is_control() => '\u{FFFD}',
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' => {
                '\u{FFFD}'
            }
            '\u{FEFF}' => '\u{FFFD}',
            c => c,
        })
        .collect()
}

/// The beginning of a long text.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => {
            let left = text.len() - end;
            format!(
                "{}… ({left} more bytes)",
                text.get(..end).unwrap_or_default()
            )
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_provider_steers_the_terminal() {
        assert_eq!(
            visible("a\x1b[31mb\u{9b}c\rd\ne\u{202E}f\u{7f}ă"),
            "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d e\u{FFFD}f\u{FFFD}ă"
        );
    }

    #[test]
    fn long_texts_are_shortened_between_characters() {
        let text = "ă".repeat(LONGEST + 5);
        assert!(shortened(&text).ends_with("ă… (10 more bytes)"));
        assert_eq!(shortened("ă"), "ă");
    }
}
