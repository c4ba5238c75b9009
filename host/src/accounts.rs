//! Accounts of the application's users, for whoever runs it: a way in when nobody can log in any more.
//!
//! What happens is the application's own business (`/users/recovery` of conductor-identity). A host of its
//! own asks for it, for as long as that takes, on a free port of this machine and with a token that
//! nobody else knows. So it works whether the application is running or not.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use windlass_host::{HostOptions, Logger};

/// The component that knows the users.
const COMPONENT: &str = "conductor-identity";

/// Gives a user a new password and answers it.
pub fn reset_password(options: HostOptions, username: &str) -> Result<String> {
    let answer = ask(options, "reset-password", username)?;
    let password = answer.get("password").and_then(Value::as_str);
    password
        .map(str::to_owned)
        .context("the application told no password")
}

/// Forgets the failed logins for a user's name.
pub fn unlock(options: HostOptions, username: &str) -> Result<()> {
    ask(options, "unlock", username).map(drop)
}

/// Has the application do something about a user, and answers what it says.
fn ask(mut options: HostOptions, what: &str, username: &str) -> Result<Value> {
    demand_database(&options.state_dir)?;
    options.listen = ([127, 0, 0, 1], 0).into();
    options.cron = false;
    options.threads = 1;
    options.components = [COMPONENT.to_owned()].into();
    options.compiler = std::env::current_exe().ok();
    options.variables.insert("tick_token".into(), token()?);
    options.logger = Logger {
        quiet: true,
        ..options.logger
    };
    let host = options.start()?;
    let path = format!("/api/v3.1/users/recovery/{what}");
    let (status, answer) =
        host.post_internal(&path, &json!({ "username": username }).to_string())?;
    host.stop();
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
