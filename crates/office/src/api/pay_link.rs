//! `/api/orders/{service}/{key}/pay-link`: the address of an order's page, valid for as long as the caller
//! asks.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "description")]
use super::description::{Operation, as_json};
use super::{Call, Problem, endpoint::Endpoint, json, order_answer::no_such_order, query::Query};
use crate::{
    access::EVERYBODY,
    domain::{OrderKey, ServiceId, time},
    pages::PayLink,
    store::Platform,
};

#[derive(Serialize)]
#[cfg_attr(feature = "description", derive(schemars::JsonSchema))]
pub(super) struct PayLinkAnswer {
    /// The address of the order's page, for its payer.
    pay_url: String,
    /// The last second of the link's validity; absent if it is valid for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// `GET /api/orders/{service}/{key}/pay-link`.
pub const fn get_endpoint<P: Platform>() -> Endpoint<P> {
    Endpoint {
        method: "GET",
        path: "orders/{service}/{key}/pay-link",
        roles: &EVERYBODY,
        parameters: &["until"],
        answer: |call, values, _| {
            Box::pin(async move { get(call, &values.service()?, &values.key()?).await })
        },
        #[cfg(feature = "description")]
        description: |schemas| {
            Operation::new(
                "orders",
                "getPayLink",
                "The address of an order's page, for its payer",
            )
            .describe("Without `until` the address is that of the order's member `pay_url`.")
            .takes(["service", "key", "until"])
            .answers(
                200,
                "The address.",
                as_json(schemas.answer::<PayLinkAnswer>()),
            )
            .fails([404, 409])
        },
    }
}

/// Makes a link.
async fn get<P: Platform>(
    call: &Call<'_, P>,
    service: &ServiceId,
    key: &OrderKey,
) -> Result<Response<Bytes>, Problem> {
    let query = Query::of(call)?;
    let until = query.parsed("until", time::parse)?;
    if until.is_some_and(|until| until <= call.store.now()) {
        return Err(Problem::field("until", "is over"));
    }
    let Some(pages) = &call.config.pages else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "There are no pages: the variable page_key is not set, or wrong; GET /health/office says which.",
        ));
    };
    let stored = call.store.orders().get(service, key).await?;
    stored.ok_or_else(no_such_order)?;
    let link = PayLink {
        until,
        ..PayLink::of(service, key)
    };
    let answer = PayLinkAnswer {
        pay_url: pages.url_of(&link),
        until: until.map(time::format_end),
    };
    json(StatusCode::OK, &answer)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Api;
    use crate::store::testing::register;

    #[tokio::test(start_paused = true)]
    async fn a_link_is_made_for_as_long_as_is_asked() {
        let api = Api::with(&[
            ("page_key", "0123456789012345678901234567890123456789"),
            ("public_url", "https://pay.example.md/"),
        ]);
        register(&api.memory, "1", "5").await.unwrap();
        let order = api.get("orders/TAX/1").await.json();
        let link = api.get("orders/TAX/1/pay-link").await.json();
        assert_eq!(link["pay_url"], order["pay_url"]);
        assert!(link.get("until").is_none());
        let event = &api.get("events?cursor=0").await.json()["events"][0];
        assert_eq!(event["pay_url"], order["pay_url"]);
        let link = api
            .get("orders/TAX/1/pay-link?until=2026-12-31")
            .await
            .json();
        assert_ne!(link["pay_url"], order["pay_url"]);
        assert_eq!(link["until"], "2026-12-31");
        for (address, status) in [
            ("orders/TAX/2/pay-link", 404),
            ("orders/TAX/1/pay-link?until=2026-05-31", 400),
            ("orders/TAX/1/pay-link?until=soon", 400),
        ] {
            assert_eq!(api.get(address).await.status, status, "{address}");
        }
        let without = Api::new();
        register(&without.memory, "1", "5").await.unwrap();
        assert_eq!(without.get("orders/TAX/1/pay-link").await.status, 409);
        let order = without.get("orders/TAX/1").await.json();
        assert!(order.get("pay_url").is_none());
        let event = &without.get("events?cursor=0").await.json()["events"][0];
        assert!(event.get("pay_url").is_none());
    }
}
