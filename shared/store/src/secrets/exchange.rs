//! Secrets on their way to another installation, and from one.

use super::{HIDDEN_RULE, Holding, SECRET, Secret, hidden_from, insert, managers};
use crate::audit;
use crate::pieces;
use crate::resource::{self, New};
use serde::Deserialize;
use windlass_core::db::Tx;
use windlass_core::list::{ListQuery, Statement};
use windlass_core::{Permission, Result, Scope, Timestamp, Visibility, params};

/// A secret that is exported, value and options still encrypted with the application's key.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct Exported {
    pub key: String,
    pub value: String,
    pub visibility: Visibility,
    pub tenant_name: String,
    pub is_hidden_value: i64,
    pub provider: Option<String>,
    pub provider_options: Option<String>,
    pub created_by: String,
    pub created_at: String,
    pub updated_at: String,
}

/// The secrets of a query whose values the caller may read, each with its row in the audit trail.
pub async fn export(tx: &impl Tx, scope: &Scope, query: &ListQuery) -> Result<Vec<Exported>> {
    let mut statement = Statement::under(scope);
    for value in managers(scope) {
        statement.parameter(value);
    }
    let conditions = statement.conditions(query);
    let parts: Vec<String> = scope
        .parts("t", &mut statement)
        .iter()
        .map(|part| {
            format!(
                "select t.key as k, json_object('key', t.id, 'value', t.value, 'visibility', t.visibility,
                     'tenant_name', t.tenant_name, 'is_hidden_value', t.is_hidden_value,
                     'provider', (select p.name from secrets_providers p where p.key = t.provider_key),
                     'provider_options', t.provider_options, 'created_by', t.created_by,
                     'created_at', t.created_at, 'updated_at', t.updated_at) as item
                 from {} where {part}{conditions} and {HIDDEN_RULE}",
                SECRET.table
            )
        })
        .collect();
    let select = format!(
        "select item from ({}) order by k",
        parts.join(" union all ")
    );
    let found: Vec<Exported> = pieces::read(tx, &select, &statement.parameters).await?;
    let keys: Vec<&str> = found.iter().map(|one| one.key.as_str()).collect();
    let action = Permission::SecretExport.name();
    audit::insert_each(tx, scope, action, SECRET.name, &keys).await?;
    Ok(found)
}

/// What became of a secret that was to be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is there now.
    Created,
    /// The tenant had one of its key, which is as it was.
    Collided,
    /// The tenant had one of its key, which has the new value now.
    Overwritten,
}

/// Imports a secret into the scope's tenant. One that is there is overwritten only if that is wanted.
///
/// # Errors
/// 403 for one that is hidden from the caller or may not be made global, 409 for a key that is in use
/// elsewhere.
pub async fn import(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    holding: &Holding,
    overwrite: bool,
) -> Result<Imported> {
    #[derive(Deserialize)]
    struct There {
        key: i64,
        visibility: Visibility,
        may: i64,
    }
    // Whoever imports sees no more than otherwise, but a key is taken by what they do not see too.
    let sql = format!(
        "select json_object('key', t.key, 'visibility', t.visibility, 'may', {HIDDEN_RULE} and {})
         from secrets t where t.tenant_name = ?1 and t.id = ?6",
        Scope::visible("t")
    );
    let [everywhere, managed] = managers(scope);
    let values = scope.with(&[everywhere, managed, new.id.as_str().into()]);
    let Some(there): Option<There> = tx.first_json(&sql, &values).await? else {
        insert(tx, scope, new, holding).await?;
        return Ok(Imported::Created);
    };
    if !overwrite {
        return Ok(Imported::Collided);
    }
    if there.may == 0 {
        return Err(hidden_from(scope, &new.id));
    }
    // Who has seen it goes on seeing it.
    let visibility = new.visibility.max(there.visibility);
    if visibility != there.visibility {
        let secret: Secret = resource::find(tx, scope, &new.id).await?;
        resource::demand_widening(tx, scope, &secret, &new.id, visibility).await?;
    }
    tx.execute(
        "update secrets set value = ?2, visibility = ?3, is_hidden_value = ?4, updated_at = ?5,
             provider_key = ?6, provider_options = ?7 where key = ?1",
        params![
            there.key,
            &holding.value,
            visibility,
            holding.is_hidden_value,
            Timestamp::now(),
            holding.provider_key,
            holding.provider_options.clone(),
        ],
    )
    .await?;
    let action = Permission::SecretImport.name();
    audit::insert(tx, scope, action, SECRET.name, &new.id).await?;
    Ok(Imported::Overwritten)
}
