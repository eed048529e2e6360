//! The calls that elsewhere are cron's: `mpay up` makes them itself, by a token that nobody else has.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp, civil::Date};
use mpay_client::proxy_to;
use mpay_domain::time;
use mpay_office::access::{Principal, Role};
use rand::RngExt;
use serde_json::Value;
use tokio::task::{JoinHandle, JoinSet};
use ureq::tls::TlsConfig;

use crate::tell;

/// The name under which the books show what it did.
pub const NAME: &str = "mpay up";
/// So long after midnight in Moldova the nightly calls are made.
const NIGHT: SignedDuration = SignedDuration::from_hours(3);
/// A call may take as long as several receivers of webhooks do.
const TIMEOUT: Duration = Duration::from_secs(60);
const MINUTE: Duration = Duration::from_secs(60);
/// So long a start must have lasted before it walks through the books without knowing whether one before it has
/// done so this night.
const UNDISTURBED: SignedDuration = SignedDuration::from_mins(10);
/// The metric that tells when a job was last done.
const LAST_RUN: &str = "mpay_provider_schedule_last_run_timestamp_seconds";
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
    // What is not over at a card gateway.
    Job {
        path: "card-payments/check",
        when: When::EachMinute,
        otherwise: None,
        days_ago: &[],
    },
    // What was given back there without our knowledge. Yesterday comes last: the books note its call as the end of
    // all four.
    Job {
        path: "card-payments/recheck",
        when: When::EachNight,
        otherwise: None,
        days_ago: &[90, 30, 7, 1],
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
        self.start_by(url, MINUTE)
    }

    fn start_by(self, url: &str, minute: Duration) -> JoinHandle<()> {
        let api = Api::new(url, self.token, TlsConfig::default());
        tokio::spawn(run(api, minute))
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

/// Each job goes its own way: one that takes all night, or hangs, holds up no other. It is never made twice at
/// once.
async fn run(api: Api, minute: Duration) {
    let api = Arc::new(api);
    let begun = Timestamp::now();
    let mut jobs = JoinSet::new();
    for job in &JOBS {
        jobs.spawn(repeat(Arc::clone(&api), job, minute, begun));
    }
    while jobs.join_next().await.is_some() {}
}

async fn repeat(api: Arc<Api>, job: &'static Job, minute: Duration, begun: Timestamp) {
    let mut minute = tokio::time::interval(minute);
    minute.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut due = Due::new(job.when);
    let mut is_failing = false;
    loop {
        minute.tick().await;
        let now = Timestamp::now();
        let (api, is_known) = (Arc::clone(&api), due.is_known);
        if is_known && !due.is_due(now) {
            continue;
        }
        let done = tokio::task::spawn_blocking(move || match is_known {
            true => api.carry_out(job).map(Step::Done),
            false => api.last_run(job.path).map(Step::Learnt),
        });
        // A mistake is told once, and that it is mended.
        match done.await.unwrap_or_else(|error| Err(error.into())) {
            Ok(Step::Learnt(last)) => {
                if let Some(last) = last {
                    due.learn(last, begun);
                    // It may be due now.
                    minute.reset_immediately();
                }
            }
            Ok(Step::Done(outcome)) => {
                due.note(night_of(now), outcome);
                if std::mem::take(&mut is_failing) {
                    tell!("Schedule: POST /api/{} works again.", job.path);
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tell!("Schedule: POST /api/{} failed: {error:#}", job.path);
                }
            }
        }
    }
}

/// The result of one minute of a job.
enum Step {
    /// The last run before this start; `None` if the books cannot be read now.
    Learnt(Option<LastRun>),
    Done(Outcome),
}

/// The last run of a job by any caller, from the note in the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastRun {
    At(Timestamp),
    Never,
    /// The books keep no note of it, since the configuration gives it nothing to do by itself.
    NotNoted,
}

/// The end of a job that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The provider has nothing of the kind: no receiver of webhooks, no card gateway.
    NotSet,
}

/// The state by which a job is due or not.
#[derive(Debug)]
struct Due {
    when: When,
    /// True once it is known whether a start before this one has done it.
    is_known: bool,
    /// The night when it was made last. One that failed is due again the next minute, and so is one of a night
    /// when nothing ran.
    night: Option<Date>,
    /// It is not due before.
    from: Timestamp,
    /// Variables are read at the start. Until the next one it would be refused each minute, and fill the log.
    is_not_set: bool,
}

impl Due {
    fn new(when: When) -> Self {
        Self {
            when,
            // It costs little, and is made each minute in any case.
            is_known: when == When::EachMinute,
            night: None,
            from: Timestamp::MIN,
            is_not_set: false,
        }
    }

    /// Takes over what a start before this one has done. Where that is not noted, a start that does not last does
    /// not begin the walk anew.
    fn learn(&mut self, last: LastRun, begun: Timestamp) {
        self.is_known = true;
        match last {
            LastRun::At(at) => self.night = Some(night_of(at)),
            LastRun::Never => {}
            LastRun::NotNoted => self.from = begun + UNDISTURBED,
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let is_new = self.when == When::EachMinute || self.night != Some(night_of(now));
        is_new && !self.is_not_set && now >= self.from
    }

    fn note(&mut self, tonight: Date, outcome: Outcome) {
        match outcome {
            Outcome::Done => self.night = Some(tonight),
            Outcome::NotSet => self.is_not_set = true,
        }
    }
}

/// The night whose calls are due at this time, by its date.
fn night_of(now: Timestamp) -> Date {
    time::date(now - NIGHT)
}

impl Api {
    /// The calls to the provider at this address, which is that of its doors, or of `/api`.
    pub fn new(url: &str, token: String, tls: TlsConfig) -> Self {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/api").unwrap_or(url);
        Self {
            url: url.to_owned(),
            token,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(TIMEOUT))
                .tls_config(tls)
                .proxy(proxy_to(url))
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
        let mut outcome = Ok(Outcome::Done);
        for day in days.filter_map(|days| time::days_after(today, -days)) {
            // A failure of one day leaves out no other: this night is the only one that asks for these days.
            match self.call(job, &format!("from={day}&to={day}&")) {
                Ok(Outcome::NotSet) => return Ok(Outcome::NotSet),
                Err(error) if outcome.is_ok() => outcome = Err(error.context(format!("of {day}"))),
                Ok(Outcome::Done) | Err(_) => {}
            }
        }
        outcome
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
                // There is no card gateway. Every provider has the other calls: without them this is another address.
                404 if job.path.starts_with("card-payments/") => return Ok(Outcome::NotSet),
                409 if job.otherwise.is_none() => return Ok(Outcome::NotSet),
                409 if body.is_some() => return Ok(Outcome::Done),
                409 => {
                    body = job.otherwise;
                    continue;
                }
                _ => {
                    let detail = text_of(&answer, "detail").unwrap_or_default();
                    bail!("HTTP {status} {detail}");
                }
            }
            match text_of(&answer, "next") {
                Some(next) => cursor = Some(next.to_owned()),
                // What is left is left to the next minute, or receivers that hang would hold up all else.
                None => return Ok(Outcome::Done),
            }
        }
        bail!("it does not come to an end")
    }

    /// Reads the last run of a job from the books; `None` while they cannot be read.
    fn last_run(&self, path: &str) -> anyhow::Result<Option<LastRun>> {
        let mut response = self
            .agent
            .get(format!("{}/metrics", self.url))
            .header("Authorization", format!("Bearer {}", self.token))
            .call()?;
        match response.status().as_u16() {
            200 => Ok(last_run_in(&response.body_mut().read_to_string()?, path)),
            status => bail!("GET /metrics: HTTP {status}"),
        }
    }

    fn post(&self, path: &str, body: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let request = self
            .agent
            .post(format!("{}/api/{path}", self.url))
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

fn text_of<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer.get(name)?.as_str()
}

/// Finds the last run of a job in an answer with metrics; `None` if the books were not read for it.
fn last_run_in(metrics: &str, path: &str) -> Option<LastRun> {
    let has_books = metrics
        .lines()
        .any(|line| line == "mpay_provider_store_up 1");
    let label = format!("{{schedule=\"{path}\",");
    let line = metrics.lines().find_map(|line| {
        let rest = line.strip_prefix(LAST_RUN)?.strip_prefix(&label)?;
        rest.split_once("} ")
    });
    match line {
        _ if !has_books => None,
        None => Some(LastRun::NotNoted),
        Some((_, seconds)) => {
            let seconds: Option<i64> = seconds.trim().parse().ok().filter(|seconds| *seconds > 0);
            let at = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
            Some(at.map_or(LastRun::Never, LastRun::At))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        net::{TcpListener, TcpStream},
        sync::{Mutex, mpsc},
    };

    use mpay_office::schedule::Every;

    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn known(when: When, last: LastRun, begun: &str) -> Due {
        let mut due = Due::new(when);
        due.learn(last, at(begun));
        due
    }

    #[test]
    fn a_nightly_call_that_failed_is_due_until_it_is_made() {
        let [first, second] = ["2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z"];
        let mut nightly = known(When::EachNight, LastRun::Never, first);
        let mut minutely = Due::new(When::EachMinute);
        assert!(nightly.is_due(at(first)), "a start makes up for it");
        assert!(nightly.is_due(at(first)), "nothing was done");
        for due in [&mut nightly, &mut minutely] {
            due.note(night_of(at(first)), Outcome::Done);
        }
        assert!(!nightly.is_due(at(first)));
        assert!(minutely.is_due(at(first)));
        assert!(nightly.is_due(at(second)));
    }

    #[test]
    fn a_start_does_not_repeat_what_one_before_it_has_done_this_night() {
        // Three o'clock in Moldova is midnight by UTC.
        let last = LastRun::At(at("2026-06-01T00:10:00Z"));
        let due = known(When::EachNight, last, "2026-06-01T12:00:00Z");
        assert!(!due.is_due(at("2026-06-01T12:00:00Z")));
        assert!(due.is_due(at("2026-06-02T00:00:00Z")));
        let last = LastRun::At(at("2026-05-31T23:59:00Z"));
        let due = known(When::EachNight, last, "2026-06-01T12:00:00Z");
        assert!(due.is_due(at("2026-06-01T12:00:00Z")));
        // Nobody has noted it: a start that does not last does not begin it.
        let due = known(When::EachNight, LastRun::NotNoted, "2026-06-01T12:00:00Z");
        assert!(!due.is_due(at("2026-06-01T12:09:59Z")));
        assert!(due.is_due(at("2026-06-01T12:10:00Z")));
    }

    #[test]
    fn the_metrics_tell_when_a_job_was_done() {
        let sample = |path: &str, seconds: &str| {
            format!("{LAST_RUN}{{schedule=\"{path}\",every=\"night\"}} {seconds}\n")
        };
        let metrics = format!(
            "# TYPE {LAST_RUN} gauge\n{}{}mpay_provider_store_up 1\n",
            sample("erasures", "1780272600"),
            sample("card-payments/recheck", "0"),
        );
        let done = LastRun::At(at("2026-06-01T00:10:00Z"));
        assert_eq!(last_run_in(&metrics, "erasures"), Some(done));
        let recheck = last_run_in(&metrics, "card-payments/recheck");
        assert_eq!(recheck, Some(LastRun::Never));
        assert_eq!(last_run_in(&metrics, "x"), Some(LastRun::NotNoted));
        for unread in ["", "mpay_provider_store_up 0\n"] {
            assert_eq!(last_run_in(unread, "erasures"), None);
        }
    }

    #[test]
    fn what_is_not_set_is_not_asked_for_again() {
        let now = at("2026-06-01T12:00:00Z");
        let mut due = Due::new(When::EachMinute);
        due.note(night_of(now), Outcome::NotSet);
        assert!(!due.is_due(now));
    }

    /// Reads the head of a request, and gives its path.
    fn path_of(stream: &TcpStream) -> String {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        head[0].split(' ').nth(1).unwrap().to_owned()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_takes_long_holds_up_no_other_and_is_not_begun_twice() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::channel();
        let held = Arc::new(Mutex::new(Vec::new()));
        let holding = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let path = path_of(&stream);
                let (status, body) = match path.as_str() {
                    "/metrics" => (
                        "200 OK",
                        format!(
                            "{LAST_RUN}{{schedule=\"erasures\",every=\"night\"}} 0\nmpay_provider_store_up 1\n"
                        ),
                    ),
                    "/api/outbox/deliver" => ("200 OK", "{}".to_owned()),
                    "/api/erasures" => ("", String::new()),
                    _ => ("404 Not Found", "{}".to_owned()),
                };
                if sender.send(path).is_err() {
                    break;
                }
                if status.is_empty() {
                    // No answer.
                    holding.lock().unwrap().push(stream);
                    continue;
                }
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}", body.len());
                write!(&stream, "{head}\r\nConnection: close\r\n\r\n{body}").unwrap();
            }
        });
        let schedule = Caller::new().start_by(&url, Duration::from_millis(5));
        let (mut erasures, mut deliveries, mut all) = (0, 0, 0);
        let patience = Duration::from_secs(30);
        while erasures == 0 || deliveries < 20 {
            let path = asked
                .recv_timeout(patience)
                .expect("a job holds up another");
            all += 1;
            assert!(all < 10_000, "a job holds up another");
            erasures += usize::from(path == "/api/erasures");
            // Only those that come while the other is at work.
            deliveries += usize::from(path == "/api/outbox/deliver" && erasures > 0);
        }
        assert_eq!(erasures, 1);
        schedule.abort();
        // The call ends with its connection.
        held.lock().unwrap().clear();
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
