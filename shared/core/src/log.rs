//! Structured log lines: one JSON object a line on standard error.
//!
//! Spin and the platforms that run it collect a component's standard error as it is. Secrets,
//! passwords and bodies are never given to these functions.

use serde_json::{Map, Value};
use std::io::Write as _;

/// How loud a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// One line per request and other normal events.
    Info,
    /// Something an operator should look at some day.
    Warning,
    /// Something failed that should not have.
    Error,
}

/// Writes one line. `fields` come after the level, time and text.
pub fn line(level: Level, text: &str, fields: impl IntoIterator<Item = (&'static str, Value)>) {
    let mut line = Map::new();
    let level = match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    line.insert("time".into(), crate::Timestamp::now().to_string().into());
    line.insert("level".into(), level.into());
    line.insert("text".into(), text.into());
    line.extend(
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut line = Value::Object(line).to_string();
    line.push('\n');
    // In one piece: standard error is not buffered, and every write is a call to the host.
    // Where it is closed there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// An error line about something that has no request to answer.
pub fn error(text: &str, error: &crate::Error) {
    line(Level::Error, text, [("error", error.to_string().into())]);
}
