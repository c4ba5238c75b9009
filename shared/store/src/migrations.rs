//! Migrations travel inside the components: numbered SQL files, applied on first use.
//!
//! Any component, in any process, may be the first to see an empty database, so every step runs
//! under `BEGIN IMMEDIATE` and looks again at the version it finds. libSQL servers refuse
//! `pragma user_version`, so the version is a table. A file that has landed is never edited.

use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};

/// Every migration in its order: number, name, statements.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "identity", include_str!("../schema/001_identity.sql")),
    (
        2,
        "orchestration",
        include_str!("../schema/002_orchestration.sql"),
    ),
    (3, "groups", include_str!("../schema/003_groups.sql")),
    (
        4,
        "token_scopes",
        include_str!("../schema/004_token_scopes.sql"),
    ),
    (5, "status", include_str!("../schema/005_status.sql")),
    (
        6,
        "status_subscriptions",
        include_str!("../schema/006_status_subscriptions.sql"),
    ),
    (7, "ldap", include_str!("../schema/007_ldap.sql")),
    (8, "blobs", include_str!("../schema/008_blobs.sql")),
    (
        9,
        "status_runs",
        include_str!("../schema/009_status_runs.sql"),
    ),
    (10, "sites", include_str!("../schema/010_sites.sql")),
];

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
    db.execute(
        "create table if not exists schema_versions (
             version integer primary key, name text not null, applied_at text not null)",
        &[],
    )
    .await?;
    for (number, name, statements) in MIGRATIONS {
        db.transaction(async |db| {
            if applied(db).await?.contains(number) {
                return Ok(());
            }
            for statement in split(statements) {
                db.execute(&statement, &[]).await?;
            }
            db.execute(
                "insert into schema_versions (version, name, applied_at) values (?1, ?2, ?3)",
                params![*number, *name, Timestamp::now()],
            )
            .await
        })
        .await?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

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
