//! The queue as tenants and their clients feel it: nobody waits for somebody else's calls, and every
//! execution ends.

use std::time::{Duration, Instant};
use windlass_tests::{Caller, Options, Recorder, Value, Windlass, json};

/// A blueprint of so many nodes, each of which is created with a call of its own.
fn blueprint(nodes: usize, url: &str, more: &str) -> String {
    let nodes: String = (0..nodes)
        .map(|number| {
            format!(
                "
  n{number}:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: windlass-http.create
          inputs: {{ url: \"{url}/{number}\" }}
{more}"
            )
        })
        .collect();
    format!(
        "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
node_templates:{nodes}"
    )
}

fn with_private() -> Windlass {
    Options::default()
        .variable("outbound_allow_private", "true")
        .start()
}

fn upload(caller: Caller<'_>, id: &str, blueprint: &str) {
    caller
        .upload(id, "main.yaml", &[("main.yaml", blueprint)])
        .expect(201);
}

fn deploy(caller: Caller<'_>, id: &str, blueprint: &str) {
    let body = json!({ "blueprint_id": blueprint });
    caller.put(&format!("/deployments/{id}"), body).expect(201);
}

fn id_of(execution: &Value) -> String {
    execution["id"].as_str().expect("an id").to_owned()
}

fn status_of(caller: Caller<'_>, execution: &str) -> String {
    let path = format!("/executions/{execution}?_include=status");
    let status = caller.get(&path).expect(200)["status"].clone();
    status.as_str().expect("a status").to_owned()
}

/// Nobody ticks here: whoever queues something nudges the scheduler, and that has to be enough.
#[test]
fn a_small_install_does_not_wait_for_another_tenants_calls() {
    let recorder = Recorder::answering(|request| {
        if request.path.starts_with("/hangs") {
            std::thread::sleep(Duration::from_secs(60));
        }
        (200, json!({}))
    });
    let windlass = with_private();
    let large = windlass.user("large").in_tenant("harbour");
    let small = windlass.user("small").in_tenant("quay");
    upload(
        large,
        "large",
        &blueprint(300, &format!("{}/hangs", recorder.url()), ""),
    );
    deploy(large, "large", "large");
    upload(small, "small", &blueprint(2, &recorder.url(), ""));
    deploy(small, "small", "small");
    large.execute("large", "install");
    let begun = Instant::now();
    let execution = id_of(&small.execute("small", "install"));
    let status = loop {
        let status = status_of(small, &execution);
        if status == "terminated" || begun.elapsed() > Duration::from_secs(20) {
            break status;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // It takes a tenth of a second on an idle machine, and took half a minute once.
    assert_eq!(status, "terminated", "after {:?}", begun.elapsed());
}

/// Four at a time, twelve in all; `WINDLASS_ROUNDS=50` tries two hundred.
#[test]
fn every_install_ends_however_many_fail_at_once() {
    const TOGETHER: usize = 4;
    let rounds = std::env::var("WINDLASS_ROUNDS").map_or(3, |text| text.parse().expect("a number"));
    let recorder = Recorder::answering(|_| (500, json!({})));
    let windlass = with_private();
    let admin = windlass.admin();
    let tries = "          max_retries: 2\n          retry_interval: 1\n";
    upload(admin, "fails", &blueprint(40, &recorder.url(), tries));
    upload(
        admin,
        "trivial",
        "tosca_definitions_version: cloudify_dsl_1_4\nimports:\n  - cloudify/types/types.yaml\n\
         node_templates:\n  idle:\n    type: cloudify.nodes.Root\n",
    );
    deploy(admin, "trivial", "trivial");
    for round in 0..rounds {
        let executions: Vec<String> = (0..TOGETHER)
            .map(|number| {
                let id = format!("fails-{round}-{number}");
                deploy(admin, &id, "fails");
                id_of(&admin.execute(&id, "install"))
            })
            .collect();
        let begun = Instant::now();
        loop {
            let open = executions
                .iter()
                .filter(|id| status_of(admin, id) != "failed")
                .count();
            if open == 0 {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(180),
                "{open} of round {round} have not ended"
            );
            // Others come and go, and their ticks meet those of the installs.
            let body =
                json!({ "deployment_id": "trivial", "workflow_id": "restart", "force": true });
            admin.post("/executions", body).expect(201);
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}
