use std::time::Duration;

use super::{ConfigError, Variables};
use crate::json::FieldError;

/// Reads variables, and collects what is wrong with them.
pub struct Reader<'a> {
    pub variables: &'a Variables,
    pub errors: Vec<ConfigError>,
    /// What is probably a mistake, but works.
    pub doubts: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub fn error(&mut self, variable: &'static str, detail: impl ToString) {
        self.errors.push(ConfigError {
            variable,
            detail: detail.to_string(),
        });
    }

    pub fn warning(&mut self, variable: &'static str, detail: String) {
        self.doubts.push(ConfigError { variable, detail });
    }

    /// Members of a variable's JSON that are wrong.
    pub fn members(&mut self, variable: &'static str, errors: Vec<FieldError>) {
        for FieldError { field, detail } in errors {
            self.error(variable, format!("{field} {detail}"));
        }
    }

    pub fn required(&mut self, variable: &'static str, what: &str) -> Option<&'a str> {
        let value = self.variables.get(variable);
        if value.is_none() {
            self.error(variable, format!("is not set; give it {what}"));
        }
        value
    }

    pub fn word<T: Copy>(&mut self, variable: &'static str, default: T, words: &[(&str, T)]) -> T {
        let Some(value) = self.variables.get(variable) else {
            return default;
        };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => *meaning,
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.error(
                    variable,
                    format!("is {value:?}, but must be {}", words.join(" or ")),
                );
                default
            }
        }
    }

    pub fn seconds(&mut self, variable: &'static str, default: u32, max: u32) -> Duration {
        Duration::from_secs(self.number(variable, default, max, "seconds").into())
    }

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

    pub fn listed(&self, variable: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.variables.get(variable).unwrap_or_default();
        value
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }
}
