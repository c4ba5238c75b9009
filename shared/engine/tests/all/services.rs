//! A recursive uninstall: the deployments that use another one as their environment go first.

use crate::common::{Answer, World, http, run};
use serde_json::{Value, json};
use windlass_core::Result;
use windlass_core::db::Db;
use windlass_engine::StartRequest;
use windlass_engine::control::Action;
use windlass_store::executions::Execution;

/// The environment `d` with the services `wharf` and `crane` and, below `crane`, `hook`: all installed.
/// `wharf` uses `crane`. A delete is a request by the name of its deployment.
fn port() -> World {
    let world = World::new();
    for (id, parent) in [("crane", "d"), ("wharf", "d"), ("hook", "crane")] {
        world.deployment(id);
        world.sql(&format!(
            "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
             select key, 'csys-obj-parent', '{parent}', '', 'ann' from deployments where id = '{id}'"
        ));
    }
    for id in ["d", "crane", "wharf", "hook"] {
        let operations = json!({ "delete": http(id) });
        let node = format!("node_{id}");
        world.node_of(id, &node, "cloudify.nodes.Root", operations, &[]);
    }
    world.sql("update node_instances set state = 'started'");
    world.sql("update deployments set installation_status = 'active'");
    uses(&world, "wharf", "crane");
    world
}

fn uses(world: &World, source: &str, target: &str) {
    world.sql(&format!(
        "insert into inter_deployment_dependencies (id, tenant_name, created_by, visibility, created_at,
             dependency_creator, source_key, source_deployment_id, target_key, target_deployment_id)
         select s.id || t.id, 'harbour', 'ann', 'tenant', '', 'nodes.x.get_capability', s.key, s.id,
             t.key, t.id
         from deployments s, deployments t where s.id = '{source}' and t.id = '{target}'"
    ));
}

fn uninstall(world: &World, recursive: bool) -> Result<Execution> {
    let Value::Object(parameters) = json!({ "recursive": recursive }) else {
        unreachable!()
    };
    world.try_start(StartRequest {
        deployment_id: "d".into(),
        workflow_id: "uninstall".into(),
        parameters,
        ..StartRequest::default()
    })
}

fn number(world: &World, sql: &str) -> i64 {
    let row = run(world.db.first(sql, &[])).unwrap().unwrap();
    row.integer(0).unwrap()
}

fn started(world: &World) -> i64 {
    let sql = "select count(*) from node_instances where state = 'started'";
    number(world, sql)
}

#[test]
fn services_go_before_their_environment_and_users_before_what_they_use() {
    let world = port();
    let refusal = uninstall(&world, false).unwrap_err();
    assert!(refusal.message().contains("is the parent of"));
    let id = uninstall(&world, true).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths(), ["wharf", "hook", "crane", "d"]);
    assert_eq!(started(&world), 0);
    assert_eq!(number(&world, "select count(*) from queue"), 0);
    assert_eq!(number(&world, "select count(*) from component_waits"), 0);
    let events = world.events(&id);
    for text in [
        "Uninstalling service deployments recursively",
        "Service deployments uninstalled",
        "Task succeeded 'cloudify_types.service.uninstall'",
    ] {
        assert!(
            events.iter().any(|event| event == text),
            "{text}: {events:?}"
        );
    }
    // And once more, when nothing is installed any more.
    let id = uninstall(&world, true).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(world.net.paths().len(), 4);
}

/// Only those that go along are in nobody's way.
#[test]
fn who_is_no_service_keeps_the_environment_in_use() {
    let world = port();
    world.deployment("ship");
    world.sql("update deployments set installation_status = 'active' where id = 'ship'");
    uses(&world, "hook", "d");
    uninstall(&world, true).unwrap();
    world.work();
    let world = port();
    world.deployment("ship");
    world.sql("update deployments set installation_status = 'active' where id = 'ship'");
    uses(&world, "ship", "d");
    let refusal = uninstall(&world, true).unwrap_err();
    assert!(refusal.message().contains("Deployment `ship` uses"));
    assert_eq!(started(&world), 4);
}

/// As in the original: nobody is kept from going on by a service that stays.
#[test]
fn a_service_that_cannot_be_uninstalled_is_told_and_passed_over() {
    let world = port();
    world
        .net
        .answers(|request, _| match request.url.ends_with("hook") {
            true => Answer::Status(400, "{}"),
            false => Answer::Status(200, "{}"),
        });
    let id = uninstall(&world, true).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let of = |deployment: &str| {
        let status = "select status from executions where workflow_id = 'uninstall'";
        world.text(&format!("{status} and deployment_id = '{deployment}'"))
    };
    assert_eq!(
        (of("hook"), of("crane")),
        ("failed".into(), "terminated".into())
    );
    let crane = "select id from executions where deployment_id = 'crane'";
    let events = world.events(&world.text(crane));
    let ignoring = "Ignoring task cloudify_types.service.uninstall failure";
    assert!(events.iter().any(|event| event == ignoring), "{events:?}");
}

#[test]
fn who_is_not_seen_is_left_alone() {
    let world = port();
    world.sql(
        "update deployments set created_by = 'bob', visibility = 'private' where id = 'wharf'",
    );
    let id = uninstall(&world, true).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert!(!world.net.paths().contains(&"wharf".to_owned()));
}

#[test]
fn whoever_stops_or_resumes_it_means_the_services_too() {
    let world = port();
    world.net.answers(|_, _| Answer::Status(503, "{}"));
    let id = uninstall(&world, true).unwrap().id;
    world.tick();
    world.act(Action::Cancel, &id).unwrap();
    world.pass(60_000);
    world.work();
    let open = "select count(*) from executions where status <> 'cancelled'";
    assert_eq!(number(&world, open), 0);
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.act(Action::Resume, &id).unwrap();
    world.pass(60_000);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(started(&world), 0);
}

#[test]
fn a_death_between_any_two_statements_uninstalls_nothing_twice() {
    let mut died = 0;
    for statements in (0..).step_by(3) {
        let world = port();
        let id = uninstall(&world, true).unwrap().id;
        let survived = world.survives(statements);
        died += i64::from(!survived);
        world.pass(world.options.lease_millis + 1);
        world.work();
        assert_eq!(world.status(&id), "terminated", "after {statements}");
        assert_eq!(started(&world), 0, "after {statements}");
        let runs = number(&world, "select count(*) from executions");
        assert_eq!(runs, 4, "after {statements}");
        if survived {
            break;
        }
    }
    assert!(died > 5, "{died}");
}

/// A dry run tells what would be done, and starts nothing.
#[test]
fn a_dry_run_leaves_the_services_alone() {
    let world = port();
    let id = world.start_dry("uninstall", json!({ "recursive": true }));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(number(&world, "select count(*) from executions"), 1);
    assert_eq!(started(&world), 4);
}
