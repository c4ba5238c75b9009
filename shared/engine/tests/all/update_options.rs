//! What somebody may want of an update besides another blueprint, and what it may see.

use crate::common::{Answer, World, run};
use crate::updates::{LIFE, after, before, installed, node, start, start_as, updated, upload};
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Scope, Timestamp, params};
use windlass_engine::control::Action;

const NODES: &str = "select group_concat(id, ' ') from (select id from nodes order by id)";
const STATE: &str = "select state from deployment_updates order by key desc limit 1";

fn error(world: &World, id: &str) -> String {
    world.text(&format!("select error from executions where id = '{id}'"))
}

#[test]
fn texts_are_read_as_numbers_where_that_is_wanted() {
    let world = installed(&node("quay", &LIFE, ""));
    upload(&world, "after", &node("quay", &LIFE, ""));
    let depth =
        "select json_type(inputs, '$.depth') || ' ' || (inputs ->> 'depth') from deployments";
    for (options, status, want) in [
        (json!({ "inputs": { "depth": "7" } }), "failed", "integer 3"),
        (
            json!({ "inputs": { "depth": "7" }, "auto_correct_types": true }),
            "terminated",
            "integer 7",
        ),
        (
            json!({ "inputs": { "depth": "deep" }, "auto_correct_types": true }),
            "failed",
            "integer 7",
        ),
    ] {
        let id = start(&world, options.clone());
        world.work();
        assert_eq!(
            world.status(&id),
            status,
            "{options}: {}",
            error(&world, &id)
        );
        assert_eq!(world.text(depth), want, "{options}");
    }
}

const MINE: &str = "
workflows:
  mine:
    mapping: default_workflows.cloudify.plugins.workflows.install
    parameters: {added_instance_ids: {default: []}}
";

#[test]
fn a_workflow_of_the_new_blueprint_does_the_work_instead() {
    let world = installed(&before());
    let options = json!({ "workflow_id": "mine" });
    let (status, calls) = updated(&world, &(after() + MINE), options);
    assert_eq!(status, "terminated");
    assert_eq!(calls, ["light-create", "light-start"]);
    assert_eq!(world.text(NODES), "barge crane light quay");
    assert_eq!(world.text("select blueprint_id from deployments"), "after");
    assert_eq!(world.text(STATE), "successful");
    let told = |name: &str| {
        world.text(&format!(
            "select parameters ->> '$.{name}' from executions where workflow_id = 'mine'"
        ))
    };
    let of = |node: &str| {
        world.text(&format!(
            "select json_array(id) from node_instances where node_id = '{node}'"
        ))
    };
    assert_eq!(told("added_instance_ids"), of("light"));
    assert_eq!(told("added_target_instances_ids"), "[]");
    assert_eq!(told("extended_instance_ids"), of("crane"));
    assert_eq!(told("extend_target_instance_ids"), of("light"));
    assert_eq!(told("modified_entity_ids.node"), r#"["buoy","light"]"#);
    assert_eq!(
        told("update_id"),
        world.text("select id from deployment_updates")
    );
    assert_eq!(world.states().len(), 4);
}

#[test]
fn a_workflow_that_is_not_there_or_fails_fails_the_update() {
    let world = installed(&before());
    upload(&world, "after", &(after() + MINE));
    let id = start(&world, json!({ "workflow_id": "sing" }));
    world.work();
    let want = "Workflow sing does not exist in the deployment port";
    assert_eq!(
        (world.status(&id), error(&world, &id)),
        ("failed".into(), want.into())
    );
    assert_eq!(world.text("select blueprint_id from deployments"), "before");
    world.net.answers(|_, _| Answer::Status(400, "{}"));
    let id = start(&world, json!({ "workflow_id": "mine" }));
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert!(
        error(&world, &id).contains("for \"port\" deployment"),
        "{}",
        error(&world, &id)
    );
    assert_eq!(world.text(STATE), "failed");
    // What failed goes on with the update.
    world.net.answers(|_, _| Answer::Status(200, "{}"));
    world.act(Action::Resume, &id).unwrap();
    world.pass(60_000);
    world.work();
    assert_eq!(world.status(&id), "terminated");
    let runs = "select count(*) || '' from executions where workflow_id = 'mine'";
    assert_eq!(world.text(runs), "1");
    assert_eq!(world.text(NODES), "barge crane light quay");
}

#[test]
fn a_death_while_a_workflow_does_the_work_starts_it_once() {
    let mut died = 0;
    for statements in (0..).step_by(11) {
        let world = installed(&before());
        upload(&world, "after", &(after() + MINE));
        let id = start(&world, json!({ "workflow_id": "mine" }));
        let survived = world.survives(statements);
        died += i64::from(!survived);
        world.pass(world.options.lease_millis + 1);
        world.work();
        assert_eq!(world.status(&id), "terminated", "after {statements}");
        let runs = "select count(*) || '' from executions where workflow_id = 'mine'";
        assert_eq!(world.text(runs), "1", "after {statements}");
        if survived {
            break;
        }
    }
    assert!(died > 5, "{died}");
}

fn with_schedules(schedules: &str) -> String {
    let quay = node("quay", &LIFE, "");
    format!("{quay}\ndeployment_settings:\n  default_schedules:\n{schedules}")
}

/// Makes a schedule as a user does.
fn schedule(world: &World, id: &str) {
    world.sql(&format!(
        "insert into execution_schedules (id, deployment_key, deployment_id, tenant_name, created_by,
             visibility, created_at, workflow_id, rule, since)
         select '{id}', key, id, 'harbour', 'bob', 'tenant', '', 'install', '{{}}', '' from deployments"
    ));
}

#[test]
fn an_update_brings_the_schedules_of_its_blueprint() {
    let same = "    same: {workflow: uninstall, since: '+1 day', recurrence: 1 day, default_enabled: false}\n";
    let first = with_schedules(&format!(
        "{same}    other: {{workflow: install, since: '+1 day', recurrence: 1 day, default_enabled: false}}\n
    gone: {{workflow: install, since: '+1 day', recurrence: 1 day, default_enabled: false}}\n"
    ));
    let second = with_schedules(&format!(
        "{same}    other: {{workflow: uninstall, since: '+1 day', recurrence: 2 days, default_enabled: false}}\n
    made: {{workflow: install, since: '+1 day', recurrence: 1 day}}\n
    users: {{workflow: install, since: '+1 day', recurrence: 1 day}}\n"
    ));
    let world = installed(&first);
    schedule(&world, "users");
    schedule(&world, "more");
    // Somebody has switched it on: the blueprint says nothing new of it.
    world.sql("update execution_schedules set enabled = 1 where id = 'same'");
    let all =
        "select group_concat(id || ' ' || workflow_id || ' ' || enabled || ' ' || created_by, ', ')
               from (select * from execution_schedules order by id)";
    let before = "gone install 0 ann, more install 1 bob, other install 0 ann, \
                  same uninstall 1 ann, users install 1 bob";
    assert_eq!(world.text(all), before);
    let bad = second.replace("workflow: install", "workflow: sing");
    let id = {
        upload(&world, "after", &bad);
        start(&world, json!({}))
    };
    world.work();
    assert_eq!(world.status(&id), "failed");
    let want = "Default schedule `made`: Workflow sing does not exist in the deployment port";
    assert_eq!(error(&world, &id), want);
    assert_eq!(world.text(all), before);
    world.sql("delete from blueprints where id = 'after'");
    upload(&world, "after", &second);
    let id = start(&world, json!({}));
    // Not until the queue is empty: schedules never end.
    while !matches!(world.status(&id).as_str(), "terminated" | "failed") {
        world.tick();
        world.pass(1000);
    }
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(
        world.text(all),
        "made install 1 ann, more install 1 bob, other uninstall 0 ann, same uninstall 1 ann, \
         users install 1 bob"
    );
    let queued = "select count(*) || '' from queue where kind = 'execution_schedule'";
    assert_eq!(
        world.text(queued),
        "1",
        "only `made` is enabled and has a time"
    );
    let shown = |what: &str| {
        let last = "from deployment_updates order by key desc limit 1";
        world.text(&format!("select shown ->> '$.{what}' {last}"))
    };
    assert_eq!(shown("schedules_to_delete"), r#"["other","gone"]"#);
    assert_eq!(shown("schedules_to_create[0].id"), "other");
    assert_eq!(shown("schedules_to_create[1].id"), "made");
    assert_eq!(shown("schedules_to_create[0].workflow"), "uninstall");
}

/// A private blueprint or secret of somebody else is not to be reached, or found out about, by an update.
#[test]
fn an_update_sees_what_whoever_asked_for_it_sees() {
    let ann = Scope::system("ann", "harbour");
    let bob = || Scope::in_name_of("bob", "harbour");
    let secret = node(
        "quay",
        &LIFE,
        "properties: {resource_id: {get_secret: hers}}",
    );
    for (scope, of, want) in [
        (
            bob(),
            "secrets",
            "Required secrets: [hers] don't exist in this tenant",
        ),
        (bob(), "blueprints", "The blueprint `after` is gone"),
        (bob().with_private(), "blueprints", "terminated"),
        (ann.clone(), "secrets", "terminated"),
        (bob(), "nothing", "terminated"),
    ] {
        let world = installed(&node("quay", &LIFE, ""));
        upload(&world, "after", &secret);
        let now = Timestamp::from_millis(0);
        let sql = "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
                   values ('hers', 'harbour', 'ann', 'tenant', ?1, ?1, 'v2:0:0')";
        run(world.db.execute(sql, params![now])).unwrap();
        if of != "nothing" {
            world.sql(&format!(
                "update {of} set visibility = 'private', created_by = 'ann' where id in ('after', 'hers')"
            ));
        }
        let id = start_as(&world, &scope, json!({ "skip_reinstall": true }));
        world.work();
        let came = match world.status(&id).as_str() {
            "terminated" => "terminated".to_owned(),
            _ => error(&world, &id),
        };
        assert_eq!(came, want, "{} {of}", scope.username());
    }
}
