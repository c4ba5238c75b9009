//! Blueprints of the stories.

use windlass_tests::{Caller, Value, json};

/// Two nodes, one in the other, an input with a default, outputs and capabilities.
pub const CRANE: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
description: A crane and its host
inputs:
  reach:
    type: integer
    default: 12
    constraints:
      - in_range: [1, 60]
node_templates:
  quay:
    type: cloudify.nodes.Compute
    properties:
      ip: 10.0.0.7
      agent_config:
        install_method: none
  crane:
    type: cloudify.nodes.SoftwareComponent
    relationships:
      - type: cloudify.relationships.contained_in
        target: quay
outputs:
  address:
    description: where the crane is
    value: { get_property: [quay, ip] }
  reach:
    value: { get_input: reach }
capabilities:
  lifts:
    value: { concat: ['up to ', { get_input: reach }, ' t'] }
";

/// Uploads [`CRANE`] under an id; the blueprint.
pub fn crane(caller: Caller<'_>, id: &str) -> Value {
    caller
        .upload(id, "crane.yaml", &[("crane.yaml", CRANE)])
        .expect(201)
}

/// Uploads [`CRANE`] and deploys it under the same id; the deployment.
pub fn deployed(caller: Caller<'_>, id: &str) -> Value {
    crane(caller, id);
    caller
        .put(&format!("/deployments/{id}"), json!({ "blueprint_id": id }))
        .expect(201)
}

/// The ids of a list's items.
pub fn ids(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list has items");
    items
        .iter()
        .filter_map(|item| item["id"].as_str())
        .collect()
}

/// One field of every item of a list.
pub fn column<'a>(list: &'a Value, field: &str) -> Vec<&'a Value> {
    let items = list["items"].as_array().expect("a list has items");
    items.iter().map(|item| &item[field]).collect()
}
