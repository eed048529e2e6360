//! A deployment: `mpay up` in a folder that holds the manifest and the components, and no sources.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mpay_client::{Answer, Client, Confirmation};
use mpay_office::access::{Principal, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use wsse::{Certificate, Signer};

use crate::{mpay, workspace};

pub const SERVICE: &str = "S";
pub const TOKEN: &str = "test-token-0123456789-0123456789-0123456789";
/// The token of an accountant.
pub const ACCOUNTANT: &str = "accountant-token-0123456789-0123456789-0123";
const MPAY_KEY: &str = include_str!("../../../wsse/tests/data/mpay.key.pem");
const MPAY: &str = include_str!("../../../wsse/tests/data/mpay.pem");
const SERVICE_CERTIFICATE: &str = include_str!("../../../wsse/tests/data/service.pem");

/// The folder. Every process started in it works on the same data.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        let built = mpay::component::build(workspace(), true).unwrap();
        let place = tempfile::tempdir().unwrap();
        let manifest = place.path().join("spin.toml");
        std::fs::copy(workspace().join("spin.toml"), manifest).unwrap();
        let folder = place.path().join(built.strip_prefix(workspace()).unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["mpay_provider.wasm", "mpay_office.wasm"] {
            std::fs::copy(built.join(file), folder.join(file)).unwrap();
        }
        Self(place)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Starts the command with all that it needs, and waits until it is ready. Another may serve
    /// the same store.
    pub fn up_shared(&self) -> Deployed {
        let mut command = self.command();
        command.arg("--shared");
        self.start(command, &[])
    }

    /// Starts the command with all that it needs, and waits until it is ready.
    pub fn up(&self) -> Deployed {
        self.start(self.command(), &[])
    }

    /// The same with other variables, and without the calls that timers make.
    pub fn up_untimed(&self, variables: &[(&'static str, String)]) -> Deployed {
        let mut command = self.command();
        command.arg("--no-schedule");
        self.start(command, variables)
    }

    fn start(&self, mut command: Command, others: &[(&'static str, String)]) -> Deployed {
        let variables = Self::variables().into_iter();
        let is_other = |name: &str| others.iter().any(|(other, _)| *other == name);
        let variables = variables.filter(|(name, _)| !is_other(name));
        for (name, value) in variables.chain(others.iter().cloned()) {
            let value = match value.starts_with("-----") {
                true => {
                    let file = self.folder().join(name);
                    std::fs::write(&file, value).unwrap();
                    format!("@{}", file.display())
                }
                false => value,
            };
            command.args(["--variable", &format!("{name}={value}")]);
        }
        Deployed::start(&mut command)
    }

    /// The variables that a deployment needs.
    pub fn variables() -> Vec<(&'static str, String)> {
        let file = |name: &str| {
            let data = workspace().join("crates/wsse/tests/data");
            std::fs::read_to_string(data.join(name)).unwrap()
        };
        vec![
            ("service_key", file("service.key.pem")),
            ("service_certificate", file("service.pem")),
            ("mpay_certificates", file("mpay.pem")),
            ("environment", "production".into()),
            ("service_ids", SERVICE.into()),
            (
                "access",
                [
                    ("tester", Role::Manager, TOKEN),
                    ("Ana", Role::Accountant, ACCOUNTANT),
                ]
                .map(|(name, role, token)| Principal::new(name, role).unwrap().entry(token))
                .join(";"),
            ),
            ("bank_account", "MD24AG000225100013104168".into()),
            ("bank_code", "AGRNMD2X".into()),
            ("bank_fiscal_code", "1000000000007".into()),
            ("beneficiary_name", "Primăria Exemplu".into()),
        ]
    }

    /// The command, in the folder.
    pub fn command(&self) -> Command {
        let mut command = mpay();
        command
            .current_dir(self.folder())
            .args(["up", "--listen", "127.0.0.1:0"]);
        command
    }
}

impl Deployed {
    /// Starts the command, and waits until it is ready.
    pub fn start(command: &mut Command) -> Deployed {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines
                .next()
                .expect("mpay up ended before it was ready")
                .unwrap();
            if let Some(health) = line.strip_prefix("Health") {
                break health.trim().strip_suffix("health").unwrap().to_owned();
            }
        };
        // What it says later must find somebody who listens.
        std::thread::spawn(move || lines.for_each(drop));
        Deployed { process, url }
    }
}

/// A running `mpay up`, until it is dropped.
pub struct Deployed {
    process: Child,
    url: String,
}

impl Deployed {
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn get(&self, path: &str) -> Value {
        ureq::get(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    /// Posts a text as `tester`, or by another's token.
    pub fn post(&self, path: &str, token: Option<&str>, media_type: &str, body: &str) -> Value {
        let token = token.unwrap_or(TOKEN);
        let mut response = ureq::post(format!("{}{path}", self.url))
            .config()
            .http_status_as_error(false)
            .build()
            .header("Authorization", format!("Bearer {token}"))
            .content_type(media_type)
            .send(body)
            .unwrap();
        let status = response.status();
        let answer: Value = response.body_mut().read_json().unwrap();
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    /// Registers an order that takes any number of payments up to a million.
    pub fn register(&self, key: &str) {
        ureq::put(format!("{}api/orders/{SERVICE}/{key}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .send_json(json!({
                "reason": "Donații", "allow_partial_payments": true,
                "lines": [{"line_id": "1", "reason": "Donații", "amount_due": "1000000"}]
            }))
            .unwrap();
    }

    pub fn client(&self) -> Client {
        let signer = Signer::from_pem(MPAY_KEY, MPAY).unwrap();
        let provider = Certificate::from_pem(SERVICE_CERTIFICATE).unwrap();
        Client::new(&self.url, signer, provider)
    }

    /// The number of times that each payment is in the order, and the sum that is paid.
    pub fn order(&self, key: &str) -> (BTreeMap<String, u32>, String) {
        let order = self.get(&format!("api/orders/{SERVICE}/{key}"));
        let payments = order["payments"].as_array().unwrap();
        let paid = order["amount_paid"].as_str().unwrap().to_owned();
        (count(payments), paid)
    }

    /// The number of times that each payment is in the ledger, as far as it can be read.
    pub fn ledger(&self) -> BTreeMap<String, u32> {
        let (mut payments, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let page = self.get(&format!("api/payments?limit=200&cursor={after}"));
            payments.extend(page["payments"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return count(&payments),
            }
        }
    }

    /// SIGKILL: nothing is finished or tidied up.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn count(payments: &[Value]) -> BTreeMap<String, u32> {
    let mut counted = BTreeMap::new();
    for payment in payments {
        let id = payment["payment_id"].as_str().unwrap().to_owned();
        *counted.entry(id).or_default() += 1;
    }
    counted
}

/// A payment of one leu.
pub fn payment(key: &str, id: &str) -> Confirmation {
    Confirmation {
        service_id: SERVICE.into(),
        order_key: key.into(),
        payment_id: id.into(),
        currency: "MDL".into(),
        total: "1.00".into(),
        paid_at: Confirmation::paid_now(),
        lines: vec![("1".into(), "1.00".into())],
        ..Confirmation::default()
    }
}

/// Confirms as MPay does: again and again, until it gets through.
pub fn confirm_until_recorded(client: &Client, payment: &Confirmation) {
    let started = Instant::now();
    loop {
        match client.confirm(payment).unwrap() {
            Answer::Result(()) => return,
            Answer::Fault(fault) if fault.code == "InternalError" => {}
            Answer::Fault(fault) => panic!("{fault}"),
        }
        assert!(
            started.elapsed() < Duration::from_secs(180),
            "{} is not recorded",
            payment.payment_id
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}
