use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::Problem;
use crate::domain::{OrderKey, PaymentId, ServiceId};

/// What a path below `/api/` names.
#[derive(Debug)]
pub enum Route {
    /// `/api/orders`.
    Orders,
    /// `/api/orders/import`.
    Import,
    /// `/api/orders/export`.
    Export,
    /// `/api/orders/{service}/{key}`.
    Order(ServiceId, OrderKey),
    /// `/api/orders/{service}/{key}/payments`.
    OrderPayments(ServiceId, OrderKey),
    /// `/api/payments`.
    Payments,
    /// `/api/payments/{id}`.
    Payment(PaymentId),
    /// `/api/payments/manual`.
    Proposals,
    /// `/api/payments/manual/{index}`.
    Proposal(u64),
    /// `/api/payments/manual/{index}/approve`.
    Approval(u64),
    /// `/api/payments/{id}/void`.
    Void(PaymentId),
    /// `/api/payments/{id}/evidence`.
    Evidence(PaymentId),
    /// `/api/payments/{id}/reviews/{reason}`.
    Review(PaymentId, String),
    /// `/api/refusals`.
    Refusals,
    /// `/api/refusals/{index}`.
    Refusal(u64),
    /// `/api/refusals/{index}/evidence`.
    RefusalEvidence(u64),
    /// `/api/refusals/{index}/reviews/{reason}`.
    RefusalReview(u64, String),
    /// `/api/events`.
    Events,
    /// `/api/reconciliation`.
    Reconciliation,
    /// `/api/settlement`.
    Settlement,
    /// `/api/erasures`.
    Erasures,
    /// `/api/repair`.
    Repair,
    /// `/api/outbox`.
    Outbox,
    /// `/api/outbox/deliver`.
    OutboxDeliver,
}

/// A kind of path below `/api/`.
pub struct Resource {
    /// The path below `/api/`, with names in braces for its parameters.
    pub path: &'static str,
    /// The methods that it takes, as the header `Allow` lists them.
    pub methods: &'static str,
    /// What the path names, of the decoded values of its parameters.
    route: fn(&[String]) -> Result<Route, Problem>,
}

/// Every resource of the API. Of two that a path fits, the first is meant.
pub const RESOURCES: [Resource; 24] = [
    Resource {
        path: "orders",
        methods: "GET, HEAD, POST",
        route: |_| Ok(Route::Orders),
    },
    Resource {
        path: "orders/import",
        methods: "POST",
        route: |_| Ok(Route::Import),
    },
    Resource {
        path: "orders/export",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Export),
    },
    Resource {
        path: "orders/{service}/{key}",
        methods: "GET, HEAD, PUT, PATCH, DELETE",
        route: |values| Ok(Route::Order(service(values, 0)?, order_key(values, 1)?)),
    },
    Resource {
        path: "orders/{service}/{key}/payments",
        methods: "GET, HEAD",
        route: |values| {
            let key = order_key(values, 1)?;
            Ok(Route::OrderPayments(service(values, 0)?, key))
        },
    },
    Resource {
        path: "payments",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Payments),
    },
    Resource {
        path: "payments/manual",
        methods: "POST",
        route: |_| Ok(Route::Proposals),
    },
    Resource {
        path: "payments/{id}",
        methods: "GET, HEAD",
        route: |values| Ok(Route::Payment(payment_id(values, 0)?)),
    },
    Resource {
        path: "payments/{id}/evidence",
        methods: "GET, HEAD",
        route: |values| Ok(Route::Evidence(payment_id(values, 0)?)),
    },
    Resource {
        path: "payments/{id}/void",
        methods: "POST",
        route: |values| Ok(Route::Void(payment_id(values, 0)?)),
    },
    Resource {
        path: "payments/manual/{index}",
        methods: "GET, HEAD, DELETE",
        route: |values| Ok(Route::Proposal(index(values, 0)?)),
    },
    Resource {
        path: "payments/manual/{index}/approve",
        methods: "POST",
        route: |values| Ok(Route::Approval(index(values, 0)?)),
    },
    Resource {
        path: "payments/{id}/reviews/{reason}",
        methods: "POST",
        route: |values| {
            let reason = value(values, 1).to_owned();
            Ok(Route::Review(payment_id(values, 0)?, reason))
        },
    },
    Resource {
        path: "refusals",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Refusals),
    },
    Resource {
        path: "refusals/{index}",
        methods: "GET, HEAD",
        route: |values| Ok(Route::Refusal(index(values, 0)?)),
    },
    Resource {
        path: "refusals/{index}/evidence",
        methods: "GET, HEAD",
        route: |values| Ok(Route::RefusalEvidence(index(values, 0)?)),
    },
    Resource {
        path: "refusals/{index}/reviews/{reason}",
        methods: "POST",
        route: |values| {
            let reason = value(values, 1).to_owned();
            Ok(Route::RefusalReview(index(values, 0)?, reason))
        },
    },
    Resource {
        path: "events",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Events),
    },
    Resource {
        path: "reconciliation",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Reconciliation),
    },
    Resource {
        path: "settlement",
        methods: "POST",
        route: |_| Ok(Route::Settlement),
    },
    Resource {
        path: "erasures",
        methods: "POST",
        route: |_| Ok(Route::Erasures),
    },
    Resource {
        path: "repair",
        methods: "POST",
        route: |_| Ok(Route::Repair),
    },
    Resource {
        path: "outbox",
        methods: "GET, HEAD",
        route: |_| Ok(Route::Outbox),
    },
    Resource {
        path: "outbox/deliver",
        methods: "POST",
        route: |_| Ok(Route::OutboxDeliver),
    },
];

impl Route {
    /// Finds the route of a path, and checks that it takes the method.
    ///
    /// # Errors
    /// A [`Problem`] that names what is wrong with either.
    pub fn of(path: &str, method: &Method) -> Result<Self, Problem> {
        let (resource, values) = RESOURCES
            .iter()
            .find_map(|resource| Some((resource, resource.values(path)?)))
            .ok_or_else(|| {
                Problem::new(
                    StatusCode::NOT_FOUND,
                    "There is no such resource in the API.",
                )
            })?;
        if !resource.methods().any(|known| known == method.as_str()) {
            return Err(Problem::method_not_allowed(resource.methods));
        }
        let values: Result<Vec<_>, _> = values.into_iter().map(decode).collect();
        (resource.route)(&values?)
    }
}

impl Resource {
    /// The methods, each for itself.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.methods.split(", ")
    }

    /// The values of the parameters in a path, if it is of this kind.
    fn values<'a>(&self, path: &'a str) -> Option<Vec<&'a str>> {
        let (mut names, mut segments) = (self.path.split('/'), path.split('/'));
        let mut values = Vec::new();
        loop {
            match (names.next(), segments.next()) {
                (None, None) => return Some(values),
                (Some(name), Some(segment)) if name.starts_with('{') => values.push(segment),
                (Some(name), Some(segment)) if name == segment => {}
                _ => return None,
            }
        }
    }
}

/// Decodes a part of an address.
pub(super) fn decode(segment: &str) -> Result<String, Problem> {
    percent_decode_str(segment)
        .decode_utf8()
        .map(Into::into)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "The address is not UTF-8."))
}

fn value(values: &[String], position: usize) -> &str {
    values.get(position).map_or("", String::as_str)
}

fn service(values: &[String], position: usize) -> Result<ServiceId, Problem> {
    ServiceId::parse(value(values, position)).map_err(|error| Problem::field("service", error))
}

fn order_key(values: &[String], position: usize) -> Result<OrderKey, Problem> {
    OrderKey::parse(value(values, position)).map_err(|error| Problem::field("key", error))
}

fn payment_id(values: &[String], position: usize) -> Result<PaymentId, Problem> {
    PaymentId::parse(value(values, position)).map_err(|error| Problem::field("id", error))
}

fn index(values: &[String], position: usize) -> Result<u64, Problem> {
    let index = value(values, position).parse().ok();
    let index = index.filter(|index| *index < 1 << 53);
    index.ok_or_else(|| Problem::field("index", "must be a whole number"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::{
        App,
        api::{self, Call},
        store::{Ledger, memory::Memory},
    };

    #[tokio::test(start_paused = true)]
    async fn every_resource_answers_its_methods_and_no_other() {
        let app = App::new(mpay_door::config::testing::variables());
        let store = Ledger::new(Memory::new());
        for resource in &RESOURCES {
            let path = resource.path.replace(['{', '}'], "");
            let path = path.replace("index", "1");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let route = Route::of(&path, &method);
                if !resource.methods().any(|known| known == method.as_str()) {
                    let refused = route.unwrap_err().into_response();
                    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
                    assert_eq!(refused.headers()["allow"], resource.methods);
                    continue;
                }
                let call = Call {
                    app: &app,
                    config: app.config.as_ref().unwrap(),
                    store: &store,
                    headers: &HeaderMap::new(),
                    query: "",
                    caller: "",
                };
                let answer = api::handle(&call, &method, route.unwrap(), b"{}").await;
                let status = answer.unwrap_or_else(Problem::into_response).status();
                assert!(!status.is_server_error(), "{method} {path}: {status}");
            }
        }
    }

    #[test]
    fn paths_that_are_none_are_not_found() {
        for path in [
            "",
            "orders/",
            "orders/TAX",
            "orders/TAX/1/x",
            "payments//evidence/x",
        ] {
            let refused = Route::of(path, &Method::GET).unwrap_err().into_response();
            assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let refused = Route::of("orders/TAX/%FF", &Method::GET).unwrap_err();
        assert_eq!(refused.into_response().status(), StatusCode::BAD_REQUEST);
    }
}
