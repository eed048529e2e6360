//! SIGKILL under load: what was acknowledged is there, nothing is there twice, and what was not
//! acknowledged is finished by repetition.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::{Duration, Instant},
};

use mpay_client::{Answer, Client, Confirmation};
use rand::RngExt;

use crate::deployment::{Deployed, Place, payment};

/// Clients that pay at once.
const CLIENTS: u32 = 8;
/// The longest until everything is recorded, and seen by readers.
const PATIENCE: Duration = Duration::from_secs(120);

/// The payments of one life of the process, for an order of its own.
struct Round {
    order: String,
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
}

impl Round {
    /// Lets clients pay until the process is killed, at a moment that nobody chose.
    fn run(number: u32, up: &mut Deployed) -> Self {
        let order = format!("R-{number}");
        up.register(&order);
        let last = rand::rng().random_range(0..60);
        let then = Duration::from_micros(rand::rng().random_range(0..50_000));
        let sent = Mutex::<BTreeSet<String>>::default();
        let acknowledged = Mutex::<BTreeSet<String>>::default();
        let clients: Vec<_> = (0..CLIENTS).map(|_| up.client()).collect();
        std::thread::scope(|scope| {
            for (client, mpay) in clients.iter().enumerate() {
                let (order, sent, acknowledged) = (&order, &sent, &acknowledged);
                scope.spawn(move || {
                    for n in 0_u32.. {
                        // Every third payment comes from two clients, as repetitions do.
                        let client = if n % 3 == 2 { client / 2 * 2 } else { client };
                        let id = format!("{number}-{client}-{n}");
                        insert(sent, &id);
                        match mpay.confirm(&payment(order, &id)) {
                            Ok(Answer::Result(())) => insert(acknowledged, &id),
                            Ok(Answer::Fault(fault)) if fault.code == "InternalError" => {}
                            Ok(Answer::Fault(fault)) => panic!("{fault}"),
                            // Killed in between.
                            Err(_) => break,
                        }
                    }
                });
            }
            let started = Instant::now();
            while acknowledged.lock().unwrap().len() < last {
                assert!(
                    started.elapsed() < Duration::from_secs(120),
                    "no payment gets through"
                );
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(then);
            up.kill();
        });
        Self {
            order,
            sent: sent.into_inner().unwrap(),
            acknowledged: acknowledged.into_inner().unwrap(),
        }
    }

    /// Checks what must hold as soon as the next process runs.
    fn check(&self, up: &Deployed) {
        let (payments, _) = up.order(&self.order);
        for (id, times) in &payments {
            assert_eq!(*times, 1, "payment {id}");
            assert!(self.sent.contains(id), "nobody sent payment {id}");
        }
        for id in &self.acknowledged {
            assert!(payments.contains_key(id), "acknowledged payment {id}");
            let payment = up.get(&format!("api/payments/{id}"));
            assert_eq!(payment["payment_id"], **id);
        }
    }

    /// Checks what must hold once everything has been repeated.
    fn check_finished(&self, up: &Deployed) {
        let (payments, paid) = up.order(&self.order);
        assert!(payments.keys().eq(&self.sent), "{}", self.order);
        assert!(payments.values().all(|times| *times == 1));
        assert_eq!(paid, format!("{}.00", self.sent.len()));
    }
}

fn insert(set: &Mutex<BTreeSet<String>>, id: &str) {
    set.lock().unwrap().insert(id.to_owned());
}

/// Repeats until everything is recorded, as MPay does.
fn repeat(client: &Client, open: Vec<Confirmation>) {
    let started = Instant::now();
    let mut open = open;
    while !open.is_empty() {
        assert!(
            started.elapsed() < PATIENCE,
            "{} are never recorded",
            open.len()
        );
        let waiting = Mutex::new(open.into_iter());
        let refused = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..2 * CLIENTS {
                scope.spawn(|| {
                    loop {
                        let next = waiting.lock().unwrap().next();
                        let Some(payment) = next else { break };
                        match client.confirm(&payment).unwrap() {
                            Answer::Result(()) => {}
                            // Another client finishes the same, or what a process was at when it died.
                            Answer::Fault(fault) if fault.code == "InternalError" => {
                                refused.lock().unwrap().push(payment);
                            }
                            Answer::Fault(fault) => panic!("{fault}"),
                        }
                    }
                });
            }
        });
        open = refused.into_inner().unwrap();
        if !open.is_empty() {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// The payments as a reader finds them, who does not pass a place that somebody may still fill.
fn ledger_of(up: &Deployed, payments: usize) -> BTreeMap<String, u32> {
    let started = Instant::now();
    loop {
        let ledger = up.ledger();
        if ledger.len() >= payments || started.elapsed() > PATIENCE {
            return ledger;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Kills round after round as long as `more` says of the number of a round.
fn kill_and_repeat(more: impl Fn(u32) -> bool) {
    let place = Place::new();
    let mut finished: Vec<Round> = Vec::new();
    for number in (0..).take_while(|number| more(*number)) {
        let mut up = place.up();
        if let Some(last) = finished.last() {
            last.check(&up);
        }
        finished.push(Round::run(number, &mut up));
    }
    let up = place.up();
    let client = up.client();
    for round in &finished {
        round.check(&up);
    }
    let open = finished.iter().flat_map(|round| {
        let ids = round.sent.difference(&round.acknowledged);
        ids.map(|id| payment(&round.order, id))
    });
    repeat(&client, open.collect());
    for round in &finished {
        round.check_finished(&up);
    }
    let sent: BTreeSet<_> = finished.iter().flat_map(|round| &round.sent).collect();
    let acknowledged: usize = finished.iter().map(|round| round.acknowledged.len()).sum();
    let ledger = ledger_of(&up, sent.len());
    assert!(ledger.keys().eq(sent.iter().copied()));
    assert!(ledger.values().all(|times| *times == 1));
    println!(
        "{} kills: {} payments sent, {acknowledged} acknowledged before a kill",
        finished.len(),
        sent.len()
    );
}

#[test]
fn kills_under_load_lose_nothing_and_double_nothing() {
    kill_and_repeat(|number| number < 10);
}

/// Goes on for as many minutes as `MPAY_SOAK_MINUTES` says, as the soaks of the other engines do.
#[test]
#[ignore = "takes an hour"]
fn soak_on_sqlite() {
    let minutes = std::env::var("MPAY_SOAK_MINUTES").map_or(60, |text| text.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    kill_and_repeat(|_| Instant::now() < end);
}
