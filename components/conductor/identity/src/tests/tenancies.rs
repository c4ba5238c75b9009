//! Tenants and who is in them.

use super::*;

#[test]
fn a_tenant_is_made_filled_emptied_and_deleted() {
    pollster::block_on(async {
        let app = Application::start().await;
        let made = app.admin("POST /tenants/harbour", Value::Null, 201).await;
        assert_eq!(
            made,
            json!({ "name": "harbour", "groups": 0, "users": 0, "user_roles": null,
                "rabbitmq_username": null, "rabbitmq_password": null, "rabbitmq_vhost": null })
        );
        let refusal = app.admin("POST /tenants/harbour", json!({}), 409).await;
        assert_eq!(refusal["error_code"], "conflict_error");
        let ann = json!({ "username": "ANN", "tenant_name": "harbour", "role": "viewer" });
        let harbour = app
            .admin("PUT /tenants/users?_get_data=True", ann.clone(), 200)
            .await;
        assert_eq!(
            harbour["users"],
            json!({ "ann": { "tenant-role": "viewer", "roles": ["viewer"] } })
        );
        app.admin("PUT /tenants/users", ann, 409).await;
        let manager = json!({ "username": "ann", "tenant_name": "harbour", "role": "manager" });
        let changed = app
            .admin("PATCH /tenants/users?_include=users", manager, 200)
            .await;
        assert_eq!(changed, json!({ "users": 1 }));
        let seen = app
            .expect("ann", "GET /tenants/harbour", Value::Null, 200)
            .await;
        assert_eq!(seen["users"], 1);

        let refusal = app.admin("DELETE /tenants/harbour", Value::Null, 409).await;
        assert_eq!(
            refusal["message"],
            "Cannot delete the tenant `harbour`: it still has users"
        );
        let ann = json!({ "username": "ann", "tenant_name": "harbour" });
        app.admin("DELETE /tenants/users", ann.clone(), 204).await;
        app.admin("DELETE /tenants/users", ann, 404).await;
        app.expect("ann", "GET /tenants/harbour", Value::Null, 403)
            .await;
        app.admin("DELETE /tenants/harbour", Value::Null, 204).await;
        app.admin("GET /tenants/harbour", Value::Null, 404).await;
        assert_eq!(
            app.trail().await,
            [
                "tenant_create harbour by admin",
                "tenant_add_user ann in harbour by admin",
                "tenant_update_user ann in harbour by admin",
                "tenant_remove_user ann in harbour by admin",
                "tenant_delete harbour by admin",
            ]
        );
    });
}

#[test]
fn a_member_without_a_named_role_is_a_user() {
    pollster::block_on(async {
        let app = Application::start().await;
        for role in [json!(null), json!("")] {
            let ann = json!({ "username": "ann", "tenant_name": "default_tenant", "role": role });
            let tenant = app
                .admin("PUT /tenants/users?_get_data=true", ann.clone(), 200)
                .await;
            assert_eq!(tenant["users"]["ann"]["tenant-role"], "user");
            app.admin("DELETE /tenants/users", ann, 204).await;
        }
    });
}

#[test]
fn what_is_refused_about_tenants_says_why_and_changes_nothing() {
    pollster::block_on(async {
        let app = Application::start().await;
        let member = |username: &str, tenant: &str, role: &str| json!({ "username": username, "tenant_name": tenant, "role": role });
        for (call, body, status, text) in [
            (
                "POST /tenants/1st",
                json!({}),
                400,
                "must begin with a letter",
            ),
            ("POST /tenants/a%20b", json!({}), 400, "illegal characters"),
            (
                "POST /tenants/users",
                json!({}),
                400,
                "`users` is not allowed as a tenant name",
            ),
            (
                "POST /tenants/user-groups",
                json!({}),
                400,
                "`user-groups` is not allowed",
            ),
            (
                "POST /tenants/t",
                json!({ "rabbitmq_password": 1 }),
                400,
                "of type str but is of type int",
            ),
            (
                "POST /tenants/t",
                json!([]),
                400,
                "of type dict but is of type list",
            ),
            (
                "POST /tenants/t?_include=x",
                json!({}),
                400,
                "Include keys '['x']' do not exist",
            ),
            (
                "POST /tenants/t?_get_data=x",
                json!({}),
                400,
                "_get_data must be <true/false>, got x",
            ),
            (
                "DELETE /tenants/nowhere",
                Value::Null,
                404,
                "Requested `Tenant` with ID `nowhere` was not found",
            ),
            (
                "DELETE /tenants/default_tenant",
                Value::Null,
                400,
                "cannot be deleted",
            ),
            (
                "PUT /tenants/users",
                json!({}),
                400,
                "Missing tenant_name in json request body",
            ),
            (
                "PUT /tenants/users",
                json!({ "tenant_name": "default_tenant" }),
                400,
                "Missing username",
            ),
            (
                "PUT /tenants/users",
                json!({ "tenant_name": "t", "username": 1 }),
                400,
                "username parameter is expected",
            ),
            (
                "PUT /tenants/users",
                member("1nn", "default_tenant", "user"),
                400,
                "The `username` argument must begin",
            ),
            (
                "PUT /tenants/users",
                member("ann", "nowhere", "x"),
                400,
                "Invalid role: `x`. Valid tenant_role roles are: ['manager', 'user', ",
            ),
            (
                "PUT /tenants/users",
                member("ann", "nowhere", "sys_admin"),
                400,
                "Role `sys_admin` is a system_role and cannot be assigned as a tenant_role",
            ),
            (
                "PUT /tenants/users",
                member("nobody", "nowhere", "user"),
                404,
                "`Tenant` with ID `nowhere`",
            ),
            (
                "PUT /tenants/users",
                member("nobody", "default_tenant", "user"),
                404,
                "`User` with ID `nobody`",
            ),
            (
                "PATCH /tenants/users",
                json!({ "username": "ann", "tenant_name": "default_tenant" }),
                400,
                "Missing role",
            ),
            (
                "PATCH /tenants/users",
                member("ann", "default_tenant", "user"),
                404,
                "The user `ann` is not in the tenant `default_tenant`",
            ),
            (
                "DELETE /tenants/users",
                Value::Null,
                400,
                "Missing tenant_name",
            ),
            (
                "PUT /tenants/user-groups",
                json!({ "group_name": "deck", "tenant_name": "default_tenant" }),
                404,
                "`Group` with ID `deck`",
            ),
        ] {
            let refusal = app.admin(call, body, status).await;
            let message = refusal["message"].as_str().unwrap();
            assert!(message.contains(text), "{call}: {message}");
        }
        assert_eq!(app.trail().await.len(), 0);
        for (call, body) in [
            ("POST /tenants/t", Value::Null),
            ("POST /tenants/users", Value::Null),
            ("DELETE /tenants/default_tenant", Value::Null),
            (
                "PUT /tenants/users",
                member("ann", "default_tenant", "manager"),
            ),
            ("PATCH /tenants/users", member("ann", "nowhere", "manager")),
            (
                "DELETE /tenants/users",
                member("admin", "default_tenant", ""),
            ),
            ("PUT /tenants/user-groups", json!({ "tenant_name": "t" })),
            ("GET /tenants?_get_data=true", Value::Null),
            ("GET /tenants/default_tenant", Value::Null),
        ] {
            app.expect("ann", call, body.clone(), 403).await;
            app.expect("nobody", call, body, 401).await;
        }
    });
}

#[test]
fn a_tenant_with_resources_stays_and_its_events_go_with_it() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.admin("POST /tenants/harbour", Value::Null, 201).await;
        for sql in [
            "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
             values ('crane', 'harbour', 'ann', 'tenant', '2024', '2024', 'uploaded')",
            "insert into executions (id, tenant_name, created_by, visibility, created_at, workflow_id, status)
             values ('e1', 'harbour', 'ann', 'tenant', '2024', 'install', 'terminated')",
            "insert into events (execution_key, list_key, is_log, timestamp)
             select e.key, t.id, 1, 0 from executions e join tenants t on t.name = e.tenant_name",
        ] {
            app.db.execute(sql, &[]).await.unwrap();
        }
        let refusal = app.admin("DELETE /tenants/harbour", Value::Null, 409).await;
        assert_eq!(
            refusal["message"],
            "Cannot delete the tenant `harbour`: it still has blueprints, executions"
        );
        let refusal = app.admin("DELETE /users/ann", Value::Null, 409).await;
        assert_eq!(
            refusal["message"],
            "Cannot delete the user `ann`: it still owns blueprints, executions"
        );
        for sql in ["delete from blueprints", "delete from executions"] {
            app.db.execute(sql, &[]).await.unwrap();
        }
        app.admin("DELETE /tenants/harbour", Value::Null, 204).await;
        let left = app.db.first("select count(*) from events", &[]).await;
        assert_eq!(left.unwrap().unwrap().integer(0).unwrap(), 0);
    });
}

#[test]
fn a_tenant_keeps_its_directory_and_a_user_the_pipelines_that_run_in_their_name() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.admin("POST /tenants/harbour", Value::Null, 201).await;
        for sql in [
            "insert into directory_people (id, tenant_name, email_key, document, created_at, updated_at)
             values ('p', 'harbour', 'a@b.example', '{}', '2024', '2024')",
            "insert into directory_mappings (id, tenant_name, attribute1, attribute2, mapping_type,
                 relationship, created_at, updated_at)
             values ('m', 'harbour', 'a', 'b', 'parent-child', 'org-hierarchy', '2024', '2024')",
            "insert into pipelines (id, tenant_name, created_by, runs_as, name, plan_key, created_at, updated_at)
             values ('x', 'default_tenant', 'admin', 'ann', 'ship', 1, '2024', '2024')",
        ] {
            app.db.execute(sql, &[]).await.unwrap();
        }
        for (call, text) in [
            (
                "DELETE /tenants/harbour",
                "Cannot delete the tenant `harbour`: it still has people, mappings",
            ),
            (
                "DELETE /users/ann",
                "Cannot delete the user `ann`: pipelines still run in its name",
            ),
        ] {
            let refusal = app.admin(call, Value::Null, 409).await;
            assert_eq!(refusal["message"], text);
        }
        for sql in [
            "delete from directory_people",
            "delete from directory_mappings",
            "update pipelines set runs_as = 'admin'",
        ] {
            app.db.execute(sql, &[]).await.unwrap();
        }
        app.admin("DELETE /tenants/harbour", Value::Null, 204).await;
        app.admin("DELETE /users/ann", Value::Null, 204).await;
    });
}
