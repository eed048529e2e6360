//! Values of the application's variables, and `spin:variables` over them.
//!
//! A value comes from the first of: `--variable`, the environment (`SPIN_VARIABLE_…`), `.env`, the
//! manifest's default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasData};

use super::allowed_hosts::AllowedHosts;
use super::bindings::spin::variables::variables as interface;
use super::manifest::{Component, Manifest};
use super::template::Template;
use super::variable_name::VariableName;

/// The reason why the variables of an application cannot be settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A `--variable` argument is not `name=value`.
    #[error("--variable {0:?}: expected `name=value` or `name=@file`")]
    Argument(String),
    /// The file of `--variable name=@file` cannot be read as text.
    #[error("--variable {name}=@{file}: {source}")]
    File {
        /// The variable.
        name: String,
        /// The file.
        file: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// A value was given for a variable that the manifest does not have.
    #[error("there is no variable `{name}`; {} has {}", manifest, list(known))]
    Unknown {
        /// The name given.
        name: String,
        /// The manifest.
        manifest: String,
        /// The variables it has.
        known: Vec<VariableName>,
    },
    /// An environment variable is not UTF-8.
    #[error("{0} is not valid UTF-8")]
    NotText(String),
    /// With the variables filled in, `allowed_outbound_hosts` of the manifest has an entry that is no
    /// host.
    #[error("allowed_outbound_hosts: {0}")]
    AllowedHosts(String),
    /// Variables without a default got no value.
    #[error("{}", missing(.0))]
    Missing(Vec<VariableName>),
}

fn list(names: &[VariableName]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names
            .iter()
            .map(VariableName::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn missing(names: &[VariableName]) -> String {
    names
        .iter()
        .map(|name| {
            format!(
                "variable `{name}` is required: give it as `--variable {name}=…`, `--variable {name}=@file` or in the environment \
                 as {}",
                name.environment_name()
            )
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The reason why the component gets no value for a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The name cannot be one of a variable.
    #[error("{0}")]
    InvalidName(String),
    /// The component's table of variables in the manifest does not have the name.
    #[error("no variable for {component:?}.{name:?}")]
    Undefined {
        /// The component.
        component: String,
        /// The name asked for.
        name: String,
    },
}

/// The variables of a component with their values. `Debug` shows names only.
#[derive(Clone)]
pub struct Variables {
    component: String,
    values: BTreeMap<VariableName, String>,
    allowed_hosts: AllowedHosts,
    left_out: Vec<VariableName>,
}

impl Variables {
    /// Settles every variable of the manifest from the values `given` on the command line and from
    /// `environment`, and gives each component its variables, by the component's name.
    pub fn resolve(
        manifest: &Manifest,
        given: &[(String, String)],
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<BTreeMap<String, Self>, Error> {
        if let Some((name, _)) = given.iter().find(|(name, _)| {
            !manifest
                .variables
                .keys()
                .any(|known| known.as_str() == name)
        }) {
            return Err(Error::Unknown {
                name: name.clone(),
                manifest: manifest.path.display().to_string(),
                known: manifest.variables.keys().cloned().collect(),
            });
        }
        let mut application = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in &manifest.variables {
            let value = match given.iter().rev().find(|(given, _)| given == name.as_str()) {
                Some((_, value)) => Some(value.clone()),
                None => from_environment(name, &environment)?.or_else(|| variable.default.clone()),
            };
            match value {
                Some(value) => {
                    application.insert(name, value);
                }
                None => missing.push(name.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(Error::Missing(missing));
        }
        let render = |template: &Template| {
            template.render(|used| application.get(used).map_or("", String::as_str))
        };
        let of_component = |(id, component): (&String, &Component)| {
            let (mut hosts, mut left_out) = (Vec::new(), Vec::new());
            for template in &component.allowed_outbound_hosts {
                let host = render(template);
                // A value that is no host allows none; all else works without it.
                let mut named = template.variables().peekable();
                if named.peek().is_some() && AllowedHosts::parse([host.as_str()]).is_err() {
                    left_out.extend(named.cloned());
                } else {
                    hosts.push(host);
                }
            }
            let variables = Self {
                component: id.clone(),
                values: component
                    .variables
                    .iter()
                    .map(|(name, template)| (name.clone(), render(template)))
                    .collect(),
                allowed_hosts: AllowedHosts::parse(hosts.iter().map(String::as_str))
                    .map_err(Error::AllowedHosts)?,
                left_out,
            };
            Ok((id.clone(), variables))
        };
        manifest.components.iter().map(of_component).collect()
    }

    /// The variables that were to name a host in `allowed_outbound_hosts` and do not.
    pub fn left_out(&self) -> &[VariableName] {
        &self.left_out
    }

    /// The places to which the component may send requests: its `allowed_outbound_hosts` with the variables
    /// filled in.
    pub fn allowed_hosts(&self) -> &AllowedHosts {
        &self.allowed_hosts
    }

    /// The value the component sees under a name.
    pub fn get(&self, name: &str) -> Result<&str, LookupError> {
        let name = VariableName::parse(name).map_err(LookupError::InvalidName)?;
        match self.values.get(&name) {
            Some(value) => Ok(value),
            None => Err(LookupError::Undefined {
                component: self.component.clone(),
                name: name.to_string(),
            }),
        }
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.values.keys().map(VariableName::as_str);
        f.debug_tuple("Variables")
            .field(&names.collect::<Vec<_>>())
            .finish()
    }
}

fn from_environment(
    name: &VariableName,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<String>, Error> {
    let key = name.environment_name();
    environment(&key)
        .map(|value| value.into_string().map_err(|_| Error::NotText(key)))
        .transpose()
}

/// Reads a `--variable` argument: `name=value`, or `name=@file` for the content of a file,
/// unchanged.
///
/// ```
/// let (name, value) = mpay_host::parse_argument("colour=red=ish").unwrap();
/// assert_eq!((name.as_str(), value.as_str()), ("colour", "red=ish"));
/// ```
pub fn parse_argument(argument: &str) -> Result<(String, String), Error> {
    // The value may be a secret: an argument without a name is not repeated beyond what could be
    // one.
    let Some((name, value)) = argument
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
    else {
        let shown = argument.split('=').next().unwrap_or_default();
        return Err(Error::Argument(shown.to_owned()));
    };
    let value = match value.strip_prefix('@') {
        None => value.to_owned(),
        Some(file) => std::fs::read_to_string(Path::new(file)).map_err(|source| Error::File {
            name: name.to_owned(),
            file: file.to_owned(),
            source,
        })?,
    };
    Ok((name.to_owned(), value))
}

/// Marks the variables among a guest's data for the linker.
pub(super) struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = VariablesView<'a>;
}

/// The variables of a guest.
pub(super) struct VariablesView<'a>(pub(super) &'a Arc<Variables>);

impl interface::Host for VariablesView<'_> {}

impl<T> interface::HostWithStore<T> for HasVariables {
    async fn get(accessor: &Accessor<T, Self>, name: String) -> Result<String, interface::Error> {
        let variables = accessor.with(|mut access| access.get().0.clone());
        variables
            .get(&name)
            .map(str::to_owned)
            .map_err(|error| match error {
                LookupError::InvalidName(reason) => interface::Error::InvalidName(reason),
                LookupError::Undefined { .. } => interface::Error::Undefined(error.to_string()),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [variables]
        host = { default = "from-manifest" }
        token = { required = true, secret = true }
        [[trigger.http]]
        route = "/..."
        component = "c"
        [component.c]
        source = "c.wasm"
        allowed_outbound_hosts = ["https://{{ host }}"]
        [component.c.variables]
        url = "https://{{ host }}/"
        token = "{{ token }}"
        [component.d]
        source = "d.wasm"
        [component.d.variables]
        host = "{{ host }}"
    "#;

    fn manifest() -> Manifest {
        Manifest::parse("spin.toml", MANIFEST).unwrap()
    }

    /// The variables that the component `c` sees.
    fn resolve(
        given: &[(String, String)],
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Variables, Error> {
        let mut all = Variables::resolve(&manifest(), given, environment)?;
        Ok(all.remove("c").unwrap())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn environment(name: &str) -> Option<OsString> {
        match name {
            "SPIN_VARIABLE_HOST" => Some("from-environment".into()),
            "SPIN_VARIABLE_TOKEN" => Some("".into()),
            _ => None,
        }
    }

    #[test]
    fn the_command_line_beats_the_environment_and_that_the_manifest() {
        let given = [pair("host", "first"), pair("host", "from-argument")];
        let token = [pair("token", "t")];
        for (variables, url) in [
            (resolve(&given, environment), "https://from-argument/"),
            (resolve(&token, environment), "https://from-environment/"),
            (resolve(&token, |_| None), "https://from-manifest/"),
        ] {
            assert_eq!(variables.unwrap().get("url").unwrap(), url);
        }
    }

    #[test]
    fn a_required_variable_without_a_value_says_how_to_set_it() {
        let error = resolve(&[], |_| None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("--variable token=@file"), "{text}");
        assert!(text.contains("SPIN_VARIABLE_TOKEN"), "{text}");
    }

    #[test]
    fn an_unknown_variable_is_refused_and_the_known_ones_are_named() {
        let given = [pair("tokn", "secret-value")];
        let error = resolve(&given, environment).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no variable `tokn`; spin.toml has host, token"
        );
    }

    #[test]
    fn a_component_sees_its_own_table_only() {
        let all = Variables::resolve(&manifest(), &[pair("token", "t")], |_| None).unwrap();
        assert_eq!(all["d"].get("host"), Ok("from-manifest"));
        assert!(all["d"].get("token").is_err() && all["d"].get("url").is_err());
        let variables = resolve(&[pair("token", "t")], |_| None).unwrap();
        assert_eq!(variables.get("token"), Ok("t"));
        assert!(matches!(
            variables.get("host"),
            Err(LookupError::Undefined { .. })
        ));
        assert!(matches!(
            variables.get("Host!"),
            Err(LookupError::InvalidName(_))
        ));
    }

    #[test]
    fn hosts_that_requests_may_go_to_are_named_by_variables() {
        let given = [pair("token", "t"), pair("host", "erp.example:8443")];
        let variables = resolve(&given, |_| None).unwrap();
        let expected = AllowedHosts::parse(["https://erp.example:8443"]).unwrap();
        assert_eq!(*variables.allowed_hosts(), expected);
    }

    /// The hosts that the component may call are optional: a mistake in them does not stop the host from
    /// starting.
    #[test]
    fn a_variable_that_names_no_host_allows_none() {
        let given = [pair("token", "t"), pair("host", "a/path")];
        let variables = resolve(&given, |_| None).unwrap();
        assert_eq!(*variables.allowed_hosts(), AllowedHosts::default());
        let left_out: Vec<_> = variables.left_out().iter().map(|v| v.as_str()).collect();
        assert_eq!(left_out, ["host"]);
        assert_eq!(variables.get("url"), Ok("https://a/path/"));
        // A mistake in the manifest itself is corrected there.
        let written = MANIFEST.replace("[\"https://{{ host }}\"]", "[\"https://a/path\"]");
        let error = Manifest::parse("spin.toml", &written)
            .unwrap_err()
            .to_string();
        assert!(error.contains("holds what is no host"), "{error}");
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let variables = resolve(&[pair("token", "hidden")], |_| None).unwrap();
        let text = format!("{variables:?}");
        assert!(text.contains("token") && !text.contains("hidden"), "{text}");
    }

    #[test]
    fn an_argument_may_name_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        std::fs::write(&file, "line 1\nline 2\n").unwrap();
        let argument = format!("service_key=@{}", file.display());
        assert_eq!(
            parse_argument(&argument).unwrap(),
            pair("service_key", "line 1\nline 2\n")
        );
        assert_eq!(parse_argument("a=").unwrap(), pair("a", ""));
        for bad in ["", "a", "=b", "a=@/does/not/exist"] {
            parse_argument(bad).expect_err(bad);
        }
    }
}
