//! The definition of an endpoint: its method and path, the roles that may call it, its handler and its
//! description. Each endpoint stands beside its handler, in the file of its resource;
//! [`endpoints`](super::endpoints) lists all of them.

use std::pin::Pin;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

#[cfg(feature = "description")]
use super::description::{Operation, Schemas};
use super::{Call, Problem, query::decode};
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
    /// Answers a call, by the values of the path's parameters and the body.
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
                let answer = (found.answer)(&call, &values, b"{}").await;
                let status = answer.unwrap_or_else(Problem::into_response).status();
                assert!(!status.is_server_error(), "{method} {path}: {status}");
            }
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
