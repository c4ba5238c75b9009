//! Components: the other deployment is made, installed, taken down and deleted once, whoever dies meanwhile.

use crate::common::{Answer, World, http, operation, run};
use serde_json::{Value, json};
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{NoImports, parse};
use windlass_core::db::Db;
use windlass_core::params;
use windlass_engine::control::Action;

const HULL: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  hull: {type: cloudify.nodes.Root}
capabilities:
  depth: {value: 3}
";

fn component(step: &str) -> Value {
    operation(
        "cfy_extensions",
        &format!("cloudify_types.component.{step}"),
        json!({}),
    )
}

/// The deployment `d` with a component `inner` of the blueprint `hull`.
fn tug() -> World {
    let world = World::new();
    let tree = Tree::from_texts([("b.yaml", HULL)]);
    let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
    world.sql(
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values (7, 'hull', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
    );
    let sql = "insert into blueprint_plans (blueprint_key, plan, stored) values (7, '{}', ?1)";
    run(world.db.execute(sql, params![&plan.to_stored()])).unwrap();
    let mut stop = component("execute_start");
    stop["inputs"]["workflow_id"] = json!("uninstall");
    let operations = json!({
        "create": component("upload_blueprint"), "configure": component("create"),
        "start": component("execute_start"), "stop": stop, "delete": component("delete"),
    });
    world.node("tug", operations, &[]);
    let properties = json!({
        "client": {}, "plugins": {}, "secrets": {},
        "resource_config": {
            "blueprint": { "id": "hull", "external_resource": true },
            "deployment": { "id": "inner", "inputs": {} },
        },
    });
    run(world
        .db
        .execute("update nodes set properties = ?1", params![&properties]))
    .unwrap();
    world
}

fn count(world: &World, what: &str) -> i64 {
    let row = run(world.db.first(&format!("select count(*) from {what}"), &[]));
    row.unwrap().unwrap().integer(0).unwrap()
}

/// All that there is to be after an install, and that it is there once.
fn check(world: &World, id: &str, point: &str) {
    assert_eq!(
        world.status(id),
        "terminated",
        "{point}: {}",
        world.text("select error from executions")
    );
    assert_eq!(
        count(
            world,
            "deployments where id = 'inner' and installation_status = 'active'"
        ),
        1,
        "{point}"
    );
    let installs = "executions where deployment_id = 'inner' and workflow_id = 'install'";
    assert_eq!(count(world, installs), 1, "{point}");
    assert_eq!(count(world, "inter_deployment_dependencies"), 1, "{point}");
    assert_eq!(count(world, "component_waits"), 0, "{point}");
    assert_eq!(count(world, "queue"), 0, "{point}");
    let depth = "select runtime_properties ->> '$.capabilities.depth' from node_instances where node_id = 'tug'";
    assert_eq!(world.text(depth), "Integer(3)", "{point}");
}

#[test]
fn an_install_and_an_uninstall_reach_the_component() {
    let world = tug();
    let id = world.start("install", json!({}));
    world.work();
    check(&world, &id, "install");
    let id = world.start("uninstall", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    for left in [
        "deployments where id = 'inner'",
        "inter_deployment_dependencies",
        "component_waits",
    ] {
        assert_eq!(count(&world, left), 0, "{left}");
    }
    assert_eq!(
        count(&world, "blueprints where id = 'hull'"),
        1,
        "it is somebody else's"
    );
}

#[test]
fn a_death_between_any_two_statements_makes_nothing_twice() {
    let mut died = 0;
    for statements in 0.. {
        let world = tug();
        let id = world.start("install", json!({}));
        let survived = world.survives(statements);
        died += i64::from(!survived);
        world.pass(world.options.lease_millis + 1);
        world.work();
        check(&world, &id, &format!("after {statements} statements"));
        if survived {
            break;
        }
    }
    assert!(died > 20, "{died}");
}

/// Whoever writes a blueprint names what they like in it.
#[test]
fn a_component_reaches_nothing_that_its_creator_may_not_run() {
    for (change, reason) in [
        (
            "update deployments set tenant_name = 'quay', visibility = 'global' where id = 'pool'",
            "is of another tenant",
        ),
        (
            "update deployments set created_by = 'bob', visibility = 'private' where id = 'pool'",
            "does not exist",
        ),
    ] {
        let world = World::new();
        world.deployment("pool");
        let root = "cloudify.nodes.Root";
        let berth = json!({ "create": http("pool") });
        world.node_of("pool", "berth", root, berth, &[]);
        world.sql("insert or ignore into tenants (name, created_at) values ('quay', '')");
        world.sql(change);
        let mut start = component("execute_start");
        start["inputs"]["workflow_id"] = json!("install");
        world.node("tug", json!({ "start": start }), &[]);
        let properties = json!({
            "client": {},
            "resource_config": { "deployment": { "id": "pool", "external_resource": true } },
        });
        let sql = "update nodes set properties = ?1 where id = 'tug'";
        run(world.db.execute(sql, params![&properties])).unwrap();
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.status(&id), "failed", "{change}");
        let error = format!("select error from executions where id = '{id}'");
        let error = world.text(&error);
        assert!(error.contains(reason), "{change}: {error}");
        let reached = "executions where deployment_id = 'pool' and workflow_id = 'install'";
        assert_eq!(count(&world, reached), 0, "{change}");
    }
}

/// A workflow that cascades runs on the components too, and whoever stops or resumes it means them.
#[test]
fn a_cascading_workflow_and_what_is_done_to_it_reach_the_components() {
    let world = World::new();
    world.deployment("below");
    world.node("vm", json!({ "create": http("d") }), &[]);
    world.node_of(
        "below",
        "boat",
        "cloudify.nodes.Root",
        json!({ "create": http("below") }),
        &[],
    );
    world.sql("update plan_parts set text = replace(text, '\"name\":\"install\"', '\"is_cascading\":true,\"name\":\"install\"')");
    world.sql(
        "insert into inter_deployment_dependencies (id, tenant_name, created_by, visibility, created_at,
             dependency_creator, source_key, source_deployment_id, target_key, target_deployment_id)
         select 'i', 'harbour', 'ann', 'tenant', '', 'component.vm_1', s.key, s.id, t.key, t.id
         from deployments s, deployments t where s.id = 'd' and t.id = 'below'",
    );
    world.net.answers(|_, _| Answer::Status(503, "{}"));
    let id = world.start("install", json!({}));
    let statuses = || {
        world.text("select group_concat(status, ' ') from (select status from executions order by key desc)")
    };
    assert_eq!(count(&world, "executions"), 2);
    world.tick();
    assert_eq!(statuses(), "started started");
    world.act(Action::Cancel, &id).unwrap();
    world.pass(60_000);
    world.work();
    assert_eq!(statuses(), "cancelled cancelled");
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.act(Action::Resume, &id).unwrap();
    world.pass(60_000);
    world.work();
    assert_eq!(statuses(), "terminated terminated");
}

fn password(step: &str) -> Value {
    let name = format!("cloudify_types.password_secret.{step}");
    operation("cfy_extensions", &name, json!({}))
}

/// A node that is a secret with a password, with these properties.
fn key(properties: Value) -> World {
    let world = World::new();
    windlass_core::platform::set_variable("encryption_key", "the key of these tests");
    let operations = json!({ "create": password("create"), "delete": password("delete") });
    world.node("key", operations, &[]);
    let sql = "update nodes set properties = ?1";
    run(world.db.execute(sql, params![&properties])).unwrap();
    world
}

#[test]
fn a_password_is_a_secret_from_install_to_uninstall() {
    let world = key(json!({ "length": 12, "symbols": -1 }));
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(
        count(
            &world,
            "secrets where id like 'ps\\_d\\_%' escape '\\' and created_by = 'ann'"
        ),
        1
    );
    let known = "select runtime_properties ->> '$.password.get_secret' = (select id from secrets) from node_instances";
    assert_eq!(world.text(known), "Integer(1)");
    let sealed = run(world.db.first("select value from secrets", &[]))
        .unwrap()
        .unwrap();
    let value = run(windlass_store::secrets::unseal(sealed.text(0).unwrap())).unwrap();
    assert_eq!(value.as_str().map(str::len), Some(12));
    let id = world.start("uninstall", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(count(&world, "secrets"), 0);
}

#[test]
fn a_password_that_is_there_is_used_only_when_that_is_wanted_and_stays() {
    for (uses, status) in [(true, "terminated"), (false, "failed")] {
        let world =
            key(json!({ "length": 12, "secret_name": "word", "use_secret_if_exists": uses }));
        world.sql(
            "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
             values ('word', 'harbour', 'bob', 'tenant', '', '', 'v2:0:0')",
        );
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.status(&id), status);
        let id = world.start("uninstall", json!({ "ignore_failure": true }));
        world.work();
        assert_eq!(world.status(&id), "terminated");
        assert_eq!(count(&world, "secrets where created_by = 'bob'"), 1);
    }
}
