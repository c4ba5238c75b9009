//! A host that serves, as tests and the command line see it.

use crate::faults::Faults;
use crate::key_value::Store;
use crate::measured::Measured;
use crate::router::Router;
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// The key in the store `default` under which the application keeps the token of its tick.
const TICK_TOKEN_KEY: &str = "core/tick-token";
/// Ticks that [`RunningHost::run_pending_work`] makes at most.
const MAX_TICKS: usize = 1000;

/// A running host. Dropping it stops it.
pub struct RunningHost {
    parts: Parts,
}

/// What a running host is made of.
pub(crate) struct Parts {
    pub address: SocketAddr,
    pub state_dir: PathBuf,
    pub routes: Arc<Router>,
    pub tick_token: String,
    pub key_value: Store,
    pub faults: Arc<Faults>,
    pub stop: watch::Sender<bool>,
    pub threads: Vec<JoinHandle<()>>,
    pub measured: Arc<Measured>,
    pub temporary_state: bool,
}

impl RunningHost {
    pub(crate) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// `http://<address>:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.parts.address)
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.parts.address
    }

    /// What it measures.
    pub fn measured(&self) -> Arc<Measured> {
        self.parts.measured.clone()
    }

    /// The folder of the databases.
    pub fn state_dir(&self) -> &Path {
        &self.parts.state_dir
    }

    /// Route and component of every public route, in the order of spin.toml.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &str)> {
        let routes = self.parts.routes.routes().iter();
        routes.map(|route| (route.pattern.as_str(), route.component.as_str()))
    }

    /// The faults of this host; all off at the start.
    pub fn faults(&self) -> &Faults {
        &self.parts.faults
    }

    /// The application's key-value store `default`.
    pub fn key_value(&self) -> &Store {
        &self.parts.key_value
    }

    /// Runs everything that is due: posts `/internal/tick` until it answers that nothing ran.
    /// The error says what the tick answered, or that work never ends.
    pub fn run_pending_work(&self) -> Result<()> {
        for _ in 0..MAX_TICKS {
            let (status, body) = self.tick()?;
            if !(200..300).contains(&status) {
                bail!("POST /internal/tick answered {status}: {body}");
            }
            let answer: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            let ran = answer.get("ran").and_then(serde_json::Value::as_u64);
            if ran.unwrap_or(0) == 0 {
                return Ok(());
            }
        }
        bail!("there is still work after {MAX_TICKS} ticks");
    }

    fn tick(&self) -> Result<(u16, String)> {
        self.post_internal("/internal/tick", "")
    }

    /// Posts JSON to a private endpoint of the application: with the tick's token, as its own parts do.
    /// Answers the status and the body.
    pub fn post_internal(&self, path: &str, body: &str) -> Result<(u16, String)> {
        let mut token = self.parts.tick_token.clone();
        if token.is_empty()
            && let Ok(Some(stored)) = self.parts.key_value.get(TICK_TOKEN_KEY)
        {
            token = String::from_utf8_lossy(&stored).into_owned();
        }
        let address = self.parts.address;
        let mut stream = TcpStream::connect(address).context("the host does not answer")?;
        stream.set_read_timeout(Some(Duration::from_secs(90)))?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nx-windlass-tick-token: {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("the host's answer is not HTTP")?;
        let chunked = head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked");
        let body = if chunked {
            dechunk(body)
        } else {
            body.to_owned()
        };
        Ok((status, body))
    }

    /// Stops accepting, lets requests finish (at most ten seconds), and waits for the end.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.parts.stop.send_replace(true);
        for thread in self.parts.threads.drain(..) {
            let _ = thread.join();
        }
        if self.parts.temporary_state {
            let _ = std::fs::remove_dir_all(&self.parts.state_dir);
        }
    }
}

impl Drop for RunningHost {
    fn drop(&mut self) {
        self.end();
    }
}

/// Puts the chunks of a body together.
fn dechunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = rest.get(..size).filter(|_| size > 0) else {
            break;
        };
        whole.push_str(chunk);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}
