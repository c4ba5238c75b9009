//! Ticks that run beside each other, in the orders that chance finds: an execution always ends.

use crate::common::{Answer, EngineOnly, World, http, run};
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::task::Poll;
use windlass_core::db::{Db, NativeDb, NativeTransaction, Row, Value as DbValue};
use windlass_core::outbound::{Clock, Outbound, OutboundRequest, OutboundResponse};
use windlass_core::{Result, Timestamp};
use windlass_engine::StartRequest;
use windlass_store::queue::Room;

/// Numbers that look like chance and are the same for a seed.
struct Chance(Cell<u64>);

impl Chance {
    fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        (state >> 11) % limit
    }
}

/// A database before whose statements another tick may do all of its work.
struct Shared<'w> {
    world: &'w World,
    inner: NativeDb,
    chance: &'w Chance,
    is_inside: Rc<Cell<bool>>,
}

impl<'w> Shared<'w> {
    fn of(world: &'w World, chance: &'w Chance) -> Self {
        Self {
            world,
            inner: world.db.clone(),
            chance,
            is_inside: Rc::default(),
        }
    }

    fn others_first(&self) {
        if self.is_inside.get() || self.chance.below(3) > 0 {
            return;
        }
        self.is_inside.set(true);
        // What waits for another try may have become due meanwhile.
        self.world
            .pass(i64::try_from(self.chance.below(700)).unwrap());
        self.world.tick().expect("nothing waits");
        self.is_inside.set(false);
    }
}

impl Db for Shared<'_> {
    type Tx = NativeTransaction;

    async fn query(&self, sql: &str, parameters: &[DbValue]) -> Result<Vec<Row>> {
        self.others_first();
        self.inner.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        self.others_first();
        self.inner.transaction(work).await
    }
}

/// A network whose answers take a while, and a clock that goes on meanwhile.
struct Slow<'w> {
    world: &'w World,
    chance: &'w Chance,
}

/// Lets whatever else there is go first.
async fn others_next() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

impl Outbound for Slow<'_> {
    async fn send(&self, _request: OutboundRequest) -> Result<OutboundResponse, String> {
        for _ in 0..self.chance.below(12) {
            others_next().await;
        }
        Ok(OutboundResponse {
            status: if self.chance.below(3) == 0 { 200 } else { 500 },
            headers: Vec::new(),
            body: b"{}".to_vec(),
        })
    }
}

impl Clock for Slow<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    async fn sleep(&self, _millis: i64) {
        others_next().await;
        let millis = 50 + self.chance.below(400);
        self.world.pass(i64::try_from(millis).unwrap());
    }
}

/// A call that is tried again once, a second later.
fn failing(name: &str) -> Value {
    let mut operation = http(name);
    operation["max_retries"] = json!(2);
    operation["retry_interval"] = json!(1);
    operation
}

#[test]
fn an_execution_ends_however_ticks_meet() {
    for seed in 1..=60_u64 {
        let chance = Chance(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut world = World::new();
        // Few at a time, so that a tick has to come back for more.
        world.options.room = Room::from(3);
        for number in 0..16 {
            let name = format!("n{number}");
            world.node(&name, json!({ "create": failing(&name) }), &[]);
        }
        world.net.answers(|_, _| Answer::Status(500, "no"));
        let id = world.start("install", json!({}));
        let slow = Slow {
            world: &world,
            chance: &chance,
        };
        let shared = Shared::of(&world, &chance);
        let engine = EngineOnly(world.clock.clone());
        for _ in 0..200 {
            let tick = windlass_engine::tick(&shared, &slow, &slow, &engine, &world.options);
            run(tick).unwrap();
            world.pass(1000);
            if !matches!(world.status(&id).as_str(), "started" | "pending") {
                break;
            }
        }
        let open = "select coalesce(group_concat(name || ' ' || state), '') from operations
                    where state in ('sent', 'started', 'rescheduled') and type = 'RemoteWorkflowTask'";
        let status = world.status(&id);
        assert!(
            matches!(status.as_str(), "failed" | "terminated"),
            "seed {seed}: {status}, open: {}",
            world.text(open)
        );
        // What is left is about nothing any more, and goes.
        world.work();
    }
}

/// An install of a deployment, made for it.
fn start(world: &World, deployment: &str, workflow: &str) -> String {
    let request = StartRequest {
        deployment_id: deployment.into(),
        workflow_id: workflow.into(),
        force: true,
        ..StartRequest::default()
    };
    world.try_start(request).unwrap().id
}

#[test]
fn installs_that_fail_at_once_all_end_beside_others() {
    for seed in 1..=6_u64 {
        let chance = Chance(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut world = World::new();
        world.options.room = Room::from(5);
        world.node("idle", json!({}), &[]);
        world.net.answers(|_, _| Answer::Status(500, "no"));
        let installs: Vec<String> = (0..4)
            .map(|place| {
                let deployment = format!("fails{place}");
                world.deployment(&deployment);
                for number in 0..10 {
                    let name = format!("n{place}_{number}");
                    let mut create = failing(&name);
                    create["max_retries"] = json!(1);
                    let create = json!({ "create": create });
                    world.node_of(&deployment, &name, "cloudify.nodes.Root", create, &[]);
                }
                start(&world, &deployment, "install")
            })
            .collect();
        let slow = Slow {
            world: &world,
            chance: &chance,
        };
        let shared = Shared::of(&world, &chance);
        let engine = EngineOnly(world.clock.clone());
        let mut open = installs.len();
        for _ in 0..200 {
            // Trivial ones come and go beside them.
            start(&world, "d", "restart");
            let tick = windlass_engine::tick(&shared, &slow, &slow, &engine, &world.options);
            run(tick).unwrap();
            world.pass(300);
            let has_ended = |id: &String| matches!(&*world.status(id), "failed" | "terminated");
            open = installs.iter().filter(|id| !has_ended(id)).count();
            if open == 0 {
                break;
            }
        }
        assert_eq!(open, 0, "seed {seed}: some never end");
        world.work();
        let others =
            "select count(*) || '' from executions where status not in ('terminated', 'failed')";
        assert_eq!(world.text(others), "0", "seed {seed}");
    }
}
