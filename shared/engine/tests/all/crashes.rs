//! Whoever runs the queue may die at any point: nothing is lost, nothing is told twice.

use crate::common::{Answer, World, http, run};
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;
use windlass_core::db::Db;
use windlass_core::params;
use windlass_engine::dispatch;
use windlass_store::queue::{self, Work};

fn two_nodes() -> World {
    let world = World::new();
    let mut create = http("create");
    create["inputs"]["runtime_properties"] = json!({ "id": "/id" });
    let link = json!({ "source.establish": http("link") });
    world.node("web", json!({ "start": http("web") }), &[("db", link)]);
    world.node("db", json!({ "create": create }), &[]);
    world
        .net
        .answers(|_, _| Answer::Status(200, r#"{"id":"i-1"}"#));
    world
}

/// The events, with the subgraphs, of an install of `two_nodes` that nothing disturbed.
fn undisturbed() -> Vec<String> {
    let world = two_nodes();
    let id = world.start("install", json!({}));
    world.work();
    world.events(&id)
}

fn check(world: &World, id: &str, expected: &[String], point: &str) {
    assert_eq!(world.status(id), "terminated", "{point}");
    assert_eq!(world.events(id), expected, "{point}");
    assert_eq!(world.states(), ["web_1 started", "db_1 started"], "{point}");
    let property = "select runtime_properties ->> '$.id' from node_instances where node_id = 'db'";
    assert_eq!(world.text(property), "i-1", "{point}");
    let progress = "select total_operations || '/' || finished_operations from executions";
    let (total, finished) = {
        let text = world.text(progress);
        let (total, finished) = text.split_once('/').unwrap();
        (total.to_owned(), finished.to_owned())
    };
    assert_eq!(total, finished, "{point}");
    assert_eq!(
        world.text("select count(*) || '' from queue"),
        "0",
        "{point}"
    );
    let versions = world.text(
        "select group_concat(version) from (select version from node_instances order by key)",
    );
    assert_eq!(versions, "4,6", "{point}");
    let times = "select count(*) || '' from events a join events b
                 on a.storage_id < b.storage_id and a.timestamp > b.timestamp";
    assert_eq!(
        world.text(times),
        "0",
        "{point}: events never go back in time"
    );
}

#[test]
fn a_death_between_any_two_statements_changes_nothing_in_the_end() {
    let expected = undisturbed();
    let mut died = 0;
    for statements in 0.. {
        let world = two_nodes();
        let id = world.start("install", json!({}));
        let survived = world.survives(statements);
        if survived {
            break;
        }
        died += 1;
        world.pass(world.options.lease_millis + 1);
        world.work();
        check(
            &world,
            &id,
            &expected,
            &format!("death after {statements} statements"),
        );
    }
    assert!(died > 40, "only {died} points were tried");
}

#[test]
fn a_death_during_any_request_sends_it_again_with_the_same_key() {
    let expected = undisturbed();
    for killed in 0..3 {
        let world = two_nodes();
        let sent = Rc::new(Cell::new(0));
        let count = sent.clone();
        world.net.answers(move |_, _| {
            count.set(count.get() + 1);
            if count.get() == killed + 1 {
                Answer::Silence
            } else {
                Answer::Status(200, r#"{"id":"i-1"}"#)
            }
        });
        let id = world.start("install", json!({}));
        assert!(world.tick().is_none());
        // Nobody else takes it while the lease holds.
        world.pass(world.options.lease_millis - 1);
        assert_eq!(world.tick().unwrap().ran, 0);
        world.pass(2);
        world.work();
        check(
            &world,
            &id,
            &expected,
            &format!("death during request {killed}"),
        );
        let requests = world.net.requests.borrow();
        assert_eq!(requests.len(), 4);
        let keys: BTreeSet<_> = requests
            .iter()
            .map(|request| request.headers.clone())
            .collect();
        assert_eq!(keys.len(), 3, "the repeated request carries its first key");
    }
}

#[test]
fn a_result_that_comes_after_its_lease_ran_out_counts_for_nothing() {
    let world = two_nodes();
    world.start("install", json!({}));
    world.net.answers(|_, _| Answer::Silence);
    assert!(world.tick().is_none());
    world.pass(world.options.lease_millis + 1);
    run(async {
        let first: Option<String> = world
            .db
            .first("select lease_holder from queue", &[])
            .await
            .unwrap()
            .map(|row| row.text(0).unwrap().to_owned());
        let taken = queue::lease(&world.db, "second", 10, 5000, world.now())
            .await
            .unwrap();
        assert_eq!(taken.len(), 1);
        let keys: Vec<i64> = taken.iter().map(|row| row.key).collect();
        let holder = first.unwrap();
        assert!(
            queue::renew(&world.db, &holder, &keys, 5000, world.now())
                .await
                .unwrap()
                .is_empty()
        );
        assert!(
            queue::finish(&world.db, &holder, &keys)
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            queue::finish(&world.db, "second", &keys).await.unwrap(),
            keys
        );
    });
}

#[test]
fn two_holders_never_get_the_same_row() {
    let world = World::new();
    run(async {
        let now = world.now();
        for subject in 0..50 {
            let subject = subject.to_string();
            queue::push(
                &world.db,
                Work::StatusNotification,
                &subject,
                &json!({}),
                now,
                now,
            )
            .await
            .unwrap();
        }
        let later = now.plus_seconds(60);
        queue::push(
            &world.db,
            Work::StatusNotification,
            "later",
            &json!({}),
            later,
            now,
        )
        .await
        .unwrap();
        // Pushing twice makes it due once, at the earlier moment.
        queue::push(
            &world.db,
            Work::StatusNotification,
            "0",
            &json!({}),
            later,
            now,
        )
        .await
        .unwrap();
        let mut seen = BTreeSet::new();
        for round in 0..10 {
            let holder = if round % 2 == 0 { "a" } else { "b" };
            for row in queue::lease(&world.db, holder, 7, 5000, now).await.unwrap() {
                assert!(seen.insert(row.subject.clone()), "{} twice", row.subject);
                assert_eq!(row.attempts, 1);
            }
        }
        assert_eq!(seen.len(), 50);
        assert_eq!(
            queue::next_due(&world.db).await.unwrap(),
            Some(now.plus_seconds(5).millis())
        );
        let again = queue::lease(&world.db, "c", 100, 5000, now.plus_seconds(5))
            .await
            .unwrap();
        assert_eq!(again.len(), 50, "leases that ran out are free");
        assert!(again.iter().all(|row| row.attempts == 2));
    });
}

#[test]
fn work_that_kills_its_holder_is_given_up_in_the_end() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.net.answers(|_, _| Answer::Silence);
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.net.paths().len(), 50);
    assert_eq!(world.status(&id), "failed");
    let error = world.text("select error from executions");
    assert!(
        error.contains("The control plane gave up after 50 attempts"),
        "{error}"
    );
}

#[test]
fn work_of_unknown_kinds_waits_for_somebody_who_knows_it() {
    let world = World::new();
    let now = world.now();
    run(world.db.execute(
        "insert into queue (kind, subject, not_before, created_at) values ('telegram', '1', ?1, ?2)",
        params![now.millis(), now],
    ))
    .unwrap();
    assert_eq!(world.tick().unwrap().next_due, Some(60_000));
    assert_eq!(world.text("select attempts || '' from queue"), "0");
    assert_eq!(
        world.text("select last_error from queue"),
        "this version does not know the work `telegram` of 1"
    );
}

#[test]
fn five_hundred_nodes_without_operations() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    run(async {
        for place in 1..500 {
            for (table, id) in [("nodes", "vm"), ("node_instances", "vm_1")] {
                let columns = if table == "nodes" {
                    "deployment_key, deployment_id, tenant_name, created_by, visibility, type,
                     type_hierarchy_part, properties, operations_part, relationships_part, number_of_instances,
                     planned_number_of_instances, deploy_number_of_instances,
                     min_number_of_instances, max_number_of_instances"
                } else {
                    "deployment_key, deployment_id, tenant_name, created_by, visibility, \"index\",
                     relationships, scaling_groups"
                };
                let (name, values) = if table == "nodes" {
                    ("id".to_owned(), "?1 || ''".to_owned())
                } else {
                    ("node_id, id".to_owned(), "?1 || '', ?1 || '_1'".to_owned())
                };
                world
                    .db
                    .execute(
                        &format!(
                            "insert into {table} ({name}, {columns})
                             select {values}, {columns} from {table} where id = ?2"
                        ),
                        params![format!("vm{place}"), id],
                    )
                    .await
                    .unwrap();
            }
        }
    });
    for (workflow, state) in [("install", "started"), ("uninstall", "deleted")] {
        let id = world.start(workflow, json!({}));
        let begun = Instant::now();
        let report = world.tick().unwrap();
        let took = begun.elapsed();
        assert_eq!(report.next_due, None);
        assert_eq!(world.status(&id), "terminated");
        assert_eq!(
            world.text("select distinct state from node_instances"),
            state
        );
        println!(
            "{workflow} of 500 nodes: {took:?}, {} events",
            world.events(&id).len()
        );
    }
}

#[test]
fn whoever_lost_a_row_cannot_give_it_up() {
    let world = World::new();
    world.node("web", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    let now = world.now();
    let lent = run(queue::lease(&world.db, "one", 1, 1000, now)).unwrap();
    world.sql("update queue set lease_holder = 'two'");
    run(dispatch::give_up_execution(
        &world.db, "one", &lent[0], "late", now,
    ))
    .unwrap();
    assert_eq!(world.status(&id), "pending", "it is somebody else's to end");
    world.sql("update queue set lease_holder = null, lease_until = null");
    world.until_under_way();
    world.sql("update queue set lease_holder = 'two'");
    let call = world.text("select subject from queue where kind = 'operation'");
    let row = queue::Leased {
        work: Work::Operation,
        subject: call,
        ..lent[0].clone()
    };
    run(dispatch::give_up_call(&world.db, "one", &row, "late", now)).unwrap();
    assert_eq!(world.status(&id), "started");
}

#[test]
fn what_is_given_up_tells_no_private_text() {
    let world = World::new();
    world.node("web", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.sql("update queue set attempts = 60, last_error = 'broken (select secret from x)'");
    world.work();
    assert_eq!(world.status(&id), "failed");
    let error = world.text("select error from executions");
    assert!(
        error.contains("never came back") && !error.contains("secret"),
        "{error}"
    );
}
