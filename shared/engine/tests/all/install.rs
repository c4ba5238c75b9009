//! install and uninstall: which events, in which order, for which nodes in which states.

use crate::common::{Answer, World, http, operation};
use serde_json::{Value, json};

/// The texts of all tries of a call.
fn call(node: &str, name: &str) -> Vec<String> {
    ["Sending task", "Task started", "Task succeeded"]
        .iter()
        .map(|text| match *text {
            "Task succeeded" => format!("{node}: {text} 'windlass-http.{name}' - 200"),
            text => format!("{node}: {text} 'windlass-http.{name}'"),
        })
        .collect()
}

fn of(node: &str, texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| format!("{node}: {text}")).collect()
}

#[test]
fn a_node_without_operations_is_started_at_once() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    let id = world.start("install", json!({}));
    let report = world.tick().unwrap();
    assert_eq!((report.ran, report.next_due), (1, None));
    assert_eq!(
        world.events(&id),
        [
            "Starting 'install' workflow execution",
            "Subgraph started 'install_vm_1'",
            "vm: Node instance started (nothing to do)",
            "Subgraph succeeded 'install_vm_1'",
            "'install' workflow execution succeeded",
        ]
    );
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.states(), ["vm_1 started"]);
    assert_eq!(world.text("select version || '' from node_instances"), "2");
    let status = world.text("select system_properties ->> '$.status.ok' || '' from node_instances");
    assert_eq!(status, "1");
    let progress = "select total_operations || '/' || finished_operations from executions";
    assert_eq!(world.text(progress), "3/3");
    let deployment =
        "select installation_status || ' ' || deployment_status || ' ' || (latest_execution is not null)
         from deployments";
    assert_eq!(world.text(deployment), "active good 1");
}

#[test]
fn events_of_an_install() {
    let nothing = |what: &str| format!("vm: {what}: nothing to do");
    for (name, operations, want) in [
        (
            "create and start",
            json!({ "create": http("create"), "start": http("start") }),
            [
                vec![
                    nothing("Validating node instance before creation"),
                    nothing("Precreating node instance"),
                ],
                of("vm", &["Creating node instance"]),
                call("vm", "create"),
                of("vm", &["Node instance created"]),
                vec![nothing("Configuring node instance")],
                of("vm", &["Starting node instance"]),
                call("vm", "start"),
                vec![nothing("Poststarting node instance")],
                of("vm", &["Node instance started"]),
            ]
            .concat(),
        ),
        (
            "everything",
            json!({
                "validation.create": http("check"), "precreate": http("precreate"),
                "create": http("create"), "configure": http("configure"), "start": http("start"),
                "poststart": http("poststart"), "monitoring.start": http("monitor"),
            }),
            [
                of("vm", &["Validating node instance before creation"]),
                call("vm", "check"),
                of(
                    "vm",
                    &[
                        "Node instance validated before creation",
                        "Precreating node instance",
                    ],
                ),
                call("vm", "precreate"),
                of(
                    "vm",
                    &["Node instance precreated", "Creating node instance"],
                ),
                call("vm", "create"),
                of(
                    "vm",
                    &["Node instance created", "Configuring node instance"],
                ),
                call("vm", "configure"),
                of(
                    "vm",
                    &["Node instance configured", "Starting node instance"],
                ),
                call("vm", "start"),
                of("vm", &["Poststarting node instance"]),
                call("vm", "poststart"),
                of("vm", &["Node instance poststarted"]),
                call("vm", "monitor"),
                of("vm", &["Node instance started"]),
            ]
            .concat(),
        ),
    ] {
        let world = World::new();
        world.node("vm", operations, &[]);
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.inner_events(&id), want, "{name}");
        assert_eq!(world.status(&id), "terminated", "{name}");
        assert_eq!(world.states(), ["vm_1 started"], "{name}");
    }
}

#[test]
fn an_install_skips_what_the_state_says_is_done() {
    let all = json!({
        "precreate": http("precreate"), "create": http("create"), "configure": http("configure"),
        "start": http("start"),
    });
    for (state, want) in [
        (
            "uninitialized",
            vec!["precreate", "create", "configure", "start"],
        ),
        (
            "initializing",
            vec!["precreate", "create", "configure", "start"],
        ),
        ("deleted", vec!["precreate", "create", "configure", "start"]),
        ("creating", vec!["create", "configure", "start"]),
        ("created", vec!["configure", "start"]),
        ("configuring", vec!["configure", "start"]),
        ("configured", vec!["start"]),
        ("starting", vec!["start"]),
        ("started", vec![]),
    ] {
        let world = World::new();
        world.node("vm", all.clone(), &[]);
        world.sql(&format!("update node_instances set state = '{state}'"));
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.net.paths(), want, "{state}");
        assert_eq!(world.status(&id), "terminated", "{state}");
        assert_eq!(world.states(), ["vm_1 started"], "{state}");
    }
}

#[test]
fn a_dependent_waits_for_its_targets_and_relationships_run_with_it() {
    let world = World::new();
    let establish = |name: &str| {
        json!({
            "source.establish": http(&format!("{name}-source")),
            "target.establish": http(&format!("{name}-target")),
            "target.unlink": http(&format!("{name}-unlink")),
        })
    };
    world.node(
        "web",
        json!({ "create": http("web") }),
        &[("db", establish("db")), ("net", establish("net"))],
    );
    world.node("db", json!({ "create": http("db") }), &[("net", json!({}))]);
    world.node("net", json!({ "create": http("net") }), &[]);
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(
        world.net.paths(),
        [
            "net",
            "db",
            "web",
            "db-source",
            "db-target",
            "net-source",
            "net-target"
        ]
    );
    let events = world.inner_events(&id);
    let at = |text: &str| events.iter().position(|known| known == text).expect(text);
    assert!(
        at("web: Establishing relationships") < at("web: Sending task 'windlass-http.db-source'")
    );
    assert!(
        at("net: Task succeeded 'windlass-http.net-target' - 200")
            < at("web: Relationships established")
    );
    let ends = "select source_id || '>' || target_id from events where message like '%db-target%'";
    assert_eq!(world.text(ends), "web_1>db_1");

    world.net.requests.borrow_mut().clear();
    let id = world.start("uninstall", json!({}));
    world.work();
    // Unlinked in reverse order.
    assert_eq!(world.net.paths(), ["net-unlink", "db-unlink"]);
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(
        world.states(),
        ["web_1 deleted", "db_1 deleted", "net_1 deleted"]
    );
    let first = world.inner_events(&id)[0].clone();
    assert_eq!(first, "web: Stopping node instance");
}

#[test]
fn events_of_an_uninstall() {
    for (state, want) in [
        (
            "started",
            [
                of(
                    "vm",
                    &[
                        "Stopping node instance",
                        "Validating node instance after deletion: nothing to do",
                    ],
                ),
                call("vm", "stop"),
                of("vm", &["Stopped node instance", "Deleting node instance"]),
                call("vm", "delete"),
                of("vm", &["Deleted node instance"]),
            ]
            .concat(),
        ),
        (
            "configured",
            [
                of(
                    "vm",
                    &[
                        "Validating node instance after deletion: nothing to do",
                        "Stop: instance already configured",
                        "Deleting node instance",
                    ],
                ),
                call("vm", "delete"),
                of("vm", &["Deleted node instance"]),
            ]
            .concat(),
        ),
        (
            "uninitialized",
            of(
                "vm",
                &[
                    "Validating node instance after deletion: nothing to do",
                    "Stop: instance already uninitialized",
                    "Delete: instance already uninitialized",
                    "Deleted node instance",
                ],
            ),
        ),
        (
            "deleted",
            of(
                "vm",
                &[
                    "Validating node instance after deletion: nothing to do",
                    "Stop: instance already deleted",
                    "Delete: instance already deleted",
                ],
            ),
        ),
    ] {
        let world = World::new();
        world.node(
            "vm",
            json!({ "stop": http("stop"), "delete": http("delete") }),
            &[],
        );
        world.sql(&format!("update node_instances set state = '{state}'"));
        let id = world.start("uninstall", json!({}));
        world.work();
        assert_eq!(world.inner_events(&id), want, "{state}");
        assert_eq!(world.states(), ["vm_1 deleted"], "{state}");
    }
}

#[test]
fn a_node_without_operations_is_uninstalled_at_once() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    world.sql("update node_instances set state = 'started'");
    let id = world.start("uninstall", json!({}));
    world.work();
    assert_eq!(
        world.inner_events(&id),
        of(
            "vm",
            &[
                "Stopping node instance",
                "Validating node instance after deletion: nothing to do",
                "Stopped node instance: nothing to do",
                "Deleting node instance: nothing to do",
                "Deleted node instance",
            ]
        )
    );
}

#[test]
fn filters_select_instances_and_the_others_establish_again() {
    let world = World::new();
    let link = json!({ "source.establish": http("link"), "source.unlink": http("unlink") });
    world.node("web", json!({ "create": http("web") }), &[("db", link)]);
    world.node("db", json!({ "create": http("db") }), &[]);
    for (parameters, want) in [
        (json!({ "node_ids": ["db"] }), vec!["db", "link"]),
        (
            json!({ "node_instance_ids": ["web_1"] }),
            vec!["web", "link"],
        ),
        (
            json!({ "type_names": ["cloudify.nodes.Root"], "node_ids": ["db"] }),
            vec!["db", "link"],
        ),
        (json!({ "type_names": ["cloudify.nodes.Compute"] }), vec![]),
    ] {
        world.net.requests.borrow_mut().clear();
        world.sql("update node_instances set state = 'uninitialized'");
        let id = world.start("install", parameters.clone());
        world.work();
        assert_eq!(world.net.paths(), want, "{parameters}");
        assert_eq!(world.status(&id), "terminated", "{parameters}");
    }
    world.net.requests.borrow_mut().clear();
    world.sql("update node_instances set state = 'started'");
    world.start("uninstall", json!({ "node_ids": ["db"] }));
    world.work();
    assert_eq!(world.net.paths(), ["unlink"]);
    assert_eq!(world.states(), ["web_1 started", "db_1 deleted"]);
}

#[test]
fn answers_become_runtime_properties_that_others_read() {
    let world = World::new();
    let mut create = http("create");
    create["inputs"]["runtime_properties"] = json!({ "address": "/net/ip", "all": "" });
    let mut start = http("start");
    start["has_intrinsic_functions"] = json!(true);
    start["inputs"]["method"] = json!("POST");
    start["inputs"]["body"] = json!({
        "ip": { "get_attribute": ["SELF", "address"] },
        "size": { "get_property": ["SELF", "size"] },
    });
    world.node("vm", json!({ "create": create, "start": start }), &[]);
    world
        .net
        .answers(|_, _| Answer::Status(200, r#"{"net":{"ip":"1.2.3.4"}}"#));
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated", "{:?}", world.events(&id));
    let kept = world.text("select runtime_properties ->> '$.address' from node_instances");
    assert_eq!(kept, "1.2.3.4");
    let requests = world.net.requests.borrow();
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!(body, json!({ "ip": "1.2.3.4", "size": 7 }));
}

#[test]
fn what_needs_a_worker_stays_sent_until_its_timeout() {
    let world = World::new();
    let mut create = operation(
        "script",
        "script_runner.tasks.run",
        json!({ "script_path": "a.sh" }),
    );
    create["timeout"] = json!(30);
    world.node("vm", json!({ "create": create }), &[]);
    let id = world.start("install", json!({}));
    let report = world.tick().unwrap();
    assert_eq!(report.next_due, Some(30_000));
    assert_eq!(world.status(&id), "started");
    let state = "select state || ' ' || queue from operations where type = 'RemoteWorkflowTask'";
    assert_eq!(world.text(state), "sent central_deployment_agent");
    assert!(
        world
            .events(&id)
            .contains(&"vm: Sending task 'script_runner.tasks.run'".to_owned())
    );
    world.pass(30_000);
    world.work();
    assert_eq!(world.status(&id), "failed");
    let error = world.text("select error from executions");
    assert!(
        error.contains("queue `central_deployment_agent` within 30 seconds: no worker"),
        "{error}"
    );
    assert_eq!(world.states(), ["vm_1 creating"]);
}

#[test]
fn a_host_without_an_agent_has_a_start_of_its_own() {
    let world = World::new();
    world.node_of("d", "vm", "cloudify.nodes.Compute", json!({}), &[]);
    let id = world.start("install", json!({}));
    world.work();
    let events = world.inner_events(&id);
    assert_eq!(
        events.first().unwrap(),
        "vm: Validating node instance before creation: nothing to do"
    );
    assert_eq!(events.last().unwrap(), "vm: Node instance started");
}

#[test]
fn a_dry_run_tells_everything_and_changes_nothing() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let request = windlass_engine::StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        dry_run: true,
        ..Default::default()
    };
    let id = world.try_start(request).unwrap().id;
    world.work();
    let events = world.events(&id);
    assert_eq!(events[0], "Starting 'install' workflow execution (dry run)");
    assert!(events.contains(&"vm: Task succeeded 'windlass-http.create' (dry run)".to_owned()));
    assert!(world.net.paths().is_empty());
    assert_eq!(world.states(), ["vm_1 uninitialized"]);
    assert_eq!(world.text("select count(*) || '' from operations"), "0");
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn another_try_may_wait_for_days_or_for_part_of_a_second() {
    for (setting, own, want) in [
        ("172800", json!(null), json!(172_800)),
        ("0.5", json!(null), json!(0.5)),
        ("15", json!(172_800), json!(172_800)),
    ] {
        let world = World::new();
        world.sql(&format!(
            "update config set value = '{setting}' where name = 'task_retry_interval'"
        ));
        let mut create = http("create");
        create["retry_interval"] = own;
        world.node("vm", json!({ "create": create }), &[]);
        world.start("install", json!({}));
        world.work();
        let parameters =
            world.text("select parameters from operations where type = 'RemoteWorkflowTask'");
        let parameters: Value = serde_json::from_str(&parameters).unwrap();
        assert_eq!(parameters["retry_interval"], want, "{setting}");
    }
}

#[test]
fn operations_look_as_clients_know_them() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.work();
    let parameters =
        world.text("select parameters from operations where type = 'RemoteWorkflowTask'");
    let parameters: Value = serde_json::from_str(&parameters).unwrap();
    assert_eq!(parameters["total_retries"], 60);
    assert_eq!(parameters["retry_interval"], 15);
    let context = &parameters["task_kwargs"]["kwargs"]["__cloudify_context"];
    assert_eq!(
        context["operation"]["name"],
        "cloudify.interfaces.lifecycle.create"
    );
    assert_eq!(context["node_id"], "vm_1");
    assert_eq!(context["execution_id"], json!(id));
    assert_eq!(
        world.text("select distinct state from operations"),
        "succeeded"
    );
    assert_eq!(world.text("select name from tasks_graphs"), "install");
}
