//! Changes whose event came too late to its place in the journal, and whose writer is gone: a call that
//! says that such a change is made makes sure of its event, which is then there once.

use std::collections::BTreeSet;

use futures::future::LocalBoxFuture;

use super::{
    memory::Memory,
    testing::*,
    tests::{close, confirm, ledger_events, record_by_hand, refuse, set, void_of},
    *,
};
use crate::{
    domain::{OrderKey, Review, ServiceId, Text},
    json::{VoidJson, VoidProposalJson},
};

/// Lets the place of the only event of a kind be passed by, and the event come after.
pub(super) async fn lose(memory: &Memory, kind: &str) {
    let keys = memory.keys_with(&format!(r#""type":"{kind}""#));
    let [key] = &keys[..] else {
        panic!("{kind}: {keys:?}")
    };
    let event = memory.value(key).unwrap();
    memory.remove(key);
    let place = key.strip_prefix("journal/").unwrap().parse().unwrap();
    let store = Ledger::new(memory.clone());
    let places = BTreeSet::from([place]);
    store.log.decide(keys::JOURNAL, &places).await.unwrap();
    memory.overwrite(key, event);
    assert_eq!(ledger_events(memory, kind).await, 0, "{kind}");
}

/// Makes an order long.
async fn lengthen(memory: &Memory) {
    for n in 0..300 {
        record(memory, &format!("L{n}"), "1", "1").await.unwrap();
    }
}

fn void_proposal(void: &VoidJson) -> VoidProposalJson {
    VoidProposalJson {
        payment_id: void.payment_id.clone(),
        service_id: void.service_id.clone(),
        order_key: void.order_key.clone(),
        proposal: void.proposal,
        note: "n".to_owned(),
        by: "a".to_owned(),
    }
}

/// A kind of change: its event, its preparation, the change, the call that says again that it is made,
/// and true if it is a change of an order.
struct Kind {
    event: &'static str,
    is_of_order: bool,
    prepare: fn(Memory) -> LocalBoxFuture<'static, ()>,
    make: fn(Memory) -> LocalBoxFuture<'static, ()>,
}

const KINDS: &[Kind] = &[
    Kind {
        event: "order.amended",
        is_of_order: true,
        prepare: |_| Box::pin(async {}),
        make: |memory| Box::pin(async move { _ = register(&memory, "1", "700").await.unwrap() }),
    },
    Kind {
        event: "order.cancelled",
        is_of_order: true,
        prepare: |_| Box::pin(async {}),
        make: |memory| {
            Box::pin(async move { _ = set(&memory, "1", Some("Cancelled")).await.unwrap() })
        },
    },
    Kind {
        event: "review.closed",
        is_of_order: true,
        prepare: |memory| {
            Box::pin(async move { _ = record(&memory, "P", "1", "800").await.unwrap() })
        },
        make: |memory| {
            Box::pin(async move { close(&memory, "P", Review::OverPaid).await.unwrap() })
        },
    },
    Kind {
        event: "payment.voided",
        is_of_order: true,
        prepare: |memory| Box::pin(async move { _ = record_by_hand(&memory, "M").await.unwrap() }),
        make: |memory| {
            Box::pin(async move {
                let void = void_of(&memory, "M").await;
                let store = Ledger::new(memory);
                assert!(store.manual_payments().void(&void).await.unwrap());
            })
        },
    },
    Kind {
        event: "payment.confirmed",
        is_of_order: true,
        prepare: |memory| Box::pin(async move { _ = record_by_hand(&memory, "M").await.unwrap() }),
        make: |memory| Box::pin(async move { confirm(&memory, "M").await }),
    },
    Kind {
        event: "review.closed",
        is_of_order: false,
        prepare: |memory| Box::pin(async move { assert!(refuse(&memory, "R").await) }),
        make: |memory| {
            Box::pin(async move {
                let store = Ledger::new(memory);
                let note = Text::parse("looked at").unwrap();
                store.refusals().close(2, &note, "me").await.unwrap();
            })
        },
    },
    Kind {
        event: "proposal.withdrawn",
        is_of_order: false,
        prepare: |memory| {
            Box::pin(async move {
                record_by_hand(&memory, "M").await.unwrap();
                let proposed = Proposed::Void(void_proposal(&void_of(&memory, "M").await));
                let store = Ledger::new(memory);
                assert_eq!(store.proposals().propose(&proposed).await.unwrap(), 3);
            })
        },
        make: |memory| {
            Box::pin(async move {
                let store = Ledger::new(memory);
                let proposal = store.proposals().get(3).await.unwrap().unwrap();
                let by = "me".to_owned();
                let withdrawn = Decision::Withdrawn { by };
                let decided = store.proposals().decide(&proposal, &withdrawn).await;
                assert_eq!(decided.unwrap(), withdrawn);
            })
        },
    },
];

#[tokio::test(start_paused = true)]
async fn whoever_says_that_a_change_is_made_makes_sure_of_its_event() {
    let mut lost = Vec::new();
    for kind in KINDS {
        for is_long in [false, true] {
            if is_long && !kind.is_of_order {
                continue;
            }
            let memory = Memory::new();
            register(&memory, "1", "500").await.unwrap();
            (kind.prepare)(memory.clone()).await;
            (kind.make)(memory.clone()).await;
            lose(&memory, kind.event).await;
            if is_long && kind.event != "order.cancelled" {
                lengthen(&memory).await;
            }
            for _ in 0..2 {
                (kind.make)(memory.clone()).await;
                match ledger_events(&memory, kind.event).await {
                    1 => {}
                    times => lost.push((kind.event, is_long, times)),
                }
            }
        }
    }
    assert_eq!(lost, []);
}

/// A walk over the journal also enters the event, before its first place is emptied.
#[tokio::test(start_paused = true)]
async fn whoever_walks_over_the_journal_makes_sure_of_events_too() {
    for kind in KINDS {
        let memory = Memory::new();
        register(&memory, "1", "500").await.unwrap();
        (kind.prepare)(memory.clone()).await;
        (kind.make)(memory.clone()).await;
        lose(&memory, kind.event).await;
        let nobody = Erasure::Customer("2000000000000".to_owned());
        let (store, start) = (Ledger::new(memory.clone()), Cursor::default());
        let walk = store.erasures().erase(&nobody, &start, "tester");
        walk.await.unwrap();
        let events = ledger_events(&memory, kind.event).await;
        assert_eq!(events, 1, "{}", kind.event);
        (kind.make)(memory.clone()).await;
        let events = ledger_events(&memory, kind.event).await;
        assert_eq!(events, 1, "{}, once more", kind.event);
    }
}

/// A call that is refused because the change is made also makes sure of its event.
#[tokio::test(start_paused = true)]
async fn whoever_is_refused_because_a_change_is_made_makes_sure_of_its_event() {
    let memory = Memory::new();
    let first = order("1", "500");
    put(&memory, &first, Precondition::Absent).await.unwrap();
    lose(&memory, "order.registered").await;
    for _ in 0..2 {
        let again = put(&memory, &first, Precondition::Absent).await;
        assert!(matches!(again, Err(RegisterError::PreconditionFailed)));
        let events = ledger_events(&memory, "order.registered").await;
        assert_eq!(events, 1);
    }
}

/// A payer who is told that an order is paid learns that the order exists, and the caller who registered
/// it may never come again.
#[tokio::test(start_paused = true)]
async fn whoever_pays_an_order_makes_sure_of_its_registration() {
    let memory = Memory::new();
    register(&memory, "1", "500").await.unwrap();
    lose(&memory, "order.registered").await;
    let store = Ledger::new(memory.clone());
    for id in ["P1", "P1", "P2"] {
        let (service, key) = (
            ServiceId::parse("TAX").unwrap(),
            OrderKey::parse("1").unwrap(),
        );
        let order = store.orders().get(&service, &key).await.unwrap().unwrap();
        record_of(&store, &order, id, "1", "5").await.unwrap();
        let events = ledger_events(&memory, "order.registered").await;
        assert_eq!(events, 1, "{id}");
    }
}

/// A registration whose place in the order's list was passed by counts for nothing, though its event is
/// there: the order is listed by the one that came after it.
#[tokio::test(start_paused = true)]
async fn an_order_is_listed_once_whatever_became_of_its_first_registration() {
    for payments in [0, 300] {
        let memory = Memory::new();
        register(&memory, "1", "500").await.unwrap();
        let entry = memory.value("order/TAX/1/1").unwrap();
        memory.remove("order/TAX/1/1");
        let store = Ledger::new(memory.clone());
        let places = BTreeSet::from([1]);
        store.log.decide("order/TAX/1", &places).await.unwrap();
        memory.overwrite("order/TAX/1/1", entry);
        register(&memory, "1", "500").await.unwrap();
        for n in 0..payments {
            record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
        }
        for _ in 0..2 {
            let page = store
                .register()
                .read(None, 100, Span::ALWAYS, |_| true, |_| true);
            let orders = page.await.unwrap().orders;
            assert_eq!(orders.len(), 1, "{payments} payments");
            assert_eq!(orders[0].index, 2);
        }
    }
}
