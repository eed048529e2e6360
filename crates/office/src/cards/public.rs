//! The two addresses of payments by card that need no token: the one to which payers return, and the one to
//! which the gateway posts notifications. Both only make this provider ask for the state; nothing else in them
//! is believed.

use bytes::Bytes;
use cryptoprocessing::Notification;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body::Body;
use mpay_door::http::{BoxError, read};
use serde_json::json;

use super::{Desk, observe::Looked};
use crate::{
    App,
    api::Problem,
    config::Config,
    domain::PaymentId,
    store::{Ledger, Platform},
};

/// Beginning of the paths of both addresses.
pub const PUBLIC: &str = "/cards/";

/// Answers a request at one of them.
///
/// # Errors
/// A [`Problem`]; 404 if no gateway is configured, 503 while a mistake switches it off.
pub async fn answer<P: Platform>(
    app: &App,
    store: &Ledger<P>,
    parts: &Parts,
    body: impl Body<Error: Into<BoxError>>,
) -> Result<Response<Bytes>, Problem> {
    let config = app.config.as_ref().ok();
    if let Some(variable) = config.and_then(Config::switched_off_cards) {
        return Err(Problem::switched_off("Payment by card", variable));
    }
    let cards = config.and_then(|config| Some((config, config.cards.as_ref()?)));
    let (config, cards) = cards.ok_or_else(Problem::nothing_here)?;
    let desk = Desk {
        app,
        config,
        cards,
        store,
    };
    let path = parts.uri.path().strip_prefix(PUBLIC).unwrap_or_default();
    match path.strip_prefix("return/") {
        Some(id) if matches!(parts.method, Method::GET | Method::HEAD) => desk.came_back(id).await,
        Some(_) => Err(Problem::method_not_allowed("GET, HEAD")),
        None if path != "notifications" => Err(Problem::nothing_here()),
        None if parts.method == Method::POST => desk.notified(&read(parts, body).await?).await,
        None => Err(Problem::method_not_allowed("POST")),
    }
}

impl<P: Platform> Desk<'_, P> {
    /// A payer returns. Whatever the outcome, they are sent on to their return address.
    async fn came_back(&self, id: &str) -> Result<Response<Bytes>, Problem> {
        let id = PaymentId::parse(id).map_err(|_| Problem::nothing_here())?;
        let payment = self.store.card_payments().get(&id).await?;
        let payment = payment.ok_or_else(Problem::nothing_here)?;
        // If this fails, the timer finds the state. The payer is not told, and does not wait.
        if let Err(problem) = self.look_for_stranger(&id).await {
            let (detail, _) = problem.into_parts();
            mpay_door::log::log!("a payer came back, and the state is not known yet: {detail}");
        }
        let address = payment
            .attempt
            .return_url
            .ok_or_else(Problem::nothing_here)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        let address = HeaderValue::from_str(&address).map_err(Problem::internal)?;
        headers.insert(header::LOCATION, address);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }

    /// A notification says that something happened to a payment.
    async fn notified(&self, body: &[u8]) -> Result<Response<Bytes>, Problem> {
        let ok = || Ok(Response::new(Bytes::new()));
        let Some(notification) = Notification::read(body) else {
            return ok();
        };
        // The gateway may change the case of the number; our ids are in lower case.
        let id = notification
            .order_id
            .as_ref()
            .map(|id| id.as_str().to_lowercase());
        let Some(Ok(id)) = id.map(|id| PaymentId::parse(&id)) else {
            return ok();
        };
        match self.look_for_stranger(&id).await? {
            None if is_ours(id.as_str()) => {
                // The payment is another deployment's, or was begun after the backup that was restored.
                self.alert("unknown", json!({"payment_id": id.as_str()}))
                    .await?;
                ok()
            }
            Some(Some(Looked::Silent(..))) => Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The card gateway did not tell the payment's state; send this again.",
            )
            .retry_after(60)),
            _ => ok(),
        }
    }
}

/// True if an id has the form of the ids that this program chooses.
fn is_ours(id: &str) -> bool {
    let digits = id.strip_prefix("card");
    digits.is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}
