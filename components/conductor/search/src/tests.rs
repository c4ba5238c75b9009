//! Requests through the routes, with callers that only tests have.

mod filters;
mod searches;
mod summary;

use serde_json::{Value, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::params;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::router::Router;
use windlass_core::testing::{self, Callers, Rights};

/// Whoever the header `caller` names: `root` may everything, `ann`
/// what regular users may, everybody else nothing.
struct Named;

impl Callers for Named {
    fn rights(name: &str) -> Rights {
        use Permission::*;
        let here: PermissionSet = match name {
            "ann" | "bob" => [
                FilterGet,
                FilterList,
                FilterCreate,
                FilterUpdate,
                FilterDelete,
                BlueprintList,
                DeploymentList,
                ExecutionList,
                NodeList,
                NodeInstanceList,
                ExecutionScheduleList,
                SecretList,
                DeploymentGet,
                DeploymentCapabilities,
            ]
            .into_iter()
            .collect(),
            _ => PermissionSet::default(),
        };
        Rights {
            here,
            everywhere: match name {
                "root" => PermissionSet::all(),
                _ => PermissionSet::default(),
            },
            execution_id: None,
        }
    }
}

struct Harbour {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Harbour {
    /// Deployments `d1` to `d6` of the blueprints `crane` and `lamp`, each with a node and an instance.
    fn new() -> Self {
        let harbour = Self {
            db: NativeDb::in_memory(),
            router: Router::new(crate::routes()).unwrap(),
        };
        pollster::block_on(windlass_store::migrations::apply(&harbour.db)).unwrap();
        for sql in [
            "insert into tenants (name, created_at) values ('harbour', '2024'), ('quay', '2024')",
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at, updated_at, state, is_hidden)
             select value ->> 0, value ->> 1, 'harbour', 'ann', value ->> 2, '', '', 'uploaded', value ->> 3
             from json_each('[[1, \"crane\", \"tenant\", 0], [2, \"lamp\", \"private\", 0], [3, \"x\", \"tenant\", 1]]')",
            "with recursive n (k) as (select 1 union all select k + 1 from n where k < 6)
             insert into deployments (key, id, tenant_name, created_by, visibility, created_at, updated_at,
                 blueprint_key, blueprint_id, display_name, site_name)
             select k, 'd' || k, 'harbour', 'ann', iif(k = 6, 'private', 'tenant'), '', '', 1 + k % 2,
                 iif(k % 2, 'lamp', 'crane'), 'D' || k, iif(k < 3, 'pier', null) from n",
            "insert into plan_parts (key, hash, text)
             values (1, 'a', '[\"root\", \"host\", \"vm\"]'), (2, 'b', '{\"start\": {}, \"stop\": {}}')",
            "insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility, type,
                 properties, number_of_instances, planned_number_of_instances, deploy_number_of_instances,
                 min_number_of_instances, max_number_of_instances, type_hierarchy_part, operations_part)
             select d.key, d.id, n.value ->> 0, 'harbour', 'ann', d.visibility, n.value ->> 1, '{}', 1, 1, 1, 1, 1,
                 iif(n.value ->> 1 = 'vm', 1, null), iif(n.value ->> 1 = 'vm', 2, null)
             from deployments d, json_each('[[\"web\", \"vm\"], [\"net\", \"root\"]]') n",
            "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name, created_by,
                 visibility, \"index\", relationships, scaling_groups, state)
             select key, id, 'web_' || key, 'web', 'harbour', 'ann', visibility, 1, '[]', '[]',
                 iif(key < 3, 'started', 'deleted') from deployments",
            "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key,
                 deployment_id, workflow_id, status, is_system_workflow)
             select 'e' || key, 'harbour', 'ann', visibility, '', key, id, 'install', iif(key < 3, 'terminated', 'failed'), key = 1
             from deployments",
        ] {
            harbour.sql(sql);
        }
        harbour
    }

    fn sql(&self, sql: &str) {
        let done = pollster::block_on(self.db.execute(sql, params![]));
        done.unwrap_or_else(|error| panic!("{}: {sql}", error.for_log()));
    }

    /// Sends a request as `who`, or as `who@tenant`.
    fn ask(&self, who: &str, request: &str, body: Value, status: u16) -> Value {
        let (method, url) = request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer =
            testing::ask::<Named>(&self.router, &self.db, who, (method, url), (&body, status));
        pollster::block_on(answer).unwrap()
    }

    fn get(&self, who: &str, url: &str) -> Value {
        self.ask(who, &format!("GET {url}"), Value::Null, 200)
    }

    /// One field of what a search finds, and the numbers: `(items, total, filtered)`.
    fn search(&self, url: &str, body: Value, field: &str) -> (Vec<String>, i64, Value) {
        let found = self.ask("ann", &format!("POST /searches/{url}"), body, 200);
        let items = found["items"].as_array().unwrap().iter();
        let shown = items.map(|item| item[field].as_str().unwrap().to_owned());
        let metadata = &found["metadata"];
        let total = metadata["pagination"]["total"].as_i64().unwrap();
        (shown.collect(), total, metadata["filtered"].clone())
    }

    fn refused(&self, who: &str, request: &str, body: Value, status: u16, text: &str) {
        let refusal = self.ask(who, request, body, status);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{request}: {message}");
    }
}

fn rule(kind: &str, key: &str, operator: &str, values: Value) -> Value {
    json!({ "key": key, "values": values, "operator": operator, "type": kind })
}
