use std::time::Duration;

use super::{ConfigError, Variables};

/// Reads variables, and collects what is wrong with them.
pub struct Reader<'a> {
    pub variables: &'a Variables,
    pub errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub fn error(&mut self, variable: &'static str, detail: impl ToString) {
        self.errors.push(ConfigError {
            variable,
            detail: detail.to_string(),
        });
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

    pub fn seconds(&mut self, variable: &'static str, default: u64, max: u64) -> Duration {
        let seconds = match self.variables.get(variable).map(str::parse) {
            None => default,
            Some(Ok(seconds)) if seconds <= max => seconds,
            Some(_) => {
                self.error(
                    variable,
                    format!("must be a number of seconds from 0 to {max}"),
                );
                default
            }
        };
        Duration::from_secs(seconds)
    }

    pub fn listed(&self, variable: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        let value = self.variables.get(variable).unwrap_or_default();
        value
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }
}
