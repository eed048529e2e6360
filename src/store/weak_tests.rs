//! The store on a platform without atomics.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use jiff::Timestamp;

use super::{
    memory::{Fault, Memory},
    tests::*,
    *,
};
use crate::domain::{PaymentId, Review};

/// A memory that reads and writes, and cannot count.
#[derive(Clone)]
struct Weak(Memory);

impl Platform for Weak {
    const ATOMIC: bool = false;

    async fn get_many(&self, keys: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
        self.0.get_many(keys).await
    }

    async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
        self.0.set_many(entries).await
    }

    async fn increment(&self, key: &str) -> Result<u64, PlatformError> {
        weak_counter::increment(self, key).await
    }

    async fn keys(&self) -> Result<Vec<String>, PlatformError> {
        self.0.keys().await
    }

    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, String> {
        self.0.send(request).await
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn random(&self) -> u64 {
        self.0.random()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

fn weak_store() -> (Weak, Memory) {
    let memory = Memory::new();
    (Weak(memory.clone()), memory)
}

async fn recorded(weak: &Weak, id: &str, amount: &str) -> Result<Recorded, StoreError> {
    record_in(&Store::new(weak.clone()), id, "1", amount).await
}

async fn registered(weak: &Weak, amount: &str) -> Result<Registered, RegisterError> {
    put_in(
        &Store::new(weak.clone()),
        &order("1", amount),
        Precondition::None,
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_platform_contract() {
    contract::check(&weak_store().0, "test").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other_everything_is_as_with_atomics() {
    let (weak, memory) = weak_store();
    assert_eq!(registered(&weak, "100").await.unwrap(), Registered::Created);
    assert_eq!(registered(&weak, "90").await.unwrap(), Registered::Amended);
    assert_eq!(recorded(&weak, "P", "60").await.unwrap(), Recorded::New);
    assert_eq!(
        recorded(&weak, "P", "60").await.unwrap(),
        Recorded::Repeated { alike: true }
    );
    assert_eq!(
        recorded(&weak, "P", "61").await.unwrap(),
        Recorded::Conflict
    );
    for n in 0..40 {
        assert_eq!(
            recorded(&weak, &n.to_string(), "1").await.unwrap(),
            Recorded::New
        );
    }
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 41);
    assert_eq!(ledger(&memory).await.len(), 41);
    let nothing = Store::new(weak).repair("").await.unwrap();
    assert_eq!((nothing.checked, nothing.repaired.len()), (41, 0));
}

#[tokio::test(start_paused = true)]
async fn those_who_count_at_the_same_time_get_different_numbers() {
    let (weak, _) = weak_store();
    let calls = (0..16).map(|_| async {
        // Whoever meets too many comes again.
        loop {
            if let Ok(number) = weak.increment("counter").await {
                return number;
            }
        }
    });
    let numbers = futures::future::join_all(calls).await;
    let different: HashSet<_> = numbers.iter().collect();
    assert_eq!(different.len(), 16, "{numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_counter_set_back_by_a_writer_that_stalled_hands_out_no_number_that_is_used() {
    let (weak, memory) = weak_store();
    registered(&weak, "100").await.unwrap();
    // Reads the counter of the order, looks for entries, and then stalls before it writes.
    let list = "order/TAX/1";
    memory.script([
        Fault::None,
        Fault::None,
        Fault::Delay(Duration::from_secs(5)),
    ]);
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for id in ["A", "B", "C"] {
            recorded(&weak, id, "1").await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
        recorded(&weak, "D", "1").await.unwrap();
    };
    let (number, ()) = tokio::join!(weak.increment(list), others);
    assert!(number.unwrap() >= 5);
    // Nothing is out of sight though the counter was set back.
    let set_back = (list.to_owned(), b"1 0".to_vec());
    memory.set_many(&[set_back]).await.unwrap();
    let service = crate::domain::ServiceId::parse("TAX").unwrap();
    let key = crate::domain::OrderKey::parse("1").unwrap();
    let order = Store::new(weak).order(&service, &key).await.unwrap();
    assert_eq!(order.unwrap().payments.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_sees_his_entries_overwritten_enters_them_elsewhere() {
    let (weak, memory) = weak_store();
    registered(&weak, "100").await.unwrap();
    let writes = |calls: &[String]| {
        let entry = |call: &String| call.starts_with("set ") && call.contains(" order/TAX/1/2");
        calls.iter().position(entry)
    };
    memory.take_calls();
    recorded(&weak, "P", "1").await.unwrap();
    let position = writes(&memory.take_calls()).unwrap();
    // The same, and between writing and reading back somebody else takes the place in the order.
    let (weak, memory) = weak_store();
    registered(&weak, "100").await.unwrap();
    memory.take_calls();
    memory.script(
        std::iter::repeat_n(Fault::None, position + 1)
            .chain([Fault::Delay(Duration::from_secs(2))]),
    );
    let other = async {
        while memory.count("order/TAX/1/2") == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let theirs = br#"{"v":1,"at":"2026-06-01T09:00:00Z","entry":"void"}"#.to_vec();
        memory.overwrite("order/TAX/1/2", theirs);
    };
    let (result, ()) = tokio::join!(recorded(&weak, "P", "1"), other);
    assert_eq!(result.unwrap(), Recorded::New);
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 1);
    assert_eq!(ledger(&memory).await, ["P"]);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_its_order_has_lost_is_still_in_every_list() {
    let (weak, memory) = weak_store();
    registered(&weak, "100").await.unwrap();
    for (id, amount) in [("P", "40"), ("Q", "60"), ("R", "1")] {
        recorded(&weak, id, amount).await.unwrap();
    }
    let void = br#"{"v":1,"at":"2026-06-01T09:00:00Z","entry":"void"}"#.to_vec();
    memory.overwrite("order/TAX/1/2", void);
    let store = Store::new(weak);
    let listed = async || {
        let journal = store.journal(0, 100, Span::ALWAYS, |_| true).await.unwrap();
        let payments = store.payments(journal.entries).await.unwrap().into_iter();
        let listed = payments.map(|p| (p.payment.payment_id, p.payment.amount, p.state.review));
        listed.collect::<Vec<_>>()
    };
    let of = |id: &str, amount: &str, review| (id.to_owned(), amount.to_owned(), review);
    // As much is said of the others as their order still knows.
    let under = vec![Review::UnderPaid];
    assert_eq!(
        listed().await,
        [
            of("P", "40", vec![Review::Orphaned]),
            of("Q", "60", under.clone()),
            of("R", "1", under),
        ]
    );
    let ids = ["P", "Q"].map(|id| PaymentId::parse(id).unwrap());
    let found = store.payments_by_id(&ids).await.unwrap();
    assert_eq!(found.len(), 2);
    let orphan = store.payment(&ids[0]).await.unwrap().unwrap();
    assert_eq!(orphan.state.confirmation.total.to_string(), "40.00");
    assert!(store.proof(&ids[0]).await.unwrap().is_some());

    assert_eq!(store.repair("").await.unwrap().repaired, ["P"]);
    let listed = listed().await;
    assert!(
        listed.len() == 3
            && listed
                .iter()
                .all(|(.., review)| !review.contains(&Review::Orphaned)),
        "{listed:?}"
    );
}

/// Its place in the journal was handed out again: nothing of the other payment is taken for it.
#[tokio::test(start_paused = true)]
async fn a_payment_that_the_journal_has_lost_is_no_other_one() {
    let (weak, memory) = weak_store();
    registered(&weak, "100").await.unwrap();
    for id in ["P", "Q"] {
        recorded(&weak, id, "40").await.unwrap();
    }
    let other = memory.get_many(&["journal/3".to_owned()]).await.unwrap();
    memory.overwrite("journal/2", other["journal/3"].clone());
    let store = Store::new(weak);
    let id = PaymentId::parse("P").unwrap();
    let lost = |error| matches!(error, StoreError::Corrupt { key, .. } if key == "journal/2");
    assert!(lost(store.payment(&id).await.unwrap_err()));
    assert!(lost(
        store
            .payments_by_id(std::slice::from_ref(&id))
            .await
            .unwrap_err()
    ));
    store.repair("").await.unwrap();
    let found = store.payment(&id).await.unwrap().unwrap();
    assert_eq!(found.payment.payment_id, "P");
}

#[tokio::test(start_paused = true)]
async fn what_was_overwritten_after_all_is_appended_again_by_repair() {
    for lost in ["order/TAX/1/2", "journal/2"] {
        let (weak, memory) = weak_store();
        registered(&weak, "100").await.unwrap();
        recorded(&weak, "P", "40").await.unwrap();
        recorded(&weak, "Q", "30").await.unwrap();
        let other = match lost {
            "journal/2" => {
                memory.get_many(&["journal/3".to_owned()]).await.unwrap()["journal/3"].clone()
            }
            _ => br#"{"v":1,"at":"2026-06-01T09:00:00Z","entry":"void"}"#.to_vec(),
        };
        memory.overwrite(lost, other);
        let store = Store::new(weak);
        let repair = store.repair("").await.unwrap();
        assert_eq!(
            (repair.checked, &repair.repaired),
            (2, &vec!["P".to_owned()]),
            "{lost}"
        );
        assert_eq!(repair.next, None);
        let order = stored(&memory, "1").await.unwrap();
        assert_eq!(
            order.state.amount_paid(),
            crate::domain::Money::parse("70").unwrap()
        );
        let mut payments = ledger(&memory).await;
        payments.sort();
        assert_eq!(payments, ["P", "Q"], "{lost}");
        assert_eq!(store.repair("").await.unwrap().repaired, [""; 0]);
    }
}
