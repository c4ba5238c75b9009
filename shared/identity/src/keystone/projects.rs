//! Projects, which are tenants, as Keystone shows them.

use super::{Part, Selection, Window, number};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Permission, Result, Scope, params};
use windlass_store::tenants;

/// A row as JSON.
const ITEM: &str = "json_object('id', t.name, 'name', t.name, 'domain_id', 'default',
    'parent_id', 'default', 'is_domain', json('false'), 'enabled', json('true'),
    'description', '', 'tags', json('[]'), 'options', json('{}'))";

/// The project of an id, if the caller works in all or is in it.
pub async fn project(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Value>> {
    let caller = scope.caller()?;
    if !caller.holds(Permission::AllTenants) && !caller.tenants.contains_key(id) {
        return Ok(None);
    }
    let sql = format!("select {ITEM} from tenants t where t.name = ?1");
    db.first_json(&sql, params![id]).await
}

/// A part of the projects that the caller may see: all of them for who works in all, else those they
/// are in.
pub async fn projects(
    db: &impl Db,
    scope: &Scope,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    let caller = scope.caller()?;
    let mut selection = Selection::new(ITEM, "tenants t", "1");
    if !caller.holds(Permission::AllTenants) {
        selection.and(&tenants::of_user(), caller.user_id);
    }
    page(db, selection, name, window).await
}

/// A part of the projects that a user is in.
pub async fn projects_of(
    db: &impl Db,
    _scope: &Scope,
    user: &str,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    let mut selection = Selection::new(ITEM, "tenants t", "1");
    selection.and(&tenants::of_user(), number(user));
    page(db, selection, name, window).await
}

async fn page(
    db: &impl Db,
    mut selection: Selection,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    if let Some(name) = name {
        selection.and("t.name = {}", name);
    }
    if let Some(marker) = window.marker {
        selection.and("t.name > {}", marker);
    }
    selection.part(db, "t.name", window).await
}
