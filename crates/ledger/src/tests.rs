use std::{collections::HashMap, time::Duration};

use super::{
    Intent,
    memory::{Fault, Memory},
    testing::*,
    *,
};
use crate::{
    domain::{Money, OrderKey, OrderStatus, PaymentId, Review, ServiceId, Text},
    json::{
        Event, ManualJson, OrderJson, PaymentJson, RefusalJson, SignerJson, VoidJson,
        VoidProposalJson,
    },
};

/// Payments of the journal after a cursor, and the cursor to go on from.
async fn payments(memory: &Memory, after: u64, limit: usize) -> (Vec<String>, u64) {
    let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
    let store = Ledger::new(memory.clone());
    let page = store
        .journal()
        .read(after, limit, Span::ALWAYS, wanted)
        .await
        .unwrap();
    let ids = page.entries.into_iter().map(|entry| match entry.event {
        Event::PaymentRecorded(payment) => payment.payment_id,
        other => panic!("{other:?}"),
    });
    (ids.collect(), page.next)
}

/// All payments of the journal, as far as it can be read.
pub(super) async fn ledger(memory: &Memory) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let (page, next) = payments(memory, after, 3).await;
        ids.extend(page);
        if next == after {
            return ids;
        }
        after = next;
    }
}

/// The journal's types of events, and for those of orders the version.
async fn events(memory: &Memory) -> Vec<(&'static str, u64)> {
    let store = Ledger::new(memory.clone());
    let page = store
        .journal()
        .read(0, usize::MAX, Span::ALWAYS, |_| true)
        .await
        .unwrap();
    assert_eq!(page.unreadable, []);
    let events = page.entries.into_iter().map(|entry| match entry.event {
        Event::OrderRegistered(order) => ("order.registered", order.version),
        Event::OrderAmended(order) => ("order.amended", order.version),
        Event::OrderCompleted(order) => ("order.completed", order.version),
        Event::OrderCancelled(order) => ("order.cancelled", order.version),
        Event::OrderRefunding(order) => ("order.refunding", order.version),
        Event::OrderRefunded(order) => ("order.refunded", order.version),
        Event::OrderReopened(order) => ("order.reopened", order.version),
        Event::PaymentRecorded(_) => ("payment.recorded", 0),
        Event::PaymentRefused(_) => ("payment.refused", 0),
        Event::ReviewClosed(_) => ("review.closed", 0),
        Event::SettlementImported(_) => ("settlement.imported", 0),
        Event::PaymentProposed(_) => ("payment.proposed", 0),
        Event::PaymentVoidProposed(_) => ("payment.void_proposed", 0),
        Event::PaymentVoided(_) => ("payment.voided", 0),
        Event::CardStarted(_) => ("card.started", 0),
        Event::PaymentRefunded(_) => ("payment.refunded", 0),
        Event::ReviewOpened(_) => ("review.opened", 0),
        Event::ProposalWithdrawn(_) => ("proposal.withdrawn", 0),
        Event::PaymentConfirmed(_) => ("payment.confirmed", 0),
        Event::PersonalDataErased(_) => ("personal_data.erased", 0),
    });
    events.collect()
}

/// Whether a call says that the payment is recorded, by it or before.
fn is_recorded(result: &Result<Recorded, StoreError>) -> bool {
    matches!(result, Ok(Recorded::New | Recorded::Repeated { .. }))
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_platform_contract() {
    contract::check(&Memory::new(), "test").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_recorded_once_and_its_repetition_writes_nothing() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    assert_eq!(
        record(&memory, "P", "1", "100").await.unwrap(),
        Recorded::New
    );
    memory.take_calls();
    assert_eq!(
        record(&memory, "P", "1", "100.0").await.unwrap(),
        Recorded::Repeated { alike: true }
    );
    let calls = memory.take_calls();
    assert!(
        calls.len() == 1 && calls[0].starts_with("get done/P "),
        "{calls:?}"
    );
    let (confirmation, _) = payment("P", "1", "100");
    let differs = Evidence::new(
        &secret(),
        b"<message/>",
        "P",
        b"paid at another time",
        "accepted",
    );
    let store = Ledger::new(memory.clone());
    let known = store
        .payments()
        .known(&confirmation.payment_id)
        .await
        .unwrap();
    assert_eq!(
        known.compare(&confirmation, &differs),
        Some(Recorded::Repeated { alike: false })
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 1);
    assert_eq!(memory.count("evidence/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_payment_id_with_other_content_is_a_conflict() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    register(&memory, "2", "100").await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    assert_eq!(
        record(&memory, "P", "1", "99").await.unwrap(),
        Recorded::Conflict
    );
    assert_eq!(
        record(&memory, "P", "2", "100").await.unwrap(),
        Recorded::Conflict
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "2").await.unwrap().payments.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_calls_at_once_record_one_payment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let calls = (0..32).map(|_| record(&memory, "P", "1", "100"));
    let results = futures::future::join_all(calls).await;
    assert!(results.iter().all(is_recorded), "{results:?}");
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Recorded::New)))
            .count(),
        1
    );
    assert_eq!(ledger(&memory).await, ["P"]);
    assert_eq!(stored(&memory, "1").await.unwrap().payments.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_contents_at_once_one_is_the_payment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let (a, b) = tokio::join!(
        record(&memory, "P", "1", "60"),
        record(&memory, "P", "1", "70")
    );
    let outcomes = [a.unwrap(), b.unwrap()];
    assert!(
        outcomes.contains(&Recorded::New) && outcomes.contains(&Recorded::Conflict),
        "{outcomes:?}"
    );
    assert_eq!(ledger(&memory).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn two_payments_of_sixty_for_a_hundred_give_one_overpayment() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let (a, b) = tokio::join!(
        record(&memory, "P", "1", "60"),
        record(&memory, "Q", "1", "60")
    );
    assert_eq!((a.unwrap(), b.unwrap()), (Recorded::New, Recorded::New));
    let state = stored(&memory, "1").await.unwrap().state;
    let over: Vec<_> = state
        .payments()
        .iter()
        .filter(|p| p.review.contains(&Review::OverPaid))
        .collect();
    assert_eq!(over.len(), 1);
    assert_eq!(state.amount_paid(), Money::parse("120").unwrap());
    assert_eq!(state.amount_due(memory.now()), Some(Money::ZERO));
}

/// What can happen to a call.
const FAULTS: [Fault; 6] = [
    Fault::Cut,
    Fault::CutAfter,
    Fault::Fail,
    Fault::Drop,
    // Longer than anybody waits.
    Fault::Delay(Duration::from_secs(3)),
    Fault::Delay(Duration::from_secs(45)),
];

/// Wherever a call is cut off, fails or loses its answer, repeating it ends in one payment.
#[tokio::test(start_paused = true)]
async fn a_recording_stopped_between_any_two_calls_is_finished_by_repetition() {
    for fault in FAULTS {
        for position in 0..=WRITE_MARKER {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            spoil(&memory, position, fault);
            let _ = tokio::time::timeout(Duration::from_secs(50), record(&memory, "P", "1", "100"))
                .await;
            memory.script([]);
            let mut tries = 0;
            while !is_recorded(&record(&memory, "P", "1", "100").await) {
                tries += 1;
                assert!(tries < 30, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            // A hole that was left in the ledger holds readers up until it is dead.
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert_eq!(ledger(&memory).await, ["P"], "{fault:?} at {position}");
            let stored = stored(&memory, "1").await.unwrap();
            assert_eq!(stored.state.amount_paid(), Money::parse("100").unwrap());
            assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
            assert_eq!(memory.count("evidence/"), 1);
            let kept = payment_of(&memory, "P").await.unwrap();
            assert_eq!(
                kept.answer.unwrap(),
                b"<answer/>",
                "{fault:?} at {position}"
            );
            assert_eq!(kept.request.unwrap(), b"<message/>");
        }
    }
}

/// The same for whoever finishes what another has begun.
#[tokio::test(start_paused = true)]
async fn the_end_of_an_abandoned_recording_can_be_abandoned_too() {
    const CALLS: usize = 4;
    let abandoned = async |position| {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        spoil(&memory, position, Fault::CutAfter);
        let cut = record(&memory, "P", "1", "100");
        let cut = tokio::time::timeout(Duration::from_secs(1), cut).await;
        assert!(cut.is_err());
        tokio::time::sleep(Duration::from_secs(61)).await;
        memory.script([]);
        memory.take_calls();
        memory
    };
    let memory = abandoned(WRITE_ENTRIES).await;
    record(&memory, "P", "1", "100").await.unwrap();
    assert_eq!(memory.take_calls().len(), CALLS);
    for begun in TAKE_ATTEMPT..=LOOK_FOR_CONTESTS {
        for fault in FAULTS {
            for position in 0..18 {
                let memory = abandoned(begun).await;
                spoil(&memory, position, fault);
                let second = record(&memory, "P", "1", "100");
                let _ = tokio::time::timeout(Duration::from_secs(50), second).await;
                memory.script([]);
                let mut tries = 0;
                while !is_recorded(&record(&memory, "P", "1", "100").await) {
                    tries += 1;
                    assert!(tries < 30, "{fault:?} at {position} after {begun}");
                    tokio::time::sleep(Duration::from_secs(7)).await;
                }
                tokio::time::sleep(Duration::from_secs(61)).await;
                assert_eq!(
                    ledger(&memory).await,
                    ["P"],
                    "{fault:?} at {position} after {begun}"
                );
                let stored = stored(&memory, "1").await.unwrap();
                assert_eq!(stored.state.amount_paid(), Money::parse("100").unwrap());
            }
        }
    }
}

async fn payment_of(memory: &Memory, id: &str) -> Option<Proof<StoredPayment>> {
    let id = PaymentId::parse(id).unwrap();
    Ledger::new(memory.clone())
        .payments()
        .proof(&id)
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_shown_once_it_is_recorded_with_the_answer_that_says_so() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    spoil(&memory, WRITE_MARKER, Fault::Cut);
    let cut = tokio::time::timeout(Duration::from_secs(1), record(&memory, "P", "1", "60")).await;
    assert!(cut.is_err());
    memory.script([]);
    assert_eq!(payment_of(&memory, "P").await, None);
    // Another content finishes the recording of the first, and is refused.
    tokio::time::sleep(Duration::from_secs(62)).await;
    assert_eq!(
        record(&memory, "P", "1", "70").await.unwrap(),
        Recorded::Conflict
    );
    let kept = payment_of(&memory, "P").await.unwrap();
    let answer = Some(b"<answer/>".to_vec());
    assert_eq!((kept.stored.index, kept.answer), (2, answer));
    assert_eq!(kept.stored.payment.amount, "60");
}

/// The calls of a recording, in their order, for scripts of faults.
const TAKE_ATTEMPT: usize = 1;
const WRITE_ENTRIES: usize = 4;
const LOOK_FOR_CONTESTS: usize = 5;
const WRITE_MARKER: usize = 6;

/// Lets one call of the next recording go wrong.
fn spoil(memory: &Memory, position: usize, fault: Fault) {
    memory.script(std::iter::repeat_n(Fault::None, position).chain([fault]));
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_recording_are_these() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.take_calls();
    record(&memory, "P", "1", "100").await.unwrap();
    let calls = memory.take_calls();
    assert_eq!(calls.len(), WRITE_MARKER + 1);
    for (position, call) in [
        (TAKE_ATTEMPT, "increment payment/P"),
        (TAKE_ATTEMPT + 1, "increment order/TAX/1"),
        (TAKE_ATTEMPT + 2, "increment journal"),
        (WRITE_ENTRIES, "set evidence/"),
        (
            LOOK_FOR_CONTESTS,
            "get contest/journal/0 contest/order/TAX/1/0 contest/payment/P/0",
        ),
        (WRITE_MARKER, "set done/P"),
    ] {
        assert!(calls[position].starts_with(call), "{position}: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_not_noticed() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.script([
        Fault::Fail,
        Fault::None,
        Fault::Drop,
        Fault::None,
        Fault::Fail,
    ]);
    assert_eq!(
        record(&memory, "P", "1", "100").await.unwrap(),
        Recorded::New
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_ledger_passes_nobody_by() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "A", "1", "10").await.unwrap();
    // B takes its place in the journal, but writes it only ten seconds later.
    spoil(
        &memory,
        WRITE_ENTRIES,
        Fault::Delay(Duration::from_secs(10)),
    );
    let meanwhile = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "C", "1", "10").await.unwrap();
        payments(&memory, 0, 10).await
    };
    let (slow, (ids, next)) = tokio::join!(record(&memory, "B", "1", "10"), meanwhile);
    assert_eq!(slow.unwrap(), Recorded::New);
    assert_eq!(ids, ["A"], "C is not shown before B");
    assert_eq!(payments(&memory, next, 10).await.0, ["B", "C"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_the_journal_passes_no_change_and_no_refusal_by() {
    let memory = Memory::new();
    let wait = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    // Each call takes its place, and writes it only ten seconds later; another comes meanwhile.
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        register(&memory, "2", "100").await.unwrap();
        assert_eq!(events(&memory).await, []);
    };
    let (slow, ()) = tokio::join!(register(&memory, "1", "100"), meanwhile);
    slow.unwrap();
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        assert!(refuse(&memory, "Q").await);
        assert_eq!(events(&memory).await.len(), 2);
    };
    let (slow, ()) = tokio::join!(set(&memory, "1", Some("Cancelled")), meanwhile);
    slow.unwrap();
    spoil(&memory, 2, Fault::Delay(Duration::from_secs(10)));
    let meanwhile = async {
        wait(1).await;
        set(&memory, "1", None).await.unwrap();
        assert_eq!(events(&memory).await.len(), 4);
    };
    let (slow, ()) = tokio::join!(refuse(&memory, "R"), meanwhile);
    assert!(slow);
    assert_eq!(
        events(&memory).await,
        [
            ("order.registered", 1),
            ("order.registered", 1),
            ("order.cancelled", 2),
            ("payment.refused", 0),
            ("payment.refused", 0),
            ("order.reopened", 3),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_was_left_before_its_marker_is_finished_by_a_reader() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    spoil(&memory, WRITE_MARKER, Fault::Cut);
    let cut = tokio::time::timeout(Duration::from_secs(1), record(&memory, "P", "1", "100")).await;
    assert!(cut.is_err());
    memory.script([]);
    refuse(&memory, "Q").await;
    let all = [
        ("order.registered", 1),
        ("payment.recorded", 0),
        ("payment.refused", 0),
    ];
    assert_eq!(events(&memory).await, all, "whoever reads finishes it");
    let store = Ledger::new(memory.clone());
    let refused = |event: &Event| matches!(event, Event::PaymentRefused(_));
    let page = store
        .journal()
        .read(0, 10, Span::ALWAYS, refused)
        .await
        .unwrap();
    assert_eq!((page.entries.len(), page.next), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_for_what_is_rare_reads_a_fixed_part_and_comes_on() {
    let memory = Memory::new();
    for n in 0..1100 {
        register(&memory, &n.to_string(), "1").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(200)).await;
    let since = Span {
        from: Some(memory.now()),
        to: None,
    };
    record(&memory, "P", "7", "1").await.unwrap();
    record(&memory, "Q", "8", "1").await.unwrap();
    let store = Ledger::new(memory.clone());
    let page = store.journal().read(0, 10, since, |_| true).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, 1024));
    let page = store
        .journal()
        .read(1024, 10, since, |_| true)
        .await
        .unwrap();
    assert_eq!((page.entries.len(), page.next), (2, 1102));
    memory.take_calls();
    assert_eq!(payments(&memory, 0, 10).await, (vec![], 1024));
    assert_eq!(memory.take_calls().len(), 4);
    assert_eq!(
        payments(&memory, 1024, 1).await,
        (vec!["P".to_owned()], 1101)
    );
    assert_eq!(
        payments(&memory, 1101, 1).await,
        (vec!["Q".to_owned()], 1102)
    );
    assert_eq!(payments(&memory, 1102, 1).await, (vec![], 1102));
    assert_eq!(payments(&memory, 5000, 1).await, (vec![], 5000));
}

#[tokio::test(start_paused = true)]
async fn a_dead_hole_stops_no_reader() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    memory.increment("journal", 1).await.unwrap();
    record(&memory, "A", "1", "10").await.unwrap();
    assert_eq!(payments(&memory, 0, 10).await, (vec![], 1));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(ledger(&memory).await, ["A"]);
}

#[tokio::test(start_paused = true)]
async fn orders_are_created_amended_and_left_alone() {
    let memory = Memory::new();
    assert_eq!(
        register(&memory, "1", "100").await.unwrap(),
        Registered::Created
    );
    assert_eq!(
        register(&memory, "1", "100.00").await.unwrap(),
        Registered::Unchanged
    );
    assert_eq!(
        register(&memory, "1", "120").await.unwrap(),
        Registered::Amended
    );
    let stored = stored(&memory, "1").await.unwrap();
    assert_eq!((stored.version, stored.state.versions().len()), (2, 2));
    assert_eq!(
        stored.state.amount_due(memory.now()),
        Some(Money::parse("120").unwrap())
    );
    assert_eq!(
        events(&memory).await,
        [("order.registered", 1), ("order.amended", 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_differs_only_in_case_or_spaces_is_refused() {
    let memory = Memory::new();
    register(&memory, "Ab 1", "100").await.unwrap();
    for key in ["ab1", "AB 1", "a b1"] {
        let error = register(&memory, key, "100").await.unwrap_err();
        assert!(matches!(error, RegisterError::KeyTaken(known) if known.as_str() == "Ab 1"));
        assert!(stored(&memory, key).await.is_none());
    }
    let (a, b) = tokio::join!(register(&memory, "x", "1"), register(&memory, "X", "1"));
    assert_eq!(
        a.is_ok() as u8 + b.is_ok() as u8,
        1,
        "one of two at once wins"
    );
    let (winner, loser) = if a.is_ok() { ("x", "X") } else { ("X", "x") };
    assert!(stored(&memory, winner).await.is_some() && stored(&memory, loser).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn preconditions_hold_or_nothing_changes() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let failed = |result| matches!(result, Err(RegisterError::PreconditionFailed));
    assert!(failed(
        put(&memory, &order("1", "90"), Precondition::Absent).await
    ));
    assert!(failed(
        put(&memory, &order("1", "90"), Precondition::Versions(vec![7])).await
    ));
    assert!(failed(
        put(&memory, &order("2", "90"), Precondition::Versions(vec![0])).await
    ));
    // Two editors of the same version: one loses, and is told.
    let (nineties, eighties) = (order("1", "90"), order("1", "80"));
    let (a, b) = tokio::join!(
        put(&memory, &nineties, Precondition::Versions(vec![1])),
        put(&memory, &eighties, Precondition::Versions(vec![1])),
    );
    assert_eq!(a.is_ok() as u8 + b.is_ok() as u8, 1);
    assert_eq!(
        stored(&memory, "1").await.unwrap().state.versions().len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_payment_for_an_older_version_is_flagged() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let mut amended = order_json("1", "100");
    amended.lines[0].line_id = Some("other".into());
    let amended = amended.to_order().unwrap();
    put(&memory, &amended, Precondition::None).await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    let state = stored(&memory, "1").await.unwrap().state;
    assert_eq!(state.payments()[0].review, [Review::Amended]);
    assert_eq!(state.status(memory.now()), OrderStatus::Paid);
}

/// Whoever signs is written down once, with the first message, and no call is made for it.
#[tokio::test(start_paused = true)]
async fn the_certificate_of_a_signer_is_kept_once() {
    let (mpay, renewed) = (("aa", b"mpay".as_slice()), ("bb", b"renewed".as_slice()));
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    register(&memory, "1", "100").await.unwrap();
    memory.take_calls();
    for (id, signer, new) in [
        ("P", &mpay, true),
        ("Q", &mpay, false),
        ("R", &renewed, true),
    ] {
        let (confirmation, mut json) = payment(id, "1", "10");
        let evidence = Evidence::new(&secret(), b"<m/>", id, b"", "accepted")
            .signed_by(signer.0.to_owned(), signer.1);
        json.evidence = evidence.id().to_owned();
        json.signer.as_mut().unwrap().fingerprint = signer.0.to_owned();
        store
            .payments()
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await
            .unwrap();
        let calls = memory.take_calls();
        assert_eq!(calls.len(), WRITE_MARKER + 1, "{calls:?}");
        let certificate = format!("certificate/{}", signer.0);
        assert_eq!(
            calls[WRITE_ENTRIES].contains(&certificate),
            new,
            "{calls:?}"
        );
        let proof = store
            .payments()
            .proof(&PaymentId::parse(id).unwrap())
            .await
            .unwrap();
        assert_eq!(proof.unwrap().certificate.as_deref(), Some(signer.1));
        memory.take_calls();
    }
    let refused = Evidence::new(&secret(), b"<m/>", "S", b"", "InvalidParameter")
        .signed_by("bb".to_owned(), b"renewed");
    store
        .refusals()
        .keep(&refusal("S", &refused), &refused, None)
        .await
        .unwrap();
    assert_eq!(memory.count("certificate/"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_kept_with_its_messages_once() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    assert!(refuse(&memory, "P").await);
    assert!(!refuse(&memory, "P").await);
    let store = Ledger::new(memory.clone());
    let proof = store.refusals().proof(2).await.unwrap().unwrap();
    assert_eq!(proof.request.as_deref(), Some(&b"<message/>"[..]));
    assert_eq!(proof.answer.as_deref(), Some(&b"<fault/>"[..]));
    assert_eq!((proof.unsigned, proof.certificate), (None, None));
    assert_eq!(
        (proof.stored.index, proof.stored.recorded_at),
        (2, memory.now())
    );
    for index in [0, 1, 3] {
        assert!(
            store.refusals().proof(index).await.unwrap().is_none(),
            "{index}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_needs_somebody_however_long_ago_it_came() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    let calls = store.mpay_calls();
    let ids = |refusals: &[StoredRefusal]| {
        let ids = refusals.iter();
        let ids = ids.filter_map(|refusal| refusal.refusal.payment_id.clone());
        ids.collect::<Vec<_>>()
    };
    register(&memory, "1", "100").await.unwrap();
    let nothing = calls.read().await.unwrap();
    assert!(nothing.is_complete && nothing.open.is_empty() && nothing.recorded.is_none());
    refuse(&memory, "OLD").await;
    refuse(&memory, "LATER").await;
    record(&memory, "P", "1", "5").await.unwrap();
    for number in 0..600 {
        register(&memory, &format!("O-{number}"), "1")
            .await
            .unwrap();
    }
    let found = calls.read().await.unwrap();
    assert_eq!(ids(&found.open), ["LATER", "OLD"]);
    let last = found.recorded.map(|(_, payment)| payment.payment_id);
    assert_eq!(last.as_deref(), Some("P"));
    // Only what came since is read again.
    memory.take_calls();
    assert_eq!(ids(&calls.read().await.unwrap().open), ["LATER", "OLD"]);
    let again = memory.take_calls();
    assert!(again.len() < 16, "{}", again.join("\n"));
    // What is recorded after all needs nobody.
    record(&memory, "LATER", "1", "5").await.unwrap();
    let found = calls.read().await.unwrap();
    assert_eq!(ids(&found.open), ["OLD"]);
    assert_eq!(ids(&found.latest), ["LATER", "OLD"]);
    // Of very many the newest are known, and the others once those are closed.
    for number in 0..120 {
        refuse(&memory, &format!("R{number}")).await;
    }
    let found = calls.read().await.unwrap();
    assert_eq!((found.open.len(), found.has_more), (100, true));
    assert_eq!(ids(&found.open)[0], "R119");
    assert_eq!(found.latest.len(), 10);
    let note = Text::parse("settled").unwrap();
    for refusal in found.open {
        let closed = store.refusals().close(refusal.index, &note, "ana");
        closed.await.unwrap();
    }
    let found = calls.read().await.unwrap();
    assert!(found.open.is_empty() && found.has_more && !found.is_complete);
    let found = calls.read().await.unwrap();
    assert_eq!((found.open.len(), found.has_more), (21, false));
    assert_eq!(ids(&found.open)[20], "OLD");
    assert!(found.is_complete);
    // A damaged note costs the walk, and takes nothing away.
    memory.overwrite("note/mpay-calls", b"{".to_vec());
    let found = calls.read().await.unwrap();
    assert_eq!(ids(&found.open)[20], "OLD");
}

/// Refuses a confirmation; whether it was not refused before.
pub(super) async fn refuse(memory: &Memory, id: &str) -> bool {
    try_to_refuse(memory, id).await.unwrap()
}

async fn try_to_refuse(memory: &Memory, id: &str) -> Result<bool, StoreError> {
    let evidence = Evidence::new(&secret(), b"<message/>", id, b"content", "InvalidParameter");
    let store = Ledger::new(memory.clone());
    let new = store
        .refusals()
        .keep(&refusal(id, &evidence), &evidence, Some(b"<fault/>"))
        .await?;
    assert_eq!(
        store.messages().get(evidence.id()).await.unwrap().unwrap(),
        b"<message/>"
    );
    Ok(new)
}

fn refusal(id: &str, evidence: &Evidence<'_>) -> RefusalJson {
    RefusalJson {
        payment_id: Some(id.to_owned()),
        service_id: None,
        order_key: None,
        code: "InvalidParameter".into(),
        reason: "wrong".into(),
        received_at: "2026-06-01T12:00:00+03:00".into(),
        signer: SignerJson {
            subject: "CN=MPay".into(),
            fingerprint: "00".into(),
            algorithm: "rsa-sha1".into(),
        },
        evidence: evidence.id().to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_registration_stopped_between_any_two_calls_is_finished_by_repetition() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let calls = memory.take_calls().len();
    for fault in FAULTS {
        for position in 0..calls {
            let memory = Memory::new();
            spoil(&memory, position, fault);
            let first = register(&memory, "1", "100");
            let _ = tokio::time::timeout(Duration::from_secs(50), first).await;
            memory.script([]);
            let mut tries = 0;
            while register(&memory, "1", "100").await.is_err() {
                tries += 1;
                assert!(tries < 20, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            let stored = stored(&memory, "1").await.unwrap();
            assert_eq!(stored.state.versions().len(), 1, "{fault:?} at {position}");
            let events = settled_events(&memory).await;
            assert!(
                matches!(events[..], [("order.registered", _)]),
                "{events:?}, {fault:?} at {position}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stopped_between_any_two_calls_is_kept_by_repetition() {
    let memory = Memory::new();
    refuse(&memory, "P").await;
    let calls = memory.take_calls().len();
    for fault in FAULTS {
        for position in 0..calls {
            let memory = Memory::new();
            spoil(&memory, position, fault);
            let first = try_to_refuse(&memory, "P");
            let _ = tokio::time::timeout(Duration::from_secs(50), first).await;
            memory.script([]);
            refuse(&memory, "P").await;
            assert_eq!(memory.count("evidence/"), 1, "{fault:?} at {position}");
            let events = settled_events(&memory).await;
            assert_eq!(events, [("payment.refused", 0)], "{fault:?} at {position}");
        }
    }
}

/// The events so far, read once all holes among them are known to be dead.
async fn settled_events(memory: &Memory) -> Vec<(&'static str, u64)> {
    tokio::time::sleep(Duration::from_secs(61)).await;
    register(memory, "later", "1").await.unwrap();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let mut events = events(memory).await;
    assert_eq!(events.pop(), Some(("order.registered", 1)));
    events
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_kept_once() {
    let memory = Memory::new();
    assert!(refuse(&memory, "P").await);
    assert!(!refuse(&memory, "P").await);
    assert_eq!(events(&memory).await, [("payment.refused", 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_denies_is_not_asked_again() {
    struct Denied(std::cell::Cell<u32>);
    impl Platform for Denied {
        async fn get_many(&self, _: &[String]) -> Result<HashMap<String, Vec<u8>>, PlatformError> {
            self.0.set(self.0.get() + 1);
            Err(PlatformError::Denied("no".into()))
        }
        async fn set_many(&self, _: &[(String, Vec<u8>)]) -> Result<(), PlatformError> {
            Err(PlatformError::Denied("no".into()))
        }
        async fn increment(&self, _: &str, _: u64) -> Result<u64, PlatformError> {
            Err(PlatformError::Denied("no".into()))
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn random(&self) -> u64 {
            0
        }
        async fn sleep(&self, _: Duration) {}
    }
    let store = Ledger::new(Denied(Default::default()));
    assert!(store.messages().get("x").await.is_err());
    assert_eq!(store.platform().0.get(), 1);
}

/// What a call of an order costs, once it has some payments.
async fn cost_of_an_order(payments: u64) -> [usize; 3] {
    let memory = Memory::new();
    register(&memory, "1", "1000000").await.unwrap();
    for n in 0..payments {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
        if n % 20 == 0 {
            // As a confirmation does.
            stored(&memory, "1").await.unwrap();
        }
    }
    stored(&memory, "1").await.unwrap();
    memory.take_calls();
    let seen = stored(&memory, "1").await.unwrap();
    let read = memory.take_calls().len();
    let total = Money::parse(&payments.to_string()).unwrap();
    assert_eq!(seen.state.amount_paid(), total);
    assert_eq!(seen.state.payment_count, payments);
    assert!(seen.payments.len() <= 129, "{}", seen.payments.len());
    record(&memory, "last", "1", "1").await.unwrap();
    let paid = memory.take_calls().len();
    let page = Ledger::new(memory.clone());
    let page = page
        .journal()
        .read(payments / 2, 100, Span::ALWAYS, |_| true)
        .await
        .unwrap();
    memory.take_calls();
    let listed = Ledger::new(memory.clone())
        .payments()
        .of(page.entries)
        .await;
    let listed = listed.unwrap();
    assert!(
        listed
            .iter()
            .all(|payment| payment.state.review == [Review::UnderPaid])
    );
    [read, paid, memory.take_calls().len()]
}

#[tokio::test(start_paused = true)]
async fn an_order_of_thousands_of_payments_costs_no_more_than_one_of_hundreds() {
    let (few, many) = (cost_of_an_order(600).await, cost_of_an_order(3000).await);
    assert_eq!(few[..2], many[..2]);
    assert!(many[2] <= 24, "a hundred old payments: {many:?}");
    assert_eq!(
        few[0], 5,
        "the list, what is kept, two parts, the markers and the latest version"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_of_a_long_order_says_what_the_whole_list_does() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for n in 0..400 {
        if n % 90 == 40 {
            // A hole, of a writer that died.
            memory.increment("order/TAX/1", 1).await.unwrap();
        }
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    let kept = stored(&memory, "1").await.unwrap();
    // Without anything kept, and nothing settled but by reading.
    for segment in 1..10 {
        memory.remove(&format!("fold/order/TAX/1/{segment}"));
    }
    let whole = stored(&memory, "1").await.unwrap();
    assert_eq!(kept.state.summary(), whole.state.summary());
    assert_eq!(kept.payments, whole.payments);
    assert_eq!((kept.version, kept.latest), (whole.version, whole.latest));
    // What is damaged or of another version is folded again.
    for damage in ["", "{}", r#"{"v":9}"#] {
        memory.overwrite("fold/order/TAX/1/5", damage.into());
        let again = stored(&memory, "1").await.unwrap();
        assert_eq!(again.state.summary(), whole.state.summary());
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_in_which_something_is_pending_is_not_kept() {
    let memory = Memory::new();
    register(&memory, "1", "1000").await.unwrap();
    for n in 0..60 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    // Somebody takes a place, and is slow.
    let place = memory.increment("order/TAX/1", 1).await.unwrap();
    for n in 60..300 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    stored(&memory, "1").await.unwrap();
    assert_eq!(memory.count("fold/"), 0);
    let slow = order("1", "77");
    let slow = serde_json::to_string(&OrderJson::from(&slow)).unwrap();
    let entry = format!(r#"{{"v":1,"at":"2026-06-01T09:00:00Z","entry":{{"version":{slow}}}}}"#);
    memory.overwrite(&format!("order/TAX/1/{place}"), entry.into());
    let seen = stored(&memory, "1").await.unwrap();
    assert_eq!(
        seen.state.order().unwrap().total(),
        Some(Money::parse("77").unwrap())
    );
    assert!(memory.count("fold/") > 0);
}

#[tokio::test(start_paused = true)]
async fn an_old_payment_of_a_long_order_is_shown_as_it_is() {
    let memory = Memory::new();
    register(&memory, "1", "1").await.unwrap();
    for n in 0..300 {
        record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
    }
    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P7").unwrap();
    let old = store.payments().get(&id).await.unwrap().unwrap();
    assert_eq!(old.state.review, [Review::Double]);
    close(&memory, "P7", Review::Double).await.unwrap();
    let old = store.payments().get(&id).await.unwrap().unwrap();
    assert_eq!((old.state.review.len(), old.state.closed.len()), (0, 1));
    let open = stored(&memory, "1")
        .await
        .unwrap()
        .state
        .open_reviews
        .clone();
    assert!(open.contains(&(Review::Double, 298)), "{open:?}");
}

/// Sets a status, or takes it back, on the order as it is.
pub(super) async fn set(
    memory: &Memory,
    key: &str,
    status: Option<&str>,
) -> Result<Registered, RegisterError> {
    let first = order(key, "1");
    Ledger::new(memory.clone())
        .orders()
        .change(
            &first.service_id,
            &first.order_key,
            Precondition::None,
            Some("tester"),
            |state| {
                let mut json = OrderJson::from(state.order().unwrap());
                json.status = status.map(str::to_owned);
                json.refund_reference = (status == Some("Refunded")).then(|| "PO 7".to_owned());
                Ok(json.to_order().unwrap())
            },
        )
        .await
}

#[tokio::test(start_paused = true)]
async fn an_amendment_is_judged_by_the_payment_that_came_before_it() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    // The amendment has read an order that is not paid, and takes its index after the payment.
    memory.script([Fault::None, Fault::Delay(Duration::from_secs(5))]);
    let payment = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "P", "1", "100").await
    };
    let (amended, paid) = tokio::join!(register(&memory, "1", "120"), payment);
    assert_eq!(paid.unwrap(), Recorded::New);
    assert!(
        matches!(amended, Err(RegisterError::Refused(_))),
        "{amended:?}"
    );
    let stored = stored(&memory, "1").await.unwrap();
    assert_eq!((stored.version, stored.state.versions().len()), (2, 1));
    assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_the_payment_before_it_or_passes_it_by() {
    for (seconds, waits) in [(0.5, true), (10.0, false)] {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        spoil(
            &memory,
            WRITE_ENTRIES,
            Fault::Delay(Duration::from_secs_f64(seconds)),
        );
        let change = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let begun = memory.now();
            let changed = set(&memory, "1", Some("Cancelled")).await;
            let took = memory.now().duration_since(begun);
            assert!(took.as_millis() < 3000, "{took}");
            changed
        };
        let (paid, cancelled) = tokio::join!(record(&memory, "P", "1", "100"), change);
        assert_eq!(paid.unwrap(), Recorded::New);
        let stored = stored(&memory, "1").await.unwrap();
        let payment = &stored.state.payments()[0];
        if waits {
            assert!(matches!(cancelled, Err(RegisterError::Refused(_))));
            assert_eq!(stored.state.status(memory.now()), OrderStatus::Paid);
            assert_eq!(payment.review, []);
        } else {
            // Its place was passed by as dead; the money is entered behind, and flagged.
            assert_eq!(cancelled.unwrap(), Registered::Amended);
            assert_eq!(stored.state.status(memory.now()).as_str(), "Cancelled");
            assert_eq!(payment.review, [Review::Late]);
        }
        assert_eq!(stored.state.payments().len(), 1);
        assert_eq!(ledger(&memory).await, ["P"]);
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_transitions_at_once_only_a_way_through_the_table_is_taken() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "P", "1", "100").await.unwrap();
    let wanted = ["Completed", "Refunding", "Refunded", "Cancelled"];
    let calls = (0..32).map(|n| set(&memory, "1", Some(wanted[n % wanted.len()])));
    let results = futures::future::join_all(calls).await;
    for result in &results {
        assert!(
            matches!(
                result,
                Ok(Registered::Amended | Registered::Unchanged)
                    | Err(RegisterError::Refused(_) | RegisterError::Busy)
            ),
            "{result:?}"
        );
    }
    let stored = stored(&memory, "1").await.unwrap();
    let way: Vec<_> = stored
        .state
        .versions()
        .iter()
        .map(|order| order.set_status.map_or("Paid", |status| status.as_str()))
        .collect();
    let whole = ["Paid", "Completed", "Refunding", "Refunded"];
    assert!(
        way.len() > 1 && way.is_sorted_by_key(|word| whole.iter().position(|w| w == word)),
        "{way:?}"
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| matches!(result, Ok(Registered::Amended)))
            .count(),
        way.len() - 1,
        "whoever was told that it worked has a version"
    );
}

/// Wherever a cancellation is cut off, fails or loses its answer, repeating it cancels once.
#[tokio::test(start_paused = true)]
async fn a_cancellation_stopped_between_any_two_calls_is_finished_by_repetition() {
    for fault in FAULTS {
        for position in 0..4 {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            spoil(&memory, position, fault);
            let cancel = set(&memory, "1", Some("Cancelled"));
            let _ = tokio::time::timeout(Duration::from_secs(50), cancel).await;
            memory.script([]);
            let mut tries = 0;
            while set(&memory, "1", Some("Cancelled")).await.is_err() {
                tries += 1;
                assert!(tries < 20, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            let stored = stored(&memory, "1").await.unwrap();
            assert_eq!(stored.state.versions().len(), 2, "{fault:?} at {position}");
            assert_eq!(stored.state.status(memory.now()).as_str(), "Cancelled");
            tokio::time::sleep(Duration::from_secs(61)).await;
            register(&memory, "2", "1").await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
            let events = events(&memory).await;
            let [first, second, _] = events[..] else {
                panic!("an event for each change: {events:?}, {fault:?} at {position}");
            };
            assert_eq!(first, ("order.registered", 1));
            assert_eq!(second.0, "order.cancelled");
        }
    }
}

/// Asks for an order under a generated key; its key, if it worked.
async fn create(
    memory: &Memory,
    request: &str,
    amount: &str,
) -> Result<String, CreateError<std::convert::Infallible>> {
    Ledger::new(memory.clone())
        .requests()
        .create(
            &ServiceId::parse("TAX").unwrap(),
            "tester",
            request,
            amount.as_bytes(),
            |key| Ok(order(key.as_str(), amount)),
        )
        .await
        .map(|key| key.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_request_makes_one_order_however_often_it_comes() {
    let memory = Memory::new();
    let key = create(&memory, "a", "10").await.unwrap();
    assert_eq!(create(&memory, "a", "10").await.unwrap(), key);
    assert!(matches!(
        create(&memory, "a", "11").await,
        Err(CreateError::OtherContent)
    ));
    assert_ne!(create(&memory, "b", "10").await.unwrap(), key);
    assert_eq!(events(&memory).await.len(), 2);
    // Also after it was amended.
    register(&memory, &key, "20").await.unwrap();
    assert_eq!(create(&memory, "a", "10").await.unwrap(), key);
    let stored = stored(&memory, &key).await.unwrap();
    assert_eq!(stored.state.versions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_many_times_at_once_makes_one_order() {
    let memory = Memory::new();
    let calls = (0..16).map(|_| create(&memory, "a", "10"));
    let results = futures::future::join_all(calls).await;
    let keys: Vec<_> = results.iter().flatten().collect();
    assert!(!keys.is_empty());
    assert!(keys.iter().all(|key| *key == keys[0]), "{results:?}");
    let key = create(&memory, "a", "10").await.unwrap();
    assert_eq!(key, *keys[0]);
    assert_eq!(
        stored(&memory, &key).await.unwrap().state.versions().len(),
        1
    );
    let others = memory.count("order/TAX/");
    let voids = stored(&memory, &key).await.unwrap().length;
    assert_eq!(others as u64, voids, "no other order was begun");
}

#[tokio::test(start_paused = true)]
async fn a_request_stopped_between_any_two_calls_is_finished_by_repetition() {
    // The secret is read by itself.
    const CALLS: usize = 11;
    let memory = Memory::new();
    create(&memory, "a", "10").await.unwrap();
    assert_eq!(memory.take_calls().len(), CALLS);
    for fault in FAULTS {
        for position in 0..CALLS {
            let memory = Memory::new();
            spoil(&memory, position, fault);
            let first = create(&memory, "a", "10");
            let first = tokio::time::timeout(Duration::from_secs(50), first).await;
            memory.script([]);
            let mut tries = 0;
            let key = loop {
                match create(&memory, "a", "10").await {
                    Ok(key) => break key,
                    Err(_) => tries += 1,
                }
                assert!(tries < 20, "{fault:?} at {position}");
                tokio::time::sleep(Duration::from_secs(7)).await;
            };
            if let Ok(Ok(first)) = first {
                assert_eq!(first, key, "{fault:?} at {position}");
            }
            let stored = stored(&memory, &key).await.unwrap();
            assert_eq!(stored.state.versions().len(), 1, "{fault:?} at {position}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_generated_key_is_not_one_that_is_taken() {
    let memory = Memory::new();
    memory.script_random([1]);
    let first = create(&memory, "a", "10").await.unwrap();
    memory.script_random([1, 1, 2]);
    let second = create(&memory, "b", "10").await.unwrap();
    assert_ne!(first, second);
    // Somebody registers an order under the key between the claim and the registration.
    let taken = OrderKey::generated(3);
    memory.script_random([3]);
    spoil(&memory, 4, Fault::Delay(Duration::from_secs(5)));
    let other = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        register(&memory, taken.as_str(), "99").await
    };
    let (lost, other) = tokio::join!(create(&memory, "c", "10"), other);
    assert_eq!(other.unwrap(), Registered::Created);
    assert!(matches!(lost, Err(CreateError::KeyLost)), "{lost:?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_claims_of_a_request_one_counts_for_all() {
    let memory = Memory::new();
    // Its calls: read the claims, look whether the key is free, take an index, write the claim.
    spoil(&memory, 3, Fault::Delay(Duration::from_secs(5)));
    let later = |seconds| {
        let memory = &memory;
        async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            create(memory, "a", "10").await
        }
    };
    let (first, second, third) = tokio::join!(create(&memory, "a", "10"), later(1), later(2));
    let first = first.unwrap();
    assert_eq!((second.unwrap(), third.unwrap()), (first.clone(), first));
    assert_eq!(events(&memory).await.len(), 1);
}

pub(super) async fn close(memory: &Memory, id: &str, review: Review) -> Result<(), CloseError> {
    let id = PaymentId::parse(id).unwrap();
    let note = Text::parse("looked at").unwrap();
    Ledger::new(memory.clone())
        .reviews()
        .close(&id, review, &note, "me")
        .await
}

async fn closed(memory: &Memory) -> usize {
    let events = events(memory).await;
    events
        .iter()
        .filter(|event| event.0 == "review.closed")
        .count()
}

#[tokio::test(start_paused = true)]
async fn of_many_who_close_a_review_one_does() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    record(&memory, "P", "1", "120").await.unwrap();
    assert!(matches!(
        close(&memory, "P", Review::Late).await,
        Err(CloseError::NotOpen { open }) if open == [Review::OverPaid]
    ));
    let closers = (0..16).map(|_| close(&memory, "P", Review::OverPaid));
    let results = futures::future::join_all(closers).await;
    assert!(results.iter().any(Result::is_ok), "{results:?}");
    close(&memory, "P", Review::OverPaid).await.unwrap();
    assert_eq!(closed(&memory).await, 1);
    let state = stored(&memory, "1").await.unwrap().state;
    assert_eq!(state.payments()[0].review, []);
    assert_eq!(state.payments()[0].closed.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closing_stopped_between_any_two_calls_is_finished_by_repetition() {
    const CALLS: usize = 8;
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..CALLS {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            record(&memory, "P", "1", "120").await.unwrap();
            memory.take_calls();
            spoil(&memory, position, fault);
            let first = close(&memory, "P", Review::OverPaid);
            let _ = tokio::time::timeout(Duration::from_secs(50), first).await;
            if position == CALLS - 1 && fault == Fault::Cut {
                assert_eq!(memory.take_calls().len(), CALLS);
            }
            memory.script([]);
            while close(&memory, "P", Review::OverPaid).await.is_err() {
                tokio::time::sleep(Duration::from_secs(7)).await;
            }
            record(&memory, "Q", "1", "1").await.unwrap();
            tokio::time::sleep(Duration::from_secs(61)).await;
            assert_eq!(closed(&memory).await, 1, "{fault:?} at {position}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_closed_by_the_payment_that_is_recorded_later() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    refuse(&memory, "P").await;
    refuse(&memory, "Q").await;
    record(&memory, "P", "1", "100").await.unwrap();
    let store = Ledger::new(memory.clone());
    let id = PaymentId::parse("P").unwrap();
    let recorded = store.payments().get(&id).await.unwrap().unwrap();
    let closed = |index| {
        let store = &store;
        async move { store.refusals().get(index).await.unwrap().unwrap().closed }
    };
    assert_eq!(
        closed(2).await,
        Some(ClosedRefusal {
            closed_at: recorded.recorded_at,
            by: ClosedBy::Payment {
                recorded: recorded.index
            }
        })
    );
    assert_eq!(closed(3).await, None);
    // What is refused after it needs somebody.
    record(&memory, "R", "1", "100").await.unwrap();
    refuse(&memory, "R").await;
    assert_eq!(closed(6).await, None);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_close_a_refusal_one_does() {
    let memory = Memory::new();
    refuse(&memory, "P").await;
    let store = Ledger::new(memory.clone());
    let note = Text::parse("looked at").unwrap();
    let closers = (0..16).map(|_| store.refusals().close(1, &note, "me"));
    let results = futures::future::join_all(closers).await;
    let told = |result: &Result<_, _>| matches!(result, Ok(()) | Err(CloseError::Busy));
    assert!(results.iter().all(told), "{results:?}");
    while store.refusals().close(1, &note, "me").await.is_err() {
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
    store.refusals().close(1, &note, "you").await.unwrap();
    assert_eq!(closed(&memory).await, 1);
    let refusal = store.refusals().get(1).await.unwrap().unwrap();
    let by = refusal.closed.unwrap().by;
    assert!(matches!(by, ClosedBy::Person { by, .. } if by == "me"));
    // Whoever was cut off holds others up for a minute, not for ever.
    refuse(&memory, "Q").await;
    let index = events(&memory).await.len() as u64;
    // Its calls: read the refusal and what became of it, twice, take an index, take another.
    spoil(&memory, 4, Fault::Cut);
    let cut = store.refusals().close(index, &note, "me");
    let cut = tokio::time::timeout(Duration::from_secs(1), cut).await;
    assert!(cut.is_err(), "{cut:?}");
    memory.script([]);
    let mut tries = 0;
    while store.refusals().close(index, &note, "me").await.is_err() {
        tries += 1;
        assert!(tries < 20);
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
}

/// The keys of orders registered in a span, the newest first, read in pages, and how many pages.
async fn register_of(memory: &Memory, span: Span) -> (Vec<String>, usize) {
    let store = Ledger::new(memory.clone());
    let (mut keys, mut before, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = store
            .register()
            .read(before, 7, span, |_| true, |_| true)
            .await
            .unwrap();
        pages += 1;
        assert!(page.orders.len() <= 7);
        for registered in page.orders {
            keys.push(
                registered
                    .order
                    .state
                    .order()
                    .unwrap()
                    .order_key
                    .to_string(),
            );
        }
        match page.next {
            Some(next) => before = Some(next),
            None => return (keys, pages),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_in_a_span_is_found_exactly() {
    let memory = Memory::new();
    let mut times = Vec::new();
    for n in 0..300 {
        // Some come together, some after a pause; some indices are never filled.
        let pause = [0, 1, 90, 3600][n % 4];
        tokio::time::sleep(Duration::from_secs(pause)).await;
        if n % 50 == 7 {
            for _ in 0..20 {
                memory.increment("journal", 1).await.unwrap();
            }
        }
        register(&memory, &n.to_string(), "10").await.unwrap();
        record(&memory, &format!("P{n}"), &n.to_string(), "10")
            .await
            .unwrap();
        times.push(memory.now());
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    let second = jiff::SignedDuration::from_secs(1);
    for (from, to) in [
        (0, 300),
        (0, 1),
        (10, 11),
        (100, 150),
        (299, 300),
        (200, 300),
    ] {
        let span = Span {
            from: Some(times[from] - second / 2),
            to: times.get(to).map(|to| *to - second / 2),
        };
        let within = |n: &usize| {
            span.from.is_none_or(|from| from <= times[*n])
                && span.to.is_none_or(|to| times[*n] < to)
        };
        let expected: Vec<_> = (0..300).filter(within).collect();
        let newest_first: Vec<_> = expected.iter().rev().map(ToString::to_string).collect();
        assert_eq!(
            register_of(&memory, span).await.0,
            newest_first,
            "{from} to {to}"
        );
        let wanted = |event: &Event| matches!(event, Event::PaymentRecorded(_));
        let store = Ledger::new(memory.clone());
        store.days().close().await.unwrap();
        memory.take_calls();
        let page = store.journal().read(0, 1000, span, wanted).await.unwrap();
        let found = page.entries.into_iter().map(|entry| match entry.event {
            Event::PaymentRecorded(payment) => payment.payment_id,
            other => panic!("{other:?}"),
        });
        let payments: Vec<_> = expected.iter().map(|n| format!("P{n}")).collect();
        assert_eq!(found.collect::<Vec<_>>(), payments, "{from} to {to}");
        let calls = memory.take_calls().len();
        assert!(calls < 30, "{calls} calls for {from} to {to}");
        // Whoever comes again finds nothing more.
        let again = store
            .journal()
            .read(page.next, 1000, span, wanted)
            .await
            .unwrap();
        assert_eq!((again.entries.len(), again.next), (0, page.next));
    }
}

#[tokio::test(start_paused = true)]
async fn the_register_of_a_call_is_bounded_and_goes_on() {
    let memory = Memory::new();
    for n in 0..600 {
        register(&memory, &n.to_string(), "10").await.unwrap();
    }
    let (keys, _) = register_of(&memory, Span::ALWAYS).await;
    let newest_first: Vec<_> = (0..600).rev().map(|n: u32| n.to_string()).collect();
    assert_eq!(keys, newest_first);
    // One that is hard to find.
    memory.take_calls();
    let store = Ledger::new(memory.clone());
    let oldest = |order: &StoredOrder| order.state.order().unwrap().order_key.as_str() == "0";
    let (mut before, mut pages) = (None, 0);
    let found = loop {
        let page = store
            .register()
            .read(before, 7, Span::ALWAYS, |_| true, oldest)
            .await
            .unwrap();
        let calls = memory.take_calls().len();
        assert!(calls <= 16, "{calls} calls");
        pages += 1;
        match page.next {
            Some(next) => before = Some(next),
            None => break page.orders.len(),
        }
    };
    assert_eq!((found, pages), (1, 3));
}

/// Records a payment as one that was entered by hand.
pub(super) async fn record_by_hand(memory: &Memory, id: &str) -> Result<Recorded, StoreError> {
    let (confirmation, json) = payment(id, "1", "100");
    let evidence = Evidence::new(&secret(), b"{}", id, b"proposal", "manual");
    let json = PaymentJson {
        evidence: evidence.id().to_owned(),
        signer: None,
        manual: Some(ManualJson {
            proposal: 1,
            proposed_by: "one".into(),
            approved_by: "two".into(),
            note: "in the statement".into(),
            confirmed: None,
        }),
        ..json
    };
    Ledger::new(memory.clone())
        .payments()
        .record(
            &confirmation,
            &json,
            &StoredOrder::default(),
            &evidence,
            None,
        )
        .await
}

/// Confirms a payment as MPay does, and as the operation answers it: repeated until it succeeds.
pub(super) async fn confirm(memory: &Memory, id: &str) {
    let (confirmation, json) = payment(id, "1", "100");
    let evidence = Evidence::new(&secret(), b"<message/>", id, b"confirmation", "accepted");
    let json = PaymentJson {
        evidence: evidence.id().to_owned(),
        ..json
    };
    let store = Ledger::new(memory.clone());
    loop {
        match store
            .payments()
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await
        {
            Ok(Recorded::Manual) => {
                let noted = store
                    .manual_payments()
                    .confirm(&confirmation, &json, &evidence)
                    .await;
                if noted.is_ok() {
                    return;
                }
            }
            Ok(Recorded::New | Recorded::Repeated { .. }) => return,
            Ok(Recorded::Conflict) => panic!("a conflict"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
}

/// However far the entry by hand has come: MPay's confirmation finishes it, is kept, and pays
/// nothing twice.
#[tokio::test(start_paused = true)]
async fn an_entry_by_hand_that_broke_off_is_finished_by_mpays_confirmation() {
    for fault in [Fault::Cut, Fault::CutAfter] {
        for position in 0..=WRITE_MARKER {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            spoil(&memory, position, fault);
            let cut = record_by_hand(&memory, "P");
            let cut = tokio::time::timeout(Duration::from_secs(1), cut).await;
            assert!(cut.is_err());
            memory.script([]);
            confirm(&memory, "P").await;
            let kept = payment_of(&memory, "P").await.unwrap();
            let message = kept.request.unwrap();
            assert_eq!(message, b"<message/>", "{fault:?} at {position}");
            assert!(kept.stored.payment.is_confirmed());
            confirm(&memory, "P").await;
            let order = stored(&memory, "1").await.unwrap();
            assert_eq!(order.state.amount_paid(), Money::parse("100").unwrap());
            tokio::time::sleep(Duration::from_secs(61)).await;
            register(&memory, "2", "1").await.unwrap();
            let noted = events(&memory).await;
            let noted = noted.iter().filter(|event| event.0 == "payment.confirmed");
            let manual = kept.stored.payment.manual.is_some();
            assert_eq!(
                noted.count(),
                usize::from(manual),
                "{fault:?} at {position}"
            );
            assert_eq!(ledger(&memory).await, ["P"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_of_an_import_that_a_payment_overtakes_is_judged_again_by_itself() {
    let memory = Memory::new();
    for key in ["1", "2"] {
        register(&memory, key, "100").await.unwrap();
    }
    let keys = ["1", "2", "3"].map(|key| {
        let order = order(key, "1");
        (order.service_id.clone(), order.order_key.clone())
    });
    let store = Ledger::new(memory.clone());
    memory.script([Fault::None, Fault::Delay(Duration::from_secs(5))]);
    let payment = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        record(&memory, "P", "1", "100").await
    };
    let import = store
        .orders()
        .change_many(Intent::Make { by: "tester" }, &keys, |position, _| {
            Ok::<_, std::convert::Infallible>(order(&(position + 1).to_string(), "120"))
        });
    let (results, paid) = tokio::join!(import, payment);
    assert_eq!(paid.unwrap(), Recorded::New);
    assert!(
        matches!(
            results[..],
            [
                Err(RegisterError::Refused(_)),
                Ok(Registered::Amended),
                Ok(Registered::Created)
            ]
        ),
        "{results:?}"
    );
    let paid = stored(&memory, "1").await.unwrap();
    assert_eq!(paid.state.status(memory.now()), OrderStatus::Paid);
    assert_eq!(
        events(&memory).await,
        [
            ("order.registered", 1),
            ("order.registered", 1),
            ("payment.recorded", 0),
            ("order.amended", 2),
            ("order.registered", 1),
        ]
    );
}

/// The void of a payment that two people have entered.
pub(super) async fn void_of(memory: &Memory, id: &str) -> VoidJson {
    let id = PaymentId::parse(id).unwrap();
    let stored = Ledger::new(memory.clone()).payments().get(&id).await;
    let stored = stored.unwrap().unwrap();
    let payment = stored.payment;
    let proposal = VoidProposalJson {
        payment_id: payment.payment_id.clone(),
        service_id: payment.service_id.clone(),
        order_key: payment.order_key.clone(),
        proposal: payment.manual.as_ref().unwrap().proposal,
        note: "n".to_owned(),
        by: "a".to_owned(),
    };
    VoidJson::new(&payment, stored.index, 9, &proposal, "b")
}

/// The version that the last event of the order names, and that which the order shows after it.
async fn versions(memory: &Memory) -> (u64, u64) {
    let store = Ledger::new(memory.clone());
    let all = store
        .journal()
        .read(0, usize::MAX, Span::ALWAYS, |_| true)
        .await;
    let last = all.unwrap().entries.pop().unwrap().event;
    let named = match &last {
        Event::PaymentRecorded(payment) => payment.version.unwrap(),
        event => event.change().unwrap().2,
    };
    (named, stored(memory, "1").await.unwrap().version)
}

/// Whoever has read an event may change the order with `If-Match` and the event's version, also where
/// places were taken in vain before it.
#[tokio::test(start_paused = true)]
async fn the_version_of_an_event_is_what_its_order_shows_after_it() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    register(&memory, "1", "90").await.unwrap();
    assert_eq!(versions(&memory).await, (1, 1));
    // A writer died here, and the next change passes its place by.
    memory.increment("order/TAX/1", 1).await.unwrap();
    register(&memory, "1", "100").await.unwrap();
    assert_eq!(versions(&memory).await, (3, 3));
    record_by_hand(&memory, "M").await.unwrap();
    assert_eq!(versions(&memory).await, (4, 4));
    // A change that comes to nothing leaves a void place.
    let slot = store.log.take("order/TAX/1").await.unwrap();
    let lists = order_list::OrderLists::on(&store.log);
    lists.void(&slot).await.unwrap();
    assert_eq!(versions(&memory).await, (4, 4));
    assert!(
        store
            .manual_payments()
            .void(&void_of(&memory, "M").await)
            .await
            .unwrap()
    );
    assert_eq!(versions(&memory).await, (6, 6));
    record_by_hand(&memory, "N").await.unwrap();
    confirm(&memory, "N").await;
    assert_eq!(versions(&memory).await, (8, 8));
    record(&memory, "P", "1", "1").await.unwrap();
    assert_eq!(versions(&memory).await, (9, 9));
    close(&memory, "P", Review::Double).await.unwrap();
    assert_eq!(versions(&memory).await, (10, 10));
    for (status, version) in [
        (Some("Completed"), 11),
        (None, 12),
        (Some("Refunding"), 13),
        (Some("Refunded"), 14),
    ] {
        set(&memory, "1", status).await.unwrap();
        assert_eq!(versions(&memory).await, (version, version), "{status:?}");
    }
}

/// A long order shows its latest payments only, but what was entered by hand is looked up.
#[tokio::test(start_paused = true)]
async fn an_old_payment_by_hand_of_a_long_order_is_voided_and_confirmed_like_others() {
    for is_voided in [true, false] {
        let memory = Memory::new();
        register(&memory, "1", "300").await.unwrap();
        record_by_hand(&memory, "M").await.unwrap();
        for n in 0..300 {
            record(&memory, &format!("P{n}"), "1", "1").await.unwrap();
        }
        let void = void_of(&memory, "M").await;
        let store = Ledger::new(memory.clone());
        let id = PaymentId::parse("M").unwrap();
        let paid = async || {
            let order = stored(&memory, "1").await.unwrap();
            order.state.amount_paid().to_string()
        };
        if !is_voided {
            confirm(&memory, "M").await;
            confirm(&memory, "M").await;
            assert!(!store.manual_payments().void(&void).await.unwrap());
            let payment = store.payments().get(&id).await.unwrap().unwrap();
            assert!(payment.payment.is_confirmed());
            assert_eq!(paid().await, "400.00");
            let events = ledger_events(&memory, "payment.confirmed").await;
            assert_eq!(events, 1);
            continue;
        }
        for _ in 0..2 {
            assert!(store.manual_payments().void(&void).await.unwrap());
        }
        assert_eq!(ledger_events(&memory, "payment.voided").await, 1);
        assert_eq!(paid().await, "300.00");
        let seen = store.payments().get(&id).await.unwrap().unwrap();
        assert!(seen.state.voided.is_some() && seen.state.review.is_empty());
        let known = store.payments().known(&id).await.unwrap();
        assert!(known.after_void && !known.is_recorded());
        let (confirmation, json) = payment("M", "1", "40");
        let evidence = Evidence::new(&secret(), b"<m/>", "M", b"c", "accepted");
        let json = PaymentJson {
            after_void: true,
            ..json
        };
        let recorded = store
            .payments()
            .record(
                &confirmation,
                &json,
                &StoredOrder::default(),
                &evidence,
                None,
            )
            .await;
        assert_eq!(recorded.unwrap(), Recorded::New);
        assert_eq!(paid().await, "340.00");
        let both = store.payments().get_many(std::slice::from_ref(&id)).await;
        let mut both = both.unwrap();
        both.sort_by_key(|payment| payment.index);
        let voided: Vec<_> = both.iter().map(|p| p.state.voided.is_some()).collect();
        assert_eq!(voided, [true, false]);
        // Its order shows it as voided, wherever it stands.
        let service = ServiceId::parse("TAX").unwrap();
        let key = OrderKey::parse("1").unwrap();
        let first = store.orders().payments(&service, &key, Some(10)).await;
        let first = first.unwrap().unwrap().payments;
        let manual = first.iter().find(|(record, _)| record.manual.is_some());
        assert!(manual.unwrap().1.voided.is_some());
        // What is kept says what the whole list does.
        let kept = stored(&memory, "1").await.unwrap();
        let list = order_list::OrderList::of(&service, &key);
        let folds = folds::Folds::on(&store.log);
        let whole = folds.whole(&list).await.unwrap();
        assert_eq!(kept.state.summary(), whole.state.summary());
    }
}

/// What is done to an old payment that was entered by hand, and how many entries of its order's list
/// that reads.
async fn cost_of_an_old_payment_by_hand(payments: u64) -> Vec<(&'static str, usize)> {
    let memory = Memory::new();
    let total = (payments + 300).to_string();
    register(&memory, "1", &total).await.unwrap();
    for id in ["M", "N"] {
        record_by_hand(&memory, id).await.unwrap();
    }
    let store = Ledger::new(memory.clone());
    for n in 0..payments {
        let (_, json) = payment(&format!("P{n}"), "1", "1");
        let (minute, second) = (n / 60 % 60, n % 60);
        let hour = 13 + n / 3600;
        let json = PaymentJson {
            paid_at: format!("2026-06-01T{hour}:{minute:02}:{second:02}+03:00"),
            ..json
        };
        let confirmation = json.to_confirmation().unwrap();
        let evidence = Evidence::new(&secret(), b"<m/>", &json.payment_id, b"e", "accepted");
        let order = StoredOrder::default();
        let recorded = store
            .payments()
            .record(&confirmation, &json, &order, &evidence, None);
        recorded.await.unwrap();
    }
    stored(&memory, "1").await.unwrap();
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let id = PaymentId::parse("M").unwrap();
    let mut costs = Vec::new();
    memory.take_calls();
    let mut note = |what| {
        let calls = memory.take_calls();
        let entries = calls
            .iter()
            .map(|call| call.matches(" order/TAX/1/").count());
        costs.push((what, entries.sum()));
    };
    let void = void_of(&memory, "M").await;
    note("it is found");
    assert!(store.manual_payments().void(&void).await.unwrap());
    note("it is voided");
    assert!(store.manual_payments().void(&void).await.unwrap());
    note("it is voided again");
    let known = store.payments().known(&id).await.unwrap();
    assert!(known.after_void && !known.is_recorded());
    note("MPay confirms it");
    confirm(&memory, "N").await;
    note("another is confirmed");
    confirm(&memory, "N").await;
    note("it is confirmed again");
    let page = store.orders().payments(&service, &key, Some(10)).await;
    let page = page.unwrap().unwrap().payments;
    let states: Vec<_> = page
        .iter()
        .filter(|(record, _)| record.manual.is_some())
        .map(|(record, state)| (record.is_confirmed(), state.voided.is_some()))
        .collect();
    assert_eq!(states, [(true, false), (false, true)]);
    note("a page shows both");
    let kept = stored(&memory, "1").await.unwrap();
    let list = order_list::OrderList::of(&service, &key);
    let whole = folds::Folds::on(&store.log).whole(&list).await.unwrap();
    assert_eq!(kept.state.summary(), whole.state.summary());
    costs
}

#[tokio::test(start_paused = true)]
async fn an_old_payment_by_hand_costs_no_more_where_its_order_is_longer() {
    let short = cost_of_an_old_payment_by_hand(300).await;
    let long = cost_of_an_old_payment_by_hand(1_580).await;
    for ((what, short), (_, long)) in short.iter().zip(&long) {
        assert!(*long <= short + 70, "{what}: {short} entries, then {long}");
    }
}

pub(super) async fn ledger_events(memory: &Memory, kind: &str) -> usize {
    // Until holes are passed.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let all = events(memory).await;
    all.iter().filter(|(name, _)| *name == kind).count()
}

/// Wherever a void breaks off, the money counts once or not at all, and the next call goes on.
#[tokio::test(start_paused = true)]
async fn a_void_that_broke_off_is_done_by_repetition() {
    for fault in FAULTS {
        for position in 0..8 {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            record_by_hand(&memory, "M").await.unwrap();
            let void = void_of(&memory, "M").await;
            let store = Ledger::new(memory.clone());
            spoil(&memory, position, fault);
            let begun = store.manual_payments().void(&void);
            let _ = tokio::time::timeout(Duration::from_secs(50), begun).await;
            memory.script([]);
            assert!(store.manual_payments().void(&void).await.unwrap());
            let order = stored(&memory, "1").await.unwrap();
            assert_eq!(
                order.state.amount_paid(),
                Money::ZERO,
                "{fault:?} {position}"
            );
            assert_eq!(order.state.voided_count, 1);
            let events = ledger_events(&memory, "payment.voided").await;
            assert_eq!(events, 1, "{fault:?} at {position}");
        }
    }
}

/// Statements that are imported at the same time, or break off, show each payment by one row.
#[tokio::test(start_paused = true)]
async fn a_payment_is_shown_by_one_row_whatever_breaks_off() {
    async fn import(store: &Ledger<Memory>, row: &str) -> Result<Option<u64>, StoreError> {
        let judge = async || {
            let marks = store.settlements().marks(&["P".to_owned()]).await?;
            let shown = Shown {
                payment_id: "P".to_owned(),
                row: row.to_owned(),
                part: None,
                amount: None,
            };
            let new = if marks.is_empty() {
                vec![shown]
            } else {
                vec![]
            };
            Ok::<_, StoreError>((new, ()))
        };
        Ok(store.settlements().import("s", "b", judge).await?.0)
    }
    for fault in FAULTS {
        for position in 0..10 {
            let memory = Memory::new();
            register(&memory, "1", "100").await.unwrap();
            record(&memory, "P", "1", "100").await.unwrap();
            let store = Ledger::new(memory.clone());
            spoil(&memory, position, fault);
            let both = futures::future::join(import(&store, "r1"), import(&store, "r2"));
            let _ = tokio::time::timeout(Duration::from_secs(50), both).await;
            memory.script([]);
            // Somebody comes again, and with him whatever was left is brought to its end.
            let _ = import(&store, "r3").await.unwrap();
            let counting = ledger_events(&memory, "settlement.imported").await;
            assert_eq!(counting, 1, "{fault:?} at {position}");
            let marks = store.settlements().marks(&["P".to_owned()]).await.unwrap();
            let rows = ["r1", "r2", "r3"].map(str::to_owned);
            let shown = store.settlements().payments_shown(&rows).await.unwrap();
            assert_eq!(shown.len(), 1, "{fault:?} at {position}: {shown:?}");
            assert!(shown.contains_key(&marks["P"].row));
        }
    }
}

/// The writer of a change whose event came too late enters it behind, and so does everybody who looks
/// after the store meanwhile: it is entered once.
#[tokio::test(start_paused = true)]
async fn an_event_that_came_too_late_is_entered_behind_once() {
    for helpers in [1, 2, 5] {
        for milliseconds in 0..20 {
            let memory = Memory::new();
            let store = Ledger::new(memory.clone());
            // Registration: read, count, count, write; from then on every call takes a moment.
            let slow = std::iter::repeat_n(Fault::Delay(Duration::from_millis(1)), 500);
            let late = Fault::Delay(Duration::from_secs(5));
            memory.script(
                std::iter::repeat_n(Fault::None, 3)
                    .chain([late])
                    .chain(slow),
            );
            let pass = async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                let places = std::collections::BTreeSet::from([1]);
                store.log.decide(keys::JOURNAL, &places).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2990 + milliseconds)).await;
                let help =
                    (0..helpers).map(|_| async { store.repairs().block(&Cursor::default()).await });
                futures::future::join_all(help).await
            };
            let (registered, _) = tokio::join!(register(&memory, "1", "100"), pass);
            assert_eq!(registered.unwrap(), Registered::Created);
            store.repairs().block(&Cursor::default()).await.unwrap();
            assert_eq!(ledger_events(&memory, "order.registered").await, 1);
        }
    }
}

/// A change whose event came too late, and whose writer is gone: whoever sends it again is told that it
/// is made, so its event is there from then on.
#[tokio::test(start_paused = true)]
async fn whoever_finds_a_change_made_makes_sure_of_its_event() {
    for is_bulk in [false, true] {
        let memory = Memory::new();
        register(&memory, "1", "100").await.unwrap();
        let event = memory.value("journal/1").unwrap();
        memory.remove("journal/1");
        let store = Ledger::new(memory.clone());
        let places = std::collections::BTreeSet::from([1]);
        store.log.decide(keys::JOURNAL, &places).await.unwrap();
        // Nobody comes by again where it is now.
        memory.overwrite("journal/1", event);
        assert_eq!(ledger_events(&memory, "order.registered").await, 0);
        for _ in 0..2 {
            let same = order("1", "100");
            let again = match is_bulk {
                false => put(&memory, &same, Precondition::None).await.unwrap(),
                true => {
                    let key = [(same.service_id.clone(), same.order_key.clone())];
                    let change = |_, _: &_| Ok::<_, std::convert::Infallible>(same.clone());
                    let many = store
                        .orders()
                        .change_many(Intent::Make { by: "tester" }, &key, change)
                        .await;
                    many.into_iter().next().unwrap().unwrap()
                }
            };
            assert_eq!(again, Registered::Unchanged);
            assert_eq!(ledger_events(&memory, "order.registered").await, 1);
        }
    }
}

/// An event that came too late, whose writer is gone, is still needed when its place is erased.
#[tokio::test(start_paused = true)]
async fn an_erasure_loses_no_event_that_came_too_late() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    let event = memory.value("journal/1").unwrap();
    memory.remove("journal/1");
    let store = Ledger::new(memory.clone());
    let places = std::collections::BTreeSet::from([1]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    store.log.decide(keys::JOURNAL, &places).await.unwrap();
    memory.overwrite("journal/1", event);
    let nobody = Erasure::Customer("2000000000000".to_owned());
    let start = Cursor::default();
    let erased = store.erasures().erase(&nobody, &start, "tester");
    erased.await.unwrap();
    assert_eq!(ledger_events(&memory, "order.registered").await, 1);
}

/// The store has lost a payment's entry in the journal, and a reader has taken its place for a hole. Once
/// it is mended it is listed at its place again, and erasure does not take it for one that came too late.
#[tokio::test(start_paused = true)]
async fn a_lost_entry_whose_place_was_passed_is_listed_again_once_it_is_mended() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for id in ["P1", "P2", "P3"] {
        record(&memory, id, "1", "10").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (before, entry) = (ledger(&memory).await, memory.value("journal/3"));
    assert_eq!(before.len(), 3);
    memory.remove("journal/3");
    assert_eq!(ledger(&memory).await.len(), 2, "it is passed");
    let store = Ledger::new(memory.clone());
    for _ in 0..2 {
        let repair = store.repairs().block(&Cursor::default()).await.unwrap();
        assert!(repair.lost.is_empty() && repair.damaged.is_empty());
        assert_eq!(memory.value("journal/3"), entry);
        assert_eq!(ledger(&memory).await, before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_order_is_mended_in_parts() {
    let memory = Memory::new();
    register(&memory, "1", "100").await.unwrap();
    for number in 0..1_500 {
        record(&memory, &format!("P{number}"), "1", "1")
            .await
            .unwrap();
    }
    let before = memory.value("journal/300").unwrap();
    // One entry here, another there, and a whole stretch of the journal.
    memory.remove("journal/300");
    memory.remove("order/TAX/1/700");
    for place in 1000..1300 {
        memory.remove(&format!("journal/{place}"));
    }
    let store = Ledger::new(memory.clone());
    let (mut repaired, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        memory.take_calls();
        let part = store.repairs().block(&cursor).await.unwrap();
        let calls = memory.take_calls();
        let read: usize = calls
            .iter()
            .map(|call| call.matches(" order/TAX/1/").count())
            .sum();
        assert!(read < 6_000, "{read} at {cursor}");
        assert_eq!(part.damaged, [""; 0]);
        repaired.extend(part.repaired);
        match part.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    repaired.sort_unstable();
    repaired.dedup();
    assert_eq!(repaired.len(), 302);
    assert_eq!(memory.value("journal/300").unwrap(), before);
    let order = stored(&memory, "1").await.unwrap();
    assert_eq!(order.state.amount_paid().to_string(), "1500.00");
}
