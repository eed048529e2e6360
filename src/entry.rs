//! The Spin entry point. With [`crate::store::spin`] the only code that names the SDK.

#[cfg(not(feature = "host-contract"))]
use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use http::Response;
use spin_sdk::{
    http::{FullBody, IntoResponse, Request},
    http_service,
};
#[cfg(not(feature = "host-contract"))]
use spin_sdk::{
    variables,
    wasip3::{clocks::monotonic_clock, random::random::get_random_u64},
};

#[cfg(not(feature = "host-contract"))]
use crate::{
    config::Unread,
    current::{Current, Source},
    health,
    notify::{self, Outcome},
    store::Store,
};
use crate::{service, spin::Spin};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let platform = Spin::open().within(service::TIME);
    answer(platform, request).await.map(FullBody::new)
}

#[cfg(not(feature = "host-contract"))]
async fn answer(platform: Spin, request: Request) -> Response<Bytes> {
    let late = Spin::timer(service::TIME);
    let store = Store::new(platform);
    // Whether the process lives is not for the variables to say.
    if request.uri().path() == health::LIVE {
        return service::finish(request.method(), health::live(request.method()));
    }
    let app = current().app(&Host, store.now()).await;
    let store = store.sharing(&app.secret);
    let mut response = service::handle_until(&app, &store, request, late).await;
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

/// The variables of the host.
#[cfg(not(feature = "host-contract"))]
struct Host;

#[cfg(not(feature = "host-contract"))]
impl Source for Host {
    async fn get(&self, name: &'static str) -> Result<String, Unread> {
        variables::get(name).await.map_err(|error| match error {
            variables::Error::Undefined(_) => Unread::Undefined,
            error => Unread::Failed(format!("{error:?}")),
        })
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    async fn sleep(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        monotonic_clock::wait_for(nanoseconds).await;
    }
}

/// What this instance keeps.
#[cfg(not(feature = "host-contract"))]
fn current() -> Rc<Current> {
    thread_local! {
        static CURRENT: Rc<Current> =
            Rc::new(Current::new(std::array::from_fn(|_| get_random_u64())));
    }
    CURRENT.with(Rc::clone)
}
