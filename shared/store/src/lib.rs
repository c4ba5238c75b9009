//! The schema, and the SQL of what all domains share: one table, one file or folder.
//!
//! Store functions say what they do to rows: `find`, `list`, `insert`, `save`, `delete`. Whatever
//! reads a tenant's data takes a scope, so a forgotten permission check does not compile.

pub mod agents;
pub mod audit;
pub mod blobs;
pub mod blueprints;
pub mod brokers;
pub mod component_waits;
pub mod config;
pub mod counts;
pub mod deployment_groups;
pub mod deployment_modifications;
pub mod deployment_updates;
pub mod deployments;
pub mod events;
pub mod execution_groups;
pub mod execution_schedules;
pub mod executions;
pub mod filters;
pub mod inspection;
pub mod inter_deployment_dependencies;
pub mod labels;
pub mod license;
pub mod log_bundles;
pub mod maintenance;
pub mod managers;
pub mod metrics;
pub mod migrations;
pub mod node_instances;
pub mod nodes;
pub mod operation_leases;
pub mod operations;
pub mod overview;
pub mod permissions;
pub mod pieces;
mod plan_parts;
pub mod plugins;
pub mod plugins_updates;
pub mod provider_context;
pub mod queue;
pub mod quotas;
pub mod resource;
pub mod retention;
pub mod sealed;
pub mod search;
pub mod searches;
pub mod secrets;
pub mod secrets_providers;
pub mod sent_operations;
pub mod shell_steps;
pub mod sites;
pub mod tasks_graphs;
pub mod tenants;
pub mod user_groups;
pub mod users;
pub mod workflow_leases;

/// Rows on their way into a statement, which reads them by name with `json_each`.
pub(crate) fn json_text(rows: &(impl serde::Serialize + ?Sized)) -> windlass_core::Result<String> {
    serde_json::to_string(rows).map_err(windlass_core::Error::internal)
}

/// A database as an installation has it after its first use.
#[cfg(test)]
pub(crate) async fn fresh_database() -> windlass_core::db::NativeDb {
    use windlass_core::db::Db as _;
    let db = windlass_core::db::NativeDb::in_memory();
    migrations::apply(&db).await.unwrap();
    db.transaction(async |tx| users::insert_first_administrator(tx, "-").await)
        .await
        .unwrap();
    db
}
