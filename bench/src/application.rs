//! The application on the embedded host, as `scripts/up` runs it.

use crate::process::Server;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use windlass_tests::{Answer, Outgoing};

/// The binary that runs applications, if it is not the embedded host.
static SPIN: OnceLock<PathBuf> = OnceLock::new();

/// Lets a binary of Spin run the application.
pub fn run_on(spin: Option<String>) {
    if let Some(path) = spin {
        SPIN.get_or_init(|| PathBuf::from(path));
    }
}

const PASSWORD: &str = "only for the benchmark";
const TICK_TOKEN: &str = "only for the benchmark's ticks";

/// A host with an empty state, its schedules running.
pub struct Application {
    server: Option<Server>,
    listen: SocketAddr,
    state: PathBuf,
}

impl Application {
    /// Starts it.
    pub fn start() -> Result<Self> {
        // The schedules must know the port before the host has it.
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let state = std::env::temp_dir().join(format!("windlass-bench-{}", listen.port()));
        std::fs::create_dir_all(&state)?;
        let mut application = Self {
            server: None,
            listen,
            state,
        };
        application.restart()?;
        Ok(application)
    }

    /// Stops and starts it; the time from the start of the process to its first answer.
    pub fn restart(&mut self) -> Result<Duration> {
        self.server = None;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let path = |variable: &str, usual: &str| match std::env::var_os(variable) {
            Some(path) => PathBuf::from(path),
            None => folder.join(usual),
        };
        let host = || path("WINDLASS_HOST", "target/release/windlass-host");
        let mut command = Command::new(SPIN.get().cloned().unwrap_or_else(host));
        command
            .arg("up")
            .arg("--from")
            .arg(path("WINDLASS_MANIFEST", "spin.toml"));
        command.arg("--state-dir").arg(&self.state);
        command.arg("--listen").arg(self.listen.to_string());
        command
            .arg("--variable")
            .arg(format!("admin_password={PASSWORD}"));
        command
            .arg("--variable")
            .arg(format!("self_url=http://{}", self.listen));
        command
            .arg("--variable")
            .arg(format!("status_jwt_secret={}", crate::status::SECRET));
        command
            .arg("--variable")
            .arg(format!("tick_token={TICK_TOKEN}"));
        // Receivers of the benchmark's are on this machine.
        command.arg("--variable").arg("outbound_allow_private=true");
        let begun = Instant::now();
        self.server = Some(Server::start(command)?);
        self.call("GET", "/status", None, 200)?;
        Ok(begun.elapsed())
    }

    /// Stops it; its state stays.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Lets it come to rest: longer than an idle instance is kept.
    pub fn rest(&self) -> Result<()> {
        std::thread::sleep(Duration::from_secs(7));
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.state.join("sqlite_db.db")
    }

    /// The memory of the host, in bytes.
    pub fn memory(&self) -> Result<u64> {
        self.server.as_ref().context("it runs")?.memory()
    }

    /// The processor time that the host has taken so far.
    pub fn processor_time(&self) -> Result<Duration> {
        self.server.as_ref().context("it runs")?.processor_time()
    }

    /// Who calls.
    pub fn headers(&self) -> Vec<(String, String)> {
        let secret = base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"));
        vec![
            ("authorization".into(), format!("Basic {secret}")),
            ("tenant".into(), "default_tenant".into()),
        ]
    }

    /// Who asks for a tick.
    pub fn tick_headers() -> Vec<(String, String)> {
        vec![("x-windlass-tick-token".into(), TICK_TOKEN.into())]
    }

    /// The same caller, by a token that is made for it.
    pub fn token(&self) -> Result<Vec<(String, String)>> {
        let made = self.call("POST", "/tokens", Some(b"{}".to_vec()), 200)?;
        let value = made["value"].as_str().context("a token has a value")?;
        Ok(vec![
            ("authentication-token".into(), value.to_owned()),
            ("tenant".into(), "default_tenant".into()),
        ])
    }

    /// The same caller, as the other families want it.
    pub fn bearer(&self) -> Result<Vec<(String, String)>> {
        let made = self.call("POST", "/tokens", Some(b"{}".to_vec()), 200)?;
        let value = made["value"].as_str().context("a token has a value")?;
        Ok(vec![("x-auth-token".into(), value.to_owned())])
    }

    /// The caller's name and password.
    pub fn login(&self) -> (&'static str, &'static str) {
        ("admin", PASSWORD)
    }

    /// One call of Conductor's API; an error for another status.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        want: u16,
    ) -> Result<Value> {
        self.call_at(method, &format!("/api/v3.1{path}"), body, want)
    }

    /// Waits until an execution has ended well.
    pub fn ended(&self, id: &Value, patience: Duration) -> Result<()> {
        let id = id.as_str().context("an execution has an id")?;
        let path = format!("/executions/{id}?_include=status,error,workflow_id");
        let begun = Instant::now();
        loop {
            let now = self.call("GET", &path, None, 200)?;
            if now["status"] == "terminated" {
                return Ok(());
            }
            let is_under_way = ["pending", "queued", "started"]
                .iter()
                .any(|one| now["status"] == *one);
            ensure!(is_under_way && begun.elapsed() < patience, "{now}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// One call of any API.
    pub fn call_at(
        &self,
        method: &str,
        path: &str,
        body: Option<Vec<u8>>,
        want: u16,
    ) -> Result<Value> {
        let mut headers = self.headers();
        headers.push(("content-type".into(), "application/json".into()));
        let request = Outgoing {
            method: method.into(),
            path: path.into(),
            headers,
            body,
        };
        let Answer { status, body, .. } =
            windlass_tests::send(self.listen, &request).map_err(anyhow::Error::msg)?;
        if status != want {
            bail!(
                "{method} {} answered {status}: {}",
                request.path,
                String::from_utf8_lossy(&body)
            );
        }
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.server = None;
        let _ = std::fs::remove_dir_all(&self.state);
    }
}
