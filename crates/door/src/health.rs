//! Readiness and liveness of a door: can its calls be answered now, and what is wrong? Anybody may ask,
//! so the answer names variables and their mistakes, never their values, and costs little.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use mpay_ledger::{Ledger, Platform};
use serde::Serialize;

use crate::{
    Problem,
    app::{App, Configuration},
    clock::UNREMARKABLE,
    http::{json, must_read},
    log,
    probe::Probed,
};

/// The address of the liveness, which tells only that the process answers.
pub const LIVE: &str = "/health/live";

/// The states that [`ready`] reports.
pub const STATES: [&str; 5] = ["ok", "degraded", "paused", "unavailable", "misconfigured"];

/// The readiness warns of a probe of the store that took longer.
const SLOW: SignedDuration = SignedDuration::from_secs(1);

#[derive(Serialize)]
struct Health<'a> {
    status: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    /// The use of the variables as they are now: `current`, `last-good` or `none`.
    configuration: &'a str,
    /// The engine that computes RSA on this host: `fma`, or slower `integer` or `rsa`. Only where RSA is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    rsa_engine: Option<&'a str>,
    /// The mistakes, which must be mended.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [String],
    /// Warnings of mistakes to come.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

/// Answers [`LIVE`]. It needs neither variables nor store.
///
/// # Errors
/// A [`Problem`] for other methods than GET and HEAD.
pub fn live(method: &Method) -> Result<Response<Bytes>, Problem> {
    must_read(method)?;
    log::is_routine();
    Ok(json(StatusCode::OK, "{\"status\":\"live\"}"))
}

/// Answers for the readiness. 200 means that calls are answered, though perhaps something is wrong.
/// `skew` is the difference of clocks from which it is an error; `rsa_engine` names the engine that
/// computes RSA; `more` are warnings of the door's own.
///
/// # Errors
/// A [`Problem`] for other methods than GET and HEAD.
pub async fn ready<C: Configuration, P: Platform>(
    app: &App<C>,
    store: &Ledger<P>,
    method: &Method,
    skew: impl Fn(&C) -> Duration,
    rsa_engine: Option<&str>,
    more: Vec<String>,
) -> Result<Response<Bytes>, Problem> {
    must_read(method)?;
    log::is_routine();
    let paused = app.paused.get();
    let probed = app.probe.look(store, !paused).await;
    let now = store.now();
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let refused = app.refused.borrow();
    let (configuration, config) = match &app.config {
        Ok(config) => {
            errors.extend(config.off().iter().map(ToString::to_string));
            warnings = config.warnings(now);
            warnings.extend(more);
            let in_use = if refused.is_empty() {
                "current"
            } else {
                "last-good"
            };
            (in_use, Some(config))
        }
        Err(wrong) => {
            errors.extend(wrong.errors.iter().map(ToString::to_string));
            ("none", None)
        }
    };
    errors.extend(refused.iter().map(ToString::to_string));
    if let Err(fault) = probed.found {
        errors.push(format!("store: {fault}"));
    } else if probed.took > SLOW {
        warnings.push(format!("store: took {} s to answer", probed.took.as_secs()));
    }
    let allowed = config.and_then(|config| SignedDuration::try_from(skew(config)).ok());
    let allowed = allowed.unwrap_or(UNREMARKABLE);
    for (difference, from, what) in clocks(app, &probed, now, allowed) {
        if difference > from {
            let lines = if difference > allowed {
                &mut errors
            } else {
                &mut warnings
            };
            lines.push(what);
        }
    }
    let (status, text) = match (&app.config, &probed.found) {
        (Err(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "misconfigured"),
        // Calls are answered, whatever the state of the store: the answer is that they should come later.
        (Ok(_), _) if paused => (StatusCode::OK, "paused"),
        (Ok(_), Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        // Calls are answered, and must go on reaching this host.
        (Ok(_), Ok(_)) if !errors.is_empty() => (StatusCode::OK, "degraded"),
        (Ok(_), Ok(_)) => (StatusCode::OK, "ok"),
    };
    let health = Health {
        status: text,
        version: env!("CARGO_PKG_VERSION"),
        environment: config.map(|config| config.environment().as_str()),
        configuration,
        rsa_engine,
        errors: &errors,
        warnings: &warnings,
    };
    let text = serde_json::to_vec(&health).map_err(Problem::internal)?;
    Ok(json(status, text))
}

/// By how much this host's clock differs from others, from how much on that is worth a word, and
/// the words.
fn clocks<C: Configuration>(
    app: &App<C>,
    probed: &Probed,
    now: Timestamp,
    allowed: SignedDuration,
) -> Vec<(SignedDuration, SignedDuration, String)> {
    let mut clocks = Vec::new();
    if let Ok(Some(mark)) = probed.found {
        let behind = mark.behind(now);
        let text = format!(
            "clock: is {} s behind the newest time in the store; it was set back, or that of another host is ahead",
            behind.as_secs()
        );
        clocks.push((behind, UNREMARKABLE, text));
    }
    if let Some(ahead) = app.clock.ahead() {
        let seconds = ahead.as_secs().unsigned_abs();
        let text = if ahead.is_negative() {
            format!(
                "clock: is {seconds} s behind that of MPay, by the last message that MPay signed"
            )
        } else {
            format!(
                "clock: is {seconds} s ahead of that of MPay, by the last message that MPay signed; or that message was {seconds} s on its way"
            )
        };
        clocks.push((ahead.abs(), (allowed / 2).max(UNREMARKABLE), text));
    }
    clocks
}

#[cfg(test)]
mod tests {
    use mpay_ledger::memory::{Fault, Memory};
    use serde_json::Value;

    use super::*;
    use crate::{probe::Mark, testing::Plain};

    type App = crate::App<Plain>;

    async fn ask(app: &App, memory: &Memory) -> (u16, Value) {
        let store = Ledger::new(memory.clone());
        let answer = ready(
            app,
            &store,
            &Method::GET,
            |_| Duration::from_secs(120),
            None,
            Vec::new(),
        )
        .await
        .unwrap();
        let health: Value = serde_json::from_slice(answer.body()).unwrap();
        let state = health["status"].as_str().unwrap();
        assert!(STATES.contains(&state), "{state} is not in the list");
        (answer.status().as_u16(), health)
    }

    async fn wait(seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_read_once_a_second_and_written_once_in_ten() {
        let (app, memory) = (App::new(Plain::variables()), Memory::new());
        let (status, health) = ask(&app, &memory).await;
        assert_eq!((status, health["status"].as_str()), (200, Some("ok")));
        assert_eq!(memory.take_calls(), ["get probe", "set probe"]);
        ask(&app, &memory).await;
        assert_eq!(memory.take_calls(), [""; 0]);
        for _ in 0..9 {
            wait(1).await;
            ask(&app, &memory).await;
        }
        assert_eq!(memory.take_calls(), ["get probe"; 9]);
        // Another instance need not write either.
        let other = App::new(Plain::variables());
        ask(&other, &memory).await;
        assert_eq!(memory.take_calls(), ["get probe"]);
        wait(1).await;
        ask(&app, &memory).await;
        assert_eq!(memory.take_calls(), ["get probe", "set probe"]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_everything_is_stopped_nothing_is_written_and_what_is_wrong_is_told() {
        let mut variables = Plain::variables();
        variables.set("paused", "true".to_owned());
        let (app, memory) = (App::new(variables), Memory::new());
        let (status, health) = ask(&app, &memory).await;
        assert_eq!((status, health["status"].as_str()), (200, Some("paused")));
        assert_eq!(memory.take_calls(), ["get probe"]);
        wait(1).await;
        memory.script([Fault::Fail]);
        let (status, health) = ask(&app, &memory).await;
        assert_eq!((status, health["status"].as_str()), (200, Some("paused")));
        assert_eq!(health["errors"][0], "store: fails; the log says why");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_read_or_written_is_told() {
        for (faults, calls) in [
            (vec![Fault::Fail], 1),
            (vec![Fault::None, Fault::Fail], 2),
            (vec![Fault::Delay(Duration::from_secs(9))], 1),
            (vec![Fault::None, Fault::Delay(Duration::from_secs(9))], 2),
        ] {
            let silent = faults.iter().any(|fault| matches!(fault, Fault::Delay(_)));
            let (app, memory) = (App::new(Plain::variables()), Memory::new());
            memory.script(faults);
            let (status, health) = ask(&app, &memory).await;
            assert_eq!(
                (status, health["status"].as_str()),
                (503, Some("unavailable"))
            );
            let error = health["errors"][0].as_str().unwrap();
            let expected = if silent {
                "store: does not answer"
            } else {
                "store: fails"
            };
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(
                memory.take_calls().len(),
                calls,
                "nothing is tried again at once"
            );
            wait(11).await;
            assert_eq!(ask(&app, &memory).await.0, 200);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_fails_is_not_tried_again_for_ten_seconds() {
        let (app, memory) = (App::new(Plain::variables()), Memory::new());
        memory.script([Fault::None, Fault::Fail]);
        ask(&app, &memory).await;
        memory.take_calls();
        for _ in 0..9 {
            wait(1).await;
            assert_eq!(ask(&app, &memory).await.0, 503);
        }
        assert_eq!(memory.take_calls(), ["get probe"; 9]);
        wait(1).await;
        assert_eq!(ask(&app, &memory).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_slow_is_warned_of() {
        let (app, memory) = (App::new(Plain::variables()), Memory::new());
        let slow = Fault::Delay(Duration::from_millis(1900));
        memory.script([slow, slow]);
        let (status, health) = ask(&app, &memory).await;
        assert_eq!(status, 200);
        assert_eq!(health["warnings"][0], "store: took 3 s to answer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_behind_the_store_is_told_more_than_once() {
        let memory = Memory::new();
        let now = memory.now();
        for (ahead, status, member) in [
            (5, "ok", None),
            (60, "ok", Some("warnings")),
            (7200, "degraded", Some("errors")),
        ] {
            let mark = Mark::after(None, now + SignedDuration::from_secs(ahead));
            memory.overwrite("probe", serde_json::to_vec(&mark).unwrap());
            for _ in 0..3 {
                let (_, health) = ask(&App::new(Plain::variables()), &memory).await;
                assert_eq!(health["status"], status, "{ahead}: {health}");
                if let Some(member) = member {
                    let line = health[member][0].as_str().unwrap();
                    assert!(line.starts_with("clock: is "), "{line}");
                    assert!(line.contains("behind the newest time"), "{line}");
                } else {
                    assert_eq!(health["warnings"], Value::Null);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_difference_to_mpays_clock_is_told() {
        let (app, memory) = (App::new(Plain::variables()), Memory::new());
        let now = memory.now();
        for (seconds, member, words) in [
            (0, "", ""),
            (59, "", ""),
            (61, "warnings", "ahead of that of MPay"),
            (-61, "warnings", "behind that of MPay"),
            (3600, "errors", "is 3600 s ahead of that of MPay"),
            (-3600, "errors", "is 3600 s behind that of MPay"),
        ] {
            app.clock
                .note(now, now + SignedDuration::from_secs(seconds));
            let (status, health) = ask(&app, &memory).await;
            assert_eq!(status, 200, "its calls reach us, and may be right again");
            for list in ["errors", "warnings"] {
                let line = health[list][0].as_str().unwrap_or_default();
                if list == member {
                    assert!(line.contains(words), "{seconds}: {line}");
                } else {
                    assert_eq!(line, "", "{seconds}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_off_or_refused_degrades_and_what_is_missing_makes_unready() {
        let memory = Memory::new();
        let mut wrong = Plain::variables();
        wrong.set("webhook_url", "ftp://erp.example.md".to_owned());
        let (status, health) = ask(&App::new(wrong.clone()), &memory).await;
        assert_eq!((status, health["status"].as_str()), (200, Some("degraded")));
        assert_eq!(health["configuration"], "current");
        assert!(
            health["errors"][0]
                .as_str()
                .unwrap()
                .starts_with("variable webhook_url: ")
        );

        wrong.set("accept_sha1", "perhaps".to_owned());
        let wrong = App::new(wrong);
        let (status, health) = ask(&wrong, &memory).await;
        assert_eq!(
            (status, health["status"].as_str()),
            (503, Some("misconfigured"))
        );
        assert_eq!(health["configuration"], "none");

        let app = App::new(Plain::variables());
        app.refused.replace(wrong.config.unwrap_err().errors);
        let (status, health) = ask(&app, &memory).await;
        assert_eq!((status, health["status"].as_str()), (200, Some("degraded")));
        assert_eq!(health["configuration"], "last-good");
        assert_eq!(health["errors"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn liveness_is_answered_without_anything() {
        assert_eq!(live(&Method::HEAD).unwrap().status(), 200);
        assert!(live(&Method::POST).is_err());
    }
}
