//! `.env`: environment variables for a provider that is started in its folder, as Spin reads them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
};

pub(super) const PREFIX: &str = "SPIN_VARIABLE_";

/// The reason why a `.env` cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system does not give it.
    #[error("cannot read {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's error.
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

/// The environment with the values of a `.env` beneath it: the process's own environment goes first,
/// after the values of a runtime configuration. `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    provided: BTreeMap<String, String>,
    /// The names of variables that were given values one by one.
    names: Vec<String>,
}

impl Environment {
    /// Reads the `.env` of a folder, which need not have one. Of two lines of one name the last
    /// counts.
    ///
    /// # Errors
    /// [`Error`] if there is one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let file = folder.join(".env");
        match std::fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::File { file, source }),
            Ok(text) => Ok(Self {
                values: parse(file, &text)?,
                ..Self::default()
            }),
        }
    }

    /// Gives variables of the application values, unless they were provided before.
    pub(super) fn provide(&mut self, values: BTreeMap<String, String>) {
        self.names.extend(values.keys().cloned());
        self.provide_first(values);
    }

    fn provide_first(&mut self, values: impl IntoIterator<Item = (String, String)>) {
        for (name, value) in values {
            let name = format!("{PREFIX}{}", name.to_ascii_uppercase());
            self.provided.entry(name).or_insert(value);
        }
    }

    /// Gives variables of the application the values that the process's environment has, or else a
    /// file, under names with another prefix.
    ///
    /// # Errors
    /// [`Error`] if the file cannot be read.
    pub(super) fn provide_from(&mut self, prefix: &str, file: Option<&Path>) -> Result<(), Error> {
        let own = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let named = |values: Vec<(String, String)>| {
            values.into_iter().filter_map(|(name, value)| {
                let name = name.strip_prefix(prefix)?.strip_prefix('_')?;
                Some((name.to_owned(), value))
            })
        };
        self.provide_first(named(own.collect()));
        if let Some(file) = file {
            let text = std::fs::read_to_string(file).map_err(|source| Error::File {
                file: file.to_owned(),
                source,
            })?;
            let values = parse(file.to_owned(), &text)?;
            self.provide_first(named(values.into_iter().collect()));
        }
        Ok(())
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let provided = self.provided.get(name).map(OsString::from);
        provided
            .or_else(|| std::env::var_os(name))
            .or_else(|| self.values.get(name).map(OsString::from))
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

    /// The names of variables that [`provide`](Self::provide) was given.
    pub(super) fn names_provided(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// All names that the file sets, as they stand there.
    pub(super) fn names_in_file(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The values of a file's text.
fn parse(file: PathBuf, text: &str) -> Result<BTreeMap<String, String>, Error> {
    // Editors of Windows put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let values = dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>();
    values.map_err(|error| match error {
        dotenvy::Error::Io(source) => Error::File { file, source },
        dotenvy::Error::LineParse(wrong, _) => Error::Line {
            file,
            line: number_of(&wrong, text),
        },
        _ => Error::Line { file, line: 1 },
    })
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
        let names: Vec<_> = self.values.keys().chain(self.provided.keys()).collect();
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
