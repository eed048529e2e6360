//! What somebody is to see to, each with what to do, in the language of the page.
//!
//! The readiness speaks English, to programs. Its lines are sorted here by what they begin with, and stay as
//! they are below what is said of them, for whoever runs the system. What the readiness does not know, being
//! for anybody, stands beside it: receivers that fail, MPay's silence, timers that do not call.

use maud::{Markup, html};
use mpay_door::Problem;

use super::{
    connection::{Health, OtherDoor, Webhook, purpose},
    desk::Desk,
};
use crate::{
    schedule::{self, Run},
    store::Platform,
};

/// What somebody is to see to.
pub struct Finding {
    /// Whether something is wrong now, and not only perhaps or soon.
    is_wrong: bool,
    title: String,
    remedy: String,
    /// What the system says in words of its own, in English.
    detail: Option<String>,
}

impl Finding {
    /// Whether two parts say the same. What each of them measures differs from one moment to the next.
    fn is_same(&self, other: &Self) -> bool {
        let is_measured = |finding: &Self| {
            let detail = finding.detail.as_deref().unwrap_or_default();
            detail.starts_with("store: ") || detail.starts_with("clock: ")
        };
        let is_measured = is_measured(self) && is_measured(other);
        self.title == other.title && (is_measured || self.detail == other.detail)
    }

    /// Whether two look the same to who does not see what the system says itself.
    fn looks_like(&self, other: &Self) -> bool {
        (self.is_wrong, &self.title, &self.remedy) == (other.is_wrong, &other.title, &other.remedy)
    }
}

/// What a mistake in a variable switches off, by how the variable begins: as docs/configuration.md has it.
const OFF: [(&str, &str); 9] = [
    ("card_", "found-off-cards"),
    ("webhook", "found-off-webhooks"),
    ("order_source_", "found-off-source"),
    ("personal_data_retention", "found-off-erasure"),
    ("institution_", "found-off-look"),
    ("page_color", "found-off-look"),
    ("page_note", "found-off-look"),
    ("access", "found-off-access"),
    ("max_silence", "found-off-silence"),
];

/// The word behind which a line of the readiness names a variable.
const VARIABLE: &str = "variable ";
/// What it says of a certificate that has expired, or will soon.
const CERTIFICATE: &str = "the certificate with the SHA-256 ";

/// What there is to see to; what is wrong comes first.
///
/// # Errors
/// A [`Problem`] if the store fails.
pub async fn find<P: Platform>(
    desk: &Desk<'_, P>,
    health: &Health,
    other: &OtherDoor,
    webhooks: &[Webhook],
) -> Result<Vec<Finding>, Problem> {
    let now = desk.store.now();
    let mut findings = of_door(desk, health);
    match other {
        OtherDoor::Stands(other) => {
            for finding in of_door(desk, other) {
                // What both find is told once: as the one says it of which it switches off more.
                let is_graver = other.gravity() > health.gravity();
                match findings.iter_mut().find(|told| told.is_same(&finding)) {
                    Some(told) if is_graver || finding.is_wrong && !told.is_wrong => {
                        *told = finding;
                    }
                    Some(_) => {}
                    None => findings.push(finding),
                }
            }
            if let Some(finding) = of_versions(desk, health, other) {
                findings.push(finding);
            }
        }
        OtherDoor::Silent => findings.push(Finding {
            is_wrong: true,
            title: desk.t("found-silent-part"),
            remedy: desk.t("found-silent-part-do"),
            detail: None,
        }),
        // Nobody knows; Connection names the command that looks.
        OtherDoor::Unasked => {}
    }
    findings.extend(
        webhooks
            .iter()
            .filter_map(|webhook| of_webhook(desk, webhook)),
    );
    if let Some(since) = mpay_notify::quiet_since(desk.store).await?
        && desk.config.notification.is_too_quiet(since, now)
    {
        let since = desk.view.time_of(since);
        findings.push(Finding {
            is_wrong: true,
            title: desk.with("found-silence", &[("time", since.into())]),
            remedy: desk.t("found-silence-do"),
            detail: None,
        });
    }
    let runs = schedule::runs(desk.config, desk.store).await?;
    let overdue = runs.iter().filter(|run| run.is_overdue(now));
    findings.extend(overdue.map(|run| of_run(desk, run)));
    findings.sort_by_key(|finding| !finding.is_wrong);
    Ok(findings)
}

/// What a door's readiness says.
fn of_door<P: Platform>(desk: &Desk<'_, P>, health: &Health) -> Vec<Finding> {
    let errors = health.errors.iter().map(|line| (line, true));
    let warnings = health.warnings.iter().map(|line| (line, false));
    errors
        .chain(warnings)
        .filter_map(|(line, is_wrong)| of_line(desk, health, line, is_wrong))
        .collect()
}

/// Two versions at the same time are half of an upgrade.
fn of_versions<P: Platform>(
    desk: &Desk<'_, P>,
    health: &Health,
    other: &Health,
) -> Option<Finding> {
    let versions = [
        ("people", health.version.as_str().into()),
        ("mpay", other.version.as_str().into()),
    ];
    (health.version != other.version).then(|| Finding {
        is_wrong: true,
        title: desk.t("found-versions"),
        remedy: desk.with("found-versions-do", &versions),
        detail: None,
    })
}

/// What a line of the readiness means; `None` if it is told of otherwise.
fn of_line<P: Platform>(
    desk: &Desk<'_, P>,
    health: &Health,
    line: &str,
    is_wrong: bool,
) -> Option<Finding> {
    let (begin, rest) = line.split_once(": ").unwrap_or(("", line));
    let (title, remedy) = match begin {
        // Of a receiver, which is told of by its name.
        "webhooks" => return None,
        "store" if is_wrong => ("found-store", "found-store-do"),
        "store" => ("found-slow", "found-slow-do"),
        "clock" => ("found-clock", "found-clock-do"),
        _ => match begin.strip_prefix(VARIABLE) {
            Some(variable) => {
                return Some(of_variable(desk, health, (variable, rest), line, is_wrong));
            }
            None => ("found-other", "found-other-do"),
        },
    };
    Some(Finding {
        is_wrong,
        title: desk.t(title),
        remedy: desk.t(remedy),
        detail: Some(line.to_owned()),
    })
}

/// A mistake in a variable, or a doubt, or a certificate of it that ends.
fn of_variable<P: Platform>(
    desk: &Desk<'_, P>,
    health: &Health,
    (variable, said): (&str, &str),
    line: &str,
    is_wrong: bool,
) -> Finding {
    let title = match said.strip_prefix(CERTIFICATE) {
        _ if is_wrong => "found-variable",
        Some(rest) if rest.contains(" expired ") => "found-expired",
        Some(_) => "found-expires",
        None => "found-doubt",
    };
    let remedy = match title {
        "found-variable" => {
            let mut off = OFF.iter();
            let off = off.find(|(begin, _)| variable.starts_with(begin));
            let until = match off {
                // As a whole: nothing of the new ones is in use. The people's door says nothing without any.
                _ if health.is_without() => "found-off-mpay",
                _ if !health.is_current() => "found-off-nothing",
                Some((_, off)) => off,
                None => "found-off-other",
            };
            format!("{} {}", desk.t("found-variable-do"), desk.t(until))
        }
        "found-doubt" => desk.t("found-doubt-do"),
        _ if variable.starts_with("mpay_") => desk.t("found-mpay-certificate-do"),
        _ => desk.t("found-own-certificate-do"),
    };
    Finding {
        is_wrong,
        title: desk.with(title, &[("name", variable.into())]),
        remedy,
        detail: Some(line.to_owned()),
    }
}

/// A receiver that does not take what it is sent. One that asked for time is given it.
fn of_webhook<P: Platform>(desk: &Desk<'_, P>, webhook: &Webhook) -> Option<Finding> {
    let (title, remedy) = match webhook.status.as_str() {
        "failing" => ("found-failing", "found-failing-do"),
        "ended" => ("found-ended", "found-ended-do"),
        _ => return None,
    };
    let name = [("name", webhook.name.as_str().into())];
    Some(Finding {
        is_wrong: false,
        title: desk.with(title, &name),
        remedy: desk.with(remedy, &name),
        detail: webhook.last_error.clone(),
    })
}

/// A timer that does not call. One that never did may be meant to call at night for the first time.
fn of_run<P: Platform>(desk: &Desk<'_, P>, run: &Run) -> Finding {
    let is_wrong = run.at.is_some();
    let title = match is_wrong {
        true => "found-stopped",
        false => "found-never",
    };
    Finding {
        is_wrong,
        title: desk.with(title, &[("job", desk.t(purpose(run)).into())]),
        remedy: desk.t("schedule-do"),
        detail: Some(format!("POST /api/{}", run.path)),
    }
}

/// A list of them; with what the system says in English, for whoever runs it, or without.
pub fn list<P: Platform>(desk: &Desk<'_, P>, findings: &[Finding], has_details: bool) -> Markup {
    let is_new = |place: usize, finding: &Finding| {
        let mut before = findings.iter().take(place);
        !before.any(|told| told.looks_like(finding))
    };
    let all = findings.iter().enumerate();
    let shown = all.filter(|(place, finding)| has_details || is_new(*place, finding));
    html! {
        ul.lines {
            @for (_, finding) in shown {
                @let (kind, mark) = match finding.is_wrong {
                    true => ("bad", "health-errors"),
                    false => ("busy", "health-warnings"),
                };
                li {
                    strong { (finding.title) }
                    span { span.mark.(kind) { (desk.t(mark)) } }
                    p { (finding.remedy) }
                    @if let Some(detail) = finding.detail.as_ref().filter(|_| has_details) {
                        p.hint lang="en" { (detail) }
                    }
                }
            }
        }
    }
}
