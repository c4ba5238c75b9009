//! What a tenant may have, one of each kind, all with a telling word in their names.

use std::collections::BTreeMap;
use windlass_tests::{Caller, Endpoint, Value, Windlass, json};

/// A blueprint whose every name begins with the word in place of `WORD`.
const BLUEPRINT: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
description: All about WORD
plugins:
  WORD_plugin:
    executor: central_deployment_agent
    install: false
workflows:
  WORD_workflow: WORD_plugin.tasks.run
node_templates:
  WORD_node:
    type: cloudify.nodes.Compute
    properties:
      ip: 10.0.0.7
      agent_config:
        install_method: none
outputs:
  WORD_output:
    value: { get_property: [WORD_node, ip] }
capabilities:
  lifts:
    value: WORD_capability
";

/// What nobody's things are called.
const NOWHERE: &str = "nowhere";
/// The id of nothing that has generated ids.
const NO_ID: &str = "00000000-0000-4000-8000-000000000000";

/// One blueprint, its deployment, and all that belongs to it: the values of the parameters that
/// rows of the table have.
pub struct Things {
    word: &'static str,
    values: BTreeMap<&'static str, String>,
}

impl Things {
    /// Makes them, installed, with this visibility.
    pub fn make(
        windlass: &Windlass,
        owner: Caller<'_>,
        word: &'static str,
        visibility: &str,
    ) -> Self {
        let (blueprint, deployment) = (format!("{word}-blueprint"), format!("{word}-deployment"));
        let text = BLUEPRINT.replace("WORD", word);
        let archive = windlass_tests::Archive::blueprint(&[("main.yaml", &text)]).tar_gz();
        let params = json!({ "application_file_name": "main.yaml", "visibility": visibility });
        owner.upload_form(&blueprint, &params, archive).expect(201);
        let (key, value) = (format!("{word}-key"), format!("{word}-value"));
        let labels = json!([{ (key.as_str()): value }]);
        owner
            .patch(
                &format!("/blueprints/{blueprint}"),
                json!({ "labels": labels }),
            )
            .expect(200);
        let site = format!("{word}-site");
        owner
            .put(
                &format!("/sites/{site}"),
                json!({ "visibility": visibility }),
            )
            .expect(200);
        let body = json!({ "blueprint_id": blueprint, "visibility": visibility, "labels": labels,
            "site_name": site });
        owner
            .put(&format!("/deployments/{deployment}"), body)
            .expect(201);
        let execution = text_of(&owner.execute(&deployment, "install"), "id");
        windlass.run_pending_work();

        let first = |path: String| text_of(&owner.get(&path).expect(200)["items"][0], "id");
        let of_execution = format!("execution_id={execution}");
        let values = BTreeMap::from([
            (
                "node_instance_id",
                first(format!("/node-instances?deployment_id={deployment}")),
            ),
            (
                "tasks_graph_id",
                first(format!("/tasks_graphs?{of_execution}")),
            ),
            ("operation_id", first(format!("/operations?{of_execution}"))),
            ("node_id", format!("{word}_node")),
            ("label_key", key),
            ("site_name", site),
            ("blueprint_id", blueprint),
            ("deployment_id", deployment),
            ("execution_id", execution),
        ]);
        Self { word, values }
    }

    /// Whether a row names something of these kinds.
    pub fn concern(&self, row: &Endpoint) -> bool {
        self.values.keys().any(|name| row.names(name))
    }

    /// The value of a parameter.
    pub fn value(&self, parameter: &str) -> String {
        let value = self.values.get(parameter);
        value
            .unwrap_or_else(|| panic!("no value for {{{parameter}}}"))
            .clone()
    }

    /// The value of a parameter that looks the same and belongs to nothing.
    pub fn no_value(&self, parameter: &str) -> String {
        self.forget(&self.value(parameter))
    }

    /// The text as if it were about nothing.
    pub fn forget(&self, text: &str) -> String {
        let mut text = text.replace(self.word, NOWHERE);
        for id in self.generated() {
            text = text.replace(id.as_str(), NO_ID);
        }
        text
    }

    /// Whether a text has a word about these things.
    pub fn are_in(&self, text: &str) -> bool {
        text.contains(self.word) || self.generated().any(|id| text.contains(id.as_str()))
    }

    fn generated(&self) -> impl Iterator<Item = &String> {
        self.values
            .values()
            .filter(|value| !value.contains(self.word))
    }
}

fn text_of(object: &Value, field: &str) -> String {
    let text = object[field].as_str();
    text.unwrap_or_else(|| panic!("no {field} in {object}"))
        .to_owned()
}
