//! Services whose orders nobody registers: the templates of the orders.

use serde::Deserialize;

use mpay_ledger::{
    domain::{CheckDigit, KeyPattern, Order, OrderKey, ServiceId},
    json::{FieldError, LineJson, LocalizedJson, OrderJson, PropertyJson},
};

/// The id of the one line. It is the same whatever the template says, so that a payment fits though
/// the template was changed after MPay asked.
const LINE: &str = "1";

/// The parts of which the orders of a service without registration are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenService {
    keys: KeyPattern,
    /// The order, under a key that is none.
    order: Order,
}

/// The member `open` of a service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenJson {
    key: KeyJson,
    pub reason: Option<LocalizedJson>,
    pub line_reason: Option<LocalizedJson>,
    currency: Option<String>,
    amount_due: Option<String>,
    min_payment: Option<String>,
    max_payment: Option<String>,
    #[serde(default)]
    allow_partial_payments: bool,
    #[serde(default)]
    allow_advance_payments: bool,
    #[serde(default)]
    properties: Vec<PropertyJson>,
}

/// The form of the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyJson {
    pattern: String,
    check_digit: Option<String>,
}

impl OpenJson {
    /// Reads the description for a service.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(self, service: &ServiceId) -> Result<OpenService, Vec<FieldError>> {
        let mut errors = Vec::new();
        let keys = self.key.read();
        let keys = keys.map_err(|error| errors.push(error)).ok();
        // A payer who may pay any amount may pay a part, or more.
        let is_chosen = self.amount_due.is_none();
        let order = OrderJson {
            service_id: Some(service.to_string()),
            order_key: Some("-".to_owned()),
            reason: self.reason,
            currency: self.currency,
            allow_partial_payments: self.allow_partial_payments || is_chosen,
            allow_advance_payments: self.allow_advance_payments || is_chosen,
            min_payment: self.min_payment,
            max_payment: self.max_payment,
            lines: vec![LineJson {
                line_id: Some(LINE.to_owned()),
                reason: self.line_reason,
                amount_due: self.amount_due,
                ..LineJson::default()
            }],
            properties: self.properties,
            ..OrderJson::default()
        };
        match (order.to_order(), keys) {
            (Ok(order), Some(keys)) => Ok(OpenService { keys, order }),
            (order, _) => {
                let wrong = order.err().unwrap_or_default().into_iter();
                errors.extend(wrong.map(|error| FieldError {
                    field: match error.field.as_str() {
                        "lines[0].reason" => "line_reason".to_owned(),
                        field => field.strip_prefix("lines[0].").unwrap_or(field).to_owned(),
                    },
                    ..error
                }));
                Err(errors)
            }
        }
    }
}

impl KeyJson {
    fn read(self) -> Result<KeyPattern, FieldError> {
        let check = self.check_digit.map(|name| {
            let names = CheckDigit::ALL.map(CheckDigit::as_str).join(", ");
            CheckDigit::parse(&name).ok_or_else(|| {
                FieldError::new("key.check_digit", format!("must be one of {names}"))
            })
        });
        KeyPattern::new(&self.pattern, check.transpose()?)
            .map_err(|error| FieldError::new("key.pattern", error))
    }
}

impl OpenService {
    /// The order that a payer means who types this key; `None` if no order has such a key.
    pub fn order(&self, typed: &OrderKey) -> Option<Order> {
        Some(self.order.with_key(self.keys.find(typed)?))
    }

    /// The order that was paid under this key. MPay asked before the payer could pay: a key that does
    /// not fit did when it asked.
    pub fn paid(&self, key: &OrderKey) -> Order {
        let order = self.order(key);
        order.unwrap_or_else(|| self.order.with_key(key.clone()))
    }
}
