//! Execution schedules as clients list and read them.

use crate::counts;
use crate::resource::fields::{CREATED_AT, DEPLOYMENT_DISPLAY_NAME, DEPLOYMENT_ID};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

static FIELDS: [Field; 21] = concat(
    &[
        Field::text("id", "t.id"),
        DEPLOYMENT_ID,
        DEPLOYMENT_DISPLAY_NAME,
        Field::text("workflow_id", "t.workflow_id"),
        Field::json("parameters", "t.parameters"),
        Field::json("execution_arguments", "t.execution_arguments"),
        Field::json("rule", "t.rule"),
        Field::integer("slip", "t.slip"),
        Field::boolean("stop_on_fail", "t.stop_on_fail"),
        Field::boolean("enabled", "t.enabled"),
        Field::text("since", "t.since"),
        Field::text("until", "t.until"),
        Field::text("next_occurrence", "t.next_occurrence"),
        // What they are computed from: nobody knows how many moments there are to be stored.
        Field::json(
            "all_next_occurrences",
            "json_object('rule', json(t.rule), 'since', t.since, 'until', t.until)",
        ),
        Field::text(
            "latest_execution_status",
            "(select e.status from executions e where e.key = t.latest_execution)",
        ),
        CREATED_AT,
    ],
    &COMMON,
);

/// Execution schedules as the API shows them, but that `all_next_occurrences` holds what its moments
/// are computed from.
pub static SCHEDULES: Resource = Resource {
    name: "ExecutionSchedule",
    table: "execution_schedules t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[&counts::EXECUTION_SCHEDULES],
};
