//! Makes `openapi.json`, which the people's door serves: of the endpoints, each described beside its
//! handler, and of the types that they read and write.
//!
//! * `operations`: an endpoint's description in the words of OpenAPI, and the problems that all share.
//! * `schemas`: the types' schemas, with what the types of serialisation do not say.
//! * `members`, `parameters`: the meaning of every member and of every parameter.
//! * `shapes`: what values must be, as the types of the domain have it.
//!
//! A test compares the document with the file, and writes that:
//! `UPDATE_OPENAPI=1 cargo test -p describe`.
//!
//! ```
//! let document = describe::document();
//! assert!(document["paths"]["/api/payments"]["get"].is_object());
//! ```

mod members;
mod operations;
mod parameters;
mod schemas;
mod shapes;

use mpay_door::ProblemDocument;
use mpay_ledger::memory::Memory;
use mpay_office::api::{description::Schemas, endpoints};
use serde_json::{Map, Value, json};

use operations::{operation, problem_responses, without_token};
use schemas::renamed;

const DESCRIPTION: &str = "\
The API of an MPay service provider for the institution's own system: it registers orders, and \
reads what MPay confirmed.

Amounts are strings with a point and at most two fraction digits. Times are RFC 3339; a time \
in a request may lack the offset: it is then local time of Chişinău; a date alone means its last second \
as a due date or the end of a span, and its first second otherwise. Members \
without a value are left out, never `null`, except in a merge patch.

`HEAD` is answered like `GET`, without the body. Errors are problem documents (RFC 9457). Later \
versions may add members and types of events: ignore what you do not know.";

/// The document.
///
/// # Panics
/// If the parts do not fit: a problem that no response describes, or a type that is written otherwise
/// than it is read.
pub fn document() -> Value {
    let mut schemas = Schemas::default();
    schemas.answer::<ProblemDocument<'static>>();
    let mut paths = Map::new();
    for endpoint in endpoints::<Memory>() {
        let described = operation((endpoint.description)(&mut schemas), Some(endpoint.roles));
        let of_path = paths.entry(format!("/api/{}", endpoint.path));
        let of_path = of_path.or_insert_with(|| json!({}));
        of_path[endpoint.method.to_lowercase()] = described;
    }
    for (path, described) in without_token() {
        paths.insert(path.to_owned(), json!({"get": operation(described, None)}));
    }
    let paths = renamed(paths.into());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MPay provider",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": self::schemas::schemas(schemas),
            "parameters": parameters::parameters(),
            "responses": problem_responses(),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token of a principal of the variable `access`. An operation lists the roles that may call it; others get 403."
                }
            }
        }
    })
}
