//! Permissions: administrators decide what roles may do, from the next request on.

use super::*;

#[test]
fn a_permission_counts_from_the_next_request_on() {
    pollster::block_on(async {
        let app = Application::start().await;
        let call = "PUT /permissions/default/user_list";
        app.expect("ann", "GET /users", Value::Null, 403).await;
        let pair = app.admin(call, Value::Null, 200).await;
        assert_eq!(
            pair,
            json!({ "role": "default", "permission": "user_list" })
        );
        app.expect("ann", "GET /users", Value::Null, 200).await;
        let refusal = app.admin(call, Value::Null, 409).await;
        assert_eq!(refusal["error_code"], "conflict_error");
        let call = "DELETE /permissions/default/user_list";
        app.admin(call, Value::Null, 204).await;
        app.expect("ann", "GET /users", Value::Null, 403).await;
        app.admin(call, Value::Null, 404).await;
        assert_eq!(
            app.trail().await,
            [
                "permission_add default/user_list by admin",
                "permission_delete default/user_list by admin"
            ]
        );
    });
}

#[test]
fn administrators_read_and_change_what_roles_hold_and_nobody_else() {
    pollster::block_on(async {
        let app = Application::start().await;
        let page = app
            .admin("GET /permissions?_size=2", Value::Null, 200)
            .await;
        assert_eq!(
            page["items"],
            json!([{ "role": "default", "permission": "broker_get" },
                { "role": "default", "permission": "create_token" }])
        );
        assert!(page["metadata"]["pagination"]["total"].as_i64().unwrap() > 400);
        let all = app.admin("GET /permissions", Value::Null, 200).await;
        assert_eq!(
            Some(all["items"].as_array().unwrap().len() as i64),
            all["metadata"]["pagination"]["total"].as_i64()
        );
        let worker = app.admin("GET /permissions/worker", Value::Null, 200).await;
        assert_eq!(
            worker["items"],
            json!([{ "role": "worker", "permission": "operation_lease" }])
        );
        app.admin("GET /permissions/captain", Value::Null, 404)
            .await;
        for call in [
            "GET /permissions",
            "GET /permissions/viewer",
            "GET /permissions/captain",
            "PUT /permissions/captain/steer",
            "DELETE /permissions/viewer/version_get",
        ] {
            let refusal = app.expect("ann", call, Value::Null, 401).await;
            assert_eq!(refusal["error_code"], "unauthorized_error");
            assert_eq!(
                refusal["message"],
                "Only admin users are permitted to edit permissions"
            );
        }
        app.admin("PUT /permissions/captain/steer", Value::Null, 404)
            .await;
        app.admin("DELETE /permissions/captain/steer", Value::Null, 404)
            .await;
        // Any name will do: other programs may ask for it.
        app.admin("PUT /permissions/viewer/steer", Value::Null, 200)
            .await;
        for call in ["GET /permissions", "GET /permissions/viewer"] {
            app.expect("nobody", call, Value::Null, 401).await;
        }
    });
}
