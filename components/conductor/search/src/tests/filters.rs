//! `/filters`.

use super::{Harbour, rule};
use serde_json::{Value, json};

fn attribute() -> Value {
    rule("attribute", "created_by", "any_of", json!(["ann"]))
}

fn label() -> Value {
    rule("label", "place", "any_of", json!(["port"]))
}

#[test]
fn a_filter_is_shown_with_its_rules_and_both_halves_of_them() {
    let harbour = Harbour::new();
    let body = json!({ "filter_rules": [attribute(), label()], "visibility": "tenant" });
    let mut made = harbour.ask("ann", "PUT /filters/deployments/f", body, 200);
    assert_eq!(harbour.get("bob", "/filters/deployments/f"), made);
    for time in ["created_at", "updated_at"] {
        made[time] = json!("now");
    }
    assert_eq!(
        made,
        json!({
            "id": "f", "value": [attribute(), label()], "labels_filter_rules": [label()],
            "attrs_filter_rules": [attribute()], "is_system_filter": false, "created_at": "now",
            "updated_at": "now", "created_by": "ann", "tenant_name": "harbour", "visibility": "tenant",
            "private_resource": false, "resource_availability": "tenant",
        })
    );
    // The other kind has names of its own.
    harbour.ask("ann", "GET /filters/blueprints/f", Value::Null, 404);
    harbour.ask(
        "ann",
        "PUT /filters/blueprints/f",
        json!({ "filter_rules": [] }),
        200,
    );
    harbour.ask("ann", "GET /filters/plugins/f", Value::Null, 404);
    let list = harbour.get("ann", "/filters/deployments?_search=F&_include=id");
    assert_eq!(list["items"], json!([{ "id": "f" }]));
}

#[test]
fn an_update_replaces_the_rules_of_the_types_it_has() {
    let harbour = Harbour::new();
    let body = json!({ "filter_rules": [label(), attribute()] });
    harbour.ask("ann", "PUT /filters/deployments/f", body, 200);
    let other = rule("label", "place", "is_null", json!([]));
    let site = rule("attribute", "site_name", "is_not_empty", json!([]));
    for (given, want) in [
        (json!([]), json!([label(), attribute()])),
        (json!([other]), json!([attribute(), other])),
        (json!([site]), json!([other, site])),
        (json!([label(), attribute()]), json!([label(), attribute()])),
    ] {
        let body = json!({ "filter_rules": given });
        let shown = harbour.ask("ann", "PATCH /filters/deployments/f", body, 200);
        assert_eq!(shown["value"], want);
    }
    harbour.ask("ann", "DELETE /filters/deployments/f", Value::Null, 204);
    harbour.ask("ann", "GET /filters/deployments/f", Value::Null, 404);
}

#[test]
fn what_no_filter_can_be_is_refused() {
    let harbour = Harbour::new();
    harbour.ask(
        "ann",
        "PUT /filters/deployments/f",
        json!({ "filter_rules": [label()] }),
        200,
    );
    harbour.ask(
        "root",
        "PUT /filters/deployments/wide",
        json!({ "filter_rules": [], "visibility": "global" }),
        200,
    );
    let rules = || json!({ "filter_rules": [label()] });
    for (who, request, body, status, text) in [
        (
            "ann",
            "GET /filters/deployments/9",
            Value::Null,
            400,
            "must begin with a letter",
        ),
        (
            "ann",
            "PUT /filters/deployments/9",
            rules(),
            400,
            "must begin with a letter",
        ),
        (
            "ann",
            "PUT /filters/deployments/CSYS-x",
            rules(),
            400,
            "All filters with a `csys-` prefix are reserved for internal use.",
        ),
        (
            "ann",
            "PUT /filters/deployments/a",
            json!({}),
            400,
            "Missing filter_rules",
        ),
        (
            "ann",
            "PUT /filters/deployments/a",
            json!({ "filter_rules": {} }),
            400,
            "expected to be of type list",
        ),
        (
            "ann",
            "PUT /filters/deployments/a",
            json!({ "filter_rules": [1] }),
            400,
            "The filter rule 1 is not in the right format. The filter rule is not a dictionary",
        ),
        (
            "ann",
            "PUT /filters/blueprints/a",
            json!({ "filter_rules": [rule("attribute", "site_name", "any_of", json!(["a"]))] }),
            400,
            "Allowed attributes to filter blueprints by are id, state, tenant_name, created_by",
        ),
        (
            "ann",
            "PUT /filters/deployments/a",
            json!({ "filter_rules": [], "visibility": "all" }),
            400,
            "Invalid visibility",
        ),
        (
            "ann",
            "PUT /filters/deployments/f",
            rules(),
            409,
            "already exists",
        ),
        (
            "ann@quay",
            "PUT /filters/deployments/wide",
            rules(),
            409,
            "already exists",
        ),
        (
            "ann",
            "PATCH /filters/deployments/f",
            json!({}),
            400,
            "at least one parameter",
        ),
        (
            "ann",
            "PATCH /filters/deployments/none",
            rules(),
            404,
            "Requested `DeploymentsFilter` with ID `none`",
        ),
        (
            "ann",
            "PATCH /filters/blueprints/none",
            rules(),
            404,
            "Requested `BlueprintsFilter` with ID `none`",
        ),
        (
            "ann",
            "PATCH /filters/deployments/f",
            json!({ "visibility": "private" }),
            400,
            "already has wider visibility",
        ),
        (
            "ann@quay",
            "PATCH /filters/deployments/wide",
            rules(),
            400,
            "from outside its tenant `harbour`",
        ),
        (
            "ann@quay",
            "DELETE /filters/deployments/wide",
            Value::Null,
            400,
            "from outside its tenant `harbour`",
        ),
        (
            "ann",
            "DELETE /filters/deployments/none",
            Value::Null,
            404,
            "Requested `DeploymentsFilter`",
        ),
        (
            "eve",
            "PUT /filters/deployments/a",
            rules(),
            403,
            "filter_create",
        ),
        (
            "eve",
            "PATCH /filters/deployments/f",
            rules(),
            403,
            "filter_update",
        ),
        (
            "eve",
            "DELETE /filters/deployments/f",
            Value::Null,
            403,
            "filter_delete",
        ),
        (
            "eve",
            "GET /filters/deployments",
            Value::Null,
            403,
            "filter_list",
        ),
    ] {
        harbour.refused(who, request, body, status, text);
    }
    let refusal = harbour.ask(
        "ann",
        "PUT /filters/deployments/a",
        json!({ "filter_rules": [{ "key": "a" }] }),
        400,
    );
    assert_eq!(refusal["error_code"], "invalid_filter_rule");
    assert_eq!(refusal["err_filter_rule"], json!({ "key": "a" }));
    assert_eq!(
        refusal["err_reason"],
        "At least one of the entries in the filter rule is missing"
    );
}
