//! The audit trail: who changed what, when, in the transaction that changed it.

use crate::pieces::batches;
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp, params};

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

/// Records the same change to many targets, as one statement.
pub async fn insert_each(
    tx: &impl Tx,
    scope: &Scope,
    action: &str,
    target_type: &str,
    target_ids: &[&str],
) -> Result<()> {
    let tenant = Some(scope.tenant()).filter(|tenant| !tenant.is_empty());
    for batch in batches(target_ids) {
        tx.execute(
            "insert into audit_log
             (created_at, username, tenant_name, action, target_type, target_id, request_id)
         select ?1, ?2, ?3, ?4, ?5, value, ?6 from json_each(?7)",
            params![
                Timestamp::now(),
                scope.username(),
                tenant,
                action,
                target_type,
                scope.request_id(),
                batch?
            ],
        )
        .await?;
    }
    Ok(())
}
