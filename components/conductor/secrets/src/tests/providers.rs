//! `/secrets-providers`, and secrets that are kept there.

use super::Harbour;
use serde_json::{Value, json};
use windlass_core::outbound::OutboundResponse;
use windlass_core::platform::set_servers;

fn vault() -> Value {
    json!({ "url": "https://vault.example", "token": "t0k3n", "path": "secret" })
}

/// Lets a vault answer, which has `pw` and nothing else.
fn serve() {
    set_servers(|request| {
        let (status, body) = match request.url.as_str() {
            "https://vault.example/v1/secret/data/pw" => {
                (200, json!({ "data": { "data": { "pw": "far away" } } }))
            }
            "https://vault.example/v1/auth/token/lookup-self" => (200, json!({})),
            "https://down.example/v1/auth/token/lookup-self" => {
                return Err("down.example cannot be reached".into());
            }
            _ => (404, json!({ "errors": [] })),
        };
        Ok(OutboundResponse {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        })
    });
}

#[test]
fn a_secret_of_a_provider_is_read_from_there() {
    serve();
    let harbour = Harbour::new();
    let body = json!({ "name": "far", "type": "vault", "connection_parameters": vault() });
    let made = harbour.ask("ann", "PUT /secrets-providers", body, 200);
    assert_eq!(
        (&made["id"], &made["type"], &made["connection_parameters"]),
        (&json!("far"), &json!("vault"), &Value::Null)
    );
    assert!(
        !harbour
            .text("select connection_parameters from secrets_providers")
            .contains("t0k3n")
    );
    assert_eq!(
        harbour.get("root", "/secrets-providers/far")["connection_parameters"],
        vault()
    );
    assert_eq!(harbour.get("root", "/secrets-provider/far")["name"], "far");
    assert_eq!(
        harbour.get("root", "/secrets-providers")["items"][0]["connection_parameters"],
        vault()
    );
    assert_eq!(
        harbour.get("eve", "/secrets-providers")["items"][0]["connection_parameters"],
        Value::Null
    );

    let body =
        json!({ "value": "", "provider_name": "far", "provider_options": "{\"key\": \"pw\"}" });
    harbour.ask("ann", "PUT /secrets/pw", body, 200);
    let shown = harbour.get("bob", "/secrets/pw");
    assert_eq!(
        (&shown["value"], &shown["provider_name"]),
        (&json!("far away"), &json!("far"))
    );
    assert_eq!(shown["provider_options"], json!({ "key": "pw" }));
    harbour.ask(
        "ann",
        "PUT /secrets/none",
        json!({ "value": "", "provider_name": "far" }),
        200,
    );
    harbour.refused(
        "ann",
        "GET /secrets/none",
        Value::Null,
        404,
        "`none` of the provider `far`",
    );
    harbour.refused(
        "ann",
        "DELETE /secrets-providers/far",
        Value::Null,
        409,
        "the secret `pw` is kept there",
    );
    harbour.ask("ann", "DELETE /secrets/pw", Value::Null, 204);
    harbour.ask("ann", "DELETE /secrets/none", Value::Null, 204);
    harbour.ask("ann", "DELETE /secrets-providers/far", Value::Null, 204);
}

#[test]
fn a_local_provider_is_this_application() {
    let harbour = Harbour::new();
    let body = json!({ "name": "here", "type": "local" });
    harbour.ask("ann", "PUT /secrets-providers", body, 200);
    harbour.ask(
        "ann",
        "PUT /secrets/pw",
        json!({ "value": "x", "provider_name": "here" }),
        200,
    );
    assert_eq!(harbour.get("ann", "/secrets/pw")["value"], "x");
}

#[test]
fn a_connection_is_tried_and_nothing_stored() {
    serve();
    let harbour = Harbour::new();
    let test = |kind: &str, parameters: Value| json!({ "name": "", "type": kind, "connection_parameters": parameters, "test": true });
    harbour.ask(
        "ann",
        "PUT /secrets-providers",
        test("local", Value::Null),
        204,
    );
    harbour.ask("ann", "PUT /secrets-providers", test("vault", vault()), 204);
    let mut down = vault();
    down["url"] = "https://down.example".into();
    let refusal = harbour.ask("ann", "PUT /secrets-providers", test("vault", down), 400);
    assert_eq!(refusal["error_code"], "failed_dependency");
    let mut inside = vault();
    inside["url"] = "http://127.0.0.1:1".into();
    harbour.refused(
        "ann",
        "PUT /secrets-providers",
        test("vault", inside),
        400,
        "private or local address",
    );
    assert_eq!(harbour.get("ann", "/secrets-providers")["items"], json!([]));
}

#[test]
fn the_connection_of_a_stored_provider_is_tried_by_its_name() {
    serve();
    let harbour = Harbour::new();
    let body = json!({ "name": "there", "type": "vault", "connection_parameters": vault() });
    harbour.ask("ann", "PUT /secrets-providers", body, 200);
    // `cfy secrets providers create` tries what it made in these words.
    let stored = json!({ "name": "there", "type": "", "test": true });
    harbour.ask("ann", "PUT /secrets-providers", stored, 204);
    let mut down = vault();
    down["url"] = "https://down.example".into();
    let other = json!({ "name": "there", "test": true, "connection_parameters": down });
    let refusal = harbour.ask("ann", "PUT /secrets-providers", other, 400);
    assert_eq!(refusal["error_code"], "failed_dependency");
    harbour.refused(
        "ann",
        "PUT /secrets-providers",
        json!({ "name": "nowhere", "type": null, "test": true }),
        404,
        "Requested `SecretsProvider` with ID `nowhere` was not found",
    );
}

#[test]
fn what_no_provider_can_be_is_refused() {
    let harbour = Harbour::new();
    let body = json!({ "name": "far", "type": "vault", "connection_parameters": vault() });
    harbour.ask("ann", "PUT /secrets-providers", body, 200);
    let body =
        |name: &str, kind: &str| json!({ "name": name, "type": kind, "connection_parameters": {} });
    for (who, request, body, status, text) in [
        (
            "ann",
            "PUT /secrets-providers",
            json!({ "type": "local" }),
            400,
            "Missing name",
        ),
        (
            "ann",
            "PUT /secrets-providers",
            body("9", "local"),
            400,
            "must begin with a letter",
        ),
        (
            "ann",
            "PUT /secrets-providers",
            json!({ "name": "a" }),
            400,
            "Missing type",
        ),
        (
            "ann",
            "PUT /secrets-providers",
            body("a", "disk"),
            400,
            "Invalid secrets provider type: `disk`. Valid types are: ['local', 'vault', 'cloudify']",
        ),
        (
            "ann",
            "PUT /secrets-providers",
            body("a", "vault"),
            400,
            "needs the connection parameters: url, token, path",
        ),
        (
            "ann",
            "PUT /secrets-providers",
            body("far", "local"),
            409,
            "already exists",
        ),
        (
            "ann",
            "PATCH /secrets-providers/far",
            json!({ "type": "cloudify" }),
            400,
            "needs the connection parameters: host",
        ),
        (
            "ann",
            "PATCH /secrets-providers/far",
            json!({ "type": "disk" }),
            400,
            "Invalid secrets provider type",
        ),
        (
            "ann",
            "PATCH /secrets-providers/far",
            json!({ "visibility": "private" }),
            400,
            "already has wider visibility",
        ),
        (
            "ann",
            "PATCH /secrets-providers/none",
            json!({}),
            404,
            "Requested `SecretsProvider` with ID `none`",
        ),
        (
            "ann",
            "DELETE /secrets-providers/none",
            Value::Null,
            404,
            "Requested `SecretsProvider` with ID `none`",
        ),
        (
            "eve",
            "PUT /secrets-providers",
            body("a", "local"),
            403,
            "secrets_provider_create",
        ),
        (
            "eve",
            "PATCH /secrets-providers/far",
            json!({}),
            403,
            "secrets_provider_update",
        ),
        (
            "eve",
            "DELETE /secrets-providers/far",
            Value::Null,
            403,
            "secrets_provider_delete",
        ),
    ] {
        harbour.refused(who, request, body, status, text);
    }
    let changed = json!({ "type": "local" });
    let shown = harbour.ask("ann", "PATCH /secrets-providers/far", changed, 200);
    assert_eq!(shown["type"], "local");
}
