//! Blocking sockets of the standard library: what native tests connect with.

use super::{By, bare};
use crate::outbound::failure::Failure;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How many bytes one read takes at most.
const BUFFER: usize = 16 << 10;

pub struct Connection {
    stream: TcpStream,
}

pub async fn connect(
    host: &str,
    port: u16,
    timeout: Duration,
    by: By,
) -> Result<Connection, Failure> {
    let mut last = Failure::UnknownName;
    let addresses = (bare(host), port).to_socket_addrs();
    for address in addresses.map_err(|_| Failure::UnknownName)? {
        if let Err(refused) = by.judge(address.ip()) {
            last = refused;
            continue;
        }
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_read_timeout(Some(timeout)).map_err(failure)?;
                stream.set_write_timeout(Some(timeout)).map_err(failure)?;
                return Ok(Connection { stream });
            }
            Err(error) => last = failure(error),
        }
    }
    Err(last)
}

impl Connection {
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(failure)
    }

    pub async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        let mut buffer = vec![0; BUFFER];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failure(error: std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::TooSlow,
        ErrorKind::ConnectionRefused => Failure::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Failure::Unreachable,
        ErrorKind::PermissionDenied => Failure::NotAllowed,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Failure::BrokeOff,
        _ => Failure::Platform,
    }
}
