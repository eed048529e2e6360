//! Spin's runtime configuration (`--runtime-config-file`), as far as this host serves it: the place of
//! the key-value store, and values of variables. Anything else is an error that names what this host
//! serves.
//!
//! ```toml
//! [key_value_store.default]
//! type = "redis"
//! url = "redis://redis.internal:6379"
//!
//! [[variables_provider]]
//! type = "static"
//! values = { service_ids = "TAX" }
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::dotenv::{self, Environment};
use super::options::Options;
use super::store::Store;

/// The store that a component opens under this name.
const DEFAULT: &str = "default";

/// The prefix of variables in the environment, unless another one is set, as in Spin.
const PREFIX: &str = "SPIN_VARIABLE";

/// The reason why a runtime configuration cannot be used. No value of it is ever shown, since it may be secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the runtime configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no configuration that this host serves.
    #[error("{}, line {line}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The number of the line.
        line: usize,
        /// The mistake there.
        reason: String,
    },
    /// A field has a value that this host does not accept.
    #[error("{}: `{field}` {reason}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's path.
        field: String,
        /// The mistake, as the rest of a sentence.
        reason: String,
    },
    /// The file that a provider names cannot be read.
    #[error(transparent)]
    DotEnv(#[from] dotenv::Error),
}

/// A checked runtime configuration. `Debug` shows no values.
#[derive(Clone, Debug, Default)]
pub struct RuntimeConfig {
    state_dir: Option<PathBuf>,
    store: Store,
    environment: Environment,
}

impl RuntimeConfig {
    /// Reads and checks a file. The values that it gives go before those of `environment`.
    ///
    /// # Errors
    /// [`Error`] if this host does not serve it.
    pub fn load(path: &Path, environment: Environment) -> Result<Self, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, environment),
            Err(source) => Err(Error::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    fn parse(path: &Path, text: &str, mut environment: Environment) -> Result<Self, Error> {
        let document: Document =
            toml::from_str(text).map_err(|error| syntax(path, text, &error))?;
        let field = |field: String, reason: &str| Error::Field {
            path: path.to_owned(),
            field,
            reason: reason.to_owned(),
        };
        let mut store = Store::default();
        for (name, table) in document.key_value_store {
            if name != DEFAULT {
                let reason = "is not served: this host has the store `default` only";
                return Err(field(format!("key_value_store.{name}"), reason));
            }
            store = match table {
                StoreTable::Spin { path: file } => {
                    let folder = path.parent().unwrap_or(Path::new(""));
                    Store::File(folder.join(file))
                }
                StoreTable::Redis { url } => Store::Redis(url),
            };
        }
        if let Store::Redis(url) = &store
            && redis::parse_redis_url(url).is_none()
        {
            let reason = "is no address of Redis, such as redis://HOST:6379 or rediss://USER:PASSWORD@HOST:6379";
            return Err(field("key_value_store.default.url".to_owned(), reason));
        }
        for provider in document.variables_provider {
            match provider {
                ProviderTable::Static { values } => {
                    environment.provide(values);
                }
                ProviderTable::Env {
                    prefix,
                    dotenv_path,
                } => {
                    let prefix = prefix.as_deref().unwrap_or(PREFIX);
                    environment.provide_from(prefix, dotenv_path.as_deref())?;
                }
            }
        }
        Ok(Self {
            state_dir: document.state_dir,
            store,
            environment,
        })
    }

    /// Serves by it. A state folder that was chosen already stays.
    pub fn apply(self, options: &mut Options) {
        options.state_dir = options.state_dir.take().or(self.state_dir);
        options.store = self.store;
        options.environment = self.environment;
    }
}

/// The error in the text of a file. TOML's own message shows the line, which may be secret.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let message = error.message();
    Error::Syntax {
        path: path.to_owned(),
        line: 1 + before.matches('\n').count(),
        reason: match message.starts_with("invalid type") || message.starts_with("invalid value") {
            true => "a value is of another type than is expected".to_owned(),
            false => message.to_owned(),
        },
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    state_dir: Option<PathBuf>,
    #[serde(default)]
    key_value_store: BTreeMap<String, StoreTable>,
    #[serde(default, alias = "config_provider")]
    variables_provider: Vec<ProviderTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "type")]
enum StoreTable {
    /// Without a path Spin keeps it in memory, and all is gone when it ends.
    Spin {
        path: PathBuf,
    },
    Redis {
        url: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "type")]
enum ProviderTable {
    Static {
        values: BTreeMap<String, String>,
    },
    Env {
        prefix: Option<String>,
        dotenv_path: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RuntimeConfig, Error> {
        RuntimeConfig::parse(Path::new("conf/runtime.toml"), text, Environment::default())
    }

    fn options(text: &str) -> Options {
        let mut options = Options::new("spin.toml");
        parse(text).unwrap().apply(&mut options);
        options
    }

    #[test]
    fn the_store_is_in_the_state_folder_in_another_file_or_in_redis() {
        assert_eq!(options("").store, Store::StateDir);
        let file = "[key_value_store.default]\ntype = \"spin\"\npath = \"a/b.db\"";
        let expected = Store::File("conf/a/b.db".into());
        assert_eq!(options(file).store, expected);
        let redis =
            "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://:hidden@host:6379/2\"";
        let options = options(redis);
        let expected = Store::Redis("redis://:hidden@host:6379/2".into());
        assert_eq!(options.store, expected);
        let shown = format!("{:?} {:?}", options.store, parse(redis).unwrap());
        assert!(!shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn providers_go_before_the_environment_and_the_first_of_them_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("more.env");
        std::fs::write(&file, "BANK_A=from-file\nBANK_B=from-file\n").unwrap();
        let text = format!(
            "[[variables_provider]]\ntype = \"static\"\nvalues = {{ a = \"static\", path = \"x\" }}\n\
             [[variables_provider]]\ntype = \"env\"\nprefix = \"BANK\"\ndotenv_path = {file:?}\n"
        );
        let environment = options(&text).environment;
        for (name, value) in [("a", "static"), ("b", "from-file"), ("path", "x")] {
            assert_eq!(environment.variable(name).unwrap(), value);
        }
        assert_eq!(environment.variable("c"), None);
        assert_eq!(environment.get("PATH"), std::env::var_os("PATH"));
        assert!(!format!("{environment:?}").contains("from-file"));
        let both = "[[variables_provider]]\ntype = \"env\"\n[[config_provider]]\ntype = \"env\"\n";
        assert!(parse(both).is_err(), "Spin reads one of the two names");
    }

    #[test]
    fn a_state_folder_on_the_command_line_goes_first() {
        let text = "state_dir = \"from-file\"";
        assert_eq!(options(text).state_dir, Some("from-file".into()));
        let mut options = Options::new("spin.toml");
        options.state_dir = Some("given".into());
        parse(text).unwrap().apply(&mut options);
        assert_eq!(options.state_dir, Some("given".into()));
    }

    #[test]
    fn what_is_not_served_is_refused_by_name_and_nothing_secret_is_shown() {
        let store = "[key_value_store.default]\n";
        for (text, expected) in [
            (
                "log_dir = \"x\"".to_owned(),
                "line 1: unknown field `log_dir`",
            ),
            (
                format!("{store}type = \"azure_cosmos\"\nkey = \"hidden\""),
                "expected `spin` or `redis`",
            ),
            (format!("{store}type = \"spin\""), "missing field `path`"),
            (
                format!("{store}type = \"redis\"\nurl = \"http://hidden\""),
                "`key_value_store.default.url` is no address of Redis",
            ),
            (
                format!("{store}type = \"redis\"\nurl = \"redis://a\"\nhidden = \"x"),
                "line 4: ",
            ),
            (
                "[key_value_store.other]\ntype = \"redis\"\nurl = \"redis://:hidden@a\"".to_owned(),
                "`key_value_store.other` is not served",
            ),
            (
                "[[variables_provider]]\ntype = \"vault\"\ntoken = \"hidden\"".to_owned(),
                "expected `static` or `env`",
            ),
            (
                "[[variables_provider]]\ntype = \"static\"\nvalues = { a = 31337 }".to_owned(),
                "another type",
            ),
        ] {
            let error = parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains("conf/runtime.toml"), "{error}");
            assert!(
                !shown.contains("\"hidden") && !shown.contains("31337"),
                "{shown}"
            );
            assert!(
                !shown.contains(":hidden") && !shown.contains("/hidden"),
                "{shown}"
            );
        }
    }
}
