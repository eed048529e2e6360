//! Secrets that the gateway gave, and customers' passwords, are in no log, answer, event, evidence or
//! file of the store, and in no argument of a process, whatever is done.

use hmac::{Hmac, KeyInit, Mac};
use mpay_gateway::{Mischief, Options, Plan};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{gateway::Both, harness::*};

const PASSWORD: &str = "hunter2-of-the-terminal";
const WALLET_SECRET: &str = "hunter2-of-which-customers-have-their-passwords";
const CUSTOMER: &str = "1001";
const PAYS: &str = "4111111111100031";

/// The password of a customer, made as the documents say.
fn password(customer: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(WALLET_SECRET.as_bytes()).unwrap();
    mac.update(customer.as_bytes());
    let digest = mac.finalize().into_bytes();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits[..50].to_owned()
}

/// Everything that a run has left behind, by what it is.
struct Left(Vec<(String, Vec<u8>)>);

impl Left {
    fn add(&mut self, what: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.0.push((what.into(), text.into()));
    }

    fn where_is(&self, text: &str) -> Vec<&str> {
        let has = |bytes: &[u8]| {
            let mut windows = bytes.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        let found = self.0.iter().filter(|(_, bytes)| has(bytes));
        found.map(|(what, _)| what.as_str()).collect()
    }
}

/// Charges, refunds, failures of each kind and a wrong password, at one interface. Gives what was answered.
fn run(both: &Both, left: &mut Left, capture: &str) {
    let mut note = |what: &str, answer: ApiAnswer| {
        left.add(what, format!("{:?} {}", answer.headers, answer.body));
        answer
    };
    let mut payments = Vec::new();
    for (n, mischief) in [
        None,
        Some(Mischief::DoneAnswerLost),
        Some(Mischief::NotDoneAnswerLost),
        Some(Mischief::NoXml),
        Some(Mischief::ServerError),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("{capture}-{n}");
        both.provider.register(&key, order("19.99"));
        let body = json!({"return_url": "https://shop.example.md/", "capture": capture});
        let path = format!("orders/{SERVICE}/{key}/card-payments");
        let begun = note("beginning", both.post(&path, "begin", &body));
        assert_eq!(begun.status, 201, "{begun:?}");
        let id = begun.body["id"].as_str().unwrap().to_owned();
        both.gateway.pay(&id, PAYS).unwrap();
        if let Some(mischief) = mischief {
            for command in ["Charge", "Refund"] {
                both.gateway.plan(Plan::new(mischief).of(&id).at(command));
            }
        }
        let path = format!("card-payments/{id}");
        note(
            "charge",
            both.provider.api("POST", &format!("{path}/charge"), None),
        );
        note(
            "state",
            both.provider.api("GET", &format!("{path}?ask=true"), None),
        );
        let body = json!({"amount": "9.99", "note": "rehearsal"});
        note(
            "refund",
            both.post(&format!("{path}/refunds"), "refund", &body),
        );
        note("payment", both.provider.api("GET", &path, None));
        payments.push(id);
    }
    for path in ["events", "payments", "card-payments", "outbox", "refusals"] {
        note(path, both.provider.api("GET", path, None));
    }
    note(
        "check",
        both.provider.api("POST", "card-payments/check", None),
    );
    let authorization = format!("Bearer {TOKEN}");
    for id in payments {
        let path = format!("api/payments/{id}/evidence");
        let headers = [("Authorization", authorization.as_str())];
        let mut answer = both.provider.http("GET", &path, &headers, b"");
        left.add("evidence", answer.body_mut().read_to_vec().unwrap());
    }
}

fn variables(wallet: bool) -> Vec<(&'static str, &'static str)> {
    let mut variables = vec![("card_wallet_secret", WALLET_SECRET)];
    variables.push(("card_interface", if wallet { "wallet" } else { "appay" }));
    variables
}

/// Every argument of every process that can be seen.
fn arguments() -> Vec<u8> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let arguments =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    arguments.flatten().collect()
}

#[test]
fn no_secret_of_the_card_gateway_is_written_anywhere() {
    let options = |password: &str| Options {
        password: password.to_owned(),
        ..Options::default()
    };
    let mut left = Left(Vec::new());
    for wallet in [false, true] {
        for right in [true, false] {
            let mut variables = variables(wallet);
            if !right {
                // The gateway has another one.
                variables.push(("card_password", PASSWORD));
            }
            let played = options(if right { PASSWORD } else { "another" });
            let both = Both::start_with(played, &variables);
            for capture in ["immediate", "checked", "manual"] {
                run(&both, &mut left, capture);
            }
            if wallet {
                customers(&both, &mut left);
            }
            for path in ["health/office", "health"] {
                let mut answer = both.provider.http("GET", path, &[], b"");
                left.add(path, answer.body_mut().read_to_vec().unwrap());
            }
            left.add("log", both.provider.log());
            for (name, bytes) in both.provider.files() {
                left.add(format!("file {name}"), bytes);
            }
            // The journal of the gateway shows that these passwords were in use.
            let refused = both.gateway.journal().into_iter();
            let refused = refused.filter(|entry| entry.answer.contains("ACCESS_DENIED"));
            assert_eq!(refused.count() > 0, !right);
        }
    }
    left.add("arguments", arguments());
    // Where the secrets would be, something is: the search finds what is there.
    for (text, what) in [
        ("the card gateway did not", "log"),
        ("VWUserLgn", "file "),
        ("card.started", "events"),
        ("9.99", "refund"),
    ] {
        let found = left.where_is(text);
        assert!(
            found.iter().any(|found| found.starts_with(what)),
            "{text}: {found:?}"
        );
    }
    for secret in [PASSWORD, WALLET_SECRET, &password(CUSTOMER)] {
        assert_eq!(
            left.where_is(secret),
            [""; 0],
            "{}",
            secret.get(..12).unwrap()
        );
    }
}

fn customers(both: &Both, left: &mut Left) {
    let path = format!("card-customers/{CUSTOMER}");
    let mut call = |method: &str, path: &str, body: Option<&Value>| {
        let answer = both.provider.api(method, path, body);
        left.add(path, format!("{:?} {}", answer.headers, answer.body));
        answer
    };
    assert_eq!(call("PUT", &path, None).status, 201);
    call("PUT", &path, Some(&json!({"phone": "37322000000"})));
    for (command, mischief) in [
        ("Check", Mischief::NoXml),
        ("GetList", Mischief::ServerError),
        ("Delete", Mischief::NotDoneAnswerLost),
    ] {
        both.gateway.plan(Plan::new(mischief).at(command));
    }
    assert_eq!(call("GET", &path, None).status, 503);
    assert_eq!(call("GET", &format!("{path}/cards"), None).status, 503);
    assert_eq!(call("DELETE", &path, None).status, 503);
    let body = json!({"return_url": "https://shop.example.md/cards"});
    call("POST", &format!("{path}/cards"), Some(&body));
    call("DELETE", &format!("{path}/cards/none"), None);
    let activate = json!({"amount": "1.00"});
    call(
        "POST",
        &format!("{path}/cards/none/activate"),
        Some(&activate),
    );
    // They save a card, and are charged.
    both.provider.register("saved", order("5"));
    let body = json!({"return_url": "https://shop.example.md/", "customer": CUSTOMER});
    let begun = both.post(&format!("orders/{SERVICE}/saved/card-payments"), "s", &body);
    let id = begun.body["id"].as_str().unwrap();
    both.gateway.pay_and_save(id, PAYS).unwrap();
    both.asked(id);
    let cards = both
        .provider
        .api("GET", &format!("{path}/cards"), None)
        .body;
    let card = cards["cards"][0]["id"].as_str().unwrap().to_owned();
    for (n, mischief) in [Mischief::Dressed, Mischief::DoneAnswerLost, Mischief::NoXml]
        .into_iter()
        .enumerate()
    {
        both.gateway.plan(Plan::new(mischief).at("Pay"));
        let charged = both.unattended(&format!("absent-{n}"), CUSTOMER, &card);
        left.add("charge of a saved card", charged.body.to_string());
    }
    let refused = both.unattended("absent-x", CUSTOMER, "none");
    assert_eq!(refused.status, 409);
    left.add("refused charge of a saved card", refused.body.to_string());
    let deleted = both.provider.api("DELETE", &path, None);
    left.add("deletion", deleted.body.to_string());
}
