//! Operations, in the words of OpenAPI.

use mpay_office::{access::Role, api::description::Operation};
use serde_json::{Map, Value, json};

use crate::shapes::reference;

/// Problem documents by status: the name of the response, and when it is the answer.
const PROBLEMS: [(u16, &str, &str); 12] = [
    (
        400,
        "BadRequest",
        "The address, a header or the body is not what it must be.",
    ),
    (
        401,
        "Unauthorized",
        "The token is missing, or none of the configured ones.",
    ),
    (403, "Forbidden", "The token may only read."),
    (404, "NotFound", "There is no such thing."),
    (
        409,
        "Conflict",
        "What is there stands against it: the detail says what.",
    ),
    (
        410,
        "Gone",
        "The message was erased with the personal data in it; or, with the type `urn:mpay-provider:cursor-gone`, the cursor is not of this store as it is: read anew, without a cursor.",
    ),
    (
        412,
        "PreconditionFailed",
        "The order is not as If-Match or If-None-Match says: read it again.",
    ),
    (
        413,
        "PayloadTooLarge",
        "The body is longer than 1,000,000 bytes, or has more orders than one call takes.",
    ),
    (
        415,
        "UnsupportedMediaType",
        "The Content-Type is another than the operation takes.",
    ),
    (
        422,
        "UnprocessableContent",
        "Members of the document are wrong; errors names them all.",
    ),
    (
        500,
        "InternalServerError",
        "The provider failed; its log says why.",
    ),
    (
        503,
        "ServiceUnavailable",
        "The store does not answer now, another call is at the same thing, or the provider is not configured: try again. With the type `urn:mpay-provider:paused` everything is stopped for a while.",
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
                "description": "How the provider is.",
                "type": "object",
                "properties": {
                    "status": words(
                        "`degraded` where something is wrong though calls are answered.",
                        &["ok", "degraded", "misconfigured", "unavailable"]
                    ),
                    "version": text("Version of the provider."),
                    "environment": words(
                        "What the provider is run for.",
                        &["production", "test", "development"]
                    ),
                    "configuration": words(
                        "What it works with: the variables as they are, as they last were right, or nothing.",
                        &["current", "last-good", "none"]
                    ),
                    "rsa_engine": text("What computes signatures."),
                    "errors": texts("What is wrong."),
                    "warnings": texts("What will be wrong soon.")
                },
                "required": ["status", "version", "configuration", "rsa_engine"]
            }),
        ),
        (
            "Liveness",
            json!({
                "description": "That the provider runs.",
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
        "Whether MPay's calls can be answered",
    )
    .answers(
        200,
        "They can. With the status `degraded` something is wrong all the same, and `errors` says what: a variable, a feature that is switched off, or the clock. `warnings` says what will be wrong soon.",
        health.clone(),
    )
    .answers(
        503,
        "They cannot: `errors` says why, variable by variable, or what is wrong with the store.",
        health,
    );
    let live = Operation::new("provider", "getLiveness", "Whether the provider runs").answers(
        200,
        "It does; nothing else is looked at.",
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
