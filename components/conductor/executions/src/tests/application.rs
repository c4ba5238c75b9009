//! The application in a test: deployments, callers, and a running execution.

use serde_json::{Value, json};
use windlass_core::app::{self, Identity as _};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::router::Router;
use windlass_core::{Family, Request, hashing, params};
use windlass_identity::Identity;

const WORKFLOWS: &str = r#"[
    {"name": "paint", "plugin": "p", "operation": "p.paint", "is_cascading": false,
     "parameters": {"colour": {"type": "string"}, "coats": {"type": "integer", "default": 1}}},
    {"name": "uninstall", "plugin": "p", "operation": "p.uninstall", "parameters": {},
     "is_cascading": false, "availability_rules": {"node_instances_active": ["all"]}}]"#;

pub struct Application {
    pub db: NativeDb,
    router: Router<NativeDb>,
}

/// Who calls: the header that tells, and the tenant.
pub type Caller<'a> = ((&'a str, &'a str), &'a str);

pub const OMAR: Caller = (
    ("authentication-token", "ctok-omar-secret"),
    "default_tenant",
);
pub const ROOT: Caller = (
    ("authentication-token", "ctok-root-secret"),
    "default_tenant",
);
pub const VERA: Caller = (
    ("authentication-token", "ctok-vera-secret"),
    "default_tenant",
);
pub const STRANGER: Caller = (("authentication-token", "ctok-quentin-secret"), "quay");
pub const RUNNER: Caller = (("execution-token", "run-token"), "default_tenant");

impl Application {
    /// Deployments `crane`, on which the execution `runner` runs, `dock` and its child `bollard`.
    pub async fn start() -> Self {
        let db = NativeDb::in_memory();
        Identity::prepare(&db).await.unwrap();
        let application = Self {
            db,
            router: Router::new(crate::routes()).unwrap(),
        };
        let secret = hashing::digest("secret");
        let run_token = hashing::digest("run-token");
        let set_up: [(&str, &[windlass_core::db::Value]); 9] = [
            (
                "insert into tenants (name, created_at) values ('quay', '')",
                &[],
            ),
            (
                "insert into users (username, password_hash, role, created_at)
                 values ('omar', '', 'default', ''), ('vera', '', 'default', ''),
                     ('quentin', '', 'default', ''), ('root', '', 'sys_admin', '')",
                &[],
            ),
            (
                "insert into tenant_users (tenant_name, user_id, role)
                 select iif(username = 'quentin', 'quay', 'default_tenant'), id,
                     iif(username = 'vera', 'viewer', 'operations') from users where id <> 0",
                &[],
            ),
            (
                "insert into tokens (id, user_id, secret_hash, created_at)
                 select username, id, ?1, '' from users",
                params![secret],
            ),
            (
                "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                     updated_at, state)
                 values (1, 'cranes', 'default_tenant', 'omar', 'tenant', '', '', 'uploaded')",
                &[],
            ),
            (
                "insert into plan_parts (key, hash, text) values (1, 'workflows', ?1)",
                params![WORKFLOWS],
            ),
            (
                "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                     updated_at, blueprint_key, blueprint_id, display_name, workflow_parts)
                 select value, 'default_tenant', 'omar', 'tenant', '', '', 1, 'cranes', value,
                     '[1, 1, 1, 1, 1]'
                 from json_each('[\"crane\", \"dock\", \"bollard\"]')",
                &[],
            ),
            (
                "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
                 select key, 'csys-obj-parent', 'dock', '', '' from deployments
                 where id = 'bollard'",
                &[],
            ),
            (
                "insert into executions (id, tenant_name, created_by, visibility, created_at,
                     deployment_key, deployment_id, blueprint_id, workflow_id, status, token_hash)
                 select 'runner', 'default_tenant', 'omar', 'tenant', '2026-01-01T00:00:00.000Z',
                     key, id, 'cranes', 'paint', 'started', ?1 from deployments where id = 'crane'",
                params![run_token],
            ),
        ];
        for (sql, parameters) in set_up {
            application.db.execute(sql, parameters).await.unwrap();
        }
        application
            .db
            .execute(
                "insert into node_instances (deployment_key, deployment_id, id, node_id,
                     tenant_name, created_by, visibility, \"index\", relationships, scaling_groups)
                 select key, id, 'arm_' || id, 'arm', 'default_tenant', 'omar', 'tenant', 1,
                     '[]', '[]' from deployments",
                &[],
            )
            .await
            .unwrap();
        application
    }

    /// Calls, expects a status and answers the body.
    pub async fn call(
        &self,
        caller: Caller<'_>,
        method: Method,
        path: &str,
        body: Value,
        status: u16,
    ) -> Value {
        let ((header, proof), tenant) = caller;
        let mut request = Request::new(method.clone(), &format!("/api/v3.1{path}"))
            .header(header, proof)
            .header("tenant", tenant);
        if !body.is_null() {
            request.body = body.to_string().into_bytes();
        }
        let db = self.db.clone();
        let family = Family::Conductor;
        let mut response =
            app::handle::<Identity, _>(&self.router, db, family, request, "r".into()).await;
        if let Some(made) = response.made.take() {
            response.body = made.read().await.unwrap();
        }
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, status, "{method} {path} {body}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub async fn get(&self, caller: Caller<'_>, path: &str) -> Value {
        self.call(caller, Method::GET, path, Value::Null, 200).await
    }

    pub async fn paint(&self, deployment: &str) -> String {
        let body = json!({
            "deployment_id": deployment, "workflow_id": "paint", "parameters": { "colour": "red" },
            "force": "false", "queue": "true", "dry_run": "false",
            "allow_custom_parameters": "false", "scheduled_time": null, "force_status": null,
            "wait_after_fail": 600, "id": null,
        });
        let started = self
            .call(OMAR, Method::POST, "/executions", body, 201)
            .await;
        started["id"].as_str().unwrap().to_owned()
    }
}
