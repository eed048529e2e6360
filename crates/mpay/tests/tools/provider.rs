//! A provider for a test: the built component in the embedded host.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mpay::component;
use mpay_client::{Answer, Client, Confirmation};
use mpay_host::{Log, Options, Server};
use mpay_office::access::{Principal, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wsse::{Certificate, Signer};

use crate::support::{data, workspace};

pub const TOKEN: &str = "test-token-0123456789-0123456789-0123456789";

/// The entry of a manager with this token, named after it.
pub fn manager(token: &str) -> String {
    let name: String = token.chars().take(10).collect();
    Principal::new(&name, Role::Manager).unwrap().entry(token)
}

/// Runs until it is dropped.
pub struct Provider {
    _runtime: Runtime,
    _server: Server,
    state: TempDir,
    pub url: String,
}

pub fn read(name: &str) -> String {
    std::fs::read_to_string(data(name)).unwrap()
}

fn built() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = || component::build(&workspace(), true).unwrap();
    BUILT.get_or_init(built).clone()
}

/// The host of a provider with these variables beside those that it needs, and the folder of its data.
pub fn options(variables: &[(&str, &str)]) -> (Options, TempDir) {
    let state = tempfile::tempdir().unwrap();
    let mut options = Options::new(workspace().join("spin.toml"));
    mpay::refusals::as_component(&mut options);
    options.listen = ([127, 0, 0, 1], 0).into();
    options.state_dir = Some(state.path().to_owned());
    options.components = Some(built());
    options.log = Log::new(std::io::sink());
    let defaults = [
        ("environment", "test".to_owned()),
        ("service_ids", "TAX".to_owned()),
        ("service_key", read("service.key.pem")),
        ("service_certificate", read("service.pem")),
        ("mpay_certificates", read("mpay.pem")),
        ("access", manager(TOKEN)),
        ("bank_account", "MD24AG000225100013104168".to_owned()),
        ("bank_code", "AGRNMD2X".to_owned()),
        ("bank_fiscal_code", "1000000000007".to_owned()),
        ("beneficiary_name", "Primăria Exemplu".to_owned()),
    ];
    let given = variables
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let all = defaults.into_iter().chain(given);
    options.variables = all.map(|(name, value)| (name.to_owned(), value)).collect();
    (options, state)
}

impl Provider {
    pub fn start() -> Provider {
        Provider::with(&[])
    }

    pub fn with(variables: &[(&str, &str)]) -> Provider {
        let (options, state) = options(variables);
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(options)).unwrap();
        Provider {
            url: format!("{}/", server.url().trim_end_matches('/')),
            _runtime: runtime,
            _server: server,
            state,
        }
    }

    /// The folder of its data.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    pub fn register(&self, key: &str, order: Value) {
        ureq::put(format!("{}api/orders/TAX/{key}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .send_json(order)
            .unwrap();
    }

    /// The API's answer to a GET of this path.
    pub fn get(&self, path: &str) -> Vec<u8> {
        ureq::get(format!("{}api/{path}", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .call()
            .unwrap()
            .body_mut()
            .read_to_vec()
            .unwrap()
    }

    /// The API's answer to a table of orders, of which it imports nothing.
    pub fn import(&self, table: &[u8]) -> Vec<u8> {
        ureq::post(format!("{}api/orders/import?dry_run=true", self.url))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .content_type("text/csv")
            .send(table)
            .unwrap()
            .body_mut()
            .read_to_vec()
            .unwrap()
    }

    /// The API's answer to a document, posted with a token.
    pub fn post(&self, path: &str, token: &str, document: Value) -> Value {
        ureq::post(format!("{}api/{path}", self.url))
            .header("Authorization", format!("Bearer {token}"))
            .send_json(document)
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    pub fn evidence(&self, payment_id: &str) -> Vec<u8> {
        self.get(&format!("payments/{payment_id}/evidence"))
    }

    /// Confirms a payment of 10.00 for a new order as MPay does.
    pub fn pay(&self, key: &str, payment_id: &str) {
        self.register(key, order());
        let answer = self.confirm(&confirmation(key, payment_id));
        assert_eq!(answer, Answer::Result(()));
    }

    /// The answer that MPay gets to a confirmation.
    pub fn confirm(&self, confirmation: &Confirmation) -> Answer<()> {
        let signer = Signer::from_pem(&read("mpay.key.pem"), &read("mpay.pem")).unwrap();
        let own = Certificate::from_pem(&read("service.pem")).unwrap();
        let client = Client::new(&self.url, signer, own);
        client.confirm(confirmation).unwrap()
    }
}

pub fn order() -> Value {
    json!({
        "reason": "Taxă",
        "lines": [
            {"line_id": "1", "reason": "Taxă locală", "amount_due": "6"},
            {"line_id": "2", "reason": "Сбор за землю", "amount_due": "4"}
        ]
    })
}

pub fn confirmation(key: &str, payment_id: &str) -> Confirmation {
    Confirmation {
        service_id: "TAX".into(),
        order_key: key.into(),
        payment_id: payment_id.into(),
        currency: "MDL".into(),
        total: "10.0".into(),
        paid_at: Confirmation::paid_now(),
        lines: vec![("1".into(), "6.00".into()), ("2".into(), "4".into())],
        ..Confirmation::default()
    }
}
