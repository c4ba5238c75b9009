mod refusals;

use crate::executions::{self, CREATE, Company, RESTORE, Task, creation_parameters};
use crate::manifest;
use crate::snapshots::{self, Snapshot, Status};
use crate::tables;
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use windlass_core::blob::{self, Blob};
use windlass_core::db::{Db, NativeDb};
use windlass_core::{Result, Scope, Timestamp, params, secretbox};
use windlass_store::blobs::{self, LooseBlobs, NewBlob};
use windlass_store::{counts, migrations, queue, resource};
use zip::write::SimpleFileOptions;

fn scope() -> Scope {
    Scope::system("ann", "default_tenant")
}

async fn fresh() -> NativeDb {
    let db = NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    db.execute(
        "insert into tenants (name, created_at) values ('default_tenant', '')",
        &[],
    )
    .await
    .unwrap();
    if secretbox::encryption_key().await.is_err() {
        windlass_core::platform::set_variable("encryption_key", "the key of these tests");
    }
    db
}

async fn stored(db: &NativeDb, bytes: &[u8]) -> Blob {
    let mut new = NewBlob::begin(db, &LooseBlobs::default()).await.unwrap();
    new.write(db, bytes).await.unwrap();
    new.finish().await.unwrap()
}

/// A state with something in the tables that matter: two blueprints with archives, deployments with nodes,
/// instances, executions and events, a secret, another tenant.
async fn filled() -> NativeDb {
    let db = fresh().await;
    let sealed = secretbox::seal(b"plain").await.unwrap();
    db.execute(
        "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
         values ('key', 'default_tenant', 'ann', 'tenant', '', '', ?1)",
        params![sealed],
    )
    .await
    .unwrap();
    for (id, size) in [("small", 10), ("large", 3 * blob::CHUNK + 5)] {
        let archive = stored(&db, &vec![7; size]).await;
        db.transaction(async |tx| {
            blobs::keep(tx, &archive.id).await?;
            tx.execute(
                "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at,
                     state, archive_blob, archive_size)
                 values (?1, 'default_tenant', 'ann', 'tenant', '', '', 'uploaded', ?2, ?3)",
                params![id, &archive.id, archive.size],
            )
            .await
        })
        .await
        .unwrap();
    }
    for sql in [
        "insert into tenants (name, created_at) values ('quay', '')",
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < 300)
         insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at, blueprint_key,
             blueprint_id, display_name)
         select 'd' || k, 'default_tenant', 'ann', 'tenant', '', '', b.key, b.id, 'naïve \"' || k || '\"\n'
         from n, blueprints b where b.id = 'small'",
        "insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility, type,
             properties, number_of_instances, planned_number_of_instances, deploy_number_of_instances,
             min_number_of_instances, max_number_of_instances)
         select key, id, 'n', tenant_name, created_by, visibility, 't', '{\"a\": [1, null]}', 1, 1, 1, 1, 1
         from deployments",
        "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key, deployment_id,
             workflow_id, status)
         select 'e-' || id, tenant_name, created_by, visibility, '', key, id, 'install', 'started' from deployments",
        "insert into events (execution_key, list_key, is_log, timestamp, message)
         select key, 0, key % 2, 7, 'told' from executions",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

/// All rows of the state, table by table, blobs by their bytes.
async fn rows(db: &NativeDb) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in tables::of_state(db).await.unwrap() {
        let columns = table.columns.join("\", \"");
        let sql = format!("select \"{columns}\" from {} order by 1, 2", table.name);
        let mut texts = Vec::new();
        for mut row in db.query(&sql, &[]).await.unwrap() {
            if let Some((name, size)) = table.blob {
                let id = row.text(table.place(name).unwrap()).unwrap().to_owned();
                let size = row.integer(table.place(size).unwrap()).unwrap() as u64;
                let bytes = blob::read(&id, size).await.unwrap();
                row.0[table.place(name).unwrap()] = bytes.len().into();
            }
            texts.push(format!("{row:?}"));
        }
        all.insert(table.name, texts);
    }
    all
}

async fn task(db: &NativeDb) -> Option<Task> {
    let leased = queue::lease(db, "me", 50, 60_000, Timestamp::now()).await;
    let mut leased = leased.unwrap().into_iter();
    let row = leased.find(|row| row.work == queue::Work::Snapshot)?;
    Task::find(db, "me", row.key).await.unwrap()
}

async fn create(db: &NativeDb, id: &str) -> Snapshot {
    create_with(db, id, true, true).await
}

async fn create_with(db: &NativeDb, id: &str, logs: bool, events: bool) -> Snapshot {
    let flags = [
        ("include_logs", logs),
        ("include_events", events),
        ("include_credentials", false),
        ("legacy", false),
    ];
    db.transaction(async |tx| {
        snapshots::insert(tx, &scope(), id).await?;
        let parameters = creation_parameters(id, flags);
        executions::start_creation(tx, &scope(), parameters, Company::default()).await
    })
    .await
    .unwrap();
    task(db).await.unwrap().run(db).await.unwrap();
    resource::find(db, &scope(), id).await.unwrap()
}

async fn bytes(db: &NativeDb, snapshot: &Snapshot) -> Vec<u8> {
    let archive = snapshots::archive(db, snapshot, "read").await.unwrap();
    blob::read(&archive.blob, archive.size).await.unwrap()
}

async fn upload(db: &NativeDb, id: &str, bytes: &[u8]) {
    let archive = stored(db, bytes).await;
    db.transaction(async |tx| snapshots::insert_uploaded(tx, &scope(), id, &archive).await)
        .await
        .unwrap();
}

/// Restores a snapshot; the status of its execution and its error.
async fn restore(db: &NativeDb, id: &str, force: bool) -> (String, String) {
    let flags = [
        ("force", force),
        ("restore_certificates", false),
        ("no_reboot", false),
    ];
    let parameters = executions::restoration_parameters(id, flags, 300);
    let execution = db
        .transaction(async |tx| executions::start_restoration(tx, &scope(), parameters).await)
        .await
        .unwrap();
    task(db).await.unwrap().run(db).await.unwrap();
    let sql = "select status, coalesce(error, '') from executions where id = ?1";
    let row = db.first(sql, params![execution]).await.unwrap().unwrap();
    (
        row.text(0).unwrap().to_owned(),
        row.text(1).unwrap().to_owned(),
    )
}

async fn count(db: &NativeDb, sql: &str) -> i64 {
    db.first(sql, &[])
        .await
        .unwrap()
        .unwrap()
        .integer(0)
        .unwrap()
}

async fn objects(db: &NativeDb) -> Vec<String> {
    let rows = db
        .query(
            "select type || name || coalesce(sql, '') from sqlite_schema order by 1",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

#[test]
fn another_application_has_every_row_and_blob_of_the_snapshot_afterwards() {
    pollster::block_on(async {
        let first = filled().await;
        let snapshot = create(&first, "s").await;
        let archive = bytes(&first, &snapshot).await;
        let mut wanted = rows(&first).await;

        let second = fresh().await;
        upload(&second, "s", &archive).await;
        let before = objects(&second).await;
        assert_eq!(
            restore(&second, "s", false).await,
            ("terminated".into(), String::new())
        );
        let mut found = rows(&second).await;
        assert_eq!(
            objects(&second).await,
            before,
            "triggers and indexes are there again"
        );
        // What made the one and restored the other is all that is different.
        for table in ["executions", "events", "queue"] {
            let (wanted, found) = (wanted.remove(table).unwrap(), found.remove(table).unwrap());
            assert!(found.len() >= 300 || table == "queue", "{table}");
            assert_eq!(
                wanted
                    .iter()
                    .filter(|row| row.contains("told") || row.contains("install"))
                    .collect::<Vec<_>>(),
                found
                    .iter()
                    .filter(|row| row.contains("told") || row.contains("install"))
                    .collect::<Vec<_>>(),
            );
        }
        for (table, rows) in &wanted {
            assert_eq!(rows, &found[table], "{table}");
        }
        assert!(counts::audit(&second).await.unwrap().is_empty());
        let sql = format!(
            "select count(*) from executions where workflow_id in ('{CREATE}', '{RESTORE}') and status = 'terminated'"
        );
        assert_eq!(count(&second, &sql).await, 2);
        assert_eq!(count(&second, "select count(*) from snapshots").await, 1);
        assert_eq!(count(&second, "select count(*) from loose_blobs").await, 0);
        let searched =
            "select count(*) from deployments_search where deployments_search match 'd29'";
        assert_eq!(count(&second, searched).await, 11);
        let violations = second.query("pragma foreign_key_check", &[]).await.unwrap();
        assert!(violations.is_empty(), "{violations:?}");
    });
}

#[test]
fn the_same_application_goes_back_to_the_state_of_the_snapshot() {
    pollster::block_on(async {
        let db = filled().await;
        create(&db, "s").await;
        let wanted = rows(&db).await;
        for sql in [
            "delete from events",
            "delete from executions where deployment_key is not null",
            "delete from nodes",
            "delete from deployments",
            "delete from blueprints where id = 'large'",
            "insert into tenants (name, created_at) values ('new', '')",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let refused = restore(&db, "s", false).await;
        assert_eq!(refused.0, "failed");
        assert!(refused.1.contains("`force`"), "{}", refused.1);
        assert_eq!(count(&db, "select count(*) from deployments").await, 0);
        let version = count(&db, "select version from identity_version").await;
        assert_eq!(restore(&db, "s", true).await.0, "terminated");
        assert!(count(&db, "select version from identity_version").await > version);
        let found = rows(&db).await;
        for table in [
            "deployments",
            "nodes",
            "blueprints",
            "tenants",
            "secrets",
            "users",
        ] {
            assert_eq!(wanted[table], found[table], "{table}");
        }
        // What was there before has let go of its blobs.
        assert_eq!(count(&db, "select count(*) from loose_blobs").await, 2);
    });
}

#[test]
fn logs_and_events_can_be_left_out() {
    pollster::block_on(async {
        for (logs, events, wanted) in [(false, true, 150), (true, false, 150), (false, false, 0)] {
            let first = filled().await;
            let snapshot = create_with(&first, "s", logs, events).await;
            let archive = bytes(&first, &snapshot).await;
            let second = fresh().await;
            upload(&second, "s", &archive).await;
            assert_eq!(restore(&second, "s", true).await.0, "terminated");
            let told = "select count(*) from events where message = 'told'";
            assert_eq!(
                count(&second, told).await,
                wanted,
                "logs {logs}, events {events}"
            );
            assert!(counts::audit(&second).await.unwrap().is_empty());
        }
    });
}

#[test]
fn a_snapshot_in_use_is_not_deleted_and_one_without_an_archive_is_not_read() {
    pollster::block_on(async {
        let db = fresh().await;
        let begin = async |id: &str| -> Result<String> {
            db.transaction(async |tx| {
                snapshots::insert(tx, &scope(), id).await?;
                let parameters = creation_parameters(id, [("legacy", false); 4]);
                executions::start_creation(tx, &scope(), parameters, Company::default()).await
            })
            .await
        };
        begin("s").await.unwrap();
        assert!(begin("s").await.is_err(), "the id is in use");
        let snapshot: Snapshot = resource::find(&db, &scope(), "s").await.unwrap();
        let refusal = db.transaction(async |tx| snapshots::delete(tx, &scope(), &snapshot).await);
        let refusal = refusal.await.unwrap_err();
        assert_eq!(refusal.kind().wire(), (400, "snapshot_action_error"));
        let refusal = snapshots::archive(&db, &snapshot, "downloaded")
            .await
            .unwrap_err();
        assert_eq!(refusal.kind().wire(), (400, "snapshot_action_error"));
        task(&db).await.unwrap().fail(&db, "no room").await.unwrap();
        let refusal = snapshots::archive(&db, &snapshot, "downloaded")
            .await
            .unwrap_err();
        assert_eq!(refusal.message(), "Failed snapshot cannot be downloaded");
        let change = (Status::Created, "");
        db.transaction(async |tx| snapshots::set_status(tx, &scope(), &snapshot, change).await)
            .await
            .unwrap();
        db.transaction(async |tx| snapshots::delete(tx, &scope(), &snapshot).await)
            .await
            .unwrap();
        assert_eq!(count(&db, "select count(*) from snapshots").await, 0);
    });
}

#[test]
fn one_that_wants_to_be_alone_waits_or_is_refused() {
    pollster::block_on(async {
        let db = filled().await;
        let begin = async |id: &str, may_wait| {
            let company = Company {
                is_alone: true,
                may_wait,
            };
            db.transaction(async |tx| {
                snapshots::insert(tx, &scope(), id).await?;
                let parameters = creation_parameters(id, [("legacy", true); 4]);
                executions::start_creation(tx, &scope(), parameters, company).await
            })
            .await
        };
        let refusal = begin("s", false).await.unwrap_err();
        assert_eq!(
            refusal.kind().wire(),
            (400, "existing_running_execution_error")
        );
        let execution = begin("s", true).await.unwrap();
        let status = format!("select status = 'queued' from executions where id = '{execution}'");
        assert_eq!(count(&db, &status).await, 1);
        assert!(task(&db).await.is_none());
        db.execute(
            "update executions set status = 'terminated' where status = 'started'",
            &[],
        )
        .await
        .unwrap();
        db.transaction(async |tx| {
            windlass_engine::dequeue::start_waiting(tx, Timestamp::now()).await
        })
        .await
        .unwrap();
        task(&db).await.unwrap().run(&db).await.unwrap();
        assert_eq!(
            count(
                &db,
                "select count(*) from snapshots where status = 'created'"
            )
            .await,
            1
        );
    });
}

#[test]
fn whoever_looks_for_snapshots_under_way_reads_only_those() {
    pollster::block_on(async {
        let db = fresh().await;
        let plan = db.plan(&executions::under_way_sql(), &[]).await.unwrap();
        assert!(
            plan.iter().all(|step| !step.starts_with("SCAN")),
            "{plan:?}"
        );
    });
}
