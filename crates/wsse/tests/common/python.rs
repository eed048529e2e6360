//! A Python with packages of PyPI, in a virtual environment under the target directory: one for
//! all tests of the workspace.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const PACKAGES: [&str; 6] = [
    "kubernetes-validate==1.37.0",
    "openapi-python-client==0.29.1",
    "schemathesis==4.32.5",
    "signxml==5.2.0",
    "xmlsec==1.3.17",
    "zeep==4.3.3",
];

/// The environment's folder of programs, `python` among them. `None`, and a line that says so,
/// where it cannot be made, which takes Python and the network: a failure where `CI` is set.
pub fn environment() -> Option<&'static Path> {
    static PROGRAMS: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAMS
        .get_or_init(|| {
            let made = make();
            if let Err(reason) = &made {
                assert!(std::env::var_os("CI").is_none(), "{reason}");
                // Not by `eprintln`, which the test harness would swallow.
                let _ = writeln!(
                    std::io::stderr(),
                    "left out for want of python3 with packages of PyPI: {reason}"
                );
            }
            made.ok()
        })
        .as_deref()
}

fn make() -> Result<PathBuf, String> {
    // Cargo names the folder to tests, not to examples.
    let target = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tmp");
    let folder = Path::new(option_env!("CARGO_TARGET_TMPDIR").unwrap_or(target)).join("python");
    let programs = folder.join("bin");
    let marker = folder.join("packages");
    let packages = PACKAGES.join("\n");
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == packages) {
        return Ok(programs);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--only-binary=:all:"];
    run(Command::new(programs.join("python"))
        .args(install)
        .args(PACKAGES))?;
    std::fs::write(&marker, packages).map_err(|error| error.to_string())?;
    Ok(programs)
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
