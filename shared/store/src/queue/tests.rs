use super::*;
use windlass_core::db::NativeDb;

const NOW: i64 = 1_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

/// Rows of a tenant that are due, their subjects `<tenant>-0` and so on.
async fn rows(db: &NativeDb, work: Work, tenant: &str, count: usize) {
    db.execute(
        "with recursive numbers (n) as (
             select 0 union all select n + 1 from numbers where n + 1 < ?3)
         insert into queue (kind, subject, not_before, created_at, waits, tenant_name)
         select ?1, ?2 || '-' || n, n % 1000, '', ?4, ?2 from numbers",
        params![work, tenant, count, work.waits()],
    )
    .await
    .unwrap();
}

/// How many rows of each tenant a holder gets.
async fn taken(db: &NativeDb, holder: &str, room: Room, at: Timestamp) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for row in lease(db, holder, room, 5000, at).await.unwrap() {
        let tenant = row.subject.split('-').next().unwrap().to_owned();
        match counts.iter_mut().find(|(known, _)| *known == tenant) {
            Some((_, count)) => *count += 1,
            None => counts.push((tenant, 1)),
        }
    }
    counts.sort();
    counts
}

fn counts(wanted: &[(&str, usize)]) -> Vec<(String, usize)> {
    let wanted = wanted.iter();
    wanted
        .map(|(tenant, count)| ((*tenant).to_owned(), *count))
        .collect()
}

const ROOM: Room = Room {
    here: 8,
    waiting: 8,
    waiting_in_all: 64,
};

#[test]
fn tenants_take_turns() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        for work in [Work::Execution, Work::Operation] {
            db.execute("delete from queue", &[]).await.unwrap();
            rows(&db, work, "large", 500).await;
            rows(&db, work, "small", 2).await;
            rows(&db, work, "third", 100).await;
            let want = counts(&[("large", 3), ("small", 2), ("third", 3)]);
            assert_eq!(taken(&db, "me", ROOM, now()).await, want, "{work}");
        }
    });
}

#[test]
fn what_computes_has_room_beside_what_waits() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        rows(&db, Work::Operation, "calls", 500).await;
        rows(&db, Work::Execution, "drives", 500).await;
        let full = Room { waiting: 0, ..ROOM };
        assert_eq!(
            taken(&db, "me", full, now()).await,
            counts(&[("drives", 8)])
        );
        let full = Room { here: 0, ..ROOM };
        assert_eq!(taken(&db, "me", full, now()).await, counts(&[("calls", 4)]));
    });
}

/// All that a tenant is given, by as many ticks as want to.
async fn saturated(db: &NativeDb, tenant: &str) -> usize {
    let mut count = 0;
    for tick in 0.. {
        let got = taken(db, &format!("{tenant}{tick}"), ROOM, now()).await;
        if got.is_empty() {
            break;
        }
        assert_eq!(got.len(), 1, "{got:?}");
        assert_eq!(got[0].0, tenant);
        count += got[0].1;
    }
    count
}

#[test]
fn a_tenant_holds_no_more_places_than_it_leaves_free() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        for (tenant, places) in [("a", 32), ("b", 16), ("c", 8), ("d", 4), ("e", 2), ("f", 1)] {
            rows(&db, Work::Operation, tenant, 2000).await;
            assert_eq!(saturated(&db, tenant).await, places, "{tenant}");
        }
        // What the first ones give back goes to those who have less.
        let sql = "update queue set lease_holder = null, lease_until = null
                   where key in (select key from queue where tenant_name = 'a' and lease_holder
                       is not null limit 16)";
        db.execute(sql, &[]).await.unwrap();
        let got = taken(&db, "me", ROOM, now()).await;
        let want = [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 2), ("f", 2)];
        assert_eq!(got, counts(&want));
        // Leases that ran out hold no places.
        let later = now().plus_seconds(10);
        assert_eq!(taken(&db, "me", ROOM, later).await.len(), 6);
    });
}

#[test]
fn a_hundred_thousand_rows_of_one_tenant_leave_others_their_turns() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        rows(&db, Work::Operation, "large", 100_000).await;
        rows(&db, Work::Operation, "small", 2).await;
        let got = taken(&db, "me", ROOM, now()).await;
        assert_eq!(got, counts(&[("large", 4), ("small", 2)]));
    });
}

#[test]
fn the_queue_is_read_by_its_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let any = params!["me", 1, 1, 8, 8, 64];
        let plan = db.plan(lease::LEASE, any).await.unwrap();
        for wanted in [
            "SEARCH queue USING COVERING INDEX queue_by_tenant (waits=? AND tenant_name>?)",
            "SEARCH queue USING INDEX queue_held (waits=?)",
            "SEARCH queue USING INTEGER PRIMARY KEY (rowid=?)",
        ] {
            assert!(
                plan.iter().any(|step| step == wanted),
                "{wanted}: {plan:#?}"
            );
        }
        let rows = "USING INDEX queue_by_tenant (waits=? AND tenant_name=? AND due_at<?)";
        assert!(plan.iter().any(|step| step.contains(rows)), "{plan:#?}");
        assert!(
            plan.iter().all(|step| !step.starts_with("SCAN queue")),
            "{plan:#?}"
        );
        for sql in [NEXT_DUE, IS_DUE] {
            let plan = db.plan(sql, params![1]).await;
            let plan = match plan {
                Ok(plan) => plan,
                Err(_) => db.plan(sql, &[]).await.unwrap(),
            };
            let is_read = plan.iter().all(|step| {
                step.starts_with("SEARCH queue USING") && step.contains("INDEX queue_due")
            });
            assert!(is_read, "{sql}: {plan:#?}");
        }
    });
}

#[test]
fn work_belongs_to_the_tenant_of_what_it_is_about() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        for sql in [
            "insert into tenants (name, created_at) values ('harbour', '')",
            "insert into executions (key, id, tenant_name, created_by, visibility, created_at,
                 workflow_id, status)
             values (1, 'e', 'harbour', 'ann', 'tenant', '', 'install', 'started')",
            "insert into tasks_graphs (key, id, execution_key, execution_id, name, tenant_name,
                 created_by, visibility, created_at)
             values (1, 'g', 1, 'e', 'install', 'harbour', 'ann', 'tenant', '')",
            "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name, type,
                 state, tenant_name, created_by, visibility, created_at)
             values ('o', 1, 'g', 1, 'create', 'RemoteWorkflowTask', 'sent', 'harbour', 'ann',
                 'tenant', '')",
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state)
             values (7, 'b', 'harbour', 'ann', 'tenant', '', '', 'uploading')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        for (work, subject, tenant) in [
            (Work::Execution, "e", "harbour"),
            (Work::Execution, "gone", ""),
            (Work::Operation, "o", "harbour"),
            (Work::OperationTimeout, "o", "harbour"),
            (Work::BlueprintUpload, "7", "harbour"),
            (Work::StatusDelivery, "x", ""),
        ] {
            let nothing = serde_json::Value::Null;
            let due = Due {
                subject: subject.into(),
                not_before: now(),
            };
            for way in 0..3 {
                db.execute("delete from queue", &[]).await.unwrap();
                db.transaction(async |tx| match way {
                    0 => push(tx, work, subject, &nothing, now(), now()).await,
                    1 => push_all(tx, work, std::slice::from_ref(&due), now()).await,
                    _ => stranded::restore(tx, work, &[subject.into()], now()).await,
                })
                .await
                .unwrap();
                let sql = "select tenant_name, waits from queue";
                let row = db.first(sql, &[]).await.unwrap().unwrap();
                assert_eq!(row.text(0).unwrap(), tenant, "{work} {subject}, way {way}");
                assert_eq!(row.boolean(1).unwrap(), work.waits(), "{work}, way {way}");
            }
        }
    });
}

#[test]
fn deaths_and_failures_are_counted_apart() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        rows(&db, Work::Execution, "t", 1).await;
        let mut at = now();
        for deaths in 0..12 {
            let row = lease(&db, "me", 1, 1000, at).await.unwrap().pop().unwrap();
            assert_eq!((row.attempts, row.failures), (deaths + 1, 0));
            at = at.plus_seconds(40);
        }
        let row = lease(&db, "me", 1, 1000, at).await.unwrap().pop().unwrap();
        let why = Some("it failed");
        give_back(&db, "me", row.key, at, why, true).await.unwrap();
        let row = lease(&db, "me", 1, 1000, at).await.unwrap().pop().unwrap();
        assert_eq!((row.attempts, row.failures), (13, 1));
        assert_eq!(row.last_error.as_deref(), why);
        give_back(&db, "me", row.key, at, None, false)
            .await
            .unwrap();
        let row = lease(&db, "me", 1, 1000, at).await.unwrap().pop().unwrap();
        assert_eq!((row.attempts, row.failures), (13, 1));
    });
}

#[test]
fn however_often_its_holders_died_a_row_is_due_again_after_four_leases() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        rows(&db, Work::Operation, "t", 1).await;
        let mut at = now();
        for deaths in 0..20 {
            let leased = lease(&db, "me", 1, 5000, at).await.unwrap();
            assert_eq!(leased.len(), 1, "after {deaths} deaths");
            at = at.plus_seconds(20);
        }
    });
}

#[test]
fn the_next_row_is_due_when_it_can_be_taken() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        assert_eq!(next_due(&db).await.unwrap(), None);
        let nothing = serde_json::Value::Null;
        let later = now().plus_seconds(100);
        push(&db, Work::Execution, "late", &nothing, later, now())
            .await
            .unwrap();
        push(&db, Work::Execution, "due", &nothing, now(), now())
            .await
            .unwrap();
        assert_eq!(next_due(&db).await.unwrap(), Some(NOW));
        lease(&db, "me", 1, 5000, now()).await.unwrap();
        assert_eq!(next_due(&db).await.unwrap(), Some(NOW + 5000));
        assert!(!is_due(&db, now()).await.unwrap());
        lease(&db, "me", 1, 500_000, now().plus_seconds(6))
            .await
            .unwrap();
        assert_eq!(next_due(&db).await.unwrap(), Some(NOW + 100_000));
    });
}
