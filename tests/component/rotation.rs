//! Keys, certificates, tokens and secrets are changed, as docs/operate.md says, while calls come all the
//! time: on two hosts behind a proxy, one restarted after the other. No call fails.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use mpay_client::{Answer, Client};
use mpay_host::Store;
use sha2::Sha256;
use wsse::{Certificate, Signer};

use crate::{
    engines::{advance, ids},
    harness::*,
    receiver::{Received, Receiver},
    servers,
};

const PAYERS: usize = 2;
const NEW_TOKEN: &str = "new-token-0123456789-0123456789-0123456789";
const OLD_PAGE_KEY: &str = "an-old-key-of-pages-0123456789-0123456789";
const NEW_PAGE_KEY: &str = "a-new-key-of-pages-0123456789-0123456789";
const OLD_SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW_SECRET: &str = "nOWTIjUPD8ILPZIo2LaLaSwMfKQ9r8GK";

/// A pair of a key and its certificate.
type Pair = (&'static str, &'static str);

const OLD_MPAY: Pair = (MPAY_KEY, MPAY);
const NEW_MPAY: Pair = (STRANGER_KEY, STRANGER);
const OLD_OWN: Pair = (SERVICE_KEY, SERVICE_CERTIFICATE);
/// The service's new pair is the one that MPay has given up by then: it is as good as any other.
const NEW_OWN: Pair = OLD_MPAY;

/// Two hosts over one store. The proxy sends nothing to a host that is being restarted, and lets it end
/// its requests.
struct Hosts([RwLock<Provider>; 2]);

impl Hosts {
    fn call<T>(&self, first: usize, call: impl FnOnce(&Provider) -> T) -> T {
        for turn in first.. {
            if let Ok(host) = self.0[turn % 2].try_read() {
                return call(&host);
            }
        }
        unreachable!()
    }

    /// Gives both hosts other values, one after the other.
    fn change(&self, values: &[(&str, &str)]) {
        for host in &self.0 {
            let mut host = host.write().unwrap();
            for (name, value) in values {
                host.set_variable(name, value);
            }
            host.restart();
            let health = host.http("GET", "health", &[], b"").status();
            assert_eq!(health, 200);
        }
    }

    fn client(&self, signer: Pair, provider: &str) -> Client {
        let url = self.call(0, |host| host.url.clone());
        client(&url, signer, provider)
    }
}

fn client(url: &str, (key, certificate): Pair, provider: &str) -> Client {
    let signer = Signer::from_pem(key, certificate).unwrap();
    Client::new(url, signer, Certificate::from_pem(provider).unwrap())
}

/// The credentials of the callers, which change while they call.
struct Callers {
    mpay: Mutex<Pair>,
    /// The certificates that MPay believes.
    own: Mutex<Vec<&'static str>>,
    token: Mutex<&'static str>,
    stop: AtomicBool,
    paid: Mutex<BTreeSet<String>>,
    asked: AtomicUsize,
}

impl Callers {
    /// Pays, until it is to stop. Every call must succeed at once.
    fn pay(&self, hosts: &Hosts, payer: usize) {
        for number in 0.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let id = format!("P-{payer}-{number}");
            let payment = confirmation(&payer.to_string(), &id, "1");
            // A call takes its credentials once it has a host, which is not restarted until the call
            // ends.
            let (exchange, signer, url) = hosts.call(number, |host| {
                let signer = *self.mpay.lock().unwrap();
                let client = client(&host.url, signer, OLD_OWN.1);
                let sent = client.send("ConfirmOrderPayment", &payment.encode());
                (sent.unwrap(), signer, host.url.clone())
            });
            let believed = self.own.lock().unwrap().clone();
            let answers = believed.iter().map(|own| {
                let client = client(&url, signer, own);
                client.read(&exchange, "ConfirmOrderPaymentResponse", |_| ())
            });
            let answers: Vec<_> = answers.collect();
            let ok = |answer: &Result<Answer<()>, _>| matches!(answer, Ok(Answer::Result(())));
            assert!(answers.iter().any(ok), "{id}: {answers:?}");
            self.paid.lock().unwrap().insert(id);
        }
    }

    /// Asks the order API, likewise.
    fn ask(&self, hosts: &Hosts) {
        for number in 0.. {
            if self.stop.load(Relaxed) {
                return;
            }
            let answer = hosts.call(number, |host| {
                let authorization = format!("Bearer {}", self.token.lock().unwrap());
                let headers = [("Authorization", authorization.as_str())];
                host.api_with("GET", "orders/TAX/0", None, &headers)
            });
            assert_eq!(answer.status, 200, "{answer:?}");
            self.asked.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until some calls more have been made, and a payment by each payer.
    fn go_on(&self) {
        let begun = Instant::now();
        let (paid, asked) = (self.paid.lock().unwrap().len(), self.asked.load(Relaxed));
        while self.paid.lock().unwrap().len() < paid + 4 || self.asked.load(Relaxed) < asked + 2 {
            assert!(begun.elapsed() < Duration::from_secs(120), "nobody calls");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whatever fails, the callers come to their end.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// True if a message is signed with this secret.
fn is_signed(received: &Received, secret: &str) -> bool {
    let text = |name: &str| received.headers[name].to_str().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&Base64::decode_vec(secret).unwrap()).unwrap();
    let signed = format!("{}.{}.", text("webhook-id"), text("webhook-timestamp"));
    mac.update(signed.as_bytes());
    mac.update(&received.body);
    let expected = format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()));
    text("webhook-signature")
        .split(' ')
        .any(|one| one == expected)
}

#[test]
fn everything_secret_is_changed_under_load_and_no_call_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let webhooks = |secrets: &str| format!("erp {}/hook {secrets}", receiver.origin());
    let (old_secret, new_secret) = (format!("whsec_{OLD_SECRET}"), format!("whsec_{NEW_SECRET}"));
    let access = [
        managers(&[TOKEN]),
        managers(&[TOKEN, NEW_TOKEN]),
        managers(&[NEW_TOKEN]),
    ];
    let host = || {
        let variables = [
            ("public_url", "https://plati.exemplu.md/"),
            ("page_key", OLD_PAGE_KEY),
            ("webhooks", &webhooks(&old_secret)),
            ("webhook_origin", &receiver.origin()),
        ];
        Provider::start_tuned(&variables, |options| {
            options.store = Store::File(folder.path().join("books.db"));
        })
    };
    let hosts = Hosts([RwLock::new(host()), RwLock::new(host())]);
    for payer in 0..PAYERS {
        hosts.call(0, |host| host.register(&payer.to_string(), advance()));
    }
    let callers = Callers {
        mpay: Mutex::new(OLD_MPAY),
        own: Mutex::new(vec![OLD_OWN.1]),
        token: Mutex::new(TOKEN),
        stop: AtomicBool::new(false),
        paid: Mutex::default(),
        asked: AtomicUsize::new(0),
    };
    let link = || {
        hosts.call(0, |host| {
            host.api_with(
                "GET",
                "orders/TAX/0",
                None,
                &[(
                    "Authorization",
                    &format!("Bearer {}", callers.token.lock().unwrap()),
                )],
            )
            .body["pay_url"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    let opens = |link: &str| {
        let path = link.strip_prefix("https://plati.exemplu.md/").unwrap();
        hosts.call(0, |host| host.http("GET", path, &[], b"").status().as_u16())
    };
    let attempt = |signer: Pair, own: &str| {
        let payment = confirmation("0", "X", "1");
        hosts.client(signer, own).confirm(&payment)
    };

    thread::scope(|scope| {
        let (hosts, callers) = (&hosts, &callers);
        let stop = Stop(&callers.stop);
        for payer in 0..PAYERS {
            scope.spawn(move || callers.pay(hosts, payer));
        }
        scope.spawn(move || callers.ask(hosts));
        callers.go_on();

        // MPay's certificate: the new one is added before MPay changes over.
        hosts.change(&[(
            "mpay_certificates",
            &format!("{}{}", OLD_MPAY.1, NEW_MPAY.1),
        )]);
        callers.go_on();
        *callers.mpay.lock().unwrap() = NEW_MPAY;
        callers.go_on();
        hosts.change(&[("mpay_certificates", NEW_MPAY.1)]);
        callers.go_on();
        let refused = attempt(OLD_MPAY, OLD_OWN.1).unwrap();
        assert_eq!(code(refused), "AuthenticationFailed");

        // The own key and certificate: MPay has the new certificate before.
        callers.own.lock().unwrap().push(NEW_OWN.1);
        callers.go_on();
        hosts.change(&[
            ("service_key", NEW_OWN.0),
            ("service_certificate", NEW_OWN.1),
        ]);
        callers.go_on();
        let payment = confirmation("0", "N", "1");
        let answer = hosts.client(NEW_MPAY, NEW_OWN.1).confirm(&payment);
        assert_eq!(code(answer.unwrap()), "ok");
        callers.paid.lock().unwrap().insert("N".to_owned());

        // A token: the new one is added, the callers move, the old one goes.
        hosts.change(&[("access", &access[1])]);
        callers.go_on();
        *callers.token.lock().unwrap() = NEW_TOKEN;
        callers.go_on();
        hosts.change(&[("access", &access[2])]);
        callers.go_on();
        assert_eq!(
            hosts
                .call(0, |host| host.api("GET", "orders/TAX/0", None))
                .status,
            401
        );

        // The key of the pages: old links go on until the old key goes.
        let old_link = link();
        assert_eq!(opens(&old_link), 200);
        hosts.change(&[("page_key", &format!("{NEW_PAGE_KEY} {OLD_PAGE_KEY}"))]);
        let new_link = link();
        assert_ne!(new_link, old_link);
        assert_eq!((opens(&old_link), opens(&new_link)), (200, 200));
        hosts.change(&[("page_key", NEW_PAGE_KEY)]);
        assert_eq!((opens(&old_link), opens(&new_link)), (404, 200));

        // The secret of a webhook: both sign, the receiver changes over, the old one goes.
        let both = webhooks(&format!("{old_secret} {new_secret}"));
        hosts.change(&[("webhooks", &both)]);
        callers.go_on();
        hosts.change(&[("webhooks", &webhooks(&new_secret))]);
        callers.go_on();
        drop(stop);
    });

    let paid = callers.paid.into_inner().unwrap();
    let [first, second] = hosts.0.map(|host| host.into_inner().unwrap());
    drop(second);
    let mut first = first;
    first.set_variable("access", &managers(&[TOKEN]));
    first.restart();
    let recorded = ids(&first);
    let distinct: BTreeSet<_> = recorded.iter().cloned().collect();
    assert_eq!(recorded.len(), distinct.len(), "a payment counts twice");
    assert_eq!(distinct, paid);
    // The institution is told of each, by messages that one of the secrets has signed.
    let begun = Instant::now();
    let told = || -> BTreeSet<String> {
        let received = receiver.received().into_iter();
        let signed = received.filter(|received| {
            assert!(is_signed(received, OLD_SECRET) || is_signed(received, NEW_SECRET));
            true
        });
        let ids =
            signed.map(|received| received.headers["webhook-id"].to_str().unwrap().to_owned());
        ids.filter(|id| paid.contains(id)).collect()
    };
    while told() != paid {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "not told of all"
        );
        first.api("POST", "outbox/deliver", None);
        thread::sleep(Duration::from_millis(200));
    }
}

/// By a second user with the same rights: the first one's password may be changed only when nobody uses it.
#[test]
fn the_password_of_the_database_is_changed_under_load_and_no_call_is_lost() {
    let Some(postgres) = servers::Postgres::start() else {
        return;
    };
    let url = |user: &str, password: &str| {
        let origin = postgres.origin();
        let authority = origin.strip_prefix("postgres://").unwrap();
        format!("postgres://{user}:{password}@{authority}/books?sslmode=disable")
    };
    let first = url("books", "old-only-for-tests");
    let second = url("books_2", "new-only-for-tests");
    postgres.carry_out("CREATE ROLE books LOGIN PASSWORD 'old-only-for-tests'");
    postgres.carry_out("CREATE DATABASE books OWNER books");
    let host = || {
        let origin = postgres.origin();
        let variables = [("database_url", &*first), ("database_origin", &*origin)];
        RwLock::new(Provider::start_on_postgres(&variables))
    };
    let hosts = Hosts([host(), host()]);
    for payer in 0..PAYERS {
        hosts.call(0, |host| host.register(&payer.to_string(), advance()));
    }
    let callers = Callers {
        mpay: Mutex::new(OLD_MPAY),
        own: Mutex::new(vec![OLD_OWN.1]),
        token: Mutex::new(TOKEN),
        stop: AtomicBool::new(false),
        paid: Mutex::default(),
        asked: AtomicUsize::new(0),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let administrator = runtime.block_on(postgres.administer());
    let are_used_by = |user: &str| -> i64 {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1";
        let row = runtime.block_on(administrator.query_one(asked, &[&user]));
        row.unwrap().get(0)
    };
    thread::scope(|scope| {
        let (hosts, callers) = (&hosts, &callers);
        let stop = Stop(&callers.stop);
        for payer in 0..PAYERS {
            scope.spawn(move || callers.pay(hosts, payer));
        }
        scope.spawn(move || callers.ask(hosts));
        callers.go_on();
        assert!(are_used_by("books") > 0);
        postgres.carry_out("CREATE ROLE books_2 LOGIN PASSWORD 'new-only-for-tests' IN ROLE books");
        hosts.change(&[("database_url", &second)]);
        callers.go_on();
        assert_eq!(
            are_used_by("books"),
            0,
            "nobody has the old password any more"
        );
        postgres.carry_out("ALTER ROLE books NOLOGIN");
        callers.go_on();
        // The next time it goes the other way round.
        let third = url("books", "next-only-for-tests");
        postgres.carry_out("ALTER ROLE books LOGIN PASSWORD 'next-only-for-tests'");
        hosts.change(&[("database_url", &third)]);
        callers.go_on();
        assert_eq!(are_used_by("books_2"), 0);
        postgres.carry_out("ALTER ROLE books_2 NOLOGIN");
        callers.go_on();
        drop(stop);
    });
    let paid = callers.paid.into_inner().unwrap();
    let recorded = hosts.call(0, ids);
    assert_eq!(recorded.len(), paid.len(), "each payment counts once");
    assert_eq!(recorded.into_iter().collect::<BTreeSet<_>>(), paid);
    hosts.call(0, |host| {
        assert!(!host.log().contains("only-for-tests"), "{}", host.log());
    });
}
