//! Deployments that are there before their environments are: each with the execution that will make it.

use serde::Serialize;
use serde_json::Value as Json;
use std::collections::HashSet;
use windlass_core::db::Tx;
use windlass_core::{Result, Scope, Timestamp, Visibility, params};

use crate::audit;
use crate::blueprints::Blueprint;
use crate::deployments::{self, CREATE_WORKFLOW, DEPLOYMENT};
use crate::pieces::batches;
use crate::quotas::{self, Limited};

/// A deployment that is to be made later.
#[derive(Clone, Debug, Serialize)]
pub struct PendingDeployment {
    /// The id.
    pub id: String,
    /// The name shown to people until its environment is made.
    pub display_name: String,
    /// The site it is at.
    pub site_name: Option<String>,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// The id of the execution that will make it.
    pub execution_id: String,
    /// That one's parameters: all that was asked for.
    pub parameters: Json,
}

/// Refuses ids that are in use, or named twice.
///
/// # Errors
/// 409.
pub async fn demand_free(
    tx: &impl Tx,
    scope: &Scope,
    visibility: Visibility,
    ids: &[&str],
) -> Result<()> {
    let mut seen = HashSet::new();
    if let Some(twice) = ids.iter().find(|id| !seen.insert(**id)) {
        return Err(deployments::already_exists(scope, twice));
    }
    let sql = "select given.value from json_each(?1) given
               cross join deployments d on d.id = given.value
                   and (d.tenant_name = ?2 or d.visibility = 'global' or ?3) limit 1";
    let is_global = visibility == Visibility::Global;
    for batch in batches(ids) {
        let values = params![batch?, scope.tenant(), is_global];
        if let Some(row) = tx.first(sql, values).await? {
            return Err(deployments::already_exists(scope, row.text(0)?));
        }
    }
    Ok(())
}

/// Stores deployments without environments, and the executions that will make them, which wait in the
/// group of executions `execution_group`. Answers the deployments' rows.
///
/// # Errors
/// 403 when the tenant may not have so many. Ids are free, see [`demand_free`].
pub async fn insert_pending(
    tx: &impl Tx,
    scope: &Scope,
    (blueprint, visibility): (&Blueprint, Visibility),
    execution_group: i64,
    all: &[PendingDeployment],
) -> Result<Vec<i64>> {
    let tenant = scope.tenant();
    quotas::demand_room_for(tx, tenant, Limited::Deployments, all.len()).await?;
    quotas::demand_room_for(tx, tenant, Limited::Executions, all.len()).await?;
    let now = Timestamp::now();
    let mut keys = Vec::with_capacity(all.len());
    for batch in batches(all) {
        let batch = batch?;
        let values = params![
            batch.as_str(),
            tenant,
            scope.username(),
            visibility,
            now,
            blueprint.key,
            &blueprint.id
        ];
        for row in tx.query(INSERT_DEPLOYMENTS, values).await? {
            keys.push(row.integer(0)?);
        }
        let values = params![
            batch.as_str(),
            tenant,
            scope.username(),
            visibility,
            now,
            &blueprint.id,
            CREATE_WORKFLOW,
            execution_group
        ];
        tx.execute(INSERT_EXECUTIONS, values).await?;
    }
    let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
    audit::insert_each(tx, scope, "deployment_create", DEPLOYMENT.name, &ids).await?;
    Ok(keys)
}

const INSERT_DEPLOYMENTS: &str =
    "insert into deployments (id, tenant_name, created_by, visibility, created_at,
         updated_at, blueprint_key, blueprint_id, display_name, site_name,
         runtime_only_evaluation, create_execution, latest_execution, deployment_status)
     select value ->> 'id', ?2, ?3, ?4, ?5, ?5, ?6, ?7, value ->> 'display_name',
         value ->> 'site_name', value ->> 'runtime_only_evaluation', value ->> 'execution_id',
         value ->> 'execution_id', 'in_progress'
     from json_each(?1) where true returning key";

const INSERT_EXECUTIONS: &str =
    "insert into executions (id, tenant_name, created_by, visibility, created_at,
         deployment_key, deployment_id, blueprint_id, workflow_id, status, parameters,
         execution_group_key)
     select value ->> 'execution_id', ?2, ?3, ?4, ?5, d.key, d.id, ?6, ?7, 'queued',
         value -> 'parameters', ?8
     from json_each(?1) cross join deployments d on d.tenant_name = ?2 and d.id = value ->> 'id'";
