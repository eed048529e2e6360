//! Evidence, certificates and refusals.

use super::*;

/// The certificate of a signer is kept once, with the first message, and costs no call of its own.
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
    // Only entries that came since are read.
    memory.take_calls();
    assert_eq!(ids(&calls.read().await.unwrap().open), ["LATER", "OLD"]);
    let again = memory.take_calls();
    assert!(again.len() < 16, "{}", again.join("\n"));
    // A refused confirmation whose payment is recorded later needs nobody.
    record(&memory, "LATER", "1", "5").await.unwrap();
    let found = calls.read().await.unwrap();
    assert_eq!(ids(&found.open), ["OLD"]);
    assert_eq!(ids(&found.latest), ["LATER", "OLD"]);
    // If there are very many, the newest are known, and the others once those are closed.
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
