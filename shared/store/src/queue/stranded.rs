//! Work whose row is gone: what an older version left behind, or a hand in the database.
//!
//! A row of the queue is written and deleted together with what it is about, so nothing is ever
//! without one while it needs one. Whatever is found here is therefore to be put back, not judged:
//! work that turns out not to be wanted ends without an effect. Only what the engine runs itself is
//! looked at. Graphs that clients keep, and what workers lease, are not the engine's to start.

use super::{Work, json_text, tenant_of};
use crate::executions::Status;
use crate::operations::OperationState;
use crate::tasks_graphs::CLIENTS;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};

/// How many of a kind are found at a time.
const AT_ONCE: usize = 1000;

/// The built-in calls of running executions that nothing will ever go on with: on their way, or
/// waiting for another try, untouched since `before`, without a row. Once something has failed for
/// good, what waited for another try was withdrawn on purpose, and what nobody had begun with too.
pub async fn operations(db: &impl Db, before: Timestamp) -> Result<Vec<String>> {
    ids(db, &operations_sql(), before).await
}

fn operations_sql() -> String {
    let begun = OperationState::sql_list(|state| {
        use OperationState::{ResponseSent, Sending, Started};
        matches!(state, Sending | Started | ResponseSent)
    });
    let not_begun = OperationState::sql_list(|state| {
        matches!(state, OperationState::Sent | OperationState::Rescheduled)
    });
    let either = OperationState::sql_list(|state| {
        state.is_with_a_worker() || state == OperationState::Rescheduled
    });
    format!(
        "select o.id from executions e
         cross join operations o on o.execution_key = e.key and o.state in {either}
         cross join tasks_graphs g on g.key = o.tasks_graph_key and g.state <> '{CLIENTS}'
         where e.status = '{started}' and o.type = 'RemoteWorkflowTask' and o.queue is null
           and coalesce(o.updated_at, o.created_at) < ?1
           and (o.state in {begun} or o.state in {not_begun}
               and coalesce(json_array_length(g.state, '$.failures'), 0) = 0)
           and not exists (select 1 from queue
               where kind in ('{call}', '{component}') and subject = o.id)
           and not exists (select 1 from component_waits w
               cross join executions i on i.id = w.execution_id and i.status not in {ended}
               where w.operation_id = o.id)
         limit ?2",
        component = Work::Component,
        ended = Status::sql_list(Status::has_ended),
        started = Status::Started.name(),
        call = Work::Operation,
    )
}

/// The executions that nobody will ever drive on, begun before `before`: to be started, to be
/// cancelled, or in the middle of a graph of the engine's in which nothing is under way.
pub async fn executions(db: &impl Db, before: Timestamp) -> Result<Vec<String>> {
    ids(db, &executions_sql(), before).await
}

fn executions_sql() -> String {
    let under_way = OperationState::sql_list(OperationState::is_with_a_worker);
    format!(
        "select e.id from executions e
         where e.status in {active} and coalesce(e.started_at, e.created_at) < ?1
           and not exists (select 1 from queue where kind = '{drive}' and subject = e.id)
           and not exists (select 1 from plugins_updates u
               cross join plugins_update_deployments m on m.update_key = u.key and m.state = 'started'
               cross join executions i on i.id = m.execution_id and i.status not in {ended}
               where u.execution_id = e.id)
           and not exists (select 1 from workflow_leases w
               where w.execution_key = e.key and e.status in ('{pending}', '{cancelling}'))
           and case e.status
             when '{pending}' then e.deployment_key is not null or e.workflow_id = 'update_plugin'
             when '{started}' then e.workflow_id = 'update_plugin' or
                 exists (select 1 from tasks_graphs g
                     where g.execution_key = e.key and g.state <> '{CLIENTS}')
                 and not exists (select 1 from operations o
                     cross join tasks_graphs g on g.key = o.tasks_graph_key
                     where o.execution_key = e.key and o.state in {under_way}
                       and g.state <> '{CLIENTS}')
                 and not exists (select 1 from operations o
                     cross join queue q on q.kind = '{call}' and q.subject = o.id
                     where o.execution_key = e.key and o.state = '{again}')
             else true end
         limit ?2",
        active = Status::sql_list(Status::is_active),
        ended = Status::sql_list(Status::has_ended),
        drive = Work::Execution,
        call = Work::Operation,
        pending = Status::Pending.name(),
        cancelling = Status::Cancelling.name(),
        started = Status::Started.name(),
        again = OperationState::Rescheduled.name(),
    )
}

async fn ids(db: &impl Db, sql: &str, before: Timestamp) -> Result<Vec<String>> {
    let rows = db.query(sql, params![before, AT_ONCE]).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// Makes work due again whose row is missing. A row that is there after all stays as it is.
pub async fn restore(tx: &impl Tx, work: Work, subjects: &[String], now: Timestamp) -> Result<()> {
    let sql = format!(
        "insert into queue (kind, subject, not_before, created_at, waits, tenant_name)
         select ?1, value, ?3, ?4, ?5, {} from json_each(?2) where true
         on conflict (kind, subject) do nothing",
        tenant_of(work, "value")
    );
    let subjects = json_text(subjects)?;
    tx.execute(
        &sql,
        params![work, subjects, now.millis(), now, work.waits()],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looked for every minute, in a database that remembers every execution there ever was.
    #[test]
    fn only_active_executions_are_looked_at() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            for (sql, wanted) in [
                (
                    operations_sql(),
                    &[
                        "SEARCH e USING COVERING INDEX executions_by_status (status=?)",
                        "SEARCH o USING INDEX operations_by_execution (execution_key=? AND state=?)",
                        "SEARCH g USING INTEGER PRIMARY KEY (rowid=?)",
                    ][..],
                ),
                (
                    executions_sql(),
                    &["SEARCH e USING INDEX executions_by_status (status=?)"],
                ),
            ] {
                let plan = db.plan(&sql, params!["", 1]).await.unwrap();
                for line in wanted {
                    assert!(plan.iter().any(|step| step == line), "{line}: {plan:#?}");
                }
                assert!(
                    plan.iter().all(|step| !step.starts_with("SCAN")),
                    "{plan:#?}"
                );
            }
        });
    }
}
