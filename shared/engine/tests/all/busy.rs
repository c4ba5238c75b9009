//! Ticks beside a database that others keep locked: nothing is lost, nothing counts as a failure.

use crate::common::busy::{BEGIN, BusyDb};
use crate::common::{EngineOnly, FakeClock, World, http, run};
use serde_json::json;
use windlass_core::outbound::Clock;
use windlass_core::{Result, Timestamp};
use windlass_engine::TickReport;

/// A clock that goes on when somebody sleeps.
struct Passing(FakeClock);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, millis: i64) {
        self.0.now.set(self.0.now.get() + millis);
    }
}

fn tick(world: &World, busy: impl FnMut(&str) -> bool + 'static) -> Result<TickReport> {
    let db = BusyDb::new(&world.db, busy);
    let engine = EngineOnly(world.clock.clone());
    let clock = Passing(world.clock.clone());
    run(windlass_engine::tick(
        &db,
        &world.net,
        &clock,
        &engine,
        &world.options,
    ))
}

fn one_node() -> (World, String) {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    (world, id)
}

/// What the queue says of its only row.
fn row(world: &World) -> String {
    let now = world.now().millis();
    world.text(&format!(
        "select kind || ' in ' || (not_before - {now}) || ', attempts ' || attempts || ', failures '
             || failures || iif(lease_holder is null, '', ', held')
         from queue"
    ))
}

#[test]
fn work_that_finds_the_database_busy_is_tried_again_in_a_second() {
    let (world, id) = one_node();
    let report = tick(&world, |sql| sql == BEGIN).unwrap();
    assert_eq!((report.ran, report.next_due), (1, Some(1000)));
    assert_eq!(row(&world), "execution in 1000, attempts 0, failures 0");
    world.pass(1000);
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn a_row_that_cannot_even_be_given_back_is_free_when_its_lease_ends() {
    let (world, id) = one_node();
    let busy = |sql: &str| sql == BEGIN || sql.contains("lease_holder = null");
    let report = tick(&world, busy).unwrap();
    assert_eq!((report.ran, report.next_due), (1, Some(5000)));
    assert_eq!(row(&world), "execution in 0, attempts 1, failures 0, held");
    world.pass(5000);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths(), ["create"]);
}

#[test]
fn a_tick_that_cannot_lease_leaves_the_rows_to_others() {
    let (world, id) = one_node();
    let report = tick(&world, |sql| sql.contains("set lease_holder = ?1")).unwrap();
    assert_eq!((report.ran, report.next_due), (0, Some(0)));
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

#[test]
fn the_end_of_a_call_is_worth_waiting_for_a_busy_database() {
    for (busy_times, sent) in [(2, 1), (3, 2)] {
        let (world, id) = one_node();
        // The first transaction drives the execution, the second begins the call.
        let mut transactions = 0;
        let report = tick(&world, move |sql| {
            transactions += i32::from(sql == BEGIN);
            sql == BEGIN && transactions > 2 && transactions <= 2 + busy_times
        });
        report.unwrap();
        world.pass(5000);
        world.work();
        assert_eq!(world.status(&id), "terminated", "{busy_times}");
        assert_eq!(world.net.paths().len(), sent, "{busy_times}");
        let requests = world.net.requests.borrow();
        let keys = requests.iter().map(|request| &request.headers);
        assert_eq!(keys.collect::<std::collections::BTreeSet<_>>().len(), 1);
    }
}
