//! Executions as clients list and read them.
//!
//! Those of system workflows stay out of lists unless somebody asks for them, as in the original
//! API.

use crate::counts;
use crate::resource::fields::{CREATED_AT, DEPLOYMENT_DISPLAY_NAME, DEPLOYMENT_ID};
use windlass_core::list::{COMMON, Field, ListQuery, Resource, concat};

static FIELDS: [Field; 24] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("workflow_id", "t.workflow_id"),
        DEPLOYMENT_ID,
        DEPLOYMENT_DISPLAY_NAME,
        Field::text("blueprint_id", "t.blueprint_id"),
        Field::text("status", "t.status"),
        Field::text(
            "status_display",
            "case t.status when 'terminated' then 'completed' else t.status end",
        ),
        // Empty, not null, once it is over: that nothing went wrong is known then.
        Field::text(
            "error",
            "iif(t.status in ('terminated', 'failed', 'cancelled'), coalesce(t.error, ''), t.error)",
        ),
        Field::json("parameters", "t.parameters"),
        Field::boolean("is_system_workflow", "t.is_system_workflow"),
        Field::boolean("is_dry_run", "t.is_dry_run"),
        CREATED_AT,
        Field::text("started_at", "t.started_at"),
        Field::text("ended_at", "t.ended_at"),
        Field::text("scheduled_for", "t.scheduled_for"),
        Field::boolean("allow_custom_parameters", "t.allow_custom_parameters"),
        Field::boolean("resume", "t.resume"),
        Field::integer("total_operations", "t.total_operations"),
        Field::integer("finished_operations", "t.finished_operations"),
    ],
    &COMMON,
);

/// Executions as the API shows them.
pub static EXECUTIONS: Resource = Resource {
    name: "Execution",
    table: "executions t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::EXECUTIONS, &counts::EXECUTIONS_OF_WORKFLOW],
};

/// Leaves executions of system workflows out of a list.
pub fn without_system_workflows(query: &mut ListQuery) {
    query.and("t.is_system_workflow = 0", []);
}
