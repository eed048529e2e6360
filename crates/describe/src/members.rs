//! The meaning of every member wherever it stands, and its shape if it is a text.

use mpay_door::{CURSOR_GONE, PAUSED};
use mpay_ledger::domain::{
    AccountDetails, LONGEST_TERM, LineId, Metadatum, OrderFields, OrderKey, PROPERTY_TYPES,
    PaymentId, Property, ServiceId,
};
use mpay_office::{access::MAX_NAME, api::description::read_note};
use serde_json::{Value, json};

use crate::shapes::{
    amount, balance, currency, day, display_name, hexadecimal, iban, identifier, lenient_time,
    localized, max, max_read, reason, reference, saved_card, several, text, time, words,
};

/// The meaning of a member of a schema, and for texts their shape. An empty meaning leaves the one that
/// the type's own documentation gives.
pub(crate) fn member(schema: &str, name: &str) -> (&'static str, Option<Value>) {
    match (schema, name) {
        ("Problem", "type") => (
            "The kind of problem, for programs, if other problems have the same status; absent otherwise.",
            Some(words([CURSOR_GONE, PAUSED])),
        ),
        ("Problem", "status") => ("The status of the answer.", None),
        ("Problem", "title") => ("The meaning of the status.", None),
        ("Problem", "detail") => ("The error, and the way to correct it.", None),
        ("Problem" | "RowResult", "errors") => ("All invalid members.", None),
        ("Order", "status") => (
            "A status that no payment or date gives. If it is absent, the status stays as it is.",
            Some(reference("SetStatus")),
        ),
        ("OrderAnswer" | "RegisteredAnswer", "status") => {
            ("The order's status now.", Some(reference("OrderStatus")))
        }
        ("OrderEvent", "status") => ("The status that was set.", Some(reference("SetStatus"))),
        ("EventAnswer", "type") => ("The kind of event.", Some(json!({"type": "string"}))),
        ("Order" | "OrderAnswer" | "RegisteredAnswer", "reason") => (
            "The purpose of the order; MPay prints it on receipts. The default is the service's text in the variable `services`.",
            Some(localized(reason(), "LocalizedReason")),
        ),
        ("Line", "reason") => (
            "The purpose of the line. The default is the service's text in the variable `services`.",
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
        ) => (
            "The text in MPay's message.",
            Some(json!({"type": "string"})),
        ),
        ("RefusalAnswer", "review") => (
            "The open flags: the reasons why a person should look at it.",
            Some(several("RefusalReview")),
        ),
        ("Erasure", "reason") => (
            "The reason for the erasure: the end of the retention time, or a request.",
            Some(words(["retention", "request"])),
        ),
        ("ErasureRequest", "customer_id") => (
            "The person's identification number: the `customer_id` of an order, or the value of a property of an order or payment.",
            Some(json!({"type": "string", "minLength": 1, "maxLength": 255})),
        ),
        ("PaymentProperty", "name") => ("`Name`, as MPay sent it.", None),
        ("PaymentProperty", "value") => ("`Value`, as MPay sent it.", None),
        (
            "PaymentAnswer" | "OrderPaymentAnswer" | "Payment" | "PaymentLine" | "ProposedLine",
            "properties",
        ) => (
            "The values that the payer filled in and the payment instrument added.",
            None,
        ),
        ("Amount", "from" | "until" | "after") => ("", Some(day())),
        ("Amount", "working_days") => (
            "",
            Some(json!({"type": "integer", "minimum": 1, "maximum": LONGEST_TERM})),
        ),
        ("Amount", "amount_due") => (
            "The amount that the line asks instead of its own.",
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
        ("PeriodAnswer", "amount_due") => ("The amount due on the first day.", Some(amount())),
        ("PeriodAnswer", "more_per_day") => ("", Some(amount())),
        ("PaymentAnswer" | "OrderPaymentAnswer" | "Payment", "lines") => {
            ("The amount paid for each line.", None)
        }
        ("PaymentLine" | "ProposedLine", "amount") => {
            ("The amount paid for the line.", Some(amount()))
        }
        ("PaidLine", "amount") => (
            "The amount paid for the line; negative for a void or a refund.",
            Some(balance()),
        ),
        ("CardPaymentRequest", "return_url") => (
            "The `https` address to which the payer returns at the end, paid or not.",
            Some(
                json!({"type": "string", "format": "uri", "maxLength": 2000, "examples": ["https://shop.example.md/done"]}),
            ),
        ),
        ("CardPaymentRequest", "payer_ip") => (
            "The payer's IP address, for the gateway.",
            Some(json!({"type": "string", "examples": ["192.0.2.1"]})),
        ),
        ("CardPaymentRequest", "amount") => (
            "The amount to pay; by default the amount due.",
            Some(amount()),
        ),
        ("CardPaymentRequest" | "CardPaymentAnswer" | "CardCustomerAnswer", "customer") => {
            ("The customer of the Wallet.", Some(text(50)))
        }
        ("CardPaymentRequest" | "CardPaymentAnswer" | "CardCustomerAnswer", "card") => {
            ("The saved card.", Some(saved_card()))
        }
        ("SavedCardAnswer", "id") => ("The gateway's name for the card.", Some(saved_card())),
        ("SavedCardsAnswer", "cards") => ("The cards, 20 at most.", None),
        ("AddCardRequest", "return_url") => (
            "The `https` address, without `;`, `%`, `+` and `&`, to which the customer returns at the end.",
            Some(
                json!({"type": "string", "format": "uri", "maxLength": 2000, "examples": ["https://shop.example.md/cards"]}),
            ),
        ),
        ("AddCardRequest", "payer_ip") => (
            "The customer's IP address, for the gateway.",
            Some(json!({"type": "string", "examples": ["192.0.2.1"]})),
        ),
        ("AddCardAnswer", "expires_at") => ("", Some(time())),
        ("ActivateCardRequest", "amount") => (
            "The small amount that the gateway holds on the card, as the statement shows it.",
            Some(amount()),
        ),
        ("ChargeRequest", "amount") => (
            "The amount to charge; by default all that is held.",
            Some(amount()),
        ),
        ("RefundRequest", "amount") => (
            "The amount to refund; by default all that remains.",
            Some(amount()),
        ),
        ("RefundRequest", "note") => ("The reason.", Some(text(max_read(read_note)))),
        ("CardPaymentAnswer" | "CardStarted", "capture") => {
            ("The way in which the money is taken.", None)
        }
        ("CardPaymentAnswer" | "CardStarted", "amount") => {
            ("The amount that the payer is asked for.", Some(amount()))
        }
        ("CardPaymentAnswer", "started_at") => {
            ("The time at which the payment was begun.", Some(time()))
        }
        ("CardPaymentAnswer", "expires_at") => ("", Some(time())),
        ("CardStarted", "lines") => ("The amount asked for each line.", None),
        ("CardCommandAnswer", "kind") => ("The kind of command.", None),
        ("CardCommandAnswer", "amount") => ("The amount of the command.", Some(amount())),
        ("CardCommandAnswer", "at") => ("The time just before the command was sent.", Some(time())),
        ("RefundAnswer" | "Refund", "amount") => ("The amount that was refunded.", Some(amount())),
        ("RefundAnswer", "at") => (
            "The time at which this provider recorded the refund.",
            Some(time()),
        ),
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
        ("VoidedAnswer", "at") => ("The time of the void.", Some(time())),
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
        ("Property", "required") => ("True if the payer must fill in the value.", None),
        ("Property", "type") => (
            "The kind of value, such as `idn` for an identification number or `tc` for a phone number. The default is `string`.",
            Some(words(PROPERTY_TYPES)),
        ),
        ("Order", "lines") => (
            "The lines of the order, at least one.",
            Some(json!({"type": "array", "minItems": 1, "items": reference("Line")})),
        ),
        ("OrderAnswer" | "RegisteredAnswer", "lines") => ("The lines of the order.", None),
        ("Reconciliation", "lines") => ("The lines of the payments.", None),
        ("Reconciliation", "from") => ("The first moment of the span.", Some(time())),
        ("Reconciliation", "to") => ("The end of the span.", Some(time())),
        ("Total" | "DayTotal" | "OfService", "amount") => (
            "The amount paid to the account, for the service, or on the day, less voids and refunds.",
            Some(balance()),
        ),
        ("PaidOnDay", "date") => (
            "The day.",
            Some(json!({"type": "string", "format": "date"})),
        ),
        ("PaidByDay", "days") => ("The days, the latest last.", None),
        ("ProposalsAnswer", "proposals") => ("The proposals, the newest first.", None),
        ("Total" | "DayTotal" | "OfService", "lines") => ("The number of lines in the sum.", None),
        ("RowResult", "service_id" | "order_key") => {
            ("The text in the row.", Some(json!({"type": "string"})))
        }
        ("RowResult", "detail") => ("The error in the row.", None),
        ("FieldError", "detail") => ("The error in the member.", None),
        ("ResendRequest" | "ResendAnswer", "receiver") => ("Name of the receiver.", None),
        ("ResendRequest", "index") => (
            "One message, by its `index`.",
            Some(json!({"type": "integer", "minimum": 1, "maximum": (1u64 << 53) - 1})),
        ),
        ("ResendRequest", "since") => (
            "All messages about events recorded at this time or later. They begin up to five minutes earlier, because clocks differ.",
            Some(lenient_time()),
        ),
        ("ResendRequest", "cursor") => (
            "All messages after this cursor of the outbox or of the events.",
            Some(json!({"type": "string", "pattern": "^([0-9a-f]{8}-)?(0|[1-9][0-9]{0,14})$"})),
        ),
        ("ResendAnswer", "first_index") => {
            ("The first `index` of the messages that will be sent.", None)
        }
        ("ResendAnswer", "last_index") => (
            "The last `index` of the messages that will be sent. Messages of a kind that the receiver does not want are not sent.",
            None,
        ),
        ("WebhookAnswer", "name") => ("The receiver's name in the variable `webhooks`.", None),
        ("WebhookAnswer", "origin") => ("Scheme, host and port of the receiver's address.", None),
        ("WebhookAnswer", "events") => (
            "The groups of events that the receiver gets.",
            Some(several("EventGroup")),
        ),
        ("WebhookAnswer", "status") => (
            "The state of the deliveries: `failing` if the latest attempt failed, `paused` if the receiver asked for a pause, `ended` if it answered 410.",
            Some(words(["active", "failing", "paused", "ended"])),
        ),
        ("WebhookAnswer", "pending") => (
            "The number of messages that are not delivered yet. With `pending_more` it is a minimum.",
            None,
        ),
        ("WebhookAnswer", "pending_more") => (
            "True if more messages than `pending` may be undelivered.",
            None,
        ),
        ("WebhookAnswer", "last_success_at") => (
            "The time of the latest message that the receiver accepted.",
            Some(time()),
        ),
        ("WebhookAnswer", "last_error_at") => {
            ("The time of the latest attempt that failed.", Some(time()))
        }
        ("WebhookAnswer", "paused_until") => (
            "The end of the pause that the receiver asked for. It gets no message before.",
            Some(time()),
        ),
        ("WebhookAnswer", "ended_at") => {
            ("The time at which the receiver answered 410.", Some(time()))
        }
        ("Report", "ended") => (
            "The receivers that answered 410. They get no message until somebody resumes them.",
            None,
        ),
        ("DeliveryAnswer", "status") => (
            "The state of the message: `pending` before its first attempt, `failing` after an attempt that failed, `given-up` after the last one.",
            Some(words(["pending", "delivered", "failing", "given-up"])),
        ),
        ("Proposed", "paid_at") => ("The time of the payment.", Some(lenient_time())),
        ("Proposed" | "Proposal" | "ProposalAnswer", "lines") => (
            "The amount paid for each line; required if the order has several lines.",
            None,
        ),
        ("Proposed" | "Proposal" | "ProposalAnswer", "note") => (
            "The source of the knowledge, such as a bank statement.",
            Some(text(max_read(read_note))),
        ),
        ("Shown", "shown_by_others") => ("", None),
        ("Settlement", "payments") => ("", None),
        ("Settlement", "rows") => ("", Some(json!({"type": "array", "items": hexadecimal(64)}))),
        ("Settlement", "parts") => ("", None),
        ("Part", "number") => ("", None),
        ("Part", "row") => ("", Some(hexadecimal(64))),
        ("Part", "amount") => ("", Some(amount())),
        ("Shown", "amount") => (
            "The sum of the rows; negative for money that is taken back.",
            Some(json!({"type": "string", "pattern": "^-?[0-9]{1,20}\\.[0-9]{2}$"})),
        ),
        ("Known", "amount") => ("", Some(balance())),
        ("Known" | "Shown", "difference") => ("The kind of difference, for programs.", None),
        ("Known" | "Shown", "detail") => ("The difference in words, for people.", None),
        ("Known", "fee") => ("", Some(amount())),
        ("Comparison", "read_as" | "complete" | "netted" | "fees" | "totals") => ("", None),
        ("Shown", "payment_id" | "order_key") => (
            "The text in the statement.",
            Some(json!({"type": "string"})),
        ),
        ("Known", "shown") => (
            "",
            Some(json!({"type": "string", "pattern": "^-?[0-9]{1,20}\\.[0-9]{2}$"})),
        ),
        ("Comparison" | "WrongRow", "errors") => ("The values that cannot be read.", None),
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
            "The order's key, unique in its service. Payers type it.",
            Some(identifier(OrderKey::parse)),
        ),
        "payment_id" => (
            "MPay's name for the payment.",
            Some(identifier(PaymentId::parse)),
        ),
        "line_id" => (
            "The line's name, unique in its order.",
            Some(identifier(LineId::parse)),
        ),
        "invoice_id" => (
            "MPay's number of the invoice that it showed to the payer.",
            None,
        ),
        "status" => ("", None),
        "refund_reference" => (
            "The reference by which the refund is found at the bank or the treasury. Optional with the status `Refunding`, required with `Refunded`.",
            Some(text(max(|order: &OrderFields| &order.refund_reference))),
        ),
        "currency" => (
            "The currency's code of ISO 4217. The default is `MDL`.",
            Some(currency()),
        ),
        "total_amount_due" => (
            "The sum of the lines before any payment; absent if it is unknown.",
            Some(amount()),
        ),
        "amount_due" => (
            "The amount to pay; absent if it is unknown.",
            Some(amount()),
        ),
        "amount_paid" => ("The amount paid in the order's currency.", Some(amount())),
        "amount_overpaid" => (
            "The amount paid beyond the total, by mistake or in advance; absent if there is none.",
            Some(amount()),
        ),
        "amount" => ("The amount paid.", Some(amount())),
        "issued_at" => (
            "The time at which the order was issued.",
            Some(lenient_time()),
        ),
        "due_date" => (
            "The time after which the order is `Expired`. Leave it out for a bill that stays payable.",
            Some(lenient_time()),
        ),
        "payable_from" => (
            "The time before which the order cannot be paid. Until then MPay gets the answer that there is no such order.",
            Some(lenient_time()),
        ),
        "amounts" => (
            "The amounts that lines ask on some days, instead of their own amounts or in addition to them.",
            None,
        ),
        "min_payment" | "max_payment" => (
            "The least, or the most, that a payment should be, if the payer chooses the amount. MPay does not know this limit: a payment beyond it is recorded, and flagged.",
            Some(amount()),
        ),
        "aliases" => (
            "Other names under which MPay finds the order, such as a fiscal code, a contract or a cadastral number. At most 10. An erasure removes the personal ones.",
            None,
        ),
        "metadata" => (
            "Values for the institution alone: neither MPay nor payers ever see them. At most 20 pairs; a name has at most 40 letters, digits, `_`, `-` and `.`.",
            Some(reference("Metadata")),
        ),
        "amount_validity" => (
            "",
            Some(json!({"type": "integer", "minimum": 0, "maximum": 86_400})),
        ),
        "customer_type" => ("The kind of payer.", Some(reference("CustomerType"))),
        "customer_id" => (
            "The payer's IDNP or IDNO.",
            Some(text(max(|order: &OrderFields| &order.customer_id))),
        ),
        "customer_name" => (
            "The payer's name.",
            Some(text(max(|order: &OrderFields| &order.customer_name))),
        ),
        "allow_partial_payments" => ("True if payers may pay less than is due.", None),
        "allow_advance_payments" => ("True if payers may pay more than is due.", None),
        "properties" => (
            "The values that payers see, and the values that they may fill in.",
            None,
        ),
        "display_name" => (
            "The name that the payer reads.",
            Some(localized(display_name(), "LocalizedDisplayName")),
        ),
        "is_visible" => ("True if the payer sees the value.", None),
        "modifiable" => ("True if the payer may change the value.", None),
        "destination_account" => (
            "The account that gets the money. The default is the service's account.",
            None,
        ),
        "bank_account" => ("The IBAN. Its check digits must be right.", Some(iban())),
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
            "The beneficiary's name.",
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
        "events" => ("The events.", None),
        "deliveries" => ("The messages.", None),
        "webhooks" => ("The receivers.", None),
        "warnings" => ("Probable mistakes.", None),
        "review" => (
            "The open flags: the reasons why a person should look at it.",
            Some(several("Review")),
        ),
        "closed_reviews" => ("The flags that were closed.", None),
        "note" => (
            "The note of a person, for others who read it later.",
            Some(text(max_read(read_note))),
        ),
        "by" => ("Name of the principal who did this.", Some(text(MAX_NAME))),
        "index" => ("The place in the journal.", None),
        "next" => ("The cursor of the next page; absent at the end.", None),
        "at" => ("The time at which it was recorded.", Some(time())),
        "paid_at" => (
            "The time of the payment. If MPay confirmed it: the time in the confirmation.",
            Some(time()),
        ),
        "received_at" => (
            "The time at which the signed message came in.",
            Some(time()),
        ),
        "recorded_at" => ("The time at which it was recorded.", Some(time())),
        "registered_at" => ("The time at which the order was registered.", Some(time())),
        "closed_at" => ("The time at which it was closed.", Some(time())),
        "next_attempt_at" => ("The time of the next attempt.", Some(time())),
        "settled_at" => (
            "The time at which the message was delivered or given up.",
            Some(time()),
        ),
        "last_error" => ("The error of the latest attempt that failed.", None),
        "signer" => ("The signer of the message.", None),
        "fingerprint" => ("SHA-256 of the certificate.", Some(hexadecimal(64))),
        "evidence" => (
            "Name of the signed message among the evidence.",
            Some(hexadecimal(64)),
        ),
        "result" => (
            "The outcome for the row.",
            Some(words([
                "created",
                "amended",
                "unchanged",
                "error",
                "skipped",
            ])),
        ),
        "totals" => ("Sums by account.", None),
        "manual" => (
            "The record of the entry by hand. It stays, even if MPay confirms the payment later.",
            None,
        ),
        "confirmed" => ("MPay's confirmation, if it came later.", None),
        "proposal" => ("Place of the proposal in the journal.", None),
        "approved_at" => ("The time of the approval.", Some(time())),
        "withdrawn_at" => ("The time of the withdrawal.", Some(time())),
        "voided" => (
            "The void, if the payment was entered by hand and no longer counts.",
            None,
        ),
        "proposed_by" | "approved_by" | "withdrawn_by" => {
            ("Name of the principal.", Some(text(MAX_NAME)))
        }
        "proposed_at" => ("The time of the proposal.", Some(time())),
        "sha256" => ("SHA-256 of the statement.", Some(hexadecimal(64))),
        "rows" => ("Numbers of the rows, as spreadsheets show them.", None),
        "row" => (
            "Number of the line, or of the row as spreadsheets show it. It begins with 1, and empty rows count.",
            None,
        ),
        "date" => ("The text in the statement.", None),
        "code" => ("Code of the fault that MPay got.", None),
        _ => ("", None),
    }
}

/// Members that a schema requires, or that are always there, though the type leaves room for less
/// so that all that is missing can be named at once.
pub(crate) fn required(schema: &str) -> &'static [&'static str] {
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
