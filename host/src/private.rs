//! The application's private endpoints, for commands of whoever runs it.
//!
//! A host of its own asks them, for as long as that takes, on a free port of this machine and with a token
//! that nobody else knows. So it works whether the application is running or not.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use windlass_host::{HostOptions, Logger, RunningHost};

/// One component of the application, which answers nobody else.
pub struct Private {
    host: RunningHost,
}

impl Private {
    /// Starts a component on the databases of the state folder.
    pub fn start(mut options: HostOptions, component: &str) -> Result<Self> {
        demand_database(&options.state_dir)?;
        options.listen = ([127, 0, 0, 1], 0).into();
        options.cron = false;
        options.threads = 1;
        options.components = [component.to_owned()].into();
        options.compiler = std::env::current_exe().ok();
        options.variables.insert("tick_token".into(), token()?);
        options.logger = Logger {
            quiet: true,
            ..options.logger
        };
        let host = options.start()?;
        Ok(Self { host })
    }

    /// Posts JSON and answers what comes back; a refusal is an error in the application's words.
    pub fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.host.post_internal(path, &body.to_string())?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        if status != 200 {
            let message = answer.get("message").and_then(Value::as_str);
            bail!(
                "{}",
                message.unwrap_or("the application refused, see its log")
            );
        }
        Ok(answer)
    }

    /// Waits for the end.
    pub fn stop(self) {
        self.host.stop();
    }
}

/// A database that is not there is not made.
fn demand_database(state_dir: &Path) -> Result<()> {
    ensure!(
        state_dir.join("sqlite_db.db").is_file(),
        "{} has no database: is it the folder of an application that was started?",
        state_dir.display()
    );
    Ok(())
}

/// A token that is good for one process.
fn token() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}
