//! For CI: the XML of JUnit, as the common readers of it understand it.

use wsse::Writer;

use super::{Report, Tested};
use crate::{
    AREAS,
    check::{Outcome, Severity},
    text::visible,
};

impl Report {
    /// A test suite for each area. A broken recommendation is a failure of the type `should`.
    pub fn junit(&self) -> String {
        let mut xml = Writer::new();
        xml.start_with(
            "testsuites",
            &[
                ("name", &format!("mpay conform {}", visible(&self.url))),
                ("tests", &self.tested.len().to_string()),
                ("failures", &self.count(Outcome::Failed).to_string()),
                ("skipped", &self.count(Outcome::Skipped).to_string()),
                ("time", &format!("{:.3}", self.duration.as_secs_f64())),
            ],
        );
        for (area, _, _) in AREAS {
            let tested: Vec<_> = self.in_area(area).collect();
            if tested.is_empty() {
                continue;
            }
            let count = |outcome| tested.iter().filter(|t| t.outcome == outcome).count();
            let time: f64 = tested.iter().map(|t| t.duration.as_secs_f64()).sum();
            xml.text("\n  ");
            xml.start_with(
                "testsuite",
                &[
                    ("name", area),
                    ("tests", &tested.len().to_string()),
                    ("failures", &count(Outcome::Failed).to_string()),
                    ("skipped", &count(Outcome::Skipped).to_string()),
                    ("time", &format!("{time:.3}")),
                ],
            );
            for tested in tested {
                xml.text("\n    ");
                case(&mut xml, tested);
            }
            xml.text("\n  ");
            xml.end();
        }
        xml.text("\n");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
            xml.finish().as_str()
        )
    }
}

fn case(xml: &mut Writer, tested: &Tested) {
    let check = &tested.check;
    let reason = visible(&tested.reason);
    xml.start_with(
        "testcase",
        &[
            ("classname", check.area()),
            ("name", check.id),
            ("time", &format!("{:.3}", tested.duration.as_secs_f64())),
        ],
    );
    match tested.outcome {
        Outcome::Passed => {}
        Outcome::Skipped => {
            xml.start_with("skipped", &[("message", &reason)]);
            xml.end();
        }
        Outcome::Failed => {
            let kind = match check.severity {
                Severity::Must => "must",
                Severity::Should => "should",
            };
            xml.start_with("failure", &[("type", kind), ("message", &reason)]);
            xml.text(&format!("{}\n{}", check.title, check.rule));
            xml.end();
        }
    }
    xml.end();
}
