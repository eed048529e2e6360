//! `mpay webhooks`: webhooks on a developer's machine.

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use base64ct::{Base64, Encoding};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use mpay_client::proxy_to;
use mpay_ledger::json::{Event, Group, Groups};
use mpay_notify::{Message, Webhook};
use rand::RngExt;
use serde_json::Value;

use crate::{
    api::{Access, Api, Refused},
    terminal::clean,
};

/// The pause between two questions to the provider.
const EVERY: Duration = Duration::from_secs(1);

/// Events asked for at once: the most that the API gives.
const PAGE: u32 = 200;

/// The arguments of `mpay webhooks`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Forward what happens to a local program, as webhooks do.
    #[command(after_help = "\
Examples:
  mpay webhooks listen --forward http://localhost:8000/hook
  mpay webhooks listen --forward http://localhost:8000/hook --events orders,payments --all
  mpay webhooks listen --forward http://localhost:8000/hook --url https://test.exemplu.md \\
      --token-file api-token --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw

It asks the order API once a second, so the provider's configuration stays as it is. What the program
does not take is shown, and not sent again. End it with Ctrl-C.")]
    Listen(Listen),
}

#[derive(Debug, Args)]
struct Listen {
    /// Address of the local program.
    #[arg(long, value_name = "URL")]
    forward: String,
    /// Events to forward: orders, payments, refusals, settlements, reviews, with commas between.
    #[arg(long, value_name = "EVENTS", default_value = "payments", value_parser = Groups::parse)]
    events: Groups,
    #[command(flatten)]
    access: Access,
    /// The secret that signs, so that the program need not be changed [default: a new one].
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// Begin with what is there already, and not with what comes.
    #[arg(long)]
    all: bool,
}

/// Forwards, until it is ended.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Command::Listen(arguments) = &arguments.command;
    if arguments.events.has(Group::Alerts) {
        bail!(
            "--events: alerts are in no list of events; a receiver of the variable webhooks gets them"
        );
    }
    let secret = arguments.secret.clone().unwrap_or_else(new_secret);
    let url = Webhook::parse_url(&arguments.forward, true).context("--forward")?;
    let mut listener = Listener {
        api: arguments.access.api()?,
        webhook: Webhook::new(url, &[&secret]).context("--secret")?,
        events: arguments.events,
        agent: ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy_to(&arguments.forward))
            .build()
            .new_agent(),
        cursor: "0".to_owned(),
    };
    let mut out = mpay::say::output();
    if !arguments.all {
        listener.go_to_the_end()?;
    }
    writeln!(out, "Secret     {secret}")?;
    writeln!(
        out,
        "Forwards   {} to {}",
        names(arguments.events),
        clean(&arguments.forward)
    )?;
    loop {
        if !listener.pass(&mut out)? {
            std::thread::sleep(EVERY);
        }
    }
}

fn names(groups: Groups) -> String {
    let names: Vec<_> = groups.iter().map(Group::as_str).collect();
    names.join(", ")
}

fn new_secret() -> String {
    let bytes: [u8; 32] = rand::rng().random();
    format!("whsec_{}", Base64::encode_string(&bytes))
}

/// Reads events, and forwards them.
struct Listener {
    api: Api,
    webhook: Webhook,
    events: Groups,
    agent: ureq::Agent,
    cursor: String,
}

impl Listener {
    /// The next events, and whether there may be more.
    fn page(&mut self) -> anyhow::Result<(Vec<Value>, bool)> {
        let page = self
            .api
            .get(&format!("events?cursor={}&limit={PAGE}", self.cursor))?
            .json()?;
        let text = |name: &str| page.get(name).and_then(Value::as_str);
        let more = text("next").is_some();
        self.cursor = text("cursor")
            .context("the events have no cursor")?
            .to_owned();
        let events = page.get("events").and_then(Value::as_array);
        Ok((events.cloned().unwrap_or_default(), more))
    }

    /// Begins with what comes next. The API refuses a place beyond the end of the list, and takes any before it, so the
    /// end is found with few questions, however long the list is.
    fn go_to_the_end(&mut self) -> anyhow::Result<()> {
        let (mut there, mut beyond) = (0, 1);
        while self.is_in_the_list(beyond)? {
            (there, beyond) = (beyond, beyond * 2);
        }
        while beyond - there > 1 {
            let middle = there + (beyond - there) / 2;
            match self.is_in_the_list(middle)? {
                true => there = middle,
                false => beyond = middle,
            }
        }
        // With the name of the store, by which a restored one is told. What has come meanwhile is read here.
        self.cursor = there.to_string();
        while self.page()?.1 {}
        Ok(())
    }

    fn is_in_the_list(&self, place: u64) -> anyhow::Result<bool> {
        match self.api.get(&format!("events?cursor={place}&limit=1")) {
            Ok(_) => Ok(true),
            Err(error) if Refused::status_of(&error) == Some(410) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forwards the next events. Gives whether there may be more.
    fn pass(&mut self, out: &mut impl Write) -> anyhow::Result<bool> {
        let (events, more) = self.page()?;
        for event in events {
            self.forward(event, out)?;
        }
        out.flush()?;
        Ok(more)
    }

    /// Forwards an event, if it is wanted, as the provider would post it.
    fn forward(&self, mut event: Value, out: &mut impl Write) -> anyhow::Result<()> {
        let index = event
            .get("index")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let at: Option<Timestamp> = event.get("at").and_then(|at| at.as_str()?.parse().ok());
        if let Some(members) = event.as_object_mut() {
            members.remove("index");
            members.remove("at");
        }
        let page = event
            .as_object_mut()
            .and_then(|members| members.remove("pay_url"));
        let page = page.and_then(|page| page.as_str().map(str::to_owned));
        // One that this program cannot read is none that a provider of its version would post.
        let (Some(at), Ok(event)) = (at, serde_json::from_str::<Event>(&event.to_string())) else {
            return Ok(());
        };
        if !self.events.has(event.group()) {
            return Ok(());
        }
        let review = match &event {
            Event::PaymentRecorded(_) => self.review(index)?,
            _ => Vec::new(),
        };
        let message = Message::of_event(index, at, &event, &review, page)?;
        let request = self.webhook.post(&message, Timestamp::now())?;
        let answer = match self.agent.run(request.map(|body| body.to_vec())) {
            Ok(answer) => answer.status().to_string(),
            Err(error) => format!("not sent: {error}"),
        };
        let (name, id) = (event.name(), clean(message.id()));
        writeln!(out, "{name:<22} {id:<32} {}", clean(&answer))?;
        Ok(())
    }

    /// The reasons why a person should look at the payment at this place of the journal.
    fn review(&self, index: u64) -> anyhow::Result<Vec<String>> {
        let before = index.saturating_sub(1);
        let page = self.api.get(&format!("payments?cursor={before}&limit=1"))?;
        let page = page.json()?;
        let review = page.pointer("/payments/0/review").and_then(Value::as_array);
        let texts = review.into_iter().flatten().filter_map(Value::as_str);
        Ok(texts.map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::{TcpListener, TcpStream},
        sync::mpsc,
    };

    use super::*;

    const PAYMENT: &str = r#"{"index": 2, "at": "2026-06-01T12:00:00+03:00",
        "type": "payment.recorded", "payment_id": "P-1", "service_id": "TAX", "order_key": "1",
        "currency": "MDL", "amount": "1.00", "paid_at": "2026-06-01T12:00:00+03:00",
        "received_at": "2026-06-01T12:00:01+03:00", "lines": [], "evidence": "e",
        "signer": {"subject": "CN=MPay", "fingerprint": "ab", "algorithm": "rsa-sha1"}}"#;
    const ORDER: &str = r#"{"index": 1, "at": "2026-06-01T11:00:00+03:00",
        "type": "order.registered", "service_id": "TAX", "order_key": "1", "version": 1,
        "currency": "MDL"}"#;

    /// Reads a request: its head, and its body.
    fn request(stream: &mut TcpStream) -> (String, String) {
        let mut text = Vec::new();
        let mut byte = [0];
        while !text.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            text.push(byte[0]);
        }
        let head = String::from_utf8(text).unwrap();
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Plays the provider and the local program: what comes to the program is passed on.
    fn serve() -> (String, mpsc::Receiver<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = request(&mut stream);
                let path = head.split(' ').nth(1).unwrap();
                let answer = match path {
                    "/api/events?cursor=0&limit=200" => format!(
                        r#"{{"events": [{ORDER}, {{"index": 9, "unreadable": true}}, {PAYMENT}], "cursor": "aa-2", "next": "aa-2"}}"#
                    ),
                    "/api/payments?cursor=1&limit=1" => {
                        r#"{"payments": [{"review": ["late"]}], "cursor": "aa-2"}"#.to_owned()
                    }
                    "/hook" => {
                        let body = serde_json::from_str(&body).unwrap();
                        sender.send((head.clone(), body)).unwrap();
                        "{}".to_owned()
                    }
                    _ => r#"{"events": [], "cursor": "aa-2"}"#.to_owned(),
                };
                let length = answer.len();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}").unwrap();
            }
        });
        (origin, receiver)
    }

    fn listener(origin: &str, secret: &str) -> Listener {
        let url = Webhook::parse_url(&format!("{origin}/hook"), true).unwrap();
        Listener {
            api: Api::to(origin, "t"),
            webhook: Webhook::new(url, &[secret]).unwrap(),
            events: Groups::parse("payments").unwrap(),
            agent: ureq::Agent::new_with_defaults(),
            cursor: "0".to_owned(),
        }
    }

    /// Plays the events of a provider whose list has so many, and counts the questions.
    fn serve_events(length: u64) -> (String, mpsc::Receiver<u64>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, _) = request(&mut stream);
                let place = head.split("cursor=").nth(1).unwrap();
                let place: u64 = place.split('&').next().unwrap().parse().unwrap();
                let (status, answer) = match place <= length {
                    true => (
                        "200 OK",
                        format!(r#"{{"events": [], "cursor": "aa-{place}"}}"#),
                    ),
                    false => ("410 Gone", r#"{"detail": "beyond the end"}"#.to_owned()),
                };
                let length = answer.len();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}").unwrap();
                if sender.send(place).is_err() {
                    break;
                }
            }
        });
        (origin, receiver)
    }

    #[test]
    fn the_end_of_a_long_list_is_found_with_few_questions() {
        for length in [0, 1, 2, 3, 200, 201, 10_000_000] {
            let (origin, asked) = serve_events(length);
            let mut listener = listener(&origin, &new_secret());
            listener.go_to_the_end().unwrap();
            assert_eq!(listener.cursor, format!("aa-{length}"));
            let questions = asked.try_iter().count();
            assert!(questions <= 60, "{length}: {questions}");
        }
    }

    #[test]
    fn what_happens_is_forwarded_as_the_provider_posts_it() {
        let (origin, received) = serve();
        let secret = new_secret();
        let mut listener = listener(&origin, &secret);
        let mut out = Vec::new();
        assert!(listener.pass(&mut out).unwrap());
        let (head, body) = received.try_recv().unwrap();
        assert!(head.contains("webhook-id: P-1\r\n"), "{head}");
        assert!(head.contains("webhook-signature: v1,"), "{head}");
        assert_eq!(body["type"], "payment.recorded");
        assert_eq!(body["data"]["index"], 2);
        assert_eq!(body["data"]["review"][0], "late");
        assert_eq!(body["data"].get("type"), None, "as the provider posts it");
        assert!(received.try_recv().is_err(), "no order is wanted");
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("payment.recorded "), "{out}");
        assert!(out.contains(" P-1 ") && out.contains("200"), "{out}");
        assert!(!listener.pass(&mut Vec::new()).unwrap());
        assert_eq!(listener.cursor, "aa-2");
        listener.events = Groups::parse("orders").unwrap();
        listener.cursor = "0".to_owned();
        listener.pass(&mut Vec::new()).unwrap();
        let (head, body) = received.try_recv().unwrap();
        assert!(
            head.contains("webhook-id: 1-1780300800.event\r\n"),
            "{head}"
        );
        assert_eq!(body["data"]["at"], "2026-06-01T11:00:00+03:00");
    }
}
