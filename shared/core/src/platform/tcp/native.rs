//! Blocking sockets of the standard library: what native tests connect with.

use super::{bare, too_slow};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How many bytes one read takes at most.
const BUFFER: usize = 16 << 10;

pub struct Connection {
    stream: TcpStream,
    timeout: Duration,
}

pub async fn connect(host: &str, port: u16, timeout: Duration) -> Result<Connection, String> {
    let text = |error: std::io::Error| plain(&error, timeout);
    let mut last = "the name has no address".to_owned();
    for address in (bare(host), port).to_socket_addrs().map_err(text)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_read_timeout(Some(timeout)).map_err(text)?;
                stream.set_write_timeout(Some(timeout)).map_err(text)?;
                return Ok(Connection { stream, timeout });
            }
            Err(error) => last = text(error),
        }
    }
    Err(last)
}

impl Connection {
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| plain(&error, self.timeout))
    }

    pub async fn read(&mut self) -> Result<Vec<u8>, String> {
        let mut buffer = vec![0; BUFFER];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(error) => Err(plain(&error, self.timeout)),
        }
    }
}

fn plain(error: &std::io::Error, timeout: Duration) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => too_slow(timeout),
        _ => error.to_string(),
    }
}
