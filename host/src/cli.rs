//! The command line.

use crate::lock::Lock;
use crate::{accounts, backup, check, store};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use windlass_host::{HostOptions, LogFile, LogFormat, Logger, RunningHost};

/// Runs a Spin application on an embedded Wasm runtime.
#[derive(Parser)]
#[command(name = "windlass-host", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the application until it is told to stop (SIGINT or SIGTERM).
    Up(Box<Up>),
    /// Gives a user a new password and prints it. Works whether the application is running or not.
    ResetPassword(Account),
    /// Forgets a user's failed logins, so that the right password counts again, from everywhere.
    Unlock(Account),
    /// Looks whether the application could work as it is set up: settings, state, schema, stores, mail.
    /// Prints a line for each and fails when one is wrong. Works whether it is running or not.
    Check(Box<Check>),
    /// Copies the state into a new folder. The application may be running and goes on.
    Backup(Backup),
    /// Puts a backup in the place of the state, which is kept beside it. The application must not be
    /// running.
    Restore(Restore),
    /// Looks for what is wrong in the databases and prints it; fails when something is left. Works
    /// whether the application is running or not.
    AuditStore(AuditStore),
    /// Reads a component from standard input and writes its machine code to standard output.
    #[command(hide = true)]
    Compile(Compile),
}

#[derive(Args)]
struct Account {
    /// The user's name.
    username: String,

    #[command(flatten)]
    of: Application,
}

#[derive(Args)]
struct AuditStore {
    /// Also mends what can be mended: numbers that are off, and what was left behind.
    #[arg(long)]
    repair: bool,

    #[command(flatten)]
    of: Application,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    of: Application,

    /// The value of an application variable, as it is given to `up`; may be repeated.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,
}

#[derive(Args)]
struct Backup {
    /// The folder to make.
    #[arg(value_name = "DIR")]
    to: PathBuf,

    #[command(flatten)]
    of: Application,
}

#[derive(Args)]
struct Restore {
    /// The folder that `backup` made.
    #[arg(value_name = "DIR")]
    backup: PathBuf,

    #[command(flatten)]
    of: Application,
}

/// Which application a command is about.
#[derive(Args)]
struct Application {
    /// The application: spin.toml, or the folder it is in [default: the current folder, else the one that
    /// this program is in].
    #[arg(short = 'f', long = "from", alias = "file")]
    from: Option<PathBuf>,

    /// The folder of the databases [default: `.spin` beside spin.toml].
    #[arg(long)]
    state_dir: Option<PathBuf>,

    /// The folder of compiled components [default: `.windlass/cache` beside spin.toml].
    #[arg(long, env = "WINDLASS_CACHE_DIR")]
    cache_dir: Option<PathBuf>,
}

impl Application {
    fn options(&self) -> HostOptions {
        let mut options = HostOptions::new(manifest(self.from.as_deref()));
        if let Some(state_dir) = &self.state_dir {
            options.state_dir.clone_from(state_dir);
        }
        if let Some(cache_dir) = &self.cache_dir {
            options.cache_dir.clone_from(cache_dir);
        }
        options
    }
}

impl Account {
    fn reset_password(&self) -> Result<()> {
        let password = accounts::reset_password(self.of.options(), &self.username)?;
        println!("The new password of `{}`: {password}", self.username);
        Ok(())
    }

    fn unlock(&self) -> Result<()> {
        accounts::unlock(self.of.options(), &self.username)?;
        println!("`{}` is unlocked", self.username);
        Ok(())
    }
}

#[derive(Args)]
struct Compile {
    /// The most memory of one instance, in bytes.
    #[arg(long, value_name = "BYTES")]
    max_memory: usize,
}

#[derive(Args)]
struct Up {
    /// The application: spin.toml, or the folder it is in [default: the current folder, else the one that
    /// this program is in].
    #[arg(short = 'f', long = "from", alias = "file")]
    from: Option<PathBuf>,

    /// Address and port to listen on; port 0 means a free one.
    #[arg(long, env = "SPIN_HTTP_LISTEN_ADDR", default_value = "127.0.0.1:3000", value_parser = parse_address)]
    listen: SocketAddr,

    /// The folder of the databases [default: `.spin` beside spin.toml].
    #[arg(long)]
    state_dir: Option<PathBuf>,

    /// The folder of compiled components [default: `.windlass/cache` beside spin.toml].
    #[arg(long, env = "WINDLASS_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    /// The value of an application variable; may be repeated. SPIN_VARIABLE_<NAME> in the
    /// environment does the same.
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = parse_variable)]
    variables: Vec<(String, String)>,

    /// Run this component only; may be repeated.
    #[arg(short = 'c', long = "component-id", value_name = "ID")]
    components: Vec<String>,

    /// Do not run cron triggers.
    #[arg(long)]
    no_cron: bool,

    /// Threads that serve requests [default: one per core].
    #[arg(long)]
    threads: Option<usize>,

    /// The most memory of one instance, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_memory_mib: u16,

    /// How long a request may take until its response begins, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    request_timeout: u64,

    /// How long an instance without requests is kept, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    idle_timeout: u64,

    /// Requests that one instance answers in its life.
    #[arg(long, value_name = "COUNT", default_value_t = 128)]
    max_instance_reuse_count: usize,

    /// Requests that one instance answers at once.
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    max_instance_concurrent_reuse_count: usize,

    /// How lines of the log look [default: text on a terminal, else json].
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,

    /// Write the log to this file instead of standard error.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,

    /// How large the file may be until another one is begun.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    log_file_mib: u64,

    /// How many full files are kept.
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=1000))]
    log_files: u32,

    /// Leave requests out of the log that were answered as they should be.
    #[arg(long)]
    no_request_log: bool,

    /// Serve what the host measures at this address: requests, times, memory, files. It asks nobody who they
    /// are, so it is for the loopback or a network of the operator's.
    #[arg(long, value_name = "ADDR:PORT", value_parser = parse_address)]
    metrics_listen: Option<SocketAddr>,

    /// Tell problems only, of what the host itself has to say.
    #[arg(short, long)]
    quiet: bool,
}

/// The manifest, where it or its folder was named; else that of the current folder, else the one that a
/// release has beside this program.
fn manifest(from: Option<&Path>) -> PathBuf {
    let here = PathBuf::from("spin.toml");
    match from {
        Some(folder) if folder.is_dir() => folder.join("spin.toml"),
        Some(file) => file.to_owned(),
        None if here.is_file() => here,
        None => beside_program().unwrap_or(here),
    }
}

/// The manifest in the folder of this program, if there is one.
fn beside_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let manifest = program.parent()?.join("spin.toml");
    manifest.is_file().then_some(manifest)
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let addresses: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("expected ADDRESS:PORT ({error})"))?
        .collect();
    let ipv4 = addresses.iter().find(|address| address.is_ipv4());
    ipv4.or(addresses.first())
        .copied()
        .ok_or_else(|| "the name has no address".to_owned())
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("expected NAME=VALUE".to_owned()),
    }
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<()> {
        // Whatever is made from here on is for its owner alone: passwords and keys are in it.
        #[cfg(unix)]
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        match self.command {
            Command::Up(up) => up.run(),
            Command::ResetPassword(account) => account.reset_password(),
            Command::Unlock(account) => account.unlock(),
            Command::Check(check) => {
                let mut options = check.of.options();
                options.variables = check.variables.into_iter().collect();
                check::check(options)
            }
            Command::Backup(Backup { to, of }) => backup::backup(&of.options(), &to),
            Command::Restore(Restore { backup, of }) => backup::restore(of.options(), &backup),
            Command::AuditStore(audit) => store::audit(audit.of.options(), audit.repair),
            Command::Compile(Compile { max_memory }) => windlass_host::compile(max_memory),
        }
    }
}

impl Up {
    fn options(self) -> HostOptions {
        let mut options = HostOptions::new(manifest(self.from.as_deref()));
        options.listen = self.listen;
        if let Some(state_dir) = self.state_dir {
            options.state_dir = state_dir;
        }
        if let Some(cache_dir) = self.cache_dir {
            options.cache_dir = cache_dir;
        }
        options.compiler = std::env::current_exe().ok();
        options.variables = self.variables.into_iter().collect();
        options.components = self.components.into_iter().collect();
        options.cron = !self.no_cron;
        if let Some(threads) = self.threads {
            options.threads = threads.max(1);
        }
        options.max_memory = usize::from(self.max_memory_mib) << 20;
        options.request_timeout = Duration::from_secs(self.request_timeout);
        options.idle_timeout = Duration::from_secs(self.idle_timeout);
        options.instance_requests = self.max_instance_reuse_count.max(1);
        options.instance_concurrency = self.max_instance_concurrent_reuse_count.max(1);
        options.logger = Logger {
            format: self.log_format.unwrap_or_else(|| match self.log_file {
                Some(_) => LogFormat::Json,
                None => LogFormat::fitting(),
            }),
            quiet: self.quiet,
            without_requests: self.no_request_log,
        };
        options.faults = std::env::var("WINDLASS_FAULT").ok();
        options
    }

    /// Opens the file of the log, where one is wanted.
    fn open_log(&self) -> Result<()> {
        if let Some(path) = &self.log_file {
            let file = LogFile::open(path, self.log_file_mib << 20, self.log_files)
                .with_context(|| format!("cannot write the log to {}", path.display()))?;
            windlass_host::log_to(file);
        }
        Ok(())
    }

    fn run(self) -> Result<()> {
        self.open_log()?;
        let metrics_listen = self.metrics_listen;
        let wants_json = self.log_format == Some(LogFormat::Json);
        let options = self.options();
        let logger = options.logger;
        let has_faults = options.faults.is_some();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt()).context("cannot listen for signals")?,
                signal(SignalKind::terminate()).context("cannot listen for signals")?,
            )
        };
        check::demand_keys(&options)?;
        let mut lock = Lock::take(&options.state_dir)?;
        // Signals that arrive during the start are acted on after it.
        let host = options.start()?;
        lock.tell(&host.url())?;
        // Injected faults are about what others ask for.
        if !has_faults {
            check::demand_settings(&host)?;
        }
        if let Some(address) = metrics_listen {
            windlass_host::serve_metrics(host.measured(), address)
                .with_context(|| format!("cannot serve metrics on {address}"))?;
        }
        if wants_json {
            logger.info(&format!("Serving {}", host.url()));
        } else if !logger.quiet {
            // Nobody may be reading, which is no reason to stop.
            let _ = std::io::stdout().write_all(banner(&host).as_bytes());
        }
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        logger.info("Stopping");
        host.stop();
        Ok(())
    }
}

/// Where the application is served, as Spin says it.
fn banner(host: &RunningHost) -> String {
    let url = host.url();
    let mut text = format!("Serving {url}\nAvailable Routes:\n");
    for (route, component) in host.routes() {
        let line = match route.strip_suffix("/...") {
            Some(prefix) => format!("  {component}: {url}{prefix} (wildcard)\n"),
            None => format!("  {component}: {url}{route}\n"),
        };
        text.push_str(&line);
    }
    text
}
