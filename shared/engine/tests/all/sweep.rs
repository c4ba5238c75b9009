//! What stands still is swept back within a minute, and nothing else is touched.

use crate::common::{Answer, World, http, operation, run};
use serde_json::json;
use windlass_engine::control::Action;
use windlass_engine::sweep;

/// Sweeps, a little more than a minute later.
fn swept(world: &World) -> usize {
    world.pass(61_000);
    run(sweep(&world.db, world.now())).unwrap()
}

/// An install whose two calls are under way, and whose queue rows are lost.
fn stranded(state: &str) -> (World, String) {
    let world = World::new();
    for name in ["one", "two"] {
        world.node(name, json!({ "create": http(name) }), &[]);
    }
    let id = world.start("install", json!({}));
    world.until_under_way();
    world.sql("delete from queue");
    world.sql(&format!(
        "update operations set state = '{state}' where state = 'started' and type = 'RemoteWorkflowTask'"
    ));
    (world, id)
}

#[test]
fn a_call_without_a_row_is_sent_again_with_its_key() {
    for state in ["sending", "sent", "started", "response-sent", "rescheduled"] {
        let (world, id) = stranded(state);
        assert_eq!(
            run(sweep(&world.db, world.now())).unwrap(),
            0,
            "{state}: too soon"
        );
        assert_eq!(swept(&world), 2, "{state}");
        world.work();
        assert_eq!(world.status(&id), "terminated", "{state}");
        let requests = world.net.requests.borrow();
        let key = |place: usize| {
            let headers = requests[place].headers.iter();
            let mut keys = headers.filter(|(name, _)| name == "idempotency-key");
            (requests[place].url.clone(), keys.next().unwrap().1.clone())
        };
        let (mut before, mut after) = ([key(0), key(1)], [key(2), key(3)]);
        before.sort();
        after.sort();
        assert_eq!(before, after, "{state}");
    }
}

#[test]
fn an_execution_without_a_row_is_driven_on() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    let id = world.start("install", json!({}));
    world.sql("delete from queue");
    assert_eq!(swept(&world), 1, "pending");
    world.work();
    assert_eq!(world.status(&id), "terminated");

    // Everything has ended, and nobody was told.
    world.sql("update executions set status = 'started', ended_at = null");
    assert_eq!(swept(&world), 1, "started");
    world.work();
    assert_eq!(world.status(&id), "terminated");
    assert_eq!(swept(&world), 0);
}

#[test]
fn a_stranded_execution_that_is_cancelled_ends() {
    for action in [Action::Cancel, Action::ForceCancel, Action::Kill] {
        for state in ["sending", "sent", "started", "response-sent", "rescheduled"] {
            let (world, id) = stranded(state);
            world.act(action, &id).unwrap();
            world.work();
            swept(&world);
            world.work();
            assert_eq!(world.status(&id), "cancelled", "{action:?} {state}");
        }
        // Its wish itself was lost.
        let (world, id) = stranded("started");
        world.act(action, &id).unwrap();
        world.sql("delete from queue");
        assert!(swept(&world) > 0, "{action:?}");
        world.work();
        swept(&world);
        world.work();
        assert_eq!(world.status(&id), "cancelled", "{action:?}");
    }
}

#[test]
fn what_was_withdrawn_on_purpose_stays_so() {
    let world = World::new();
    let mut fails = http("fails");
    fails["max_retries"] = json!(0);
    world.node("bad", json!({ "create": fails }), &[]);
    world.node("again", json!({ "create": http("again") }), &[]);
    world.node("slow", json!({ "create": http("slow") }), &[]);
    let id = world.start("install", json!({}));
    world.until_under_way();
    // `again` waits for another try, then `bad` fails for good while `slow` still runs.
    world.sql(
        "update operations set state = 'rescheduled' where name = 'windlass-http.again';
         ",
    );
    world.sql("update tasks_graphs set state = json_set(state, '$.failures', json('[\"bad\"]'))");
    world.sql("update operations set state = 'failed' where name = 'windlass-http.fails'");
    world.sql("delete from queue");
    assert_eq!(swept(&world), 1, "slow alone");
    world.work();
    assert_eq!(world.status(&id), "failed");
    assert_eq!(swept(&world), 0);
    let sent = world.net.paths();
    assert_eq!(sent.iter().filter(|path| *path == "again").count(), 1);
    assert_eq!(sent.iter().filter(|path| *path == "slow").count(), 2);
}

#[test]
fn what_others_run_is_not_touched() {
    let world = World::new();
    let script = operation("script", "script_runner.tasks.run", json!({}));
    world.node("vm", json!({ "create": script }), &[]);
    world.start("install", json!({}));
    world.work();
    let state = "select state from operations where type = 'RemoteWorkflowTask'";
    for step in ["sent", "started", "response-sent"] {
        world.sql(&format!(
            "update operations set state = '{step}' where type = 'RemoteWorkflowTask'"
        ));
        assert_eq!(swept(&world), 0, "a worker's call");
        assert_eq!(world.text(state), step);
    }

    // An upload is run by its own row, a client's graph by the client.
    world.sql("update executions set status = 'terminated'");
    world.sql(
        "insert into executions (id, tenant_name, created_by, visibility, created_at, started_at,
             workflow_id, status) values
             ('up', 'harbour', 'ann', 'tenant', '', '', 'upload_blueprint', 'started'),
             ('snap', 'harbour', 'ann', 'tenant', '', null, 'create_snapshot', 'pending'),
             ('mine', 'harbour', 'ann', 'tenant', '', '', 'install', 'started')",
    );
    world.sql(
        "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name, created_by,
             visibility, created_at)
         select 'graph', key, id, 'notes', tenant_name, created_by, visibility, ''
         from executions where id = 'mine'",
    );
    world.sql(
        "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name, type,
             state, tenant_name, created_by, visibility, created_at)
         select 'op', key, id, execution_key, 'step', 'RemoteWorkflowTask', 'started', tenant_name,
             created_by, visibility, '' from tasks_graphs where id = 'graph'",
    );
    assert_eq!(swept(&world), 0);
}

#[test]
fn calls_that_run_or_wait_are_not_touched() {
    let world = World::new();
    world.node("vm", json!({ "create": http("create") }), &[]);
    world.net.answers(|_, _| Answer::Refused);
    world.start("install", json!({}));
    world.tick().unwrap();
    world.sql("update queue set not_before = not_before + 3600000");
    assert_eq!(swept(&world), 0, "it waits for another try");
    world.sql("update queue set not_before = 0");
    world.until_under_way();
    assert_eq!(swept(&world), 0, "it is under way");
}
