//! Plugins: packages of code that run operations, each with YAML files that blueprints import.
//!
//! The package, a wagon, and its files are blobs; a row has what the wagon says about itself. Nothing is
//! installed by an upload: managers and agents report how far they are, see [`installation`].

mod changes;
mod imports;
pub mod installation;
mod removal;
mod row;
mod upload;

pub use changes::{Changes, save, set_visibility};
pub use imports::{Offer, Package, file_text, first_missing, offers};
pub use removal::{Users, blueprints_using, delete};
pub use row::{Plugin, StoredFile, Wagon, files, wagon};
pub use upload::{About, NewPlugin, demand_free, insert};

use crate::counts;
use crate::executions::Status;
use windlass_core::db::Db;
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Kind, Result};

/// What blueprints write to import a plugin's file; empty for one that has none.
const IMPORT: &str =
    "coalesce((select 'plugin:' || t.package_name || '?version=' || t.package_version
     || coalesce('&distribution=' || t.distribution, '')
     where exists (select 1 from plugin_files f
         where f.plugin_key = t.key and f.name like '%.y%ml')), '')";

const YAML_FILES: &str = "(select json_group_array('/resources/plugins/' || t.id || '/' || name)
     from (select f.name from plugin_files f
         where f.plugin_key = t.key and f.name like '%.y%ml' order by f.number))";

const STATES: &str = "(select json_group_array(json_object('state', s.state, 'error', s.error,
         'manager', nullif(s.manager, ''), 'agent', nullif(s.agent, '')))
     from plugin_states s where s.plugin_key = t.key)";

static FIELDS: [Field; 25] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("title", "t.title"),
        Field::text("package_name", "t.package_name"),
        Field::text("package_version", "t.package_version"),
        Field::text("package_source", "t.package_source"),
        Field::text("archive_name", "t.archive_name"),
        Field::text("distribution", "t.distribution"),
        Field::text("distribution_version", "t.distribution_version"),
        Field::text("distribution_release", "t.distribution_release"),
        Field::text("supported_platform", "t.supported_platform"),
        Field::json("supported_py_versions", "t.supported_py_versions"),
        Field::json("wheels", "t.wheels"),
        Field::json("excluded_wheels", "t.excluded_wheels"),
        Field::json("blueprint_labels", "t.blueprint_labels"),
        Field::json("labels", "t.labels"),
        Field::json("resource_tags", "t.resource_tags"),
        Field::text("uploaded_at", "t.created_at"),
        Field::json("installation_state", STATES),
        Field::text("yaml_url_path", IMPORT),
        Field::json("yaml_files_paths", YAML_FILES),
    ],
    &COMMON,
);

/// Plugins as the API shows them.
pub static PLUGINS: Resource = Resource {
    name: "Plugin",
    table: "plugins t",
    fields: &FIELDS,
    search: Some(Search::scan("t.package_name")),
    of_tenant: true,
    counts: &[&counts::PLUGINS],
};

/// Demands that no snapshot is being made or waits to be made: what is stored in between would be in
/// one half of it only.
///
/// # Errors
/// 400 `existing_running_execution_error`, with the snapshot's execution.
pub async fn demand_no_snapshot(db: &impl Db) -> Result<()> {
    let Some(row) = db.first(&snapshot_under_way(), &[]).await? else {
        return Ok(());
    };
    Err(Error::new(
        Kind::ExistingRunningExecution,
        format!(
            "You cannot start an execution that modifies DB state while a `create_snapshot` workflow \
             is running or queued (execution id: {})",
            row.text(0)?
        ),
    ))
}

/// Few executions are active, so they are looked at by their status.
fn snapshot_under_way() -> String {
    format!(
        "select id from executions where status in {} and workflow_id = 'create_snapshot' limit 1",
        Status::sql_list(Status::is_in_progress)
    )
}

#[cfg(test)]
mod tests;
