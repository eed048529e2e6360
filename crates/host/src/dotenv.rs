//! `.env`: the environment of whoever starts a provider in its folder, as Spin reads it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

const PREFIX: &str = "SPIN_VARIABLE_";

/// Why a `.env` cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system does not give it.
    #[error("cannot read {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not `NAME=VALUE`. It is not shown, since it may be a secret.
    #[error("{} has a line that cannot be read", .0.display())]
    Line(PathBuf),
}

/// The environment with the values of a `.env` beneath it: what the process's own environment has
/// goes first. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the `.env` of a folder, which need not have one. Of two lines of one name the last
    /// counts.
    ///
    /// # Errors
    /// [`Error`] if there is one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(".env");
        let failed = |error| match error {
            dotenvy::Error::Io(source) => Error::File {
                file: file.clone(),
                source,
            },
            _ => Error::Line(file.clone()),
        };
        let lines = match dotenvy::from_path_iter(&file) {
            Err(dotenvy::Error::Io(error)) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            lines => lines.map_err(failed)?,
        };
        let values = lines.collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { values })
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let own = std::env::var_os(name);
        own.or_else(|| self.values.get(name).map(OsString::from))
    }

    /// The value that a variable of the application has here.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        self.get(&format!("{PREFIX}{}", name.to_ascii_uppercase()))
    }

    /// The variables of the application that the file sets, by their names.
    pub fn set_by_file(&self) -> Vec<String> {
        let names = self.values.keys();
        let names = names.filter_map(|name| name.strip_prefix(PREFIX));
        names.map(str::to_ascii_lowercase).collect()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.values.keys().collect();
        f.debug_tuple("Environment").field(&names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Environment, Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), text).unwrap();
        Environment::read(folder.path())
    }

    #[test]
    fn the_last_line_of_a_name_counts_and_the_process_goes_first() {
        let text = "SPIN_VARIABLE_A=1\nSPIN_VARIABLE_A=2\nexport OTHER=x\nPATH=nowhere\nSPIN_VARIABLE_PEM=\"1\n2\"\nSPIN_VARIABLE_EMPTY=\n";
        let environment = read(text).unwrap();
        assert_eq!(environment.variable("a").unwrap(), "2");
        assert_eq!(environment.variable("pem").unwrap(), "1\n2");
        assert_eq!(environment.variable("empty").unwrap(), "");
        assert_eq!(environment.variable("b"), None);
        assert_eq!(environment.get("PATH"), std::env::var_os("PATH"));
        assert_eq!(environment.set_by_file(), ["a", "empty", "pem"]);
        assert!(!format!("{environment:?}").contains('2'));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_shown() {
        let error = read("SPIN_VARIABLE_API_TOKEN='secret\n").unwrap_err();
        assert!(matches!(error, Error::Line(_)));
        let shown = format!("{error} {error:?}");
        assert!(
            shown.contains(".env") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn no_file_is_none_and_what_is_no_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let none = Environment::read(folder.path()).unwrap();
        assert_eq!(none.set_by_file(), [""; 0]);
        std::fs::create_dir(folder.path().join(".env")).unwrap();
        let error = Environment::read(folder.path()).unwrap_err();
        assert!(matches!(error, Error::File { .. }), "{error:?}");
    }
}
