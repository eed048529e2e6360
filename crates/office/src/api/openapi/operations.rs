//! What each method of each resource does, takes and answers.

use serde_json::{Map, Value, json};

use super::schemas::Schemas;
use mpay_notify::Report;

use crate::{
    api::{
        erasures::ErasureRequest,
        events::EventsAnswer,
        import::RowResult,
        manual,
        order_answer::{OrderAnswer, OrderPaymentsAnswer},
        outbox::OutboxAnswer,
        payments,
        reconciliation::Reconciliation,
        refusals,
        register::RegisterAnswer,
        reviews,
        settlement::Comparison,
        table::XLSX,
    },
    json::OrderJson,
    store::{Erased, Repair},
};

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
        "The store does not answer now, another call is at the same thing, or the provider is not configured: try again.",
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

/// One method of a resource.
#[derive(Default)]
pub struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<&'static str>,
    body: Option<Value>,
    answers: Map<String, Value>,
    /// Problems beyond those that every operation of its method has.
    problems: Vec<u16>,
    open: bool,
}

impl Operation {
    fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            id,
            summary,
            ..Self::default()
        }
    }

    fn describe(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    /// Names of `components/parameters`.
    fn takes<const N: usize>(mut self, parameters: [&'static str; N]) -> Self {
        self.parameters.extend(parameters);
        self
    }

    fn body(mut self, content: Value) -> Self {
        self.body = Some(json!({"required": true, "content": content}));
        self
    }

    fn optional_body(mut self, content: Value) -> Self {
        self.body = Some(json!({"content": content}));
        self
    }

    fn answers(mut self, status: u16, description: &str, content: Value) -> Self {
        let answer = json!({"description": description, "content": content});
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// A header of the last answer given.
    fn header(mut self, status: u16, name: &str, required: bool, description: &str) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"][name] = json!({
                "description": description, "required": required, "schema": {"type": "string"}
            });
        }
        self
    }

    fn fails<const N: usize>(mut self, problems: [u16; N]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// The description, in the words of OpenAPI.
    pub fn into_json(self, method: &str, path: &str) -> Value {
        let reads = method == "GET";
        let mut problems = self.problems;
        if !self.open {
            problems.extend([400, 401, 500, 503]);
            if !reads {
                problems.push(403);
            }
        }
        if ["after", "cursor"]
            .iter()
            .any(|cursor| self.parameters.contains(cursor))
        {
            problems.push(410);
        }
        let mut answers = self.answers;
        for status in problems {
            let problem = PROBLEMS.iter().find(|(known, ..)| *known == status);
            let (_, name, _) = problem.unwrap_or_else(|| panic!("{status} of {path}"));
            let reference = json!({"$ref": format!("#/components/responses/{name}")});
            answers.insert(status.to_string(), reference);
        }
        let parameters: Vec<_> = self
            .parameters
            .iter()
            .map(|name| json!({"$ref": format!("#/components/parameters/{name}")}))
            .collect();
        let security = match (self.open, reads) {
            (true, _) => json!([]),
            (false, true) => json!([{"full": []}, {"readOnly": []}]),
            (false, false) => json!([{"full": []}]),
        };
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary,
            "responses": answers, "security": security
        });
        for (name, value) in [
            ("description", json!(self.description)),
            ("parameters", json!(parameters)),
            ("requestBody", json!(self.body)),
        ] {
            if !matches!(&value, Value::Null) && value != json!("") && value != json!([]) {
                operation[name] = value;
            }
        }
        operation
    }

    /// What is answered to anybody, beside the resources of the API.
    pub fn without_token() -> [(&'static str, Self); 3] {
        let texts = json!({"type": "array", "items": {"type": "string"}});
        let health = json!({"application/json": {"schema": {
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["ok", "degraded", "misconfigured", "unavailable"]},
                "version": {"type": "string"},
                "environment": {"type": "string", "enum": ["production", "test", "development"]},
                "configuration": {"type": "string", "enum": ["current", "last-good", "none"]},
                "rsa_engine": {"type": "string"},
                "errors": texts, "warnings": texts
            },
            "required": ["status", "version", "configuration", "rsa_engine"]
        }}});
        let health = Self::new(
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
        let live = Self::new("provider", "getLiveness", "Whether the provider runs").answers(
            200,
            "It does; nothing else is looked at.",
            json!({"application/json": {"schema": {
                "type": "object",
                "properties": {"status": {"type": "string", "enum": ["live"]}},
                "required": ["status"]
            }}}),
        );
        let document = Self::new("provider", "getOpenapi", "This document").answers(
            200,
            "OpenAPI 3.1.",
            json!({"application/json": {"schema": {"type": "object"}}}),
        );
        [
            ("/health", health),
            ("/health/live", live),
            ("/api/openapi.json", document),
        ]
        .map(|(path, operation)| {
            let open = Self {
                open: true,
                ..operation
            };
            (path, open)
        })
    }
}

fn as_json(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn example() -> Value {
    json!({
        "reason": {"ro": "Taxă de studii", "ru": "Плата за обучение"},
        "due_date": "2099-06-30",
        "customer_type": "Person", "customer_id": "2000000000004", "customer_name": "Ion Exemplu",
        "lines": [{"line_id": "1", "reason": "Semestrul I", "amount_due": "1250.00"}]
    })
}

fn order_body(schema: Value, example: Value) -> Value {
    json!({"application/json": {
        "schema": schema,
        "examples": {"order": {"summary": "An order of one line", "value": example}}
    }})
}

fn order_answer(schemas: &mut Schemas) -> Value {
    as_json(schemas.answer::<OrderAnswer<'static>>())
}

const ETAG: &str = "The order's version, for `If-Match`. Changes with every payment too.";
const LINK: &str = "Where there is more: the address to go on, with `rel=\"next\"` (RFC 8288).";
const FILE: &str = "The name that a browser gives the file.";

/// What a method of a resource does; `None` where nobody has written it down.
pub fn operation(method: &str, path: &str, schemas: &mut Schemas) -> Option<Operation> {
    let operation = match (method, path) {
        ("GET", "orders") => Operation::new("orders", "listOrders", "Orders, the newest registration first")
            .describe("Go on with `cursor` = `next` until there is none, also where a page is empty.")
            .takes(["cursor", "limit", "status", "review", "registered_from", "registered_to", "service_id"])
            .answers(200, "A page.", as_json(schemas.answer::<RegisterAnswer<'static>>())),
        ("POST", "orders") => {
            let mut order = example();
            order["service_id"] = json!("TAX");
            let body = order_body(schemas.request::<OrderJson>(), order);
            Operation::new("orders", "createOrder", "Registers an order under a generated key")
                .describe("The key has twelve digits, of which the last is a check digit. The same request again gets the same order; another document under the same `Idempotency-Key` is refused (422).")
                .takes(["Idempotency-Key", "strict"])
                .body(body)
                .answers(201, "The order.", order_answer(schemas))
                .header(201, "ETag", true, ETAG)
                .header(201, "Location", true, "The order's address.")
                .fails([404, 409, 413, 422])
        }
        ("POST", "orders/import") => {
            let line = schemas.request::<OrderJson>();
            let mut order = example();
            (order["service_id"], order["order_key"]) = (json!("TAX"), json!("2026-0001"));
            Operation::new("orders", "importOrders", "Registers or amends up to 500 orders")
                .describe("Each as `PUT` would, for itself, as lines of JSON or rows of CSV or XLSX. The first row that has a column `order_key` names the columns, as the export has them. The answer has a line or row for each, in the same format; that of a table ends with the totals. `service_id` may be left out where there is one service.")
                .takes(["strict", "dry_run", "encoding"])
                .body(json!({
                    "application/x-ndjson": {
                        "schema": line,
                        "examples": {"order": {"summary": "A line", "value": order}}
                    },
                    "text/csv": {
                        "schema": {"type": "string"},
                        "examples": {"order": {"summary": "A table of one order", "value": "service_id,order_key,reason,line_id,line_reason,amount_due\r\nTAX,2026-0001,Taxă,1,Taxă locală,125.50\r\n"}}
                    },
                    XLSX: {}
                }))
                .answers(200, "What became of each; the schema is that of a line.", json!({
                    "application/x-ndjson": {"schema": schemas.answer::<RowResult>()},
                    "text/csv": {"schema": {"type": "string"}},
                    XLSX: {}
                }))
                .header(200, "Content-Disposition", true, FILE)
                .fails([413, 415, 422])
        }
        ("GET", "orders/export") => Operation::new("orders", "exportOrders", "Orders, as they can be imported")
            .takes(["export_format", "separator", "cursor", "export_limit", "status", "review", "registered_from", "registered_to", "service_id"])
            .answers(200, "The orders; the schema is that of a line.", json!({
                "text/csv": {"schema": {"type": "string"}},
                XLSX: {},
                "application/x-ndjson": {"schema": schemas.request::<OrderJson>()}
            }))
            .header(200, "Content-Disposition", true, FILE)
            .header(200, "Link", false, LINK),
        ("GET", "orders/{service}/{key}") => Operation::new("orders", "getOrder", "An order, with its payments")
            .takes(["service", "key"])
            .answers(200, "The order.", order_answer(schemas))
            .header(200, "ETag", true, ETAG)
            .fails([404]),
        ("GET", "orders/{service}/{key}/payments") => Operation::new("orders", "listOrderPayments", "Payments of an order, the newest first")
            .describe("An order shows its latest payments itself. Pass `next` as `cursor`; a page may be empty, and the list ends when `next` is absent.")
            .takes(["service", "key", "cursor"])
            .answers(200, "A page.", as_json(schemas.answer::<OrderPaymentsAnswer<'static>>()))
            .fails([404]),
        ("PUT", "orders/{service}/{key}") => {
            let body = order_body(schemas.request::<OrderJson>(), example());
            Operation::new("orders", "putOrder", "Registers an order, or a new version of it")
                .describe("The same again changes nothing. A status that was set stays where the document has none. `service_id` and `order_key` may be left out.")
                .takes(["service", "key", "If-Match", "If-None-Match", "strict"])
                .body(body)
                .answers(200, "The order, which was there before.", order_answer(schemas))
                .header(200, "ETag", true, ETAG)
                .answers(201, "The order, which is new.", order_answer(schemas))
                .header(201, "ETag", true, ETAG)
                .fails([404, 409, 412, 413, 422])
        }
        ("PATCH", "orders/{service}/{key}") => Operation::new("orders", "patchOrder", "Changes members of an order")
            .takes(["service", "key", "If-Match", "If-None-Match", "strict"])
            .body(json!({"application/merge-patch+json": {
                "schema": {"$ref": "#/components/schemas/OrderPatch"},
                "examples": {"status": {"summary": "The service was rendered", "value": {"status": "Completed"}}}
            }}))
            .answers(200, "The order.", order_answer(schemas))
            .header(200, "ETag", true, ETAG)
            .fails([404, 409, 412, 413, 415, 422]),
        ("DELETE", "orders/{service}/{key}") => Operation::new("orders", "cancelOrder", "Cancels an order")
            .describe("Once more changes nothing. It stays readable.")
            .takes(["service", "key", "If-Match", "If-None-Match"])
            .answers(200, "The order.", order_answer(schemas))
            .header(200, "ETag", true, ETAG)
            .fails([404, 409, 412]),
        ("GET", "payments") => Operation::new("payments", "listPayments", "Payments, in the order of their recording")
            .describe("Pass `next` as `after`. A page may be empty; you are at the end when `next` is what you passed. Nothing is ever passed by.")
            .takes(["after", "limit", "from", "to", "review"])
            .answers(200, "A page.", as_json(schemas.answer::<payments::PaymentsAnswer>())),
        ("GET", "payments/{id}") => Operation::new("payments", "getPayment", "A payment")
            .takes(["id"])
            .answers(200, "The payment.", as_json(schemas.answer::<payments::PaymentAnswer>()))
            .fails([404]),
        ("POST", "payments/manual") => Operation::new("payments", "proposePayment", "Proposes a payment that MPay did not confirm")
            .describe("It is judged as if MPay had sent it, and counts for nothing until somebody with another token approves it, or for ever if it is withdrawn. `lines` are needed if the order has several.")
            .body(as_json(schemas.request::<manual::Proposed>()))
            .answers(201, "The proposal.", as_json(schemas.answer::<manual::ProposalAnswer>()))
            .header(201, "Location", true, "The proposal's address.")
            .fails([404, 409, 413, 422]),
        ("POST", "payments/{id}/void") => Operation::new("payments", "proposeVoid", "Proposes to void a payment that was entered by hand")
            .describe("It counts until somebody with another token approves the proposal, as that of a payment is. What MPay has confirmed is not voided.")
            .takes(["id"])
            .body(as_json(schemas.request::<reviews::Closing>()))
            .answers(201, "The proposal.", as_json(schemas.answer::<manual::ProposalAnswer>()))
            .header(201, "Location", true, "The proposal's address.")
            .fails([404, 409, 413, 422]),
        ("DELETE", "payments/manual/{index}") => Operation::new("payments", "withdrawProposal", "Withdraws a proposal")
            .describe("It cannot be approved any more. Once more changes nothing.")
            .takes(["index"])
            .answers(200, "The proposal.", as_json(schemas.answer::<manual::ProposalAnswer>()))
            .fails([404, 409]),
        ("GET", "payments/manual/{index}") => Operation::new("payments", "getProposal", "A proposal, and what became of it")
            .takes(["index"])
            .answers(200, "The proposal.", as_json(schemas.answer::<manual::ProposalAnswer>()))
            .fails([404]),
        ("POST", "payments/manual/{index}/approve") => Operation::new("payments", "approvePayment", "Records or voids a payment, as somebody else has proposed")
            .describe("Once more changes nothing.")
            .takes(["index"])
            .answers(200, "The payment.", as_json(schemas.answer::<payments::PaymentAnswer>()))
            .fails([404, 409, 413, 422]),
        ("POST", "settlement") => Operation::new("payments", "settle", "Compares a statement with what was recorded")
            .describe("A table of the bank, the treasury or MPay, of up to 2,000 rows, as CSV or XLSX, whose columns the parameters name; lines above them are left out. What it shows is marked as settled; the same statement again changes nothing. Give `payment_id`, or `text` where PaymentIDs stand within sentences, or `order_key` where it has none, or `date` alone where each row is the sum of a day, with `account` of a day and an account. A payment may be shown in parts by several statements. A payment and its reversal are netted. Of all statements, each row without a PaymentID shows at most one payment, and each payment is shown by one such row. A row is the same in another file if its `reference` is, or without one its `date` and all of its other cells; without either, each file has rows of its own.")
            .takes(["required_from", "required_to", "amount", "payment_id", "text", "order_key", "date_column", "account", "reference", "fee", "fee_rate", "encoding", "settlement_format", "separator"])
            .body(json!({
                "text/csv": {
                    "schema": {"type": "string"},
                    "examples": {"statement": {"summary": "A statement of one row", "value": "id,sum,date\r\nP-1,125.50,2026-11-30\r\n"}}
                },
                XLSX: {}
            }))
            .answers(200, "What fits and what does not.", json!({
                "application/json": {"schema": schemas.answer::<Comparison>()},
                "text/csv": {"schema": {"type": "string"}},
                XLSX: {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .fails([413, 415, 422]),
        ("GET", "payments/{id}/evidence") => Operation::new("payments", "getEvidence", "What proves a payment")
            .describe("A ZIP of `request.xml`, the confirmation byte for byte as MPay signed it; `answer.xml`, our signed answer; and `meta.json`.")
            .takes(["id", "evidence_format"])
            .answers(200, "The messages.", json!({"application/zip": {}, "text/xml": {}}))
            .header(200, "Content-Disposition", true, FILE)
            .fails([404, 410]),
        ("POST", "payments/{id}/reviews/{reason}") => Operation::new("payments", "closeReview", "Closes a flag of a payment")
            .describe("Once more changes nothing.")
            .takes(["id", "reason"])
            .body(as_json(schemas.request::<reviews::Closing>()))
            .answers(200, "The payment.", as_json(schemas.answer::<payments::PaymentAnswer>()))
            .fails([404, 409, 413, 422]),
        ("GET", "refusals") => Operation::new("refusals", "listRefusals", "Confirmations that MPay signed and this provider refused")
            .takes(["after", "limit"])
            .answers(200, "A page.", as_json(schemas.answer::<refusals::RefusalsAnswer>())),
        ("GET", "refusals/{index}") => Operation::new("refusals", "getRefusal", "A refused confirmation")
            .takes(["index"])
            .answers(200, "The refusal.", as_json(schemas.answer::<refusals::RefusalAnswer>()))
            .fails([404]),
        ("GET", "refusals/{index}/evidence") => Operation::new("refusals", "getRefusalEvidence", "What proves that MPay sent a refused confirmation")
            .describe("A ZIP of `request.xml`, the confirmation byte for byte as MPay signed it; `answer.xml`, the fault as we signed it; and `meta.json`.")
            .takes(["index", "evidence_format"])
            .answers(200, "The messages.", json!({"application/zip": {}, "text/xml": {}}))
            .header(200, "Content-Disposition", true, FILE)
            .fails([404, 410]),
        ("POST", "refusals/{index}/reviews/{reason}") => Operation::new("refusals", "closeRefusal", "Closes the flag of a refused confirmation")
            .takes(["index", "refused"])
            .body(as_json(schemas.request::<reviews::Closing>()))
            .answers(200, "The refusal.", as_json(schemas.answer::<refusals::RefusalAnswer>()))
            .fails([404, 409, 413, 422]),
        ("GET", "events") => Operation::new("events", "listEvents", "Everything that happened, in the order of its recording")
            .describe("Pass `next` as `after`. A page may be empty; you are at the end when `next` is what you passed.")
            .takes(["after", "limit"])
            .answers(200, "A page.", as_json(schemas.answer::<EventsAnswer>())),
        ("GET", "reconciliation") => Operation::new("payments", "reconcile", "What was paid to which account")
            .describe("Each line of each payment recorded on a day or in a span, and totals by account. What was voided is a line of the day on which it was voided, with the amount negative.")
            .takes(["date", "from", "to", "after", "reconciliation_format", "part", "separator"])
            .answers(200, "The lines and totals, or one of them as a table.", json!({
                "application/json": {"schema": schemas.answer::<Reconciliation>()},
                "text/csv": {"schema": {"type": "string"}},
                XLSX: {}
            }))
            .header(200, "Content-Disposition", false, FILE)
            .header(200, "Link", false, LINK),
        ("POST", "erasures") => Operation::new("orders", "erasePersonalData", "Erases personal data that is no longer needed")
            .describe("Names, identification numbers and values of properties of closed orders, and signed messages that hold such values. Without a body, of orders to which nothing has happened for as long as the variable `personal_data_retention` says, for a cron job; or of one customer, or one order. It looks at 256 events: go on with `after` = `next` until there is none.")
            .takes(["after"])
            .optional_body(as_json(schemas.request::<ErasureRequest>()))
            .answers(200, "What was erased.", as_json(schemas.answer::<Erased>()))
            .fails([409, 413, 422]),
        ("POST", "repair") => Operation::new("payments", "repair", "Mends what the store has lost of recorded payments")
            .describe("Each entry is written again at its own place, so that no closed day changes; what cannot be mended is named. A call looks at what 256 entries of the journal are about: pass `next` as `after` until it is absent.")
            .takes(["after"])
            .answers(200, "What was missing.", as_json(schemas.answer::<Repair>()))
            .fails([413]),
        ("GET", "outbox") => Operation::new("outbox", "listDeliveries", "What the institution's webhook has been told")
            .describe("From the first payment that is not settled, or after `after`.")
            .takes(["after"])
            .answers(200, "A page.", as_json(schemas.answer::<OutboxAnswer>()))
            .fails([409]),
        ("POST", "outbox/deliver") => Operation::new("outbox", "deliver", "Delivers what is due, for a cron job")
            .describe("Up to 50 messages. Where `complete` is false, something that is due is left: call again at once, or in a minute where `left_alone` is true. A message that the receiver refuses keeps no other back.")
            .answers(200, "What was done.", as_json(schemas.answer::<Report>()))
            .fails([409, 413]),
        _ => return None,
    };
    Some(operation)
}
