//! What `/metrics` tells beside the totals: the queue by kind of work, executions that go on, notices and
//! mails, and how often things happened.

use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};

/// What of one kind waits in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct QueueOf {
    /// The kind of work.
    pub kind: String,
    /// All of it that is left.
    pub depth: i64,
    /// How much could start now.
    pub due: i64,
    /// How long the oldest of that has waited, in milliseconds.
    pub oldest_due_millis: i64,
}

/// A name with a number.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Measure {
    /// What is counted, such as a state.
    pub name: String,
    /// The number.
    pub value: i64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Measures {
    /// The queue, by kind of work.
    pub queue: Vec<QueueOf>,
    /// How old the oldest execution is that has not ended, by status, in milliseconds.
    pub oldest_executions: Vec<Measure>,
    /// What subscribers of the status page are told, by state.
    pub deliveries: Vec<Measure>,
    /// Mails about accounts, by state.
    pub mails: Vec<Measure>,
    /// How often things happened since the database was made.
    pub counters: Vec<Measure>,
}

/// Everything in one statement. Reads the whole queue, which is short, and the ends of indexes; notices
/// and mails are kept for a month.
pub async fn measures(db: &impl Db, _scope: &Scope, now: Timestamp) -> Result<Measures> {
    let named = |rows: &str| {
        format!(
            "(select coalesce(json_group_array(json_object('name', name, 'value', value)), '[]')
                 from ({rows}))"
        )
    };
    let oldest = |status: &str| {
        format!(
            "select '{status}' as name, min(created_at) as at from (
                 select created_at from executions indexed by executions_by_status
                 where status = '{status}' order by key limit 1)"
        )
    };
    let ages = [
        "pending",
        "queued",
        "started",
        "cancelling",
        "force_cancelling",
    ]
    .map(oldest)
    .join(" union all ");
    let ages = format!(
        "select name, max(0, ?1 - cast(round((julianday(at) - 2440587.5) * 86400000) as integer)) as value
         from ({ages}) where at is not null"
    );
    let sql = format!(
        "select json_object(
             'queue', json((select coalesce(json_group_array(json_object('kind', kind, 'depth', depth,
                 'due', due, 'oldest_due_millis', oldest)), '[]') from (
                 select kind, count(*) as depth, count(*) filter (where due_at <= ?1) as due,
                     coalesce(?1 - min(due_at) filter (where due_at <= ?1), 0) as oldest
                 from queue group by kind order by kind))),
             'oldest_executions', json({}), 'deliveries', json({}), 'mails', json({}),
             'counters', json({}))",
        named(&ages),
        named("select state as name, count(*) as value from status_deliveries group by state"),
        named("select state as name, count(*) as value from adjutant_mails group by state"),
        named("select name, count as value from event_counters order by name"),
    );
    let found = db.first_json(&sql, params![now.millis()]).await?;
    Ok(found.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_executions_and_what_happened_are_told_by_kind() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let now = Timestamp::parse("now", "2026-01-01T00:10:00Z").unwrap();
            let scope = Scope::public();
            let quiet = measures(&db, &scope, now).await.unwrap();
            assert!(quiet.queue.is_empty() && quiet.oldest_executions.is_empty());
            for sql in [
                "insert into queue (kind, subject, not_before, created_at) values
                     ('a', '1', 1, ''), ('a', '2', 9000000000000, ''), ('b', '1', 9000000000000, '')",
                "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
                 values ('x', 'default_tenant', 'ann', 'tenant', '2026-01-01T00:00:00.000Z', 'install', 'started'),
                     ('y', 'default_tenant', 'ann', 'tenant', '2026-01-01T00:05:00.000Z', 'install', 'started')",
                "update executions set status = 'failed' where id = 'y'",
                "update users set last_login_at = '2026-01-01T00:00:00.000Z' where id = 0",
                "insert into failed_logins (address, at) values ('192.0.2.7', '2026-01-01T00:00:00.000Z')",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let found = measures(&db, &scope, now).await.unwrap();
            let queue: Vec<_> = found
                .queue
                .iter()
                .map(|of| (of.kind.as_str(), of.depth, of.due))
                .collect();
            assert_eq!(queue, [("a", 2, 1), ("b", 1, 0)]);
            assert_eq!(found.queue[0].oldest_due_millis, now.millis() - 1);
            let oldest = &found.oldest_executions;
            assert_eq!(oldest.len(), 1, "{oldest:?}");
            assert_eq!(
                (oldest[0].name.as_str(), oldest[0].value),
                ("started", 600_000)
            );
            let counted = |name: &str| {
                let one = found.counters.iter().find(|one| one.name == name);
                one.map(|one| one.value)
            };
            for (name, times) in [
                ("logins", 1),
                ("login_failures", 1),
                ("executions_failed", 1),
                ("executions_terminated", 0),
            ] {
                assert_eq!(counted(name), Some(times), "{name}");
            }
        });
    }
}
