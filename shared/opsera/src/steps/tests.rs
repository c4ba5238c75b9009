//! Runs from their first step to their last, on a queue and a network of the tests' own.

#[path = "tests/failures.rs"]
mod failures;
#[path = "tests/secrets.rs"]
mod secrets;
#[path = "tests/shell.rs"]
mod shell;
#[path = "tests/tools.rs"]
mod tools;

use super::*;
use crate::lifecycle::{self, Started};
use crate::pipelines;
use crate::testing::{asker, database};
use serde_json::json;
use std::cell::{Cell, RefCell};
use windlass_core::db::NativeDb;
use windlass_core::outbound::{OutboundRequest, OutboundResponse};
use windlass_core::params;

/// A clock that goes on when nothing is due.
struct TestClock(Cell<i64>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.get())
    }

    async fn sleep(&self, millis: i64) {
        self.0.set(self.0.get() + millis);
    }
}

type Answering<'a> = dyn Fn(&OutboundRequest) -> Result<OutboundResponse, String> + 'a;

/// Other servers, and what they were sent.
struct Net<'a> {
    answer: Box<Answering<'a>>,
    sent: RefCell<Vec<OutboundRequest>>,
}

impl Outbound for Net<'_> {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        self.sent.borrow_mut().push(request.clone());
        (self.answer)(&request)
    }
}

fn net<'a>(answer: impl Fn(&OutboundRequest) -> Result<OutboundResponse, String> + 'a) -> Net<'a> {
    Net {
        answer: Box::new(answer),
        sent: RefCell::default(),
    }
}

fn answer(status: u16, body: impl Into<String>) -> Result<OutboundResponse, String> {
    Ok(OutboundResponse {
        status,
        headers: Vec::new(),
        body: body.into().into_bytes(),
    })
}

/// A database with a pipeline of ann's, and a clock.
struct World {
    db: NativeDb,
    clock: TestClock,
    id: String,
}

impl World {
    async fn new(plan: Json) -> Self {
        let db = database().await;
        let (clock, id) = (
            TestClock(Cell::new(Timestamp::now().millis())),
            String::new(),
        );
        let mut world = Self { db, clock, id };
        world.id = world.pipeline(plan).await;
        world
    }

    async fn pipeline(&self, plan: Json) -> String {
        let object = json!({ "name": "Deliver", "workflow": { "plan": plan } });
        let mia = asker("mia");
        let stored = self.db.transaction(async |tx| {
            let id = pipelines::insert(tx, &mia, object.as_object().unwrap()).await?;
            tx.execute(
                "update pipelines set created_by = 'ann', runs_as = 'ann' where id = ?1",
                params![id.as_str()],
            )
            .await?;
            Ok(id)
        });
        stored.await.unwrap()
    }

    async fn tool(&self, identifier: &str, configuration: Json) -> String {
        let object = json!({ "name": "Tool", "tool_identifier": identifier, "configuration": configuration });
        let mia = asker("mia");
        let object = object.as_object().unwrap();
        self.db
            .transaction(async |tx| crate::tools::insert(tx, &mia, object).await)
            .await
            .unwrap()
    }

    async fn start(&self, who: &str, parameters: Json) -> Started {
        let asker = asker(who);
        let parameters = parameters.as_object().unwrap();
        let now = self.clock.now();
        self.db
            .transaction(async |tx| lifecycle::run(tx, &asker, &self.id, parameters, now).await)
            .await
            .unwrap()
    }

    /// Works until nothing is left that comes by itself within an hour.
    async fn work(&self, net: &Net<'_>) {
        for _ in 0..1000 {
            let rows = queue::lease(&self.db, "me", 64, 60_000, self.clock.now())
                .await
                .unwrap();
            for row in &rows {
                if row.work != queue::Work::PipelineStep {
                    queue::finish(&self.db, "me", &[row.key]).await.unwrap();
                    continue;
                }
                run(&self.db, net, &self.clock, "me", row).await.unwrap();
            }
            if !rows.is_empty() {
                continue;
            }
            match queue::next_due(&self.db).await.unwrap() {
                Some(next) if next < self.clock.0.get() + 3_600_000 => self.clock.0.set(next),
                _ => return,
            }
        }
        panic!("the queue has no end");
    }

    async fn state(&self) -> String {
        let sql = "select state from pipeline_runs order by key desc limit 1";
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }

    /// Name, state and error of each step that has begun.
    async fn steps(&self) -> Vec<(i64, String, Option<String>)> {
        let sql = "select json_array(position, state, error) from pipeline_steps order by position";
        self.db.json_rows(sql, &[]).await.unwrap()
    }

    async fn outputs(&self, position: i64) -> Json {
        let sql = "select outputs from pipeline_steps where position = ?1";
        self.db
            .first_json(sql, params![position])
            .await
            .unwrap()
            .unwrap()
    }

    async fn console(&self) -> String {
        let sql = "select coalesce(group_concat(response, ''), '') from (
             select response from pipeline_logs where is_console = 1 order by key)";
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }

    async fn everything_kept(&self) -> String {
        let sql = "select group_concat(t, '|') from (
             select coalesce(external, '') || coalesce(outputs, '') || coalesce(error, '') as t from pipeline_steps
             union all select message || coalesce(response, '') from pipeline_logs)";
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.text(0).unwrap().to_owned()
    }
}

fn hook(name: &str, configuration: Json) -> Json {
    json!({ "name": name, "tool": { "tool_identifier": "webhook", "configuration": configuration } })
}

fn at(name: &str) -> Json {
    hook(name, json!({ "url": format!("https://r.example/{name}") }))
}

fn with(mut step: Json, field: &str, value: Json) -> Json {
    step[field] = value;
    step
}

#[test]
fn steps_call_in_order_and_hand_on_what_they_were_answered() {
    pollster::block_on(async {
        let build = hook(
            "Build",
            json!({
                "url": "https://r.example/build", "body": { "size": "{{ parameters.size }}", "n": "{{ run.number }}" },
                "outputs": { "artifact": "/id", "count": "n" },
            }),
        );
        let deploy = hook(
            "Deploy",
            json!({
                "url": "https://r.example/deploy/{{ steps.Build.outputs.artifact }}", "method": "PUT",
                "headers": { "x-by": "{{ run.started_by }}" }, "body": "count={{ steps.Build.outputs.count }}",
            }),
        );
        let world = World::new(json!([build, deploy])).await;
        assert_eq!(
            world.start("bob", json!({ "size": 3 })).await,
            Started::Run(1)
        );
        let net = net(|_| answer(200, r#"{"id": "a7", "n": 9}"#));
        world.work(&net).await;
        assert_eq!(world.state().await, "success");
        assert_eq!(
            world.outputs(0).await,
            json!({ "artifact": "a7", "count": 9 })
        );
        let sent = net.sent.borrow().clone();
        let calls: Vec<(&str, &str, String)> = sent
            .iter()
            .map(|one| {
                (
                    one.method.as_str(),
                    one.url.as_str(),
                    String::from_utf8(one.body.clone()).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            calls,
            [
                (
                    "POST",
                    "https://r.example/build",
                    r#"{"size":3,"n":1}"#.to_owned()
                ),
                ("PUT", "https://r.example/deploy/a7", "count=9".to_owned()),
            ]
        );
        let key = |one: &OutboundRequest| {
            one.headers
                .iter()
                .find(|(name, _)| name == "idempotency-key")
                .cloned()
        };
        assert_ne!(key(&sent[0]), key(&sent[1]));
        assert!(sent[1].headers.contains(&("x-by".into(), "bob".into())));
        assert_eq!(
            world.console().await,
            r#"{"id": "a7", "n": 9}{"id": "a7", "n": 9}"#
        );
    });
}

#[test]
fn parallel_steps_begin_together_and_a_failure_lets_them_end() {
    pollster::block_on(async {
        let plan = json!([
            at("a"),
            with(at("b"), "dependencies", json!([])),
            with(at("c"), "dependencies", json!(["a", "b"])),
        ]);
        let world = World::new(plan).await;
        world.start("ann", json!({})).await;
        assert_eq!(world.steps().await.len(), 2);
        let net = net(|request| match request.url.ends_with("/a") {
            true => answer(500, "broken\nthings"),
            false => answer(200, ""),
        });
        world.work(&net).await;
        assert_eq!(world.state().await, "failed");
        let steps = world.steps().await;
        assert_eq!(steps.len(), 2, "what depends on them never began");
        assert_eq!(
            steps[0].2.as_deref(),
            Some("POST https://r.example/a answered 500: brokenthings")
        );
        assert_eq!(steps[1].1, "success");
    });
}

#[test]
fn waits_and_approvals_take_their_time_and_no_longer() {
    pollster::block_on(async {
        let wait = json!({ "name": "w", "tool": { "tool_identifier": "wait", "configuration": { "seconds": "{{ parameters.s }}" } } });
        let approval = json!({ "name": "ok", "timeout_seconds": 100, "tool": { "tool_identifier": "approval" } });
        let world = World::new(json!([wait, approval])).await;
        let begun = world.clock.0.get();
        world.start("ann", json!({ "s": 50 })).await;
        let net = net(|_| answer(200, ""));
        world.work(&net).await;
        assert_eq!(world.clock.0.get() - begun, 150_000);
        assert_eq!(world.state().await, "failed");
        let error = world.steps().await[1].2.clone().unwrap();
        assert_eq!(
            error,
            "Nobody approved it: it did not end within 100 seconds"
        );
        world.start("ann", json!({ "s": -1 })).await;
        world.work(&net).await;
        assert_eq!(world.state().await, "failed");
    });
}

#[test]
fn a_stop_is_soft() {
    pollster::block_on(async {
        let world = World::new(json!([at("a"), at("b")])).await;
        world.start("ann", json!({})).await;
        let ann = asker("ann");
        let now = world.clock.now();
        world
            .db
            .transaction(async |tx| lifecycle::stop(tx, &ann, &world.id, now).await)
            .await
            .unwrap();
        assert_eq!(world.state().await, "stopping");
        let net = net(|_| answer(200, ""));
        world.work(&net).await;
        assert_eq!(world.state().await, "stopped");
        assert_eq!(
            net.sent.borrow().len(),
            1,
            "what was under way has ended, nothing else began"
        );
        let now = world.clock.now();
        world
            .db
            .transaction(async |tx| lifecycle::resume(tx, &ann, &world.id, now).await)
            .await
            .unwrap();
        world.work(&net).await;
        assert_eq!(
            (world.state().await.as_str(), net.sent.borrow().len()),
            ("success", 2)
        );
    });
}

#[test]
fn executions_and_maintenances_need_what_their_requests_need() {
    pollster::block_on(async {
        let execution = json!({ "name": "e", "tool": { "tool_identifier": "conductor", "configuration": {
            "deployment_id": "none", "workflow_id": "install" } } });
        let open = json!({ "name": "m", "tool": { "tool_identifier": "status-maintenance", "configuration": {
            "title": "Delivering now", "description": "We deliver", "contact_email": "a@b.example", "components": [1] } } });
        let close = json!({ "name": "c", "tool": { "tool_identifier": "status-maintenance", "configuration": {
            "action": "close", "event_id": "{{ steps.m.outputs.event_id }}", "message": "It is delivered." } } });
        let net = net(|_| answer(200, ""));
        for (plan, who, part) in [
            (
                json!([execution]),
                "ann",
                "`Deployment` with ID `none` was not found",
            ),
            (
                json!([open]),
                "ann",
                "not permitted to perform the action status_event_manage",
            ),
        ] {
            let world = World::new(plan).await;
            world.start(who, json!({})).await;
            world.work(&net).await;
            let error = world.steps().await[0].2.clone().unwrap();
            assert!(error.contains(part), "{error}");
        }
        let world = World::new(json!([execution])).await;
        let maintained = "update identity_version set maintenance = 'activating'";
        world.db.execute(maintained, &[]).await.unwrap();
        world.start("ann", json!({})).await;
        world.work(&net).await;
        let error = world.steps().await[0].2.clone().unwrap();
        assert!(error.contains("is being maintained"), "{error}");
        let world = World::new(json!([open, close])).await;
        let sql = "insert into status_components (id, name, attributes, attributes_key, position, created_at)
             values (1, 'Volumes', '[]', '[]', 1, '')";
        world.db.execute(sql, &[]).await.unwrap();
        world.start("root", json!({})).await;
        world.work(&net).await;
        assert_eq!(world.state().await, "success", "{:?}", world.steps().await);
        let sql = "select json_array(kind, status) from status_incidents";
        let event: Json = world.db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(event, json!(["maintenance", "completed"]));
    });
}
