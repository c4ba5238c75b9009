//! `/filters`, `/searches` and `/summary`, where several components serve them.

use crate::samples::{CRANE, ids};
use windlass_tests::{Caller, Value, Windlass, json};

fn rule(kind: &str, key: &str, operator: &str, values: Value) -> Value {
    json!({ "key": key, "values": values, "operator": operator, "type": kind })
}

/// A blueprint with a label, and three deployments at two places.
fn harbour(admin: Caller<'_>) {
    let files = [("crane.yaml", CRANE)];
    admin.upload("crane", "crane.yaml", &files).expect(201);
    admin
        .patch(
            "/blueprints/crane",
            json!({ "labels": [{ "kind": "crane" }] }),
        )
        .expect(200);
    admin.upload("other", "crane.yaml", &files).expect(201);
    for (id, place) in [("one", "port"), ("two", "sea"), ("three", "port")] {
        let body = json!({ "blueprint_id": "crane", "labels": [{ "place": place }] });
        admin.put(&format!("/deployments/{id}"), body).expect(201);
    }
}

#[test]
fn a_filter_selects_in_lists_and_searches() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    harbour(admin);
    let port = json!({ "filter_rules": [rule("label", "place", "any_of", json!(["port"]))] });
    admin
        .put("/filters/deployments/port", port.clone())
        .expect(200);
    let found = admin.get("/deployments?_filter_id=port").expect(200);
    assert_eq!(ids(&found), ["one", "three"]);
    assert_eq!(found["metadata"]["filtered"], 1);
    let found = admin
        .post("/searches/deployments?_sort=-id", port)
        .expect(200);
    assert_eq!(ids(&found), ["three", "one"]);
    let both = json!({ "filter_rules": [rule("attribute", "id", "contains", json!(["n"]))] });
    let found = admin
        .post("/searches/deployments?_filter_id=port", both)
        .expect(200);
    assert_eq!(ids(&found), ["one"]);
    admin
        .get("/deployments?_filter_id=none")
        .refused(404, "not_found_error");
    let workflows = admin.get("/workflows?_filter_id=port").expect(200);
    let names = workflows["items"].as_array().expect("a list");
    assert!(
        names.iter().any(|one| one["name"] == "install"),
        "{workflows}"
    );
    let none = json!({ "constraints": { "tenants": ["desert"] } });
    let none = admin.post("/searches/workflows", none).expect(200);
    assert_eq!(none["items"], json!([]));

    let kinds = json!({ "filter_rules": [rule("label", "kind", "is_not_null", json!([]))] });
    let found = admin.post("/searches/blueprints", kinds).expect(200);
    assert_eq!(ids(&found), ["crane"]);
    assert_eq!(found["metadata"]["filtered"], 1);
    // What is found is as in the list: with its plan.
    assert_eq!(found["items"][0]["plan"]["nodes"][0]["name"], "quay");
    let system = admin
        .get("/deployments?_filter_id=csys-service-filter")
        .expect(200);
    assert_eq!(ids(&system).len(), 3);
}

#[test]
fn parts_are_searched_in_deployments_and_plans_and_counted() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    harbour(admin);
    for owner in [
        json!({ "deployment_id": "one" }),
        json!({ "blueprint_id": "crane" }),
    ] {
        let mut constraints = owner.clone();
        constraints["valid_values"] = json!(["cloudify.nodes.SoftwareComponent"]);
        let found = admin.post(
            "/searches/node-types",
            json!({ "constraints": constraints }),
        );
        let found = found.expect(200);
        assert_eq!(ids(&found), ["crane"], "{owner}");
        assert_eq!(found["metadata"]["filtered"], 1, "{owner}");
    }
    let of_one =
        json!({ "constraints": { "deployment_id": "one", "valid_values": ["up to 12 t"] } });
    let found = admin.post("/searches/capabilities", of_one).expect(200);
    assert_eq!(
        found["items"][0]["capabilities"],
        json!([{ "lifts": { "value": "up to 12 t" } }])
    );
    let summary = admin
        .get("/summary/nodes?_target_field=deployment_id")
        .expect(200);
    assert_eq!(summary["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        summary["items"][0],
        json!({ "deployment_id": "one", "nodes": 2 })
    );
}
