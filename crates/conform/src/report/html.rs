//! One page to be handed over: it needs nothing else, runs nothing, and shows every message.

use mpay_domain::time;

use super::{Report, Tested};
use crate::{
    AREAS,
    check::{Outcome, Severity},
    exchange::Exchange,
    text::{self, shown},
};

const STYLE: &str = include_str!("report.css");

impl Report {
    /// The report as one HTML page.
    pub fn html(&self) -> String {
        let mut page =
            String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        // The page is made of what a stranger sent: should escaping ever fail, nothing may run.
        page.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        page.push_str(&format!(
            "<title>MPay provider test: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
            escape(&self.url)
        ));
        self.summary(&mut page);
        self.table(&mut page);
        self.failures(&mut page);
        self.skipped(&mut page);
        for (area, name, _) in AREAS {
            let tested: Vec<_> = self.in_area(area).collect();
            if !tested.is_empty() {
                page.push_str(&format!("<h2 id=\"{area}\">{name}</h2>\n"));
                tested
                    .into_iter()
                    .for_each(|tested| check(&mut page, tested));
            }
        }
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn summary(&self, page: &mut String) {
        let class = if self.passed() { "passed" } else { "failed" };
        page.push_str(&format!(
            "<h1>MPay provider test</h1>\n<p class=\"verdict {class}\">{}</p>\n<p>{}</p>\n<dl>\n",
            escape(&self.verdict()),
            escape(&self.counts())
        ));
        for (name, value) in [
            ("Address", self.url.clone()),
            ("ServiceID", self.service.clone()),
            ("Begun", time::format(self.started)),
            (
                "Provider’s certificate",
                format!(
                    "{} · SHA-256 {}",
                    self.provider.subject(),
                    self.provider.fingerprint()
                ),
            ),
            (
                "MPay played by",
                format!(
                    "{} · SHA-256 {}",
                    self.mpay.subject(),
                    self.mpay.fingerprint()
                ),
            ),
            (
                "Made by",
                format!("mpay conform {}", env!("CARGO_PKG_VERSION")),
            ),
        ] {
            page.push_str(&format!("<dt>{name}</dt><dd>{}</dd>\n", escape(&value)));
        }
        page.push_str("</dl>\n");
    }

    fn table(&self, page: &mut String) {
        page.push_str("<table>\n<thead><tr><th>Area</th><th>Passed</th><th>Failed</th><th>Skipped</th></tr></thead>\n<tbody>\n");
        for (area, name, _) in AREAS {
            let count = |outcome| self.in_area(area).filter(|t| t.outcome == outcome).count();
            if self.in_area(area).next().is_none() {
                continue;
            }
            let cell = |class: &str, count: usize| match count {
                0 => "<td class=\"none\">0</td>".to_owned(),
                count => format!("<td class=\"{class}\">{count}</td>"),
            };
            page.push_str(&format!(
                "<tr><th><a href=\"#{area}\">{name}</a></th>{}{}{}</tr>\n",
                cell("passed", count(Outcome::Passed)),
                cell("failed", count(Outcome::Failed)),
                cell("skipped", count(Outcome::Skipped))
            ));
        }
        page.push_str("</tbody>\n</table>\n");
    }

    fn failures(&self, page: &mut String) {
        if self.count(Outcome::Failed) == 0 {
            return;
        }
        page.push_str("<h2>What failed</h2>\n<ul class=\"list\">\n");
        for severity in [Severity::Must, Severity::Should] {
            for tested in self.of(Outcome::Failed) {
                if tested.check.severity == severity {
                    page.push_str(&format!(
                        "<li><a href=\"#{0}\">{0}</a> <span class=\"tag {severity}\">{severity}</span><br>{1}</li>\n",
                        tested.check.id,
                        escape(&tested.reason)
                    ));
                }
            }
        }
        page.push_str("</ul>\n");
    }

    fn skipped(&self, page: &mut String) {
        if self.count(Outcome::Skipped) == 0 {
            return;
        }
        page.push_str("<h2>What was not tested</h2>\n<ul class=\"list\">\n");
        for tested in self.of(Outcome::Skipped) {
            page.push_str(&format!(
                "<li><a href=\"#{0}\">{0}</a><br>{1}</li>\n",
                tested.check.id,
                escape(&tested.reason)
            ));
        }
        page.push_str("</ul>\n");
    }
}

fn check(page: &mut String, tested: &Tested) {
    let check = &tested.check;
    let (class, word, open) = match tested.outcome {
        Outcome::Passed => ("passed", "passed", ""),
        Outcome::Failed => ("failed", "failed", " open"),
        Outcome::Skipped => ("skipped", "skipped", ""),
    };
    page.push_str(&format!(
        "<details class=\"check {class}\" id=\"{0}\"{open}>\n<summary><span class=\"outcome\">{word}</span> <code>{0}</code> {1}</summary>\n<p><span class=\"tag {2}\">{2}</span> {3}</p>\n",
        check.id,
        escape(check.title),
        check.severity,
        escape(check.rule)
    ));
    if !tested.reason.is_empty() {
        page.push_str(&format!(
            "<p class=\"reason\">{}</p>\n",
            escape(&tested.reason)
        ));
    }
    tested.exchanges.iter().for_each(|one| exchange(page, one));
    page.push_str("</details>\n");
}

fn exchange(page: &mut String, exchange: &Exchange) {
    let (answered, headers, body) = match &exchange.answer {
        Ok(answer) => (
            format!("HTTP {} in {}", answer.status, shown(exchange.duration)),
            format!(
                "{} {}\n{}",
                answer.version,
                answer.status,
                lines(&answer.headers)
            ),
            String::from_utf8_lossy(&answer.body).into_owned(),
        ),
        Err(error) => (format!("no answer: {error}"), String::new(), String::new()),
    };
    page.push_str(&format!(
        "<details class=\"exchange\">\n<summary>{} → {}</summary>\n<h4>Sent</h4>\n<pre>{}</pre>\n",
        escape(&exchange.purpose),
        escape(&answered),
        escape(&format!(
            "{} {}\n{}\n{}",
            exchange.method,
            exchange.url,
            lines(&exchange.headers),
            text::shortened(&exchange.body)
        ))
    ));
    if exchange.answer.is_ok() {
        page.push_str(&format!(
            "<h4>Received</h4>\n<pre>{}</pre>\n",
            escape(&format!("{headers}\n{}", text::shortened(&body)))
        ));
    }
    page.push_str("</details>\n");
}

fn lines(headers: &[(String, String)]) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

/// Text for HTML, in elements and in attributes in double quotation marks. Control characters,
/// and those that reorder text, become visible.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        for c in text::visible(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_provider_is_markup() {
        assert_eq!(
            escape("<script a='1' b=\"2\">&\x1b\u{202e}\n</script>"),
            "&lt;script a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;\u{FFFD}\u{FFFD}\n&lt;/script&gt;"
        );
    }
}
