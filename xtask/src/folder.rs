//! The archive's folder: all that the provider needs where there is no Rust.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{cargo, manifest};

/// The files of the components.
pub const COMPONENTS: [&str; 2] = ["mpay_provider.wasm", "mpay_office.wasm"];

/// The manifests, and where the archive has the components of each.
pub const MANIFESTS: [(&str, &str); 3] = [
    ("spin.toml", USUAL),
    ("spin.postgres.toml", POSTGRES),
    ("spin.akamai.toml", POSTGRES),
];

/// The components that keep the books in the host's key-value store.
pub const USUAL: &str = "components";
/// Those that keep them in PostgreSQL.
pub const POSTGRES: &str = "components/postgres";

/// The files and folders that are copied as they are.
const COPIED: [&str; 8] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "deploy",
    "docs",
    "wsdl",
];

/// The results of the builds.
#[derive(Clone, Copy, Debug)]
pub struct Built<'a> {
    /// The command.
    pub mpay: &'a Path,
    /// The folder of the components that keep the books in the host's key-value store.
    pub components: &'a Path,
    /// The folder of those that keep them in PostgreSQL.
    pub postgres: &'a Path,
}

/// Lays out the folder, which must not be there yet.
///
/// # Errors
/// If a file is missing, or cannot be copied.
pub fn lay_out(workspace: &Path, built: Built<'_>, folder: &Path) -> anyhow::Result<()> {
    ensure!(!folder.exists(), "{} is there already", folder.display());
    // What git does not keep is nobody else's: keys may lie beside the manifests of Kubernetes.
    let kept = cargo::output(
        Command::new("git")
            .args(["ls-files", "-z", "--"])
            .args(COPIED)
            .current_dir(workspace),
    )?;
    for name in kept.split_terminator('\0') {
        copy(&workspace.join(name), &folder.join(name), 0o644)?;
    }
    for (name, components) in MANIFESTS {
        let file = workspace.join(name);
        let text = fs::read_to_string(&file);
        let text = text.with_context(|| format!("cannot read {}", file.display()))?;
        fs::write(folder.join(name), manifest::for_archive(&text, components))?;
    }
    for (from, to) in [(built.components, USUAL), (built.postgres, POSTGRES)] {
        for component in COMPONENTS {
            copy(
                &from.join(component),
                &folder.join(to).join(component),
                0o644,
            )?;
        }
    }
    copy(built.mpay, &folder.join("mpay"), 0o755)
}

fn copy(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let parent = to.parent().context("a file is in a folder")?;
    fs::create_dir_all(parent)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::archive::files;

    fn git(folder: &Path, arguments: &[&str]) {
        cargo::output(Command::new("git").args(arguments).current_dir(folder)).unwrap();
    }

    #[test]
    fn what_git_does_not_keep_stays_where_it_is() {
        let place = tempfile::tempdir().unwrap();
        let (workspace, built) = (place.path().join("sources"), place.path().join("built"));
        for (name, text) in [
            ("sources/README.md", "# It\n"),
            ("sources/Cargo.toml", ""),
            (
                "sources/spin.toml",
                "source = \"target/a/mpay_office.wasm\"\n",
            ),
            ("sources/spin.postgres.toml", "\n"),
            ("sources/spin.akamai.toml", "\n"),
            ("sources/deploy/kubernetes/provider.yaml", ""),
            ("built/mpay", "#!"),
            ("built/mpay_office.wasm", ""),
            ("built/mpay_provider.wasm", ""),
        ] {
            let file = place.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        git(&workspace, &["init", "--quiet"]);
        git(&workspace, &["add", "."]);
        let stray = workspace.join("deploy/kubernetes/service.key.pem");
        fs::write(stray, "a key of somebody's").unwrap();

        let folder = place.path().join("archive");
        let built = Built {
            mpay: &built.join("mpay"),
            components: &built,
            postgres: &built,
        };
        lay_out(&workspace, built, &folder).unwrap();
        let expected = [
            "README.md",
            "components/mpay_office.wasm",
            "components/mpay_provider.wasm",
            "components/postgres/mpay_office.wasm",
            "components/postgres/mpay_provider.wasm",
            "deploy/kubernetes/provider.yaml",
            "mpay",
            "spin.akamai.toml",
            "spin.postgres.toml",
            "spin.toml",
        ];
        assert_eq!(files(&folder).unwrap(), expected.map(PathBuf::from));
        let manifest = fs::read_to_string(folder.join("spin.toml")).unwrap();
        assert_eq!(manifest, "source = \"components/mpay_office.wasm\"\n");
        let mode = fs::metadata(folder.join("mpay"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
        lay_out(&workspace, built, &folder).expect_err("it is there already");
    }
}
