//! Payments by card in the office.

use super::*;
use crate::domain::{OrderKey, PaymentId, ServiceId};

#[tokio::test(start_paused = true)]
async fn a_refund_of_a_card_says_done_only_once_it_is_done() {
    let variables = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_terminal", "Merchant"),
        ("card_password", "hunter2"),
        ("card_refunds", "managers"),
        ("public_url", "https://pay.example.md/"),
    ];
    let office = Office::with(&variables);
    register(&office.memory, "1", "10").await.unwrap();
    // The gateway has taken 10.00, and does not answer the first requests for refunds.
    office.memory.respond_with({
        let remaining = AtomicU64::new(0);
        move |request| {
            if let Some(says) = says_the_other_door(request) {
                return says;
            }
            let command = request.uri().path().rsplit('/').next().unwrap();
            let fields = form_urlencoded::parse(request.body());
            let fields: HashMap<_, _> = fields.into_owned().collect();
            let data = &fields.get("Data").cloned().unwrap_or_default();
            let id = data.split(';').find_map(|pair| pair.strip_prefix("OrderId="));
            let id = fields.get("OrderId").map_or(id, |id| Some(id.as_str())).unwrap();
            match command {
                "Init" => Ok((200, format!(r#"<Init Success="True" OrderId="{id}" Amount="1000" SessionId="s1"/>"#))),
                "GetState" => {
                    let amount = match remaining.load(Relaxed) {
                        0 => 1000,
                        amount => amount,
                    };
                    Ok((200, format!(r#"<GetState Success="True" OrderId="{id}" State="Charged" Amount="{amount}"/>"#)))
                }
                "Refund" if remaining.load(Relaxed) == 0 => {
                    remaining.store(1000, Relaxed);
                    Err("the connection broke")
                }
                command => {
                    remaining.store(700, Relaxed);
                    Ok((200, format!(r#"<{command} Success="True" OrderId="{id}" NewAmount="700"/>"#)))
                }
            }
        }
    });
    let mut api = Api::with(&variables);
    api.memory = office.memory.clone();
    let begin = serde_json::json!({"return_url": "https://shop.example.md/"});
    let begun = api.post_as("k", "orders/TAX/1/card-payments", &begin).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let id = begun.json()["id"].as_str().unwrap().to_owned();
    let asked = api.get(&format!("card-payments/{id}?ask=true")).await;
    assert_eq!(asked.json()["state"], "paid", "{}", asked.text);
    let browser = office.sign_in(Role::Manager).await;
    let address = format!("/admin/card-payments/{id}/refunds");
    let form = [
        ("back", "/admin/orders/TAX/1"),
        ("amount", "3,00"),
        ("note", "n"),
        ("checked", "1"),
    ];
    let once = |name| [form.as_slice(), &[("once", name)]].concat();
    // An amount with two readings, or none, refunds nothing.
    for (typed, said) in [("1.000", "1000.00"), ("", "")] {
        let form = [("amount", typed), ("note", "n"), ("once", "unread")];
        let refused = browser.send(&address, &form).await;
        assert_eq!(refused.status, 422, "{typed}: {}", refused.text);
        assert!(refused.text.contains(said), "{typed}: {}", refused.text);
    }
    let sent = browser.send(&address, &once("first")).await;
    assert!(
        sent.header("location").contains("?unknown=1"),
        "{}",
        sent.header("location")
    );
    let page = browser.get("/admin/orders/TAX/1?unknown=1&lang=en").await;
    assert!(page.text.contains("It is not known yet whether it is done"));
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    api.get(&format!("card-payments/{id}?ask=true")).await;
    let sent = browser.send(&address, &once("second")).await;
    assert!(sent.header("location").contains("?done=1"), "{}", sent.text);
    // If the order's status says that it is refunded otherwise, the person must confirm that they know it.
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(!page.text.contains("name=\"despite\""), "{}", page.text);
    for change in [
        r#"{"status": "Refunding"}"#,
        r#"{"status": "Refunded", "refund_reference": "OP 77"}"#,
    ] {
        assert_eq!(
            api.call(
                "PATCH",
                "orders/TAX/1",
                "application/merge-patch+json",
                change
            )
            .await
            .status,
            200
        );
    }
    let page = browser.get("/admin/orders/TAX/1").await;
    assert!(page.text.contains("name=\"despite\""), "{}", page.text);
    assert_eq!(browser.send(&address, &once("third")).await.status, 409);
    let despite = [once("fourth"), vec![("despite", "1")]].concat();
    assert_eq!(browser.send(&address, &despite).await.status, 303);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_on_a_card_is_taken_or_released_in_the_office() {
    let variables = [
        ("card_gateway", "https://gateway.example.md"),
        ("card_terminal", "Merchant"),
        ("card_password", "hunter2"),
        ("public_url", "https://pay.example.md/"),
    ];
    for (what, field, word, state) in [
        ("charge", "amount", "Charge", "paid"),
        ("cancel", "back", "Unblock", "released"),
    ] {
        let office = Office::with(&variables);
        register(&office.memory, "1", "10").await.unwrap();
        // State at the gateway: the payer is at their bank's page, then the money is held until a command
        // comes.
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let there = asked.clone();
        let is_held = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let held = is_held.clone();
        office.memory.respond_with(move |request| {
            if let Some(says) = says_the_other_door(request) {
                return says;
            }
            let command = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let fields = form_urlencoded::parse(request.body());
            let fields: HashMap<_, _> = fields.into_owned().collect();
            let data = fields.get("Data").cloned().unwrap_or_default();
            let id = data.split(';').find_map(|pair| pair.strip_prefix("OrderId="));
            let id = fields.get("OrderId").map_or(id, |id| Some(id.as_str())).unwrap();
            let mut asked = there.lock().unwrap();
            let state = match asked.last().map(String::as_str) {
                Some("Charge") => "Charged",
                Some("Unblock") => "Voided",
                _ if held.load(Relaxed) => "Authorized",
                _ => "PreAuthorized3DS",
            };
            if command != "GetState" {
                asked.push(command.clone());
            }
            Ok((200, format!(r#"<{command} Success="True" OrderId="{id}" State="{state}" Amount="1000" NewAmount="0" SessionId="s1"/>"#)))
        });
        let mut api = Api::with(&variables);
        api.memory = office.memory.clone();
        let begin =
            serde_json::json!({"return_url": "https://shop.example.md/", "capture": "manual"});
        let begun = api.post_as("k", "orders/TAX/1/card-payments", &begin).await;
        let id = begun.json()["id"].as_str().unwrap().to_owned();
        api.get(&format!("card-payments/{id}?ask=true")).await;
        let browser = office.sign_in(Role::Clerk).await;
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        let until = "by 4 Jun 2026, 12:00 at the latest";
        assert!(page.text.contains(until), "{}", page.text);
        let mark = |kind: &str, text: &str| format!(r#"<span class="mark {kind}">{text}</span>"#);
        let waits = "tells the payer not to pay this amount again";
        assert!(
            page.text.contains(&mark("busy", "under way")),
            "{}",
            page.text
        );
        assert!(!page.text.contains(waits), "{}", page.text);
        let notices = async || {
            let notices = browser.get("/admin/notices").await;
            notices.text.matches("<article class=\"notice\">").count()
        };
        assert_eq!(notices().await, 1);
        is_held.store(true, Relaxed);
        api.get(&format!("card-payments/{id}?ask=true")).await;
        assert_eq!(notices().await, 0, "whose payer has paid");
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        assert!(!page.text.contains(until), "{}", page.text);
        assert!(page.text.contains(&mark("busy", "held")), "{}", page.text);
        assert!(page.text.contains(waits), "{}", page.text);
        // A person asks to charge the held money, and the call is cut off.
        let cut_off = "On 1 Jun 2026, 12:00 somebody wanted the amount taken";
        assert!(!page.text.contains(cut_off), "{}", page.text);
        let names = (
            ServiceId::parse("TAX").unwrap(),
            OrderKey::parse("1").unwrap(),
        );
        let payment = PaymentId::parse(&id).unwrap();
        let ledger = Ledger::new(office.memory.clone());
        let cards = ledger.card_payments();
        let taken = cards.take(&payment, &names.0, &names.1, 0, |_| Ok(()));
        taken.await.unwrap();
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        assert!(page.text.contains(cut_off), "{}", page.text);
        let address = format!("/admin/card-payments/{id}/{what}");
        assert!(page.text.contains(&address), "{}", page.text);
        let accountant = office.sign_in(Role::Accountant).await;
        let seen = accountant.get("/admin/orders/TAX/1").await;
        assert!(!seen.text.contains(&address), "{}", seen.text);
        // Paths of other API calls take no forms.
        let other = browser.send("/admin/card-payments/check", &[]).await;
        assert_eq!(other.status, 404);
        let form = [("back", "/admin/orders/TAX/1"), (field, "10,00")];
        let sent = browser
            .send(&address, &form[..if field == "back" { 1 } else { 2 }])
            .await;
        assert!(sent.header("location").contains("?done=1"), "{}", sent.text);
        assert_eq!(asked.lock().unwrap().last().unwrap(), word);
        let found = api.get(&format!("card-payments/{id}")).await.json();
        assert_eq!(found["state"], state);
        let page = browser.get("/admin/orders/TAX/1?lang=en").await;
        let kind = if state == "paid" { "good" } else { "bad" };
        assert!(page.text.contains(&mark(kind, state)), "{}", page.text);
        assert!(!page.text.contains(waits), "{}", page.text);
    }
}
