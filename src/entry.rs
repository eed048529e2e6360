//! The Spin entry point. With [`crate::store::spin`] the only code that names the SDK.

#[cfg(not(feature = "host-contract"))]
use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use http::Response;
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
    let app = app().await;
    let mut response = service::handle(&app, &Store::new(platform), request).await;
    if let Some(outcome) = response.extensions_mut().remove::<Outcome>()
        && app.notifies()
    {
        // Goes on after the answer has been sent.
        spin_sdk::wasip3::spawn(async move {
            notify::follow_up(&app, &Store::new(Spin::open()), outcome).await;
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

/// The application of the variables as they are now.
#[cfg(not(feature = "host-contract"))]
async fn app() -> Rc<App> {
    thread_local! {
        /// Keys and certificates are parsed once in an instance, not once a request.
        static APP: RefCell<Option<Rc<App>>> = const { RefCell::new(None) };
    }
    let mut current = Variables::default();
    for name in VARIABLES {
        match spin_sdk::variables::get(name).await {
            Ok(value) => current.set(name, value),
            Err(error) => log!("variable {name}: {error}"),
        }
    }
    if let Some(app) = APP.with_borrow(Clone::clone)
        && app.is_of(&current)
    {
        return app;
    }
    let app = Rc::new(App::new(current));
    match &app.config {
        Ok(config) => {
            for warning in config.warnings(jiff::Timestamp::now()) {
                log!("warning: {warning}");
            }
        }
        Err(wrong) => {
            for error in &wrong.errors {
                log!("configuration: {error}");
            }
        }
    }
    APP.set(Some(Rc::clone(&app)));
    app
}
