//! What a Windlass has stored: to see whether a request left something behind, and to take it back.

use crate::windlass::Windlass;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Counters of what was asked, refused or not.
const COUNTERS: [&str; 3] = [
    "status_subscription_requests",
    "token_uses",
    "token_use_kinds",
];
/// What instances compare with what they remember: never the same twice.
const VERSIONS: [&str; 3] = ["identity_version", "list_versions", "status_version"];

/// Everything in the application's databases: the records and the bytes of archives.
pub struct Stored {
    records: Looked,
    bytes: Looked,
}

/// One database, with a number for the content of each table.
struct Looked {
    connection: Connection,
    version: i64,
    tables: BTreeMap<String, u64>,
}

impl Stored {
    /// Looks, and keeps a copy of the records.
    pub fn look(windlass: &Windlass) -> Self {
        let records = Looked::at(windlass.open_database());
        let database = &records.connection;
        let off = database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false);
        off.expect("triggers can be passed over");
        let mut keep = String::from("pragma foreign_keys = off; attach ':memory:' as kept;");
        for table in records.tables.keys() {
            keep.push_str(&format!(
                "create table kept.\"{table}\" as select {} from main.\"{table}\";",
                columns(database, table)
            ));
        }
        database.execute_batch(&keep).expect("memory takes a copy");
        Self {
            records,
            bytes: Looked::at(windlass.open_key_value()),
        }
    }

    /// Looks again: the tables that are not as they were when somebody last looked.
    pub fn changes(&mut self) -> Vec<String> {
        let mut changes = self.records.changes();
        changes.extend(self.bytes.changes());
        changes
    }

    /// Makes the records what they were at the first look. Bytes that no record names stay.
    pub fn restore(&mut self) {
        let mut restore = String::from("begin immediate;");
        for table in self.records.changes() {
            restore.push_str(&match VERSIONS.contains(&table.as_str()) {
                true => format!("update {table} set version = version + 1;"),
                false => format!(
                    "delete from main.\"{table}\";
                     insert into main.\"{table}\" ({0}) select {0} from kept.\"{table}\";",
                    columns(&self.records.connection, &table)
                ),
            });
        }
        // Triggers are off, so what searches read is made anew.
        restore.push_str(&self.fill_search_indexes());
        restore.push_str("commit;");
        let database = &self.records.connection;
        database
            .execute_batch(&restore)
            .expect("rows can be put back");
        self.records.tables = tables(database);
        self.bytes.changes();
    }
}

impl Stored {
    fn fill_search_indexes(&self) -> String {
        let database = &self.records.connection;
        let mut indexes = database
            .prepare("select name from search_indexes")
            .expect("the application has some");
        let names = indexes.query_map([], |row| row.get::<_, String>(0));
        let mut fill = String::new();
        for name in names.expect("names can be read") {
            let index = name.expect("an index has a name");
            let table = index.trim_end_matches("_search");
            fill.push_str(&format!(
                "insert into {index} ({index}) values ('rebuild');
                 update search_indexes set up_to = (select coalesce(max(key), 0) from {table})
                 where name = '{index}';"
            ));
        }
        fill
    }
}

impl Looked {
    fn at(connection: Connection) -> Self {
        Self {
            version: version(&connection),
            tables: tables(&connection),
            connection,
        }
    }

    fn changes(&mut self) -> Vec<String> {
        // SQLite counts the writes of others, so nothing is read while nobody wrote.
        let version = version(&self.connection);
        if version == self.version {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.tables, tables(&self.connection));
        self.version = version;
        let now = self.tables.iter();
        now.filter(|(name, content)| before.get(*name) != Some(content))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

fn version(connection: &Connection) -> i64 {
    connection
        .query_row("pragma data_version", [], |row| row.get(0))
        .expect("every SQLite counts")
}

/// Each table and a number for its rows. Search indexes follow their tables.
fn tables(connection: &Connection) -> BTreeMap<String, u64> {
    let mut names = connection
        .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        .expect("every SQLite has it");
    let names = names.query_map([], |row| row.get::<_, String>(0));
    names
        .expect("every SQLite has it")
        .map(|name| name.expect("tables have names"))
        .filter(|name| !COUNTERS.contains(&name.as_str()) && !name.contains("search"))
        .map(|name| {
            let content = content(connection, &name);
            (name, content)
        })
        .collect()
}

/// The columns that can be written: not those that are computed.
fn columns(connection: &Connection, table: &str) -> String {
    let names = "select group_concat('\"' || name || '\"') from pragma_table_info(?1)";
    connection
        .query_row(names, [table], |row| row.get(0))
        .expect("a table has columns")
}

fn content(connection: &Connection, table: &str) -> u64 {
    let mut rows = connection
        .prepare(&format!("select * from \"{table}\""))
        .expect("a table has rows");
    let columns = rows.column_count();
    let mut rows = rows.query([]).expect("a table has rows");
    let mut hasher = DefaultHasher::new();
    while let Some(row) = rows.next().expect("a table has rows") {
        for column in 0..columns {
            let value: Value = row.get(column).expect("any value");
            format!("{value:?}").hash(&mut hasher);
        }
    }
    hasher.finish()
}
