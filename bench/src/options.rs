//! What is asked for on the command line.

use anyhow::{Context, Result, bail};

/// Runs of a part that is written down, when nobody says.
const RUNS: usize = 3;
/// How long each case is measured.
const SECONDS: u64 = 5;
/// Rows that the book shows growth by.
const ROWS: &str = "1000,10000,100000,1000000";

/// The arguments as they are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether `docs/benchmarks.md` is written.
    pub is_written: bool,
    /// Runs of each part.
    pub runs: usize,
    /// How long each case is measured.
    pub seconds: u64,
    /// Another host: the binary of Spin.
    pub spin: Option<String>,
    /// Rows of the tables that grow.
    pub rows: Option<String>,
    /// What is measured, and what it takes beside.
    pub parts: Vec<String>,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            is_written: false,
            runs: RUNS,
            seconds: SECONDS,
            spin: None,
            rows: None,
            parts: Vec::new(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{argument} takes a value"))
            };
            match argument.as_str() {
                "--write" => options.is_written = true,
                "--runs" => options.runs = value()?.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value()?.parse::<u64>()?.max(1),
                "--spin" => options.spin = Some(value()?),
                "--rows" => options.rows = Some(value()?),
                other if other.starts_with('-') => bail!("unknown option {other}"),
                _ => options.parts.push(argument),
            }
        }
        Ok(options)
    }

    /// The arguments of a process that measures one part in the same way.
    pub fn of_part(&self, part: &str) -> Vec<String> {
        let mut arguments = vec![
            part.to_owned(),
            "--seconds".into(),
            self.seconds.to_string(),
        ];
        if let Some(spin) = &self.spin {
            arguments.extend(["--spin".into(), spin.clone()]);
        }
        match (&self.rows, part) {
            (Some(rows), _) => arguments.extend(["--rows".into(), rows.clone()]),
            (None, "growth") => arguments.extend(["--rows".into(), ROWS.into()]),
            _ => {}
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_and_handed_on() {
        let parse = |text: &str| Options::parse(text.split_whitespace().map(str::to_owned));
        let options = parse("--write growth disk --runs 5 --spin /opt/spin --seconds 2").unwrap();
        assert!(options.is_written && options.runs == 5);
        assert_eq!(options.parts, ["growth", "disk"]);
        let growth = Options::parse(options.of_part("growth")).unwrap();
        assert_eq!((growth.rows.as_deref(), growth.seconds), (Some(ROWS), 2));
        assert_eq!((growth.spin, growth.is_written), (options.spin, false));
        for wrong in ["--runs", "--runs many", "--fast"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
