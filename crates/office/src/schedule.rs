//! The times of the calls that timers make. `mpay up` makes these calls itself. Elsewhere cron or a CronJob
//! should make them, and this module shows if nothing does.
//!
//! The note of a job (`note/ran-<path>`) is written after its call was answered. No decision depends on it, so
//! it does not matter which host writes it, or if a note is lost.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use mpay_door::log::{log, of_store};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    config::Config,
    domain::time,
    store::{Ledger, Platform, StoreError},
};

/// A note that is younger than this is not written again, so that more frequent calls cause no more writes.
const NOTE_EVERY: SignedDuration = SignedDuration::from_secs(50);

/// The job that is done by several calls.
const RECHECK: &str = "card-payments/recheck";

/// The interval of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Each minute.
    Minute,
    /// Each night.
    Night,
}

impl Every {
    /// The name of the interval in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Night => "night",
        }
    }

    /// The age of the latest call from which on a job is overdue. It leaves time for a restart or an upgrade of
    /// the host, and for a night that is an hour longer.
    fn at_most(self) -> SignedDuration {
        match self {
            Self::Minute => SignedDuration::from_mins(15),
            Self::Night => SignedDuration::from_hours(26),
        }
    }
}

/// A call that a timer should make.
struct Job {
    path: &'static str,
    every: Every,
    /// True if the configuration gives the job anything to do.
    is_expected: fn(&Config) -> bool,
}

/// All jobs, as docs/operate.md lists them under "Cron".
const JOBS: [Job; 4] = [
    Job {
        path: "outbox/deliver",
        every: Every::Minute,
        is_expected: |config| !config.notification.receivers.is_empty(),
    },
    Job {
        path: "card-payments/check",
        every: Every::Minute,
        is_expected: |config| config.cards.is_some(),
    },
    Job {
        path: RECHECK,
        every: Every::Night,
        is_expected: |config| config.cards.is_some(),
    },
    Job {
        path: "erasures",
        every: Every::Night,
        is_expected: |config| config.personal_data_retention.is_some(),
    },
];

/// The paths of the jobs below `/api/`, and their intervals. The jobs of `mpay up` are compared with them.
pub fn jobs() -> impl Iterator<Item = (&'static str, Every)> {
    JOBS.iter().map(|job| (job.path, job.every))
}

/// The latest call of a job that the configuration needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The path that the timer posts to, below `/api/`.
    pub path: &'static str,
    /// The interval of the job.
    pub every: Every,
    /// Time of the latest call; `None` if there was none.
    pub at: Option<Timestamp>,
}

impl Run {
    /// True if the latest call is too long ago, or if there was none.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.at
            .is_none_or(|at| now.duration_since(at) > self.every.at_most())
    }
}

fn name(path: &str) -> String {
    format!("ran-{path}")
}

/// The latest calls of the jobs that the configuration needs. It reads the store once; if no job is needed, it
/// does not read.
///
/// # Errors
/// [`StoreError`] if the store fails.
pub async fn runs<P: Platform>(config: &Config, store: &Ledger<P>) -> Result<Vec<Run>, StoreError> {
    let expected: Vec<_> = JOBS
        .iter()
        .filter(|job| (job.is_expected)(config))
        .collect();
    if expected.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = expected.iter().map(|job| name(job.path)).collect();
    let noted = store.notes().times(&names).await?;
    let runs = expected.iter().zip(noted).map(|(job, at)| Run {
        path: job.path,
        every: job.every,
        at,
    });
    Ok(runs.collect())
}

/// The member of an answer that tells whether the walk continues.
#[derive(Deserialize)]
struct GoesOn {
    next: Option<IgnoredAny>,
}

/// Notes that a job was done, judging by the endpoint, the query, the body and the answer of a call. The call is answered
/// already, so if the store fails, only the note is missing.
pub async fn note<P: Platform>(
    store: &Ledger<P>,
    path: &str,
    query: &str,
    body: &[u8],
    answer: &Response<Bytes>,
) {
    let Some(job) = JOBS.iter().find(|job| job.path == path) else {
        return;
    };
    // A body names the person or order to erase, so the call is not a timer's.
    if answer.status() != StatusCode::OK || !matches!(body.trim_ascii(), b"" | b"{}") {
        return;
    }
    // A job of each minute continues in the next minute. A nightly job that stops after its first page is not
    // done.
    let goes_on = serde_json::from_slice(answer.body()).is_ok_and(|GoesOn { next }| next.is_some());
    if job.every == Every::Night && goes_on {
        return;
    }
    // It is called for several days each night, for yesterday last.
    if path == RECHECK && !reaches_yesterday(query, store.now()) {
        return;
    }
    if let Err(error) = write(store, job).await {
        log!(
            "it could not be noted that {path} was called: {}",
            of_store(&error)
        );
    }
}

/// True if the span of days of a query ends yesterday or later, or is open.
fn reaches_yesterday(query: &str, now: Timestamp) -> bool {
    let to = query.split('&').find_map(|pair| pair.strip_prefix("to="));
    let yesterday = time::days_after(time::date(now), -1).map(|date| date.to_string());
    // The endpoint has read it: both are a year, a month and a day, of as many digits.
    to.is_none_or(|to| yesterday.is_none_or(|yesterday| to >= yesterday.as_str()))
}

async fn write<P: Platform>(store: &Ledger<P>, job: &Job) -> Result<(), StoreError> {
    let (notes, now, name) = (store.notes(), store.now(), name(job.path));
    // A damaged note is written again.
    let noted = notes.times(std::slice::from_ref(&name)).await?;
    let last = noted.into_iter().next().flatten();
    if last.is_some_and(|last| now.duration_since(last).abs() < NOTE_EVERY) {
        return Ok(());
    }
    notes.set(&name, &now).await
}

#[cfg(test)]
mod tests {
    use http::Request;
    use mpay_door::config::testing::variables;
    use mpay_ledger::{
        Platform as _,
        memory::{Fault, Memory},
    };

    use super::*;
    use crate::{App, service::handle};

    const ERASURES: &str = "erasures";
    const DELIVER: &str = "outbox/deliver";

    fn app() -> App {
        let mut variables = variables();
        for (name, value) in [
            ("personal_data_retention", "30"),
            (
                "webhooks",
                "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            ),
            ("webhook_origin", "https://erp.example.md"),
        ] {
            variables.set(name, value.to_owned());
        }
        App::new(variables)
    }

    async fn post(app: &App, memory: &Memory, path: &str, body: &str) -> u16 {
        let token = "0123456789012345678901234567890123456789";
        let request = Request::post(format!("/api/{path}"))
            .header("authorization", format!("Bearer {token}"))
            .body(body.to_owned());
        let store = Ledger::new(memory.clone());
        let answer = handle(app, &store, request.unwrap()).await;
        answer.status().as_u16()
    }

    async fn ran(app: &App, memory: &Memory, path: &str) -> Option<Timestamp> {
        let config = app.config.as_ref().unwrap();
        let runs = runs(config, &Ledger::new(memory.clone())).await.unwrap();
        let paths: Vec<_> = runs.iter().map(|run| run.path).collect();
        assert_eq!(paths, [DELIVER, ERASURES]);
        runs.iter().find(|run| run.path == path).unwrap().at
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_of_a_timer_is_noted_once_a_minute_and_overdue_a_while_later() {
        let (app, memory) = (app(), Memory::new());
        assert_eq!(ran(&app, &memory, DELIVER).await, None);
        let begun = memory.now();
        assert_eq!(post(&app, &memory, DELIVER, "").await, 200);
        assert_eq!(ran(&app, &memory, DELIVER).await, Some(begun));
        assert_eq!(ran(&app, &memory, ERASURES).await, None);
        tokio::time::sleep(std::time::Duration::from_secs(40)).await;
        post(&app, &memory, DELIVER, "").await;
        assert_eq!(ran(&app, &memory, DELIVER).await, Some(begun));
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        post(&app, &memory, DELIVER, "").await;
        assert_eq!(ran(&app, &memory, DELIVER).await, Some(memory.now()));
        // A time in the future came from a wrong clock.
        let ahead = memory.now() + SignedDuration::from_hours(9);
        let store = Ledger::new(memory.clone());
        store.notes().set(&name(DELIVER), &ahead).await.unwrap();
        post(&app, &memory, DELIVER, "").await;
        assert_eq!(ran(&app, &memory, DELIVER).await, Some(memory.now()));
    }

    #[test]
    fn a_job_is_overdue_by_how_often_it_is_to_be_done() {
        let at: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        for (every, minutes, is_overdue) in [
            (Every::Minute, 15, false),
            (Every::Minute, 16, true),
            (Every::Night, 26 * 60, false),
            (Every::Night, 26 * 60 + 1, true),
        ] {
            let run = Run {
                path: DELIVER,
                every,
                at: Some(at),
            };
            let now = at + SignedDuration::from_mins(minutes);
            assert_eq!(run.is_overdue(now), is_overdue, "{every:?} {minutes}");
            let never = Run { at: None, ..run };
            assert!(never.is_overdue(at));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_person_has_erased_and_a_night_that_is_not_over_are_no_calls_of_a_timer() {
        let (app, memory) = (app(), Memory::new());
        let of_one = r#"{"customer_id":"2000000000004"}"#;
        assert_eq!(post(&app, &memory, ERASURES, of_one).await, 200);
        assert_eq!(post(&app, &memory, "erasures?cursor=x", "").await, 400);
        assert_eq!(ran(&app, &memory, ERASURES).await, None);
        // A job in several parts is done with its last part.
        let store = Ledger::new(memory.clone());
        for (path, answer, is_noted) in [
            (ERASURES, r#"{"next":"7"}"#, false),
            (DELIVER, r#"{"next":"7"}"#, true),
            (ERASURES, r#"{"erased":[]}"#, true),
        ] {
            let answer = Response::new(Bytes::from_static(answer.as_bytes()));
            note(&store, path, "", b"", &answer).await;
            let at = ran(&app, &memory, path).await;
            assert_eq!(at.is_some(), is_noted, "{path} {answer:?}");
        }
        assert_eq!(post(&app, &memory, ERASURES, " {} ").await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn payments_by_card_are_asked_for_again_once_yesterdays_are() {
        let memory = Memory::new();
        let store = Ledger::new(memory.clone());
        let today = time::date(memory.now());
        let day = |ago: i64| time::days_after(today, -ago).unwrap();
        let answer = Response::new(Bytes::from_static(b"{}"));
        let names = [name(RECHECK)];
        for ago in [90, 30, 7, 2] {
            let query = format!("from={0}&to={0}", day(ago));
            note(&store, RECHECK, &query, b"", &answer).await;
            assert_eq!(store.notes().times(&names).await.unwrap(), [None], "{ago}");
        }
        for query in [format!("from={0}&to={0}&cursor=7", day(1)), String::new()] {
            let (memory, store) = {
                let memory = Memory::new();
                (memory.clone(), Ledger::new(memory))
            };
            note(&store, RECHECK, &query, b"", &answer).await;
            let noted = store.notes().times(&names).await.unwrap();
            assert_eq!(noted, [Some(memory.now())], "{query}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_costs_the_note_alone() {
        let (app, memory) = (app(), Memory::new());
        assert_eq!(post(&app, &memory, ERASURES, "").await, 200);
        let calls = memory.take_calls();
        let noted = calls.iter().position(|call| call.contains("ran-"));
        let before = noted.expect("it is noted");
        let memory = Memory::new();
        let mut faults = vec![Fault::None; before];
        faults.extend(vec![Fault::Fail; 9]);
        memory.script(faults);
        assert_eq!(post(&app, &memory, ERASURES, "").await, 200);
        memory.script([]);
        assert_eq!(ran(&app, &memory, ERASURES).await, None);
    }
}
