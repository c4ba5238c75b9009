//! validate_agents and install_new_agents.

use crate::common::{World, contained, http};
use serde_json::{Value, json};

/// A started host with something on it. Its agent comes by this method.
fn world(method: &str) -> World {
    let world = World::new();
    let host = json!({
        "cloudify_agent.validate_amqp": http("validate"),
        "cloudify_agent.create_amqp": http("create"),
    });
    world.node_of("d", "vm", "cloudify.nodes.Compute", host, &[]);
    world.node(
        "app",
        json!({ "monitoring.start": http("monitor") }),
        &[contained("vm")],
    );
    let config = json!({ "agent_config": { "install_method": method } });
    world.sql(&format!(
        "update nodes set properties = '{config}' where id = 'vm'"
    ));
    world.sql("update node_instances set state = 'started'");
    world
}

fn run(world: &World, workflow: &str, parameters: Value) -> (String, String) {
    let id = world.start(workflow, parameters);
    world.work();
    let error = world.text(&format!(
        "select coalesce(error, '') from executions where id = '{id}'"
    ));
    (id, error)
}

#[test]
fn where_no_host_has_an_agent_there_is_nothing_to_do() {
    for workflow in ["validate_agents", "install_new_agents"] {
        let world = world("none");
        let (id, error) = run(&world, workflow, json!({}));
        assert_eq!(
            (world.status(&id).as_str(), error.as_str()),
            ("terminated", "")
        );
        assert_eq!(world.net.requests.borrow().len(), 0);
    }
}

#[test]
fn agents_are_asked_and_new_ones_come_after_that() {
    let world = world("remote");
    let (id, error) = run(&world, "validate_agents", json!({}));
    assert_eq!(error, "");
    let told = world.inner_events(&id);
    assert_eq!(told.first().unwrap(), "vm: Validating agent connection.");
    assert_eq!(told.last().unwrap(), "vm: Validation done");
    world.net.requests.borrow_mut().clear();
    let (_, error) = run(&world, "install_new_agents", json!({}));
    assert_eq!(error, "");
    assert_eq!(
        world.net.paths(),
        ["validate", "create", "validate", "monitor"]
    );
}

#[test]
fn what_is_no_started_host_with_an_agent_is_refused() {
    for (method, state, parameters, want) in [
        (
            "remote",
            "started",
            json!({ "node_ids": ["app"] }),
            "Specified filters are not correct:\nNode instance app_1 is not host.",
        ),
        (
            "none",
            "started",
            json!({ "node_ids": ["vm"] }),
            "Specified filters are not correct:\nAgent should not be installed on node instance vm_1",
        ),
        (
            "remote",
            "stopped",
            json!({}),
            "Node vm_1 is not started (state: stopped)",
        ),
    ] {
        let world = world(method);
        world.sql(&format!(
            "update node_instances set state = '{state}' where id = 'vm_1'"
        ));
        let (id, error) = run(&world, "validate_agents", parameters);
        assert_eq!(
            (world.status(&id).as_str(), error.as_str()),
            ("failed", want)
        );
    }
}
