//! A platform in memory for tests, whose calls can be delayed, failed, cut off and counted.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp};

use super::{Platform, PlatformError};

/// A fault that one call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call works.
    None,
    /// It works, this much later.
    Delay(Duration),
    /// It fails and has no effect.
    Fail,
    /// It has its effect, but its answer is lost.
    Drop,
    /// The caller is cut off before the call, as by SIGKILL: it never comes back.
    Cut,
    /// The caller is cut off after the call.
    CutAfter,
}

/// A store shared by its clones, with tokio's clock.
#[derive(Clone, Debug)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
    epoch: tokio::time::Instant,
}

/// The function that answers requests to the outside: a status and a body, or why there is none.
type Responder = Arc<dyn Fn(&Request<Bytes>) -> Reply + Send + Sync>;

/// A status and a body; or `not sent`, or why the answer was lost.
pub type Reply = Result<(u16, String), &'static str>;

/// The function that answers, as `Debug` shows it.
#[derive(Clone)]
struct Outside(Responder);

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

#[derive(Debug, Default)]
struct Shared {
    values: HashMap<String, Vec<u8>>,
    counters: HashMap<String, u64>,
    faults: VecDeque<Fault>,
    calls: Vec<String>,
    sent: Vec<Request<Bytes>>,
    replies: VecDeque<u16>,
    reply_body: Bytes,
    reply_delay: Duration,
    outside: Option<Outside>,
    replies_of: HashMap<String, VecDeque<(u16, String)>>,
    random: VecDeque<u64>,
    randoms: u64,
    clock: SignedDuration,
}

impl Memory {
    /// A store in use, which has its secret and nothing else, at a fixed time. It needs a runtime
    /// to be made in.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let memory = Self::empty();
        memory.lock().counters.insert("secret".to_owned(), 1);
        let key = "07".repeat(32);
        let secret = format!(r#"{{"v":1,"at":"2026-05-01T09:00:00Z","entry":{{"key":"{key}"}}}}"#);
        memory.overwrite("secret/1", secret.into_bytes());
        memory
    }

    /// A store that nobody has used.
    pub fn empty() -> Self {
        let epoch = tokio::time::Instant::now();
        Self {
            shared: Arc::default(),
            epoch,
        }
    }

    /// Sets the faults of the next calls, one each; later ones work.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults = faults.into_iter().collect();
    }

    /// Sets the function that answers requests to the outside whose answer is read.
    pub fn respond_with(
        &self,
        responder: impl Fn(&Request<Bytes>) -> Reply + Send + Sync + 'static,
    ) {
        self.lock().outside = Some(Outside(Arc::new(responder)));
    }

    /// Its answer; `None` where there is none.
    pub async fn reply_to(&self, request: &Request<Bytes>) -> Option<Reply> {
        tokio::task::yield_now().await;
        let delay = self.lock().reply_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let outside = self.lock().outside.clone()?;
        Some((outside.0)(request))
    }

    /// Sets the time that answers take.
    pub fn delay_replies(&self, by: Duration) {
        self.lock().reply_delay = by;
    }

    /// The body of the answers from outside.
    pub fn script_reply_body(&self, body: impl Into<Bytes>) {
        self.lock().reply_body = body.into();
    }

    /// That body.
    pub fn reply_body(&self) -> Bytes {
        self.lock().reply_body.clone()
    }

    /// The status of the next answers from outside, 0 for none; later ones are 200.
    pub fn script_replies(&self, replies: impl IntoIterator<Item = u16>) {
        self.lock().replies = replies.into_iter().collect();
    }

    /// The next answer of a host: its status, 0 for none, and `Retry-After`. It comes before those of
    /// [`script_replies`](Self::script_replies).
    pub fn script_reply_of(&self, host: &str, status: u16, retry_after: &str) {
        let mut shared = self.lock();
        let replies = shared.replies_of.entry(host.to_owned()).or_default();
        replies.push_back((status, retry_after.to_owned()));
    }

    /// The requests sent since the last time this was asked.
    pub fn take_sent(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.lock().sent)
    }

    /// The next random numbers; later ones count up.
    pub fn script_random(&self, numbers: impl IntoIterator<Item = u64>) {
        self.lock().random = numbers.into_iter().collect();
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// Changes a value behind everybody's back.
    pub fn overwrite(&self, key: &str, value: Vec<u8>) {
        self.lock().values.insert(key.to_owned(), value);
    }

    /// The number of keys that start with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        self.lock()
            .values
            .keys()
            .filter(|key| key.starts_with(prefix))
            .count()
    }

    /// The keys whose values hold a text.
    pub fn keys_with(&self, text: &str) -> Vec<String> {
        let holds = |value: &[u8]| {
            let mut windows = value.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        let shared = self.lock();
        let values = shared.values.iter().filter(|(_, value)| holds(value));
        values.map(|(key, _)| key.clone()).collect()
    }

    /// Steps the wall clock forwards, or backwards.
    pub fn step_clock(&self, by: SignedDuration) {
        self.lock().clock += by;
    }

    /// Forgets a value behind everybody's back.
    pub fn remove(&self, key: &str) {
        self.lock().values.remove(key);
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().values.get(key).cloned()
    }

    /// Takes a request to the outside, and gives what it is answered.
    ///
    /// # Errors
    /// If the test makes sending fail.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<()>, String> {
        tokio::task::yield_now().await;
        let mut shared = self.lock();
        let host = request.uri().host().unwrap_or_default().to_owned();
        shared.sent.push(request);
        let of_host = shared.replies_of.get_mut(&host);
        let of_host = of_host.and_then(VecDeque::pop_front);
        let (status, retry_after) = of_host.unwrap_or_else(|| {
            let status = shared.replies.pop_front().unwrap_or(200);
            (status, String::new())
        });
        let mut reply = Response::builder().status(status);
        if !retry_after.is_empty() {
            reply = reply.header(header::RETRY_AFTER, retry_after);
        }
        let reply = reply.body(());
        reply.map_err(|_| "The connection broke, as the test wants it.".to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    async fn call<T>(
        &self,
        name: String,
        effect: impl FnOnce(&mut Shared) -> T,
    ) -> Result<T, PlatformError> {
        // Give way, so that callers at the same time really mix.
        tokio::task::yield_now().await;
        let fault = {
            let mut shared = self.lock();
            shared.calls.push(name);
            shared.faults.pop_front().unwrap_or(Fault::None)
        };
        match fault {
            Fault::None => Ok(effect(&mut self.lock())),
            Fault::Delay(delay) => {
                tokio::time::sleep(delay).await;
                Ok(effect(&mut self.lock()))
            }
            Fault::Fail => Err(PlatformError::Failed("as the test wants it".into())),
            Fault::Drop => {
                effect(&mut self.lock());
                Err(PlatformError::Failed(
                    "answer lost, as the test wants it".into(),
                ))
            }
            Fault::Cut => std::future::pending().await,
            Fault::CutAfter => {
                effect(&mut self.lock());
                std::future::pending().await
            }
        }
    }
}

impl Platform for Memory {
    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        self.call(format!("get {}", keys.join(" ")), |shared| {
            keys.iter()
                .filter_map(|key| {
                    let counter = shared.counters.get(key).map(|n| n.to_le_bytes().to_vec());
                    let value = shared.values.get(key).cloned().or(counter)?;
                    Some((key.clone(), value))
                })
                .collect()
        })
        .await
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
        self.call(format!("set {}", keys.join(" ")), |shared| {
            shared.values.extend(entries.iter().cloned());
        })
        .await
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, PlatformError> {
        self.call(format!("increment {key}"), |shared| {
            let counter = shared.counters.entry(key.to_owned()).or_default();
            *counter += by;
            *counter
        })
        .await
    }

    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-06-01T09:00:00Z".parse().unwrap();
        start + self.epoch.elapsed() + self.lock().clock
    }

    fn monotonic(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn random(&self) -> u64 {
        let mut shared = self.lock();
        shared.randoms += 1;
        let next = shared.randoms;
        shared.random.pop_front().unwrap_or(next)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
