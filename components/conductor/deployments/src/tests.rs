//! Requests through the routes, with callers that only tests have.

mod added;
mod dependencies;
mod deployment_groups;
mod modifications;
mod updates;

use serde_json::{Value, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::params;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::router::Router;
use windlass_core::testing::{self, Callers, Rights};

/// Whoever the header `caller` names: `admin`, `viewer`, `user` (no manager), `update` (an
/// execution that updates), or nobody.
struct Named;

impl Callers for Named {
    fn rights(name: &str) -> Rights {
        let reads = [
            Permission::DeploymentGet,
            Permission::DeploymentList,
            Permission::NodeList,
            Permission::NodeInstanceList,
            Permission::NodeInstanceGet,
        ];
        let here = match name {
            "viewer" => reads.into_iter().collect(),
            "user" => {
                let all = Permission::ALL.iter().copied();
                all.filter(|one| *one != Permission::Administrators)
                    .collect()
            }
            _ => PermissionSet::all(),
        };
        Rights {
            here,
            execution_id: (name == "update").then(|| "e1".to_owned()),
            ..Rights::default()
        }
    }
}

struct Harbour {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Harbour {
    /// Deployments `d1` (labelled red) and `d2` (blue) of one blueprint, and an instance of a node.
    fn new() -> Self {
        let db = NativeDb::in_memory();
        let harbour = Self {
            db,
            router: Router::new(crate::routes()).unwrap(),
        };
        pollster::block_on(windlass_store::migrations::apply(&harbour.db)).unwrap();
        harbour.sql(
            "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')",
        );
        harbour.sql(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state)
             values (1, 'crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded'),
                 (2, 'draft', 'harbour', 'ann', 'tenant', '2024', '2024', 'failed_parsing')",
        );
        for (key, id, team) in [(1, "d1", "red"), (2, "d2", "blue")] {
            let values = format!(
                "{key}, '{id}', 'harbour', 'ann', 'tenant', '2024', '2024', 1, 'crane', '{id}'"
            );
            harbour.sql(&format!(
                "insert into deployments (key, id, tenant_name, created_by, visibility, created_at,
                     updated_at, blueprint_key, blueprint_id, display_name) values ({values})"
            ));
            harbour.sql(&format!(
                "insert into deployment_labels values ({key}, 'team', '{team}', '2024', 'ann')"
            ));
        }
        harbour.sql(
            "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id,
                 status) values ('e1', 'harbour', 'ann', 'tenant', '2024-05-01T03:00:00.000Z', 'update', 'started')",
        );
        let nodes = json!({ "deployment_id": "d1", "nodes": [{
            "id": "lamp", "type": "lamp", "type_hierarchy": ["lamp"],
            "properties": { "label": { "concat": ["a ", { "get_attribute": ["SELF", "colour"] }] } } }] });
        harbour.ask("admin", "POST", "/nodes", nodes, 201);
        let instances = json!({ "deployment_id": "d1", "node_instances": [{
            "id": "lamp_1", "node_id": "lamp", "runtime_properties": { "colour": "red" } }] });
        harbour.ask("admin", "POST", "/node-instances", instances, 201);
        harbour
    }

    fn sql(&self, sql: &str) {
        pollster::block_on(self.db.execute(sql, params![])).unwrap();
    }

    fn ask(&self, who: &str, method: &str, url: &str, body: Value, status: u16) -> Value {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer =
            testing::ask::<Named>(&self.router, &self.db, who, (method, url), (&body, status));
        pollster::block_on(answer).unwrap()
    }

    fn ids(&self, who: &str, url: &str) -> Vec<String> {
        let items = self.ask(who, "GET", url, Value::Null, 200)["items"].clone();
        let ids = items.as_array().unwrap().iter();
        ids.map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[test]
fn deployments_are_sorted_by_labels_and_searched_by_two_names() {
    let harbour = Harbour::new();
    for (url, want) in [
        ("/deployments?_sort=label:team", &["d2", "d1"][..]),
        ("/deployments?_sort=-label:TEAM,id", &["d1", "d2"]),
        ("/deployments?_search=1&_search_name=2", &["d1", "d2"]),
        ("/deployments?_search_name=2", &["d2"]),
        ("/deployments?_size=1&_offset=1", &["d2"]),
        ("/nodes?deployment_id=d1", &["lamp"]),
    ] {
        assert_eq!(harbour.ids("viewer", url), want, "{url}");
        assert!(harbour.ids("admin@quay", url).is_empty(), "{url}");
    }
    let refusal = harbour.ask(
        "viewer",
        "GET",
        "/deployments?_sort=label:a'b",
        Value::Null,
        400,
    );
    assert_eq!(refusal["error_code"], "bad_parameters_error");
    harbour.ask(
        "viewer",
        "GET",
        "/deployments?_filter_id=f",
        Value::Null,
        404,
    );
    harbour.ask("viewer", "GET", "/workflows?_group_id=g", Value::Null, 404);
}

#[test]
fn a_viewer_changes_nothing_and_a_stranger_finds_nothing() {
    let harbour = Harbour::new();
    for (method, url) in [
        ("PUT", "/deployments/d3"),
        ("PATCH", "/deployments/d1"),
        ("DELETE", "/deployments/d1"),
        ("PATCH", "/deployments/d1/set-visibility"),
        ("POST", "/deployments/d1/set-site"),
        ("POST", "/nodes"),
        ("POST", "/node-instances"),
        ("PATCH", "/node-instances/lamp_1"),
        ("DELETE", "/node-instances/lamp_1"),
        ("PATCH", "/nodes/d1/lamp"),
        ("DELETE", "/nodes/d1/lamp"),
        ("POST", "/evaluate/functions"),
    ] {
        let refusal = harbour.ask("viewer", method, url, json!({ "version": 9 }), 403);
        assert_eq!(refusal["error_code"], "forbidden_error", "{method} {url}");
    }
    for (method, url, body) in [
        ("GET", "/deployments/d1", Value::Null),
        ("GET", "/deployments/d1/outputs", Value::Null),
        ("GET", "/deployments/d1/capabilities", Value::Null),
        ("GET", "/node-instances/lamp_1", Value::Null),
        ("PATCH", "/deployments/d1", json!({ "display_name": "x" })),
        (
            "PATCH",
            "/deployments/d1/set-visibility",
            json!({ "visibility": "tenant" }),
        ),
        (
            "POST",
            "/deployments/d1/set-site",
            json!({ "detach_site": true }),
        ),
        ("PATCH", "/node-instances/lamp_1", json!({ "version": 9 })),
        (
            "POST",
            "/evaluate/functions",
            json!({ "deployment_id": "d1", "payload": {} }),
        ),
        ("DELETE", "/deployments/d1", Value::Null),
        ("PUT", "/deployments/d3", json!({ "blueprint_id": "crane" })),
    ] {
        let refusal = harbour.ask("admin@quay", method, url, body, 404);
        assert_eq!(refusal["error_code"], "not_found_error", "{method} {url}");
    }
}

#[test]
fn what_is_fixed_is_changed_by_updates_only() {
    let harbour = Harbour::new();
    let moved = json!({ "version": 9, "relationships": [{ "type": "moored_at" }] });
    let parts = json!({ "properties": { "a": 1 } });
    for (method, url, body, code) in [
        (
            "PATCH",
            "/deployments/d1",
            json!({ "outputs": {} }),
            "conflict_error",
        ),
        (
            "PATCH",
            "/deployments/d1",
            json!({ "blueprint_id": "crane" }),
            "only_deployment_update",
        ),
        (
            "PATCH",
            "/node-instances/lamp_1",
            moved.clone(),
            "only_deployment_update",
        ),
        (
            "PATCH",
            "/nodes/d1/lamp",
            parts.clone(),
            "only_deployment_update",
        ),
        (
            "DELETE",
            "/nodes/d1/lamp",
            Value::Null,
            "only_deployment_update",
        ),
        (
            "DELETE",
            "/node-instances/lamp_1",
            Value::Null,
            "only_deployment_update",
        ),
    ] {
        let status = if code == "conflict_error" { 409 } else { 403 };
        let refusal = harbour.ask("admin", method, url, body, status);
        assert_eq!(refusal["error_code"], code, "{method} {url}");
    }
    let workflows = json!({ "stop": { "plugin": "p", "availability_rules": { "node_types_required": ["lamp"] } } });
    let changed = json!({ "outputs": { "o": { "value": 1 } }, "blueprint_id": "crane", "workflows": workflows });
    let changed = harbour.ask("update", "PATCH", "/deployments/d1", changed, 200);
    assert_eq!(changed["outputs"]["o"]["value"], 1);
    assert_eq!(changed["workflows"][0]["is_available"], true);
    let instance = harbour.ask("update", "PATCH", "/node-instances/lamp_1", moved, 200);
    assert_eq!(
        (&instance["version"], &instance["relationships"][0]["type"]),
        (&json!(2), &json!("moored_at"))
    );
    harbour.ask("update", "PATCH", "/nodes/d1/lamp", parts, 204);
    harbour.ask(
        "update",
        "DELETE",
        "/node-instances/lamp_1",
        Value::Null,
        204,
    );
    harbour.ask("update", "DELETE", "/nodes/d1/lamp", Value::Null, 204);
    assert!(harbour.ids("admin", "/nodes").is_empty());
}

#[test]
fn functions_in_nodes_are_evaluated_when_asked_for() {
    let harbour = Harbour::new();
    let url = "/nodes?deployment_id=d1&_include=properties";
    let plain = harbour.ask(
        "viewer",
        "GET",
        &format!("{url}&_evaluate_functions=False"),
        Value::Null,
        200,
    );
    assert!(plain["items"][0]["properties"]["label"]["concat"].is_array());
    for parameter in ["_evaluate_functions=True", "evaluate_functions=true"] {
        let page = harbour.ask(
            "viewer",
            "GET",
            &format!("{url}&{parameter}"),
            Value::Null,
            200,
        );
        assert_eq!(
            page["items"],
            json!([{ "properties": { "label": "a red" } }]),
            "{parameter}"
        );
    }
    harbour.sql("delete from node_instances");
    let refusal = harbour.ask(
        "viewer",
        "GET",
        &format!("{url}&_evaluate_functions=True"),
        Value::Null,
        400,
    );
    assert_eq!(refusal["error_code"], "functions_evaluation_error");
}

#[test]
fn a_blueprint_that_failed_makes_no_deployment() {
    let harbour = Harbour::new();
    let refusal = harbour.ask(
        "admin",
        "PUT",
        "/deployments/d3",
        json!({ "blueprint_id": "draft" }),
        400,
    );
    assert_eq!(refusal["error_code"], "deployment_creation_error");
    assert_eq!(
        refusal["message"],
        "Unable to create a deployment based on a blueprint which is not `uploaded` but: `failed_parsing`"
    );
}

#[test]
fn a_deployment_is_at_a_site_that_exists_and_is_seen_by_as_many() {
    let harbour = Harbour::new();
    harbour.sql(
        "insert into sites (name, tenant_name, created_by, visibility, created_at)
         values ('pier', 'harbour', 'ann', 'tenant', '2024'),
             ('cove', 'harbour', 'admin', 'private', '2024'),
             ('dock', 'quay', 'ann', 'tenant', '2024')",
    );
    let site = |name: &str| json!({ "site_name": name });
    for (url, body, status, text) in [
        (
            "d1",
            site("9"),
            400,
            "The `site_name` argument must begin with a letter",
        ),
        (
            "none",
            site("9"),
            400,
            "The `site_name` argument must begin with a letter",
        ),
        (
            "none",
            site("pier"),
            404,
            "Requested `Deployment` with ID `none` was not found",
        ),
        (
            "d1",
            site("dock"),
            404,
            "Requested `Site` with ID `dock` was not found",
        ),
        (
            "d1",
            site("cove"),
            400,
            "The visibility of deployment `d1` can't be wider than that of its site `cove`, which is private",
        ),
        (
            "d1",
            json!({ "site_name": "pier", "detach_site": true }),
            400,
            "Must provide either",
        ),
    ] {
        let refusal = harbour.ask(
            "admin",
            "POST",
            &format!("/deployments/{url}/set-site"),
            body,
            status,
        );
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{url}: {message}");
    }
    let url = "/deployments/d1/set-site";
    let moored = json!({ "site_name": "pier", "detach_site": false });
    let moored = harbour.ask("admin", "POST", url, moored, 200);
    assert_eq!(moored["site_name"], "pier");
    // Its site is seen by one tenant, so the deployment cannot be seen by all.
    harbour.sql("update blueprints set visibility = 'global' where id = 'crane'");
    let wider = json!({ "visibility": "global" });
    let url = "/deployments/d1/set-visibility";
    let refusal = harbour.ask("admin", "PATCH", url, wider.clone(), 400);
    assert_eq!(refusal["error_code"], "illegal_action_error");
    harbour.sql("update sites set visibility = 'global' where name = 'pier'");
    harbour.ask("admin", "PATCH", url, wider, 200);
    let url = "/deployments/d1/set-site";
    let free = harbour.ask("admin", "POST", url, json!({ "detach_site": true }), 200);
    assert_eq!(free["site_name"], Value::Null);
    let list = harbour.ask(
        "admin",
        "GET",
        "/deployments?_sort=-label:team",
        Value::Null,
        200,
    );
    assert_eq!(list["items"][0]["id"], "d1", "red comes after blue");
}

#[test]
fn a_deployment_cannot_be_made_at_a_site_that_is_not_there() {
    let harbour = Harbour::new();
    harbour.sql(
        "insert into sites (name, tenant_name, created_by, visibility, created_at)
         values ('cove', 'harbour', 'admin', 'private', '2024')",
    );
    harbour.sql(
        "insert into blueprint_plans (blueprint_key, plan, stored) values (1, '{}',
             '{\"nodes\": [], \"inputs\": {}, \"outputs\": {}, \"workflows\": {}}')",
    );
    for (name, status, text) in [
        (
            "9",
            400,
            "The `site_name` argument must begin with a letter",
        ),
        ("pier", 404, "Requested `Site` with ID `pier` was not found"),
        ("cove", 400, "can't be wider than that of its site `cove`"),
    ] {
        let body = json!({ "blueprint_id": "crane", "site_name": name });
        let refusal = harbour.ask("admin", "PUT", "/deployments/d3", body, status);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{name}: {message}");
    }
    let body = json!({ "blueprint_id": "crane", "site_name": "cove", "visibility": "private" });
    let made = harbour.ask("admin", "PUT", "/deployments/d3", body, 201);
    assert_eq!(made["site_name"], "cove");
}

#[test]
fn dependencies_between_deployments_are_no_deployment_of_that_name() {
    let harbour = Harbour::new();
    let path = "/deployments/inter-deployment-dependencies";
    harbour.ask(
        "admin",
        "PUT",
        path,
        json!({ "blueprint_id": "crane" }),
        400,
    );
    harbour.ask("admin", "PATCH", path, json!({ "labels": [] }), 405);
    assert_eq!(harbour.ids("admin", "/deployments"), ["d1", "d2"]);
}

#[test]
fn policy_types_are_taken_as_an_object_or_a_list() {
    let harbour = Harbour::new();
    for types in [json!({ "scale": { "source": "x" } }), json!(["scale"])] {
        let body = json!({ "policy_types": types });
        let changed = harbour.ask("update", "PATCH", "/deployments/d1", body, 200);
        assert_eq!(changed["policy_types"], types);
    }
    for body in [json!({ "policy_types": "scale" }), json!({ "groups": [] })] {
        harbour.ask("update", "PATCH", "/deployments/d1", body, 400);
    }
}
