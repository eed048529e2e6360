//! The output of lines, in the format of this instance.

use std::{
    cell::Cell,
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;

use super::line::{Format, Line};

thread_local! {
    static FORMAT: Cell<Format> = const { Cell::new(Format::Json) };
}

#[cfg(any(test, feature = "simulation", feature = "testing"))]
thread_local! {
    pub(super) static CATCH: Cell<Option<fn(&Line)>> = const { Cell::new(None) };
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

/// Writes a line at once: each write is a call of the host. A log that fails is no reason to fail a payment.
pub(super) fn emit(line: &Line) {
    #[cfg(any(test, feature = "simulation", feature = "testing"))]
    if let Some(catch) = CATCH.get() {
        return catch(line);
    }
    let mut text = match FORMAT.get() {
        Format::Json => line.json(now()),
        Format::Text => line.text(),
    };
    text.push('\n');
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let milliseconds = since.map_or(0, |since| since.as_millis());
    let time = i64::try_from(milliseconds).map(Timestamp::from_millisecond);
    time.ok().and_then(Result::ok).unwrap_or(Timestamp::MAX)
}
