//! The log: what the host says and what components print on their standard error, a line each, as JSON
//! for programs or as text for people.
//!
//! Lines have `time`, `level` and `text` first, whoever wrote them. They go to standard error, or to a file
//! that is exchanged when it is full ([`crate::log_file`]).

mod line;

use crate::log_file::LogFile;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people, in colour on a terminal.
    Text,
    /// One object per line: `time`, `level`, `text` and what belongs to the line.
    #[default]
    Json,
}

impl LogFormat {
    /// What fits where lines go: text on a terminal, else JSON.
    pub fn fitting() -> Self {
        match std::io::stderr().is_terminal() {
            true => Self::Text,
            false => Self::Json,
        }
    }
}

/// Writes the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logger {
    /// How lines look.
    pub format: LogFormat,
    /// Whether the host tells problems only. What components print is not the host's.
    pub quiet: bool,
    /// Whether the lines of requests that were answered as they should be are left out.
    pub without_requests: bool,
}

/// The file that the process logs to. Like standard error there is one.
static FILE: OnceLock<LogFile> = OnceLock::new();

/// Has all lines from here on written to a file.
pub fn log_to(file: LogFile) {
    // Who comes second goes on with the first one's file.
    let _ = FILE.set(file);
}

impl Logger {
    /// Something worth knowing.
    pub fn info(&self, message: &str) {
        if !self.quiet {
            self.line("info", "host", message);
        }
    }

    /// Something wrong with the host or its configuration.
    pub fn problem(&self, message: &str) {
        self.line("error", "host", message);
    }

    /// Something wrong with a component.
    pub fn component_problem(&self, component: &str, message: &str) {
        self.line("error", component, message);
    }

    /// Passes on what a component printed: whole lines. Its JSON is the log's own form; what it printed
    /// in another one is told as the text of a line.
    pub fn printed(&self, component: &str, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.is_empty() || (self.without_requests && line::is_of_good_request(line)) {
                continue;
            }
            if self.format == LogFormat::Json && line.starts_with(b"{") {
                out.extend_from_slice(line);
            } else if let Some(fields) = line::fields(line) {
                out.extend(line::render(&fields, is_coloured()).into_bytes());
            } else {
                let text = String::from_utf8_lossy(line);
                out.extend(self.rendered("info", component, &text).into_bytes());
            }
            out.push(b'\n');
        }
        write(&out);
    }

    fn line(&self, level: &str, component: &str, message: &str) {
        let mut text = self.rendered(level, component, message);
        text.push('\n');
        write(text.as_bytes());
    }

    fn rendered(&self, level: &str, component: &str, message: &str) -> String {
        let now = chrono::Utc::now();
        let time = now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let line = json!({ "time": time, "level": level, "text": message, "component": component });
        match (self.format, line.as_object()) {
            (LogFormat::Text, Some(fields)) => line::render(fields, is_coloured()),
            _ => line.to_string(),
        }
    }
}

/// Whether lines are looked at on a terminal, by somebody who did not say no to colours.
fn is_coloured() -> bool {
    static IS_COLOURED: OnceLock<bool> = OnceLock::new();
    *IS_COLOURED.get_or_init(|| {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        FILE.get().is_none() && !refused && std::io::stderr().is_terminal()
    })
}

fn write(bytes: &[u8]) {
    if bytes.is_empty() || FILE.get().is_some_and(|file| file.write(bytes).is_ok()) {
        return;
    }
    // Nobody is left to tell if standard error is gone.
    let _ = std::io::stderr().write_all(bytes);
}
