use super::*;
use windlass_core::db::NativeDb;

async fn fresh() -> NativeDb {
    crate::fresh_database().await
}

#[test]
fn work_is_due_unless_it_is_for_later_or_under_way() {
    pollster::block_on(async {
        let db = fresh().await;
        let now = Timestamp::from_millis(100_000);
        let scope = Scope::public();
        assert_eq!(queue(&db, &scope, now).await.unwrap(), Queue::default());
        for (subject, not_before, lease_until) in [
            ("waiting", 70_000, None),
            ("abandoned", 10_000, Some(60_000)),
            ("under way", 10_000, Some(101_000)),
            ("later", 200_000, None),
        ] {
            db.execute(
                "insert into queue (kind, subject, not_before, lease_until, created_at)
                 values ('test', ?1, ?2, ?3, '2024')",
                params![subject, not_before, lease_until],
            )
            .await
            .unwrap();
        }
        let found = queue(&db, &scope, now).await.unwrap();
        assert_eq!(
            found,
            Queue {
                depth: 4,
                due: 2,
                oldest_due_millis: 40_000
            }
        );
    });
}

#[test]
fn counts_name_every_status() {
    pollster::block_on(async {
        let db = fresh().await;
        for (id, status) in [("a", "started"), ("b", "started"), ("c", "failed")] {
            db.execute(
                "insert into executions
                     (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
                 values (?1, 'default_tenant', 'admin', 'tenant', '2024', 'install', ?2)",
                params![id, status],
            )
            .await
            .unwrap();
        }
        let counts = counts(&db, &Scope::public()).await.unwrap();
        assert_eq!((counts.blueprints, counts.deployments), (0, 0));
        for (status, want) in [("started", 2), ("failed", 1), ("cancelled", 0)] {
            let got = counts.executions.iter().find(|(known, _)| known == status);
            assert_eq!(got.map(|(_, amount)| *amount), Some(want), "{status}");
        }
    });
}

#[test]
fn a_database_of_an_older_build_fails() {
    pollster::block_on(async {
        let now = Timestamp::from_millis(100_000);
        let db = fresh().await;
        assert_eq!(readiness(&db, now).await, Readiness::Ready);
        db.execute("delete from schema_versions", &[])
            .await
            .unwrap();
        assert_eq!(readiness(&db, now).await, Readiness::Failing);
        let empty = NativeDb::in_memory();
        assert_eq!(readiness(&empty, now).await, Readiness::Failing);
    });
}

#[test]
fn a_database_that_may_not_grow_is_full_and_looking_leaves_nothing() {
    pollster::block_on(async {
        let db = fresh().await;
        let at = Timestamp::from_millis;
        assert_eq!(readiness(&db, at(100_000)).await, Readiness::Ready);
        let pages = db.first("pragma page_count", &[]).await.unwrap().unwrap();
        let bound = format!("pragma max_page_count = {}", pages.integer(0).unwrap());
        let unbound = "pragma max_page_count = 4294967294";
        for (millis, limit, is) in [
            // What was found out is believed for three seconds, whoever asks.
            (102_900, &*bound, Readiness::Ready),
            (103_000, &bound, Readiness::Full),
            (104_000, unbound, Readiness::Full),
            (106_000, unbound, Readiness::Ready),
            // A clock that was set back.
            (50_000, &bound, Readiness::Full),
        ] {
            db.execute(limit, &[]).await.unwrap();
            assert_eq!(readiness(&db, at(millis)).await, is, "{millis}");
        }
        let left = db.first("select count(*) from loose_blobs", &[]).await;
        assert_eq!(left.unwrap().unwrap().integer(0).unwrap(), 0);
    });
}

#[test]
fn who_asks_while_another_looks_believes_what_is_known() {
    pollster::block_on(async {
        let db = fresh().await;
        let now = Timestamp::from_millis(100_000);
        assert_eq!(readiness(&db, now).await, Readiness::Ready);
        for known in [true, false] {
            assert_eq!(look(&db, 0, now, known).await, known);
        }
    });
}
