//! The application of the variables as they are now: an instance's memory of the last good ones.
//!
//! Variables come one by one, and their source can fail, answer slowly, or change in the middle of a
//! reading. So a reading is believed only if a second one is equal to it, and it never replaces a good
//! configuration unless it is complete and valid:
//!
//! * with a good configuration in use, the second reading is the next one, a second later or more,
//!   which gives whoever changes several variables the time to do so; a third one follows it at once,
//!   since between the two the variables may have been changed back and forth;
//! * without one, it follows at once, since nothing can be answered meanwhile.

use std::{cell::RefCell, rc::Rc, time::Duration};

use jiff::Timestamp;
use mutation::{Mutation, mutated};

use crate::{
    app::{App, Configuration},
    config::{ConfigError, PAUSED, Unread, Variables, VariablesDigest, is_paused},
    limit::within,
    log::{self, log},
};

/// The time for which variables are believed to be as they were read. Each is a call of the host, and some
/// hosts ask another service for it.
const FRESH: Duration = Duration::from_secs(1);

/// The time for which a reading is waited for.
const LIMIT: Duration = Duration::from_secs(5);

/// The time for which nothing is read after a reading that took too long, with a good configuration in use:
/// a request waits for each.
const PAUSE: Duration = Duration::from_secs(30);

/// The number of times that variables are read until two readings are equal.
const READINGS: u32 = 3;

/// The source of variables.
#[allow(async_fn_in_trait)] // Used with static dispatch in one thread only.
pub trait Source {
    /// The value of a variable.
    async fn get(&self, name: &'static str) -> Result<String, Unread>;

    /// The time since some moment, by a clock that nobody sets.
    fn elapsed(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, duration: Duration);
}

/// The configuration that an instance keeps between requests, so that keys and certificates are parsed once.
#[derive(Debug)]
pub struct Current<C: Configuration> {
    /// Of the digests of variables: their texts are not kept.
    key: [u8; 64],
    kept: RefCell<Option<Kept<C>>>,
}

#[derive(Debug)]
struct Kept<C: Configuration> {
    app: Rc<App<C>>,
    digest: VariablesDigest,
    /// True if every variable had been read.
    whole: bool,
    /// Until when nothing is read: so no two readings begin within a second.
    believed: Duration,
    /// Other variables, that may come into use.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    digest: VariablesDigest,
    /// True if they were found wrong.
    refused: bool,
}

/// The action after a reading.
enum Judgement<C: Configuration> {
    /// This stays in use.
    Keep(Rc<App<C>>),
    /// Nothing better is in use than what is read, if it is read twice.
    ReadAgain,
    /// It was read twice.
    Take,
}

impl<C: Configuration> Kept<C> {
    /// True if it is better than variables of which some could not be read.
    fn is_good(&self) -> bool {
        self.whole && self.app.config.is_ok()
    }

    /// Keeps what is in use, and says why what was read is not.
    fn refuse(&self, errors: Vec<ConfigError>) {
        if *self.app.refused.borrow() == errors {
            return;
        }
        for error in &errors {
            log!("configuration: {error}; the last good configuration stays in use");
        }
        self.app.refused.replace(errors);
    }

    /// Stops and goes on at once, without waiting for the other variables.
    fn stop_or_go_on(&self, variables: &Variables) {
        let Some(paused) = is_paused(variables) else {
            return;
        };
        if self.app.paused.replace(paused) != paused {
            log_pause(paused);
        }
    }

    fn judge(&mut self, variables: &Variables, digest: VariablesDigest) -> Judgement<C> {
        self.stop_or_go_on(variables);
        let keep = Judgement::Keep(Rc::clone(&self.app));
        if digest == self.digest {
            self.next = None;
            if !self.app.refused.take().is_empty() {
                log!(info: "configuration: the variables are again those in use");
            }
            return keep;
        }
        if !self.is_good() {
            return Judgement::ReadAgain;
        }
        let unread: Vec<_> = ConfigError::of_unread(variables).collect();
        if !unread.is_empty() {
            // Two readings are equal in a row, or the one before says nothing of the time between.
            self.next = None;
            if *self.app.refused.borrow() != unread {
                log_reasons(variables);
            }
            self.refuse(unread);
            return keep;
        }
        match &self.next {
            Some(next) if next.digest == digest => {
                if next.refused {
                    keep
                } else {
                    Judgement::Take
                }
            }
            _ => {
                self.next = Some(Next {
                    digest,
                    refused: false,
                });
                keep
            }
        }
    }
}

impl<C: Configuration> Current<C> {
    /// Nothing yet; with a key that nobody can guess.
    pub fn new(random: [u64; 8]) -> Self {
        let mut key = [0; 64];
        for (part, random) in key.chunks_exact_mut(8).zip(random) {
            part.copy_from_slice(&random.to_le_bytes());
        }
        Self {
            key,
            kept: RefCell::default(),
        }
    }

    /// The application of the variables as they are `now`, or of the last good ones.
    pub async fn app(&self, source: &impl Source, now: Timestamp) -> Rc<App<C>> {
        let begun = source.elapsed();
        if let Some(app) = self.believed(begun) {
            return app;
        }
        let mut variables = read(C::VARIABLES, source).await;
        let mut digest = variables.digest(&self.key);
        let judgement = match self.kept.borrow_mut().as_mut() {
            Some(_) | None if mutated(Mutation::HalfConfiguration) => Judgement::Take,
            Some(kept) => kept.judge(&variables, digest),
            None => Judgement::ReadAgain,
        };
        let app = match judgement {
            Judgement::Keep(app) => app,
            Judgement::Take if mutated(Mutation::HalfConfiguration) => {
                self.take(begun, variables, digest, now)
            }
            Judgement::Take => {
                // Long after the first reading both may have met a change at the same variable.
                let again = read(C::VARIABLES, source).await.digest(&self.key);
                let changing = (again != digest).then(|| self.in_use()).flatten();
                changing.unwrap_or_else(|| self.take(begun, variables, digest, now))
            }
            Judgement::ReadAgain => {
                for reading in 2.. {
                    // Slowness was waited for; once is enough, as long as nothing is answered by it.
                    if is_slow(&variables) && C::read(&variables).is_err() {
                        break;
                    }
                    let mut again = read(C::VARIABLES, source).await;
                    let digest_again = again.digest(&self.key);
                    let equal = digest_again == digest;
                    if !equal && reading == READINGS {
                        for name in again.differing(&variables) {
                            again.set_unread(name, Unread::Changing);
                        }
                        digest = again.digest(&self.key);
                        variables = again;
                        break;
                    }
                    (variables, digest) = (again, digest_again);
                    if equal {
                        break;
                    }
                }
                self.take(begun, variables, digest, now)
            }
        };
        self.believe_from(begun, source.elapsed());
        app
    }

    /// The configuration in use; what was read begins anew.
    fn in_use(&self) -> Option<Rc<App<C>>> {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.as_mut()?;
        kept.next = None;
        Some(Rc::clone(&kept.app))
    }

    /// The configuration in use, if it was read a moment ago, or is being read by another request.
    fn believed(&self, now: Duration) -> Option<Rc<App<C>>> {
        let mut kept = self.kept.borrow_mut();
        let kept = kept.as_mut()?;
        if now < kept.believed {
            return Some(Rc::clone(&kept.app));
        }
        if kept.app.config.is_ok() {
            kept.believed = now + LIMIT;
        }
        None
    }

    fn believe_from(&self, begun: Duration, now: Duration) {
        if let Some(kept) = self.kept.borrow_mut().as_mut() {
            // Where nothing can be answered there is nothing to wait for.
            let slow = now.saturating_sub(begun) >= LIMIT && kept.app.config.is_ok();
            kept.believed = if slow { now + PAUSE } else { begun + FRESH };
        }
    }

    /// Puts variables into use, if they are right or nothing better is in use.
    fn take(
        &self,
        begun: Duration,
        variables: Variables,
        digest: VariablesDigest,
        now: Timestamp,
    ) -> Rc<App<C>> {
        let whole = variables.unread().next().is_none();
        log_reasons(&variables);
        let app = App::new(variables);
        let mut kept = self.kept.borrow_mut();
        if let Some(kept) = kept.as_mut() {
            if let (Ok(_), Err(wrong)) = (&kept.app.config, &app.config) {
                kept.refuse(wrong.errors.clone());
                if let Some(next) = &mut kept.next {
                    next.refused = true;
                }
                return Rc::clone(&kept.app);
            }
            app.clock.remember(&kept.app.clock);
        }
        log_state(&app, now);
        let app = Rc::new(app);
        *kept = Some(Kept {
            app: Rc::clone(&app),
            digest,
            whole,
            believed: begun + FRESH,
            next: None,
        });
        app
    }
}

/// Reads every variable, for as long as [`LIMIT`] says.
async fn read(names: &[&'static str], source: &impl Source) -> Variables {
    let variables = RefCell::new(Variables::default());
    let all = async {
        // A stop does not wait for the rest of the variables.
        let (first, rest): (Vec<_>, Vec<_>) = names.iter().partition(|name| **name == PAUSED);
        for &name in first.into_iter().chain(rest) {
            match source.get(name).await {
                Ok(value) => variables.borrow_mut().set(name, value),
                Err(_) if mutated(Mutation::HalfConfiguration) => {
                    variables.borrow_mut().set(name, String::new());
                }
                Err(reason) => variables.borrow_mut().set_unread(name, reason),
            }
        }
    };
    let done = within(source.sleep(LIMIT), all).await;
    let mut variables = variables.into_inner();
    if done.is_none() {
        for &name in names {
            if !variables.has(name) {
                variables.set_unread(name, Unread::TooSlow);
            }
        }
    }
    variables
}

fn is_slow(variables: &Variables) -> bool {
    let mut unread = variables.unread();
    unread.any(|(_, reason)| *reason == Unread::TooSlow)
}

/// Logs why the host could not read variables, in its own words: these are for the log alone.
fn log_reasons(variables: &Variables) {
    for (name, reason) in variables.unread() {
        if let Unread::Failed(reason) = reason {
            log!("variable {name}: the host says: {reason}");
        }
    }
}

fn log_pause(paused: bool) {
    match paused {
        true => log!("paused: every call is answered \"later\", and nothing is recorded"),
        false => log!(info: "no longer paused: calls are answered again"),
    }
}

fn log_state<C: Configuration>(app: &App<C>, now: Timestamp) {
    log::set_format(app.log_format);
    if app.paused.get() {
        log_pause(true);
    }
    match &app.config {
        Ok(config) => {
            for error in config.off() {
                log!("configuration: {error}; what it is for is switched off");
            }
            for warning in config.warnings(now) {
                log!("warning: {warning}");
            }
        }
        Err(wrong) => {
            for error in &wrong.errors {
                log!("configuration: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
        future::{pending, ready},
    };

    use super::*;
    use crate::{config::Environment, testing::Plain};

    type App = crate::App<Plain>;

    type Read = Result<String, Unread>;

    /// A host whose variables change, fail and hang as a test wants it.
    #[derive(Default)]
    struct Host {
        values: RefCell<BTreeMap<&'static str, Read>>,
        /// Changes that happen before a call, by its number.
        changes: RefCell<BTreeMap<u32, (&'static str, Read)>>,
        /// A variable that is waited for in vain.
        hangs: Cell<Option<&'static str>>,
        /// True if it is there at the next reading.
        hangs_once: Cell<bool>,
        calls: Cell<u32>,
        time: Cell<Duration>,
    }

    impl Source for Host {
        async fn get(&self, name: &'static str) -> Result<String, Unread> {
            if self.hangs.get() == Some(name) {
                if self.hangs_once.get() {
                    self.hangs.set(None);
                }
                return pending().await;
            }
            self.calls.set(self.calls.get() + 1);
            if let Some((name, value)) = self.changes.borrow_mut().remove(&self.calls.get()) {
                self.values.borrow_mut().insert(name, value);
            }
            let values = self.values.borrow();
            values.get(name).cloned().unwrap_or(Ok(String::new()))
        }

        fn elapsed(&self) -> Duration {
            self.time.get()
        }

        async fn sleep(&self, duration: Duration) {
            self.time.set(self.time.get() + duration);
            ready(()).await;
        }
    }

    impl Host {
        fn new() -> Self {
            let host = Self::default();
            let variables = Plain::variables();
            for name in Plain::VARIABLES {
                let value = variables.text(name).to_owned();
                host.values.borrow_mut().insert(name, Ok(value));
            }
            host
        }

        fn set(&self, name: &'static str, value: &str) {
            self.values.borrow_mut().insert(name, Ok(value.to_owned()));
        }

        fn fail(&self, name: &'static str, reason: Unread) {
            self.values.borrow_mut().insert(name, Err(reason));
        }

        fn wait(&self, seconds: u64) {
            self.time
                .set(self.time.get() + Duration::from_secs(seconds));
        }
    }

    /// A provider that is asked once a second or later.
    struct Asked {
        host: Host,
        current: Current<Plain>,
    }

    impl Asked {
        fn new(host: Host) -> Self {
            let current = Current::new([7; 8]);
            Self { host, current }
        }

        async fn now(&self) -> Rc<App> {
            self.current.app(&self.host, Timestamp::UNIX_EPOCH).await
        }

        async fn later(&self) -> Rc<App> {
            self.host.wait(1);
            self.now().await
        }
    }

    fn refused(app: &App) -> Vec<&'static str> {
        let refused = app.refused.borrow();
        refused.iter().map(|error| error.variable).collect()
    }

    fn accepts_sha1(app: &App) -> bool {
        app.config.as_ref().unwrap().accept_sha1
    }

    #[tokio::test]
    async fn unchanged_variables_are_parsed_once_and_read_once_a_second() {
        let asked = Asked::new(Host::new());
        let first = asked.now().await;
        let read = asked.host.calls.get();
        assert!(Rc::ptr_eq(&first, &asked.now().await));
        assert_eq!(asked.host.calls.get(), read);
        assert!(Rc::ptr_eq(&first, &asked.later().await));
        assert_eq!(asked.host.calls.get(), read + 14);
    }

    #[tokio::test]
    async fn a_variable_that_fails_once_leaves_the_last_good_configuration_in_use() {
        for reason in [
            Unread::Undefined,
            Unread::Failed("permission denied".into()),
        ] {
            for &name in Plain::VARIABLES {
                let host = Host::new();
                host.set("accept_sha1", "false");
                let asked = Asked::new(host);
                let good = asked.now().await;
                assert!(!accepts_sha1(&good));
                let value = asked.host.values.borrow()[name].clone();
                asked.host.fail(name, reason.clone());
                for _ in 0..3 {
                    let app = asked.later().await;
                    assert!(Rc::ptr_eq(&good, &app), "{name}");
                    assert_eq!(refused(&app), [name]);
                }
                asked.host.values.borrow_mut().insert(name, value);
                assert!(Rc::ptr_eq(&good, &asked.later().await));
                assert_eq!(refused(&good), [""; 0]);
            }
        }
    }

    #[tokio::test]
    async fn without_a_good_configuration_nothing_is_answered_until_all_that_is_needed_is_read() {
        let host = Host::new();
        host.fail("accept_sha1", Unread::Failed("busy".into()));
        host.fail("webhook_url", Unread::Failed("busy".into()));
        let asked = Asked::new(host);
        let wrong = asked.now().await;
        let errors = &wrong.config.as_ref().unwrap_err().errors;
        let named: Vec<_> = errors.iter().map(|error| error.variable).collect();
        assert_eq!(named, ["accept_sha1", "webhook_url"]);

        asked.host.set("accept_sha1", "false");
        let partly = asked.later().await;
        assert!(!accepts_sha1(&partly));
        let off = |app: &App| app.config.as_ref().unwrap().switched_off(&["webhook_url"]);
        assert_eq!(off(&partly), Some("webhook_url"));
        asked.host.set("webhook_url", "");
        let whole = asked.later().await;
        assert_eq!(off(&whole), None);
    }

    #[tokio::test]
    async fn other_variables_come_into_use_once_they_were_the_same_for_a_second() {
        let asked = Asked::new(Host::new());
        let old = asked.now().await;
        old.clock.note(Timestamp::MIN, Timestamp::MIN);
        asked.host.set("accept_sha1", "false");
        assert!(Rc::ptr_eq(&old, &asked.later().await));
        assert!(Rc::ptr_eq(&old, &asked.now().await));
        let new = asked.later().await;
        assert!(!accepts_sha1(&new));
        assert!(new.clock.ahead().is_some(), "it is the same clock");
        // A reading waits for changes that go on and on.
        for number in ["100", "101", "102"] {
            asked.host.set("lower", number);
            let app = asked.later().await;
            assert_eq!(app.config.as_ref().unwrap().range, 1..=9);
        }
    }

    #[tokio::test]
    async fn two_readings_that_meet_changes_at_the_same_variable_deceive_nobody() {
        let host = Host::new();
        host.set("lower", "1");
        host.set("upper", "100");
        let asked = Asked::new(host);
        let old = asked.now().await;
        for time_between in [1, 3600] {
            let host = &asked.host;
            host.set("lower", "1");
            host.set("upper", "100");
            // Both are set after the reading has passed by the one, and before the other.
            let read = host.calls.get();
            let set = |name, value: &str| (name, Ok(value.to_owned()));
            let changes = [
                (read + 9, set("lower", "150")),
                (read + 10, set("upper", "200")),
            ];
            host.changes.borrow_mut().extend(changes);
            host.wait(time_between);
            assert!(Rc::ptr_eq(&old, &asked.now().await), "{time_between}");
        }
        asked.later().await;
        let new = asked.later().await;
        assert_eq!(new.config.as_ref().unwrap().range, 150..=200);
    }

    #[tokio::test]
    async fn a_stop_comes_at_once_whatever_is_wrong_beside_it_and_so_does_its_end() {
        let asked = Asked::new(Host::new());
        let good = asked.now().await;
        assert!(!good.paused.get());
        asked.host.set("accept_sha1", "perhaps");
        for (value, paused) in [("true", true), ("false", false), ("ture", true)] {
            asked.host.set("paused", value);
            let app = asked.later().await;
            assert!(Rc::ptr_eq(&good, &app));
            assert_eq!(app.paused.get(), paused, "{value}");
        }
        // Where it cannot be read it stays as it is.
        asked.host.fail("paused", Unread::Failed("busy".into()));
        assert!(asked.later().await.paused.get());
        asked.host.set("paused", "");
        assert!(!asked.later().await.paused.get());
        asked.host.fail("paused", Unread::Failed("busy".into()));
        assert!(!asked.later().await.paused.get());
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_variable_that_does_not_come() {
        let asked = Asked::new(Host::new());
        assert!(!asked.now().await.paused.get());
        asked.host.hangs.set(Some("accept_sha1"));
        asked.host.set("paused", "true");
        assert!(asked.later().await.paused.get());
    }

    #[tokio::test]
    async fn who_never_read_whether_to_stop_stops() {
        for (value, paused) in [
            (Ok(""), false),
            (Ok(" false\n"), false),
            (Ok("true"), true),
            (Ok("yes"), true),
            (Err(Unread::Undefined), true),
        ] {
            let host = Host::new();
            let read = value.clone().map(str::to_owned);
            host.values.borrow_mut().insert("paused", read);
            let app = Asked::new(host).now().await;
            assert_eq!(app.paused.get(), paused, "{value:?}");
            let told = app.config.as_ref().unwrap().switched_off(&["paused"]);
            assert_eq!(told.is_some(), paused && value != Ok("true"), "{value:?}");
        }
    }

    #[tokio::test]
    async fn a_set_that_is_wrong_does_not_replace_a_good_one() {
        let asked = Asked::new(Host::new());
        let good = asked.now().await;
        // The lower end of a new range, whose upper end is not there yet.
        asked.host.set("lower", "100");
        for second in 0..5 {
            let app = asked.later().await;
            assert!(Rc::ptr_eq(&good, &app));
            let expected: &[&str] = if second == 0 { &[] } else { &["upper"] };
            assert_eq!(refused(&app), expected);
        }
        asked.host.set("upper", "200");
        asked.later().await;
        let new = asked.later().await;
        assert!(!Rc::ptr_eq(&good, &new));
        assert!(new.config.is_ok());
        assert_eq!(refused(&new), [""; 0]);
    }

    #[tokio::test]
    async fn a_first_reading_of_which_half_is_old_is_not_believed() {
        let host = Host::new();
        host.set("lower", "1");
        host.set("upper", "100");
        // Both are set after the first reading has passed by the one, and before the other.
        let set = |name| (name, Ok("50".to_owned()));
        let changes = [(9, set("lower")), (10, set("upper"))];
        host.changes.borrow_mut().extend(changes);
        let app = Asked::new(host).now().await;
        assert_eq!(app.config.as_ref().unwrap().range, 50..=50);
    }

    #[tokio::test]
    async fn nor_is_it_where_something_optional_answers_too_late() {
        for once in [true, false] {
            let host = Host::new();
            host.set("lower", "1");
            host.set("upper", "100");
            let set = |name| (name, Ok("50".to_owned()));
            let changes = [(9, set("lower")), (10, set("upper"))];
            host.changes.borrow_mut().extend(changes);
            host.hangs.set(Some("webhook_url"));
            host.hangs_once.set(once);
            let app = Asked::new(host).now().await;
            let config = app.config.as_ref().unwrap();
            assert_eq!(config.range, 50..=50);
            assert_eq!(config.off().is_empty(), once);
        }
    }

    #[tokio::test]
    async fn a_variable_that_changes_at_each_reading_is_named() {
        let host = Host::new();
        let set = |value: &str| ("accept_sha1", Ok(value.to_owned()));
        let all = u32::try_from(Plain::VARIABLES.len()).unwrap();
        let changes = [
            (2, set("true")),
            (2 + all, set("false")),
            (2 + 2 * all, set("true")),
        ];
        host.set("accept_sha1", "false");
        host.changes.borrow_mut().extend(changes);
        let asked = Asked::new(host);
        // false, true, false.
        let app = asked.now().await;
        let errors = &app.config.as_ref().unwrap_err().errors;
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].variable, "accept_sha1");
        assert!(errors[0].detail.contains("changed"), "{errors:?}");
        assert!(accepts_sha1(&asked.later().await.clone()));
    }

    #[tokio::test]
    async fn a_host_that_hangs_is_waited_for_once_in_half_a_minute() {
        let asked = Asked::new(Host::new());
        let good = asked.now().await;
        asked.host.hangs.set(Some("upper"));
        let before = asked.host.time.get();
        assert!(Rc::ptr_eq(&good, &asked.later().await));
        assert_eq!(
            asked.host.time.get() - before,
            LIMIT + Duration::from_secs(1)
        );
        assert!(refused(&good).contains(&"upper"));
        let waited = asked.host.time.get();
        asked.host.wait(29);
        assert!(Rc::ptr_eq(&good, &asked.now().await));
        assert_eq!(asked.host.time.get() - waited, Duration::from_secs(29));
        asked.host.hangs.set(None);
        asked.later().await;
        assert_eq!(refused(&good), [""; 0]);

        let host = Host::new();
        host.hangs.set(Some("upper"));
        let asked = Asked::new(host);
        assert!(asked.now().await.config.is_err());
        assert_eq!(asked.host.time.get(), LIMIT);
        asked.host.hangs.set(None);
        assert!(asked.later().await.config.is_ok());
    }

    #[tokio::test]
    async fn what_is_optional_fails_alone_when_it_is_changed_too() {
        let asked = Asked::new(Host::new());
        asked.now().await;
        asked.host.set("accept_sha1", "false");
        asked.host.set("webhook_url", "ftp://erp.example.md/");
        asked.later().await;
        let app = asked.later().await;
        assert!(!accepts_sha1(&app));
        let config = app.config.as_ref().unwrap();
        assert_eq!(config.switched_off(&["webhook_url"]), Some("webhook_url"));
        assert_eq!(config.environment(), Environment::Test);
    }

    #[tokio::test]
    async fn no_text_of_a_variable_is_kept() {
        let asked = Asked::new(Host::new());
        let app = asked.now().await;
        let shown = format!("{app:?} {:?}", asked.current);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
