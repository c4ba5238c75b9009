//! WASI 0.3 sockets. A connection is two streams of bytes, each with a future that tells why it ended.

use super::{bare, too_slow};
use futures_util::future::{Either, select};
use std::net::IpAddr;
use std::time::Duration;
use wasip3::sockets::ip_name_lookup::resolve_addresses;
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

pub async fn connect(host: &str, port: u16, timeout: Duration) -> Result<Connection, String> {
    let socket = within(timeout, open(bare(host), port)).await?;
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
async fn open(host: &str, port: u16) -> Result<TcpSocket, String> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => resolve_addresses(host.to_owned())
            .await
            .map_err(|error| format!("the name could not be looked up ({error:?})"))?
            .into_iter()
            .map(from_wasi)
            .collect(),
    };
    let mut last = "the name has no address".to_owned();
    for address in addresses {
        let (family, remote) = to_wasi(address, port);
        let socket = TcpSocket::create(family).map_err(|error| text(&error))?;
        match socket.connect(remote).await {
            Ok(()) => return Ok(socket),
            Err(ErrorCode::AccessDenied) => {
                last = format!("allowed_outbound_hosts allows no connection to {address}");
            }
            Err(error) => last = text(&error),
        }
    }
    Err(last)
}

impl Connection {
    pub async fn write_all(&mut self, bytes: &[u8]) -> Result<(), String> {
        let writing = async { Ok(self.writer.write_all(bytes.to_vec()).await) };
        let left = within(self.timeout, writing).await?;
        if left.is_empty() {
            return Ok(());
        }
        Err(why(self.sent.take(), self.timeout).await)
    }

    pub async fn read(&mut self) -> Result<Vec<u8>, String> {
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
                Err(error) => Err(text(&error)),
            },
            None => Ok(Vec::new()),
        }
    }
}

/// Why a stream takes no more bytes.
async fn why(end: Option<End>, timeout: Duration) -> String {
    let closed = "the other side closed the connection".to_owned();
    match end {
        Some(end) => match within(timeout, async { Ok(end.await) }).await {
            Ok(Err(error)) => text(&error),
            Ok(Ok(())) | Err(_) => closed,
        },
        None => closed,
    }
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let alarm = std::pin::pin!(wasip3::clocks::monotonic_clock::wait_for(nanos));
    match select(std::pin::pin!(work), alarm).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(too_slow(timeout)),
    }
}

fn text(error: &ErrorCode) -> String {
    match error {
        ErrorCode::ConnectionRefused => "connection refused".to_owned(),
        ErrorCode::ConnectionReset | ErrorCode::ConnectionBroken => {
            "the other side broke off the connection".to_owned()
        }
        ErrorCode::RemoteUnreachable => "the address cannot be reached".to_owned(),
        ErrorCode::Timeout => "the connection timed out".to_owned(),
        other => format!("{other:?}"),
    }
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
