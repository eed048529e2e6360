//! The log: lines on the standard error, which every Spin host keeps. One for each request, with the
//! facts to know of it, and one for each thing that went wrong on its way.
//!
//! Log lines are kept elsewhere, for a long time, and read by many people, so they name no person. An
//! order's key can be somebody's personal code, so only its end is written.

mod line;
mod request;
mod shown;
mod trace;

use std::{
    cell::{Cell, RefCell},
    fmt,
    io::Write,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;

pub use self::{
    line::{Field, Format, Level, Line},
    request::{Request, answered, is_routine, known, note},
    shown::{end_of_key, of_store},
    trace::{Abroad, Origin, REQUEST_ID, TRACEPARENT, TRACESTATE, carry},
};

thread_local! {
    static FORMAT: Cell<Format> = const { Cell::new(Format::Json) };
    static REQUEST: RefCell<Option<Rc<Request>>> = const { RefCell::new(None) };
}

#[cfg(any(test, feature = "simulation", feature = "testing"))]
thread_local! {
    static CATCH: Cell<Option<fn(&Line)>> = const { Cell::new(None) };
}

/// From now on this thread's lines go to `catch` instead of the standard error.
#[cfg(any(test, feature = "simulation", feature = "testing"))]
pub fn catch(catch: fn(&Line)) {
    CATCH.set(Some(catch));
}

/// From now on this instance's lines are written so.
pub fn set_format(format: Format) {
    FORMAT.set(format);
}

/// Writes a line about a failure, or another fact to know. A log that fails is no reason to fail a
/// payment, so unlike `eprintln!` this never panics.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    let origin = REQUEST.with_borrow(|request| Some(request.as_ref()?.origin().clone()));
    emit(&Line {
        level,
        origin,
        message: message.to_string(),
        answered: None,
    });
}

fn emit(line: &Line) {
    #[cfg(any(test, feature = "simulation", feature = "testing"))]
    if let Some(catch) = CATCH.get() {
        return catch(line);
    }
    let mut text = match FORMAT.get() {
        Format::Json => line.json(now()),
        Format::Text => line.text(),
    };
    text.push('\n');
    // At once: each write is a call of the host.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.as_millis());
    let time = i64::try_from(milliseconds).map(Timestamp::from_millisecond);
    time.ok().and_then(Result::ok).unwrap_or(Timestamp::MAX)
}

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
