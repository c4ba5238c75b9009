//! Which tables are the application's state, and in which order their rows can be inserted.
//!
//! The database is asked, so a new table is in snapshots without anybody thinking of it. Named here are
//! those that are not: what belongs to the running application rather than to its state, and what is
//! made anew.

use std::collections::BTreeMap;
use windlass_core::Result;
use windlass_core::db::Db;

/// What a restoration leaves as it is. Nothing in them refers to a row that a restored state may lack,
/// but for the tenant that is always there.
pub const KEPT: [&str; 16] = [
    // What was done here stays known.
    "audit_log",
    // How this application runs: its version, its disk, its nodes, how far its ticks are.
    "schema_versions",
    "disk_room",
    "managers",
    "brokers",
    "license",
    "maintenance",
    "scheduler_ticks",
    // Guesses at passwords are counted on.
    "failed_logins",
    // Archives about the state are no part of it, and blobs without a row are none of anybody's.
    "snapshots",
    "log_bundles",
    "loose_blobs",
    // Numbers that say that something has changed, which nobody may see twice.
    "identity_version",
    "status_version",
    "list_versions",
    // Where indexes for searches end; those are made anew.
    "search_indexes",
];

/// What a restoration leaves empty, or makes from the other rows. Nobody is logged in by a snapshot.
pub const LEFT_EMPTY: [&str; 3] = ["sessions", "verified_credentials", "row_counts"];

/// The columns that name blobs, with the column of their size. A test compares them with the schema.
const BLOBS: [(&str, &str, &str); 3] = [
    ("blueprints", "archive_blob", "archive_size"),
    ("plugins", "archive_blob", "archive_size"),
    ("plugin_files", "blob", "size"),
];

/// A table of the application's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The columns that are stored, in their order.
    pub columns: Vec<String>,
    /// What its rows are read by: the primary key, or the number that SQLite gives each row.
    pub key: Vec<String>,
    /// The column that names a blob, and the one of its size.
    pub blob: Option<(&'static str, &'static str)>,
}

impl Table {
    /// Where a column stands in a row.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

/// All tables of the state: who is referred to comes before who refers.
pub async fn of_state(db: &impl Db) -> Result<Vec<Table>> {
    let mut tables = all(db).await?;
    tables.retain(|name, _| ![&KEPT[..], &LEFT_EMPTY].concat().contains(&name.as_str()));
    let parents = parents(db).await?;
    let mut ordered: Vec<Table> = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_free = |name: &String| {
            let mut needed = parents.iter().filter(|(child, _)| child == name);
            needed.all(|(_, parent)| parent == name || !tables.contains_key(parent))
        };
        // Of a circle any is as good: what refers to nothing yet is only looked at when all is there.
        let next = tables.keys().find(|name| is_free(name));
        let Some(next) = next.or(tables.keys().next()).cloned() else {
            break;
        };
        ordered.extend(tables.remove(&next));
    }
    Ok(ordered)
}

async fn all(db: &impl Db) -> Result<BTreeMap<String, Table>> {
    let sql = "select t.name, t.wr, c.name, c.pk from pragma_table_list t
               join pragma_table_xinfo(t.name) c on c.hidden = 0
               where t.schema = 'main' and t.type = 'table' and t.name not like 'sqlite\\_%' escape '\\'
               order by t.name, c.cid";
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let mut keys: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for row in db.query(sql, &[]).await? {
        let (name, column) = (row.text(0)?.to_owned(), row.text(2)?.to_owned());
        let (has_no_rowid, place) = (row.boolean(1)?, row.integer(3)?);
        if has_no_rowid && place > 0 {
            let key = keys.entry(name.clone()).or_default();
            key.insert(place, column.clone());
        }
        let table = tables.entry(name.clone()).or_insert_with(|| Table {
            blob: blob_of(&name),
            name,
            columns: Vec::new(),
            key: vec!["rowid".to_owned()],
        });
        table.columns.push(column);
    }
    for (name, key) in keys {
        if let Some(table) = tables.get_mut(&name) {
            table.key = key.into_values().collect();
        }
    }
    Ok(tables)
}

fn blob_of(table: &str) -> Option<(&'static str, &'static str)> {
    let mut known = BLOBS.iter();
    let found = known.find(|(name, _, _)| *name == table);
    found.map(|(_, blob, size)| (*blob, *size))
}

/// Which table refers to which.
async fn parents(db: &impl Db) -> Result<Vec<(String, String)>> {
    let sql = "select distinct t.name, f.\"table\" from pragma_table_list t
               join pragma_foreign_key_list(t.name) f where t.schema = 'main' and t.type = 'table'";
    let rows = db.query(sql, &[]).await?;
    let pair =
        |row: &windlass_core::db::Row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    rows.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_store::migrations;

    async fn fresh() -> NativeDb {
        let db = NativeDb::in_memory();
        migrations::apply(&db).await.unwrap();
        db
    }

    #[test]
    fn who_is_referred_to_comes_first() {
        pollster::block_on(async {
            let db = fresh().await;
            let tables = of_state(&db).await.unwrap();
            let place = |name: &str| tables.iter().position(|table| table.name == name);
            for (child, parent) in parents(&db).await.unwrap() {
                if let (Some(child_at), Some(parent_at)) = (place(&child), place(&parent)) {
                    assert!(
                        child == parent || parent_at < child_at,
                        "{child} and {parent}"
                    );
                }
            }
            assert!(place("deployments").is_some() && place("audit_log").is_none());
            assert!(tables.iter().all(|table| !table.name.contains("_search")));
            let queue = tables.iter().find(|table| table.name == "queue").unwrap();
            assert!(queue.place("due_at").is_none(), "it is computed");
        });
    }

    #[test]
    fn every_column_that_names_a_blob_is_known() {
        pollster::block_on(async {
            let db = fresh().await;
            for table in of_state(&db).await.unwrap() {
                for column in &table.columns {
                    let is_known = table.blob.is_some_and(|(known, _)| known == column);
                    assert_eq!(column.contains("blob"), is_known, "{}.{column}", table.name);
                }
            }
        });
    }

    /// A row that stays must not need one that goes.
    #[test]
    fn what_is_kept_refers_to_nothing_that_is_replaced() {
        pollster::block_on(async {
            let db = fresh().await;
            let all = all(&db).await.unwrap();
            for name in KEPT.iter().chain(&LEFT_EMPTY) {
                assert!(all.contains_key(*name), "{name}");
            }
            for (child, parent) in parents(&db).await.unwrap() {
                let is_fine = (child.as_str(), parent.as_str()) == ("log_bundles", "tenants");
                assert!(
                    !KEPT.contains(&child.as_str()) || is_fine,
                    "{child} and {parent}"
                );
            }
        });
    }
}
