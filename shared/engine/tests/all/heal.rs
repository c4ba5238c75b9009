//! heal and rollback: what is healed, what is reinstalled, what is taken back.

use crate::common::{Answer, World, contained, http};
use serde_json::{Value, json};

const CHECK: &str = "validation.check_status";

fn once(name: &str) -> Value {
    let mut operation = http(name);
    operation["max_retries"] = json!(0);
    operation
}

/// A host with `app` on it, which is checked by `app-check`, and `db` beside them; all are started.
fn world(heal_of_app: Option<Value>) -> World {
    let world = World::new();
    world.node_of(
        "d",
        "vm",
        "cloudify.nodes.Compute",
        json!({ CHECK: http("vm-check") }),
        &[],
    );
    let mut app = json!({
        CHECK: http("app-check"), "stop": http("app-stop"), "start": http("app-start"),
    });
    if let Some(heal) = heal_of_app {
        app["heal"] = heal;
        app["postheal"] = http("app-postheal");
    }
    world.node("app", app, &[contained("vm")]);
    let relationship =
        json!({ "source.unlink": http("unlink"), "source.establish": http("establish") });
    world.node(
        "db",
        json!({ CHECK: http("db-check") }),
        &[("app", relationship)],
    );
    world.host("app_1", "vm_1");
    world.host("vm_1", "vm_1");
    world.start("install", json!({}));
    world.work();
    world.net.requests.borrow_mut().clear();
    world
}

/// Has requests to these addresses fail.
fn fails(world: &World, names: &'static [&'static str]) {
    world.net.answers(move |request, _| {
        let name = request.url.rsplit('/').next().unwrap();
        match names.contains(&name) {
            true => Answer::Status(500, "no"),
            false => Answer::Status(200, ""),
        }
    });
}

fn heal(world: &World, parameters: Value) -> String {
    let id = world.start("heal", parameters);
    world.work();
    id
}

fn sorted(world: &World) -> Vec<String> {
    let mut paths = world.net.paths();
    paths.sort();
    paths
}

#[test]
fn what_is_well_is_left_alone() {
    let world = world(None);
    let id = heal(&world, json!({ "diagnose_value": "a hunch" }));
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(sorted(&world), ["app-check", "db-check", "vm-check"]);
    let told = "Starting 'heal' workflow on all node instances, Diagnosis: a hunch";
    assert!(world.events(&id).iter().any(|text| text == told));
}

#[test]
fn what_has_a_heal_is_healed_and_counts_as_well() {
    let world = world(Some(http("app-heal")));
    fails(&world, &["app-check"]);
    let id = heal(&world, json!({}));
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths()[3..], ["app-heal", "app-postheal"]);
    let about: Vec<String> = world
        .inner_events(&id)
        .into_iter()
        .filter(|text| text.contains("Node instance") || text.contains("node instance"))
        .collect();
    assert_eq!(
        about[1..],
        ["app: Healing node instance", "app: Node instance healed"]
    );
    let status = "select system_properties -> '$.status' from node_instances where id = 'app_1'";
    let status: Value = serde_json::from_str(&world.text(status)).unwrap();
    assert_eq!(
        (&status["ok"], &status["healed"], &status["task"]),
        (&json!(true), &json!(true), &Value::Null)
    );
    let unavailable = "select unavailable || '' from instance_counts";
    assert_eq!(world.text(unavailable), "0");
    let states = ["vm_1 started", "app_1 started", "db_1 started"];
    assert_eq!(world.states(), states);
}

#[test]
fn without_a_heal_an_instance_is_reinstalled_with_what_it_contains() {
    for (ill, reinstalled) in [("app-check", vec!["app"]), ("vm-check", vec!["vm", "app"])] {
        let world = world(None);
        world
            .net
            .answers(move |request, _| match request.url.ends_with(ill) {
                true => Answer::Status(500, "no"),
                false => Answer::Status(200, ""),
            });
        let id = heal(&world, json!({}));
        assert_eq!(world.status(&id), "terminated");
        let others = world.net.paths().split_off(3);
        assert_eq!(
            others,
            ["unlink", "app-stop", "app-start", "establish"],
            "{ill}"
        );
        let events = world.events(&id);
        for node in ["vm", "app", "db"] {
            let text = format!("{node}: Deleted node instance");
            assert_eq!(
                events.contains(&text),
                reinstalled.contains(&node),
                "{ill} {node}"
            );
        }
        let graphs = "select group_concat(name, ' ') from (select name from tasks_graphs
                      where execution_key = (select max(key) from executions) order by key)";
        let want = "check_status heal reinstall-uninstall reinstall-install";
        assert_eq!(
            world.text(graphs).replace(" heal", ""),
            want.replace(" heal", "")
        );
    }
}

#[test]
fn a_heal_that_fails_becomes_a_reinstall() {
    let world = world(Some(once("app-heal")));
    fails(&world, &["app-check", "app-heal"]);
    let id = heal(&world, json!({}));
    assert_eq!(world.status(&id), "terminated");
    let paths = world.net.paths().split_off(3);
    assert_eq!(
        paths,
        ["app-heal", "unlink", "app-stop", "app-start", "establish"]
    );
}

#[test]
fn where_nothing_may_be_reinstalled_a_heal_fails_before_it_does_anything() {
    let world = world(None);
    fails(&world, &["app-check"]);
    let id = heal(&world, json!({ "allow_reinstall": false }));
    assert_eq!(world.status(&id), "failed");
    let error = "select error from executions where workflow_id = 'heal'";
    let want = "allow_reinstall is false, but would need to reinstall instances: app_1";
    assert_eq!(world.text(error), want);
    assert_eq!(world.net.requests.borrow().len(), 3);
}

#[test]
fn one_instance_stands_for_all_on_its_host_and_is_ill_unless_a_check_says_otherwise() {
    for (parameters, want) in [
        // The checks of host and app go well.
        (
            json!({ "node_instance_id": "app_1" }),
            vec!["vm-check", "app-check"],
        ),
        // No check since they were started: nobody knows.
        (
            json!({ "node_instance_id": "app_1", "check_status": false }),
            vec!["unlink", "app-stop", "app-start", "establish"],
        ),
        (
            json!({ "node_instance_id": "app_1", "force_reinstall": true }),
            vec!["unlink", "app-stop", "app-start", "establish"],
        ),
        (json!({ "check_status": false }), vec![]),
    ] {
        let world = world(None);
        let id = heal(&world, parameters.clone());
        assert_eq!(world.status(&id), "terminated", "{parameters}");
        assert_eq!(world.net.paths(), want, "{parameters}");
    }
}

#[test]
fn an_unknown_instance_is_refused() {
    let world = world(None);
    let id = heal(&world, json!({ "node_instance_id": "ghost" }));
    assert_eq!(world.status(&id), "failed");
    let error = "select error from executions where workflow_id = 'heal'";
    assert_eq!(
        world.text(error),
        "No node instance with id `ghost` was found"
    );
}

#[test]
fn a_dry_run_of_a_heal_touches_nothing() {
    let world = world(None);
    let id = world.start_dry("heal", json!({ "force_reinstall": true }));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.requests.borrow().len(), 0);
    assert_eq!(
        world.states(),
        ["vm_1 started", "app_1 started", "db_1 started"]
    );
    let events = world.events(&id);
    let deleted = "app: Deleted node instance".to_owned();
    assert!(events.contains(&deleted), "{events:#?}");
    // The second part starts from what the first would have left.
    let validating = "app: Validating node instance before creation: nothing to do".to_owned();
    assert!(events.contains(&validating), "{events:#?}");
    assert!(
        events.contains(&"app: Starting node instance".to_owned()),
        "{events:#?}"
    );
}

/// A deployment whose instances are in these states, with everything that takes one back.
fn left_in(state: &str) -> World {
    let world = World::new();
    let operations = json!({
        "prestop": http("prestop"), "stop": http("stop"), "delete": http("delete"),
        "postdelete": http("postdelete"),
    });
    let unlink = json!({ "source.unlink": http("unlink") });
    world.node("app", operations, &[("db", unlink.clone())]);
    world.node("db", json!({}), &[]);
    world.node(
        "other",
        json!({}),
        &[("app", json!({ "source.unlink": http("other-unlink") }))],
    );
    world.sql(&format!(
        "update node_instances set state = '{state}' where id = 'app_1'"
    ));
    world.sql("update node_instances set state = 'started' where id <> 'app_1'");
    world
}

#[test]
fn a_rollback_takes_instances_on_their_way_back() {
    for (state, paths, after) in [
        (
            "creating",
            vec!["other-unlink", "unlink", "delete", "postdelete"],
            "uninitialized",
        ),
        (
            "configuring",
            vec!["other-unlink", "unlink", "delete", "postdelete"],
            "uninitialized",
        ),
        (
            "starting",
            vec!["other-unlink", "prestop", "stop"],
            "configured",
        ),
        ("started", vec![], "started"),
        ("created", vec![], "created"),
    ] {
        let world = left_in(state);
        let id = world.start("rollback", json!({}));
        world.work();
        assert_eq!(world.status(&id), "terminated");
        assert_eq!(world.net.paths(), paths, "{state}");
        let states = [
            format!("app_1 {after}"),
            "db_1 started".into(),
            "other_1 started".into(),
        ];
        assert_eq!(world.states(), states, "{state}");
        let told = world
            .events(&id)
            .contains(&"app: Rollbacked node instance".to_owned());
        assert_eq!(told, !paths.is_empty(), "{state}");
    }
}

#[test]
fn texts_of_a_rollback() {
    let world = left_in("configuring");
    let id = world.start("rollback", json!({}));
    world.work();
    let told: Vec<String> = world.inner_events(&id);
    let told: Vec<&str> = told
        .iter()
        .filter_map(|text| text.strip_prefix("app: "))
        .filter(|text| !text.contains("ask "))
        .collect();
    assert_eq!(
        told,
        [
            "Validating node instance after deletion: nothing to do",
            "Rollback Stop: nothing to do, instance state is configuring",
            "Unlinking relationships",
            "Relationships unlinked",
            "Deleting node instance",
            "Postdeleting node instance",
            "Node instance postdeleted",
            "Rollbacked node instance",
        ]
    );
}

#[test]
fn failures_of_a_rollback_are_passed_over_and_a_full_one_uninstalls_everything() {
    let world = left_in("starting");
    fails(&world, &["stop"]);
    let id = world.start("rollback", json!({ "full_rollback": true }));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let ignored = "app: Ignoring task windlass-http.stop failure".to_owned();
    assert!(world.events(&id).contains(&ignored));
    assert_eq!(
        world.states(),
        ["app_1 deleted", "db_1 deleted", "other_1 deleted"]
    );
}
