//! How the application is doing, over all tables: for `/status` and `/metrics`.

use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};

/// Every status of an execution, so that a metric exists before its first event.
const EXECUTION_STATUSES: [&str; 10] = [
    "pending",
    "queued",
    "scheduled",
    "started",
    "cancelling",
    "force_cancelling",
    "kill_cancelling",
    "terminated",
    "failed",
    "cancelled",
];

/// What waits in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// All work that is left, also what is for later or under way.
    pub depth: i64,
    /// How much could start now and has not.
    pub due: i64,
    /// How long the oldest of that has waited, in milliseconds.
    pub oldest_due_millis: i64,
}

/// How much there is of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blueprints of all tenants.
    pub blueprints: i64,
    /// Deployments of all tenants.
    pub deployments: i64,
    /// Executions of all tenants, by status.
    pub executions: Vec<(String, i64)>,
}

/// The state of the queue at this moment. Work whose lease has run out is due again since then.
pub async fn queue(db: &impl Db, _scope: &Scope, now: Timestamp) -> Result<Queue> {
    let row = db
        .first(
            "select (select count(*) from queue), count(*),
                 coalesce(max(?1 - max(not_before, coalesce(lease_until, 0))), 0)
             from queue where not_before <= ?1 and coalesce(lease_until, 0) <= ?1",
            params![now.millis()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Queue::default());
    };
    Ok(Queue {
        depth: row.integer(0)?,
        due: row.integer(1)?,
        oldest_due_millis: row.integer(2)?,
    })
}

/// How many blueprints, deployments and executions there are.
pub async fn counts(db: &impl Db, _scope: &Scope) -> Result<Counts> {
    let row = db
        .first(
            "select (select count(*) from blueprints), (select count(*) from deployments),
                 (select json_group_object(status, amount) from (
                     select status, count(*) as amount from executions group by status))",
            &[],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Counts::default());
    };
    let mut found: std::collections::BTreeMap<String, i64> = row.json(2)?;
    let mut executions: Vec<(String, i64)> = EXECUTION_STATUSES
        .iter()
        .map(|status| ((*status).to_owned(), found.remove(*status).unwrap_or(0)))
        .collect();
    executions.extend(found);
    Ok(Counts {
        blueprints: row.integer(0)?,
        deployments: row.integer(1)?,
        executions,
    })
}

/// Whether the database answers, and in the shape that this build expects.
pub async fn database_answers(db: &impl Db) -> bool {
    let row = db
        .first("select coalesce(max(version), 0) from schema_versions", &[])
        .await;
    matches!(row, Ok(Some(row)) if row.integer(0).is_ok_and(|version| version >= crate::migrations::latest()))
}

#[cfg(test)]
mod tests;
