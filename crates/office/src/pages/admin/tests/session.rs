//! Tests of signing in, the length of sessions, and roles.

use super::*;

#[tokio::test(start_paused = true)]
async fn only_people_with_a_token_are_let_in() {
    let office = Office::new();
    for address in [
        "/admin",
        "/admin/",
        "/admin/orders",
        "/admin/orders/TAX/1",
        "/admin/x",
    ] {
        let page = office.ask("GET", address, &[], &[]).await;
        let next = match address {
            "/admin" => String::new(),
            _ => format!("?next={}", utf8_percent_encode(address, NON_ALPHANUMERIC)),
        };
        let sign_in = format!("/admin/sign-in{next}");
        assert_eq!(
            (page.status, page.header("location")),
            (303, sign_in.as_str()),
            "{address}"
        );
        let page = office.ask("POST", address, &[], &[]).await;
        let location = page.header("location");
        assert_eq!(
            (page.status, location),
            (303, "/admin/sign-in"),
            "{address}"
        );
    }
    assert_eq!(
        office.ask("GET", "/administrator", &[], &[]).await.status,
        404
    );
    office.memory.take_calls();
    for (token, said) in [
        ("", "Codul nu este corect"),
        (
            "wrong-wrong-wrong-wrong-wrong-wrong-wrong",
            "Codul nu este corect",
        ),
        (&token(Role::Program), "codul unui program"),
    ] {
        let page = office
            .ask("POST", "/admin/sign-in", &[], &[("token", token)])
            .await;
        assert_eq!((page.status, page.header("set-cookie")), (401, ""));
        assert!(page.text.contains(said), "{}", page.text);
    }
    // A guessed token causes no read of the books.
    assert_eq!(office.memory.take_calls(), [""; 0]);
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Program) {
        let browser = office.sign_in(role).await;
        let page = browser.get("/admin").await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains(role.name()), "{}", page.text);
    }
}

#[tokio::test(start_paused = true)]
async fn who_signs_in_comes_to_the_page_that_was_asked_for_and_to_no_other_site() {
    let office = Office::new();
    let asked = "/admin/orders?review=open&lang=en";
    let page = office.ask("GET", asked, &[], &[]).await;
    let sign_in = page.header("location").to_owned();
    let page = office.ask("GET", &sign_in, &[], &[]).await;
    assert!(page.text.contains("Sign in"), "{}", page.text);
    let back = page.field("back");
    let clerk = token(Role::Clerk);
    for (back, led_to) in [
        (back.as_str(), "/admin/orders?review=open&lang=ro"),
        ("https://evil.example/", "/admin?lang=ro"),
        ("//evil.example/admin", "/admin?lang=ro"),
        ("/admin.evil.example", "/admin?lang=ro"),
        ("/\\evil.example", "/admin?lang=ro"),
        ("/admin\r\nSet-Cookie: a=b", "/admin?lang=ro"),
        ("/admin/ș", "/admin?lang=ro"),
        ("javascript:alert(1)", "/admin?lang=ro"),
    ] {
        let form = [("token", "wrong"), ("back", back)];
        let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(page.status, 401);
        assert!(!page.text.contains("evil"), "{back}: {}", page.text);
        let form = [("token", clerk.as_str()), ("back", back)];
        let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
        assert_eq!(
            (page.status, page.header("location")),
            (303, led_to),
            "{back}"
        );
        let names: Vec<_> = page
            .headers
            .keys()
            .filter(|name| *name == "set-cookie")
            .collect();
        assert_eq!(names.len(), 1, "{back}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_cookie_is_of_this_host_alone_and_no_script_reads_it() {
    let office = Office::new();
    let form = [("token", token(Role::Clerk))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let page = office.ask("POST", "/admin/sign-in", &[], &form).await;
    let set = page.header("set-cookie");
    assert!(set.starts_with("__Host-mpay-office="), "{set}");
    for attribute in ["Path=/;", "HttpOnly;", "SameSite=Strict;", "Secure"] {
        assert!(set.contains(attribute), "{set}");
    }
    assert!(!set.contains(&token(Role::Clerk)), "{set}");
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_by_itself_and_with_its_principal() {
    let office = Office::new();
    let mut browser = office.sign_in(Role::Clerk).await;
    // Each page extends the session.
    for minute in 0..16 {
        tokio::time::sleep(Duration::from_secs(29 * 60)).await;
        let page = browser.get("/admin").await;
        assert_eq!(page.status, 200, "{minute}");
        browser.cookie = cookie(&page);
    }
    tokio::time::sleep(Duration::from_secs(29 * 60)).await;
    assert_eq!(
        browser.get("/admin").await.status,
        303,
        "eight hours are over"
    );
    let browser = office.sign_in(Role::Clerk).await;
    tokio::time::sleep(Duration::from_secs(31 * 60)).await;
    assert_eq!(browser.get("/admin").await.status, 303);

    let browser = office.sign_in(Role::Clerk).await;
    let other = Office::without(&[Role::Clerk]);
    let there = Browser {
        office: &other,
        cookie: browser.cookie.clone(),
    };
    assert_eq!(there.get("/admin").await.status, 303);
    let forged = browser.cookie.replace(['A', 'B'], "C");
    let forged = Browser {
        office: &office,
        cookie: forged,
    };
    assert_eq!(forged.get("/admin").await.status, 303);
    let page = browser.send("/admin/sign-out?lang=ru", &[]).await;
    assert_eq!(page.status, 303);
    // A reader of Russian stays in Russian.
    assert_eq!(page.header("location"), "/admin/sign-in?lang=ru");
    assert!(page.header("set-cookie").contains("Max-Age=0"));
    // A copied cookie, and the session on another device, are useless after it. Other people's sessions
    // continue.
    assert_eq!(browser.get("/admin").await.status, 303);
    assert_eq!(browser.post("/admin/orders/new", &[]).await.status, 303);
    let again = office.sign_in(Role::Clerk).await;
    assert_eq!(again.get("/admin").await.status, 200);
    let device = office.sign_in(Role::Clerk).await;
    let manager = office.sign_in(Role::Manager).await;
    again.send("/admin/sign-out", &[]).await;
    assert_eq!(device.get("/admin").await.status, 303);
    assert_eq!(manager.get("/admin").await.status, 200);
    // If the store cannot be read, nobody is let in.
    let clerk = office.sign_in(Role::Clerk).await;
    let faults = (0..8).map(|_| Fault::Fail);
    office.memory.script(faults);
    assert_eq!(clerk.get("/admin").await.status, 503);
    office.memory.script([]);
    assert_eq!(clerk.get("/admin").await.status, 200);
    // A token whose role became `program` no longer signs a person in.
    let pages = office.app.config.as_ref().unwrap().pages.as_ref().unwrap();
    let session = Session::begin(
        &token(Role::Program),
        Ledger::new(office.memory.clone()).now(),
    );
    let cookie = session.cookie(pages).unwrap();
    let program = Browser {
        office: &office,
        cookie: cookie
            .to_str()
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned(),
    };
    assert_eq!(program.get("/admin").await.status, 303);
}

#[tokio::test(start_paused = true)]
async fn forms_of_others_are_refused() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    let browser = office.sign_in(Role::Clerk).await;
    let address = "/admin/orders/TAX/1";
    let theirs = office
        .sign_in(Role::Manager)
        .await
        .get(address)
        .await
        .field("form");
    let own = browser.get(address).await.field("form");
    for form in ["", "x", &theirs] {
        let page = browser
            .post(address, &[("form", form), ("set", "Cancelled")])
            .await;
        assert_eq!(page.status, 403, "{form}");
    }
    let etag = browser.get(address).await.field("etag");
    let form = [
        ("form", own.as_str()),
        ("set", "Cancelled"),
        ("etag", etag.as_str()),
    ];
    for site in ["cross-site", "same-site"] {
        let headers = [
            ("cookie", browser.cookie.as_str()),
            ("sec-fetch-site", site),
        ];
        assert_eq!(
            office.ask("POST", address, &headers, &form).await.status,
            403,
            "{site}"
        );
    }
    assert!(browser.get(address).await.text.contains("De achitat"));
    assert_eq!(browser.post(address, &form).await.status, 303);
    assert!(browser.get(address).await.text.contains("Anulată"));
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS"] {
        let headers = [("cookie", browser.cookie.as_str())];
        let page = office.ask(method, address, &headers, &[]).await;
        assert_eq!(
            (page.status, page.header("allow")),
            (405, "GET, HEAD, POST")
        );
    }
    // A browser that comes from another site without the cookie is asked to come again, and then sends it.
    let headers = [("sec-fetch-site", "cross-site")];
    let page = office.ask("GET", address, &headers, &[]).await;
    assert!(
        page.text.contains(&format!("content=\"0; url={address}\"")),
        "{}",
        page.text
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_role_may_not_do_is_neither_offered_nor_done() {
    let office = Office::new();
    register(&office.memory, "1", "10").await.unwrap();
    record(&office.memory, "P", "1", "10").await.unwrap();
    let address = "/admin/orders/TAX/1";
    for (role, may_complete, may_refund) in [
        (Role::Read, false, false),
        (Role::Accountant, false, false),
        (Role::Clerk, true, false),
        (Role::Manager, true, true),
    ] {
        let browser = office.sign_in(role).await;
        let page = browser.get(address).await;
        let offers = |set: &str| page.text.contains(&format!("name=\"set\" value=\"{set}\""));
        assert_eq!(
            (offers("Completed"), offers("Refunding")),
            (may_complete, may_refund)
        );
        let etag = browser.get(address).await;
        let etag = match may_complete {
            true => etag.field("etag"),
            false => "\"1\"".to_owned(),
        };
        let form = [("set", "Refunding"), ("etag", etag.as_str())];
        let page = browser.send(address, &form).await;
        assert_eq!(
            page.status,
            if may_refund { 303 } else { 403 },
            "{role:?}: {}",
            page.text
        );
    }
}
