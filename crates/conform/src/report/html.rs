//! One page to be handed over: it needs nothing else, runs nothing, and shows every message.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use mpay_domain::time;

use super::{Report, Tested};
use crate::{
    AREAS,
    check::{Outcome, Severity},
    exchange::Exchange,
    text::{shortened, shown, visible},
};

const STYLE: &str = include_str!("report.css");
/// The page shows content from a stranger: should escaping ever fail, nothing may run.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Report {
    /// The report as one HTML page.
    pub fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { "MPay provider test: " (visible(&self.url)) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        (self.summary())
                        (self.table())
                        (self.failures())
                        (self.skipped())
                        @for (area, name, _) in AREAS {
                            @if self.in_area(area).next().is_some() {
                                h2 id=(area) { (name) }
                                @for tested in self.in_area(area) { (check(tested)) }
                            }
                        }
                    }
                }
            }
        };
        page.into_string()
    }

    fn summary(&self) -> Markup {
        let class = if self.passed() { "passed" } else { "failed" };
        let identity = |certificate: &wsse::Certificate| {
            let subject = certificate.subject();
            format!("{subject} · SHA-256 {}", certificate.fingerprint())
        };
        html! {
            h1 { "MPay provider test" }
            p.verdict.(class) { (self.verdict()) }
            p { (self.counts()) }
            dl {
                @for (name, value) in [
                    ("Address", self.url.clone()),
                    ("ServiceID", self.service.clone()),
                    ("Begun", time::format(self.started)),
                    ("Provider’s certificate", identity(&self.provider)),
                    ("MPay played by", identity(&self.mpay)),
                    ("Made by", format!("mpay conform {}", env!("CARGO_PKG_VERSION"))),
                ] {
                    dt { (name) }
                    dd { (visible(&value)) }
                }
            }
        }
    }

    fn table(&self) -> Markup {
        const OUTCOMES: [(Outcome, &str); 3] = [
            (Outcome::Passed, "passed"),
            (Outcome::Failed, "failed"),
            (Outcome::Skipped, "skipped"),
        ];
        html! {
            table {
                thead { tr { th { "Area" } th { "Passed" } th { "Failed" } th { "Skipped" } } }
                tbody {
                    @for (area, name, _) in AREAS {
                        @if self.in_area(area).next().is_some() {
                            tr {
                                th { a href={ "#" (area) } { (name) } }
                                @for (outcome, class) in OUTCOMES {
                                    @let of = |t: &&Tested| t.outcome == outcome;
                                    @match self.in_area(area).filter(of).count() {
                                        0 => td.none { "0" },
                                        count => td.(class) { (count) },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn failures(&self) -> Markup {
        html! {
            @if self.count(Outcome::Failed) > 0 {
                h2 { "What failed" }
                ul.list {
                    @for severity in [Severity::Must, Severity::Should] {
                        @for tested in self.of(Outcome::Failed) {
                            @if tested.check.severity == severity {
                                li {
                                    (link(tested)) " " (tag(severity)) br;
                                    (lines(&tested.reason))
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn skipped(&self) -> Markup {
        html! {
            @if self.count(Outcome::Skipped) > 0 {
                h2 { "What was not tested" }
                ul.list {
                    @for tested in self.of(Outcome::Skipped) {
                        li { (link(tested)) br; (lines(&tested.reason)) }
                    }
                }
            }
        }
    }
}

fn link(tested: &Tested) -> Markup {
    html! { a href={ "#" (tested.check.id) } { (tested.check.id) } }
}

fn tag(severity: Severity) -> Markup {
    let severity = severity.to_string();
    html! { span.tag.(severity) { (severity) } }
}

fn check(tested: &Tested) -> Markup {
    let check = &tested.check;
    let outcome = match tested.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
    };
    html! {
        details.check.(outcome) id=(check.id) open[tested.outcome == Outcome::Failed] {
            summary { span.outcome { (outcome) } " " code { (check.id) } " " (check.title) }
            p { (tag(check.severity)) " " (check.rule) }
            @if !tested.reason.is_empty() {
                p.reason { (lines(&tested.reason)) }
            }
            @for one in &tested.exchanges { (exchange(one)) }
        }
    }
}

fn exchange(exchange: &Exchange) -> Markup {
    let answered = match &exchange.answer {
        Ok(answer) => format!("HTTP {} in {}", answer.status, shown(exchange.duration)),
        Err(error) => format!("no answer: {error}"),
    };
    let sent = format!(
        "{} {}\n{}\n{}",
        exchange.method,
        exchange.url,
        headers(&exchange.headers),
        shortened(&exchange.body)
    );
    html! {
        details.exchange {
            summary { (visible(&exchange.purpose)) " → " (visible(&answered)) }
            h4 { "Sent" }
            pre { (lines(&sent)) }
            @if let Ok(answer) = &exchange.answer {
                @let body = String::from_utf8_lossy(&answer.body);
                @let head = format!("{} {}", answer.version, answer.status);
                h4 { "Received" }
                pre {
                    (lines(&format!("{head}\n{}\n{}", headers(&answer.headers), shortened(&body))))
                }
            }
        }
    }
}

fn headers(headers: &[(String, String)]) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// A text of several lines, each [`visible`].
fn lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_provider_is_markup() {
        let hostile = "<script a='1' b=\"2\">&\x1b\u{202e}\n</script>";
        assert_eq!(
            html! { p title=(lines(hostile)) { (lines(hostile)) } }.into_string(),
            "<p title=\"&lt;script a='1' b=&quot;2&quot;&gt;&amp;\u{FFFD}\u{FFFD}\n&lt;/script&gt;\">\
             &lt;script a='1' b=&quot;2&quot;&gt;&amp;\u{FFFD}\u{FFFD}\n&lt;/script&gt;</p>"
        );
    }
}
