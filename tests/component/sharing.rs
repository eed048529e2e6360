//! An instance that is at several requests at once, as Spin lets it unless it is told otherwise.
//!
//! A request is held where an instance waits for its body: the host says `100 Continue` when the
//! component begins to read, and not before.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use mpay_client::{Answer, Client, Exchange, encode_query, read_orders};
use mpay_host::{Fault, Limits, Observer};
use serde_json::{Value, json};
use wsse::Content;

use crate::harness::*;

/// Each instance of MPay's door tells of this once, when it reads its configuration.
const MISTYPED: (&str, &str) = ("amount_validity", "an hour");

/// A request whose body is kept back.
struct Held {
    stream: TcpStream,
    body: String,
}

impl Held {
    /// Sends the head, and waits until an instance waits for the body.
    fn begin(provider: &Provider, method: &str, path: &str, header: &str, body: String) -> Self {
        let address = provider.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n{header}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; "HTTP/1.1 100 Continue\r\n\r\n".len()];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self { stream, body }
    }

    fn soap(provider: &Provider, client: &Client, content: &Content) -> Self {
        let message = client.sign(content).unwrap();
        let header = "Content-Type: text/xml; charset=utf-8";
        Self::begin(provider, "POST", "", header, message)
    }

    fn put(provider: &Provider, key: &str, order: &Value) -> Self {
        let path = format!("api/orders/{SERVICE}/{key}");
        let header = format!("Authorization: Bearer {TOKEN}");
        Self::begin(provider, "PUT", &path, &header, order.to_string())
    }

    fn release(&mut self) {
        self.stream.write_all(self.body.as_bytes()).unwrap();
    }

    fn answer(mut self) -> Exchange {
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let mut lines = head.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.unwrap_or_default().to_owned()
        };
        Exchange {
            request: self.body,
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            content_type: header("content-type"),
            body: body.into(),
        }
    }
}

/// A provider whose instances serve this many requests at once, and take each as soon as its head is
/// there.
fn start(at_once: usize, observer: Option<Observer>) -> Provider {
    Provider::start_tuned(&[MISTYPED], |options| {
        options.limits.requests_at_once_per_instance = at_once;
        options.limits.read_ahead = 0;
        options.observer = observer;
    })
}

fn instances(provider: &Provider) -> usize {
    let log = provider.log();
    log.matches("configuration: variable amount_validity")
        .count()
}

/// Holds requests in one instance, all of them at once.
fn in_one_instance(provider: &mut Provider, hold: impl Fn(&Provider) -> Vec<Held>) -> Vec<Held> {
    for _ in 0..5 {
        provider.restart();
        let before = instances(provider);
        let held = hold(provider);
        // The host makes another instance where a request comes before the first has said that it
        // could take it.
        if instances(provider) == before + 1 {
            return held;
        }
    }
    panic!("no instance is at several requests at once");
}

#[test]
fn an_instance_is_at_one_request_at_once_unless_the_host_is_told_otherwise() {
    let provider = start(Limits::default().requests_at_once_per_instance, None);
    let query = encode_query(SERVICE, "1", "ro");
    let held = [(); 3].map(|()| Held::soap(&provider, &provider.mpay(), &query));
    assert_eq!(instances(&provider), held.len());
}

#[test]
fn requests_at_once_in_an_instance_get_their_own_answers() {
    let mut provider = start(16, None);
    for n in 1..=3 {
        provider.register(&format!("asked-{n}"), order(&format!("{n}.10")));
        provider.register(&format!("paid-{n}"), order(&format!("{n}.20")));
    }
    let query = |key: &str| encode_query(SERVICE, key, "ro");
    let mut held = in_one_instance(&mut provider, |provider| {
        let mpay = provider.mpay();
        let stranger = provider.client(STRANGER_KEY, STRANGER);
        let of_each = (1..=3).flat_map(|n| {
            let payment = confirmation(&format!("paid-{n}"), &format!("P-{n}"), &format!("{n}.20"));
            [
                Held::soap(provider, &mpay, &query(&format!("asked-{n}"))),
                Held::soap(provider, &mpay, &payment.encode()),
                Held::put(provider, &format!("new-{n}"), &order(&format!("{n}.30"))),
                Held::soap(provider, &stranger, &query(&format!("asked-{n}"))),
            ]
        });
        of_each.collect()
    });
    let before = instances(&provider);
    // Others are answered meanwhile.
    let other = provider.details("asked-1");
    assert_eq!(other.get("TotalAmountDue"), Some("1.10"));
    assert_eq!(instances(&provider), before);

    // The last caller is answered first.
    for n in (1..=3).rev() {
        let mut answer = || {
            let mut held = held.pop().unwrap();
            held.release();
            held.answer()
        };
        assert_eq!(provider.fault(&answer()).code, "AuthenticationFailed");

        let registered = answer();
        assert_eq!(registered.status, 201);
        let registered: Value = serde_json::from_slice(&registered.body).unwrap();
        assert_eq!(registered["order_key"], format!("new-{n}"));
        assert_eq!(registered["total_amount_due"], format!("{n}.30"));

        let confirmed = provider
            .mpay()
            .read(&answer(), "ConfirmOrderPaymentResponse", |_| ());
        assert_eq!(confirmed.unwrap(), Answer::Result(()));
        let paid = provider.order(&format!("paid-{n}"));
        assert_eq!(paid["payments"].as_array().unwrap().len(), 1);
        assert_eq!(paid["payments"][0]["payment_id"], format!("P-{n}"));
        assert_eq!(paid["status"], "Paid");

        let details = provider
            .mpay()
            .read(&answer(), "GetOrderDetailsResponse", read_orders);
        let Answer::Result(orders) = details.unwrap() else {
            panic!("asked-{n} is a fault");
        };
        assert_eq!(orders[0].get("OrderKey"), Some(&*format!("asked-{n}")));
        let due = orders[0].get("TotalAmountDue");
        assert_eq!(due, Some(&*format!("{n}.10")));
    }
    assert_eq!(provider.ledger().len(), 3);
}

#[test]
fn a_confirmation_sent_many_times_at_once_to_an_instance_is_recorded_once() {
    // The recording call is made to pause in the middle until another one has come to the store: in an
    // instance a call gives way to others only where it waits.
    let (pauses, others) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let met = Arc::clone(&others);
    let observer: Observer = Arc::new(move |call| {
        let paused = pauses.load(Relaxed);
        if call.keys.iter().any(|key| key.starts_with("answer/")) {
            if paused < 3 && others.load(Relaxed) == 0 {
                pauses.fetch_add(1, Relaxed);
                return Fault::Refuse;
            }
            pauses.store(0, Relaxed);
        } else if paused > 0 {
            others.fetch_add(1, Relaxed);
        }
        Fault::None
    });
    let mut provider = start(16, Some(observer));
    provider.register("1", order("10"));

    let payment = confirmation("1", "P", "10").encode();
    let mut held = in_one_instance(&mut provider, |provider| {
        let mpay = provider.mpay();
        (0..12)
            .map(|_| Held::soap(provider, &mpay, &payment))
            .collect()
    });
    held.iter_mut().for_each(Held::release);
    for held in held {
        let answer = provider
            .mpay()
            .read(&held.answer(), "ConfirmOrderPaymentResponse", |_| ());
        assert_eq!(answer.unwrap(), Answer::Result(()));
    }
    assert!(met.load(Relaxed) > 0, "they did not meet");
    let order = provider.order("1");
    assert_eq!(order["status"], "Paid");
    assert_eq!(order["amount_paid"], json!("10.00"));
    assert_eq!(order["payments"].as_array().unwrap().len(), 1);
    assert_eq!(provider.ledger().len(), 1);
    // The registration and one payment.
    assert_eq!(provider.keys("journal/").len(), 2);
}
