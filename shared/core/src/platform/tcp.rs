//! Connections to servers that speak something other than HTTP: directories, mail servers.
//!
//! The platform asks the component's `allowed_outbound_hosts` for each connection, with the scheme
//! `tcp` and the *address*: an entry with a name allows nothing, because names are looked up before.
//! The bytes go as they are. Nothing here encrypts them.

#[cfg(target_arch = "wasm32")]
#[path = "tcp/spin.rs"]
mod imp;
#[cfg(not(target_arch = "wasm32"))]
#[path = "tcp/native.rs"]
mod imp;

use crate::outbound::failure::Failure;
use std::net::IpAddr;
use std::time::Duration;
use windlass_address::Place;

/// Who says where a connection leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A setting of the operator's.
    Operator,
    /// Somebody whose names are judged by the addresses that they lead to; whether private ones may be called.
    User {
        /// Whether private addresses may be called.
        allow_private: bool,
    },
}

impl By {
    /// Whether a connection to an address may be made.
    ///
    /// # Errors
    /// [`Failure::PrivateAddress`].
    fn judge(self, address: IpAddr) -> Result<(), Failure> {
        let is_fine = match self {
            Self::Operator
            | Self::User {
                allow_private: true,
            } => true,
            Self::User { .. } => Place::of(address) == Place::Public,
        };
        if is_fine {
            Ok(())
        } else {
            Err(Failure::PrivateAddress)
        }
    }
}

/// An open connection. Dropping it closes it.
pub struct Connection {
    inner: imp::Connection,
    /// Host and port, for the sentences of failures.
    server: String,
}

/// Connects to a name or an address (IPv6 with or without brackets). The time limit holds for
/// connecting, name lookup included, and then for each write and each read by itself.
///
/// # Errors
/// A sentence with what went wrong and where: the name is unknown, the platform does not allow it,
/// nobody listens, it took too long.
pub async fn connect(host: &str, port: u16, timeout: Duration) -> Result<Connection, String> {
    connect_by(By::Operator, host, port, timeout).await
}

/// The same, with each address that a name leads to judged by who says where to connect to.
///
/// # Errors
/// As [`connect`], and for an address that is not called.
pub async fn connect_by(
    by: By,
    host: &str,
    port: u16,
    timeout: Duration,
) -> Result<Connection, String> {
    let server = format!("{host}:{port}");
    match imp::connect(host, port, timeout, by).await {
        Ok(inner) => Ok(Connection { inner, server }),
        Err(failure) => Err(sentence(&failure, &server)),
    }
}

fn sentence(failure: &Failure, server: &str) -> String {
    let text = failure.about_host(server);
    match failure {
        Failure::NotAllowed => format!("{text}: allowed_outbound_hosts has to name its address"),
        _ => text,
    }
}

impl Connection {
    /// Sends all of the bytes.
    ///
    /// # Errors
    /// The other side closed the connection or took nothing within the time limit.
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = self.inner.write_all(bytes).await;
        written.map_err(|failure| sentence(&failure, &self.server))
    }

    /// The next bytes, as many as are there; none at the end of the connection.
    ///
    /// # Errors
    /// The connection broke off, or nothing came within the time limit. It is of no use then.
    pub async fn read(&mut self) -> Result<Vec<u8>, String> {
        let read = self.inner.read().await;
        read.map_err(|failure| sentence(&failure, &self.server))
    }

    /// Host and port of the other side, as they were named.
    pub fn server(&self) -> &str {
        &self.server
    }
}

/// A host as it is looked up: without the brackets of an IPv6 address in a URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn bytes_go_there_and_back_until_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).unwrap();
            stream.write_all(&bytes).unwrap();
        });
        pollster::block_on(async {
            let mut connection = connect("localhost", port, SECOND).await.unwrap();
            connection.write_all(b"ping").await.unwrap();
            let mut answer = Vec::new();
            loop {
                let bytes = connection.read().await.unwrap();
                if bytes.is_empty() {
                    break;
                }
                answer.extend(bytes);
            }
            assert_eq!(answer, b"ping");
        });
        echo.join().unwrap();
    }

    #[test]
    fn a_name_that_leads_to_a_private_address_is_judged_by_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        pollster::block_on(async {
            for (allow_private, is_connected) in [(false, false), (true, true)] {
                let by = By::User { allow_private };
                let connection = connect_by(by, "localhost", port, SECOND).await;
                assert_eq!(connection.is_ok(), is_connected);
                if let Err(text) = connection {
                    assert!(text.contains("private"), "{text}");
                }
            }
        });
    }

    #[test]
    fn failures_say_what_and_where() {
        pollster::block_on(async {
            let port = {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                listener.local_addr().unwrap().port()
            };
            let refused = connect("[::ffff:127.0.0.1]", port, SECOND).await;
            let host = format!("[::ffff:127.0.0.1]:{port}");
            assert_eq!(
                refused.err().unwrap(),
                format!("`{host}` refused the connection: nothing listens there")
            );
            let unknown = connect("no.such.host.invalid", port, SECOND).await;
            assert_eq!(
                unknown.err().unwrap(),
                format!(
                    "the name `no.such.host.invalid:{port}` is not known: look for a misspelling"
                )
            );

            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = silent.local_addr().unwrap().port();
            let mut connection = connect("127.0.0.1", port, SECOND / 10).await.unwrap();
            assert_eq!(
                connection.read().await.unwrap_err(),
                format!("`127.0.0.1:{port}` did not answer in time")
            );
        });
    }
}
