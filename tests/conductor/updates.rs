//! `/deployment-updates`: a deployment gets another blueprint or other inputs.

use crate::samples::column;
use windlass_tests::{Caller, Options, Recorder, Value, Windlass, json};

/// A blueprint of nodes whose operations are requests `POST /<node>/<operation>` to the input `url`.
struct Blueprint(String);

impl Blueprint {
    fn new() -> Self {
        Self(
            "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  url: {type: string}
  depth: {type: integer, default: 3}
outputs:
  depth: {value: {get_input: depth}}
node_templates:
"
            .to_owned(),
        )
    }

    /// The same with one more node. `more` are further lines of its template.
    fn node(mut self, name: &str, operations: &[&str], more: &[&str]) -> Self {
        self.0
            .push_str(&format!("  {name}:\n    type: cloudify.nodes.Root\n"));
        for line in more {
            self.0.push_str(&format!("    {line}\n"));
        }
        self.0
            .push_str("    interfaces:\n      cloudify.interfaces.lifecycle:\n");
        for operation in operations {
            self.0.push_str(&format!(
                "        {operation}: {}\n",
                request(name, operation)
            ));
        }
        self
    }

    fn upload(&self, caller: Caller<'_>, id: &str) {
        caller
            .upload(id, "b.yaml", &[("b.yaml", &self.0)])
            .expect(201);
    }
}

fn request(node: &str, operation: &str) -> String {
    format!(
        "{{implementation: windlass-http.run, max_retries: 0, inputs: {{method: POST, \
         url: {{concat: [{{get_input: url}}, /{node}/{operation}]}}}}}}"
    )
}

/// A relationship to a target that tells when it is established and unlinked.
fn connected_to(source: &str, target: &str) -> String {
    let [establish, unlink] =
        ["establish", "unlink"].map(|operation| request(source, &format!("{operation}-{target}")));
    format!(
        "relationships: [{{type: cloudify.relationships.connected_to, target: {target}, \
         source_interfaces: {{cloudify.interfaces.relationship_lifecycle: \
         {{establish: {establish}, unlink: {unlink}}}}}}}]"
    )
}

const LIFE: [&str; 4] = ["create", "start", "stop", "delete"];

/// Four nodes: one that will go, one that will follow a change, one that has to be installed again
/// for it, and one that stays as it is.
fn before() -> Blueprint {
    let follows = [&LIFE[..], &["update"]].concat();
    Blueprint::new()
        .node("buoy", &LIFE, &[])
        .node(
            "crane",
            &follows,
            &[
                "properties: {resource_id: old}",
                &connected_to("crane", "buoy"),
            ],
        )
        .node("barge", &LIFE, &["properties: {resource_id: old}"])
        .node("quay", &LIFE, &[])
}

fn after() -> Blueprint {
    let follows = [&LIFE[..], &["update"]].concat();
    Blueprint::new()
        .node("light", &LIFE, &[])
        .node(
            "crane",
            &follows,
            &[
                "properties: {resource_id: new}",
                &connected_to("crane", "light"),
            ],
        )
        .node("barge", &LIFE, &["properties: {resource_id: new}"])
        .node("quay", &LIFE, &[])
}

fn with_private() -> Windlass {
    Options::default()
        .variable("outbound_allow_private", "true")
        .start()
}

/// Installs the deployment `port` of the first blueprint; the second is called `after`.
fn installed(windlass: &Windlass, recorder: &Recorder) {
    let admin = windlass.admin();
    before().upload(admin, "before");
    after().upload(admin, "after");
    let body = json!({ "blueprint_id": "before", "inputs": { "url": recorder.url() } });
    admin.put("/deployments/port", body).expect(201);
    let execution = admin.execute("port", "install");
    windlass.run_pending_work();
    assert_eq!(admin.execution(&execution)["status"], "terminated");
}

fn initiate(caller: Caller<'_>, body: Value) -> Value {
    let path = "/deployment-updates/port/update/initiate";
    caller.post(path, body).expect(200)
}

/// Updates the deployment, and answers the update at its end and the requests that it made.
fn updated(windlass: &Windlass, recorder: &Recorder, body: Value) -> (Value, Vec<String>) {
    let begun = recorder.requests().len();
    let admin = windlass.admin();
    let update = initiate(admin, body);
    assert_eq!(update["state"], "updating", "{update}");
    windlass.run_pending_work();
    let requests = recorder.requests();
    let paths = requests[begun..].iter().map(|request| request.path.clone());
    (shown(admin, &update), paths.collect())
}

pub fn shown(caller: Caller<'_>, update: &Value) -> Value {
    let id = update["id"].as_str().expect("an id");
    caller.get(&format!("/deployment-updates/{id}")).expect(200)
}

fn nodes(caller: Caller<'_>) -> Vec<String> {
    let nodes = caller.get("/nodes?deployment_id=port&_sort=id").expect(200);
    column(&nodes, "id")
        .into_iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether one of the requests came before another.
fn in_order(requests: &[String], first: &str, then: &str) -> bool {
    let place = |path: &str| requests.iter().position(|request| request == path);
    place(first)
        .zip(place(then))
        .is_some_and(|(first, then)| first < then)
}

#[test]
fn an_update_uninstalls_what_went_installs_what_is_new_and_changes_what_is_there() {
    let recorder = Recorder::start();
    let windlass = with_private();
    installed(&windlass, &recorder);
    let admin = windlass.admin();
    let quay = admin.get("/node-instances?node_id=quay").expect(200);

    let body = json!({ "blueprint_id": "after", "inputs": { "depth": 9 } });
    let (update, requests) = updated(&windlass, &recorder, body);
    assert_eq!(update["state"], "successful", "{update}");
    let mut sorted = requests.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "/barge/create",
            "/barge/delete",
            "/barge/start",
            "/barge/stop",
            "/buoy/delete",
            "/buoy/stop",
            "/crane/establish-light",
            "/crane/unlink-buoy",
            "/crane/update",
            "/light/create",
            "/light/start",
        ]
    );
    for (first, then) in [
        ("/buoy/delete", "/light/create"),
        ("/light/start", "/crane/establish-light"),
        ("/crane/establish-light", "/crane/update"),
        ("/barge/delete", "/barge/create"),
    ] {
        assert!(
            in_order(&requests, first, then),
            "{first} {then}: {requests:?}"
        );
    }
    assert_eq!(nodes(admin), ["barge", "crane", "light", "quay"]);
    let instances = admin.get("/node-instances?deployment_id=port").expect(200);
    assert_eq!(column(&instances, "state"), ["started"; 4]);
    // What did not change was left alone.
    assert_eq!(admin.get("/node-instances?node_id=quay").expect(200), quay);
    let crane = admin.get("/node-instances?node_id=crane").expect(200);
    let relationships = &crane["items"][0]["relationships"];
    assert_eq!(relationships.as_array().expect("a list").len(), 1);
    assert_eq!(relationships[0]["target_name"], "light");
    let deployment = admin.get("/deployments/port").expect(200);
    assert_eq!(deployment["blueprint_id"], "after");
    assert_eq!(deployment["inputs"]["depth"], 9);
    assert_eq!(deployment["deployment_status"], "good");
    assert_eq!(deployment["latest_execution"], update["execution_id"]);
    let outputs = admin.get("/deployments/port/outputs").expect(200);
    assert_eq!(outputs["outputs"], json!({ "depth": 9 }));
    assert_eq!(update["old_blueprint_id"], "before");
    assert_eq!(update["new_inputs"]["depth"], 9);
    assert_eq!(update["old_inputs"]["depth"], 3);
}

#[test]
fn a_preview_tells_the_steps_and_changes_nothing() {
    let recorder = Recorder::start();
    let windlass = with_private();
    installed(&windlass, &recorder);
    let admin = windlass.admin();
    let everything = || {
        [
            "/deployments/port",
            "/nodes",
            "/node-instances",
            "/executions",
        ]
        .map(|path| admin.get(path).expect(200))
    };
    let before = everything();
    let body = json!({ "blueprint_id": "after", "preview": true });
    let preview = initiate(admin, body);
    windlass.run_pending_work();
    assert_eq!(preview["state"], "preview");
    assert_eq!(preview["execution_id"], Value::Null);
    let steps = preview["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|step| {
            let path: Vec<&str> = step["entity_id"]
                .as_array()
                .expect("a path")
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {}",
                text("action"),
                text("entity_type"),
                path.join(":")
            )
        });
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [
            "remove relationship nodes:crane:relationships:[0]",
            "remove node nodes:buoy",
            "add node nodes:light",
            "add relationship nodes:crane:relationships:[0]",
            "modify property nodes:crane:properties:resource_id",
            "modify property nodes:barge:properties:resource_id",
        ]
    );
    assert_eq!(everything(), before);
    assert_eq!(shown(admin, &preview), preview);
}

#[test]
fn each_option_of_an_update_does_what_it_says() {
    let life = |node: &str| LIFE.map(|operation| format!("/{node}/{operation}"));
    let [barge_create, barge_start, barge_stop, barge_delete] = life("barge");
    let reinstalled = |requests: &[String]| {
        [&barge_create, &barge_start, &barge_stop, &barge_delete]
            .iter()
            .all(|path| requests.contains(path))
    };
    type Check<'a> = &'a dyn Fn(&[String]) -> bool;
    let has =
        |path: &'static str| move |requests: &[String]| requests.iter().any(|one| one == path);
    let checks: [(Value, &str, Check<'_>); 6] = [
        (
            json!({ "skip_install": true }),
            "what is new",
            &|requests| !has("/light/create")(requests) && has("/buoy/delete")(requests),
        ),
        (
            json!({ "skip_uninstall": true }),
            "what goes",
            &|requests| has("/light/create")(requests) && !has("/buoy/delete")(requests),
        ),
        (
            json!({ "skip_reinstall": true }),
            "what changed",
            &|requests| !has("/barge/stop")(requests) && has("/crane/update")(requests),
        ),
        (
            json!({ "force_reinstall": true }),
            "everything",
            &|requests| {
                reinstalled(requests)
                    && has("/crane/create")(requests)
                    && !has("/crane/update")(requests)
            },
        ),
        (json!({ "install_first": true }), "first", &|requests| {
            in_order(requests, "/light/start", "/buoy/stop") && reinstalled(requests)
        }),
        (
            json!({ "skip_reinstall": true, "reinstall": "quay" }),
            "named",
            &|requests| !has("/barge/stop")(requests) && has("/quay/create")(requests),
        ),
    ];
    for (options, what, check) in checks {
        let recorder = Recorder::start();
        let windlass = with_private();
        installed(&windlass, &recorder);
        let mut body = options.clone();
        body["blueprint_id"] = json!("after");
        if let Some(node) = options["reinstall"].as_str() {
            let path = format!("/node-instances?node_id={node}");
            let instances = windlass.admin().get(&path).expect(200);
            body["reinstall_list"] = json!([instances["items"][0]["id"]]);
        }
        let (update, requests) = updated(&windlass, &recorder, body);
        assert_eq!(update["state"], "successful", "{what}: {update}");
        assert!(check(&requests), "{what} {options}: {requests:?}");
        assert_eq!(nodes(windlass.admin()), ["barge", "crane", "light", "quay"]);
    }
}

#[test]
fn a_failed_update_can_be_made_again() {
    let is_down = std::sync::atomic::AtomicBool::new(true);
    let is_down = std::sync::Arc::new(is_down);
    let down = is_down.clone();
    let recorder = Recorder::answering(move |request| {
        let fails =
            request.path == "/light/start" && down.load(std::sync::atomic::Ordering::SeqCst);
        (if fails { 400 } else { 200 }, json!({}))
    });
    let windlass = with_private();
    installed(&windlass, &recorder);
    let admin = windlass.admin();
    let body = json!({ "blueprint_id": "after" });
    let (update, _) = updated(&windlass, &recorder, body.clone());
    assert_eq!(update["state"], "failed", "{update}");
    let execution = update["execution_id"].as_str().expect("an execution");
    let execution = admin.get(&format!("/executions/{execution}")).expect(200);
    assert_eq!(execution["status"], "failed");
    assert_eq!(
        admin.get("/deployments/port").expect(200)["blueprint_id"],
        "before"
    );

    is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    let (update, requests) = updated(&windlass, &recorder, body);
    assert_eq!(update["state"], "successful", "{update}");
    for path in ["/light/start", "/crane/update", "/barge/create"] {
        assert!(
            requests.iter().any(|one| one == path),
            "{path}: {requests:?}"
        );
    }
    assert!(
        !requests.contains(&"/buoy/delete".to_owned()),
        "{requests:?}"
    );
    assert_eq!(nodes(admin), ["barge", "crane", "light", "quay"]);
    let instances = admin.get("/node-instances?deployment_id=port").expect(200);
    assert_eq!(column(&instances, "state"), ["started"; 4]);
    let history = admin
        .get("/deployment-updates?deployment_id=port&_sort=created_at")
        .expect(200);
    assert_eq!(column(&history, "state"), ["failed", "successful"]);
    assert_eq!(column(&history, "new_blueprint_id"), ["after", "after"]);
}

#[test]
fn a_node_of_another_type_is_uninstalled_and_a_new_one_takes_its_name() {
    let recorder = Recorder::start();
    let windlass = with_private();
    let admin = windlass.admin();
    let blueprint = |kind: &str| {
        let mut blueprint = Blueprint::new().node("quay", &LIFE, &[]);
        blueprint.0 = blueprint.0.replace("cloudify.nodes.Root", kind);
        blueprint
    };
    blueprint("cloudify.nodes.Root").upload(admin, "before");
    blueprint("cloudify.nodes.Tier").upload(admin, "after");
    let body = json!({ "blueprint_id": "before", "inputs": { "url": recorder.url() } });
    admin.put("/deployments/port", body).expect(201);
    admin.execute("port", "install");
    windlass.run_pending_work();
    let old = admin.get("/node-instances").expect(200)["items"][0]["id"].clone();
    let body = json!({ "blueprint_id": "after", "install_first": true });
    let (update, requests) = updated(&windlass, &recorder, body);
    assert_eq!(update["state"], "successful", "{update}");
    assert_eq!(
        requests,
        ["/quay/stop", "/quay/delete", "/quay/create", "/quay/start"]
    );
    let instances = admin.get("/node-instances").expect(200);
    assert_eq!(column(&instances, "state"), ["started"]);
    assert_ne!(instances["items"][0]["id"], old);
    let node = admin.get("/nodes?deployment_id=port").expect(200);
    assert_eq!(node["items"][0]["type"], "cloudify.nodes.Tier");
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn an_update_that_is_killed_at_any_commit_ends_well() {
    for commit in [1, 2, 3, 5, 8, 13, 21] {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let recorder = Recorder::start();
            let windlass = with_private();
            installed(&windlass, &recorder);
            let begun = recorder.requests().len();
            let update = initiate(windlass.admin(), json!({ "blueprint_id": "after" }));
            let windlass = windlass.kill().start_with(&fault);
            // Falls over its fault, unless there are fewer commits.
            while windlass.try_tick().is_some_and(|answer| answer["ran"] != 0) {}
            let windlass = windlass.kill().start();
            windlass.expire_leases();
            windlass.run_pending_work();
            let admin = windlass.admin();
            assert_eq!(shown(admin, &update)["state"], "successful", "{fault}");
            assert_eq!(nodes(admin), ["barge", "crane", "light", "quay"], "{fault}");
            let instances = admin.get("/node-instances?deployment_id=port").expect(200);
            assert_eq!(column(&instances, "state"), ["started"; 4], "{fault}");
            // A request may be sent twice, then with the same key.
            let mut sent: Vec<(String, String)> = recorder.requests()[begun..]
                .iter()
                .map(|request| {
                    (
                        request.path.clone(),
                        request.headers["idempotency-key"].clone(),
                    )
                })
                .collect();
            sent.sort();
            sent.dedup();
            let mut paths: Vec<&str> = sent.iter().map(|(path, _)| path.as_str()).collect();
            let all = paths.len();
            paths.dedup();
            assert_eq!((all, paths.len()), (11, 11), "{fault}: {sent:?}");
        }
    }
}
