//! MPay offline against the component: pages by plain HTTP, mischief by mischief with what becomes
//! of the order, the journal, and the PDF.

mod invoices;
mod pages;
mod payments;

use std::{
    io::Write,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64ct::{Base64, Encoding};
use mpay_host::{Fault, Observer};
use mpay_offline::{Mischief, Options, Server};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wsse::Algorithms;

use crate::harness::*;

/// MPay offline in front of a provider, until it is dropped.
pub struct Offline {
    runtime: Runtime,
    server: Option<Server>,
    pub url: String,
    agent: ureq::Agent,
}

/// A page as it came.
pub struct Page {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Page {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Offline {
    pub fn start(provider: &Provider) -> Self {
        Self::start_with(&provider.url, |_| {})
    }

    pub fn start_with(provider: &str, change: impl FnOnce(&mut Options)) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            provider: provider.to_owned(),
            key: MPAY_KEY.to_owned(),
            certificate: MPAY.to_owned(),
            provider_certificate: SERVICE_CERTIFICATE.to_owned(),
            algorithms: Algorithms::SHA1,
            services: vec![SERVICE.to_owned(), "SCHOOL".to_owned()],
            orders: vec![(SERVICE.to_owned(), "DEMO&1".to_owned())],
            mischief: None,
            pause: Duration::from_millis(20),
        };
        change(&mut options);
        let server = runtime.block_on(mpay_offline::start(options)).unwrap();
        Self {
            url: server.url(),
            runtime,
            server: Some(server),
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_global(Some(Duration::from_secs(60)))
                .build()
                .new_agent(),
        }
    }

    pub fn get(&self, path: &str) -> Page {
        self.get_with(path, &[])
    }

    fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::page(request.call().unwrap())
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.post_with(path, form, &[])
    }

    fn post_with(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = self.agent.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Self::page(request.send_form(form.to_vec()).unwrap())
    }

    fn page(mut response: ureq::http::Response<ureq::Body>) -> Page {
        Page {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }

    /// Pays an order as the page's form does, and gives the path of the payment.
    fn pay(&self, key: &str, form: &[(&str, &str)]) -> String {
        let mut fields = vec![
            ("ServiceID", SERVICE),
            ("OrderKey", key),
            ("outcome", "pay"),
        ];
        fields.extend(form);
        let page = self.post("/service/confirm", &fields);
        assert_eq!(page.status, 303, "{}", page.text());
        page.header("location").to_owned()
    }

    /// The page of a payment once it is not being confirmed any more.
    fn settled(&self, path: &str) -> String {
        for _ in 0..500 {
            let page = self.get(path).text();
            if !page.contains("http-equiv=\"refresh\"") {
                return page;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{path} is still being confirmed");
    }

    fn exchanges(&self) -> Vec<Value> {
        let journal = self.get("/journal.json").json();
        journal["exchanges"].as_array().unwrap().clone()
    }
}

impl Drop for Offline {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let _ = self.runtime.block_on(server.stop());
        }
    }
}

fn flexible() -> Value {
    json!({
        "reason": {"ro": "Taxă școlară", "ru": "Школьный сбор", "en": "School fee"},
        "customer_name": "Ștefan Țurcanu", "customer_id": "2000000000004", "customer_type": "Person",
        "allow_partial_payments": true,
        "lines": [
            {"line_id": "a", "reason": {"ro": "Clasa întâi", "ru": "Первый класс"}, "amount_due": "1000.00"},
            {"line_id": "b", "reason": "Manuale", "amount_due": "500.50"}
        ],
        "properties": [
            {"name": "Adresa", "display_name": "Adresa", "value": "str. Ismail 1"},
            {"name": "Telefon", "display_name": {"ro": "Telefon", "ru": "Телефон"}, "value": "",
             "modifiable": true, "required": true}
        ]
    })
}

/// The answers to the confirmations of an order, in their order.
fn confirmations(offline: &Offline, key: &str) -> String {
    let mut answers = Vec::new();
    for exchange in offline.exchanges() {
        if exchange["operation"] == "ConfirmOrderPayment" && exchange["order_key"] == key {
            let outcome = &exchange["outcome"];
            let answer = outcome["code"].as_str().or(outcome["kind"].as_str());
            answers.push(answer.unwrap().to_owned());
        }
    }
    answers.join(" ")
}
