//! Regular expressions: rows are looked at one after the other, newest first, under limits.

use super::{Condition, Root};
use std::time::{Duration, Instant};
use windlass_core::db::{Db, Row, Value};
use windlass_core::{Error, Result};
use windlass_pattern::Pattern;

/// The most rows that a search looks at.
const MOST_ROWS: usize = 20_000;

/// How long a search may take.
const LONGEST: Duration = Duration::from_secs(2);

/// How many steps one text may take.
const STEPS: u32 = 20_000;

/// How many rows are read at once.
const BATCH: usize = 500;

/// A regular expression and what it is looked for in.
#[derive(Debug)]
pub(super) struct Search {
    /// The path of the filter, for refusals.
    pub path: String,
    /// An expression: the texts, as a list in JSON.
    pub texts: String,
    /// What is looked for.
    pub pattern: Pattern,
}

impl Search {
    fn matches(&self, texts: &[Option<String>]) -> Result<bool> {
        for text in texts.iter().flatten() {
            match self.pattern.matches_within(text, STEPS) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(_) => return Err(self.refuse("the regular expression takes too many steps")),
            }
        }
        Ok(false)
    }

    fn refuse(&self, why: &str) -> Error {
        let path: String = self.path.chars().take(200).collect();
        Error::bad_parameters(format!("{path}: {why}"))
    }
}

/// The keys of the rows in which every search finds something, newest first.
///
/// # Errors
/// 400 where that would take too long.
pub(super) async fn keys(
    db: &impl Db,
    root: Root,
    conditions: &[Condition],
    searches: &[Search],
) -> Result<Vec<i64>> {
    keys_within(db, root, conditions, searches, LONGEST).await
}

async fn keys_within(
    db: &impl Db,
    root: Root,
    conditions: &[Condition],
    searches: &[Search],
    longest: Duration,
) -> Result<Vec<i64>> {
    let begun = Instant::now();
    let (_, alias) = root.table();
    let texts: Vec<&str> = searches
        .iter()
        .map(|search| search.texts.as_str())
        .collect();
    let (mut found, mut last, mut seen) = (Vec::new(), None::<(String, i64)>, 0);
    loop {
        let mut all = conditions.to_vec();
        if let Some((time, key)) = &last {
            let before = format!("({alias}.created_on, {alias}.key) < ({{}}, {{}})");
            all.push(Condition::new(
                before,
                [time.as_str().into(), (*key).into()],
            ));
        }
        let (condition, values) = super::page::joined(&all);
        let sql = format!(
            "select {alias}.key, {alias}.created_on, {} from {} where {condition}
             order by {alias}.created_on desc, {alias}.key desc limit {BATCH}",
            texts.join(", "),
            root.rows()
        );
        let rows = db.query(&sql, &values).await?;
        for row in &rows {
            // Each row may be long, and each pattern slow.
            if begun.elapsed() > longest {
                return Err(too_many(searches));
            }
            if all_match(row, searches)? {
                found.push(row.integer(0)?);
            }
        }
        let Some(row) = rows.last().filter(|_| rows.len() == BATCH) else {
            return Ok(found);
        };
        last = Some((row.text(1)?.to_owned(), row.integer(0)?));
        seen += rows.len();
        if seen >= MOST_ROWS {
            return Err(too_many(searches));
        }
    }
}

fn too_many(searches: &[Search]) -> Error {
    let why = "too many rows would have to be searched, add other conditions";
    match searches.first() {
        Some(search) => search.refuse(why),
        None => Error::bad_parameters(why),
    }
}

fn all_match(row: &Row, searches: &[Search]) -> Result<bool> {
    for (place, search) in searches.iter().enumerate() {
        if matches!(row.0.get(place + 2), Some(Value::Null)) {
            return Ok(false);
        }
        if !search.matches(&row.json::<Vec<Option<String>>>(place + 2)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::Filter;
    use crate::testing::World;

    #[test]
    fn the_clock_is_looked_at_for_every_row() {
        pollster::block_on(async {
            let world = World::new().await;
            world.sign_up().await.unwrap();
            let filter = r#"{"uuid": {"regex": "."}}"#;
            let filter = Filter::parse(Root::Tasks, Some(filter)).unwrap();
            let (all, searches) = (&filter.conditions, &filter.searches);
            let within =
                async |longest| keys_within(&world.db, Root::Tasks, all, searches, longest).await;
            assert_eq!(within(LONGEST).await.unwrap().len(), 1);
            let refusal = within(Duration::ZERO).await.unwrap_err();
            let why = "uuid__regex: too many rows would have to be searched, add other conditions";
            assert_eq!(refusal.message(), why);
        });
    }
}
