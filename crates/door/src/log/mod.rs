//! The log: lines on the standard error, which every Spin host keeps. One for each request, with the
//! facts to know of it, and one for each thing that went wrong on its way.
//!
//! Log lines are kept elsewhere, for a long time, and read by many people, so they name no person. An
//! order's key can be somebody's personal code, so only its end is written.

mod line;
mod request;
mod shown;
mod trace;
mod write;

#[cfg(any(test, feature = "simulation", feature = "testing"))]
pub use self::write::catch;
pub use self::{
    line::{Field, Format, Level, Line},
    request::{Abroad, Request, answered, carry, is_routine, known, line, note},
    shown::{end_of_key, of_store},
    trace::{Origin, REQUEST_ID, TRACEPARENT, TRACESTATE},
    write::set_format,
};

/// Writes a line to the log, with the arguments of `format!`: a warning, or with `info:` or `error:`
/// before them something less or more grave.
#[macro_export]
#[doc(hidden)]
macro_rules! __log {
    (info: $($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Info, format_args!($($argument)*))
    };
    (error: $($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Error, format_args!($($argument)*))
    };
    ($($argument:tt)*) => {
        $crate::log::line($crate::log::Level::Warn, format_args!($($argument)*))
    };
}
pub use __log as log;

#[cfg(test)]
mod tests;
