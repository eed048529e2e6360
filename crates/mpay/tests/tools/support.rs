//! Running the command, and looking at what it says.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// The project's folder.
pub fn workspace() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .canonicalize()
        .unwrap()
}

/// A key or certificate of the tests of `wsse`.
pub fn data(name: &str) -> PathBuf {
    workspace().join("crates/wsse/tests/data").join(name)
}

/// The command in a folder, without what the environment of the tests would add.
pub fn mpay(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpay"));
    command.current_dir(folder).env_remove("MPAY_PASSPHRASE");
    command
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(output: Output) -> Outcome {
        Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit status, and that each of these is among the words that were printed.
    #[track_caller]
    pub fn expect(self, code: i32, words: &[&str]) -> Outcome {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(
                self.stdout.contains(word) || self.stderr.contains(word),
                "{word:?} is not in {self:#?}"
            );
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs the command to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Outcome {
    Outcome::of(mpay(folder).args(arguments).output().unwrap())
}

/// Runs OpenSSL; `None`, and a word about it, where it is missing. In CI it must be there.
pub fn openssl(folder: &Path, arguments: &[&str]) -> Option<Outcome> {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args(arguments)
        .output();
    match output {
        Ok(output) => Some(Outcome::of(output)),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "openssl: {error}");
            eprintln!("left out: openssl: {error}");
            None
        }
    }
}
