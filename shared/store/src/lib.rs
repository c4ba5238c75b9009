//! The schema and all SQL, one file per table.
//!
//! Store functions say what they do to rows: `find`, `list`, `insert`, `save`, `delete`. Whatever
//! reads a tenant's data takes a scope, so a forgotten permission check does not compile.

pub mod audit;
pub mod blobs;
pub mod blueprints;
pub mod config;
pub mod deployments;
pub mod events;
pub mod events_list;
pub mod executions;
pub mod executions_list;
pub mod identity;
pub mod labels;
pub mod ldap;
pub mod migrations;
pub mod node_instances;
pub mod node_instances_list;
pub mod nodes;
pub mod operations;
pub mod operations_list;
pub mod overview;
pub mod permissions;
pub mod queue;
pub mod status;
pub mod tasks_graphs;
pub mod tenants;
pub mod tokens;
pub mod user_groups;
pub mod users;

pub use identity::{Families, Identity};
