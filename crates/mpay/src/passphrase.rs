//! Passphrases: from a file, from the environment, or asked for.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;
use mpay::development::read;
use zeroize::Zeroizing;

const VARIABLE: &str = "MPAY_PASSPHRASE";
const SHORTEST: usize = 8;

/// The source of a key's passphrase: a file, the environment, or a question at the terminal.
#[derive(Debug, Args)]
pub struct Passphrase {
    /// File whose first line is the passphrase [default: the environment's MPAY_PASSPHRASE, else
    /// it is asked for].
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    /// The passphrase of something that is there.
    pub fn get(&self, of: &str) -> anyhow::Result<Zeroizing<String>> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => ask(&format!("Passphrase of {of}: ")),
        }
    }

    /// A passphrase for something new, which is asked for twice.
    pub fn choose(&self) -> anyhow::Result<Zeroizing<String>> {
        let passphrase = match self.given()? {
            Some(passphrase) => passphrase,
            None => {
                let passphrase = ask("Passphrase for the new key: ")?;
                ensure!(
                    passphrase == ask("Once more: ")?,
                    "the two passphrases differ; nothing was made"
                );
                passphrase
            }
        };
        ensure!(
            passphrase.chars().count() >= SHORTEST,
            "a passphrase needs {SHORTEST} characters at least; nothing was made"
        );
        Ok(passphrase)
    }

    fn given(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        if let Some(file) = &self.passphrase_file {
            let text = Zeroizing::new(read(file)?);
            let line = text.lines().next().unwrap_or_default();
            return Ok(Some(Zeroizing::new(line.to_owned())));
        }
        match std::env::var(VARIABLE) {
            Ok(passphrase) => Ok(Some(Zeroizing::new(passphrase))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => bail!("{VARIABLE} is not UTF-8"),
        }
    }
}

fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .with_context(|| {
            format!("there is no terminal to ask for a passphrase: give --passphrase-file FILE, or set {VARIABLE}")
        })
}
