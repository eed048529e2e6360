//! `cargo xtask release`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;

use crate::cargo::{Graph, WASM, Workspace, output, refuse_paths};
use crate::folder::{Built, POSTGRES, USUAL, lay_out};
use crate::manifest::Build;
use crate::{archive, notices, sbom};

/// In the names of what is only a trial.
const TRIAL: &str = "-trial";

/// The arguments of `cargo xtask release`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The machine that `mpay` is for, such as aarch64-unknown-linux-gnu [default: this one].
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Folder of the archives.
    #[arg(long, value_name = "FOLDER", default_value = "target/release-archives")]
    out: PathBuf,
    /// Only a trial: also with changes that are not committed, and with `mpay` as `cargo run` has it.
    #[arg(long, conflicts_with = "target")]
    trial: bool,
}

/// Makes the archive.
///
/// # Errors
/// If something is missing, does not build, or holds a path of this machine.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let workspace = Workspace::here(arguments.target.as_deref())?;
    let root = workspace.root();
    let version = &workspace.own("mpay")?.version;
    let target = arguments.target.as_deref().unwrap_or(workspace.host());
    if !arguments.trial {
        ready(root, version)?;
    }
    let build_dir = root.join("target/release-build");
    let usual = components(&workspace, "spin.toml", &build_dir, USUAL)?;
    let postgres = components(&workspace, "spin.postgres.toml", &build_dir, POSTGRES)?;
    let mpay = match arguments.trial {
        true => trial_mpay(root)?,
        false => mpay(&workspace, target, &build_dir)?,
    };

    let out = root.join(&arguments.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let trial = if arguments.trial { TRIAL } else { "" };
    let name = format!("mpay-provider-{version}{trial}-{target}");
    let folder = out.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let built = Built {
        mpay: &mpay,
        components: &usual,
        postgres: &postgres,
    };
    lay_out(root, built, &folder)?;
    describe(&workspace, target, &folder)?;
    archive::write_sums(&folder, &archive::files(&folder)?)?;

    let file = out.join(format!("{name}.tar.gz"));
    archive::pack(&folder, &file, of_commit(root, "%ct")?.parse()?)?;
    let mut archives = Vec::new();
    for entry in fs::read_dir(&out)? {
        let name = PathBuf::from(entry?.file_name());
        if is_of_release(&name) {
            archives.push(name);
        }
    }
    if !archives.is_empty() {
        archives.sort();
        archive::write_sums(&out, &archives)?;
    }
    println!("{}", file.display());
    Ok(())
}

/// True if a file is published, with its checksum: a trial never is.
fn is_of_release(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".gz") && !name.contains(TRIAL)
}

/// Builds the components of a manifest, and gives the folder where they are kept: the next build writes
/// over them.
fn components(
    workspace: &Workspace,
    manifest: &str,
    build_dir: &Path,
    name: &str,
) -> anyhow::Result<PathBuf> {
    let text = fs::read_to_string(workspace.root().join(manifest)).context(manifest.to_owned())?;
    let build = Build::read(&text).context(manifest.to_owned())?;
    workspace.build(WASM, &build.arguments, build_dir)?;
    let kept = build_dir.join(name);
    fs::create_dir_all(&kept)?;
    for component in &build.components {
        let from = build_dir.join(component);
        refuse_paths(&from, &workspace.of_builder())?;
        let name = component.file_name().context("a component has a name")?;
        fs::copy(&from, kept.join(name))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(kept)
}

/// Builds the command.
fn mpay(workspace: &Workspace, target: &str, build_dir: &Path) -> anyhow::Result<PathBuf> {
    let words = ["build", "--release", "-p", "mpay", "--target", target];
    workspace.build(target, &words.map(str::to_owned), build_dir)?;
    let mpay = build_dir.join(target).join("release/mpay");
    refuse_paths(&mpay, &workspace.of_builder())?;
    Ok(mpay)
}

/// The command as `cargo run` has it.
fn trial_mpay(root: &Path) -> anyhow::Result<PathBuf> {
    let mpay = root.join("target/debug/mpay");
    ensure!(
        mpay.is_file(),
        "there is no {}: `cargo build --bin mpay` makes it",
        mpay.display()
    );
    Ok(mpay)
}

/// Writes into the archive's folder what it is made of.
fn describe(workspace: &Workspace, target: &str, folder: &Path) -> anyhow::Result<()> {
    let graph = of_all(workspace, target)?;
    fs::write(folder.join(notices::FILE), notices::of(workspace, &graph)?)?;
    let roots = ROOTS.map(|name| workspace.own(name));
    let roots = roots.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let time = of_commit(workspace.root(), "%cI")?;
    let bom = sbom::of(workspace, &roots, &graph, &time)?;
    let bom = serde_json::to_string_pretty(&bom)? + "\n";
    Ok(fs::write(folder.join(sbom::FILE), bom)?)
}

/// Git's description of the commit, in a format of its own.
fn of_commit(root: &Path, format: &str) -> anyhow::Result<String> {
    let format = format!("--format={format}");
    let mut git = Command::new("git");
    let said = output(git.args(["log", "-1", &format]).current_dir(root))?;
    Ok(said.trim().to_owned())
}

/// The packages that are built.
pub const ROOTS: [&str; 3] = ["mpay", "mpay-office", "mpay-provider"];

/// The packages that all of [`ROOTS`] are made of.
///
/// # Errors
/// If cargo fails.
pub fn of_all(workspace: &Workspace, target: &str) -> anyhow::Result<Graph> {
    let [mpay, office, provider] = ROOTS;
    let postgres = [office, provider].map(|name| format!("{name}/postgres"));
    let postgres: Vec<_> = postgres.iter().map(String::as_str).collect();
    let mut all = workspace.graph(target, &[mpay], &[])?;
    for (package, used) in workspace.graph(WASM, &[office, provider], &postgres)? {
        all.entry(package).or_default().extend(used);
    }
    Ok(all)
}

/// Refuses sources that are not ready for a release: with changes beside the commit, without a heading
/// in the changelog, or without a store for later tests.
fn ready(root: &Path, version: &str) -> anyhow::Result<()> {
    let changed = output(
        Command::new("git")
            .args(["status", "--porcelain"])
            .current_dir(root),
    )?;
    ensure!(
        changed.is_empty(),
        "commit first, so that the archive can be made again from a commit:\n{changed}"
    );
    sees_all_files(root)?;
    let log = fs::read_to_string(root.join("CHANGELOG.md")).context("CHANGELOG.md")?;
    ensure!(
        log.lines()
            .any(|line| line.starts_with(&format!("## {version} "))),
        "CHANGELOG.md has no heading `## {version} (…)`: say there what this release changes"
    );
    let store = format!("tests/data/stores/{version}.db");
    ensure!(
        root.join(&store).is_file(),
        "there is no {store}, from which later releases are tested: CONTRIBUTING.md says how it is made"
    );
    Ok(())
}

/// Refuses files that git was told not to look at: `git status` does not see that they were changed, and
/// they would be built and copied as they are, instead of as the commit has them.
fn sees_all_files(root: &Path) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    let files = output(git.args(["ls-files", "-v", "-z"]).current_dir(root))?;
    // A small letter is `assume-unchanged`, and `S` is `skip-worktree`.
    let unseen = files.split_terminator('\0').filter(|file| {
        let tag = file.chars().next();
        tag.is_some_and(|tag| tag == 'S' || tag.is_ascii_lowercase())
    });
    let unseen: Vec<_> = unseen.filter_map(|file| file.get(2..)).collect();
    ensure!(
        unseen.is_empty(),
        "git was told not to look whether these files are changed; let it look again, by git update-index \
         --no-skip-worktree --no-assume-unchanged FILE, and commit:\n{}",
        unseen.join("\n")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_git_was_told_not_to_look_at_is_in_no_release() {
        let place = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            output(
                Command::new("git")
                    .args(arguments)
                    .current_dir(place.path()),
            )
            .unwrap();
        };
        git(&["init", "--quiet"]);
        for name in ["a file.md", "b.md"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        git(&["add", "."]);
        sees_all_files(place.path()).unwrap();
        for flag in ["skip-worktree", "assume-unchanged"] {
            git(&["update-index", &format!("--{flag}"), "a file.md"]);
            let error = sees_all_files(place.path()).unwrap_err().to_string();
            assert!(error.ends_with("commit:\na file.md"), "{flag}: {error}");
            git(&["update-index", &format!("--no-{flag}"), "a file.md"]);
        }
        sees_all_files(place.path()).unwrap();
    }

    #[test]
    fn a_trial_is_not_among_what_is_published() {
        for (name, is_published) in [
            ("mpay-provider-0.1.0-x86_64-unknown-linux-gnu.tar.gz", true),
            (
                "mpay-provider-0.1.0-trial-x86_64-unknown-linux-gnu.tar.gz",
                false,
            ),
            ("SHA256SUMS", false),
        ] {
            assert_eq!(is_of_release(Path::new(name)), is_published, "{name}");
        }
    }
}
