//! `/searches`.

use super::{Harbour, rule};
use serde_json::{Value, json};

#[test]
fn nodes_and_instances_are_found_by_rules_and_constraints() {
    let harbour = Harbour::new();
    let in_d1 = |more: Value| {
        let mut constraints = json!({ "deployment_id": "d1" });
        constraints
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "constraints": constraints })
    };
    let by_rule = |key: &str, operator: &str, values: Value| json!({ "filter_rules": [rule("attribute", key, operator, values)] });
    for (url, body, field, want, filtered) in [
        ("nodes", in_d1(json!({})), "id", "web net", Value::Null),
        (
            "nodes?deployment_id=d1",
            json!({}),
            "id",
            "web net",
            Value::Null,
        ),
        (
            "nodes?_search=E",
            in_d1(json!({})),
            "id",
            "web net",
            Value::Null,
        ),
        (
            "nodes",
            in_d1(json!({ "name_pattern": { "starts_with": "w" } })),
            "id",
            "web",
            json!(1),
        ),
        (
            "nodes",
            in_d1(json!({ "valid_values": ["net", "x"] })),
            "id",
            "net",
            json!(1),
        ),
        (
            "nodes",
            in_d1(json!({ "operation_name_specs": { "equals_to": "stop" } })),
            "id",
            "web",
            json!(1),
        ),
        (
            "nodes?deployment_id=d1",
            by_rule("type", "any_of", json!(["vm"])),
            "id",
            "web",
            json!(1),
        ),
        (
            "nodes?deployment_id=d1",
            by_rule("operation_name", "contains", json!(["sta"])),
            "id",
            "web",
            json!(1),
        ),
        (
            "nodes?deployment_id=d1",
            by_rule("operation_name", "not_contains", json!(["sta"])),
            "id",
            "net",
            json!(1),
        ),
        (
            "node-types",
            in_d1(json!({})),
            "type",
            "vm root",
            Value::Null,
        ),
        (
            "node-types?_search=ROO",
            in_d1(json!({})),
            "type",
            "root",
            Value::Null,
        ),
        // A type is as good as those it derives from.
        (
            "node-types",
            in_d1(json!({ "valid_values": ["host"] })),
            "type",
            "vm",
            json!(1),
        ),
        (
            "node-types",
            in_d1(json!({ "name_pattern": { "equals_to": "root" } })),
            "type",
            "root",
            json!(1),
        ),
        (
            "node-instances",
            json!({}),
            "id",
            "web_1 web_2 web_3 web_4 web_5 web_6",
            Value::Null,
        ),
        (
            "node-instances?node_id=web&deployment_id=d2",
            json!({}),
            "id",
            "web_2",
            Value::Null,
        ),
        (
            "node-instances",
            in_d1(json!({ "name_pattern": { "ends_with": "_1" } })),
            "id",
            "web_1",
            json!(0),
        ),
        (
            "node-instances",
            by_rule("id", "any_of", json!(["web_3"])),
            "id",
            "web_3",
            json!(5),
        ),
    ] {
        let (found, total, left_out) = harbour.search(url, body.clone(), field);
        assert_eq!(found.join(" "), want, "{url} {body}");
        assert_eq!(total, i64::try_from(found.len()).unwrap(), "{url} {body}");
        assert_eq!(left_out, filtered, "{url} {body}");
    }
}

#[test]
fn secrets_are_found_by_their_keys() {
    let harbour = Harbour::new();
    harbour.sql(
        "insert into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
         select value, 'harbour', 'ann', 'tenant', '', '', 'v' from json_each('[\"pw\", \"token\"]')",
    );
    let rules = json!({ "filter_rules": [rule("attribute", "key", "starts_with", json!(["TO"]))] });
    assert_eq!(
        harbour.search("secrets", rules, "key"),
        (vec!["token".into()], 1, json!(1))
    );
    let constraints = json!({ "constraints": { "valid_values": ["pw"] } });
    assert_eq!(
        harbour.search("secrets", constraints, "key"),
        (vec!["pw".into()], 1, json!(1))
    );
    assert_eq!(
        harbour.search("secrets?_search=W", json!({}), "key").0,
        ["pw"]
    );
    let shown = harbour.ask("ann", "POST /searches/secrets", json!({}), 200);
    assert!(shown["items"][0].get("value").is_none());
}

#[test]
fn capabilities_and_scaling_groups_are_found_by_name_and_value() {
    let harbour = Harbour::new();
    harbour.sql(
        "insert into plan_parts (key, hash, text) values
         (7, 'c', '{\"port\": {\"value\": 80, \"description\": \"where\"}, \"name\": {\"value\": {\"get_sys\": [\"deployment\", \"id\"]}}}'),
         (8, 'd', '{\"farm\": {\"members\": [\"web\"], \"properties\": {\"max_instances\": 3}}, \"pool\": {\"members\": [], \"properties\": {}}}')",
    );
    harbour.sql(
        "update deployments set capabilities_part = 7, scaling_groups_part = 8 where id = 'd1'",
    );
    let ask = |url: &str, body: Value| {
        harbour.ask("ann", &format!("POST /searches/{url}"), body, 200)["items"].clone()
    };
    let of_d1 = json!({ "constraints": { "deployment_id": "d1" } });
    let port = json!({ "port": { "value": 80, "description": "where" } });
    let name = json!({ "name": { "value": "d1" } });
    assert_eq!(
        ask("capabilities", of_d1.clone()),
        json!([{ "deployment_id": "d1", "capabilities": [port, name] }])
    );
    assert_eq!(
        ask("capabilities?_search=80", of_d1.clone())[0]["capabilities"],
        json!([port])
    );
    for (more, want) in [
        (
            json!({ "valid_values": ["d1"] }),
            json!([{ "deployment_id": "d1", "capabilities": [name] }]),
        ),
        (
            json!({ "name_pattern": { "contains": "or" } }),
            json!([{ "deployment_id": "d1", "capabilities": [port] }]),
        ),
        (json!({ "valid_values": ["d2"] }), json!([])),
    ] {
        let mut constraints = more;
        constraints["deployment_id"] = "d1".into();
        assert_eq!(
            ask("capabilities", json!({ "constraints": constraints })),
            want
        );
    }
    let groups = ask("scaling-groups?deployment_id=d1&_search=farm", json!({}));
    assert_eq!(
        groups,
        json!([{ "deployment_id": "d1", "name": "farm", "members": ["web"], "properties": { "max_instances": 3 } }])
    );
    assert_eq!(
        ask("scaling-groups?deployment_id=d1", json!({}))
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn searches_that_say_nothing_usable_are_refused() {
    let harbour = Harbour::new();
    let nowhere = "Please provide a valid 'blueprint_id' or 'deployment_id' parameter";
    for (who, request, body, status, text) in [
        ("ann", "POST /searches/nodes", json!({}), 400, nowhere),
        ("ann", "POST /searches/node-types", json!({}), 400, nowhere),
        (
            "ann",
            "POST /searches/scaling-groups",
            json!({}),
            400,
            nowhere,
        ),
        (
            "ann",
            "POST /searches/capabilities?blueprint_id=crane",
            json!({}),
            400,
            "valid 'deployment_id'",
        ),
        (
            "ann",
            "POST /searches/nodes?deployment_id=d1&blueprint_id=b",
            json!({}),
            400,
            "not both",
        ),
        (
            "ann",
            "POST /searches/nodes?deployment_id=none",
            json!({}),
            404,
            "Requested `Deployment` with ID `none`",
        ),
        (
            "ann",
            "POST /searches/nodes?blueprint_id=none",
            json!({}),
            404,
            "Requested `Blueprint` with ID `none`",
        ),
        (
            "ann@quay",
            "POST /searches/nodes?deployment_id=d1",
            json!({}),
            404,
            "Requested `Deployment` with ID `d1`",
        ),
        (
            "ann",
            "POST /searches/secrets",
            json!({ "filter_rules": [rule("label", "a", "is_null", json!([]))] }),
            400,
            "must be one of attribute",
        ),
        (
            "eve",
            "POST /searches/secrets",
            json!({}),
            403,
            "secret_list",
        ),
        ("eve", "POST /searches/nodes", json!({}), 403, "node_list"),
        (
            "eve",
            "POST /searches/capabilities",
            json!({}),
            403,
            "deployment_capabilities",
        ),
        (
            "eve",
            "POST /searches/scaling-groups",
            json!({}),
            403,
            "deployment_get",
        ),
    ] {
        harbour.refused(who, request, body, status, text);
    }
}
