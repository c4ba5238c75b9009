//! The host as a process: started on a state folder, stopped, killed, and what it prints.

use crate::secrets;
use crate::windlass::Options;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The host's process.
pub(crate) struct Process {
    child: Child,
    pub address: SocketAddr,
    stdout: Lines,
    pub stderr: Lines,
}

impl Process {
    pub fn start(options: &Options, state: &Path) -> Self {
        let mut command = Command::new(host());
        command
            .arg("up")
            .arg("--from")
            .arg(manifest())
            .arg("--state-dir")
            .arg(state);
        command.args(["--listen", "127.0.0.1:0", "--no-cron"]);
        for (name, value) in &options.variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        if let Some(most) = options.memory_mib {
            command.arg("--max-memory-mib").arg(most.to_string());
        }
        command.args(&options.arguments);
        match &options.faults {
            Some(faults) => command.env("WINDLASS_FAULT", faults),
            None => command.env_remove("WINDLASS_FAULT"),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", host().display()));
        let stderr = Lines::collect(child.stderr.take().expect("standard error is piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut before = String::new();
        let address = loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap_or(0) == 0 {
                let _ = child.wait();
                panic!("the host did not start:\n{before}{}", stderr.text());
            }
            if let Some(url) = line.trim().strip_prefix("Serving http://") {
                break url.parse().expect("the host tells its address");
            }
            before.push_str(&line);
        };
        let stdout = Lines::collect_after(before, stdout);
        for (_, value) in options.variables.iter().filter(|(name, _)| is_secret(name)) {
            secrets::keep(address, value);
        }
        Self {
            child,
            address,
            stdout,
            stderr,
        }
    }

    /// Asks the process to end and waits until it did.
    pub fn terminate(&mut self) {
        let asked = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(asked.is_ok_and(|status| status.success()), "kill(1) works");
        let status = self.child.wait().expect("the host is a child of the test");
        assert!(
            status.success(),
            "the host ended with {status}:\n{}",
            self.stderr.text()
        );
    }

    /// Ends the process, if it did not yet; what it printed on both outputs.
    pub fn end(mut self) -> (String, String) {
        self.kill();
        (self.stdout.text(), self.stderr.text())
    }

    /// SIGKILL, and whatever it printed before is there.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stdout.join();
        self.stderr.join();
        secrets::demand_none(self.address, &self.stderr.text());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a variable of the application holds what no log may hold.
fn is_secret(variable: &str) -> bool {
    let words = ["password", "token", "secret", "key"];
    words.iter().any(|word| variable.contains(word))
}

/// What a process prints, collected as it comes.
pub(crate) struct Lines {
    text: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn collect(from: impl Read + Send + 'static) -> Self {
        Self::collect_after(String::new(), from)
    }

    /// The same, after what was read already.
    fn collect_after(before: String, from: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(before));
        let collected = text.clone();
        let reader = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while from.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                let mut text = collected.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    pub fn text(&self) -> String {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// The folder of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the repository")
}

/// Runs a command of the host on a state folder.
pub fn host_command(state: &Path, arguments: &[&str]) -> Output {
    host_command_on(&manifest(), state, arguments, &[])
}

/// The same for the application of another `spin.toml`, with these variables in the environment.
pub fn host_command_on(
    manifest: &Path,
    state: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(host());
    command
        .args(arguments)
        .arg("--from")
        .arg(manifest)
        .arg("--state-dir")
        .arg(state)
        .envs(environment.iter().copied());
    command.output().expect("the host can be run")
}

/// The host: what `WINDLASS_HOST` names, or the release build.
fn host() -> PathBuf {
    match std::env::var_os("WINDLASS_HOST") {
        Some(host) => host.into(),
        None => repository().join("target/release/windlass-host"),
    }
}

/// The application: what `WINDLASS_MANIFEST` names, or the one of the repository.
fn manifest() -> PathBuf {
    match std::env::var_os("WINDLASS_MANIFEST") {
        Some(manifest) => manifest.into(),
        None => repository().join("spin.toml"),
    }
}
