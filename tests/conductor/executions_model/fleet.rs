//! What else happens in histories: other numbers of instances, other blueprints, groups, and workers.

use super::{DEPLOYMENTS, History, WORKED};
use windlass_tests::{Value, Windlass, json};

/// A blueprint like the others but for its crane, whose creation is an operation of a worker.
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

/// What holds of groups and modifications at any time: SQL that counts what is wrong.
pub const NEVER: [(&str, &str); 3] = [
    (
        "a deployment is modified twice at once",
        "select count(*) from (select 1 from deployment_modifications where status = 'started'
             group by deployment_key having count(*) > 1)",
    ),
    (
        "a group miscounts its executions",
        "select count(*) from execution_groups g where
             (g.executions, g.waiting, g.running, g.ended, g.failed) <> (
                 select count(*), coalesce(sum(status in ('queued', 'scheduled')), 0),
                     coalesce(sum(status in ('pending', 'started', 'cancelling', 'force_cancelling',
                         'kill_cancelling')), 0),
                     coalesce(sum(status in ('terminated', 'failed', 'cancelled')), 0),
                     coalesce(sum(status = 'failed'), 0)
                 from executions e where e.execution_group_key = g.key)",
    ),
    (
        "an operation that has ended is leased",
        "select count(*) from operation_leases l join operations o on o.key = l.operation_key
         where o.state in ('succeeded', 'failed') and l.result_hash is null",
    ),
];

/// What holds in the end: as many instances as nodes say, where no update or scaling went wrong.
pub const MISCOUNTED: &str = "
    select n.deployment_id || ' ' || n.id || ' ' || n.number_of_instances from nodes n
    where n.number_of_instances <> (select count(*) from node_instances i
            where i.deployment_key = n.deployment_key and i.node_id = n.id)
        and not exists (select 1 from executions e where e.deployment_key = n.deployment_key
            and e.workflow_id in ('update', 'scale') and e.status <> 'terminated')
        and not exists (select 1 from deployment_updates u where u.deployment_key = n.deployment_key
            and u.state <> 'successful')";

impl History {
    pub fn scale(&mut self, windlass: &Windlass) {
        let delta = self.dice.of(&[1, 1, -1, 0]);
        let body = json!({
            "deployment_id": self.dice.of(&DEPLOYMENTS), "workflow_id": "scale",
            "queue": self.dice.below(2) == 0,
            "parameters": { "scalable_entity_name": "crane", "delta": delta },
        });
        let started = self.call(windlass, ("POST", "/executions"), &body, &[201, 400]);
        self.acknowledge(started.as_ref().and_then(|answer| answer["id"].as_str()));
    }

    pub fn update(&mut self, windlass: &Windlass) {
        let deployment = self.dice.of(&DEPLOYMENTS);
        let blueprints: [&str; 2] = match deployment == WORKED {
            true => ["tug", "tug-2"],
            false => ["crane", "crane-2"],
        };
        let body = json!({
            "blueprint_id": self.dice.of(&blueprints), "skip_reinstall": self.dice.below(2) == 0,
            "preview": self.dice.below(6) == 0,
        });
        let path = format!("/deployment-updates/{deployment}/update/initiate");
        let update = self.call(windlass, ("POST", &path), &body, &[200]);
        self.acknowledge(
            update
                .as_ref()
                .and_then(|update| update["execution_id"].as_str()),
        );
    }

    pub fn start_group(&mut self, windlass: &Windlass) {
        let body = json!({
            "deployment_group_id": "fleet", "workflow_id": self.dice.of(&["install", "uninstall", "restart"]),
            "concurrency": self.dice.below(4),
        });
        let group = self.call(windlass, ("POST", "/execution-groups"), &body, &[200]);
        let Some(group) = group else { return };
        self.groups.extend(group["id"].as_str().map(str::to_owned));
        for id in group["execution_ids"].as_array().into_iter().flatten() {
            self.acknowledge(id.as_str());
        }
    }

    pub fn act_on_group(&mut self, windlass: &Windlass) {
        if self.groups.is_empty() {
            return;
        }
        let at = self.dice.below(self.groups.len());
        let path = format!("/execution-groups/{}", self.groups[at]);
        if self.dice.below(3) == 0 {
            let body = json!({ "concurrency": self.dice.below(4) });
            self.call(windlass, ("PATCH", &path), &body, &[200]);
            return;
        }
        let actions = ["cancel", "force-cancel", "kill", "resume", "force-resume"];
        let body = json!({ "action": self.dice.of(&actions) });
        // 409: of one of them something else is under way.
        self.call(windlass, ("POST", &path), &body, &[200, 400, 409]);
    }

    /// A worker takes operations; what it took before, or takes now, it reports or keeps.
    pub fn be_a_worker(&mut self, windlass: &Windlass) {
        self.take(windlass);
        let mut kept = Vec::new();
        for lease in std::mem::take(&mut self.leases) {
            match self.dice.below(5) {
                0 => kept.push(lease),
                outcome => self.tell(windlass, &lease, outcome),
            }
        }
        self.leases = kept;
    }

    /// A worker that does all there is, until nothing is left to be done.
    pub fn work_to_the_end(&mut self, windlass: &Windlass) {
        for _ in 0..50 {
            windlass.run_pending_work();
            self.take(windlass);
            if self.leases.is_empty() {
                return;
            }
            for lease in std::mem::take(&mut self.leases) {
                self.tell(windlass, &lease, 1);
            }
        }
        panic!("operations have no end\n{}", self.told.join("\n"));
    }

    fn take(&mut self, windlass: &Windlass) {
        let body = json!({
            "worker": "north", "queues": ["central_deployment_agent"], "max": 5, "wait": 0,
            "lease_seconds": 600,
        });
        let taken = self.call(windlass, ("POST", "/operations/lease"), &body, &[200]);
        let taken = taken.unwrap_or_default();
        let items = taken["items"].as_array().into_iter().flatten();
        let leases = items.filter_map(|item| item["lease_id"].as_str());
        self.leases.extend(leases.map(str::to_owned));
    }

    /// Reports an operation. 409: it was taken away, by whoever stopped its execution.
    fn tell(&mut self, windlass: &Windlass, lease: &str, outcome: usize) {
        let body = match outcome {
            2 => {
                json!({ "status": "failed", "error": { "message": "no dock", "recoverable": true } })
            }
            3 => {
                json!({ "status": "failed", "error": { "message": "no boat", "recoverable": false } })
            }
            _ => json!({ "status": "succeeded", "result": null }),
        };
        let path = format!("/operations/leases/{lease}/result");
        let told = self.call(windlass, ("POST", &path), &body, &[204, 409]);
        // Said once more it is the same, and nothing else.
        let again = [if told.is_some() { 204 } else { 409 }];
        self.call(windlass, ("POST", &path), &body, &again);
    }

    fn acknowledge(&mut self, id: Option<&str>) {
        self.acknowledged.extend(id.map(str::to_owned));
    }

    /// Puts a deployment that was made anew among the others again.
    pub fn join_the_fleet(&mut self, windlass: &Windlass, deployment: &str) {
        let body = json!({ "add": { "deployment_ids": [deployment] } });
        let path = ("PATCH", "/deployment-groups/fleet");
        let _: Option<Value> = self.call(windlass, path, &body, &[200]);
    }
}
