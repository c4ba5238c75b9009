//! Parameters of workflows that name deployments, nodes and other objects.

use crate::common::{World, http};
use serde_json::{Value, json};
use windlass_core::{Error, Kind};
use windlass_engine::StartRequest;

/// A deployment `d` whose workflow `install` has one more parameter, `p`, of this schema.
fn world_with(schema: &Value) -> World {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.node_of("d", "host", "cloudify.nodes.Compute", json!({}), &[]);
    declare(&world, schema);
    world
}

fn declare(world: &World, schema: &Value) {
    world.sql(&format!(
        "update plan_parts set text = json_set(text, '$[0].parameters.p', json('{schema}'))
         where key = (select workflow_parts ->> 0 from deployments)"
    ));
}

fn start(world: &World, value: &Value) -> Result<(), Error> {
    let request = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        parameters: serde_json::from_value(json!({ "p": value })).unwrap(),
        force: true,
        ..StartRequest::default()
    };
    world.try_start(request).map(|_| ())
}

#[test]
fn what_a_parameter_names_exists_and_fulfils_its_constraints() {
    let no_value = "is not a valid value for data type";
    let no_match = "does not match any relevant entity or violates at least one";
    let world = world_with(&json!({}));
    world.sql(
        "update deployments set
             inputs = '{\"where\": \"d\"}',
             capabilities_part = (select max(key) + 1 from plan_parts),
             scaling_groups_part = (select max(key) + 2 from plan_parts)",
    );
    world.sql("insert into plan_parts (hash, text) values ('c', '{\"port\": {\"value\": 80}}')");
    world.sql("insert into plan_parts (hash, text) values ('g', '{\"yard\": {}}')");
    for (kind, constraints, value, refused) in [
        ("node_id", json!([]), json!("vm"), None),
        ("node_id", json!([]), json!("boat"), Some(no_value)),
        (
            "node_id",
            json!([]),
            json!({"get_input": "where"}),
            Some(no_value),
        ),
        (
            "node_id",
            json!([{"name_pattern": {"contains": "m"}}]),
            json!("vm"),
            None,
        ),
        (
            "node_id",
            json!([{"name_pattern": {"contains": "x"}}]),
            json!("vm"),
            Some(no_match),
        ),
        (
            "node_id",
            json!([{"valid_values": ["host"]}]),
            json!("vm"),
            Some(no_match),
        ),
        (
            "node_id",
            json!([{"deployment_id": "none"}]),
            json!("vm"),
            Some(no_match),
        ),
        (
            "node_id",
            json!([{"deployment_id": {"get_input": "where"}}]),
            json!("vm"),
            None,
        ),
        (
            "node_type",
            json!([]),
            json!("cloudify.nodes.Compute"),
            None,
        ),
        (
            "node_type",
            json!([]),
            json!("cloudify.nodes.Volume"),
            Some(no_value),
        ),
        ("node_instance", json!([]), json!("vm_1"), None),
        ("node_instance", json!([]), json!("vm_2"), Some(no_value)),
        ("operation_name", json!([]), json!("create"), None),
        ("operation_name", json!([]), json!("fly"), Some(no_value)),
        ("scaling_group", json!([]), json!("yard"), None),
        ("scaling_group", json!([]), json!("vm"), Some(no_value)),
        ("capability_value", json!([]), json!(80), None),
        ("capability_value", json!([]), json!(81), Some(no_value)),
        ("deployment_id", json!([]), json!("d"), None),
        ("deployment_id", json!([]), json!("e"), Some(no_value)),
        (
            "deployment_id",
            json!([]),
            json!({"get_input": "where"}),
            None,
        ),
        (
            "deployment_id",
            json!([{"filter_id": "f"}]),
            json!("d"),
            Some("ID `f` was not found"),
        ),
        ("blueprint_id", json!([]), json!("bp"), None),
        ("secret_key", json!([]), json!("s"), Some(no_value)),
    ] {
        declare(&world, &json!({ "type": kind, "constraints": constraints }));
        let row = format!("{kind} {constraints} {value}");
        match (start(&world, &value), refused) {
            (Ok(()), None) => {}
            (Err(refusal), Some(text)) => {
                assert_eq!(refusal.kind(), Kind::IllegalExecutionParameters, "{row}");
                let message = refusal.message();
                let begin = "Parameter \"p\" does not meet its constraints: Value '";
                assert!(
                    message.starts_with(begin) || text.contains("ID"),
                    "{row}: {message}"
                );
                assert!(message.contains(text), "{row}: {message}");
            }
            (answer, _) => panic!("{row}: {answer:?}"),
        }
    }
}

#[test]
fn items_of_lists_are_looked_for_and_what_is_null_is_not() {
    let instances = json!({ "type": "list", "item_type": "node_instance", "default": [] });
    let node = json!({ "type": "node_id", "default": null });
    for (schema, value, accepted) in [
        (&instances, json!([]), true),
        (&instances, json!(["vm_1", "host_1"]), true),
        (&instances, json!(["vm_1", "boat_1"]), false),
        (&node, Value::Null, true),
    ] {
        let answer = start(&world_with(schema), &value);
        assert_eq!(answer.is_ok(), accepted, "{schema} {value}: {answer:?}");
    }
}

#[test]
fn what_has_gone_while_an_execution_was_queued_fails_it() {
    let world = world_with(&json!({ "type": "node_id", "default": null }));
    world.start("execute_operation", json!({ "operation": "create" }));
    let request = StartRequest {
        deployment_id: "d".into(),
        workflow_id: "install".into(),
        parameters: serde_json::from_value(json!({ "p": "host" })).unwrap(),
        queue: true,
        ..StartRequest::default()
    };
    let queued = world.try_start(request).unwrap();
    assert_eq!(world.status(&queued.id), "queued");
    world.sql("delete from nodes where id = 'host'");
    world.work();
    let sql = format!("select error from executions where id = '{}'", queued.id);
    assert_eq!(
        world.text(&sql),
        "Error dequeueing execution: Parameter \"p\" does not meet its constraints: Value 'host' \
         of 'p' is not a valid value for data type 'node_id'."
    );
}
