//! Bulk import: a file of CSV or of JSON lines, of which everything is stored or nothing.
//!
//! What is wrong is told line by line, so that a source can mend it in one go.

use super::{demand_writer, hierarchy, mappings, people, projects};
use crate::access::Asker;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, limits};

/// The most records of one import.
const MOST: usize = 50_000;

/// How many wrong lines a refusal names.
const NAMED: usize = 100;

windlass_core::named_enum! {
    /// What the records of a file are.
    pub enum Records {
        /// People.
        People = "people",
        /// Projects.
        Projects = "projects" | "project",
        /// Mappings.
        Mappings = "mappings" | "mapping",
        /// Links of the organisation.
        Hierarchy = "org-hierarchy",
    }
}

windlass_core::named_enum! {
    /// How a file is written.
    pub enum Format {
        /// A line of names, then a line for each record.
        Csv = "text/csv" | "csv",
        /// A JSON object in each line.
        JsonLines = "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" | "jsonl" | "ndjson",
    }
}

/// A record, and the line that it begins in.
type Line = (u64, Result<Map<String, Json>>);

/// Reads a file into records. What of it is none is an error in its line.
///
/// # Errors
/// 400 for a file that cannot be read at all, 413 for too many records.
pub fn read(format: Format, file: &[u8]) -> Result<Vec<Line>> {
    let text = std::str::from_utf8(file)
        .map_err(|error| Error::bad_parameters(format!("The file is not UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = match format {
        Format::Csv => csv(text)?,
        Format::JsonLines => json_lines(text),
    };
    if lines.len() > MOST {
        let text = format!("The file has more than {MOST} records");
        return Err(Error::new(Kind::PayloadTooLarge, text));
    }
    Ok(lines)
}

fn json_lines(text: &str) -> Vec<Line> {
    let lines = text.lines().zip(1_u64..);
    let lines = lines.filter(|(line, _)| !line.trim().is_empty());
    let read = lines.map(|(line, number)| {
        let object = limits::check_values(line.as_bytes()).and_then(|()| {
            let value: Json = serde_json::from_str(line)
                .map_err(|error| Error::bad_parameters(format!("is no JSON: {error}")))?;
            match value {
                Json::Object(object) => Ok(object),
                _ => Err(Error::bad_parameters("is no object")),
            }
        });
        (number, object)
    });
    read.take(MOST + 1).collect()
}

fn csv(text: &str) -> Result<Vec<Line>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader.headers().cloned().map_err(|error| {
        Error::bad_parameters(format!("The first line cannot be read: {error}"))
    })?;
    if headers.iter().all(str::is_empty) {
        return Err(Error::bad_parameters("The first line must name the fields"));
    }
    let mut lines = Vec::new();
    for record in reader.records().take(MOST + 1) {
        let line = match record {
            Err(error) => {
                let number = error.position().map_or(0, csv::Position::line);
                (
                    number,
                    Err(Error::bad_parameters(format!("cannot be read: {error}"))),
                )
            }
            Ok(record) => {
                let number = record.position().map_or(0, csv::Position::line);
                let is_whole = record.len() == headers.len();
                let refusal = || {
                    Error::bad_parameters(format!(
                        "has {} fields instead of {}",
                        record.len(),
                        headers.len()
                    ))
                };
                (
                    number,
                    if is_whole {
                        Ok(object(&headers, &record))
                    } else {
                        Err(refusal())
                    },
                )
            }
        };
        lines.push(line);
    }
    Ok(lines)
}

/// A record of CSV as an object: `projectOwner.email` is a field of `projectOwner`, what is empty is
/// absent.
fn object(headers: &csv::StringRecord, record: &csv::StringRecord) -> Map<String, Json> {
    let mut object = Map::new();
    for (name, value) in headers.iter().zip(record.iter()) {
        if value.is_empty() {
            continue;
        }
        match name.split_once('.') {
            None => drop(object.insert(name.to_owned(), value.into())),
            Some((outer, inner)) => {
                let fields = object
                    .entry(outer)
                    .or_insert_with(|| Json::Object(Map::new()));
                if let Some(fields) = fields.as_object_mut() {
                    fields.insert(inner.to_owned(), value.into());
                }
            }
        }
    }
    object
}

/// What is wrong with which lines.
#[derive(Default)]
struct Wrong(Vec<(u64, String)>);

impl Wrong {
    fn add(&mut self, line: u64, text: impl Into<String>) {
        self.0.push((line, text.into()));
    }

    fn refuse(mut self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by_key(|(line, _)| *line);
        let count = self.0.len();
        let are = if count == 1 { "line is" } else { "lines are" };
        let refusal = Error::bad_parameters(format!("{count} {are} wrong, nothing was stored"));
        let named = self.0.into_iter().take(NAMED);
        Err(named.fold(refusal, |refusal, (line, text)| {
            refusal.field(format!("line {line}"), text)
        }))
    }
}

/// Stores the records of a file. Answers how many.
///
/// # Errors
/// 403; 400 with what is wrong in each line.
pub async fn store(tx: &impl Tx, asker: &Asker, kind: Records, lines: Vec<Line>) -> Result<usize> {
    demand_writer(asker)?;
    let count = lines.len();
    match kind {
        Records::People => {
            let records = all_read(
                lines,
                people::read,
                people::key_of,
                "Duplicate email address",
            );
            let (records, keys, wrong) = records;
            let taken = people::taken(tx, asker, &keys).await?;
            demand_free(wrong, &records, &keys, &taken, "Duplicate email address")?;
            let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
            people::insert_all(tx, asker, &records).await?;
        }
        Records::Projects => {
            let records = all_read(
                lines,
                projects::read,
                projects::key_of,
                "Duplicate projectId",
            );
            let (records, keys, wrong) = records;
            let taken = projects::taken(tx, asker, &keys).await?;
            demand_free(wrong, &records, &keys, &taken, "Duplicate projectId")?;
            let records: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
            projects::insert_all(tx, asker, &records).await?;
        }
        Records::Mappings => store_mappings(tx, asker, lines, mappings::read).await?,
        Records::Hierarchy => store_mappings(tx, asker, lines, hierarchy::read).await?,
    }
    Ok(count)
}

/// Records, each with its line.
type Numbered = Vec<(u64, Map<String, Json>)>;

/// What reads a record out of an object.
type Reading = fn(&Map<String, Json>) -> Result<Map<String, Json>>;

/// Reads all records; those that the file has twice are wrong.
fn all_read(
    lines: Vec<Line>,
    read: Reading,
    key_of: fn(&Map<String, Json>) -> String,
    duplicate: &str,
) -> (Numbered, Vec<String>, Wrong) {
    let (mut records, mut keys, mut wrong) = (Vec::new(), Vec::new(), Wrong::default());
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for (number, line) in lines {
        match line.and_then(|object| read(&object)) {
            Err(error) => wrong.add(number, error.message()),
            Ok(record) => {
                let key = key_of(&record);
                if let Some(first) = seen.get(&key) {
                    wrong.add(number, format!("{duplicate}, as in line {first}"));
                    continue;
                }
                seen.insert(key.clone(), number);
                keys.push(key);
                records.push((number, record));
            }
        }
    }
    (records, keys, wrong)
}

fn demand_free(
    mut wrong: Wrong,
    records: &Numbered,
    keys: &[String],
    taken: &[String],
    duplicate: &str,
) -> Result<()> {
    for ((number, _), key) in records.iter().zip(keys) {
        if taken.contains(key) {
            wrong.add(*number, duplicate);
        }
    }
    wrong.refuse()
}

/// Mappings are stored one after the other, because a link may close a circle with those before it.
async fn store_mappings(
    tx: &impl Tx,
    asker: &Asker,
    lines: Vec<Line>,
    read: fn(&Map<String, Json>) -> Result<mappings::Mapping>,
) -> Result<()> {
    let mut wrong = Wrong::default();
    for (number, line) in lines {
        let stored = match line.and_then(|object| read(&object)) {
            Ok(mapping) => mappings::insert_one(tx, asker, &mapping).await.map(drop),
            Err(error) => Err(error),
        };
        match stored {
            Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => {
                return Err(error);
            }
            Err(error) => wrong.add(number, error.message()),
            Ok(()) => {}
        }
    }
    wrong.refuse()
}
