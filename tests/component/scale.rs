//! The cost of the calls that MPay waits for does not depend on the number of orders.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use mpay_client::{Answer, Client, encode_query};
use mpay_host::{Fault, Observer, Operation};

use crate::harness::*;

/// Calls to the store, as they come.
type Calls = Arc<Mutex<Vec<Operation>>>;

/// The operations of MPay's calls in a store of so many orders: GetOrderDetails, a first confirmation,
/// and its repetition.
fn cost(orders: usize) -> [Vec<Operation>; 3] {
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let observer: Observer = Arc::new(move |call| {
        seen.lock().unwrap().push(call.operation);
        Fault::None
    });
    let provider = Provider::start_with(&[], Some(observer));
    fill(&provider, orders);
    let key = (orders / 2).to_string();
    let measure = |call: &dyn Fn()| {
        calls.lock().unwrap().clear();
        call();
        std::mem::take(&mut *calls.lock().unwrap())
    };
    let pay = |key: &str, id| {
        let payment = confirmation(key, id, "10");
        let answer = provider.mpay().confirm(&payment).unwrap();
        assert_eq!(answer, Answer::Result(()));
    };
    let confirm = || pay(&key, "P");
    // The first payment of a store makes its secret, and the first of an instance reads it.
    pay("0", "before");
    let cost = [
        measure(&|| {
            provider.details(&key);
        }),
        measure(&confirm),
        measure(&confirm),
    ];
    assert_eq!(provider.order(&key)["status"], "Paid");
    assert_eq!(provider.ledger().len(), 2);
    cost
}

/// Registers an order, and copies everything that it has in the store until there are so many.
fn fill(provider: &Provider, orders: usize) {
    provider.register("0", order("10"));
    let version = String::from_utf8(provider.stored("order/TAX/0/1").unwrap()).unwrap();
    let event = String::from_utf8(provider.stored("journal/1").unwrap()).unwrap();
    let renamed = |text: &str, n| {
        let copy = text.replace("\"order_key\":\"0\"", &format!("\"order_key\":\"{n}\""));
        assert_ne!(copy, text);
        copy.into_bytes()
    };
    let count = |n: usize| (n as u64).to_le_bytes().to_vec();
    provider.load(&[("journal".to_owned(), count(orders))]);
    let numbers: Vec<usize> = (1..orders).collect();
    for part in numbers.chunks(3_000) {
        let entries = part.iter().flat_map(|&n| {
            [
                (format!("order/TAX/{n}"), count(1)),
                (format!("order/TAX/{n}/1"), renamed(&version, n)),
                (format!("journal/{}", n + 1), renamed(&event, n)),
            ]
        });
        provider.load(&entries.collect::<Vec<_>>());
    }
}

/// `docs/design/speed.md` says so too.
#[track_caller]
fn assert_pinned(cost: &[Vec<Operation>; 3]) {
    use Operation::{Get, GetMany, Increment, SetMany};
    let first = [
        Get,     // the marker of the payment
        GetMany, // the order
        GetMany, // the marker again, attempts, and what is kept of the evidence
        Increment, Increment,
        Increment, // places of the attempt, in the order and the journal
        SetMany,   // all three entries, with the evidence and the answer
        GetMany,   // whether anybody has asked about these places
        SetMany,   // the marker
    ];
    assert_eq!(*cost, [vec![GetMany], first.to_vec(), vec![Get]]);
}

#[test]
fn calls_of_mpay_cost_the_same_in_a_store_of_a_hundred_and_of_a_hundred_thousand_orders() {
    for orders in [100, 10_000, 100_000] {
        assert_pinned(&cost(orders));
    }
}

/// GetOrderDetails in a large and in a small store, in turn, so that both are disturbed alike. Of the
/// large one, no order is asked for twice.
#[test]
#[ignore = "fills a gigabyte, and measures time, for which the machine must be quiet"]
fn details_of_one_order_in_a_million_take_hardly_longer_than_of_one_in_a_hundred() {
    const CALLS: usize = 2_000;
    const SIZES: [usize; 2] = [100, 1_000_000];
    let stores = SIZES.map(|orders| {
        let provider = Provider::start();
        let begun = Instant::now();
        fill(&provider, orders);
        println!("{orders} orders in {:?}", begun.elapsed());
        provider
    });
    let clients = stores.each_ref().map(Provider::mpay);
    // Spread over the whole store: its size and this prime have no divisor in common.
    let key = |n: usize, orders: usize| (n * 7_919 % orders).to_string();
    let asked = |n: usize| {
        [0, 1].map(|store| {
            let content = encode_query(SERVICE, &key(n, SIZES[store]), "ro");
            clients[store].sign(&content).unwrap()
        })
    };
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..CALLS {
        for (store, message) in asked(n).into_iter().enumerate() {
            times[store].push(time(&clients[store], message));
        }
    }
    let [small, large] = times.map(|mut times| {
        times.sort_unstable();
        let at = |percent: usize| times[times.len() * percent / 100];
        println!(
            "25 %: {:?}, 50 %: {:?}, 75 %: {:?}, 95 %: {:?}",
            at(25),
            at(50),
            at(75),
            at(95)
        );
        at(50)
    });
    let ratio = large.as_secs_f64() / small.as_secs_f64();
    println!("ratio of the medians: {ratio:.3}");
    assert!(ratio < 1.1);
}

fn time(client: &Client, message: String) -> Duration {
    let sent = Instant::now();
    let exchange = client.post("GetOrderDetails", message).unwrap();
    let took = sent.elapsed();
    assert_eq!(exchange.status, 200);
    assert!(!exchange.body.is_empty());
    took
}

/// A person in the office of a store of so many orders, and what their pages ask the store.
struct Visitor {
    provider: Provider,
    calls: Calls,
    cookie: String,
}

/// Pages. A search for what is not there looks at as much as one page may. Today and the payments of a day
/// are not among them: they read the journal of that day, and these stores are all of one day.
const PAGES: [&str; 6] = [
    "admin/orders",
    "admin/orders?status=Active",
    "admin/orders/TAX/7",
    "admin/notices?status=Active",
    "admin/orders?customer_id=2000000000004",
    "admin/personal?customer_id=2000000000004",
];

impl Visitor {
    fn new(orders: usize) -> Self {
        Self::with(|provider| fill(provider, orders))
    }

    fn with(fill: impl FnOnce(&Provider)) -> Self {
        let calls = Calls::default();
        let seen = Arc::clone(&calls);
        let observer: Observer = Arc::new(move |call| {
            seen.lock().unwrap().push(call.operation);
            Fault::None
        });
        let variables = [
            ("page_key", "a-key-of-pages-for-tests-alone-0123456789"),
            ("public_url", "http://127.0.0.1:9/"),
        ];
        let provider = Provider::start_with(&variables, Some(observer));
        fill(&provider);
        // The redirect is of no interest, and has no cookie.
        let agent = ureq::Agent::config_builder()
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        let url = format!("{}/admin/sign-in", provider.url.trim_end_matches('/'));
        let form = [("token", TOKEN)];
        let answer = agent.new_agent().post(url).send_form(form).unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        Self {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            provider,
            calls,
        }
    }

    fn open(&self, page: &str) -> String {
        let headers = [("Cookie", self.cookie.as_str())];
        let mut answer = self.provider.http("GET", page, &headers, b"");
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{page}: {text}");
        text
    }

    fn payers_page(&self) -> String {
        let order = self.provider.order("7");
        let (_, path) = order["pay_url"]
            .as_str()
            .unwrap()
            .split_once("/o/")
            .unwrap();
        format!("o/{path}")
    }

    /// The operations of each page, the fewest of several times: a new instance also reads values that
    /// others keep in memory.
    fn costs(&self) -> Vec<(String, Vec<Operation>)> {
        let pages = PAGES.map(str::to_owned).into_iter();
        pages
            .chain([self.payers_page()])
            .map(|page| {
                let times = (0..4).map(|_| {
                    self.calls.lock().unwrap().clear();
                    self.open(&page);
                    std::mem::take(&mut *self.calls.lock().unwrap())
                });
                let least = times.min_by_key(Vec::len).unwrap();
                (page, least)
            })
            .collect()
    }
}

#[test]
fn a_page_asks_the_store_as_little_of_a_hundred_thousand_orders_as_of_ten_thousand() {
    let [some, many] = [10_000, 100_000].map(|orders| Visitor::new(orders).costs());
    for ((page, some), (_, many)) in some.into_iter().zip(many) {
        println!("{:3} calls  {page}", many.len());
        assert!(some == many, "{page}: {} and {}", some.len(), many.len());
    }
}

/// The processor time of this process, in milliseconds: provider, host and client.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| ticks.parse::<f64>().unwrap() * 10.0)
        .sum()
}

#[test]
#[ignore = "fills a gigabyte, and measures time, for which the machine must be quiet"]
fn a_page_takes_at_most_25_milliseconds_of_processor_time_among_a_million_orders() {
    const TIMES: u32 = 100;
    let visitor = Visitor::new(1_000_000);
    let pages = PAGES.map(str::to_owned).into_iter();
    let pages: Vec<_> = pages.chain([visitor.payers_page()]).collect();
    let mut slow = Vec::new();
    for page in pages {
        visitor.open(&page);
        let before = processor_time();
        for _ in 0..TIMES {
            visitor.open(&page);
        }
        let took = (processor_time() - before) / f64::from(TIMES);
        println!("{took:6.1} ms  {page}");
        // Fifty notices are fifty pages with a code each, and what is kept of a person is twenty calls.
        let is_many = ["notices", "personal"]
            .iter()
            .any(|many| page.contains(many));
        if took > 25.0 && !is_many {
            slow.push((page, took));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

/// Orders, each with a payment of today, as many: what the store holds of one, copied.
fn fill_with_payments(provider: &Provider, count: usize) {
    provider.register("key-00000", order("10"));
    let before = provider.keys("");
    let payment = confirmation("key-00000", "pay-00000", "10");
    let answer = provider.mpay().confirm(&payment).unwrap();
    assert_eq!(answer, Answer::Result(()));
    let mut keys = provider.keys("");
    // What all have in common stays as it is.
    keys.retain(|key| {
        let is_of_one = key.contains("key-00000") || key.contains("pay-00000");
        is_of_one || matches!(key.as_str(), "journal/1" | "journal/2")
    });
    assert!(keys.len() > 6 && before.len() > 2, "{keys:?}");
    let values: Vec<_> = keys
        .iter()
        .map(|key| (key.as_str(), provider.stored(key).unwrap()))
        .collect();
    provider.load(&[(
        "journal".to_owned(),
        (2 * count as u64).to_le_bytes().to_vec(),
    )]);
    let numbers: Vec<usize> = (1..count).collect();
    for part in numbers.chunks(1_000) {
        let entries = part.iter().flat_map(|&n| {
            let named = move |text: &str| {
                let text = text.replace("key-00000", &format!("key-{n:05}"));
                let text = text.replace("pay-00000", &format!("pay-{n:05}"));
                let (registered, paid) = (2 * n + 1, 2 * n + 2);
                match text.as_str() {
                    "journal/1" => format!("journal/{registered}"),
                    "journal/2" => format!("journal/{paid}"),
                    _ => text.replace("\"journal\":2", &format!("\"journal\":{paid}")),
                }
            };
            values.iter().map(move |(key, value)| {
                let value = match std::str::from_utf8(value) {
                    Ok(text) => named(text).into_bytes(),
                    Err(_) => value.clone(),
                };
                (named(key), value)
            })
        });
        provider.load(&entries.collect::<Vec<_>>());
    }
}

#[test]
#[ignore = "measures time, for which the machine must be quiet"]
fn each_look_at_a_day_of_ten_thousand_payments_takes_at_most_25_milliseconds_of_processor_time() {
    const PAYMENTS: usize = 10_000;
    let visitor = Visitor::with(|provider| fill_with_payments(provider, PAYMENTS));
    let mut slow = Vec::new();
    for page in ["admin", "admin/payments", "admin/refusals"] {
        let (mut looks, before) = (0, processor_time());
        let text = loop {
            let text = visitor.open(page);
            looks += 1;
            assert!(looks < 200, "{page}: {text}");
            if !text.contains("http-equiv") {
                break text;
            }
        };
        let took = (processor_time() - before) / f64::from(looks);
        println!("{took:6.1} ms each of {looks} looks  {page}");
        let sum = text.replace(['\u{A0}', '\u{202F}'], "");
        assert!(
            page == "admin/refusals" || sum.contains("100000,00"),
            "{page}: {text}"
        );
        if took > 25.0 {
            slow.push((page, took));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}
