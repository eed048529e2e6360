//! The description of endpoints, from which the package `describe` makes `openapi.json`. The component contains
//! none of it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The place of the schemas in the document.
const SCHEMAS: &str = "/components/schemas";

/// The description of an endpoint: purpose, parameters, body, answers.
#[derive(Debug, Default)]
pub struct Operation {
    /// Its name for generated clients.
    pub id: &'static str,
    /// The group in which documents show it.
    pub tag: &'static str,
    /// Its purpose, in one line.
    pub summary: &'static str,
    /// More details; may be empty.
    pub description: &'static str,
    /// Names of `components/parameters`.
    pub parameters: Vec<&'static str>,
    /// The `requestBody`, as OpenAPI writes it.
    pub body: Option<Value>,
    /// The answers that are not problems, by status.
    pub answers: Map<String, Value>,
    /// The statuses of problems, beyond those that every operation of its roles has.
    pub problems: Vec<u16>,
}

impl Operation {
    /// An operation without parameters, body and answers.
    pub fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            id,
            summary,
            ..Self::default()
        }
    }

    pub(super) fn describe(self, description: &'static str) -> Self {
        Self {
            description,
            ..self
        }
    }

    pub(super) fn takes<const N: usize>(mut self, parameters: [&'static str; N]) -> Self {
        self.parameters.extend(parameters);
        self
    }

    pub(super) fn body(mut self, content: Value) -> Self {
        self.body = Some(json!({"required": true, "content": content}));
        self
    }

    pub(super) fn optional_body(mut self, content: Value) -> Self {
        self.body = Some(json!({"content": content}));
        self
    }

    /// Adds an answer with this status.
    pub fn answers(mut self, status: u16, description: &str, content: Value) -> Self {
        let answer = json!({"description": description, "content": content});
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// Adds a header to the answer with this status.
    pub(super) fn header(
        mut self,
        status: u16,
        name: &str,
        required: bool,
        description: &str,
    ) -> Self {
        let answer = self.answers.get_mut(&status.to_string());
        if let Some(answer) = answer.and_then(Value::as_object_mut) {
            let headers = answer.entry("headers").or_insert_with(|| json!({}));
            let header = json!({
                "description": description, "required": required, "schema": {"type": "string"}
            });
            headers
                .as_object_mut()
                .map(|headers| headers.insert(name.to_owned(), header));
        }
        self
    }

    pub(super) fn fails<const N: usize>(mut self, problems: [u16; N]) -> Self {
        self.problems.extend(problems);
        self
    }
}

/// The collected schemas to which operations refer.
#[derive(Debug)]
pub struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let generator = |mut settings: SchemaSettings| {
            settings.definitions_path = SCHEMAS.into();
            settings.into_generator()
        };
        Self {
            requests: generator(SchemaSettings::draft2020_12().for_deserialize()),
            answers: generator(SchemaSettings::draft2020_12().for_serialize()),
        }
    }
}

impl Schemas {
    /// A reference to the schema of a type that the API reads.
    pub fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of a type that the API writes.
    pub fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// All schemas by name: first those that the API reads, then those that it writes.
    pub fn finish(mut self) -> [BTreeMap<String, Value>; 2] {
        [&mut self.requests, &mut self.answers]
            .map(|generator| generator.take_definitions(true).into_iter().collect())
    }
}

pub(super) fn as_json(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// An example of an order, with these members in addition.
pub(super) fn example<const N: usize>(names: [(&str, &str); N]) -> Value {
    let mut order = json!({
        "reason": {"ro": "Taxă de studii", "ru": "Плата за обучение"},
        "due_date": "2099-06-30",
        "customer_type": "Person", "customer_id": "2000000000004", "customer_name": "Ion Exemplu",
        "lines": [{"line_id": "1", "reason": "Semestrul I", "amount_due": "1250.00"}]
    });
    if let Some(members) = order.as_object_mut() {
        members.extend(names.map(|(name, value)| (name.to_owned(), value.into())));
    }
    order
}

pub(super) fn order_body(schema: Value, example: Value) -> Value {
    json!({"application/json": {
        "schema": schema,
        "examples": {"order": {"summary": "An order of one line", "value": example}}
    }})
}

pub(super) const ETAG: &str =
    "The order's version, for `If-Match`. It also changes with every payment.";
pub(super) const LINK: &str =
    "The address of the next part, with `rel=\"next\"`; absent if there is none (RFC 8288).";
pub(super) const FILE: &str = "The file name that a browser proposes.";
