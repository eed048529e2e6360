//! The gateway over HTTP: as a program of the merchant calls it, and as a browser shows it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc,
    time::Duration,
};

use mpay_gateway::{Mischief, Options, Plan, Running, State, start};

struct Played {
    runtime: tokio::runtime::Runtime,
    running: Running,
    agent: ureq::Agent,
}

impl Played {
    fn start(options: Options) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let running = runtime.block_on(start(options)).unwrap();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        Self {
            runtime,
            running,
            agent,
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.running.url());
        let mut response = self.agent.get(url).call().unwrap();
        let body = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), body)
    }

    /// Posts a form. Gives the status, and the address it leads to or the body.
    fn post(&self, path: &str, form: &str) -> Result<(u16, String), ureq::Error> {
        let url = format!("{}{path}", self.running.url());
        let request = self
            .agent
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded");
        let mut response = request.send(form)?;
        let location = response.headers().get("Location");
        let text = match location {
            Some(location) => location.to_str().unwrap().to_owned(),
            None => response.body_mut().read_to_string()?,
        };
        Ok((response.status().as_u16(), text))
    }

    /// Opens a session for 19.99 and gives its id.
    fn init(&self, order_id: &str) -> String {
        let form = format!(
            "Key=Merchant&Data=SessionType%3DPay%3BOrderId%3D{order_id}%3BAmount%3D1999%3B\
             Url%3Dhttps%3A%2F%2Fa.md%2F%7Borderid%7D%2F%7Bsuccess%7D%3BLanguage%3DRO%3BProduct%3DBilete"
        );
        let (status, answer) = self.post("/apim/Init", &form).unwrap();
        assert_eq!(status, 200);
        let (_, session) = answer.split_once("SessionId=\"").unwrap();
        session.split_once('"').unwrap().0.to_owned()
    }

    fn type_card(&self, session: &str, number: &str, more: &str) -> String {
        let form = format!(
            "SessionId={session}&number={number}&month=12&year=2099&code=123&holder=A{more}"
        );
        let (status, location) = self.post("/apim/Card", &form).unwrap();
        assert_eq!(status, 303, "{location}");
        location
    }
}

#[test]
fn a_payer_types_a_card_and_goes_back() {
    let played = Played::start(Options::default());
    let session = played.init("card01");
    let (status, page) = played.get(&format!("/apim/Pay?SessionId={session}"));
    assert_eq!(status, 200);
    assert!(
        page.contains("<html lang=\"ro\">") && page.contains("19.99"),
        "{page}"
    );
    assert!(page.contains("Bilete"));
    assert_eq!(played.running.order("card01").unwrap().state, State::New);
    let location = played.type_card(&session, "4111+1111+1111+1111", "");
    assert_eq!(location, format!("/apim/Secure?SessionId={session}"));
    assert!(played.get(&location).1.contains("3-D Secure"));
    let form = format!("SessionId={session}&confirm=1");
    let (_, location) = played.post("/apim/Secure", &form).unwrap();
    let (_, page) = played.get(&location);
    assert!(
        page.contains("content=\"3;url=https://a.md/card01/True\""),
        "{page}"
    );
    let order = played.running.order("card01").unwrap();
    assert_eq!((order.state, order.taken), (State::Charged, 1999));
    // Nobody pays in it again.
    let (_, page) = played.get(&format!("/apim/Pay?SessionId={session}"));
    assert!(page.contains("Sesiunea s-a încheiat"));
}

#[test]
fn a_card_that_fails_can_be_changed_for_another() {
    let played = Played::start(Options::default());
    let session = played.init("card01");
    let location = played.type_card(&session, "4111111111100072", "");
    let (_, shown) = played.get(&location.replace("Result", "Pay"));
    assert!(shown.contains("ISSUER_BLOCKED_CARD"), "{shown}");
    assert!(shown.contains("href=\"https://a.md/card01/False\""));
    let (status, page) = played
        .post(
            "/apim/Card",
            &format!("SessionId={session}&number=5555555555554444&month=1&year=99&code=123"),
        )
        .unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("doar cardurile de probă"), "{page}");
    let journal = played.get("/journal.json").1;
    assert!(!journal.contains("5555555555554444") && !page.contains("5555555555554444"));
    played.type_card(&session, "4111111111100031", "");
    assert_eq!(played.running.order("card01").unwrap().taken, 1999);
}

#[test]
fn what_a_payer_chooses_goes_wrong() {
    let played = Played::start(Options::default());
    let session = played.init("card01");
    played.type_card(
        &session,
        "4111111111100031",
        "&mischief=done-answer-lost&command=Refund",
    );
    let ask = || played.post("/apim/GetState", "Key=Merchant&OrderId=card01");
    assert!(ask().unwrap().1.contains("Amount=\"1999\""));
    let refund = "Key=Merchant&Password=123&OrderId=card01&Amount=999";
    assert!(
        played.post("/apim/Refund", refund).is_err(),
        "an answer came"
    );
    assert!(ask().unwrap().1.contains("Amount=\"1000\""));
    assert_eq!(played.running.order("card01").unwrap().refunds, [999]);
}

#[test]
fn a_complaint_stands_in_the_journal_and_no_password_does() {
    let played = Played::start(Options::default());
    let (status, answer) = played
        .post("/apim/Charge", "Key=Merchant&Password=123&orderid=card01")
        .unwrap();
    assert_eq!((status, answer.contains("WRONG_PARAMS")), (200, true));
    let (status, _) = played.get("/apim/Charge?Key=Merchant&Password=hunter2&OrderId=card01");
    assert_eq!(status, 405);
    let chunked = ureq::SendBody::from_owned_reader(&b"Key=Merchant&OrderId=card01"[..]);
    let url = format!("{}/apim/GetState", played.running.url());
    let answer = played.agent.post(url).send(chunked).unwrap();
    assert_eq!(answer.status(), 411);
    let wrong = "Key=Merchant&Password=hunter2&OrderId=card01";
    assert!(
        played
            .post("/apim/Charge", wrong)
            .unwrap()
            .1
            .contains("ACCESS_DENIED")
    );
    for page in ["/journal?lang=en", "/journal.json"] {
        let journal = played.get(page).1;
        assert!(journal.contains("orderid is another name"), "{journal}");
        assert!(journal.contains("GET would log passwords"));
        assert!(journal.contains("Content-Length is missing"));
        assert!(journal.contains("Password is wrong"));
        assert!(!journal.contains("hunter2") && !journal.contains("=123"));
    }
}

#[test]
fn the_cabinet_changes_payments() {
    let played = Played::start(Options::default());
    let session = played.init("card01");
    played.type_card(&session, "4111111111100031", "");
    let (_, list) = played.get("/cabinet?lang=en");
    assert!(list.contains("/cabinet/card01"));
    let (status, _) = played
        .post("/cabinet/card01/refund", "amount=9%2C99")
        .unwrap();
    assert_eq!(status, 303);
    let order = played.running.order("card01").unwrap();
    assert_eq!((order.given_back, order.remaining()), (999, 1000));
    let (_, page) = played
        .post("/cabinet/card01/refund?lang=en", "amount=10.01")
        .unwrap();
    assert!(page.contains("AMOUNT_ERROR"), "{page}");
    played.post("/cabinet/card01/chargeback", "").unwrap();
    assert_eq!(
        played.running.order("card01").unwrap().state,
        State::Chargeback
    );
}

#[test]
fn a_customer_saves_a_card_and_proves_that_it_is_theirs() {
    let played = Played::start(Options::default());
    let post = |command: &str, data: &str| {
        let who = "VWID=Merchant&DATA=VWUserLgn%3Dana%3BVWUserPsw%3Dx";
        let form = format!("{who}{}", data.replace(';', "%3B").replace('=', "%3D"));
        played.post(&format!("/vwapi/{command}"), &form).unwrap().1
    };
    let value = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let answer = post("Init", ";SessionType=Add;Url=https://a.md/");
    let session = value(&answer, "SessionId");
    let (_, page) = played.get(&format!("/vwapi/Add?SessionId={session}&lang=en"));
    assert!(
        page.contains("Saving a card") && !page.contains("To pay"),
        "{page}"
    );
    let form = format!("SessionId={session}&number=4111111111100031&month=12&year=99&code=123");
    let (_, location) = played.post("/vwapi/Card", &form).unwrap();
    let (_, page) = played.get(&format!("{location}&lang=en"));
    let (_, proof) = page.split_once("show the amount <strong>").unwrap();
    let proof: String = proof.chars().take(4).filter(|&c| c != '.').collect();
    let list = post("GetList", "");
    assert!(list.contains("Status=\"NotActive\""), "{list}");
    let card = value(&list, "CardId");
    let pay = |id: &str| post("Pay", &format!(";CardId={card};OrderId={id};Amount=500"));
    assert!(pay("card01").contains("WRONG_CARD"));
    let activated = post("Activate", &format!(";CardId={card};Amount={proof}"));
    assert!(activated.contains("Success=\"True\""), "{activated}");
    assert!(pay("card02").contains("Success=\"True\""));
    assert_eq!(played.running.order("card02").unwrap().taken, 500);
}

#[test]
fn only_what_a_payer_sees_may_stand_in_a_frame() {
    let played = Played::start(Options::default());
    let session = played.init("card01");
    let framed = |path: &str| {
        let url = format!("{}{path}", played.running.url());
        let response = played.agent.get(url).call().unwrap();
        let policy = response.headers()["Content-Security-Policy"]
            .to_str()
            .unwrap();
        !policy.contains("frame-ancestors") && response.headers().get("X-Frame-Options").is_none()
    };
    assert!(framed(&format!("/apim/Pay?SessionId={session}")));
    for path in ["/", "/cabinet", "/cabinet/card01", "/journal"] {
        assert!(!framed(path), "{path}");
    }
}

/// Takes one form that is posted, and answers 200.
fn posted(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.get_mut().write_all(answer).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn notifications_are_posted_in_their_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let notify = format!(
        "http://{}/cards/notifications",
        listener.local_addr().unwrap()
    );
    let (send, received) = mpsc::channel();
    std::thread::spawn(move || {
        loop {
            if send.send(posted(&listener)).is_err() {
                return;
            }
        }
    });
    let played = Played::start(Options {
        notify: Some(notify),
        ..Options::default()
    });
    played.running.plan(Plan::new(Mischief::NotificationForged));
    let session = played.init("card01");
    played.type_card(&session, "4111111111100031", "");
    let next = || received.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(next().contains("Notification=EnginePaySuccess"), "forged");
    assert!(next().starts_with(
        "Notification=EnginePaySuccess&OrderId=card01&Success=True&Amount=1999&TransactionDate="
    ));
    played.running.refund_in_cabinet("card01", None).unwrap();
    assert!(
        next().contains("Notification=EngineRefundSuccess&OrderId=card01&Success=True&NewAmount=0")
    );
    let Played {
        runtime, running, ..
    } = played;
    runtime.block_on(running.stop()).unwrap();
}
