//! Servers of databases that a test starts, kills and starts again: real ones, on this machine.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The folders in which Debian has programs that may be in nobody's path.
const ELSEWHERE: [&str; 2] = ["/usr/sbin", "/usr/bin"];

/// A program of this machine. Without it a test is left out, except where all of them must run.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(ELSEWHERE.map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("left out for want of {name}");
    }
    found
}

/// A port of this machine that nobody listens at.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until somebody listens.
pub fn wait_for(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "nobody listens at {port}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process.
pub fn signal(process: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A server of Redis, until it is dropped.
pub struct Redis {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    settings: Vec<&'static str>,
    server: Option<Child>,
}

impl Redis {
    /// One that keeps what it acknowledges.
    pub fn start() -> Option<Self> {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with other settings.
    pub fn start_with(settings: &[&'static str]) -> Option<Self> {
        let mut redis = Self {
            program: program("redis-server")?,
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            settings: settings.to_vec(),
            server: None,
        };
        redis.begin();
        Some(redis)
    }

    fn begin(&mut self) {
        let port = self.port.to_string();
        let server = Command::new(&self.program)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.settings)
            .stdout(Stdio::null())
            .spawn();
        self.server = Some(server.unwrap());
        wait_for(self.port);
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a loss of power would.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }

    /// Starts it again over what it has kept.
    pub fn again(&mut self) {
        self.begin();
    }

    /// Makes it silent, or lets it go on.
    pub fn halt(&self, halted: bool) {
        signal(
            self.server.as_ref().unwrap(),
            if halted { "-STOP" } else { "-CONT" },
        );
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server of PostgreSQL, until it is dropped. Its transactions do not wait for the disk unless they ask
/// for it.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    server: Option<Child>,
}

impl Postgres {
    /// The user, and their password.
    const USER: [&str; 2] = ["mpay", "only-for-tests"];

    pub fn start() -> Option<Self> {
        Self::start_with(|_| Vec::new())
    }

    /// One with other settings, which may be of files in the folder of its data.
    pub fn start_with(settings: impl FnOnce(&Path) -> Vec<String>) -> Option<Self> {
        let programs = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let programs = programs.filter_map(|version| Some(version.ok()?.path().join("bin")));
        let programs = match programs.max() {
            Some(programs) => programs,
            None => program("initdb")?.parent()?.to_owned(),
        };
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, Self::USER[1]).unwrap();
        let data = folder.path().join("data");
        let mut postgres = Self {
            programs,
            folder,
            port: free_port(),
            settings: Vec::new(),
            server: None,
        };
        postgres.own_folder();
        let made = postgres
            .command("initdb")
            .args([
                "--no-sync",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .args(["--username", Self::USER[0], "--pwfile"])
            .arg(&password)
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        postgres.settings = settings(&data);
        postgres.own_folder();
        postgres.begin();
        Some(postgres)
    }

    fn own_folder(&self) {
        if is_root() {
            let mut owned = Command::new("chown");
            owned.args(["-R", "postgres"]).arg(self.folder.path());
            assert!(owned.status().unwrap().success());
        }
    }

    /// A program of PostgreSQL, which refuses to be run by root.
    fn command(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    }

    fn begin(&mut self) {
        let begun = Instant::now();
        loop {
            let server = self
                .command("postgres")
                .arg("-D")
                .arg(self.folder.path().join("data"))
                .args(["-c", "listen_addresses=127.0.0.1", "-c"])
                .arg(format!("port={}", self.port))
                .args([
                    "-c",
                    "unix_socket_directories=",
                    "-c",
                    "synchronous_commit=off",
                ])
                .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
                .stderr(Stdio::null())
                .spawn();
            let mut server = server.unwrap();
            // After a kill the memory that the last one shared may not be free yet.
            while begun.elapsed() < Duration::from_secs(30) && server.try_wait().unwrap().is_none()
            {
                if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                    self.server = Some(server);
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "PostgreSQL does not start"
            );
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        let [user, password] = Self::USER;
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/postgres",
            self.port
        )
    }

    /// Its scheme, host and port.
    pub fn origin(&self) -> String {
        format!("postgres://127.0.0.1:{}", self.port)
    }

    /// The server and all of its processes.
    fn processes(&self) -> Vec<String> {
        let Some(server) = &self.server else {
            return Vec::new();
        };
        let server = server.id().to_string();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.unwrap();
        let children = children.split_whitespace().map(str::to_owned);
        std::iter::once(server.clone()).chain(children).collect()
    }

    fn signal_all(&self, signal: &str) {
        let _ = Command::new("kill")
            .arg(signal)
            .args(self.processes())
            .stderr(Stdio::null())
            .status();
    }

    /// Kills it, as a loss of power would.
    pub fn kill(&mut self) {
        self.signal_all("-KILL");
        if let Some(mut server) = self.server.take() {
            server.wait().unwrap();
        }
    }

    /// Starts it again over what it has kept.
    pub fn again(&mut self) {
        self.begin();
    }

    /// Makes it silent, or lets it go on.
    pub fn halt(&self, halted: bool) {
        self.signal_all(if halted { "-STOP" } else { "-CONT" });
    }

    /// A connection of its administrator.
    pub async fn administer(&self) -> tokio_postgres::Client {
        let begun = Instant::now();
        loop {
            match tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                // It may be at starting.
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(30), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Carries out a command of its administrator.
    pub fn carry_out(&self, command: &str) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(async { self.administer().await.batch_execute(command).await })
            .unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes an authority `ca.pem` in a folder, and the certificate of a server at 127.0.0.1, `server.pem` with
/// `server.key`.
pub fn make_certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let made = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    };
    fs::write(folder.join("extensions"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 2"
    ));
    openssl(&format!(
        "req -new {key} -keyout server.key -out server.csr -subj /CN=server"
    ));
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out server.pem -days 2",
    );
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}
