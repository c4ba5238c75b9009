//! What components print: passed on line by line, to the host's own output or its log.
//!
//! Requests share an instance and instances share the terminal, so pieces of lines are held back
//! until the line is complete.

use crate::logs::Logger;
use bytes::Bytes;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A longer line is passed on in pieces.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Where lines go.
#[derive(Clone)]
pub enum Output {
    /// The host's standard output.
    Stdout,
    /// The log, as lines of this component.
    Log(Logger, Arc<str>),
    /// Nowhere.
    Nothing,
}

/// One output of one instance.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    output: Output,
    unfinished: Mutex<Vec<u8>>,
}

impl Lines {
    /// Passes lines on to `output`.
    pub fn new(output: Output) -> Self {
        Self(Arc::new(Shared {
            output,
            unfinished: Mutex::default(),
        }))
    }

    fn add(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unfinished = self
            .0
            .unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lines = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .and_then(|end| bytes.split_at_checked(end + 1));
        match lines {
            Some((whole, rest)) if unfinished.is_empty() => {
                self.0.output.write(whole)?;
                unfinished.extend_from_slice(rest);
            }
            Some((end, rest)) => {
                unfinished.extend_from_slice(end);
                let whole = std::mem::take(&mut *unfinished);
                unfinished.extend_from_slice(rest);
                self.0.output.write(&whole)?;
            }
            None => unfinished.extend_from_slice(bytes),
        }
        if unfinished.len() > MAX_LINE_BYTES {
            let whole = std::mem::take(&mut *unfinished);
            self.0.output.write(&whole)?;
        }
        Ok(())
    }
}

impl Output {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()
            }
            Self::Log(logger, component) => {
                logger.printed(component, bytes);
                Ok(())
            }
            Self::Nothing => Ok(()),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let unfinished = self
            .unfinished
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if !unfinished.is_empty() {
            unfinished.push(b'\n');
            let _ = self.output.write(unfinished);
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A host whose output is closed still serves; the component need not know.
        let _ = self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let _ = self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE_BYTES)
    }
}
