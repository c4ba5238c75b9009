//! Tasks graphs and their operations as clients list and read them.

mod kept;

pub use kept::{
    Declared, Graph, NewOperation, Operation, declared_inputs, delete, find, find_graph, insert,
    insert_graph, owns_instance, set_inputs, set_state,
};

use windlass_core::list::{COMMON, Field, Resource, concat};

static GRAPH_FIELDS: [Field; 9] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("name", "t.name"),
        Field::text("execution_id", "t.execution_id"),
        Field::text("created_at", "t.created_at"),
    ],
    &COMMON,
);

/// Tasks graphs as the API shows them.
pub static TASKS_GRAPHS: Resource = Resource {
    name: "TasksGraph",
    table: "tasks_graphs t",
    fields: &GRAPH_FIELDS,
    search: None,
    of_tenant: true,
};

static OPERATION_FIELDS: [Field; 15] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("name", "t.name"),
        Field::text("state", "t.state"),
        Field::json("dependencies", "t.dependencies"),
        Field::text("type", "t.type"),
        Field::json("parameters", "t.parameters"),
        Field::text("manager_name", "t.manager_name"),
        Field::text("agent_name", "t.agent_name"),
        Field::text("tasks_graph_id", "t.tasks_graph_id"),
        Field::text("created_at", "t.created_at"),
    ],
    &COMMON,
);

/// Operations as the API shows them.
pub static OPERATIONS: Resource = Resource {
    name: "Operation",
    table: "operations t",
    fields: &OPERATION_FIELDS,
    search: None,
    of_tenant: true,
};

#[cfg(test)]
#[path = "operations_list/tests.rs"]
mod tests;
