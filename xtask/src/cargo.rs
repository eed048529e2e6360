//! Builds that hold no path of the builder's, and what a package is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use toml::Table;

/// The target of the components.
pub const WASM: &str = "wasm32-wasip2";

/// A package by its name and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// A package, as cargo describes it.
#[derive(Debug)]
pub struct Package {
    /// Its licence, an SPDX expression.
    pub license: Option<String>,
    /// Its authors, as it names them.
    pub authors: Vec<String>,
    /// The address of its repository.
    pub repository: Option<String>,
    /// The folder of its sources.
    pub folder: PathBuf,
    /// The SHA-256 of what the registry gave; of a package of the workspace there is none.
    pub checksum: Option<String>,
}

impl Package {
    /// True if it is one of the workspace.
    pub fn is_own(&self) -> bool {
        self.checksum.is_none()
    }
}

/// Packages of a build, each with those that it uses.
pub type Graph = BTreeMap<Id, BTreeSet<Id>>;

/// The workspace, and the Rust that builds it.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    /// All packages that may be in a build for one of the targets.
    packages: BTreeMap<Id, Package>,
    rust: Rust,
}

/// The compiler.
#[derive(Debug)]
struct Rust {
    version: String,
    host: String,
    commit: String,
    sysroot: PathBuf,
}

impl Workspace {
    /// The workspace that this program is of, as it is built for a target, or for this machine.
    ///
    /// # Errors
    /// If cargo or rustc cannot be run, or `Cargo.lock` does not fit.
    pub fn here(target: Option<&str>) -> anyhow::Result<Workspace> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = root.parent().context("xtask is in the workspace")?;
        let rust = Rust::find(root)?;
        let target = target.unwrap_or(&rust.host);
        let metadata = output(clean("cargo", root).args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            // What only another build has must be known as well.
            "--all-features",
            "--filter-platform",
            WASM,
            "--filter-platform",
            target,
        ]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
        Ok(Workspace {
            root: root.to_owned(),
            packages: packages(&metadata, &checksums(&lock)?)?,
            rust,
        })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The target of this machine.
    pub fn host(&self) -> &str {
        &self.rust.host
    }

    /// The version of the compiler, and of its standard library.
    pub fn rust_version(&self) -> &str {
        &self.rust.version
    }

    /// A package.
    ///
    /// # Errors
    /// If there is none.
    pub fn package(&self, id: &Id) -> anyhow::Result<&Package> {
        let package = self.packages.get(id);
        package.with_context(|| format!("cargo metadata says nothing of {id}"))
    }

    /// The package of the workspace with this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn own(&self, name: &str) -> anyhow::Result<&Id> {
        let mut packages = self.packages.iter();
        let own = packages.find(|(id, package)| id.name == name && package.is_own());
        own.map(|(id, _)| id)
            .with_context(|| format!("the workspace has no package {name}"))
    }

    /// Builds into a target folder of its own. What is built holds no path of this machine's, so it is
    /// the same bytes wherever it is built.
    ///
    /// # Errors
    /// If cargo fails.
    pub fn build(
        &self,
        target: &str,
        arguments: &[String],
        target_dir: &Path,
    ) -> anyhow::Result<()> {
        let mut command = clean("cargo", &self.root);
        command
            .args(arguments)
            .arg("--locked")
            .arg("--target-dir")
            .arg(target_dir);
        // Joined with those of `.cargo/config.toml`; RUSTFLAGS would take their place.
        let mut flags = Vec::new();
        for (from, to) in self.remapped(target_dir)? {
            flags.push(format!("--remap-path-prefix={from}={to}"));
        }
        let flags = serde_json::to_string(&flags)?;
        command.args(["--config", &format!("target.{target}.rustflags={flags}")]);
        if target != WASM && target != self.rust.host {
            let architecture = target.split('-').next().unwrap_or(target);
            let linker = format!("target.{target}.linker=\"{architecture}-linux-gnu-gcc\"");
            command.args(["--config", &linker]);
        }
        let status = command.stdin(Stdio::null()).status();
        let status = status.context("cannot run cargo")?;
        ensure!(status.success(), "`cargo {}` failed", arguments.join(" "));
        Ok(())
    }

    /// The folders of this machine that the compiler would write down, and what it writes instead. The
    /// last one that fits counts.
    fn remapped(&self, target_dir: &Path) -> anyhow::Result<Vec<(String, String)>> {
        let text = |path: &Path| {
            let path = path.to_str().context("a path is no UTF-8")?;
            anyhow::Ok(path.to_owned())
        };
        let mut remapped = vec![
            (text(&self.root)?, "/mpay-provider".to_owned()),
            (text(target_dir)?, "/target".to_owned()),
        ];
        let foreign = self.packages.values().filter(|package| !package.is_own());
        let registries: BTreeSet<_> = foreign
            .filter_map(|package| package.folder.parent())
            .collect();
        for folder in registries {
            remapped.push((text(folder)?, "/registry".to_owned()));
        }
        // As it is where the sources of the standard library are not installed.
        let library = self.rust.sysroot.join("lib/rustlib/src/rust");
        remapped.push((text(&library)?, format!("/rustc/{}", self.rust.commit)));
        Ok(remapped)
    }

    /// The folders whose names must not be in what is built.
    pub fn of_builder(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.root.clone(), self.rust.sysroot.clone()];
        folders.extend(env::var_os("CARGO_HOME").map(PathBuf::from));
        folders.extend(env::home_dir().map(|home| home.join(".cargo")));
        folders
    }

    /// The packages that some packages of the workspace are made of for a target, as cargo would build
    /// them: without those that only build or test them.
    ///
    /// # Errors
    /// If cargo fails.
    pub fn graph(
        &self,
        target: &str,
        packages: &[&str],
        features: &[&str],
    ) -> anyhow::Result<Graph> {
        let mut command = clean("cargo", &self.root);
        command.args(["tree", "--locked", "--target", target]);
        command.args(["--edges", "normal,no-proc-macro", "--prefix", "depth"]);
        command.args(packages.iter().flat_map(|package| ["--package", package]));
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
        }
        read_tree(&output(&mut command)?)
    }
}

impl Rust {
    fn find(root: &Path) -> anyhow::Result<Rust> {
        let said = output(clean("rustc", root).arg("-vV"))?;
        let member = |name: &str| {
            let mut lines = said.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned)
        };
        let sysroot = output(clean("rustc", root).args(["--print", "sysroot"]))?;
        Ok(Rust {
            version: member("release").context("rustc does not say its version")?,
            host: member("host").context("rustc does not say its host")?,
            commit: member("commit-hash").context("rustc does not say its commit")?,
            sysroot: sysroot.trim().into(),
        })
    }
}

/// A command in the workspace, with nothing of the environment by which a build could differ.
fn clean(program: &str, root: &Path) -> Command {
    const KEPT: [&str; 8] = [
        "PATH",
        "HOME",
        "TMPDIR",
        "TERM",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "CARGO_BUILD_JOBS",
    ];
    let mut command = Command::new(program);
    command.current_dir(root).env_clear();
    for name in KEPT {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The standard output of a command that succeeds.
///
/// # Errors
/// If it fails, with what it wrote of that.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("{name} said what is no UTF-8"))
}

/// The SHA-256 of each package that `Cargo.lock` names with one.
fn checksums(lock: &str) -> anyhow::Result<BTreeMap<Id, String>> {
    let lock: Table = lock.parse().context("Cargo.lock is no TOML")?;
    let packages = lock.get("package").and_then(|packages| packages.as_array());
    let packages = packages.context("Cargo.lock has no packages")?;
    let checksums = packages.iter().filter_map(|package| {
        let member = |name: &str| Some(package.get(name)?.as_str()?.to_owned());
        let id = Id {
            name: member("name")?,
            version: member("version")?,
        };
        Some((id, member("checksum")?))
    });
    Ok(checksums.collect())
}

/// The packages that `cargo metadata` describes.
fn packages(
    metadata: &Value,
    checksums: &BTreeMap<Id, String>,
) -> anyhow::Result<BTreeMap<Id, Package>> {
    let packages = metadata["packages"].as_array();
    let packages = packages.context("cargo metadata has no packages")?;
    let packages = packages.iter().map(|package| {
        let member = |name: &str| package[name].as_str().map(str::to_owned);
        let id = Id {
            name: member("name").context("a package has no name")?,
            version: member("version").context("a package has no version")?,
        };
        let manifest = member("manifest_path").context("a package has no manifest")?;
        let folder = Path::new(&manifest).parent().unwrap_or(Path::new("/"));
        let checksum = checksums.get(&id).cloned();
        ensure!(
            package["source"].is_null() == checksum.is_none(),
            "{id} is not from a registry that gives checksums"
        );
        let authors = package["authors"].as_array().into_iter().flatten();
        let package = Package {
            // As packages of before SPDX wrote it.
            license: member("license").map(|license| license.replace('/', " OR ")),
            authors: authors
                .filter_map(|author| Some(author.as_str()?.to_owned()))
                .collect(),
            repository: member("repository"),
            folder: folder.to_owned(),
            checksum,
        };
        Ok((id, package))
    });
    packages.collect()
}

/// Reads what `cargo tree --prefix depth` prints: the depth and the package, `1anyhow v1.0.104`. What
/// was printed before stands without what is below it.
fn read_tree(printed: &str) -> anyhow::Result<Graph> {
    let mut graph = Graph::new();
    let mut above: Vec<Id> = Vec::new();
    for line in printed.lines().filter(|line| !line.is_empty()) {
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let (depth, package) = line.split_at(digits);
        let mut words = package.split(' ');
        let (Ok(depth), Some(name), Some(version)) = (
            depth.parse::<usize>(),
            words.next(),
            words.next().and_then(|version| version.strip_prefix('v')),
        ) else {
            bail!("cargo tree printed what is no package: {line}");
        };
        let id = Id {
            name: name.to_owned(),
            version: version.to_owned(),
        };
        above.truncate(depth);
        if let Some(user) = above.last() {
            graph.entry(user.clone()).or_default().insert(id.clone());
        }
        graph.entry(id.clone()).or_default();
        above.push(id);
    }
    Ok(graph)
}

/// Refuses a file that holds the name of one of these folders.
///
/// # Errors
/// If it does, or cannot be read.
pub fn refuse_paths(file: &Path, folders: &[PathBuf]) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    for folder in folders {
        let name: &OsStr = folder.as_os_str();
        let name = name.as_encoded_bytes();
        // Of the root alone every path would be one.
        if name.len() > 1 && bytes.windows(name.len()).any(|window| window == name) {
            bail!("{} holds the path {}", file.display(), folder.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, version: &str) -> Id {
        Id {
            name: name.into(),
            version: version.into(),
        }
    }

    #[test]
    fn a_printed_tree_is_read_with_what_it_leaves_out_the_second_time() {
        let graph = read_tree(
            "0top v0.1.0 (/somewhere/top)\n1a v1.0.0\n2b v2.0.0\n3c v3.0.0\n1b v2.0.0 (*)\n1c v4.0.0\n\n\
             0other v0.1.0 (/somewhere)\n1a v1.0.0 (*)\n",
        )
        .unwrap();
        let uses = |user: &Id| graph[user].iter().cloned().collect::<Vec<_>>();
        let (a, b) = (id("a", "1.0.0"), id("b", "2.0.0"));
        let top = [a.clone(), b.clone(), id("c", "4.0.0")];
        assert_eq!(uses(&id("top", "0.1.0")), top);
        assert_eq!(uses(&a), std::slice::from_ref(&b));
        assert_eq!(uses(&b), [id("c", "3.0.0")]);
        assert_eq!(uses(&id("other", "0.1.0")), [a]);
        assert_eq!(graph.len(), 6);
        for wrong in ["top v0.1.0", "0top", "0top 0.1.0"] {
            read_tree(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn checksums_are_those_of_what_a_registry_gave() {
        let lock = "version = 4\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
            [[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n";
        let checksums = checksums(lock).unwrap();
        assert_eq!(checksums, [(id("a", "1.0.0"), "ab".to_owned())].into());
    }

    #[test]
    fn a_path_of_the_builder_is_found_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("component.wasm");
        let of_builder = [PathBuf::from("/home/ana/src"), PathBuf::from("/")];
        std::fs::write(&file, b"\0/mpay-provider/src/lib.rs\0").unwrap();
        refuse_paths(&file, &of_builder).unwrap();
        std::fs::write(&file, b"\0\xff/home/ana/src/lib.rs\0").unwrap();
        let error = refuse_paths(&file, &of_builder).unwrap_err().to_string();
        assert!(
            error.ends_with("component.wasm holds the path /home/ana/src"),
            "{error}"
        );
    }
}
