//! What it costs the database to hand operations to workers and to hear what came of them.

use crate::common::{World, operation, run};
use serde_json::{Value, json};
use windlass_engine::leases::{self, Reported};
use windlass_engine::step::Outcome;
use windlass_store::operation_leases::Asked;

/// An installation of so many nodes, each of which a worker makes, and which its workers are given.
fn begun(nodes: usize) -> World {
    let world = World::new();
    for number in 0..nodes {
        let create = operation("script", "script_runner.tasks.run", json!({ "size": 7 }));
        world.node(&format!("vm{number:03}"), json!({ "create": create }), &[]);
    }
    world.start("install", json!({}));
    world.tick().unwrap();
    world
}

fn take(world: &World, most: usize) -> Vec<Value> {
    let asked = Asked {
        worker: "north".into(),
        queues: vec!["central_deployment_agent".into()],
        most,
        seconds: 60,
    };
    run(leases::lease(&world.db, &world.scope, &asked, world.now())).unwrap()
}

fn report(world: &World, leases: &[Value]) {
    let reported = leases.iter().map(|lease| {
        let id = lease["lease_id"].as_str().unwrap();
        let outcome = Outcome::Succeeded {
            result: Value::Null,
            runtime_properties: Default::default(),
        };
        Reported::new(id, outcome, "")
    });
    let reported = reported.collect();
    let refused = run(leases::conclude_all(
        &world.db,
        &world.scope,
        reported,
        world.now(),
    ));
    assert!(refused.unwrap().is_empty());
}

/// The steps that SQLite makes for one more result, when so many nodes are being installed.
fn steps_of_a_result(nodes: usize) -> i64 {
    let world = begun(nodes);
    for _ in 0..2 {
        report(&world, &take(&world, 1));
    }
    let leases = take(&world, 1);
    world.db.steps();
    report(&world, &leases);
    world.db.steps()
}

#[test]
fn a_result_costs_the_same_however_many_others_run() {
    let (few, many) = (steps_of_a_result(5), steps_of_a_result(80));
    println!("steps of a result: {few} of 5 nodes, {many} of 80");
    assert!(many < few * 3 / 2, "{many} of 80 nodes, {few} of 5");
}

#[test]
fn an_installation_ends_whichever_results_come_together() {
    for most in [1, 2, 7, 30] {
        let world = begun(30);
        loop {
            let leases = take(&world, most);
            if leases.is_empty() {
                break;
            }
            report(&world, &leases);
        }
        world.work();
        let states = world.states();
        assert!(
            states.iter().all(|state| state.ends_with(" started")),
            "{states:?}"
        );
    }
}
