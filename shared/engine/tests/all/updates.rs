//! Updates of a deployment: what runs, in which order, and that a death in between changes nothing.

use crate::common::{Answer, World, run};
use serde_json::{Map, Value, json};
use std::time::Instant;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{NoImports, parse};
use windlass_core::db::Db;
use windlass_core::{Scope, Visibility, params};
use windlass_deployment::environment::{self, Prepared, Wanted};
use windlass_engine::{UpdateRequest, start_update};
use windlass_store::deployment_updates::{self, NewUpdate, UpdateState};
use windlass_store::resource::{New, Origin};
use windlass_store::{blueprints, deployments};

/// A node whose operations are calls of `https://api.example/<node>-<operation>`.
pub(crate) fn node(name: &str, operations: &[&str], more: &str) -> String {
    let mut text =
        format!("  {name}:\n    type: cloudify.nodes.Root\n    {more}\n    interfaces:\n");
    let (checks, lifecycle): (Vec<&&str>, Vec<&&str>) =
        operations.iter().partition(|name| **name == "check_status");
    for (interface, operations) in [("lifecycle", lifecycle), ("validation", checks)] {
        text.push_str(&format!("      cloudify.interfaces.{interface}:\n"));
        for operation in operations {
            text.push_str(&format!("        {operation}: {}\n", call(name, operation)));
        }
        text.push_str("        pull: {}\n");
    }
    text.replace(
        "      cloudify.interfaces.validation:\n        pull: {}\n",
        "",
    )
}

fn call(node: &str, operation: &str) -> String {
    format!(
        "{{implementation: windlass-http.run, max_retries: 0, inputs: {{result: drift, \
         url: 'https://api.example/{node}-{operation}'}}}}"
    )
}

pub(crate) fn connected_to(target: &str) -> String {
    format!("relationships: [{{type: cloudify.relationships.connected_to, target: {target}}}]")
}

pub(crate) const LIFE: [&str; 4] = ["create", "start", "stop", "delete"];

/// The world with the deployment `port` of some node templates, installed.
pub(crate) fn installed(templates: &str) -> World {
    let world = World::new();
    world.sql("delete from deployments");
    upload(&world, "before", templates);
    run(async {
        let wanted = Wanted {
            id: "port".into(),
            blueprint: blueprints::find(&world.db, &world.scope, "before")
                .await
                .unwrap(),
            inputs: Map::new(),
            labels: Vec::new(),
            visibility: Visibility::Tenant,
            display_name: None,
            site_name: None,
            skip_plugins_validation: true,
            runtime_only_evaluation: false,
            created_by: None,
            created_at: None,
        };
        let prepared = Prepared::new(&world.db, &world.scope, wanted)
            .await
            .unwrap();
        let made = world
            .db
            .transaction(async |tx| environment::create(tx, &world.scope, &prepared).await);
        made.await.unwrap();
    });
    let request = windlass_engine::StartRequest {
        deployment_id: "port".into(),
        workflow_id: "install".into(),
        ..Default::default()
    };
    let id = world.try_start(request).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
    world.net.requests.borrow_mut().clear();
    world
}

pub(crate) fn upload(world: &World, id: &str, templates: &str) {
    let yaml = format!(
        "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: {{depth: {{type: integer, default: 3}}}}
node_templates:
{templates}"
    );
    let plan = parse(
        &Tree::from_texts([("b.yaml", yaml.as_str())]),
        "b.yaml",
        &NoImports,
    )
    .unwrap();
    run(async {
        let sql = "insert into blueprints (id, tenant_name, created_by, visibility, created_at,
                       updated_at, state) values (?1, 'harbour', 'ann', 'tenant', '', '', 'uploaded')";
        world.db.execute(sql, params![id]).await.unwrap();
        let sql = "insert into blueprint_plans (blueprint_key, plan, stored)
                   values ((select max(key) from blueprints), '', ?1)";
        world
            .db
            .execute(sql, params![&plan.to_stored()])
            .await
            .unwrap();
    });
}

/// Asks for an update to the blueprint `after`; its execution.
pub(crate) fn start(world: &World, options: Value) -> String {
    start_as(world, &world.scope, options)
}

/// The same in the name of somebody.
pub(crate) fn start_as(world: &World, scope: &Scope, options: Value) -> String {
    let Value::Object(parameters) = options else {
        panic!("options are a map")
    };
    run(world.db.transaction(async |tx| {
        let request = UpdateRequest {
            deployment_id: "port".into(),
            parameters: parameters.clone(),
            force: false,
        };
        let execution = start_update(tx, scope, request, world.now()).await?;
        let deployment = deployments::find(tx, scope, "port").await?;
        let new = New {
            id: execution.id.clone(),
            visibility: Visibility::Tenant,
            origin: Origin::default(),
        };
        let row = NewUpdate {
            deployment: &deployment,
            state: UpdateState::Updating,
            execution_id: Some(&execution.id),
            old_blueprint_id: Some("before"),
            new_blueprint_id: Some("after"),
            old_inputs: &Map::new(),
            new_inputs: &Map::new(),
            runtime_only_evaluation: false,
            shown: &Map::new(),
        };
        deployment_updates::insert(tx, scope, &new, &row).await?;
        Ok(execution.id)
    }))
    .unwrap()
}

/// Carries an update to some node templates out, and answers its execution's status and the calls.
pub(crate) fn updated(world: &World, templates: &str, options: Value) -> (String, Vec<String>) {
    upload(world, "after", templates);
    let id = start(world, options);
    world.work();
    (world.status(&id), world.net.paths())
}

pub(crate) fn before() -> String {
    node("buoy", &LIFE, "")
        + &node(
            "crane",
            &[&LIFE[..], &["update"]].concat(),
            &connected_to("buoy"),
        )
        + &node("barge", &LIFE, "properties: {resource_id: old}")
        + &node("quay", &LIFE, "")
}

pub(crate) fn after() -> String {
    let follows = [&LIFE[..], &["update"]].concat();
    let changed = format!(
        "properties: {{resource_id: new}}\n    {}",
        connected_to("light")
    );
    node("light", &LIFE, "")
        + &node("crane", &follows, &changed)
        + &node("barge", &LIFE, "properties: {resource_id: new}")
        + &node("quay", &LIFE, "")
}

#[test]
fn what_went_goes_first_and_what_changed_follows_last() {
    let world = installed(&before());
    let (status, calls) = updated(&world, &after(), json!({}));
    assert_eq!(status, "terminated");
    assert_eq!(
        calls,
        [
            "buoy-stop",
            "buoy-delete",
            "light-create",
            "light-start",
            "crane-update",
            "barge-stop",
            "barge-delete",
            "barge-create",
            "barge-start",
        ]
    );
    let nodes = "select group_concat(id, ' ') from (select id from nodes order by id)";
    assert_eq!(world.text(nodes), "barge crane light quay");
    assert_eq!(world.text("select blueprint_id from deployments"), "after");
    assert_eq!(
        world.text("select state from deployment_updates"),
        "successful"
    );
    assert!(
        world
            .states()
            .iter()
            .all(|state| state.ends_with(" started"))
    );
}

#[test]
fn what_is_not_well_is_healed_before_anything_changes() {
    let checked = [&LIFE[..], &["check_status", "heal"]].concat();
    let templates = |label: &str| {
        node("crane", &checked, "")
            + &node(
                "quay",
                &LIFE,
                &format!("properties: {{resource_id: {label}}}"),
            )
    };
    for (options, want) in [
        (json!({}), &["crane-check_status", "crane-heal"][..]),
        (json!({ "skip_heal": true }), &[]),
    ] {
        let world = installed(&templates("old"));
        world
            .net
            .answers(|request, _| match request.url.ends_with("check_status") {
                true => Answer::Status(500, "{}"),
                false => Answer::Status(200, "{}"),
            });
        let (status, calls) = updated(&world, &templates("new"), options);
        assert_eq!(status, "terminated");
        let quay = ["quay-stop", "quay-delete", "quay-create", "quay-start"];
        assert_eq!(calls, [want, &quay].concat());
    }
}

#[test]
fn drift_is_followed_as_a_change_is() {
    let follows = [&LIFE[..], &["check_drift", "update"]].concat();
    let drifts = [&LIFE[..], &["check_drift"]].concat();
    let templates =
        node("crane", &follows, "") + &node("quay", &drifts, "") + &node("buoy", &drifts, "");
    for (options, want) in [
        (
            json!({}),
            &[
                "crane-check_drift",
                "quay-check_drift",
                "buoy-check_drift",
                "crane-update",
                "quay-stop",
                "quay-delete",
                "quay-create",
                "quay-start",
            ][..],
        ),
        (json!({ "skip_drift_check": true }), &[]),
        (
            json!({ "skip_reinstall": true }),
            &[
                "crane-check_drift",
                "quay-check_drift",
                "buoy-check_drift",
                "crane-update",
            ],
        ),
    ] {
        let world = installed(&templates);
        world
            .net
            .answers(|request, _| match request.url.contains("buoy") {
                true => Answer::Status(200, r#"{"drift": null}"#),
                false => Answer::Status(200, r#"{"drift": 1}"#),
            });
        let (status, mut calls) = updated(&world, &templates, options);
        assert_eq!(status, "terminated");
        // Checks run beside each other.
        let mut want: Vec<&str> = want.to_vec();
        let checks = want
            .iter()
            .filter(|path| path.ends_with("check_drift"))
            .count();
        calls[..checks].sort();
        want[..checks].sort_unstable();
        assert_eq!(calls, want);
    }
}

#[test]
fn an_update_waits_for_what_runs_on_the_deployment() {
    let world = installed(&before());
    upload(&world, "after", &after());
    world.net.answers(|_, _| Answer::Silence);
    let request = windlass_engine::StartRequest {
        deployment_id: "port".into(),
        workflow_id: "reinstall".into(),
        ..Default::default()
    };
    let first = world.try_start(request).unwrap().id;
    assert!(world.tick().is_none());
    let update = start(&world, json!({}));
    assert_eq!(world.status(&update), "queued");
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.pass(world.options.lease_millis + 1);
    world.work();
    assert_eq!(world.status(&first), "terminated");
    assert_eq!(world.status(&update), "terminated");
    assert_eq!(
        world.text("select state from deployment_updates"),
        "successful"
    );
}

#[test]
fn a_cancelled_update_is_failed_and_can_be_made_again() {
    let world = installed(&before());
    upload(&world, "after", &after());
    let first = start(&world, json!({}));
    world.until_under_way();
    world
        .act(windlass_engine::control::Action::Cancel, &first)
        .unwrap();
    world.pass(world.options.lease_millis + 1);
    world.work();
    assert_eq!(world.status(&first), "cancelled");
    assert_eq!(world.text("select state from deployment_updates"), "failed");
    let again = start(&world, json!({}));
    world.work();
    assert_eq!(world.status(&again), "terminated");
    let nodes = "select group_concat(id, ' ') from (select id from nodes order by id)";
    assert_eq!(world.text(nodes), "barge crane light quay");
    assert!(
        world
            .states()
            .iter()
            .all(|state| state.ends_with(" started")),
        "{:?}",
        world.states()
    );
}

#[test]
fn a_death_between_any_two_statements_changes_nothing_in_the_end() {
    let mut died = 0;
    // Not at each: what a death costs here is an installation.
    for statements in (0..).step_by(9) {
        let world = installed(&before());
        upload(&world, "after", &after());
        let id = start(&world, json!({}));
        let survived = world.survives(statements);
        if survived {
            break;
        }
        died += 1;
        world.pass(world.options.lease_millis + 1);
        world.work();
        let point = format!("death after {statements} statements");
        assert_eq!(world.status(&id), "terminated", "{point}");
        assert_eq!(
            world.text("select state from deployment_updates"),
            "successful",
            "{point}"
        );
        let nodes = "select group_concat(id, ' ') from (select id from nodes order by id)";
        assert_eq!(world.text(nodes), "barge crane light quay", "{point}");
        let states = world.states();
        assert_eq!(states.len(), 4, "{point}");
        assert!(
            states.iter().all(|state| state.ends_with(" started")),
            "{point}"
        );
    }
    assert!(died > 10, "only {died} points were tried");
}

/// Most of a large deployment is not looked at twice.
#[test]
fn an_update_of_a_few_nodes_among_many_takes_a_moment() {
    let templates = |label: &str| {
        let nodes = (0..400).map(|number| {
            let label = if number < 10 { label } else { "same" };
            format!(
                "  n{number}:\n    type: cloudify.nodes.Root\n    properties: {{resource_id: {label}}}\n"
            )
        });
        nodes.collect::<String>()
    };
    let world = installed(&templates("old"));
    upload(&world, "after", &templates("new"));
    let id = start(&world, json!({}));
    let begun = Instant::now();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    let changed = "select json_array_length(shown, '$.steps') || '' from deployment_updates";
    assert_eq!(world.text(changed), "10");
    let touched = "select count(*) || '' from node_instances
                   where version > (select min(version) from node_instances)";
    assert_eq!(world.text(touched), "10");
}

#[test]
fn what_is_new_comes_first_unless_it_needs_what_is_replaced() {
    let inside = "relationships: [{type: cloudify.relationships.contained_in, target: quay}]";
    let quay = |kind: &str| node("quay", &LIFE, "").replace("cloudify.nodes.Root", kind);
    let before = quay("cloudify.nodes.Root") + &node("app", &LIFE, inside);
    let after = quay("cloudify.nodes.Tier")
        + &node("app", &LIFE, inside)
        + &node("light", &LIFE, "")
        + &node("lamp", &LIFE, &connected_to("quay"));
    let world = installed(&before);
    let (status, calls) = updated(&world, &after, json!({ "install_first": true }));
    assert_eq!(status, "terminated");
    assert_eq!(calls[..2], ["light-create", "light-start"]);
    assert_eq!(
        calls[2..8],
        [
            "app-stop",
            "app-delete",
            "quay-stop",
            "quay-delete",
            "quay-create",
            "quay-start"
        ]
    );
    let mut last = calls[8..].to_vec();
    last.sort();
    assert_eq!(
        last,
        ["app-create", "app-start", "lamp-create", "lamp-start"]
    );
    assert_eq!(world.states().len(), 4);
    assert_eq!(
        world.text("select type from nodes where id = 'quay'"),
        "cloudify.nodes.Tier"
    );
}
