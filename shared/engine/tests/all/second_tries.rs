//! `subgraph_retries`: an instance that could not be installed or uninstalled is tried again.

use crate::common::{Answer, World, http};
use serde_json::{Value, json};
use windlass_engine::control::Action;

fn once(name: &str) -> Value {
    let mut operation = http(name);
    operation["max_retries"] = json!(0);
    operation
}

/// `web` on `db`, whose operations are named after it.
fn world(subgraph_retries: i64) -> World {
    let world = World::new();
    world.sql(&format!(
        "update config set value = '{subgraph_retries}' where name = 'subgraph_retries'"
    ));
    world.node(
        "web",
        json!({ "create": http("web") }),
        &[("db", json!({}))],
    );
    let operations = json!({
        "create": once("create"), "start": once("start"), "stop": once("stop"),
        "delete": once("delete"),
    });
    world.node("db", operations, &[]);
    world
}

/// Has the first requests to one address fail.
fn fails(world: &World, name: &'static str, times: usize) {
    world.net.answers(move |request, before| {
        if request.url.ends_with(name) && before < times {
            Answer::Status(500, "no")
        } else {
            Answer::Status(200, "")
        }
    });
}

fn progress(world: &World) -> String {
    world.text("select (total_operations = finished_operations) || '' from executions")
}

#[test]
fn an_instance_that_fails_is_uninstalled_and_installed_again() {
    let world = world(2);
    fails(&world, "start", 1);
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(
        world.net.paths(),
        [
            "create", "start", "stop", "delete", "create", "start", "web"
        ]
    );
    assert_eq!(world.states(), ["web_1 started", "db_1 started"]);
    assert_eq!(progress(&world), "1");
    let events = world.events(&id);
    let failed = events
        .iter()
        .position(|text| text.starts_with("db: Task failed"))
        .unwrap();
    let frame: Vec<&str> = events[failed..]
        .iter()
        .map(String::as_str)
        .filter(|text| !text.contains("Task s") && !text.contains("Sending"))
        .collect();
    assert_eq!(
        frame[..13],
        [
            "db: Task failed 'windlass-http.start' -> GET https://api.example/start answered 500: no",
            "Subgraph failed 'install_db_1'",
            "Subgraph started 'reinstall_db_1' [retry 1/2]",
            "db: Node lifecycle failed. Attempting to re-run node lifecycle",
            "Subgraph started 'db_1'",
            "db: Stopping node instance",
            "db: Validating node instance after deletion: nothing to do",
            "db: Stopped node instance",
            "db: Deleting node instance",
            "db: Deleted node instance",
            "Subgraph succeeded 'db_1'",
            "Subgraph started 'install_db_1'",
            "db: Validating node instance before creation: nothing to do",
        ]
    );
    let succeeded = "Subgraph succeeded 'reinstall_db_1' [retry 1/2]";
    assert!(events.iter().any(|text| text == succeeded), "{events:#?}");
}

#[test]
fn when_the_tries_are_used_up_the_workflow_fails_and_a_resume_goes_on_from_the_last() {
    let world = world(1);
    fails(&world, "start", 2);
    let id = world.start("install", json!({}));
    world.work();
    assert_eq!(world.status(&id), "failed");
    let tried = ["create", "start", "stop", "delete", "create", "start"];
    assert_eq!(world.net.paths(), tried);
    assert_eq!(
        world.text("select error from executions"),
        "Task failed: windlass-http.start (db_1:cloudify.interfaces.lifecycle.start): \
         RecoverableError `GET https://api.example/start answered 500: no`"
    );
    let events = world.events(&id);
    let last = &events[events.len() - 3..events.len() - 1];
    assert_eq!(
        last,
        [
            "Subgraph failed 'install_db_1'",
            "Subgraph failed 'reinstall_db_1' [retry 1/1]"
        ]
    );
    world.act(Action::Resume, &id).unwrap();
    world.work();
    assert_eq!(world.status(&id), "terminated");
    // What was left half started is stopped first.
    let paths = world.net.paths();
    assert_eq!(paths[tried.len()..], ["stop", "start", "web"]);
    assert_eq!(progress(&world), "1");
    let given_up = "select group_concat(name || ' ' || state, ', ') from (
        select name, state from operations where parameters ->> '$.given_up' order by key)";
    let given_up = world.text(given_up);
    assert!(
        given_up.starts_with("install_db_1 failed, windlass-http.start failed"),
        "{given_up}"
    );
}

#[test]
fn an_uninstall_that_fails_is_tried_again_unless_failures_are_passed_over() {
    for (parameters, paths) in [
        (json!({}), vec!["stop", "delete", "delete"]),
        (json!({ "ignore_failure": true }), vec!["stop", "delete"]),
    ] {
        let world = world(1);
        world.start("install", json!({}));
        world.work();
        world.net.requests.borrow_mut().clear();
        fails(&world, "delete", 1);
        let id = world.start("uninstall", parameters.clone());
        world.work();
        assert_eq!(world.status(&id), "terminated", "{parameters}");
        assert_eq!(world.net.paths(), paths, "{parameters}");
        let events = world.events(&id);
        let started = "Subgraph started 'db_1' [retry 1/1]".to_owned();
        assert_eq!(events.contains(&started), paths.len() == 3, "{events:#?}");
    }
}

#[test]
fn other_workflows_are_not_tried_again() {
    let world = world(5);
    fails(&world, "start", 1);
    let parameters = json!({ "operation": "cloudify.interfaces.lifecycle.start" });
    let id = world.start("execute_operation", parameters);
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(world.net.paths(), ["start"]);
}

#[test]
fn a_death_between_any_two_statements_of_a_second_try_changes_nothing_in_the_end() {
    let undisturbed = world(1);
    fails(&undisturbed, "start", 1);
    let id = undisturbed.start("install", json!({}));
    undisturbed.work();
    let expected = undisturbed.events(&id);
    // The way to the first call is that of any install.
    for statements in 50.. {
        let world = world(1);
        fails(&world, "start", 1);
        let id = world.start("install", json!({}));
        let survived = world.survives(statements);
        if survived {
            assert!(statements > 120, "only {statements} points were tried");
            break;
        }
        world.pass(world.options.lease_millis + 1);
        // A call that was sent when everything stopped is sent again, and fails only once.
        world.work();
        let point = format!("death after {statements} statements");
        assert_eq!(world.status(&id), "terminated", "{point}");
        assert_eq!(world.states(), ["web_1 started", "db_1 started"], "{point}");
        assert_eq!(progress(&world), "1", "{point}");
        let events = world.events(&id);
        let told = |text: &str| events.iter().filter(|known| known.contains(text)).count();
        if told("Task failed") == 1 {
            assert_eq!(events, expected, "{point}");
        } else {
            // The failure itself was lost with the death, and the request had succeeded meanwhile.
            assert_eq!(told("Node lifecycle failed"), 0, "{point}");
        }
    }
}

/// Random trees of instances whose calls fail at random, as often as they may: everything is
/// installed in the end, and nobody is created before what they depend on is there for good.
#[test]
fn whatever_fails_first_everything_is_installed_in_the_end() {
    for seed in 0..25_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = move |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let world = World::new();
        world.sql("update config set value = '3' where name = 'subgraph_retries'");
        let count = 2 + below(3);
        let mut targets: Vec<Option<u64>> = Vec::new();
        for place in 0..count {
            let target = (place > 0).then(|| below(place));
            let operations: serde_json::Map<String, Value> = ["create", "start", "stop", "delete"]
                .iter()
                .map(|name| ((*name).to_owned(), once(&format!("{name}-{place}"))))
                .collect();
            let target_name = target.map(|target| format!("n{target}"));
            let link = json!({
                "source.establish": once(&format!("link-{place}")),
                "target.establish": once(&format!("back-{place}")),
            });
            let relationships: Vec<(&str, Value)> = target_name
                .iter()
                .map(|name| (name.as_str(), link.clone()))
                .collect();
            world.node(&format!("n{place}"), operations.into(), &relationships);
            targets.push(target);
        }
        // Of each instance at most three calls fail, so three more tries are enough.
        let failing: Vec<(String, usize)> = (0..count)
            .flat_map(|place| {
                let kinds = ["create", "start", "link", "back", "stop", "delete"];
                let left = below(4);
                (0..left)
                    .map(|_| (format!("{}-{place}", kinds[below(6) as usize]), 0))
                    .collect::<Vec<_>>()
            })
            .collect();
        let failing = std::cell::RefCell::new(failing);
        world.net.answers(move |request, _| {
            let mut failing = failing.borrow_mut();
            let found = failing
                .iter()
                .position(|(name, _)| request.url.ends_with(name.as_str()));
            match found {
                Some(found) => {
                    failing.remove(found);
                    Answer::Status(500, "no")
                }
                None => Answer::Status(200, ""),
            }
        });
        let id = world.start("install", json!({}));
        world.work();
        assert_eq!(world.status(&id), "terminated", "seed {seed}");
        assert!(
            world
                .states()
                .iter()
                .all(|state| state.ends_with("started")),
            "seed {seed}"
        );
        assert_eq!(progress(&world), "1", "seed {seed}");
        let open =
            "select count(*) || '' from operations where state not in ('succeeded', 'failed')";
        assert_eq!(world.text(open), "0", "seed {seed}");
        let paths = world.net.paths();
        for (place, target) in targets.iter().enumerate() {
            let Some(target) = target else { continue };
            let first = paths
                .iter()
                .position(|path| *path == format!("create-{place}"));
            let last = paths
                .iter()
                .rposition(|path| *path == format!("start-{target}"));
            assert!(
                last < first,
                "seed {seed}: n{place} before n{target}: {paths:?}"
            );
        }
    }
}
