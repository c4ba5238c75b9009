//! Users: making, changing and removing them, and what their passwords are good for.

use super::*;

#[test]
fn a_user_is_made_with_nothing_and_logs_in() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bob = json!({ "username": "Bob", "password": "hoist away", "role": null });
        let made = app.admin("PUT /users", bob.clone(), 201).await;
        for (field, want) in [
            ("username", json!("Bob")),
            ("role", json!("default")),
            ("group_system_roles", json!({})),
            ("tenants", json!(0)),
            ("tenant_roles", json!(null)),
            ("groups", json!(0)),
            ("active", json!(true)),
            ("is_locked", json!(false)),
            ("first_login_at", json!(null)),
            ("show_getting_started", json!(true)),
            ("password_hash", json!(null)),
        ] {
            assert_eq!(made[field], want, "{field}");
        }
        let refusal = app
            .admin(
                "PUT /users",
                json!({ "username": "bOB", "password": "hoist away" }),
                409,
            )
            .await;
        assert_eq!(refusal["message"], "The user `Bob` already exists");
        assert_eq!(app.login("bob", "hoist away").await, 200);
        let detailed = app
            .admin("GET /users/BOB?_get_data=true", Value::Null, 200)
            .await;
        assert!(detailed["first_login_at"].is_string());
        assert_eq!(
            (&detailed["tenants"], &detailed["groups"]),
            (&json!({}), &json!([]))
        );
        let list = app
            .admin("GET /users?_search=BO&_include=username", Value::Null, 200)
            .await;
        assert_eq!(list["items"], json!([{ "username": "Bob" }]));
        assert_eq!(app.trail().await, ["user_create Bob by admin"]);
    });
}

#[test]
fn a_password_that_changes_is_forgotten_at_once() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bob = json!({ "username": "bob", "password": "first one" });
        app.admin("PUT /users", bob, 201).await;
        assert_eq!(app.login("bob", "first one").await, 200);
        app.admin("POST /users/bob", json!({ "password": "second one" }), 200)
            .await;
        assert_eq!(app.login("bob", "first one").await, 401);
        assert_eq!(app.login("bob", "second one").await, 200);

        app.admin(
            "POST /users/active/bob",
            json!({ "action": "deactivate" }),
            200,
        )
        .await;
        assert_eq!(app.login("bob", "second one").await, 401);
        app.token_for("bob").await;
        app.expect("bob", "GET /user", Value::Null, 401).await;
        let active = app
            .admin(
                "POST /users/active/bob",
                json!({ "action": "activate" }),
                200,
            )
            .await;
        assert_eq!(active["active"], true);
        assert_eq!(app.login("bob", "second one").await, 200);

        for guess in 0..5 {
            assert_eq!(app.login("bob", &format!("guess {guess}")).await, 401);
        }
        assert_eq!(app.login("bob", "second one").await, 401);
        let locked = app.admin("GET /users/bob", Value::Null, 200).await;
        assert_eq!(locked["is_locked"], true);
        let open = app.admin("POST /users/unlock/bob", Value::Null, 200).await;
        assert_eq!(open["is_locked"], false);
        assert_eq!(app.login("bob", "second one").await, 200);
    });
}

#[test]
fn everybody_reads_themselves_and_chooses_their_password_and_no_more() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.user("bob").await;
        let own = app.expect("ann", "GET /users/ANN", Value::Null, 200).await;
        assert_eq!(own, app.expect("ann", "GET /user", Value::Null, 200).await);
        app.expect(
            "ann",
            "POST /users/Ann",
            json!({ "password": "mine now" }),
            200,
        )
        .await;
        assert_eq!(app.login("ann", "mine now").await, 200);
        let body = json!({ "show_getting_started": "False" });
        let own = app.expect("ann", "POST /users/ann", body, 200).await;
        assert_eq!(own["show_getting_started"], false);
        let hash = app
            .expect("ann", "GET /user?_include_hash=true", Value::Null, 200)
            .await;
        assert_eq!(hash["password_hash"], Value::Null);
        for (call, body) in [
            ("POST /users/ann", json!({ "role": "sys_admin" })),
            ("POST /users/bob", json!({ "password": "mine too" })),
            ("GET /users/bob", Value::Null),
            ("GET /users", Value::Null),
            (
                "PUT /users",
                json!({ "username": "eve", "password": "let me in" }),
            ),
            ("DELETE /users/bob", Value::Null),
            ("DELETE /users/ann", Value::Null),
            ("POST /users/active/bob", json!({ "action": "deactivate" })),
            ("POST /users/unlock/ann", Value::Null),
        ] {
            app.expect("ann", call, body.clone(), 403).await;
            app.expect("nobody", call, body, 401).await;
        }
    });
}

#[test]
fn the_last_active_administrator_stays() {
    pollster::block_on(async {
        let app = Application::start().await;
        let calls = [
            (
                "POST /users/admin",
                json!({ "role": "default" }),
                "Cannot modify the role of the last active sys_admin",
            ),
            (
                "POST /users/active/admin",
                json!({ "action": "deactivate" }),
                "Cannot deactivate the last active sys_admin",
            ),
            (
                "DELETE /users/admin",
                Value::Null,
                "Cannot delete the last active sys_admin",
            ),
        ];
        for (call, body, text) in &calls {
            let refusal = app.admin(call, body.clone(), 400).await;
            assert_eq!(refusal["message"], *text);
            assert_eq!(refusal["error_code"], "illegal_action_error");
        }
        // One who cannot log in is none.
        app.admin("POST /users/ann", json!({ "role": "sys_admin" }), 200)
            .await;
        app.admin(
            "POST /users/active/ann",
            json!({ "action": "deactivate" }),
            200,
        )
        .await;
        app.admin(calls[0].0, calls[0].1.clone(), 400).await;
        app.admin(
            "POST /users/active/ann",
            json!({ "action": "activate" }),
            200,
        )
        .await;
        app.expect("ann", calls[1].0, calls[1].1.clone(), 200).await;
        app.expect("ann", calls[1].0, calls[1].1.clone(), 409).await;
        app.expect("ann", "POST /users/ann", json!({ "role": "default" }), 400)
            .await;
        // The first one is never deleted: the application would make it again.
        app.expect("ann", calls[2].0, Value::Null, 409).await;
    });
}

#[test]
fn a_deleted_user_leaves_no_way_in() {
    pollster::block_on(async {
        let app = Application::start().await;
        let ann = json!({ "username": "ann", "tenant_name": "default_tenant" });
        app.admin("PUT /tenants/users", ann, 200).await;
        app.expect("ann", "GET /user", Value::Null, 200).await;
        app.admin("DELETE /users/Ann", Value::Null, 204).await;
        app.expect("ann", "GET /user", Value::Null, 401).await;
        app.admin("DELETE /users/ann", Value::Null, 404).await;
        let tenant = app
            .admin("GET /tenants/default_tenant", Value::Null, 200)
            .await;
        assert_eq!(tenant["users"], 1);
    });
}

#[test]
fn a_hash_moves_a_user_and_their_times_from_one_application_to_another() {
    pollster::block_on(async {
        let app = Application::start().await;
        let bob = json!({ "username": "bob", "password": "hoist away" });
        app.admin("PUT /users", bob, 201).await;
        let shown = app
            .admin(
                "GET /users/bob?_include_hash=true&_include=password_hash",
                Value::Null,
                200,
            )
            .await;
        let hash = shown["password_hash"].as_str().unwrap();
        assert!(hash.starts_with("$argon2id$"));
        let twin = json!({ "username": "twin", "password": hash, "is_prehashed": "true", "active": false,
            "created_at": "2020-01-01T00:00:00.000Z", "last_login_at": "2021-01-01T01:00:00+01:00" });
        let twin = app.admin("PUT /users", twin, 201).await;
        assert_eq!(twin["created_at"], "2020-01-01T00:00:00.000Z");
        assert_eq!(twin["last_login_at"], "2021-01-01T00:00:00.000Z");
        assert_eq!(app.login("twin", "hoist away").await, 401);
        app.admin(
            "POST /users/active/twin",
            json!({ "action": "activate" }),
            200,
        )
        .await;
        assert_eq!(app.login("twin", "hoist away").await, 200);
    });
}

#[test]
fn what_is_refused_about_users_says_why_and_changes_nothing() {
    pollster::block_on(async {
        let app = Application::start().await;
        let user = |name: &str, password: &str| json!({ "username": name, "password": password });
        let long = "x".repeat(257);
        let costly = "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$YWFhYWFhYWFhYWFhYWFhYQ";
        for (call, body, status, text) in [
            ("PUT /users", json!({}), 400, "Missing username"),
            (
                "PUT /users",
                json!({ "username": "bob" }),
                400,
                "Missing password",
            ),
            (
                "PUT /users",
                json!({ "username": "bob", "password": 12345 }),
                400,
                "password parameter is expected to be of type str",
            ),
            (
                "PUT /users",
                user("1bob", ""),
                400,
                "The password must have 5 to 256 characters",
            ),
            (
                "PUT /users",
                user("bob", &long),
                400,
                "The password must have 5 to 256 characters",
            ),
            (
                "PUT /users",
                user("1bob", "hoist"),
                400,
                "The `username` argument must begin with a letter",
            ),
            (
                "PUT /users",
                user("b:ob", "hoist"),
                400,
                "illegal characters",
            ),
            (
                "PUT /users",
                json!({ "username": "ann", "password": "hoist", "role": "user" }),
                400,
                "Role `user` is a tenant_role and cannot be assigned as a system_role",
            ),
            (
                "PUT /users",
                json!({ "username": "ann", "password": "hoist", "role": "x" }),
                400,
                "Valid system_role roles are: ['sys_admin', 'default']",
            ),
            (
                "PUT /users",
                json!({ "username": "bob", "password": costly, "is_prehashed": true }),
                400,
                "not an argon2id hash",
            ),
            (
                "PUT /users",
                json!({ "username": "bob", "password": "hoist", "created_at": "2020-01-01T00:00:00" }),
                400,
                "names no time zone",
            ),
            (
                "PUT /users",
                json!({ "username": "bob", "password": "hoist", "active": 1 }),
                400,
                "active parameter is expected to be of type bool",
            ),
            ("POST /users/ann", json!({}), 400, "must carry one of"),
            (
                "POST /users/ann",
                json!({ "password": "hoist", "role": "default" }),
                400,
                "cannot be changed in the same request",
            ),
            (
                "POST /users/ann",
                json!({ "password": "abcd" }),
                400,
                "5 to 256",
            ),
            (
                "POST /users/ann",
                json!({ "role": "viewer" }),
                400,
                "is a tenant_role",
            ),
            (
                "POST /users/nobody",
                json!({ "password": "hoist" }),
                404,
                "`User` with ID `nobody`",
            ),
            (
                "POST /users/nobody",
                json!({ "role": "default" }),
                404,
                "`User` with ID `nobody`",
            ),
            (
                "POST /users/active/ann",
                json!({ "action": "stop" }),
                400,
                "Invalid action: `stop`",
            ),
            (
                "POST /users/active/ann",
                json!({ "action": "activate" }),
                409,
                "already active",
            ),
            (
                "POST /users/active/nobody",
                json!({ "action": "activate" }),
                404,
                "`User` with ID `nobody`",
            ),
            (
                "POST /users/unlock/nobody",
                Value::Null,
                404,
                "`User` with ID `nobody`",
            ),
            (
                "GET /users/nobody",
                Value::Null,
                404,
                "`User` with ID `nobody`",
            ),
            (
                "GET /users?colour=red",
                Value::Null,
                400,
                "Filter keys '['colour']' do not exist",
            ),
        ] {
            let refusal = app.admin(call, body, status).await;
            let message = refusal["message"].as_str().unwrap();
            assert!(message.contains(text), "{call}: {message}");
        }
        assert_eq!(app.trail().await.len(), 0);
    });
}

#[test]
fn users_of_a_directory_are_not_made_here() {
    pollster::block_on(async {
        let app = Application::start().await;
        let server = "update config set value = '\"ldap://harbour\"' where name = 'ldap_server'";
        app.db.execute(server, &[]).await.unwrap();
        for (call, body) in [
            (
                "PUT /users",
                json!({ "username": "bob", "password": "hoist" }),
            ),
            (
                "PUT /tenants/users",
                json!({ "username": "ann", "tenant_name": "default_tenant" }),
            ),
            (
                "PUT /user-groups/users",
                json!({ "username": "ann", "group_name": "deck" }),
            ),
            (
                "DELETE /user-groups/users",
                json!({ "username": "ann", "group_name": "deck" }),
            ),
        ] {
            let refusal = app.admin(call, body, 405).await;
            assert_eq!(refusal["error_code"], "method_not_allowed_error");
        }
        let deck = json!({ "group_name": "deck", "ldap_group_dn": "cn=deck" });
        app.admin("POST /user-groups", deck, 201).await;
        let deck = json!({ "group_name": "deck", "tenant_name": "default_tenant" });
        app.admin("PUT /tenants/user-groups", deck, 200).await;
    });
}
