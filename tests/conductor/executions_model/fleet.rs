//! What else happens in histories: other numbers of instances, other blueprints, and groups.

use super::{DEPLOYMENTS, History, WORKED};
use windlass_tests::{Value, Windlass, json};

/// One node with nothing to do, and one whose creation is a call that fails now and then.
pub const CRANE: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
node_templates:
  quay:
    type: cloudify.nodes.Root
  crane:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: windlass-http.create
          inputs: { url: URL }
          max_retries: 0
    relationships:
      - type: cloudify.relationships.depends_on
        target: quay
";

/// The same, but its crane is created and deleted by a worker.
pub const TUG: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
plugins:
  tug: { executor: central_deployment_agent, install: false }
node_templates:
  quay:
    type: cloudify.nodes.Root
  crane:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: { implementation: tug.create, max_retries: 1, retry_interval: 0 }
        delete: { implementation: tug.delete, max_retries: 0 }
    relationships:
      - type: cloudify.relationships.depends_on
        target: quay
";

/// One more node, for the blueprint that deployments are updated to.
pub const LAMP: &str = "
  lamp:
    type: cloudify.nodes.Root
    relationships:
      - type: cloudify.relationships.connected_to
        target: quay
";

/// The blueprint that a deployment begins with, and one that it may be updated to.
pub fn blueprints_of(deployment: &str) -> [&'static str; 2] {
    match deployment == WORKED {
        true => ["tug", "tug-2"],
        false => ["crane", "crane-2"],
    }
}

impl History {
    pub fn scale(&mut self, windlass: &Windlass) {
        let body = json!({
            "deployment_id": self.dice.of(&DEPLOYMENTS), "workflow_id": "scale",
            "queue": self.dice.below(2) == 0,
            "parameters": {
                "scalable_entity_name": self.dice.of(&["crane", "crane", "quay"]),
                "delta": self.dice.of(&[1, 1, 2, -1, -1, 0]),
            },
        });
        let started = self.call(windlass, ("POST", "/executions"), &body, &[201, 400]);
        let id = started.as_ref().and_then(|answer| answer["id"].as_str());
        self.acknowledge(windlass, id);
    }

    pub fn update(&mut self, windlass: &Windlass) {
        let deployment = self.dice.of(&DEPLOYMENTS);
        let body = json!({
            "blueprint_id": self.dice.of(&blueprints_of(deployment)),
            "skip_reinstall": self.dice.below(2) == 0, "skip_install": self.dice.below(5) == 0,
            "skip_uninstall": self.dice.below(5) == 0, "preview": self.dice.below(6) == 0,
        });
        let path = format!("/deployment-updates/{deployment}/update/initiate");
        // 400: others depend on it. 409: it is being updated.
        let update = self.call(windlass, ("POST", &path), &body, &[200, 400, 409]);
        let id = update
            .as_ref()
            .and_then(|update| update["execution_id"].as_str());
        self.acknowledge(windlass, id);
    }

    /// What older clients do to scale: they begin it, and say how it ended.
    pub fn modify(&mut self, windlass: &Windlass) {
        let deployment = self.dice.of(&DEPLOYMENTS);
        let open = format!("/deployment-modifications?deployment_id={deployment}&status=started");
        let found = windlass.admin().get(&open).expect(200);
        if let Some(id) = found["items"][0]["id"].as_str() {
            let path = format!(
                "/deployment-modifications/{id}/{}",
                self.dice.of(&["finish", "rollback"])
            );
            self.call(windlass, ("POST", &path), &json!({}), &[200, 409]);
            return;
        }
        let body = json!({
            "deployment_id": deployment, "nodes": { "quay": { "instances": 1 + self.dice.below(3) } },
        });
        let path = ("POST", "/deployment-modifications");
        self.call(windlass, path, &body, &[201, 400, 409]);
    }

    /// Deployments become members or cease to be, and a second group comes with deployments of its own, or goes with them.
    pub fn muster(&mut self, windlass: &Windlass) {
        let [fleet, crew] = ["/deployment-groups/fleet", "/deployment-groups/crew"];
        let deployment = self.dice.of(&DEPLOYMENTS);
        match self.dice.below(5) {
            0 => {
                let body = json!({ "remove": { "deployment_ids": [deployment] } });
                self.call(windlass, ("PATCH", fleet), &body, &[200]);
            }
            1 => self.join_the_fleet(windlass, deployment),
            2 | 3 => {
                let body = json!({
                    "blueprint_id": "crane", "deployments_from_group": "fleet",
                    "new_deployments": vec![json!({}); 1 + self.dice.below(2)],
                });
                self.call(windlass, ("PUT", crew), &body, &[200]);
            }
            _ => {
                // 400: some are in use. They go in the background, with their executions.
                let path = format!(
                    "{crew}?delete_deployments=true&force={}",
                    self.dice.below(2) == 0
                );
                let body = json!({ "remove": { "deployment_ids": DEPLOYMENTS } });
                if self
                    .call(windlass, ("PATCH", crew), &body, &[200, 404])
                    .is_some()
                {
                    self.call(windlass, ("DELETE", &path), &Value::Null, &[200, 400]);
                }
            }
        }
    }

    pub fn start_group(&mut self, windlass: &Windlass) {
        let body = json!({
            "deployment_group_id": self.dice.of(&["fleet", "fleet", "crew"]),
            "workflow_id": self.dice.of(&["install", "uninstall", "restart"]),
            "concurrency": self.dice.below(4), "force": self.dice.below(4) == 0,
        });
        // 404: there is no crew. 400: the workflow is not available.
        let group = self.call(
            windlass,
            ("POST", "/execution-groups"),
            &body,
            &[200, 400, 404],
        );
        let Some(group) = group else { return };
        self.groups.extend(group["id"].as_str().map(str::to_owned));
        for id in group["execution_ids"].as_array().into_iter().flatten() {
            self.acknowledge(windlass, id.as_str());
        }
    }

    pub fn act_on_group(&mut self, windlass: &Windlass) {
        if self.groups.is_empty() {
            return;
        }
        let at = self.dice.below(self.groups.len());
        let path = format!("/execution-groups/{}", self.groups[at]);
        if self.dice.below(3) == 0 {
            let body = json!({
                "concurrency": self.dice.below(4), "success_group_id": "fleet",
            });
            self.call(windlass, ("PATCH", &path), &body, &[200]);
            return;
        }
        let actions = ["cancel", "force-cancel", "kill", "resume", "force-resume"];
        let body = json!({ "action": self.dice.of(&actions) });
        // 409: of one of them something else is under way.
        self.call(windlass, ("POST", &path), &body, &[200, 400, 409]);
    }

    /// Lets every group go on that was made to wait.
    pub fn let_groups_go_on(&mut self, windlass: &Windlass) {
        for group in std::mem::take(&mut self.groups) {
            let path = format!("/execution-groups/{group}");
            let body = json!({ "concurrency": 5 });
            self.call(windlass, ("PATCH", &path), &body, &[200]);
        }
    }

    /// Puts a deployment among the others, where it is once more when it was made anew.
    pub fn join_the_fleet(&mut self, windlass: &Windlass, deployment: &str) {
        let body = json!({ "add": { "deployment_ids": [deployment] } });
        self.call(
            windlass,
            ("PATCH", "/deployment-groups/fleet"),
            &body,
            &[200],
        );
    }
}
