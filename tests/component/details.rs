use mpay_client::{Answer, OrderDetails};
use serde_json::{Value, json};
use wsse::{Algorithms, Document, Hash};

use crate::harness::*;

fn whole_order() -> Value {
    json!({
        "reason": {"ro": "Taxă de studii", "ru": "Плата", "en": "Tuition"},
        "issued_at": "2026-01-15T10:00:00", "due_date": "2099-06-30T23:59:59",
        "customer_type": "Person", "customer_id": "2000000000004", "customer_name": "Ion & Ana <Ș>",
        "allow_partial_payments": true, "allow_advance_payments": true,
        "lines": [
            {"line_id": "a", "reason": {"ro": "Unu", "en": "One"}, "amount_due": "100",
             "destination_account": {
                "bank_account": "MD97TREZ000000000000000A", "bank_code": "TREZMD2X",
                "bank_fiscal_code": "1006601000037", "beneficiary_name": "Ministerul", "configuration_code": "C1"},
             "properties": [{"name": "Grupa", "display_name": "Grupa", "value": "A1"}]},
            {"line_id": "b", "reason": "Doi", "amount_due": "50.5"}
        ],
        "properties": [{"id": "p1", "name": "Adresa", "display_name": {"ro": "Adresa", "ru": "Адрес"}, "type": "string",
                        "value": "", "is_visible": true, "modifiable": true, "required": false}]
    })
}

/// Names and texts, depth first, as `path=text`.
fn outline(element: wsse::Element<'_>, path: &str, into: &mut Vec<String>) {
    for child in element.children() {
        assert_eq!(child.namespace(), "https://mpay.gov.md");
        let path = format!("{path}/{}", child.local_name());
        match child.text() {
            Some(text) => into.push(format!("{path}={text}")),
            None => outline(child, &path, into),
        }
    }
}

fn answer(provider: &Provider, language: &str) -> Vec<String> {
    let exchange = provider
        .mpay()
        .send(
            "GetOrderDetails",
            &mpay_client::encode_query(SERVICE, "1", language),
        )
        .unwrap();
    assert_eq!(exchange.status, 200);
    let document = Document::parse(&exchange.body).unwrap();
    let body = document.root().children().last().unwrap();
    let response = body.children().next().unwrap();
    assert!(response.is("https://mpay.gov.md", "GetOrderDetailsResponse"));
    let mut lines = Vec::new();
    outline(response, "", &mut lines);
    lines
        .iter()
        .map(|line| line.replace("/GetOrderDetailsResult/OrderDetails/", ""))
        .collect()
}

#[test]
fn every_member_is_answered_in_the_order_of_the_wire() {
    let provider = Provider::start();
    provider.register("1", whole_order());
    assert_eq!(
        answer(&provider, "en"),
        [
            "AllowAdvancePayments=true",
            "AllowPartialPayments=true",
            "Currency=MDL",
            "CustomerID=2000000000004",
            "CustomerName=Ion & Ana <Ș>",
            "CustomerType=Person",
            "DueDate=2099-06-30T23:59:59+03:00",
            "IssuedAt=2026-01-15T10:00:00+02:00",
            "Lines/OrderLine/AllowAdvancePayments=true",
            "Lines/OrderLine/AllowPartialPayments=true",
            "Lines/OrderLine/AmountDue=100.00",
            "Lines/OrderLine/DestinationAccount/BankAccount=MD97TREZ000000000000000A",
            "Lines/OrderLine/DestinationAccount/BankCode=TREZMD2X",
            "Lines/OrderLine/DestinationAccount/BankFiscalCode=1006601000037",
            "Lines/OrderLine/DestinationAccount/BeneficiaryName=Ministerul",
            "Lines/OrderLine/DestinationAccount/ConfigurationCode=C1",
            "Lines/OrderLine/LineID=a",
            "Lines/OrderLine/Properties/OrderProperty/DisplayName=Grupa",
            "Lines/OrderLine/Properties/OrderProperty/Name=Grupa",
            "Lines/OrderLine/Properties/OrderProperty/Value=A1",
            "Lines/OrderLine/Reason=One",
            "Lines/OrderLine/AllowAdvancePayments=false",
            "Lines/OrderLine/AllowPartialPayments=false",
            "Lines/OrderLine/AmountDue=50.50",
            "Lines/OrderLine/DestinationAccount/BankAccount=MD24AG000225100013104168",
            "Lines/OrderLine/DestinationAccount/BankCode=AGRNMD2X",
            "Lines/OrderLine/DestinationAccount/BankFiscalCode=1000000000007",
            "Lines/OrderLine/DestinationAccount/BeneficiaryName=Primăria Exemplu",
            "Lines/OrderLine/LineID=b",
            "Lines/OrderLine/Reason=Doi",
            "OrderKey=1",
            "Properties/OrderProperty/DisplayName=Adresa",
            "Properties/OrderProperty/Id=p1",
            "Properties/OrderProperty/IsVisible=true",
            "Properties/OrderProperty/Modifiable=true",
            "Properties/OrderProperty/Name=Adresa",
            "Properties/OrderProperty/Required=false",
            "Properties/OrderProperty/Type=string",
            "Properties/OrderProperty/Value=",
            "Reason=Tuition",
            "ServiceID=TAX",
            "Status=Active",
            "TotalAmountDue=150.50",
        ]
    );
}

#[test]
fn optional_members_without_a_value_are_absent() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let names: Vec<_> = answer(&provider, "ro")
        .into_iter()
        .map(|line| line.split('=').next().unwrap().to_owned())
        .filter(|name| !name.contains("DestinationAccount"))
        .collect();
    assert_eq!(
        names,
        [
            "Currency",
            "Lines/OrderLine/AmountDue",
            "Lines/OrderLine/LineID",
            "Lines/OrderLine/Reason",
            "OrderKey",
            "Reason",
            "ServiceID",
            "Status",
            "TotalAmountDue"
        ]
    );
}

#[test]
fn texts_come_in_the_language_asked_for() {
    let provider = Provider::start();
    provider.register("1", whole_order());
    for (language, reason) in [
        ("ro", "Taxă de studii"),
        ("RU", "Плата"),
        ("ru", "Плата"),
        ("EN", "Tuition"),
        ("fr", "Taxă de studii"),
        ("", "Taxă de studii"),
    ] {
        let answer = answer(&provider, language);
        assert!(
            answer.contains(&format!("Reason={reason}")),
            "{language}: {answer:?}"
        );
    }
}

#[test]
fn all_eight_statuses_are_answered() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let status = || provider.details("1").get("Status").unwrap().to_owned();
    assert_eq!(status(), "Active");

    let mut expired = order("10");
    expired["due_date"] = "2026-01-01".into();
    provider.register("1", expired);
    assert_eq!(status(), "Expired");

    let mut partial = order("10");
    partial["allow_partial_payments"] = true.into();
    provider.register("1", partial.clone());
    provider
        .mpay()
        .confirm(&confirmation("1", "P1", "4"))
        .unwrap();
    assert_eq!(status(), "PartiallyPaid");
    assert_eq!(provider.details("1").get("TotalAmountDue"), Some("6.00"));

    provider
        .mpay()
        .confirm(&confirmation("1", "P2", "6"))
        .unwrap();
    assert_eq!(status(), "Paid");
    let details = provider.details("1");
    assert_eq!(details.get("TotalAmountDue"), Some("0.00"));
    assert_eq!(details.lines[0].get("AmountDue"), Some("0.00"));

    for set in ["Completed", "Refunding", "Refunded"] {
        partial["status"] = set.into();
        if set == "Refunded" {
            partial["refund_reference"] = "PO 7".into();
        }
        provider.register("1", partial.clone());
        assert_eq!(status(), set);
        assert_eq!(provider.order("1")["status"], set);
    }
    let mut cancelled = order("10");
    cancelled["status"] = "Cancelled".into();
    provider.register("2", cancelled);
    assert_eq!(provider.details("2").get("Status"), Some("Cancelled"));
}

#[test]
fn a_partly_paid_order_shows_what_remains() {
    let provider = Provider::start();
    provider.register("1", whole_order());
    let mut partial = confirmation("1", "P", "120");
    partial.lines = vec![("a".into(), "100".into()), ("b".into(), "20".into())];
    assert_eq!(code(provider.mpay().confirm(&partial).unwrap()), "ok");
    let details = provider.details("1");
    assert_eq!(details.get("TotalAmountDue"), Some("30.50"));
    assert_eq!(details.lines.len(), 1);
    assert_eq!(details.lines[0].get("LineID"), Some("b"));
    assert_eq!(details.lines[0].get("AmountDue"), Some("30.50"));
    assert_eq!(
        details.lines[0].get("AllowPartialPayments"),
        Some("true"),
        "the flag moves to what is the first line now"
    );
    let order = provider.order("1");
    assert_eq!(
        (order["amount_paid"].as_str(), order["amount_due"].as_str()),
        (Some("120.00"), Some("30.50"))
    );
}

#[test]
fn an_order_of_unknown_amount_can_be_paid() {
    let provider = Provider::start();
    provider.register(
        "1",
        json!({
            "reason": "Donație", "allow_advance_payments": true,
            "lines": [{"line_id": "1", "reason": "Donație"}]
        }),
    );
    let details = provider.details("1");
    assert_eq!(
        (
            details.get("TotalAmountDue"),
            details.lines[0].get("AmountDue")
        ),
        (None, None)
    );
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "7"))
                .unwrap()
        ),
        "ok"
    );
    assert_eq!(provider.details("1").get("Status"), Some("PartiallyPaid"));
    assert_eq!(provider.order("1")["payments"][0]["review"], json!([]));
}

#[test]
fn unknown_services_and_orders_are_faults() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    assert_eq!(provider.details_fault("OTHER", "1").code, "UnknownService");
    assert_eq!(provider.details_fault("SCHOOL", "1").code, "UnknownOrder");
    assert_eq!(provider.details_fault(SERVICE, "2").code, "UnknownOrder");
    for (service, key) in [("", "1"), (SERVICE, " "), (SERVICE, &"x".repeat(37))] {
        let fault = provider.details_fault(service, key);
        assert_eq!(fault.code, "InvalidParameter");
        assert!(fault.reason.contains("query."), "{}", fault.reason);
    }
    let empty = Provider::start_with(&[("unknown_order", "empty")], None);
    assert_eq!(
        empty.mpay().details(SERVICE, "2", "ro").unwrap(),
        Answer::Result(vec![])
    );
}

#[test]
fn keys_are_trimmed_and_found_in_any_case() {
    let provider = Provider::start();
    provider.register("Ab-1", order("10"));
    assert_eq!(
        provider
            .mpay()
            .details(SERVICE, "  Ab-1 ", "ro")
            .map(code)
            .unwrap(),
        "ok"
    );
    assert_eq!(provider.details("ab-1").get("OrderKey"), Some("Ab-1"));
    assert_eq!(provider.details_fault(SERVICE, "ab-2").code, "UnknownOrder");
}

#[test]
fn answers_are_signed_as_the_request_was() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    for (hash, uri) in [
        (Hash::Sha1, "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        (
            Hash::Sha256,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        ),
        (
            Hash::Sha512,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        ),
    ] {
        let client = provider.mpay().with_algorithms(Algorithms::new(hash));
        let exchange = client
            .send(
                "GetOrderDetails",
                &mpay_client::encode_query(SERVICE, "1", "ro"),
            )
            .unwrap();
        assert!(matches!(
            client
                .read(&exchange, "GetOrderDetailsResponse", |_| ())
                .unwrap(),
            Answer::Result(())
        ));
        let body = String::from_utf8(exchange.body).unwrap();
        assert!(
            body.contains(&format!("<ds:SignatureMethod Algorithm=\"{uri}\"")),
            "{body}"
        );
    }
}

#[test]
fn members_are_read_in_any_order_and_unknown_ones_skipped() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let mut xml = wsse::Writer::new();
    xml.start_in("GetOrderDetails", "https://mpay.gov.md");
    xml.start("query");
    xml.element("ServiceID", SERVICE);
    xml.element("Unknown", "x");
    xml.start_in("ServiceID", "urn:other");
    xml.end();
    xml.element("OrderKey", "1");
    let exchange = provider
        .mpay()
        .send("GetOrderDetails", &xml.finish())
        .unwrap();
    assert_eq!(exchange.status, 200);
}

#[test]
fn a_soap_action_that_contradicts_the_body_is_refused() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    let message = provider
        .mpay()
        .sign(&mpay_client::encode_query(SERVICE, "1", "ro"))
        .unwrap();
    let right = "https://mpay.gov.md/IServiceProvider/GetOrderDetails";
    for (action, status) in [
        (format!("\"{right}\""), 200),
        (right.to_owned(), 200),
        ("\"\"".to_owned(), 200),
        (String::new(), 200),
        (
            "\"https://mpay.gov.md/IServiceProvider/ConfirmOrderPayment\"".to_owned(),
            500,
        ),
        ("\"urn:other\"".to_owned(), 500),
    ] {
        let headers = [
            ("Content-Type", "text/xml"),
            ("SOAPAction", action.as_str()),
        ];
        let response = provider.http("POST", "", &headers, message.as_bytes());
        assert_eq!(response.status(), status, "{action}");
    }
}

#[test]
fn each_service_answers_with_its_own_account_and_texts() {
    let services = json!({
        "TAX": {
            "destination_account": {"bank_account": "RO49AAAA1B31007593840000"},
            "reason": {"ro": "Taxă", "en": "Tax"}, "line_reason": "Taxă locală"
        },
        "SCHOOL": {"reason": "Studii"}
    });
    let services = services.to_string();
    let provider = Provider::start_with(&[("service_ids", ""), ("services", &services)], None);
    for service in ["TAX", "SCHOOL"] {
        let bare = json!({"lines": [{"line_id": "1", "amount_due": "10"}]});
        let answer = provider.api("PUT", &format!("orders/{service}/1"), Some(&bare));
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let details = |service: &str, language: &str| match provider
        .mpay()
        .details(service, "1", language)
        .unwrap()
    {
        Answer::Result(mut orders) => orders.remove(0),
        Answer::Fault(fault) => panic!("{fault}"),
    };
    let account = |order: &OrderDetails, member: &str| {
        let mut members = order.lines[0].account.iter();
        members
            .find(|(name, _)| name == member)
            .map(|(_, value)| value.clone())
    };
    let tax = details("TAX", "en");
    assert_eq!(tax.get("Reason"), Some("Tax"));
    assert_eq!(tax.lines[0].get("Reason"), Some("Taxă locală"));
    assert_eq!(
        account(&tax, "BankAccount").as_deref(),
        Some("RO49AAAA1B31007593840000")
    );
    assert_eq!(account(&tax, "BankCode").as_deref(), Some("AGRNMD2X"));
    let school = details("SCHOOL", "en");
    assert_eq!(school.get("Reason"), Some("Studii"));
    assert_eq!(school.lines[0].get("Reason"), Some("Studii"));
    assert_eq!(
        account(&school, "BankAccount").as_deref(),
        Some("MD24AG000225100013104168")
    );

    // An order's own members stay.
    provider.register("1", order("10"));
    assert_eq!(
        details("TAX", "ro").lines[0].get("Reason"),
        Some("Taxă locală")
    );
    let mut own = order("10");
    own["lines"][0]["reason"] = "Altceva".into();
    provider.register("1", own);
    assert_eq!(details("TAX", "ro").lines[0].get("Reason"), Some("Altceva"));
    assert_eq!(provider.details_fault("OTHER", "1").code, "UnknownService");
}
