//! For CI: the XML of JUnit, as the common readers of it understand it.

use super::{Report, Tested};
use crate::{
    AREAS,
    check::{Outcome, Severity},
};

impl Report {
    /// A test suite for each area. What should be otherwise is a failure of the type `should`.
    pub fn junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        out.push_str(&format!(
            "<testsuites name=\"mpay conform {}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">\n",
            escape(&self.url),
            self.tested.len(),
            self.count(Outcome::Failed),
            self.count(Outcome::Skipped),
            self.duration.as_secs_f64()
        ));
        for (area, _, _) in AREAS {
            let tested: Vec<_> = self.in_area(area).collect();
            if tested.is_empty() {
                continue;
            }
            let count = |outcome| tested.iter().filter(|t| t.outcome == outcome).count();
            let time: f64 = tested.iter().map(|t| t.duration.as_secs_f64()).sum();
            out.push_str(&format!(
                "  <testsuite name=\"{area}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{time:.3}\">\n",
                tested.len(),
                count(Outcome::Failed),
                count(Outcome::Skipped),
            ));
            for tested in tested {
                out.push_str(&case(tested));
            }
            out.push_str("  </testsuite>\n");
        }
        out.push_str("</testsuites>\n");
        out
    }
}

fn case(tested: &Tested) -> String {
    let check = &tested.check;
    let inner = match tested.outcome {
        Outcome::Passed => String::new(),
        Outcome::Skipped => format!("<skipped message=\"{}\"/>", escape(&tested.reason)),
        Outcome::Failed => format!(
            "<failure type=\"{}\" message=\"{}\">{}\n{}</failure>",
            match check.severity {
                Severity::Must => "must",
                Severity::Should => "should",
            },
            escape(&tested.reason),
            escape(check.title),
            escape(check.rule)
        ),
    };
    format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">{inner}</testcase>\n",
        check.area(),
        check.id,
        tested.duration.as_secs_f64()
    )
}

/// Text for XML: escaped, and without the characters that XML 1.0 cannot carry.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
