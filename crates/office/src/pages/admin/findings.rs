//! Findings: things that need a person's attention, each with its remedy, in the language of the page.
//!
//! The readiness speaks English, to programs. Its lines are sorted here by their beginnings. The original line
//! stays below its translation, for the person who runs the system. Anybody may read the readiness, so some
//! facts are not in it and are added here: receivers that fail, MPay's silence, timers that do not call.

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

/// A matter that needs a person's attention.
pub struct Finding {
    /// True if something is wrong now; false if it may be wrong, or will be soon.
    is_wrong: bool,
    title: String,
    remedy: String,
    /// The original line of the system, in English.
    detail: Option<String>,
}

impl Finding {
    /// True if both components report the same matter. Values that each component measures itself differ from
    /// one moment to the next, so they are not compared.
    fn is_same(&self, other: &Self) -> bool {
        let is_measured = |finding: &Self| {
            let detail = finding.detail.as_deref().unwrap_or_default();
            detail.starts_with("store: ") || detail.starts_with("clock: ")
        };
        let is_measured = is_measured(self) && is_measured(other);
        self.title == other.title && (is_measured || self.detail == other.detail)
    }

    /// True if two findings look the same to a reader who does not see the original lines.
    fn looks_like(&self, other: &Self) -> bool {
        (self.is_wrong, &self.title, &self.remedy) == (other.is_wrong, &other.title, &other.remedy)
    }
}

/// The text for what a mistake in a variable switches off, by the beginning of the variable's name. It follows
/// docs/configuration.md.
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

/// The word before the name of a variable in a line of the readiness.
const VARIABLE: &str = "variable ";
/// The beginning of a line about a certificate that has expired, or soon will.
const CERTIFICATE: &str = "the certificate with the SHA-256 ";

/// All findings; those that are wrong now come first.
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
                // A matter that both components report is shown once, in the words of the component that loses
                // more by it.
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
        // The other door's state is unknown; the page Connection names the command that examines it.
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

/// The findings in a component's readiness.
fn of_door<P: Platform>(desk: &Desk<'_, P>, health: &Health) -> Vec<Finding> {
    let errors = health.errors.iter().map(|line| (line, true));
    let warnings = health.warnings.iter().map(|line| (line, false));
    errors
        .chain(warnings)
        .filter_map(|(line, is_wrong)| of_line(desk, health, line, is_wrong))
        .collect()
}

/// A finding if the components have different versions, which means that an upgrade is incomplete.
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

/// The finding for a line of the readiness; `None` if the matter is reported elsewhere.
fn of_line<P: Platform>(
    desk: &Desk<'_, P>,
    health: &Health,
    line: &str,
    is_wrong: bool,
) -> Option<Finding> {
    let (begin, rest) = line.split_once(": ").unwrap_or(("", line));
    let (title, remedy) = match begin {
        // The line is about a receiver, for which there is a finding with its name.
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

/// A finding about a variable: a mistake, a doubt, or a certificate that expires.
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
                // A component uses all of the new variables or none of them. The people's door shows no pages
                // without variables, so a component without any is MPay's door.
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

/// A finding about a receiver that refuses messages. A receiver that asked for a pause is no finding.
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

/// A finding about a timer that does not call. A timer that never called may still wait for its first night.
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

/// A list of findings. `has_details` adds the original lines, for the person who runs the system; without them,
/// findings that look the same are shown once.
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
