//! WASI 0.3 sockets. A connection is two streams of bytes, each with a future that tells why it ended.

use super::{By, bare};
use crate::log;
use crate::outbound::failure::Failure;
use futures_util::future::{Either, select};
use std::net::IpAddr;
use std::time::Duration;
use wasip3::sockets::ip_name_lookup::{ErrorCode as LookupCode, resolve_addresses};
use wasip3::sockets::types::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
    TcpSocket,
};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};

/// How many bytes one read takes at most.
const BUFFER: usize = 16 << 10;

type End = FutureReader<Result<(), ErrorCode>>;

pub struct Connection {
    // The order of dropping: the streams end before the socket that they belong to.
    writer: StreamWriter<u8>,
    sent: Option<End>,
    reader: StreamReader<u8>,
    received: Option<End>,
    _socket: TcpSocket,
    timeout: Duration,
}

pub async fn connect(
    host: &str,
    port: u16,
    timeout: Duration,
    by: By,
) -> Result<Connection, Failure> {
    let socket = within(timeout, open(bare(host), port, by)).await?;
    let (writer, outgoing) = wasip3::wit_stream::new();
    let sent = socket.send(outgoing);
    let (reader, received) = socket.receive();
    Ok(Connection {
        writer,
        sent: Some(sent),
        reader,
        received: Some(received),
        _socket: socket,
        timeout,
    })
}

/// A connected socket: the addresses of a name are tried in their order.
async fn open(host: &str, port: u16, by: By) -> Result<TcpSocket, Failure> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => resolve_addresses(host.to_owned())
            .await
            .map_err(|code| unknown_name(&code))?
            .into_iter()
            .map(from_wasi)
            .collect(),
    };
    let mut last = Failure::UnknownName;
    for address in addresses {
        if let Err(refused) = by.judge(address) {
            last = refused;
            continue;
        }
        let (family, remote) = to_wasi(address, port);
        let socket = TcpSocket::create(family).map_err(|code| failure(&code))?;
        match socket.connect(remote).await {
            Ok(()) => return Ok(socket),
            Err(code) => last = failure(&code),
        }
    }
    Err(last)
}

impl Connection {
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let writing = async { Ok(self.writer.write_all(bytes.to_vec()).await) };
        let left = within(self.timeout, writing).await?;
        if left.is_empty() {
            return Ok(());
        }
        Err(why(self.sent.take(), self.timeout).await)
    }

    pub async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            let reading = async { Ok(self.reader.read(Vec::with_capacity(BUFFER)).await) };
            let (result, bytes) = within(self.timeout, reading).await?;
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            if !matches!(result, StreamResult::Complete(_)) {
                break;
            }
        }
        // The end, or the reason why nothing more comes.
        match self.received.take() {
            Some(end) => match within(self.timeout, async { Ok(end.await) }).await? {
                Ok(()) => Ok(Vec::new()),
                Err(code) => Err(failure(&code)),
            },
            None => Ok(Vec::new()),
        }
    }
}

/// Why a stream takes no more bytes.
async fn why(end: Option<End>, timeout: Duration) -> Failure {
    match end {
        Some(end) => match within(timeout, async { Ok(end.await) }).await {
            Ok(Err(code)) => failure(&code),
            Ok(Ok(())) | Err(_) => Failure::BrokeOff,
        },
        None => Failure::BrokeOff,
    }
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let alarm = std::pin::pin!(wasip3::clocks::monotonic_clock::wait_for(nanos));
    match select(std::pin::pin!(work), alarm).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(Failure::TooSlow),
    }
}

fn failure(code: &ErrorCode) -> Failure {
    match code {
        ErrorCode::ConnectionRefused => Failure::Refused,
        ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken | ErrorCode::ConnectionAborted => {
            Failure::BrokeOff
        }
        ErrorCode::RemoteUnreachable => Failure::Unreachable,
        ErrorCode::AccessDenied => Failure::NotAllowed,
        ErrorCode::Timeout => Failure::TooSlow,
        other => failed(&format!("{other:?}")),
    }
}

/// Why a name has no address.
fn unknown_name(code: &LookupCode) -> Failure {
    match code {
        LookupCode::AccessDenied => Failure::NotAllowed,
        LookupCode::Other(_) => failed(&format!("{code:?}")),
        LookupCode::InvalidArgument
        | LookupCode::NameUnresolvable
        | LookupCode::TemporaryResolverFailure
        | LookupCode::PermanentResolverFailure => Failure::UnknownName,
    }
}

/// What leads to no action of a user: the log has the platform's words for it.
fn failed(words: &str) -> Failure {
    log::line(log::Level::Warning, "connection", [("error", words.into())]);
    Failure::Platform
}

fn from_wasi(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => IpAddr::from([a, b, c, d]),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => IpAddr::from([a, b, c, d, e, f, g, h]),
    }
}

fn to_wasi(address: IpAddr, port: u16) -> (IpAddressFamily, IpSocketAddress) {
    // WASI refuses IPv4 addresses that are written as IPv6 ones.
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let address = Ipv4SocketAddress {
                port,
                address: (a, b, c, d),
            };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(address))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments();
            let address = Ipv6SocketAddress {
                port,
                flow_info: 0,
                address: (a, b, c, d, e, f, g, h),
                scope_id: 0,
            };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    }
}
