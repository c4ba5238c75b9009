//! Updates of plugins: all deployments of a blueprint, one after the other; and that a death in between, a
//! refusal or a cancellation leaves nothing half.

use crate::common::{Answer, World, run};
use serde_json::Map;
use std::rc::Rc;
use std::sync::OnceLock;
use windlass_blueprint::archive::Tree;
use windlass_blueprint::{Imported, Importer, Plan, UploadedPlugin, parse};
use windlass_core::db::Db;
use windlass_core::{Kind, Result, Visibility, params};
use windlass_deployment::environment::{self, Prepared, Wanted};
use windlass_engine::control::Action;
use windlass_engine::{PluginsUpdateCopy, PluginsUpdateOptions, start_plugins_update};
use windlass_store::blueprints::{self, Found, PlanTexts, State};
use windlass_store::plugins::Package;
use windlass_store::plugins_updates;

/// The plugin `tide` in one version.
struct Tide(&'static str);

impl Importer for Tide {
    fn plugins(&self, _name: &str) -> Vec<UploadedPlugin> {
        vec![UploadedPlugin {
            version: self.0.to_owned(),
            files: vec!["plugin.yaml".to_owned()],
            ..UploadedPlugin::default()
        }]
    }

    fn plugin_file(&self, _plugin: &UploadedPlugin, _file: &str) -> Option<Rc<str>> {
        let version = self.0;
        let text = format!(
            "plugins:
  tide: {{executor: central_deployment_agent, package_name: tide, package_version: '{version}'}}
node_types:
  tide.Gauge:
    derived_from: cloudify.nodes.Root
    properties: {{mark: {{default: of-{version}}}}}
    interfaces: {{cloudify.interfaces.lifecycle: {{pull: tide.tasks.pull}}}}
"
        );
        Some(text.into())
    }

    fn blueprint(&self, _id: &str) -> Option<Imported> {
        None
    }
}

/// The blueprint with a version of the plugin. Its node can be asked whether it is well.
fn plan(version: &'static str) -> Plan {
    let yaml = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:tide']
node_templates:
  gauge:
    type: tide.Gauge
    interfaces:
      cloudify.interfaces.validation:
        check_status: {implementation: windlass-http.run, max_retries: 0, inputs: {url: 'https://api.example/check'}}
";
    let tree = Tree::from_texts([("b.yaml", yaml)]);
    parse(&tree, "b.yaml", &Tide(version)).unwrap()
}

/// The same as it is stored. Parsing takes longer than all that is done with it here.
fn stored(version: &'static str) -> &'static str {
    static OLD: OnceLock<String> = OnceLock::new();
    static NEW: OnceLock<String> = OnceLock::new();
    let kept = if version == "1.0" { &OLD } else { &NEW };
    kept.get_or_init(|| plan(version).to_stored().to_string())
}

fn found(version: &'static str) -> Found {
    Found {
        plan: Some(PlanTexts {
            stored: stored(version).to_owned(),
            packages: vec![Package {
                name: "tide".to_owned(),
                version: Some(version.to_owned()),
            }],
            ..PlanTexts::default()
        }),
        ..Found::nothing(State::Uploaded)
    }
}

/// The world with the blueprint `bp` and deployments of it, which have version 1.
fn world_with(deployments: &[&str]) -> World {
    let world = World::new();
    world.sql("delete from deployments");
    let sql = "insert into blueprint_plans (blueprint_key, plan, stored) values (1, '', ?1)";
    run(world.db.execute(sql, params![stored("1.0")])).unwrap();
    for id in deployments {
        deploy(&world, id);
    }
    world
}

fn deploy(world: &World, id: &str) {
    run(async {
        let wanted = Wanted {
            id: id.into(),
            blueprint: blueprints::find(&world.db, &world.scope, "bp")
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
}

fn install(world: &World, id: &str) {
    let request = windlass_engine::StartRequest {
        deployment_id: id.into(),
        workflow_id: "install".into(),
        ..Default::default()
    };
    let id = world.try_start(request).unwrap().id;
    world.work();
    assert_eq!(world.status(&id), "terminated");
}

/// Asks for an update to version 2; its execution.
fn start(world: &World) -> Result<String> {
    run(async {
        let blueprint = blueprints::find(&world.db, &world.scope, "bp").await?;
        let deployments =
            plugins_updates::deployments_of(&world.db, &world.scope, &blueprint).await?;
        let copy = PluginsUpdateCopy {
            archive: None,
            found: found("2.0"),
            deployments,
        };
        let what = (Some(&copy), PluginsUpdateOptions::default());
        let id = world
            .db
            .transaction(async |tx| {
                start_plugins_update(tx, &world.scope, &blueprint, what, world.now()).await
            })
            .await?;
        let sql = "select execution_id from plugins_updates where id = ?1";
        let row = world.db.first(sql, params![&id]).await?.unwrap();
        Ok(row.text(0)?.to_owned())
    })
}

/// The version of the plugin that each deployment's nodes have, with its blueprint.
fn versions(world: &World) -> String {
    world.text(
        "select group_concat(text, ' ') from (
             select d.id || ':' || d.blueprint_id || ':' || (n.properties ->> 'mark') as text
             from deployments d join nodes n on n.deployment_key = d.key order by d.id)",
    )
}

fn state(world: &World) -> String {
    world.text("select group_concat(state, ' ') from plugins_updates")
}

fn blueprints_there(world: &World) -> String {
    world.text(
        "select group_concat(substr(id, 1, 15) || iif(is_hidden, '!', ''), ' ')
         from (select * from blueprints order by key)",
    )
}

fn stored_version(world: &World) -> String {
    world.text(
        "select package_version from blueprint_plugins where blueprint_key = 1
             and package_name = 'tide'",
    )
}

/// Everything is as after an update that nothing disturbed.
fn check(world: &World, id: &str, point: &str) {
    assert_eq!(world.status(id), "terminated", "{point}");
    assert_eq!(state(world), "successful", "{point}");
    assert_eq!(versions(world), "east:bp:of-2.0 west:bp:of-2.0", "{point}");
    assert_eq!(blueprints_there(world), "bp", "{point}");
    assert_eq!(stored_version(world), "2.0", "{point}");
    let queued = world.text("select group_concat(kind || subject) from queue");
    assert_eq!(queued, "Null", "{point}");
    let updates = "select count(*) || group_concat(distinct state) from deployment_updates";
    assert_eq!(world.text(updates), "2successful", "{point}");
}

#[test]
fn deployments_get_the_new_plugins_one_after_the_other() {
    let world = world_with(&["west", "east"]);
    let id = start(&world).unwrap();
    assert_eq!(state(&world), "executing_workflow");
    assert_eq!(blueprints_there(&world), "bp plugins-update-!");
    world.work();
    check(&world, &id, "");
    let told: Vec<String> = world
        .events(&id)
        .into_iter()
        .map(|text| text.split(". ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "Starting 'update_plugin' workflow execution",
            "Executing deployment update for deployment east...",
            "Deployment update of deployment east terminated",
            "Executing deployment update for deployment west...",
            "Deployment update of deployment west terminated",
            "Finalizing plugins update...",
            "'update_plugin' workflow execution succeeded",
        ]
    );
    let progress = "select total_operations || '/' || finished_operations from executions
                    where workflow_id = 'update_plugin'";
    assert_eq!(world.text(progress), "2/2");
    // The first one had ended when the second began.
    let order = "select group_concat(deployment_id || ':' || iif(a.started_at >=
                     coalesce((select b.ended_at from executions b where b.workflow_id = 'update'
                         and b.key < a.key), ''), 'later', 'sooner'), ' ')
                 from executions a where a.workflow_id = 'update' order by key";
    assert_eq!(world.text(order), "east:later west:later");
}

#[test]
fn a_death_between_statements_changes_nothing_in_the_end() {
    let mut died = 0;
    // There are hundreds; the engine's own parts of them are tried one by one elsewhere.
    for statements in (0..).step_by(5) {
        let world = world_with(&["west", "east"]);
        let id = start(&world).unwrap();
        if world.survives(statements) {
            break;
        }
        died += 1;
        world.pass(world.options.lease_millis + 1);
        world.work();
        check(&world, &id, &format!("death after {statements} statements"));
    }
    assert!(died > 20, "only {died} points were tried");
}

#[test]
fn a_death_while_a_deployment_is_asked_goes_on() {
    let world = world_with(&["west", "east"]);
    install(&world, "west");
    install(&world, "east");
    let id = start(&world).unwrap();
    world.until_under_way();
    assert_eq!(world.status(&id), "started");
    // Nobody looks at the execution while it waits.
    let waits = "select count(*) || '' from queue where kind = 'execution'";
    assert_eq!(world.text(waits), "0");
    assert_eq!(
        run(windlass_engine::sweep(
            &world.db,
            world.now().plus_seconds(600)
        ))
        .unwrap(),
        0
    );
    world.pass(world.options.lease_millis + 1);
    world.work();
    check(&world, &id, "");
    assert!(
        world
            .states()
            .iter()
            .all(|state| state.ends_with(" started"))
    );
}

#[test]
fn a_lost_row_of_the_queue_is_found_again() {
    let world = world_with(&["west", "east"]);
    let id = start(&world).unwrap();
    world.sql("delete from queue");
    let swept = run(windlass_engine::sweep(
        &world.db,
        world.now().plus_seconds(600),
    ));
    assert_eq!(swept.unwrap(), 1);
    world.work();
    check(&world, &id, "");
}

/// Makes the update of a deployment be refused.
fn break_it(world: &World, deployment: &str) {
    world.sql(&format!(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
             deployment_id, workflow_id, status, parameters)
         select 'broken', tenant_name, created_by, visibility, '', key, id,
             'create_deployment_environment', 'failed', '{{}}' from deployments where id = '{deployment}'"
    ));
    world.sql(&format!(
        "update deployments set create_execution = 'broken' where id = '{deployment}'"
    ));
}

#[test]
fn one_that_cannot_be_updated_keeps_no_other_from_it() {
    let world = world_with(&["west", "east"]);
    break_it(&world, "east");
    let id = start(&world).unwrap();
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(state(&world), "failed");
    let error = world.text("select error from executions where workflow_id = 'update_plugin'");
    assert!(error.ends_with(": east"), "{error}");
    // The other one has the copy, which is shown now. The blueprint is as it was.
    assert_eq!(blueprints_there(&world), "bp plugins-update-");
    let copy = world.text("select temp_blueprint_id from plugins_updates");
    assert_eq!(
        versions(&world),
        format!("east:bp:of-1.0 west:{copy}:of-2.0")
    );
    // What stood in the way is away: a resume does the rest.
    world.sql("update deployments set create_execution = null");
    world.act(Action::Resume, &id).unwrap();
    assert_eq!(state(&world), "executing_workflow");
    world.work();
    check(&world, &id, "");
}

#[test]
fn a_copy_that_nobody_has_goes_with_its_failure() {
    let world = world_with(&["east"]);
    break_it(&world, "east");
    let id = start(&world).unwrap();
    world.work();
    assert_eq!(state(&world), "failed");
    assert_eq!(blueprints_there(&world), "bp");
    world.act(Action::Resume, &id).unwrap();
    world.work();
    let error = world.text("select error from executions where workflow_id = 'update_plugin'");
    assert!(error.contains("ask for a new update"), "{error}");
    assert_eq!(state(&world), "failed");
}

#[test]
fn a_second_one_is_refused_while_the_first_is_under_way() {
    let world = world_with(&["west", "east"]);
    let id = start(&world).unwrap();
    let refusal = start(&world).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Conflict);
    assert!(
        refusal.message().contains("still active"),
        "{}",
        refusal.message()
    );
    world.work();
    check(&world, &id, "");
    start(&world).unwrap();
}

#[test]
fn what_is_cancelled_leaves_the_deployment_whose_turn_it_is_whole() {
    for (action, versions_after, visible) in [
        (Action::Cancel, "of-2.0", "bp plugins-update-"),
        (Action::ForceCancel, "of-2.0", "bp plugins-update-"),
    ] {
        let world = world_with(&["west", "east"]);
        install(&world, "east");
        install(&world, "west");
        let id = start(&world).unwrap();
        world.until_under_way();
        world.act(action, &id).unwrap();
        world.pass(world.options.lease_millis + 1);
        world.work();
        assert_eq!(world.status(&id), "cancelled");
        assert_eq!(state(&world), "failed");
        let copy = world.text("select temp_blueprint_id from plugins_updates");
        let expected = format!("east:{copy}:{versions_after} west:bp:of-1.0");
        assert_eq!(versions(&world), expected, "{action:?}");
        assert_eq!(blueprints_there(&world), visible, "{action:?}");
        world.act(Action::Resume, &id).unwrap();
        world.work();
        check(&world, &id, &format!("{action:?}, resumed"));
    }
}

#[test]
fn what_comes_and_goes_meanwhile_is_seen() {
    let world = world_with(&["west", "east", "north"]);
    install(&world, "east");
    let id = start(&world).unwrap();
    world.until_under_way();
    deploy(&world, "late");
    world.sql("delete from deployments where id = 'west'");
    world.sql(
        "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at,
             state) values (77, 'other', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
    );
    world.sql(
        "update deployments set blueprint_key = 77, blueprint_id = 'other' where id = 'north'",
    );
    world.pass(world.options.lease_millis + 1);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(
        versions(&world),
        "east:bp:of-2.0 late:bp:of-2.0 north:other:of-1.0"
    );
}

#[test]
fn a_blueprint_that_goes_meanwhile_takes_the_update_with_it() {
    let world = world_with(&["east"]);
    install(&world, "east");
    let id = start(&world).unwrap();
    world.until_under_way();
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.pass(world.options.lease_millis + 1);
    let moved = "update deployments set blueprint_id = blueprint_id,
         blueprint_key = (select key from blueprints where is_hidden = 1)";
    world.sql(moved);
    world.sql("delete from blueprints where id = 'bp'");
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(blueprints_there(&world), "plugins-update-");
}
