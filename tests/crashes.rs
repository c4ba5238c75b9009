//! A process that dies, a disk that fails: nothing is lost, nothing is half done.

use crate::samples::{self, column};
use windlass_tests::{Options, Windlass, json};

#[test]
fn a_restart_changes_nothing() {
    let windlass = Windlass::start();
    samples::deployed(windlass.admin(), "crane");
    let execution = windlass.admin().execute("crane", "install");
    let windlass = windlass.restart();
    windlass.run_pending_work();
    let path = format!("/executions/{}", execution["id"].as_str().expect("an id"));
    assert_eq!(
        windlass.admin().get(&path).expect(200)["status"],
        "terminated"
    );
    let before = windlass.admin().get("/deployments/crane").expect(200);
    let windlass = windlass.restart();
    assert_eq!(
        windlass.admin().get("/deployments/crane").expect(200),
        before
    );
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn an_install_that_is_killed_at_any_commit_ends_well_and_tells_it_once() {
    let usual = {
        let windlass = Windlass::start();
        samples::deployed(windlass.admin(), "crane");
        let execution = windlass.admin().execute("crane", "install");
        windlass.run_pending_work();
        told(&windlass, &execution)
    };
    for commit in [1, 2, 3, 5, 8, 13, 21] {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = Windlass::start();
            samples::deployed(windlass.admin(), "crane");
            let execution = windlass.admin().execute("crane", "install");
            let windlass = windlass.kill().start_with(&fault);
            // Falls over its fault, unless there are fewer commits.
            while windlass.try_tick().is_some_and(|answer| answer["ran"] != 0) {}
            let windlass = windlass.kill().start();
            windlass.expire_leases();
            windlass.run_pending_work();
            assert_eq!(told(&windlass, &execution), usual, "{fault}");
            let instances = windlass.admin().get("/node-instances").expect(200);
            assert_eq!(
                column(&instances, "state"),
                ["started", "started"],
                "{fault}"
            );
        }
    }
}

/// The messages of an execution that ended well, sorted: parallel nodes come in any order.
fn told(windlass: &Windlass, execution: &windlass_tests::Value) -> Vec<String> {
    let id = execution["id"].as_str().expect("an id");
    let execution = windlass
        .admin()
        .get(&format!("/executions/{id}"))
        .expect(200);
    assert_eq!(execution["status"], "terminated", "{execution}");
    let events = windlass
        .admin()
        .get(&format!("/events?execution_id={id}"))
        .expect(200);
    let mut told: Vec<String> = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| format!("{} {}", event["node_name"], without_ids(&event["message"])))
        .collect();
    told.sort();
    told
}

/// A message without the random end of the ids of node instances, such as `crane_1a2b3c`.
fn without_ids(message: &windlass_tests::Value) -> String {
    let message = message.as_str().unwrap_or_default();
    let words = message.split('\'').map(|word| match word.rsplit_once('_') {
        Some((name, end)) if end.len() == 6 => name,
        _ => word,
    });
    words.collect::<Vec<_>>().join("'")
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_failing_disk_is_a_500_and_the_next_request_is_fine() {
    for statement in [1, 3, 10] {
        let windlass = Options::default().start();
        samples::crane(windlass.admin(), "crane");
        let windlass = windlass
            .kill()
            .start_with(&format!("fail-commit:{statement}"));
        let body = json!({ "blueprint_id": "crane" });
        let mut created = 0;
        for number in 0..12 {
            let reply = windlass
                .admin()
                .put(&format!("/deployments/d{number}"), body.clone());
            match reply.status() {
                201 => created += 1,
                status => assert!([500, 503].contains(&status), "{status}: {}", reply.text()),
            }
        }
        assert!(created >= 11, "one commit failed, not {}", 12 - created);
        let listed = windlass.admin().get("/deployments").expect(200);
        assert!(listed["metadata"]["pagination"]["total"].as_u64() >= Some(created));
    }
}
