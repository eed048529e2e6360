//! Payments by card, by the components in the embedded host and a gateway that answers over HTTP.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::harness::*;

/// The amount that each payment asks, in minor units, and its state.
type Deals = Arc<Mutex<HashMap<String, (u64, &'static str)>>>;

/// The heads of the requests that came, in small letters.
type Heads = Arc<Mutex<Vec<String>>>;

/// A gateway that knows as much as these tests need.
struct Gateway {
    origin: String,
    deals: Deals,
    heads: Heads,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (deals, heads) = (Deals::default(), Heads::default());
        let (known, came) = (Arc::clone(&deals), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(stream.unwrap(), &known, &came);
            }
        });
        Self {
            origin,
            deals,
            heads,
        }
    }

    fn set(&self, id: &str, state: &'static str) {
        self.deals.lock().unwrap().get_mut(id).unwrap().1 = state;
    }
}

fn answer(stream: TcpStream, deals: &Deals, heads: &Heads) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        lines.push(line);
    }
    heads.lock().unwrap().push(lines.concat().to_lowercase());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8(body)
        .unwrap()
        .replace("%3D", "=")
        .replace("%3B", ";");
    let field = |name: &str| {
        let rest = body
            .split_once(&format!("{name}="))
            .map_or("", |(_, rest)| rest);
        rest.split(['&', ';']).next().unwrap().to_owned()
    };
    let (id, mut deals) = (field("OrderId"), deals.lock().unwrap());
    let path = lines[0].split(' ').nth(1).unwrap();
    let text = match (path, deals.get(&id).copied()) {
        ("/apim/Init", None) => {
            let amount = field("Amount");
            deals.insert(id.clone(), (amount.parse().unwrap(), "New"));
            format!(r#"<Init Success="True" OrderId="{id}" Amount="{amount}" SessionId="abc"/>"#)
        }
        ("/apim/GetState", Some((amount, state))) => {
            format!(
                r#"<GetState Success="True" OrderId="{id}" State="{state}" Amount="{amount}"/>"#
            )
        }
        _ => String::new(),
    };
    let length = text.len();
    write!(
        &stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

/// Whoever calls has a trace, which is nothing to a bank.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn begin(provider: &Provider, gateway: &Gateway, key: &str) -> ApiAnswer {
    let body = json!({"return_url": format!("{}/done", gateway.origin)});
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Idempotency-Key", "one"),
        ("traceparent", TRACE),
        ("X-Request-Id", "shop-17"),
    ];
    let path = format!("orders/{SERVICE}/{key}/card-payments");
    provider.api_with("POST", &path, Some(&body), &headers)
}

#[test]
fn an_order_is_paid_by_card_at_the_institutions_gateway() {
    let gateway = Gateway::start();
    let provider = Provider::start_with(
        &[
            ("environment", "development"),
            ("card_gateway", &gateway.origin),
            ("card_terminal", "Merchant"),
            ("card_password", "hunter2"),
            ("public_url", "http://127.0.0.1/"),
        ],
        None,
    );
    provider.register("1", order("19.99"));
    let begun = begin(&provider, &gateway, "1");
    assert_eq!(begun.status, 201, "{}", begun.body);
    let id = begun.body["id"].as_str().unwrap().to_owned();
    let page = format!("{}/apim/Pay?SessionId=abc", gateway.origin);
    assert_eq!(begun.body["redirect_url"], page);
    // Anybody can say that something was paid.
    let claim = format!("Notification=EnginePaySuccess&OrderId={id}&Success=True&Amount=1999");
    let notified = provider.http("POST", "cards/notifications", &[], claim.as_bytes());
    assert_eq!(notified.status(), 200);
    assert_eq!(provider.order("1")["status"], "Active");
    gateway.set(&id, "Charged");
    let checked = provider.api("POST", "card-payments/check", None);
    assert_eq!(checked.status, 200, "{}", checked.body);
    let asked = provider.api("GET", &format!("card-payments/{id}?ask=true"), None);
    assert_eq!(asked.body["state"], "paid", "{}", asked.body);
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["payments"][0]["channel"], "card");
    let back = provider.http("GET", &format!("cards/return/{id}"), &[], b"");
    assert_eq!(back.status(), 200, "the payer is at the shop again");
    let heads = gateway.heads.lock().unwrap().clone();
    assert!(heads.len() > 2, "{heads:?}");
    for head in heads {
        for word in ["traceparent", "0af76519", "x-request-id", "shop-17"] {
            assert!(!head.contains(word), "{head}");
        }
    }
    gateway.set(&id, "Refunded");
    provider.api("GET", &format!("card-payments/{id}?ask=true"), None);
    assert_eq!(provider.order("1")["status"], "Refunded");
}

#[test]
fn without_a_gateway_nothing_is_there() {
    let provider = Provider::start();
    provider.register("1", order("5"));
    let none: Value = json!({"return_url": "https://shop.example.md/"});
    let begun = provider.api(
        "POST",
        &format!("orders/{SERVICE}/1/card-payments"),
        Some(&none),
    );
    assert_eq!(begun.status, 404);
    for path in ["cards/notifications", "cards/return/x"] {
        assert_eq!(
            provider.http("POST", path, &[], b"x").status(),
            404,
            "{path}"
        );
    }
}
