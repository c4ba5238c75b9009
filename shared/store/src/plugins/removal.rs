//! Deleting a plugin, and what stands in the way of it.

use super::Plugin;
use crate::blueprints::State;
use crate::resource;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Permission, Result, Scope, Visibility, params};

/// The most blueprints that a refusal names.
const NAMED: i64 = 1000;

/// The uploaded blueprints whose plans want a package.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub struct Users {
    /// The ids of those that the caller sees.
    pub named: Vec<String>,
    /// How many there are besides.
    pub others: u64,
}

/// The uploaded blueprints whose plans want this package in this version. Of a global plugin those of any
/// tenant.
pub async fn blueprints_using(db: &impl Db, scope: &Scope, plugin: &Plugin) -> Result<Users> {
    let is_global = plugin.0.visibility == Visibility::Global;
    let sql = format!(
        "with used as materialized (
             select b.key, b.id, {} as is_seen from plugins p
                 join blueprint_plugins u on u.package_name = p.package_name
                     and u.package_version = p.package_version
                 join blueprints b on b.key = u.blueprint_key
             where p.key = ?4 and b.state = ?5 and (b.tenant_name = ?6 or ?7)),
         named as materialized (select id from used where is_seen order by key limit ?8)
         select json_object('named', (select json_group_array(id) from named),
             'others', (select count(*) from used) - (select count(*) from named))",
        Scope::visible("b")
    );
    let values = scope.with(params![
        plugin.0.key,
        State::Uploaded,
        &plugin.0.tenant_name,
        is_global,
        NAMED
    ]);
    let found = db.first_json(&sql, &values).await?;
    Ok(found.unwrap_or_default())
}

/// Deletes a plugin. Its blobs are nobody's then: their bytes stay for an hour, because somebody may be
/// downloading them.
pub async fn delete(tx: &impl Tx, scope: &Scope, plugin: &Plugin) -> Result<()> {
    resource::delete(tx, scope, plugin, Permission::PluginDelete).await
}
