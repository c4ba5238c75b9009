//! One HTTP/1.1 request over a connection of its own: all that a story needs of a client.

use crate::{conformance, secrets};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take; an upload waits for its blueprint to be parsed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request to send.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The method.
    pub method: String,
    /// Path and query, as they go on the wire.
    pub path: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body, with its length.
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Sends a request and reads the whole answer. The error says what went wrong on the way.
pub fn send(server: SocketAddr, request: &Outgoing) -> Result<Answer, String> {
    let text = |error: std::io::Error| format!("{} {}: {error}", request.method, request.path);
    let mut stream = TcpStream::connect(server).map_err(text)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n",
        request.method, request.path
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = &request.body {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).map_err(text)?;
    // A server may refuse a large body before it read all of it, and close: its answer counts.
    let sent = stream.write_all(request.body.as_deref().unwrap_or_default());
    let mut raw = Vec::new();
    let received = stream.read_to_end(&mut raw);
    match parse(&raw) {
        Some(answer) => {
            secrets::learn(server, request, &answer);
            conformance::check(request, &answer);
            Ok(answer)
        }
        None => Err(format!(
            "{} {}: no HTTP answer (sent: {sent:?}, received {} bytes: {received:?})",
            request.method,
            request.path,
            raw.len()
        )),
    }
}

fn parse(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = (std::str::from_utf8(&raw[..end]).ok()?, &raw[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
    let body = if chunked {
        dechunk(rest)?
    } else {
        rest.to_vec()
    };
    Some(Answer {
        status,
        headers,
        body,
    })
}

/// Puts the chunks of a body together; nothing when it broke off.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
