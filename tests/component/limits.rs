//! The host at its limits, and the answers that its callers get.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use mpay_client::encode_query;
use mpay_host::{Fault, Observer, Operation};
use tokio::{net::TcpSocket, runtime::Runtime};

use crate::harness::*;

/// The address that most clients have in these tests, and another one.
const ONE: &str = "127.0.0.1:0";
const OTHER: &str = "127.0.0.2:0";

fn address(provider: &Provider) -> SocketAddr {
    let address = provider.url.trim_start_matches("http://");
    address.trim_end_matches('/').parse().unwrap()
}

/// A connection from an address of this machine.
fn connect(provider: &Provider, from: &str) -> TcpStream {
    let to = address(provider);
    let from: SocketAddr = from.parse().unwrap();
    let stream = Runtime::new().unwrap().block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    stream
}

/// Sends a request; gives the answer, and the time after which it came.
fn ask(mut stream: TcpStream, request: &str) -> (String, Duration) {
    let asked = Instant::now();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer, asked.elapsed())
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn soap(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/xml; charset=utf-8\r\n\
         {headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn is_soap_fault(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    for part in [
        "content-type: text/xml; charset=utf-8\r\n",
        "<faultcode>InternalError</faultcode>",
        "</soap:Envelope>",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[test]
fn a_thousand_half_open_connections_of_one_client_keep_nobody_out() {
    let provider = Provider::start_tuned(&[], |options| {
        options.limits.connections = 48;
        options.limits.connections_per_client = 12;
    });
    provider.http("GET", "health", &[], b"");
    let open = |part: &str| {
        let mut stream = TcpStream::connect(address(&provider)).unwrap();
        // It may be ended already, to make room for those after it.
        let _ = stream.write_all(part.as_bytes());
        stream
    };
    for part in [
        "",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 10\r\n\r\n<a",
    ] {
        let mut held = Vec::new();
        for n in 0..300 {
            held.push(open(part));
            if n % 100 == 99 {
                for from in [OTHER, ONE] {
                    let (answer, took) = ask(connect(&provider, from), HEALTH);
                    assert!(answer.starts_with("HTTP/1.1 200"), "{from}: {answer}");
                    assert!(took < Duration::from_secs(5), "{from}: {took:?}");
                }
            }
        }
    }
}

#[test]
fn a_request_at_work_is_not_ended_for_others_to_have_room() {
    let held = Arc::new(AtomicBool::new(false));
    let reached = Arc::clone(&held);
    let observer: Observer = Arc::new(move |call| {
        if call.operation == Operation::SetMany {
            return Fault::None;
        }
        reached.store(true, Relaxed);
        Fault::Delay(Duration::from_secs(1))
    });
    let provider = Provider::start_tuned(&[], |options| {
        options.limits.connections = 8;
        options.limits.connections_per_client = 2;
        options.observer = Some(observer);
    });
    let message = provider.mpay().sign(&encode_query(SERVICE, "1", "ro"));
    let request = soap("", &message.unwrap());
    let asked = connect(&provider, ONE);
    let asking = std::thread::spawn(move || ask(asked, &request));
    while !held.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let others: Vec<_> = (0..100).map(|_| connect(&provider, ONE)).collect();
    let (answer, _) = asking.join().unwrap();
    assert!(answer.contains("UnknownOrder"), "{answer}");
    drop(others);
}

#[test]
fn who_sends_slowly_holds_no_instance_and_gets_a_soap_fault() {
    let provider = Provider::start_tuned(&[], |options| {
        options.limits.requests = 1;
        options.limits.request_time = Duration::from_secs(3);
    });
    // More than is taken in of everybody, and not the whole.
    let slow: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = connect(&provider, ONE);
            let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n\
                        Connection: close\r\nContent-Length: 900000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![b' '; 600_000]).unwrap();
            stream
        })
        .collect();
    let (answer, took) = ask(connect(&provider, ONE), HEALTH);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    for stream in slow {
        is_soap_fault(&ask(stream, "").0);
    }
}

#[test]
fn a_body_announced_too_long_is_refused_at_once() {
    let provider = Provider::start();
    for length in ["1000001", "99999999999999", "9000000000000000000"] {
        for expect in ["", "Expect: 100-continue\r\n"] {
            let request = format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n{expect}\
                 Content-Length: {length}\r\n\r\n"
            );
            let mut stream = connect(&provider, ONE);
            let asked = Instant::now();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 413", "{length}");
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(2), "{length}: {took:?}");
        }
    }
}

#[test]
fn who_writes_a_long_body_before_reading_still_sees_why_it_is_refused() {
    let provider = Provider::start();
    for length in [1_000_001, 4_000_000] {
        let headers = [("Content-Type", "text/xml")];
        let refused = provider.http("POST", "", &headers, &vec![b' '; length]);
        assert_eq!(refused.status(), 413);
    }
}

#[test]
fn mpay_gets_soap_where_the_host_answers() {
    // The component finds the store too slow for the host's patience.
    let observer: Observer = Arc::new(|_| Fault::Delay(Duration::from_secs(8)));
    let provider = Provider::start_tuned(&[], |options| {
        options.limits.requests = 1;
        options.limits.request_time = Duration::from_secs(2);
        options.observer = Some(observer);
    });
    let message = provider.mpay().sign(&encode_query(SERVICE, "1", "ro"));
    let request = soap("", &message.unwrap());
    std::thread::scope(|scope| {
        // The second has no turn in time, or is too late itself.
        let asking = [(); 2].map(|()| {
            let stream = connect(&provider, ONE);
            scope.spawn(|| ask(stream, &request))
        });
        for asking in asking {
            let (answer, took) = asking.join().unwrap();
            is_soap_fault(&answer);
            assert!(took < Duration::from_secs(7), "{took:?}");
        }
    });
    let (answer, _) = ask(
        connect(&provider, ONE),
        &format!(
            "GET /api/payments HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
             Authorization: Bearer {TOKEN}\r\n\r\n"
        ),
    );
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[test]
fn while_the_store_is_slow_the_component_says_so_itself_before_the_host_does() {
    // Each try of a call ends in an error, as where another process has the store's lock.
    let provider = Provider::start();
    provider.register("1", order("10"));
    let store = provider.lock_store();
    let asked = Instant::now();
    let payment = confirmation("1", "P", "10").encode();
    let exchange = provider.mpay().send("ConfirmOrderPayment", &payment);
    let exchange = exchange.unwrap();
    let took = asked.elapsed();
    println!("answered after {took:?}");
    assert_eq!(provider.fault(&exchange).code, "InternalError");
    assert!(took < Duration::from_secs(29), "{took:?}");
    drop(store);
    assert_eq!(
        code(
            provider
                .mpay()
                .confirm(&confirmation("1", "P", "10"))
                .unwrap()
        ),
        "ok"
    );
    assert_eq!(provider.ledger().len(), 1);
}

#[test]
fn many_slow_calls_of_the_store_do_not_add_up_to_the_hosts_limit() {
    let slow = Arc::new(AtomicBool::new(false));
    let is_slow = Arc::clone(&slow);
    let observer: Observer = Arc::new(move |_| match is_slow.load(Relaxed) {
        true => Fault::Delay(Duration::from_secs(4)),
        false => Fault::None,
    });
    let provider = Provider::start_with(&[], Some(observer));
    provider.register("1", order("10"));
    slow.store(true, Relaxed);
    let asked = Instant::now();
    let payment = confirmation("1", "P", "10").encode();
    let exchange = provider.mpay().send("ConfirmOrderPayment", &payment);
    let exchange = exchange.unwrap();
    let took = asked.elapsed();
    println!("answered after {took:?}");
    // Its signature shows that the component answered.
    let fault = provider.fault(&exchange);
    assert_eq!(fault.code, "InternalError");
    assert!(took < Duration::from_secs(29), "{took:?}");
}

#[test]
fn a_payment_is_not_acknowledged_once_a_backup_was_put_back() {
    let provider = Provider::start();
    provider.register("1", order("10"));
    provider.register("2", order("10"));
    let pay = |key| {
        code(
            provider
                .mpay()
                .confirm(&confirmation(key, key, "10"))
                .unwrap(),
        )
    };
    assert_eq!(pay("1"), "ok");
    provider.put_back_a_backup();
    assert_eq!(pay("2"), "InternalError");
    assert_eq!(pay("1"), "InternalError", "nor is one from memory");
    let failed = provider.failed();
    assert!(failed.contains("backup"), "{failed}");
}
