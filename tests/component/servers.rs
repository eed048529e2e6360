//! Servers of databases that a test starts, kills and starts again: real ones, on this machine.

use std::{
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where Debian has programs that are in nobody's path.
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
