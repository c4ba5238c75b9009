//! Users, projects, groups, roles, domains and who has which role where.

use super::*;

#[test]
fn the_version_is_told_to_everybody() {
    pollster::block_on(async {
        let app = Application::start().await;
        for path in ["GET ", "GET /"] {
            let told = read(&app.send(&[], path, Value::Null).await, path, 200);
            assert_eq!(told["version"]["id"], "v3.14");
            assert_eq!(told["version"]["status"], "stable");
            let link = &told["version"]["links"][0];
            assert_eq!(link["href"], "http://harbour.example:3000/v3/");
        }
    });
}

#[test]
fn lists_show_what_the_caller_may_see() {
    pollster::block_on(async {
        let app = Application::start().await;
        let (admin, ann) = (
            app.log_in("admin", Value::Null).await,
            app.log_in("ann", Value::Null).await,
        );
        let ids = |told: &Value, name: &str| {
            let items = told[name].as_array().unwrap().iter();
            items
                .map(|item| item["id"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (token, path, name, want) in [
            (
                &admin,
                "/projects",
                "projects",
                "default_tenant harbour quay services",
            ),
            (&admin, "/projects?name=quay", "projects", "quay"),
            (
                &admin,
                "/projects?domain_id=default",
                "projects",
                "default_tenant harbour quay services",
            ),
            (&admin, "/projects?domain_id=other", "projects", ""),
            (&admin, "/projects?enabled=False", "projects", ""),
            (&admin, "/projects?is_domain=True", "projects", ""),
            (
                &admin,
                "/projects?limit=2",
                "projects",
                "default_tenant harbour",
            ),
            (
                &admin,
                "/projects?limit=2&marker=harbour",
                "projects",
                "quay services",
            ),
            (&ann, "/projects", "projects", "harbour quay"),
            (&ann, "/auth/projects", "projects", "harbour quay"),
            (&ann, "/users/7/projects", "projects", "harbour quay"),
            (&admin, "/users/8/projects", "projects", "harbour"),
            (&admin, "/users", "users", "0 7 8 9"),
            (&admin, "/users?name=bob", "users", "8"),
            (&admin, "/users?enabled=false", "users", ""),
            (&admin, "/users?domain_id=other", "users", ""),
            (&admin, "/users/8/groups", "groups", "3"),
            (&ann, "/users/7/groups", "groups", ""),
            (&ann, "/users?name=Ann", "users", "7"),
            (&admin, "/groups", "groups", "3"),
            (&admin, "/groups?name=none", "groups", ""),
            (&admin, "/groups/3/users", "users", "8"),
            (
                &ann,
                "/roles",
                "roles",
                "admin member project_admin project_mod service",
            ),
            (&ann, "/roles?name=member", "roles", "member"),
            (&ann, "/roles?domain_id=default", "roles", ""),
            (&ann, "/domains", "domains", "default"),
            (&ann, "/domains?name=Default", "domains", "default"),
            (&ann, "/domains?name=Other", "domains", ""),
            (&ann, "/auth/domains", "domains", ""),
            (&admin, "/auth/domains", "domains", "default"),
        ] {
            let told = app.expect(token, &format!("GET {path}"), 200).await;
            assert_eq!(ids(&told, name), want, "{path}");
            let base = "http://harbour.example:3000/v3";
            for item in told[name].as_array().unwrap() {
                let own = format!("{base}/{name}/{}", item["id"].as_str().unwrap());
                assert_eq!(item["links"]["self"], own, "{path}");
            }
            let (path, _) = path.split_once('?').unwrap_or((path, ""));
            assert_eq!(told["links"]["self"], format!("{base}{path}"));
        }
        let told = app
            .expect(&admin, "GET /users?limit=2&enabled=True", 200)
            .await;
        let next = "http://harbour.example:3000/v3/users?limit=2&marker=7&enabled=true";
        assert_eq!(
            (&told["links"]["next"], &told["truncated"]),
            (&json!(next), &json!(true))
        );
    });
}

#[test]
fn one_of_each_is_shown_by_its_id() {
    pollster::block_on(async {
        let app = Application::start().await;
        let (admin, ann) = (
            app.log_in("admin", Value::Null).await,
            app.log_in("ann", Value::Null).await,
        );
        for (token, path, name, fields) in [
            (
                &ann,
                "/users/7",
                "user",
                json!({ "name": "ann", "domain_id": "default", "enabled": true, "password_expires_at": null }),
            ),
            (&admin, "/users/8", "user", json!({ "name": "bob" })),
            (
                &ann,
                "/projects/harbour",
                "project",
                json!({ "name": "harbour", "domain_id": "default", "is_domain": false, "enabled": true, "description": "" }),
            ),
            (
                &admin,
                "/groups/3",
                "group",
                json!({ "name": "deck", "domain_id": "default" }),
            ),
            (
                &ann,
                "/roles/member",
                "role",
                json!({ "name": "member", "domain_id": null }),
            ),
            (
                &ann,
                "/domains/default",
                "domain",
                json!({ "name": "Default", "enabled": true }),
            ),
        ] {
            let told = app.expect(token, &format!("GET {path}"), 200).await;
            for (key, value) in fields.as_object().unwrap() {
                assert_eq!(&told[name][key], value, "{path} {key}");
            }
        }
        for (path, kind) in [
            ("/users/70", "user"),
            ("/users/ann", "user"),
            ("/users/70/projects", "user"),
            ("/users/70/groups", "user"),
            ("/projects/sea", "project"),
            ("/groups/70", "group"),
            ("/groups/70/users", "group"),
            ("/roles/captain", "role"),
            ("/domains/Default", "domain"),
        ] {
            let id = path.split('/').nth(2).unwrap();
            let text = app.refused(&admin, &format!("GET {path}"), 404).await;
            assert_eq!(text, format!("Could not find {kind}: {id}."));
        }
        // A client that has a name looks for an id next.
        let text = app.refused(&ann, "GET /users/ann", 404).await;
        assert_eq!(text, "Could not find user: ann.");
        // To somebody who is not in it a project does not exist.
        let text = app.refused(&ann, "GET /projects/services", 404).await;
        assert_eq!(text, "Could not find project: services.");
    });
}

#[test]
fn what_is_for_administrators_is_refused_by_the_name_of_the_action() {
    pollster::block_on(async {
        let app = Application::start().await;
        let ann = app.log_in("ann", Value::Null).await;
        for (path, action) in [
            ("/users", "list_users"),
            ("/users?name=bob", "list_users"),
            ("/users?name=nobody", "list_users"),
            ("/users/bob", "get_user"),
            ("/users/8", "get_user"),
            ("/users/70", "get_user"),
            ("/users/8/projects", "list_user_projects"),
            ("/users/8/groups", "list_groups_for_user"),
            ("/groups", "list_groups"),
            ("/groups/3", "get_group"),
            ("/groups/3/users", "list_users_in_group"),
            ("/role_assignments", "list_role_assignments"),
            ("/role_assignments?user.id=8", "list_role_assignments"),
            (
                "/role_assignments?scope.project.id=services",
                "list_role_assignments",
            ),
            (
                "/role_assignments?scope.project.id=sea",
                "list_role_assignments",
            ),
        ] {
            let text = app.refused(&ann, &format!("GET {path}"), 403).await;
            let want = format!(
                "You are not authorized to perform the requested action: identity:{action}."
            );
            assert_eq!(text, want, "{path}");
        }
        for path in [
            "/users",
            "/projects",
            "/roles",
            "/domains",
            "/auth/catalog",
            "/role_assignments",
        ] {
            let text = app.refused("", &format!("GET {path}"), 401).await;
            assert_eq!(
                text, "The request you have made requires authentication.",
                "{path}"
            );
        }
        let text = app.refused(&ann, "PUT /users", 405).await;
        assert_eq!(text, "The method is not allowed for the requested URL.");
        app.refused(&ann, "GET /services", 404).await;
        app.refused(&ann, "GET /projects?limit=0", 400).await;
        app.refused(&ann, "GET /projects?limit=many", 400).await;
    });
}

#[test]
fn assignments_are_shown_with_names_if_they_are_asked_for() {
    pollster::block_on(async {
        let app = Application::start().await;
        let (admin, ann) = (
            app.log_in("admin", Value::Null).await,
            app.log_in("ann", Value::Null).await,
        );
        let told = app
            .expect(&admin, "GET /role_assignments?scope.system=all", 200)
            .await;
        assert_eq!(
            told["role_assignments"],
            json!([{
                "role": { "id": "admin" },
                "user": { "id": "0" },
                "scope": { "system": { "all": true } },
                "links": { "assignment": "http://harbour.example:3000/v3/system/users/0/roles/admin" },
            }])
        );
        let path = "GET /role_assignments?user.id=7&scope.project.id=quay&include_names=True";
        let domain = json!({ "id": "default", "name": "Default" });
        for token in [&admin, &ann] {
            let told = app.expect(token, path, 200).await;
            assert_eq!(
                told["role_assignments"],
                json!([{
                    "role": { "id": "member", "name": "member" },
                    "user": { "id": "7", "name": "ann", "domain": domain },
                    "scope": { "project": { "id": "quay", "name": "quay", "domain": domain } },
                    "links": { "assignment": "http://harbour.example:3000/v3/projects/quay/users/7/roles/member" },
                }])
            );
        }
        // Members of a project see who else is in it.
        let told = app
            .expect(&ann, "GET /role_assignments?scope.project.id=harbour", 200)
            .await;
        assert_eq!(told["role_assignments"].as_array().unwrap().len(), 3);
        let path = "GET /role_assignments?scope.OS-INHERIT:inherited_to=projects";
        assert_eq!(
            app.expect(&admin, path, 200).await["role_assignments"],
            json!([])
        );
    });
}
