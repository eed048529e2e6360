//! `/api/erasures`: erases personal data that is no longer needed.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use mpay_door::Configuration as _;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{
    Call, Problem,
    document::read_object,
    endpoint::Endpoint,
    json,
    query::{Query, cursor},
};
use crate::{
    access::OPERATORS,
    domain::{OrderKey, ServiceId, Text},
    store::{Erasure, Platform},
};

/// The person or the order whose data to erase. Without a member: everybody whose orders were closed long
/// enough ago.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ErasureRequest {
    #[serde(default, deserialize_with = "given")]
    customer_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    service_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    order_key: Option<String>,
}

/// `null` is not the same as an absent member. A caller that has lost the code of a person must not erase
/// everybody.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// `POST /api/erasures`.
pub const fn post_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "POST",
        path: "erasures",
        roles: &OPERATORS,
        parameters: &["cursor"],
        answer: |call, _, body| Box::pin(post(call, body)),
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new("orders", "erasePersonalData", "Erases personal data that is no longer needed")
            .describe("Erases names, identification numbers and values of properties of closed orders, and signed messages that contain such values. The body names one customer or one order. Without a body the call concerns all orders to which nothing has happened for the time in the variable `personal_data_retention`; a cron job should make this call. A call looks at 256 events: pass `next` as `cursor` until it is absent.")
            .takes(["cursor"])
            .optional_body(as_json(schemas.request::<ErasureRequest>()))
            .answers(200, "The orders erased and kept in this part.", as_json(schemas.answer::<crate::store::Erased>()))
            .fails([409, 413, 422])
        },
    }
}

/// Erases the data of the orders in one part of the journal.
pub async fn post<P: Platform>(
    call: &Call<'_, P>,
    body: &[u8],
) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let from = cursor(call, &query).await?.unwrap_or_default();
    let request = match body.trim_ascii() {
        b"" => ErasureRequest::default(),
        body => read_object(body)?,
    };
    let everybody = request.customer_id.is_none()
        && request.service_id.is_none()
        && request.order_key.is_none();
    if everybody && let Some(variable) = call.config.switched_off(&["personal_data_retention"]) {
        return Err(Problem::switched_off("Erasure by age", variable));
    }
    let erasure = request.read(call.config.personal_data_retention)?;
    let erased = call
        .store
        .erasures()
        .erase(&erasure, &from, &call.caller.name)
        .await?;
    if erased.is_beyond_end {
        return Err(Problem::cursor_gone());
    }
    json(StatusCode::OK, &erased)
}

impl ErasureRequest {
    fn read(self, retention: Option<SignedDuration>) -> Result<Erasure, Problem> {
        match (self.customer_id, self.service_id, self.order_key) {
            (None, None, None) => retention.map(Erasure::Retention).ok_or_else(|| {
                Problem::new(
                    StatusCode::CONFLICT,
                    "The variable personal_data_retention is not set: nothing is too old. To erase what one person asks for, send customer_id, or service_id and order_key.",
                )
            }),
            (Some(id), None, None) => Text::<255>::parse(&id)
                .map(|id| Erasure::Customer(id.as_str().to_owned()))
                .map_err(|error| Problem::member("customer_id", error)),
            (None, Some(service), Some(key)) => Ok(Erasure::Order(
                ServiceId::parse(&service).map_err(|error| Problem::member("service_id", error))?,
                OrderKey::parse(&key).map_err(|error| Problem::member("order_key", error))?,
            )),
            (Some(_), ..) => Err(Problem::member(
                "customer_id",
                "stands beside an order; send one of the two",
            )),
            (None, None, Some(_)) => Err(Problem::member("service_id", "is missing")),
            (None, Some(_), None) => Err(Problem::member("order_key", "is missing")),
        }
    }
}
