//! Node instances as clients list and read them.

use crate::counts;
use crate::resource::fields::DEPLOYMENT_ID;
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

static FIELDS: [Field; 18] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("node_id", "t.node_id"),
        DEPLOYMENT_ID,
        Field::text("host_id", "t.host_id"),
        Field::integer("index", "t.\"index\""),
        Field::json("relationships", "t.relationships"),
        Field::json("scaling_groups", "t.scaling_groups"),
        Field::json("runtime_properties", "t.runtime_properties"),
        Field::json("system_properties", "t.system_properties"),
        Field::text("state", "t.state"),
        Field::integer("version", "t.version"),
        Field::boolean("is_status_check_ok", "coalesce(t.is_status_check_ok, 0)"),
        Field::boolean("has_configuration_drift", "t.has_configuration_drift"),
    ],
    &COMMON,
);

/// Node instances, as they are listed.
pub static NODE_INSTANCE: Resource = Resource {
    name: "NodeInstance",
    table: "node_instances t",
    fields: &FIELDS,
    search: Some(Search::indexed("t.id", "node_instances_search")),
    of_tenant: true,
    counts: &[&counts::NODE_INSTANCES],
};

/// The row of an instance's deployment: not shown, but asked for where functions are evaluated.
pub static DEPLOYMENT_KEY: Field = Field::integer("_deployment_key", "t.deployment_key");
