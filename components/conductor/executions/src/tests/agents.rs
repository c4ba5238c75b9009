//! Agents, as whoever installs them reports them.

use super::application::{Application, OMAR, ROOT, STRANGER, VERA};
use serde_json::{Value, json};
use windlass_core::Timestamp;
use windlass_core::db::Db;
use windlass_core::http::Method;

fn arm() -> Value {
    json!({
        "node_instance_id": "arm_dock", "state": "creating", "create_rabbitmq_user": true,
        "ip": "10.0.0.7", "install_method": "remote", "system": null, "version": "7.0.5",
        "rabbitmq_username": "arm", "rabbitmq_password": "secret", "rabbitmq_exchange": "arm",
    })
}

#[test]
fn an_agent_is_reported_updated_and_listed() {
    pollster::block_on(async {
        let application = Application::start().await;
        assert_eq!(application.get(VERA, "/agents").await["items"], json!([]));
        let made = application
            .call(OMAR, Method::PUT, "/agents/arm", arm(), 200)
            .await;
        for (field, want) in [
            ("name", "arm"),
            ("id", "arm_dock"),
            ("host_id", "arm_dock"),
            ("node", "arm"),
            ("deployment", "dock"),
            ("install_method", "remote"),
            ("install_methods", "remote"),
            ("rabbitmq_username", "arm"),
        ] {
            assert_eq!(made[field], want, "{field}");
        }
        assert_eq!(made["rabbitmq_password"], Value::Null, "it is not kept");
        let again = application
            .call(OMAR, Method::PUT, "/agents/arm", arm(), 200)
            .await;
        assert_eq!(again, json!({}));
        let report = json!({ "state": "started", "system": "debian" });
        let told = application
            .call(OMAR, Method::PATCH, "/agents/arm", report, 200)
            .await;
        assert_eq!(
            (&told["state"], &told["version"]),
            (&json!("started"), &json!("7.0.5"))
        );
        assert_ne!(told["updated_at"], Value::Null);
        assert_eq!(application.get(VERA, "/agents/arm").await, told);

        for (query, found) in [
            ("", 1),
            ("?deployment_id=dock&node_ids=arm&node_ids=leg", 1),
            ("?node_instance_ids=arm_dock&install_methods=remote", 1),
            ("?install_method=plugin", 0),
            ("?node_ids=leg", 0),
            ("?_search=AR", 1),
            ("?_get_data=true&_include=rabbitmq_username", 1),
        ] {
            let page = application.get(VERA, &format!("/agents{query}")).await;
            assert_eq!(
                page["items"].as_array().map(Vec::len),
                Some(found),
                "{query}"
            );
        }
        let page = application.get(VERA, "/agents").await;
        assert!(
            page["items"][0].get("rabbitmq_username").is_none(),
            "{page}"
        );

        let certificates = json!({ "bundle": true });
        let answer = application
            .call(ROOT, Method::PATCH, "/agents", certificates, 200)
            .await;
        assert_eq!(answer, json!({ "number_of_updated_agents": 0 }));
        // An agent goes with its instance.
        let sql = "delete from deployments where id = 'dock'";
        application.db.execute(sql, &[]).await.unwrap();
        application
            .call(VERA, Method::GET, "/agents/arm", Value::Null, 404)
            .await;
    });
}

#[test]
fn a_refused_report_leaves_nothing() {
    pollster::block_on(async {
        let application = Application::start().await;
        let with = |name: &str, value: Value| {
            let mut body = arm();
            body[name] = value;
            body
        };
        for (caller, path, body, status) in [
            (VERA, "/agents/arm", arm(), 403),
            // What another tenant has does not exist.
            (STRANGER, "/agents/arm", arm(), 404),
            (OMAR, "/agents/1arm", arm(), 400),
            (OMAR, "/agents/arm", with("state", json!("asleep")), 400),
            (OMAR, "/agents/arm", with("state", Value::Null), 400),
            (
                OMAR,
                "/agents/arm",
                with("node_instance_id", Value::Null),
                400,
            ),
            (
                OMAR,
                "/agents/arm",
                with("create_rabbitmq_user", Value::Null),
                400,
            ),
            (OMAR, "/agents/arm", with("ip", json!(7)), 400),
            (
                OMAR,
                "/agents/arm",
                with("node_instance_id", json!("leg_1")),
                404,
            ),
        ] {
            application
                .call(caller, Method::PUT, path, body, status)
                .await;
        }
        assert_eq!(application.get(OMAR, "/agents").await["items"], json!([]));
        for (caller, method, path, body, status) in [
            (
                OMAR,
                Method::PATCH,
                "/agents",
                json!({ "bundle": true }),
                403,
            ),
            (ROOT, Method::PATCH, "/agents", json!({}), 400),
            (
                OMAR,
                Method::PATCH,
                "/agents/arm",
                json!({ "state": "asleep" }),
                400,
            ),
            (
                OMAR,
                Method::PATCH,
                "/agents/arm",
                json!({ "state": "started" }),
                404,
            ),
        ] {
            application.call(caller, method, path, body, status).await;
        }
    });
}

#[test]
fn a_worker_is_listed_for_as_long_as_it_asks() {
    pollster::block_on(async {
        let application = Application::start().await;
        let asks = async |version: &str| {
            let body = json!({
                "worker": "north", "queues": ["central_deployment_agent", "arm_dock"], "version": version,
            });
            let path = "/operations/lease";
            application.call(ROOT, Method::POST, path, body, 200).await
        };
        let forget = async |seconds: i64| {
            let now = Timestamp::now().plus_seconds(seconds);
            windlass_store::agents::forget_workers(&application.db, now)
                .await
                .unwrap();
        };
        asks("0.1.0").await;
        asks("0.2.0").await;
        forget(50).await;
        let page = application.get(VERA, "/agents").await;
        assert_eq!(page["metadata"]["pagination"]["total"], 1);
        let worker = &page["items"][0];
        for (field, want) in [
            ("name", json!("north")),
            ("id", json!("north")),
            ("version", json!("0.2.0")),
            ("queues", json!(["central_deployment_agent", "arm_dock"])),
            ("state", json!("started")),
            ("install_method", json!("worker")),
            ("host_id", Value::Null),
            ("deployment", Value::Null),
        ] {
            assert_eq!(worker[field], want, "{field}");
        }
        let elsewhere = application.get(STRANGER, "/agents").await;
        assert_eq!(elsewhere["items"], json!([]));
        forget(70).await;
        let page = application.get(VERA, "/agents").await;
        assert_eq!(page["metadata"]["pagination"]["total"], 0);

        // A name that an agent has already stays the agent's.
        application
            .call(OMAR, Method::PUT, "/agents/north", arm(), 200)
            .await;
        asks("0.3.0").await;
        forget(70).await;
        let one = application.get(VERA, "/agents/north").await;
        assert_eq!(
            (&one["version"], &one["queues"]),
            (&json!("7.0.5"), &Value::Null)
        );
    });
}
