//! The meaning of every member wherever it stands, and its shape if it is a text.

use mpay_door::{CURSOR_GONE, PAUSED};
use mpay_ledger::domain::{
    AccountDetails, LONGEST_TERM, LineId, Metadatum, OrderFields, OrderKey, PROPERTY_TYPES,
    PaymentId, Property, ServiceId,
};
use mpay_office::{access::MAX_NAME, api::read_note};
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
