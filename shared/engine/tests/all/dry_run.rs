//! Dry runs: every workflow tells what it would do, and does nothing.

use crate::common::{World, contained, http};
use serde_json::{Value, json};

const TASKS: [&str; 9] = [
    "create",
    "start",
    "stop",
    "delete",
    "check_drift",
    "heal",
    "validation.check_status",
    "cloudify_agent.validate_amqp",
    "cloudify_agent.create_amqp",
];

/// A host with something on it, both with all operations, in this state.
fn world(state: &str) -> World {
    let world = World::new();
    let operations: Value = TASKS
        .iter()
        .map(|name| ((*name).to_owned(), http(name)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    world.node_of("d", "vm", "cloudify.nodes.Compute", operations.clone(), &[]);
    world.node("app", operations, &[contained("vm")]);
    let agent = json!({ "agent_config": { "install_method": "remote" } });
    world.sql(&format!(
        "update nodes set properties = '{agent}' where id = 'vm'"
    ));
    world.sql(&format!("update node_instances set state = '{state}'"));
    world
}

/// Everything that is known of the instances and nodes.
fn everything(world: &World) -> String {
    world.text(
        "select group_concat(line) from (
             select json_array(id, state, version, runtime_properties, system_properties,
                 relationships) as line from node_instances
             union all select json_array(id, number_of_instances, planned_number_of_instances)
             from nodes order by 1)",
    )
}

#[test]
fn a_dry_run_of_any_workflow_tells_and_does_nothing() {
    for (workflow, state, parameters) in [
        ("install", "uninitialized", json!({})),
        ("uninstall", "started", json!({})),
        ("reinstall", "started", json!({})),
        ("restart", "started", json!({})),
        (
            "execute_operation",
            "started",
            json!({ "operation": "cloudify.interfaces.lifecycle.heal" }),
        ),
        ("check_status", "started", json!({})),
        ("check_drift", "started", json!({})),
        ("heal", "started", json!({})),
        ("heal", "started", json!({ "node_instance_id": "app_1" })),
        ("rollback", "starting", json!({ "full_rollback": true })),
        (
            "scale",
            "started",
            json!({ "scalable_entity_name": "vm", "abort_started": true }),
        ),
        ("validate_agents", "started", json!({})),
        ("install_new_agents", "started", json!({})),
    ] {
        let world = world(state);
        let before = everything(&world);
        let id = world.start_dry(workflow, parameters.clone());
        world.work();
        let what = format!("{workflow} {parameters}");
        assert_eq!(world.status(&id), "terminated", "{what}");
        assert_eq!(everything(&world), before, "{what}");
        assert_eq!(world.net.requests.borrow().len(), 0, "{what}");
        let left = "select (select count(*) from operations) || ' ' || (select count(*) from queue)
                    || ' ' || (select count(*) from deployment_modifications)";
        assert_eq!(world.text(left), "0 0 0", "{what}");
        let events = world.events(&id);
        let told = |text: &String| text.contains("workflow execution") || text.contains("ask ");
        let without: Vec<&String> = events
            .iter()
            .filter(|text| told(text) && !text.ends_with(" (dry run)"))
            .collect();
        assert_eq!(without, [""; 0], "{what}");
        assert_eq!(
            events.first().unwrap(),
            &format!("Starting '{workflow}' workflow execution (dry run)")
        );
    }
}
