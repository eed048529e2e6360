//! An instance that is at several requests at once, as Spin lets it unless it is told otherwise.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use mpay::{
    client::{Answer, encode_query},
    host::{Fault, Observer, Operation},
};
use serde_json::json;

use crate::harness::*;

/// Each instance warns of this once, when it reads its configuration.
const MISTYPED: (&str, &str) = ("bank_fiscal_code", "1000000000008");

/// How many instances answered while one request waited for the store and another one came.
fn instances(at_once: usize) -> usize {
    let (arrived, arrival) = mpsc::channel();
    let arrived = Mutex::new(Some(arrived));
    let observer: Observer = Arc::new(move |call| match call.operation {
        // The first read is held for longer than anything takes.
        Operation::GetMany => match arrived.lock().unwrap().take() {
            Some(arrived) => {
                arrived.send(()).unwrap();
                Fault::Delay(Duration::from_secs(600))
            }
            None => Fault::None,
        },
        _ => Fault::None,
    });
    let provider = Provider::start_shared(at_once, &[MISTYPED], Some(observer));
    let held = provider.mpay();
    let question = held.sign(&encode_query(SERVICE, "1", "ro")).unwrap();
    // It is cut off when the provider ends.
    std::thread::spawn(move || drop(held.post("GetOrderDetails", question)));
    arrival.recv().unwrap();
    assert_eq!(provider.details_fault(SERVICE, "2").code, "UnknownOrder");
    let log = provider.log();
    log.matches("warning: variable bank_fiscal_code").count()
}

#[test]
fn an_instance_is_at_one_request_at_once_unless_the_host_is_told_otherwise() {
    assert_eq!(instances(1), 2);
}

#[test]
fn requests_that_share_an_instance_keep_apart() {
    // Every call to the store gives way to the others.
    let observer: Observer = Arc::new(|_| Fault::Delay(Duration::from_millis(1)));
    let provider = Provider::start_shared(16, &[], Some(observer));
    provider.register("same", order("10"));
    std::thread::scope(|scope| {
        for n in 0..32 {
            let provider = &provider;
            scope.spawn(move || {
                let (key, amount) = (n.to_string(), format!("{}.00", n + 1));
                provider.register(&key, order(&amount));
                assert_eq!(provider.details(&key).get("TotalAmountDue"), Some(&*amount));
                let payment = confirmation(&key, &format!("P-{n}"), &amount);
                let answer = provider.mpay().confirm(&payment).unwrap();
                assert_eq!(answer, Answer::Result(()));
                let stranger = provider.client(STRANGER_KEY, STRANGER);
                let refused = stranger.details(SERVICE, &key, "ro").unwrap();
                assert_eq!(code(refused), "AuthenticationFailed");
                // Whoever could not wait for the one that records is told to come again.
                let same = confirmation("same", "P", "10");
                let answer = code(provider.mpay().confirm(&same).unwrap());
                assert!(matches!(&*answer, "ok" | "InternalError"), "{answer}");
                let paid = provider.order(&key);
                assert_eq!(paid["status"], "Paid");
                assert_eq!(paid["amount_paid"], json!(amount));
            });
        }
    });
    let same = confirmation("same", "P", "10");
    assert_eq!(code(provider.mpay().confirm(&same).unwrap()), "ok");
    assert_eq!(provider.order("same")["amount_paid"], "10.00");
    assert_eq!(provider.ledger().len(), 33);
}
