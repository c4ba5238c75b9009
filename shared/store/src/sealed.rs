//! All values that are stored encrypted, to be encrypted anew when the application's key has changed.
//!
//! It goes through the tables in small pieces, each row by a statement of its own that changes only what was
//! read: whoever writes a value meanwhile wins, and has sealed it with the present key anyway.

use serde::Serialize;
use std::collections::BTreeMap;
use windlass_core::db::{Db, Value};
use windlass_core::{Result, log, params, secretbox};

/// A column with sealed values, and the column of the table's key.
struct Column {
    table: &'static str,
    key: &'static str,
    value: &'static str,
}

const fn column(table: &'static str, key: &'static str, value: &'static str) -> Column {
    Column { table, key, value }
}

/// All of them. What is sealed and not named here cannot be read any more when old keys are gone.
const COLUMNS: [Column; 9] = [
    column("secrets", "key", "value"),
    column("secrets", "key", "provider_options"),
    column("secrets_providers", "key", "connection_parameters"),
    column("sealed_values", "name", "value"),
    column("status_subscriptions", "id", "secret"),
    column("adjutant_tokens", "key", "sealed"),
    column("tools", "key", "credentials"),
    column("pipelines", "key", "webhook_secret"),
    column("shell_steps", "key", "content"),
];

/// How many rows are read at a time.
const ROWS: i64 = 200;

/// How far a pass has come. The default is its beginning.
#[derive(Clone, Debug, Default)]
pub struct Place {
    column: usize,
    after: Option<Value>,
    /// How many values this pass has encrypted anew.
    pub resealed: u64,
    /// How many it found that no known key opens.
    pub unreadable: u64,
}

/// Goes on with a pass for one piece; answers where the next one begins, or the end of the pass.
pub async fn reseal_some(db: &impl Db, mut place: Place) -> Result<(Place, bool)> {
    let Some(column) = COLUMNS.get(place.column) else {
        return Ok((place, true));
    };
    let rows = rows_after(db, column, place.after.take()).await?;
    let is_last = rows.len() < usize::try_from(ROWS).unwrap_or_default();
    for (key, sealed) in rows {
        match secretbox::reseal(&sealed).await {
            Ok(Some(anew)) => {
                let Column {
                    table,
                    key: name,
                    value,
                } = column;
                let sql =
                    format!("update {table} set {value} = ?3 where {name} = ?1 and {value} = ?2");
                db.execute(&sql, params![key.clone(), sealed, anew]).await?;
                place.resealed += 1;
            }
            Ok(None) => {}
            Err(error) => {
                let what = format!(
                    "a value in {}.{} stays as it is",
                    column.table, column.value
                );
                log::error(&what, &error);
                place.unreadable += 1;
            }
        }
        place.after = Some(key);
    }
    if is_last {
        place.column += 1;
        place.after = None;
    }
    let is_end = place.column >= COLUMNS.len();
    Ok((place, is_end))
}

async fn rows_after(
    db: &impl Db,
    Column { table, key, value }: &Column,
    after: Option<Value>,
) -> Result<Vec<(Value, String)>> {
    let sql = format!(
        "select {key}, {value} from {table} where {key} > ?1 and {value} is not null
         order by {key} limit ?2"
    );
    // Below every number, and below every text that is a key.
    let after = after.unwrap_or(Value::Integer(i64::MIN));
    let rows = db.query(&sql, params![after, ROWS]).await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                row.0.first().cloned().unwrap_or(Value::Null),
                row.text(1)?.to_owned(),
            ))
        })
        .collect()
}

/// How many characters at the beginning of a sealed text tell its key.
const KEY_NAME: i64 = 12;

/// For each key that values are sealed with, what its texts begin with and one of them. Whoever can open
/// that one can open all. Looks at every value.
pub async fn samples(db: &impl Db) -> Result<BTreeMap<String, String>> {
    let mut samples = BTreeMap::new();
    for Column { table, value, .. } in &COLUMNS {
        let sql = format!(
            "select iif({value} glob 'v1:*', 'v1:', substr({value}, 1, ?1)), {value}, min(length({value}))
             from {table} where {value} is not null group by 1"
        );
        for row in db.query(&sql, params![KEY_NAME]).await? {
            samples.insert(row.text(0)?.to_owned(), row.text(1)?.to_owned());
        }
    }
    Ok(samples)
}

/// How many values there are in a column, and how many of them the present key did not seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// `table.column`.
    pub column: String,
    /// All of them.
    pub values: i64,
    /// Those that old keys are still needed for.
    pub left: i64,
}

/// How far encrypting anew is, column by column. Looks at every value.
pub async fn standing(db: &impl Db) -> Result<Vec<Standing>> {
    let prefix = secretbox::present_prefix().await?;
    let mut all = Vec::new();
    for Column { table, value, .. } in &COLUMNS {
        let sql = format!(
            "select count(*), coalesce(sum(substr({value}, 1, length(?1)) <> ?1), 0)
             from {table} where {value} is not null"
        );
        let row = db.first(&sql, params![&prefix]).await?;
        let row =
            row.ok_or_else(|| windlass_core::Error::internal("an aggregate answers one row"))?;
        all.push(Standing {
            column: format!("{table}.{value}"),
            values: row.integer(0)?,
            left: row.integer(1)?,
        });
    }
    Ok(all)
}

/// How many values name a key that is not known. Those of versions that named none are left out.
///
/// # Errors
/// Internal, when there is no key.
pub async fn of_unknown_keys(db: &impl Db) -> Result<i64> {
    let known = serde_json::Value::from(secretbox::known_prefixes().await?).to_string();
    let mut unknown = 0;
    for Column { table, value, .. } in &COLUMNS {
        let sql = format!(
            "select count(*) from {table} x where x.{value} is not null
                 and substr(x.{value}, 1, length(?2)) = ?2 and not exists (
                     select 1 from json_each(?1) known
                     where substr(x.{value}, 1, length(known.value)) = known.value)"
        );
        let row = db.first(&sql, params![&known, secretbox::VERSION]).await?;
        unknown += row.map_or(Ok(0), |row| row.integer(0))?;
    }
    Ok(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_core::platform::set_variable;

    fn use_keys(present: &str, old: &str) {
        set_variable("encryption_key", present);
        set_variable("old_encryption_keys", old);
        secretbox::forget_keys();
    }

    /// One sealed value for each column, and many secrets.
    async fn filled() -> NativeDb {
        let db = crate::fresh_database().await;
        let sealed = secretbox::seal(b"plain").await.unwrap();
        for sql in [
            "insert into secrets_providers (name, tenant_name, created_by, visibility, created_at,
                 updated_at, type, connection_parameters)
             values ('far', 'default_tenant', 'ann', 'tenant', '', '', 'vault', ?1)",
            "with recursive n (k) as (select 1 union all select k + 1 from n where k < 450)
             insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at,
                 value, provider_options)
             select 's' || k, 'default_tenant', 'ann', 'tenant', '', '', ?1, iif(k = 7, ?1, null) from n",
            "insert into sealed_values (name, value) values ('ldap_password', ?1)",
            "insert into status_subscriptions (id, kind, target, target_key, filter_key, secret,
                 confirm_hash, unsubscribe_hash, created_at, requested_at)
             values ('s', 'email', '', '', '', ?1, 'c', 'u', '', '')",
        ] {
            db.execute(sql, params![&sealed]).await.unwrap();
        }
        db
    }

    #[test]
    fn all_that_is_sealed_is_sealed_anew_in_pieces() {
        pollster::block_on(async {
            use_keys("first", "");
            let db = filled().await;
            use_keys("second", "first");
            let left = async || -> i64 {
                let all = standing(&db).await.unwrap();
                all.iter().map(|one| one.left).sum()
            };
            assert_eq!(left().await, 454);
            let (mut place, mut is_end, mut pieces) = (Place::default(), false, 0);
            while !is_end {
                (place, is_end) = reseal_some(&db, place).await.unwrap();
                pieces += 1;
                if pieces == 1 {
                    assert_eq!(left().await, 254, "a piece is small");
                }
            }
            assert_eq!(
                (place.resealed, place.unreadable, left().await),
                (454, 0, 0)
            );
            use_keys("second", "");
            let row = db
                .first("select value from secrets where id = 's450'", &[])
                .await;
            let value = row.unwrap().unwrap().text(0).unwrap().to_owned();
            assert_eq!(secretbox::open(&value).await.unwrap(), b"plain");
            // What no key opens is counted, and left.
            use_keys("third", "");
            let (mut place, mut is_end) = (Place::default(), false);
            while !is_end {
                (place, is_end) = reseal_some(&db, place).await.unwrap();
            }
            assert_eq!((place.resealed, place.unreadable), (0, 454));
        });
    }

    #[test]
    fn values_of_a_key_that_nobody_knows_are_counted() {
        pollster::block_on(async {
            use_keys("first key, long enough", "");
            let db = filled().await;
            assert_eq!(of_unknown_keys(&db).await.unwrap(), 0);
            let all: i64 = standing(&db)
                .await
                .unwrap()
                .iter()
                .map(|one| one.values)
                .sum();
            use_keys("another key, long enough", "");
            assert_eq!(of_unknown_keys(&db).await.unwrap(), all);
            use_keys("another key, long enough", "first key, long enough");
            assert_eq!(of_unknown_keys(&db).await.unwrap(), 0);
        });
    }

    #[test]
    fn pieces_follow_the_keys_of_their_tables() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            for Column { table, key, value } in &COLUMNS {
                let sql = format!(
                    "select {key}, {value} from {table} where {key} > ?1 and {value} is not null
                     order by {key} limit ?2"
                );
                let plan = db.plan(&sql, params![0, ROWS]).await.unwrap().join("\n");
                assert!(
                    !plan.contains("TEMP B-TREE") && plan.contains("SEARCH"),
                    "{table}: {plan}"
                );
            }
        });
    }
}
