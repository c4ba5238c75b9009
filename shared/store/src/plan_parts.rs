//! What plans give to deployments and nodes: texts that thousands of rows have in common.
//!
//! Each text is kept once, under a key that rows name in columns ending in `_part`. Triggers count the
//! rows, and a part that no row names any more is gone at the end of the statement that let go of it.

use std::collections::HashMap;
use windlass_core::db::{Db, Tx};
use windlass_core::limits::PIECE;
use windlass_core::{Error, Result, hashing, params};

use crate::pieces;

/// The expression of a part: `part_sql!("t", "outputs")` is its text, null where there is none.
macro_rules! part_sql {
    ($row:literal, $column:literal) => {
        concat!(
            "(select p.text from plan_parts p where p.key = ",
            $row,
            ".",
            $column,
            "_part)"
        )
    };
}
/// The same of an object that is empty where there is no part.
macro_rules! object_part_sql {
    ($row:literal, $column:literal) => {
        concat!(
            "coalesce(",
            crate::plan_parts::part_sql!($row, $column),
            // Not as a literal: braces stand for values in the expressions of lists.
            ", json_object())"
        )
    };
}
pub(crate) use {object_part_sql, part_sql};

/// The workflows of a deployment `t` as they are shown in its present situation.
pub(crate) const WORKFLOWS: &str = "coalesce((select p.text from plan_parts p
     where p.key = t.workflow_parts ->> coalesce(
         (select n.situation from instance_counts n where n.deployment_key = t.key), 0)), '[]')";

/// What tells texts apart: half of their SHA-256, which is more than anybody can find two texts for
/// that are not both their own.
fn hash(text: &str) -> String {
    let mut hash = hashing::digest(text);
    hash.truncate(32);
    hash
}

/// The keys of texts, in their order. Those that are not there yet are stored, and stay only when
/// rows name them.
pub(crate) async fn keep(tx: &impl Tx, texts: &[&str]) -> Result<Vec<i64>> {
    let mut hashes: HashMap<&str, String> = HashMap::new();
    for text in texts {
        hashes.entry(text).or_insert_with(|| hash(text));
    }
    let mut keys = find(tx, hashes.values()).await?;
    let missing: Vec<(&String, &str)> = hashes
        .iter()
        .filter(|(_, hash)| !keys.contains_key(*hash))
        .map(|(text, hash)| (hash, *text))
        .collect();
    if !missing.is_empty() {
        insert(tx, &missing).await?;
        keys.extend(find(tx, missing.iter().map(|(hash, _)| *hash)).await?);
    }
    let key = |text: &&str| hashes.get(text).and_then(|hash| keys.get(hash)).copied();
    let found: Option<Vec<i64>> = texts.iter().map(key).collect();
    found.ok_or_else(|| Error::internal("a part that was stored has a key"))
}

/// The keys of those that are there, by hash.
async fn find(db: &impl Db, hashes: impl Iterator<Item = &String>) -> Result<HashMap<String, i64>> {
    let sql = "select json_group_object(p.hash, p.key)
               from json_each(?1) w cross join plan_parts p on p.hash = w.value";
    let mut keys = HashMap::new();
    for batch in pieces::batches(hashes) {
        let found: Option<HashMap<String, i64>> = db.first_json(sql, params![batch?]).await?;
        keys.extend(found.unwrap_or_default());
    }
    Ok(keys)
}

async fn insert(tx: &impl Tx, parts: &[(&String, &str)]) -> Result<()> {
    // What is large goes as it is: inside of a list its quotes and backslashes would double it.
    let is_large = |part: &&(&String, &str)| part.1.len() > PIECE as usize / 4;
    let (large, small): (Vec<_>, Vec<_>) = parts.iter().copied().partition(|part| is_large(&part));
    let sql = "insert into plan_parts (hash, text)
               select value ->> 0, value ->> 1 from json_each(?1)";
    for batch in pieces::batches(small) {
        tx.execute(sql, params![batch?]).await?;
    }
    for (hash, text) in large {
        let sql = "insert into plan_parts (hash, text) values (?1, ?2)";
        tx.execute(sql, params![hash.as_str(), text]).await?;
    }
    Ok(())
}

/// Gives their hashes to parts that SQL alone made: part of the migration that makes the table.
pub(crate) async fn hash_all(tx: &impl Tx) -> Result<()> {
    loop {
        let sql = "select key, text from plan_parts where hash is null limit 50";
        let rows = tx.query(sql, &[]).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            let values = params![row.integer(0)?, hash(row.text(1)?)];
            tx.execute("update plan_parts set hash = ?2 where key = ?1", values)
                .await?;
        }
    }
}

#[cfg(test)]
mod tests;
