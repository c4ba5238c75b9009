//! What is wrong with a body is told in Keystone's words.

use super::*;

#[test]
fn a_login_that_cannot_be_read_is_told_where() {
    pollster::block_on(async {
        let app = Application::start().await;
        let expecting = |attribute: &str, target: &str| {
            format!(
                "Expecting to find {attribute} in {target}. The server could not comply with the request \
                 since it is either malformed or otherwise incorrect. The client is assumed to be in error."
            )
        };
        let field = |path: &str, what: &str| format!("Invalid input for field '{path}': {what}");
        let identity = |identity: Value| json!({ "auth": { "identity": identity } });
        let user = |user: Value| {
            identity(json!({ "methods": ["password"], "password": { "user": user } }))
        };
        let scope = |scope: Value| login("ann", PASSWORD, scope);
        let unclear = expecting("one of: project, domain, OS-TRUST:trust or system", "scope");
        for (body, text) in [
            (json!([]), expecting("valid JSON object", "request body")),
            (json!({}), expecting("auth", "request body")),
            (json!({ "auth": null }), expecting("auth", "request body")),
            (json!({ "auth": {} }), "'identity' is a required property".into()),
            (
                json!({ "auth": { "identity": 5 } }),
                field("identity", "a value of type 'int' is not of type 'object'"),
            ),
            (identity(json!({})), field("identity", "'methods' is a required property")),
            (
                identity(json!({ "methods": "password" })),
                field("identity/methods", "a value of type 'str' is not of type 'array'"),
            ),
            (
                identity(json!({ "methods": [5] })),
                field("identity/methods/0", "a value of type 'int' is not of type 'string'"),
            ),
            (identity(json!({ "methods": [] })), expecting("methods", "identity")),
            (identity(json!({ "methods": ["password"] })), expecting("password", "identity")),
            (identity(json!({ "methods": ["token"] })), expecting("token", "identity")),
            (
                identity(json!({ "methods": ["token"], "token": {} })),
                field("identity/token", "'id' is a required property"),
            ),
            (
                identity(json!({ "methods": ["application_credential"], "application_credential": { "id": "a" } })),
                field("identity/application_credential", "'secret' is a required property"),
            ),
            (
                identity(json!({ "methods": ["password"], "password": {} })),
                expecting("user", "password"),
            ),
            (
                user(json!({ "password": "x" })),
                "Invalid input for field identity/password/user: id or name must be present.".into(),
            ),
            (
                user(json!({ "name": "ann", "domain": {}, "password": "x" })),
                "Invalid input for field identity/password/user/domain: id or name must be present.".into(),
            ),
            (user(json!({ "name": "ann" })), expecting("password", "user")),
            // A number may be somebody's password, so it is not repeated.
            (
                user(json!({ "name": "ann", "password": 8675309 })),
                field("identity/password/user/password", "a value of type 'int' is not of type 'string'"),
            ),
            (scope(json!(5)), field("scope", "a value of type 'int' is not of type 'object', 'string'")),
            (scope(json!("everything")), unclear.clone()),
            (scope(json!({})), unclear.clone()),
            (scope(json!({ "project": { "id": "a" }, "domain": { "id": "a" } })), unclear),
            (
                scope(json!({ "project": {} })),
                "Invalid input for field scope/project: id or name must be present.".into(),
            ),
        ] {
            let answer = app.send(&[], "POST /auth/tokens", body.clone()).await;
            let told = read(&answer, &body.to_string(), 400);
            assert_eq!(told["error"]["message"], text, "{body}");
            assert_eq!(told["error"]["title"], "Bad Request");
        }
        let none = app.send(&[], "POST /auth/tokens", Value::Null).await;
        let told = read(&none, "no body", 400);
        assert_eq!(
            told["error"]["message"],
            expecting("valid JSON", "request body")
        );
    });
}

#[test]
fn other_ways_to_log_in_are_refused_with_those_that_there_are() {
    pollster::block_on(async {
        let app = Application::start().await;
        for methods in [
            json!(["totp"]),
            json!(["password", "totp"]),
            json!(["password", "token"]),
        ] {
            let body = json!({ "auth": { "identity": {
                "methods": methods,
                "password": { "user": { "name": "ann", "password": PASSWORD } },
            } } });
            let answer = app.send(&[], "POST /auth/tokens", body).await;
            let told = read(&answer, "totp", 401);
            assert_eq!(
                told["error"],
                json!({
                    "code": 401,
                    "message": "Attempted to authenticate with an unsupported method.",
                    "title": "Unauthorized",
                    "identity": { "methods": ["password", "token", "application_credential"] },
                })
            );
        }
    });
}
