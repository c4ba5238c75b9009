//! scale: what comes, what goes, and what becomes of it when something fails.

use crate::common::{Answer, World, contained, http};
use serde_json::{Value, json};

fn once(name: &str) -> Value {
    let mut operation = http(name);
    operation["max_retries"] = json!(0);
    operation
}

/// `vm` with `app` on it, and `web` that is linked to `vm`; all are started.
fn world() -> World {
    let world = World::new();
    let vm = json!({ "create": once("create"), "delete": once("delete") });
    world.node_of("d", "vm", "cloudify.nodes.Compute", vm, &[]);
    world.node("app", json!({ "start": once("start") }), &[contained("vm")]);
    let link = json!({ "source.establish": http("establish"), "source.unlink": http("unlink") });
    world.node("web", json!({}), &[("vm", link)]);
    for (instance, host) in [("vm_1", "vm_1"), ("app_1", "vm_1")] {
        world.host(instance, host);
    }
    for node in ["vm", "app"] {
        world.sql(&format!(
            "update nodes set host_id = 'vm' where id = '{node}'"
        ));
    }
    world.start("install", json!({}));
    world.work();
    world.net.requests.borrow_mut().clear();
    world
}

fn scale(world: &World, parameters: Value) -> String {
    let id = world.start("scale", parameters);
    world.work();
    id
}

fn error(world: &World, id: &str) -> String {
    world.text(&format!("select error from executions where id = '{id}'"))
}

/// How many instances each node has in which state.
fn count(world: &World) -> String {
    world.text(
        "select group_concat(line, ', ') from (select count(*) || ' ' || node_id || ' ' || state as line
         from node_instances group by node_id, state order by node_id, state)",
    )
}

fn numbers(world: &World, node: &str) -> String {
    world.text(&format!(
        "select number_of_instances || ' ' || planned_number_of_instances from nodes where id = '{node}'"
    ))
}

fn modification(world: &World) -> String {
    world.text("select coalesce((select status from deployment_modifications order by key desc limit 1), 'none')")
}

#[test]
fn out_and_in_again() {
    let world = world();
    let id = scale(&world, json!({ "scalable_entity_name": "vm", "delta": 2 }));
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(count(&world), "3 app started, 3 vm started, 1 web started");
    assert_eq!(numbers(&world, "vm"), "3 3");
    assert_eq!(modification(&world), "finished");
    let mut paths = world.net.paths();
    paths.sort();
    let want = [
        "create",
        "create",
        "establish",
        "establish",
        "start",
        "start",
    ];
    assert_eq!(paths, want, "only what is new, and links to that");
    let links =
        "select json_array_length(relationships) || '' from node_instances where id = 'web_1'";
    assert_eq!(world.text(links), "3");
    let graph = "select name from tasks_graphs order by key desc limit 1";
    assert_eq!(world.text(graph), "vm_install");
    let told = world.events(&id);
    let begun = "Deployment modification started. [modification_id=";
    assert!(told.iter().any(|text| text.starts_with(begun)), "{told:#?}");

    world.net.requests.borrow_mut().clear();
    let kept = world.text("select id from node_instances where node_id = 'vm' and id <> 'vm_1'");
    let id = scale(
        &world,
        json!({
            "scalable_entity_name": "vm", "delta": -2, "include_instances": ["vm_1"],
            "exclude_instances": [kept],
        }),
    );
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(count(&world), "1 app started, 1 vm started, 1 web started");
    assert_eq!(numbers(&world, "vm"), "1 1");
    assert_eq!(
        world.text("select id from node_instances where node_id = 'vm'"),
        kept
    );
    assert_eq!(world.text(links), "1");
    let mut paths = world.net.paths();
    paths.sort();
    assert_eq!(paths, ["delete", "delete", "unlink", "unlink"]);
}

#[test]
fn the_host_of_a_node_where_that_is_asked_for() {
    let world = world();
    let parameters = json!({ "scalable_entity_name": "app", "scale_compute": true });
    let id = scale(&world, parameters);
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(count(&world), "2 app started, 2 vm started, 1 web started");
    assert_eq!(
        (numbers(&world, "vm"), numbers(&world, "app")),
        ("2 2".into(), "1 1".into())
    );
}

#[test]
fn a_scaling_group_with_its_members() {
    let world = World::new();
    world.node("vm", json!({}), &[]);
    world.node("disk", json!({}), &[]);
    world.groups(&json!({
        "rack": { "members": ["vm", "disk"], "properties": {
            "current_instances": 1, "planned_instances": 1, "default_instances": 1,
            "min_instances": 0, "max_instances": -1,
        } },
    }));
    world.sql(r#"update node_instances set scaling_groups = '[{"name": "rack", "id": "rack_1"}]'"#);
    world.start("install", json!({}));
    world.work();
    let id = scale(
        &world,
        json!({ "scalable_entity_name": "rack", "delta": 2 }),
    );
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(count(&world), "3 disk started, 3 vm started");
    let group = "select (select text from plan_parts where key = scaling_groups_part)
                     ->> '$.rack.properties.current_instances' || '' from deployments";
    assert_eq!(world.text(group), "3");
    let actual = "select actual_planned_number_of_instances || '' from nodes where id = 'vm'";
    assert_eq!(world.text(actual), "3");
    let id = scale(
        &world,
        json!({ "scalable_entity_name": "rack", "delta": -1, "include_instances": ["disk_1"] }),
    );
    assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
    assert_eq!(count(&world), "2 disk started, 2 vm started");
    let gone = "select count(*) || '' from node_instances where id in ('vm_1', 'disk_1')";
    assert_eq!(world.text(gone), "0", "a member stands for its group");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is() {
    for (parameters, want) in [
        (
            json!({ "scalable_entity_name": "vm", "delta": "many" }),
            "The delta parameter must be a number. Got: many",
        ),
        (
            json!({ "scalable_entity_name": "ship" }),
            "No scalable entity named ship was found",
        ),
        (
            json!({ "scalable_entity_name": "vm", "delta": 60000 }),
            "A deployment can have 50000 node instances at most",
        ),
        (
            json!({ "scalable_entity_name": "vm", "delta": -3 }),
            "Provided delta: -3 is illegal. current number of instances of entity vm is 1",
        ),
        (
            json!({ "scalable_entity_name": "vm", "delta": 1, "include_instances": ["vm_1"] }),
            "Instances cannot be included or excluded when scaling up.",
        ),
        (
            json!({ "scalable_entity_name": "vm", "delta": -1, "include_instances": ["a"], "exclude_instances": ["b"] }),
            "The following included instances did not exist: a. The following excluded instances \
             did not exist: b. Target number of instances is less than excluded instance count. \
             Target number of instances was 0. Excluded instances were: b. Available instances were: vm_1",
        ),
        (
            json!({ "scalable_entity_name": "app", "delta": -1, "include_instances": ["app_1"], "scale_compute": true }),
            "Cannot include or exclude instances while scale_compute is True. Please specify the \
             desired compute instances and set scale_compute to False. Available instances were: app_1",
        ),
        (
            json!({ "scalable_entity_name": "vm", "delta": -1, "include_instances": ["vm_1"], "exclude_instances": ["vm_1"] }),
            "The following instances were both excluded and included: vm_1. Target number of \
             instances is less than excluded instance count. Target number of instances was 0. \
             Excluded instances were: vm_1. Available instances were: vm_1",
        ),
    ] {
        let world = world();
        let id = scale(&world, parameters.clone());
        assert_eq!(world.status(&id), "failed", "{parameters}");
        assert_eq!(error(&world, &id), want, "{parameters}");
        assert_eq!(modification(&world), "none", "{parameters}");
        assert_eq!(world.net.requests.borrow().len(), 0, "{parameters}");
    }
}

#[test]
fn a_delta_of_nothing_does_nothing() {
    let world = world();
    let id = scale(
        &world,
        json!({ "scalable_entity_name": "ship", "delta": 0 }),
    );
    assert_eq!(world.status(&id), "terminated");
    let told = "delta parameter is 0, so no scaling will take place.".to_owned();
    assert!(world.events(&id).contains(&told));
    assert_eq!(modification(&world), "none");
}

#[test]
fn a_scaling_out_that_fails_leaves_nothing_behind() {
    let world = world();
    world
        .net
        .answers(|request, _| match request.url.ends_with("/start") {
            true => Answer::Status(500, "no"),
            false => Answer::Status(200, ""),
        });
    let id = scale(&world, json!({ "scalable_entity_name": "vm" }));
    assert_eq!(world.status(&id), "failed");
    assert!(error(&world, &id).starts_with("Task failed: windlass-http.start (app_"));
    assert_eq!(modification(&world), "rolledback");
    assert_eq!(count(&world), "1 app started, 1 vm started, 1 web started");
    assert_eq!(numbers(&world, "vm"), "1 1");
    // What was created is deleted, not only forgotten.
    let paths = ["create", "establish", "start", "unlink", "delete"];
    assert_eq!(world.net.paths(), paths);
    let links =
        "select json_array_length(relationships) || '' from node_instances where id = 'web_1'";
    assert_eq!(world.text(links), "1");
}

#[test]
fn where_that_is_wanted_a_failure_is_kept_and_a_resume_or_another_scaling_goes_on() {
    for is_resumed in [true, false] {
        let world = world();
        world.net.answers(
            |request, before| match request.url.ends_with("/start") && before == 0 {
                true => Answer::Status(500, "no"),
                false => Answer::Status(200, ""),
            },
        );
        let parameters = json!({ "scalable_entity_name": "vm", "rollback_if_failed": false });
        let id = scale(&world, parameters.clone());
        assert_eq!(world.status(&id), "failed");
        assert_eq!(modification(&world), "started");
        assert_eq!(
            count(&world),
            "1 app started, 1 app starting, 2 vm started, 1 web started"
        );
        if is_resumed {
            world
                .act(windlass_engine::control::Action::Resume, &id)
                .unwrap();
            world.work();
            assert_eq!(world.status(&id), "terminated");
        } else {
            let refused = scale(&world, parameters);
            let text = error(&world, &refused);
            let want = "Cannot start deployment modification while there are existing started \
                        deployment modifications. Currently started deployment modifications: ['";
            assert!(text.starts_with(want), "{text}");
            let again = json!({ "scalable_entity_name": "vm", "abort_started": true });
            let id = scale(&world, again);
            assert_eq!(world.status(&id), "terminated", "{}", error(&world, &id));
            let ended = "select group_concat(status, ' ') from
                (select status from deployment_modifications order by key)";
            assert_eq!(world.text(ended), "rolledback finished");
        }
        assert_eq!(modification(&world), "finished");
        assert_eq!(count(&world), "2 app started, 2 vm started, 1 web started");
        assert_eq!(numbers(&world, "vm"), "2 2");
    }
}

#[test]
fn a_scaling_in_that_fails_leaves_everything_as_it_was() {
    let world = world();
    world
        .net
        .answers(|request, _| match request.url.ends_with("/delete") {
            true => Answer::Status(500, "no"),
            false => Answer::Status(200, ""),
        });
    let id = scale(&world, json!({ "scalable_entity_name": "vm", "delta": -1 }));
    assert_eq!(world.status(&id), "failed");
    assert_eq!(modification(&world), "rolledback");
    assert_eq!(count(&world), "1 app started, 1 vm started, 1 web started");
    assert_eq!(numbers(&world, "vm"), "1 1");
}

#[test]
fn a_dry_run_of_a_scaling_changes_nothing() {
    let world = world();
    let id = world.start_dry(
        "scale",
        json!({ "scalable_entity_name": "vm", "delta": -1 }),
    );
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(modification(&world), "none");
    assert_eq!(count(&world), "1 app started, 1 vm started, 1 web started");
    assert_eq!(world.net.requests.borrow().len(), 0);
}
