//! The report: a table that can be pasted.

use crate::load::Figures;
use crate::parsing::{self, Parsing};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// One case on both servers.
pub struct Line {
    /// What was asked.
    pub name: &'static str,
    /// The application.
    pub windlass: Figures,
    /// The native server, where it can do this.
    pub native: Option<Figures>,
}

/// Everything that was measured.
#[derive(Default)]
pub struct Report {
    /// Requests.
    pub lines: Vec<Line>,
    /// Nodes, and how long their install took.
    pub install: Option<(usize, Duration)>,
    /// A large blueprint, and how long both parsers took.
    pub parsing: Option<Parsing>,
    /// Second starts, until the first answer.
    pub starts: Vec<Duration>,
    memory: Vec<(String, u64)>,
}

impl Report {
    /// Notes how much memory was held when.
    pub fn memory(&mut self, when: &str, bytes: u64) {
        self.memory.push((when.to_owned(), bytes));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n| request | requests/s | p50 ms | p99 ms | native requests/s | p50 ms | p99 ms | share of native |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for line in &self.lines {
            let Figures { rate, p50, p99 } = line.windlass;
            write!(
                f,
                "| {} | {rate:.0} | {:.2} | {:.2} | ",
                line.name,
                millis(p50),
                millis(p99)
            )?;
            match line.native {
                Some(native) => writeln!(
                    f,
                    "{:.0} | {:.2} | {:.2} | {:.0} % |",
                    native.rate,
                    millis(native.p50),
                    millis(native.p99),
                    100.0 * rate / native.rate
                )?,
                None => writeln!(f, "- | - | - | - |")?,
            }
        }
        writeln!(f, "\n| measure | value |\n|---|---|")?;
        if let Some((nodes, time)) = self.install {
            #[allow(clippy::cast_precision_loss, reason = "a small count")]
            let rate = nodes as f64 / time.as_secs_f64();
            writeln!(
                f,
                "| install of {nodes} nodes without operations | {:.2} s, {rate:.0} nodes/s |",
                time.as_secs_f64()
            )?;
        }
        if let Some(Parsing { upload, original }) = &self.parsing {
            let nodes = parsing::NODES;
            let upload = upload.as_secs_f64();
            writeln!(
                f,
                "| blueprint of {nodes} nodes, the whole upload | {upload:.3} s |"
            )?;
            match original.map(|time| time.as_secs_f64()) {
                Some(original) => writeln!(
                    f,
                    "| the original parser alone | {original:.3} s, {:.0} times as long |",
                    original / upload
                )?,
                None => writeln!(
                    f,
                    "| the original parser | scripts/setup --tests installs it |"
                )?,
            }
        }
        let mut starts = self.starts.clone();
        starts.sort_unstable();
        if let Some(median) = starts.get(starts.len() / 2) {
            writeln!(
                f,
                "| second start, to the first answer | {:.0} ms |",
                millis(*median)
            )?;
        }
        for (when, bytes) in &self.memory {
            writeln!(f, "| memory: {when} | {} MB |", bytes / 1_000_000)?;
        }
        Ok(())
    }
}
