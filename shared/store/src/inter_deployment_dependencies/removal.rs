//! Dependencies that are no more.

use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Permission, Result, Scope, params};

use super::INTER_DEPLOYMENT_DEPENDENCIES;
use crate::audit;
use crate::deployments::Owner;
use crate::labels::{CONSUMER_ID, OBJECT_PARENT};

/// Which dependency is meant.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Who made it necessary.
    pub creator: &'a str,
    /// The source; none where another manager has it.
    pub source: Option<&'a Owner>,
    /// The target; none where another manager has it, or nobody knows it.
    pub target: Option<&'a Owner>,
    /// What another manager has to know of the source.
    pub external_source: Option<&'a Json>,
    /// The same of the target.
    pub external_target: Option<&'a Json>,
}

/// The id of the dependency that is meant: one of those that the caller can see, in their tenant.
///
/// # Errors
/// 404.
pub async fn find_selected(
    db: &impl Db,
    scope: &Scope,
    selection: &Selection<'_>,
) -> Result<String> {
    let sql = format!(
        "select json_quote(t.id) from inter_deployment_dependencies t
         where t.tenant_name = ?1 and {} and t.dependency_creator = ?4
             and t.source_key is ?5 and t.target_key is ?6
             and t.external_source is ?7 and t.external_target is ?8 limit 1",
        Scope::visible("t")
    );
    let own = params![
        selection.creator,
        selection.source.map(|source| source.key),
        selection.target.map(|target| target.key),
        selection.external_source.map(Json::to_string),
        selection.external_target.map(Json::to_string),
    ];
    let found = db.first_json(&sql, &scope.with(own)).await?;
    found.ok_or_else(|| {
        let id = |owner: Option<&Owner>| owner.map_or("", |owner| owner.id.as_str()).to_owned();
        let (source, target) = (id(selection.source), id(selection.target));
        Error::not_found(
            INTER_DEPLOYMENT_DEPENDENCIES.name,
            format!("{}: {source} -> {target}", selection.creator),
        )
    })
}

/// Deletes a dependency that was found. Its target forgets the source, unless something else still makes
/// that one its consumer.
pub async fn delete(
    tx: &impl Tx,
    scope: &Scope,
    selection: &Selection<'_>,
    id: &str,
) -> Result<()> {
    let sql = "delete from inter_deployment_dependencies where id = ?1";
    tx.execute(sql, params![id]).await?;
    if let (Some(source), Some(target)) = (selection.source, selection.target) {
        unlink(tx, source, &[target.key]).await?;
    }
    let action = Permission::InterDeploymentDependencyDelete.name();
    audit::insert(tx, scope, action, INTER_DEPLOYMENT_DEPENDENCIES.name, id).await
}

/// Deletes all dependencies of a source. Its targets forget it.
pub async fn delete_all_of(tx: &impl Tx, source: &Owner) -> Result<()> {
    let sql = "delete from inter_deployment_dependencies where source_key = ?1
               returning target_key";
    let rows = tx.query(sql, params![source.key]).await?;
    let mut targets = Vec::new();
    for row in &rows {
        targets.extend(row.optional_integer(0)?);
    }
    unlink(tx, source, &targets).await
}

/// Takes the source's label from those targets that it neither uses otherwise nor is a child of.
pub(super) async fn unlink(tx: &impl Tx, source: &Owner, targets: &[i64]) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "delete from deployment_labels where key = '{CONSUMER_ID}' and value = ?2
             and deployment_key in (select value from json_each(?3))
             and not exists (select 1 from inter_deployment_dependencies d
                 where d.source_key = ?1 and d.target_key = deployment_labels.deployment_key)
             and not exists (select 1 from deployment_labels p cross join deployments t
                 where p.deployment_key = ?1 and p.key = '{OBJECT_PARENT}'
                     and t.key = deployment_labels.deployment_key and p.value = t.id)"
    );
    let targets = Json::from(targets);
    tx.execute(&sql, params![source.key, &source.id, &targets])
        .await
}
