//! Builds the components, when it is needed and not before: a build script that called cargo could
//! wait for itself.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::tell;

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "component";
/// MPay's door and the people's door.
const PACKAGES: [&str; 2] = ["mpay-provider", "mpay-office"];

/// The folder with the `spin.toml`, from the current one upwards; or that of the release which this
/// program is of, where they stand beside each other.
pub fn workspace_root() -> Option<PathBuf> {
    let above = env::current_dir()
        .ok()
        .and_then(|here| workspace_above(&here));
    above.or_else(|| {
        // Of a link to the program it is where the program is.
        let program = env::current_exe().ok()?;
        let beside = program.parent()?;
        beside
            .join("spin.toml")
            .is_file()
            .then(|| beside.to_owned())
    })
}

/// The folder with the `spin.toml`, from `folder` upwards.
pub fn workspace_above(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| folder.join("spin.toml").is_file())
        .map(Path::to_owned)
}

/// The manifest of the components that keep the books in PostgreSQL.
pub const FOR_POSTGRES: &str = "spin.postgres.toml";
/// That of the same components for Akamai Functions.
const FOR_AKAMAI: &str = "spin.akamai.toml";

/// Builds the components that a manifest of the workspace names.
pub fn build_for(workspace: &Path, manifest: &Path, quiet: bool) -> anyhow::Result<PathBuf> {
    let build = Build::new(workspace).quiet(quiet);
    let name = manifest.file_name().and_then(OsStr::to_str);
    match name.is_some_and(|name| [FOR_POSTGRES, FOR_AKAMAI].contains(&name)) {
        true => build.postgres().run(),
        false => build.run(),
    }
}

/// Builds the components of a workspace where `spin.toml` expects them, and gives their folder.
///
/// Cargo decides what is out of date; with nothing to do it takes less than a second.
pub fn build(workspace: &Path, quiet: bool) -> anyhow::Result<PathBuf> {
    Build::new(workspace).quiet(quiet).run()
}

/// A build of the components in another way than the usual.
#[derive(Clone, Debug)]
pub struct Build {
    workspace: PathBuf,
    target_dir: PathBuf,
    packages: Vec<&'static str>,
    features: Vec<String>,
    example: Option<(String, String)>,
    relaxed_simd: bool,
    postgres: bool,
    quiet: bool,
}

impl Build {
    /// The usual build: no features, into the workspace's `target`.
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        let workspace = workspace.into();
        Self {
            target_dir: workspace.join("target"),
            workspace,
            packages: PACKAGES.to_vec(),
            features: Vec::new(),
            example: None,
            relaxed_simd: true,
            postgres: false,
            quiet: false,
        }
    }

    /// Shows cargo's output only if it fails.
    pub fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// Builds MPay's door alone.
    pub fn provider_only(mut self) -> Self {
        self.packages.truncate(1);
        self
    }

    /// Turns a feature of MPay's door on. Give it a target folder of its own, or `spin.toml` will
    /// serve it.
    pub fn feature(mut self, feature: impl Into<String>) -> Self {
        self.features.push(feature.into());
        self
    }

    /// Builds the components that keep the books in PostgreSQL, where `spin.postgres.toml` expects them.
    pub fn postgres(mut self) -> Self {
        self.target_dir = self.workspace.join("target/postgres");
        self.postgres = true;
        self
    }

    /// Builds an example program of a package instead, in the same way as the components.
    pub fn example(mut self, package: impl Into<String>, name: impl Into<String>) -> Self {
        self.example = Some((package.into(), name.into()));
        self
    }

    /// Leaves out code that needs relaxed SIMD of the host. Give it a target folder of its own.
    pub fn without_relaxed_simd(mut self) -> Self {
        self.relaxed_simd = false;
        self
    }

    /// Builds into another folder.
    pub fn target_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.target_dir = folder.into();
        self
    }

    /// Builds, and gives the folder of the components, or the path of the example.
    pub fn run(&self) -> anyhow::Result<PathBuf> {
        self.ensure_target()?;
        self.take_over();
        let mut cargo = self.command(cargo());
        cargo
            .args(["build", "--target", TARGET, "--profile", PROFILE])
            .arg("--target-dir")
            .arg(&self.target_dir);
        let file = match &self.example {
            Some((package, name)) => {
                cargo.args(["-p", package, "--example", name]);
                Path::new("examples").join(format!("{name}.wasm"))
            }
            None => {
                cargo.arg("--lib");
                cargo.args(self.packages.iter().flat_map(|package| ["-p", package]));
                PathBuf::new()
            }
        };
        let own = self.features.iter();
        let mut features: Vec<_> = own.map(|name| format!("{}/{name}", PACKAGES[0])).collect();
        if self.postgres {
            let packages = self.packages.iter();
            features.extend(packages.map(|package| format!("{package}/postgres")));
        }
        if !features.is_empty() {
            cargo.arg("--features").arg(features.join(","));
        }
        if !self.relaxed_simd {
            cargo.arg("--no-default-features");
        }
        let built = self.target_dir.join(TARGET).join(PROFILE).join(file);
        // Cargo itself shows how far it is; at its last step, which is the longest, it is silent.
        if !self.quiet && !built.exists() {
            tell!(
                "Building the components for Wasm: the first time takes minutes, the last step of it \
                  one alone …"
            );
        }
        let described = "building the components with `cargo build`";
        if self.quiet {
            let output = cargo.stdin(Stdio::null()).output().context(NO_CARGO)?;
            ensure!(
                output.status.success(),
                "{described} failed:\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        } else {
            let status = cargo.stdin(Stdio::null()).status().context(NO_CARGO)?;
            ensure!(status.success(), "{described} failed, see above");
        }
        ensure!(
            built.exists(),
            "{described} succeeded, but there is no {}",
            built.display()
        );
        Ok(built)
    }

    /// Begins another folder with what the usual one has of the dependencies, which is most of the work.
    /// The files of cargo keep their times, by which it sees what is out of date. Without `cp` all is
    /// built anew.
    fn take_over(&self) {
        let usual = self.workspace.join("target");
        if self.target_dir.exists() || self.target_dir == usual {
            return;
        }
        for folder in [Path::new(PROFILE), &Path::new(TARGET).join(PROFILE)] {
            let (from, to) = (usual.join(folder), self.target_dir.join(folder));
            if std::fs::create_dir_all(&to).is_err() {
                return;
            }
            // Large files are never written over, and need no copy.
            for (name, how) in [("deps", "-al"), (".fingerprint", "-a"), ("build", "-a")] {
                let copied = Command::new("cp")
                    .arg(how)
                    .args([from.join(name), to.join(name)])
                    .stderr(Stdio::null())
                    .status();
                if !copied.is_ok_and(|status| status.success()) {
                    let _ = std::fs::remove_dir_all(&self.target_dir);
                    return;
                }
                // The components themselves have the same names whatever their features.
                for file in std::fs::read_dir(to.join(name))
                    .into_iter()
                    .flatten()
                    .flatten()
                {
                    let own = file.file_name();
                    let own = own.to_string_lossy().replace('-', "_");
                    if own.contains("mpay_provider") || own.contains("mpay_office") {
                        let _ = std::fs::remove_dir_all(file.path());
                        let _ = std::fs::remove_file(file.path());
                    }
                }
            }
        }
    }

    /// Installs the standard library for Wasm if it is missing.
    fn ensure_target(&self) -> anyhow::Result<()> {
        if self.has_target()? {
            return Ok(());
        }
        tell!("The Rust target {TARGET} is missing: running `rustup target add {TARGET}`");
        let added = self
            .command("rustup")
            .args(["target", "add", TARGET])
            .status();
        match added {
            Ok(status) if status.success() && self.has_target()? => Ok(()),
            Ok(_) => bail!("`rustup target add {TARGET}` failed: install the target by hand"),
            Err(error) => bail!(
                "cannot run rustup ({error}): install the standard library of the target {TARGET} for your Rust compiler"
            ),
        }
    }

    fn has_target(&self) -> anyhow::Result<bool> {
        let output = self
            .command("rustc")
            .args(["--print", "target-libdir", "--target", TARGET])
            .output()
            .context("cannot run rustc, which building the components needs: install Rust from https://rustup.rs")?;
        let folder = String::from_utf8_lossy(&output.stdout);
        Ok(output.status.success() && Path::new(folder.trim()).is_dir())
    }

    /// A command in the workspace's root, where `.cargo/config.toml` and `rust-toolchain.toml`
    /// count, without the variables by which an outer cargo or its user would change the build:
    /// `RUSTFLAGS` alone would replace the flags of the configuration.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.workspace);
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(disturbs) {
                command.env_remove(name);
            }
        }
        command
    }
}

const NO_CARGO: &str =
    "cannot run cargo, which building the components needs: install Rust from https://rustup.rs";

/// The cargo that runs this program, or the one in the path.
fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// True if this variable of the environment would change what cargo builds, or where it puts it.
fn disturbs(name: &str) -> bool {
    /// The beginnings of the names that say where cargo finds its home and its packages, and how it
    /// prints: the user's affair.
    const KEPT: [&str; 9] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_BUILD_JOBS",
        "CARGO_INSTALL_ROOT",
    ];
    match name {
        "RUSTFLAGS" | "RUSTC" | "RUSTC_WORKSPACE_WRAPPER" | "MAKEFLAGS" | "MFLAGS" => true,
        name => name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_found_from_a_folder_within() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join("spin.toml"), "").unwrap();
        assert_eq!(workspace_above(&inner).as_deref(), Some(folder.path()));
    }

    #[test]
    fn variables_that_change_a_build_are_kept_from_it_and_no_others() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            "CARGO_PROFILE_COMPONENT_LTO",
            "CARGO_MANIFEST_DIR",
            "CARGO_MAKEFLAGS",
        ] {
            assert!(disturbs(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!disturbs(name), "{name}");
        }
    }

    #[test]
    fn a_failed_build_says_what_cargo_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml"), "{error}");
    }
}
