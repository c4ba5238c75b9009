//! What is refused although the HTTP parser takes it: heads that two servers in a row may read
//! differently, which is how requests are smuggled past the first.

use http::header::{HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Version};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Checks the head of a request; an error is the text for the client.
///
/// # Errors
/// No or more than one `Host`, more than one transfer coding or another than `chunked`. Lengths are the
/// parser's: it refuses two that differ, and after a request with a length beside a transfer coding
/// it closes the connection.
pub fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    let headers = request.headers();
    match count(headers, &HOST) {
        1 => {}
        0 if request.version() < Version::HTTP_11 => {}
        0 => return Err("The header Host is missing"),
        _ => return Err("The header Host is given more than once"),
    }
    match count(headers, &TRANSFER_ENCODING) {
        0 => {}
        1 => {
            let coding = headers.get(TRANSFER_ENCODING).map(|value| value.as_bytes());
            if !coding.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked")) {
                return Err("The only transfer coding here is chunked");
            }
        }
        _ => return Err("The header Transfer-Encoding is given more than once"),
    }
    Ok(())
}

fn count(headers: &HeaderMap, name: &http::HeaderName) -> usize {
    headers.get_all(name).iter().count()
}

/// Watches the lines of heads on a connection: each must end in CR LF. The parser takes a bare LF, a
/// proxy before this server may not.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Watch>>);

#[derive(Default)]
struct Watch {
    state: State,
    /// What was read behind the end of a head: a body, or further heads.
    rest: Vec<u8>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before a head; empty lines may come first.
    #[default]
    Before,
    /// After a CR before a head.
    BeforeReturned,
    /// At the beginning of a line of a head, but the first.
    LineBegins,
    /// Inside a line.
    Inside,
    /// After a CR, which began the line.
    EmptyLineReturned,
    /// After a CR inside a line.
    Returned,
    /// Behind a head: what follows is not looked at until the head's request has been seen.
    Behind,
    /// There was a bare LF.
    Bare,
}

impl Lines {
    /// Whether the head that was just read had a line that ends in a bare LF. `has_body` says that a body
    /// follows, which is not looked at; [`Self::next_head`] goes on after it.
    pub fn are_strict(&self, has_body: bool) -> bool {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.state == State::Bare {
            return false;
        }
        if !has_body {
            watch.resume();
        }
        watch.state != State::Bare
    }

    /// The body was read: what comes next is a head.
    pub fn next_head(&self) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.rest.clear();
        if watch.state == State::Behind {
            watch.state = State::Before;
        }
    }

    fn saw(&self, bytes: &[u8]) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.look_at(bytes);
    }
}

/// More than that behind a head is a body, whatever else it may be.
const MOST_REST: usize = 64 << 10;

impl Watch {
    fn look_at(&mut self, bytes: &[u8]) {
        for (place, byte) in bytes.iter().enumerate() {
            self.state = match (self.state, byte) {
                (State::Bare, _) => return,
                (State::Behind, _) => {
                    let rest = bytes.get(place..).unwrap_or_default();
                    if self.rest.len() + rest.len() <= MOST_REST {
                        self.rest.extend_from_slice(rest);
                    }
                    return;
                }
                (State::Before, b'\r') => State::BeforeReturned,
                (State::BeforeReturned, b'\n') => State::Before,
                (State::LineBegins, b'\r') => State::EmptyLineReturned,
                (State::Inside, b'\r') => State::Returned,
                (State::EmptyLineReturned, b'\n') => State::Behind,
                (State::Returned, b'\n') => State::LineBegins,
                (_, b'\n') => State::Bare,
                _ => State::Inside,
            };
        }
    }

    fn resume(&mut self) {
        if self.state == State::Behind {
            self.state = State::Before;
            let rest = std::mem::take(&mut self.rest);
            self.look_at(&rest);
        }
    }
}

/// A connection whose lines are watched.
pub struct Watched<S> {
    stream: S,
    lines: Lines,
}

impl<S> Watched<S> {
    /// Watches what is read from `stream`.
    pub fn new(stream: S, lines: Lines) -> Self {
        Self { stream, lines }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.lines
            .saw(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(head: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().version(Version::HTTP_11);
        for (name, value) in head {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_head_has_one_reading() {
        let host = ("host", "a");
        for (head, part) in [
            (vec![host], None),
            (vec![], Some("missing")),
            (vec![host, ("host", "b")], Some("more than once")),
            (vec![host, ("transfer-encoding", "Chunked ")], None),
            (
                vec![host, ("transfer-encoding", "gzip, chunked")],
                Some("only transfer coding"),
            ),
            (
                vec![host, ("transfer-encoding", "identity")],
                Some("only transfer coding"),
            ),
            (
                vec![
                    host,
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
                Some("more than once"),
            ),
        ] {
            match (check(&request(&head)), part) {
                (Ok(()), None) => {}
                (Err(text), Some(part)) => assert!(text.contains(part), "{head:?}: {text}"),
                (got, _) => panic!("{head:?}: {got:?}"),
            }
        }
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(check(&old), Ok(()), "HTTP/1.0 had no Host");
    }

    #[test]
    fn lines_of_heads_end_in_cr_lf() {
        for (bytes, body, strict) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, true),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", false, true),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", false, false),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", false, false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", false, false),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\na\nb\n\n", true, true),
            // A second head behind the first, pipelined.
            (
                "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\nHost: a\r\n\r\n",
                false,
                false,
            ),
        ] {
            // However it is cut into pieces.
            for size in [1, 3, 1000] {
                let lines = Lines::default();
                let mut seen = true;
                for piece in bytes.as_bytes().chunks(size) {
                    lines.saw(piece);
                    let is_behind = lines.0.lock().unwrap().state == State::Behind;
                    if is_behind && !body {
                        seen &= lines.are_strict(body);
                    }
                }
                assert_eq!(
                    seen && lines.are_strict(body),
                    strict,
                    "{bytes:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn after_a_body_heads_are_watched_again() {
        let lines = Lines::default();
        lines.saw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na\nb\n");
        assert!(lines.are_strict(true));
        lines.next_head();
        lines.saw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(lines.are_strict(false));
        lines.saw(b"GET / HTTP/1.1\nHost: a\r\n\r\n");
        assert!(!lines.are_strict(false));
    }
}
