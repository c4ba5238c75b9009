//! Uses of tokens, for those who look after an account: written together, a second after the first.
//!
//! An instance that is killed loses what it had not written, a second's worth. What is written is counted
//! once: the uses are taken out of the memory before, and put back only when nothing was written.

use serde_json::json;
use std::cell::{Cell, RefCell};
use windlass_core::caller::Caller;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};
use windlass_store::pieces::batches;

/// How many uses an instance keeps at most while they cannot be written. Beyond that the oldest go.
const MOST: usize = 20_000;

/// The longest path that is kept.
const PATH: usize = 512;

/// How many paths of one token are told apart: clients choose them, and each is a row that stays.
const MOST_KINDS: i64 = 1000;

/// What stands for all others.
const OTHER: &str = "/...";

/// How long uses are kept, in days.
pub const KEPT_DAYS: i64 = 90;

/// How many a sweep removes at most.
const SWEPT: i64 = 5_000;

struct Use {
    token_key: i64,
    user_id: i64,
    scope: String,
    tenant: String,
    target: String,
    at: i64,
}

thread_local! {
    static USES: RefCell<Vec<Use>> = const { RefCell::new(Vec::new()) };
    /// Whether somebody is going to write them soon.
    static IS_AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that a token was shown, if that is how the caller was recognised.
pub(crate) fn note(caller: &Caller, tenant: Option<&str>, path: &str) {
    let Some(token) = caller.method.token() else {
        return;
    };
    let path = path.strip_prefix("/api").unwrap_or(path);
    let scope = token
        .scopes
        .names()
        .map_or("api".to_owned(), |names| names.join(","));
    USES.with_borrow_mut(|uses| {
        if uses.len() >= MOST {
            uses.drain(..MOST / 2);
        }
        uses.push(Use {
            token_key: token.key,
            user_id: caller.user_id,
            scope,
            tenant: tenant.unwrap_or_default().to_owned(),
            target: path.chars().take(PATH).collect(),
            at: Timestamp::now().millis(),
        });
    });
    if !IS_AWAITED.replace(true) {
        write_soon();
    }
}

#[cfg(target_arch = "wasm32")]
fn write_soon() {
    use windlass_core::{db::SpinDb, log, platform};
    platform::spawn(async {
        platform::sleep(std::time::Duration::from_secs(1)).await;
        // What is noted from here on, also when this fails, is written by the next one.
        IS_AWAITED.set(false);
        if let Err(error) = write(&SpinDb).await {
            log::error("uses of tokens were not written", &error);
        }
    });
}

/// Native tests write when they want to.
#[cfg(not(target_arch = "wasm32"))]
fn write_soon() {}

/// Writes what this instance has noted.
///
/// # Errors
/// Of the database; then it is kept for the next time.
pub async fn write(db: &impl Db) -> Result<()> {
    let uses = USES.with_borrow_mut(std::mem::take);
    if uses.is_empty() {
        return Ok(());
    }
    let written = write_all(db, &uses).await;
    if written.is_err() {
        USES.with_borrow_mut(|later| later.splice(0..0, uses).for_each(drop));
    }
    written
}

async fn write_all(db: &impl Db, uses: &[Use]) -> Result<()> {
    let rows = uses.iter().map(|one| {
        json!({
            "token": one.token_key, "user": one.user_id, "scope": one.scope, "tenant": one.tenant,
            "target": one.target, "at": one.at,
        })
    });
    let batches: Vec<String> = batches(rows).collect::<Result<_>>()?;
    db.transaction(async |tx| {
        for batch in &batches {
            tx.execute(
                "insert or ignore into token_use_kinds (token_id, scope, target, user_id, tenant_name)
                 select t.id, u.value ->> 'scope', u.value ->> 'target', u.value ->> 'user', u.value ->> 'tenant'
                 from json_each(?1) u join tokens t on t.key = u.value ->> 'token'
                 where (select count(*) from token_use_kinds k where k.token_id = t.id) < ?2
                 union all
                 select t.id, u.value ->> 'scope', ?3, u.value ->> 'user', u.value ->> 'tenant'
                 from json_each(?1) u join tokens t on t.key = u.value ->> 'token'
                 where (select count(*) from token_use_kinds k where k.token_id = t.id) >= ?2",
                params![batch, MOST_KINDS, OTHER],
            )
            .await?;
            tx.execute(
                "insert into token_uses (kind_key, tenant_id, at)
                 select coalesce(k.key, other.key),
                     coalesce((select id from tenants n where n.name = u.value ->> 'tenant'), 0),
                     u.value ->> 'at'
                 from json_each(?1) u join tokens t on t.key = u.value ->> 'token'
                     left join token_use_kinds k on k.token_id = t.id
                         and k.target = u.value ->> 'target' and k.tenant_name = u.value ->> 'tenant'
                     left join token_use_kinds other on other.token_id = t.id and other.target = ?2
                         and other.tenant_name = u.value ->> 'tenant'
                 where coalesce(k.key, other.key) is not null
                 order by u.key",
                params![batch, OTHER],
            )
            .await?;
        }
        Ok(())
    })
    .await
}

/// Removes uses of long ago, a piece at a time.
///
/// # Errors
/// Of the database.
pub async fn sweep(db: &impl Db, now: Timestamp) -> Result<()> {
    let before = now.plus_seconds(-KEPT_DAYS * 86_400).millis();
    let old = "select 1 from token_uses where at < ?1 limit 1";
    if db.first(old, params![before]).await?.is_none() {
        return Ok(());
    }
    let sql =
        "delete from token_uses where key in (select key from token_uses where at < ?1 limit ?2)";
    db.execute(sql, params![before, SWEPT]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use windlass_core::caller::{AuthMethod, UserToken};
    use windlass_core::db::NativeDb;
    use windlass_core::permission::PermissionSet;

    fn caller(method: AuthMethod) -> Caller {
        Caller {
            user_id: 7,
            username: "ann".into(),
            role: "default".into(),
            method,
            system: PermissionSet::default(),
            tenants: BTreeMap::new(),
            execution_id: None,
        }
    }

    #[test]
    fn uses_are_written_together_and_swept_when_they_are_old() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await.unwrap();
            for sql in [
                "insert into users (id, username, password_hash, role, created_at) values (7, 'ann', '', 'default', '')",
                "insert into tenants (name, created_at) values ('harbour', '')",
                "insert into tokens (key, id, user_id, secret_hash, created_at) values (3, 'abc', 7, '', '')",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let token = UserToken {
                key: 3,
                ..UserToken::default()
            };
            note(&caller(AuthMethod::Basic), Some("harbour"), "/api/v1/x");
            for path in [
                "/api/v1/logs/user/tokens",
                "/api/v1/logs/user/tokens",
                "/v1/tasks",
            ] {
                note(&caller(AuthMethod::Token(token)), Some("harbour"), path);
            }
            let count = async |table: &str| {
                let sql = format!("select count(*) from {table}");
                db.first(&sql, &[])
                    .await
                    .unwrap()
                    .unwrap()
                    .integer(0)
                    .unwrap()
            };
            assert_eq!(
                count("token_uses").await,
                0,
                "a use costs no write of its own"
            );
            write(&db).await.unwrap();
            write(&db).await.unwrap();
            assert_eq!(
                (count("token_uses").await, count("token_use_kinds").await),
                (3, 2)
            );
            let sql = "select json_object('token', token_id, 'scope', scope, 'target', target,
                           'tenant', tenant_name) from token_use_kinds limit 1";
            let kind: serde_json::Value = db.first_json(sql, &[]).await.unwrap().unwrap();
            assert_eq!(
                kind,
                json!({ "token": "abc", "scope": "api", "target": "/v1/logs/user/tokens", "tenant": "harbour" })
            );
            let now = Timestamp::now();
            sweep(&db, now.plus_seconds(89 * 86_400)).await.unwrap();
            assert_eq!(count("token_uses").await, 3);
            sweep(&db, now.plus_seconds(91 * 86_400)).await.unwrap();
            assert_eq!(count("token_uses").await, 0);
            // Whoever asks for ever new paths does not leave a row for each.
            for batch in 0..3 {
                for path in 0..1000 {
                    let path = format!("/v1/{batch}-{path}");
                    note(&caller(AuthMethod::Token(token)), Some("harbour"), &path);
                }
                write(&db).await.unwrap();
            }
            assert_eq!(count("token_uses").await, 3000);
            assert_eq!(count("token_use_kinds").await, 2 + 1000 + 1);
        });
    }
}
