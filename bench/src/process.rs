//! A child process that serves on loopback.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server of its own process. Ends with the value.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a command that prints `Serving http://ADDRESS` when it serves.
    pub fn start(mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {command:?}: build it first"))?;
        let mut lines =
            BufReader::new(child.stdout.take().context("standard output is piped")?).lines();
        let address = loop {
            let Some(line) = lines.next().transpose()? else {
                bail!("{command:?} did not start")
            };
            if let Some(address) = line.trim().strip_prefix("Serving http://") {
                break address.parse()?;
            }
        };
        // What it prints later goes nowhere, and must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// The memory it holds now, in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .context("the system tells no VmRSS")?;
        Ok(kilobytes.parse::<u64>()? << 10)
    }

    /// The processor time it has taken so far, of all its threads.
    pub fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = times.split_whitespace().next();
            nanoseconds += first.context("the system tells no time")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
