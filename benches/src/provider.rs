//! The provider as it is deployed, over a store in memory.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use mpay_door::config::Variables;
use mpay_ledger::Ledger;
use mpay_provider::{App, service};

use crate::messages::{AMOUNT, LINES, MPAY, ORDER, SERVICE};
use crate::platform::Memory;

pub(crate) const KEY: &str = include_str!("../../crates/wsse/tests/data/service.key.pem");
pub(crate) const CERTIFICATE: &str = include_str!("../../crates/wsse/tests/data/service.pem");
const TOKEN: &str = "0123456789012345678901234567890123456789";

/// A provider with one order, which answers to nobody else.
pub struct Provider {
    app: App,
    memory: Memory,
}

impl Provider {
    /// Configures it and registers the order.
    ///
    /// # Panics
    /// If it refuses either.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Provider {
        let mut variables = Variables::default();
        for (name, value) in [
            ("environment", "test"),
            ("service_ids", SERVICE),
            ("service_key", KEY),
            ("service_certificate", CERTIFICATE),
            ("mpay_certificates", MPAY),
            ("api_token", TOKEN),
            ("bank_account", "MD24AG000225100013104168"),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria Exemplu"),
        ] {
            variables.set(name, value.to_owned());
        }
        let provider = Provider {
            app: App::new(variables.clone()),
            memory: Memory::default(),
        };
        let order = Request::put(format!("/api/orders/{SERVICE}/{ORDER}"))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .body(Full::new(Bytes::from(order())))
            .expect("a request");
        // The people's door is there for that alone.
        let office = mpay_office::App::new(variables);
        let store = Ledger::new(&provider.memory);
        let response = at_once(mpay_office::service::handle(&office, &store, order));
        assert!(response.status().is_success(), "{response:?}");
        provider.memory.keep();
        provider
    }

    /// Answers a call of MPay's, which changes nothing for the next one.
    ///
    /// # Panics
    /// If it answers a fault.
    pub fn call(&self, message: &Bytes) -> Bytes {
        let answer = self.soap(message);
        self.memory.forget();
        answer
    }

    /// Answers a call of MPay's, whose effect stays.
    ///
    /// # Panics
    /// If it answers a fault.
    pub fn call_for_good(&self, message: &Bytes) {
        self.soap(message);
        self.memory.keep();
    }

    fn soap(&self, message: &Bytes) -> Bytes {
        let request = Request::post("/")
            .header("Content-Type", "text/xml; charset=utf-8")
            .body(Full::new(message.clone()))
            .expect("a request");
        let response = self.answer(request);
        assert!(response.status().is_success(), "{response:?}");
        response.into_body()
    }

    fn answer(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let store = Ledger::new(&self.memory);
        at_once(service::handle(&self.app, &store, request))
    }
}

fn at_once<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn order() -> String {
    let line = |number| {
        format!(
            r#"{{"line_id": "{number}", "amount_due": "{AMOUNT}",
                "reason": {{"ro": "Impozit, trimestrul {number}", "ru": "Налог, квартал {number}"}},
                "properties": [{{"name": "Cadastral", "display_name": {{"ro": "Număr cadastral"}}, "value": "0100{number}"}}]}}"#
        )
    };
    let lines: Vec<String> = (1..=LINES).map(line).collect();
    format!(
        r#"{{"reason": {{"ro": "Impozit pe bunuri imobiliare", "ru": "Налог на имущество"}},
            "customer_id": "2000000000004", "customer_name": "Ion Exemplu", "customer_type": "Person",
            "due_date": "2026-12-31", "lines": [{}]}}"#,
        lines.join(",")
    )
}
