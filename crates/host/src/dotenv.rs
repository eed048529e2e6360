//! `.env`: the environment of whoever starts a provider in its folder, as Spin reads it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

pub(super) const PREFIX: &str = "SPIN_VARIABLE_";

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
    #[error("{}, line {line}, cannot be read", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The number of the line; where a quote is not closed, of the one with the quote.
        line: usize,
    },
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
        let text = match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(Error::File { file, source }),
            Ok(text) => text,
        };
        // Editors of Windows put a byte order mark in front.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let values = dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>();
        let values = values.map_err(|error| match error {
            dotenvy::Error::Io(source) => Error::File { file, source },
            dotenvy::Error::LineParse(wrong, _) => Error::Line {
                file,
                line: number_of(&wrong, text),
            },
            _ => Error::Line { file, line: 1 },
        })?;
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

    /// All names that the file sets, as they stand there.
    pub(super) fn names_in_file(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The number of the line that begins like this one.
fn number_of(wrong: &str, text: &str) -> usize {
    let mut begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    begins
        .position(|at| text.get(at..).is_some_and(|rest| rest.starts_with(wrong)))
        .map_or(1, |before| before + 1)
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
        for (text, number) in [
            ("SPIN_VARIABLE_API_TOKEN='secret\n", 1),
            ("A=1\n\n# secret\nB=\"1\n2\"\nC='secret\nD=1\n", 6),
            ("A=1\r\nsecret line\r\nB=2\r\n", 2),
            ("A=1\nsecret", 2),
        ] {
            let error = read(text).unwrap_err();
            assert!(matches!(error, Error::Line { line, .. } if line == number));
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains(&format!(".env, line {number}, ")) && !shown.contains("secret"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_belongs_to_no_name() {
        let environment = read("\u{feff}SPIN_VARIABLE_A=1\n").unwrap();
        assert_eq!(environment.variable("a").unwrap(), "1");
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
