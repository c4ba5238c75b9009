//! Events are forgotten when they are old or too many, if operators want that.

use crate::retention::Kept;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp, params};

/// The settings of the scope `rest`: for how many days events are kept, and how many; 0 for ever.
const DAYS_SETTING: &str = "event_retention_days";
const COUNT_SETTING: &str = "event_retention_count";

/// How many are forgotten at a time: a commit of these takes a few milliseconds.
const AT_ONCE: i64 = 1_000;

/// The oldest rows of each list, by its index.
const OLD: &str = "select e.storage_id
     from (select -1 as list_key union all select id from tenants) lists
     cross join events e on e.list_key = lists.list_key and e.timestamp < ?1 limit ?2";

/// Those after which so many newer ones stand. Numbers of events that are gone count for nothing; while there
/// cannot be so many, nobody walks along them.
const MANY: &str = "select storage_id from events
     where (select max(storage_id) from events) - (select min(storage_id) from events) >= ?1
         and storage_id <= (select storage_id from events order by storage_id desc limit 1 offset ?1)
     order by storage_id limit ?2";

/// Forgets some events that are older, or more, than the settings allow. Answers how many; a read where there
/// are none.
///
/// # Errors
/// Of the database.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<i64> {
    let kept = Kept::read(db, DAYS_SETTING, COUNT_SETTING, now).await?;
    let mut gone = 0;
    if let Some(since) = kept.since {
        gone += forget(db, OLD, since.millis()).await?;
    }
    if let Some(most) = kept.most {
        gone += forget(db, MANY, most).await?;
    }
    Ok(gone)
}

/// Forgets a piece of what a statement finds with a limit.
async fn forget(db: &impl Db, found: &str, limit: i64) -> Result<i64> {
    if db.first(found, params![limit, 1]).await?.is_none() {
        return Ok(0);
    }
    let sql = format!("delete from events where storage_id in ({found}) returning storage_id");
    let rows = db.query(&sql, params![limit, AT_ONCE]).await?;
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}

/// Forgets some of the events of an execution that is to be forgotten. Answers whether there may be
/// more.
pub(crate) async fn forget_some_of(db: &impl Db, execution_key: i64) -> Result<bool> {
    let sql = "delete from events where storage_id in
         (select storage_id from events where execution_key = ?1 limit ?2) returning storage_id";
    let rows = db.query(sql, params![execution_key, AT_ONCE]).await?;
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX) >= AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executions::tests::database;
    use windlass_core::db::NativeDb;

    const DAY: i64 = 86_400_000;

    async fn events(db: &NativeDb) -> i64 {
        let row = db.first("select count(*) from events", &[]).await.unwrap();
        row.unwrap().integer(0).unwrap()
    }

    async fn set(db: &NativeDb, setting: &str, value: i64) {
        let sql = "update config set value = ?1 where name = ?2";
        db.execute(sql, params![value.to_string(), setting])
            .await
            .unwrap();
    }

    #[test]
    fn old_events_are_forgotten_in_pieces() {
        pollster::block_on(async {
            let db = database().await;
            for sql in [
                "insert into executions (key, id, tenant_name, created_by, visibility, created_at, workflow_id, status)
                 values (1, 'one', 'harbour', 'ann', 'tenant', '', 'install', 'started'),
                     (2, 'two', 'quay', 'bob', 'global', '', 'install', 'failed')",
                "with recursive n (n) as (select 0 union all select n + 1 from n where n < 2999)
                 insert into events (execution_key, list_key, is_log, timestamp)
                 select 1 + n % 2, iif(n % 2, -1, (select id from tenants where name = 'harbour')), 0, n / 1500 * 864000000 from n",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let now = Timestamp::from_millis(11 * DAY);
            let forget = async || forget_old(&db, now).await.unwrap();
            assert_eq!(forget().await, 0, "kept for ever");
            set(&db, DAYS_SETTING, 11).await;
            assert_eq!(forget().await, 0);
            set(&db, DAYS_SETTING, 10).await;
            assert_eq!(
                (forget().await, forget().await, forget().await),
                (1000, 500, 0)
            );
            assert_eq!(events(&db).await, 1500);
            assert!(crate::counts::audit(&db).await.unwrap().is_empty());
            assert!(forget_some_of(&db, 1).await.is_ok_and(|more| !more));
            assert_eq!(events(&db).await, 750);
        });
    }

    #[test]
    fn events_are_forgotten_when_there_are_too_many() {
        pollster::block_on(async {
            let db = database().await;
            for sql in [
                "insert into executions (key, id, tenant_name, created_by, visibility, created_at, workflow_id, status)
                 values (1, 'one', 'harbour', 'ann', 'tenant', '', 'install', 'started')",
                "with recursive n (n) as (select 0 union all select n + 1 from n where n < 2999)
                 insert into events (execution_key, list_key, is_log, timestamp)
                 select 1, (select id from tenants where name = 'harbour'), 0, 0 from n",
            ] {
                db.execute(sql, &[]).await.unwrap();
            }
            let forget = async || forget_old(&db, Timestamp::from_millis(DAY)).await.unwrap();
            set(&db, COUNT_SETTING, 3000).await;
            assert_eq!(forget().await, 0);
            // Numbers that are gone are no events.
            let sql = "delete from events where storage_id between 2001 and 2900";
            db.execute(sql, &[]).await.unwrap();
            set(&db, COUNT_SETTING, 2200).await;
            assert_eq!(forget().await, 0);
            set(&db, COUNT_SETTING, 200).await;
            assert_eq!(
                (forget().await, forget().await, forget().await),
                (1000, 900, 0)
            );
            let row = db.first("select min(storage_id), max(storage_id) from events", &[]);
            let row = row.await.unwrap().unwrap();
            let (first, last) = (row.integer(0).unwrap(), row.integer(1).unwrap());
            assert_eq!(
                (last - first, events(&db).await),
                (1099, 200),
                "the newest stay"
            );
            assert!(crate::counts::audit(&db).await.unwrap().is_empty());
        });
    }

    /// Looked for every few seconds in the largest of all tables.
    #[test]
    fn old_events_are_found_by_an_index() {
        pollster::block_on(async {
            let db = database().await;
            let plan = db.plan(OLD, params![1, 2]).await.unwrap();
            let wanted =
                "SEARCH e USING COVERING INDEX events_by_list (list_key=? AND timestamp<?)";
            assert!(plan.iter().any(|step| step == wanted), "{plan:#?}");
            let plan = db.plan(MANY, params![1, 2]).await.unwrap();
            let wanted = "SEARCH events USING INTEGER PRIMARY KEY (rowid<?)";
            assert!(plan.iter().any(|step| step == wanted), "{plan:#?}");
            // Along the newest, as far as they are kept.
            let walks = plan.iter().filter(|step| step.contains("SCAN")).count();
            assert_eq!(walks, 1, "{plan:#?}");
        });
    }
}
