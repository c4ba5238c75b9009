//! Tables of several runs as one: of each number the median, with the smallest and the largest.
//!
//! What is measured prints tables that can be pasted. So nothing that is measured has to know that it is
//! measured several times: the tables are read again, and rows with the same name are put together.

use std::fmt::Write as _;

/// A table as it is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub head: Vec<String>,
    /// What follows; the first cell is the row's name.
    pub rows: Vec<Vec<String>>,
}

/// The tables of a text, in their order. Other lines are left out.
pub fn read(text: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let Some(cells) = cells(line) else {
            is_inside = false;
            continue;
        };
        match (is_inside, tables.last_mut()) {
            (true, Some(_)) if cells.iter().all(|cell| cell.chars().all(|c| c == '-')) => {}
            (true, Some(table)) => table.rows.push(cells),
            _ => tables.push(Table {
                head: cells,
                rows: Vec::new(),
            }),
        }
        is_inside = true;
    }
    tables
}

fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect(),
    )
}

/// The tables of several runs as those of one. A row that a run has not is put together from the others.
pub fn merge(runs: &[Vec<Table>]) -> Vec<Table> {
    let mut merged = runs.first().cloned().unwrap_or_default();
    for (place, table) in merged.iter_mut().enumerate() {
        for row in &mut table.rows {
            let same: Vec<&Vec<String>> = runs
                .iter()
                .filter_map(|run| {
                    run.get(place)?
                        .rows
                        .iter()
                        .find(|other| other.first() == row.first())
                })
                .collect();
            for (column, cell) in row.iter_mut().enumerate().skip(1) {
                let cells: Vec<&str> = same
                    .iter()
                    .filter_map(|row| Some(row.get(column)?.as_str()))
                    .collect();
                *cell = middle(&cells);
            }
        }
    }
    merged
}

/// The cells of several runs as one: where they differ in numbers alone, medians and what they are between.
fn middle(cells: &[&str]) -> String {
    let parts: Vec<Vec<Part<'_>>> = cells.iter().map(|cell| parts(cell)).collect();
    let Some(first) = parts.first() else {
        return String::new();
    };
    let texts = |parts: &[Part<'_>]| -> Vec<Option<String>> {
        parts
            .iter()
            .map(|part| part.number.is_none().then(|| part.text.to_owned()))
            .collect()
    };
    if parts.iter().any(|other| texts(other) != texts(first)) {
        // What was measured in some runs only, or has other words: all of them.
        let mut different: Vec<&str> = cells.to_vec();
        different.dedup();
        return different.join(" / ");
    }
    let mut text = String::new();
    for (place, part) in first.iter().enumerate() {
        let mut numbers: Vec<(f64, &str)> = parts
            .iter()
            .filter_map(|parts| Some((parts[place].number?, parts[place].text)))
            .collect();
        numbers.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (Some(least), Some(most)) = (numbers.first(), numbers.last()) else {
            text.push_str(part.text);
            continue;
        };
        text.push_str(numbers[numbers.len() / 2].1);
        if least.1 != most.1 {
            let _ = write!(text, " ({} to {})", least.1, most.1);
        }
    }
    text
}

/// A number, or what is between numbers.
#[derive(Debug)]
struct Part<'a> {
    text: &'a str,
    number: Option<f64>,
}

fn parts(cell: &str) -> Vec<Part<'_>> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut parts = Vec::new();
    let mut rest = cell;
    while !rest.is_empty() {
        let end = match rest.starts_with(is_digit) {
            true => rest
                .find(|c: char| !is_digit(c) && c != '.' && c != ',')
                .unwrap_or(rest.len()),
            false => rest.find(is_digit).unwrap_or(rest.len()),
        };
        let text = match rest.starts_with(is_digit) {
            // A sign that ends a sentence is none of the number.
            true => rest[..end].trim_end_matches(['.', ',']),
            false => &rest[..end],
        };
        let number = text
            .replace(',', "")
            .parse()
            .ok()
            .filter(|_| rest.starts_with(is_digit));
        parts.push(Part { text, number });
        rest = &rest[text.len()..];
    }
    parts
}

impl Table {
    /// The table as text.
    pub fn text(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&self.head);
        let _ = writeln!(text, "|{}", "---|".repeat(self.head.len()));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }
}

/// The first number of a cell.
pub fn number(cell: &str) -> Option<f64> {
    parts(cell).iter().find_map(|part| part.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_runs_are_medians_and_what_they_are_between() {
        let run = |rate: &str, time: &str| {
            read(&format!(
                "words\n| request | requests/s | took |\n|---|---|---|\n| page of 20 | {rate} | {time} |\n\nmore\n"
            ))
        };
        let merged = merge(&[
            run("1,900", "0.5 s, 30 a second."),
            run("2,100", "0.4 s, 30 a second."),
            run("800", "0.6 s, 30 a second."),
        ]);
        assert_eq!(
            merged[0].text(),
            "| request | requests/s | took |\n|---|---|---|\n\
             | page of 20 | 1,900 (800 to 2,100) | 0.5 (0.4 to 0.6) s, 30 a second. |\n"
        );
        assert_eq!(number(&merged[0].rows[0][1]), Some(1900.0));
    }

    #[test]
    fn what_is_no_number_in_all_runs_is_shown_of_each() {
        for (cells, want) in [
            (&["-", "-"][..], "-"),
            (&["12 ms", "-"], "12 ms / -"),
            (&["12 ms"], "12 ms"),
            (&["p50 3", "p50 3"], "p50 3"),
            (&[], ""),
        ] {
            assert_eq!(middle(cells), want);
        }
    }
}
