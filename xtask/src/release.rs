//! `cargo xtask release`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::cargo::{Graph, WASM, Workspace, output, refuse_paths};
use crate::folder::{Built, COMPONENTS, POSTGRES, USUAL, lay_out};
use crate::manifest::Build;
use crate::{archive, notices, sbom};

/// What a release is made for.
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
    let commit = |format: &str| {
        let format = format!("--format={format}");
        let said = output(
            Command::new("git")
                .args(["log", "-1", &format])
                .current_dir(root),
        )?;
        anyhow::Ok(said.trim().to_owned())
    };

    let out = root.join(&arguments.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let build_dir = root.join("target/release-build");
    let mut built = Vec::new();
    for (manifest, components) in [("spin.toml", USUAL), ("spin.postgres.toml", POSTGRES)] {
        let text = fs::read_to_string(root.join(manifest)).context(manifest)?;
        let build = Build::read(&text).context(manifest)?;
        workspace.build(WASM, &build.arguments, &build_dir)?;
        // The next build writes over them.
        let kept = build_dir.join(components);
        fs::create_dir_all(&kept)?;
        for file in &build.components {
            let name = file.file_name().context("a component has a name")?;
            let from = build_dir.join(file);
            fs::copy(&from, kept.join(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        built.push(kept);
    }
    let [components, postgres] = &built[..] else {
        bail!("there are two builds");
    };
    let mpay = match arguments.trial {
        true => {
            let words = ["build", "--locked", "--bin", "mpay"];
            let status = Command::new("cargo").args(words).current_dir(root).status();
            ensure!(
                status.context("cannot run cargo")?.success(),
                "cargo failed"
            );
            root.join("target/debug/mpay")
        }
        false => {
            let words = ["build", "--release", "-p", "mpay", "--target", target];
            workspace.build(target, &words.map(str::to_owned), &build_dir)?;
            build_dir.join(target).join("release/mpay")
        }
    };
    let of_builder = workspace.of_builder();
    for component in built
        .iter()
        .flat_map(|folder| COMPONENTS.map(|name| folder.join(name)))
    {
        refuse_paths(&component, &of_builder)?;
    }
    if !arguments.trial {
        refuse_paths(&mpay, &of_builder)?;
    }

    let trial = if arguments.trial { "-trial" } else { "" };
    let name = format!("mpay-provider-{version}{trial}-{target}");
    let folder = out.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let built = Built {
        mpay: &mpay,
        components,
        postgres,
    };
    lay_out(root, built, &folder)?;
    let graph = of_all(&workspace, target)?;
    fs::write(folder.join(notices::FILE), notices::of(&workspace, &graph)?)?;
    let roots = ROOTS.map(|name| workspace.own(name));
    let roots = roots.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let bom = sbom::of(&workspace, &roots, &graph, &commit("%cI")?)?;
    fs::write(
        folder.join(sbom::FILE),
        serde_json::to_string_pretty(&bom)? + "\n",
    )?;
    archive::write_sums(&folder, &archive::files(&folder)?)?;

    let file = out.join(format!("{name}.tar.gz"));
    archive::pack(&folder, &file, commit("%ct")?.parse()?)?;
    let archives = fs::read_dir(&out)?
        .map(|entry| Ok(PathBuf::from(entry?.file_name())))
        .filter(|name| {
            name.as_ref()
                .map_or(true, |name| name.extension().is_some_and(|end| end == "gz"))
        });
    let mut archives = archives.collect::<std::io::Result<Vec<_>>>()?;
    archives.sort();
    archive::write_sums(&out, &archives)?;
    println!("{}", file.display());
    Ok(())
}

/// The packages that are built.
pub const ROOTS: [&str; 3] = ["mpay", "mpay-office", "mpay-provider"];

/// What all of them are made of.
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

/// Whether the sources are those of a release.
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
