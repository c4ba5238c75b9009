//! Logging in, asking whose a token is, giving one back.

use super::*;

#[test]
fn a_token_tells_who_where_as_what_and_where_to_go() {
    pollster::block_on(async {
        let app = Application::start().await;
        let body = login("ann", PASSWORD, project("harbour"));
        let answer = app.send(&[], "POST /auth/tokens", body).await;
        let told = read(&answer, "a login", 201);
        let token = &told["token"];
        assert!(
            header(&answer, "x-subject-token")
                .unwrap()
                .starts_with("stok-")
        );
        assert_eq!(header(&answer, "vary"), Some("X-Auth-Token"));
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        let domain = json!({ "id": "default", "name": "Default" });
        assert_eq!(token["methods"], json!(["password"]));
        assert_eq!(
            token["user"],
            json!({ "id": "7", "name": "ann", "domain": domain, "password_expires_at": null })
        );
        assert_eq!(
            token["project"],
            json!({ "id": "harbour", "name": "harbour", "domain": domain })
        );
        assert_eq!(token["is_domain"], false);
        let role = |name: &str| json!({ "id": name, "name": name });
        assert_eq!(
            token["roles"],
            json!([role("project_admin"), role("member")])
        );
        let time = token["expires_at"].as_str().unwrap();
        assert!(time.len() == 27 && time.ends_with("000Z"), "{time}");
        assert_eq!(token["audit_ids"].as_array().unwrap().len(), 1);
        let catalog = token["catalog"].as_array().unwrap();
        for (kind, path) in [
            ("identity", "/v3"),
            ("admin-logic", "/v1"),
            ("conductor", "/api/v3.1"),
            ("status-dashboard", "/v2"),
        ] {
            let service = catalog
                .iter()
                .find(|service| service["type"] == kind)
                .unwrap();
            for (endpoint, interface) in (service["endpoints"].as_array().unwrap().iter())
                .zip(["public", "internal", "admin"])
            {
                let url = format!("http://harbour.example:3000{path}");
                assert_eq!(
                    (&endpoint["interface"], &endpoint["url"]),
                    (&json!(interface), &json!(url))
                );
            }
        }
        platform::set_variable("public_url", "https://cloud.example/");
        let value = header(&answer, "x-subject-token").unwrap();
        let told = app.expect(value, "GET /auth/catalog", 200).await;
        let url = &told["catalog"][0]["endpoints"][0]["url"];
        assert_eq!(url, "https://cloud.example/v3");
        platform::set_variable("public_url", "");
    });
}

#[test]
fn what_a_token_is_about_shows_in_it() {
    pollster::block_on(async {
        let app = Application::start().await;
        for (name, scope, keys) in [
            ("ann", Value::Null, &[][..]),
            ("ann", json!("unscoped"), &[]),
            ("ann", json!({ "unscoped": {} }), &[]),
            (
                "ann",
                project("quay"),
                &["project", "is_domain", "roles", "catalog"],
            ),
            (
                "bob",
                Value::Null,
                &["project", "is_domain", "roles", "catalog"],
            ),
            (
                "admin",
                json!({ "domain": { "id": "default" } }),
                &["domain", "roles", "catalog"],
            ),
            (
                "admin",
                json!({ "system": { "all": true } }),
                &["system", "roles", "catalog"],
            ),
        ] {
            let password = if name == "admin" {
                "first one"
            } else {
                PASSWORD
            };
            let body = login(name, password, scope.clone());
            let answer = app.send(&[], "POST /auth/tokens", body).await;
            let told = read(&answer, name, 201);
            let usual = ["methods", "user", "audit_ids", "expires_at", "issued_at"];
            let want: Vec<&str> = usual.iter().chain(keys).copied().collect();
            let got: Vec<&String> = told["token"].as_object().unwrap().keys().collect();
            assert_eq!(got, want, "{name} {scope}");
        }
        let body = login("bob", PASSWORD, Value::Null);
        let answer = app.send(&[], "POST /auth/tokens?nocatalog", body).await;
        let told = read(&answer, "nocatalog", 201);
        assert!(told["token"].get("catalog").is_none());
    });
}

#[test]
fn whatever_is_wrong_with_a_login_is_told_in_the_same_words() {
    pollster::block_on(async {
        let app = Application::start().await;
        let by_token = |value: &str| json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": value } } } });
        for body in [
            login("ann", "hoist", Value::Null),
            login("nobody", PASSWORD, Value::Null),
            login("1", PASSWORD, Value::Null),
            login("ann", PASSWORD, project("services")),
            login("ann", PASSWORD, project("atlantis")),
            login(
                "ann",
                PASSWORD,
                json!({ "project": { "id": "harbour", "domain": { "id": "other" } } }),
            ),
            login("ann", PASSWORD, json!({ "domain": { "id": "default" } })),
            login("ann", PASSWORD, json!({ "system": { "all": true } })),
            login("ann", PASSWORD, json!({ "OS-TRUST:trust": { "id": "x" } })),
            by_token("stok-0000000000000007-guess"),
            by_token("ctok-abc-guess"),
            by_token("nonsense"),
        ] {
            let answer = app.send(&[], "POST /auth/tokens", body.clone()).await;
            let told = read(&answer, &body.to_string(), 401);
            assert_eq!(
                told,
                json!({ "error": {
                    "code": 401,
                    "message": "The request you have made requires authentication.",
                    "title": "Unauthorized",
                } })
            );
            assert_eq!(
                header(&answer, "www-authenticate"),
                Some("Keystone uri=\"/v3\"")
            );
            assert_eq!(header(&answer, "x-subject-token"), None);
            app.db
                .execute("delete from failed_logins", &[])
                .await
                .unwrap();
        }
    });
}

#[test]
fn a_token_that_is_shown_twice_and_not_good_is_one_failure() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bad = "stok-0000000000000007-guess";
        let body =
            json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": bad } } } });
        let answer = app
            .send(&[("x-auth-token", bad)], "POST /auth/tokens", body)
            .await;
        read(&answer, "a guess", 401);
        let row = app
            .db
            .first("select count(*) from failed_logins", &[])
            .await;
        assert_eq!(row.unwrap().unwrap().integer(0).unwrap(), 1);
        // An old one beside a good password does no harm.
        let body = login("ann", PASSWORD, Value::Null);
        let answer = app
            .send(&[("x-auth-token", bad)], "POST /auth/tokens", body)
            .await;
        read(&answer, "a login", 201);
    });
}

#[test]
fn whose_a_token_is_is_told_to_its_user_to_services_and_to_administrators() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bob = app.log_in("bob", project("harbour")).await;
        let same = app.log_in("bob", Value::Null).await;
        let forbidden =
            "You are not authorized to perform the requested action: identity:validate_token.";
        let ask = async |token: &str| {
            let headers = [("x-auth-token", token), ("x-subject-token", bob.as_str())];
            app.send(&headers, "GET /auth/tokens", Value::Null).await
        };
        for (name, may) in [("admin", true), ("ferry", true), ("ann", false)] {
            let token = app.log_in(name, Value::Null).await;
            let answer = ask(&token).await;
            if may {
                let told = read(&answer, name, 200);
                assert_eq!(told["token"]["user"]["name"], "bob");
                assert_eq!(
                    told["token"]["roles"],
                    json!([{ "id": "member", "name": "member" }])
                );
                assert_eq!(header(&answer, "x-subject-token"), Some(bob.as_str()));
            } else {
                let told = read(&answer, name, 403);
                assert_eq!(told["error"]["message"], forbidden);
            }
        }
        for token in [&bob, &same] {
            read(&ask(token).await, "oneself", 200);
        }
        let both = [("x-auth-token", bob.as_str()), ("x-subject-token", &bob)];
        let head = app.send(&both, "HEAD /auth/tokens", Value::Null).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        read(&ask("").await, "nobody", 401);
        for call in ["GET /auth/tokens", "DELETE /auth/tokens"] {
            read(
                &app.send(&[], call, Value::Null).await,
                "nobody about nothing",
                401,
            );
        }
        // Who is not in the project any more has no token that is about it.
        let sql = "delete from tenant_users where user_id = 8";
        app.db.execute(sql, &[]).await.unwrap();
        let admin = app.log_in("admin", Value::Null).await;
        let told = read(&ask(&admin).await, "left", 404);
        assert_eq!(told["error"]["message"], "Failed to validate token");
    });
}

#[test]
fn a_token_that_is_given_back_is_good_no_more() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bob = app.log_in("bob", Value::Null).await;
        let ann = app.log_in("ann", Value::Null).await;
        let admin = app.log_in("admin", Value::Null).await;
        let give_back = async |token: &str, subject: &str| {
            let headers = [("x-auth-token", token), ("x-subject-token", subject)];
            app.send(&headers, "DELETE /auth/tokens", Value::Null).await
        };
        app.expect(&bob, "GET /auth/catalog", 200).await;
        let told = read(&give_back(&ann, &bob).await, "another's", 403);
        let text = "You are not authorized to perform the requested action: identity:revoke_token.";
        assert_eq!(told["error"]["message"], text);
        read(&give_back(&bob, &bob).await, "one's own", 204);
        app.expect(&bob, "GET /auth/catalog", 401).await;
        read(&give_back(&ann, &bob).await, "it is gone", 404);
        read(&give_back(&admin, &ann).await, "by the administrator", 204);
        app.expect(&ann, "GET /auth/catalog", 401).await;
        read(
            &app.send(
                &[("x-auth-token", &admin)],
                "DELETE /auth/tokens",
                Value::Null,
            )
            .await,
            "none",
            404,
        );
        let twice = [
            ("x-auth-token", admin.as_str()),
            ("x-subject-token", "a"),
            ("x-subject-token", "b"),
        ];
        read(
            &app.send(&twice, "DELETE /auth/tokens", Value::Null).await,
            "two",
            400,
        );
    });
}
