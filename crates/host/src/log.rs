//! The log of the host: the component's output and the host's own notices, as whole lines one after
//! another.

use std::fmt;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A line longer than this is broken.
const LONGEST_LINE: usize = 16 * 1024;

/// A place for lines of text. Clones share it.
#[derive(Clone)]
pub struct Log(Arc<Mutex<dyn Write + Send>>);

impl Log {
    /// Lines go to a writer.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    /// Lines go to the standard error.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// Writes a notice of the host.
    pub fn line(&self, notice: impl fmt::Display) {
        self.write(format!("{notice}\n").as_bytes());
    }

    /// A log that fails is no reason to fail a payment.
    fn write(&self, lines: &[u8]) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writer.write_all(lines).and_then(|()| writer.flush());
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

/// The output of one instance: gathers lines, so that those of several instances do not mix.
#[derive(Clone)]
pub(super) struct GuestOutput(Arc<Mutex<Line>>);

struct Line {
    log: Log,
    begun: Vec<u8>,
}

impl GuestOutput {
    pub(super) fn new(log: Log) -> Self {
        let begun = Vec::new();
        Self(Arc::new(Mutex::new(Line { log, begun })))
    }

    fn push(&self, bytes: &[u8]) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.begun.extend_from_slice(bytes);
        let complete = match line.begun.iter().rposition(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if line.begun.len() > LONGEST_LINE => line.begun.len(),
            None => return,
        };
        let rest = line.begun.split_off(complete);
        line.log.write(&line.begun);
        line.begun = rest;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.begun.is_empty() {
            self.begun.push(b'\n');
            self.log.write(&self.begun);
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    /// Written at once: the last words of a guest must not wait for a task that dies with it.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LONGEST_LINE)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_two_guests_do_not_mix_and_the_last_one_is_kept() {
        let memory = Memory::default();
        let log = Log::new(memory.clone());
        let (a, b) = (GuestOutput::new(log.clone()), GuestOutput::new(log));
        a.push(b"a1 ");
        b.push(b"b1\nb2");
        a.push(b"a1\n");
        drop(b);
        assert_eq!(*memory.0.lock().unwrap(), b"b1\na1 a1\nb2\n");
    }
}
