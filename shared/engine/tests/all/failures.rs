//! What happens when operations fail, and what failures mean for others.

use crate::common::{Answer, World, http, operation, run};
use serde_json::json;
use windlass_core::db::Db;
use windlass_engine::StartRequest;

#[test]
fn a_failure_is_tried_again_after_its_interval() {
    let world = World::new();
    let mut create = http("create");
    create["max_retries"] = json!(2);
    create["retry_interval"] = json!(7);
    world.node("vm", json!({ "create": create }), &[]);
    world.net.answers(|_, before| match before {
        0 => Answer::Refused,
        1 => Answer::Status(503, "busy"),
        _ => Answer::Status(200, ""),
    });
    let id = world.start("install", json!({}));
    assert_eq!(world.tick().unwrap().next_due, Some(7000));
    let state = "select state from operations where type = 'RemoteWorkflowTask'";
    assert_eq!(world.text(state), "rescheduled");
    world.pass(6999);
    assert_eq!(world.tick().unwrap().ran, 0);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let told: Vec<String> = world
        .events(&id)
        .into_iter()
        .filter(|text| text.contains("windlass-http"))
        .collect();
    assert_eq!(
        told,
        [
            "vm: Sending task 'windlass-http.create'",
            "vm: Task started 'windlass-http.create'",
            "vm: Task failed 'windlass-http.create' -> GET https://api.example/create: connection refused",
            "vm: Sending task 'windlass-http.create' [retry 1/2]",
            "vm: Task started 'windlass-http.create' [retry 1/2]",
            "vm: Task failed 'windlass-http.create' -> GET https://api.example/create answered 503: busy [retry 1/2]",
            "vm: Sending task 'windlass-http.create' [retry 2/2]",
            "vm: Task started 'windlass-http.create' [retry 2/2]",
            "vm: Task succeeded 'windlass-http.create' - 200 [retry 2/2]",
        ]
    );
    let keys: Vec<String> = world
        .net
        .requests
        .borrow()
        .iter()
        .map(|request| {
            request
                .headers
                .iter()
                .find(|(name, _)| name == "idempotency-key")
                .unwrap()
                .1
                .clone()
        })
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
}

#[test]
fn a_failure_for_good_fails_the_workflow_and_nothing_more_starts() {
    let world = World::new();
    let mut bad = http("bad");
    bad["max_retries"] = json!(0);
    world.node(
        "web",
        json!({ "create": http("web") }),
        &[("db", json!({}))],
    );
    world.node("db", json!({ "create": bad, "start": http("start") }), &[]);
    world.net.answers(|request, _| {
        if request.url.ends_with("bad") {
            Answer::Status(500, "no")
        } else {
            Answer::Status(200, "")
        }
    });
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.net.paths(), ["bad"]);
    let events = world.events(&id);
    let error = "Task failed: windlass-http.bad (db_1:cloudify.interfaces.lifecycle.create): \
                 RecoverableError `GET https://api.example/bad answered 500: no`";
    assert_eq!(
        events[events.len() - 3..],
        [
            "db: Task failed 'windlass-http.bad' -> GET https://api.example/bad answered 500: no"
                .to_owned(),
            "Subgraph failed 'install_db_1'".to_owned(),
            format!("'install' workflow execution failed: {error}"),
        ]
    );
    assert_eq!(world.text("select error from executions"), error);
    assert_eq!(world.status(&id), "failed");
    assert_eq!(world.states(), ["web_1 uninitialized", "db_1 creating"]);
    let causes = world.text(
        "select error_causes ->> '$[0].type' from events where event_type = 'task_failed' and error_causes is not null",
    );
    assert_eq!(causes, "RecoverableError");
    assert_eq!(
        world.text("select deployment_status from deployments"),
        "requires_attention"
    );
}

#[test]
fn bad_inputs_and_unreadable_secrets_fail_at_once_with_a_clear_text() {
    for (inputs, part) in [
        (json!({}), "The input `url` is missing"),
        (
            json!({ "url": "http://127.0.0.1/" }),
            "private or local address",
        ),
        (
            json!({ "url": "https://api.example/x", "headers": { "key": { "get_secret": "token" } } }),
            "secret 'token' was not found",
        ),
        (
            json!({ "url": { "get_attribute": ["nobody", "x"] } }),
            "nobody",
        ),
        (
            json!({ "url": { "concat": ["https://api.example/", { "get_attribute": ["SELF", "lamp"] }] } }),
            "The input `url` needs `get_attribute: [\"SELF\",\"lamp\"]`, which has no value",
        ),
        (
            json!({ "url": { "string_lower": { "concat": ["https://api.example/",
                { "concat": ["x", { "get_attribute": ["SELF", "lamp"] }] }] } } }),
            "The input `url` needs",
        ),
        (
            json!({ "url": "https://api.example/x", "headers": { "authorization":
                { "concat": ["Bearer ", { "get_attribute": ["SELF", "token"] }] } } }),
            "The input `headers` needs `get_attribute: [\"SELF\",\"token\"]`",
        ),
    ] {
        let world = World::new();
        world.node(
            "vm",
            json!({ "create": operation("windlass-http", "create", inputs.clone()) }),
            &[],
        );
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.status(&id), "failed", "{inputs}");
        let error = world.text("select error from executions");
        assert!(error.contains(part), "{inputs}: {error}");
        assert!(world.net.paths().is_empty(), "{inputs}");
    }
}

/// An install in which one call fails for good while another is under way.
fn failed_beside_a_call(wait_after_fail: Option<i64>) -> (World, String) {
    let world = World::new();
    let mut bad = http("bad");
    bad["max_retries"] = json!(0);
    world.node("bad", json!({ "create": bad }), &[]);
    world.node("slow", json!({ "create": http("slow") }), &[]);
    world
        .net
        .answers(|request, _| match request.url.ends_with("bad") {
            true => Answer::Status(500, "no"),
            false => Answer::Silence,
        });
    let request = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        wait_after_fail,
        ..StartRequest::default()
    };
    let id = world.try_start(request).unwrap().id;
    assert!(world.tick().is_none(), "one call is under way");
    (world, id)
}

#[test]
fn what_runs_beside_a_failure_is_waited_for_as_long_as_was_asked() {
    for (wait, seconds) in [(None, 600), (Some(30), 30), (Some(0), 0), (Some(-1), 0)] {
        let (world, id) = failed_beside_a_call(wait);
        if seconds > 0 {
            assert_eq!(world.status(&id), "started", "{wait:?}");
            world.pass(seconds * 1000 - 1);
            world.tick();
            assert_eq!(world.status(&id), "started", "{wait:?}");
            world.pass(1);
            world.tick();
        }
        assert_eq!(world.status(&id), "failed", "{wait:?}");
        let error = world.text("select error from executions");
        assert!(error.contains("bad answered 500"), "{wait:?}: {error}");
        // What was under way ends some time, and is known then.
        world.net.answers(|_, _| Answer::Status(200, "{}"));
        world.work();
        let slow = "select state from operations where name = 'windlass-http.slow'";
        assert_eq!(world.text(slow), "succeeded", "{wait:?}");
        assert_eq!(world.status(&id), "failed", "{wait:?}");
    }
}

#[test]
fn an_execution_that_need_not_wait_leaves_nothing_in_the_queue() {
    let (world, id) = failed_beside_a_call(None);
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.pass(5001);
    let report = world.tick().unwrap();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(report.next_due, None);
}

#[test]
fn an_uninstall_may_pass_over_failures() {
    let world = World::new();
    world.node(
        "vm",
        json!({ "stop": http("stop"), "delete": http("delete") }),
        &[],
    );
    world.sql("update node_instances set state = 'started'");
    world.net.answers(|_, _| Answer::Status(500, ""));
    let id = world.start("uninstall", json!({ "ignore_failure": true }));
    world.work();
    assert_eq!(world.net.paths(), ["stop", "delete"]);
    let events = world.inner_events(&id);
    assert!(
        events.contains(&"vm: Ignoring task windlass-http.stop failure".to_owned()),
        "{events:?}"
    );
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.states(), ["vm_1 deleted"]);
}

#[test]
fn a_workflow_that_is_not_built_is_refused() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    let id = world.start("mystery", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    let error = world.text("select error from executions");
    assert!(
        error.starts_with("The workflow `mystery` (default_workflows: "),
        "{error}"
    );
}

#[test]
fn execute_operation_runs_on_those_that_have_it() {
    for (parameters, paths, part) in [
        (
            json!({ "operation": "cloudify.interfaces.lifecycle.create" }),
            vec!["create"],
            "vm: Starting operation cloudify.interfaces.lifecycle.create",
        ),
        (
            json!({ "operation": "create" }),
            vec!["create"],
            "vm: Finished operation create",
        ),
        (
            json!({ "operation": "create", "operation_kwargs": { "expected_status": 200 } }),
            vec!["create"],
            "vm: Starting operation create (Operation parameters: {'expected_status': 200})",
        ),
        (
            json!({ "operation": "cloudify.interfaces.lifecycle.stop" }),
            vec![],
            "vm: Finished operation cloudify.interfaces.lifecycle.stop",
        ),
        (
            json!({ "operation": "create", "operation_kwargs": { "url": "https://api.example/x" },
                    "allow_kwargs_override": true }),
            vec!["x"],
            "vm: Finished operation create",
        ),
    ] {
        let world = World::new();
        world.node("vm", json!({ "create": http("create") }), &[]);
        let id = world.start("execute_operation", parameters.clone());
        world.work();
        assert_eq!(world.status(&id), "terminated", "{parameters}");
        assert_eq!(world.net.paths(), paths, "{parameters}");
        let events = world.events(&id);
        assert!(
            events.contains(&part.to_owned()),
            "{parameters}: {events:?}"
        );
        assert_eq!(world.states(), ["vm_1 uninitialized"]);
    }
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let parameters = json!({ "operation": "create", "operation_kwargs": { "url": "x" } });
    let id = world.start("execute_operation", parameters);
    world.work();
    assert_eq!(world.status(&id), "failed");
}

#[test]
fn restart_and_reinstall_are_two_graphs() {
    let world = World::new();
    let all = json!({
        "create": http("create"), "start": http("start"), "stop": http("stop"),
        "delete": http("delete"),
    });
    world.node("vm", all, &[]);
    world.sql("update node_instances set state = 'started'");
    let id = world.start("restart", json!({}));
    world.work();
    assert_eq!(world.net.paths(), ["stop", "start"]);
    assert_eq!(world.status(&id), "terminated");
    world.net.requests.borrow_mut().clear();
    let id = world.start("reinstall", json!({}));
    world.work();
    assert_eq!(world.net.paths(), ["stop", "delete", "create", "start"]);
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.states(), ["vm_1 started"]);
    let names = "select group_concat(name) from (select name from tasks_graphs where execution_id =
                 (select id from executions order by key desc limit 1) order by key)";
    assert_eq!(world.text(names), "reinstall-uninstall,reinstall-install");
    let progress =
        "select (total_operations - finished_operations) || '' from executions order by key desc";
    assert_eq!(world.text(progress), "0");
}

#[test]
fn relationships_in_a_circle_end_with_an_error() {
    let world = World::new();
    world.node("a", json!({}), &[("b", json!({}))]);
    world.node("b", json!({}), &[("a", json!({}))]);
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(
        world.text("select error from executions"),
        "The operations that are left wait for each other"
    );
}

#[test]
fn a_parent_follows_its_children() {
    let world = World::new();
    world.deployment("parent");
    world.sql("update deployments set installation_status = 'active' where id = 'parent'");
    world.sql(
        "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
         values (1, 'csys-obj-parent', 'parent', '', 'ann')",
    );
    world.node("vm", json!({ "create": http("create") }), &[]);
    let status = "select deployment_status from deployments where id = 'parent'";
    let id = world.start("install", json!({}));
    world.until_under_way();
    assert_eq!(world.text(status), "in_progress");
    world.pass(5001);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.text(status), "good");
}

#[test]
fn a_broken_graph_ends_its_execution_and_nobody_elses() {
    let world = World::new();
    world.deployment("e");
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.node_of(
        "e",
        "vm2",
        "cloudify.nodes.Root",
        json!({ "create": http("create2") }),
        &[],
    );
    let broken = world.start("install", json!({}));
    world.until_under_way();
    world.sql("update operations set dependencies = '{}', name = 'x' where state = 'pending'");
    let request = StartRequest {
        deployment_id: "e".into(),
        workflow_id: "install".into(),
        ..StartRequest::default()
    };
    let other = world.try_start(request).unwrap();
    world.work();
    assert_eq!(world.status(&other.id), "terminated");
    assert_eq!(world.status(&broken), "failed");
    let error = world.text(&format!(
        "select error from executions where id = '{broken}'"
    ));
    assert!(
        error.starts_with("The control plane gave up after"),
        "{error}"
    );
    let left = run(world.db.query("select 1 from queue", &[])).unwrap();
    assert!(left.is_empty());
}
