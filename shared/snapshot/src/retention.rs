//! Snapshots are kept by age and by how many their tenant has, where operators want that; those that failed
//! say why for a while.

use crate::snapshots::{Snapshot, delete};
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Scope, Timestamp, log, params};
use windlass_store::blueprints::FAILED_SETTING;
use windlass_store::resource;
use windlass_store::retention::{self, BY, Kept};

/// The settings that say for how many days snapshots are kept, and how many of a tenant.
const DAYS_SETTING: &str = "snapshot_retention_days";
const COUNT_SETTING: &str = "snapshot_retention_count";

/// How many are deleted at a time.
const AT_ONCE: i64 = 20;

#[derive(Deserialize)]
struct Old {
    id: String,
    tenant_name: String,
}

/// Deletes a piece of the snapshots that are older, or more, than the settings keep. One that is being restored
/// stays until that is over. Answers how many.
pub async fn forget_old(db: &impl Db, now: Timestamp) -> Result<usize> {
    let kept = Kept::read(db, DAYS_SETTING, COUNT_SETTING, now).await?;
    let failed_since = retention::since(db, FAILED_SETTING, now).await?;
    if !kept.is_limited() && failed_since.is_none() {
        return Ok(0);
    }
    let found: Vec<Old> = db
        .json_rows(
            "select json_object('id', t.id, 'tenant_name', t.tenant_name) from snapshots t
             where case t.status
                 when 'creating' then 0
                 when 'failed' then t.created_at < ?3
                 else t.created_at < ?1 or (select count(*) from snapshots n
                     where n.tenant_name = t.tenant_name and n.status in ('created', 'uploaded')
                         and (n.created_at, n.key) > (t.created_at, t.key)) >= ?2
             end
             order by t.created_at, t.key limit ?4",
            params![kept.since, kept.most, failed_since, AT_ONCE],
        )
        .await?;
    let mut gone = 0;
    for Old { id, tenant_name } in found {
        let scope = Scope::system(BY, &tenant_name);
        let deleted = db
            .transaction(async |tx| {
                let snapshot: Snapshot = resource::find_own(tx, &scope, &id).await?;
                delete(tx, &scope, &snapshot).await
            })
            .await;
        match deleted {
            Ok(()) => gone += 1,
            // In use, or gone already.
            Err(refusal) if matches!(refusal.kind(), Kind::SnapshotAction | Kind::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    if gone > 0 {
        let told = [("snapshots", gone.into())];
        log::line(log::Level::Info, "old snapshots are gone", told);
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executions;
    use windlass_core::db::NativeDb;

    /// Snapshots of these tenants, ids, statuses and days of January.
    async fn filled(snapshots: &[(&str, &str, &str, u8)]) -> NativeDb {
        let db = NativeDb::in_memory();
        windlass_store::migrations::apply(&db).await.unwrap();
        for tenant in ["harbour", "quay"] {
            let sql = "insert into tenants (name, created_at) values (?1, '')";
            db.execute(sql, params![tenant]).await.unwrap();
        }
        for (tenant, id, status, day) in snapshots {
            db.execute(
                "insert into snapshots (id, tenant_name, created_by, visibility, created_at, status,
                     archive_blob, archive_size)
                 values (?1, ?2, 'ann', 'private', '2026-01-' || ?4 || 'T00:00:00.000Z', ?3, 'blob-' || ?1, 5)",
                params![*id, *tenant, *status, format!("{day:02}")],
            )
            .await
            .unwrap();
        }
        db
    }

    async fn set(db: &NativeDb, name: &str, value: &str) {
        let sql = "update config set value = ?1 where name = ?2";
        db.execute(sql, params![value, name]).await.unwrap();
    }

    async fn left(db: &NativeDb) -> String {
        let sql = "select group_concat(id, ' ' order by key) from snapshots";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }

    fn day(day: i64) -> Timestamp {
        let begin = Timestamp::parse("", "2026-01-01").unwrap();
        begin.plus_seconds((day - 1) * 86_400 + 1)
    }

    #[test]
    fn snapshots_stay_unless_settings_say_otherwise_and_failed_ones_for_a_month() {
        pollster::block_on(async {
            let db = filled(&[
                ("harbour", "made", "created", 1),
                ("harbour", "lost", "failed", 2),
                ("harbour", "slow", "creating", 3),
            ])
            .await;
            assert_eq!(forget_old(&db, day(31)).await.unwrap(), 0, "too soon");
            assert_eq!(forget_old(&db, day(33)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "made slow");
            set(&db, DAYS_SETTING, "10").await;
            assert_eq!(forget_old(&db, day(10)).await.unwrap(), 0);
            assert_eq!(forget_old(&db, day(12)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "slow", "it is not there yet");
            set(&db, FAILED_SETTING, "0").await;
            assert_eq!(forget_old(&db, day(900)).await.unwrap(), 0);
        });
    }

    #[test]
    fn each_tenant_keeps_its_newest() {
        pollster::block_on(async {
            let db = filled(&[
                ("harbour", "a", "created", 1),
                ("harbour", "b", "uploaded", 2),
                ("quay", "q", "created", 1),
                ("harbour", "c", "created", 3),
                ("harbour", "d", "failed", 4),
            ])
            .await;
            set(&db, COUNT_SETTING, "2").await;
            assert_eq!(forget_old(&db, day(5)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "b q c d", "what failed is no snapshot");
            let trail = "select username || ' ' || tenant_name || ' ' || target_id from audit_log
                 where action = 'snapshot_delete'";
            let row = db.first(trail, &[]).await.unwrap().unwrap();
            assert_eq!(row.text(0).unwrap(), "clock:retention harbour a");
        });
    }

    #[test]
    fn one_that_is_being_restored_stays_until_that_is_over() {
        pollster::block_on(async {
            let db = filled(&[
                ("harbour", "a", "created", 1),
                ("harbour", "b", "created", 2),
            ])
            .await;
            let scope = Scope::system("ann", "harbour");
            let flags = [
                ("force", true),
                ("restore_certificates", false),
                ("no_reboot", false),
            ];
            let parameters = executions::restoration_parameters("a", flags, 300);
            db.transaction(async |tx| executions::start_restoration(tx, &scope, parameters).await)
                .await
                .unwrap();
            set(&db, DAYS_SETTING, "1").await;
            assert_eq!(forget_old(&db, day(9)).await.unwrap(), 1);
            assert_eq!(left(&db).await, "a");
            let sql = "update executions set status = 'failed', ended_at = ''";
            db.execute(sql, &[]).await.unwrap();
            assert_eq!(forget_old(&db, day(9)).await.unwrap(), 1);
        });
    }
}
