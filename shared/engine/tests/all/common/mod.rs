//! A deployment on native SQLite, a clock and a network that do what the test says.

pub mod busy;
pub mod dying;

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use windlass_core::db::{Db, NativeDb, Value as DbValue};
use windlass_core::outbound::{Clock, Outbound, OutboundRequest, OutboundResponse};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_engine::control::{self, Action};
use windlass_engine::{
    Dispatch, Run, StartRequest, TickOptions, TickReport, components, dequeue, dispatch,
};
use windlass_store::executions::Execution;
use windlass_store::queue::{Leased, Work};

/// The moment at which every test begins.
pub const BEGIN: i64 = 1_700_000_000_000;

/// The operations of a node without any implementation, and of its relationships.
const NOOPS: [&str; 12] = [
    "cloudify.interfaces.validation.create",
    "cloudify.interfaces.validation.delete",
    "cloudify.interfaces.lifecycle.precreate",
    "cloudify.interfaces.lifecycle.create",
    "cloudify.interfaces.lifecycle.configure",
    "cloudify.interfaces.lifecycle.start",
    "cloudify.interfaces.lifecycle.poststart",
    "cloudify.interfaces.lifecycle.prestop",
    "cloudify.interfaces.lifecycle.stop",
    "cloudify.interfaces.lifecycle.delete",
    "cloudify.interfaces.monitoring.start",
    "cloudify.interfaces.monitoring.stop",
];

pub fn operation(plugin: &str, function: &str, inputs: Value) -> Value {
    json!({
        "plugin": plugin, "operation": function, "inputs": inputs,
        "executor": if plugin.is_empty() { Value::Null } else { json!("central_deployment_agent") },
        "has_intrinsic_functions": false, "max_retries": null, "retry_interval": null,
        "timeout": null, "timeout_recoverable": null,
    })
}

/// A call of `https://api.example/<name>`.
pub fn http(name: &str) -> Value {
    operation(
        "windlass-http",
        name,
        json!({ "url": format!("https://api.example/{name}") }),
    )
}

/// That a node is contained in another one.
pub fn contained(target: &str) -> (&str, Value) {
    (target, json!({ "contained": true }))
}

fn kind_of(relationship: &Value) -> &'static str {
    match relationship["contained"] == true {
        true => "cloudify.relationships.contained_in",
        false => "cloudify.relationships.depends_on",
    }
}

/// The engine's own kinds of work, by the test's clock.
pub struct EngineOnly(pub FakeClock);

impl<D: Db> Dispatch<D> for EngineOnly {
    fn run<'a>(&'a self, db: &'a D, holder: &'a str, row: Leased) -> Run<'a> {
        match row.work {
            Work::Operation => Run::Call,
            Work::Execution => {
                Run::here(
                    async move { dispatch::drive_execution(db, holder, &row, self.0.now()).await },
                )
            }
            Work::ExecutionSchedule => Run::here(async move {
                windlass_engine::schedules::occur(db, holder, &row, self.0.now()).await
            }),
            Work::Dequeue => {
                Run::here(
                    async move { dequeue::start_queued(db, holder, &row, self.0.now()).await },
                )
            }
            Work::Component => {
                Run::here(async move { components::run(db, holder, &row, self.0.now()).await })
            }
            Work::OperationTimeout => {
                Run::here(
                    async move { dispatch::time_out_call(db, holder, &row, self.0.now()).await },
                )
            }
            other => Run::here(async move { Err(Error::internal(format!("nobody does {other}"))) }),
        }
    }

    async fn give_up(&self, db: &D, holder: &str, row: &Leased, why: &str) -> Result<()> {
        let now = self.0.now();
        match row.work {
            Work::Operation | Work::OperationTimeout | Work::Component => {
                dispatch::give_up_call(db, holder, row, why, now).await
            }
            Work::ExecutionSchedule => {
                windlass_engine::schedules::give_up(db, holder, row, now).await
            }
            _ => dispatch::give_up_execution(db, holder, row, why, now).await,
        }
    }
}

pub struct World {
    pub db: NativeDb,
    pub clock: FakeClock,
    pub net: Network,
    pub scope: Scope,
    pub options: TickOptions,
}

#[derive(Clone)]
pub struct FakeClock {
    pub now: Rc<Cell<i64>>,
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.get())
    }

    async fn sleep(&self, _millis: i64) {
        pending().await
    }
}

/// What the network does with a request.
#[derive(Clone)]
pub enum Answer {
    Status(u16, &'static str),
    Refused,
    /// Nothing ever comes.
    Silence,
}

type Script = Box<dyn Fn(&OutboundRequest, usize) -> Answer>;

#[derive(Clone)]
pub struct Network {
    pub requests: Rc<RefCell<Vec<OutboundRequest>>>,
    script: Rc<RefCell<Script>>,
}

impl Network {
    /// `script` gets the request, and how many there were to the same URL before.
    pub fn answers(&self, script: impl Fn(&OutboundRequest, usize) -> Answer + 'static) {
        *self.script.borrow_mut() = Box::new(script);
    }

    pub fn paths(&self) -> Vec<String> {
        let path = |url: &str| url.trim_start_matches("https://api.example/").to_owned();
        self.requests
            .borrow()
            .iter()
            .map(|request| path(&request.url))
            .collect()
    }
}

impl Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        let before = self
            .requests
            .borrow()
            .iter()
            .filter(|known| known.url == request.url)
            .count();
        let answer = (self.script.borrow())(&request, before);
        self.requests.borrow_mut().push(request);
        match answer {
            Answer::Status(status, body) => Ok(OutboundResponse {
                status,
                headers: Vec::new(),
                body: body.into(),
            }),
            Answer::Refused => Err("connection refused".into()),
            Answer::Silence => pending().await,
        }
    }
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

impl World {
    pub fn new() -> Self {
        let db = NativeDb::in_memory();
        let world = Self {
            db,
            clock: FakeClock {
                now: Rc::new(Cell::new(BEGIN)),
            },
            net: Network {
                requests: Rc::default(),
                script: Rc::new(RefCell::new(Box::new(|_, _| Answer::Status(200, "{}")))),
            },
            scope: Scope::system("ann", "harbour"),
            options: TickOptions::default(),
        };
        run(async {
            windlass_store::migrations::apply(&world.db).await.unwrap();
            for sql in [
                "insert into tenants (name, created_at) values ('harbour', '')",
                "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                     updated_at, state) values (1, 'bp', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
            ] {
                world.db.execute(sql, &[]).await.unwrap();
            }
        });
        world.deployment("d");
        world
    }

    pub fn sql(&self, sql: &str) {
        run(self.db.execute(sql, &[])).unwrap();
    }

    pub fn text(&self, sql: &str) -> String {
        match run(self.db.first(sql, &[]))
            .unwrap()
            .map(|row| row.0.into_iter().next())
        {
            Some(Some(DbValue::Text(text))) => text,
            Some(Some(other)) => format!("{other:?}"),
            _ => "no row".into(),
        }
    }

    pub fn deployment(&self, id: &str) {
        let mapping = |name: &str, mapping: &str, parameters: Value| {
            json!({
                "name": name, "plugin": "default_workflows", "availability_rules": null,
                "operation": format!("cloudify.plugins.workflows.{mapping}"),
                "parameters": parameters,
            })
        };
        let filters = json!({
            "type_names": { "default": [] }, "node_ids": { "default": [] },
            "node_instance_ids": { "default": [] }, "ignore_failure": { "default": false },
        });
        let mut uninstall = filters.clone();
        uninstall["recursive"] = json!({ "default": false });
        let mut checks = filters.clone();
        checks["run_by_dependency_order"] = json!({ "default": true });
        let mut rollback = filters.clone();
        rollback["full_rollback"] = json!({ "default": false });
        let mut install = mapping("install", "install", filters.clone());
        install["availability_rules"] = json!({ "node_instances_active": ["none", "partial"] });
        let workflows = json!([
            install,
            mapping("uninstall", "uninstall", uninstall),
            mapping("reinstall", "reinstall", filters.clone()),
            mapping(
                "restart",
                "restart",
                json!({ "run_by_dependency_order": { "default": true } })
            ),
            mapping("check_status", "check_status", checks.clone()),
            mapping("check_drift", "check_drift", checks),
            mapping("rollback", "rollback", rollback),
            mapping(
                "heal",
                "auto_heal_reinstall_node_subgraph",
                json!({
                    "node_instance_id": { "required": false },
                    "diagnose_value": { "default": "Not provided" },
                    "ignore_failure": { "default": true }, "check_status": { "default": true },
                    "allow_reinstall": { "default": true },
                    "force_reinstall": { "default": false },
                })
            ),
            mapping(
                "scale",
                "scale_entity",
                json!({
                    "scalable_entity_name": {}, "delta": { "default": 1 },
                    "scale_compute": { "default": false },
                    "include_instances": { "default": null },
                    "exclude_instances": { "default": null },
                    "ignore_failure": { "default": false },
                    "rollback_if_failed": { "default": true },
                    "abort_started": { "default": false },
                })
            ),
            mapping("validate_agents", "validate_agents", filters.clone()),
            mapping("install_new_agents", "install_new_agents", filters.clone()),
            mapping("mystery", "mystery", json!({})),
            mapping(
                "execute_operation",
                "execute_operation",
                json!({
                    "operation": {}, "operation_kwargs": { "default": {} },
                    "allow_kwargs_override": { "default": null },
                    "run_by_dependency_order": { "default": false },
                    "type_names": { "default": [] }, "node_ids": { "default": [] },
                    "node_instance_ids": { "default": [] },
                })
            ),
        ]);
        let workflows = self.part(&workflows);
        run(self.db.execute(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name, workflow_parts)
             values (?1, 'harbour', 'ann', 'tenant', '', '', 1, 'bp', ?1, json_array(?2, ?2, ?2, ?2, ?2))",
            params![id, workflows],
        ))
        .unwrap();
    }

    /// Gives the deployment `d` its scaling groups.
    pub fn groups(&self, groups: &Value) {
        let part = self.part(groups);
        self.sql(&format!(
            "update deployments set scaling_groups_part = {part} where id = 'd'"
        ));
    }

    /// The key of a text that rows have from their plan.
    fn part(&self, text: &Value) -> i64 {
        let sql = "insert into plan_parts (hash, text) values (?1, ?1)
                   on conflict do update set text = text returning key";
        let row = run(self.db.first(sql, params![text]));
        row.unwrap().unwrap().integer(0).unwrap()
    }

    /// Adds a node of the deployment `d` with one instance `<name>_1`. Relationships are pairs of
    /// target and operations (`source.establish` and so on).
    pub fn node(&self, name: &str, operations: Value, relationships: &[(&str, Value)]) {
        self.node_of("d", name, "cloudify.nodes.Root", operations, relationships);
    }

    pub fn node_of(
        &self,
        deployment: &str,
        name: &str,
        kind: &str,
        operations: Value,
        relationships: &[(&str, Value)],
    ) {
        let mut all = Map::new();
        for noop in NOOPS {
            all.insert(noop.into(), operation("", "", json!({})));
        }
        for (name, operation) in operations.as_object().unwrap() {
            let full = if name.contains('.') {
                format!("cloudify.interfaces.{name}")
            } else {
                format!("cloudify.interfaces.lifecycle.{name}")
            };
            all.insert(full, operation.clone());
            all.insert(name.clone(), operation.clone());
        }
        let side = |operations: &Value, side: &str| {
            let mut all = Map::new();
            for name in [
                "preconfigure",
                "postconfigure",
                "establish",
                "unlink",
                "check_drift",
            ] {
                let full = format!("cloudify.interfaces.relationship_lifecycle.{name}");
                let given = operations.get(format!("{side}.{name}"));
                all.insert(
                    full,
                    given
                        .cloned()
                        .unwrap_or_else(|| operation("", "", json!({}))),
                );
            }
            all
        };
        let of_node: Vec<Value> = relationships
            .iter()
            .map(|(target, operations)| {
                let kind = kind_of(operations);
                json!({
                    "type": kind, "target_id": target,
                    "type_hierarchy": ["cloudify.relationships.depends_on", kind],
                    "properties": { "connection_type": "all_to_all" },
                    "source_operations": side(operations, "source"),
                    "target_operations": side(operations, "target"),
                })
            })
            .collect();
        let of_instance: Vec<Value> = relationships
            .iter()
            .map(|(target, operations)| {
                json!({
                    "type": kind_of(operations), "target_name": target,
                    "target_id": format!("{target}_1"),
                })
            })
            .collect();
        let hierarchy = if kind == "cloudify.nodes.Root" {
            json!(["cloudify.nodes.Root"])
        } else {
            json!(["cloudify.nodes.Root", kind])
        };
        let hierarchy = self.part(&hierarchy);
        let operations = self.part(&Value::Object(all));
        let of_node = self.part(&Value::from(of_node));
        run(async {
            let key = "(select key from deployments where id = ?1)";
            self.db
                .execute(
                    &format!(
                        "insert into nodes (deployment_key, deployment_id, id, tenant_name,
                             created_by, visibility, type, type_hierarchy_part, properties,
                             operations_part, relationships_part, number_of_instances, planned_number_of_instances,
                             deploy_number_of_instances, min_number_of_instances,
                             max_number_of_instances)
                         values ({key}, ?1, ?2, 'harbour', 'ann', 'tenant', ?3, ?4, ?5, ?6, ?7,
                             1, 1, 1, 0, -1)"
                    ),
                    params![
                        deployment,
                        name,
                        kind,
                        hierarchy,
                        &json!({ "size": 7, "agent_config": { "install_method": "none" } }),
                        operations,
                        of_node
                    ],
                )
                .await
                .unwrap();
            self.db
                .execute(
                    &format!(
                        "insert into node_instances (deployment_key, deployment_id, id, node_id,
                             tenant_name, created_by, visibility, \"index\", relationships,
                             scaling_groups)
                         values ({key}, ?1, ?2 || '_1', ?2, 'harbour', 'ann', 'tenant', 1, ?3, '[]')"
                    ),
                    params![deployment, name, &Value::from(of_instance)],
                )
                .await
                .unwrap();
        });
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, millis: i64) {
        self.clock.now.set(self.clock.now.get() + millis);
    }

    pub fn try_start(&self, request: StartRequest) -> Result<Execution> {
        let now = self.now();
        run(self
            .db
            .transaction(async |db| windlass_engine::start(db, &self.scope, request, now).await))
    }

    pub fn start(&self, workflow: &str, parameters: Value) -> String {
        self.start_as(workflow, parameters, StartRequest::default())
    }

    /// A dry run of a workflow.
    pub fn start_dry(&self, workflow: &str, parameters: Value) -> String {
        let dry = StartRequest {
            dry_run: true,
            ..StartRequest::default()
        };
        self.start_as(workflow, parameters, dry)
    }

    fn start_as(&self, workflow: &str, parameters: Value, request: StartRequest) -> String {
        let Value::Object(parameters) = parameters else {
            panic!("parameters are a map")
        };
        let request = StartRequest {
            deployment_id: "d".into(),
            workflow_id: workflow.into(),
            parameters,
            force: true,
            ..request
        };
        self.try_start(request).unwrap().id
    }

    /// Says on which host an instance is.
    pub fn host(&self, instance: &str, host: &str) {
        self.sql(&format!(
            "update node_instances set host_id = '{host}' where id = '{instance}'"
        ));
    }

    /// What a caller asks of an execution.
    pub fn act(&self, action: Action, id: &str) -> Result<Execution> {
        let now = self.now();
        run(self
            .db
            .transaction(async |tx| control::act(tx, &self.scope, action, id, now).await))
    }

    /// One tick, as far as it comes without waiting; nothing when it waits for something: then it
    /// is dropped there, as if it had been killed.
    pub fn tick(&self) -> Option<TickReport> {
        let engine = EngineOnly(self.clock.clone());
        windlass_engine::tick(&self.db, &self.net, &self.clock, &engine, &self.options)
            .now_or_never()
            .map(|report| report.unwrap())
    }

    /// Ticks until the queue is empty, with time passing in between.
    pub fn work(&self) {
        for _ in 0..2000 {
            match self.tick() {
                Some(TickReport { next_due: None, .. }) => return,
                Some(TickReport {
                    next_due: Some(millis),
                    ..
                }) => self.pass(millis.max(1)),
                None => self.pass(self.options.lease_millis + 1),
            }
        }
        panic!(
            "the queue does not become empty: {}",
            self.text("select kind || subject from queue")
        );
    }

    /// Ticks until a call is under way, then kills the tick.
    pub fn until_under_way(&self) {
        self.net.answers(|_, _| Answer::Silence);
        assert!(self.tick().is_none(), "the call is under way");
        self.net.answers(|_, _| Answer::Status(200, "{}"));
    }

    pub fn status(&self, id: &str) -> String {
        self.text(&format!("select status from executions where id = '{id}'"))
    }

    pub fn states(&self) -> Vec<String> {
        let sql = "select id || ' ' || state from node_instances order by key";
        let rows = run(self.db.query(sql, &[])).unwrap();
        rows.iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect()
    }

    /// The events of an execution in the order that clients see, each with its node.
    pub fn events(&self, id: &str) -> Vec<String> {
        let sql = "select case when node_name is null then message
                       else node_name || ': ' || message end
                   from whole_events where execution_id = ?1 order by timestamp, storage_id";
        let rows = run(self.db.query(sql, params![id])).unwrap();
        rows.iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect()
    }

    /// The same without the frame that every execution and subgraph has.
    pub fn inner_events(&self, id: &str) -> Vec<String> {
        let events = self.events(id).into_iter();
        let frame =
            |text: &String| text.contains("workflow execution") || text.contains("Subgraph ");
        events.filter(|text| !frame(text)).collect()
    }
}
