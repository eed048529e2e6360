//! Names that were meant for a variable, but name none: Spin ignores those of the environment without a
//! word, and their values are then missing where somebody relies on them.

use std::fmt;

use super::dotenv::{Environment, PREFIX};
use super::manifest::Manifest;
use super::variable_name::VariableName;

/// A name beneath which names of other programs are like one of ours only by accident.
const SHORTEST: usize = 6;

/// The place where a name was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// `--variable`.
    Argument,
    /// The environment of the process.
    Environment,
    /// `.env`.
    File,
    /// The values of a runtime configuration.
    RuntimeConfig,
}

/// A name that is of no variable of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    /// The name as it stands there.
    pub name: String,
    /// The place where it was given.
    pub given: Given,
    /// The variable that was meant, if one is like it.
    pub meant: Option<VariableName>,
    /// True if it can only be meant for this application; otherwise another program may use it.
    pub is_certain: bool,
}

impl fmt::Display for Misnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.given {
            Given::Argument => write!(f, "--variable {name}: there is no such variable")?,
            Given::Environment => write!(f, "{name} in the environment is of no variable")?,
            Given::File if self.is_certain => write!(f, "{name} in .env is of no variable")?,
            Given::File => write!(f, "{name} in .env is not read")?,
            Given::RuntimeConfig => write!(
                f,
                "{name} in the runtime configuration: there is no such variable"
            )?,
        }
        match (&self.meant, self.given) {
            (None, _) => Ok(()),
            (Some(meant), Given::Argument | Given::RuntimeConfig) => {
                write!(f, ": did you mean {meant}?")
            }
            (Some(meant), _) => write!(f, ": did you mean {}?", meant.environment_name()),
        }
    }
}

/// All of them, in the order in which values are looked for.
pub fn misnamed(
    manifest: &Manifest,
    arguments: &[(String, String)],
    environment: &Environment,
) -> Vec<Misnamed> {
    let known: Vec<&VariableName> = manifest.variables.keys().collect();
    let mut own: Vec<_> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    own.sort();
    let of = |given, names: &mut dyn Iterator<Item = &str>| -> Vec<Misnamed> {
        names
            .filter_map(|name| judge(name, given, &known))
            .collect()
    };
    let mut found = of(
        Given::Argument,
        &mut arguments.iter().map(|(name, _)| name.as_str()),
    );
    found.extend(of(Given::RuntimeConfig, &mut environment.names_provided()));
    found.extend(of(Given::Environment, &mut own.iter().map(String::as_str)));
    found.extend(of(Given::File, &mut environment.names_in_file()));
    found
}

fn judge(name: &str, given: Given, known: &[&VariableName]) -> Option<Misnamed> {
    let misnamed = |meant: Option<&VariableName>, is_certain| {
        Some(Misnamed {
            name: name.to_owned(),
            given,
            meant: meant.cloned(),
            is_certain,
        })
    };
    if matches!(given, Given::Argument | Given::RuntimeConfig) {
        let is_known = known.iter().any(|known| known.as_str() == name);
        return match is_known {
            true => None,
            false => misnamed(nearest(without_prefix(name).unwrap_or(name), known), true),
        };
    }
    if let Some(end) = name.strip_prefix(PREFIX) {
        let is_known = known
            .iter()
            .any(|known| known.as_str().to_ascii_uppercase() == end);
        return match is_known {
            true => None,
            false => misnamed(nearest(end, known), true),
        };
    }
    if let Some(end) = without_prefix(name) {
        return misnamed(nearest(end, known), false);
    }
    // Other programs have names of their own, in the process's environment often such as ours.
    match given {
        Given::File if name.len() >= SHORTEST => misnamed(Some(nearest(name, known)?), false),
        _ => None,
    }
}

/// The rest of a name behind a prefix that was meant to be `SPIN_VARIABLE_`.
fn without_prefix(name: &str) -> Option<&str> {
    let prefixes = [
        "SPIN_VARIABLE_",
        "SPIN_VARIABLES_",
        "SPIN_CONFIG_",
        "SPIN_VAR_",
    ];
    prefixes.iter().find_map(|prefix| {
        let (start, end) = name.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(end)
    })
}

/// The variable whose name is most like this one.
fn nearest<'a>(name: &str, known: &[&'a VariableName]) -> Option<&'a VariableName> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let distance = |known: &str| strsim::damerau_levenshtein(known, &name);
    let found = known
        .iter()
        .map(|known| (distance(known.as_str()), *known))
        .min_by_key(|(distance, _)| *distance);
    found
        .filter(|(distance, known)| *distance <= (known.as_str().len() / 4).clamp(1, 3))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [variables]
        api_token = { default = "" }
        api_read_token = { default = "" }
        service_ids = { default = "" }
        services = { default = "" }
        [[trigger.http]]
        route = "/..."
        component = "c"
        [component.c]
        source = "c.wasm"
    "#;

    fn found(arguments: &[&str], file: &str) -> Vec<String> {
        let manifest = Manifest::parse("spin.toml", MANIFEST).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), file).unwrap();
        let environment = Environment::read(folder.path()).unwrap();
        let arguments = arguments
            .iter()
            .map(|name| ((*name).to_owned(), String::new()));
        let found = misnamed(&manifest, &arguments.collect::<Vec<_>>(), &environment);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_argument_is_told_with_what_was_meant() {
        assert_eq!(found(&["api_token", "services"], ""), [""; 0]);
        assert_eq!(
            found(
                &[
                    "api_tocken",
                    "API-TOKEN",
                    "SPIN_VARIABLE_SERVICE_IDS",
                    "colour"
                ],
                ""
            ),
            [
                "--variable api_tocken: there is no such variable: did you mean api_token?",
                "--variable API-TOKEN: there is no such variable: did you mean api_token?",
                "--variable SPIN_VARIABLE_SERVICE_IDS: there is no such variable: did you mean service_ids?",
                "--variable colour: there is no such variable",
            ]
        );
    }

    #[test]
    fn a_name_with_the_prefix_is_of_a_variable_or_wrong() {
        let file = "SPIN_VARIABLE_API_TOKEN=1\nSPIN_VARIABLE_SERVICE_ID=1\nSPIN_VARIABLE_api_token=1\nSPIN_VARIABLE_COLOUR=1\n";
        assert_eq!(
            found(&[], file),
            [
                "SPIN_VARIABLE_COLOUR in .env is of no variable",
                "SPIN_VARIABLE_SERVICE_ID in .env is of no variable: did you mean SPIN_VARIABLE_SERVICE_IDS?",
                "SPIN_VARIABLE_api_token in .env is of no variable: did you mean SPIN_VARIABLE_API_TOKEN?",
            ]
        );
    }

    #[test]
    fn a_variable_without_the_prefix_is_told_and_what_belongs_to_others_is_not() {
        let file = "SERVICE_IDS=1\nAPI_TOCKEN=1\nSPIN_VARIABLES_API_TOKEN=1\nRUST_LOG=info\nDATABASE_URL=x\nPATH=x\n";
        assert_eq!(
            found(&[], file),
            [
                "API_TOCKEN in .env is not read: did you mean SPIN_VARIABLE_API_TOKEN?",
                "SERVICE_IDS in .env is not read: did you mean SPIN_VARIABLE_SERVICE_IDS?",
                "SPIN_VARIABLES_API_TOKEN in .env is not read: did you mean SPIN_VARIABLE_API_TOKEN?",
            ]
        );
    }

    #[test]
    fn in_the_environment_only_the_prefix_makes_a_name_ours() {
        let manifest = Manifest::parse("spin.toml", MANIFEST).unwrap();
        let known: Vec<_> = manifest.variables.keys().collect();
        let judge = |name| judge(name, Given::Environment, &known);
        assert_eq!(judge("SERVICES"), None);
        assert_eq!(judge("SPIN_VARIABLE_SERVICES"), None);
        assert!(judge("SPIN_VARIABLE_SERVICE").unwrap().is_certain);
        let shown = judge("SPIN_VARIABLE_API_TOKENS").unwrap().to_string();
        assert_eq!(
            shown,
            "SPIN_VARIABLE_API_TOKENS in the environment is of no variable: did you mean SPIN_VARIABLE_API_TOKEN?"
        );
    }
}
