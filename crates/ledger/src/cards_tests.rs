//! Payments by card and refunds in the books.

use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;

use super::{
    CardEntry, CardPayment, Erasure, Evidence, Ledger, NotTaken, Recorded, Refunded, RegisterError,
    StoredOrder,
    cursor::Cursor,
    memory::{Fault, Memory},
    testing::{
        begin, begin_again, payment, record, record_card, record_in, refund, register, secret,
        stored,
    },
    tests::{close, ledger_events},
};
use crate::{
    domain::{OrderKey, OrderStatus, PaymentId, Review, ServiceId, SetStatus},
    json::{CardState, CommandJson, CommandKind, ManualJson, PaymentJson, SeenJson},
};

fn id(text: &str) -> PaymentId {
    PaymentId::parse(text).unwrap()
}

async fn card(memory: &Memory, name: &str) -> Option<CardPayment> {
    let ledger = Ledger::new(memory.clone());
    ledger.card_payments().get(&id(name)).await.unwrap()
}

async fn open(memory: &Memory, name: &str, review: Review) -> bool {
    let evidence = Evidence::new(&secret(), b"<GetState/>", name, b"", "card");
    let ledger = Ledger::new(memory.clone());
    let refunds = ledger.refunds();
    refunds.open(&id(name), review, &evidence).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_begun_stands_in_its_order_and_in_its_own_list() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    let before = stored(&memory, "1").await.unwrap().version;
    let begun = begin(&memory, "C", "1", "5").await.unwrap().unwrap();
    assert_eq!(begun.attempt.started.amount, "5");
    let order = stored(&memory, "1").await.unwrap();
    assert!(order.version > before, "the ETag changes");
    assert_eq!(begun.attempt.started.version, Some(order.version));
    assert_eq!(order.begun.len(), 1);
    assert_eq!(card(&memory, "C").await.unwrap(), begun);
    assert_eq!(ledger_events(&memory, "card.started").await, 1);
    // Once it is recorded, it is a payment and nothing that was only begun.
    assert_eq!(
        record_card(&memory, "C", "1", "5").await.unwrap(),
        Recorded::New
    );
    assert!(stored(&memory, "1").await.unwrap().begun.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_several_that_begin_at_once_one_does() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    let all = join_all(names.map(|name| begin(&memory, name, "1", "5"))).await;
    assert_eq!(all.iter().filter(|begun| begun.is_ok()).count(), 1);
    assert_eq!(stored(&memory, "1").await.unwrap().begun.len(), 1);
    // And of one request that comes several times.
    register(&memory, "2", "5").await.unwrap();
    let all = join_all([(); 8].map(|()| begin_again(&memory, "X", "2", "5"))).await;
    assert_eq!(all.iter().filter(|begun| begun.is_ok()).count(), 1);
    assert!(card(&memory, "X").await.is_some());
}

async fn take(memory: &Memory, name: &str) -> Result<(), RegisterError<NotTaken>> {
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let ledger = Ledger::new(memory.clone());
    let cards = ledger.card_payments();
    let judge = |stored: &StoredOrder| match stored.payments.is_empty() {
        true => Ok(()),
        false => Err("paid".to_owned()),
    };
    cards.take(&id(name), &service, &key, 0, judge).await
}

fn waits(taken: &Result<(), RegisterError<NotTaken>>, on: &str) -> bool {
    matches!(taken, Err(RegisterError::Unfit(NotTaken::Other(other))) if other == on)
}

#[tokio::test(start_paused = true)]
async fn of_several_holds_that_are_to_be_taken_at_once_one_is() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    let names = ["A", "B", "C", "D"];
    for name in names {
        begin_again(&memory, name, "1", "5").await.unwrap();
    }
    let before = stored(&memory, "1").await.unwrap();
    let all = join_all(names.map(|name| take(&memory, name))).await;
    let first = all.iter().position(Result::is_ok).unwrap();
    let rest = all.iter().filter(|taken| waits(taken, names[first]));
    assert_eq!(rest.count(), 3, "{all:?}");
    // Readers of the order see nothing of it.
    let after = stored(&memory, "1").await.unwrap();
    assert_eq!(after.version, before.version);
    assert!(after.length > before.length);
    let ledger = Ledger::new(memory.clone());
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let history = ledger.orders().history(&service, &key, None, 100).await;
    assert_eq!(history.unwrap().unwrap().entries.len(), 5);
    // Repeating the decision changes nothing, and does not undo another's decision.
    take(&memory, names[first]).await.unwrap();
    let other = names[(first + 1) % 4];
    let cards = ledger.card_payments();
    cards.leave(&id(other), &service, &key).await.unwrap();
    assert!(waits(&take(&memory, other).await, names[first]));
    cards
        .leave(&id(names[first]), &service, &key)
        .await
        .unwrap();
    take(&memory, other).await.unwrap();
    assert!(waits(&take(&memory, names[first]).await, other));
    // A recorded payment is judged with the order.
    record_card(&memory, other, "1", "5").await.unwrap();
    let refused = take(&memory, names[first]).await;
    assert!(
        matches!(&refused, Err(RegisterError::Unfit(NotTaken::Refused(why))) if why == "paid"),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_order_knows_what_is_to_be_taken() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    for name in ["A", "B"] {
        begin_again(&memory, name, "1", "5").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(3600)).await;
    take(&memory, "A").await.unwrap();
    let since = |order: &StoredOrder| -> Vec<_> {
        let since = order.begun.iter().map(|begun| begun.taking_since);
        since.collect()
    };
    let decided = since(&stored(&memory, "1").await.unwrap());
    for number in 0..200 {
        record(&memory, &format!("P{number}"), "1", "5")
            .await
            .unwrap();
    }
    let order = stored(&memory, "1").await.unwrap();
    assert!(order.folded > 100);
    let taking = order.begun.iter().map(|begun| begun.is_taking);
    assert_eq!(taking.collect::<Vec<_>>(), [true, false]);
    let hour = SignedDuration::from_secs(3600);
    assert_eq!(decided, [order.begun[0].at.checked_add(hour).ok(), None]);
    assert_eq!(since(&order), decided);
}

/// The previous version noted only that there was a decision: its kept sum would say that the decision is
/// about a charge that was refused long ago.
#[tokio::test(start_paused = true)]
async fn a_decision_that_the_version_before_has_kept_is_folded_again() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    begin_again(&memory, "A", "1", "5").await.unwrap();
    let ledger = Ledger::new(memory.clone());
    let (service, key) = (
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let cards = ledger.card_payments();
    // One charge was sent and refused.
    let payment = id("A");
    let taken = cards.take(&payment, &service, &key, 1, |_| Ok(()));
    taken.await.unwrap();
    for number in 0..200 {
        record(&memory, &format!("P{number}"), "1", "5")
            .await
            .unwrap();
    }
    let order = stored(&memory, "1").await.unwrap();
    assert!(order.folded > 100);
    assert_eq!(order.begun[0].taking_after, 1);
    let mut rewritten = 0;
    for segment in 1..9 {
        let name = format!("fold/order/TAX/1/{segment}");
        let Some(kept) = memory.value(&name) else {
            continue;
        };
        let mut kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
        kept["v"] = 1.into();
        let begun = kept["begun"][0].as_object_mut().unwrap();
        assert!(begun.remove("taking_after").is_some());
        memory.overwrite(&name, kept.to_string().into());
        rewritten += 1;
    }
    assert!(rewritten > 0);
    let again = stored(&memory, "1").await.unwrap();
    assert_eq!(again.begun, order.begun);
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_broke_off_is_nothing_or_is_known_everywhere() {
    let mut begun = 0;
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..14 {
            let memory = Memory::new();
            register(&memory, "1", "5").await.unwrap();
            let faults = std::iter::repeat_n(Fault::None, position).chain([fault; 5]);
            memory.script(faults);
            let cut = tokio::time::timeout(Duration::from_secs(9), begin(&memory, "C", "1", "5"));
            let said = matches!(cut.await, Ok(Ok(Some(_))));
            memory.script([]);
            let order = stored(&memory, "1").await.unwrap();
            let in_order = order.begun.len() == 1;
            assert_eq!(
                card(&memory, "C").await.is_some(),
                in_order,
                "{fault:?} {position}"
            );
            let ledger = Ledger::new(memory.clone());
            let walk = ledger.card_payments().walk().await.unwrap();
            assert_eq!(
                walk.open().count(),
                usize::from(in_order),
                "{fault:?} {position}"
            );
            assert!(in_order || !said);
            begun += usize::from(in_order);
            // Another begins once nothing stands in its way.
            assert_eq!(begin(&memory, "D", "1", "5").await.is_ok(), !in_order);
        }
    }
    assert!(begun > 4, "{begun}");
}

/// A refund may be sent long after its payment was over, and its outcome must still be asked for.
#[tokio::test(start_paused = true)]
async fn a_payment_of_which_a_command_is_sent_is_looked_after_again() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    begin(&memory, "C", "1", "5").await.unwrap();
    let ledger = Ledger::new(memory.clone());
    let cards = ledger.card_payments();
    let id = PaymentId::parse("C").unwrap();
    let open = async || {
        let walk = cards.walk().await.unwrap();
        walk.open().count()
    };
    let mut walk = cards.walk().await.unwrap();
    walk.is_over(&id);
    cards.keep(&walk).await.unwrap();
    assert_eq!(open().await, 0);
    let command = |_: &CardPayment| {
        Some(CardEntry::Command(CommandJson {
            kind: CommandKind::Refund,
            amount: "5".into(),
            remaining: Some("0".into()),
            note: None,
            by: None,
            request: None,
            checked: false,
        }))
    };
    cards.append(&id, None, command).await.unwrap();
    assert_eq!(open().await, 1);
    // An older walk that is kept late forgets nothing.
    let newer = cards.walk().await.unwrap();
    cards.keep(&newer).await.unwrap();
    cards.keep(&walk).await.unwrap();
    assert_eq!(open().await, 1);
}

#[tokio::test(start_paused = true)]
async fn one_command_at_a_time_stands_in_the_list() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    begin(&memory, "C", "1", "5").await.unwrap();
    let append = async || {
        let ledger = Ledger::new(memory.clone());
        let judge = |card: &CardPayment| {
            card.open_command().is_none().then(|| {
                CardEntry::Command(CommandJson {
                    kind: CommandKind::Refund,
                    amount: "5".into(),
                    remaining: Some("0".into()),
                    note: None,
                    by: None,
                    request: None,
                    checked: false,
                })
            })
        };
        let cards = ledger.card_payments();
        cards
            .append(&id("C"), None, judge)
            .await
            .unwrap()
            .unwrap()
            .1
    };
    // Somebody is at it before all others, and slow.
    memory.script([
        Fault::None,
        Fault::None,
        Fault::Delay(Duration::from_millis(700)),
    ]);
    let all = join_all((0..16).map(|_| append())).await;
    assert_eq!(all.iter().flatten().count(), 1, "{all:?}");
    assert_eq!(card(&memory, "C").await.unwrap().commands.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_noted_once_however_often_it_is_seen() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    record_card(&memory, "C", "1", "5").await.unwrap();
    let version = stored(&memory, "1").await.unwrap().version;
    let all = join_all((0..16).map(|_| refund(&memory, "C", "2"))).await;
    let new = all.iter().filter(|done| matches!(done, Ok(Refunded::New)));
    assert_eq!(new.count(), 1);
    let order = stored(&memory, "1").await.unwrap();
    assert!(order.version > version);
    assert_eq!(order.state.amount_refunded().to_string(), "3.00");
    assert_eq!(ledger_events(&memory, "payment.refunded").await, 1);
    // A refund that is seen late is nothing new.
    assert_eq!(refund(&memory, "C", "4").await.unwrap(), Refunded::Known);
    assert_eq!(refund(&memory, "C", "0").await.unwrap(), Refunded::New);
    let order = stored(&memory, "1").await.unwrap();
    let now = Ledger::new(memory.clone()).now();
    assert_eq!(
        order.state.status(now),
        OrderStatus::Set(SetStatus::Refunded)
    );
    assert_eq!(
        refund(&memory, "N", "0").await.unwrap(),
        Refunded::NoPayment
    );
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_broke_off_is_noted_by_the_next_call() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
        for position in 0..14 {
            let memory = Memory::new();
            register(&memory, "1", "5").await.unwrap();
            record_card(&memory, "C", "1", "5").await.unwrap();
            memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
            let cut = tokio::time::timeout(Duration::from_secs(9), refund(&memory, "C", "1"));
            let _ = cut.await;
            memory.script([]);
            refund(&memory, "C", "1").await.unwrap();
            let order = stored(&memory, "1").await.unwrap();
            assert_eq!(order.state.amount_refunded().to_string(), "4.00");
            assert_eq!(order.state.payments()[0].refunds.len(), 1);
            let events = ledger_events(&memory, "payment.refunded").await;
            assert_eq!(events, 1, "{fault:?} {position}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_payment_of_a_long_order_is_given_back_and_looked_at_like_others() {
    for later in [0, 200, 400] {
        let memory = Memory::new();
        let ledger = Ledger::new(memory.clone());
        register(&memory, "1", "5000").await.unwrap();
        record_card(&memory, "C", "1", "5").await.unwrap();
        for payment in 0..later {
            record_in(&ledger, &format!("P{payment}"), "1", "1")
                .await
                .unwrap();
        }
        assert_eq!(refund(&memory, "C", "4").await.unwrap(), Refunded::New);
        assert!(open(&memory, "C", Review::ChargedBack).await);
        assert!(!open(&memory, "C", Review::ChargedBack).await);
        for payment in 0..later / 2 {
            record_in(&ledger, &format!("Q{payment}"), "1", "1")
                .await
                .unwrap();
        }
        assert_eq!(refund(&memory, "C", "4").await.unwrap(), Refunded::Known);
        assert_eq!(refund(&memory, "C", "3").await.unwrap(), Refunded::New);
        let payment = ledger.payments().get(&id("C")).await.unwrap().unwrap();
        assert_eq!(payment.state.remaining().to_string(), "3.00", "{later}");
        assert_eq!(payment.state.refunds.len(), 2);
        // The first is also too little.
        let reviews = [Review::UnderPaid, Review::ChargedBack];
        assert_eq!(payment.state.review, reviews, "{later}");
        let order = stored(&memory, "1").await.unwrap();
        assert_eq!(order.state.amount_refunded().to_string(), "2.00");
        assert_eq!(order.state.open_reviews_of(Review::ChargedBack), 1);
        assert_eq!(refund(&memory, "C", "0").await.unwrap(), Refunded::New);
        let order = stored(&memory, "1").await.unwrap();
        assert_eq!(order.state.amount_refunded().to_string(), "5.00");
        assert_eq!(order.state.open_reviews_of(Review::ChargedBack), 0);
        let payment = ledger.payments().get(&id("C")).await.unwrap().unwrap();
        assert!(payment.state.review.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_review_that_a_person_has_closed_is_not_opened_by_the_same_again() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    record_card(&memory, "C", "1", "5").await.unwrap();
    assert!(open(&memory, "C", Review::Mismatch).await);
    assert_eq!(ledger_events(&memory, "review.opened").await, 1);
    close(&memory, "C", Review::Mismatch).await.unwrap();
    assert!(!open(&memory, "C", Review::Mismatch).await);
    assert!(
        stored(&memory, "1").await.unwrap().state.payments()[0]
            .review
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_paid_by_card_nobody_confirms_or_enters_under_the_same_id() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    record_card(&memory, "C", "1", "5").await.unwrap();
    assert_eq!(
        record(&memory, "C", "1", "5").await.unwrap(),
        Recorded::Conflict
    );
    let again = record_card(&memory, "C", "1", "5").await.unwrap();
    assert_eq!(again, Recorded::Repeated { alike: true });
    let (confirmation, json) = payment("C", "1", "5");
    let evidence = Evidence::new(&secret(), b"", "C", b"", "manual");
    let json = PaymentJson {
        manual: Some(ManualJson {
            proposal: 1,
            proposed_by: "a".into(),
            approved_by: "b".into(),
            note: "n".into(),
            confirmed: None,
        }),
        ..json
    };
    let ledger = Ledger::new(memory.clone());
    let payments = ledger.payments();
    let entered = payments
        .record(
            &confirmation,
            &json,
            &StoredOrder::default(),
            &evidence,
            None,
        )
        .await;
    assert_eq!(entered.unwrap(), Recorded::Conflict);
    let known = payments.known(&id("C")).await.unwrap();
    assert_eq!(
        known.compare(&confirmation, &evidence),
        Some(Recorded::Conflict)
    );
    // Nor the other way round.
    record(&memory, "M", "1", "5").await.unwrap();
    assert_eq!(
        record_card(&memory, "M", "1", "5").await.unwrap(),
        Recorded::Conflict
    );
}

#[tokio::test(start_paused = true)]
async fn erasure_takes_what_is_of_a_person_out_of_a_payment_by_card() {
    let memory = Memory::new();
    register(&memory, "1", "5").await.unwrap();
    begin(&memory, "C", "1", "5").await.unwrap();
    let ledger = Ledger::new(memory.clone());
    let answer = br#"<GetState PANMask="411111xxxxxx0031"/>"#;
    let evidence = Evidence::new(&secret(), answer, "C", answer, "card");
    let seen = CardEntry::Seen(SeenJson {
        state: CardState::Paid,
        written: "Charged".into(),
        amount: Some("5.00".into()),
        rrn: None,
        masked_number: Some("411111xxxxxx0031".into()),
        evidence: evidence.id().to_owned(),
    });
    let cards = ledger.card_payments();
    cards
        .append(&id("C"), Some(&evidence), |_| Some(seen.clone()))
        .await
        .unwrap();
    record_card(&memory, "C", "1", "5").await.unwrap();
    let order = Erasure::Order(
        ServiceId::parse("TAX").unwrap(),
        OrderKey::parse("1").unwrap(),
    );
    let personal = ["411111xxxxxx0031", "shop.example.md"];
    assert!(!memory.keys_with(personal[0]).is_empty());
    memory.step_clock(SignedDuration::from_hours(1));
    let erasures = ledger.erasures();
    let erased = erasures
        .erase(&order, &Cursor::default(), "b")
        .await
        .unwrap();
    assert_eq!(erased.erased.len(), 1);
    for text in personal {
        assert_eq!(memory.keys_with(text), Vec::<String>::new(), "{text}");
    }
    // A state that is seen later brings nothing back.
    let again = |_: &CardPayment| Some(seen.clone());
    let evidence = Evidence::new(&secret(), b"<GetState/>", "C", b"again", "card");
    cards
        .append(&id("C"), Some(&evidence), again)
        .await
        .unwrap();
    let known = card(&memory, "C").await.unwrap();
    assert!(known.is_erased && known.attempt.return_url.is_none());
    assert_eq!(memory.keys_with(personal[0]), Vec::<String>::new());
    // Nothing is left to be done.
    let erased = erasures
        .erase(&order, &Cursor::default(), "b")
        .await
        .unwrap();
    assert!(erased.erased.is_empty());
}
