//! What can be chosen when a host is started.

use crate::logs::Logger;
use crate::running::RunningHost;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The choices for one host. Made with [`HostOptions::new`] for a server, or with
/// [`HostOptions::for_test`]; the fields may be changed before [`HostOptions::start`].
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The path of spin.toml.
    pub manifest: PathBuf,
    /// Where to listen; port 0 means a free one.
    pub listen: SocketAddr,
    /// The folder of the databases.
    pub state_dir: PathBuf,
    /// The folder of compiled components.
    pub cache_dir: PathBuf,
    /// The program that compiles components, called as `PROGRAM compile`: `windlass-host` itself. The
    /// compiler takes far more memory than the application, and a process of its own gives it back.
    /// Without one, components are compiled in this process.
    pub compiler: Option<PathBuf>,
    /// Values of application variables.
    pub variables: BTreeMap<String, String>,
    /// The components to run; all if empty. Routes of others are not served.
    pub components: BTreeSet<String>,
    /// Whether cron triggers run.
    pub cron: bool,
    /// Threads that serve requests.
    pub threads: usize,
    /// The most memory of an instance, in bytes.
    pub max_memory: usize,
    /// How long a request may take until its response begins; a single SQL statement, too.
    pub request_timeout: Duration,
    /// How long an instance without requests is kept.
    pub idle_timeout: Duration,
    /// Requests an instance answers in its life.
    pub instance_requests: usize,
    /// Requests an instance answers at once.
    pub instance_concurrency: usize,
    /// How the host itself logs.
    pub logger: Logger,
    /// Whether what components print is passed on.
    pub show_output: bool,
    /// Faults to inject, as a list that [`Faults::parse`](crate::Faults::parse) reads.
    pub faults: Option<String>,
    /// Whether the state directory is removed when the host stops.
    pub temporary_state: bool,
}

impl HostOptions {
    /// The defaults for the application in `manifest`: the port and the state that `spin up` uses.
    pub fn new(manifest: impl Into<PathBuf>) -> Self {
        let manifest = manifest.into();
        let folder = manifest.parent().map_or_else(PathBuf::new, Path::to_owned);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            state_dir: folder.join(".spin"),
            cache_dir: folder.join(".windlass").join("cache"),
            compiler: None,
            variables: BTreeMap::new(),
            components: BTreeSet::new(),
            cron: true,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            max_memory: 256 << 20,
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(5),
            instance_requests: 128,
            instance_concurrency: 16,
            logger: Logger::default(),
            show_output: true,
            faults: None,
            temporary_state: false,
            manifest,
        }
    }

    /// For tests: a free port, a state directory of its own that goes away with the host, one
    /// thread, no schedules, and silence but for problems.
    pub fn for_test(manifest: impl Into<PathBuf>) -> Self {
        let mut options = Self::new(manifest);
        options.listen.set_port(0);
        options.state_dir = unique_folder();
        options.temporary_state = true;
        options.cron = false;
        options.threads = 1;
        options.logger.quiet = true;
        options
    }

    /// Sets the value of an application variable.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Keeps the state in `folder`, also after the host stopped: for tests that start it again.
    #[must_use]
    pub fn keep_state_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = folder.into();
        self.temporary_state = false;
        self
    }

    /// Starts the host. It serves when this returns.
    pub fn start(self) -> Result<RunningHost> {
        crate::host::start(self)
    }
}

fn unique_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Relaxed);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.subsec_nanos());
    let name = format!("windlass-{}-{number}-{nanos}", std::process::id());
    std::env::temp_dir().join(name)
}
