//! Random histories of executions, and what holds after each of their steps, whatever happened.
//!
//! A history is made of calls of clients, occurrences of schedules, ticks and kills. It is repeatable but
//! for what runs meanwhile: the seed is in the message of a failure. `WINDLASS_MODEL_SECONDS` says for how
//! long histories are tried, `WINDLASS_MODEL_SEED` with which one to begin.

use crate::samples::ids;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use windlass_tests::{Options, Recorder, Value, Windlass, json};

const DEPLOYMENTS: [&str; 3] = ["north", "south", "west"];

/// How many steps a history has.
const STEPS: usize = 60;

/// The states that the tables of workflows know.
const STATES: &str = "'uninitialized', 'initializing', 'creating', 'created', 'configuring',
    'configured', 'starting', 'started', 'stopping', 'stopped', 'deleting', 'deleted'";

/// One node with nothing to do, and one whose creation is a call that fails now and then.
const BLUEPRINT: &str = "
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

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// A history under way.
struct History {
    dice: Dice,
    /// What was answered to be there, and was not deleted since.
    acknowledged: BTreeSet<String>,
    /// What was done, for the message of a failure.
    told: Vec<String>,
}

impl History {
    fn step(&mut self, windlass: Windlass) -> Windlass {
        match self.dice.below(20) {
            0..=5 => self.start(&windlass),
            6..=8 => self.stop(&windlass),
            9 | 10 => self.resume(&windlass),
            11 => self.report(&windlass),
            12 => self.schedule(&windlass),
            13 => self.let_occur(&windlass),
            14 => self.forget(&windlass),
            15 => self.replace(&windlass),
            16 | 17 => {
                self.told.push("tick".into());
                windlass.tick();
            }
            18 => {
                self.told.push("work".into());
                windlass.run_pending_work();
            }
            _ => {
                self.told.push("kill".into());
                return windlass.kill().start();
            }
        }
        windlass
    }

    /// Calls, and expects one of these statuses.
    fn call(
        &mut self,
        windlass: &Windlass,
        (method, path): (&str, &str),
        body: &Value,
        expected: &[u16],
    ) -> Option<Value> {
        let admin = windlass.admin();
        let reply = match method {
            "POST" => admin.post(path, body.clone()),
            "PUT" => admin.put(path, body.clone()),
            "PATCH" => admin.patch(path, body.clone()),
            _ => admin.delete(path),
        };
        let status = reply.status();
        self.told
            .push(format!("{method} {path} {body} -> {status}"));
        assert!(
            expected.contains(&status),
            "{status} {}\n{}",
            reply.text(),
            self.told.join("\n")
        );
        (status < 300).then(|| serde_json::from_str(&reply.text()).unwrap_or_default())
    }

    fn start(&mut self, windlass: &Windlass) {
        let workflow = self
            .dice
            .of(&["install", "install", "uninstall", "restart", "start"]);
        let body = json!({
            "deployment_id": self.dice.of(&DEPLOYMENTS), "workflow_id": workflow,
            "queue": self.dice.below(3) > 0, "dry_run": self.dice.below(6) == 0,
        });
        // 400: something is in the way, or the workflow is not available.
        let started = self.call(windlass, ("POST", "/executions"), &body, &[201, 400]);
        self.acknowledged
            .extend(started.and_then(|answer| answer["id"].as_str().map(str::to_owned)));
    }

    fn any(&mut self) -> Option<String> {
        let at = self.dice.below(self.acknowledged.len().max(1));
        self.acknowledged.iter().nth(at).cloned()
    }

    fn stop(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        let action = self.dice.of(&["cancel", "force-cancel", "kill", "requeue"]);
        let body = json!({ "action": action });
        let path = format!("/executions/{id}");
        self.call(windlass, ("POST", &path), &body, &[200, 400, 409]);
    }

    /// Goes on with one while nothing else is under way: whether something is, is the caller's to see.
    fn resume(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        windlass.run_pending_work();
        let action = self.dice.of(&["resume", "force-resume"]);
        let path = format!("/executions/{id}");
        let body = json!({ "action": action });
        self.call(windlass, ("POST", &path), &body, &[200, 409]);
    }

    /// Somebody reports an end.
    fn report(&mut self, windlass: &Windlass) {
        let Some(id) = self.any() else { return };
        let body = json!({ "status": self.dice.of(&["failed", "cancelled", "terminated"]) });
        let path = format!("/executions/{id}");
        self.call(windlass, ("PATCH", &path), &body, &[200, 400]);
    }

    fn schedule(&mut self, windlass: &Windlass) {
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
    fn let_occur(&mut self, windlass: &Windlass) {
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

    fn forget(&mut self, windlass: &Windlass) {
        // The client's DELETE has a body.
        let mut request =
            windlass
                .admin()
                .compose("DELETE", "/executions", Some("application/json"), None);
        request.body = Some(br#"{"keep_last": 5}"#.to_vec());
        let answer = windlass.admin().send(&request);
        self.told
            .push(format!("DELETE /executions -> {}", answer.status));
        assert_eq!(answer.status, 200, "{}", self.told.join("\n"));
        let left = self.known(windlass);
        self.acknowledged.retain(|id| left.contains(id));
    }

    /// Deletes a deployment, if that can be, and makes it again.
    fn replace(&mut self, windlass: &Windlass) {
        let id = self.dice.of(&DEPLOYMENTS);
        let path = format!("/deployments/{id}");
        let gone = self.call(windlass, ("DELETE", &path), &Value::Null, &[204, 400]);
        if gone.is_some() {
            let left = self.known(windlass);
            self.acknowledged.retain(|id| left.contains(id));
            let body = json!({ "blueprint_id": "crane" });
            self.call(windlass, ("PUT", &path), &body, &[201]);
        }
    }

    fn known(&self, windlass: &Windlass) -> BTreeSet<String> {
        let list = windlass.admin().get("/executions?_include=id&_size=1000");
        let list = list.expect(200);
        ids(&list).into_iter().map(str::to_owned).collect()
    }

    /// What holds at any time.
    fn check(&self, windlass: &Windlass) {
        let database = windlass.open_database();
        let count = |sql: &str| -> i64 {
            let found = database.query_row(sql, [], |row| row.get(0));
            found.expect("a number")
        };
        let told = || self.told.join("\n");
        let active = "select count(*) from (select 1 from executions where status in
                ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')
            group by deployment_key having count(*) > 1)";
        assert_eq!(count(active), 0, "two run on one deployment\n{}", told());
        let states = format!("select count(*) from node_instances where state not in ({STATES})");
        assert_eq!(count(&states), 0, "an unknown state\n{}", told());
        let known = self.known(windlass);
        let lost: Vec<&String> = self.acknowledged.difference(&known).collect();
        assert!(lost.is_empty(), "{lost:?} are lost\n{}", told());
    }

    /// What holds when nothing is left to be done.
    fn check_end(&self, windlass: &Windlass) {
        windlass.run_pending_work();
        let database = windlass.open_database();
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = database.prepare(sql).expect("SQL");
            let rows = statement.query_map([], |row| row.get(0)).expect("rows");
            rows.map(|row| row.expect("a text")).collect()
        };
        let told = || self.told.join("\n");
        let left =
            texts("select kind || ' ' || subject from queue where kind <> 'execution_schedule'");
        assert!(left.is_empty(), "{left:?} is left\n{}", told());
        let open = texts(
            "select id || ' ' || status from executions
             where status not in ('terminated', 'failed', 'cancelled')",
        );
        assert!(open.is_empty(), "{open:?} never end\n{}", told());
        // The latest run that went through says in which state the instances are.
        let wrong = texts(
            "select d.id || ' ' || e.workflow_id || ' ' || i.id || ' ' || i.state
             from deployments d join executions e on e.key = (select max(key) from executions
                 where deployment_key = d.key and is_dry_run = 0 and workflow_id <> 'create_deployment_environment')
             join node_instances i on i.deployment_key = d.key
             where e.status = 'terminated' and e.resume = 0 and e.finished_operations = e.total_operations
               and (e.workflow_id = 'install' and i.state <> 'started'
                 or e.workflow_id = 'uninstall' and i.state <> 'deleted')
               and not exists (select 1 from audit_log a where a.action = 'execution_status_update' and a.target_id = e.id)",
        );
        assert!(wrong.is_empty(), "{wrong:?}\n{}", told());
        let audit = windlass.host_command(&["audit-store"]);
        assert!(!audit.contains("wrong: "), "{audit}\n{}", told());
    }
}

fn prepared() -> (Windlass, Recorder) {
    let seen = std::sync::atomic::AtomicU64::new(0);
    let recorder = Recorder::answering(move |_| {
        let number = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match number % 5 {
            3 => (400, json!({ "error": "not today" })),
            _ => (200, json!({})),
        }
    });
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    let text = BLUEPRINT.replace("URL", &format!("'{}/create'", recorder.url()));
    admin
        .upload("crane", "crane.yaml", &[("crane.yaml", &text)])
        .expect(201);
    for id in DEPLOYMENTS {
        let body = json!({ "blueprint_id": "crane" });
        admin.put(&format!("/deployments/{id}"), body).expect(201);
    }
    (windlass, recorder)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_executions_keep_their_promises() {
    let time = Duration::from_secs(number("WINDLASS_MODEL_SECONDS").unwrap_or(20));
    let mut seed = number("WINDLASS_MODEL_SEED").unwrap_or(1);
    let begun = Instant::now();
    while begun.elapsed() < time {
        let (mut windlass, _recorder) = prepared();
        let mut history = History {
            dice: Dice(seed),
            acknowledged: BTreeSet::new(),
            told: vec![format!("seed {seed}")],
        };
        for _ in 0..STEPS {
            windlass = history.step(windlass);
            history.check(&windlass);
            if begun.elapsed() >= time {
                break;
            }
        }
        history.check_end(&windlass);
        seed += 1;
    }
}
