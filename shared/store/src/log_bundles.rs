//! Log bundles: what the application knows about itself, packed for whoever helps. They are about all
//! tenants, so they belong to none, and administrators alone see them.

mod retention;

pub use retention::forget_old;

use crate::executions::Status;
use crate::resource::fields::CREATED_AT;
use crate::tenants::DEFAULT_TENANT;
use crate::{audit, blobs};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use windlass_core::blob::Blob;
use windlass_core::db::{Db, Row, Tx};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Kind, Permission, Result, Scope, Timestamp, ids, params};

static FIELDS: [Field; 9] = concat(
    &[
        Field::text("id", "t.id"),
        CREATED_AT,
        Field::text("status", "t.status"),
        Field::text("error", "t.error"),
    ],
    &COMMON,
);

/// Log bundles as the API shows them.
pub static LOG_BUNDLES: Resource = Resource {
    name: "LogBundle",
    table: "log_bundles t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: false,
    counts: &[],
};

/// A bundle's row.
#[derive(Clone, Debug, Deserialize)]
pub struct LogBundle {
    key: i64,
    id: String,
}

/// A bundle by its id.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, _scope: &Scope, id: &str) -> Result<LogBundle> {
    let sql = "select json_object('key', key, 'id', id) from log_bundles where id = ?1";
    let found = db.first_json(sql, params![id]).await?;
    found.ok_or_else(|| Error::not_found(LOG_BUNDLES.name, id))
}

/// Demands that no bundle has this id.
///
/// # Errors
/// 409.
pub async fn demand_free(db: &impl Db, _scope: &Scope, id: &str) -> Result<()> {
    let sql = "select 1 from log_bundles where id = ?1";
    match db.first(sql, params![id]).await? {
        None => Ok(()),
        Some(_) => Err(Error::conflict(format!("Log bundle `{id}` already exists"))),
    }
}

/// Stores a bundle that was packed, and the execution that packed it, which it answers the id of. Both are
/// in the tenant that is always there.
///
/// # Errors
/// 409 for an id that is in use; 503 when the blob was swept.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    archive: &Blob,
    began: Timestamp,
) -> Result<String> {
    demand_free(tx, scope, id).await?;
    blobs::keep(tx, &archive.id).await?;
    tx.execute(
        "insert into log_bundles (id, tenant_name, created_by, visibility, created_at, status,
             archive_blob, archive_size)
         values (?1, ?2, ?3, 'private', ?4, 'created', ?5, ?6)",
        params![
            id,
            DEFAULT_TENANT,
            scope.username(),
            began,
            &archive.id,
            archive.size
        ],
    )
    .await?;
    let execution = ids::new_uuid();
    tx.execute(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id,
             status, is_system_workflow, parameters, started_at, ended_at)
         values (?1, ?2, ?3, 'private', ?4, 'create_log_bundle', ?5, 1, ?6, ?4, ?7)",
        params![
            execution.as_str(),
            DEFAULT_TENANT,
            scope.username(),
            began,
            Status::Terminated.name(),
            &json!({ "log_bundle_id": id }),
            Timestamp::now()
        ],
    )
    .await?;
    let action = Permission::LogBundleCreate.name();
    audit::insert(tx, scope, action, LOG_BUNDLES.name, id).await?;
    Ok(execution)
}

/// The blob of a bundle and its size.
///
/// # Errors
/// 400 `log_bundle_action_error` for one that has none.
pub async fn archive(db: &impl Db, bundle: &LogBundle) -> Result<(String, u64)> {
    let sql = "select archive_blob, archive_size from log_bundles
               where key = ?1 and archive_blob is not null";
    let row = db.first(sql, params![bundle.key]).await?;
    let row = row.ok_or_else(|| {
        let text = format!("Log bundle `{}` has no archive", bundle.id);
        Error::new(Kind::LogBundleAction, text)
    })?;
    let size = u64::try_from(row.integer(1)?).map_err(Error::internal)?;
    Ok((row.text(0)?.to_owned(), size))
}

/// Deletes a bundle. Its bytes stay for an hour, because somebody may be downloading them.
pub async fn delete(tx: &impl Tx, scope: &Scope, bundle: &LogBundle) -> Result<()> {
    let sql = "delete from log_bundles where key = ?1";
    tx.execute(sql, params![bundle.key]).await?;
    let action = Permission::LogBundleDelete.name();
    audit::insert(tx, scope, action, LOG_BUNDLES.name, &bundle.id).await
}

windlass_core::named_enum! {
    /// The tables whose newest rows are a file of a bundle each.
    pub enum Table {
        /// Events and logs of executions.
        Events = "events",
        /// Executions, without their parameters.
        Executions = "executions",
        /// Work that is left, without what it is about in detail.
        Queue = "queue",
        /// The audit trail.
        Audit = "audit",
        /// How large the tables are, by what totals are read from.
        Counts = "counts",
        /// The migrations of the schema.
        Schema = "schema",
        /// Settings, but not those that only administrators see.
        Settings = "settings",
    }
}

impl Table {
    /// A row with its place, from the newest on; `?1` is the place before and `?2` how many.
    const fn sql(self) -> &'static str {
        match self {
            Self::Events => {
                "select e.storage_id, json_object('timestamp', e.timestamp, 'execution_id', x.id,
                     'workflow_id', x.workflow_id, 'deployment_id', x.deployment_id,
                     'tenant_name', x.tenant_name, 'is_log', e.is_log, 'level', e.level,
                     'event_type', e.event_type, 'message', e.message)
                 from events e join executions x on x.key = e.execution_key
                 where e.storage_id < ?1 order by e.storage_id desc limit ?2"
            }
            Self::Executions => {
                "select key, json_object('id', id, 'tenant_name', tenant_name,
                     'workflow_id', workflow_id, 'deployment_id', deployment_id, 'status', status,
                     'error', substr(error, 1, 2000), 'created_at', created_at,
                     'started_at', started_at, 'ended_at', ended_at)
                 from executions where key < ?1 order by key desc limit ?2"
            }
            Self::Queue => {
                "select key, json_object('kind', kind, 'subject', subject, 'attempts', attempts,
                     'failures', failures, 'due_at', due_at, 'lease_until', lease_until,
                     'last_error', substr(last_error, 1, 2000))
                 from queue where key < ?1 order by key desc limit ?2"
            }
            Self::Audit => {
                "select key, json_object('created_at', created_at, 'username', username,
                     'tenant_name', tenant_name, 'action', action, 'target_type', target_type,
                     'target_id', target_id, 'request_id', request_id, 'address', address,
                     'execution_id', execution_id)
                 from audit_log where key < ?1 order by key desc limit ?2"
            }
            Self::Counts => {
                "select 0, json_object('counts', counts, 'rows', sum(rows)) from row_counts
                 where ?1 = 9223372036854775807 group by counts limit ?2"
            }
            Self::Schema => {
                "select version, json_object('version', version, 'name', name,
                     'applied_at', applied_at)
                 from schema_versions where version < ?1 order by version desc limit ?2"
            }
            Self::Settings => {
                "select 0, json_object('scope', scope, 'name', name, 'value', json(value),
                     'updated_at', updated_at, 'updater_name', updater_name)
                 from config where ?1 = 9223372036854775807 and admin_only = 0 limit ?2"
            }
        }
    }
}

/// Some rows of a table from before a place on, the newest first, as JSON texts, and where to go on; none
/// at the end. Of all tenants: whoever may make a bundle may see them.
pub async fn rows(
    db: &impl Db,
    _scope: &Scope,
    table: Table,
    before: i64,
    most: i64,
) -> Result<(Vec<String>, Option<i64>)> {
    let rows = db.query(table.sql(), params![before, most]).await?;
    let texts = rows.iter().map(|row| row.text(1).map(str::to_owned));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let is_full = rows.len() as i64 == most;
    let last = rows
        .last()
        .filter(|_| is_full)
        .map(|row: &Row| row.integer(0));
    Ok((texts, last.transpose()?.filter(|place| *place > 0)))
}

/// What a bundle says about itself: its time and the versions of what made it.
pub fn about(now: Timestamp, version: &str) -> Json {
    json!({ "created_at": now, "version": version, "schema": crate::migrations::latest() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_every_table_can_be_read_piece_by_piece() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("ann", "default_tenant");
            db.execute(
                "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
                 select value, 'default_tenant', 'a', 'tenant', '', 'install', 'started'
                 from json_each('[\"e1\", \"e2\", \"e3\"]')",
                &[],
            )
            .await
            .unwrap();
            for table in Table::ALL {
                let (texts, _) = rows(&db, &scope, *table, i64::MAX, 1000).await.unwrap();
                for text in &texts {
                    assert!(
                        serde_json::from_str::<Json>(text).is_ok(),
                        "{table:?}: {text}"
                    );
                }
            }
            let executions = async |before| {
                rows(&db, &scope, Table::Executions, before, 2)
                    .await
                    .unwrap()
            };
            let (first, next) = executions(i64::MAX).await;
            let (rest, end) = executions(next.unwrap()).await;
            assert_eq!((first.len(), rest.len(), end), (2, 1, None));
        });
    }

    #[test]
    fn a_bundle_has_an_execution_and_lets_go_of_its_blob() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("ann", "default_tenant");
            let mut blob = crate::blobs::NewBlob::begin(&db, &Default::default())
                .await
                .unwrap();
            blob.write(&db, b"bytes").await.unwrap();
            let blob = blob.finish().await.unwrap();
            let began = Timestamp::now();
            let stored = db.transaction(async |tx| insert(tx, &scope, "b1", &blob, began).await);
            let execution = stored.await.unwrap();
            let status = "select status from executions where id = ?1";
            let row = db.first(status, params![execution]).await.unwrap().unwrap();
            assert_eq!(row.text(0).unwrap(), "terminated");
            let bundle = find(&db, &scope, "b1").await.unwrap();
            assert_eq!(archive(&db, &bundle).await.unwrap(), (blob.id.clone(), 5));
            let again = db.transaction(async |tx| insert(tx, &scope, "b1", &blob, began).await);
            assert!(again.await.is_err());
            let gone = db.transaction(async |tx| delete(tx, &scope, &bundle).await);
            gone.await.unwrap();
            assert_eq!(blobs::count_loose(&db).await.unwrap(), 1);
        });
    }
}
