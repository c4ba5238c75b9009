//! What the host says on standard error, as text or as one JSON object per line.

use std::io::Write;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line: `level`, `message` and, where it applies, `component`.
    Json,
}

/// Writes the host's own lines. What components print passes through untouched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logger {
    /// How lines look.
    pub format: LogFormat,
    /// Whether only problems are told.
    pub quiet: bool,
}

impl Logger {
    /// Something worth knowing.
    pub fn info(&self, message: &str) {
        if !self.quiet {
            self.line("info", None, message);
        }
    }

    /// Something wrong with the host or its configuration.
    pub fn problem(&self, message: &str) {
        self.line("error", None, message);
    }

    /// Something wrong with a component.
    pub fn component_problem(&self, component: &str, message: &str) {
        self.line("error", Some(component), message);
    }

    fn line(&self, level: &str, component: Option<&str>, message: &str) {
        let text = match self.format {
            LogFormat::Json => {
                let mut line = serde_json::json!({
                    "level": level,
                    "target": "windlass_host",
                    "message": message,
                });
                if let Some(component) = component {
                    let fields = line.as_object_mut();
                    fields.map(|fields| fields.insert("component".to_owned(), component.into()));
                }
                format!("{line}\n")
            }
            LogFormat::Text => match component {
                Some(component) => format!("{level}: {component}: {message}\n"),
                None if level == "info" => format!("{message}\n"),
                None => format!("{level}: {message}\n"),
            },
        };
        // Nobody is left to tell if standard error is gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
