//! Storing a new deployment.

use serde_json::{Map, Value as Json};
use std::fmt::Write as _;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, Visibility, params};

use super::{DEPLOYMENT, Owner, plan_columns};
use crate::audit;
use crate::quotas::{self, Limited};

/// What a new deployment is stored with.
#[derive(Clone, Debug, Default)]
pub struct NewDeployment {
    /// The id.
    pub id: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// Who made it; the caller when absent.
    pub created_by: Option<String>,
    /// When it was made; now when absent.
    pub created_at: Option<Timestamp>,
    /// The blueprint's row.
    pub blueprint_key: i64,
    /// The blueprint's id.
    pub blueprint_id: String,
    /// The name shown to people.
    pub display_name: String,
    /// The site it is at.
    pub site_name: Option<String>,
    /// Whether functions are left alone until somebody asks for their values.
    pub runtime_only_evaluation: bool,
    /// Parts of the plan by their names, see [`super::PLAN_COLUMNS`].
    pub plan: Map<String, Json>,
}

/// Stores a new deployment.
///
/// # Errors
/// 409 when somebody else was faster with the id.
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &NewDeployment) -> Result<Owner> {
    quotas::demand_room(tx, scope.tenant(), Limited::Deployments).await?;
    let created_by = new.created_by.as_deref().unwrap_or(scope.username());
    let created_at = new.created_at.unwrap_or_else(Timestamp::now);
    let mut parameters = params![
        &new.id,
        scope.tenant(),
        created_by,
        new.visibility,
        created_at,
        new.blueprint_key,
        &new.blueprint_id,
        &new.display_name,
        new.site_name.as_deref(),
        new.runtime_only_evaluation,
    ]
    .to_vec();
    let (mut names, mut numbers) = (String::new(), String::new());
    for (name, value) in plan_columns::columns(tx, &new.plan).await? {
        parameters.push(value);
        let _ = write!(names, ", {name}");
        let _ = write!(numbers, ", ?{}", parameters.len());
    }
    let sql = format!(
        "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, site_name, runtime_only_evaluation{names})
         values (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10{numbers}) returning key"
    );
    let row = tx.first(&sql, &parameters).await.map_err(|error| {
        if error.is_unique_violation() {
            already_exists(scope, &new.id)
        } else {
            error
        }
    })?;
    let row = row.ok_or_else(|| Error::internal("an insert answers its key"))?;
    audit::insert(tx, scope, "deployment_create", DEPLOYMENT.name, &new.id).await?;
    Ok(Owner {
        key: row.integer(0)?,
        id: new.id.clone(),
        tenant_name: scope.tenant().to_owned(),
        created_by: created_by.to_owned(),
        visibility: new.visibility,
    })
}

/// 409: the id is in use.
pub fn already_exists(scope: &Scope, id: &str) -> Error {
    let tenant = scope.tenant();
    Error::conflict(format!(
        "<Deployment id=`{id}` tenant=`{tenant}`> already exists on <Tenant name=`{tenant}`> \
         or with global visibility"
    ))
}
