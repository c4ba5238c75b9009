//! `/secrets` and `/secrets/{secret_key}`.

use super::Harbour;
use serde_json::{Value, json};

#[test]
fn a_secret_is_stored_encrypted_and_read_in_clear() {
    let harbour = Harbour::new();
    let made = harbour.ask("ann", "PUT /secrets/pw", json!({ "value": "hunter2" }), 200);
    assert_eq!(
        made["value"],
        harbour.text("select value from secrets").as_str()
    );
    assert!(!made.to_string().contains("hunter2"));
    let mut shown = harbour.get("bob", "/secrets/pw");
    for time in ["created_at", "updated_at"] {
        assert!(shown[time].as_str().unwrap().ends_with('Z'));
        shown[time] = json!("now");
    }
    assert_eq!(
        shown,
        json!({
            "key": "pw", "value": "hunter2", "schema": null, "is_hidden_value": false,
            "provider_name": null, "provider_options": null, "created_at": "now", "updated_at": "now",
            "created_by": "ann", "tenant_name": "harbour", "visibility": "tenant",
            "private_resource": false, "resource_availability": "tenant",
        })
    );
    let list = harbour.get("bob", "/secrets?_search=P");
    let mut names: Vec<&String> = list["items"][0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "created_at",
            "created_by",
            "is_hidden_value",
            "key",
            "provider_name",
            "resource_availability",
            "tenant_name",
            "updated_at",
            "visibility",
        ]
    );
    assert_eq!(
        harbour.get("bob", "/secrets/pw?_include=value"),
        json!({ "value": "hunter2" })
    );
    assert_eq!(
        harbour.get("bob", "/secrets/pw?_skip_value=True")["value"],
        ""
    );
    harbour.get("bob", "/secrets/pw?_include=key");
    // Who read the value is known, and who did not is not said to have.
    assert_eq!(harbour.trail("secret_get"), ["bob pw", "bob pw"]);
}

#[test]
fn values_are_of_any_kind_and_meet_their_schema() {
    let harbour = Harbour::new();
    let schema = json!({ "type": "object", "required": ["user"] });
    let body = json!({ "value": { "user": "ann" }, "schema": schema });
    harbour.ask("ann", "PUT /secrets/login", body, 200);
    let shown = harbour.get("ann", "/secrets/login");
    assert_eq!(
        (&shown["value"], &shown["schema"]),
        (&json!({ "user": "ann" }), &schema)
    );
    let bad = json!({ "value": { "name": "hunter2" } });
    harbour.refused(
        "ann",
        "PATCH /secrets/login",
        bad.clone(),
        409,
        "Error validating secret value: ",
    );
    let again = json!({ "value": 7, "update_if_exists": true });
    harbour.refused(
        "ann",
        "PUT /secrets/login",
        again,
        409,
        "want object, but got number",
    );
    harbour.ask(
        "ann",
        "PATCH /secrets/login",
        json!({ "value": { "user": "bob" } }),
        200,
    );
    assert_eq!(harbour.get("ann", "/secrets/login")["value"]["user"], "bob");
    for (key, value) in [
        ("a", json!([1, { "b": 2 }])),
        ("b", json!(2.50)),
        ("c", json!(true)),
    ] {
        harbour.ask(
            "ann",
            &format!("PUT /secrets/{key}"),
            json!({ "value": value }),
            200,
        );
        assert_eq!(
            harbour.get("ann", &format!("/secrets/{key}"))["value"],
            value
        );
    }
}

#[test]
fn what_no_secret_can_be_is_refused() {
    let harbour = Harbour::new();
    harbour.ask("ann", "PUT /secrets/pw", json!({ "value": "x" }), 200);
    let value = || json!({ "value": "x" });
    for (who, request, body, status, text) in [
        (
            "ann",
            "PUT /secrets/9",
            value(),
            400,
            "The `key` argument must begin with a letter",
        ),
        (
            "ann",
            "GET /secrets/9",
            Value::Null,
            400,
            "The `key` argument must begin with a letter",
        ),
        (
            "ann",
            "GET /secrets/a?_skip_value=maybe",
            Value::Null,
            400,
            "_skip_value must be <true/false>",
        ),
        (
            "ann",
            "GET /secrets/a",
            Value::Null,
            404,
            "Requested `Secret` with ID `a` was not found",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({}),
            400,
            "Missing value in json request body",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "schema": { "type": "x" } }),
            400,
            "Invalid JSON schema",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "schema": { "type": "null" } }),
            409,
            "Error validating secret value",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "schema": 1 }),
            400,
            "schema parameter is expected to be of type dict",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "is_hidden_value": 3 }),
            400,
            "is_hidden_value parameter is expected",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "visibility": "all" }),
            400,
            "Invalid visibility: `all`",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "visibility": "global" }),
            403,
            "not permitted to set or create a global",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 1, "provider_name": "p" }),
            404,
            "Requested `SecretsProvider` with ID `p`",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": "" }),
            400,
            "Cannot create a secret with empty value: a",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": null }),
            400,
            "Cannot create a secret with empty value: a",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": 0 }),
            400,
            "Cannot create a secret with empty value: a",
        ),
        (
            "ann",
            "PUT /secrets/a",
            json!({ "value": [] }),
            400,
            "Cannot create a secret with empty value: a",
        ),
        (
            "ann",
            "PUT /secrets/pw",
            value(),
            409,
            "already exists on <Tenant name=`harbour`> or with global visibility",
        ),
        (
            "ann",
            "PATCH /secrets/pw",
            json!({}),
            400,
            "must include at least one parameter to update",
        ),
        (
            "ann",
            "PATCH /secrets/a",
            value(),
            404,
            "Requested `Secret` with ID `a` was not found",
        ),
        (
            "ann",
            "PATCH /secrets/pw",
            json!({ "visibility": "private" }),
            400,
            "already has wider visibility",
        ),
        (
            "ann",
            "PATCH /secrets/pw",
            json!({ "creator": "bob" }),
            403,
            "set_owner",
        ),
        (
            "root",
            "PATCH /secrets/pw",
            json!({ "creator": "eve" }),
            400,
            "User eve does not exist.",
        ),
        (
            "ann",
            "PATCH /secrets/pw",
            json!({ "provider_name": "p" }),
            404,
            "Requested `SecretsProvider` with ID `p`",
        ),
        (
            "ann",
            "PATCH /secrets/pw?_include=x",
            value(),
            400,
            "Include keys '['x']' do not exist",
        ),
        (
            "ann",
            "PATCH /secrets/pw/set-visibility",
            json!({}),
            400,
            "Missing visibility",
        ),
        ("eve", "PUT /secrets/a", value(), 403, "secret_create"),
        ("eve", "PATCH /secrets/pw", value(), 403, "secret_update"),
        (
            "eve",
            "PATCH /secrets/pw/set-visibility",
            json!({ "visibility": "tenant" }),
            403,
            "secret_update",
        ),
        (
            "eve",
            "DELETE /secrets/pw",
            Value::Null,
            403,
            "secret_delete",
        ),
        (
            "ann",
            "DELETE /secrets/a",
            Value::Null,
            404,
            "Requested `Secret` with ID `a` was not found",
        ),
    ] {
        harbour.refused(who, request, body, status, text);
    }
    assert_eq!(harbour.trail("secret_create"), ["ann pw"]);
    assert_eq!(harbour.trail("secret_update"), [""; 0]);
    assert_eq!(
        harbour.get("ann", "/secrets")["metadata"]["pagination"]["total"],
        1
    );
}

#[test]
fn a_hidden_value_is_its_creators_and_the_administrators() {
    let harbour = Harbour::new();
    let body = json!({ "value": "hunter2", "is_hidden_value": true });
    harbour.ask("ann", "PUT /secrets/pw", body, 200);
    for (who, value) in [
        ("ann", "hunter2"),
        ("mia", "hunter2"),
        ("root", "hunter2"),
        ("bob", ""),
    ] {
        assert_eq!(harbour.get(who, "/secrets/pw")["value"], value, "{who}");
    }
    assert_eq!(harbour.trail("secret_get"), ["ann pw", "mia pw", "root pw"]);
    for request in [
        "PATCH /secrets/pw",
        "PUT /secrets/pw",
        "PATCH /secrets/pw/set-visibility",
        "DELETE /secrets/pw",
    ] {
        let body = json!({ "value": "x", "update_if_exists": true, "visibility": "tenant" });
        let text = "User `bob` is not permitted to modify the hidden value secret `pw`";
        harbour.refused("bob", request, body, 403, text);
    }
    harbour.ask(
        "root",
        "PATCH /secrets/pw",
        json!({ "creator": "bob" }),
        200,
    );
    assert_eq!(harbour.get("bob", "/secrets/pw")["value"], "hunter2");
    assert_eq!(harbour.get("ann", "/secrets/pw")["value"], "");
    harbour.ask(
        "bob",
        "PATCH /secrets/pw",
        json!({ "is_hidden_value": "false" }),
        200,
    );
    assert_eq!(harbour.get("eve", "/secrets/pw")["value"], "hunter2");
    harbour.ask("bob", "DELETE /secrets/pw", Value::Null, 204);
}

#[test]
fn a_secret_that_exists_takes_a_value_and_keeps_the_rest() {
    let harbour = Harbour::new();
    harbour.ask(
        "ann",
        "PUT /secrets/pw",
        json!({ "value": "one", "is_hidden_value": true }),
        200,
    );
    let body = json!({ "value": "two", "update_if_exists": true, "visibility": "private", "is_hidden_value": false });
    let again = harbour.ask("ann", "PUT /secrets/pw", body, 200);
    assert_eq!(
        (&again["visibility"], &again["is_hidden_value"]),
        (&json!("tenant"), &json!(true))
    );
    assert!(again["updated_at"].as_str() >= again["created_at"].as_str());
    assert_eq!(harbour.get("ann", "/secrets/pw")["value"], "two");
    // An empty value is no change.
    harbour.ask("ann", "PATCH /secrets/pw", json!({ "value": "" }), 200);
    assert_eq!(harbour.get("ann", "/secrets/pw")["value"], "two");
}

#[test]
fn other_tenants_see_what_is_global_and_change_nothing() {
    let harbour = Harbour::new();
    harbour.ask(
        "ann",
        "PUT /secrets/mine",
        json!({ "value": "x", "visibility": "private" }),
        200,
    );
    harbour.ask("bob", "GET /secrets/mine", Value::Null, 404);
    assert_eq!(harbour.get("mia", "/secrets/mine")["value"], "x");
    harbour.ask(
        "ann",
        "PUT /secrets/pw",
        json!({ "value": "x", "is_hidden_value": true }),
        200,
    );
    harbour.ask("ann@quay", "GET /secrets/pw", Value::Null, 404);
    let wide = json!({ "visibility": "global" });
    harbour.ask("root", "PATCH /secrets/pw/set-visibility", wide, 200);
    // Whoever manages another tenant is nobody here, and the creator is the creator everywhere.
    assert_eq!(harbour.get("mia@quay", "/secrets/pw")["value"], "");
    assert_eq!(harbour.get("ann@quay", "/secrets/pw")["value"], "x");
    for (request, body) in [
        ("PATCH /secrets/pw", json!({ "value": "y" })),
        ("DELETE /secrets/pw", Value::Null),
    ] {
        let text = "Can't modify the global resource `pw` from outside its tenant `harbour`";
        harbour.refused("root@quay", request, body, 400, text);
    }
    let body = json!({ "value": "y", "update_if_exists": true });
    harbour.refused("root@quay", "PUT /secrets/pw", body, 409, "already exists");
}

#[test]
fn a_restored_secret_keeps_its_origin() {
    let harbour = Harbour::new();
    let body =
        json!({ "value": "x", "created_at": "2020-01-02T03:04:05+01:00", "created_by": "BOB" });
    let made = harbour.ask("root", "PUT /secrets/pw", body, 200);
    assert_eq!(
        (&made["created_at"], &made["created_by"]),
        (&json!("2020-01-02T02:04:05.000Z"), &json!("bob"))
    );
}
