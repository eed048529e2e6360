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
            "The receiver's name; needed where there are several.",
            json!({"type": "string", "pattern": "^[0-9A-Za-z_-]{1,32}$"}),
        ),
        ("customer", "path", "The customer.", text(50)),
        ("card", "path", "The saved card.", saved_card()),
        (
            "terminal_of",
            "query",
            "The service at whose terminal the customer is; left out, that of all services.",
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
            "What would be a warning is an error.",
            flag(),
        ),
        (
            "cursor",
            "query",
            "Where to go on: `next` of the answer before.",
            cursor("(0|[1-9][0-9]{0,14})"),
        ),
        (
            "before",
            "query",
            "Recorded before this time; a date means its start.",
            lenient_time(),
        ),
        (
            "until",
            "query",
            "The last second that the address is good for; a date means its end. For ever if left out.",
            lenient_time(),
        ),
        (
            "limit",
            "query",
            "How many are answered at most.",
            limit(200, 100),
        ),
        (
            "export_limit",
            "query",
            "How many orders are answered at most.",
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
            "The gateway is asked for the state first.",
            flag(),
        ),
        (
            "review",
            "query",
            "Only what has an open flag: any, or this one.",
            reference("ReviewFilter"),
        ),
        (
            "alias",
            "query",
            "Only orders with this alias, in whatever spelling, the one that got it last first. Where there are several services, `service_id` is required with it.",
            identifier(OrderKey::parse),
        ),
        (
            "customer_id",
            "query",
            "Only orders of this IDNP or IDNO.",
            text(max(|order: &OrderFields| &order.customer_id)),
        ),
        (
            "customer_name",
            "query",
            "Only orders of whose payer's name each of these words begins a word, in any case and with or without the marks of letters.",
            json!({"type": "string", "minLength": 1}),
        ),
        (
            "metadata",
            "query",
            "Only orders with this pair of metadata: its name, a colon and its value.",
            json!({"type": "string", "pattern": "^[^:]+:.+$", "examples": ["cost_centre:4512"]}),
        ),
        (
            "amount_due",
            "query",
            "Only orders that ask this today, or of which this is due.",
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
            "Only orders registered up to this time; a date is included.",
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
            "The service of orders that name none.",
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
            "Only payments recorded up to this time; a date is included.",
            lenient_time(),
        ),
        (
            "date",
            "query",
            "Payments recorded on this day of Chişinău. Either this, or `from` and `to`.",
            lenient_time(),
        ),
        (
            "required_from",
            "query",
            "The first day that the statement is about.",
            lenient_time(),
        ),
        (
            "required_to",
            "query",
            "The last day, which is included.",
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
            "Name of the column by which a row is known in every file, such as the number of the bank's document.",
            column(),
        ),
        (
            "text",
            "query",
            "Name of a column in whose text a PaymentID is looked for.",
            column(),
        ),
        (
            "fee",
            "query",
            "Name of the column of what was kept back of the amount.",
            column(),
        ),
        (
            "fee_rate",
            "query",
            "What is kept back, as a percentage, or one for each account: `IBAN:1.5,IBAN:0.8`.",
            json!({
                "type": "string", "maxLength": 1000,
                "pattern": "^([A-Za-z0-9]+:)?[0-9]{1,2}(\\.[0-9]{0,4})?(,([A-Za-z0-9]+:)?[0-9]{1,2}(\\.[0-9]{0,4})?)*$"
            }),
        ),
        (
            "account",
            "query",
            "Name of the column of accounts, where each row is the sum of a day and an account.",
            column(),
        ),
        (
            "encoding",
            "query",
            "What a CSV without a mark of its own is in. Without this it is UTF-8, or found out from its letters, which the answer says.",
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
            "Only those on which nobody has decided.",
            flag(),
        ),
        (
            "columns",
            "query",
            r#"Which column one that is called otherwise is, as an object in JSON: `{"Suma": "amount_due"}`. One whose value is empty is left out."#,
            json!({"type": "string", "maxLength": 20000}),
        ),
        (
            "batch",
            "query",
            "Which 500 orders of a document that has more, from 1. An order that is there twice is refused in the later one.",
            json!({"type": "integer", "minimum": 1, "maximum": 1_000_000}),
        ),
        (
            "dry_run",
            "query",
            "The answer says what would happen, and nothing is written.",
            flag(),
        ),
        (
            "settlement_format",
            "query",
            "JSON, or a table.",
            words(["json", "csv", "xlsx"]),
        ),
        (
            "part",
            "query",
            "Which table is given as CSV or XLSX.",
            words(["lines", "totals"]),
        ),
        (
            "separator",
            "query",
            "What separates the cells of CSV. With a semicolon, amounts have a comma.",
            words(["comma", "semicolon", "tab"]),
        ),
        (
            "evidence_format",
            "query",
            "A ZIP of everything, or the confirmation alone.",
            words(["zip", "xml"]),
        ),
        (
            "export_format",
            "query",
            "A table, or documents, one a line.",
            words(["csv", "xlsx", "ndjson"]),
        ),
        (
            "reconciliation_format",
            "query",
            "JSON, or a table.",
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
            "Names the request, such as a new UUID: however often it comes, it makes one order.",
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
                "own_service_id" | "terminal_of" => "service_id",
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
