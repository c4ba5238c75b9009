//! Pipelines as clients see them: their own properties, and where their runs stand.

use super::TABLE;
use crate::access::{self, Access, Asker};
use crate::body;
use crate::rows::{Listed, Paging, time_sql, user_id_sql};
use crate::runs::RunState;
use windlass_core::db::{Db, Value};
use windlass_core::{Error, Result, params};

/// Where a pipeline stands, as a word.
const STATUS: &str =
    "coalesce((select state from pipeline_runs r where r.key = t.current_run), 'idle')";

/// The steps with where each of them stands in the current run.
const PLAN: &str = "(select json_group_array(json(json_set(s.value, '$.status',
         coalesce((select state from pipeline_steps d where d.run_key = t.current_run
             and d.position = s.key), 'idle'))))
     from pipeline_plans l, json_each(l.plan) s where l.key = t.plan_key)";

fn last_run_sql() -> String {
    format!(
        "(select json_object('run_count', r.number, 'status', r.state, 'cause', r.cause,
              'started_at', {}, 'completed_at', {},
              'completed_steps', (select count(*) from pipeline_steps d
                  where d.run_key = r.key and d.state = 'success'))
          from pipeline_runs r where r.pipeline_key = t.key and r.number = t.run_count)",
        time_sql("r.started_at"),
        time_sql("r.ended_at")
    )
}

/// The newest step of the current run in a state, by its id in the run's own plan.
fn last_step_sql(state: &str) -> String {
    format!(
        "(select json_object('step_id', l.plan ->> ('$[' || d.position || ']._id'))
          from pipeline_steps d join pipeline_runs r on r.key = d.run_key
              join pipeline_plans l on l.key = r.plan_key
          where d.run_key = t.current_run and d.state in {state} order by d.key desc limit 1)"
    )
}

fn item_sql() -> String {
    format!(
        "json_patch(t.document, json_object('_id', t.id, 'name', t.name,
             'active', json(iif(t.active, 'true', 'false')),
             'locked', json(iif(t.locked, 'true', 'false')), 'roles', json(t.roles),
             'project', t.project_id, 'delivery', json(iif(t.is_delivery, 'true', 'false')),
             'owner', {owner}, 'owner_name', t.created_by, 'account', t.tenant_name,
             'createdAt', t.created_at, 'updatedAt', t.updated_at, '__v', t.revision,
             'workflow', json_object('plan', json({PLAN}), 'run_count', t.run_count,
                 'webhook', json(iif(t.webhook_secret is null, 'false', 'true')),
                 'last_run', json({last_run}),
                 'last_step', json_object('success', json({success}), 'running', json({running}),
                     'failed', json({failed})),
                 'status', {STATUS})))",
        owner = user_id_sql("t.created_by"),
        last_run = last_run_sql(),
        success = last_step_sql("('success')"),
        running = last_step_sql("('running', 'paused')"),
        failed = last_step_sql("('failed')"),
    )
}

/// What a list is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Narrowed<'a> {
    /// Pipelines of this name.
    pub name: Option<&'a str>,
    /// Pipelines that stand so: `idle` or the state of a run.
    pub status: Option<&'a str>,
}

/// The pipelines that the asker may look at, newest first.
///
/// # Errors
/// 400 for a status that there is not.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    narrowed: Narrowed<'_>,
    paging: Paging,
) -> Result<Listed> {
    if let Some(status) = narrowed.status
        && status != "idle"
        && RunState::named(status).is_none()
    {
        let text = "status must be idle, running, paused, stopping, success, failed or stopped";
        return Err(Error::bad_parameters(text).field("status", text));
    }
    let (keys, values) = keys(asker, narrowed, paging);
    Listed::read(db, &keys, &values, (&item_sql(), "pipelines")).await
}

/// The statement of a list's keys and sizes.
pub(super) fn keys(asker: &Asker, narrowed: Narrowed<'_>, paging: Paging) -> (String, Vec<Value>) {
    let mut values = asker.with(params![paging.limit, paging.offset]);
    let mut condition = access::listed();
    for (value, column) in [(narrowed.name, "t.name"), (narrowed.status, STATUS)] {
        if let Some(value) = value {
            values.push(value.into());
            condition.push_str(&format!(" and {column} = ?{}", values.len()));
        }
    }
    let sql = format!(
        "select t.key, octet_length(t.document) + 1000 + (select octet_length(l.plan)
             from pipeline_plans l where l.key = t.plan_key)
         from pipelines t where {condition} order by t.key desc limit ?5 offset ?6"
    );
    (sql, values)
}

/// One pipeline, as JSON text.
///
/// # Errors
/// 404 for none in the account, 403 for one that the asker may not see.
pub async fn show(db: &impl Db, asker: &Asker, id: &str) -> Result<String> {
    let found = access::find(db, asker, TABLE, id, Access::Read).await?;
    let sql = format!("select {} from pipelines t where t.key = ?1", item_sql());
    let row = db.first(&sql, params![found.key]).await?;
    let row = row.ok_or_else(|| body::not_found(TABLE.1, id))?;
    row.text(0).map(str::to_owned)
}
