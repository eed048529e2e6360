//! SIGKILL between the steps of a payment by card. Whatever was cut off, `check` makes the books and the
//! gateway agree: no money is lost or counted twice, and no command is sent twice.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use mpay_gateway::{Answer, Gateway, Interface, Options, Order};
use serde_json::{Value, json};

use crate::{
    deployment::{Deployed, Place, SERVICE, TOKEN},
    mpay, workspace,
};

const PAYS: &str = "4111111111100031";
/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// At which moment the process is killed that has sent a command to the gateway.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The gateway never gets it.
    Sent,
    /// The gateway has done it, and its answer never comes.
    Done,
    /// The answer was sent so long before.
    Answered(Duration),
}

/// Moments after an answer: what is kept of it takes a few milliseconds.
const ANSWERED: [At; 2] = [
    At::Answered(Duration::from_millis(2)),
    At::Answered(Duration::from_millis(15)),
];

/// The place where the process is to be killed.
struct Trap {
    command: &'static str,
    /// The number of commands of this name that go through before.
    after: u32,
    at: At,
    /// Is told that it is time.
    sprung: mpsc::Sender<()>,
}

/// The gateway, and the way to it.
struct Way {
    gateway: Gateway,
    trap: Mutex<Option<Trap>>,
    /// Each command that was sent, with its payment; whether or not the gateway got it.
    sent: Mutex<Vec<(String, String)>>,
}

impl Way {
    /// Gives the gateway and its address.
    fn start() -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Arc::new(Self {
            gateway: Gateway::new(Options::default()),
            trap: Mutex::default(),
            sent: Mutex::default(),
        });
        let served = Arc::clone(&way);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let way = Arc::clone(&served);
                // Whoever was killed has broken the connection.
                thread::spawn(move || way.answer(&stream.unwrap()).ok());
            }
        });
        (way, url)
    }

    /// The trap, if a command goes into it.
    fn sprung(&self, command: &str) -> Option<Trap> {
        let mut trap = self.trap.lock().unwrap();
        let waiting = trap.as_mut().filter(|trap| trap.command == command)?;
        if waiting.after > 0 {
            waiting.after -= 1;
            return None;
        }
        trap.take()
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut first, mut kind, mut length) = (String::new(), None, 0);
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap(),
                "content-type" => kind = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap();
        let command = path.strip_prefix("/apim/").unwrap();
        let text = String::from_utf8(body.clone()).unwrap();
        let text = text.replace("%3D", "=").replace("%3B", ";");
        let id = text.split("OrderId=").nth(1).unwrap_or_default();
        let id = id.split(['&', ';']).next().unwrap_or_default().to_owned();
        self.sent.lock().unwrap().push((command.to_owned(), id));
        let trap = self.sprung(command);
        if let Some(Trap {
            at: At::Sent,
            sprung,
            ..
        }) = &trap
        {
            return wait_for_end(stream, sprung);
        }
        let answer = self
            .gateway
            .command(Interface::ApPay, command, kind.as_deref(), "", &body);
        let Answer::Given { status, body, .. } = answer else {
            return Ok(());
        };
        if let Some(Trap {
            at: At::Done,
            sprung,
            ..
        }) = &trap
        {
            return wait_for_end(stream, sprung);
        }
        write!(
            stream,
            "HTTP/1.1 {status} OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        stream.flush()?;
        if let Some(trap) = &trap {
            trap.sprung.send(()).unwrap();
        }
        Ok(())
    }
}

/// Says that it is time, and holds the connection until the other side of it is gone.
fn wait_for_end(mut stream: &TcpStream, sprung: &mpsc::Sender<()>) -> std::io::Result<()> {
    sprung.send(()).unwrap();
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.read(&mut [0]).map(drop)
}

/// A call of a process that may be killed at any moment.
fn call(url: &str, method: &str, path: &str, key: &str, body: &str) -> Option<(u16, Value)> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{url}{path}"))
        .header("Authorization", format!("Bearer {TOKEN}"))
        .header("Idempotency-Key", key)
        .body(body.to_owned())
        .unwrap();
    let mut answer = agent.run(request).ok()?;
    let text = answer.body_mut().read_to_string().ok()?;
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Some((answer.status().as_u16(), body))
}

/// A call that somebody makes again and again until there is an answer.
#[derive(Debug, Clone)]
struct Ask {
    method: &'static str,
    path: String,
    key: String,
    body: String,
}

impl Ask {
    fn begin(order: &str, capture: &str) -> Self {
        let body = json!({"return_url": "https://shop.example.md/", "capture": capture});
        Self {
            method: "POST",
            path: format!("api/orders/{SERVICE}/{order}/card-payments"),
            key: "begin".to_owned(),
            body: body.to_string(),
        }
    }

    fn of(method: &'static str, path: String) -> Self {
        Self {
            method,
            path,
            key: String::new(),
            body: String::new(),
        }
    }

    fn refund(id: &str) -> Self {
        Self {
            key: "refund".to_owned(),
            body: json!({"amount": "4.99", "note": "asked for"}).to_string(),
            ..Self::of("POST", format!("api/card-payments/{id}/refunds"))
        }
    }

    fn to(&self, url: &str) -> Option<(u16, Value)> {
        call(url, self.method, &self.path, &self.key, &self.body)
    }
}

/// The provider, and whatever was cut off in it.
struct World {
    place: Place,
    way: Arc<Way>,
    variables: Vec<(&'static str, String)>,
    up: Deployed,
    kills: u32,
}

impl World {
    fn new() -> Self {
        let (way, url) = Way::start();
        let place = Place::new();
        let variables = vec![
            ("environment", "development".to_owned()),
            ("card_gateway", url),
            ("card_terminal", "Merchant".to_owned()),
            ("card_password", "123".to_owned()),
            ("card_refunds", "programs".to_owned()),
            ("public_url", "http://127.0.0.1/".to_owned()),
        ];
        let up = place.up_untimed(&variables);
        Self {
            place,
            way,
            variables,
            up,
            kills: 0,
        }
    }

    fn start_again(&mut self) {
        self.up = self.place.up_untimed(&self.variables);
    }

    /// Registers an order of 19.99.
    fn register(&self, order: &str) {
        let body = json!({
            "reason": "Taxă",
            "lines": [{"line_id": "1", "reason": "Taxă", "amount_due": "19.99"}]
        });
        let path = format!("api/orders/{SERVICE}/{order}");
        let registered = call(self.up.url(), "PUT", &path, "", &body.to_string());
        assert_eq!(registered.map(|(status, _)| status), Some(201));
    }

    /// Begins to pay an order. Gives the payment's id.
    fn begin(&self, order: &str, capture: &str) -> String {
        self.register(order);
        let (status, begun) = Ask::begin(order, capture).to(self.up.url()).unwrap();
        assert_eq!(status, 201, "{begun}");
        begun["id"].as_str().unwrap().to_owned()
    }

    /// The same, and the payer pays; nobody hears of it.
    fn paid(&self, order: &str, capture: &str) -> String {
        let id = self.begin(order, capture);
        self.way.gateway.pay(&id, PAYS).unwrap();
        self.way.gateway.take_notices();
        id
    }

    /// Asks for the state at the gateway.
    fn look(&self, id: &str) -> Value {
        let path = format!("api/card-payments/{id}?ask=true");
        let (status, found) = Ask::of("GET", path).to(self.up.url()).unwrap();
        assert_eq!(status, 200, "{found}");
        found
    }

    /// Asks for something, kills the process on the way, and starts another one.
    fn kill_at(&mut self, command: &'static str, after: u32, at: At, ask: &Ask) {
        let (sprung, time) = mpsc::channel();
        let trap = Trap {
            command,
            after,
            at,
            sprung,
        };
        *self.way.trap.lock().unwrap() = Some(trap);
        let url = self.up.url().to_owned();
        thread::scope(|scope| {
            scope.spawn(|| ask.to(&url));
            let came = time.recv_timeout(PATIENCE);
            assert!(came.is_ok(), "{ask:?} sends no {command}");
            if let At::Answered(pause) = at {
                thread::sleep(pause);
            }
            self.up.kill();
        });
        self.kills += 1;
        self.start_again();
    }

    fn sent(&self, command: &str, id: &str) -> usize {
        let sent = self.way.sent.lock().unwrap();
        let is_it = |known: &&(String, String)| known.0 == command && known.1 == id;
        sent.iter().filter(is_it).count()
    }

    fn payment(&self, id: &str) -> Option<Value> {
        let path = format!("api/payments/{id}");
        let (status, found) = Ask::of("GET", path).to(self.up.url()).unwrap();
        assert!(matches!(status, 200 | 404), "{found}");
        (status == 200).then_some(found)
    }

    /// True if the books say of a payment what the gateway did.
    fn agrees(&self, order: &Order) -> bool {
        let recorded = self.payment(&order.id);
        let minor = |value: &Value| -> u64 {
            let text = value.as_str().unwrap();
            text.replace('.', "").parse().unwrap()
        };
        let given_back = |payment: &Value| {
            let refunds = payment["refunds"].as_array().into_iter().flatten();
            refunds.map(|refund| minor(&refund["amount"])).collect()
        };
        match recorded {
            None => order.taken == 0,
            Some(payment) => {
                let back: Vec<u64> = given_back(&payment);
                minor(&payment["amount"]) == order.taken && back == order.refunds
            }
        }
    }

    /// The timer's call, until the books and the gateway agree.
    fn check_until_all_agree(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let check = Ask::of("POST", "api/card-payments/check".to_owned());
            let (status, checked) = check.to(self.up.url()).unwrap();
            assert_eq!(status, 200, "{checked}");
            let orders = self.way.gateway.orders();
            let differ = orders.iter().find(|order| !self.agrees(order));
            let Some(differ) = differ else {
                return;
            };
            let id = &differ.id;
            assert!(
                Instant::now() < until,
                "{differ:?}, and in the books {:?}",
                self.payment(id)
            );
            thread::sleep(Duration::from_secs(2));
        }
    }
}

#[test]
fn a_payment_by_card_that_is_killed_anywhere_is_put_right_by_the_check() {
    let mut world = World::new();
    let mut repeated: Vec<(Ask, &[u16])> = Vec::new();

    // A payment is begun: before the gateway knows, before its answer is known, and once it is kept.
    let points = [At::Sent, At::Done].into_iter().chain(ANSWERED);
    for (n, at) in points.enumerate() {
        let order = format!("begin-{n}");
        world.register(&order);
        let ask = Ask::begin(&order, "immediate");
        world.kill_at("Init", 0, at, &ask);
        // Until it is certain that nobody is at it, nothing else is begun.
        let (status, answer) = ask.to(world.up.url()).unwrap();
        assert!(matches!(status, 200 | 409), "{at:?} {answer}");
        repeated.push((ask, &[200, 201]));
    }

    // The payer pays while no provider is there.
    let id = world.begin("away", "immediate");
    world.up.kill();
    world.kills += 1;
    world.way.gateway.pay(&id, PAYS).unwrap();
    world.way.gateway.take_notices();
    world.start_again();

    // The payer comes back, or a notification comes.
    for (n, at) in [At::Sent, At::Done].into_iter().chain(ANSWERED).enumerate() {
        if matches!(at, At::Sent | At::Done) {
            let id = world.paid(&format!("return-{n}"), "immediate");
            let back = Ask::of("GET", format!("cards/return/{id}"));
            world.kill_at("GetState", 0, at, &back);
        }
        let id = world.begin(&format!("notified-{n}"), "immediate");
        world.way.gateway.pay(&id, PAYS).unwrap();
        let notice = world.way.gateway.take_notices().remove(0);
        let posted = Ask {
            body: notice.body,
            ..Ask::of("POST", "cards/notifications".to_owned())
        };
        world.kill_at("GetState", 0, at, &posted);
    }

    // What is held is to be taken or released: before that is decided, once it is, on the way, done, and
    // once that is known.
    let of_command = |name| {
        let decided = ANSWERED.map(|at| ("GetState", 0, at));
        let sent = [At::Sent, At::Done, ANSWERED[0]].map(|at| (name, 0, at));
        let known = [At::Sent, At::Done].map(|at| ("GetState", 1, at));
        decided.into_iter().chain(sent).chain(known)
    };
    let mut held = Vec::new();
    for (command, what, points) in [("Charge", "charge", 7), ("Unblock", "cancel", 4)] {
        for (n, (name, after, at)) in of_command(command).take(points).enumerate() {
            let id = world.paid(&format!("{what}-{n}"), "manual");
            let ask = Ask::of("POST", format!("api/card-payments/{id}/{what}"));
            world.kill_at(name, after, at, &ask);
            repeated.push((ask, &[200, 202]));
            held.push((command, id));
        }
    }
    for (n, at) in [At::Sent, At::Done].into_iter().enumerate() {
        let id = world.paid(&format!("checked-{n}"), "checked");
        let look = Ask::of("GET", format!("api/card-payments/{id}?ask=true"));
        world.kill_at("Charge", 0, at, &look);
        held.push(("Charge", id));
    }

    // Money is given back.
    let mut refunded = Vec::new();
    for (n, (name, after, at)) in of_command("Refund").enumerate() {
        let id = world.paid(&format!("refund-{n}"), "immediate");
        world.look(&id);
        let ask = Ask::refund(&id);
        world.kill_at(name, after, at, &ask);
        repeated.push((ask, &[201, 202]));
        refunded.push(id);
    }

    world.check_until_all_agree();
    for (ask, expected) in &repeated {
        // Within a minute it may be that somebody is still at it.
        let until = Instant::now() + PATIENCE;
        let (status, answer) = loop {
            let answer = ask.to(world.up.url()).unwrap();
            if answer.0 != 409 || Instant::now() > until {
                break answer;
            }
            thread::sleep(Duration::from_secs(2));
        };
        assert!(expected.contains(&status), "{ask:?}: {status} {answer}");
        if ask.key == "begin" {
            let id = answer["id"].as_str().unwrap();
            world.way.gateway.pay(id, PAYS).unwrap();
        }
    }
    world.check_until_all_agree();

    // Each command was sent once at the most, whatever was asked again.
    let mut counts = BTreeMap::<_, usize>::new();
    for (command, id) in &held {
        let sent = world.sent(command, id);
        *counts.entry((*command, sent)).or_default() += 1;
        let order = world.way.gateway.order(id).unwrap();
        let (taken, held) = match (*command, sent) {
            ("Charge", 1) => (1999, 0),
            ("Unblock", 1) => (0, 0),
            _ => (0, 1999),
        };
        // What the gateway never got is not done, and nobody knows that yet.
        let is_done = (order.taken, order.held) == (taken, held);
        assert!(is_done || order.held == 1999, "{order:?}, sent {sent}");
        assert!(sent <= 1, "{command} of {id} was sent {sent} times");
    }
    for id in &refunded {
        let sent = world.sent("Refund", id);
        *counts.entry(("Refund", sent)).or_default() += 1;
        let order = world.way.gateway.order(id).unwrap();
        assert!(sent <= 1, "{sent} refunds of {id} were sent");
        assert!(order.refunds.len() <= sent, "{order:?}");
    }
    for command in ["Charge", "Unblock", "Refund"] {
        assert!(counts[&(command, 1)] > 1, "{counts:?}");
    }
    // And each order that was paid is paid once.
    for order in world.way.gateway.orders().iter().filter(|o| o.taken > 0) {
        let payment = world.payment(&order.id).unwrap();
        let key = payment["order_key"].as_str().unwrap();
        let path = format!("api/orders/{SERVICE}/{key}");
        let (_, document) = Ask::of("GET", path).to(world.up.url()).unwrap();
        assert_eq!(document["amount_paid"], "19.99", "{document}");
        let payments = document["payments"].as_array().unwrap();
        assert_eq!(payments.len(), 1, "{document}");
        assert_eq!(payments[0]["review"], json!([]), "{document}");
    }
    let ledger = world.up.ledger();
    assert!(ledger.values().all(|times| *times == 1), "{ledger:?}");
    let complaints = world.way.gateway.journal().into_iter();
    let complaints: Vec<_> = complaints.filter_map(|entry| entry.complaint).collect();
    assert_eq!(complaints, [""; 0]);
    // A backup of it is judged: nothing of these payments is signed, and nothing is wrong.
    let folder = tempfile::tempdir().unwrap();
    let state = world.place.folder().join(".spin");
    let run = |arguments: &[&str]| {
        let ended = mpay().current_dir(folder.path()).args(arguments).output();
        let ended = ended.unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{said} {ended:?}");
        said
    };
    run(&["backup", "books.db", "--state-dir", state.to_str().unwrap()]);
    let mpay = workspace().join("crates/wsse/tests/data/mpay.pem");
    let judged = run(&[
        "verify",
        "books.db",
        "--certificate",
        mpay.to_str().unwrap(),
    ]);
    let unsigned = format!("{} by card: nothing of them is signed", ledger.len());
    assert!(judged.contains(&unsigned), "{judged}");
    println!("{} kills: {counts:?}", world.kills);
}
