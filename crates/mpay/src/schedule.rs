//! The calls that elsewhere are cron's: `mpay up` makes them itself, by a token that nobody else has.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp, civil::Date};
use mpay_domain::time;
use mpay_office::access::{Principal, Role};
use rand::RngExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use ureq::tls::TlsConfig;

use crate::tell;

/// The name under which the books show what it did.
pub const NAME: &str = "mpay up";
/// So long after midnight in Moldova the nightly calls are made.
const NIGHT: SignedDuration = SignedDuration::from_hours(3);
/// A call may take as long as several receivers of webhooks do.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Pages of one job: ten million events have fewer. A fault must not turn for ever.
const MOST_PAGES: u32 = 50_000;

/// The hour at which a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// Each minute: webhooks are delivered, alerts raised, payments by card asked for.
    #[value(name = "minute")]
    EachMinute,
    /// Each night: payments by card of days ago are asked for, personal data is erased by age.
    #[value(name = "night")]
    EachNight,
}

/// A call of the order API.
#[derive(Debug)]
struct Job {
    path: &'static str,
    when: When,
    /// The call that is made instead if the answer without a body is 409: the variable for the job is
    /// not set.
    otherwise: Option<&'static str>,
    /// The days that it is about, each by how long ago it was; none if it is about no day.
    days_ago: &'static [i64],
}

const JOBS: [Job; 4] = [
    Job {
        path: "outbox/deliver",
        when: When::EachMinute,
        otherwise: None,
        days_ago: &[],
    },
    // What is not over at a card gateway, and what was given back there without our knowledge.
    Job {
        path: "card-payments/check",
        when: When::EachMinute,
        otherwise: None,
        days_ago: &[],
    },
    Job {
        path: "card-payments/recheck",
        when: When::EachNight,
        otherwise: None,
        days_ago: &[1, 7, 30, 90],
    },
    // Also where nothing is erased by age: what came back after an erasure is erased by the next walk.
    Job {
        path: "erasures",
        when: When::EachNight,
        otherwise: Some(r#"{"service_id":"NONE","order_key":"NONE"}"#),
        days_ago: &[],
    },
];

/// The caller of the order API that a start has for itself.
pub struct Caller {
    token: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller(…)")
    }
}

impl Caller {
    /// A caller with a token of chance.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let [one, other] = rand::rng().random::<[u128; 2]>();
        Self {
            token: format!("{one:032x}{other:032x}"),
        }
    }

    /// The variable `access` with this caller in it.
    ///
    /// # Errors
    /// Never: the name is one that may be.
    pub fn admitted(&self, access: &str) -> anyhow::Result<String> {
        let principal = Principal::new(NAME, Role::Program).map_err(anyhow::Error::msg)?;
        Ok(format!("{access}\n{}", principal.entry(&self.token)))
    }

    /// Makes the calls from now on, until the handle is aborted.
    pub fn start(self, url: &str) -> JoinHandle<()> {
        let api = Api::new(url, self.token, TlsConfig::default());
        tokio::spawn(run(api))
    }
}

/// The calls, made to one provider with one token.
pub struct Api {
    url: String,
    token: String,
    agent: ureq::Agent,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({}, …)", self.url)
    }
}

async fn run(api: Api) {
    let api = Arc::new(api);
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut due, mut failing) = (Due::default(), BTreeSet::new());
    loop {
        minute.tick().await;
        let tonight = night_of(Timestamp::now());
        for job in &JOBS {
            if !due.is_due(job, tonight) {
                continue;
            }
            let api = Arc::clone(&api);
            let done = tokio::task::spawn_blocking(move || api.carry_out(job)).await;
            // A mistake is told once, and that it is mended.
            match done.unwrap_or_else(|error| Err(error.into())) {
                Ok(outcome) => {
                    due.note(job, tonight, outcome);
                    if failing.remove(job.path) {
                        tell!("Schedule: POST /api/{} works again.", job.path);
                    }
                }
                Err(error) => {
                    if failing.insert(job.path) {
                        tell!("Schedule: POST /api/{} failed: {error:#}", job.path);
                    }
                }
            }
        }
    }
}

/// The end of a job that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The provider has nothing of the kind: no receiver of webhooks, no card gateway.
    NotSet,
}

/// The jobs that are to be done, by what became of them before.
#[derive(Debug, Default)]
struct Due {
    /// The night when each of the nightly calls was made last. One that failed is due again the next minute,
    /// and so is one of a night when nothing ran.
    nights: BTreeMap<&'static str, Date>,
    /// Variables are read at the start. Until the next one these would be refused each minute, and fill the log.
    not_set: BTreeSet<&'static str>,
}

impl Due {
    fn is_due(&self, job: &Job, tonight: Date) -> bool {
        !self.not_set.contains(job.path)
            && (job.when == When::EachMinute || self.nights.get(job.path) != Some(&tonight))
    }

    fn note(&mut self, job: &Job, tonight: Date, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                self.nights.insert(job.path, tonight);
            }
            Outcome::NotSet => {
                self.not_set.insert(job.path);
            }
        }
    }
}

/// The night whose calls are due at this time, by its date.
fn night_of(now: Timestamp) -> Date {
    time::date(now - NIGHT)
}

impl Api {
    /// Those to the provider at this address, which is that of its door, or of `/api`.
    pub fn new(url: &str, token: String, tls: TlsConfig) -> Self {
        let url = url.trim_end_matches('/');
        Self {
            url: format!("{}/api", url.strip_suffix("/api").unwrap_or(url)),
            token,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(TIMEOUT))
                .tls_config(tls)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .build()
                .new_agent(),
        }
    }

    /// Makes the calls of each minute, or of each night, once. What one of them comes to does not keep the others
    /// from being made.
    pub fn make(&self, when: When) -> Vec<(&'static str, anyhow::Result<Outcome>)> {
        let jobs = JOBS.iter().filter(|job| job.when == when);
        jobs.map(|job| (job.path, self.carry_out(job))).collect()
    }

    fn carry_out(&self, job: &Job) -> anyhow::Result<Outcome> {
        if job.days_ago.is_empty() {
            return self.call(job, "");
        }
        let today = time::date(Timestamp::now());
        let days = job.days_ago.iter();
        for day in days.filter_map(|days| time::days_after(today, -days)) {
            if self.call(job, &format!("from={day}&to={day}&"))? == Outcome::NotSet {
                return Ok(Outcome::NotSet);
            }
        }
        Ok(Outcome::Done)
    }

    /// Calls until nothing is left.
    fn call(&self, job: &Job, query: &str) -> anyhow::Result<Outcome> {
        let mut body = None;
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let path = match &cursor {
                Some(cursor) => format!("{}?{query}cursor={cursor}", job.path),
                None => format!("{}?{query}", job.path)
                    .trim_end_matches(['?', '&'])
                    .to_owned(),
            };
            let (status, answer) = self.post(&path, body)?;
            match status {
                200 => {}
                404 => return Ok(Outcome::NotSet),
                409 if job.otherwise.is_none() => return Ok(Outcome::NotSet),
                409 if body.is_some() => return Ok(Outcome::Done),
                409 => {
                    body = job.otherwise;
                    continue;
                }
                _ => {
                    let detail = answer["detail"].as_str().unwrap_or_default();
                    bail!("HTTP {status} {detail}");
                }
            }
            match answer["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                // What is left is left to the next minute, or receivers that hang would hold up all else.
                None => return Ok(Outcome::Done),
            }
        }
        bail!("it does not come to an end")
    }

    fn post(&self, path: &str, body: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let request = self
            .agent
            .post(format!("{}/{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token));
        let sent = match body {
            Some(body) => request.content_type("application/json").send(body),
            None => request.send_empty(),
        };
        let mut response = sent?;
        let status = response.status().as_u16();
        let answer = response.body_mut().read_json();
        Ok((status, answer.context("the answer cannot be read")?))
    }
}

#[cfg(test)]
mod tests {
    use mpay_office::schedule::Every;

    use super::*;

    #[test]
    fn a_nightly_call_that_failed_is_due_until_it_is_made() {
        let [first, second] = ["2026-06-01", "2026-06-02"].map(|day| day.parse::<Date>().unwrap());
        let of = |when| JOBS.iter().find(|job| job.when == when).unwrap();
        let (minutely, nightly) = (of(When::EachMinute), of(When::EachNight));
        let mut due = Due::default();
        assert!(due.is_due(nightly, first), "a start makes up for it");
        assert!(due.is_due(nightly, first), "nothing was done");
        due.note(nightly, first, Outcome::Done);
        due.note(minutely, first, Outcome::Done);
        assert!(!due.is_due(nightly, first));
        assert!(due.is_due(minutely, first));
        assert!(due.is_due(nightly, second));
    }

    #[test]
    fn what_is_not_set_is_not_asked_for_again() {
        let night: Date = "2026-06-01".parse().unwrap();
        let mut due = Due::default();
        due.note(&JOBS[0], night, Outcome::NotSet);
        let left: Vec<_> = JOBS.iter().filter(|job| due.is_due(job, night)).collect();
        assert_eq!(left.len(), JOBS.len() - 1);
        assert!(left.iter().all(|job| job.path != JOBS[0].path));
    }

    #[test]
    fn the_office_shows_when_each_job_was_done() {
        let own = JOBS.map(|job| {
            let is_nightly = job.when == When::EachNight;
            (
                job.path,
                if is_nightly {
                    Every::Night
                } else {
                    Every::Minute
                },
            )
        });
        assert!(own.into_iter().eq(mpay_office::schedule::jobs()));
    }

    #[test]
    fn a_night_is_new_at_three_in_moldova() {
        let night = |time: &str| night_of(time.parse().unwrap()).to_string();
        assert_eq!(night("2026-06-01T23:59:59Z"), "2026-06-01");
        assert_eq!(night("2026-06-02T00:00:00Z"), "2026-06-02");
        assert_eq!(night("2026-06-02T23:59:59Z"), "2026-06-02");
        // In winter an hour later.
        assert_eq!(night("2026-12-01T00:59:59Z"), "2026-11-30");
        assert_eq!(night("2026-12-01T01:00:00Z"), "2026-12-01");
    }

    #[test]
    fn the_caller_is_one_more_in_access_and_does_not_show_its_token() {
        let caller = Caller::new();
        let access = caller.admitted("tester manager 00").unwrap();
        let (first, own) = access.split_once('\n').unwrap();
        assert_eq!(first, "tester manager 00");
        assert!(own.starts_with("mpay up program "), "{own}");
        assert!(!access.contains(&caller.token));
        assert!(!format!("{caller:?}").contains(&caller.token));
        assert_ne!(caller.token, Caller::new().token);
    }
}
