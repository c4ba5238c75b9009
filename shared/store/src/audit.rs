//! The audit trail: who changed what, when and from where, in the transaction that changed it.

mod export;
mod list;
mod removal;

pub use export::{COLUMNS, Table};
pub use list::{AUDIT_LOG, Filter, after, list_query, newest};
pub use removal::{Injected, forget_old, inject, truncate};

use crate::pieces::batches;
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp, params};

windlass_core::named_enum! {
    /// What was done to a row, as far as clients of the trail tell it apart.
    pub enum Operation {
        /// It came.
        Create = "create",
        /// It changed.
        Update = "update",
        /// It went.
        Delete = "delete",
    }
}

impl Operation {
    /// What an action does, by its name: `blueprint_upload` makes something.
    fn of(action: &str) -> Self {
        let has = |words: &[&str]| action.split('_').any(|word| words.contains(&word));
        if has(&["delete", "remove", "revoke", "truncate"]) {
            return Self::Delete;
        }
        match has(&["create", "upload", "add", "start", "inject"]) {
            true => Self::Create,
            false => Self::Update,
        }
    }
}

/// What the table of a resource is called in the trail: `node_instances` for `NodeInstance`.
fn table_of(target_type: &str) -> String {
    let mut table = String::new();
    let mut was_small = false;
    for letter in target_type.chars() {
        if letter.is_uppercase() && was_small {
            table.push('_');
        }
        was_small = letter.is_lowercase();
        table.extend(letter.to_lowercase());
    }
    match table.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if table.ends_with('s') => table,
        None => table + "s",
    }
}

/// Records a change made under this scope. `action` is the permission's or the endpoint's name,
/// such as `blueprint_upload`; `target_type` a resource's, such as `Blueprint`. Only the store
/// function that makes the change calls this.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    action: &str,
    target_type: &str,
    target_id: &str,
) -> Result<()> {
    insert_each(tx, scope, action, target_type, &[target_id]).await
}

/// As [`insert`], where the action's name does not tell what was done.
pub async fn insert_as(
    tx: &impl Tx,
    scope: &Scope,
    operation: Operation,
    action: &str,
    target_type: &str,
    target_id: &str,
) -> Result<()> {
    record(tx, scope, operation, (action, target_type), &[target_id]).await
}

/// Records the same change to many targets, as one statement.
pub async fn insert_each(
    tx: &impl Tx,
    scope: &Scope,
    action: &str,
    target_type: &str,
    target_ids: &[&str],
) -> Result<()> {
    let operation = Operation::of(action);
    record(tx, scope, operation, (action, target_type), target_ids).await
}

async fn record(
    tx: &impl Tx,
    scope: &Scope,
    operation: Operation,
    (action, target_type): (&str, &str),
    target_ids: &[&str],
) -> Result<()> {
    let tenant = Some(scope.tenant()).filter(|tenant| !tenant.is_empty());
    let caller = scope.caller().ok();
    let execution = caller.and_then(|caller| caller.execution_id.as_deref());
    let table = table_of(target_type);
    for batch in batches(target_ids) {
        tx.execute(
            "insert into audit_log
             (created_at, username, tenant_name, action, target_type, target_id, request_id,
                 operation, ref_table, execution_id, address)
         select ?1, ?2, ?3, ?4, ?5, value, ?6, ?8, ?9, ?10, ?11 from json_each(?7)",
            params![
                Timestamp::now(),
                scope.username(),
                tenant,
                action,
                target_type,
                scope.origin().request_id.as_str(),
                batch?,
                operation,
                table.as_str(),
                execution,
                scope.origin().address.as_deref()
            ],
        )
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
