//! Calls that broke off are finished by the next call.

use super::*;

/// However far the entry by hand has come, MPay's confirmation finishes it, is kept, and pays nothing
/// twice.
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

/// However far a void came before it broke off, the money counts once or not at all, and the next call
/// goes on.
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
                refund: None,
                by_amount: false,
                account: None,
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
            // The next call also finishes everything that was left.
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
