//! `spin.toml`, manifest version 2, as far as an HTTP application needs it.
//!
//! Every field that Spin does not know is an error, as it is for Spin. A field that Spin knows and
//! this host does not serve is an error too once it asks for something, rather than a silent
//! difference between the two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::allowed_hosts::AllowedHosts;
use super::routes::{Route, Router};
use super::template::Template;
use super::variable_name::VariableName;

/// The reason why a manifest cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the manifest {}: {source}", path.display())]
    Read {
        /// The manifest.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is not a manifest: bad TOML, an unknown or missing field, a value of the wrong
    /// type.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The manifest.
        path: PathBuf,
        /// Line, column, field and reason.
        source: Box<toml::de::Error>,
    },
    /// A field has a value that this host or Spin does not accept.
    #[error("{}: `{field}` {reason}", path.display())]
    Field {
        /// The manifest.
        path: PathBuf,
        /// The field's path, such as `component.provider.files`.
        field: String,
        /// The mistake, as the rest of a sentence.
        reason: String,
    },
}

/// A checked manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file itself.
    pub path: PathBuf,
    /// `application.name`.
    pub name: String,
    /// `application.version`, empty if absent.
    pub version: String,
    /// `[variables]`.
    pub variables: BTreeMap<VariableName, Variable>,
    /// The routes of `[[trigger.http]]`.
    pub router: Router,
    /// The components, by their names.
    pub components: BTreeMap<String, Component>,
}

/// An application variable: either `required`, or with a default. `Debug` does not show a secret
/// one's default.
#[derive(Clone)]
pub struct Variable {
    /// The value if nobody gives one; `None` if the variable is required.
    pub default: Option<String>,
    /// True if the value must not be shown.
    pub secret: bool,
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = self.default.as_deref();
        f.debug_struct("Variable")
            .field(
                "default",
                &default.map(|text| if self.secret { "…" } else { text }),
            )
            .field("secret", &self.secret)
            .finish()
    }
}

/// A component of the application.
#[derive(Clone, Debug)]
pub struct Component {
    /// The Wasm file, relative to the manifest's folder or absolute.
    pub source: PathBuf,
    /// Environment variables of the component.
    pub environment: BTreeMap<String, String>,
    /// Names of the key-value stores it may open.
    pub key_value_stores: BTreeSet<String>,
    /// The variables it sees.
    pub variables: BTreeMap<VariableName, Template>,
    /// The places to which it may send requests, in the syntax of [`AllowedHosts`].
    pub allowed_outbound_hosts: Vec<Template>,
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Checks the text of a manifest; `path` is where it lies, for messages and relative names.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, Error> {
        let path = path.into();
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(source) => {
                return Err(Error::Syntax {
                    path,
                    source: Box::new(source),
                });
            }
        };
        document
            .check(path.clone())
            .map_err(|Refusal { field, reason }| Error::Field {
                path,
                field,
                reason,
            })
    }

    /// The folder of the manifest, to which its names are relative.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// The file of a component.
    pub fn component_path(&self, component: &Component) -> PathBuf {
        self.folder().join(&component.source)
    }

    /// The folder of this application's data, as Spin names it.
    pub fn default_state_dir(&self) -> PathBuf {
        self.folder().join(".spin")
    }
}

/// A refused field and the rest of the sentence about it.
struct Refusal {
    field: String,
    reason: String,
}

fn refuse<T>(field: impl Into<String>, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        field: field.into(),
        reason: reason.into(),
    })
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    spin_manifest_version: u32,
    application: ApplicationTable,
    #[serde(default)]
    variables: BTreeMap<VariableName, VariableTable>,
    trigger: TriggerTable,
    component: BTreeMap<String, ComponentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationTable {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<String>,
    #[serde(default, rename = "trigger")]
    _trigger: ApplicationTriggers,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
}

/// Spin has no settings for all HTTP triggers together, only the (empty) table.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationTriggers {
    #[serde(default, rename = "http")]
    _http: EmptyTable,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyTable {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VariableTable {
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    required: bool,
    default: Option<String>,
    #[serde(default)]
    secret: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerTable {
    http: Vec<HttpTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    route: String,
    component: String,
    #[serde(rename = "executor")]
    _executor: Option<Executor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "type")]
enum Executor {
    #[serde(alias = "spin")]
    Http,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentTable {
    source: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    variables: BTreeMap<VariableName, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    files: Vec<toml::Value>,
    #[serde(default, rename = "exclude_files")]
    _exclude_files: Vec<String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    #[serde(default)]
    sqlite_databases: Vec<String>,
    #[serde(default)]
    ai_models: Vec<String>,
    #[serde(rename = "targets")]
    _targets: Option<Vec<String>>,
    #[serde(rename = "build")]
    _build: Option<BuildTable>,
    #[serde(default, rename = "tool")]
    _tool: BTreeMap<String, toml::Table>,
    #[serde(rename = "dependencies_inherit_configuration")]
    _dependencies_inherit_configuration: Option<bool>,
    #[serde(default)]
    dependencies: toml::Table,
}

/// The instructions for `spin build`; this host builds in its own way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildTable {
    #[serde(rename = "command")]
    _command: Commands,
    #[serde(rename = "workdir")]
    _workdir: Option<String>,
    #[serde(default, rename = "watch")]
    _watch: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a command or a list of commands")]
enum Commands {
    One(#[expect(dead_code, reason = "read for its type only")] String),
    Several(#[expect(dead_code, reason = "read for its type only")] Vec<String>),
}

impl Document {
    fn check(self, path: PathBuf) -> Result<Manifest, Refusal> {
        if self.spin_manifest_version != 2 {
            return refuse("spin_manifest_version", "must be 2");
        }
        let variables = self
            .variables
            .into_iter()
            .map(|(name, table)| Ok((name.clone(), table.check(&name)?)))
            .collect::<Result<BTreeMap<_, _>, Refusal>>()?;
        Ok(Manifest {
            path,
            name: self.application.name,
            version: self.application.version,
            router: check_triggers(self.trigger.http, &self.component)?,
            components: self
                .component
                .into_iter()
                .map(|(id, table)| Ok((id.clone(), table.check(&id, &variables)?)))
                .collect::<Result<_, Refusal>>()?,
            variables,
        })
    }
}

impl VariableTable {
    /// Spin's rule: `required` or a default, not both, not neither.
    fn check(self, name: &VariableName) -> Result<Variable, Refusal> {
        if self.required == self.default.is_some() {
            return refuse(
                format!("variables.{name}"),
                "must be `required = true` or have a `default`, one of the two",
            );
        }
        Ok(Variable {
            default: self.default,
            secret: self.secret,
        })
    }
}

fn check_triggers(
    triggers: Vec<HttpTrigger>,
    components: &BTreeMap<String, ComponentTable>,
) -> Result<Router, Refusal> {
    let mut routes: Vec<(Route, String)> = Vec::new();
    for (index, trigger) in triggers.into_iter().enumerate() {
        let field = |name: &str| format!("trigger.http[{index}].{name}");
        if !components.contains_key(&trigger.component) {
            let known: Vec<_> = components.keys().map(|id| format!("`{id}`")).collect();
            return refuse(
                field("component"),
                format!(
                    "names `{}`, which is no component; there is {}",
                    trigger.component,
                    known.join(", ")
                ),
            );
        }
        match Route::parse(&trigger.route) {
            Ok(route) if routes.iter().any(|(other, _)| *other == route) => {
                return refuse(field("route"), format!("repeats {:?}", trigger.route));
            }
            Ok(route) => routes.push((route, trigger.component)),
            Err(reason) => return refuse(field("route"), reason),
        }
    }
    if routes.is_empty() {
        return refuse("trigger.http", "must hold a route");
    }
    Ok(Router::new(routes))
}

impl ComponentTable {
    fn check(
        self,
        id: &str,
        known: &BTreeMap<VariableName, Variable>,
    ) -> Result<Component, Refusal> {
        let field = |name: &str| format!("component.{id}.{name}");
        let unsupported = [
            (
                "files",
                self.files.is_empty(),
                "mounts files, which this host does not",
            ),
            (
                "sqlite_databases",
                self.sqlite_databases.is_empty(),
                "names databases, which this host does not offer",
            ),
            (
                "ai_models",
                self.ai_models.is_empty(),
                "names models, which this host does not offer",
            ),
            (
                "dependencies",
                self.dependencies.is_empty(),
                "names components to link in, which this host does not do",
            ),
        ];
        if let Some((name, _, reason)) = unsupported.iter().find(|(_, absent, _)| !absent) {
            return refuse(field(name), *reason);
        }
        let template = |field: &str, text: &str| {
            let template = Template::parse(text)
                .or_else(|error| refuse(field, format!("is not a template: {error}")))?;
            if let Some(unknown) = template.variables().find(|used| !known.contains_key(used)) {
                return refuse(
                    field,
                    format!("uses `{unknown}`, which `[variables]` does not have"),
                );
            }
            Ok(template)
        };
        let variables = self
            .variables
            .into_iter()
            .map(|(name, text)| {
                let value = template(&field(&format!("variables.{name}")), &text)?;
                Ok((name, value))
            })
            .collect::<Result<_, Refusal>>()?;
        let hosts = field("allowed_outbound_hosts");
        let allowed_outbound_hosts = self
            .allowed_outbound_hosts
            .iter()
            .map(|text| {
                let host = template(&hosts, text)?;
                // A host with variables in it is checked once they have values.
                if host.variables().next().is_none()
                    && let Err(reason) = AllowedHosts::parse([text.as_str()])
                {
                    return refuse(&hosts, format!("holds what is no host: {reason}"));
                }
                Ok(host)
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Component {
            source: self.source.into(),
            environment: self.environment,
            key_value_stores: self.key_value_stores,
            variables,
            allowed_outbound_hosts,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
        spin_manifest_version = 2

        [application]
        name = "provider"
        version = "0.1.0"
        description = "Answers"
        authors = ["Somebody <somebody@example.com>"]

        [application.trigger.http]

        [variables]
        host = { default = "example.com", description = "Where it runs" }
        key = { required = true, secret = true }

        [[trigger.http]]
        id = "all"
        route = "/..."
        component = "provider"
        executor = { type = "http" }

        [component.provider]
        source = "target/provider.wasm"
        description = "The component"
        environment = { RUST_BACKTRACE = "1" }
        files = []
        allowed_outbound_hosts = []
        key_value_stores = ["default"]

        [component.provider.build]
        command = "cargo build"
        workdir = "."
        watch = ["src/**/*.rs"]

        [component.provider.variables]
        url = "https://{{ host }}/"
        key = "{{key}}"

        [component.provider.tool.other]
        anything = 1
    "#;

    fn parse(text: &str) -> Result<Manifest, Error> {
        Manifest::parse("app/spin.toml", text)
    }

    #[track_caller]
    fn assert_refused(text: &str, expected: &str) {
        let error = parse(text).expect_err(expected).to_string();
        assert!(
            error.contains("app/spin.toml") && error.contains(expected),
            "{error}\n does not say {expected:?}"
        );
    }

    #[test]
    fn a_full_manifest_is_read() {
        let manifest = parse(FULL).unwrap();
        assert_eq!(manifest.name, "provider");
        assert_eq!(manifest.variables.len(), 2);
        let component = &manifest.components["provider"];
        assert_eq!(
            manifest.component_path(component),
            Path::new("app/target/provider.wasm")
        );
        assert_eq!(manifest.default_state_dir(), Path::new("app/.spin"));
        assert!(component.key_value_stores.contains("default"));
        assert!(manifest.router.find("/anything").is_some());
    }

    #[test]
    fn a_manifest_without_a_folder_lies_in_the_current_one() {
        let manifest = Manifest::parse("spin.toml", FULL).unwrap();
        assert_eq!(manifest.folder(), Path::new("."));
    }

    #[test]
    fn unknown_fields_are_refused_with_line_and_name() {
        for (place, line) in [
            ("[application]", "colour = 1"),
            ("[application.trigger.http]", "base = \"/x\""),
            ("[component.provider]", "memory = 1"),
            ("[component.provider.build]", "shell = 1"),
            ("[[trigger.http]]", "path = \"/\""),
        ] {
            let text = FULL.replacen(place, &format!("{place}\n{line}"), 1);
            let name = line.split(' ').next().unwrap();
            assert_refused(&text, &format!("unknown field `{name}`"));
        }
        assert_refused(
            &FULL.replace("secret = true", "hidden = true"),
            "unknown field `hidden`",
        );
        assert_refused(&format!("extra = 1\n{FULL}"), "line 1, column 1");
    }

    #[test]
    fn another_manifest_version_is_refused() {
        assert_refused(
            &FULL.replace("spin_manifest_version = 2", "spin_manifest_version = 1"),
            "`spin_manifest_version` must be 2",
        );
    }

    #[test]
    fn what_this_host_does_not_serve_is_refused_by_name() {
        for (from, to, expected) in [
            ("files = []", "files = [\"a\"]", "component.provider.files"),
            (
                "allowed_outbound_hosts = []",
                "allowed_outbound_hosts = [\"https://self\"]",
                "component.provider.allowed_outbound_hosts",
            ),
            (
                "allowed_outbound_hosts = []",
                "allowed_outbound_hosts = [\"https://{{ port }}\"]",
                "`component.provider.allowed_outbound_hosts` uses `port`",
            ),
            (
                "files = []",
                "sqlite_databases = [\"default\"]",
                "component.provider.sqlite_databases",
            ),
            (
                "files = []",
                "ai_models = [\"x\"]",
                "component.provider.ai_models",
            ),
            (
                "files = []",
                "dependencies = { \"a:b\" = \"1\" }",
                "component.provider.dependencies",
            ),
            (
                "route = \"/...\"",
                "route = \"/:name\"",
                "trigger.http[0].route",
            ),
            ("type = \"http\"", "type = \"wagi\"", "wagi"),
        ] {
            assert_refused(&FULL.replace(from, to), expected);
        }
    }

    #[test]
    fn variables_are_required_or_have_a_default() {
        for bad in [
            "host = {}",
            "host = { required = true, default = \"x\" }",
            "host = { required = false }",
        ] {
            let text = FULL.replace(
                "host = { default = \"example.com\", description = \"Where it runs\" }",
                bad,
            );
            assert_refused(&text, "`variables.host` must be");
        }
    }

    #[test]
    fn templates_name_known_variables_only() {
        assert_refused(
            &FULL.replace("{{ host }}", "{{ port }}"),
            "`component.provider.variables.url` uses `port`",
        );
        assert_refused(
            &FULL.replace("{{ host }}", "{{ host"),
            "`component.provider.variables.url` is not a template",
        );
    }

    #[test]
    fn routes_lead_to_their_components() {
        let second = "\n[[trigger.http]]\nroute = \"/api/...\"\ncomponent = \"second\"\n[component.second]\nsource = \"x\"";
        let manifest = parse(&format!("{FULL}{second}")).unwrap();
        assert_eq!(manifest.components.len(), 2);
        for (path, component) in [("/api/orders", "second"), ("/apis", "provider")] {
            assert_eq!(manifest.router.find(path).unwrap().component(), component);
        }
    }

    #[test]
    fn a_route_to_an_unknown_component_is_refused() {
        assert_refused(
            &FULL.replace("component = \"provider\"", "component = \"other\""),
            "`trigger.http[0].component` names `other`",
        );
    }

    #[test]
    fn names_of_variables_follow_the_rule_of_spin() {
        for good in ["a", "abc", "a1b2c3", "a_1", "a_1_b_3"] {
            VariableName::parse(good).unwrap();
        }
        for bad in ["", "aX", "1bc", "_x", "x.y", "x_", "a__b", "x-y", "é"] {
            VariableName::parse(bad).expect_err(bad);
        }
        assert_refused(&FULL.replace("host = {", "Host = {"), "bad variable name");
    }
}
