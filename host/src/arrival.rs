//! The bodies of requests, as they arrive from clients that may be slow or never send them.
//!
//! A small body is waited for before its request takes a place (see [`crate::places`]), and a larger
//! one gives the place back whenever nothing has arrived. Either way a body has to keep up a rate: a
//! client that stops sending costs a connection for a few seconds and nothing else.

use crate::places::Leave;
use crate::strict::Lines;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

/// So much of a body is waited for before its request takes a place, in bytes.
const BEFORE: usize = 64 << 10;
/// How long a body may take however small it is.
const GRACE: Duration = Duration::from_secs(10);
/// The slowest that a body may arrive after that, in bytes per second.
const RATE: u64 = 2048;

/// A body under way.
pub struct Arrival {
    incoming: Incoming,
    /// Frames that have arrived and nobody has read yet.
    arrived: VecDeque<Frame<Bytes>>,
    /// How many bytes of data have arrived so far.
    bytes: u64,
    begun: Instant,
    timer: Pin<Box<Sleep>>,
    is_over: bool,
    leave: Option<Leave>,
    lines: Lines,
}

/// Why a body did not arrive.
#[derive(Debug)]
pub enum Refused {
    /// It was too slow.
    Slow,
    /// It was no body as HTTP wants it, or its client went away.
    Broken,
}

impl Arrival {
    /// A body whose head has just been read from a connection with these lines.
    pub fn new(incoming: Incoming, lines: Lines) -> Self {
        Self {
            is_over: incoming.is_end_stream(),
            incoming,
            arrived: VecDeque::new(),
            bytes: 0,
            begun: Instant::now(),
            timer: Box::pin(tokio::time::sleep(GRACE)),
            leave: None,
            lines,
        }
    }

    /// Waits until the body is there, or the part of it that is waited for. One that is announced as larger
    /// is not waited for: its component may refuse it by its length.
    ///
    /// # Errors
    /// When it is too slow, or breaks off.
    pub async fn begin(&mut self) -> Result<(), Refused> {
        let announced = self.incoming.size_hint().upper();
        if announced.is_some_and(|bytes| bytes > BEFORE as u64) {
            return Ok(());
        }
        while !self.is_over && self.bytes < BEFORE as u64 {
            let next = std::future::poll_fn(|context| self.poll_incoming(context)).await;
            match next {
                Some(Ok(frame)) => self.arrived.push_back(frame),
                Some(Err(refused)) => return Err(refused),
                None => break,
            }
        }
        Ok(())
    }

    /// From here on `leave` is told while nothing arrives.
    pub fn leaving(mut self, leave: Leave) -> Self {
        self.leave = Some(leave);
        self
    }

    /// What a client of this rate may have taken so far.
    fn allowed(&self) -> Duration {
        GRACE + Duration::from_millis(self.bytes.saturating_mul(1000) / RATE)
    }

    fn poll_incoming(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(0, Bytes::len);
                self.bytes += data as u64;
                if self.incoming.is_end_stream() {
                    self.is_over = true;
                    self.lines.next_head();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.is_over = true;
                Poll::Ready(Some(Err(Refused::Broken)))
            }
            Poll::Ready(None) => {
                self.is_over = true;
                self.lines.next_head();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let end = self.begun + self.allowed();
                if self.timer.deadline() != end {
                    self.timer.as_mut().reset(end);
                }
                match self.timer.as_mut().poll(context) {
                    Poll::Ready(()) => {
                        self.is_over = true;
                        Poll::Ready(Some(Err(Refused::Slow)))
                    }
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl Body for Arrival {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.arrived.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = self.poll_incoming(context);
        if let Some(leave) = &self.leave {
            match polled {
                Poll::Pending => leave.go(),
                Poll::Ready(_) => leave.come_back(),
            }
        }
        polled.map(|next| {
            next.map(|frame| {
                frame.map_err(|refused| match refused {
                    Refused::Slow => Error::ConnectionReadTimeout,
                    Refused::Broken => Error::HttpProtocolError,
                })
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.arrived.is_empty() && self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        let waiting: u64 = self
            .arrived
            .iter()
            .map(|frame| frame.data_ref().map_or(0, Bytes::len) as u64)
            .sum();
        let rest = self.incoming.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(waiting + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(waiting + upper);
        }
        hint
    }
}
