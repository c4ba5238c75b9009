//! Users as Keystone shows them.

use super::{Part, Selection, Window, number};
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, params};

/// A row as JSON.
const ITEM: &str =
    "json_object('id', cast(u.id as text), 'name', u.username, 'domain_id', 'default',
    'enabled', json(iif(u.active, 'true', 'false')), 'password_expires_at', null,
    'options', json('{}'))";

/// The user of an id.
pub async fn user(db: &impl Db, _scope: &Scope, id: &str) -> Result<Option<Value>> {
    let Some(number) = number(id) else {
        return Ok(None);
    };
    let sql = format!("select {ITEM} from users u where u.id = ?1");
    db.first_json(&sql, params![number]).await
}

/// A part of all users, those of a name (in any case of its letters), or those who may log in or not.
pub async fn users(
    db: &impl Db,
    _scope: &Scope,
    name: Option<&str>,
    enabled: Option<bool>,
    window: &Window<'_>,
) -> Result<Part> {
    let mut selection = Selection::new(ITEM, "users u", "1");
    if let Some(name) = name {
        selection.and("u.username = {}", name);
    }
    if let Some(enabled) = enabled {
        selection.and("u.active = {}", enabled);
    }
    page(db, selection, "u.id", window).await
}

/// A part of the users in a group.
pub async fn users_in(
    db: &impl Db,
    _scope: &Scope,
    group: &str,
    name: Option<&str>,
    window: &Window<'_>,
) -> Result<Part> {
    let from = "group_users m join users u on u.id = m.user_id";
    let mut selection = Selection::new(ITEM, from, "1");
    selection.and("m.group_id = {}", number(group));
    if let Some(name) = name {
        selection.and("u.username = {}", name);
    }
    page(db, selection, "m.user_id", window).await
}

/// A part in the order of a column that holds the users' numbers, so that an index gives it.
async fn page(
    db: &impl Db,
    mut selection: Selection,
    column: &str,
    window: &Window<'_>,
) -> Result<Part> {
    if let Some(marker) = window.marker {
        let marker = number(marker).unwrap_or(i64::MAX);
        selection.and(&format!("{column} > {{}}"), marker);
    }
    selection.part(db, column, window).await
}
