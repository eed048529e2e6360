//! Lines for standard output and standard error.
//!
//! Whoever reads them may go before the end, as `head` does. The rest is then said to nobody, and the
//! command does what it was asked for all the same: a provider must not stop because of it. The macros of
//! the standard library panic instead.

use std::fmt;
use std::io::{self, Write};

/// Writes a line to standard output, as `println!` does. Gives an [`io::Result`]: a reader that has seen
/// enough is no error, a disk that is full is one.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {
        $crate::say::line(format_args!($($line)*))
    };
}

/// Writes a line to standard error, as `eprintln!` does. Nobody needs to read it.
#[macro_export]
macro_rules! tell {
    ($($line:tt)*) => {
        $crate::say::aside(format_args!($($line)*))
    };
}

/// Writes a line to standard output, for [`say!`](crate::say!).
///
/// # Errors
/// If the line cannot be written, though somebody reads.
pub fn line(line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(output(), "{line}")
}

/// Writes a line to standard error, for [`tell!`](crate::tell!).
pub fn aside(line: fmt::Arguments<'_>) {
    // Where there is nowhere to say it, there is nowhere to say that either.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Standard output, for which a reader that has seen enough is no error.
pub fn output() -> impl Write {
    Forgiving(io::stdout().lock())
}

/// A writer whose reader may go.
struct Forgiving<W>(W);

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        forgive_readers(self.0.flush())
    }
}

/// Forgives an error of writing that only says that the reader has seen enough.
///
/// # Errors
/// Any other error of writing.
pub fn forgive_readers(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn only_a_reader_that_is_gone_is_forgiven() {
        let write = |kind| {
            let mut writer = Forgiving(Fails(kind));
            (writeln!(writer, "a {}", 1).is_ok(), writer.flush().is_ok())
        };
        assert_eq!(write(io::ErrorKind::BrokenPipe), (true, true));
        assert_eq!(write(io::ErrorKind::StorageFull), (false, false));
    }
}
