//! A Windlass that runs for one story.

use crate::caller::Caller;
use crate::http::{self, Outgoing};
use crate::process::{Process, host_command};
use rusqlite::Connection;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// The password of every user in a story.
pub const PASSWORD: &str = "correct horse battery staple";
const TICK_TOKEN: &str = "the token of the stories' tick";
/// What the scheduler shows to the application's own endpoints.
pub const TICK_HEADER: (&str, &str) = ("x-windlass-tick-token", TICK_TOKEN);
/// More ticks than any story has work for.
const TICKS: usize = 2000;

/// How a Windlass is started.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) faults: Option<String>,
    pub(crate) memory_mib: Option<u16>,
    pub(crate) arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let variables = [("admin_password", PASSWORD), ("tick_token", TICK_TOKEN)];
        Self {
            variables: variables.map(|(k, v)| (k.into(), v.into())).into(),
            faults: None,
            memory_mib: None,
            arguments: Vec::new(),
        }
    }
}

impl Options {
    /// With another argument of the host.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// With the value of an application variable; an empty one is as if it were not set.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With faults, in the words of the host's `WINDLASS_FAULT`.
    #[must_use]
    pub fn faults(mut self, faults: &str) -> Self {
        self.faults = Some(faults.into());
        self
    }

    /// With instances that may have so much memory and no more: one that wants more dies.
    #[must_use]
    pub fn memory_mib(mut self, most: u16) -> Self {
        self.memory_mib = Some(most);
        self
    }

    /// Starts on an empty folder.
    pub fn start(self) -> Windlass {
        Windlass::on(self, Folder::new())
    }
}

/// A running application with its own empty state. It ends, and its state goes, with the value.
pub struct Windlass {
    // In this order: the process ends before its folder goes.
    process: Process,
    folder: Folder,
    options: Options,
}

impl Windlass {
    /// A Windlass as an operator would start it, with a known administrator's password.
    pub fn start() -> Self {
        Options::default().start()
    }

    fn on(options: Options, folder: Folder) -> Self {
        let process = Process::start(&options, &folder.0);
        Self {
            process,
            folder,
            options,
        }
    }

    /// Stops it in an orderly way.
    pub fn stop(self) -> Stopped {
        let Self {
            mut process,
            folder,
            options,
        } = self;
        process.terminate();
        let (printed, logged) = process.end();
        Stopped {
            folder,
            options,
            printed,
            logged,
        }
    }

    /// Kills it without warning.
    pub fn kill(self) -> Stopped {
        let Self {
            process,
            folder,
            options,
        } = self;
        let (printed, logged) = process.end();
        Stopped {
            folder,
            options,
            printed,
            logged,
        }
    }

    /// The same Windlass, stopped and started again on its state.
    #[must_use]
    pub fn restart(self) -> Self {
        self.stop().start()
    }

    /// The files of its state that hold this text.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of the state") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = std::fs::read(&path).expect("a file of the state");
                if bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes())
                {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// The application's database, for what no URL does.
    pub fn open_database(&self) -> Connection {
        let database = Connection::open(self.folder.0.join("sqlite_db.db"));
        let database = database.expect("the application made its database");
        database
            .busy_timeout(Duration::from_secs(10))
            .expect("a setting of every SQLite");
        database
    }

    /// What a command of the host for whoever runs the application prints, on its state folder.
    pub fn host_command(&self, arguments: &[&str]) -> String {
        let answer = self.try_host_command(arguments);
        let problem = String::from_utf8_lossy(&answer.stderr);
        assert!(answer.status.success(), "{arguments:?}: {problem}");
        String::from_utf8(answer.stdout).expect("it prints text")
    }

    /// The same for a command that may fail.
    pub fn try_host_command(&self, arguments: &[&str]) -> Output {
        host_command(&self.folder.0, arguments)
    }

    /// The folder of its state.
    pub fn state(&self) -> &Path {
        &self.folder.0
    }

    /// The key-value store's own database, to see what is left in it.
    pub fn open_key_value(&self) -> Connection {
        let path = self.folder.0.join("sqlite_key_value.db");
        let database = Connection::open(path).expect("the host made its store");
        database
            .busy_timeout(Duration::from_secs(10))
            .expect("a setting of every SQLite");
        database
    }

    /// The administrator, in the default tenant.
    pub fn admin(&self) -> Caller<'_> {
        Caller::new(self, Some(("admin", PASSWORD)), Some("default_tenant"))
    }

    /// Somebody without credentials, in the default tenant.
    pub fn nobody(&self) -> Caller<'_> {
        Caller::new(self, None, Some("default_tenant"))
    }

    /// A user with the tenant role `user`, who is made in the tenant they are first used in.
    pub fn user<'a>(&'a self, name: &'a str) -> Caller<'a> {
        Caller::new(self, Some((name, PASSWORD)), None)
    }

    /// Runs everything that is due, until nothing is left to run now.
    ///
    /// Whoever queues work nudges the scheduler, so a tick of its own may be at it: what it holds is
    /// waited for.
    pub fn run_pending_work(&self) {
        for _ in 0..TICKS {
            if self.tick()["ran"] != 0 {
                continue;
            }
            if !self.is_work_held() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("there is still work after {TICKS} ticks\n{}", self.tail());
    }

    /// Whether some tick has leased work and is not done with it, or was done just now and left more.
    fn is_work_held(&self) -> bool {
        // The database's clock, which is read after its rows are fixed: work that is queued while this
        // looks would else be due a moment later than it looked.
        let held = "with clock (now) as (select cast(round(unixepoch('subsec') * 1000) as integer))
                    select exists (select 1 from queue, clock where lease_until > now or not_before <= now)";
        self.open_database()
            .query_row(held, [], |row| row.get(0))
            .expect("the queue is there")
    }

    /// One tick; what it answered.
    pub fn tick(&self) -> Value {
        let answer = self.send(&tick_request());
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            answer.status == 200,
            "the tick answered {}: {text}\n{}",
            answer.status,
            self.tail()
        );
        serde_json::from_str(&text).expect("the tick answers JSON")
    }

    /// One tick of an application that may fall over it; nothing when it did.
    pub fn try_tick(&self) -> Option<Value> {
        let answer = self.try_send(&tick_request()).ok()?;
        (answer.status == 200).then(|| serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    /// Lets the leases end that a killed process left behind, by moving them into the past.
    pub fn expire_leases(&self) {
        let database = self.open_database();
        let expire = "update queue set lease_until = 0 where lease_until is not null";
        database.execute(expire, []).expect("the queue has leases");
    }

    /// Sends a request as it is.
    pub fn send(&self, request: &Outgoing) -> http::Answer {
        match http::send(self.process.address, request) {
            Ok(answer) => answer,
            Err(error) => panic!("{error}\n{}", self.tail()),
        }
    }

    /// The same, where it is no surprise when the application falls over it.
    pub fn try_send(&self, request: &Outgoing) -> Result<http::Answer, String> {
        http::send(self.process.address, request)
    }

    /// The last lines of the log, for a failure's message.
    pub(crate) fn tail(&self) -> String {
        let log = self.process.stderr.text();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// A Windlass that ended, with its state.
pub struct Stopped {
    folder: Folder,
    options: Options,
    /// Everything it printed on standard output.
    pub printed: String,
    /// Everything it printed on standard error.
    pub logged: String,
}

impl Stopped {
    /// The folder of its state.
    pub fn state(&self) -> &Path {
        &self.folder.0
    }

    /// What a command of the host answers, on its state folder.
    pub fn try_host_command(&self, arguments: &[&str]) -> Output {
        host_command(&self.folder.0, arguments)
    }

    /// Starts it again on its state, without the faults that it had.
    #[must_use]
    pub fn start(self) -> Windlass {
        Windlass::on(
            Options {
                faults: None,
                ..self.options
            },
            self.folder,
        )
    }

    /// With another value of an application variable.
    #[must_use]
    pub fn variable(self, name: &str, value: &str) -> Self {
        Self {
            options: self.options.clone().variable(name, value),
            ..self
        }
    }

    /// Starts it again on its state, with other faults.
    #[must_use]
    pub fn start_with(self, faults: &str) -> Windlass {
        Windlass::on(self.options.faults(faults), self.folder)
    }
}

/// A folder that goes away with the value.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    #[allow(clippy::new_without_default, reason = "it makes something")]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let folder =
            std::env::temp_dir().join(format!("windlass-story-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        Self(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tick_request() -> Outgoing {
    Outgoing {
        method: "POST".into(),
        path: "/internal/tick".into(),
        headers: vec![(TICK_HEADER.0.into(), TICK_HEADER.1.into())],
        body: Some(Vec::new()),
    }
}
