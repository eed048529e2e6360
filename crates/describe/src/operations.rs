//! Operations, in the words of OpenAPI.

use mpay_door::health::STATES;
use mpay_office::{access::Role, api::description::Operation};
use serde_json::{Map, Value, json};

use crate::shapes::reference;

/// Problem documents by status: the name of the response, and when it is the answer.
const PROBLEMS: [(u16, &str, &str); 12] = [
    (
        400,
        "BadRequest",
        "The address, a header or the body is invalid.",
    ),
    (401, "Unauthorized", "The token is missing or unknown."),
    (
        403,
        "Forbidden",
        "The role of the token does not allow this call.",
    ),
    (404, "NotFound", "Nothing exists at this address."),
    (
        409,
        "Conflict",
        "The call conflicts with the present state; `detail` gives the reason.",
    ),
    (
        410,
        "Gone",
        "The message was erased with the personal data in it; or, with the type `urn:mpay-provider:cursor-gone`, the cursor belongs to another store or to a place that is gone: read again without a cursor.",
    ),
    (
        412,
        "PreconditionFailed",
        "The order does not satisfy If-Match or If-None-Match: read it again.",
    ),
    (
        413,
        "PayloadTooLarge",
        "The body is longer than 1,000,000 bytes, or has more orders than one call accepts.",
    ),
    (
        415,
        "UnsupportedMediaType",
        "The operation does not accept this Content-Type.",
    ),
    (
        422,
        "UnprocessableContent",
        "Members of the document are invalid; `errors` names them all.",
    ),
    (
        500,
        "InternalServerError",
        "The provider failed; its log has the reason.",
    ),
    (
        503,
        "ServiceUnavailable",
        "The store does not answer now, another call is changing the same thing, or the provider is not configured: try again. With the type `urn:mpay-provider:paused`, everything is stopped for a while.",
    ),
];

/// The responses that operations share.
pub fn problem_responses() -> Map<String, Value> {
    PROBLEMS
        .iter()
        .map(|(status, name, description)| {
            let mut response = json!({
                "description": description,
                "content": {"application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"}
                }}
            });
            if *status == 401 {
                response["headers"] = json!({"WWW-Authenticate": {
                    "description": "The scheme that is asked for.", "required": true,
                    "schema": {"type": "string", "const": "Bearer"}
                }});
            }
            ((*name).to_owned(), response)
        })
        .collect()
}

/// An operation. `roles` may call it; without them anybody may.
pub fn operation(described: Operation, roles: Option<&[Role]>) -> Value {
    let mut problems = described.problems;
    if roles.is_some() {
        problems.extend([400, 401, 500, 503]);
    }
    let all = Role::ALL.len();
    if roles.is_some_and(|roles| roles.len() < all) {
        problems.push(403);
    }
    if described.parameters.contains(&"cursor") {
        problems.push(410);
    }
    let mut answers = described.answers;
    for status in problems {
        let problem = PROBLEMS.iter().find(|(known, ..)| *known == status);
        let (_, name, _) = problem.unwrap_or_else(|| panic!("{status} of {}", described.id));
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        answers.insert(status.to_string(), reference);
    }
    let parameters: Vec<_> = described
        .parameters
        .iter()
        .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
        .collect();
    let security = match roles {
        None => json!([]),
        // With their scheme, the roles that an operation needs (OpenAPI 3.1, Security Requirement).
        Some(roles) => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            json!([{"token": roles}])
        }
    };
    let mut operation = json!({
        "operationId": described.id, "tags": [described.tag], "summary": described.summary,
        "responses": answers, "security": security
    });
    for (name, value) in [
        ("description", json!(described.description)),
        ("parameters", json!(parameters)),
        ("requestBody", json!(described.body)),
    ] {
        if !matches!(&value, Value::Null) && value != json!("") && value != json!([]) {
            operation[name] = value;
        }
    }
    operation
}

fn as_json(name: &str) -> Value {
    json!({"application/json": {"schema": reference(name)}})
}

/// The schemas of what is answered to anybody, beside the resources of the API.
pub fn schemas_without_token() -> [(&'static str, Value); 3] {
    let text = |description: &str| json!({"type": "string", "description": description});
    let words = |description: &str, words: &[&str]| json!({"type": "string", "enum": words, "description": description});
    let texts = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    [
        (
            "Health",
            json!({
                "description": "The health of the provider.",
                "type": "object",
                "properties": {
                    "status": words(
                        "`degraded` if calls are answered although something is wrong; `paused` if everything is stopped on purpose.",
                        &STATES
                    ),
                    "version": text("Version of the provider."),
                    "environment": words(
                        "The purpose of this installation.",
                        &["production", "test", "development"]
                    ),
                    "configuration": words(
                        "The configuration in use: the present variables, the last valid ones, or none.",
                        &["current", "last-good", "none"]
                    ),
                    "rsa_engine": text("The engine that computes signatures, such as `fma`."),
                    "errors": texts("The errors."),
                    "warnings": texts("Faults to be expected soon, and doubts.")
                },
                "required": ["status", "version", "configuration", "rsa_engine"]
            }),
        ),
        (
            "Liveness",
            json!({
                "description": "The answer of a provider that runs.",
                "type": "object",
                "properties": {"status": words("Always this.", &["live"])},
                "required": ["status"]
            }),
        ),
        (
            "OpenapiDocument",
            json!({"description": "An OpenAPI document.", "type": "object"}),
        ),
    ]
}

/// The operations that anybody may call, beside the resources of the API.
pub fn without_token() -> [(&'static str, Operation); 3] {
    let health = as_json("Health");
    let health = Operation::new(
        "provider",
        "getHealth",
        "Checks that MPay's calls can be answered",
    )
    .answers(
        200,
        "MPay's calls are answered. With the status `degraded` something is wrong nevertheless, and `errors` names it: a variable, a feature that is switched off, or the clock. With the status `paused` the answer is that MPay should call later. `warnings` names faults to be expected soon.",
        health.clone(),
    )
    .answers(
        503,
        "MPay's calls cannot be answered. `errors` names the invalid variables, or the fault of the store.",
        health,
    );
    let live = Operation::new("provider", "getLiveness", "Checks that the provider runs").answers(
        200,
        "The provider runs. Nothing else is checked.",
        as_json("Liveness"),
    );
    let document = Operation::new("provider", "getOpenapi", "This document").answers(
        200,
        "OpenAPI 3.1.",
        as_json("OpenapiDocument"),
    );
    [
        ("/health", health),
        ("/health/live", live),
        ("/api/openapi.json", document),
    ]
}
