//! The Spin entry point. With [`crate::store::spin`] the only code that names the SDK.

#[cfg(not(feature = "store-contract"))]
use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use http::Response;
use spin_sdk::{
    http::{FullBody, IntoResponse, Request},
    http_service,
};

use crate::store::spin::Spin;
#[cfg(not(feature = "store-contract"))]
use crate::{
    app::App,
    config::{VARIABLES, Variables},
    log::log,
    service,
    store::Store,
};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    answer(Spin::open(), request).await.map(FullBody::new)
}

#[cfg(not(feature = "store-contract"))]
async fn answer(platform: Spin, request: Request) -> Response<Bytes> {
    let app = app().await;
    service::handle(&app, &Store::new(platform), request).await
}

/// In place of the service: the contract that the store needs its platform to keep.
#[cfg(feature = "store-contract")]
async fn answer(platform: Spin, _: Request) -> Response<Bytes> {
    match crate::store::contract::check(&platform, "contract").await {
        Ok(()) => Response::new(Bytes::from_static(b"kept")),
        Err(broken) => crate::api::Problem::internal(broken).into_response(),
    }
}

/// The application of the variables as they are now.
#[cfg(not(feature = "store-contract"))]
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
