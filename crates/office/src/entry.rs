//! The Spin entry point.

use std::rc::Rc;

use mpay_door::{
    current::Current,
    http::TIME,
    spin::{self, Host, Spin},
};
use mpay_ledger::Ledger;
use spin_sdk::{
    http::{FullBody, IntoResponse, Request},
    http_service,
};

use crate::{config::Config, service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let late = Spin::timer(TIME);
    let store = Ledger::new(Spin::open().within(TIME));
    let app = current().app(&Host, store.now()).await;
    let store = store.sharing(&app.secret);
    let answer = service::handle_until(&app, &store, request, late).await;
    answer.map(FullBody::new)
}

/// The configuration that this instance keeps between requests.
fn current() -> Rc<Current<Config>> {
    thread_local! {
        static CURRENT: Rc<Current<Config>> = Rc::new(Current::new(spin::key()));
    }
    CURRENT.with(Rc::clone)
}
