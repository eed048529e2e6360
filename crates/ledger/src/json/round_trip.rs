//! Round trips: every accepted value is read again equal once it is written.

use jiff::Timestamp;
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    strategy::ValueTree,
};
use serde::{Serialize, de::DeserializeOwned};

use super::*;
use crate::domain::{
    Confirmation, ConfirmationLine, ConfirmationProperty, Currency, CustomerType, LineId, Money,
    OrderKey, PROPERTY_TYPES, PaymentId, Receipt, Review, ServiceId, SetStatus, Text, time,
};

/// A text as somebody may send it: of any characters, and of those that are easily lost.
fn any_text() -> BoxedStrategy<String> {
    prop_oneof![
        2 => "[a-z0-9]{1,12}",
        1 => "\\PC{0,40}",
        1 => "[ \\t\"\\\\/<>&'\u{a0}\u{85}\u{2028}\u{feff}\u{200b}\u{301}\u{fffe}șЖ=@+-]{0,12}",
        1 => any::<String>(),
    ]
    .boxed()
}

/// A text that `parse` accepts.
fn accepted<T, E>(
    texts: impl Strategy<Value = String> + 'static,
    parse: impl Fn(&str) -> Result<T, E> + 'static,
) -> BoxedStrategy<String> {
    texts
        .prop_filter("refused", move |text| parse(text).is_ok())
        .boxed()
}

fn text<const MAX: usize>() -> BoxedStrategy<String> {
    accepted(any_text(), Text::<MAX>::parse)
}

fn any_amount() -> BoxedStrategy<String> {
    accepted(
        prop_oneof![
            " ?[+]?[0-9]{1,13}([.][0-9]{0,2}0{0,3})? ?",
            "-?0{1,3}[.]0{0,2}",
            "[.][0-9]{1,2}",
            "\\PC{0,6}",
        ],
        Money::parse,
    )
    .boxed()
}

fn any_time() -> BoxedStrategy<String> {
    accepted(
        prop_oneof![
            "(0000|000[1-9]|1[0-9]{3}|20[0-9]{2}|9999)-(0[1-9]|1[0-2])-[0-2][0-9](T([01][0-9]:[0-5][0-9]:[0-6][0-9]|24:00:00|23:59:60)([.][0-9]{1,9})?(Z|[+-](0[0-9]:[0-5][0-9]|14:00))?)?",
            "-00000[0-9]-01-01T00:00:00[+]01:55",
            Just("0000-01-01T00:00:00+14:00".to_owned()),
            Just("9999-12-30T22:00:00Z".to_owned()),
        ],
        time::parse,
    ).boxed()
}

fn any_iban() -> BoxedStrategy<String> {
    prop_oneof![
        Just("MD24AG000225100013104168".to_owned()),
        Just(" md24 AG00 0225 1000 1310 4168".to_owned()),
        Just("NO9386011117947".to_owned()),
        Just("gb29 nwbk 6016 1331 9268 19".to_owned()),
    ]
    .boxed()
}

fn localized<const MAX: usize>() -> BoxedStrategy<LocalizedJson> {
    prop_oneof![
        text::<MAX>().prop_map(LocalizedJson::One),
        (
            text::<MAX>(),
            option::of(text::<MAX>()),
            option::of(text::<MAX>())
        )
            .prop_map(|(ro, ru, en)| LocalizedJson::Each(EachLanguage { ro, ru, en })),
    ]
    .boxed()
}

fn property() -> BoxedStrategy<PropertyJson> {
    let word = accepted("[ a-zșЖ0-9]{1,36}", Text::<36>::parse);
    let value = prop_oneof![text::<255>(), Just(String::new()), Just(" \t".to_owned())];
    let flag = option::of(any::<bool>());
    (
        (option::of(text::<36>()), word, localized::<36>()),
        option::of(0..PROPERTY_TYPES.len()),
        option::of(value),
        (flag.clone(), flag.clone(), flag),
    )
        .prop_map(
            |((id, name, display_name), kind, value, (is_visible, modifiable, required))| {
                PropertyJson {
                    id,
                    name: Some(name),
                    display_name: Some(display_name),
                    kind: kind.map(|kind| PROPERTY_TYPES[kind].to_owned()),
                    value,
                    is_visible,
                    modifiable,
                    required,
                }
            },
        )
        .boxed()
}

fn account() -> BoxedStrategy<AccountJson> {
    (
        any_iban(),
        text::<20>(),
        text::<20>(),
        text::<60>(),
        option::of(text::<36>()),
    )
        .prop_map(
            |(iban, code, fiscal_code, name, configuration)| AccountJson {
                bank_account: Some(iban),
                bank_code: Some(code),
                bank_fiscal_code: Some(fiscal_code),
                beneficiary_name: Some(name),
                configuration_code: configuration,
            },
        )
        .boxed()
}

fn line() -> BoxedStrategy<LineJson> {
    (
        text::<36>(),
        localized::<50>(),
        option::weighted(0.8, any_amount()),
        option::of(account()),
        vec(property(), 0..2),
    )
        .prop_map(|(id, reason, amount, account, properties)| LineJson {
            line_id: Some(id),
            reason: Some(reason),
            amount_due: amount,
            destination_account: account,
            properties,
        })
        .boxed()
}

fn amount() -> BoxedStrategy<AmountJson> {
    let day = || option::of("20[2-3][0-9]-0[1-9]-[0-2][0-9]");
    let terms = (option::of(1..20_u16), day());
    (day(), day(), terms, 0..3, any_amount(), any_amount())
        .prop_map(
            |(from, until, (working_days, after), kind, amount, at_most)| {
                let is = |wanted| (kind == wanted).then(|| amount.clone());
                AmountJson {
                    line_id: None,
                    from,
                    after: after.filter(|_| working_days.is_some()),
                    working_days: working_days.filter(|_| until.is_some()),
                    until,
                    amount_due: is(0),
                    add: is(1),
                    add_per_day: is(2),
                    at_most: (kind == 2).then_some(at_most),
                }
            },
        )
        .boxed()
}

fn metadata() -> BoxedStrategy<MetadataJson> {
    let value =
        (text::<500>(), option::of(any::<bool>())).prop_map(|(value, personal)| match personal {
            None => MetadatumJson::Value(value),
            Some(personal) => MetadatumJson::Marked(MarkedJson { value, personal }),
        });
    btree_map("[a-z_.-]{1,40}", value, 0..3).boxed()
}

fn aliases(personal: &[Option<bool>]) -> Vec<MetadatumJson> {
    let named = personal.iter().enumerate().map(|(number, personal)| {
        let value = format!("AC-{number}");
        match *personal {
            None => MetadatumJson::Value(value),
            Some(personal) => MetadatumJson::Marked(MarkedJson { value, personal }),
        }
    });
    named.collect()
}

fn order() -> BoxedStrategy<OrderJson> {
    let status = (0..SetStatus::ALL.len(), text::<140>()).prop_map(|(status, reference)| {
        let status = SetStatus::ALL[status];
        let refund = matches!(status, SetStatus::Refunding | SetStatus::Refunded);
        (status.as_str().to_owned(), refund.then_some(reference))
    });
    let customer = (
        option::of(0..CustomerType::ALL.len()),
        option::of(text::<13>()),
        option::of(text::<60>()),
    );
    (
        (
            text::<36>(),
            text::<36>(),
            option::of(" ?[A-Z]{3} ?"),
            localized::<50>(),
        ),
        (
            option::of(any_time()),
            option::of(any_time()),
            option::weighted(0.2, any_time()),
        ),
        customer,
        option::of(status),
        (any::<bool>(), any::<bool>()),
        (
            vec(line(), 1..3),
            prop_oneof![3 => Just(vec![]), 1 => vec(amount(), 1..3)],
            vec(property(), 0..2),
            metadata(),
            vec(option::of(any::<bool>()), 0..3),
        ),
    )
        .prop_map(
            |((service, key, currency, reason), times, customer, status, flags, parts)| {
                let (status, refund_reference) = status.unzip();
                OrderJson {
                    service_id: Some(service),
                    order_key: Some(key),
                    status,
                    refund_reference: refund_reference.flatten(),
                    currency,
                    reason: Some(reason),
                    total_amount_due: None,
                    issued_at: times.0,
                    due_date: times.1,
                    payable_from: times.2,
                    customer_type: customer
                        .0
                        .map(|kind| CustomerType::ALL[kind].as_str().to_owned()),
                    customer_id: customer.1,
                    customer_name: customer.2,
                    allow_partial_payments: flags.0,
                    allow_advance_payments: flags.1,
                    min_payment: None,
                    max_payment: None,
                    lines: parts.0,
                    amounts: parts.1,
                    properties: parts.2,
                    aliases: aliases(&parts.4),
                    metadata: parts.3,
                }
            },
        )
        .boxed()
}

fn payment_property() -> BoxedStrategy<ConfirmationProperty> {
    // Nothing depends on these members, so any value is kept.
    (any_text(), option::of(any_text()))
        .prop_map(|(name, value)| ConfirmationProperty { name, value })
        .boxed()
}

fn confirmation() -> BoxedStrategy<Confirmation> {
    let line = (text::<36>(), any_amount(), vec(payment_property(), 0..2)).prop_map(
        |(id, amount, properties)| ConfirmationLine {
            line_id: LineId::parse(&id).unwrap(),
            amount: Money::parse(&amount).unwrap(),
            properties,
        },
    );
    (
        (text::<36>(), text::<36>(), text::<36>()),
        option::of(any_text()),
        "[A-Z]{3}",
        any_amount(),
        accepted(any_time(), time::parse_paid_at),
        vec(line, 1..3),
        vec(payment_property(), 0..2),
    )
        .prop_map(
            |((service, key, id), invoice_id, currency, total, paid_at, lines, properties)| {
                Confirmation {
                    service_id: ServiceId::parse(&service).unwrap(),
                    order_key: OrderKey::parse(&key).unwrap(),
                    payment_id: PaymentId::parse(&id).unwrap(),
                    invoice_id,
                    currency: Currency::parse(&currency).unwrap(),
                    total: Money::parse(&total).unwrap(),
                    paid_at: time::parse_paid_at(&paid_at).unwrap(),
                    lines,
                    properties,
                }
            },
        )
        .boxed()
}

fn signer() -> BoxedStrategy<SignerJson> {
    (any_text(), any_text(), any_text())
        .prop_map(|(subject, fingerprint, algorithm)| SignerJson {
            subject,
            fingerprint,
            algorithm,
        })
        .boxed()
}

fn payment() -> BoxedStrategy<PaymentJson> {
    let confirmed = (any_text(), option::of(signer()), any_text()).prop_map(
        |(received_at, signer, evidence)| ConfirmedJson {
            received_at,
            signer,
            evidence,
        },
    );
    let texts = (any_text(), any_text(), any_text());
    let manual = (any::<u64>(), texts, option::of(confirmed)).prop_map(
        |(proposal, (proposed_by, approved_by, note), confirmed)| ManualJson {
            proposal,
            proposed_by,
            approved_by,
            note,
            confirmed,
        },
    );
    (confirmation(), signer(), any_text(), option::of(manual))
        .prop_map(|(confirmation, signer, evidence, manual)| {
            let received_at = confirmation.paid_at;
            let mut payment = PaymentJson::new(&confirmation, received_at, signer, evidence);
            payment.after_void = manual.is_none();
            payment.manual = manual;
            payment
        })
        .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let maybe = || option::of(any_text());
    let of_order = (
        (any_text(), any_text(), any::<u64>(), any_text()),
        (maybe(), maybe(), maybe(), maybe()),
    )
        .prop_map(
            |((service_id, order_key, version, currency), rest)| OrderEvent {
                service_id,
                order_key,
                version,
                currency,
                total_amount_due: rest.0,
                status: rest.1,
                refund_reference: rest.2,
                metadata: MetadataJson::new(),
                by: rest.3,
            },
        );
    let order_events = [
        Event::OrderRegistered,
        Event::OrderAmended,
        Event::OrderCompleted,
        Event::OrderCancelled,
        Event::OrderRefunding,
        Event::OrderRefunded,
        Event::OrderReopened,
    ];
    let refusal = (
        (maybe(), maybe(), maybe()),
        (any_text(), any_text(), any_text()),
        signer(),
    )
        .prop_map(|(ids, (code, reason, received_at), signer)| RefusalJson {
            payment_id: ids.0,
            service_id: ids.1,
            order_key: ids.2,
            code,
            reason,
            received_at,
            evidence: signer.fingerprint.clone(),
            signer,
        });
    let proposal =
        (payment(), any_text(), any_text()).prop_map(|(payment, note, by)| ProposalJson {
            payment_id: payment.payment_id,
            service_id: payment.service_id,
            order_key: payment.order_key,
            invoice_id: payment.invoice_id,
            amount: payment.amount,
            currency: payment.currency,
            paid_at: payment.paid_at,
            lines: payment.lines,
            note,
            by,
        });
    let settlement = (any_text(), vec(any_text(), 0..3), any_text(), any::<u64>()).prop_map(
        |(sha256, payments, by, entry)| SettlementJson {
            sha256,
            rows: payments.clone(),
            parts: payments
                .iter()
                .map(|id| PartJson {
                    payment_id: id.clone(),
                    row: id.clone(),
                    number: 1,
                    amount: id.clone(),
                    refund: (id.len() > 3).then(|| id.clone()),
                    by_amount: id.len() > 5,
                    account: (id.len() > 4).then(|| id.clone()),
                })
                .collect(),
            payments,
            by,
            entry,
        },
    );
    let void_proposal = (payment(), any::<u64>(), any_text(), any_text()).prop_map(
        |(payment, proposal, note, by)| VoidProposalJson {
            payment_id: payment.payment_id,
            service_id: payment.service_id,
            order_key: payment.order_key,
            proposal,
            note,
            by,
        },
    );
    let void = (
        payment(),
        void_proposal.clone(),
        (any::<u64>(), any::<u64>(), option::of(any::<u64>())),
        any_text(),
    )
        .prop_map(
            |(payment, proposal, (recorded, void_proposal, version), by)| VoidJson {
                version,
                ..VoidJson::new(&payment, recorded, void_proposal, &proposal, &by)
            },
        );
    let withdrawal = (any::<u64>(), any_text(), any_text(), any::<u64>()).prop_map(
        |(proposal, payment_id, by, entry)| WithdrawalJson {
            proposal,
            payment_id,
            by,
            entry,
        },
    );
    let ids = || (maybe(), maybe(), maybe(), maybe());
    let closed =
        (ids(), (any_text(), any_text(), any_text())).prop_map(|(ids, (reason, note, by))| {
            ReviewClosedJson {
                payment_id: ids.0,
                service_id: ids.1,
                order_key: ids.2,
                evidence: ids.3,
                reason,
                note,
                by,
                version: Some(7),
                entry: Some(3),
            }
        });
    let erased = (ids(), (any_text(), any_text())).prop_map(|(ids, (reason, by))| ErasureJson {
        service_id: ids.0,
        order_key: ids.1,
        evidence: ids.2,
        reason,
        by,
        version: None,
        entry: Some(3),
    });
    let texts = || (any_text(), any_text(), any_text(), any_text());
    let maybes = (maybe(), maybe(), maybe(), maybe());
    let refund = (texts(), texts(), maybes, any::<u64>()).prop_map(
        |(of, about, (bank_account, note, by, rrn), recorded)| RefundJson {
            payment_id: of.0,
            service_id: of.1,
            order_key: of.2,
            amount: of.3,
            remaining: about.0,
            currency: about.1,
            lines: vec![PaymentLineJson {
                line_id: about.3,
                amount: String::new(),
                bank_account,
                properties: Vec::new(),
            }],
            recorded,
            note,
            by,
            rrn,
            evidence: about.2,
            version: Some(recorded),
        },
    );
    let started =
        (texts(), any_text(), any_text(), maybe()).prop_map(|(of, currency, terminal, by)| {
            CardStartedJson {
                payment_id: of.0,
                service_id: of.1,
                order_key: of.2,
                amount: of.3,
                currency,
                lines: Vec::new(),
                capture: Capture::Checked,
                terminal,
                by,
                version: Some(2),
            }
        });
    let opened = (texts(), any_text()).prop_map(|(of, evidence)| ReviewOpenedJson {
        payment_id: of.0,
        service_id: of.1,
        order_key: of.2,
        reason: of.3,
        evidence,
        version: None,
    });
    prop_oneof![
        (of_order, 0..order_events.len()).prop_map(move |(event, kind)| order_events[kind](event)),
        payment().prop_map(|payment| Event::PaymentRecorded(Box::new(payment))),
        payment().prop_map(|payment| Event::PaymentConfirmed(Box::new(payment))),
        refusal.prop_map(|refusal| Event::PaymentRefused(Box::new(refusal))),
        proposal.prop_map(|proposal| Event::PaymentProposed(Box::new(proposal))),
        void_proposal.prop_map(|proposal| Event::PaymentVoidProposed(Box::new(proposal))),
        void.prop_map(|void| Event::PaymentVoided(Box::new(void))),
        withdrawal.prop_map(|withdrawal| Event::ProposalWithdrawn(Box::new(withdrawal))),
        settlement.prop_map(|settlement| Event::SettlementImported(Box::new(settlement))),
        closed.prop_map(|closed| Event::ReviewClosed(Box::new(closed))),
        refund.prop_map(|refund| Event::PaymentRefunded(Box::new(refund))),
        started.prop_map(|started| Event::CardStarted(Box::new(started))),
        opened.prop_map(|opened| Event::ReviewOpened(Box::new(opened))),
        erased.prop_map(|erased| Event::PersonalDataErased(Box::new(erased))),
    ]
    .boxed()
}

fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_order_that_is_accepted_is_read_again_as_it_was(json in order()) {
        if let Ok(order) = json.to_order() {
            let written = OrderJson::from(&order);
            let read = again(&written);
            prop_assert_eq!(&read, &written);
            prop_assert_eq!(read.to_order(), Ok(order));
        }
    }

    #[test]
    fn an_order_without_personal_data_is_still_one(json in order()) {
        if let Ok(order) = json.to_order() {
            let mut written = OrderJson::from(&order);
            written.erase_personal_data();
            prop_assert!(again(&written).to_order().is_ok());
        }
    }

    #[test]
    fn a_payment_that_is_taken_is_read_again_as_it_was(
        confirmation in confirmation(),
        signer in signer(),
        evidence in any_text(),
    ) {
        let received_at = Timestamp::UNIX_EPOCH;
        let payment = PaymentJson::new(&confirmation, received_at, signer, evidence);
        let read = again(&payment);
        prop_assert_eq!(&read, &payment);
        prop_assert_eq!(read.to_received(), Ok((confirmation, Receipt::at(received_at))));
    }

    #[test]
    fn every_event_is_read_again_as_it_was(event in event()) {
        prop_assert_eq!(&again(&event), &event);
        // In the order of the alphabet.
        let value = serde_json::to_value(&event).unwrap();
        let read: Event = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(read, event);
    }

    #[test]
    fn a_review_that_is_closed_is_read_again_as_it_was(
        id in text::<36>(),
        review in 0..Review::ALL.len(),
        note in text::<500>(),
        by in any_text(),
    ) {
        let (id, note) = (PaymentId::parse(&id).unwrap(), Text::parse(&note).unwrap());
        let json = ReviewClosedJson {
            payment_id: Some(id.to_string()),
            service_id: None,
            order_key: None,
            evidence: None,
            reason: Review::ALL[review].as_str().to_owned(),
            note: note.as_str().to_owned(),
            by: by.clone(),
            version: None,
            entry: None,
        };
        let (read, closed) = again(&json).read(Timestamp::UNIX_EPOCH).unwrap();
        prop_assert_eq!((read, closed.review, closed.note, closed.by), (id, Review::ALL[review], note, by));
    }
}

#[test]
fn most_of_what_is_tried_is_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut accepted = 0;
    for _ in 0..200 {
        let order = order().new_tree(&mut runner).unwrap().current();
        accepted += usize::from(order.to_order().is_ok());
    }
    assert!(accepted > 50, "{accepted} of 200");
}
