//! The log: lines on the standard error, which every Spin host keeps. One for each request, with what
//! is to be known of it, and one for each thing that went wrong on its way.
//!
//! What is logged is kept elsewhere, for long, and read by many: it names no person. An order's key can
//! be somebody's code, so that only its end is written.

use std::{
    cell::{Cell, RefCell},
    fmt::{self, Write as _},
    future::poll_fn,
    io::Write,
    net::IpAddr,
    pin::pin,
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use mpay_ledger::{Ledger, Platform, StoreError, domain::steers_display};

/// Longest message, in characters.
const MAX: usize = 2000;

/// The header with the id of a request.
pub const REQUEST_ID: &str = "x-request-id";

/// The header of W3C Trace Context with the trace that a request belongs to.
pub const TRACEPARENT: &str = "traceparent";

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people who look on.
    Text,
}

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody may have to look.
    Warn,
    /// Something of ours failed.
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What is said of a request, beside its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// What was asked for.
    Operation,
    /// The service that it was about.
    Service,
    /// The end of the order's key.
    Order,
    /// The PaymentID.
    Payment,
    /// The role of who called; their name is in the books.
    Role,
    /// What came of it, in a word.
    Verdict,
}

impl Field {
    fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Service => "service",
            Self::Order => "order",
            Self::Payment => "payment",
            Self::Role => "role",
            Self::Verdict => "verdict",
        }
    }
}

thread_local! {
    static FORMAT: Cell<Format> = const { Cell::new(Format::Json) };
    static REQUEST: RefCell<Option<Rc<Request>>> = const { RefCell::new(None) };
}

#[cfg(any(test, feature = "simulation", feature = "testing"))]
thread_local! {
    static CATCH: Cell<Option<fn(&Line)>> = const { Cell::new(None) };
}

/// From now on this thread's lines go to `catch` instead of the standard error.
#[cfg(any(test, feature = "simulation", feature = "testing"))]
pub fn catch(catch: fn(&Line)) {
    CATCH.set(Some(catch));
}

/// From now on this instance's lines are written so.
pub fn set_format(format: Format) {
    FORMAT.set(format);
}

/// Where a request came from: it goes on with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    id: String,
    traceparent: Option<String>,
}

impl Origin {
    /// The caller's id if it is a reasonable one, else one made of `random`.
    fn of(headers: &HeaderMap, random: impl FnOnce() -> u64) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text(REQUEST_ID).filter(|id| is_reasonable(id));
        let traceparent = text(TRACEPARENT).filter(|parent| trace_id(parent).is_some());
        Self {
            id: id.map_or_else(|| format!("{:016x}", random()), str::to_owned),
            traceparent: traceparent.map(str::to_owned),
        }
    }
}

/// An id that can neither steer what reads the log nor fill it.
fn is_reasonable(id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    (1..=64).contains(&id.len()) && id.bytes().all(is_safe)
}

/// The id of the trace (W3C Trace Context, section 3.2.2).
fn trace_id(traceparent: &str) -> Option<&str> {
    let is_hex = |text: &str, length: usize| {
        let mut digits = text.bytes();
        text.len() == length && digits.all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = traceparent.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let flags = parts.next()?;
    let is_one = version == "00" && parts.next().is_none();
    let some = |text: &str| text.bytes().any(|byte| byte != b'0');
    (is_one && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2))
        .then_some(trace)
        .filter(|trace| some(trace) && some(parent))
}

/// A request, while it is answered.
#[derive(Debug)]
pub struct Request {
    origin: Origin,
    client: Option<IpAddr>,
    fields: RefCell<Vec<(Field, String)>>,
    quiet: Cell<bool>,
}

impl Request {
    fn new(origin: Origin, client: Option<IpAddr>) -> Rc<Self> {
        Rc::new(Self {
            origin,
            client,
            fields: RefCell::default(),
            quiet: Cell::default(),
        })
    }

    /// What is done after a request has been answered.
    pub fn after(origin: Origin) -> Rc<Self> {
        Self::new(origin, None)
    }

    /// The lines that are written while `work` goes on are of this request.
    pub async fn during<T>(self: &Rc<Self>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let before = REQUEST.replace(Some(Rc::clone(self)));
            let polled = work.as_mut().poll(context);
            REQUEST.set(before);
            polled
        })
        .await
    }

    fn set(&self, field: Field, value: String) {
        let mut fields = self.fields.borrow_mut();
        match fields.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => *known = value,
            None => fields.push((field, value)),
        }
    }

    fn end(&self, method: &Method, response: &Response<bytes::Bytes>, took: Duration) {
        let status = response.status();
        let failed = status.is_client_error() || status.is_server_error();
        if self.quiet.get() && !failed {
            return;
        }
        let mut fields = self.fields.borrow().clone();
        if !fields.iter().any(|(known, _)| *known == Field::Operation) {
            fields.push((Field::Operation, known(method).to_owned()));
        }
        if !fields.iter().any(|(known, _)| *known == Field::Verdict) {
            fields.push((Field::Verdict, verdict(status).to_owned()));
        }
        fields.sort_by_key(|(field, _)| *field);
        // A fault of SOAP is always 500, whoever is to blame.
        let is_ours = fields.iter().any(|(field, value)| {
            *field == Field::Verdict && matches!(value.as_str(), "failed" | "InternalError")
        });
        let level = match (failed, is_ours) {
            (false, _) => Level::Info,
            (true, false) => Level::Warn,
            (true, true) => Level::Error,
        };
        emit(&Line {
            level,
            origin: Some(self.origin.clone()),
            message: String::new(),
            answered: Some(Answered {
                fields,
                status,
                milliseconds: took.as_millis(),
                client: self.client,
            }),
        });
    }
}

/// Answers a request, and writes its line. The answer tells the request's id, and has its [`Origin`]
/// among its extensions.
pub async fn answered<P: Platform, B>(
    store: &Ledger<P>,
    client: Option<IpAddr>,
    request: http::Request<B>,
    answer: impl AsyncFnOnce(http::Request<B>) -> Response<bytes::Bytes>,
) -> Response<bytes::Bytes> {
    let method = request.method().clone();
    let origin = Origin::of(request.headers(), || random(store));
    let current = Request::new(origin, client);
    let begun = store.platform().monotonic();
    let mut response = current.during(answer(request)).await;
    let took = store.platform().monotonic().saturating_sub(begun);
    current.end(&method, &response, took);
    if let Ok(id) = HeaderValue::from_str(&current.origin.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.extensions_mut().insert(current.origin.clone());
    response
}

fn random<P: Platform>(store: &Ledger<P>) -> u64 {
    // The numbers of a simulation are its own.
    #[cfg(feature = "simulation")]
    if CATCH.get().is_some() {
        return 0;
    }
    store.random()
}

/// A method as it is logged: one of a caller's own making can say anything.
pub fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// What came of a request of which nothing more is said.
fn verdict(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthenticated",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not-found",
        status if status.is_client_error() => "refused",
        status if status.is_server_error() => "failed",
        _ => "ok",
    }
}

/// Says something of the request that is being answered.
pub fn note(field: Field, value: impl fmt::Display) {
    REQUEST.with_borrow(|request| {
        if let Some(request) = request {
            request.set(field, value.to_string());
        }
    });
}

/// What of an order's key is logged: enough to find the right one of several, and too little to learn
/// a personal code from.
pub fn end_of_key(key: &str) -> String {
    let count = key.chars().count();
    let shown = if count < 8 { 0 } else { 4 };
    std::iter::once('…')
        .chain(key.chars().skip(count - shown))
        .collect()
}

/// What is logged of a failure of the store. An order's records are named by the order's key, of which the
/// end alone is logged; what a reader quotes of a record is left out.
pub fn of_store(error: &StoreError) -> String {
    const ORDERS: &str = "order/";
    let text = match error {
        StoreError::Corrupt { key, reason } => {
            let reason = reason.split(['"', '`']).next().unwrap_or_default();
            format!("the value of {key} cannot be read: {reason}")
        }
        error => error.to_string(),
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, named)) = rest.split_once(ORDERS) {
        let (service, named) = named.split_once('/').unwrap_or(("", named));
        let end = named.find(['/', ';', ' ']).unwrap_or(named.len());
        let (key, behind) = named.split_at(end);
        shown.push_str(before);
        shown.push_str(&format!("{ORDERS}{service}/{}", end_of_key(key)));
        rest = behind;
    }
    shown + rest
}

/// The request that is being answered is one of many alike: it has a line only if it fails.
pub fn is_routine() {
    REQUEST.with_borrow(|request| {
        if let Some(request) = request {
            request.quiet.set(true);
        }
    });
}

/// Sends a request on with the trace of the one that is being answered, and to our own other door with
/// its id.
pub fn carry<B>(request: &mut http::Request<B>) {
    REQUEST.with_borrow(|current| {
        let Some(current) = current else {
            return;
        };
        let host = request.uri().host().unwrap_or_default();
        let id = host
            .ends_with(".spin.internal")
            .then_some(&current.origin.id);
        let trace = current.origin.traceparent.as_ref();
        for (name, value) in [(REQUEST_ID, id), (TRACEPARENT, trace)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
    });
}

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    level: Level,
    origin: Option<Origin>,
    message: String,
    answered: Option<Answered>,
}

/// What the line of a request has.
#[derive(Debug)]
struct Answered {
    fields: Vec<(Field, String)>,
    status: StatusCode,
    milliseconds: u128,
    client: Option<IpAddr>,
}

impl Line {
    /// What went wrong; `None` for the line of a request.
    pub fn message(&self) -> Option<&str> {
        self.answered.is_none().then_some(self.message.as_str())
    }

    /// As one JSON object, at a time.
    pub fn json(&self, time: Timestamp) -> String {
        let mut line = format!(r#"{{"time":"{time:.3}","level":"{}""#, self.level.as_str());
        if let Some(origin) = &self.origin {
            member(&mut line, "request_id", &origin.id);
            let trace = origin.traceparent.as_deref().and_then(trace_id);
            if let Some(trace) = trace {
                member(&mut line, "trace_id", trace);
            }
        }
        match &self.answered {
            None => member(&mut line, "message", &self.message),
            Some(answered) => {
                member(&mut line, "message", "request");
                for (field, value) in &answered.fields {
                    member(&mut line, field.as_str(), value);
                }
                let (status, took) = (answered.status.as_u16(), answered.milliseconds);
                // Writing into a text does not fail.
                let _ = write!(line, r#","status":{status},"milliseconds":{took}"#);
                if let Some(client) = &answered.client {
                    member(&mut line, "client", &client.to_string());
                }
            }
        }
        line.push('}');
        line
    }

    /// For people: what went wrong as it is, and of a request its facts with commas between.
    pub fn text(&self) -> String {
        let Some(answered) = &self.answered else {
            return escaped(&self.message);
        };
        let of = |field: Field| {
            let mut fields = answered.fields.iter();
            fields.find_map(|(known, value)| (*known == field).then_some(value.as_str()))
        };
        let mut text = format!(
            "{}: {} ({}), {} ms",
            of(Field::Operation).unwrap_or_default(),
            of(Field::Verdict).unwrap_or_default(),
            answered.status.as_u16(),
            answered.milliseconds
        );
        for field in [Field::Service, Field::Order, Field::Payment, Field::Role] {
            if let Some(value) = of(field) {
                let _ = write!(text, ", {} {value}", field.as_str());
            }
        }
        if let Some(client) = &answered.client {
            let _ = write!(text, ", from {client}");
        }
        escaped(&text)
    }
}

fn member(line: &mut String, name: &str, value: &str) {
    let _ = write!(line, r#","{name}":""#);
    for c in value.chars().take(MAX) {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if steers_display(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
            c => line.push(c),
        }
    }
    line.push('"');
}

/// What comes from outside can neither begin a line of its own nor steer a terminal.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars().take(MAX) {
        match steers_display(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Writes what went wrong, or is otherwise to be known. A log that fails is no reason to fail a
/// payment, so unlike `eprintln!` this never panics.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    let origin = REQUEST.with_borrow(|request| Some(request.as_ref()?.origin.clone()));
    emit(&Line {
        level,
        origin,
        message: message.to_string(),
        answered: None,
    });
}

fn emit(line: &Line) {
    #[cfg(any(test, feature = "simulation", feature = "testing"))]
    if let Some(catch) = CATCH.get() {
        return catch(line);
    }
    let mut text = match FORMAT.get() {
        Format::Json => line.json(now()),
        Format::Text => line.text(),
    };
    text.push('\n');
    // At once: each write is a call of the host.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.as_millis());
    let time = i64::try_from(milliseconds).map(Timestamp::from_millisecond);
    time.ok().and_then(Result::ok).unwrap_or(Timestamp::MAX)
}

/// Writes a line to the log, with the arguments of `format!`: a warning, or with `info:` or `error:`
/// before them something less or more grave.
#[macro_export]
#[doc(hidden)]
macro_rules! __log {
    (info: $($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Info, format_args!($($argument)*))
    };
    (error: $($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Error, format_args!($($argument)*))
    };
    ($($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Warn, format_args!($($argument)*))
    };
}
pub use __log as log;

#[cfg(test)]
mod tests {
    use mpay_ledger::memory::Memory;
    use serde_json::{Value, json};

    use super::*;
    use crate::clients;

    thread_local! {
        static LINES: RefCell<Vec<(Value, String)>> = const { RefCell::new(Vec::new()) };
    }

    /// The lines since the last call, as JSON without their times and as texts.
    fn take_lines() -> Vec<(Value, String)> {
        catch(|line| {
            let json = line.json(Timestamp::UNIX_EPOCH);
            let mut json: Value = serde_json::from_str(&json).expect(&json);
            let time = json.as_object_mut().unwrap().remove("time").unwrap();
            assert_eq!(time, "1970-01-01T00:00:00.000Z");
            LINES.with_borrow_mut(|lines| lines.push((json, line.text())));
        });
        LINES.take()
    }

    async fn answer(
        headers: &[(&str, &str)],
        status: u16,
        notes: impl Fn(),
    ) -> (Response<bytes::Bytes>, Vec<(Value, String)>) {
        take_lines();
        let store = Ledger::new(Memory::new());
        let mut request = http::Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let client = clients::peer(request.headers());
        let response = answered(&store, client, request, async |_| {
            store.platform().sleep(Duration::from_millis(12)).await;
            notes();
            let mut response = Response::new(bytes::Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        });
        (response.await, take_lines())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_one_line_and_what_goes_wrong_in_it_has_its_id() {
        let headers = [
            ("x-request-id", "shop-17"),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            ("spin-client-addr", "10.9.9.9:1"),
            ("spin-client-addr", "[::ffff:192.0.2.7]:4711"),
        ];
        let (response, lines) = answer(&headers, 500, || {
            note(Field::Verdict, "UnknownOrder");
            note(Field::Order, end_of_key("2004001234567"));
            note(Field::Operation, "GetOrderDetails");
            log!("no \"luck\" \\ \u{1b}[31m\n{}", "\u{202e}ș");
        })
        .await;
        assert_eq!(response.headers()["x-request-id"], "shop-17");
        let [(event, event_text), (request, text)] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            *event,
            json!({
                "level": "warn", "request_id": "shop-17", "trace_id": trace,
                "message": "no \"luck\" \\ \u{1b}[31m\n\u{202e}ș"
            })
        );
        assert_eq!(event_text, "no \"luck\" \\ \\u{1b}[31m\\n\\u{202e}ș");
        assert_eq!(
            *request,
            json!({
                "level": "warn", "request_id": "shop-17", "trace_id": trace, "message": "request",
                "operation": "GetOrderDetails", "order": "…4567", "verdict": "UnknownOrder",
                "status": 500, "milliseconds": 12, "client": "192.0.2.7"
            })
        );
        assert_eq!(
            text,
            "GetOrderDetails: UnknownOrder (500), 12 ms, order …4567, from 192.0.2.7"
        );
        // Afterwards nobody's request is at work.
        log!("x");
        assert_eq!(take_lines()[0].0.get("request_id"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_one_instance_at_once_keep_apart() {
        take_lines();
        let one = |id: &str, milliseconds| {
            let request = Request::after(Origin {
                id: id.to_owned(),
                traceparent: None,
            });
            async move {
                request
                    .during(async {
                        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                        log!("{milliseconds}");
                    })
                    .await;
            }
        };
        tokio::join!(one("a", 20), one("b", 10));
        let lines = take_lines();
        let seen: Vec<_> = lines
            .iter()
            .map(|(line, _)| line["request_id"].as_str())
            .collect();
        assert_eq!(seen, [Some("b"), Some("a")]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_reasonable_id_is_taken_over_and_another_is_made() {
        let long = "x".repeat(65);
        for given in ["", "two words", "a\"b", "{}", "ș", "ion@example.md", &long] {
            let Ok(value) = HeaderValue::from_bytes(given.as_bytes()) else {
                continue;
            };
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, value);
            assert_eq!(
                Origin::of(&headers, || 0xab).id,
                "00000000000000ab",
                "{given}"
            );
        }
        let (response, lines) = answer(&[], 200, || {}).await;
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!((id.len(), &lines[0].0["request_id"]), (16, &json!(id)));
    }

    #[test]
    fn a_trace_is_that_of_the_specification() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let good = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&good), Some(trace));
        for wrong in [
            "",
            "00",
            &good[1..],
            &format!("{good}-x"),
            &good.to_uppercase(),
            &good.replace("00-4", "ff-4"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{trace}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_all_the_time_has_a_line_only_if_it_fails() {
        for (status, lines) in [(200, 0), (503, 1), (404, 1)] {
            assert_eq!(answer(&[], status, is_routine).await.1.len(), lines);
        }
        for (status, verdict, level) in [
            (200, "ok", "info"),
            (303, "ok", "info"),
            (401, "unauthenticated", "warn"),
            (403, "forbidden", "warn"),
            (404, "not-found", "warn"),
            (422, "refused", "warn"),
            (503, "failed", "error"),
        ] {
            let (_, lines) = answer(&[], status, || {}).await;
            let (line, _) = &lines[0];
            assert_eq!(
                (&line["verdict"], &line["level"]),
                (&json!(verdict), &json!(level)),
                "{status}"
            );
            assert_eq!(line["operation"], "POST");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_from_a_request_carries_its_trace_and_only_at_home_its_id() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let origin = Origin {
            id: "shop-17".to_owned(),
            traceparent: Some(parent.to_owned()),
        };
        let sent = async |address: &str| {
            let mut request = http::Request::post(address).body(()).unwrap();
            let current = Request::after(origin.clone());
            current.during(async { carry(&mut request) }).await;
            request.headers().clone()
        };
        let own = sent("http://mpay-office.spin.internal/ask/TAX/1").await;
        assert_eq!(
            (&own["x-request-id"], &own["traceparent"]),
            (
                &HeaderValue::from_static("shop-17"),
                &HeaderValue::from_static(parent)
            )
        );
        let other = sent("https://erp.example.md/hook").await;
        assert_eq!(other.get("x-request-id"), None);
        assert_eq!(other["traceparent"], parent);
        let mut alone = http::Request::post("https://x.md/").body(()).unwrap();
        carry(&mut alone);
        assert!(alone.headers().is_empty());
    }

    #[test]
    fn of_a_key_only_the_end_is_shown_and_of_a_short_one_nothing() {
        for (key, shown) in [
            ("2004001234567", "…4567"),
            ("AC-77", "…"),
            ("", "…"),
            ("Ștefan-Vodă", "…Vodă"),
        ] {
            assert_eq!(end_of_key(key), shown);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let line = Line {
            level: Level::Warn,
            origin: None,
            message: "\"".repeat(5000),
            answered: None,
        };
        assert_eq!(line.text().len(), MAX);
        let json: Value = serde_json::from_str(&line.json(Timestamp::MAX)).unwrap();
        assert_eq!(json["message"].as_str().unwrap().len(), MAX);
    }

    #[test]
    fn a_failure_of_the_store_names_no_order_and_quotes_nothing() {
        let corrupt = |key: &str, reason: &str| StoreError::Corrupt {
            key: key.to_owned(),
            reason: reason.to_owned(),
        };
        for (error, shown) in [
            (
                StoreError::Contested("order/TAX/2004001234567".to_owned()),
                "others are at the same place of order/TAX/…4567; try again",
            ),
            (
                corrupt(
                    "order/TAX/2004001234567/3",
                    "invalid type: string \"Ana\", expected 1",
                ),
                "the value of order/TAX/…4567/3 cannot be read: invalid type: string ",
            ),
            (
                corrupt(
                    "contest/order/TAX/2004001234567/0/1/accepted",
                    "it is missing",
                ),
                "the value of contest/order/TAX/…4567/0/1/accepted cannot be read: it is missing",
            ),
            (
                corrupt("done/P-1", "it is missing"),
                "the value of done/P-1 cannot be read: it is missing",
            ),
        ] {
            assert_eq!(of_store(&error), shown);
        }
    }
}
