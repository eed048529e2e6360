//! The command itself, as a person runs it.

mod archive;
mod backup;
mod backup_unit;
mod card_crash;
mod commands;
mod crash;
mod deployment;
mod full_disk;
mod lost_answer;
mod proxy;
mod readers;
mod restore;
#[path = "../../../../tests/component/servers.rs"]
#[allow(dead_code, reason = "the component's tests use the rest of it")]
mod servers;
mod two_hosts;
mod units;

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use mpay::development::{Credentials, SERVICE_ID, read};
use serde_json::{Value, json};

use deployment::{Deployed, Place};

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// True if a program is at hand; where CI asks, it must be.
fn is_there(program: &str) -> bool {
    let there = Command::new(program)
        .arg("-v")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "{program} is missing"
    );
    if !there {
        eprintln!("left out for want of {program}");
    }
    there
}

fn mpay() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpay"));
    command.current_dir(workspace());
    command
}

/// `mpay up`, from the moment it says that it is ready.
struct Up {
    process: Child,
    url: String,
    greeting: String,
}

impl Up {
    fn start(state: &Path, listen: &str) -> Self {
        Self::start_with(state, listen, &[])
    }

    fn start_with(state: &Path, listen: &str, arguments: &[&str]) -> Self {
        let mut command = mpay();
        command
            .args(["up", "--listen", listen, "--state-dir"])
            .arg(state)
            .args(arguments);
        Self::of(&mut command)
    }

    /// The same by a command of one's own.
    fn of(command: &mut Command) -> Self {
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut greeting = String::new();
        loop {
            let line = lines
                .next()
                .expect("mpay up ended before it was ready")
                .unwrap();
            greeting.push_str(&line);
            greeting.push('\n');
            if line.ends_with(" call details DEMO-1") {
                break;
            }
        }
        let url = greeting
            .lines()
            .find_map(|line| line.strip_prefix("MPay calls"))
            .unwrap()
            .trim()
            .to_owned();
        Self {
            process,
            url,
            greeting,
        }
    }

    fn call(&self, arguments: &[&str]) -> Output {
        mpay()
            .arg("call")
            .args(arguments)
            .args(["--url", &self.url])
            .output()
            .unwrap()
    }

    fn order(&self, key: &str) -> Value {
        let token = read(&Credentials::of_workspace(workspace()).api_token()).unwrap();
        ureq::get(format!("{}api/orders/{SERVICE_ID}/{key}", self.url))
            .header("Authorization", format!("Bearer {}", token.trim()))
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap()
    }

    /// SIGKILL: nothing is finished or tidied up.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// MPay offline at this address shows a sample order.
fn assert_pay_page(url: &str, chosen: &str) {
    let page = ureq::get(format!(
        "{url}service/pay?ServiceID={SERVICE_ID}&OrderKey=DEMO-1"
    ))
    .call()
    .unwrap()
    .body_mut()
    .read_to_string()
    .unwrap();
    assert!(
        page.contains("Taxă de studii") && page.contains(chosen),
        "{page}"
    );
}

#[test]
fn a_first_payment_and_a_kill() {
    let state = tempfile::tempdir().unwrap();
    let up = Up::start(state.path(), "127.0.0.1:0");
    for text in ["?wsdl", "/api/orders/", "/health", "Sample order   DEMO-1"] {
        assert!(up.greeting.contains(text), "{text}: {}", up.greeting);
    }

    // MPay offline is part of it, and a command of its own.
    let offline = up
        .greeting
        .lines()
        .find_map(|line| line.strip_prefix("MPay offline"));
    assert_pay_page(offline.unwrap().trim(), "value=\"\" selected");
    let arguments = [
        "--listen",
        "127.0.0.1:0",
        "--mischief",
        "repeat",
        "--provider",
        &up.url,
    ];
    let mut alone = mpay()
        .arg("offline")
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let url = BufReader::new(alone.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("MPay offline")?.trim().to_owned()));
    assert_pay_page(&url.unwrap(), "value=\"repeat\" selected");
    alone.kill().unwrap();
    alone.wait().unwrap();

    // The card gateway needs an address to come back to, which port 0 is not.
    assert!(!up.greeting.contains("Card gateway"), "{}", up.greeting);
    let mut alone = mpay()
        .args(["gateway", "--listen", "127.0.0.1:0", "--interface", "appay"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let url = BufReader::new(alone.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("Card gateway")?.trim().to_owned()));
    let answer = ureq::post(format!("{}apim/GetState", url.unwrap()))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .send("Key=Merchant&OrderId=none")
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert!(answer.contains("ORDER_NOT_FOUND"), "{answer}");
    alone.kill().unwrap();
    alone.wait().unwrap();

    let details = up.call(&["details", "DEMO-2", "--language", "en"]);
    assert_eq!(details.status.code(), Some(0));
    for text in [
        "Museum tickets",
        "Active",
        "Adults",
        "100.00 MDL",
        "145.50 MDL",
        "31.12.2026",
    ] {
        assert!(
            stdout(&details).contains(text),
            "{text}: {}",
            stdout(&details)
        );
    }

    let confirm = [
        "confirm",
        "DEMO-2",
        "--line",
        "adult=100",
        "--payment-id",
        "P-1",
    ];
    for _ in 0..2 {
        let confirmed = up.call(&confirm);
        assert_eq!(confirmed.status.code(), Some(0), "{confirmed:?}");
        assert_eq!(
            stdout(&confirmed),
            "Confirmed: 100.00 MDL for order DEMO-2, payment P-1\n"
        );
    }
    let rest = up.call(&["confirm", "DEMO-2", "--hash", "sha256"]);
    assert!(
        stdout(&rest).starts_with("Confirmed: 45.50 MDL for order DEMO-2"),
        "{rest:?}"
    );

    let unknown = up.call(&["details", "NOPE"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stdout(&unknown).starts_with("Fault UnknownOrder: "),
        "{unknown:?}"
    );
    let other = up.call(&["confirm", "DEMO-2", "--amount", "1", "--payment-id", "P-1"]);
    assert!(
        stdout(&other).starts_with("Fault InvalidParameter: "),
        "{other:?}"
    );

    up.kill();
    let up = Up::start(state.path(), "127.0.0.1:0");
    assert!(
        !up.greeting.contains("Sample order"),
        "they are there already: {}",
        up.greeting
    );
    let order = up.order("DEMO-2");
    assert_eq!(
        (&order["status"], &order["amount_paid"]),
        (&json!("Paid"), &json!("145.50"))
    );
    assert_eq!(order["payments"].as_array().unwrap().len(), 2);
}

/// Nobody calls `POST /api/outbox/deliver`.
#[test]
fn what_a_receiver_missed_is_delivered_by_itself_after_the_next_start() {
    let state = tempfile::tempdir().unwrap();
    // The receiver hangs, and the host ends before it has given it up.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let webhooks = format!("webhooks=erp {origin}/hook whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let webhook_origin = format!("webhook_origin={origin}");
    let arguments = ["--variable", &webhooks, "--variable", &webhook_origin];
    let up = Up::start_with(state.path(), "127.0.0.1:0", &arguments);
    let paid = up.call(&["confirm", "DEMO-1", "--payment-id", "P-1"]);
    assert!(paid.status.success(), "{paid:?}");
    up.kill();
    drop(listener.accept().unwrap());

    let mut quiet = arguments.to_vec();
    quiet.push("--no-schedule");
    let up = Up::start_with(state.path(), "127.0.0.1:0", &quiet);
    listener.set_nonblocking(true).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(listener.accept().is_err(), "nobody was to deliver it");
    up.kill();

    let _up = Up::start_with(state.path(), "127.0.0.1:0", &arguments);
    let mut stream = (0..300).find_map(|_| {
        std::thread::sleep(Duration::from_millis(100));
        Some(listener.accept().ok()?.0)
    });
    let stream = stream.as_mut().expect("nothing was delivered");
    stream.set_nonblocking(false).unwrap();
    let mut request = Vec::new();
    while !String::from_utf8_lossy(&request).contains("P-1") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&part[..length]);
    }
}

#[test]
fn a_proxy_of_the_environment_is_not_asked_for_the_provider_of_this_machine() {
    let state = tempfile::tempdir().unwrap();
    for variable in ["ALL_PROXY", "HTTP_PROXY"] {
        let mut command = mpay();
        command
            .args(["up", "--listen", "127.0.0.1:0", "--state-dir"])
            .arg(state.path())
            // Nobody listens there.
            .env(variable, "http://127.0.0.1:1");
        let up = Up::of(&mut command);
        assert!(up.greeting.contains("Health "), "{}", up.greeting);
        let mut call = mpay();
        call.args(["call", "details", "DEMO-1", "--url", &up.url])
            .env(variable, "http://127.0.0.1:1");
        let called = call.output().unwrap();
        assert!(called.status.success(), "{called:?}");
        up.kill();
    }
}

#[test]
fn a_provider_that_is_stopped_says_so_at_its_start() {
    let state = tempfile::tempdir().unwrap();
    let paused = ["--variable", "paused=true"];
    let up = Up::start_with(state.path(), "127.0.0.1:0", &paused);
    assert!(
        up.greeting.contains("Stopped        the variable paused"),
        "{}",
        up.greeting
    );
    up.kill();
}

#[test]
fn sigterm_ends_it_cleanly() {
    let state = tempfile::tempdir().unwrap();
    let mut up = Up::start(state.path(), "127.0.0.1:0");
    let told = Command::new("kill")
        .args(["-TERM", &up.process.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    assert_eq!(up.process.wait().unwrap().code(), Some(0));
    let files: Vec<_> = std::fs::read_dir(state.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(
        files,
        ["sqlite_key_value.db"],
        "nothing is left to be recovered"
    );
}

#[test]
fn a_manifest_and_a_component_are_all_that_a_deployment_needs() {
    let place = Place::new();
    let up = place.up();
    let health = up.get("health");
    assert_eq!(
        (&health["status"], &health["environment"]),
        (&json!("ok"), &json!("production"))
    );
    assert!(
        !place.folder().join("certs").exists(),
        "no development certificates are made"
    );
    assert!(place.folder().join(".spin/sqlite_key_value.db").exists());
}

#[test]
fn an_env_file_is_read_beneath_the_environment_and_the_command_line() {
    let place = Place::new();
    let below = place.folder().join("below");
    std::fs::create_dir(&below).unwrap();
    let text = |environment: &str| {
        let mut variables = Place::variables();
        variables.retain(|(name, _)| *name != "environment");
        variables.push(("environment", environment.to_owned()));
        let lines = variables
            .into_iter()
            .map(|(name, value)| format!("SPIN_VARIABLE_{}=\"{value}\"\n", name.to_uppercase()));
        lines.collect::<String>()
    };
    // That of the folder where it is started, as with Spin, and not that of the manifest.
    std::fs::write(place.folder().join(".env"), text("production")).unwrap();
    std::fs::write(below.join(".env"), text("test")).unwrap();
    let start = |environment: Option<&str>, variable: Option<&str>| {
        let mut command = place.command();
        command.current_dir(&below);
        if let Some(value) = environment {
            command.env("SPIN_VARIABLE_ENVIRONMENT", value);
        }
        if let Some(value) = variable {
            command.args(["--variable", &format!("environment={value}")]);
        }
        let health = Deployed::start(&mut command).get("health");
        assert_eq!(health["status"], "ok", "{health}");
        health["environment"].as_str().unwrap().to_owned()
    };
    assert_eq!(start(None, None), "test");
    assert_eq!(start(Some("production"), None), "production");
    assert_eq!(start(Some("production"), Some("test")), "test");
    assert!(
        !place.folder().join("certs").exists(),
        "it is no development"
    );

    let failed = || {
        let mut command = place.command();
        command
            .current_dir(&below)
            .args(["--variable", "no_such=1"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = failed();
    assert!(
        said.starts_with("Read .env: access, bank_account, ") && said.contains("no_such"),
        "{said}"
    );
    assert!(!said.contains("PRIVATE"), "{said}");
    std::fs::write(below.join(".env"), "SPIN_VARIABLE_ACCESS='top secret\n").unwrap();
    let said = failed();
    assert!(
        said.contains(".env, line 1, cannot be read") && !said.contains("top secret"),
        "{said}"
    );
}

#[test]
fn what_cannot_work_says_why_and_what_to_do() {
    let failed = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let error = failed(mpay().arg("up").current_dir(elsewhere.path()));
    assert!(
        error.contains("run this in the project's folder"),
        "{error}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = failed(
        mpay()
            .args(["up", "--listen", &address, "--state-dir"])
            .arg(elsewhere.path()),
    );
    assert!(
        error.contains("choose another address with `--listen`"),
        "{error}"
    );

    let error = failed(
        mpay()
            .args(["up", "--variable", "no_such=1", "--state-dir"])
            .arg(elsewhere.path()),
    );
    assert!(error.contains("no_such"), "{error}");

    drop(taken);
    let error = failed(mpay().args([
        "call",
        "details",
        "X",
        "--url",
        &format!("http://{address}/"),
    ]));
    assert!(error.contains("is the provider running?"), "{error}");

    let error = failed(mpay().args([
        "call",
        "details",
        "X",
        "--key",
        "/nonexistent",
        "--certificate",
        "/nonexistent",
    ]));
    assert!(error.contains("/nonexistent"), "{error}");
}

/// A folder with the manifest and nothing else, so that whatever is made is seen.
fn bare() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("spin.toml");
    std::fs::copy(workspace().join("spin.toml"), manifest).unwrap();
    folder
}

#[test]
fn a_name_of_no_variable_is_told_before_anything_is_made() {
    let folder = bare();
    let failed = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = mpay();
        command.arg("up").args(arguments).current_dir(folder.path());
        let output = command.envs(environment.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(!folder.path().join("certs").exists());
        assert!(!folder.path().join(".spin").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = failed(&[], &["--variable", "servic_ids=TAX"]);
    assert!(
        said.contains(
            "--variable servic_ids: there is no such variable: did you mean service_ids?"
        ),
        "{said}"
    );
    let said = failed(&[], &["--variable", "colour=red"]);
    assert!(
        said.contains("The variables are accept_sha1, access, "),
        "{said}"
    );
    let said = failed(&[("SPIN_VARIABLE_SERVICE_ID", "TAX")], &[]);
    assert!(said.contains("SPIN_VARIABLE_SERVICE_ID in the environment is of no variable: did you mean SPIN_VARIABLE_SERVICE_IDS?"), "{said}");
    std::fs::write(
        folder.path().join(".env"),
        "SERVICE_IDS=TAX\nSPIN_VARIABLE_ACESS=x\n",
    )
    .unwrap();
    let said = failed(&[], &[]);
    for line in [
        "Warning: SERVICE_IDS in .env is not read: did you mean SPIN_VARIABLE_SERVICE_IDS?",
        "mpay: SPIN_VARIABLE_ACESS in .env is of no variable: did you mean SPIN_VARIABLE_ACCESS?",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn whoever_gives_keys_and_no_environment_gets_what_spin_would_start() {
    let place = Place::new();
    let start = |development: bool| {
        let mut command = place.command();
        for (name, value) in Place::variables() {
            if name != "environment" {
                command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
            }
        }
        if development {
            command.args(["--development", "--offline-listen", "127.0.0.1:0"]);
        }
        Deployed::start(&mut command).get("health")["environment"].clone()
    };
    assert_eq!(start(false), "production");
    assert!(!place.folder().join("certs").exists());
    assert_eq!(start(true), "development");
    assert!(place.folder().join("certs/dev").exists());

    // A deployment whose variables are missing is no deployment, but says so by its environment.
    let output = place
        .command()
        .args(["--development", "--variable", "environment=production"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--development contradicts"), "{said}");
}

#[test]
fn a_wrong_configuration_is_told_at_start() {
    let state = tempfile::tempdir().unwrap();
    let mut process = mpay()
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--variable",
            "clock_skew=soon",
            "--state-dir",
        ])
        .arg(state.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut greeting = String::new();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    while !greeting.contains("clock_skew") {
        assert_ne!(lines.read_line(&mut greeting).unwrap(), 0, "{greeting}");
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(
        greeting.contains("The provider is not ready:"),
        "{greeting}"
    );
}
