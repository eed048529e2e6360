//! The parameters of paths, queries and headers.

use mpay_ledger::domain::{OrderFields, OrderKey, PaymentId, ServiceId};
use mpay_office::api::IDEMPOTENCY_KEY_MAX;
use serde_json::{Map, Value, json};

use crate::shapes::{amount, identifier, lenient_time, max, reference, saved_card, text, words};

/// Parameters of paths, queries and headers.
pub(crate) fn parameters() -> Map<String, Value> {
    let place = json!({"type": "integer", "minimum": 0, "maximum": (1u64 << 53) - 1});
    let cursor = |place: &str| {
        let pattern = format!("^([0-9a-f]{{8}}-)?{place}$");
        json!({"type": "string", "pattern": pattern})
    };
    let column = || json!({"type": "string", "minLength": 1});
    let flag = || json!({"type": "boolean"});
    let limit = |max: u64, default: u64| json!({"type": "integer", "minimum": 1, "maximum": max, "default": default});
    let rows = [
        (
            "service",
            "path",
            "The ServiceID.",
            identifier(ServiceId::parse),
        ),
        (
            "key",
            "path",
            "The order's key.",
            identifier(OrderKey::parse),
        ),
        ("id", "path", "The PaymentID.", identifier(PaymentId::parse)),
        ("index", "path", "The place in the journal.", place),
        (
            "receiver",
            "path",
            "The receiver's name.",
            json!({"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"}),
        ),
        (
            "outbox_receiver",
            "query",
            "The receiver's name; required if there are several.",
            json!({"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"}),
        ),
        ("customer", "path", "The customer.", text(50)),
        ("card", "path", "The saved card.", saved_card()),
        (
            "terminal_of",
            "query",
            "The service at whose terminal the customer is. The default is the terminal that all services share.",
            identifier(ServiceId::parse),
        ),
        ("reason", "path", "The flag.", reference("Review")),
        (
            "refused",
            "path",
            "The flag of a refusal.",
            reference("RefusalReview"),
        ),
        (
            "strict",
            "query",
            "True to treat warnings as errors.",
            flag(),
        ),
        (
            "cursor",
            "query",
            "The `next` of the previous answer, to read the next page.",
            cursor("(0|[1-9][0-9]{0,14})"),
        ),
        (
            "before",
            "query",
            "Only payments recorded before this time; a date means its start.",
            lenient_time(),
        ),
        (
            "until",
            "query",
            "The last second for which the address is valid; a date means its end. By default the address stays valid.",
            lenient_time(),
        ),
        (
            "limit",
            "query",
            "The largest number of entries in the answer.",
            limit(200, 100),
        ),
        (
            "export_limit",
            "query",
            "The largest number of orders in the answer.",
            limit(2000, 1000),
        ),
        (
            "status",
            "query",
            "Only orders of this status.",
            reference("OrderStatus"),
        ),
        (
            "card_state",
            "query",
            "Only payments of this state.",
            reference("CardState"),
        ),
        (
            "ask",
            "query",
            "True to ask the gateway for the state first.",
            flag(),
        ),
        (
            "review",
            "query",
            "Only entries with an open flag: any flag (`open`), or this one.",
            reference("ReviewFilter"),
        ),
        (
            "alias",
            "query",
            "Only orders with this alias, in any spelling; the order that got it last comes first. If there are several services, `service_id` is required too.",
            identifier(OrderKey::parse),
        ),
        (
            "customer_id",
            "query",
            "Only orders of the payer with this IDNP or IDNO.",
            text(max(|order: &OrderFields| &order.customer_id)),
        ),
        (
            "person",
            "query",
            "Only orders that name this person, where an erasure for the same `customer_id` finds it: as the customer, in the value of a property, or in an alias or metadata that are marked as `personal`.",
            text(255),
        ),
        (
            "customer_name",
            "query",
            "Only orders whose payer's name has, for each of these words, a word that begins with it. Case and diacritics do not matter.",
            json!({"type": "string", "minLength": 1}),
        ),
        (
            "metadata",
            "query",
            "Only orders with this pair of metadata, written as its name, a colon and its value.",
            json!({"type": "string", "pattern": "^[^:]+:.+$", "examples": ["cost_centre:4512"]}),
        ),
        (
            "amount_due",
            "query",
            "Only orders whose total for today, or whose amount due, is this amount.",
            amount(),
        ),
        (
            "due_from",
            "query",
            "Only orders with this due date or a later one; a date means its beginning.",
            lenient_time(),
        ),
        (
            "due_to",
            "query",
            "Only orders with this due date or an earlier one; a date means its last second.",
            lenient_time(),
        ),
        (
            "registered_from",
            "query",
            "Only orders registered at this time or later; a date means its beginning.",
            lenient_time(),
        ),
        (
            "registered_to",
            "query",
            "Only orders registered up to this time; a date includes the whole day.",
            lenient_time(),
        ),
        (
            "service_id",
            "query",
            "Only orders of this service.",
            identifier(ServiceId::parse),
        ),
        (
            "own_service_id",
            "query",
            "The service of the orders that name no service.",
            identifier(ServiceId::parse),
        ),
        (
            "from",
            "query",
            "Only payments recorded at this time or later; a date means its beginning.",
            lenient_time(),
        ),
        (
            "to",
            "query",
            "Only payments recorded up to this time; a date includes the whole day.",
            lenient_time(),
        ),
        (
            "date",
            "query",
            "Only payments recorded on this day of Chişinău. Give either `date`, or `from` and `to`.",
            lenient_time(),
        ),
        (
            "required_from",
            "query",
            "The first day of the statement's period.",
            lenient_time(),
        ),
        (
            "required_to",
            "query",
            "The last day of the period; it is included.",
            lenient_time(),
        ),
        (
            "amount",
            "query",
            "Name of the column of amounts.",
            column(),
        ),
        (
            "payment_id",
            "query",
            "Name of the column of PaymentIDs.",
            column(),
        ),
        (
            "order_key",
            "query",
            "Name of the column of order numbers.",
            column(),
        ),
        (
            "date_column",
            "query",
            "Name of the column of dates.",
            column(),
        ),
        (
            "reference",
            "query",
            "Name of the column that identifies a row in every file, such as the number of the bank's document.",
            column(),
        ),
        (
            "text",
            "query",
            "Name of a column of texts that may contain PaymentIDs.",
            column(),
        ),
        (
            "fee",
            "query",
            "Name of the column of fees that were withheld.",
            column(),
        ),
        (
            "fee_rate",
            "query",
            "The fee that is withheld, as a percentage of the amount, such as `1.5`; or a percentage for each account, such as `IBAN:1.5,IBAN:0.8`.",
            json!({
                "type": "string", "maxLength": 1000,
                "pattern": "^([A-Za-z0-9]+:)?[0-9]{1,2}(\\.[0-9]{0,4})?(,([A-Za-z0-9]+:)?[0-9]{1,2}(\\.[0-9]{0,4})?)*$"
            }),
        ),
        (
            "settlement_currency",
            "query",
            "The currency of the amounts, such as `EUR`, or the name of the column that has it.",
            column(),
        ),
        (
            "settlement_service",
            "query",
            "The service to which the order numbers belong. Needed only if several services have orders of the same number.",
            identifier(ServiceId::parse),
        ),
        (
            "account",
            "query",
            "Name of the column of accounts, if each row is the sum of a day and an account.",
            column(),
        ),
        (
            "encoding",
            "query",
            "The encoding of a CSV without a byte order mark. By default it is UTF-8, or the encoding that its letters suggest; the answer names that one.",
            words([
                "utf-8",
                "utf-16le",
                "utf-16be",
                "windows-1250",
                "windows-1251",
            ]),
        ),
        (
            "open",
            "query",
            "True for only the proposals on which nobody has decided.",
            flag(),
        ),
        (
            "columns",
            "query",
            r#"The meanings of columns with other names, as a JSON object, such as `{"Suma": "amount_due"}`. A column whose value is empty is ignored."#,
            json!({"type": "string", "maxLength": 20000}),
        ),
        (
            "batch",
            "query",
            "The part of a document with more than 500 orders: 1 for the first 500, 2 for the next. If the document has an order twice, the later one is refused.",
            json!({"type": "integer", "minimum": 1, "maximum": 1_000_000}),
        ),
        (
            "dry_run",
            "query",
            "True to write nothing: the answer says what would happen.",
            flag(),
        ),
        (
            "settlement_format",
            "query",
            "The format of the answer: JSON, or a table.",
            words(["json", "csv", "xlsx"]),
        ),
        (
            "part",
            "query",
            "The table that the answer has: the lines, or the totals.",
            words(["lines", "totals"]),
        ),
        (
            "separator",
            "query",
            "The character between the cells of CSV. With a semicolon, amounts have a decimal comma.",
            words(["comma", "semicolon", "tab"]),
        ),
        (
            "evidence_format",
            "query",
            "The format of the answer: a ZIP of everything, or the confirmation alone.",
            words(["zip", "xml"]),
        ),
        (
            "export_format",
            "query",
            "The format of the answer: a table, or one JSON document on each line.",
            words(["csv", "xlsx", "ndjson"]),
        ),
        (
            "reconciliation_format",
            "query",
            "The format of the answer: JSON, or a table.",
            words(["json", "csv", "xlsx"]),
        ),
        (
            "If-Match",
            "header",
            "The order's `ETag`: the change is made only if the order is still as it was.",
            json!({"type": "string", "pattern": "^\"[0-9]{1,19}\"$"}),
        ),
        (
            "If-None-Match",
            "header",
            "`*`: the order is registered only if there is none.",
            // A constant stops the Python generator `openapi-python-client` here.
            json!({"type": "string", "pattern": "^\\*$"}),
        ),
        (
            "Idempotency-Key",
            "header",
            "A name for the request, such as a new UUID. A repetition with the same name has no second effect.",
            json!({
                "type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX,
                "pattern": "^[!#-\\[\\]-~]+$",
                "examples": ["6f1f0f5e-8b0b-4f3b-9a53-0d1c8a2f7d10"]
            }),
        ),
    ];
    rows.into_iter()
        .map(|(id, place, description, schema)| {
            let name = match id {
                "refused" => "reason",
                "card_state" => "state",
                "outbox_receiver" => "receiver",
                "export_limit" => "limit",
                "required_from" => "from",
                "required_to" => "to",
                "date_column" => "date",
                "settlement_currency" => "currency",
                "own_service_id" | "terminal_of" | "settlement_service" => "service_id",
                "evidence_format"
                | "export_format"
                | "reconciliation_format"
                | "settlement_format" => "format",
                id => id,
            };
            let required = place == "path"
                || matches!(
                    id,
                    "Idempotency-Key" | "before" | "required_from" | "required_to" | "amount"
                );
            let parameter = json!({
                "name": name, "in": place, "required": required,
                "description": description, "schema": schema
            });
            (id.to_owned(), parameter)
        })
        .collect()
}
