//! Modifications as clients list and read them.

use crate::counts;
use crate::resource::fields::{CREATED_AT, DEPLOYMENT_DISPLAY_NAME, DEPLOYMENT_ID};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

/// What stands in an answer where a modification's instances belong, before its key and a quote. JSON
/// that anything else wrote has no such escapes.
pub const PLACE: &str = "\"\\/instances\\/";

static FIELDS: [Field; 14] = concat(
    &[
        Field::text("id", "t.id"),
        DEPLOYMENT_ID,
        DEPLOYMENT_DISPLAY_NAME,
        Field::text("status", "t.status"),
        Field::json("modified_nodes", "t.modified_nodes"),
        Field::json("node_instances", r#"'"\/instances\/' || t.key || '"'"#),
        Field::json("context", "t.context"),
        CREATED_AT,
        Field::text("ended_at", "t.ended_at"),
    ],
    &COMMON,
);

/// Modifications, as they are listed.
pub static DEPLOYMENT_MODIFICATION: Resource = Resource {
    name: "DeploymentModification",
    table: "deployment_modifications t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[&counts::DEPLOYMENT_MODIFICATIONS],
};
