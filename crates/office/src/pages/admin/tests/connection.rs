//! How the deployment stands, and what MPay did.

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
    // Of a message that says nothing else.
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
    for text in [said, "Refused confirmations: 1"] {
        assert!(today.text.contains(text), "{text}: {}", today.text);
    }
    let connection = browser.get("/admin/connection?lang=en").await;
    for text in [
        said,
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
async fn the_connection_says_when_timers_called_and_what_to_do_where_they_do_not() {
    let office = Office::new();
    let reader = office.sign_in(Role::Read).await;
    let page = reader.get("/admin/connection?lang=en").await;
    let title = "What runs by itself";
    assert!(
        !page.text.contains(title),
        "nothing is to run: {}",
        page.text
    );
    let office = Office::with(&[
        (
            "webhooks",
            "erp https://erp.example.md/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
        ("webhook_origin", "https://erp.example.md"),
    ]);
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
    let (job, remedy) = ("POST /api/outbox/deliver", "sees to the timer");
    says(
        &[job, "not yet", remedy],
        &["last time", "erasures", "card-payments"],
    )
    .await;
    let authorization = format!("Bearer {}", token(Role::Program));
    let headers = [("authorization", authorization.as_str())];
    let called = office
        .ask("POST", "/api/outbox/deliver", &headers, &[])
        .await;
    assert_eq!(called.status, 200, "{}", called.text);
    says(&[job, "runs</span>", "last time: 1 Jun 2026"], &[remedy]).await;
    tokio::time::sleep(Duration::from_secs(1200)).await;
    says(&[job, "does not run", "last time: 1 Jun 2026", remedy], &[]).await;
}
