//! Groups: what one is, each of its users is.

use super::*;

/// Ann in the group `deck`, which is in the tenant `harbour`.
async fn harbour(role: &str, tenant_role: &str) -> Application {
    let app = Application::start().await;
    app.admin("POST /tenants/harbour", Value::Null, 201).await;
    let deck = json!({ "group_name": "Deck", "ldap_group_dn": null, "role": role });
    app.admin("POST /user-groups", deck, 201).await;
    let deck = json!({ "group_name": "deck", "tenant_name": "harbour", "role": tenant_role });
    app.admin("PUT /tenants/user-groups", deck, 200).await;
    let ann = json!({ "username": "ann", "group_name": "deck" });
    app.admin("PUT /user-groups/users", ann, 200).await;
    app
}

#[test]
fn a_user_has_the_roles_of_their_groups_until_the_group_loses_them() {
    pollster::block_on(async {
        let app = harbour("default", "viewer").await;
        // A viewer may not read the tenant itself; a manager may.
        let call = "GET /tenants/harbour";
        app.expect("ann", call, Value::Null, 403).await;
        let names = app
            .expect("ann", "GET /tenants?_include=name", Value::Null, 200)
            .await;
        assert_eq!(names["items"], json!([{ "name": "harbour" }]));
        let manager = json!({ "group_name": "deck", "tenant_name": "harbour", "role": "manager" });
        app.admin("PATCH /tenants/user-groups", manager.clone(), 200)
            .await;
        app.expect("ann", call, Value::Null, 200).await;

        let ann = json!({ "username": "ann", "group_name": "deck" });
        app.admin("DELETE /user-groups/users", ann.clone(), 204)
            .await;
        app.expect("ann", call, Value::Null, 403).await;
        app.admin("PUT /user-groups/users", ann, 200).await;
        app.expect("ann", call, Value::Null, 200).await;

        app.admin("DELETE /tenants/user-groups", manager.clone(), 204)
            .await;
        app.expect("ann", call, Value::Null, 403).await;
        app.admin("PUT /tenants/user-groups", manager, 200).await;
        app.expect("ann", call, Value::Null, 200).await;

        app.admin("DELETE /user-groups/DECK", Value::Null, 204)
            .await;
        app.expect("ann", call, Value::Null, 403).await;
        app.admin("GET /user-groups/deck", Value::Null, 404).await;
        app.admin("DELETE /tenants/harbour", Value::Null, 204).await;
    });
}

#[test]
fn a_group_makes_administrators_and_unmakes_them() {
    pollster::block_on(async {
        let app = harbour("sys_admin", "viewer").await;
        app.expect("ann", "GET /users", Value::Null, 200).await;
        app.expect("ann", "PUT /permissions/viewer/paint", Value::Null, 200)
            .await;
        let own = app.expect("ann", "GET /user", Value::Null, 200).await;
        assert_eq!(own["role"], "default");
        assert_eq!(own["group_system_roles"], json!({ "sys_admin": ["Deck"] }));
        let deck = app
            .admin("POST /user-groups/deck", json!({ "role": "default" }), 200)
            .await;
        assert_eq!(deck["role"], "default");
        app.expect("ann", "GET /users", Value::Null, 403).await;
        app.expect("ann", "PUT /permissions/viewer/sand", Value::Null, 401)
            .await;
    });
}

#[test]
fn direct_roles_and_those_of_groups_are_told_apart() {
    pollster::block_on(async {
        let app = harbour("default", "viewer").await;
        let ann = json!({ "username": "ann", "tenant_name": "harbour", "role": "operations" });
        app.admin("PUT /tenants/users", ann, 200).await;
        app.user("bob").await;
        let bob = json!({ "username": "bob", "group_name": "deck" });
        let deck = app
            .admin("PUT /user-groups/users?_get_data=true", bob, 200)
            .await;
        assert_eq!(
            deck,
            json!({ "name": "Deck", "ldap_dn": null, "role": "default",
                "tenants": { "harbour": "viewer" }, "users": ["ann", "bob"] })
        );
        let harbour = app
            .admin("GET /tenants/harbour?_get_data=true", Value::Null, 200)
            .await;
        assert_eq!(harbour["groups"], json!({ "Deck": "viewer" }));
        assert_eq!(
            harbour["users"],
            json!({ "ann": { "tenant-role": "operations", "roles": ["operations", "viewer"] },
                "bob": { "tenant-role": null, "roles": ["viewer"] } })
        );
        assert_eq!(
            harbour["user_roles"],
            json!({ "direct": { "ann": "operations" },
                "groups": { "Deck": { "role": "viewer", "users": ["ann", "bob"] } } })
        );
        let ann = app
            .admin("GET /users/ann?_get_data=true", Value::Null, 200)
            .await;
        assert_eq!(ann["groups"], json!(["Deck"]));
        assert_eq!(
            ann["tenants"],
            json!({ "harbour": { "tenant-role": "operations", "roles": ["operations", "viewer"] } })
        );
        assert_eq!(
            ann["tenant_roles"],
            json!({ "direct": { "harbour": "operations" },
                "groups": { "harbour": { "viewer": ["Deck"] } } })
        );
        let counts = app.admin("GET /tenants/harbour", Value::Null, 200).await;
        assert_eq!(
            (&counts["users"], &counts["groups"]),
            (&json!(2), &json!(1))
        );
        let counts = app.admin("GET /users/ann", Value::Null, 200).await;
        assert_eq!(
            (&counts["tenants"], &counts["groups"]),
            (&json!(1), &json!(1))
        );
        let list = app
            .admin("GET /user-groups?_search=dec&_sort=-name", Value::Null, 200)
            .await;
        assert_eq!(list["items"][0]["users"], 2);
        let refusal = app.admin("DELETE /tenants/harbour", Value::Null, 409).await;
        assert!(
            refusal["message"]
                .as_str()
                .unwrap()
                .ends_with("users, user-groups")
        );
    });
}

#[test]
fn what_is_refused_about_groups_says_why_and_changes_nothing() {
    pollster::block_on(async {
        let app = Application::start().await;
        let deck = json!({ "group_name": "deck", "ldap_group_dn": "cn=Deck" });
        app.admin("POST /user-groups", deck, 201).await;
        let pair = |user: &str, group: &str| json!({ "username": user, "group_name": group });
        for (call, body, status, text) in [
            ("POST /user-groups", json!({}), 400, "Missing group_name"),
            (
                "POST /user-groups",
                json!({ "group_name": "users" }),
                400,
                "`users` is not allowed",
            ),
            (
                "POST /user-groups",
                json!({ "group_name": "no way" }),
                400,
                "illegal characters",
            ),
            (
                "POST /user-groups",
                json!({ "group_name": "bay", "ldap_group_dn": [] }),
                400,
                "ldap_group_dn parameter is expected to be of type str but is of type list",
            ),
            (
                "POST /user-groups",
                json!({ "group_name": "bay", "role": "viewer" }),
                400,
                "is a tenant_role",
            ),
            (
                "POST /user-groups",
                json!({ "group_name": "DECK" }),
                409,
                "a group of this name already exists, `deck`",
            ),
            (
                "POST /user-groups",
                json!({ "group_name": "bay", "ldap_group_dn": "CN=DECK" }),
                409,
                "already exists, `deck`",
            ),
            (
                "POST /user-groups/bay",
                json!({ "role": "default" }),
                404,
                "`Group` with ID `bay`",
            ),
            ("POST /user-groups/deck", json!({}), 400, "Missing role"),
            (
                "POST /user-groups/deck",
                json!({ "role": "" }),
                400,
                "The `role` argument is empty",
            ),
            (
                "DELETE /user-groups/bay",
                Value::Null,
                404,
                "`Group` with ID `bay`",
            ),
            (
                "PUT /user-groups/users",
                pair("ann", "bay"),
                404,
                "`Group` with ID `bay`",
            ),
            (
                "PUT /user-groups/users",
                pair("bob", "deck"),
                404,
                "`User` with ID `bob`",
            ),
            (
                "PUT /user-groups/users",
                json!({ "username": "ann" }),
                400,
                "Missing group_name",
            ),
            (
                "DELETE /user-groups/users",
                pair("ann", "deck"),
                404,
                "The user `ann` is not in the group `deck`",
            ),
        ] {
            let refusal = app.admin(call, body, status).await;
            let message = refusal["message"].as_str().unwrap();
            assert!(message.contains(text), "{call}: {message}");
        }
        app.admin("PUT /user-groups/users", pair("ann", "deck"), 200)
            .await;
        app.admin("PUT /user-groups/users", pair("ANN", "DECK"), 409)
            .await;
        assert_eq!(
            app.trail().await,
            [
                "user_group_create deck by admin",
                "user_group_add_user deck by admin"
            ]
        );
        for (call, body) in [
            ("GET /user-groups", Value::Null),
            ("GET /user-groups/deck", Value::Null),
            (
                "POST /user-groups",
                json!({ "group_name": "bay", "role": "sys_admin" }),
            ),
            ("POST /user-groups/deck", json!({ "role": "sys_admin" })),
            ("DELETE /user-groups/deck", Value::Null),
            ("PUT /user-groups/users", pair("ann", "deck")),
            ("DELETE /user-groups/users", pair("ann", "deck")),
        ] {
            app.expect("ann", call, body.clone(), 403).await;
            app.expect("nobody", call, body, 401).await;
        }
    });
}
