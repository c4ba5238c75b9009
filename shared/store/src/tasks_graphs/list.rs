//! Tasks graphs as clients list and read them.

use crate::resource::fields::CREATED_AT;
use windlass_core::list::{COMMON, Field, Resource, concat};

static FIELDS: [Field; 10] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("name", "t.name"),
        Field::text("execution_id", "t.execution_id"),
        Field::text("state", "t.reported_state"),
        CREATED_AT,
    ],
    &COMMON,
);

/// Tasks graphs as the API shows them.
pub static TASKS_GRAPHS: Resource = Resource {
    name: "TasksGraph",
    table: "tasks_graphs t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[],
};
