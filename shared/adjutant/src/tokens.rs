//! Tokens: by which somebody finishes a task once, without having logged in.
//!
//! Whoever has one can choose a password, so it is kept as its digest, and encrypted for administrators
//! who have to pass it on where there is no mail.

use crate::filters::{self, Filter, Listed, Root};
use crate::tasks::Task;
use crate::wire::time_sql;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, hashing, ids, log, params, secretbox};
use windlass_store::audit;

/// A token that no task has yet. It is made before the transaction that gives it to one.
#[derive(Clone, Debug)]
pub struct Fresh {
    digest: String,
    sealed: String,
}

impl Fresh {
    /// A new one: 32 digits that nobody can guess.
    ///
    /// # Errors
    /// Internal, when the application has no encryption key.
    pub async fn new() -> Result<Self> {
        let value = ids::new_uuid().replace('-', "");
        Ok(Self {
            digest: hashing::digest(&value),
            sealed: secretbox::seal(value.as_bytes()).await?,
        })
    }
}

/// A token as its holder has it.
#[derive(Clone, Debug)]
pub struct Open {
    /// What the holder shows.
    pub value: String,
    /// Until when it counts.
    pub expires: Timestamp,
}

/// A token that was shown.
#[derive(Clone, Debug, Deserialize)]
pub struct Held {
    key: i64,
    /// The id of its task.
    pub task: String,
    expires: Timestamp,
}

/// The refusal of a token that is not there. One that has expired is told in the same words.
pub fn not_found() -> Error {
    Error::new(Kind::NotFound, "This token does not exist or has expired.")
}

/// Gives a task a token in the place of those it has. Answers its number.
pub async fn issue(
    tx: &impl Tx,
    task: &Task,
    fresh: &Fresh,
    lifetime: i64,
    now: Timestamp,
) -> Result<i64> {
    delete_of(tx, task).await?;
    let row = tx
        .first(
            "insert into adjutant_tokens (task_key, digest, sealed, created_on, expires)
             values (?1, ?2, ?3, ?4, ?5) returning key",
            params![
                task.key,
                fresh.digest.as_str(),
                fresh.sealed.as_str(),
                now,
                now.plus_seconds(lifetime)
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an inserted token has no key"))?;
    row.integer(0)
}

/// Takes a task's tokens away, and the mails with them.
pub async fn delete_of(tx: &impl Tx, task: &Task) -> Result<()> {
    let sql = "delete from adjutant_tokens where task_key = ?1";
    tx.execute(sql, params![task.key]).await
}

/// Deletes what has expired.
pub async fn delete_expired(tx: &impl Tx, scope: &Scope, now: Timestamp) -> Result<()> {
    let sql = "delete from adjutant_tokens where expires < ?1";
    tx.execute(sql, params![now]).await?;
    audit::insert(tx, scope, "token_delete_expired", "Token", "all").await
}

/// The token that somebody shows. One that has expired is deleted and told to be none.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, value: &str, now: Timestamp) -> Result<Held> {
    let held: Option<Held> = db
        .first_json(
            "select json_object('key', k.key, 'task', t.uuid, 'expires', k.expires)
             from adjutant_tokens k join adjutant_tasks t on t.key = k.task_key where k.digest = ?1",
            params![hashing::digest(&crate::tasks::plain_id(value))],
        )
        .await?;
    match held {
        Some(held) if held.expires >= now => Ok(held),
        Some(held) => {
            let sql = "delete from adjutant_tokens where key = ?1";
            db.execute(sql, params![held.key]).await?;
            Err(not_found())
        }
        None => Err(not_found()),
    }
}

/// Whether a task still has the token.
pub(crate) async fn is_there(tx: &impl Tx, held: &Held) -> Result<bool> {
    let sql = "select 1 from adjutant_tokens where key = ?1";
    Ok(tx.first(sql, params![held.key]).await?.is_some())
}

/// A token as it was given out, for the mail that carries it.
pub(crate) async fn open(db: &impl Db, key: i64) -> Result<Option<Open>> {
    #[derive(Deserialize)]
    struct Stored {
        sealed: String,
        expires: Timestamp,
    }
    let sql = "select json_object('sealed', sealed, 'expires', expires)
               from adjutant_tokens where key = ?1";
    let Some(stored) = db.first_json::<Stored>(sql, params![key]).await? else {
        return Ok(None);
    };
    Ok(Some(Open {
        value: unseal(&stored.sealed).await?,
        expires: stored.expires,
    }))
}

/// Until when a token counts, if it is still there.
pub(crate) async fn end(db: &impl Db, key: i64) -> Result<Option<Timestamp>> {
    let sql = "select json_quote(expires) from adjutant_tokens where key = ?1";
    db.first_json(sql, params![key]).await
}

async fn unseal(sealed: &str) -> Result<String> {
    String::from_utf8(secretbox::open(sealed).await?).map_err(Error::internal)
}

/// One page of tokens, newest first, for administrators.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    filter: &Filter,
    page: Listed,
) -> Result<filters::Page> {
    let item = format!(
        "json_object('task', t.uuid, 'task_type', t.task_type, 'token', k.sealed,
             'created_on', {}, 'expires', {})",
        time_sql("k.created_on"),
        time_sql("k.expires")
    );
    let mut found = filters::page(db, scope, Root::Tokens, &item, filter, page).await?;
    let mut items: Vec<Map<String, Value>> =
        serde_json::from_str(&found.items).map_err(Error::internal)?;
    for item in &mut items {
        let Some(token) = item.get_mut("token") else {
            continue;
        };
        // One that another key has sealed keeps nobody from seeing the others.
        *token = match unseal(token.as_str().unwrap_or_default()).await {
            Ok(value) => value.into(),
            Err(error) => {
                log::error("a token cannot be read", &error);
                Value::Null
            }
        };
    }
    found.items = serde_json::to_string(&items).map_err(Error::internal)?;
    Ok(found)
}
