//! What a deployment shows. Every value is an expression of its own, and cheap: indexes, sums kept
//! by triggers, and nothing that grows with the number of node instances.

use windlass_core::list::{COMMON, Field, Resource, concat};

use crate::labels::LabelOwner;

/// Whether a deployment has `csys-obj-parent` labels pointing at it.
macro_rules! has_children {
    () => {
        "exists (select 1 from deployment_labels l cross join deployments c on c.key = l.deployment_key
             where l.key = 'csys-obj-parent' and l.value = t.id and c.tenant_name = t.tenant_name)"
    };
}

/// An expression over the deployments below this one, `sub`: all of them, or those up to a depth.
/// A deployment without children, as most are, costs one look into an index.
macro_rules! below {
    ($value:literal, $depth:literal, $is_environment:literal, $otherwise:literal) => {
        concat!(
            "case when ",
            has_children!(),
            " then (with recursive sub (k, id, status, depth) as (
                 select t.key, t.id, '', 0 union
                 select c.key, c.id, c.deployment_status, ",
            $depth,
            " from sub s
                 cross join deployment_labels l on l.key = 'csys-obj-parent' and l.value = s.id
                 cross join deployments c on c.key = l.deployment_key
                     and c.tenant_name = t.tenant_name
                 where s.depth = 0)
             select ",
            $value,
            " from sub where sub.k <> t.key and ",
            $is_environment,
            "exists (select 1 from deployment_labels e where e.deployment_key = sub.k
                 and e.key = 'csys-obj-type' and e.value = 'environment')) else ",
            $otherwise,
            " end"
        )
    };
}

/// The worst status below: the two kinds, to a depth of one (`1`) or any (`0`).
macro_rules! worst {
    ($depth:literal, $is_environment:literal) => {
        below!(
            "case max(case status when 'requires_attention' then 2 when 'in_progress' then 1 else 0 end)
                 when 2 then 'requires_attention' when 1 then 'in_progress' when 0 then 'good' end",
            $depth,
            $is_environment,
            "null"
        )
    };
}

static HEAD: [Field; 30] = [
    Field::text("id", "t.id"),
    Field::text("display_name", "t.display_name"),
    Field::text("blueprint_id", "t.blueprint_id"),
    Field::text("description", "t.description"),
    Field::json("inputs", "t.inputs"),
    Field::json("outputs", "t.outputs"),
    Field::json("capabilities", "t.capabilities"),
    Field::json("groups", "t.groups"),
    Field::json("policy_types", "t.policy_types"),
    Field::json("policy_triggers", "t.policy_triggers"),
    Field::json("scaling_groups", "t.scaling_groups"),
    Field::json("workflows", "t.workflows"),
    Field::json("labels", LabelOwner::Deployment.json_sql()),
    Field::text("site_name", "t.site_name"),
    Field::json("resource_tags", "t.resource_tags"),
    Field::text("permalink", "null"),
    Field::boolean("runtime_only_evaluation", "t.runtime_only_evaluation"),
    Field::text("created_at", "t.created_at"),
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
    // Groups of deployments have no table yet.
    Field::json("deployment_groups", "'[]'"),
    Field::boolean("has_sub_deployments", has_children!()),
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
    Field::text("sub_services_status", worst!("0", "not ")),
    Field::text("sub_environments_status", worst!("0", "")),
    Field::integer("sub_services_count", below!("count(*)", "0", "not ", "0")),
    Field::integer("sub_environments_count", below!("count(*)", "0", "", "0")),
];

static DIRECTLY_BELOW: [Field; 4] = [
    Field::text("sub_services_status", worst!("1", "not ")),
    Field::text("sub_environments_status", worst!("1", "")),
    Field::integer("sub_services_count", below!("count(*)", "1", "not ", "0")),
    Field::integer("sub_environments_count", below!("count(*)", "1", "", "0")),
];

static FIELDS: [Field; 42] = fields(&ALL_BELOW);
static SHALLOW_FIELDS: [Field; 42] = fields(&DIRECTLY_BELOW);

const fn fields(below: &[Field]) -> [Field; 42] {
    let head: [Field; 34] = concat(&HEAD, below);
    let own: [Field; 37] = concat(&head, &TAIL);
    concat(&own, &COMMON)
}

/// Deployments, as they are listed.
pub static DEPLOYMENT: Resource = Resource { fields: &FIELDS, ..TABLE };

/// The same, counting only what is directly below a deployment.
pub static DEPLOYMENT_SHALLOW: Resource = Resource { fields: &SHALLOW_FIELDS, ..TABLE };

const TABLE: Resource = Resource {
    name: "Deployment",
    table: "deployments t",
    fields: &[],
    search: Some("t.id"),
    of_tenant: true,
};
