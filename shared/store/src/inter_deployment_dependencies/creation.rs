//! New dependencies.

use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Permission, Result, Scope, Visibility, ids, params};

use super::INTER_DEPLOYMENT_DEPENDENCIES;
use crate::audit;
use crate::deployments::Owner;
use crate::labels::{self, CONSUMER_ID, Label};
use crate::resource::Origin;

/// How many dependencies are followed when a circle is looked for.
const FOLLOWED: u64 = 100_000;

/// What a source uses.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The deployment, as far as it is known.
    pub deployment: Option<Owner>,
    /// The function that says which one it is.
    pub function: Option<Json>,
    /// What another manager has to know of it.
    pub external: Option<Json>,
}

/// A dependency to be stored.
#[derive(Clone, Debug, Default)]
pub struct NewDependency {
    /// The id of a restored one.
    pub id: Option<String>,
    /// Who made it necessary.
    pub creator: String,
    /// What is used.
    pub target: Target,
    /// The source, where another manager has it.
    pub external_source: Option<Json>,
    /// Who is to see it, if that is fewer than see the source.
    pub visibility: Option<Visibility>,
    /// Who made it, and when.
    pub origin: Origin,
}

/// Refuses a dependency through which a deployment would use itself.
///
/// # Errors
/// 409 `conflict_error`.
pub async fn demand_no_cycle(db: &impl Db, source: &Owner, target: &Owner) -> Result<()> {
    // Ends where nothing new is found; the limit is for a tenant with more of them than anybody has.
    let sql = "with recursive used (key) as (
                   select ?1 union
                   select d.target_key from used u
                   cross join inter_deployment_dependencies d on d.source_key = u.key
                   where d.target_key is not null limit ?3)
               select 1 from used where key = ?2";
    let values = params![target.key, source.key, FOLLOWED];
    if db.first(sql, values).await?.is_none() {
        return Ok(());
    }
    let (source, target) = (&source.id, &target.id);
    Err(Error::conflict(format!(
        "cyclic dependency between deployments {source} and {target}"
    )))
}

/// Stores a dependency that a caller wants, and answers its id. One that is there already, with the same
/// creator, source and target, stays as it is.
///
/// # Errors
/// 409 for a circle, and for the id of another one.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    source: Option<&Owner>,
    new: &NewDependency,
) -> Result<String> {
    let id = insert_of(tx, scope, source, new).await?;
    let action = Permission::InterDeploymentDependencyCreate.name();
    audit::insert(tx, scope, action, INTER_DEPLOYMENT_DEPENDENCIES.name, &id).await?;
    Ok(id)
}

/// The same for one that comes with something else, whose audit row tells of it: a new deployment, a
/// component.
///
/// # Errors
/// As [`insert`].
pub async fn insert_of(
    tx: &impl Tx,
    scope: &Scope,
    source: Option<&Owner>,
    new: &NewDependency,
) -> Result<String> {
    let target = new.target.deployment.as_ref();
    if let (Some(source), Some(target)) = (source, target) {
        demand_no_cycle(tx, source, target).await?;
    }
    if let Some(known) = find_same(tx, source, new).await? {
        return Ok(known);
    }
    let id = new.id.clone().unwrap_or_else(ids::new_uuid);
    let seen = source.map_or(Visibility::Tenant, |source| source.visibility);
    let tenant = source.map_or(scope.tenant(), |source| &source.tenant_name);
    tx.execute(
        "insert into inter_deployment_dependencies (id, tenant_name, created_by, visibility,
             created_at, dependency_creator, source_key, source_deployment_id, target_key,
             target_deployment_id, target_deployment_func, external_source, external_target)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            &id,
            tenant,
            new.origin.created_by(scope),
            new.visibility.unwrap_or(seen).min(seen),
            new.origin.created_at(),
            &new.creator,
            source.map(|source| source.key),
            source.map(|source| source.id.as_str()),
            target.map(|target| target.key),
            target.map(|target| target.id.as_str()),
            new.target.function.as_ref().map(Json::to_string),
            new.external_source.as_ref().map(Json::to_string),
            new.target.external.as_ref().map(Json::to_string),
        ],
    )
    .await
    .map_err(|error| match error.is_unique_violation() {
        true => Error::conflict(format!("The dependency `{id}` already exists")),
        false => error,
    })?;
    if let (Some(source), Some(target)) = (source, target) {
        link(tx, scope, source, target).await?;
    }
    Ok(id)
}

/// Makes a source known to its target, if both are in one tenant: labels name deployments of their own.
pub(super) async fn link(
    tx: &impl Tx,
    scope: &Scope,
    source: &Owner,
    target: &Owner,
) -> Result<()> {
    if source.tenant_name != target.tenant_name {
        return Ok(());
    }
    labels::add(tx, scope, target, &[Label::new(CONSUMER_ID, &source.id)]).await
}

async fn find_same(
    db: &impl Db,
    source: Option<&Owner>,
    new: &NewDependency,
) -> Result<Option<String>> {
    // Without a source there is nothing by which it could be told apart.
    let Some(source) = source else {
        return Ok(None);
    };
    let sql = "select json_quote(id) from inter_deployment_dependencies
               where source_key = ?1 and dependency_creator = ?2 and target_key is ?3
                   and target_deployment_func is ?4 and external_target is ?5 limit 1";
    let values = params![
        source.key,
        &new.creator,
        new.target.deployment.as_ref().map(|target| target.key),
        new.target.function.as_ref().map(Json::to_string),
        new.target.external.as_ref().map(Json::to_string),
    ];
    db.first_json(sql, values).await
}
