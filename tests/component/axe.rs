//! axe-core, which finds barriers for people with impaired vision or other disabilities. It is fetched
//! from the npm registry under the target directory, once for all tests, and runs in the page.

use std::{fs, io::Write, path::Path, process::Command, sync::OnceLock};

use sha2::{Digest, Sha256};

const PACKAGE: &str = "axe-core@4.14.1";
/// The SHA-256 of its `axe.min.js`.
const DIGEST: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// The script, which makes `axe`. `None`, and a line that says so, where it cannot be had, which takes npm
/// and the network: a failure where `CI` is set.
pub fn script() -> Option<&'static str> {
    static SCRIPT: OnceLock<Option<String>> = OnceLock::new();
    SCRIPT
        .get_or_init(|| {
            let made = fetch();
            if let Err(reason) = &made {
                assert!(std::env::var_os("CI").is_none(), "{reason}");
                // Not by `eprintln`, which the test harness would swallow.
                let _ = writeln!(
                    std::io::stderr(),
                    "left out for want of npm with axe-core: {reason}"
                );
            }
            made.ok()
        })
        .as_deref()
}

fn fetch() -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let script = folder.join("package/axe.min.js");
    let kept = |text: &String| hex(&Sha256::digest(text)) == DIGEST;
    if let Some(text) = fs::read_to_string(&script).ok().filter(kept) {
        return Ok(text);
    }
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", PACKAGE]).current_dir(&folder);
    let archive = run(&mut npm)?;
    let mut tar = Command::new("tar");
    tar.args(["-xzf", archive.trim()]).current_dir(&folder);
    run(&mut tar)?;
    let text = fs::read_to_string(&script).map_err(|error| error.to_string())?;
    Some(text)
        .filter(kept)
        .ok_or_else(|| format!("{PACKAGE} is not what it was"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(command: &mut Command) -> Result<String, String> {
    match command.output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
