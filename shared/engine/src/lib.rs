//! The engine: runs workflows on deployments.
//!
//! An execution becomes a graph of operations ([`graph`], built by [`workflows`]). What happens
//! next is decided by a pure function ([`mod@step`]); the [`driver`] carries it out in one transaction;
//! the [`mod@tick`] does the work that is queued. Handlers use [`start`] and [`control`] inside their own
//! transaction and nudge the scheduler after the commit. A crash at any point resumes.
mod calls;
pub mod components;
pub mod control;
pub mod dequeue;
pub mod dispatch;
pub mod driver;
mod ending;
mod environments;
pub mod execution_groups;
pub mod graph;
pub mod http_plugin;
pub mod lease_kinds;
pub mod leases;
pub mod plan;
mod plugins_updates;
pub mod schedules;
pub mod sent_operations;
pub mod shell_leases;
pub mod start;
pub mod step;
pub mod sweep;
pub mod texts;
pub mod tick;
pub mod workflow_leases;
pub mod workflows;

pub use dispatch::{Dispatch, Run};
pub use plugins_updates::{
    Copy as PluginsUpdateCopy, PluginsUpdateOptions, demand_none_active, start_plugins_update,
};
pub use start::{StartRequest, UpdateRequest, start, start_update};
pub use sweep::sweep;
pub use tick::{TickOptions, TickReport, tick};
