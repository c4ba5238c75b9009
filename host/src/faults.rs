//! Faults that tests inject: a slow or failing disk, a slow or failing network, a killed process.
//!
//! All are off unless a test asks: through [`RunningHost::faults`](crate::RunningHost::faults), or for
//! the binary through the environment variable `WINDLASS_FAULT`, a comma-separated list of
//!
//! | fault | what happens |
//! |---|---|
//! | `slow-statement:MILLIS` | every SQLite statement waits so long before it runs |
//! | `fail-statement:N` | the N-th statement from the start answers an I/O error |
//! | `fail-commit:N` | the N-th commit does; its transaction stays open |
//! | `kill-before-commit:N` | the process aborts just before the N-th commit |
//! | `kill-after-commit:N` | the process aborts just after the N-th commit, before anybody is told |
//! | `fail-key-value-set` | every write to the key-value store fails |
//! | `full-disk:PATH` | the disk counts as full while there is a file at PATH |
//! | `slow-key-value:MILLIS` | every call of the key-value store waits so long |
//! | `busy-begin:N` | the first N transactions are told that the database is locked, at once |
//! | `expire-connection:N` | the N-th statement finds that the server knows its connection no more, for ever |
//! | `break-connection:N` | the connection of the N-th statement breaks after it ran, for ever |
//! | `one-statement` | a second statement on a connection, before the first was read to its end, is an error |
//! | `slow-outbound:MILLIS` | every outbound request waits so long |
//! | `fail-outbound` | every outbound request is refused |
//! | `resolve:NAME=ADDRESS` | a name leads to this address; of several for a name, each is for one request and the last for all that follow |
//!
//! A statement that writes outside a transaction counts as a commit. The key-value store's own
//! statements do not count.

use anyhow::{Context, Result, bail};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

const DISK_ERROR: &str = "disk I/O error (injected fault)";

/// The faults of one host. Counting starts at 1; 0 means off.
#[derive(Debug, Default)]
pub struct Faults {
    slow_statement_millis: AtomicU64,
    statements: Countdown,
    fail_commit: Countdown,
    kill_before_commit: Countdown,
    kill_after_commit: Countdown,
    fail_key_value_set: AtomicBool,
    slow_outbound_millis: AtomicU64,
    fail_outbound: AtomicBool,
    full_disk: OnceLock<PathBuf>,
    slow_key_value_millis: AtomicU64,
    busy_begins: AtomicU64,
    pub(crate) expire_connection: Countdown,
    pub(crate) break_connection: Countdown,
    one_statement: AtomicBool,
    addresses: Mutex<Vec<(String, IpAddr)>>,
}

/// What happens to the connection of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionFault {
    None,
    /// The statement does not run.
    Expired,
    /// It runs, and its answer is lost.
    Broken,
}

impl ConnectionFault {
    /// What the component is told, in the words of a server.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::None | Self::Expired => {
                "The stream has expired due to inactivity (injected fault)"
            }
            Self::Broken => "stream closed: connection reset (injected fault)",
        }
    }
}

/// What to do instead of a commit.
pub(crate) enum CommitFault {
    None,
    Fail(String),
}

impl Faults {
    /// Reads the list of faults described in the module's documentation.
    pub fn parse(list: &str) -> Result<Self> {
        let faults = Self::default();
        for fault in list.split(',').map(str::trim).filter(|f| !f.is_empty()) {
            let (name, number) = match fault.split_once(':') {
                Some(("full-disk", path)) => {
                    let known = faults.full_disk.set(path.into());
                    known.map_err(|_| anyhow::anyhow!("fault `{fault}`: it is there already"))?;
                    continue;
                }
                Some(("resolve", entry)) => {
                    faults.resolve(entry)?;
                    continue;
                }
                Some((name, number)) => {
                    let number: u64 = number
                        .parse()
                        .with_context(|| format!("fault `{fault}`: not a number"))?;
                    (name, number)
                }
                None => (fault, 1),
            };
            match name {
                "slow-statement" => faults.slow_statements(Duration::from_millis(number)),
                "fail-statement" => faults.fail_statement(number),
                "fail-commit" => faults.fail_commit(number),
                "kill-before-commit" => faults.kill_before_commit.set(number),
                "kill-after-commit" => faults.kill_after_commit.set(number),
                "slow-key-value" => faults.slow_key_value_millis.store(number, SeqCst),
                "busy-begin" => faults.busy_begins.store(number, SeqCst),
                "expire-connection" => faults.expire_connection.set(number),
                "break-connection" => faults.break_connection.set(number),
                "one-statement" => faults.one_statement.store(true, SeqCst),
                "fail-key-value-set" => faults.fail_key_value_sets(true),
                "slow-outbound" => faults.slow_outbound(Duration::from_millis(number)),
                "fail-outbound" => faults.fail_outbound(true),
                _ => bail!("WINDLASS_FAULT knows no fault `{name}`"),
            }
        }
        Ok(faults)
    }

    /// Every SQLite statement waits `delay` before it runs; zero switches it off.
    pub fn slow_statements(&self, delay: Duration) {
        self.slow_statement_millis.store(millis(delay), SeqCst);
    }

    /// The `n`-th statement from now answers an I/O error; 0 switches it off.
    pub fn fail_statement(&self, n: u64) {
        self.statements.set(n);
    }

    /// The `n`-th commit from now answers an I/O error; 0 switches it off.
    pub fn fail_commit(&self, n: u64) {
        self.fail_commit.set(n);
    }

    /// Whether writes to the key-value store fail.
    pub fn fail_key_value_sets(&self, fail: bool) {
        self.fail_key_value_set.store(fail, SeqCst);
    }

    /// Every outbound request waits `delay`; zero switches it off.
    pub fn slow_outbound(&self, delay: Duration) {
        self.slow_outbound_millis.store(millis(delay), SeqCst);
    }

    /// Whether outbound requests are refused as by an unreachable peer.
    pub fn fail_outbound(&self, fail: bool) {
        self.fail_outbound.store(fail, SeqCst);
    }

    fn resolve(&self, entry: &str) -> Result<()> {
        let (name, address) = entry
            .split_once('=')
            .with_context(|| format!("fault `resolve:{entry}`: not NAME=ADDRESS"))?;
        let address = address
            .parse()
            .with_context(|| format!("fault `resolve:{entry}`: not an address"))?;
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        addresses.push((name.to_owned(), address));
        Ok(())
    }

    /// Where a name leads instead of where it does.
    pub(crate) fn address_of(&self, name: &str) -> Option<IpAddr> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut known = (0..addresses.len()).filter(|place| {
            addresses
                .get(*place)
                .is_some_and(|(known, _)| known == name)
        });
        let (first, is_last) = (known.next()?, known.next().is_none());
        match is_last {
            true => addresses.get(first).map(|(_, address)| *address),
            false => Some(addresses.remove(first).1),
        }
    }

    /// Switches every fault off.
    pub fn clear(&self) {
        self.slow_statements(Duration::ZERO);
        self.fail_statement(0);
        self.fail_commit(0);
        self.kill_before_commit.set(0);
        self.kill_after_commit.set(0);
        self.fail_key_value_sets(false);
        self.slow_outbound(Duration::ZERO);
        self.fail_outbound(false);
        self.slow_key_value_millis.store(0, SeqCst);
        self.busy_begins.store(0, SeqCst);
        self.expire_connection.set(0);
        self.break_connection.set(0);
        self.one_statement.store(false, SeqCst);
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(crate) async fn before_statement(&self) -> Result<(), String> {
        let millis = self.slow_statement_millis.load(SeqCst);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        if self.statements.is_due() {
            return Err(DISK_ERROR.to_owned());
        }
        Ok(())
    }

    /// What happens to the connection that runs this statement.
    pub(crate) fn of_connection(&self) -> ConnectionFault {
        if self.expire_connection.is_due() {
            ConnectionFault::Expired
        } else if self.break_connection.is_due() {
            ConnectionFault::Broken
        } else {
            ConnectionFault::None
        }
    }

    /// Whether a transaction that begins is told that the database is locked.
    pub(crate) fn is_begin_busy(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        self.busy_begins.load(SeqCst) > 0
            && self
                .busy_begins
                .fetch_update(SeqCst, SeqCst, one_less)
                .is_ok()
    }

    /// Whether a connection may have one statement under way only.
    pub(crate) fn wants_one_statement(&self) -> bool {
        self.one_statement.load(SeqCst)
    }

    /// Whether the disk counts as full now.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.full_disk.get().is_some_and(|path| path.exists())
    }

    /// Waits as asked before a call of the key-value store.
    pub(crate) async fn before_key_value(&self) {
        let millis = self.slow_key_value_millis.load(SeqCst);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    pub(crate) fn before_commit(&self) -> CommitFault {
        if self.kill_before_commit.is_due() {
            std::process::abort();
        }
        if self.fail_commit.is_due() {
            return CommitFault::Fail(DISK_ERROR.to_owned());
        }
        CommitFault::None
    }

    pub(crate) fn after_commit(&self) {
        if self.kill_after_commit.is_due() {
            std::process::abort();
        }
    }

    pub(crate) fn before_key_value_set(&self) -> Result<(), String> {
        if self.fail_key_value_set.load(SeqCst) {
            return Err(DISK_ERROR.to_owned());
        }
        Ok(())
    }

    /// Waits as asked, then tells whether the request may go out.
    pub(crate) async fn before_outbound(&self) -> bool {
        let millis = self.slow_outbound_millis.load(SeqCst);
        if millis > 0 {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        !self.fail_outbound.load(SeqCst)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Fires once, at the n-th event.
#[derive(Debug, Default)]
pub(crate) struct Countdown(AtomicU64);

impl Countdown {
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, SeqCst);
    }

    fn is_due(&self) -> bool {
        // The usual case costs one load.
        self.0.load(SeqCst) > 0
            && self
                .0
                .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
                == Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_fires_once_at_its_number() {
        let faults = Faults::parse("fail-commit:3, slow-outbound:5").unwrap();
        let failed: Vec<bool> = (0..5)
            .map(|_| matches!(faults.before_commit(), CommitFault::Fail(_)))
            .collect();
        assert_eq!(failed, [false, false, true, false, false]);
    }

    #[test]
    fn unknown_faults_are_refused() {
        for list in ["explode", "fail-commit:x"] {
            assert!(Faults::parse(list).is_err(), "{list}");
        }
    }
}
