//! `/api/orders/{service}/{key}/card-payments` and `/api/card-payments`: payments by card at the
//! institution's own gateway.
//!
//! `answer`: a payment as it is answered. `begin`, `read`, `command`, `timers`: the calls.

mod answer;
mod begin;
mod command;
mod read;
mod timers;

use cryptoprocessing::CustomerId;
use http::StatusCode;

use super::{Call, Problem};
use crate::{cards::Desk, domain::Money, store::Platform};
pub use begin::begin_endpoint;
pub use command::{cancel_endpoint, charge_endpoint, refund_endpoint};
pub use read::{get_endpoint, list_endpoint, of_order_endpoint};
pub use timers::{check_endpoint, recheck_endpoint};

/// The most characters of an address to return to.
const MAX_ADDRESS: usize = 2000;

/// The desk for payments by card; 404 if no gateway is configured.
pub(super) fn desk<'a, P: Platform>(call: &'a Call<'a, P>) -> Result<Desk<'a, P>, Problem> {
    if let Some(variable) = call.config.switched_off_cards() {
        return Err(Problem::switched_off("Payment by card", variable));
    }
    let cards = call.config.cards.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "No card gateway is configured: the variable card_gateway is not set.",
        )
    })?;
    Ok(Desk {
        app: call.app,
        config: call.config,
        cards,
        store: call.store,
    })
}

/// A customer of the Wallet, as callers name them.
pub(super) fn customer(id: &str) -> Result<CustomerId, String> {
    if id.trim() != id {
        return Err("must not begin or end with a space".to_owned());
    }
    CustomerId::parse(id).map_err(|error| error.to_string())
}

/// Checks the payer's IP address, if there is one.
pub(super) fn payer_ip(address: Option<&str>) -> Result<(), Problem> {
    match address.is_none_or(|address| address.parse::<std::net::IpAddr>().is_ok()) {
        true => Ok(()),
        false => Err(Problem::member("payer_ip", "must be an IP address")),
    }
}

/// The amount in the caller's document.
pub(super) fn money(text: Option<&str>) -> Result<Option<Money>, Problem> {
    let parsed = text.map(Money::parse).transpose();
    parsed.map_err(|error| Problem::member("amount", error))
}

/// Checks an address to which a browser may be sent. `plain` allows http.
pub(super) fn address(text: &str, plain: bool) -> Result<(), Problem> {
    let wrong = || {
        let detail = "must be an https address of 2000 characters at most, such as https://shop.example.md/done";
        Problem::member("return_url", detail)
    };
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let is_web = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => plain,
        _ => false,
    };
    let has_user = uri
        .authority()
        .is_none_or(|authority| authority.as_str().contains('@'));
    match is_web && !has_user && text.len() <= MAX_ADDRESS {
        true => Ok(()),
        false => Err(wrong()),
    }
}
