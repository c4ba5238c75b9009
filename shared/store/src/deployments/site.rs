//! The site of a deployment. Its row has the site's name, which in one tenant means one site.

use crate::resource::{self, Head, TenantRow};
use crate::sites::Site;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Visibility, params};

pub(crate) const MOVE_TO_SITE: &str = "update deployments set site_name = ?2
     where site_name = ?1 and (tenant_name = ?3 or ?4)";

/// Gives the deployments of a site another name of it, or none. Those of other tenants are at it
/// only when it is global.
pub(crate) async fn move_to_site(tx: &impl Tx, site: &Head, name: Option<&String>) -> Result<()> {
    let is_global = site.visibility == Visibility::Global;
    let values = params![&site.id, name, &site.tenant_name, is_global];
    tx.execute(MOVE_TO_SITE, values).await
}

/// Demands that a deployment of this visibility may be at a site.
///
/// # Errors
/// 404; 400 when more would see the deployment than its site.
pub async fn demand_site(
    db: &impl Db,
    scope: &Scope,
    site: &str,
    deployment: &str,
    visibility: Visibility,
) -> Result<()> {
    let site: Site = resource::find(db, scope, site).await?;
    demand_as_wide(
        &site.head().id,
        site.head().visibility,
        deployment,
        visibility,
    )
}

/// Demands that a deployment at a site may be seen by as many as `next` says.
///
/// # Errors
/// 400 when that are more than see its site.
pub async fn demand_site_as_wide(
    db: &impl Db,
    deployment: &super::Deployment,
    next: Visibility,
) -> Result<()> {
    let sql = "select s.name, s.visibility from deployments d join sites s on s.name = d.site_name
                   and (s.tenant_name = d.tenant_name or s.visibility = ?2) where d.key = ?1";
    let values = params![deployment.key, Visibility::Global];
    let Some(row) = db.first(sql, values).await? else {
        return Ok(());
    };
    let seen_by = Visibility::parse(row.text(1)?, &Visibility::ALL)?;
    demand_as_wide(row.text(0)?, seen_by, &deployment.id, next)
}

fn demand_as_wide(
    site: &str,
    seen_by: Visibility,
    deployment: &str,
    visibility: Visibility,
) -> Result<()> {
    if visibility <= seen_by {
        return Ok(());
    }
    Err(Error::illegal_action(format!(
        "The visibility of deployment `{deployment}` can't be wider than that of its site `{site}`, which is {seen_by}"
    )))
}
