//! What a deployment shows. Every value is an expression of its own, and cheap: columns, indexes, sums
//! kept by triggers, and nothing in a list that grows with the instances or children.

use crate::counts;
use crate::resource::fields::CREATED_AT;
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

use crate::labels::LabelOwner;
use crate::plan_parts::{WORKFLOWS, object_part_sql, part_sql};

/// The children of the deployment `t`, as a `from` clause with alias `c`.
macro_rules! children {
    () => {
        "from deployment_labels l cross join deployments c on c.key = l.deployment_key
             where l.key = 'csys-obj-parent' and l.value = t.id and c.tenant_name = t.tenant_name"
    };
}

/// An expression over those children of `t` that are environments (`""`) or services (`"not "`).
macro_rules! children_that_are {
    ($is_environment:literal, $value:literal) => {
        concat!(
            "(select ",
            $value,
            " ",
            children!(),
            " and ",
            $is_environment,
            "exists (select 1 from deployment_labels e where e.deployment_key = c.key
                 and e.key = 'csys-obj-type' and e.value = 'environment'))"
        )
    };
}

/// The worst status of those children.
macro_rules! worst {
    ($is_environment:literal) => {
        children_that_are!(
            $is_environment,
            "case max(case c.deployment_status when 'requires_attention' then 2
                 when 'in_progress' then 1 else 0 end)
             when 2 then 'requires_attention' when 1 then 'in_progress' when 0 then 'good' end"
        )
    };
}

static HEAD: [Field; 30] = [
    Field::text("id", "t.id"),
    Field::text("display_name", "t.display_name"),
    Field::text("blueprint_id", "t.blueprint_id"),
    Field::text("description", part_sql!("t", "description")),
    Field::json("inputs", "t.inputs"),
    Field::json("outputs", object_part_sql!("t", "outputs")),
    Field::json("capabilities", object_part_sql!("t", "capabilities")),
    Field::json("groups", object_part_sql!("t", "groups")),
    Field::json("policy_types", object_part_sql!("t", "policy_types")),
    Field::json("policy_triggers", object_part_sql!("t", "policy_triggers")),
    Field::json("scaling_groups", object_part_sql!("t", "scaling_groups")),
    Field::json("workflows", WORKFLOWS),
    Field::json("labels", LabelOwner::Deployment.json_sql()),
    Field::text("site_name", "t.site_name"),
    Field::json("resource_tags", part_sql!("t", "resource_tags")),
    Field::text("permalink", "null"),
    Field::boolean("runtime_only_evaluation", "t.runtime_only_evaluation"),
    CREATED_AT,
    Field::text("updated_at", "t.updated_at"),
    Field::text("create_execution", "t.create_execution"),
    Field::text("latest_execution", "t.latest_execution"),
    Field::text(
        "latest_execution_status",
        "(select case e.status when 'terminated' then 'completed' when 'failed' then 'failed'
             when 'cancelled' then 'cancelled' when 'scheduled' then null else 'in_progress' end
         from executions e where e.id = t.latest_execution)",
    ),
    Field::integer(
        "latest_execution_total_operations",
        "coalesce((select e.total_operations from executions e where e.id = t.latest_execution), 0)",
    ),
    Field::integer(
        "latest_execution_finished_operations",
        "coalesce((select e.finished_operations from executions e where e.id = t.latest_execution), 0)",
    ),
    Field::text(
        "latest_execution_workflow_id",
        "(select e.workflow_id from executions e where e.id = t.latest_execution)",
    ),
    Field::text("installation_status", "t.installation_status"),
    Field::text("deployment_status", "t.deployment_status"),
    Field::text(
        "environment_type",
        "coalesce((select l.value from deployment_labels l
             where l.deployment_key = t.key and l.key = 'csys-env-type'), '')",
    ),
    // Private groups of others are not told.
    Field::json(
        "deployment_groups",
        "(select json_group_array(id) from (select g.id from deployment_group_members m
             cross join deployment_groups g on g.key = m.group_key
             where m.deployment_key = t.key
                 and (g.visibility <> 'private' or g.created_by = ?2 or ?3)
                 and (g.visibility = 'global' or g.tenant_name = ?1 or ?1 = '*'
                     or ?1 = '' and t.visibility <> 'global')
             order by g.key))",
    ),
    Field::boolean(
        "has_sub_deployments",
        concat!("exists (select 1 ", children!(), ")"),
    ),
];

static TAIL: [Field; 3] = [
    Field::integer(
        "drifted_instances",
        "coalesce((select n.drifted from instance_counts n where n.deployment_key = t.key), 0)",
    ),
    Field::integer(
        "unavailable_instances",
        "coalesce((select n.unavailable from instance_counts n where n.deployment_key = t.key), 0)",
    ),
    // Only deployments that another manager hands over have one.
    Field::text("workdir_zip", "null"),
];

static ALL_BELOW: [Field; 4] = [
    Field::text("sub_services_status", "t.sub_services_status"),
    Field::text("sub_environments_status", "t.sub_environments_status"),
    Field::integer("sub_services_count", "t.sub_services_count"),
    Field::integer("sub_environments_count", "t.sub_environments_count"),
];

static DIRECTLY_BELOW: [Field; 4] = [
    Field::text("sub_services_status", worst!("not ")),
    Field::text("sub_environments_status", worst!("")),
    Field::integer("sub_services_count", children_that_are!("not ", "count(*)")),
    Field::integer("sub_environments_count", children_that_are!("", "count(*)")),
];

static FIELDS: [Field; 42] = fields(&ALL_BELOW);
static SHALLOW_FIELDS: [Field; 42] = fields(&DIRECTLY_BELOW);

const fn fields(below: &[Field]) -> [Field; 42] {
    let head: [Field; 34] = concat(&HEAD, below);
    let own: [Field; 37] = concat(&head, &TAIL);
    concat(&own, &COMMON)
}

/// Deployments, as they are listed.
pub static DEPLOYMENT: Resource = Resource {
    fields: &FIELDS,
    ..TABLE
};

/// The same, counting only what is directly below a deployment.
pub static DEPLOYMENT_SHALLOW: Resource = Resource {
    fields: &SHALLOW_FIELDS,
    ..TABLE
};

const TABLE: Resource = Resource {
    name: "Deployment",
    table: "deployments t",
    fields: &[],
    search: Some(Search::indexed("t.id", "deployments_search")),
    of_tenant: true,
    counts: &[&counts::DEPLOYMENTS, &counts::DEPLOYMENTS_OF_BLUEPRINT],
};
