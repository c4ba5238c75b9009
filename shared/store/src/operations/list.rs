//! Operations as clients list and read them.

use crate::resource::fields::CREATED_AT;
use windlass_core::list::{COMMON, Field, Resource, concat};

static FIELDS: [Field; 15] = concat(
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
        CREATED_AT,
    ],
    &COMMON,
);

/// Operations as the API shows them.
pub static OPERATIONS: Resource = Resource {
    name: "Operation",
    table: "operations t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[],
};
