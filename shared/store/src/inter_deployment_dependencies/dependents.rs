//! Who depends on a deployment, as far as that keeps it from being changed.

use serde::Deserialize;
use serde_json::Value as Json;
use windlass_core::db::Db;
use windlass_core::{Error, Result, params};

use super::{COMPONENT, SHARED_RESOURCE};
use crate::deployments::Owner;
use crate::executions::Status;
use crate::labels::OBJECT_PARENT;

/// How many of each kind are named.
pub const NAMED: i64 = 3;

/// What is about to happen to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked<'a> {
    /// It is deleted.
    Deletion {
        /// With its children.
        recursive: bool,
    },
    /// One of the workflows that its users would suffer from runs on it.
    Workflow {
        /// Which one.
        name: &'a str,
        /// With its children.
        recursive: bool,
    },
}

impl Blocked<'_> {
    const fn takes_children_along(self) -> bool {
        match self {
            Self::Deletion { recursive } | Self::Workflow { recursive, .. } => recursive,
        }
    }
}

/// Somebody who depends on a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dependent {
    /// The deployment.
    pub deployment_id: String,
    /// Why; none for a child.
    pub creator: Option<String>,
}

impl Dependent {
    /// A line of the refusal to change the deployment `on`.
    pub fn line(&self, on: &str) -> String {
        let deployment = &self.deployment_id;
        let Some(creator) = &self.creator else {
            return format!("Deployment `{on}` is the parent of deployment `{deployment}`");
        };
        let mut parts = creator.split('.');
        let (kind, node) = (parts.next().unwrap_or_default(), parts.next());
        let does = match kind {
            COMPONENT => "contains",
            SHARED_RESOURCE => "uses a shared resource from",
            _ => "uses capabilities of",
        };
        format!(
            "Deployment `{deployment}` {does} the current deployment in its node `{}`",
            node.unwrap_or(kind)
        )
    }
}

/// Those who depend on a deployment and are in the way of what is about to happen: children, then
/// others, of each kind a few. Who is being taken down or changed itself is in nobody's way.
///
/// `doomed` are the rows of deployments that go with this one.
pub async fn blocking(
    db: &impl Db,
    deployment: &Owner,
    what: Blocked<'_>,
    doomed: &[i64],
) -> Result<Vec<Dependent>> {
    let mut all = Vec::new();
    if !what.takes_children_along() {
        let with_components = matches!(what, Blocked::Deletion { .. });
        let values = params![
            deployment.key,
            &deployment.id,
            &deployment.tenant_name,
            with_components,
            NAMED,
            &Json::from(doomed)
        ];
        all.extend(db.json_rows::<Dependent>(&children_sql(), values).await?);
    }
    // Who does not run does not read capabilities.
    let passes_idle = matches!(
        what,
        Blocked::Workflow {
            name: "uninstall",
            ..
        }
    );
    let values = params![deployment.key, passes_idle, NAMED, &Json::from(doomed)];
    all.extend(db.json_rows::<Dependent>(&users_sql(), values).await?);
    Ok(all)
}

/// A component is a child too, but one that its parent takes down itself.
pub(super) fn children_sql() -> String {
    let in_progress = Status::sql_list(Status::is_in_progress);
    format!(
        "select json_object('deployment_id', c.id, 'creator', null) from deployment_labels l
         cross join deployments c on c.key = l.deployment_key
         where l.key = '{OBJECT_PARENT}' and l.value = ?2 and c.tenant_name = ?3 and c.key <> ?1
             and (?4 or not exists (select 1 from inter_deployment_dependencies d
                 where d.source_key = ?1 and d.target_key = c.key
                     and d.dependency_creator like '{COMPONENT}.%'))
             and c.key not in (select value from json_each(?6))
             and not exists (select 1 from executions e where e.deployment_key = c.key
                 and e.status in {in_progress} and e.workflow_id = 'delete_deployment_environment')
         order by c.key limit ?5"
    )
}

pub(super) fn users_sql() -> String {
    format!(
        "select json_object('deployment_id', d.source_deployment_id, 'creator', d.dependency_creator)
         from inter_deployment_dependencies d
         cross join deployments s on s.key = d.source_key
         where d.target_key = ?1 and d.source_key not in (select value from json_each(?4))
             and not exists (select 1 from executions e where e.deployment_key = d.source_key
                 and e.status in {} and e.workflow_id in
                     ('stop', 'uninstall', 'update', 'csys_new_deployment_update', 'heal',
                      'delete_deployment_environment'))
             and not (?2 and s.installation_status = 'inactive'
                 and d.dependency_creator like '%.get_capability')
         order by d.key limit ?3",
        Status::sql_list(Status::is_in_progress)
    )
}

/// The most components, and components of those, that one workflow reaches.
const MOST_COMPONENTS: usize = 1000;

/// The deployments that are components of one, those of its components too, each once.
///
/// # Errors
/// 400 when they are more than one workflow may reach.
pub async fn all_components(db: &impl Db, source: i64) -> Result<Vec<Owner>> {
    let found: Vec<Owner> = db
        .json_rows(ALL_COMPONENTS, params![source, MOST_COMPONENTS + 1])
        .await?;
    if found.len() > MOST_COMPONENTS {
        return Err(Error::bad_parameters(format!(
            "The deployment has more than {MOST_COMPONENTS} components"
        )));
    }
    Ok(found)
}

pub(super) const ALL_COMPONENTS: &str = "with recursive below (key) as (
         select target_key from inter_deployment_dependencies
         where source_key = ?1 and dependency_creator like 'component.%' and target_key is not null
         union
         select d.target_key from below b cross join inter_deployment_dependencies d
             on d.source_key = b.key
         where d.dependency_creator like 'component.%' and d.target_key is not null
         limit ?2)
     select json_object('key', t.key, 'id', t.id,
         'tenant_name', t.tenant_name, 'created_by', t.created_by, 'visibility', t.visibility)
     from below b cross join deployments t on t.key = b.key where t.key <> ?1";
