//! Requests through the routes, with callers that only tests have.

mod filters;
mod searches;
mod summary;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::app::{self, Identity};
use windlass_core::caller::{AuthMethod, Caller, Membership};
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::router::Router;
use windlass_core::{Error, Family, Request, Result, params};

/// Whoever the header `caller` names, in the tenant of the header `tenant`: `root` may everything, `ann`
/// what regular users may, everybody else nothing.
struct Named;

impl Identity for Named {
    async fn prepare(_: &impl Db) -> Result<()> {
        Ok(())
    }

    async fn authenticate(_: &impl Db, _: Family, request: &Request) -> Result<Identified> {
        use Permission::*;
        let Some(name) = request.get_header("caller") else {
            return Err(Error::unauthorized("No authentication info provided"));
        };
        let permissions: PermissionSet = match name {
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
        let tenant = request.get_header("tenant").unwrap_or("harbour").to_owned();
        let member = Membership {
            roles: Vec::new(),
            permissions,
        };
        let caller = Caller {
            user_id: 7,
            username: name.into(),
            role: "default".into(),
            method: AuthMethod::Basic,
            system: match name {
                "root" => PermissionSet::all(),
                _ => PermissionSet::default(),
            },
            tenants: BTreeMap::from([(tenant.clone(), member)]),
            execution_id: None,
        };
        Ok(Identified {
            caller: Rc::new(caller),
            tenant: TenantHeader::Known(tenant),
        })
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
        let (who, tenant) = who.split_once('@').unwrap_or((who, "harbour"));
        let (method, url) = request.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut sent = Request::new(method, &format!("/api/v3.1{url}"))
            .header("caller", who)
            .header("tenant", tenant)
            .header("content-type", "application/json");
        if !body.is_null() {
            sent.body = body.to_string().into_bytes();
        }
        let family = Family::Conductor;
        let db = self.db.clone();
        let answer = app::handle::<Named, _>(&self.router, db, family, sent, "r1".into());
        let response = pollster::block_on(answer);
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status, status, "{request}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
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
