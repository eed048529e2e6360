//! The log: lines on the standard error, which every Spin host keeps.

use std::{fmt, io::Write};

/// Longest line, in characters.
const MAX: usize = 2000;

#[cfg(feature = "simulation")]
thread_local! {
    static CATCH: std::cell::Cell<Option<fn(fmt::Arguments<'_>)>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread's lines go to `catch` instead of the standard error.
#[cfg(feature = "simulation")]
pub fn catch(catch: fn(fmt::Arguments<'_>)) {
    CATCH.set(Some(catch));
}

/// Writes a line. What comes from outside can neither begin a line of its own nor steer a
/// terminal: control characters are written as escapes. A log that fails is no reason to fail a
/// payment, so unlike `eprintln!` this never panics.
pub fn line(message: fmt::Arguments<'_>) {
    #[cfg(feature = "simulation")]
    if let Some(catch) = CATCH.get() {
        return catch(message);
    }
    let mut line = escaped(&message.to_string());
    line.push('\n');
    // At once: each write is a call of the host.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn escaped(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for c in message.chars().take(MAX) {
        if c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Writes a line to the log, with the arguments of `format!`.
#[macro_export]
#[doc(hidden)]
macro_rules! __log {
    ($($argument:tt)*) => {
        $crate::log::line(format_args!($($argument)*))
    };
}
pub use __log as log;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            escaped("a\nfault: \u{1b}[31m\u{202e}ș"),
            "a\\nfault: \\u{1b}[31m\\u{202e}ș"
        );
        assert_eq!(escaped(&"x".repeat(5000)).len(), MAX);
    }
}
