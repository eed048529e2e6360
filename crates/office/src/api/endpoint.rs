//! The definition of an endpoint: its method and path, the roles that may call it, its handler and its
//! description. Each endpoint stands beside its handler, in the file of its resource;
//! [`endpoints`](super::endpoints) lists all of them.

use std::pin::Pin;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

#[cfg(feature = "description")]
use super::description::{Operation, Schemas};
use super::{
    Call, Problem,
    query::{Query, decode},
};
use crate::{
    access::Role,
    domain::{OrderKey, PaymentId, ServiceId},
};

/// The future answer of an endpoint.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Problem>> + 'a>>;

/// A method of a path below `/api/`.
pub struct Endpoint<P> {
    /// The method. An endpoint for `GET` answers `HEAD` as well.
    pub method: &'static str,
    /// The path below `/api/`, with names in braces for its parameters.
    pub path: &'static str,
    /// The roles that may call it.
    pub roles: &'static [Role],
    /// The parameters that its query may have.
    pub parameters: &'static [&'static str],
    /// Answers a call, by the values of the path's parameters and the body. [`call`](Self::call) checks the
    /// query first.
    pub answer: for<'a> fn(&'a Call<'a, P>, &'a Values, &'a [u8]) -> Answer<'a>,
    /// Its description in `openapi.json`.
    #[cfg(feature = "description")]
    pub description: fn(&mut Schemas) -> Operation,
}

/// The values of a path's parameters.
#[derive(Debug, Default)]
pub struct Values {
    path: &'static str,
    segments: Vec<String>,
}

impl<P> Endpoint<P> {
    /// The endpoint for a path and a method. If several paths match, the first one counts.
    ///
    /// # Errors
    /// A 404 [`Problem`] if no endpoint has the path, or 405 if none of them has the method.
    pub fn find<'e>(
        endpoints: &'e [Self],
        path: &str,
        method: &Method,
    ) -> Result<(&'e Self, Values), Problem> {
        let mut fitting = endpoints
            .iter()
            .filter(|endpoint| fits(endpoint.path, path));
        let Some(first) = fitting.next() else {
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such resource in the API.",
            ));
        };
        let mut of_path = endpoints.iter().filter(|other| other.path == first.path);
        let Some(endpoint) = of_path.find(|endpoint| endpoint.takes(method)) else {
            return Err(Problem::method_not_allowed(allowed(endpoints, first.path)));
        };
        let segments = path.split('/').map(decode).collect::<Result<_, _>>()?;
        let path = endpoint.path;
        Ok((endpoint, Values { path, segments }))
    }

    /// Answers a call. Every call comes through here, so that no endpoint drops a parameter that it does not
    /// know: `POST …/refunds?amount=5` would give all back.
    ///
    /// # Errors
    /// A 400 [`Problem`] for a parameter that the endpoint does not have or that is given twice; those of the
    /// endpoint.
    pub async fn call(
        &self,
        call: &Call<'_, P>,
        values: &Values,
        body: &[u8],
    ) -> Result<Response<Bytes>, Problem> {
        Query::read(call.query, self.parameters)?;
        (self.answer)(call, values, body).await
    }

    fn takes(&self, method: &Method) -> bool {
        self.method == method.as_str() || (self.method == "GET" && *method == Method::HEAD)
    }
}

/// The methods of a path, as the header `Allow` lists them.
pub fn allowed<P>(endpoints: &[Endpoint<P>], path: &str) -> String {
    let of_path = endpoints.iter().filter(|endpoint| endpoint.path == path);
    let methods = of_path.map(|endpoint| match endpoint.method {
        "GET" => "GET, HEAD",
        method => method,
    });
    methods.collect::<Vec<_>>().join(", ")
}

/// True if a path matches an endpoint's path, whose segments in braces match any segment.
fn fits(kind: &str, path: &str) -> bool {
    let (mut names, mut segments) = (kind.split('/'), path.split('/'));
    loop {
        match (names.next(), segments.next()) {
            (None, None) => return true,
            (Some(name), Some(segment)) if name.starts_with('{') || name == segment => {}
            _ => return false,
        }
    }
}

impl Values {
    /// The value of the parameter `{name}`, percent-decoded; empty if the path has no such parameter.
    pub fn text(&self, name: &str) -> &str {
        let mut pairs = self.path.split('/').zip(&self.segments);
        let found = pairs
            .find(|(part, _)| part.trim_matches(['{', '}']) == name && part.len() > name.len());
        found.map_or("", |(_, value)| value)
    }

    /// The value of `{service}`.
    ///
    /// # Errors
    /// A [`Problem`] that names the parameter. The same holds for the functions below.
    pub fn service(&self) -> Result<ServiceId, Problem> {
        ServiceId::parse(self.text("service")).map_err(|error| Problem::field("service", error))
    }

    /// The value of `{key}`.
    #[allow(clippy::missing_errors_doc)]
    pub fn key(&self) -> Result<OrderKey, Problem> {
        OrderKey::parse(self.text("key")).map_err(|error| Problem::field("key", error))
    }

    /// The value of `{id}`.
    #[allow(clippy::missing_errors_doc)]
    pub fn id(&self) -> Result<PaymentId, Problem> {
        PaymentId::parse(self.text("id")).map_err(|error| Problem::field("id", error))
    }

    /// The value of `{index}`.
    #[allow(clippy::missing_errors_doc)]
    pub fn index(&self) -> Result<u64, Problem> {
        let index = self.text("index").parse().ok();
        let index = index.filter(|index| *index < 1 << 53);
        index.ok_or_else(|| Problem::field("index", "must be a whole number"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::{
        App,
        access::Principal,
        api::endpoints,
        store::{Ledger, memory::Memory},
    };

    #[tokio::test(start_paused = true)]
    async fn every_path_answers_its_methods_and_no_other() {
        let app = App::new(mpay_door::config::testing::variables());
        let store = Ledger::new(Memory::new());
        let endpoints = endpoints::<Memory>();
        let tester = Principal::new("tester", Role::Manager).unwrap();
        for endpoint in &endpoints {
            let path = endpoint.path.replace(['{', '}'], "");
            let path = path.replace("index", "1");
            let allowed = allowed(&endpoints, endpoint.path);
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let found = Endpoint::find(&endpoints, &path, &method.parse().unwrap());
                if !allowed.split(", ").any(|known| known == method) {
                    let refused = found.map(|_| ()).unwrap_err().into_response();
                    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
                    assert_eq!(refused.headers()["allow"], *allowed);
                    continue;
                }
                let (found, values) = found.unwrap();
                assert_eq!(found.path, endpoint.path);
                let call = Call {
                    app: &app,
                    config: app.config.as_ref().unwrap(),
                    store: &store,
                    headers: &HeaderMap::new(),
                    query: "",
                    caller: &tester,
                    effort: crate::api::Effort::PROGRAM,
                };
                let answer = found.call(&call, &values, b"{}").await;
                let status = answer.unwrap_or_else(Problem::into_response).status();
                assert!(!status.is_server_error(), "{method} {path}: {status}");
            }
        }
    }

    /// `DELETE /api/orders/TAX/1?dry_run=true` must not cancel the order.
    #[tokio::test(start_paused = true)]
    async fn every_endpoint_refuses_a_parameter_that_it_does_not_know() {
        let app = App::new(mpay_door::config::testing::variables());
        let memory = Memory::new();
        crate::store::testing::register(&memory, "1", "10")
            .await
            .unwrap();
        memory.take_calls();
        let store = Ledger::new(memory.clone());
        let endpoints = endpoints::<Memory>();
        let tester = Principal::new("tester", Role::Manager).unwrap();
        for endpoint in &endpoints {
            let path = endpoint.path.replace("{service}", "TAX");
            let path = path.replace("{key}", "1").replace("{index}", "1");
            let path = path.replace(['{', '}'], "");
            let (found, values) =
                Endpoint::find(&endpoints, &path, &endpoint.method.parse().unwrap()).unwrap();
            let twice = endpoint.parameters.first();
            let twice = twice.map(|name| format!("{name}=1&{name}=1"));
            for query in ["dry_run_=true", "amount_=5"]
                .map(str::to_owned)
                .iter()
                .chain(&twice)
            {
                let call = Call {
                    app: &app,
                    config: app.config.as_ref().unwrap(),
                    store: &store,
                    headers: &HeaderMap::new(),
                    query,
                    caller: &tester,
                    effort: crate::api::Effort::PROGRAM,
                };
                let answer = found.call(&call, &values, b"{}").await;
                let status = answer.unwrap_or_else(Problem::into_response).status();
                let name = format!("{} {path}?{query}", endpoint.method);
                assert_eq!(status, StatusCode::BAD_REQUEST, "{name}");
                assert_eq!(memory.take_calls(), [""; 0], "{name}");
            }
        }
    }

    /// The document is made of the descriptions, and the check of the endpoints.
    #[test]
    fn every_endpoint_has_the_parameters_of_its_description() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        for endpoint in endpoints::<Memory>() {
            let path = document["paths"]
                .as_object()
                .unwrap()
                .iter()
                .find(|(path, _)| {
                    let names = |path: &str| {
                        let parts = path.trim_start_matches("/api/").split('/');
                        parts
                            .map(|part| part.split('{').next().unwrap().to_owned())
                            .collect::<Vec<_>>()
                    };
                    names(path) == names(endpoint.path)
                });
            let (path, methods) = path.unwrap();
            let described = &methods[endpoint.method.to_lowercase()]["parameters"];
            let described = described.as_array().into_iter().flatten();
            let mut described: Vec<_> = described
                .map(|parameter| {
                    let place = parameter["$ref"].as_str().unwrap().trim_start_matches('#');
                    document.pointer(place).unwrap()
                })
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let mut taken = endpoint.parameters.to_vec();
            described.sort_unstable();
            taken.sort_unstable();
            assert_eq!(taken, described, "{} {path}", endpoint.method);
        }
    }

    #[test]
    fn paths_that_are_none_are_not_found() {
        let endpoints = endpoints::<Memory>();
        let refused = |path| {
            let found = Endpoint::find(&endpoints, path, &Method::GET);
            found.map(|_| ()).unwrap_err().into_response().status()
        };
        for path in [
            "",
            "orders/",
            "orders/TAX",
            "orders/TAX/1/x",
            "payments//evidence/x",
        ] {
            assert_eq!(refused(path), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(refused("orders/TAX/%FF"), StatusCode::BAD_REQUEST);
    }
}
