//! Schedules occur: each occurrence starts one execution, whatever happens meanwhile.

use crate::common::{Answer, World, http, run};
use serde_json::{Map, Value, json};
use windlass_core::Timestamp;
use windlass_core::db::Db;
use windlass_store::deployments;
use windlass_store::execution_schedules::{self, Arguments, NewSchedule};

const HOUR: i64 = 3_600_000;

fn hourly(world: &World) -> NewSchedule {
    let since = Timestamp::from_millis(world.now().millis() + HOUR);
    NewSchedule {
        id: "hourly".into(),
        created_by: "ann".into(),
        created_at: world.now(),
        workflow_id: "restart".into(),
        parameters: Map::new(),
        arguments: Arguments::default(),
        rule: json!({ "recurrence": "1 hour", "count": 3, "weekdays": null }),
        slip: 0,
        stop_on_fail: false,
        enabled: true,
        since,
        until: None,
        next_occurrence: Some(since),
    }
}

fn add(world: &World, new: &NewSchedule) {
    run(async {
        let found = deployments::find(&world.db, &world.scope, "d")
            .await
            .unwrap();
        world
            .db
            .transaction(async |tx| {
                execution_schedules::insert(tx, &world.scope, &found.owner, new).await
            })
            .await
            .unwrap();
    });
}

fn world() -> World {
    let world = World::new();
    world.node("web", json!({ "start": http("web") }), &[]);
    world
}

/// What was started, by whom and for when, oldest first.
fn started(world: &World) -> Vec<String> {
    let sql = "select workflow_id || ' ' || status || ' ' || created_by || ' ' || scheduled_for
               from executions order by key";
    let rows = run(world.db.query(sql, &[])).unwrap();
    rows.iter()
        .map(|row| row.text(0).unwrap().to_owned())
        .collect()
}

fn schedule(world: &World, column: &str) -> String {
    world.text(&format!(
        "select coalesce({column}, 'none') from execution_schedules"
    ))
}

#[test]
fn a_schedule_starts_its_workflow_until_its_count_is_used_up() {
    let world = world();
    add(&world, &hourly(&world));
    world.work();
    assert_eq!(
        started(&world),
        [
            "restart terminated ann 2023-11-14T23:13:20.000Z",
            "restart terminated ann 2023-11-15T00:13:20.000Z",
            "restart terminated ann 2023-11-15T01:13:20.000Z",
        ]
    );
    assert_eq!(schedule(&world, "next_occurrence"), "none");
    let latest = "(select status from executions where key = latest_execution)";
    assert_eq!(schedule(&world, latest), "terminated");
}

#[test]
fn an_occurrence_starts_one_execution_wherever_its_holder_is_killed() {
    for statements in 0.. {
        // Without nodes, whose work is another test's.
        let world = World::new();
        let once = NewSchedule {
            rule: json!({ "recurrence": null, "count": 1, "weekdays": null }),
            ..hourly(&world)
        };
        add(&world, &once);
        world.pass(HOUR);
        let survived = world.survives(statements);
        world.pass(world.options.lease_millis + 1);
        world.work();
        let executions = started(&world);
        assert_eq!(executions.len(), 1, "after {statements}: {executions:?}");
        assert!(
            executions[0].starts_with("restart terminated"),
            "{executions:?}"
        );
        if survived {
            return;
        }
    }
}

#[test]
fn missed_occurrences_stay_missed_and_a_late_one_counts_within_its_slip() {
    // How late whoever ticks is, in minutes; how much is allowed; how many start.
    for (late, slip, starts) in [
        (1, 0, 1),
        (2, 0, 0),
        (20, 20, 1),
        (22, 20, 0),
        (150, 200, 1),
    ] {
        let world = world();
        let schedule_of = NewSchedule {
            slip,
            ..hourly(&world)
        };
        add(&world, &schedule_of);
        world.pass(HOUR + late * 60_000);
        world.tick();
        let executions = started(&world);
        assert_eq!(executions.len(), starts, "{late} {slip}: {executions:?}");
        let next = schedule_of.since.plus_seconds(3600 * (late / 60 + 1));
        let left = schedule(&world, "next_occurrence");
        let want = if late < 120 {
            next.to_string()
        } else {
            "none".into()
        };
        assert_eq!(left, want, "{late} {slip}");
    }
}

#[test]
fn a_clock_that_is_set_back_repeats_nothing() {
    let world = world();
    add(&world, &hourly(&world));
    world.pass(HOUR);
    world.tick();
    assert_eq!(started(&world).len(), 1);
    world.pass(-HOUR);
    for _ in 0..3 {
        world.tick();
    }
    assert_eq!(started(&world).len(), 1);
    world.work();
    assert_eq!(started(&world).len(), 3);
}

#[test]
fn nothing_starts_while_the_execution_before_has_not_ended() {
    let world = world();
    add(&world, &hourly(&world));
    world.pass(HOUR);
    world.until_under_way();
    for _ in 0..2 {
        world.pass(HOUR);
        world.net.answers(|_, _| Answer::Silence);
        world.tick();
    }
    assert_eq!(started(&world).len(), 1, "{:?}", started(&world));
}

#[test]
fn it_ends_with_the_first_failure_if_it_is_to() {
    for (stop_on_fail, starts) in [(true, 1), (false, 3)] {
        let world = world();
        let new = NewSchedule {
            workflow_id: "execute_operation".into(),
            stop_on_fail,
            ..hourly(&world)
        };
        // The operation's name is missing, so it cannot start.
        add(&world, &new);
        world.work();
        let executions = started(&world);
        assert_eq!(executions.len(), starts, "{executions:?}");
        assert!(executions.iter().all(|text| text.contains(" failed ")));
        let enabled = schedule(&world, "enabled");
        assert_eq!(enabled == "Integer(0)", stop_on_fail, "{enabled}");
    }
}

#[test]
fn what_could_not_start_tells_why() {
    let world = world();
    let new = NewSchedule {
        workflow_id: "paint".into(),
        rule: json!({ "count": 1 }),
        ..hourly(&world)
    };
    add(&world, &new);
    world.work();
    let error = world.text("select error from executions");
    assert_eq!(
        error,
        "Error preparing execution: Workflow paint does not exist in the deployment d"
    );
    let id = world.text("select id from executions");
    assert_eq!(
        world.events(&id),
        [format!("'paint' workflow execution failed: {error}")]
    );
}

#[test]
fn what_was_refused_after_it_had_begun_runs_nowhere() {
    let world = world();
    world.deployment("below");
    let boat = json!({ "start": http("below") });
    world.node_of("below", "boat", "cloudify.nodes.Root", boat, &[]);
    world.sql("update plan_parts set text = replace(text, '\"name\":\"restart\"', '\"is_cascading\":true,\"name\":\"restart\"')");
    world.sql(
        "insert into inter_deployment_dependencies (id, tenant_name, created_by, visibility, created_at,
             dependency_creator, source_key, source_deployment_id, target_key, target_deployment_id)
         select 'i', 'harbour', 'ann', 'tenant', '', 'component.web_1', s.key, s.id, t.key, t.id
         from deployments s, deployments t where s.id = 'd' and t.id = 'below'",
    );
    // There is room for one, and the component needs the second.
    world.sql("insert into tenant_quotas (tenant_name, region, service, resource, quota) values ('harbour', 'RegionOne', 'windlass', 'executions', 1)");
    let new = NewSchedule {
        rule: json!({ "count": 1 }),
        ..hourly(&world)
    };
    add(&world, &new);
    world.work();
    assert_eq!(
        started(&world),
        ["restart failed ann 2023-11-14T23:13:20.000Z"]
    );
    assert_eq!(world.text("select count(*) from operations"), "Integer(0)");
    assert_eq!(world.text("select count(*) from queue"), "Integer(0)");
}

#[test]
fn nothing_begins_while_the_application_is_being_maintained() {
    let world = world();
    add(&world, &hourly(&world));
    world.sql("update identity_version set maintenance = 'activated'");
    world.pass(HOUR + 1);
    world.tick();
    assert!(started(&world).is_empty());
    world.sql("update identity_version set maintenance = 'deactivated'");
    world.work();
    assert_eq!(started(&world).len(), 2);
}

#[test]
fn an_occurrence_waits_in_line_behind_what_runs() {
    let world = world();
    let id = world.start("restart", json!({}));
    world.until_under_way();
    let now = Some(world.now());
    let new = NewSchedule {
        rule: json!({ "count": 1 }),
        since: world.now(),
        next_occurrence: now,
        parameters: Map::from_iter([("run_by_dependency_order".to_owned(), Value::Bool(false))]),
        ..hourly(&world)
    };
    add(&world, &new);
    world.net.answers(|_, _| Answer::Silence);
    world.tick();
    let second = world.text("select id from executions order by key desc");
    assert_eq!(world.status(&id), "started");
    assert_eq!(world.status(&second), "queued");
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.work();
    assert_eq!(world.status(&second), "terminated");
}
