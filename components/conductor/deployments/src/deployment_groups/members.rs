//! Which deployments a body means.

use windlass_core::db::Db;
use windlass_core::{Body, Error, Result, Scope};
use windlass_store::deployment_groups::{self, DeploymentGroup};
use windlass_store::filters::{self, DeploymentsFilter, Rule, Target, rules};
use windlass_store::resource;

/// Deployments by name, by filter and by another group they are in: all of these together.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    deployment_ids: Option<Vec<String>>,
    from_group: Option<String>,
    filter_id: Option<String>,
    rules: Vec<Rule>,
}

impl Selection {
    /// Reads a body, or the part of one that adds or removes.
    pub fn read(body: &Body) -> Result<Self> {
        let text = |name: &str| Ok::<_, Error>(body.filled_text(name)?.map(str::to_owned));
        let mut deployment_ids = None;
        if let Some(items) = body.list("deployment_ids")? {
            let id = |item: &serde_json::Value| match item.as_str() {
                Some(id) => Ok(id.to_owned()),
                None => Err(Error::wrong_type("deployment_ids", "list of str", item)),
            };
            deployment_ids = Some(items.iter().map(id).collect::<Result<Vec<_>>>()?);
        }
        let rules = body.list("filter_rules")?.map(Vec::as_slice);
        Ok(Self {
            deployment_ids,
            from_group: text("deployments_from_group")?,
            filter_id: text("filter_id")?,
            rules: rules::parse(Target::Deployments, rules.unwrap_or_default())?,
        })
    }

    /// Whether a PUT with it says who all the members are. Rules alone only add.
    pub fn is_of_all(&self) -> bool {
        self.deployment_ids.is_some() || self.from_group.is_some() || self.filter_id.is_some()
    }

    /// The rows of the deployments that are meant.
    ///
    /// # Errors
    /// 404 for deployments, groups and filters that the caller does not see; 400 for deployments of other
    /// tenants.
    pub async fn find(&self, db: &impl Db, scope: &Scope) -> Result<Vec<i64>> {
        let named = self.deployment_ids.as_deref().unwrap_or_default();
        let mut found = deployment_groups::find_deployments(db, scope, named).await?;
        if let Some(id) = &self.from_group {
            let group: DeploymentGroup = resource::find_own(db, scope, id).await?;
            found.extend(deployment_groups::members(db, scope, &group).await?);
        }
        if let Some(id) = &self.filter_id {
            let rules = filters::find_rules::<DeploymentsFilter>(db, scope, id).await?;
            found.extend(deployment_groups::select(db, scope, &rules).await?);
        }
        if !self.rules.is_empty() {
            found.extend(deployment_groups::select(db, scope, &self.rules).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
