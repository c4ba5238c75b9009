//! What an update of plugins is started with, and when there is none.

use super::{Application, archive, harbour};
use serde_json::{Value, json};
use windlass_core::blob;
use windlass_core::db::Db;
use windlass_core::http::Method;
use windlass_core::params;

const GAUGE: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:tide?version=>=1.0,<3']
node_templates: {gauge: {type: tide.Gauge}}
";

impl Application {
    /// A version of the plugin `tide`, whose type tells it.
    async fn tide(&self, version: &str) {
        let file = format!(
            "plugins:
  tide: {{executor: central_deployment_agent, package_name: tide, package_version: '{version}'}}
node_types:
  tide.Gauge:
    derived_from: cloudify.nodes.Root
    properties: {{version: {{default: '{version}'}}}}
    interfaces: {{cloudify.interfaces.lifecycle: {{create: tide.tasks.create}}}}
"
        );
        let blob = blob::write(file.as_bytes()).await.unwrap();
        let sql = "insert into plugins (id, tenant_name, created_by, visibility, created_at, title,
                       package_name, package_version, archive_name, supported_py_versions, wheels,
                       archive_blob, archive_size, archive_sha256)
                   values (?1, 'default_tenant', 'ann', 'tenant', '', 'tide', 'tide', ?1, ?1, '[]', '[]',
                       ?1, 1, '')";
        self.db.execute(sql, params![version]).await.unwrap();
        let sql = "insert into plugin_files (plugin_key, number, name, blob, size)
                   values ((select max(key) from plugins), 0, 'plugin.yaml', ?1, ?2)";
        self.db
            .execute(sql, params![&blob.id, blob.size])
            .await
            .unwrap();
    }

    /// The blueprint `gauge`, with version 1.1; then newer ones are there.
    async fn gauge(&self) {
        self.tide("1.1").await;
        let path = "/blueprints/gauge";
        self.expect("ann", Method::PUT, path, &archive(GAUGE), 201)
            .await;
        let sql = "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
                       blueprint_key, blueprint_id, display_name)
                   select 'west', tenant_name, 'ann', 'tenant', '', '', key, id, 'west' from blueprints";
        self.db.execute(sql, &[]).await.unwrap();
        for version in ["1.0", "1.9", "2.0", "3.0"] {
            self.tide(version).await;
        }
    }

    async fn update(&self, body: Value, status: u16) -> Value {
        let (path, body) = ("/plugins-updates/gauge/update/initiate", body.to_string());
        self.expect("ann", Method::POST, path, body.as_bytes(), status)
            .await
    }
}

#[test]
fn the_copy_has_the_newest_plugins_that_are_allowed_and_the_same_files() {
    pollster::block_on(async {
        for (body, version) in [
            (json!({}), "2.0"),
            (json!({ "all_to_minor": true }), "1.9"),
            (
                json!({ "plugin_names": ["tide"], "to_minor": ["tide"] }),
                "1.9",
            ),
            (
                json!({ "mapping": { "updates": [{ "plugin:tide?version=>=1.0,<3": {
                    "plugin_name": "tide", "suggested_version": "3.0", "current_version": "1.1",
                } }] } }),
                "3.0",
            ),
        ] {
            let app = harbour().await;
            app.gauge().await;
            let update = app.update(body.clone(), 200).await;
            assert_eq!(update["state"], "executing_workflow", "{body}");
            assert_eq!(update["deployments_to_update"], json!(["west"]));
            let copy = update["temp_blueprint_id"].as_str().unwrap();
            let path = format!("/blueprints/{copy}");
            let shown = app.expect("ann", Method::GET, &path, b"", 200).await;
            let properties = &shown["plan"]["nodes"][0]["properties"];
            assert_eq!(properties["version"], version, "{body}");
            assert_eq!(shown["is_hidden"], true);
            let path = format!("{path}/archive");
            let download = app.ask("ann", Method::GET, &path, b"").await;
            assert_eq!(download.body, archive(GAUGE));
            assert_eq!(app.loose_blobs().await, 0);
            // The blueprint itself is as it was.
            let path = "/blueprints/gauge";
            let shown = app.expect("ann", Method::GET, path, b"", 200).await;
            assert_eq!(shown["plan"]["nodes"][0]["properties"]["version"], "1.1");
            let again = app.update(json!({}), 409).await;
            assert_eq!(again["error_code"], "conflict_error");
        }
    });
}

#[test]
fn nothing_newer_leaves_a_record_and_nothing_else() {
    pollster::block_on(async {
        let app = harbour().await;
        app.gauge().await;
        for body in [
            json!({ "plugin_names": ["other"] }),
            json!({ "plugin_names": ["x", "y"] }),
        ] {
            let update = app.update(body, 200).await;
            assert_eq!(update["state"], "no_changes_required");
            assert_eq!(update["temp_blueprint_id"], Value::Null);
            assert_eq!(update["deployments_to_update"], json!([]));
        }
        let sql = "select count(*) || (select group_concat(distinct status) from executions
                       where workflow_id = 'update_plugin') || (select count(*) from queue)
                   from blueprints";
        let row = app.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "1terminated0");
        assert_eq!(app.loose_blobs().await, 0);
    });
}

#[test]
fn what_cannot_be_planned_is_refused_and_leaves_nothing() {
    pollster::block_on(async {
        let app = harbour().await;
        app.gauge().await;
        let named = |version: &str| {
            json!({ "mapping": { "updates": [{ "plugin:tide": {
                "plugin_name": "tide", "suggested_version": version,
            } }] } })
        };
        let refusal = app.update(named("7.0"), 400).await;
        assert_eq!(refusal["error_code"], "invalid_blueprint_error");
        for body in [
            json!({ "mapping": 7 }),
            json!({ "mapping": { "updates": [7] } }),
            json!({ "mapping": { "updates": [{ "plugin:tide": 7 }] } }),
            json!({ "plugin_names": ["tide", null] }),
            json!({ "update_id": "u", "state": "updating" }),
            json!({ "deployments_per_tenant": { "quay": "west" } }),
        ] {
            let refusal = app.update(body.clone(), 400).await;
            assert_eq!(refusal["error_code"], "bad_parameters_error", "{body}");
        }
        let path = "/plugins-updates/nothing/update/initiate";
        app.expect("ann", Method::POST, path, b"", 404).await;
        let path = "/plugins-updates/gauge/update/initiate";
        app.expect("vera", Method::POST, path, b"", 403).await;
        let list = app.expect("vera", Method::GET, "/plugins-updates", b"", 200);
        assert_eq!(list.await["items"], json!([]));
        assert_eq!(app.loose_blobs().await, 0);
    });
}

#[test]
fn an_update_is_finalized_once_all_deployments_have_the_copy() {
    pollster::block_on(async {
        let app = harbour().await;
        app.gauge().await;
        let update = app.update(json!({}), 200).await;
        let id = update["id"].as_str().unwrap();
        let path = format!("/plugins-updates/{id}/update/finalize");
        let refusal = app.expect("ann", Method::POST, &path, b"", 400).await;
        assert_eq!(refusal["error_code"], "plugins_update_failed");
        for sql in [
            "update plugins_update_deployments set state = 'successful'",
            "update deployments set blueprint_key = (select key from blueprints where is_hidden = 1)",
        ] {
            app.db.execute(sql, &[]).await.unwrap();
        }
        let ended = app.expect("ann", Method::POST, &path, b"", 200).await;
        assert_eq!(ended["state"], "successful");
        let shown = app.expect("ann", Method::GET, "/blueprints/gauge", b"", 200);
        let plan = shown.await["plan"].clone();
        assert_eq!(plan["nodes"][0]["properties"]["version"], "2.0");
        let sql = "select blueprint_id || (select count(*) from blueprints) from deployments";
        let row = app.db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "gauge1");
        let refusal = app.expect("ann", Method::POST, &path, b"", 400).await;
        assert_eq!(refusal["error_code"], "illegal_action_error");
    });
}
