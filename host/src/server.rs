//! Listening: one thread per core, each with its own runtime, listener and instances.
//!
//! The kernel spreads connections over the listeners (`SO_REUSEPORT`), so nothing moves between
//! cores while a request is answered.

use crate::core_app::{CoreApp, client_header};
use crate::strict::{Lines, Watched};
use anyhow::{Context, Result, bail};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::watch;

/// How long a stopping host waits for requests that are under way.
pub const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// The longest head of a request, in bytes, and how much of a response waits for a slow client.
const HEAD_BYTES: usize = 128 << 10;

/// Opens `count` listeners on one address. Port 0 is replaced by a free one.
pub fn listen(address: SocketAddr, count: usize) -> Result<(SocketAddr, Vec<TcpListener>)> {
    // Without SO_REUSEPORT, so that a second host on the same port is noticed.
    let probe = bind(address, false).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is already in use: stop what listens there, or choose another with --listen"
        ),
        _ => anyhow::anyhow!("cannot listen on {address}: {error}"),
    })?;
    let address = probe.local_addr()?;
    drop(probe);
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| bind(address, true))
        .collect::<std::io::Result<_>>()
        .with_context(|| format!("cannot listen on {address}"))?;
    if listeners.is_empty() {
        bail!("at least one thread is needed");
    }
    Ok((address, listeners))
}

fn bind(address: SocketAddr, shared: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if shared {
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    if shared {
        socket.listen(1024)?;
    }
    Ok(socket.into())
}

/// Serves until `stopping` becomes true, then lets requests and instances finish, within
/// [`STOP_LIMIT`]. `alive` counts the instances.
pub async fn serve(
    listener: TcpListener,
    app: Arc<CoreApp>,
    mut stopping: watch::Receiver<bool>,
    alive: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, address)) = accepted else {
            // Too many open files, most likely: others have to close theirs first.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // A head and a body that follow each other must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let counted = Counted::new(&connections);
        let app = app.clone();
        let mut stopping = stopping.clone();
        tokio::spawn(async move {
            let _counted = counted;
            let client = client_header(address);
            let lines = Lines::default();
            let service = service_fn(|request| {
                let app = app.clone();
                let client = client.clone();
                let lines = lines.clone();
                async move { Ok::<_, Infallible>(app.respond(request, &client, &lines).await) }
            });
            let stream = Watched::new(stream, lines.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_LIMIT)
                .max_buf_size(HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            let mut connection = pin!(connection);
            tokio::select! {
                ended = connection.as_mut() => {
                    // A client that goes away early is not worth a word, one that speaks no HTTP is.
                    if let Err(error) = ended && error.is_parse() {
                        app.tell_malformed(&address, &error);
                    }
                    return;
                }
                _ = stopping.wait_for(|stop| *stop) => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }
    drop(listener);
    let finished = async {
        while connections.load(SeqCst) > 0 || alive.load(SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(STOP_LIMIT, finished).await;
    Ok(())
}

/// Counts an open connection.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
