//! `docs/benchmarks.md`: every part measured several times and written down, with the machine and the date, and
//! plots of how lists grow.
//!
//! Each part is a process of its own, whose tables are read again: medians, and what they are between. A part
//! that fails is named at the end and leaves what was written of it before.

use crate::options::Options;
use crate::plot::{self, Series};
use crate::tables::{self, Table};
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A part of the book.
struct Part {
    /// The argument of the process; none measures requests.
    name: &'static str,
    title: &'static str,
    text: &'static str,
    /// Whether it is measured once: what takes long, and repeats itself inside.
    is_once: bool,
}

const PARTS: [Part; 13] = [
    Part {
        name: "requests",
        title: "Requests",
        text: "16 connections, each with one request under way, beside a native server (axum and rusqlite) with the same SQL on the same database file, measured in the same run.",
        is_once: false,
    },
    Part {
        name: "growth",
        title: "How lists grow",
        text: "Milliseconds of a page of 20, asked of all installations by turns: the quickest quarter of 24 answers. `times` is from 10,000 rows to the most. What reads a share of the table has no limit.",
        is_once: true,
    },
    Part {
        name: "adjutant",
        title: "Tasks of Adjutant",
        text: "Beside the original Adjutant, under gunicorn with two workers.",
        is_once: false,
    },
    Part {
        name: "opsera",
        title: "Pipelines",
        text: "Runs, how fast they begin, and DORA's measures over a million of them.",
        is_once: false,
    },
    Part {
        name: "workers",
        title: "Workers",
        text: "Operations that workers take and report, and 1,000 workers that wait.",
        is_once: false,
    },
    Part {
        name: "followers",
        title: "Followers of events",
        text: "How long an event takes to those who follow its deployment.",
        is_once: false,
    },
    Part {
        name: "install",
        title: "Installs",
        text: "How fast an install goes through nodes that have nothing to do.",
        is_once: false,
    },
    Part {
        name: "at-once",
        title: "Executions at once",
        text: "Installs that are asked for at the same time: none starves.",
        is_once: false,
    },
    Part {
        name: "updates",
        title: "Updates of deployments",
        text: "An update that touches few of many nodes.",
        is_once: false,
    },
    Part {
        name: "ticks",
        title: "Ticks",
        text: "With nothing due, after few and after many executions that have ended.",
        is_once: true,
    },
    Part {
        name: "snapshots",
        title: "Snapshots",
        text: "Of 10,000 deployments, restored in another installation and compared row by row.",
        is_once: false,
    },
    Part {
        name: "disk",
        title: "Disk",
        text: "How much the database grows with each execution.",
        is_once: true,
    },
    Part {
        name: "status",
        title: "The status page",
        text: "By itself: visitors, lists, and what monitors post.",
        is_once: false,
    },
];

/// Measures the parts that are asked for, or all, and writes them down.
pub fn write(options: &Options) -> Result<()> {
    let wanted = |part: &&Part| {
        options.parts.is_empty() || options.parts.iter().any(|name| name == part.name)
    };
    if let Some(unknown) = options
        .parts
        .iter()
        .find(|name| PARTS.iter().all(|part| part.name != **name))
    {
        bail!("there is no part {unknown}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let path = folder.join("benchmarks.md");
    let mut book = fs::read_to_string(&path).unwrap_or_default();
    let mut failed = Vec::new();
    for part in PARTS.iter().filter(wanted) {
        let runs = if part.is_once { 1 } else { options.runs };
        match measured(part, runs, options) {
            Ok(tables) => {
                let mut text = section(part, runs, options, &tables);
                if part.name == "growth" {
                    text.push_str(&plots(&folder, &tables)?);
                }
                book = put(&book, part.title, &text);
                // After each part: what comes later may take an hour.
                fs::write(&path, &book)?;
            }
            Err(error) => failed.push(format!("{}: {error:#}", part.name)),
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("not measured:\n{}", failed.join("\n")),
    }
}

/// The tables of a part, of all its runs.
fn measured(part: &Part, runs: usize, options: &Options) -> Result<Vec<Table>> {
    let mut all = Vec::new();
    for run in 1..=runs {
        eprintln!("{}, run {run} of {runs}", part.name);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(options.of_part(part.name))
            .stdout(Stdio::piped());
        let output = command.spawn()?.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let tables = tables::read(&text);
        // Lists that grew too fast are in their table, and fail all the same.
        if tables.is_empty() {
            bail!("no table came ({})", output.status);
        }
        if !output.status.success() {
            eprintln!("{}: {}", part.name, output.status);
        }
        all.push(tables);
    }
    Ok(tables::merge(&all))
}

fn section(part: &Part, runs: usize, options: &Options, tables: &[Table]) -> String {
    let how = match runs {
        1 => "one run".to_owned(),
        _ => format!("medians of {runs} runs, the least and the most in brackets"),
    };
    let mut text = format!("{}\n\n{}; {how}.\n", part.text, circumstances(options));
    for table in tables {
        let _ = write!(text, "\n{}", table.text());
    }
    text
}

/// When, what and on what: of each section, since they may be measured on different days.
fn circumstances(options: &Options) -> String {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.lines().next()?.trim().to_owned())
    };
    let read = |path: &str, name: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let unknown = || "unknown".to_owned();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = read("/proc/meminfo", "MemTotal").and_then(|text| tables::number(&text));
    let host = match &options.spin {
        Some(path) => output(path, &["--version"]).unwrap_or_else(unknown),
        None => "the embedded host".to_owned(),
    };
    format!(
        "{}, commit {}, {host}, SQLite {}, {}; {} ({cores} cores, {:.0} GB), Linux {}",
        output("date", &["-u", "+%F"]).unwrap_or_else(unknown),
        output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(unknown),
        rusqlite::version(),
        output("rustc", &["--version"]).unwrap_or_else(unknown),
        read("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
        memory.unwrap_or(0.0) / 1e6,
        output("uname", &["-r"]).unwrap_or_else(unknown),
    )
}

/// The book with a section in its place, or at its end.
fn put(book: &str, title: &str, text: &str) -> String {
    let intro = "# Benchmarks\n\nWritten by `scripts/bench --write`, which measures on an otherwise idle machine. The load generator, the server and the database share \
                 its cores, so the figures say how things compare, not what a server of that kind can do.\n";
    let mut sections: Vec<(String, String)> = Vec::new();
    let mut parts = book.split("\n## ");
    let head = parts
        .next()
        .filter(|head| !head.is_empty())
        .unwrap_or(intro)
        .trim_end()
        .to_owned();
    for part in parts {
        let (title, text) = part.split_once('\n').unwrap_or((part, ""));
        sections.push((title.to_owned(), text.trim().to_owned()));
    }
    match sections.iter_mut().find(|(other, _)| other == title) {
        Some((_, old)) => *old = text.trim().to_owned(),
        None => sections.push((title.to_owned(), text.trim().to_owned())),
    }
    sections.iter().fold(head, |book, (title, text)| {
        format!("{book}\n\n## {title}\n\n{text}")
    }) + "\n"
}

/// Draws a table of growth, a file for each kind of lists, and answers the text that shows them.
fn plots(folder: &Path, tables: &[Table]) -> Result<String> {
    let table = tables.first().context("growth has a table")?;
    let rows: Vec<(usize, f64)> = table
        .head
        .iter()
        .enumerate()
        .filter(|(_, name)| name.starts_with("ms, "))
        .filter_map(|(place, name)| Some((place, tables::number(name.trim_start_matches("ms, "))?)))
        .collect();
    let mut kinds: Vec<(String, Vec<Series>)> = Vec::new();
    for row in &table.rows {
        let name = row.first().cloned().unwrap_or_default();
        let cell = |(place, rows): &(usize, f64)| Some((*rows, tables::number(row.get(*place)?)?));
        let series = Series {
            points: rows.iter().filter_map(cell).collect(),
            name: name.clone(),
        };
        let kind = kind(&name);
        match kinds.iter_mut().find(|(other, _)| other == kind) {
            Some((_, all)) => all.push(series),
            None => kinds.push((kind.to_owned(), vec![series])),
        }
    }
    let target: PathBuf = folder.join("growth");
    fs::create_dir_all(&target)?;
    let mut text = String::new();
    for (kind, all) in &kinds {
        fs::write(target.join(format!("{kind}.svg")), plot::svg(kind, all))?;
        let _ = write!(text, "\n![How lists grow: {kind}](growth/{kind}.svg)\n");
    }
    Ok(text)
}

fn kind(list: &str) -> &'static str {
    let kinds = ["blueprints", "deployments", "executions", "node", "events"];
    let path = list
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches('/');
    match kinds.into_iter().find(|kind| path.starts_with(kind)) {
        Some("node") => "nodes",
        Some(kind) => kind,
        None => "others",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_one_before_and_leaves_the_others() {
        let first = put("", "Requests", "old\n");
        assert!(first.starts_with("# Benchmarks\n\n"), "{first}");
        let both = put(&first, "Disk", "full");
        assert_eq!(both, put(&put("", "Requests", "old"), "Disk", "full"));
        let again = put(&both, "Requests", "new");
        assert!(
            again.ends_with("\n\n## Requests\n\nnew\n\n## Disk\n\nfull\n"),
            "{again}"
        );
        assert_eq!(again.matches("# Benchmarks").count(), 1);
    }

    #[test]
    fn lists_are_drawn_by_what_they_list() {
        let folder = std::env::temp_dir().join(format!("windlass-book-{}", std::process::id()));
        let tables = tables::read(
            "| list | ms, 1000 rows | ms, 10000 rows | times | at most |\n|---|---|---|---|---|\n\
             | /nodes | 0.5 | 0.6 | 1.2 | 1.5 |\n| /node-instances?_offset=9000 | 1.5 | 1.6 | 1.1 | 1.5 |\n\
             | /users | 1 | 1 | 1 | - |\n",
        );
        let text = plots(&folder, &tables).unwrap();
        let nodes = fs::read_to_string(folder.join("growth/nodes.svg")).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(nodes.matches("<circle").count(), 4);
        assert!(nodes.contains("10000 rows: 1.6 ms"), "{nodes}");
        assert_eq!(text.matches("![").count(), 2, "{text}");
        assert!(text.contains("growth/others.svg"), "{text}");
    }
}
