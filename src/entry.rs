//! The Spin entry point. With [`crate::store::spin`] the only code that names the SDK.

#[cfg(not(feature = "host-contract"))]
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
#[cfg(not(feature = "host-contract"))]
use jiff::Timestamp;
use spin_sdk::{
    http::{FullBody, IntoResponse, Request},
    http_service,
};

use crate::store::spin::Spin;
#[cfg(not(feature = "host-contract"))]
use crate::{
    app::App,
    config::{VARIABLES, Variables},
    log::log,
    notify::{self, Outcome},
    service,
    store::Store,
};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    answer(Spin::open(), request).await.map(FullBody::new)
}

#[cfg(not(feature = "host-contract"))]
async fn answer(platform: Spin, request: Request) -> Response<Bytes> {
    let store = Store::new(platform);
    let app = app(store.now()).await;
    let store = store.sharing(&app.secret);
    let mut response = service::handle(&app, &store, request).await;
    if let Some(outcome) = response.extensions_mut().remove::<Outcome>()
        && app.notifies()
    {
        // Goes on after the answer has been sent.
        spin_sdk::wasip3::spawn(async move {
            let store = Store::new(Spin::open()).sharing(&app.secret);
            notify::follow_up(&app, &store, outcome).await;
        });
    }
    response
}

/// In place of the service: what the provider needs of its host. A header `fetch` names an address
/// to get; without it the platform's contract is checked.
#[cfg(feature = "host-contract")]
async fn answer(platform: Spin, request: Request) -> Response<Bytes> {
    let checked = match request.headers().get("fetch") {
        Some(address) => fetch(String::from_utf8_lossy(address.as_bytes()).as_ref()).await,
        None => crate::store::contract::check(&platform, "contract")
            .await
            .map(|()| Bytes::from_static(b"kept")),
    };
    checked.map_or_else(
        |broken| crate::api::Problem::internal(broken).into_response(),
        Response::new,
    )
}

#[cfg(feature = "host-contract")]
async fn fetch(address: &str) -> Result<Bytes, String> {
    let answer = spin_sdk::http::get(address)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let body = http_body_util::BodyExt::collect(answer.into_body()).await;
    body.map(|body| body.to_bytes())
        .map_err(|error| format!("{error:?}"))
}

/// How long variables are believed to be as they were read. Each is a call of the host, and some
/// hosts ask another service for it.
#[cfg(not(feature = "host-contract"))]
const FRESH: Duration = Duration::from_secs(1);

/// What is kept between the requests of an instance, so that keys and certificates are parsed once.
#[cfg(not(feature = "host-contract"))]
struct Kept {
    app: Rc<App>,
    /// When its variables were read.
    read: Instant,
}

/// The application of the variables as they are `now`, or were a moment ago.
#[cfg(not(feature = "host-contract"))]
async fn app(now: Timestamp) -> Rc<App> {
    thread_local! {
        static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
    }
    let read = Instant::now();
    let fresh = |kept: &Kept| read.saturating_duration_since(kept.read) < FRESH;
    if let Some(app) = KEPT.with_borrow(|kept| {
        let kept = kept.as_ref().filter(|kept| fresh(kept));
        kept.map(|kept| Rc::clone(&kept.app))
    }) {
        return app;
    }
    let mut current = Variables::default();
    for name in VARIABLES {
        match spin_sdk::variables::get(name).await {
            Ok(value) => current.set(name, value),
            Err(error) => log!("variable {name}: {error}"),
        }
    }
    let unchanged = KEPT.with_borrow_mut(|kept| {
        let kept = kept.as_mut().filter(|kept| kept.app.is_of(&current))?;
        kept.read = read;
        Some(Rc::clone(&kept.app))
    });
    if let Some(app) = unchanged {
        return app;
    }
    let app = Rc::new(App::new(current));
    match &app.config {
        Ok(config) => {
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
    let kept = Kept {
        app: Rc::clone(&app),
        read,
    };
    KEPT.set(Some(kept));
    app
}
