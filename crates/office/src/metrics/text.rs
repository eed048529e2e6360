//! Prometheus' text format.

use std::fmt::Write as _;

/// The text of the answer.
#[derive(Default)]
pub(super) struct Metrics(pub(super) String);

/// Names of labels, and their values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

impl Metrics {
    /// Writes a metric with its samples; nothing if there are no samples. The function is not generic, so that
    /// the component contains it once.
    pub(super) fn family(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        samples: &[(Labels<'_>, String)],
    ) {
        if samples.is_empty() {
            return;
        }
        // Writing into a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            self.0.push_str(name);
            for (place, (label, value)) in labels.iter().enumerate() {
                let value = value.replace('\\', r"\\").replace('"', "\\\"");
                let value = value.replace('\n', r"\n");
                let opening = if place == 0 { '{' } else { ',' };
                let _ = write!(self.0, "{opening}{label}=\"{value}\"");
            }
            let closing = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(self.0, "{closing} {value}");
        }
    }

    /// A metric with one sample.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl ToString) {
        self.family(name, "gauge", help, &[(Vec::new(), value.to_string())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_itself() {
        let mut metrics = Metrics::default();
        let labels = vec![("a", "1\"\\\n2")];
        metrics.family("x", "gauge", "X.", &[(labels, "1".to_owned())]);
        assert!(
            metrics.0.ends_with("x{a=\"1\\\"\\\\\\n2\"} 1\n"),
            "{}",
            metrics.0
        );
    }
}
