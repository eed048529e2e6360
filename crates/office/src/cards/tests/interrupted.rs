//! Tests of calls that are cut off at any point, and of the check that follows.

use super::*;

/// The step of a payment, from its beginning to a refund, that is cut off at a call of the store.
#[derive(Debug, Clone, Copy)]
enum Step {
    Begin,
    Observe,
    Charge,
    Refund,
    Unattended,
}

async fn cut(world: &World, step: Step, capture: &'static str, position: usize, fault: Fault) {
    let memory: &Memory = &world.api.memory;
    let interrupted = async |work: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        memory.script(std::iter::repeat_n(Fault::None, position).chain([fault; 5]));
        let _ = tokio::time::timeout(Duration::from_secs(24), work).await;
        memory.script([]);
    };
    let first = || {
        let gateway = world.gateway.lock().unwrap();
        gateway.deals.keys().next().cloned()
    };
    let body = json!({"capture": capture});
    match step {
        Step::Begin => {
            let begun = Box::pin(async {
                world.begin_as("k", body).await;
            });
            interrupted(begun).await;
            for deal in world.gateway.lock().unwrap().deals.values_mut() {
                deal.pay();
            }
        }
        Step::Observe | Step::Charge => {
            world.begin_as("k", body).await;
            let id = first().unwrap();
            world.change(&id, Deal::pay);
            let looked = Box::pin(async {
                let address = match step {
                    Step::Observe => format!("card-payments/{id}?ask=true"),
                    _ => format!("card-payments/{id}/charge"),
                };
                let method = if matches!(step, Step::Observe) {
                    "GET"
                } else {
                    "POST"
                };
                world
                    .api
                    .call(method, &address, "application/json", "")
                    .await;
            });
            interrupted(looked).await;
        }
        Step::Unattended => {
            let charged = Box::pin(async {
                world.unattended("k").await;
            });
            interrupted(charged).await;
        }
        Step::Refund => {
            world.begin_as("k", body).await;
            let id = first().unwrap();
            world.change(&id, Deal::pay);
            world.ask(&id).await;
            let refunded = Box::pin(async {
                world.refund("r", &id, "5").await;
            });
            interrupted(refunded).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_cut_off_anywhere_is_put_right_by_the_check() {
    let (mut refunds, mut charges) = ([0, 0], [0, 0]);
    for (step, capture) in [
        (Step::Begin, "immediate"),
        (Step::Observe, "immediate"),
        (Step::Observe, "checked"),
        (Step::Charge, "manual"),
        (Step::Refund, "immediate"),
        (Step::Unattended, "immediate"),
    ] {
        for fault in [Fault::Cut, Fault::CutAfter, Fault::Fail, Fault::Drop] {
            for position in 0..60 {
                let world = match step {
                    Step::Unattended => World::wallet(&[]).await,
                    _ => World::new(&[]).await,
                };
                cut(&world, step, capture, position, fault).await;
                for _ in 0..20 {
                    pass(60).await;
                    world.check().await;
                }
                let context = format!("{step:?} {capture} {fault:?} {position}");
                world.agrees(&context).await;
                if matches!(step, Step::Unattended) {
                    let sent = world.asked("Pay");
                    assert!(sent <= 1, "{context}");
                    let again = world.unattended("k").await;
                    // If the command is in the list, it cannot be known if it was sent.
                    let now = match again.status {
                        200 | 201 => 1,
                        status => {
                            assert_eq!((status, sent), (409, 0), "{context} {}", again.text);
                            0
                        }
                    };
                    assert_eq!(world.asked("Pay"), now, "{context}");
                    charges[now] += 1;
                    world.agrees(&context).await;
                }
                if matches!(step, Step::Refund) {
                    let deals = world.gateway.lock().unwrap().deals.clone();
                    let made = deals.values().map(|deal| deal.refunds).sum::<u32>();
                    assert!(
                        made <= 1,
                        "{context}: a refund is never made again by itself"
                    );
                    refunds[usize::from(made > 0)] += 1;
                }
            }
        }
    }
    for counts in [refunds, charges] {
        assert!(
            counts.iter().all(|count| *count > 5),
            "{refunds:?} {charges:?}"
        );
    }
}
