//! The archive of a release, as people without Rust begin with it.

use std::{
    io::ErrorKind,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mpay::development::{Credentials, SERVICE_ID, read};
use mpay_host::Manifest;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::folder::{Built, MANIFESTS, lay_out};

use crate::{Up, stdout, workspace};

/// The archive's folder, and an empty one beside it.
struct Unpacked(TempDir);

impl Unpacked {
    fn new() -> Self {
        let components = mpay::component::build(workspace(), true).unwrap();
        let place = tempfile::tempdir().unwrap();
        let built = Built {
            mpay: Path::new(env!("CARGO_BIN_EXE_mpay")),
            components: &components,
            // Others, which take minutes to build; what is looked at here is the same.
            postgres: &components,
        };
        let unpacked = Self(place);
        lay_out(workspace(), built, &unpacked.folder()).unwrap();
        std::fs::create_dir(unpacked.empty()).unwrap();
        // A process that another test is about to begin may still have it open, to be written.
        while let Err(error) = unpacked.mpay(&["--version"]).output() {
            assert_eq!(error.kind(), ErrorKind::ExecutableFileBusy, "{error}");
        }
        unpacked
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("mpay-provider-0.1.0")
    }

    fn empty(&self) -> PathBuf {
        self.0.path().join("empty")
    }

    /// The archive's own `mpay`, in the empty folder, where no other program is found.
    fn mpay(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.folder().join("mpay"));
        command
            .args(arguments)
            .current_dir(self.empty())
            .env_clear()
            .env("PATH", self.empty());
        // Where the compiled components are kept.
        for name in ["HOME", "XDG_CACHE_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.mpay(arguments).output().unwrap()
    }
}

/// A port that is free now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn from_an_empty_folder_without_rust_a_first_order_is_paid() {
    let unpacked = Unpacked::new();
    let up = Up::of(&mut unpacked.mpay(&["up", "--listen", &free_address()]));
    for text in ["Sample order   DEMO-1", "MPay offline", "Card gateway"] {
        assert!(up.greeting.contains(text), "{text}: {}", up.greeting);
    }
    let again = format!(
        "{} call details DEMO-1",
        unpacked.folder().join("mpay").display()
    );
    assert!(up.greeting.contains(&again), "{}", up.greeting);

    let details = unpacked.run(&["call", "details", "DEMO-1", "--url", &up.url]);
    assert!(stdout(&details).contains("1250.00 MDL"), "{details:?}");
    let paid = unpacked.run(&["call", "confirm", "DEMO-1", "--url", &up.url]);
    assert!(
        stdout(&paid).starts_with("Confirmed: 1250.00 MDL"),
        "{paid:?}"
    );
    let token = read(&Credentials::of_workspace(&unpacked.folder()).api_token()).unwrap();
    let order: Value = ureq::get(format!("{}api/orders/{SERVICE_ID}/DEMO-1", up.url))
        .header("Authorization", format!("Bearer {}", token.trim()))
        .call()
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
    assert_eq!(order["status"], json!("Paid"));
    // Keys and data are beside the manifest, where each command finds them.
    assert!(
        unpacked
            .folder()
            .join(".spin/sqlite_key_value.db")
            .is_file()
    );
    assert_eq!(std::fs::read_dir(unpacked.empty()).unwrap().count(), 0);
}

#[test]
fn the_archive_has_what_its_manifests_and_the_image_need() {
    let unpacked = Unpacked::new();
    let folder = unpacked.folder();
    for (name, _) in MANIFESTS {
        let file = folder.join(name);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("cargo build"), "{name}");
        let manifest = Manifest::load(&file).unwrap();
        let usual = Manifest::load(workspace().join(name)).unwrap();
        assert!(
            manifest.variables.keys().eq(usual.variables.keys()),
            "{name}"
        );
        for component in manifest.components.values() {
            let file = manifest.component_path(component);
            assert!(file.starts_with(folder.join("components")), "{file:?}");
            assert!(file.is_file(), "{file:?}");
        }
    }
    let files = xtask::archive::files(&folder).unwrap();
    let has = |name: &str| files.iter().any(|file| file == Path::new(name));
    for name in [
        "LICENSE-MIT",
        "README.md",
        "deploy/docker/Dockerfile",
        "deploy/server/mpay-provider.service",
        "docs/operate.md",
        "wsdl/IServiceProvider.wsdl",
    ] {
        assert!(has(name), "{name}: {files:?}");
    }
    assert!(!has("Cargo.toml"));
    image(&unpacked);
}

#[test]
fn a_component_that_is_missing_is_named_with_what_to_do() {
    let unpacked = Unpacked::new();
    let missing = unpacked.folder().join("components/mpay_office.wasm");
    std::fs::remove_file(&missing).unwrap();
    let failed = unpacked.run(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(failed.status.code(), Some(2));
    let said = String::from_utf8(failed.stderr).unwrap();
    let expected = format!("there is no component at {}", missing.display());
    assert!(
        said.contains(&expected) && said.contains("take it from the release"),
        "{said}"
    );
}

/// The Dockerfile copies what there is, and starts `mpay` by what it takes.
fn image(unpacked: &Unpacked) {
    let docker = workspace().join("deploy/docker");
    let dockerfile = std::fs::read_to_string(docker.join("Dockerfile")).unwrap();
    let ignored = std::fs::read_to_string(docker.join("Dockerfile.dockerignore")).unwrap();
    let mut copied: Vec<&str> = Vec::new();
    for line in dockerfile.lines() {
        if let Some(names) = line.strip_prefix("COPY ") {
            let (names, folder) = names.rsplit_once(' ').unwrap();
            assert!(folder.starts_with("/opt/mpay-provider/"), "{folder}");
            copied.extend(names.split(' '));
        }
    }
    for name in &copied {
        // These two are made by the command alone.
        let made = [xtask::notices::FILE, xtask::sbom::FILE].contains(name);
        assert!(made || unpacked.folder().join(name).exists(), "{name}");
    }
    let mut sent: Vec<_> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    copied.sort();
    sent.sort();
    assert_eq!(copied, sent);
    assert!(ignored.lines().any(|line| line == "*"), "{ignored}");

    let entry = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "));
    let entry: Vec<String> = serde_json::from_str(entry.unwrap()).unwrap();
    assert_eq!(entry[0], "/opt/mpay-provider/mpay");
    let mut arguments: Vec<_> = entry[1..].iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = unpacked.run(&arguments);
    assert!(help.status.success(), "{help:?}");
}
