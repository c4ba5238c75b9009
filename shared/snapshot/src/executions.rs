//! The executions that make and restore snapshots, and the work that the queue holds for each.
//!
//! A creation stands in nobody's way and waits for nobody, unless it is asked to be alone (`legacy`). A
//! restoration keeps everything from beginning until it has ended.

use crate::creation::{self, Contents};
use crate::restoration;
use crate::snapshots::{self, Archive, Snapshot};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::python;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility, ids, params};
use windlass_engine::{control, texts};
use windlass_store::blobs::tidy_after;
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status};
use windlass_store::queue::{self, Work};
use windlass_store::resource;
use windlass_store::tenants::DEFAULT_TENANT;

/// The workflow that makes a snapshot.
pub const CREATE: &str = "create_snapshot";
/// The workflow that restores one.
pub const RESTORE: &str = "restore_snapshot";

/// An execution about a snapshot that has not ended.
#[derive(Clone, Debug, Deserialize)]
pub struct UnderWay {
    /// The execution.
    pub id: String,
    /// What it does.
    pub workflow_id: String,
    /// Whose snapshot it is.
    pub tenant_name: String,
    /// The snapshot.
    #[serde(default)]
    pub snapshot_id: String,
}

/// Those that are active or wait to begin.
pub async fn under_way(db: &impl Db) -> Result<Vec<UnderWay>> {
    db.json_rows(&under_way_sql(), &[]).await
}

pub(crate) fn under_way_sql() -> String {
    format!(
        "select json_object('id', id, 'workflow_id', workflow_id, 'tenant_name', tenant_name,
             'snapshot_id', coalesce(parameters ->> 'snapshot_id', ''))
         from executions
         where workflow_id in ('{CREATE}', '{RESTORE}') and status in {}",
        Status::sql_list(Status::is_in_progress)
    )
}

/// Whether a snapshot is being restored.
pub async fn is_restoring(db: &impl Db) -> Result<bool> {
    let under_way = under_way(db).await?;
    Ok(under_way
        .iter()
        .any(|execution| execution.workflow_id == RESTORE))
}

/// How a creation goes together with other executions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Company {
    /// Whether it wants to be the only one that runs.
    pub is_alone: bool,
    /// Whether it may wait until it is.
    pub may_wait: bool,
}

/// Begins to make a snapshot whose row was just stored; the id of the execution.
///
/// # Errors
/// 400 `existing_running_execution_error` when others run and it wants to be alone without waiting, and
/// while a snapshot is restored.
pub async fn start_creation(
    tx: &impl Tx,
    scope: &Scope,
    parameters: Map<String, Value>,
    company: Company,
) -> Result<String> {
    demand_no_restoration(tx).await?;
    let others = match company.is_alone {
        true => active(tx).await?,
        false => Vec::new(),
    };
    if !others.is_empty() && !company.may_wait {
        return Err(others_run(&others));
    }
    start(tx, scope, CREATE, parameters, !others.is_empty()).await
}

/// Begins to restore a snapshot; the id of the execution.
///
/// # Errors
/// 400 `existing_running_execution_error` while another snapshot is made or restored.
pub async fn start_restoration(
    tx: &impl Tx,
    scope: &Scope,
    parameters: Map<String, Value>,
) -> Result<String> {
    let others = under_way(tx).await?;
    if !others.is_empty() {
        let ids: Vec<String> = others.into_iter().map(|execution| execution.id).collect();
        return Err(others_run(&ids));
    }
    start(tx, scope, RESTORE, parameters, false).await
}

async fn demand_no_restoration(db: &impl Db) -> Result<()> {
    let mut others = under_way(db).await?;
    others.retain(|execution| execution.workflow_id == RESTORE);
    let ids: Vec<String> = others.into_iter().map(|execution| execution.id).collect();
    match ids.is_empty() {
        true => Ok(()),
        false => Err(others_run(&ids)),
    }
}

/// The ids of some of the executions that run.
async fn active(db: &impl Db) -> Result<Vec<String>> {
    let sql = format!(
        "select id from executions where status in {} order by status, key limit 10",
        Status::sql_list(Status::is_active)
    );
    let rows = db.query(&sql, &[]).await?;
    let ids = rows.iter().map(|row| row.text(0).map(str::to_owned));
    ids.collect()
}

fn others_run(ids: &[String]) -> Error {
    let ids = python::list(ids.iter().map(String::as_str));
    Error::new(
        Kind::ExistingRunningExecution,
        format!(
            "You cannot start a system-wide execution if there are other executions running. Currently \
             running executions: {ids}"
        ),
    )
}

async fn start(
    tx: &impl Tx,
    scope: &Scope,
    workflow: &str,
    parameters: Map<String, Value>,
    waits: bool,
) -> Result<String> {
    let now = Timestamp::now();
    let status = if waits {
        Status::Queued
    } else {
        Status::Started
    };
    let mut execution = Execution {
        id: ids::new_uuid(),
        tenant_name: scope.tenant().to_owned(),
        created_by: scope.username().to_owned(),
        visibility: Visibility::Private,
        created_at: now,
        workflow_id: workflow.to_owned(),
        status,
        parameters,
        is_system_workflow: true,
        started_at: (!waits).then_some(now),
        ..Execution::default()
    };
    execution.key = executions::start(tx, scope, &execution).await?;
    if !waits {
        let text = texts::workflow_started(workflow, false, false);
        tell(tx, &execution, "workflow_started", text, now).await?;
        queue::push(tx, Work::Snapshot, &execution.id, &Value::Null, now, now).await?;
    }
    Ok(execution.id)
}

async fn tell(
    tx: &impl Tx,
    execution: &Execution,
    kind: &'static str,
    text: String,
    now: Timestamp,
) -> Result<()> {
    let event = EngineEvent::of_execution(kind, text);
    events::insert_all(tx, execution, &[event], now).await
}

/// A row of the queue that somebody holds, with the execution that it is about.
pub struct Task {
    holder: String,
    key: i64,
    execution: Execution,
}

impl Task {
    /// The task of a row; nothing when the row is somebody else's by now or its execution has ended.
    pub async fn find(db: &impl Db, holder: &str, key: i64) -> Result<Option<Self>> {
        let sql = "select subject from queue where key = ?1 and lease_holder = ?2 and kind = ?3";
        let row = db.first(sql, params![key, holder, Work::Snapshot]).await?;
        let Some(row) = row else { return Ok(None) };
        let found = executions::find_if_any(db, &Scope::engine(), row.text(0)?).await?;
        let execution = found.filter(|execution| !execution.status.has_ended());
        Ok(execution.map(|execution| Self {
            holder: holder.to_owned(),
            key,
            execution,
        }))
    }

    /// Takes the row out of the queue; no when it is not the holder's any more.
    pub(crate) async fn take(&self, tx: &impl Tx) -> Result<bool> {
        let taken = queue::finish(tx, &self.holder, &[self.key]).await?;
        Ok(!taken.is_empty())
    }

    /// Whether what there is may be lost.
    pub(crate) fn is_forced(&self) -> bool {
        self.is_set("force", false)
    }

    fn is_set(&self, name: &str, otherwise: bool) -> bool {
        let given = self.execution.parameters.get(name);
        given.and_then(Value::as_bool).unwrap_or(otherwise)
    }

    fn snapshot_id(&self) -> &str {
        let id = self.execution.parameters.get("snapshot_id");
        id.and_then(Value::as_str).unwrap_or_default()
    }

    /// Who wanted it.
    fn scope(&self) -> Scope {
        Scope::system(&self.execution.created_by, &self.execution.tenant_name)
    }

    /// Does the work to its end. What is wrong with an archive ends the execution; what another try may
    /// mend is an error.
    ///
    /// # Errors
    /// Of the database and the key-value store.
    pub async fn run(&self, db: &impl Db) -> Result<()> {
        let done = match self.execution.workflow_id.as_str() {
            RESTORE => self.restore(db).await,
            _ => self.create(db).await,
        };
        match done {
            Err(error) if error.kind().wire().0 < 500 => self.fail(db, error.message()).await,
            done => done,
        }
    }

    async fn create(&self, db: &impl Db) -> Result<()> {
        let contents = Contents {
            logs: self.is_set("include_logs", true),
            events: self.is_set("include_events", true),
        };
        tidy_after(db, async |blobs| {
            let archive = creation::pack(db, blobs, contents, Timestamp::now()).await?;
            db.transaction(async |tx| {
                if !self.take(tx).await? {
                    return Ok(());
                }
                snapshots::end(tx, self.names(), Ok(&archive)).await?;
                self.end(tx, Ok(())).await
            })
            .await
        })
        .await
    }

    async fn restore(&self, db: &impl Db) -> Result<()> {
        let snapshot: Snapshot = resource::find(db, &self.scope(), self.snapshot_id()).await?;
        let archive: Archive = snapshots::archive(db, &snapshot, "restored").await?;
        restoration::restore(db, self, &archive).await
    }

    /// Ends it as failed.
    ///
    /// # Errors
    /// Of the database.
    pub async fn fail(&self, db: &impl Db, why: &str) -> Result<()> {
        db.transaction(async |tx| {
            if !self.take(tx).await? {
                return Ok(());
            }
            if self.execution.workflow_id == CREATE {
                snapshots::end(tx, self.names(), Err(why)).await?;
            }
            self.end(tx, Err(why)).await
        })
        .await
    }

    /// The tenant and the id of the snapshot.
    fn names(&self) -> (&str, &str) {
        (&self.execution.tenant_name, self.snapshot_id())
    }

    async fn end(&self, tx: &impl Tx, done: Result<(), &str>) -> Result<()> {
        let now = Timestamp::now();
        let Execution {
            id, workflow_id, ..
        } = &self.execution;
        // Somebody may have cancelled it meanwhile; what was done is done.
        let (status, error) = match done {
            Ok(()) => (Status::Terminated, ""),
            Err(error) => (Status::Failed, error),
        };
        control::end_system(tx, &self.scope(), id, (status, error), now).await?;
        let (kind, text) = match done {
            Ok(()) => (
                "workflow_succeeded",
                texts::workflow_succeeded(workflow_id, false),
            ),
            Err(error) => (
                "workflow_failed",
                texts::workflow_failed(workflow_id, error, false),
            ),
        };
        tell(tx, &self.execution, kind, text, now).await
    }
}

/// Ends what was making or restoring a snapshot when the present state was saved: what it made is in
/// another application, or in none.
pub(crate) async fn end_those_within(tx: &impl Tx, now: Timestamp) -> Result<()> {
    let sql = format!(
        "update executions set status = '{}', ended_at = ?1
         where workflow_id in ('{CREATE}', '{RESTORE}') and status in {}",
        Status::Terminated.name(),
        Status::sql_list(Status::is_in_progress)
    );
    tx.execute(&sql, params![now]).await
}

/// Stores the execution of a restoration in the state that it restored, as ended.
pub(crate) async fn note_restoration(tx: &impl Tx, task: &Task, now: Timestamp) -> Result<()> {
    let mut execution = task.execution.clone();
    let known = "select 1 from tenants where name = ?1";
    let is_known = tx.first(known, params![&execution.tenant_name]).await?;
    if is_known.is_none() {
        DEFAULT_TENANT.clone_into(&mut execution.tenant_name);
    }
    execution.status = Status::Terminated;
    execution.ended_at = Some(now);
    execution.key = executions::insert(tx, &execution).await?;
    let text = texts::workflow_succeeded(&execution.workflow_id, false);
    tell(tx, &execution, "workflow_succeeded", text, now).await?;
    let scope = Scope::system(&execution.created_by, &execution.tenant_name);
    let id = task.snapshot_id();
    windlass_store::audit::insert(tx, &scope, "snapshot_restore", "Snapshot", id).await
}

/// The parameters of a creation, as its execution shows them.
pub fn creation_parameters(snapshot_id: &str, flags: [(&str, bool); 4]) -> Map<String, Value> {
    parameters(snapshot_id, &flags)
}

/// The parameters of a restoration.
pub fn restoration_parameters(
    snapshot_id: &str,
    flags: [(&str, bool); 3],
    timeout: i64,
) -> Map<String, Value> {
    let mut parameters = parameters(snapshot_id, &flags);
    parameters.insert("timeout".to_owned(), json!(timeout));
    parameters
}

fn parameters(snapshot_id: &str, flags: &[(&str, bool)]) -> Map<String, Value> {
    let mut parameters = Map::new();
    parameters.insert("snapshot_id".to_owned(), json!(snapshot_id));
    for (name, is_set) in flags {
        parameters.insert((*name).to_owned(), json!(is_set));
    }
    parameters
}
