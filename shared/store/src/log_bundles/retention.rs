//! Bundles are looked at for a while, and there are no more than so many.

use super::{LogBundle, delete};
use crate::retention::{BY, Kept};
use crate::tenants::DEFAULT_TENANT;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, Timestamp, params};

/// The settings that say for how many days bundles are kept, and how many.
const DAYS_SETTING: &str = "log_bundle_retention_days";
const COUNT_SETTING: &str = "log_bundle_retention_count";

/// How many are deleted at a time.
const AT_ONCE: i64 = 20;

/// Deletes a piece of the bundles that are older, or more, than the settings keep. Answers how many.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<usize> {
    let kept = Kept::read(db, DAYS_SETTING, COUNT_SETTING, now).await?;
    if !kept.is_limited() {
        return Ok(0);
    }
    let found: Vec<LogBundle> = db
        .json_rows(
            "select json_object('key', key, 'id', id) from log_bundles t
             where created_at < ?1
                 or (select count(*) from log_bundles n
                     where (n.created_at, n.key) > (t.created_at, t.key)) >= ?2
             order by created_at, key limit ?3",
            params![kept.since, kept.most, AT_ONCE],
        )
        .await?;
    let scope = Scope::system(BY, DEFAULT_TENANT);
    for bundle in &found {
        db.transaction(async |tx| delete(tx, &scope, bundle).await)
            .await?;
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    async fn left(db: &NativeDb) -> String {
        let sql = "select coalesce(group_concat(id, ' ' order by key), '') from log_bundles";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }

    #[test]
    fn bundles_are_kept_by_age_and_count() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            db.execute(
                "with recursive n (k) as (select 1 union all select k + 1 from n where k < 9)
                 insert into log_bundles (id, tenant_name, created_by, visibility, created_at, status,
                     archive_blob, archive_size)
                 select 'b' || k, 'default_tenant', 'ann', 'private', '2026-01-0' || k || 'T00:00:00.000Z',
                     'created', 'blob' || k, 5 from n",
                &[],
            )
            .await
            .unwrap();
            let now = Timestamp::parse("", "2026-03-02").unwrap();
            assert_eq!(forget_old(&db, now).await.unwrap(), 0);
            let set = "update config set value = ?1 where name = ?2";
            db.execute(set, params!["56", DAYS_SETTING]).await.unwrap();
            assert_eq!(forget_old(&db, now).await.unwrap(), 4);
            assert_eq!(left(&db).await, "b5 b6 b7 b8 b9");
            db.execute(set, params!["0", DAYS_SETTING]).await.unwrap();
            assert_eq!(forget_old(&db, now).await.unwrap(), 0, "for ever");
            db.execute(set, params!["2", COUNT_SETTING]).await.unwrap();
            assert_eq!(forget_old(&db, now).await.unwrap(), 3);
            assert_eq!(left(&db).await, "b8 b9");
            assert_eq!(crate::blobs::count_loose(&db).await.unwrap(), 7);
            let told = "select count(*) from audit_log where username = 'clock:retention'";
            let told = db.first(told, &[]).await.unwrap().unwrap();
            assert_eq!(told.integer(0).unwrap(), 7);
        });
    }
}
