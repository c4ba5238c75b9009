//! Tenants share the queue: one whose calls hang keeps nobody else waiting.

use crate::common::{Answer, World, http, run};
use serde_json::json;
use windlass_core::Scope;
use windlass_core::db::Db;
use windlass_engine::{StartRequest, dequeue};

/// A deployment of another tenant, with a node of its own.
fn other_tenant(world: &World) {
    world.deployment("other");
    let create = json!({ "create": http("quick") });
    world.node_of("other", "lamp", "cloudify.nodes.Root", create, &[]);
    world.sql("insert into tenants (name, created_at) values ('quay', '')");
    for table in ["deployments", "nodes", "node_instances"] {
        let id = if table == "deployments" {
            "id"
        } else {
            "deployment_id"
        };
        world.sql(&format!(
            "update {table} set tenant_name = 'quay' where {id} = 'other'"
        ));
    }
}

fn install_other(world: &World) -> String {
    let scope = Scope::system("bob", "quay");
    let request = StartRequest {
        deployment_id: "other".into(),
        workflow_id: "install".into(),
        ..StartRequest::default()
    };
    let now = world.now();
    let started = world
        .db
        .transaction(async |tx| windlass_engine::start(tx, &scope, request, now).await);
    run(started).unwrap().id
}

/// 300 calls that hang, of one tenant's deployment, and a quick one of another's.
fn two_tenants() -> World {
    let world = World::new();
    for number in 0..300 {
        let name = format!("n{number}");
        world.node(&name, json!({ "create": http("hangs") }), &[]);
    }
    other_tenant(&world);
    world
        .net
        .answers(|request, _| match request.url.ends_with("hangs") {
            true => Answer::Silence,
            false => Answer::Status(200, "{}"),
        });
    world.start("install", json!({}));
    world
}

#[test]
fn a_tenant_whose_calls_hang_leaves_others_their_places() {
    let world = two_tenants();
    let held = "select count(*) || '' from queue where lease_holder is not null";
    // Ticks beside each other: none of them ends. Each keeps half of its places for others, and all
    // together half of all.
    for places in ["64", "128", "128", "128"] {
        // One that gets nothing has nothing to wait for.
        world.tick();
        assert_eq!(world.text(held), places);
    }
    let id = install_other(&world);
    world.tick().unwrap();
    assert_eq!(world.status(&id), "terminated");
}

/// Where nobody else ticks, a tick full of one tenant's calls would leave those it queued itself.
#[test]
fn a_tick_has_places_left_for_every_tenant() {
    let world = two_tenants();
    let id = install_other(&world);
    assert!(world.tick().is_none(), "calls hang");
    assert_eq!(world.status(&id), "terminated");
}

/// Twenty runs of one tenant are no reason for another's group to wait.
#[test]
fn a_tenant_whose_runs_are_many_leaves_others_to_begin() {
    let world = World::new();
    other_tenant(&world);
    world.sql(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < 20)
         insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
         select 'x' || k, 'harbour', 'ann', 'tenant', '2026-01-01T00:00:00.000Z', 'install', 'started' from n",
    );
    world.sql(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status,
             deployment_key, deployment_id)
         select 'waits', tenant_name, 'bob', 'tenant', '2026-01-01T00:00:00.000Z', 'install', 'queued', key, id
         from deployments where id in ('d', 'other') and tenant_name = 'quay'
         union all
         select 'full', tenant_name, 'ann', 'tenant', '2026-01-01T00:00:00.000Z', 'install', 'queued', key, id
         from deployments where id = 'd'",
    );
    let now = world.now();
    run(world
        .db
        .transaction(async |tx| dequeue::start_waiting(tx, now).await))
    .unwrap();
    assert_eq!(world.status("waits"), "pending");
    assert_eq!(world.status("full"), "queued");
}
