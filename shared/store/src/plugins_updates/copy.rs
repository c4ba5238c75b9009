//! The hidden copy of a blueprint, from its beginning to its end.

use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp, params};

use super::Running;
use crate::blueprints;

/// The id of a new copy: it says of what, and is nobody else's.
pub fn new_copy_id(blueprint_id: &str, now: Timestamp, unique: &str) -> String {
    let digits = now.to_string().replace(['-', ':', 'Z'], "");
    let short: String = unique.chars().take(6).collect();
    format!("plugins-update-{digits}{short}-{blueprint_id}")
}

/// Gives the blueprint the plan of its copy, and the deployments back to it. The copy is gone then.
pub async fn adopt(tx: &impl Tx, update: &Running) -> Result<()> {
    let Some(copy) = update.temp_blueprint_key else {
        return Ok(());
    };
    blueprints::take_plan(tx, copy, update.blueprint_key).await?;
    tx.execute(
        "update deployments set blueprint_key = ?2, blueprint_id = ?3, updated_at = ?4
         where blueprint_key = ?1",
        params![
            copy,
            update.blueprint_key,
            &update.blueprint_id,
            Timestamp::now()
        ],
    )
    .await?;
    blueprints::remove_copy(tx, copy).await
}

/// Ends what there is of a copy whose update failed: it goes, unless deployments have it. Then everybody sees
/// it, who sees its blueprint.
pub async fn let_go(tx: &impl Tx, update: &Running) -> Result<()> {
    let Some(copy) = update.temp_blueprint_key else {
        return Ok(());
    };
    let sql = "select 1 from deployments where blueprint_key = ?1 limit 1";
    if tx.first(sql, params![copy]).await?.is_none() {
        return blueprints::remove_copy(tx, copy).await;
    }
    let sql =
        "update blueprints set is_hidden = 0, updated_at = ?2 where key = ?1 and is_hidden = 1";
    tx.execute(sql, params![copy, Timestamp::now()]).await
}
