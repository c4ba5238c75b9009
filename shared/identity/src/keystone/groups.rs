//! Groups of users as Keystone shows them.

use super::{Part, Selection, Window, number};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, params};

/// A row as JSON.
const ITEM: &str = "json_object('id', cast(g.id as text), 'name', g.name, 'domain_id', 'default',
    'description', coalesce(g.ldap_dn, ''))";

/// The group of an id.
pub async fn group(db: &impl Db, _scope: &Scope, id: &str) -> Result<Option<Value>> {
    let Some(number) = number(id) else {
        return Ok(None);
    };
    let sql = format!("select {ITEM} from user_groups g where g.id = ?1");
    db.first_json(&sql, params![number]).await
}

/// A part of all groups, or those of a name, in any case of its letters.
pub async fn groups(
    db: &impl Db,
    _scope: &Scope,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    let selection = Selection::new(ITEM, "user_groups g", "1");
    page(db, selection, "g.id", name, window).await
}

/// A part of the groups that a user is in.
pub async fn groups_of(
    db: &impl Db,
    _scope: &Scope,
    user: &str,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    let from = "group_users m join user_groups g on g.id = m.group_id";
    let mut selection = Selection::new(ITEM, from, "1");
    selection.and("m.user_id = {}", number(user));
    page(db, selection, "m.group_id", name, window).await
}

/// A part in the order of a column that holds the groups' numbers, so that an index gives it.
async fn page(
    db: &impl Db,
    mut selection: Selection,
    column: &str,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    if let Some(name) = name {
        selection.and("g.name = {}", name);
    }
    if let Some(marker) = window.marker {
        let marker = number(marker).unwrap_or(i64::MAX);
        selection.and(&format!("{column} > {{}}"), marker);
    }
    selection.part(db, column, window).await
}
