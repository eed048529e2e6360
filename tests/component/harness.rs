//! A provider for a test: the built component in the embedded host, over a store of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use mpay::component;
use mpay_client::{Answer, Client, Confirmation, Exchange, Fault, OrderDetails};
use mpay_host::{Database, KEY_VALUE_FILE, Log, Observer, Options, Server, backup};
use mpay_office::access::{Principal, Role};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wsse::{Certificate, Signer};

pub const TOKEN: &str = "test-token-0123456789-0123456789-0123456789";

/// The value of the variable `access` for managers with these tokens, by name `tester 0` and on.
pub fn managers(tokens: &[&str]) -> String {
    let entries = tokens.iter().enumerate().map(|(index, token)| {
        let tester = Principal::new(&format!("tester {index}"), Role::Manager).unwrap();
        tester.entry(token)
    });
    entries.collect::<Vec<_>>().join("; ")
}

pub const SERVICE: &str = "TAX";

pub const MPAY_KEY: &str = include_str!("../../crates/wsse/tests/data/mpay.key.pem");
pub const MPAY: &str = include_str!("../../crates/wsse/tests/data/mpay.pem");
pub const STRANGER_KEY: &str = include_str!("../../crates/wsse/tests/data/stranger.key.pem");
pub const STRANGER: &str = include_str!("../../crates/wsse/tests/data/stranger.pem");
pub const SERVICE_KEY: &str = include_str!("../../crates/wsse/tests/data/service.key.pem");
pub const SERVICE_CERTIFICATE: &str = include_str!("../../crates/wsse/tests/data/service.pem");

/// The project's folder.
pub fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The file of MPay's door.
pub const PROVIDER: &str = "mpay_provider.wasm";
/// The file of the people's door.
pub const OFFICE: &str = "mpay_office.wasm";

/// The folder of the components as they are deployed, built once for all tests.
pub fn built() -> &'static Path {
    static COMPONENTS: OnceLock<PathBuf> = OnceLock::new();
    COMPONENTS.get_or_init(|| component::build(workspace(), true).unwrap())
}

/// The folder of the components that keep the books in PostgreSQL.
pub fn built_for_postgres() -> &'static Path {
    static COMPONENTS: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        component::Build::new(workspace())
            .quiet(true)
            .postgres()
            .run()
    };
    COMPONENTS.get_or_init(|| build().unwrap())
}

/// A provider that runs until it is dropped.
pub struct Provider {
    runtime: Runtime,
    server: Option<Server>,
    options: Options,
    state: Arc<TempDir>,
    log: Arc<Mutex<Vec<u8>>>,
    pub url: String,
    agent: ureq::Agent,
}

/// An answer of the order API.
#[derive(Debug)]
pub struct ApiAnswer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Value,
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Provider {
    /// A provider with everything configured.
    pub fn start() -> Self {
        Self::start_with(&[], None)
    }

    /// A provider with other values of variables.
    pub fn start_with(variables: &[(&str, &str)], observer: Option<Observer>) -> Self {
        Self::start_tuned(variables, |options| options.observer = observer)
    }

    /// A provider whose host has other options.
    pub fn start_tuned(variables: &[(&str, &str)], tune: impl FnOnce(&mut Options)) -> Self {
        let mut options = options(workspace().join("spin.toml"), built().to_owned());
        tune(&mut options);
        Self::launch(options, variables)
    }

    /// A provider whose books are in a database.
    pub fn start_on_postgres(variables: &[(&str, &str)]) -> Self {
        let manifest = workspace().join("spin.postgres.toml");
        let options = options(manifest, built_for_postgres().to_owned());
        Self::launch(options, variables)
    }

    /// The components of another folder under another manifest.
    pub fn start_components(components: PathBuf, manifest: PathBuf) -> Self {
        Self::start_components_tuned(components, manifest, |_| {})
    }

    /// The same in a host that has other options.
    pub fn start_components_tuned(
        components: PathBuf,
        manifest: PathBuf,
        tune: impl FnOnce(&mut Options),
    ) -> Self {
        let mut options = options(manifest, components);
        tune(&mut options);
        Self::launch(options, &[])
    }

    /// The components under another manifest.
    pub fn start_manifest(manifest: PathBuf) -> Self {
        Self::launch(options(manifest, built().to_owned()), &[])
    }

    /// A provider over what a backup holds.
    pub fn start_over(store: &Path, variables: &[(&str, &str)]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join(KEY_VALUE_FILE);
        backup::restore(store, &file, |_, _| ()).unwrap();
        let options = options(workspace().join("spin.toml"), built().to_owned());
        Self::launch_over(state, options, variables)
    }

    fn launch(options: Options, variables: &[(&str, &str)]) -> Self {
        Self::launch_over(tempfile::tempdir().unwrap(), options, variables)
    }

    fn launch_over(state: TempDir, mut options: Options, variables: &[(&str, &str)]) -> Self {
        let state = Arc::new(state);
        let log = Arc::default();
        options.state_dir = Some(state.path().to_owned());
        options.log = Log::new(Shared(Arc::clone(&log)));
        let access = managers(&[TOKEN]);
        let defaults = [
            ("environment", "test"),
            ("log_format", "text"),
            ("service_ids", "TAX,SCHOOL"),
            ("service_key", SERVICE_KEY),
            ("service_certificate", SERVICE_CERTIFICATE),
            ("mpay_certificates", MPAY),
            ("access", &access),
            ("bank_account", "MD24AG000225100013104168"),
            ("bank_code", "AGRNMD2X"),
            ("bank_fiscal_code", "1000000000007"),
            ("beneficiary_name", "Primăria Exemplu"),
        ];
        let given = |name: &str| variables.iter().any(|(given, _)| *given == name);
        options.variables = defaults
            .into_iter()
            .filter(|(name, _)| !given(name))
            .chain(variables.iter().copied())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::start(options.clone())).unwrap();
        Self {
            url: server.url(),
            runtime,
            server: Some(server),
            options,
            state,
            log,
            agent: agent(),
        }
    }

    /// Stops the host and starts it again over the same store.
    pub fn restart(&mut self) {
        let server = self.server.take().unwrap();
        self.runtime.block_on(server.stop()).unwrap();
        let server = self
            .runtime
            .block_on(Server::start(self.options.clone()))
            .unwrap();
        self.url = server.url();
        self.server = Some(server);
    }

    /// Gives a variable another value, from the next start on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.options.variables.retain(|(given, _)| given != name);
        self.options
            .variables
            .push((name.to_owned(), value.to_owned()));
    }

    /// MPay's side.
    pub fn mpay(&self) -> Client {
        self.client(MPAY_KEY, MPAY)
    }

    /// Somebody who signs with this key.
    pub fn client(&self, key: &str, certificate: &str) -> Client {
        let signer = Signer::from_pem(key, certificate).unwrap();
        let provider = Certificate::from_pem(SERVICE_CERTIFICATE).unwrap();
        Client::new(&self.url, signer, provider)
    }

    /// Registers an order.
    pub fn register(&self, key: &str, order: Value) {
        let answer = self.api("PUT", &format!("orders/{SERVICE}/{key}"), Some(&order));
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }

    /// The answer of GetOrderDetails for an order that exists.
    pub fn details(&self, key: &str) -> OrderDetails {
        match self.mpay().details(SERVICE, key, "ro").unwrap() {
            Answer::Result(mut orders) => {
                assert_eq!(orders.len(), 1);
                orders.remove(0)
            }
            Answer::Fault(fault) => panic!("{fault}"),
        }
    }

    /// The fault that GetOrderDetails answers.
    pub fn details_fault(&self, service: &str, key: &str) -> Fault {
        match self.mpay().details(service, key, "ro").unwrap() {
            Answer::Result(orders) => panic!("{orders:?}"),
            Answer::Fault(fault) => fault,
        }
    }

    /// The order as the API gives it.
    pub fn order(&self, key: &str) -> Value {
        let answer = self.api("GET", &format!("orders/{SERVICE}/{key}"), None);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The whole ledger.
    pub fn ledger(&self) -> Vec<Value> {
        self.listing("payments")
    }

    /// The refused confirmations, as the API lists them.
    pub fn refusals(&self) -> Vec<Value> {
        self.listing("refusals")
    }

    fn listing(&self, name: &str) -> Vec<Value> {
        let (mut entries, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let answer = self.api("GET", &format!("{name}?limit=200&cursor={after}"), None);
            assert_eq!(answer.status, 200, "{answer:?}");
            entries.extend(answer.body[name].as_array().unwrap().iter().cloned());
            match answer.body["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return entries,
            }
        }
    }

    /// A call of the order API, with the token.
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> ApiAnswer {
        let authorization = format!("Bearer {TOKEN}");
        self.api_with(method, path, body, &[("Authorization", &authorization)])
    }

    /// A call of the order API with these headers.
    pub fn api_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> ApiAnswer {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut response = self.http(method, &format!("api/{path}"), headers, body.as_bytes());
        let text = response.body_mut().read_to_string().unwrap();
        ApiAnswer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    /// A request as it is.
    pub fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> ureq::http::Response<ureq::Body> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_empty() {
            self.agent.run(request.body(()).unwrap()).unwrap()
        } else {
            self.agent
                .run(request.body(body.to_vec()).unwrap())
                .unwrap()
        }
    }

    /// Posts a message as SOAP.
    pub fn post(&self, message: impl Into<Vec<u8>>) -> Exchange {
        let message = message.into();
        let mut response = self.http(
            "POST",
            "",
            &[("Content-Type", "text/xml; charset=utf-8")],
            &message,
        );
        Exchange {
            request: String::from_utf8_lossy(&message).into_owned(),
            status: response.status().as_u16(),
            content_type: response.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }

    /// The fault in an answer, which must be signed.
    pub fn fault(&self, exchange: &Exchange) -> Fault {
        match self.mpay().read(exchange, "", |_| ()).unwrap() {
            Answer::Fault(fault) => fault,
            Answer::Result(()) => panic!("no fault"),
        }
    }

    /// The value of a key in the store's file.
    pub fn stored(&self, key: &str) -> Option<Vec<u8>> {
        self.runtime
            .block_on(self.database().get("default", key))
            .unwrap()
    }

    /// Writes into the store's file.
    pub fn load(&self, entries: &[(String, Vec<u8>)]) {
        let database = self.database();
        for part in entries.chunks(10_000) {
            let write = database.set("default", part.to_vec());
            self.runtime.block_on(write).unwrap();
        }
    }

    /// Takes keys out of the store's file, as a store that loses them.
    pub fn lose(&self, keys: &[String]) {
        self.runtime
            .block_on(self.database().delete("default", keys.to_vec()))
            .unwrap();
    }

    /// The keys in the store's file that start with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let mut keys = self
            .runtime
            .block_on(self.database().keys("default"))
            .unwrap();
        keys.retain(|key| key.starts_with(prefix));
        keys
    }

    /// Another process's transaction, or one that is like it, until it is dropped.
    pub fn lock_store(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.store_file()).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        connection
    }

    /// Puts a copy of the store's file in its place, under the running host.
    pub fn put_back_a_backup(&self) {
        let backup = self.state.path().join("backup.db");
        // By another process: whoever closes the file in this one ends SQLite's locks on it.
        let copied = Command::new("cp")
            .arg(self.store_file())
            .arg(&backup)
            .status();
        assert!(copied.unwrap().success());
        fs::rename(backup, self.store_file()).unwrap();
    }

    /// Waits until the host says that it must stop, and why.
    pub fn failed(&self) -> String {
        let server = self.server.as_ref().unwrap();
        let failed = async {
            let time = Duration::from_secs(10);
            tokio::time::timeout(time, server.failed()).await
        };
        self.runtime.block_on(failed).unwrap().to_string()
    }

    /// The file of the store.
    pub fn store_file(&self) -> PathBuf {
        self.state.path().join(KEY_VALUE_FILE)
    }

    /// Every file of the store, by its name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let files = fs::read_dir(self.state.path()).unwrap().map(Result::unwrap);
        let files = files.filter(|file| file.path().is_file());
        files
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (name, fs::read(file.path()).unwrap())
            })
            .collect()
    }

    /// The log of the component and the host.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    fn database(&self) -> Database {
        Database::open(self.store_file()).unwrap()
    }

    fn base(&self) -> String {
        format!("{}/", self.url.trim_end_matches('/'))
    }
}

fn options(manifest: PathBuf, components: PathBuf) -> Options {
    let mut options = Options::new(manifest);
    mpay::refusals::as_component(&mut options);
    options.listen = ([127, 0, 0, 1], 0).into();
    options.components = Some(components);
    options
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .new_agent()
}

/// An order of one line.
pub fn order(amount: &str) -> Value {
    json!({
        "reason": "Taxă",
        "lines": [{"line_id": "1", "reason": "Taxă locală", "amount_due": amount}]
    })
}

/// A confirmation of one line.
pub fn confirmation(key: &str, payment_id: &str, amount: &str) -> Confirmation {
    Confirmation {
        service_id: SERVICE.into(),
        order_key: key.into(),
        payment_id: payment_id.into(),
        currency: "MDL".into(),
        total: amount.into(),
        paid_at: Confirmation::paid_now(),
        lines: vec![("1".into(), amount.into())],
        ..Confirmation::default()
    }
}

/// The code of a fault, or `ok`.
pub fn code<T>(answer: Answer<T>) -> String {
    match answer {
        Answer::Result(_) => "ok".into(),
        Answer::Fault(fault) => fault.code,
    }
}
