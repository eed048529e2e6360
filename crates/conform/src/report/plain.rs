//! For a terminal.

use super::{Report, Tested};
use crate::{
    AREAS,
    check::{Outcome, Severity},
    text::visible,
};

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
