//! Migrations travel inside the components: numbered SQL files, applied on first use.
//!
//! Any component, in any process, may be the first to see an empty database, so every step runs
//! under `BEGIN IMMEDIATE` and looks again at the version it finds. libSQL servers refuse
//! `pragma user_version`, so the version is a table. A file that has landed is never edited.

use crate::plan_parts;
use miniz_oxide::inflate;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Timestamp, params};

/// Every migration in its order: number, name, length of its statements. The build script lists `schema/`.
const MIGRATIONS: &[(i64, &str, usize)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// The statements of all migrations, in their order and compressed: each component carries them, and only
/// the first to see a database that lacks one reads them.
static STATEMENTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/migrations.zlib"));

const SCHEMA_VERSIONS: &str = "create table if not exists schema_versions (
     version integer primary key, name text not null, applied_at text not null)";

/// The version this build expects.
pub fn latest() -> i64 {
    MIGRATIONS.last().map_or(0, |(number, _, _)| *number)
}

/// How many migrations this build knows.
pub fn count() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Brings the database to this build's version; cheap when it is there already.
///
/// # Errors
/// Whatever a statement failed with. Each migration is applied whole or not at all.
pub async fn apply(db: &impl Db) -> Result<()> {
    let done = applied(db).await?;
    if MIGRATIONS.iter().all(|(number, ..)| done.contains(number)) {
        return Ok(());
    }
    // Readers no longer wait for writers. A server may refuse it, which costs speed only.
    let _ = db.query("pragma journal_mode = wal", &[]).await;
    if !done.is_empty() {
        return apply_all(db, &unpacked()?).await;
    }
    db.fill(async |db| {
        db.execute(SCHEMA_VERSIONS, &[]).await?;
        apply_all(db, &unpacked()?).await
    })
    .await
}

/// A migration with its statements.
struct Migration {
    number: i64,
    name: &'static str,
    statements: String,
}

/// All migrations with their statements.
fn unpacked() -> Result<Vec<Migration>> {
    let damaged = || Error::internal("the migrations of this build cannot be read");
    let bytes = inflate::decompress_to_vec_zlib(STATEMENTS).map_err(|_| damaged())?;
    let mut rest = str::from_utf8(&bytes).map_err(|_| damaged())?;
    let mut migrations = Vec::with_capacity(MIGRATIONS.len());
    for (number, name, length) in MIGRATIONS {
        let (statements, after) = rest.split_at_checked(*length).ok_or_else(damaged)?;
        migrations.push(Migration {
            number: *number,
            name,
            statements: statements.to_owned(),
        });
        rest = after;
    }
    Ok(migrations)
}

/// What was there before a migration, for tests of it.
#[cfg(test)]
pub(crate) async fn apply_before(db: &impl Db, name: &str) -> Result<()> {
    db.execute(SCHEMA_VERSIONS, &[]).await?;
    let mut before = unpacked()?;
    before.truncate(before.iter().take_while(|known| known.name != name).count());
    apply_all(db, &before).await
}

async fn apply_all(db: &impl Db, migrations: &[Migration]) -> Result<()> {
    for migration in migrations {
        db.transaction(async |db| {
            if applied(db).await?.contains(&migration.number) {
                return Ok(());
            }
            for statement in split(&migration.statements) {
                db.execute(&statement, &[]).await?;
            }
            if migration.name == "plan_parts" {
                plan_parts::hash_all(db).await?;
            }
            db.execute(
                "insert into schema_versions (version, name, applied_at) values (?1, ?2, ?3)",
                params![migration.number, migration.name, Timestamp::now()],
            )
            .await
        })
        .await?;
    }
    Ok(())
}

/// The newest version that the database has seen; a later build's is over [`latest`].
///
/// # Errors
/// Of the database.
pub async fn newest(db: &impl Db) -> Result<i64> {
    Ok(applied(db).await?.into_iter().max().unwrap_or(0))
}

/// The numbers of the migrations that the database has.
async fn applied(db: &impl Db) -> Result<Vec<i64>> {
    let known = db
        .first(
            "select 1 from sqlite_master where type = 'table' and name = 'schema_versions'",
            &[],
        )
        .await?;
    if known.is_none() {
        return Ok(Vec::new());
    }
    let numbers = db
        .first_json("select json_group_array(version) from schema_versions", &[])
        .await?;
    Ok(numbers.unwrap_or_default())
}

/// The statements of a file. Spin runs only the first of several and says nothing.
///
/// Knows what our schema files use: `--` comments, quoted text and `begin .. end` of triggers.
fn split(sql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut in_trigger = false;
    for line in sql.lines() {
        let line = line
            .split_once("--")
            .map_or(line, |(code, _)| code)
            .trim_end();
        let lower = line.trim_start().to_ascii_lowercase();
        if current.trim().is_empty() {
            in_trigger = lower.starts_with("create trigger");
        }
        current.push_str(line);
        current.push('\n');
        let ends = if in_trigger {
            lower.ends_with("end;")
        } else {
            lower.ends_with(';')
        };
        if ends {
            statements.push(
                std::mem::take(&mut current)
                    .trim()
                    .trim_end_matches(';')
                    .to_owned(),
            );
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// The statements of one migration.
#[cfg(test)]
pub(crate) fn named(name: &str) -> Vec<String> {
    let all = unpacked().expect("what the build script packed");
    let of = all.iter().filter(|known| known.name == name);
    of.flat_map(|migration| split(&migration.statements))
        .collect()
}

/// The build script, for what it says about files that are not as they should be.
#[cfg(test)]
#[path = "../build.rs"]
#[allow(dead_code, reason = "its `main` is cargo's")]
mod listing;

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    #[test]
    fn components_carry_statements_without_comments() {
        let sql = "-- Why.\ncreate table a (\n    -- What.\n    x text default '--'\n);\n\n";
        assert_eq!(
            listing::without_comments(sql),
            "create table a (\nx text default '--'\n);\n"
        );
    }

    #[test]
    fn files_are_listed_by_their_numbers() {
        let listed = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            listing::in_order(&files)
        };
        let good = listed(&["002_two.sql", "001_one.sql"]).unwrap();
        assert_eq!(good, [(1, "one".to_owned()), (2, "two".to_owned())]);
        assert_eq!(listed(&["004_four.sql", "001_one.sql"]).unwrap().len(), 2);
        for (files, problem) in [
            (
                &["001_one.sql", "002_b.sql", "002_a.sql"][..],
                "002_a.sql and 002_b.sql have the same number",
            ),
            (&["1_one.sql"], "`1_one.sql` is not called like a migration"),
            (
                &["001_One.sql"],
                "`001_One.sql` is not called like a migration",
            ),
            (
                &["001_one.txt"],
                "`001_one.txt` is not called like a migration",
            ),
        ] {
            let told = listed(files).unwrap_err();
            assert!(told.starts_with(problem), "{files:?}: {told}");
        }
    }

    #[test]
    fn migrations_apply_once_and_are_repeatable() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            apply(&db).await.unwrap();
            apply(&db).await.unwrap();
            let numbers = applied(&db).await.unwrap();
            assert_eq!(numbers.last(), Some(&latest()));
            assert_eq!(numbers.len(), MIGRATIONS.len());
            let triggers = db
                .first(
                    "select count(*) from sqlite_master where type = 'trigger'",
                    &[],
                )
                .await;
            assert!(triggers.unwrap().unwrap().integer(0).unwrap() >= 10);
        });
    }

    #[test]
    fn a_later_migration_does_not_hide_one_that_is_missing() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            for sql in [
                "create table schema_versions (
                     version integer primary key, name text not null, applied_at text not null)",
                "insert into schema_versions values (9999, 'of a later build', '')",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            apply(&db).await.unwrap();
            assert_eq!(applied(&db).await.unwrap().len(), MIGRATIONS.len() + 1);
        });
    }

    #[test]
    fn a_file_is_split_at_its_statements() {
        let sql = "-- a; comment\ncreate table a (x); -- more;\n\ncreate trigger t after insert on a\n    begin update a set x = 1; end;\nselect ';';\n";
        let statements = split(sql);
        assert_eq!(statements.len(), 3, "{statements:?}");
        assert!(statements[1].ends_with("end"));
    }
}
