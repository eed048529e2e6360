//! Payments, and every mischief with them.

use super::*;

#[test]
fn each_order_of_a_name_is_offered_and_paid_under_its_own_key() {
    let provider = Provider::start();
    let named = |amount: &str, due: &str| {
        let mut order = order(amount);
        order["aliases"] = json!(["C-77/2026"]);
        order["due_date"] = json!(due);
        order
    };
    provider.register("LATE", named("20.00", "2099-12-31"));
    provider.register("SOON", named("1000.50", "2099-01-31"));
    let offline = Offline::start(&provider);
    let address = "/service/pay?ServiceID=TAX&OrderKey=c-77%2F2026&ReturnUrl=https%3A%2F%2Fa.md%2Fback&lang=en";
    let page = offline.get(address).text();
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(place("Several orders under this number") < place("SOON"));
    assert!(
        place("1\u{a0}000.50 MDL") < place("LATE"),
        "the first is due first"
    );
    assert!(
        page.contains("ServiceID=TAX&amp;OrderKey=LATE&amp;ReturnUrl=https%3A%2F%2Fa.md%2Fback")
    );
    let numbers = offline.get("/api/invoices?serviceID=TAX&orderKey=C-77%2F2026");
    let of = |key: &str| {
        let numbers = offline.get(&format!("/api/invoices?serviceID=TAX&orderKey={key}"));
        numbers.json()[0].clone()
    };
    assert_eq!(numbers.json(), json!([of("SOON"), of("LATE")]));
    // Nothing is paid before one is chosen.
    let fields = [
        ("ServiceID", SERVICE),
        ("OrderKey", "C-77/2026"),
        ("outcome", "pay"),
    ];
    let asked = offline.post("/service/confirm", &fields);
    assert_eq!(asked.status, 200, "{}", asked.text());
    assert_eq!(provider.ledger().len(), 0);
    let paid = offline.pay("LATE", &[]);
    offline.settled(&paid);
    assert_eq!(provider.order("LATE")["status"], "Paid");
    // The one that is left is shown at once, and paid under its own key as well.
    let page = offline.get(address).text();
    assert!(page.contains("value=\"SOON\""), "{page}");
    let paid = offline.pay("C-77/2026", &[]);
    offline.settled(&paid);
    assert_eq!(provider.order("SOON")["status"], "Paid");
    assert_eq!(provider.refusals().len(), 0);
}

#[test]
fn an_order_is_shown_paid_in_part_and_the_payer_goes_back() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    let back = "https://institution.example/thanks?order=1&x=2";
    let visit = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("ReturnUrl", back),
    ];

    let page = offline.post("/service/pay", &visit);
    assert_eq!(page.status, 200);
    let text = page.text();
    for shown in [
        "Taxă școlară",
        "Ștefan Țurcanu",
        "2000000000004",
        "Clasa întâi",
        "1\u{a0}000.00 MDL",
        "1\u{a0}500.50",
        "str. Ismail 1",
        "Telefon",
        "Active",
        "Primăria Exemplu",
        "MD24AG000225100013104168",
        "name=\"amount\"",
        "Acesta nu este MPay",
    ] {
        assert!(text.contains(shown), "{shown} is missing: {text}");
    }

    // A required property is left empty, then an amount is too high: nothing is confirmed.
    let mut form = visit.to_vec();
    form.extend([("amount", "600"), ("outcome", "pay")]);
    let page = offline.post("/service/confirm", &form);
    assert_eq!(page.status, 422);
    assert!(
        page.text().contains("value=\"600\""),
        "what was typed is lost"
    );
    form.extend([("property-0", "+373 22 000000"), ("instrument", "instant")]);
    let too_much: Vec<_> = form
        .iter()
        .map(|&(name, value)| match name {
            "amount" => (name, "1500.51"),
            _ => (name, value),
        })
        .collect();
    assert_eq!(offline.post("/service/confirm", &too_much).status, 422);
    assert_eq!(provider.order("1")["amount_paid"], "0.00");

    let page = offline.post("/service/confirm", &form);
    assert_eq!(page.status, 303);
    let path = page.header("location").to_owned();
    let text = offline.settled(&path);
    assert!(text.contains("Plată confirmată"), "{text}");
    assert!(
        text.contains("href=\"https://institution.example/thanks?order=1&amp;x=2\""),
        "{text}"
    );
    assert!(text.contains("Plată instant MIA"), "{text}");

    let order = provider.order("1");
    assert_eq!(order["status"], "PartiallyPaid");
    assert_eq!(order["amount_paid"], "600.00");
    let payment = &provider.ledger()[0];
    assert_eq!(
        payment["properties"],
        json!([{"name": "Telefon", "value": "+373 22 000000"}])
    );
    assert_eq!(payment["invoice_id"].as_str().unwrap().len(), 14);
    assert!(path.ends_with(payment["payment_id"].as_str().unwrap()));
    // The remaining amount is shown next time.
    assert!(
        offline
            .post("/service/pay", &visit)
            .text()
            .contains("900.50")
    );
}

#[test]
fn a_failed_payment_sends_nothing_to_the_provider() {
    let provider = Provider::start();
    provider.register("1", flexible());
    let offline = Offline::start(&provider);
    // A required field is not filled in, which does not matter here.
    let form = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("outcome", "fail"),
        ("ReturnUrl", "http://a.example/"),
    ];
    let page = offline.post("/service/confirm", &form);
    let text = offline.get(page.header("location")).text();
    assert!(text.contains("Plata nu a reușit"), "{text}");
    for action in ["confirm", "mischief"] {
        let path = format!("{}/{action}", page.header("location"));
        offline.post(&path, &[("mischief", "repeat")]);
    }
    assert!(text.contains("href=\"http://a.example/\""), "{text}");
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
    assert!(
        offline
            .exchanges()
            .iter()
            .all(|exchange| exchange["operation"] == "GetOrderDetails")
    );
}

#[test]
fn the_latest_answer_of_the_provider_decides_what_is_paid() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let form = [
        ("ServiceID", SERVICE),
        ("OrderKey", "1"),
        ("outcome", "pay"),
        ("amount", "10.00"),
    ];
    assert_eq!(
        offline.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        200
    );
    provider.register("1", order("12.00"));
    assert_eq!(offline.post("/service/confirm", &form).status, 422);
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
}

#[test]
fn a_confirmation_is_repeated_until_the_provider_takes_it_or_the_payer_stops() {
    let broken = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&broken);
    let observer: Observer = Arc::new(move |call| {
        if call.operation.writes() && failing.load(Ordering::SeqCst) {
            Fault::Refuse
        } else {
            Fault::None
        }
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    broken.store(true, Ordering::SeqCst);
    let path = offline.pay("1", &[]);
    while !confirmations(&offline, "1").contains("InternalError InternalError") {
        let page = offline.get(&path).text();
        assert!(page.contains("http-equiv=\"refresh\""), "{page}");
    }
    offline.post(&format!("{path}/stop"), &[]);
    let page = offline.settled(&path);
    assert!(page.contains("Plata nu este confirmată"), "{page}");

    broken.store(false, Ordering::SeqCst);
    offline.post(&format!("{path}/confirm"), &[]);
    let page = offline.settled(&path);
    assert!(page.contains("Plată confirmată"), "{page}");
    let answers = confirmations(&offline, "1");
    assert_eq!(answers.matches("success").count(), 1, "{answers}");
    assert!(answers.ends_with("success"), "{answers}");
    assert_eq!(provider.order("1")["status"], "Paid");
    assert_eq!(provider.ledger().len(), 1);
}

/// Every mischief on a fresh order of 10.00: the verdict, the answers to the confirmations, the order's
/// status and its paid amount.
#[test]
fn every_mischief_is_answered_right_by_the_component() {
    let provider = Provider::start();
    let offline = Offline::start(&provider);
    let refused = ("AuthenticationFailed", "Active", "0.00");
    for (mischief, answers, status, paid) in [
        ("repeat", "success success", "Paid", "10.00"),
        ("drop-answer", "success success", "Paid", "10.00"),
        ("other-amount", "success InvalidParameter", "Paid", "10.00"),
        ("late", "success", "Paid", "10.00"),
        ("stale", refused.0, refused.1, refused.2),
        ("wrong-key", refused.0, refused.1, refused.2),
        ("tampered", refused.0, refused.1, refused.2),
        ("sha256", "success", "Paid", "10.00"),
        ("wcf", "success", "Paid", "10.00"),
        ("wss4j", "success", "Paid", "10.00"),
        ("dot-net", "success", "Paid", "10.00"),
    ] {
        provider.register(mischief, order("10.00"));
        let path = offline.pay(mischief, &[("mischief", mischief), ("lang", "en")]);
        let page = offline.get(&format!("{path}?lang=en")).text();
        assert!(
            page.contains(&format!("data-mischief=\"{mischief}\"")),
            "{page}"
        );
        assert!(!page.contains(">wrong<"), "{mischief}: {page}");
        assert_eq!(confirmations(&offline, mischief), answers, "{mischief}");
        let order = provider.order(mischief);
        assert_eq!(order["status"], status, "{mischief}: {order}");
        assert_eq!(order["amount_paid"], paid, "{mischief}: {order}");
        assert_eq!(
            order["payments"].as_array().unwrap().len(),
            usize::from(paid != "0.00"),
            "{order}"
        );
        // A refused payment is confirmed properly afterwards, once.
        offline.post(&format!("{path}/confirm"), &[]);
        offline.settled(&path);
        assert_eq!(
            provider.order(mischief)["amount_paid"],
            "10.00",
            "{mischief}"
        );
    }
}

#[test]
fn two_confirmations_at_once_are_one_payment() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[("mischief", "twice")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(!page.contains(">wrong<"), "{page}");
    let answers = confirmations(&offline, "1");
    assert!(
        answers.contains("success") && answers.ends_with("success"),
        "{answers}"
    );
    assert_eq!(answers.split(' ').count(), 3, "{answers}");
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_payment_for_an_order_that_has_expired_is_taken_and_flagged() {
    let provider = Provider::start();
    let mut expired = order("10.00");
    expired["due_date"] = json!("2020-01-01");
    provider.register("1", expired);
    let offline = Offline::start(&provider);
    let page = offline
        .get("/service/pay?ServiceID=TAX&OrderKey=1&lang=en")
        .text();
    assert!(page.contains("cannot be paid in this state"), "{page}");
    assert!(page.contains("value=\"after-expiry\" selected"), "{page}");
    let path = offline.pay("1", &[("mischief", "after-expiry")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(
        page.contains(">right<") && !page.contains(">wrong<"),
        "{page}"
    );
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["payments"][0]["review"], json!(["late"]));
}

#[test]
fn for_an_order_that_has_not_expired_there_is_no_expiry_to_rehearse() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[("mischief", "after-expiry")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(page.contains("The order has not expired"), "{page}");
    assert!(!page.contains(">right<"), "{page}");
    assert_eq!(confirmations(&offline, "1"), "");
    assert_eq!(provider.order("1")["amount_paid"], "0.00");
}

#[test]
fn the_page_after_a_payment_has_the_answer_of_the_provider_already() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert!(page.contains("Payment confirmed"), "{page}");
}

#[test]
fn every_mischief_can_be_played_on_a_payment_that_is_confirmed() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    offline.settled(&path);
    for mischief in [
        "repeat",
        "twice",
        "drop-answer",
        "other-amount",
        "late",
        "after-expiry",
        "stale",
        "wrong-key",
        "tampered",
        "sha256",
        "wcf",
        "wss4j",
        "dot-net",
    ] {
        let page = offline.post(&format!("{path}/mischief"), &[("mischief", mischief)]);
        assert_eq!(page.status, 303);
    }
    let page = offline.get(&format!("{path}?lang=en")).text();
    assert_eq!(page.matches("data-mischief=").count(), 13);
    assert!(!page.contains(">wrong<"), "{page}");
    assert_eq!(provider.order("1")["amount_paid"], "10.00");
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn a_provider_that_does_wrong_is_told_so() {
    // It takes no SHA-1, so it refuses WCF's messages of today.
    let sha256 = |options: &mut Options| {
        options.algorithms = Algorithms::SHA256;
        options.mischief = Some(Mischief::Wcf);
    };
    let strict = Provider::start_with(&[("accept_sha1", "false")], None);
    strict.register("1", order("10.00"));
    let offline = Offline::start_with(&strict.url, sha256);
    let page = offline.get("/service/pay?ServiceID=TAX&OrderKey=1").text();
    assert!(page.contains("value=\"wcf\" selected"), "{page}");
    let path = offline.pay("1", &[("mischief", "wcf")]);
    let page = offline.get(&format!("{path}?lang=en")).text();
    // The answer, the amount due after it, and the whole.
    assert_eq!(page.matches(">wrong<").count(), 3, "{page}");
    assert!(page.contains("The payment is not confirmed"), "{page}");
    assert_eq!(strict.order("1")["amount_paid"], "0.00");
}

#[test]
fn the_journal_keeps_both_messages_and_why_an_answer_is_not_believed() {
    let provider = Provider::start();
    provider.register("1", order("10.00"));
    let offline = Offline::start(&provider);
    let path = offline.pay("1", &[]);
    offline.settled(&path);
    let exchanges = offline.exchanges();
    let confirmation = exchanges.last().unwrap();
    assert_eq!(confirmation["operation"], "ConfirmOrderPayment");
    assert_eq!(confirmation["verified"], true);
    assert_eq!(confirmation["answer"]["status"], 200);
    assert!(confirmation["signing_ms"].as_f64().is_some());
    let number = confirmation["number"].as_u64().unwrap();
    let request = offline.get(&format!("/journal/{number}/request.xml"));
    assert_eq!(request.text(), confirmation["request"].as_str().unwrap());
    assert!(
        request
            .header("content-disposition")
            .starts_with("attachment")
    );
    let answer = offline.get(&format!("/journal/{number}/answer.xml"));
    assert_eq!(
        answer.text(),
        confirmation["answer"]["body"].as_str().unwrap()
    );
    // The evidence that the provider keeps equals the request and the answer in the journal.
    let id = confirmation["payment_id"].as_str().unwrap();
    let kept = provider.api("GET", &format!("payments/{id}/evidence?format=xml"), None);
    assert_eq!(kept.body.as_str().unwrap(), request.text());
    let page = offline.get(&format!("/journal/{number}?lang=en")).text();
    assert!(
        page.contains("&lt;TotalAmount&gt;10.00&lt;/TotalAmount&gt;"),
        "{page}"
    );
    assert!(page.contains(">verified<"), "{page}");

    // Another certificate is expected: the answer is shown, and not believed.
    let other = Offline::start_with(&provider.url, |options| {
        options.provider_certificate = STRANGER.to_owned();
    });
    assert_eq!(
        other.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        502
    );
    let exchange = &other.exchanges()[0];
    assert_eq!(exchange["verified"], false);
    assert_eq!(exchange["outcome"]["kind"], "unusable");
    let page = other.get("/journal?lang=en").text();
    assert!(page.contains(">not verified<"), "{page}");

    // Nobody is there.
    let nobody = Offline::start_with("http://127.0.0.1:1/", |_| {});
    assert_eq!(
        nobody.get("/service/pay?ServiceID=TAX&OrderKey=1").status,
        502
    );
    assert_eq!(nobody.exchanges()[0]["outcome"]["kind"], "unreachable");
    assert_eq!(nobody.exchanges()[0]["answer"], Value::Null);
}
