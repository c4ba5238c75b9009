//! The schema and all SQL, one file per table.
//!
//! Store functions say what they do to rows: `find`, `list`, `insert`, `save`, `delete`. Whatever
//! reads a tenant's data takes a scope, so a forgotten permission check does not compile.

pub mod audit;
pub mod config;
pub mod identity;
pub mod migrations;

pub use identity::Identity;
