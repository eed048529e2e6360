//! The Spin entry point.

#[cfg(not(feature = "host-contract"))]
use std::rc::Rc;

use bytes::Bytes;
use http::Response;
#[cfg(not(feature = "host-contract"))]
use mpay_door::{
    current::Current,
    health,
    http::finish,
    log::{self, Origin},
    spin::{self, Host},
};
use mpay_door::{http::TIME, spin::Spin};
#[cfg(not(feature = "host-contract"))]
use mpay_ledger::Ledger;
#[cfg(not(feature = "host-contract"))]
use mpay_notify::Outcome;
use spin_sdk::{
    http::{FullBody, IntoResponse, Request},
    http_service,
};

#[cfg(not(feature = "host-contract"))]
use crate::{config::Config, service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let platform = Spin::open().within(TIME);
    answer(platform, request).await.map(FullBody::new)
}

#[cfg(not(feature = "host-contract"))]
async fn answer(platform: Spin, request: Request) -> Response<Bytes> {
    let late = Spin::timer(TIME);
    let store = Ledger::new(platform);
    // Whether the process lives is not for the variables to say.
    if request.uri().path() == health::LIVE {
        return finish(request.method(), health::live(request.method()));
    }
    let app = current().app(&Host, store.now()).await;
    let store = store.sharing(&app.secret);
    let mut response = service::handle_until(&app, &store, request, late).await;
    let origin = response.extensions_mut().remove::<Origin>();
    if let Some(outcome) = response.extensions_mut().remove::<Outcome>()
        && let Some(origin) = origin
        && let Ok(config) = &app.config
        && !config.notification.receivers.is_empty()
    {
        let app = Rc::clone(&app);
        // Goes on after the answer has been sent.
        spin_sdk::wasip3::spawn(async move {
            let store = Ledger::new(Spin::open()).sharing(&app.secret);
            let follow_up = async {
                if let Ok(config) = &app.config
                    && let Some(notifier) = config.notifier(&app, &store)
                {
                    notifier.follow_up(outcome).await;
                }
            };
            log::Request::after(origin).during(follow_up).await;
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
        None => mpay_ledger::contract::check(&platform, "contract")
            .await
            .map(|()| Bytes::from_static(b"kept")),
    };
    checked.map_or_else(
        |broken| mpay_door::Problem::internal(broken).into_response(),
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

/// The state that this instance keeps between requests.
#[cfg(not(feature = "host-contract"))]
fn current() -> Rc<Current<Config>> {
    thread_local! {
        static CURRENT: Rc<Current<Config>> = Rc::new(Current::new(spin::key()));
    }
    CURRENT.with(Rc::clone)
}
