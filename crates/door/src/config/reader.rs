use std::time::Duration;

use mpay_ledger::json::FieldError;

use super::{ConfigError, Environment, Variables};

/// The message about a wrong IBAN.
pub const IBAN_NEEDED: &str = "must be an IBAN such as MD24AG000225100013104168, whose length is that of its country and whose check digits fit";

/// Reads variables, and collects their mistakes.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The variables that are read.
    pub variables: &'a Variables,
    /// The mistake.
    pub errors: Vec<ConfigError>,
    /// Doubts: values that work but are probably mistakes.
    pub doubts: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    /// Begins with a mistake for each variable that could not be read. Later such a variable reads as
    /// empty, so every function that uses it must ask for mistakes.
    pub fn new(variables: &'a Variables) -> Self {
        Self {
            variables,
            errors: ConfigError::of_unread(variables).collect(),
            doubts: Vec::new(),
        }
    }

    /// The variable `environment`.
    pub fn environment(&mut self) -> Environment {
        let words = [
            ("production", Environment::Production),
            ("test", Environment::Test),
            ("development", Environment::Development),
        ];
        self.word("environment", Environment::Production, &words)
    }

    /// True if every mistake is in one of the `optional` variables.
    pub fn is_usable(&self, optional: &[&str]) -> bool {
        let mut errors = self.errors.iter();
        errors.all(|error| optional.contains(&error.variable))
    }

    /// Notes a mistake.
    pub fn error(&mut self, variable: &'static str, detail: impl ToString) {
        self.errors.push(ConfigError {
            variable,
            detail: detail.to_string(),
        });
    }

    /// Notes a value that seems mistyped.
    pub fn warning(&mut self, variable: &'static str, detail: String) {
        self.doubts.push(ConfigError { variable, detail });
    }

    /// Members of a variable's JSON that are wrong.
    pub fn members(&mut self, variable: &'static str, errors: Vec<FieldError>) {
        for FieldError { field, detail } in errors {
            // The type's message about a wrong IBAN repeats its country.
            let detail = match field.ends_with(".bank_account") && detail != "is missing" {
                true => IBAN_NEEDED.to_owned(),
                false => detail,
            };
            self.error(variable, format!("{field} {detail}"));
        }
    }

    /// True if one of these variables has a mistake.
    pub fn is_wrong(&self, variables: &[&str]) -> bool {
        let mut errors = self.errors.iter();
        errors.any(|error| variables.contains(&error.variable))
    }

    /// A value that must be there: else a mistake says to give it `what`.
    pub fn required(&mut self, variable: &'static str, what: &str) -> Option<&'a str> {
        let value = self.variables.get(variable);
        if value.is_none() && !self.variables.is_unread(variable) {
            self.error(variable, format!("is not set; give it {what}"));
        }
        value
    }

    /// One of some words, or the default where it is empty.
    pub fn word<T: Copy>(&mut self, variable: &'static str, default: T, words: &[(&str, T)]) -> T {
        let Some(value) = self.variables.get(variable) else {
            return default;
        };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.error(variable, format!("must be {}", words.join(" or ")));
                default
            }
        }
    }

    /// A number of seconds, or the default where it is empty.
    pub fn seconds(&mut self, variable: &'static str, default: u32, max: u32) -> Duration {
        Duration::from_secs(self.number(variable, default, max, "seconds").into())
    }

    /// A number from 0 on, or the default where it is empty.
    pub fn number(&mut self, variable: &'static str, default: u32, max: u32, unit: &str) -> u32 {
        match self.variables.get(variable).map(str::parse) {
            None => default,
            Some(Ok(number)) if number <= max => number,
            Some(_) => {
                let range = format!("must be a number of {unit} from 0 to {max}");
                self.error(variable, range);
                default
            }
        }
    }

    /// The items of a list with commas between.
    pub fn listed(&self, variable: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.variables.get(variable).unwrap_or_default();
        value
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }
}
