//! The shapes of values, of which many ask for what the types of the domain do; and the schemas that several
//! members or parameters share.

use mpay_ledger::{
    domain::{
        CustomerType, Localized, OrderFields, OrderStatus, Property, Review, SetStatus, Text,
        TextError,
    },
    json::Group,
};
use serde_json::{Value, json};

/// A text of limited length.
pub(crate) trait Limited {
    const MAX: usize;
}

impl<const N: usize> Limited for Text<N> {
    const MAX: usize = N;
}

impl<const N: usize> Limited for Localized<N> {
    const MAX: usize = N;
}

impl<T: Limited> Limited for Option<T> {
    const MAX: usize = T::MAX;
}

/// The longest text of a member, in characters.
pub(crate) fn max<T, L: Limited>(_: fn(&T) -> &L) -> usize {
    L::MAX
}

/// The longest text that a function reads.
pub(crate) fn max_read<T, E, const N: usize>(_: fn(&T) -> Result<Text<N>, E>) -> usize
where
    T: ?Sized,
{
    N
}

pub(crate) fn text(max: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": max})
}

/// A reference to the schema of this name in `components`.
pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `CardId` of the gateway.
pub(crate) fn saved_card() -> Value {
    json!({"type": "string", "pattern": "^[0-9A-Za-z-]{1,36}$"})
}

pub(crate) fn several(item: &str) -> Value {
    json!({"type": "array", "items": reference(item)})
}

pub(crate) fn reason() -> usize {
    max(|order: &OrderFields| &order.reason)
}

pub(crate) fn display_name() -> usize {
    max(|property: &Property| &property.display_name)
}

/// A text in one language, or in several by this schema.
pub(crate) fn localized(max: usize, several: &str) -> Value {
    json!({"anyOf": [text(max), reference(several)]})
}

/// A text in several languages.
pub(crate) fn languages(description: &str, one: &Value) -> Value {
    let of = |language: &str| {
        let mut one = one.clone();
        one["description"] = format!("In {language}.").into();
        one
    };
    json!({
        "description": description, "type": "object",
        "properties": {"ro": of("Romanian"), "ru": of("Russian"), "en": of("English")},
        "additionalProperties": false
    })
}

/// A localised text in a merge patch.
pub(crate) fn localized_patch() -> Value {
    localized(reason(), "LocalizedReasonPatch")
}

/// Schemas that several members or parameters share, or that stand within another: generated
/// clients make a class of each, and would invent a name.
pub(crate) fn shared() -> [(&'static str, Value); 12] {
    let described = |description: &str, mut schema: Value| {
        schema["description"] = description.into();
        schema
    };
    let localized = |description, max| {
        let mut schema = languages(description, &text(max));
        schema["required"] = json!(["ro"]);
        schema
    };
    [
        (
            "LocalizedReason",
            localized("The purpose of the payment, in each language.", reason()),
        ),
        (
            "LocalizedDisplayName",
            localized(
                "The name that the payer reads, in each language.",
                display_name(),
            ),
        ),
        (
            "LocalizedReasonPatch",
            languages(
                "The purpose of the payment, in each language; null removes a language.",
                &json!({"anyOf": [text(reason()), {"type": "null"}]}),
            ),
        ),
        (
            "Metadata",
            json!({
                "description": "Values by their names.",
                "type": "object", "additionalProperties": reference("Metadatum")
            }),
        ),
        (
            "OrderStatus",
            described(
                "The status of an order.",
                words(OrderStatus::all().map(OrderStatus::as_str)),
            ),
        ),
        (
            "SetStatus",
            described(
                "A status that no payment or date gives.",
                words(SetStatus::ALL.map(SetStatus::as_str)),
            ),
        ),
        (
            "CustomerType",
            described(
                "The kind of payer.",
                words(CustomerType::ALL.map(CustomerType::as_str)),
            ),
        ),
        (
            "Review",
            described(
                "A flag of a payment: the reason why a person should look at it.",
                words(review_names()),
            ),
        ),
        (
            "RefusalReview",
            described(
                "The flag of a refusal: a person should look at it.",
                words([REFUSED]),
            ),
        ),
        (
            "ClosedReview",
            described(
                "A flag that was closed.",
                words(review_names().chain([REFUSED])),
            ),
        ),
        (
            "ReviewFilter",
            described(
                "An open flag: any, or this one.",
                words(["open"].into_iter().chain(review_names())),
            ),
        ),
        (
            "EventGroup",
            described(
                "A group of events that a receiver of webhooks can get.",
                words(Group::ALL.map(Group::as_str)),
            ),
        ),
    ]
}

pub(crate) fn identifier<T>(parse: fn(&str) -> Result<T, TextError>) -> Value {
    match parse(&"x".repeat(10_000)) {
        Err(TextError::TooLong { max, .. }) => text(max),
        _ => unreachable!("an identifier without a limit"),
    }
}

pub(crate) fn words(words: impl IntoIterator<Item = &'static str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

/// The flag of a refusal.
pub(crate) const REFUSED: &str = "refused";

pub(crate) fn review_names() -> impl Iterator<Item = &'static str> {
    Review::ALL.into_iter().map(Review::as_str)
}

pub(crate) fn amount() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{1,13}(\\.[0-9]{1,2})?$", "examples": ["125.50"]})
}

/// An amount with its sign.
pub(crate) fn balance() -> Value {
    json!({"type": "string", "pattern": "^-?[0-9]{1,13}(\\.[0-9]{1,2})?$", "examples": ["125.50"]})
}

pub(crate) fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// A time as it may be sent: with a time of day and an offset, or without.
pub(crate) fn lenient_time() -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$",
        "examples": ["2026-12-31", "2026-12-31T23:59:59+02:00"]
    })
}

/// A day of Chişinău.
pub(crate) fn day() -> Value {
    json!({"type": "string", "format": "date", "examples": ["2026-12-31"]})
}

pub(crate) fn hexadecimal(digits: usize) -> Value {
    json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")})
}

pub(crate) fn currency() -> Value {
    json!({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["MDL"]})
}

pub(crate) fn iban() -> Value {
    json!({
        "type": "string", "minLength": 15, "maxLength": 24,
        "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,20}$",
        "examples": ["MD24AG000225100013104168"]
    })
}
