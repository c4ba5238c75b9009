//! Accounts of the application's users, for whoever runs it: a way in when nobody can log in any more.
//!
//! What happens is the application's own business (`/users/recovery` of conductor-identity).

use crate::private::Private;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use windlass_host::HostOptions;

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
fn ask(options: HostOptions, what: &str, username: &str) -> Result<Value> {
    let application = Private::start(options, COMPONENT)?;
    let path = format!("/api/v3.1/users/recovery/{what}");
    let answer = application.ask(&path, &json!({ "username": username }));
    application.stop();
    answer
}
