//! Executions that have ended are forgotten when they are old or too many, if operators want that.

use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};

use crate::deployments::CREATE_WORKFLOW;
use crate::events;
use crate::retention::Kept;

/// The settings of the scope `rest`: for how many days executions are kept after their end, and how many of
/// each deployment that have ended; 0 for ever.
const DAYS_SETTING: &str = "execution_retention_days";
const COUNT_SETTING: &str = "execution_retention_count";

/// How many are looked at at a time.
const AT_ONCE: i64 = 100;

/// How many of them are forgotten at a time, each by itself: one may have thousands of operations.
const FORGOTTEN: usize = 50;

/// How far a pass over old executions has come. Those that stay would be looked at each time otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Place {
    ended_at: String,
    key: i64,
}

/// An old execution.
#[derive(Deserialize)]
struct Old {
    place: Place,
    /// Whether its deployment still shows it: the latest one, and the one that made it. Or it is neither old
    /// nor one of too many.
    stays: i64,
}

fn old_sql() -> String {
    format!(
        "select json_object('place', json_object('ended_at', t.ended_at, 'key', t.key),
             'stays', exists (select 1 from deployments d where d.key = t.deployment_key
                 and (d.latest_execution = t.id or d.create_execution = t.id))
             or (t.workflow_id = '{CREATE_WORKFLOW}' and t.status = 'terminated'
                 and t.deployment_key is not null)
             or (t.ended_at >= ?4 and not exists (select 1 from executions n
                 where n.deployment_key = t.deployment_key and n.ended_at is not null and n.key > t.key
                 limit 1 offset ?5 - 1)))
         from executions t
         where t.ended_at is not null and (t.ended_at, t.key) > (?1, ?2) and t.ended_at < ?3
         order by t.ended_at, t.key limit ?6"
    )
}

/// Forgets some executions that ended longer ago than the settings allow, or after which more of their
/// deployment have ended, with what belongs to them. What a deployment still shows stays. Answers where to go
/// on; none at the end of a pass.
///
/// # Errors
/// Of the database.
pub async fn forget_old(db: &impl Db, from: &Place, now: Timestamp) -> Result<Option<Place>> {
    let kept = Kept::read(db, DAYS_SETTING, COUNT_SETTING, now).await?;
    if !kept.is_limited() {
        return Ok(None);
    }
    // Where only age counts nobody has to look at younger ones.
    let old = kept
        .since
        .map(|since| since.to_string())
        .unwrap_or_default();
    let looked_at = match kept.most {
        Some(_) => now.to_string(),
        None => old.clone(),
    };
    let most = kept.most.unwrap_or(i64::MAX);
    let values = params![
        from.ended_at.as_str(),
        from.key,
        looked_at,
        old,
        most,
        AT_ONCE
    ];
    let found: Vec<Old> = db.json_rows(&old_sql(), values).await?;
    let mut place = None;
    let mut forgotten = 0;
    for old in found {
        if old.stays == 0 {
            if forgotten == FORGOTTEN || !forget(db, old.place.key).await? {
                // The rest of it, and what follows, the next time.
                return Ok(Some(place.unwrap_or_else(|| from.clone())));
            }
            forgotten += 1;
        }
        place = Some(old.place);
    }
    Ok(place)
}

/// Forgets an execution, first its events in pieces. Answers whether it is gone.
async fn forget(db: &impl Db, key: i64) -> Result<bool> {
    if events::forget_some_of(db, key).await? {
        return Ok(false);
    }
    let sql = "delete from executions where key = ?1 and ended_at is not null";
    db.execute(sql, params![key]).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executions::tests::database;
    use windlass_core::db::NativeDb;

    async fn left(db: &NativeDb) -> Vec<String> {
        let rows = db
            .query("select id from executions order by key", &[])
            .await;
        rows.unwrap()
            .iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn old_executions_are_forgotten_but_those_that_a_deployment_shows() {
        pollster::block_on(async {
            let db = database().await;
            for sql in [
                "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
                 values (1, 'b', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
                "insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                     blueprint_key, blueprint_id, display_name, latest_execution, create_execution)
                 values (1, 'd', 'harbour', 'ann', 'tenant', '', '', 1, 'b', 'd', 'latest', 'made')",
                "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key, workflow_id, status, ended_at)
                 values ('made', 'harbour', 'ann', 'tenant', '', 1, 'create_deployment_environment', 'terminated', '2026-01-01T00:00:00.000Z'),
                     ('old', 'harbour', 'ann', 'tenant', '', 1, 'install', 'terminated', '2026-01-01T00:00:00.000Z'),
                     ('latest', 'harbour', 'ann', 'tenant', '', 1, 'install', 'failed', '2026-01-02T00:00:00.000Z'),
                     ('upload', 'harbour', 'ann', 'tenant', '', null, 'upload_blueprint', 'terminated', '2026-01-03T00:00:00.000Z'),
                     ('young', 'harbour', 'ann', 'tenant', '', 1, 'install', 'failed', '2026-03-01T00:00:00.000Z'),
                     ('runs', 'harbour', 'ann', 'tenant', '', 1, 'install', 'started', null)",
                "with recursive n (n) as (select 0 union all select n + 1 from n where n < 1499)
                 insert into events (execution_key, list_key, is_log, timestamp)
                 select (select key from executions where id = 'old'), 0, 0, n from n",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let now = Timestamp::parse("", "2026-03-02").unwrap();
            let begin = Place::default();
            let none = forget_old(&db, &begin, now).await.unwrap();
            assert_eq!((none, left(&db).await.len()), (None, 6));

            let sql = "update config set value = '30' where name = 'execution_retention_days'";
            db.execute(sql, &[]).await.unwrap();
            let mut place = begin;
            let mut steps = 0;
            while let Some(next) = forget_old(&db, &place, now).await.unwrap() {
                (place, steps) = (next, steps + 1);
            }
            assert_eq!(left(&db).await, ["made", "latest", "young", "runs"]);
            assert_eq!(steps, 2, "1,500 events are two pieces");
            assert!(crate::counts::audit(&db).await.unwrap().is_empty());
        });
    }

    #[test]
    fn of_each_deployment_the_newest_executions_stay() {
        pollster::block_on(async {
            let db = database().await;
            for sql in [
                "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
                 values (1, 'b', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
                "insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                     blueprint_key, blueprint_id, display_name, latest_execution, create_execution)
                 values (1, 'd', 'harbour', 'ann', 'tenant', '', '', 1, 'b', 'd', 'd5', 'd0'),
                     (2, 'e', 'harbour', 'ann', 'tenant', '', '', 1, 'b', 'e', 'e1', 'e0')",
                "with recursive n (n) as (select 0 union all select n + 1 from n where n < 5)
                 insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                     workflow_id, status, ended_at)
                 select d.id || n, 'harbour', 'ann', 'tenant', '', d.key,
                     iif(n = 0, 'create_deployment_environment', 'restart'), 'terminated',
                     '2026-01-0' || (n + 1) || 'T00:00:00.000Z'
                 from n join deployments d on n < iif(d.id = 'd', 6, 2)",
                "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                     workflow_id, status, ended_at)
                 values ('runs', 'harbour', 'ann', 'tenant', '', 1, 'restart', 'started', null),
                     ('upload', 'harbour', 'ann', 'tenant', '', null, 'upload_blueprint', 'terminated',
                         '2026-01-01T00:00:00.000Z')",
                "update config set value = '2' where name = 'execution_retention_count'",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let now = Timestamp::parse("", "2026-03-02").unwrap();
            let mut place = Place::default();
            while let Some(next) = forget_old(&db, &place, now).await.unwrap() {
                place = next;
            }
            let mut left = left(&db).await;
            left.sort();
            assert_eq!(left, ["d0", "d4", "d5", "e0", "e1", "runs", "upload"]);
        });
    }

    #[test]
    fn old_executions_are_found_by_an_index() {
        pollster::block_on(async {
            let db = database().await;
            let plan = db
                .plan(&old_sql(), params!["", 0, "", "", 3, 1])
                .await
                .unwrap();
            let found = plan
                .iter()
                .any(|step| step.contains("executions_ended (ended_at>? AND ended_at<?)"));
            assert!(found, "{plan:#?}");
            assert!(
                plan.iter()
                    .all(|step| !step.contains("SCAN") && !step.contains("TEMP B-TREE")),
                "{plan:#?}"
            );
        });
    }
}
