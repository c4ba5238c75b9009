//! Deleting a blueprint, and what stands in the way of it.

use super::{BLUEPRINTS, Blueprint, State};
use crate::audit;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Visibility, params};

/// The most deployments that a refusal names.
const NAMED_DEPENDENTS: i64 = 1000;

/// Whether a blueprint that did not fail imports this one.
///
/// A global blueprint is imported from any tenant, all others only from their own.
pub async fn is_imported(db: &impl Db, blueprint: &Blueprint) -> Result<bool> {
    let row = db
        .first(
            "select 1 from blueprint_imports i join blueprints b on b.key = i.blueprint_key
             where i.imported_id = ?1 and (b.tenant_name = ?2 or ?3) and b.key <> ?4
                 and b.state not in (select value from json_each(?5)) limit 1",
            params![
                blueprint.id.as_str(),
                blueprint.tenant_name.as_str(),
                blueprint.visibility == Visibility::Global,
                blueprint.key,
                &State::names(State::is_failed),
            ],
        )
        .await?;
    Ok(row.is_some())
}

/// The ids of the deployments made from a blueprint, whoever may see them.
pub async fn dependent_deployments(db: &impl Db, blueprint: &Blueprint) -> Result<Vec<String>> {
    let rows = db
        .query(
            "select id from deployments where blueprint_key = ?1 order by key limit ?2",
            params![blueprint.key, NAMED_DEPENDENTS],
        )
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// Deletes a blueprint with its labels, its plan and the executions that uploaded it: these would keep its
/// tenant and its user from being deleted. Its archive's blob is nobody's then.
pub async fn delete(tx: &impl Tx, scope: &Scope, blueprint: &Blueprint) -> Result<()> {
    remove(tx, blueprint).await?;
    audit::insert(
        tx,
        scope,
        "blueprint_delete",
        BLUEPRINTS.name,
        &blueprint.id,
    )
    .await
}

/// Deletes a blueprint of which another record tells.
pub(super) async fn remove(tx: &impl Tx, blueprint: &Blueprint) -> Result<()> {
    tx.execute(
        "delete from executions where tenant_name = ?1 and workflow_id = 'upload_blueprint'
             and blueprint_id = ?2 and deployment_key is null",
        params![&blueprint.tenant_name, &blueprint.id],
    )
    .await?;
    tx.execute(
        "delete from blueprints where key = ?1",
        params![blueprint.key],
    )
    .await
}
