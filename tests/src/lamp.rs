//! The lamp: a deployment of one node whose operations are requests to a server that the story looks
//! into.

use crate::caller::Caller;
use serde_json::{Value, json};

const BLUEPRINT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
inputs:
  url:
    type: string
node_templates:
  lamp:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
";

impl Caller<'_> {
    /// Uploads and deploys the lamp. `operations` is YAML, `url` becomes the input `url`.
    pub fn deploy_lamp(self, operations: &str, url: &str) {
        let mut blueprint = BLUEPRINT.to_owned();
        for line in operations.lines().filter(|line| !line.trim().is_empty()) {
            blueprint.push_str("        ");
            blueprint.push_str(line);
            blueprint.push('\n');
        }
        let file = [("lamp.yaml", blueprint.as_str())];
        self.upload("lamp", "lamp.yaml", &file).expect(201);
        let body = json!({ "blueprint_id": "lamp", "inputs": { "url": url } });
        self.put("/deployments/lamp", body).expect(201);
    }

    /// An execution of the tenant, as it is now.
    pub fn execution(self, started: &Value) -> Value {
        let id = started["id"].as_str().expect("an id");
        self.get(&format!("/executions/{id}")).expect(200)
    }
}
