//! Tasks and their actions: the tables `adjutant_tasks` and `adjutant_actions`.

mod junk;
mod list;
mod row;

pub(crate) use junk::forget;
pub use junk::forget_junk;
pub use list::{list, show, status};
pub use row::{Action, State, Task};

use crate::task_type::TaskType;
use crate::wire::note;
use serde_json::Value;
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The refusal of a task that is not there, or that the caller may not see.
pub fn not_found() -> Error {
    Error::new(Kind::NotFound, "No task with this id.")
}

/// An id as it is stored: clients may write it with dashes.
pub fn plain_id(id: &str) -> String {
    id.replace('-', "").to_ascii_lowercase()
}

/// The project that a scope is limited to, if it is. Who looks into no tenant sees none.
pub(crate) fn project_of(scope: &Scope) -> Option<&str> {
    match scope.reach() {
        Reach::Everywhere => None,
        Reach::Tenant(project) => Some(project),
        // No project has this name.
        Reach::Nowhere | Reach::Tenants(_) => Some(""),
    }
}

/// The task of this id, if the scope sees it: administrators see all, others those of their project.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Task>> {
    let sql = format!(
        "select {} from adjutant_tasks t where t.uuid = ?1 and (?2 is null or t.project_id = ?2)",
        row::SQL
    );
    db.first_json(&sql, params![plain_id(id), project_of(scope)])
        .await
}

/// The task of this number, for the application's own work.
pub(crate) async fn of_key(db: &impl Db, key: i64) -> Result<Option<Task>> {
    let sql = format!("select {} from adjutant_tasks t where t.key = ?1", row::SQL);
    db.first_json(&sql, params![key]).await
}

/// Stores a new task with its actions. Its key is filled in.
pub async fn insert(tx: &impl Tx, scope: &Scope, task: &mut Task) -> Result<()> {
    let row = tx
        .first(
            "insert into adjutant_tasks (uuid, task_type, hash_key, keystone_user, project_id,
                 ip_address, created_on) values (?1, ?2, ?3, ?4, ?5, ?6, ?7) returning key",
            params![
                task.uuid.as_str(),
                task.task_type,
                task.hash_key.as_str(),
                &task.keystone_user,
                task.project_id.as_deref(),
                task.ip_address.as_deref(),
                task.created_on
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an inserted task has no key"))?;
    task.key = row.integer(0)?;
    save_actions(tx, task).await?;
    audit::insert(tx, scope, "task_create", "Task", &task.uuid).await
}

/// Stores what became of a task. `action` is what was done to it, for the audit trail.
pub async fn save(tx: &impl Tx, scope: &Scope, task: &Task, action: &str) -> Result<()> {
    let standing =
        i64::from(task.approved) + 2 * i64::from(task.completed) + 4 * i64::from(task.cancelled);
    tx.execute(
        "update adjutant_tasks set hash_key = ?2, approved_by = ?3, task_notes = ?4,
             action_notes = ?5, approved = ?6, completed = ?7, cancelled = ?8, standing = ?9,
             approved_on = ?10, completed_on = ?11 where key = ?1",
        params![
            task.key,
            task.hash_key.as_str(),
            &task.approved_by,
            windlass_core::db::Value::json(&task.task_notes)?,
            windlass_core::db::Value::json(&task.action_notes)?,
            task.approved,
            task.completed,
            task.cancelled,
            standing,
            task.approved_on,
            task.completed_on
        ],
    )
    .await?;
    save_actions(tx, task).await?;
    audit::insert(tx, scope, action, "Task", &task.uuid).await
}

async fn save_actions(tx: &impl Tx, task: &Task) -> Result<()> {
    let actions = windlass_core::db::Value::json(&task.actions)?;
    tx.execute(
        "insert into adjutant_actions (task_key, position, action_name, action_data, cache, state,
             valid, need_token, auto_approve, created)
         select ?1, a.key, a.value ->> 'action_name', a.value -> 'action_data', a.value -> 'cache',
             a.value ->> 'state', a.value ->> 'valid', a.value ->> 'need_token',
             a.value ->> 'auto_approve', ?3
         from json_each(?2) a where true
         on conflict (task_key, position) do update set action_data = excluded.action_data,
             cache = excluded.cache, state = excluded.state, valid = excluded.valid,
             need_token = excluded.need_token, auto_approve = excluded.auto_approve",
        params![task.key, actions, task.created_on],
    )
    .await
}

/// The open tasks that ask for the same, but for one of them.
pub async fn duplicates(tx: &impl Tx, hash_key: &str, but: Option<i64>) -> Result<Vec<Task>> {
    let sql = format!(
        "select {} from adjutant_tasks t
         where t.hash_key = ?1 and t.completed = 0 and t.cancelled = 0 and t.key is not ?2
         order by t.key",
        row::SQL
    );
    tx.json_rows(&sql, params![hash_key, but]).await
}

/// When a project's quota was last changed by a task in one of these regions, since a moment.
pub async fn quota_was_changed(
    tx: &impl Tx,
    project: &str,
    regions: &[String],
    since: Timestamp,
) -> Result<bool> {
    let regions = windlass_core::db::Value::json(&regions)?;
    let row = tx
        .first(
            "select 1 from adjutant_tasks t join adjutant_actions a on a.task_key = t.key
             where t.completed = 1 and t.completed_on > ?3 and t.task_type = ?4
                 and a.action_name = 'UpdateProjectQuotasAction'
                 and a.action_data ->> 'project_id' = ?1
                 and exists (select 1 from json_each(a.action_data, '$.regions') r
                     where r.value in (select value from json_each(?2))) limit 1",
            params![project, regions, since, TaskType::UpdateQuota],
        )
        .await?;
    Ok(row.is_some())
}

/// Cancels a task. Its tokens are to be deleted by whoever does.
pub(crate) fn cancel_duplicate(task: &mut Task, now: Timestamp) {
    let text = "Task cancelled because was an old duplicate.";
    task.task_notes.push(note(text, now));
    task.cancelled = true;
}

/// Whether there is somebody behind a stored identity.
pub fn is_somebody(identity: &Value) -> bool {
    identity
        .as_object()
        .is_some_and(|fields| !fields.is_empty())
}
