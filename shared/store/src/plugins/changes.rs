//! Another owner, other labels, a wider visibility.

use super::Plugin;
use crate::resource;
use serde_json::{Map, Value, json};
use windlass_core::db::{Tx, Value as SqlValue};
use windlass_core::{Permission, Result, Scope, Visibility};

/// What an update sets.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Another owner, who exists.
    pub created_by: Option<String>,
    /// Labels that blueprints get which import the plugin: `{"key": ["value"]}`.
    pub blueprint_labels: Option<Map<String, Value>>,
    /// Labels that their deployments get, in the same form.
    pub labels: Option<Map<String, Value>>,
    /// Tags of the resources that those create.
    pub resource_tags: Option<Map<String, Value>>,
}

/// Saves changes to a plugin.
pub async fn save(tx: &impl Tx, scope: &Scope, plugin: &Plugin, changes: &Changes) -> Result<()> {
    let mut columns: Vec<(&'static str, SqlValue)> = Vec::new();
    if let Some(name) = &changes.created_by {
        columns.push(("created_by", name.into()));
    }
    for (column, object) in [
        ("blueprint_labels", &changes.blueprint_labels),
        ("labels", &changes.labels),
        ("resource_tags", &changes.resource_tags),
    ] {
        if let Some(object) = object {
            columns.push((column, json!(object).to_string().into()));
        }
    }
    resource::save(tx, scope, plugin, None, &columns, Permission::PluginUpload).await
}

/// Lets more people see a plugin.
///
/// # Errors
/// 400 for narrowing, 403 and 409 for what may not become global.
pub async fn set_visibility(
    tx: &impl Tx,
    scope: &Scope,
    plugin: &Plugin,
    next: Visibility,
) -> Result<()> {
    let action = Permission::ResourceSetVisibility;
    resource::save(tx, scope, plugin, Some(next), &[], action).await
}
