//! `ConfirmOrderPayment`: money has moved.

use std::convert::Infallible;

use wsse::{Content, Element, Writer};

use super::{Answer, Call, Fault, NAMESPACE, member::Structure};
use mpay_door::{
    Platform,
    log::{self, Field, end_of_key, log},
};
use mpay_ledger::{
    Evidence, Known, Precondition, Recorded, RegisterError, Registered, StoredOrder,
    digest::sha256,
    domain::{
        Confirmation, ConfirmationLine, ConfirmationProperty, Currency, LineId, Misfit, Money,
        MoneyError, Order, OrderKey, OrderState, PaymentId, ServiceId, time,
    },
    json::{PaymentJson, RefusalJson},
};

pub async fn answer<P: Platform>(
    call: &Call<'_, P>,
    operation: Element<'_>,
) -> Result<Answer, Fault> {
    let content = wsse::exclusive_c14n(operation, false, &[]);
    let verdict = match Claim::decode(operation) {
        Ok(claim) => {
            log::note(Field::Service, &claim.service_id);
            log::note(Field::Order, end_of_key(claim.order_key.as_str()));
            log::note(Field::Payment, &claim.payment_id);
            confirm(call, &content, claim).await
        }
        Err(fault) => Err(fault),
    };
    let fault = match verdict {
        Err(fault) if fault.is_verdict() => fault,
        verdict => return verdict,
    };
    // Signed before it is sent, so that it can be kept with what it answers.
    let signed = call.sign(&fault.encode());
    let answer = signed.as_ref().map(String::as_bytes);
    keep_refused(call, operation, &content, &fault, answer).await?;
    match signed {
        Some(envelope) => Ok(Answer::Refused(fault, envelope)),
        None => Err(fault),
    }
}

fn confirmed() -> Content {
    let mut xml = Writer::new();
    xml.start_in("ConfirmOrderPaymentResponse", NAMESPACE);
    xml.finish()
}

/// Judges a confirmation, in the order of the contract: ServiceID, OrderKey, amounts. Only then is
/// it recorded; whatever the order's state is, for the money has moved.
async fn confirm<P: Platform>(
    call: &Call<'_, P>,
    content: &[u8],
    claim: Claim,
) -> Result<Answer, Fault> {
    // A payment that is recorded stays confirmed, whatever has become of order or configuration.
    let known = match &claim.confirmation {
        Ok(confirmation) => Some(
            call.store
                .payments()
                .known(&confirmation.payment_id)
                .await?,
        ),
        Err(_) => None,
    };
    if let (Some(known), Ok(confirmation)) = (&known, &claim.confirmation)
        && known.is_recorded()
    {
        let evidence = evidence(call, claim.payment_id.as_str(), content, "accepted").await?;
        match known.compare(confirmation, &evidence) {
            Some(Recorded::Repeated { alike }) => {
                note_repetition(confirmation, alike);
                return Ok(Answer::Content(confirmed()));
            }
            Some(Recorded::Manual) => {
                let payment = record(call, confirmation, &evidence);
                call.store
                    .manual_payments()
                    .confirm(confirmation, &payment, &evidence)
                    .await?;
                return Ok(Answer::Content(confirmed()));
            }
            _ => {}
        }
    }
    let service = call.config.service(&claim.service_id);
    let service = service.ok_or_else(Fault::unknown_service)?;
    let order = call
        .store
        .orders()
        .find(&claim.service_id, &claim.order_key)
        .await?;
    let order = match (order, &service.open) {
        (Some(order), _) => order,
        // What is no payment for it makes no order.
        (None, Some(_)) if known.as_ref().is_some_and(Known::is_recorded) => {
            return Err(conflict());
        }
        (None, Some(open)) => {
            let order = open.paid(&claim.order_key);
            if let Ok(confirmation) = &claim.confirmation {
                let unregistered = StoredOrder::unregistered(order.clone());
                unregistered
                    .state
                    .check_payment(confirmation)
                    .map_err(misfit)?;
                register(call, order).await?
            } else {
                StoredOrder::unregistered(order)
            }
        }
        (None, None) => return Err(Fault::unknown_order()),
    };
    let mut confirmation = claim.confirmation?;
    if let Some(order) = order.state.order() {
        // A payer may have spelt it otherwise; it is kept as the institution registered it.
        confirmation.order_key = order.order_key.clone();
    }
    order.state.check_payment(&confirmation).map_err(misfit)?;

    let evidence = evidence(call, claim.payment_id.as_str(), content, "accepted").await?;
    let payment = PaymentJson {
        after_void: known.is_some_and(|known| known.after_void),
        ..record(call, &confirmation, &evidence)
    }
    .to_accounts_of(&order.state, service.account.as_ref())
    .with_metadata(&order.state)
    .with_validity(&order.state, call.config.amount_validity);
    // Signed before it is true, so that it can be kept with the payment; sent only once it is.
    let signed = call.sign(&confirmed());
    let answer = signed.as_ref().map(String::as_bytes);
    let recorded = call
        .store
        .payments()
        .record(&confirmation, &payment, &order, &evidence, answer)
        .await?;
    match recorded {
        Recorded::New => {
            let _ = call.recorded.set(confirmation.payment_id.clone());
            log::note(Field::Verdict, "recorded");
            log!(
                info: "payment {} of {} {} recorded",
                payment.payment_id,
                payment.amount,
                payment.currency
            );
        }
        Recorded::Repeated { alike } => {
            note_repetition(&confirmation, alike);
        }
        Recorded::Manual => {
            call.store
                .manual_payments()
                .confirm(&confirmation, &payment, &evidence)
                .await?;
        }
        Recorded::Conflict => {
            return Err(conflict());
        }
    }
    Ok(signed.map_or_else(|| Answer::Content(confirmed()), Answer::Signed))
}

fn conflict() -> Fault {
    Fault::invalid_parameter("PaymentID is that of another payment, with another content.")
}

/// Registers the order of a service without registration that is being paid, unless somebody did before.
async fn register<P: Platform>(call: &Call<'_, P>, order: Order) -> Result<StoredOrder, Fault> {
    let (orders, service, key) = (call.store.orders(), &order.service_id, &order.order_key);
    let make = |state: &OrderState| {
        let known = state.order().unwrap_or(&order);
        Ok::<_, Infallible>(known.clone())
    };
    let registered = orders.change(service, key, Precondition::None, None, make);
    match registered.await {
        Ok(Registered::Created) => {
            log!(info: "order {} of service {service} is paid, and so registered", end_of_key(key.as_str()))
        }
        // Under another spelling, maybe.
        Ok(_) | Err(RegisterError::KeyTaken(_)) => {}
        Err(RegisterError::Store(error)) => return Err(error.into()),
        Err(_) => return Err(Fault::internal("The order is being changed. Try again.")),
    }
    let registered = orders.find(service, key).await?;
    registered.ok_or_else(|| Fault::internal("An order that was registered is not there."))
}

/// The message as evidence for a verdict on it. Where the store was read before, the secret that
/// names it is known.
async fn evidence<'a, P: Platform>(
    call: &Call<'a, P>,
    payment_id: &str,
    content: &[u8],
    verdict: &str,
) -> Result<Evidence<'a>, Fault> {
    let secret = call.store.secret().await?;
    let evidence = Evidence::new(&secret, call.message, payment_id, content, verdict);
    let signer = call.verified.signer();
    Ok(evidence.signed_by(signer.fingerprint(), signer.der()))
}

/// The record of a confirmation, received now.
fn record<P: Platform>(
    call: &Call<'_, P>,
    confirmation: &Confirmation,
    evidence: &Evidence<'_>,
) -> PaymentJson {
    let (received_at, name) = (call.store.now(), evidence.id().to_owned());
    PaymentJson::new(confirmation, received_at, call.signer(), name)
}

/// Notes in the log that a confirmation was repeated. Two confirmations of one payment may differ in
/// members that do not decide; people may want to know.
fn note_repetition(confirmation: &Confirmation, alike: bool) {
    log::note(Field::Verdict, "repeated");
    if !alike {
        log!(
            "payment {} is confirmed again with other details (paid at {})",
            confirmation.payment_id,
            time::format(confirmation.paid_at)
        );
    }
}

/// Keeps a signed message that is refused, and our answer, so that people can sort it out with
/// MPay.
async fn keep_refused<P: Platform>(
    call: &Call<'_, P>,
    operation: Element<'_>,
    content: &[u8],
    fault: &Fault,
    answer: Option<&[u8]>,
) -> Result<(), Fault> {
    let (payment_id, service_id, order_key) = mentioned(operation);
    let verdict = format!("{} {}", fault.code.as_str(), fault.reason());
    let about = payment_id.as_deref().unwrap_or_default();
    let evidence = evidence(call, about, content, &verdict).await?;
    let refusal = RefusalJson {
        payment_id,
        service_id,
        order_key,
        code: fault.code.as_str().to_owned(),
        reason: fault.reason().to_owned(),
        received_at: time::format(call.store.now()),
        signer: call.signer(),
        evidence: evidence.id().to_owned(),
    };
    if call
        .store
        .refusals()
        .keep(&refusal, &evidence, answer)
        .await?
    {
        log!(
            "a refused confirmation is kept as evidence {}",
            evidence.id()
        );
    } else {
        log!("refused again: sha256={}", sha256(call.message));
    }
    Ok(())
}

/// The most characters that are written down of each member that a refused message names.
pub const MENTIONED: usize = 100;

/// The PaymentID, service and order that a refused message names, as far as they can be read. People find
/// it by them; nothing is decided on them.
fn mentioned(operation: Element<'_>) -> (Option<String>, Option<String>, Option<String>) {
    let Ok(confirmation) = Structure::parameter(operation, "confirmation") else {
        return (None, None, None);
    };
    let text = |name| {
        let text = confirmation.text(name).ok().flatten()?;
        Some(text.trim().chars().take(MENTIONED).collect())
    };
    (text("PaymentID"), text("ServiceID"), text("OrderKey"))
}

fn misfit(misfit: Misfit) -> Fault {
    Fault::invalid_parameter(format!("The confirmation is refused: {misfit}."))
}

/// `PaymentConfirmation` in the right shape. Its amounts are judged later than its order, so what
/// is wrong with them waits.
struct Claim {
    service_id: ServiceId,
    order_key: OrderKey,
    payment_id: PaymentId,
    confirmation: Result<Confirmation, Fault>,
}

impl Claim {
    fn decode(operation: Element<'_>) -> Result<Self, Fault> {
        let confirmation = Structure::parameter(operation, "confirmation")?;
        let lines = confirmation.items("Lines", "PaymentConfirmationLine")?;
        if lines.is_empty() {
            return Err(confirmation.wrong("Lines", "is missing or empty"));
        }
        let mut wrong_amount = None;
        let mut amount = |structure: &Structure<'_>, name| {
            let amount = structure.required(name, |text| match Money::parse(text) {
                Err(MoneyError::NotADecimal) => Err(MoneyError::NotADecimal),
                amount => Ok(amount),
            })?;
            Ok::<_, Fault>(amount.unwrap_or_else(|error| {
                wrong_amount.get_or_insert_with(|| structure.wrong(name, error));
                Money::ZERO
            }))
        };
        let decoded = Confirmation {
            service_id: confirmation.required("ServiceID", ServiceId::parse)?,
            order_key: confirmation.required("OrderKey", OrderKey::parse)?,
            payment_id: confirmation.required("PaymentID", PaymentId::parse)?,
            invoice_id: text(&confirmation, "InvoiceID")?,
            currency: confirmation.required("Currency", Currency::parse)?,
            total: amount(&confirmation, "TotalAmount")?,
            paid_at: confirmation.required("PaidAt", time::parse_paid_at)?,
            lines: lines
                .iter()
                .map(|line| {
                    Ok(ConfirmationLine {
                        line_id: line.required("LineID", LineId::parse)?,
                        amount: amount(line, "Amount")?,
                        properties: properties(line)?,
                    })
                })
                .collect::<Result<_, Fault>>()?,
            properties: properties(&confirmation)?,
        };
        Ok(Self {
            service_id: decoded.service_id.clone(),
            order_key: decoded.order_key.clone(),
            payment_id: decoded.payment_id.clone(),
            confirmation: wrong_amount.map_or(Ok(decoded), Err),
        })
    }
}

/// A member that nothing depends on: a payment is not refused for its length.
fn text(structure: &Structure<'_>, name: &str) -> Result<Option<String>, Fault> {
    Ok(structure.text(name)?.map(|text| text.trim().to_owned()))
}

fn properties(structure: &Structure<'_>) -> Result<Vec<ConfirmationProperty>, Fault> {
    structure
        .items("Properties", "PaymentProperty")?
        .iter()
        .map(|property| {
            Ok(ConfirmationProperty {
                name: text(property, "Name")?.unwrap_or_default(),
                value: text(property, "Value")?,
            })
        })
        .collect()
}
