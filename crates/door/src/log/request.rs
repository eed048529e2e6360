//! The request that is being answered: the facts noted meanwhile, and its line at the end.

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::poll_fn,
    net::IpAddr,
    pin::pin,
    rc::Rc,
    time::Duration,
};

use http::{HeaderValue, Method, Response, StatusCode};
use mpay_ledger::{Ledger, Platform};

#[cfg(feature = "simulation")]
use super::write::CATCH;
use super::{
    line::{Answered, Field, Level, Line},
    trace::{Origin, REQUEST_ID, TRACEPARENT, TRACESTATE},
    write::emit,
};

thread_local! {
    static REQUEST: RefCell<Option<Rc<Request>>> = const { RefCell::new(None) };
}

/// Writes what went wrong, or is otherwise to be known. A log that fails is no reason to fail a
/// payment, so unlike `eprintln!` this never panics.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    let origin = REQUEST.with_borrow(|request| Some(request.as_ref()?.origin().clone()));
    emit(&Line {
        level,
        origin,
        message: message.to_string(),
        answered: None,
    });
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

    /// A trace of the work after a request has been answered.
    pub fn after(origin: Origin) -> Rc<Self> {
        Self::new(origin, None)
    }

    /// The origin of the request.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
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

    pub(super) fn set(&self, field: Field, value: String) {
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

/// The outcome of a request of which nothing more is said.
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

/// The request that is being answered is one of many alike: it has a line only if it fails.
pub fn is_routine() {
    REQUEST.with_borrow(|request| {
        if let Some(request) = request {
            request.quiet.set(true);
        }
    });
}

/// A mark among the extensions of a request: it goes to another party's system, which is told nothing of
/// where the request came from.
#[derive(Debug, Clone, Copy)]
pub struct Abroad;

/// Sends a request on with the trace of the one that is being answered, and to our own other door with
/// its id. One that goes [`Abroad`] goes without.
pub fn carry<B>(request: &mut http::Request<B>) {
    if request.extensions().get::<Abroad>().is_some() {
        return;
    }
    REQUEST.with_borrow(|current| {
        let Some(current) = current else {
            return;
        };
        let host = request.uri().host().unwrap_or_default();
        let id = host
            .ends_with(".spin.internal")
            .then_some(&current.origin().id);
        let trace = current.origin().traceparent.as_ref();
        let state = current.origin().tracestate.as_ref();
        for (name, value) in [(REQUEST_ID, id), (TRACEPARENT, trace), (TRACESTATE, state)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
    });
}
