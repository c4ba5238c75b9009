//! Hidden copies of blueprints, with another plan: what deployments have while their plugins are updated.

use super::{Archive, BLUEPRINTS, Blueprint, Found, State, plans};
use crate::audit;
use crate::blobs;
use crate::labels::{self, LabelOwner, Labelled};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// Stores a hidden copy of a blueprint under another id, with what its files were found to mean now. The
/// archive's blob was written and is nobody's until this is stored. Answers the copy's key.
///
/// # Errors
/// 503 when the blob was swept in the meantime.
pub async fn insert_copy(
    tx: &impl Tx,
    scope: &Scope,
    (blueprint, id): (&Blueprint, &str),
    archive: Option<&Archive>,
    found: &Found,
) -> Result<i64> {
    if let Some(archive) = archive {
        blobs::keep(tx, &archive.blob).await?;
    }
    let now = Timestamp::now();
    let comment = format!("copied from {} at {now} on plugins update", blueprint.id);
    let description = match found.description.as_deref() {
        Some(text) if !text.is_empty() => format!("{text}\n{comment}"),
        _ => comment,
    };
    let row = tx
        .first(
            "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at,
                 state, is_hidden, main_file_name, archive_blob, archive_format, archive_size,
                 archive_sha256, description, requirements)
             values (?1, ?2, ?3, ?4, ?5, ?5, ?6, 1, ?7, ?8, ?9, ?10, ?11, ?12, ?13) returning key",
            params![
                id,
                &blueprint.tenant_name,
                scope.username(),
                blueprint.visibility,
                now,
                State::Uploaded,
                blueprint.main_file_name.as_deref(),
                archive.map(|archive| archive.blob.as_str()),
                archive.map(|archive| archive.format.as_str()),
                archive.map(|archive| archive.size),
                archive.map(|archive| archive.sha256.as_str()),
                description,
                found.requirements.as_ref(),
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    let key = row.integer(0)?;
    if let Some(plan) = &found.plan {
        plans::save(tx, key, plan).await?;
    }
    let copy = Labelled::new(LabelOwner::Blueprint, key);
    labels::add(tx, scope, copy, &found.labels).await?;
    audit::insert(tx, scope, "blueprint_upload", BLUEPRINTS.name, id).await?;
    Ok(key)
}

/// Gives a blueprint the plan of another one, which has it still.
pub async fn take_plan(tx: &impl Tx, from: i64, to: i64) -> Result<()> {
    for sql in [
        "delete from blueprint_plan_pieces where blueprint_key = ?2 and ?1 <> ?2",
        "delete from blueprint_imports where blueprint_key = ?2 and ?1 <> ?2",
        "delete from blueprint_plugins where blueprint_key = ?2 and ?1 <> ?2",
        "insert into blueprint_plans (blueprint_key, plan, stored)
         select ?2, plan, stored from blueprint_plans where blueprint_key = ?1
         on conflict (blueprint_key) do update set plan = excluded.plan, stored = excluded.stored",
        "insert into blueprint_plan_pieces (blueprint_key, form, number, text)
         select ?2, form, number, text from blueprint_plan_pieces where blueprint_key = ?1",
        "insert into blueprint_imports (blueprint_key, imported_id)
         select ?2, imported_id from blueprint_imports where blueprint_key = ?1",
        "insert into blueprint_plugins (blueprint_key, package_name, package_version)
         select ?2, package_name, package_version from blueprint_plugins where blueprint_key = ?1",
        "update blueprints set requirements = (select requirements from blueprints where key = ?1)
         where key = ?2",
    ] {
        tx.execute(sql, params![from, to]).await?;
    }
    let sql = "update blueprints set updated_at = ?2 where key = ?1";
    tx.execute(sql, params![to, Timestamp::now()]).await
}

/// Removes a copy that no deployment has. Its archive's blob is nobody's then.
pub async fn remove_copy(tx: &impl Tx, key: i64) -> Result<()> {
    tx.execute("delete from blueprints where key = ?1", params![key])
        .await
}
