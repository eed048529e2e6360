//! How endpoints are described, for the package `describe`, which makes `openapi.json` of it. The
//! component has nothing of this.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::order_answer::OrderAnswer;
pub use super::{orders::IDEMPOTENCY_KEY_MAX, reviews::note as read_note};

/// Where `components` has schemas.
const SCHEMAS: &str = "/components/schemas";

/// What an endpoint does, takes and answers.
#[derive(Debug, Default)]
pub struct Operation {
    /// Its name for programs.
    pub id: &'static str,
    /// The group that it is shown in.
    pub tag: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What else is to be known; may be empty.
    pub description: &'static str,
    /// Names of `components/parameters`.
    pub parameters: Vec<&'static str>,
    /// The `requestBody`.
    pub body: Option<Value>,
    /// The answers that are no problems, by status.
    pub answers: Map<String, Value>,
    /// Problems beyond those that every operation of its role has.
    pub problems: Vec<u16>,
}

impl Operation {
    /// One that takes and answers nothing yet.
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

    /// An answer, by its status.
    pub fn answers(mut self, status: u16, description: &str, content: Value) -> Self {
        let answer = json!({"description": description, "content": content});
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// A header of an answer that was given.
    pub(super) fn header(
        mut self,
        status: u16,
        name: &str,
        required: bool,
        description: &str,
    ) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"][name] = json!({
                "description": description, "required": required, "schema": {"type": "string"}
            });
        }
        self
    }

    pub(super) fn fails<const N: usize>(mut self, problems: [u16; N]) -> Self {
        self.problems.extend(problems);
        self
    }
}

/// Collects the schemas that operations refer to.
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
    /// A reference to the schema of what is read.
    pub fn request<T: JsonSchema>(&mut self) -> Value {
        self.requests.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of what is written.
    pub fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// All schemas of what is read, and then those of what is written, by their names.
    pub fn finish(mut self) -> [BTreeMap<String, Value>; 2] {
        [&mut self.requests, &mut self.answers]
            .map(|generator| generator.take_definitions(true).into_iter().collect())
    }
}

pub(super) fn as_json(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

pub(super) fn example() -> Value {
    json!({
        "reason": {"ro": "Taxă de studii", "ru": "Плата за обучение"},
        "due_date": "2099-06-30",
        "customer_type": "Person", "customer_id": "2000000000004", "customer_name": "Ion Exemplu",
        "lines": [{"line_id": "1", "reason": "Semestrul I", "amount_due": "1250.00"}]
    })
}

pub(super) fn order_body(schema: Value, example: Value) -> Value {
    json!({"application/json": {
        "schema": schema,
        "examples": {"order": {"summary": "An order of one line", "value": example}}
    }})
}

pub(super) fn order_answer(schemas: &mut Schemas) -> Value {
    as_json(schemas.answer::<OrderAnswer<'static>>())
}

pub(super) const ETAG: &str =
    "The order's version, for `If-Match`. Changes with every payment too.";
pub(super) const LINK: &str =
    "Where there is more: the address to go on, with `rel=\"next\"` (RFC 8288).";
pub(super) const FILE: &str = "The name that a browser gives the file.";
