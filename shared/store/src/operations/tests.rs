use super::*;
use crate::deployments::Owner;
use crate::executions::tests::{database, scope};
use crate::executions::{self, Execution, Status};
use crate::node_instances::owns_instance;
use crate::tasks_graphs::{self, CLIENTS, NewTasksGraph, TASKS_GRAPHS, TasksGraph};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, NativeDb, NativeTransaction};
use windlass_core::http::Method;
use windlass_core::list::{self, ListQuery};
use windlass_core::{Kind, Request, Timestamp, params};

/// Writes that have to succeed, in a transaction of their own.
async fn write<T>(
    db: &NativeDb,
    work: impl AsyncFnOnce(&NativeTransaction) -> windlass_core::Result<T>,
) -> T {
    db.transaction(work).await.unwrap()
}

fn new_graph(id: &str) -> NewTasksGraph<'_> {
    NewTasksGraph {
        id,
        name: "install",
        state: CLIENTS,
        created_at: Timestamp::now(),
    }
}

fn crane() -> Owner {
    Owner {
        key: 5,
        id: "crane".into(),
        tenant_name: "harbour".into(),
        created_by: String::new(),
        visibility: Default::default(),
    }
}

async fn execution(db: &NativeDb, id: &str) -> Execution {
    let execution = Execution {
        id: id.into(),
        tenant_name: "harbour".into(),
        created_by: "ann".into(),
        created_at: Timestamp::now(),
        workflow_id: "install".into(),
        status: Status::Started,
        ..Execution::default()
    };
    write(db, async |tx| executions::insert(tx, &execution).await).await;
    executions::find(db, &scope("ann", "harbour"), id)
        .await
        .unwrap()
}

fn operation(id: &str, kind: &str, state: &str) -> NewOperation {
    NewOperation {
        id: id.into(),
        name: format!("task {id}"),
        kind: kind.into(),
        state: state.into(),
        dependencies: vec!["before".into()],
        parameters: json!({ "containing_subgraph": "sub", "n": 1.5 })
            .as_object()
            .unwrap()
            .clone(),
        created_at: Timestamp::now(),
    }
}

async fn progress(db: &NativeDb, id: &str) -> (i64, i64) {
    let found = executions::find(db, &scope("ann", "harbour"), id)
        .await
        .unwrap();
    (found.total_operations, found.finished_operations)
}

/// An execution with a graph of four operations, one of which does nothing.
async fn kept() -> (NativeDb, Execution, TasksGraph) {
    let db = database().await;
    let execution = execution(&db, "e1").await;
    let operations = [
        operation("o1", "RemoteWorkflowTask", "pending"),
        operation("o2", "SubgraphTask", "rescheduled"),
        operation("o3", "NOPLocalWorkflowTask", "succeeded"),
        operation("o4", "LocalWorkflowTask", "sent"),
    ];
    let ann = scope("ann", "harbour");
    write(&db, async |tx| {
        tasks_graphs::create(tx, &ann, &execution, &new_graph("g1"), &operations).await
    })
    .await;
    let graph = tasks_graphs::find(&db, &ann, "g1").await.unwrap();
    (db, execution, graph)
}

#[test]
fn progress_counts_what_does_something() {
    pollster::block_on(async {
        let (db, _, _) = kept().await;
        let ann = scope("ann", "harbour");
        assert_eq!(progress(&db, "e1").await, (3, 1));
        for (id, state, want) in [
            ("o1", "sending", (3, 1)),
            ("o1", "succeeded", (3, 2)),
            ("o1", "failed", (3, 2)),
            ("o3", "failed", (3, 2)),
            ("o2", "pending", (3, 2)),
        ] {
            let found = find(&db, &ann, id).await.unwrap();
            let state_report = StateReport {
                state,
                manager_name: Some("m"),
                agent_name: None,
            };
            write(&db, async |tx| {
                set_state(tx, &ann, &found, &state_report).await
            })
            .await;
            assert_eq!(progress(&db, "e1").await, want, "{id} {state}");
        }
        for (id, want) in [("o1", (2, 1)), ("o3", (2, 1)), ("o4", (1, 1))] {
            let found = find(&db, &ann, id).await.unwrap();
            write(&db, async |tx| delete(tx, &ann, &found).await).await;
            assert_eq!(progress(&db, "e1").await, want, "{id}");
            assert_eq!(
                find(&db, &ann, id).await.unwrap_err().kind(),
                Kind::NotFound
            );
        }
    });
}

#[test]
fn an_id_is_taken_once() {
    pollster::block_on(async {
        let (db, execution, graph) = kept().await;
        let again = db
            .transaction(async |tx| tasks_graphs::insert(tx, &execution, &new_graph("g1")).await)
            .await;
        assert_eq!(again.unwrap_err().kind(), Kind::Conflict);
        let again = operation("o4", "x", "pending");
        let ann = scope("ann", "harbour");
        let again = db
            .transaction(async |tx| create(tx, &ann, &execution, &graph, &again).await)
            .await;
        assert_eq!(
            again.unwrap_err().message(),
            "The operation with ID `o4` already exists"
        );
    });
}

#[test]
fn an_operation_looks_as_clients_expect() {
    pollster::block_on(async {
        let (db, execution, graph) = kept().await;
        let request = Request::new(Method::GET, "/operations?_size=1");
        let mut query = ListQuery::parse(&OPERATIONS, &request, &[]).unwrap();
        query.and("t.tasks_graph_key = {}", [graph.key.into()]);
        let statement = OPERATIONS.page_statement(&scope("ann", "harbour"), &query);
        let plan = db
            .plan(&statement.sql, &statement.parameters)
            .await
            .unwrap()
            .join("\n");
        assert!(
            plan.contains("operations_by_graph") && !plan.contains("TEMP B-TREE FOR ORDER BY"),
            "{plan}"
        );
        let page = list::page(&db, &statement).await.unwrap();
        assert_eq!(page.total, Some(4));
        let mut items: Vec<Value> = page.parse().unwrap();
        let created_at = items[0]["created_at"].take();
        assert!(created_at.is_string());
        assert_eq!(
            items[0],
            json!({
                "id": "o1", "name": "task o1", "state": "pending", "dependencies": ["before"],
                "type": "RemoteWorkflowTask",
                "parameters": { "containing_subgraph": "sub", "n": 1.5 },
                "manager_name": null, "agent_name": null, "tasks_graph_id": "g1",
                "created_at": null, "created_by": "ann", "tenant_name": "harbour",
                "visibility": "tenant", "private_resource": false,
                "resource_availability": "tenant",
            })
        );

        let mut query = ListQuery::everything();
        query.and("t.execution_key = {}", [execution.key.into()]);
        for resource in [&OPERATIONS, &TASKS_GRAPHS] {
            let statement = resource.page_statement(&scope("ann", "harbour"), &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains("_by_execution"), "{plan}");
            let strangers = resource.page_statement(&scope("quentin", "quay"), &query);
            assert_eq!(list::page(&db, &strangers).await.unwrap().total, Some(0));
        }
    });
}

#[test]
fn what_belongs_to_another_tenant_is_not_found() {
    pollster::block_on(async {
        let (db, _, _) = kept().await;
        let stranger = scope("quentin", "quay");
        assert_eq!(
            find(&db, &stranger, "o1").await.unwrap_err().kind(),
            Kind::NotFound
        );
        assert_eq!(
            tasks_graphs::find(&db, &stranger, "g1")
                .await
                .unwrap_err()
                .kind(),
            Kind::NotFound
        );
        let graph = tasks_graphs::find(&db, &scope("bob", "harbour"), "g1")
            .await
            .unwrap();
        assert_eq!(graph.execution_id, "e1");
    });
}

#[test]
fn new_inputs_reach_what_a_resume_would_run_again() {
    pollster::block_on(async {
        let (db, _, _) = kept().await;
        let parameters = json!({ "task_kwargs": { "kwargs": {
            "__cloudify_context": { "node_name": "motor", "operation": { "name": "x.create" } },
            "port": { "old": 1 }, "kept": true,
        } } });
        db.execute(
            "update operations set state = 'failed', parameters = ?1 where id in ('o1', 'o4')",
            params![&parameters],
        )
        .await
        .unwrap();
        db.execute(
            "update operations set state = 'succeeded' where id = 'o4'",
            &[],
        )
        .await
        .unwrap();
        db.execute(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state) values (1, 'b', 'harbour', '', '', '', '', 'uploaded')",
            &[],
        )
        .await
        .unwrap();
        db.execute(
            "insert into deployments (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name)
             values (5, 'crane', 'harbour', '', '', '', '', 1, 'b', 'crane')",
            &[],
        )
        .await
        .unwrap();
        db.execute(
            "update executions set deployment_key = 5, status = 'failed'",
            &[],
        )
        .await
        .unwrap();
        let execution = executions::find(&db, &scope("ann", "harbour"), "e1")
            .await
            .unwrap();
        db.execute(
            "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
                 created_by, visibility, \"index\", relationships, scaling_groups)
             values (5, 'crane', 'motor_abc123', 'motor', 'harbour', '', '', 1, '[]', '[]')",
            &[],
        )
        .await
        .unwrap();
        for (id, own) in [("motor_abc123", true), ("sail_abc123", false)] {
            assert_eq!(
                owns_instance(&db, &execution, id).await.unwrap(),
                own,
                "{id}"
            );
        }
        let inputs: Map<String, Value> =
            json!({ "port": { "new": 2 } }).as_object().unwrap().clone();
        for (node, name, want) in [
            ("motor", "x.create", 1),
            ("motor", "x.start", 0),
            ("hull", "x.create", 0),
        ] {
            let declared = DeclaredInputs {
                node_id: node.into(),
                operation: name.into(),
                inputs: inputs.clone(),
            };
            let ann = scope("ann", "harbour");
            let count = write(&db, async |tx| {
                set_inputs(tx, &ann, &crane(), &declared).await
            })
            .await;
            assert_eq!(count, want, "{node} {name}");
        }
        let found = find(&db, &scope("ann", "harbour"), "o1").await.unwrap();
        assert_eq!(
            Value::Object(found.parameters)["task_kwargs"]["kwargs"],
            json!({
                "__cloudify_context": {
                    "node_name": "motor", "operation": { "name": "x.create" },
                    "has_intrinsic_functions": true,
                },
                "port": { "new": 2 }, "kept": true,
            })
        );
    });
}

#[test]
fn declared_inputs_are_those_of_the_node_that_runs_the_operation() {
    pollster::block_on(async {
        let db = database().await;
        for sql in [
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state) values (1, 'b', 'harbour', '', '', '', '', 'uploaded')",
            "insert into deployments (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name)
             values (5, 'crane', 'harbour', '', '', '', '', 1, 'b', 'crane')",
            r#"insert into plan_parts (key, hash, text) values
                 (1, 'operations', '{"x.create": {"inputs": {"a": 1}}}'),
                 (2, 'relationships', '[{"target_id": "hull",
                    "source_operations": {"r.link": {"inputs": {"b": 2}}},
                    "target_operations": {"r.link": {"inputs": {"c": 3}}}}]')"#,
            r#"insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by,
                 visibility, type, properties, operations_part, relationships_part,
                 number_of_instances, planned_number_of_instances, deploy_number_of_instances,
                 min_number_of_instances, max_number_of_instances)
             values (5, 'crane', 'motor', 'harbour', '', '', 't', '{}', 1, 2, 1, 1, 1, 1, 1)"#,
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        for (operation, relationship, node, inputs) in [
            ("x.create", None, "motor", json!({ "a": 1 })),
            ("x.start", None, "motor", json!({})),
            (
                "r.link",
                Some((0, "source_operations")),
                "motor",
                json!({ "b": 2 }),
            ),
            (
                "r.link",
                Some((0, "target_operations")),
                "hull",
                json!({ "c": 3 }),
            ),
            ("r.link", Some((7, "target_operations")), "motor", json!({})),
        ] {
            let declared = Declared {
                node_id: "motor",
                operation,
                relationship,
            };
            let found = declared_inputs(&db, &crane(), &declared).await.unwrap();
            assert_eq!(
                (found.node_id.as_str(), Value::Object(found.inputs)),
                (node, inputs),
                "{operation}"
            );
        }
        let unknown = Declared {
            node_id: "sail",
            operation: "x",
            relationship: None,
        };
        assert_eq!(
            declared_inputs(&db, &crane(), &unknown)
                .await
                .unwrap_err()
                .kind(),
            Kind::NotFound
        );
    });
}
