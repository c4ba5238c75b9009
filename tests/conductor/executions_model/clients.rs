//! What clients do: start and stop executions, schedule and forget them, replace deployments and let them depend on others.

use super::{DEPLOYMENTS, History, fleet};
use crate::samples::ids;
use std::collections::BTreeSet;
use windlass_tests::{Value, Windlass, json};

/// What is started, the likeliest most often.
const WORKFLOWS: [&str; 10] = [
    "install",
    "install",
    "install",
    "uninstall",
    "restart",
    "start",
    "reinstall",
    "heal",
    "rollback",
    "check_status",
];

impl History {
    pub fn start(&mut self, windlass: &Windlass) {
        let body = json!({
            "deployment_id": self.dice.of(&DEPLOYMENTS), "workflow_id": self.dice.of(&WORKFLOWS),
            "queue": self.dice.below(3) > 0, "dry_run": self.dice.below(6) == 0,
        });
        // 400: something is in the way, or the workflow is not available.
        let started = self.call(windlass, ("POST", "/executions"), &body, &[201, 400]);
        self.acknowledge(
            windlass,
            started.as_ref().and_then(|answer| answer["id"].as_str()),
        );
    }

    /// Stops an execution, or lets it wait again. 404: it went with its deployment, which is deleted in the background.
    pub fn stop(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        let action = self.dice.of(&["cancel", "force-cancel", "kill", "requeue"]);
        let body = json!({ "action": action });
        let path = format!("/executions/{id}");
        self.call(windlass, ("POST", &path), &body, &[200, 400, 404, 409]);
    }

    /// Goes on with one while nothing else is under way: whether something is, is the caller's to see.
    pub fn resume(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        windlass.run_pending_work();
        let others = "select count(*) from executions where status in
                ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')
            and id <> ?1 and deployment_key = (select deployment_key from executions where id = ?1)";
        let others: i64 = windlass
            .open_database()
            .query_row(others, [&id], |row| row.get(0))
            .expect("a number");
        if others > 0 {
            return;
        }
        let action = self.dice.of(&["resume", "force-resume"]);
        let path = format!("/executions/{id}");
        let body = json!({ "action": action });
        self.call(windlass, ("POST", &path), &body, &[200, 404, 409]);
    }

    /// Somebody reports an end.
    pub fn report(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        let body = json!({ "status": self.dice.of(&["failed", "cancelled", "terminated"]) });
        let path = format!("/executions/{id}");
        self.call(windlass, ("PATCH", &path), &body, &[200, 400, 404]);
    }

    pub fn schedule(&mut self, windlass: &Windlass) {
        let deployment = self.dice.of(&DEPLOYMENTS);
        let path = format!("/execution-schedules/s?deployment_id={deployment}");
        let body = json!({
            "workflow_id": self.dice.of(&["install", "restart"]), "since": "2999-01-01",
            "recurrence": "1 day", "count": 3, "stop_on_fail": self.dice.below(2) == 0,
        });
        if self.dice.below(3) == 0 {
            self.call(windlass, ("DELETE", &path), &Value::Null, &[204, 404]);
        } else {
            self.call(windlass, ("PUT", &path), &body, &[201, 409]);
        }
    }

    /// Time passes until every schedule occurs.
    pub fn let_occur(&mut self, windlass: &Windlass) {
        self.told.push("schedules occur".into());
        let sql =
            "update execution_schedules set next_occurrence = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
                       where enabled = 1;
                   update queue set not_before = 0 where kind = 'execution_schedule'";
        windlass
            .open_database()
            .execute_batch(sql)
            .expect("schedules are there");
    }

    pub fn forget(&mut self, windlass: &Windlass) {
        // The client's DELETE has a body.
        let mut request =
            windlass
                .admin()
                .compose("DELETE", "/executions", Some("application/json"), None);
        request.body = Some(br#"{"keep_last": 5}"#.to_vec());
        let answer = windlass.admin().send(&request);
        self.told
            .push(format!("DELETE /executions -> {}", answer.status));
        assert_eq!(answer.status, 200, "{}", self.told());
        let left = self.known(windlass);
        self.acknowledged.retain(|id, _| left.contains(id));
    }

    /// Deletes a deployment, if that can be, and makes it again.
    pub fn replace(&mut self, windlass: &Windlass) {
        let id = self.dice.of(&DEPLOYMENTS);
        let path = format!("/deployments/{id}");
        let force = format!("{path}?force={}", self.dice.below(3) == 0);
        let gone = self.call(windlass, ("DELETE", &force), &Value::Null, &[204, 400]);
        if gone.is_some() {
            let body = json!({ "blueprint_id": fleet::blueprints_of(id)[0] });
            self.call(windlass, ("PUT", &path), &body, &[201]);
            self.join_the_fleet(windlass, id);
        }
    }

    /// One of the deployments depends on another one from now on, by its labels or by itself, or on none.
    pub fn depend(&mut self, windlass: &Windlass) {
        let [one, other] = [self.dice.of(&DEPLOYMENTS), self.dice.of(&DEPLOYMENTS)];
        let labels = format!("/deployments/{one}");
        let all = "/deployments/inter-deployment-dependencies";
        let own = format!("{labels}/inter-deployment-dependencies");
        // 409: they would depend on each other.
        match self.dice.below(5) {
            0 => {
                let body = json!({ "labels": [{ "csys-obj-parent": other }] });
                self.call(windlass, ("PATCH", &labels), &body, &[200, 409]);
            }
            1 => {
                self.call(
                    windlass,
                    ("PATCH", &labels),
                    &json!({ "labels": [] }),
                    &[200],
                );
            }
            2 | 3 => {
                let body = json!({
                    "dependency_creator": "sample", "source_deployment": one, "target_deployment": other,
                });
                self.call(windlass, ("PUT", all), &body, &[200, 409]);
            }
            _ => {
                let body = json!({ "inter_deployment_dependencies": [] });
                self.call(windlass, ("PUT", &own), &body, &[200]);
            }
        }
    }

    /// The executions that are there.
    pub fn known(&self, windlass: &Windlass) -> BTreeSet<String> {
        let list = windlass.admin().get("/executions?_include=id&_size=1000");
        let list = list.expect(200);
        ids(&list).into_iter().map(str::to_owned).collect()
    }
}
