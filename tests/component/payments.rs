use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mpay_client::{Answer, Confirmation};
use mpay_host::{Fault, Observer, Operation};
use serde_json::json;

use crate::harness::*;

fn confirm(provider: &Provider, confirmation: &Confirmation) -> String {
    code(provider.mpay().confirm(confirmation).unwrap())
}

#[test]
fn a_payment_is_recorded_once_however_often_it_is_confirmed() {
    let mut provider = Provider::start();
    provider.register("1", order("150.50"));
    let payment = confirmation("1", "P-1", "150.50");
    assert_eq!(confirm(&provider, &payment), "ok");
    assert_eq!(confirm(&provider, &payment), "ok");
    let noted = "payment P-1 is confirmed again with other details";
    assert!(!provider.log().contains(noted));
    provider.restart();
    let mut rewritten = payment.clone();
    rewritten.total = "150.5000".into();
    rewritten.lines[0].1 = "+150.5".into();
    rewritten.paid_at = "2026-01-01T00:00:00Z".into();
    assert_eq!(confirm(&provider, &rewritten), "ok");
    assert!(provider.log().contains(noted), "{}", provider.log());

    let ledger = provider.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0]["payment_id"], "P-1");
    assert_eq!(ledger[0]["amount"], "150.50");
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["amount_paid"], "150.50");
    assert_eq!(order["payments"].as_array().unwrap().len(), 1);
    assert_eq!(order["payments"][0]["review"], json!([]));
    assert_eq!(provider.keys("evidence/").len(), 1);
}

#[test]
fn sixty_four_confirmations_at_once_are_one_payment() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let payment = confirmation("1", "P", "10");
    let answers: Vec<String> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..64)
            .map(|_| scope.spawn(|| confirm(&provider, &payment)))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    // A call that could not wait for the recording one is told to come again, as MPay does.
    assert!(
        answers
            .iter()
            .all(|code| code == "ok" || code == "InternalError"),
        "{answers:?}"
    );
    assert!(answers.contains(&"ok".to_owned()));
    assert_eq!(confirm(&provider, &payment), "ok");
    assert_eq!(provider.ledger().len(), 1);
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
}

#[test]
fn different_payments_at_once_are_all_recorded() {
    let provider = Provider::start();
    provider.register(
        "1",
        json!({
            "reason": "Donații", "allow_partial_payments": true,
            "lines": [{"line_id": "1", "reason": "Donații", "amount_due": "1000"}]
        }),
    );
    std::thread::scope(|scope| {
        for n in 0..64 {
            let provider = &provider;
            scope.spawn(move || {
                assert_eq!(
                    confirm(provider, &confirmation("1", &format!("P-{n}"), "3")),
                    "ok"
                );
            });
        }
    });
    assert_eq!(provider.order("1")["amount_paid"], "192.00");
    assert_eq!(
        provider.order("1")["payments"].as_array().unwrap().len(),
        64
    );
    assert_eq!(provider.ledger().len(), 64);
}

#[test]
fn a_payment_id_with_other_content_is_refused_and_kept() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    provider.register("2", order("10"));
    assert_eq!(confirm(&provider, &confirmation("1", "P", "10")), "ok");
    assert_eq!(
        confirm(&provider, &confirmation("1", "P", "9")),
        "InvalidParameter"
    );
    assert_eq!(
        confirm(&provider, &confirmation("2", "P", "10")),
        "InvalidParameter"
    );
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
    assert_eq!(provider.order("2")["amount_paid"], "0.00");
    assert_eq!(provider.ledger().len(), 1);
    assert_eq!(provider.refusals().len(), 2);
}

#[test]
fn what_does_not_fit_is_refused_without_effect_and_kept_once() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let base = confirmation("1", "P", "10");
    type Change = dyn Fn(&mut Confirmation);
    let cases: [(&str, &str, &Change); 19] = [
        ("another currency", "InvalidParameter", &|c| {
            c.currency = "EUR".into()
        }),
        ("no currency", "InvalidParameter", &|c| {
            c.currency = "lei".into()
        }),
        ("a sum that is not the total", "InvalidParameter", &|c| {
            c.total = "10.01".into()
        }),
        ("a line that is not the order's", "InvalidParameter", &|c| {
            c.lines[0].0 = "2".into()
        }),
        ("no lines", "InvalidParameter", &|c| c.lines.clear()),
        ("zero", "InvalidParameter", &|c| {
            c.total = "0".into();
            c.lines[0].1 = "0.00".into();
        }),
        ("negative", "InvalidParameter", &|c| {
            c.total = "-10".into();
            c.lines[0].1 = "-10".into();
        }),
        ("a part of a hundredth", "InvalidParameter", &|c| {
            c.total = "10.001".into();
            c.lines[0].1 = "10.001".into();
        }),
        ("no number", "InvalidParameter", &|c| c.total = "ten".into()),
        ("no time", "InvalidParameter", &|c| {
            c.paid_at = "yesterday".into()
        }),
        ("a date without a time", "InvalidParameter", &|c| {
            c.paid_at = "2026-06-01".into()
        }),
        ("no day of the calendar", "InvalidParameter", &|c| {
            c.paid_at = "2026-02-30T12:00:00".into()
        }),
        ("no payment id", "InvalidParameter", &|c| {
            c.payment_id = " ".into()
        }),
        ("a payment id that is too long", "InvalidParameter", &|c| {
            c.payment_id = "p".repeat(37)
        }),
        ("a line id that is too long", "InvalidParameter", &|c| {
            c.lines[0].0 = "l".repeat(37)
        }),
        ("an unknown order", "UnknownOrder", &|c| {
            c.order_key = "none".into()
        }),
        ("an unknown service", "UnknownService", &|c| {
            c.service_id = "OTHER".into()
        }),
        // Of several mistakes the first in the order of the contract counts.
        ("an unknown order and a wrong sum", "UnknownOrder", &|c| {
            c.order_key = "none".into();
            c.total = "-1".into();
        }),
        (
            "an unknown service and a wrong shape",
            "InvalidParameter",
            &|c| {
                c.service_id = "OTHER".into();
                c.paid_at = "".into();
            },
        ),
    ];
    for (what, expected, change) in &cases {
        let mut wrong = base.clone();
        change(&mut wrong);
        assert_eq!(confirm(&provider, &wrong), *expected, "{what}");
        assert_eq!(confirm(&provider, &wrong), *expected, "{what}, again");
    }
    assert_eq!(provider.ledger().len(), 0);
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
    let refusals = provider.refusals();
    assert_eq!(refusals.len(), cases.len());
    for refusal in &refusals {
        let key = format!("evidence/{}", refusal["evidence"].as_str().unwrap());
        assert!(provider.stored(&key).is_some(), "{key}");
    }
    // After all that the right one works.
    assert_eq!(confirm(&provider, &base), "ok");
}

#[test]
fn money_that_should_not_have_come_is_taken_and_flagged() {
    let provider = Provider::start();
    let mut late = order("10");
    late["due_date"] = "2026-01-01".into();
    provider.register("late", late);
    let mut cancelled = order("10");
    cancelled["status"] = "Cancelled".into();
    provider.register("cancelled", cancelled);
    for key in ["double", "over", "under"] {
        provider.register(key, order("10"));
    }
    for (key, payments) in [
        ("late", &[("10", &["late"][..])][..]),
        ("cancelled", &[("10", &["late"])]),
        ("double", &[("10", &[]), ("10", &["double"])]),
        ("over", &[("12", &["over-paid"])]),
        ("under", &[("8", &["under-paid"]), ("2", &[])]),
    ] {
        for (n, (amount, _)) in payments.iter().enumerate() {
            assert_eq!(
                confirm(&provider, &confirmation(key, &format!("{key}-{n}"), amount)),
                "ok"
            );
        }
        let order = provider.order(key);
        let reviews: Vec<_> = order["payments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| &p["review"])
            .collect();
        let expected: Vec<_> = payments.iter().map(|(_, review)| json!(review)).collect();
        assert_eq!(reviews, expected.iter().collect::<Vec<_>>(), "{key}");
    }
}

#[test]
fn a_payment_of_a_time_that_cannot_be_is_taken_and_stops_nothing() {
    let provider = Provider::start();
    let times = [
        ("0000-01-01T00:00:00+14:00", "0001-01-01T01:55:00+01:55"),
        // The text that .NET writes for a time that nobody set.
        ("0001-01-01T00:00:00", "0001-01-01T01:55:00+01:55"),
        ("9999-12-31T23:59:59.9999999", "9999-12-31T00:00:00+02:00"),
        ("2012-12-31T23:59:59", "2012-12-31T23:59:59+02:00"),
    ];
    for (i, (sent, kept)) in times.into_iter().enumerate() {
        let (key, id) = (format!("{i}"), format!("P-{i}"));
        let mut due = order("10");
        due["due_date"] = "2099-12-31".into();
        provider.register(&key, due);
        let mut payment = confirmation(&key, &id, "10");
        payment.paid_at = sent.into();
        assert_eq!(confirm(&provider, &payment), "ok", "{sent}");
        assert_eq!(confirm(&provider, &payment), "ok", "{sent}");
        let order = provider.order(&key);
        assert_eq!(order["status"], "Paid");
        let recorded = &order["payments"][0];
        assert_eq!(recorded["paid_at"], kept, "{sent}");
        assert_eq!(recorded["review"], json!(["implausible-date"]), "{sent}");
    }
    assert_eq!(provider.ledger().len(), times.len());
    for path in [
        "orders?review=implausible-date",
        "reconciliation?from=2020-01-01&to=2099-12-31",
        "payments/P-0",
    ] {
        assert_eq!(provider.api("GET", path, None).status, 200, "{path}");
    }
}

#[test]
fn a_line_of_zero_beside_others_pays_nothing_of_it() {
    let provider = Provider::start();
    let mut two = order("60");
    two["allow_partial_payments"] = true.into();
    let second = json!({"line_id": "2", "reason": "Doi", "amount_due": "40"});
    two["lines"].as_array_mut().unwrap().push(second);
    provider.register("1", two);
    let mut payment = confirmation("1", "P", "40");
    payment.lines = vec![("1".into(), "0.00".into()), ("2".into(), "40.00".into())];
    assert_eq!(confirm(&provider, &payment), "ok");
    let order = provider.order("1");
    assert_eq!(order["amount_due"], "60.00");
    assert_eq!(order["payments"][0]["review"], json!([]));
    assert_eq!(provider.details("1").get("TotalAmountDue"), Some("60.00"));
}

#[test]
fn a_payment_in_another_currency_than_the_order_has_now_pays_nothing_of_it() {
    let provider = Provider::start();
    provider.register("1", order("100"));
    let mut amended = order("100");
    amended["currency"] = "EUR".into();
    provider.register("1", amended);
    // MPay showed the version before.
    assert_eq!(confirm(&provider, &confirmation("1", "P", "100")), "ok");
    let order = provider.order("1");
    assert_eq!(order["status"], "Active");
    assert_eq!(order["amount_paid"], "0.00");
    assert_eq!(order["amount_due"], "100.00");
    assert_eq!(order["payments"][0]["review"], json!(["other-currency"]));
    let listed = provider.api("GET", "orders?review=other-currency", None);
    assert_eq!(listed.body["orders"].as_array().unwrap().len(), 1);
    let totals = provider.api("GET", "reconciliation?from=2020-01-01&to=2099-12-31", None);
    assert_eq!(totals.body["totals"][0]["currency"], "MDL");
    assert_eq!(totals.body["totals"][0]["amount"], "100.00");
}

#[test]
fn a_payment_for_an_older_version_is_taken_and_flagged() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let mut amended = order("20");
    amended["lines"][0]["line_id"] = "other".into();
    provider.register("1", amended);
    assert_eq!(confirm(&provider, &confirmation("1", "P", "10")), "ok");
    assert_eq!(
        provider.order("1")["payments"][0]["review"],
        json!(["under-paid", "amended"])
    );
    assert_eq!(provider.order("1")["amount_due"], "10.00");
}

#[test]
fn the_signed_message_is_kept_byte_for_byte() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let client = provider.mpay();
    let exchange = client
        .send(
            "ConfirmOrderPayment",
            &confirmation("1", "P", "10").encode(),
        )
        .unwrap();
    assert_eq!(exchange.status, 200);
    let payment = &provider.ledger()[0];
    let key = format!("evidence/{}", payment["evidence"].as_str().unwrap());
    assert_eq!(provider.stored(&key).unwrap(), exchange.request.as_bytes());
    assert_eq!(
        payment["signer"]["algorithm"],
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    );
    assert_eq!(
        payment["signer"]["fingerprint"],
        wsse::Certificate::from_pem(MPAY).unwrap().fingerprint()
    );
}

#[test]
fn empty_optional_members_are_absent() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let content = confirmation("1", "P", "10").encode();
    let mut xml = wsse::Writer::new();
    xml.start_in("ConfirmOrderPayment", "https://mpay.gov.md");
    xml.start("confirmation");
    for (name, value) in [("Currency", "MDL"), ("InvoiceID", "")] {
        xml.element(name, value);
    }
    xml.start("Lines");
    xml.start("PaymentConfirmationLine");
    xml.element("Amount", "10.00");
    xml.element("DestinationAccount", "");
    xml.element("LineID", "1");
    xml.element("Properties", "");
    xml.end();
    xml.end();
    xml.element("OrderKey", "1");
    xml.element("PaidAt", "2026-05-05T10:11:12.1234567");
    xml.element("PaymentID", "P");
    xml.start("Properties");
    xml.start("PaymentProperty");
    xml.element("Name", "HO:Telephone");
    xml.element("Value", "+373 22 000000");
    xml.end();
    xml.end();
    xml.element("ServiceID", SERVICE);
    xml.element("TotalAmount", "10.00");
    let exchange = provider
        .mpay()
        .send("ConfirmOrderPayment", &xml.finish())
        .unwrap();
    assert_eq!(exchange.status, 200);
    let payment = &provider.ledger()[0];
    assert_eq!(payment["invoice_id"], json!(null));
    assert_eq!(payment["properties"][0]["name"], "HO:Telephone");
    assert_eq!(payment["paid_at"], "2026-05-05T10:11:12+03:00");
    // It is the same payment as the plain one.
    assert_eq!(
        provider
            .mpay()
            .send("ConfirmOrderPayment", &content)
            .unwrap()
            .status,
        200
    );
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_payment_is_not_refused_for_members_that_nothing_depends_on() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let long = "x".repeat(300);
    let content = confirmation("1", "P", "10").encode();
    let operation = content
        .as_str()
        .replace("<Lines>", &format!("<InvoiceID>{long}</InvoiceID><Lines>"))
        .replace(
            "<ServiceID>",
            &format!("<Properties><PaymentProperty><Name>{long}</Name><Value>{long}</Value></PaymentProperty></Properties><ServiceID>"),
        );
    let mut xml = wsse::Writer::new();
    copy(
        wsse::Document::parse(operation.as_bytes()).unwrap().root(),
        &mut xml,
    );
    let exchange = provider
        .mpay()
        .send("ConfirmOrderPayment", &xml.finish())
        .unwrap();
    assert_eq!(
        exchange.status,
        200,
        "{}",
        String::from_utf8_lossy(&exchange.body)
    );
    assert_eq!(provider.ledger()[0]["invoice_id"], long);
}

fn copy(element: wsse::Element<'_>, xml: &mut wsse::Writer) {
    xml.start_in(element.local_name(), element.namespace());
    match element.text() {
        Some(text) => xml.text(&text),
        None => element.children().for_each(|child| copy(child, xml)),
    }
    xml.end();
}

fn writes(count: &Arc<AtomicUsize>) -> Observer {
    let count = Arc::clone(count);
    Arc::new(move |call| {
        if call.operation.writes() {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Fault::None
    })
}

#[test]
fn details_and_repetitions_write_nothing() {
    let count = Arc::default();
    let provider = Provider::start_with(&[], Some(writes(&count)));
    provider.register("1", order("10"));
    // The first payment of a store makes its secret.
    provider.register("0", order("10"));
    assert_eq!(confirm(&provider, &confirmation("0", "O", "10")), "ok");
    let before = count.load(Ordering::Relaxed);
    provider.details("1");
    assert_eq!(count.load(Ordering::Relaxed), before);
    assert_eq!(confirm(&provider, &confirmation("1", "P", "10")), "ok");
    let recorded = count.load(Ordering::Relaxed);
    assert_eq!(recorded - before, 5, "three places, a batch and the marker");
    assert_eq!(confirm(&provider, &confirmation("1", "P", "10")), "ok");
    assert_eq!(count.load(Ordering::Relaxed), recorded);
}

#[test]
fn a_store_that_fails_is_an_internal_error_and_repetition_finishes_the_work() {
    // The marker cannot be written, five times: one call gives up, the next gets through.
    let failures = AtomicUsize::new(0);
    let observer: Observer = Arc::new(move |call| {
        let marker = call.operation == Operation::SetMany
            && call.keys.iter().any(|key| key.starts_with("done/"));
        if marker && failures.fetch_add(1, Ordering::Relaxed) < 5 {
            Fault::Refuse
        } else {
            Fault::None
        }
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("1", order("10"));
    let payment = confirmation("1", "P", "10");
    assert_eq!(confirm(&provider, &payment), "InternalError");
    // Everything but the marker is there, and a reader finishes it.
    assert_eq!(provider.ledger().len(), 1);
    let log = provider.log();
    assert!(log.contains("the store failed"), "{log}");
    assert_eq!(confirm(&provider, &payment), "ok");
    assert_eq!(provider.order("1")["payments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_payment_stays_confirmed_whatever_becomes_of_its_service() {
    let mut provider = Provider::start();
    provider.register("1", order("10"));
    let payment = confirmation("1", "P", "10");
    assert_eq!(confirm(&provider, &payment), "ok");
    provider.set_variable("service_ids", "SCHOOL");
    provider.restart();
    assert_eq!(confirm(&provider, &payment), "ok");
    assert_eq!(
        confirm(&provider, &confirmation("1", "Q", "10")),
        "UnknownService"
    );
}

#[test]
fn an_answer_is_only_read_when_it_is_the_providers() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let signer = wsse::Signer::from_pem(MPAY_KEY, MPAY).unwrap();
    let other = wsse::Certificate::from_pem(STRANGER).unwrap();
    let client = mpay_client::Client::new(&provider.url, signer, other);
    assert!(client.details(SERVICE, "1", "ro").is_err());
    assert!(matches!(
        provider.mpay().details(SERVICE, "1", "ro").unwrap(),
        Answer::Result(_)
    ));
}
