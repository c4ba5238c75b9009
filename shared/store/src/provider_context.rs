//! What tools that set up managers keep here for each other: a name and any JSON, once.

use crate::{audit, json_text};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Permission, Result, Scope, params};

/// What the audit trail calls it.
const NAME: &str = "ProviderContext";

/// The context, as `{name, context}`.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, _scope: &Scope) -> Result<Value> {
    let sql = "select json_object('name', name, 'context', json(context)) from provider_context";
    let found = db.first_json(sql, &[]).await?;
    found.ok_or_else(|| Error::new(windlass_core::Kind::NotFound, "Provider Context not found"))
}

/// Stores the first context.
///
/// # Errors
/// 409 when there is one.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    context: &Map<String, Value>,
) -> Result<()> {
    let there = tx.first("select 1 from provider_context", &[]).await?;
    if there.is_some() {
        return Err(Error::conflict("Provider Context already exists"));
    }
    let sql = "insert into provider_context (only, name, context) values (1, ?1, ?2)";
    tx.execute(sql, params![name, json_text(context)?]).await?;
    record(tx, scope, name).await
}

/// Replaces the context.
///
/// # Errors
/// 404 when there is none.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    context: &Map<String, Value>,
) -> Result<()> {
    find(tx, scope).await?;
    let sql = "update provider_context set name = ?1, context = ?2";
    tx.execute(sql, params![name, json_text(context)?]).await?;
    record(tx, scope, name).await
}

async fn record(tx: &impl Tx, scope: &Scope, name: &str) -> Result<()> {
    let action = Permission::ProviderContextCreate.name();
    audit::insert(tx, scope, action, NAME, name).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_is_one_context() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("admin", "");
            let context = json!({ "a": [1] });
            let context = context.as_object().unwrap();
            assert!(find(&db, &scope).await.is_err());
            let saved = db.transaction(async |tx| save(tx, &scope, "n", context).await);
            assert!(saved.await.is_err());
            for is_first in [true, false] {
                let inserted = db.transaction(async |tx| insert(tx, &scope, "n", context).await);
                assert_eq!(inserted.await.is_ok(), is_first);
            }
            let saved = db.transaction(async |tx| save(tx, &scope, "m", context).await);
            saved.await.unwrap();
            let found = find(&db, &scope).await.unwrap();
            assert_eq!(found, json!({ "name": "m", "context": { "a": [1] } }));
        });
    }
}
