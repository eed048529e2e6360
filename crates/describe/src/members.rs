//! The meaning of every member wherever it stands, and the shapes that the types of the domain ask of
//! it.

use serde_json::{Map, Value, json};

use mpay_door::{CURSOR_GONE, PAUSED};

use mpay_ledger::json::Group;

use mpay_ledger::domain::{
    AccountDetails, CustomerType, LONGEST_TERM, LineId, Localized, Metadatum, OrderFields,
    OrderKey, OrderStatus, PROPERTY_TYPES, PaymentId, Property, Review, ServiceId, SetStatus, Text,
    TextError,
};
use mpay_office::{
    access::MAX_NAME,
    api::description::{IDEMPOTENCY_KEY_MAX, read_note},
};

/// A text of limited length.
trait Limited {
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
fn max<T, L: Limited>(_: fn(&T) -> &L) -> usize {
    L::MAX
}

/// The longest text that a function reads.
fn max_read<T, E, const N: usize>(_: fn(&T) -> Result<Text<N>, E>) -> usize
where
    T: ?Sized,
{
    N
}

fn text(max: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": max})
}

/// A reference to the schema of this name in `components`.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `CardId` of the gateway.
fn saved_card() -> Value {
    json!({"type": "string", "pattern": "^[0-9A-Za-z-]{1,36}$"})
}

fn several(item: &str) -> Value {
    json!({"type": "array", "items": reference(item)})
}

fn reason() -> usize {
    max(|order: &OrderFields| &order.reason)
}

fn display_name() -> usize {
    max(|property: &Property| &property.display_name)
}

/// A text in one language, or in several by this schema.
fn localized(max: usize, several: &str) -> Value {
    json!({"anyOf": [text(max), reference(several)]})
}

/// A text in several languages.
fn languages(description: &str, one: &Value) -> Value {
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
pub fn localized_patch() -> Value {
    localized(reason(), "LocalizedReasonPatch")
}

/// Schemas that several members or parameters share, or that stand within another: generated
/// clients make a class of each, and would invent a name.
pub fn shared() -> [(&'static str, Value); 12] {
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
            localized("What is to be paid for, by language.", reason()),
        ),
        (
            "LocalizedDisplayName",
            localized("What the payer reads, by language.", display_name()),
        ),
        (
            "LocalizedReasonPatch",
            languages(
                "What is to be paid for, by language: null takes one away.",
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
                "Where an order stands.",
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
                "Who is to pay.",
                words(CustomerType::ALL.map(CustomerType::as_str)),
            ),
        ),
        (
            "Review",
            described(
                "Why a person should look at a payment.",
                words(review_names()),
            ),
        ),
        (
            "RefusalReview",
            described("Why a person should look at a refusal.", words([REFUSED])),
        ),
        (
            "ClosedReview",
            described(
                "What a person has looked at.",
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
                "Events that a receiver is told of together.",
                words(Group::ALL.map(Group::as_str)),
            ),
        ),
    ]
}

fn identifier<T>(parse: fn(&str) -> Result<T, TextError>) -> Value {
    match parse(&"x".repeat(10_000)) {
        Err(TextError::TooLong { max, .. }) => text(max),
        _ => unreachable!("an identifier without a limit"),
    }
}

fn words(words: impl IntoIterator<Item = &'static str>) -> Value {
    json!({"type": "string", "enum": words.into_iter().collect::<Vec<_>>()})
}

/// The flag of a refusal.
const REFUSED: &str = "refused";

fn review_names() -> impl Iterator<Item = &'static str> {
    Review::ALL.into_iter().map(Review::as_str)
}

fn amount() -> Value {
    json!({"type": "string", "pattern": "^[0-9]{1,13}(\\.[0-9]{1,2})?$", "examples": ["125.50"]})
}

/// An amount with its sign.
fn balance() -> Value {
    json!({"type": "string", "pattern": "^-?[0-9]{1,13}(\\.[0-9]{1,2})?$", "examples": ["125.50"]})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

/// A time as it may be sent: with a time of day and an offset, or without.
fn lenient_time() -> Value {
    json!({
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$",
        "examples": ["2026-12-31", "2026-12-31T23:59:59+02:00"]
    })
}

/// A day of Chişinău.
fn day() -> Value {
    json!({"type": "string", "format": "date", "examples": ["2026-12-31"]})
}

fn hexadecimal(digits: usize) -> Value {
    json!({"type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$")})
}

fn currency() -> Value {
    json!({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["MDL"]})
}

fn iban() -> Value {
    json!({
        "type": "string", "minLength": 15, "maxLength": 24,
        "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,20}$",
        "examples": ["MD24AG000225100013104168"]
    })
}

/// The meaning of a member of a schema, and for texts their shape. An empty meaning leaves the one that
/// the type's own documentation gives.
pub fn member(schema: &str, name: &str) -> (&'static str, Option<Value>) {
    match (schema, name) {
        ("Problem", "type") => (
            "What kind of problem it is, where programs must tell it from others of its status; absent otherwise.",
            Some(words([CURSOR_GONE, PAUSED])),
        ),
        ("Problem", "status") => ("The status of the answer.", None),
        ("Problem", "title") => ("What the status means.", None),
        ("Problem", "detail") => ("What is wrong, and what to do.", None),
        ("Problem" | "RowResult", "errors") => ("The members that are wrong, all of them.", None),
        ("Order", "status") => (
            "Only what no payment or date gives. Left out, it stays as it is.",
            Some(reference("SetStatus")),
        ),
        ("OrderAnswer" | "RegisteredAnswer", "status") => (
            "Where the order stands now.",
            Some(reference("OrderStatus")),
        ),
        ("OrderEvent", "status") => ("The status that was set.", Some(reference("SetStatus"))),
        ("EventAnswer", "type") => ("What happened.", Some(json!({"type": "string"}))),
        ("Order" | "OrderAnswer" | "RegisteredAnswer", "reason") => (
            "What the order is for; printed on receipts. Where it is left out, the service's text of the variable `services`.",
            Some(localized(reason(), "LocalizedReason")),
        ),
        ("Line", "reason") => (
            "What the line is for. Where it is left out, the service's text of the variable `services`.",
            Some(localized(reason(), "LocalizedReason")),
        ),
        ("ClosedAnswer" | "ReviewClosed", "reason") => {
            ("The flag that was closed.", Some(reference("ClosedReview")))
        }
        ("Refusal" | "RefusalAnswer", "reason") => (
            "Text of the fault that MPay got.",
            Some(json!({"type": "string"})),
        ),
        // MPay's own, kept as it came.
        (
            "Refusal" | "RefusalAnswer" | "ReviewClosed" | "Erasure" | "KeptOrder",
            "payment_id" | "service_id" | "order_key",
        ) => ("As the message has it.", Some(json!({"type": "string"}))),
        ("RefusalAnswer", "review") => (
            "Why a person should look at it.",
            Some(several("RefusalReview")),
        ),
        ("Erasure", "reason") => (
            "What it was erased for.",
            Some(words(["retention", "request"])),
        ),
        ("ErasureRequest", "customer_id") => (
            "What an order has as its `customer_id`, or an order or payment as the value of a property.",
            Some(json!({"type": "string", "minLength": 1, "maxLength": 255})),
        ),
        ("PaymentProperty", "name") => ("`Name`, as MPay sent it.", None),
        ("PaymentProperty", "value") => ("`Value`, as MPay sent it.", None),
        (
            "PaymentAnswer" | "OrderPaymentAnswer" | "Payment" | "PaymentLine" | "ProposedLine",
            "properties",
        ) => ("What the payer filled in and the instrument added.", None),
        ("Amount", "from" | "until" | "after") => ("", Some(day())),
        ("Amount", "working_days") => (
            "",
            Some(json!({"type": "integer", "minimum": 1, "maximum": LONGEST_TERM})),
        ),
        ("Amount", "amount_due") => (
            "What the line asks instead of its own amount.",
            Some(amount()),
        ),
        ("Amount", "add" | "add_per_day" | "at_most") => ("", Some(amount())),
        ("Marked", "value") => (
            "The value.",
            Some(text(max(|pair: &Metadatum| &pair.value))),
        ),
        ("Marked", "personal") => ("", None),
        ("PeriodAnswer", "from") => ("The first day; today for what holds now.", Some(day())),
        ("PeriodAnswer", "until") => ("", Some(day())),
        ("PeriodAnswer", "amount_due") => ("What is due on the first day.", Some(amount())),
        ("PeriodAnswer", "more_per_day") => ("", Some(amount())),
        ("PaymentAnswer" | "OrderPaymentAnswer" | "Payment", "lines") => {
            ("What was paid of each line.", None)
        }
        ("PaymentLine" | "ProposedLine", "amount") => {
            ("What was paid of the line.", Some(amount()))
        }
        ("PaidLine", "amount") => (
            "What was paid of the line; negative where that is voided or given back.",
            Some(balance()),
        ),
        ("CardPaymentRequest", "return_url") => (
            "Where the payer goes in the end, whatever came of it: an `https` address.",
            Some(
                json!({"type": "string", "format": "uri", "maxLength": 2000, "examples": ["https://shop.example.md/done"]}),
            ),
        ),
        ("CardPaymentRequest", "payer_ip") => (
            "The payer's address, for the gateway.",
            Some(json!({"type": "string", "examples": ["192.0.2.1"]})),
        ),
        ("CardPaymentRequest", "amount") => ("How much; left out, what is due.", Some(amount())),
        ("CardPaymentRequest" | "CardPaymentAnswer" | "CardCustomerAnswer", "customer") => {
            ("The customer of the Wallet.", Some(text(50)))
        }
        ("CardPaymentRequest" | "CardPaymentAnswer" | "CardCustomerAnswer", "card") => {
            ("The saved card.", Some(saved_card()))
        }
        ("SavedCardAnswer", "id") => ("What the gateway calls it.", Some(saved_card())),
        ("SavedCardsAnswer", "cards") => ("The cards, 20 at most.", None),
        ("AddCardRequest", "return_url") => (
            "Where the customer goes in the end: an `https` address without `;`, `%`, `+` and `&`.",
            Some(
                json!({"type": "string", "format": "uri", "maxLength": 2000, "examples": ["https://shop.example.md/cards"]}),
            ),
        ),
        ("AddCardRequest", "payer_ip") => (
            "The customer's address, for the gateway.",
            Some(json!({"type": "string", "examples": ["192.0.2.1"]})),
        ),
        ("AddCardAnswer", "expires_at") => ("", Some(time())),
        ("ActivateCardRequest", "amount") => (
            "The small amount that the gateway holds on the card, as the statement shows it.",
            Some(amount()),
        ),
        ("ChargeRequest", "amount") => ("How much; left out, all that is held.", Some(amount())),
        ("RefundRequest", "amount") => ("How much; left out, all that remains.", Some(amount())),
        ("RefundRequest", "note") => ("Why.", Some(text(max_read(read_note)))),
        ("CardPaymentAnswer" | "CardStarted", "capture") => ("How the money is taken.", None),
        ("CardPaymentAnswer" | "CardStarted", "amount") => {
            ("What the payer is asked for.", Some(amount()))
        }
        ("CardPaymentAnswer", "started_at") => ("When it was begun.", Some(time())),
        ("CardPaymentAnswer", "expires_at") => ("", Some(time())),
        ("CardStarted", "lines") => ("What is asked for of each line.", None),
        ("CardCommandAnswer", "kind") => ("What was asked of the gateway.", None),
        ("CardCommandAnswer", "amount") => ("How much it is about.", Some(amount())),
        ("CardCommandAnswer", "at") => ("When it was about to be sent.", Some(time())),
        ("RefundAnswer" | "Refund", "amount") => ("How much was given back.", Some(amount())),
        ("RefundAnswer", "at") => ("When it was known here.", Some(time())),
        ("Refund" | "ReviewOpened", "evidence") => (
            "Name of the gateway's answer among the evidence.",
            Some(hexadecimal(64)),
        ),
        ("ReviewOpened", "reason") => ("The flag.", Some(reference("Review"))),
        (_, "card_payments") => ("The payments by card.", None),
        (_, "remaining" | "amount_refunded" | "asked") => ("", Some(amount())),
        ("PaidLine", "void" | "refund") => ("", None),
        ("ClosedAnswer", "recorded") => ("", None),
        ("Void", "recorded" | "void_proposal" | "lines") => ("", None),
        ("VoidProposal" | "Void", "proposal") => ("", None),
        ("VoidedAnswer", "at") => ("When it was voided.", Some(time())),
        ("PaymentLine" | "PaidLine", "bank_account") => ("", Some(iban())),
        ("Property", "id") => ("`Id`.", Some(text(max(|property: &Property| &property.id)))),
        ("Property", "name") => (
            "`Name`: letters, digits and spaces.",
            Some(text(max(|property: &Property| &property.name))),
        ),
        ("Property", "value") => (
            "`Value`.",
            Some(
                json!({"type": "string", "maxLength": max(|property: &Property| &property.value)}),
            ),
        ),
        ("Property", "required") => ("The payer must fill it in.", None),
        ("Property", "type") => (
            "What may be filled in: `idn` an identification number, `tc` a phone number; `string` if left out.",
            Some(words(PROPERTY_TYPES)),
        ),
        ("Order", "lines") => (
            "What is to be paid for, at least one line.",
            Some(json!({"type": "array", "minItems": 1, "items": reference("Line")})),
        ),
        ("OrderAnswer" | "RegisteredAnswer", "lines") => ("What is to be paid for.", None),
        ("Reconciliation", "lines") => ("The lines of the payments.", None),
        ("Reconciliation", "from") => ("The first moment of the span.", Some(time())),
        ("Reconciliation", "to") => ("The end of the span.", Some(time())),
        ("Total" | "DayTotal" | "OfService", "amount") => (
            "What was paid to the account, for the service, or on the day, less what is voided or given back.",
            Some(balance()),
        ),
        ("PaidOnDay", "date") => (
            "The day.",
            Some(json!({"type": "string", "format": "date"})),
        ),
        ("PaidByDay", "days") => ("The latest last.", None),
        ("ProposalsAnswer", "proposals") => ("The newest first.", None),
        ("Total" | "DayTotal" | "OfService", "lines") => {
            ("How many lines this is the sum of.", None)
        }
        ("RowResult", "service_id" | "order_key") => {
            ("As the row has it.", Some(json!({"type": "string"})))
        }
        ("RowResult", "detail") => ("What is wrong with the row.", None),
        ("FieldError", "detail") => ("What is wrong with it.", None),
        ("ResendRequest" | "ResendAnswer", "receiver") => ("Name of the receiver.", None),
        ("ResendRequest", "index") => (
            "One message, by its `index`.",
            Some(json!({"type": "integer", "minimum": 1, "maximum": (1u64 << 53) - 1})),
        ),
        ("ResendRequest", "since") => (
            "All messages about what was recorded from this time on. It begins up to five minutes earlier, since clocks differ.",
            Some(lenient_time()),
        ),
        ("ResendRequest", "cursor") => (
            "All messages behind this cursor, of the outbox or of the events.",
            Some(json!({"type": "string", "pattern": "^([0-9a-f]{8}-)?(0|[1-9][0-9]{0,14})$"})),
        ),
        ("ResendAnswer", "first_index") => ("Messages of indices from this one on,", None),
        ("ResendAnswer", "last_index") => (
            "and up to this one, as far as the receiver wants them.",
            None,
        ),
        ("WebhookAnswer", "name") => ("Its name in the variable `webhooks`.", None),
        ("WebhookAnswer", "origin") => ("Scheme, host and port of its address.", None),
        ("WebhookAnswer", "events") => ("What it is told of.", Some(several("EventGroup"))),
        ("WebhookAnswer", "status") => (
            "How it goes: `paused` if it asked for time, `ended` if it answered 410.",
            Some(words(["active", "failing", "paused", "ended"])),
        ),
        ("WebhookAnswer", "pending") => ("At least so many messages are not delivered yet.", None),
        ("WebhookAnswer", "pending_more") => ("Whether there may be more.", None),
        ("WebhookAnswer", "last_success_at") => ("When it last took a message.", Some(time())),
        ("WebhookAnswer", "last_error_at") => ("When it last did not.", Some(time())),
        ("WebhookAnswer", "paused_until") => ("It is sent nothing before.", Some(time())),
        ("WebhookAnswer", "ended_at") => ("When it answered 410.", Some(time())),
        ("Report", "ended") => (
            "Receivers that answered 410: they are sent nothing until somebody resumes them.",
            None,
        ),
        ("DeliveryAnswer", "status") => (
            "Whether the receiver has been told.",
            Some(words(["pending", "delivered", "failing", "given-up"])),
        ),
        ("Proposed", "paid_at") => ("When it was paid.", Some(lenient_time())),
        ("Proposed" | "Proposal" | "ProposalAnswer", "lines") => (
            "What was paid of each line; needed if the order has several.",
            None,
        ),
        ("Proposed" | "Proposal" | "ProposalAnswer", "note") => {
            ("Where it is known from.", Some(text(max_read(read_note))))
        }
        ("Shown", "shown_by_others") => ("", None),
        ("Settlement", "payments") => ("", None),
        ("Settlement", "rows") => ("", Some(json!({"type": "array", "items": hexadecimal(64)}))),
        ("Settlement", "parts") => ("", None),
        ("Part", "number") => ("", None),
        ("Part", "row") => ("", Some(hexadecimal(64))),
        ("Part", "amount") => ("", Some(amount())),
        ("Shown", "amount") => (
            "What the rows show in all; below zero for what is taken back.",
            Some(json!({"type": "string", "pattern": "^-?[0-9]{1,20}\\.[0-9]{2}$"})),
        ),
        ("Known", "amount") => ("The amount.", Some(amount())),
        ("Known" | "Shown", "difference") => ("What is to be said of it, for programs.", None),
        ("Known" | "Shown", "detail") => ("The same for people.", None),
        ("Known", "fee") => ("", Some(amount())),
        ("Comparison", "read_as" | "complete" | "netted" | "fees" | "totals") => ("", None),
        ("Shown", "payment_id" | "order_key") => {
            ("As the statement has it.", Some(json!({"type": "string"})))
        }
        ("Known", "shown") => (
            "",
            Some(json!({"type": "string", "pattern": "^-?[0-9]{1,20}\\.[0-9]{2}$"})),
        ),
        ("Comparison" | "WrongRow", "errors") => ("What cannot be read.", None),
        ("Report", _) => ("", None),
        ("Repair", _) => ("", None),
        ("RegisterAnswer" | "OrderPaymentsAnswer", "next") => ("", None),
        _ => common(name),
    }
}

/// Members that mean the same everywhere.
fn common(name: &str) -> (&'static str, Option<Value>) {
    match name {
        "service_id" => (
            "The service: a ServiceID that MPay gave the institution.",
            Some(identifier(ServiceId::parse)),
        ),
        "order_key" => (
            "The order within its service; payers type it.",
            Some(identifier(OrderKey::parse)),
        ),
        "payment_id" => (
            "MPay's name for the payment.",
            Some(identifier(PaymentId::parse)),
        ),
        "line_id" => (
            "The line within its order.",
            Some(identifier(LineId::parse)),
        ),
        "invoice_id" => ("MPay's own number for what it showed to the payer.", None),
        "status" => ("", None),
        "refund_reference" => (
            "By what the money that is given back is found at the bank or the treasury: with `Refunding`, and always with `Refunded`.",
            Some(text(max(|order: &OrderFields| &order.refund_reference))),
        ),
        "currency" => ("ISO 4217; `MDL` if left out.", Some(currency())),
        "total_amount_due" => (
            "The sum of the lines before any payment; left out where it is unknown.",
            Some(amount()),
        ),
        "amount_due" => (
            "What is to be paid; left out where it is unknown.",
            Some(amount()),
        ),
        "amount_paid" => (
            "What has been paid in the order's currency.",
            Some(amount()),
        ),
        "amount_overpaid" => (
            "What has been paid beyond the total, by mistake or in advance; left out where that is nothing.",
            Some(amount()),
        ),
        "amount" => ("What was paid.", Some(amount())),
        "issued_at" => ("When the order was issued.", Some(lenient_time())),
        "due_date" => (
            "After it the order is `Expired`. Leave it out for a bill that stays payable.",
            Some(lenient_time()),
        ),
        "payable_from" => (
            "Before it the order cannot be paid, and MPay is told that it does not know it.",
            Some(lenient_time()),
        ),
        "amounts" => (
            "What lines ask on some days instead of their own amounts, or beside them.",
            None,
        ),
        "min_payment" | "max_payment" => (
            "The least, or the most, that a payment should be, where the payer chooses the amount. MPay is not told of it: a payment beyond is recorded, and flagged.",
            Some(amount()),
        ),
        "aliases" => (
            "Other names under which MPay finds the order, such as a fiscal code, a contract or a cadastral number. At most 10. An erasure takes those that are personal.",
            None,
        ),
        "metadata" => (
            "For the institution alone: neither MPay nor payers ever see it. At most 20 pairs; a name has at most 40 letters, digits, `_`, `-` and `.`.",
            Some(reference("Metadata")),
        ),
        "amount_validity" => (
            "",
            Some(json!({"type": "integer", "minimum": 0, "maximum": 86_400})),
        ),
        "customer_type" => ("Who is to pay.", Some(reference("CustomerType"))),
        "customer_id" => (
            "IDNP or IDNO of who is to pay.",
            Some(text(max(|order: &OrderFields| &order.customer_id))),
        ),
        "customer_name" => (
            "Name of who is to pay.",
            Some(text(max(|order: &OrderFields| &order.customer_name))),
        ),
        "allow_partial_payments" => ("Less than is due may be paid.", None),
        "allow_advance_payments" => ("More than is due may be paid.", None),
        "properties" => ("What is shown to the payer, and what he may fill in.", None),
        "display_name" => (
            "What the payer reads.",
            Some(localized(display_name(), "LocalizedDisplayName")),
        ),
        "is_visible" => ("The payer sees it.", None),
        "modifiable" => ("The payer may change it.", None),
        "destination_account" => (
            "Where the money goes; the service's account if left out.",
            None,
        ),
        "bank_account" => ("IBAN, with check digits that fit.", Some(iban())),
        "bank_code" => (
            "BIC of the bank, such as `TREZMD2X`.",
            Some(text(max(|account: &AccountDetails| &account.bank_code))),
        ),
        "bank_fiscal_code" => (
            "IDNO of the beneficiary.",
            Some(text(max(|account: &AccountDetails| {
                &account.bank_fiscal_code
            }))),
        ),
        "beneficiary_name" => (
            "Who is paid.",
            Some(text(max(|account: &AccountDetails| {
                &account.beneficiary_name
            }))),
        ),
        "configuration_code" => (
            "MPay's name for an account that it has on file.",
            Some(text(max(|account: &AccountDetails| {
                &account.configuration_code
            }))),
        ),
        "payments" => ("The payments.", None),
        "orders" => ("The orders, the newest registration first.", None),
        "refusals" => ("The refused confirmations.", None),
        "events" => ("What happened.", None),
        "deliveries" => ("The messages.", None),
        "webhooks" => ("The receivers.", None),
        "warnings" => ("What is probably a mistake.", None),
        "review" => ("Why a person should look at it.", Some(several("Review"))),
        "closed_reviews" => ("What a person has looked at.", None),
        "note" => (
            "What was found, for those who look at it later.",
            Some(text(max_read(read_note))),
        ),
        "by" => ("Name of the principal who did it.", Some(text(MAX_NAME))),
        "index" => ("Its place in the journal.", None),
        "next" => ("Where to go on.", None),
        "at" => ("When it was recorded.", Some(time())),
        "paid_at" => ("When it was paid, as MPay says.", Some(time())),
        "received_at" => ("When the signed message came in.", Some(time())),
        "recorded_at" => ("When it was recorded.", Some(time())),
        "registered_at" => ("When the order was registered.", Some(time())),
        "closed_at" => ("When it was closed.", Some(time())),
        "next_attempt_at" => ("When it is tried again.", Some(time())),
        "settled_at" => ("When nothing more was to be done.", Some(time())),
        "last_error" => ("What the last attempt met.", None),
        "signer" => ("Who signed the message.", None),
        "fingerprint" => ("SHA-256 of the certificate.", Some(hexadecimal(64))),
        "evidence" => (
            "Name of the signed message among the evidence.",
            Some(hexadecimal(64)),
        ),
        "result" => (
            "What became of the row.",
            Some(words([
                "created",
                "amended",
                "unchanged",
                "error",
                "skipped",
            ])),
        ),
        "totals" => ("Sums by account.", None),
        "manual" => ("How it was entered by hand: for ever, if it was.", None),
        "confirmed" => ("MPay's own confirmation, where it came later.", None),
        "proposal" => ("Place of the proposal in the journal.", None),
        "approved_at" => ("When it was approved.", Some(time())),
        "withdrawn_at" => ("When it was withdrawn.", Some(time())),
        "voided" => (
            "That it counts no more, if it was entered by hand and voided.",
            None,
        ),
        "proposed_by" | "approved_by" | "withdrawn_by" => {
            ("Name of the principal.", Some(text(MAX_NAME)))
        }
        "proposed_at" => ("When it was proposed.", Some(time())),
        "sha256" => ("SHA-256 of the statement.", Some(hexadecimal(64))),
        "rows" => ("Numbers of the rows, as spreadsheets show them.", None),
        "row" => (
            "Number of the line, or of the row as spreadsheets show it: from 1, empty ones too.",
            None,
        ),
        "date" => ("As the statement has it.", None),
        "code" => ("Code of the fault that MPay got.", None),
        _ => ("", None),
    }
}

/// Members that a schema requires, or that are always there, though the type leaves room for less
/// so that all that is missing can be named at once.
pub fn required(schema: &str) -> &'static [&'static str] {
    match schema {
        "Order" => &["lines"],
        "OrderAnswer" | "RegisteredAnswer" => &[
            "service_id",
            "order_key",
            "status",
            "currency",
            "reason",
            "lines",
        ],
        "Line" => &["line_id"],
        "Property" => &["name", "display_name"],
        "Account" => &[
            "bank_account",
            "bank_code",
            "bank_fiscal_code",
            "beneficiary_name",
        ],
        "Closing" | "RefundRequest" => &["note"],
        "Proposed" => &[
            "payment_id",
            "service_id",
            "order_key",
            "amount",
            "paid_at",
            "note",
        ],
        _ => &[],
    }
}

/// Parameters of paths, queries and headers.
pub fn parameters() -> Map<String, Value> {
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
            "person",
            "query",
            "Only orders that name this person, where an erasure for the same `customer_id` finds it: as the customer, in the value of a property, or in an alias or metadata that are marked as `personal`.",
            text(255),
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
