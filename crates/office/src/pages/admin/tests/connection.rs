//! Tests of the page Connection: the deployment's state, and MPay's calls.

use mpay_ledger::Platform as _;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_connection_says_what_is_well_and_who_is_told() {
    let office = Office::new();
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection").await;
    for said in [env!("CARGO_PKG_VERSION"), "Totul este în regulă", "Nimeni."] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    let told = Office::with(&[
        (
            "webhooks",
            "erp https://erp.example.md/secret-path whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw orders",
        ),
        ("webhook_origin", "https://erp.example.md"),
        ("page_color", "nonsense"),
    ]);
    let reader = told.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection").await;
    for said in [
        "erp.example.md",
        "primește",
        "page_color",
        "trebuie îndreptat",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert!(!page.text.contains("secret-path") && !page.text.contains("MfKQ"));
}

#[tokio::test(start_paused = true)]
async fn what_mpay_did_is_shown_and_what_was_refused_until_it_is_settled() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P-LAST", "1", "10").await.unwrap();
    // The message names no order and no payment.
    let evidence = Evidence::new(&secret(), b"<message/>", "m", b"c", "InvalidParameter");
    let refusal: RefusalJson = serde_json::from_value(serde_json::json!({
        "code": "InvalidParameter", "reason": "Lines do not add <up>.",
        "received_at": "2026-06-01T12:00:00+03:00", "evidence": evidence.id(),
        "signer": {"subject": "CN=MPay", "fingerprint": "00", "algorithm": "rsa-sha1"}
    }))
    .unwrap();
    let store = Ledger::new(office.memory.clone());
    let kept = store.refusals().keep(&refusal, &evidence, None).await;
    assert!(kept.unwrap());
    let browser = office.sign_in(Role::Accountant).await;
    let said = "Lines do not add &lt;up&gt;.";
    let today = browser.get("/admin?lang=en").await;
    let (means, remedy) = (
        "The confirmation contradicts itself, or what is recorded",
        "If the money has come, enter the payment by hand.",
    );
    for text in [said, "Refused confirmations: 1", means, remedy] {
        assert!(today.text.contains(text), "{text}: {}", today.text);
    }
    let connection = browser.get("/admin/connection?lang=en").await;
    for text in [
        said,
        means,
        remedy,
        "P-LAST",
        "10.00",
        "To send to MPay",
        "SCHOOL, TAX",
        "mpay doctor . https://pay.example.md/",
        "https://pay.example.md/?wsdl",
        "-----BEGIN CERTIFICATE-----",
    ] {
        assert!(
            connection.text.contains(text),
            "{text}: {}",
            connection.text
        );
    }
    assert!(!connection.text.contains("PRIVATE KEY"));
    let list = browser.get("/admin/refusals").await;
    assert!(list.text.contains(said), "{}", list.text);
    for text in ["Confirmarea se contrazice", "introduceți plata manual"] {
        assert!(list.text.contains(text), "{text}: {}", list.text);
    }
    let (_, index) = list.text.split_once("/admin/refusals/").unwrap();
    let index = index.split('/').next().unwrap();
    let close = format!("/admin/refusals/{index}/reviews/refused");
    let closed = browser.send(&close, &[("note", "Anulată de MPay")]).await;
    assert_eq!(closed.status, 303, "{}", closed.text);
    for (path, is_there) in [
        ("/admin", false),
        ("/admin/refusals", false),
        ("/admin/refusals?cursor=0", true),
        ("/admin/connection", true),
    ] {
        let page = browser.get(path).await;
        assert_eq!(
            (page.status, page.text.contains(said)),
            (200, is_there),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_connection_says_when_timers_called() {
    let office = Office::new();
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection?lang=en").await;
    let title = "What runs by itself";
    assert!(
        !page.text.contains(title),
        "nothing is to run: {}",
        page.text
    );
    let office = office_that_tells(&[]);
    let says = async |words: &[&str], not: &[&str]| {
        let reader = office.sign_in(Role::Read).await;
        let page = reader.get("/admin/connection?lang=en").await;
        let (_, part) = page.text.split_once(title).unwrap();
        let (part, _) = part.split_once("</section>").unwrap();
        for (words, are_there) in [(words, true), (not, false)] {
            for word in words {
                assert_eq!(part.contains(word), are_there, "{word}: {part}");
            }
        }
    };
    let job = "POST /api/outbox/deliver";
    says(
        &[job, "not yet", "every minute"],
        &["last time", "erasures", "card-payments"],
    )
    .await;
    timer(&office).await;
    says(&[job, "runs</span>", "last time: 1 Jun 2026"], &[]).await;
    tokio::time::sleep(Duration::from_secs(1200)).await;
    says(&[job, "does not run", "last time: 1 Jun 2026"], &[]).await;
}

/// An office with a receiver of webhooks, a timer that calls each minute, and these variables.
fn office_that_tells(more: &[(&'static str, &str)]) -> Office {
    let told = [
        (
            "webhooks",
            "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
        ("webhook_origin", "https://erp.example.md"),
    ];
    Office::with(&[&told, more].concat())
}

/// A call of the timer that delivers messages.
async fn timer(office: &Office) {
    let authorization = format!("Bearer {}", token(Role::Program));
    let headers = [("authorization", authorization.as_str())];
    let path = "/api/outbox/deliver";
    let called = office.ask("POST", path, &headers, &[]).await;
    assert_eq!(called.status, 200, "{}", called.text);
}

/// The pages Today and Connection in English. Only Connection shows the system's original lines.
async fn pages(office: &Office) -> (String, String) {
    let reader = office.sign_in(Role::Read).await;
    let today = reader.get("/admin?lang=en").await;
    let connection = reader.get("/admin/connection?lang=en").await;
    assert_eq!((today.status, connection.status), (200, 200));
    (today.text, connection.text)
}

#[tokio::test(start_paused = true)]
async fn what_the_system_finds_is_told_with_what_to_do_and_the_words_of_the_system_below() {
    let office = office_that_tells(&[("page_color", "nonsense"), ("card_gateway", "nonsense")]);
    timer(&office).await;
    // The clock of another host was an hour ahead.
    let ahead = office.memory.now().as_second() + 3600;
    let mark = format!(r#"{{"at":{ahead},"newest":{ahead}}}"#);
    office.memory.overwrite("probe", mark.into_bytes());
    let (today, connection) = pages(&office).await;
    for (title, remedy, detail) in [
        (
            "The variable page_color has a mistake",
            "Until then the pages do without it.",
            "variable page_color: must be",
        ),
        (
            "The variable card_gateway has a mistake",
            "Until then nothing is paid by card.",
            "variable card_gateway: ",
        ),
        ("A clock is wrong", "by NTP", "clock: is 3"),
    ] {
        for page in [&today, &connection] {
            assert!(
                page.contains(title) && page.contains(remedy),
                "{title}: {page}"
            );
        }
        assert!(connection.contains(detail), "{detail}: {connection}");
        assert!(!today.contains(detail), "{detail}: {today}");
    }
    assert!(!connection.contains("All is well"), "{connection}");
    // In other languages only the original lines are English.
    let reader = office.sign_in(Role::Read).await;
    for (language, title) in [
        ("ro", "Variabila page_color are o greșeală"),
        ("ru", "В переменной page_color ошибка"),
    ] {
        let page = reader
            .get(&format!("/admin/connection?lang={language}"))
            .await;
        let (_, rest) = page.text.split_once(title).expect(&page.text);
        assert!(
            rest.contains("<p class=\"hint\" lang=\"en\">variable page_color: "),
            "{rest}"
        );
        let page = reader.get(&format!("/admin?lang={language}")).await;
        assert!(page.text.contains(title), "{}", page.text);
        assert_eq!(in_english(&page), None);
        assert!(!page.text.contains("lang=\"en\">variable"), "{}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_was_right_before_stays_as_it_was_and_that_is_said() {
    let office = Office::new();
    let wrong = Office::with(&[("bank_account", "nonsense")]);
    let refused = wrong.app.config.as_ref().unwrap_err();
    office.app.refused.replace(refused.errors.clone());
    let (today, connection) = pages(&office).await;
    for page in [&today, &connection] {
        assert!(
            page.contains("The variable bank_account has a mistake"),
            "{page}"
        );
        assert!(
            page.contains("Until then all variables are as they were before."),
            "{page}"
        );
    }
    assert!(connection.contains("those before: the new ones have a mistake"));
}

#[tokio::test(start_paused = true)]
async fn certificates_that_end_are_told_with_whom_to_ask_for_new_ones() {
    use mpay_door::Configuration as _;
    let office = Office::new();
    let config = office.app.config.as_ref().unwrap();
    let ends: Vec<_> = config
        .certificates()
        .into_iter()
        .map(|(_, certificate)| certificate.not_after())
        .collect();
    let advance = async |days: i64| {
        let first = ends.iter().min().unwrap();
        let left = first.duration_since(office.memory.now()).as_hours() / 24 + days;
        // A timer cannot be set as far ahead as a certificate is valid, so the days pass one by one.
        for _ in 0..left {
            tokio::time::advance(Duration::from_secs(86_400)).await;
        }
    };
    let (today, _) = pages(&office).await;
    assert!(
        today.contains("Nothing.") && !today.contains("expires soon"),
        "{today}"
    );
    for (days, title) in [(-20, "expires soon"), (2, "has expired")] {
        advance(days).await;
        let (today, connection) = pages(&office).await;
        for page in [&today, &connection] {
            let own = page.contains(&format!(
                "A certificate in the variable service_certificate {title}"
            ));
            let of_mpay = page.contains(&format!(
                "A certificate in the variable mpay_certificates {title}"
            ));
            assert!(own || of_mpay, "{title}: {page}");
            assert_eq!(
                page.contains("asks for a new certificate where this one came from"),
                own || page.contains("service_certificate expires")
            );
            assert_eq!(
                page.contains("asks MPay for its new certificate"),
                of_mpay || page.contains("mpay_certificates expires")
            );
        }
        assert!(
            connection.contains("the certificate with the SHA-256"),
            "{connection}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_readiness_does_not_know_is_told_beside_it() {
    use mpay_ledger::{Ended, Lately};
    let office = office_that_tells(&[("max_silence", "86400")]);
    let (today, _) = pages(&office).await;
    let never = "Not done by itself yet: Sending messages to those who are told";
    assert!(today.contains(never), "{today}");
    timer(&office).await;
    let (today, connection) = pages(&office).await;
    assert!(
        today.contains("Nothing.") && connection.contains("All is well"),
        "{today}"
    );
    // Neither MPay nor the timer has called since.
    tokio::time::sleep(Duration::from_secs(26 * 3600)).await;
    let store = Ledger::new(office.memory.clone());
    let receiver = &office.app.config.as_ref().unwrap().notification.receivers[0];
    let outbox = store.outbox();
    let outbox = outbox.of("erp", receiver.groups);
    let lately = Lately {
        failed_at: Some(store.now()),
        error: Some("HTTP 500".to_owned()),
        ..Lately::default()
    };
    outbox.set_lately(&lately).await.unwrap();
    let (today, connection) = pages(&office).await;
    for page in [&today, &connection] {
        for said in [
            "MPay has not called since 1 Jun 2026",
            "Not done by itself any more: Sending messages",
            "erp does not take its messages",
            "for three days. Whoever runs erp looks why.",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        // Findings that are wrong now come before those to watch.
        let places = ["MPay has not called", "erp does not take"].map(|said| page.find(said));
        assert!(places.is_sorted(), "{page}");
    }
    assert!(connection.contains("lang=\"en\">HTTP 500"), "{connection}");
    assert!(
        connection.contains("It works; somebody should look"),
        "{connection}"
    );
    timer(&office).await;
    outbox
        .set_ended(Some(&Ended { at: store.now() }))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (today, connection) = pages(&office).await;
    for page in [&today, &connection] {
        for (said, is_there) in [
            ("erp wants no messages any more", true),
            ("POST /api/webhooks/erp/resume", true),
            ("erp does not take", false),
            ("Not done by itself", false),
            // The line of the readiness would tell it a second time.
            ("answered 410 and is sent nothing", false),
        ] {
            assert_eq!(page.contains(said), is_there, "{said}: {page}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn books_that_cannot_be_written_are_told_with_what_to_do() {
    let office = Office::with(&[("page_color", "nonsense")]);
    let reader = office.sign_in(Role::Read).await;
    office.memory.take_calls();
    reader.get("/admin/connection?lang=en").await;
    let calls = office.memory.take_calls();
    let before = calls.iter().position(|call| call == "set probe").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut faults = vec![Fault::None; before];
    faults.push(Fault::Fail);
    office.memory.script(faults);
    let page = reader.get("/admin/connection?lang=en").await;
    let title = "The books cannot be used as they should";
    let (before, rest) = page.text.split_once(title).expect(&page.text);
    assert!(rest.contains("MPay repeats what is not."), "{rest}");
    assert!(rest.contains("store: fails; the log says why"), "{rest}");
    assert!(before.contains("It does not work"), "{before}");
}

#[tokio::test(start_paused = true)]
async fn the_part_for_mpay_is_asked_how_it_stands_and_what_it_finds_is_told_once() {
    let office = Office::with(&[("page_color", "nonsense")]);
    let says = |status: u16, body: &str| {
        let body = body.to_owned();
        office.memory.respond_with(move |request| {
            assert_eq!(
                request.uri().to_string(),
                "http://mpay-provider.spin.internal/health"
            );
            Ok((status, body.clone()))
        });
    };
    let (today, connection) = pages(&office).await;
    for page in [&today, &connection] {
        assert!(!page.contains("part for MPay does not"), "{page}");
    }
    let parts = |page: &str| {
        page.matches("It works, but something must be mended")
            .count()
    };
    assert_eq!(
        parts(&connection),
        2,
        "as a whole and the one: {connection}"
    );
    let own = office.ask("GET", "/health/office", &[], &[]).await.text;
    let own: serde_json::Value = serde_json::from_str(&own).unwrap();
    let mut errors = own["errors"].as_array().unwrap().clone();
    errors.push("variable service_key: must be a key".into());
    let of_other = serde_json::json!({
        "status": "misconfigured", "version": "0.0.9", "configuration": "none", "errors": errors
    });
    says(503, &of_other.to_string());
    let (today, connection) = pages(&office).await;
    for page in [&today, &connection] {
        for said in [
            "The variable service_key has a mistake",
            "Until then MPay is not answered",
            "The two parts are of different versions",
            "the part for MPay 0.0.9",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert_eq!(page.matches("The variable page_color").count(), 1, "{page}");
    }
    assert!(connection.contains("Version 0.0.9; Variables: none that can be used"));
    assert_eq!(
        connection.matches("It does not work").count(),
        2,
        "{connection}"
    );
    says(200, "nonsense");
    let silent = "The part for MPay does not answer";
    let (today, connection) = pages(&office).await;
    assert!(
        today.contains(silent) && connection.contains(silent),
        "{today}"
    );
    office.memory.respond_with(|_| Err("it broke off"));
    assert!(pages(&office).await.0.contains(silent));
    // If the host does not allow one component to ask the other, its state is unknown.
    office.memory.respond_with(|_| Err("not sent"));
    let (today, connection) = pages(&office).await;
    assert!(!today.contains(silent), "{today}");
    assert!(
        connection.contains("not asked: this installation"),
        "{connection}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_one_part_says_does_not_hide_what_is_worse_in_the_other() {
    let office = Office::with(&[("service_certificate", "nonsense")]);
    let own = office.ask("GET", "/health/office", &[], &[]).await.text;
    let own: serde_json::Value = serde_json::from_str(&own).unwrap();
    let errors = own["errors"].as_array().unwrap().clone();
    let of_certificate = |error: &&serde_json::Value| {
        let line = error.as_str().unwrap();
        line.starts_with("variable service_certificate: ")
    };
    assert_eq!(errors.iter().filter(of_certificate).count(), 1, "{own}");
    let says = |configuration: &str, errors: &[serde_json::Value]| {
        let health = serde_json::json!({
            "status": "misconfigured", "version": env!("CARGO_PKG_VERSION"),
            "configuration": configuration, "errors": errors
        });
        let health = health.to_string();
        office
            .memory
            .respond_with(move |_| Ok((503, health.clone())));
    };
    // The same mistake in both components: it switches off little of the people's door, and all payments at
    // MPay's door.
    let (title, nobody) = (
        "The variable service_certificate has a mistake",
        "Until then MPay is not answered",
    );
    for (configuration, is_grave) in [("none", true), ("current", false)] {
        says(configuration, &errors);
        let (today, connection) = pages(&office).await;
        for page in [&today, &connection] {
            assert_eq!(page.matches(title).count(), 1, "{page}");
            assert_eq!(page.contains(nobody), is_grave, "{page}");
        }
    }
    // Several mistakes in one variable, none of which the people's door knows.
    let two = [
        "variable services: A is there twice",
        "variable services: B is no name",
    ];
    says("current", &two.map(Into::into));
    let (today, connection) = pages(&office).await;
    for said in two {
        assert!(connection.contains(said), "{connection}");
    }
    let title = "The variable services has a mistake";
    assert_eq!(connection.matches(title).count(), 2, "{connection}");
    // Readers who do not see the original lines see it once.
    assert_eq!(today.matches(title).count(), 1, "{today}");
}
