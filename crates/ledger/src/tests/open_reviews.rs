//! Orders with open reviews are found, whatever came when, and by a bounded look.

use super::*;

/// The keys of the orders that are found, once all of the journal was looked at, a few places a look.
async fn found(memory: &Memory) -> OpenReviewsFound {
    for look in 0..400 {
        let store = Ledger::new(memory.clone());
        let found = store.open_reviews().read_within(&Places::new(9)).await;
        let found = found.unwrap();
        if found.is_complete {
            return found;
        }
        // Until who has died is passed by, for which somebody must stand behind.
        tokio::time::sleep(Duration::from_secs(5)).await;
        if look % 20 == 19 {
            register(memory, &format!("behind-{look}"), "1")
                .await
                .unwrap();
        }
    }
    panic!("it is never complete");
}

fn keys(found: &OpenReviewsFound) -> Vec<String> {
    let open = found.open.iter();
    open.map(|(.., key)| key.to_string()).collect()
}

/// Those of `keys` whose orders have an open review: each is asked.
async fn asked(memory: &Memory, keys: &[String]) -> Vec<String> {
    let mut open = Vec::new();
    for key in keys {
        let order = stored(memory, key).await;
        if order.is_some_and(|order| order.state.has_open_review()) {
            open.push(key.clone());
        }
    }
    open
}

/// Numbers of chance, by a seed.
fn chance(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    usize::try_from(*seed >> 33).unwrap() % below
}

/// One thing that may happen to an order.
async fn do_something(memory: &Memory, seed: &mut u64, key: &str, n: usize) {
    let amount = ["5", "10", "30"][chance(seed, 3)];
    match chance(seed, 6) {
        0 => drop(register(memory, key, amount).await),
        1 => {
            let status = [None, Some("Cancelled"), Some("Completed")][chance(seed, 3)];
            if stored(memory, key).await.is_some() {
                drop(set(memory, key, status).await);
            }
        }
        2 => {
            let Some(order) = stored(memory, key).await else {
                return;
            };
            for payment in order.state.payments() {
                if let Some(review) = payment.review.first() {
                    drop(close(memory, payment.confirmation.payment_id.as_str(), *review).await);
                    return;
                }
            }
        }
        3 => {
            let Some(order) = stored(memory, key).await else {
                return;
            };
            // Of what is paid for the order that refunds in tests are of.
            if key == "1"
                && let Some(payment) = order.state.payments().first()
            {
                let id = payment.confirmation.payment_id.to_string();
                drop(refund(memory, &id, ["0", "1"][chance(seed, 2)]).await);
            }
        }
        _ => drop(record(memory, &format!("P-{n}"), key, amount).await),
    }
}

#[tokio::test(start_paused = true)]
async fn no_order_with_an_open_review_is_forgotten_whatever_came_and_broke_off() {
    let mut most = 0;
    for mut seed in 0..12 {
        let memory = Memory::new();
        let all: Vec<_> = (0..8).map(|n| n.to_string()).collect();
        for n in 0..60 {
            let key = &all[chance(&mut seed, all.len())];
            if chance(&mut seed, 5) == 0 {
                let fault = [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop];
                spoil(&memory, chance(&mut seed, 9), fault[chance(&mut seed, 4)]);
            }
            let does = do_something(&memory, &mut seed, key, n);
            let _ = tokio::time::timeout(Duration::from_secs(50), does).await;
            memory.script([]);
            if n % 3 == 0 {
                let mut known = keys(&found(&memory).await);
                known.sort();
                assert_eq!(known, asked(&memory, &all).await, "{n}");
                most = most.max(known.len());
            }
        }
    }
    assert!(most > 3, "{most}");
}

/// Pages of the register, of what is known and below it, as the API has them.
async fn listed(memory: &Memory, found: &OpenReviewsFound, limit: usize) -> Vec<String> {
    let store = Ledger::new(memory.clone());
    let (mut keys, mut before) = (Vec::new(), None);
    loop {
        let is_open = |order: &StoredOrder| order.state.has_open_review();
        let register = store.register();
        let page = match before.is_some_and(|before| before <= found.floor + 1) {
            true => {
                register
                    .read(before, limit, Span::ALWAYS, |_| true, is_open)
                    .await
            }
            false => {
                register
                    .to_review(found, before, limit, Span::ALWAYS, is_open)
                    .await
            }
        };
        let page = page.unwrap();
        assert!(page.orders.len() <= limit);
        let orders = page.orders.iter();
        let orders = orders.filter_map(|order| order.order.state.order());
        keys.extend(orders.map(|order| order.order_key.to_string()));
        match page.next {
            Some(next) => before = Some(next),
            None => return keys,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_very_many_the_newest_are_known_and_the_register_has_the_others() {
    let memory = Memory::new();
    for n in 0..130 {
        register(&memory, &format!("O-{n}"), "10").await.unwrap();
    }
    // The oldest come last, and one that is not to be looked at.
    for n in (0..130).rev() {
        let amount = if n == 70 { "10" } else { "12" };
        record(&memory, &format!("P-{n}"), &format!("O-{n}"), amount)
            .await
            .unwrap();
    }
    let all = (0..130).rev().filter(|n| *n != 70);
    let all: Vec<_> = all.map(|n| format!("O-{n}")).collect();
    let known = found(&memory).await;
    assert_eq!(keys(&known), all[..100]);
    assert!(known.floor > 0 && !known.is_stuck);
    for limit in [1, 7, 50, 200] {
        assert_eq!(listed(&memory, &known, limit).await, all, "{limit}");
    }
    // Who looks again reads what came since alone.
    memory.take_calls();
    let store = Ledger::new(memory.clone());
    let again = store.open_reviews().read_within(&Places::new(9)).await;
    assert_eq!(again.unwrap(), known);
    let calls = memory.take_calls();
    assert!(calls.len() < 5, "{}", calls.join("\n"));
    assert!(calls.iter().all(|call| !call.contains("order/")));
    // Once those are closed, the others are known.
    for n in 0..130 {
        if (30..130).contains(&n) && n != 70 {
            close(&memory, &format!("P-{n}"), Review::OverPaid)
                .await
                .unwrap();
        }
    }
    close(&memory, "P-29", Review::OverPaid).await.unwrap();
    let rest = found(&memory).await;
    assert_eq!((keys(&rest), rest.floor), (all[100..].to_vec(), 0));
    // A damaged note costs the walk, and takes nothing away.
    memory.overwrite("note/open-reviews", b"{".to_vec());
    assert_eq!(found(&memory).await, rest);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_leads_to_the_register_until_it_is_mended() {
    let memory = Memory::new();
    register(&memory, "1", "10").await.unwrap();
    register(&memory, "2", "10").await.unwrap();
    record(&memory, "P", "1", "12").await.unwrap();
    record(&memory, "Q", "2", "12").await.unwrap();
    let store = Ledger::new(memory.clone());
    let look = async || {
        let places = Places::new(50);
        store.open_reviews().read_within(&places).await.unwrap()
    };
    let whole = memory.value("journal/3").unwrap();
    memory.overwrite("journal/3", b"{".to_vec());
    let stuck = look().await;
    assert!(stuck.is_stuck && !stuck.is_complete, "{stuck:?}");
    // By itself, once it is there again.
    memory.overwrite("journal/3", whole);
    assert_eq!(keys(&look().await), ["2", "1"]);
    // What its order has lost is found when it is written again.
    memory.remove("order/TAX/2/2");
    memory.overwrite("note/open-reviews", b"{".to_vec());
    let lost = look().await;
    assert!(!keys(&lost).contains(&"2".to_owned()), "{lost:?}");
    store.repairs().block(&Cursor::default()).await.unwrap();
    assert_eq!(keys(&look().await), ["2", "1"]);
    // A backup has a shorter journal than the note says.
    memory.overwrite(
        "note/open-reviews",
        br#"{"v":1,"value":{"place":99,"open":[]}}"#.to_vec(),
    );
    assert_eq!(keys(&look().await), ["2", "1"]);
}

/// A proposal to enter a payment.
async fn propose(memory: &Memory, id: &str) -> u64 {
    let (_, json) = payment(id, "1", "10");
    let proposal = ProposalJson {
        payment_id: json.payment_id,
        service_id: json.service_id,
        order_key: json.order_key,
        invoice_id: None,
        amount: json.amount,
        currency: json.currency,
        paid_at: json.paid_at,
        lines: json.lines,
        note: "n".to_owned(),
        by: "a".to_owned(),
    };
    let store = Ledger::new(memory.clone());
    let proposed = Proposed::Payment(proposal);
    store.proposals().propose(&proposed).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn open_proposals_are_known_until_somebody_decides() {
    let memory = Memory::new();
    let store = Ledger::new(memory.clone());
    let mut places = Vec::new();
    for n in 0..105 {
        places.push(propose(&memory, &format!("P-{n}")).await);
    }
    let known = found(&memory).await;
    assert_eq!(known.proposals, places[5..]);
    assert_eq!(known.proposals_floor, places[4]);
    let page = store.proposals().known(&known.proposals, places[4], 10);
    let page = page.await.unwrap();
    let newest: Vec<_> = page
        .proposals
        .iter()
        .map(|proposal| proposal.index)
        .collect();
    assert_eq!(
        newest,
        places[95..].iter().rev().copied().collect::<Vec<_>>()
    );
    assert_eq!(page.next, Some(places[95]));
    for place in &places[5..] {
        let proposal = store.proposals().get(*place).await.unwrap().unwrap();
        let withdrawn = Decision::Withdrawn { by: "a".to_owned() };
        store
            .proposals()
            .decide(&proposal, &withdrawn)
            .await
            .unwrap();
    }
    // Those that were left out are found once the others are decided.
    assert_eq!(found(&memory).await.proposals, places[..5]);
    let page = store.proposals().known(&places[..5], 0, 10).await.unwrap();
    assert_eq!((page.proposals.len(), page.next), (5, None));
}
