//! Shortening the trail, and what another installation's trail brings.

use super::{AUDIT_LOG, Operation};
use crate::retention::Kept;
use windlass_core::db::{Db, Tx};
use windlass_core::{Permission, Result, Scope, Timestamp, params};

/// How many entries go in one transaction: others want to write, too.
const AT_ONCE: i64 = 5_000;

/// Deletes entries from before a moment, of everybody or of one user or execution. Answers how many; that
/// it was done is an entry of its own.
pub async fn truncate(
    db: &impl Db,
    scope: &Scope,
    before: Timestamp,
    creator_name: Option<&str>,
    execution_id: Option<&str>,
) -> Result<u64> {
    let mut deleted = 0;
    loop {
        let gone = db
            .transaction(async |tx| delete(tx, before, creator_name, execution_id).await)
            .await?;
        deleted += gone;
        if gone < AT_ONCE as u64 {
            break;
        }
    }
    if deleted > 0 {
        let action = Permission::AuditLogTruncate.name();
        let what = format!("{deleted} before {before}");
        db.transaction(async |tx| super::insert(tx, scope, action, AUDIT_LOG.name, &what).await)
            .await?;
    }
    Ok(deleted)
}

async fn delete(
    tx: &impl Tx,
    before: Timestamp,
    creator_name: Option<&str>,
    execution_id: Option<&str>,
) -> Result<u64> {
    let rows = tx
        .query(
            "delete from audit_log where key in (
                 select key from audit_log where created_at < ?1
                     and (?2 is null or username = ?2) and (?3 is null or execution_id = ?3)
                 order by created_at limit ?4)
             returning 1",
            params![before, creator_name, execution_id, AT_ONCE],
        )
        .await?;
    Ok(rows.len() as u64)
}

/// The settings that say for how many days entries are kept, and how many; 0 is for ever.
const DAYS_SETTING: &str = "audit_retention_days";
const COUNT_SETTING: &str = "audit_retention_count";

/// Entries after which so many newer ones stand. Numbers of entries that are gone count for nothing; while
/// there cannot be so many, nobody walks along them.
const MANY: &str = "select key from audit_log
     where (select max(key) from audit_log) - (select min(key) from audit_log) >= ?1
         and key <= (select key from audit_log order by key desc limit 1 offset ?1)
     order by key limit ?2";

/// Deletes a piece of what is older, or more, than the settings keep, and answers how many entries that were.
/// Nothing without the settings: a trail is not shortened by mistake.
///
/// # Errors
/// Of the database.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<u64> {
    let kept = Kept::read(db, DAYS_SETTING, COUNT_SETTING, now).await?;
    let mut gone = 0;
    if let Some(before) = kept.since {
        let sql = "select 1 from audit_log where created_at < ?1 limit 1";
        if db.first(sql, params![before]).await?.is_some() {
            gone += db
                .transaction(async |tx| delete(tx, before, None, None).await)
                .await?;
        }
    }
    if let Some(most) = kept.most
        && db.first(MANY, params![most, 1]).await?.is_some()
    {
        let sql = format!("delete from audit_log where key in ({MANY}) returning 1");
        gone += db.query(&sql, params![most, AT_ONCE]).await?.len() as u64;
    }
    Ok(gone)
}

/// An entry of another trail.
#[derive(Clone, Debug)]
pub struct Injected {
    /// The table that it is about.
    pub ref_table: String,
    /// What the row is called there.
    pub target_id: String,
    /// Its tenant, if it has one.
    pub tenant_name: Option<String>,
    /// What was done to it.
    pub operation: Operation,
    /// Who did it.
    pub creator_name: Option<String>,
    /// In which execution.
    pub execution_id: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// Adds entries as they were. That they came is an entry of its own.
pub async fn inject(tx: &impl Tx, scope: &Scope, entries: &[Injected]) -> Result<()> {
    for entry in entries {
        tx.execute(
            "insert into audit_log (created_at, username, tenant_name, action, target_type, target_id,
                 operation, ref_table, execution_id, address)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?5, ?8, ?9)",
            params![
                entry.created_at,
                entry.creator_name.as_deref().unwrap_or_default(),
                entry.tenant_name.as_deref(),
                Permission::AuditLogInject.name(),
                entry.ref_table.as_str(),
                entry.target_id.as_str(),
                entry.operation,
                entry.execution_id.as_deref(),
                entry.address.as_deref()
            ],
        )
        .await?;
    }
    let action = Permission::AuditLogInject.name();
    let what = format!("{} entries", entries.len());
    super::insert(tx, scope, action, AUDIT_LOG.name, &what).await
}
