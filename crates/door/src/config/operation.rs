//! The variables about how a door runs, and is read beside its configuration: it counts also where that is
//! wrong.

use super::{Reader, Variables};
use crate::log::Format;

/// The variable of the emergency stop.
pub const PAUSED: &str = "paused";

/// The variable that says how the log is written.
pub const LOG_FORMAT: &str = "log_format";

impl Reader<'_> {
    /// Notes mistakes in [`PAUSED`] and [`LOG_FORMAT`].
    pub fn operation(&mut self) {
        if !matches!(self.variables.get(PAUSED), None | Some("true" | "false")) {
            let reason = "must be true or false; until it is, everything is stopped";
            self.error(PAUSED, reason);
        }
        self.word(LOG_FORMAT, (), &[("json", ()), ("text", ())]);
    }
}

/// True if everything is to be answered "later". `None` where the variable could not be read.
///
/// An operator who mistypes the value wants to stop. A stop loses nothing, since every caller comes
/// again.
pub fn is_paused(variables: &Variables) -> Option<bool> {
    if variables.is_unread(PAUSED) {
        return None;
    }
    Some(variables.get(PAUSED).is_some_and(|value| value != "false"))
}

/// The form in which the log is written: the one for people only on request, or in development.
pub fn log_format(variables: &Variables) -> Format {
    match variables.get(LOG_FORMAT) {
        Some("text") => Format::Text,
        None if variables.get("environment") == Some("development") => Format::Text,
        _ => Format::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_for_programs_unless_somebody_looks_on() {
        for (format, environment, expected) in [
            ("", "", Format::Json),
            ("", "production", Format::Json),
            ("", "test", Format::Json),
            ("", "development", Format::Text),
            ("json", "development", Format::Json),
            ("text", "production", Format::Text),
            ("xml", "development", Format::Json),
        ] {
            let mut variables = Variables::default();
            variables.set(LOG_FORMAT, format.to_owned());
            variables.set("environment", environment.to_owned());
            assert_eq!(
                log_format(&variables),
                expected,
                "{format:?} {environment:?}"
            );
        }
    }
}
