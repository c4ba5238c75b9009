use super::*;
use crate::fresh_database;
use windlass_core::db::NativeDb;

/// All that an inspection finds, and how many calls it took.
async fn walk(db: &NativeDb, mends: bool) -> (Vec<Finding>, usize) {
    let (mut findings, mut calls) = (Vec::new(), 0);
    let mut place = Some(Place::default());
    while let Some(here) = place {
        let report = inspect(db, &here, mends, Timestamp::now()).await.unwrap();
        findings.extend(report.findings);
        place = report.next;
        calls += 1;
    }
    (findings, calls)
}

async fn texts(db: &NativeDb, mends: bool) -> Vec<String> {
    let (findings, _) = walk(db, mends).await;
    findings.into_iter().map(|one| one.text).collect()
}

async fn harbour() -> NativeDb {
    let db = fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '')",
        "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state, archive_blob,
             archive_size)
         values ('cranes', 'harbour', 'ann', 'tenant', '', '', 'uploaded', 'blob-1', 7)",
        "insert into plan_parts (key, hash, text) values (1, 'a', 'one'), (2, 'b', 'two'), (3, 'c', 'three')",
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, description_part, workflow_parts)
         select 'crane', tenant_name, created_by, visibility, '', '', key, id, 'The crane', 1, '[1, 2]' from blueprints",
        "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
         values ('e1', 'harbour', 'ann', 'private', '', 'install', 'started')",
        "insert into queue (kind, subject, not_before, created_at) values ('execution', 'e1', 0, '')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db.execute("delete from plan_parts where key = 3", &[])
        .await
        .unwrap();
    db
}

#[test]
fn a_sound_store_has_no_findings() {
    pollster::block_on(async {
        let db = harbour().await;
        let (findings, calls) = walk(&db, false).await;
        assert_eq!(findings, []);
        assert_eq!(calls, steps().count());
        let beyond = Place {
            step: 1000,
            after: String::new(),
        };
        let report = inspect(&db, &beyond, true, Timestamp::now()).await.unwrap();
        assert_eq!((report.findings, report.next), (vec![], None));
    });
}

#[test]
fn what_is_wrong_is_told_and_mended_where_that_can_be() {
    pollster::block_on(async {
        let db = harbour().await;
        for sql in [
            "update row_counts set rows = rows + 5 where counts = 'tenants'",
            "delete from row_counts where counts = 'executions'",
            "insert into row_counts values ('nodes', 'nowhere', '', '', 'tenant', '', 3)",
            "insert into loose_blobs (id, chunks, touched_at) values ('blob-1', 1, 0), ('blob-2', 1, 0)",
            "insert into queue (kind, subject, not_before, created_at) values ('execution', 'gone', 0, ''),
                 ('operation', 'gone', 0, ''), ('status_delivery', 'gone', 0, ''), ('status_run', 'e1 ', 0, ''),
                 ('telegram', 'x', 0, '')",
            "insert into plan_parts (key, hash, text) values (4, 'd', 'four')",
            "update plan_part_uses set uses = 7 where part_key = 2",
            "insert into plan_part_uses (part_key, uses) values (9, 1)",
            "pragma foreign_keys = off",
            "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
             values ('g', 99, 'e99', 'install', 'harbour', 'ann', 'tenant', '')",
            "pragma ignore_check_constraints = on",
            "insert into events (execution_key, list_key, is_log, timestamp)
             select key, 2, 7, 0 from executions",
            "pragma ignore_check_constraints = off",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let mendable = [
            r#"numbers of `nodes`, "nowhere" "" "" "tenant" "": 3 are kept, 0 are there"#,
            r#"numbers of `executions`, "harbour" 0 "started" "private" "ann": 0 are kept, 1 are there"#,
            r#"numbers of `tenants`, "" "" "" "" "": 7 are kept, 2 are there"#,
            "blobs: archives that are to be removed, of blueprints, plugins, log bundles and snapshots that are there: cranes",
            "blobs: nobody's, and not removed: blob-2",
            "queue: `execution` of what is gone: gone",
            "queue: `operation` of what is gone: gone",
            "queue: `status_delivery` of what is gone: gone",
            "parts of plans: the number of those who name part 2 is off by -6",
            "parts of plans: the number of those who name part 9 is off by -1",
            "parts of plans: named by nothing: 4",
        ];
        let lasting = [
            "table `events`: CHECK constraint failed in events",
            "table `tasks_graphs`: 1 rows refer to rows of `executions` that are not there",
            "queue: rows of the kind `telegram`, which this version does not know",
        ];
        let all: Vec<&str> = mendable.into_iter().chain(lasting).collect();
        let found = texts(&db, false).await;
        for text in &all {
            assert!(found.iter().any(|one| one == text), "{text}: {found:#?}");
        }
        assert_eq!(found.len(), all.len(), "{found:#?}");
        let (findings, _) = walk(&db, true).await;
        for finding in &findings {
            let is_mendable = mendable.contains(&finding.text.as_str());
            assert_eq!(finding.is_mended, is_mendable, "{finding:?}");
        }
        assert_eq!(findings.len(), all.len());
        assert_eq!(texts(&db, true).await, lasting);
        assert_eq!(counts::audit(&db).await.unwrap(), []);
        let kept = "select count(*) from loose_blobs";
        let kept = db.first(kept, &[]).await.unwrap().unwrap();
        assert_eq!(kept.integer(0).unwrap(), 0);
    });
}

#[test]
fn what_is_on_its_way_is_left_alone() {
    pollster::block_on(async {
        let db = harbour().await;
        let lately = Timestamp::now().plus_seconds(-3600).millis();
        for sql in [
            "insert into loose_blobs (id, chunks, touched_at) values ('blob-2', 1, ?1)",
            "insert into queue (kind, subject, not_before, created_at) values ('execution', 'gone', ?1, '')",
            "insert into queue (kind, subject, not_before, lease_until, created_at)
             values ('operation', 'gone', 0, ?1, '')",
        ] {
            db.execute(sql, params![lately]).await.unwrap();
        }
        assert_eq!(texts(&db, true).await, [""; 0]);
    });
}

#[test]
fn an_inspection_of_many_tenants_goes_on_where_it_stopped() {
    pollster::block_on(async {
        let db = fresh_database().await;
        for sql in [
            "with recursive n (k) as (select 1 union all select k + 1 from n where k < 1500)
             insert into tenants (name, created_at) select printf('tenant-%04d', k), '' from n",
            "insert into row_counts values ('sites', 'tenant-1499', '', '', 'tenant', '', 3)",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let (findings, calls) = walk(&db, true).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(calls > steps().count(), "{calls}");
        assert_eq!(texts(&db, false).await, [""; 0]);
    });
}

#[test]
fn a_part_that_is_named_and_gone_is_no_matter_of_numbers() {
    pollster::block_on(async {
        let db = harbour().await;
        for sql in [
            "delete from plan_part_uses where part_key = 2",
            "delete from plan_parts where key = 2",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        for mends in [false, true, true] {
            let told = ["parts of plans: named, but not there: 2"];
            assert_eq!(texts(&db, mends).await, told);
        }
    });
}
