//! `/secrets/share`.

use super::Harbour;
use serde_json::{Value, json};

const IMPORT: &str = "POST /secrets/share/import";

#[test]
fn what_is_exported_with_a_passphrase_is_imported_with_it() {
    let harbour = Harbour::new();
    for (who, key, body) in [
        ("ann", "pw", json!({ "value": "hunter2" })),
        (
            "bob",
            "hers",
            json!({ "value": "x", "is_hidden_value": true }),
        ),
        (
            "ann",
            "login",
            json!({ "value": { "user": "ann" }, "visibility": "private" }),
        ),
    ] {
        harbour.ask(who, &format!("PUT /secrets/{key}"), body, 200);
    }
    let plain = harbour.get("ann", "/secrets/share/export");
    let item = json!({ "key": "pw", "value": "hunter2", "visibility": "tenant", "tenant_name": "harbour",
        "is_hidden_value": false, "encrypted": false, "provider": null, "provider_options": null });
    assert_eq!(plain[0], item);
    let keys = |list: &Value| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items
            .map(|item| item["key"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(&plain), ["pw", "login"], "what is hidden is left out");
    assert_eq!(harbour.trail("secret_export"), ["ann pw", "ann login"]);
    harbour.refused(
        "ann",
        "GET /secrets/share/export?_passphrase=short",
        Value::Null,
        400,
        "at least 8 characters",
    );
    let sealed = harbour.get(
        "ann",
        "/secrets/share/export?_passphrase=correct-horse&_search=W",
    );
    assert_eq!(keys(&sealed), ["pw"]);
    assert!(!sealed.to_string().contains("hunter2"));
    let named = harbour.get(
        "ann",
        "/secrets/share/export?_include=key,creator&_include_metadata=True",
    );
    assert_eq!(named[1], json!({ "key": "login", "creator": "ann" }));

    let there = harbour.get("root", "/secrets/share/export?_passphrase=correct-horse");
    let mut body = json!({ "secrets_list": there, "override_collisions": false,
        "tenant_map": { "harbour": "quay" }, "passphrase": "another-horse" });
    let refused = harbour.ask("root", IMPORT, body.clone(), 200);
    assert_eq!(
        refused["secrets_errors"]["2"],
        json!({ "value": "The value cannot be decrypted with this passphrase" })
    );
    assert_eq!(
        harbour.get("root@quay", "/secrets")["metadata"]["pagination"]["total"],
        0
    );
    body["passphrase"] = "correct-horse".into();
    let imported = harbour.ask("root", IMPORT, body.clone(), 200);
    assert_eq!(
        imported,
        json!({ "colliding_secrets": {}, "secrets_errors": {} })
    );
    assert_eq!(
        harbour.get("root@quay", "/secrets/login")["value"],
        json!({ "user": "ann" })
    );
    let again = harbour.ask("root", IMPORT, body, 200);
    assert_eq!(
        again["colliding_secrets"],
        json!({ "quay": ["pw", "hers", "login"] })
    );
}

#[test]
fn a_collision_overwrites_only_if_that_is_wanted() {
    let harbour = Harbour::new();
    harbour.ask("ann", "PUT /secrets/pw", json!({ "value": "old" }), 200);
    harbour.ask(
        "bob",
        "PUT /secrets/his",
        json!({ "value": "old", "is_hidden_value": true }),
        200,
    );
    let item = |key: &str| {
        json!({ "key": key, "value": "new", "visibility": "private", "tenant_name": "harbour",
            "is_hidden_value": true, "encrypted": false })
    };
    let items = json!([item("pw"), item("his"), item("more")]);
    for (overwrite, value) in [(false, "old"), (true, "new")] {
        let body = json!({ "secrets_list": items, "override_collisions": overwrite });
        let answer = harbour.ask("ann", IMPORT, body, 200);
        let colliding = &answer["colliding_secrets"]["harbour"];
        assert_eq!(colliding[0], "pw");
        let shown = harbour.get("ann", "/secrets/pw");
        assert_eq!(shown["value"], value);
        // Those who have seen it go on seeing it.
        assert_eq!(shown["visibility"], "tenant");
        assert_eq!(shown["is_hidden_value"], overwrite);
    }
    assert_eq!(harbour.get("bob", "/secrets/his")["value"], "old");
}

#[test]
fn each_item_is_checked_by_itself() {
    let harbour = Harbour::new();
    let good = json!({ "key": "a", "value": "x", "visibility": "tenant", "tenant_name": "harbour",
        "is_hidden_value": false, "encrypted": false });
    let with = |name: &str, value: Value| {
        let mut item = good.clone();
        item[name] = value;
        item
    };
    let cases = [
        (
            json!({ "key": "k" }),
            json!({ "missing secret fields": ["is_hidden_value", "visibility", "tenant_name", "value", "encrypted"] }),
        ),
        (
            json!(7),
            json!({ "missing secret fields": ["key", "is_hidden_value", "visibility", "tenant_name", "value", "encrypted"] }),
        ),
        (
            with("is_hidden_value", json!(3)),
            json!({ "is_hidden_value": "Not boolean" }),
        ),
        (
            with("encrypted", json!("x")),
            json!({ "encrypted": "Not boolean" }),
        ),
        (
            with("visibility", json!("all")),
            json!({ "visibility": "Not a valid visibility" }),
        ),
        (
            with("tenant_name", json!("sea")),
            json!({ "tenant_name": "The tenant `sea` was not found" }),
        ),
        (
            with("tenant_name", json!("quay")),
            json!({ "tenant_name": "User `ann` is not permitted to perform the action secret_import in the tenant `quay`" }),
        ),
        (
            with("encrypted", json!(true)),
            json!({ "No passphrase": "The secret is encrypted but no passphrase was given" }),
        ),
        (
            with("provider", json!("far")),
            json!({ "provider": "Requested `SecretsProvider` with ID `far` was not found" }),
        ),
        (
            with("creator", json!("bob")),
            json!({ "creator": "User `ann` is not permitted to perform the action set_owner in the tenant `harbour`" }),
        ),
        (
            with("created_at", json!("2020-01-01T00:00:00Z")),
            json!({ "timestamp": "User `ann` is not permitted to perform the action set_timestamp in the tenant `harbour`" }),
        ),
        (
            with("visibility", json!("global")),
            json!({ "visibility": "User `ann` is not permitted to set or create a global resource" }),
        ),
    ];
    let mut items: Vec<&Value> = cases.iter().map(|(item, _)| item).collect();
    items.push(&good);
    let body = json!({ "secrets_list": items, "override_collisions": false });
    let answer = harbour.ask("ann", IMPORT, body, 200);
    for (place, (_, want)) in cases.iter().enumerate() {
        assert_eq!(
            &answer["secrets_errors"][place.to_string()],
            want,
            "{place}"
        );
    }
    assert_eq!(
        answer["secrets_errors"].as_object().unwrap().len(),
        cases.len()
    );
    assert_eq!(harbour.get("ann", "/secrets/a")["value"], "x");
    for (body, text) in [
        (
            json!({ "override_collisions": true }),
            "Missing secrets_list",
        ),
        (json!({ "secrets_list": [] }), "Missing override_collisions"),
        (
            json!({ "secrets_list": 1 }),
            "secrets_list parameter is expected to be of type list",
        ),
        (
            json!({ "secrets_list": [], "override_collisions": true, "passphrase": "short" }),
            "at least 8 characters",
        ),
        (
            json!({ "secrets_list": [], "override_collisions": true, "tenant_map": { "a": "sea" } }),
            "do not exist: ['sea']",
        ),
    ] {
        harbour.refused("ann", IMPORT, body, 400, text);
    }
    harbour.refused("eve", IMPORT, json!({}), 403, "secret_import");
    harbour.refused(
        "eve",
        "GET /secrets/share/export",
        Value::Null,
        403,
        "secret_export",
    );
}
