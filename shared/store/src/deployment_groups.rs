//! Deployment groups: deployments that are worked on together.
//!
//! A group has members, labels that members get when they become ones, and what deployments that are made
//! for it are made from. Members are rows, and only deployments of the group's own tenant.

mod labels;
mod members;
mod pending;

pub use labels::{find_labels, replace_labels};
pub use members::{
    MEMBERS, clear, demand_room, find_deployments, has_room, join, members, members_of,
    only_members, remove, select,
};
pub use pending::{PendingDeployment, demand_free, insert_pending};

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, concat};
use windlass_core::{Error, Permission, Result, Scope, Visibility, params};

use crate::counts;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};

static FIELDS: [Field; 13] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("description", "t.description"),
        Field::text(
            "default_blueprint_id",
            "(select b.id from blueprints b where b.key = t.default_blueprint_key)",
        ),
        Field::json("default_inputs", "t.default_inputs"),
        // Who may not see a deployment does not learn its name from a group.
        Field::json(
            "deployment_ids",
            "(select json_group_array(id) from (select d.id from deployment_group_members m
                 cross join deployments d on d.key = m.deployment_key
                 where m.group_key = t.key and (d.visibility = 'global'
                     or (d.tenant_name = ?1 or ?1 = '*' or ?1 = '' and t.visibility <> 'global')
                         and (d.visibility <> 'private' or d.created_by = ?2 or ?3))
                 order by d.key))",
        ),
        Field::json(
            "labels",
            "(select json_group_array(json_object('key', l.key, 'value', l.value,
                 'created_at', l.created_at, 'created_by', l.created_by, 'creator_id',
                 (select u.id from users u where u.username = l.created_by)))
             from deployment_group_labels l where l.group_key = t.key)",
        ),
        Field::integer("creation_counter", "t.creation_counter"),
        CREATED_AT,
    ],
    &COMMON,
);

/// Groups as the API shows them.
pub static DEPLOYMENT_GROUPS: Resource = Resource {
    name: "DeploymentGroup",
    table: "deployment_groups t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
    counts: &[&counts::DEPLOYMENT_GROUPS],
};

/// A group's row.
#[derive(Clone, Debug, Deserialize)]
pub struct DeploymentGroup(Head);

impl TenantRow for DeploymentGroup {
    const RESOURCE: &'static Resource = &DEPLOYMENT_GROUPS;

    fn head(&self) -> &Head {
        &self.0
    }
}

impl From<Head> for DeploymentGroup {
    fn from(head: Head) -> Self {
        Self(head)
    }
}

/// What deployments that are made for a group are made from.
#[derive(Clone, Debug, Deserialize)]
pub struct Defaults {
    /// The blueprint's id.
    pub blueprint_id: Option<String>,
    /// Values of its inputs.
    pub inputs: Map<String, Json>,
    /// The next number for a template of ids.
    pub creation_counter: i64,
}

/// What an update sets; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Who is to see it.
    pub visibility: Option<Visibility>,
    /// What it is for.
    pub description: Option<String>,
    /// The row of the blueprint that new deployments are made from.
    pub default_blueprint: Option<i64>,
    /// Values of its inputs.
    pub default_inputs: Option<Json>,
    /// The next number of a restored group.
    pub creation_counter: Option<i64>,
}

impl Changes {
    fn columns(&self) -> Vec<(&'static str, Value)> {
        let mut columns = Vec::new();
        if let Some(description) = &self.description {
            columns.push(("description", description.into()));
        }
        if let Some(blueprint) = self.default_blueprint {
            columns.push(("default_blueprint_key", blueprint.into()));
        }
        if let Some(inputs) = &self.default_inputs {
            columns.push(("default_inputs", inputs.into()));
        }
        if let Some(counter) = self.creation_counter {
            columns.push(("creation_counter", counter.into()));
        }
        columns
    }
}

/// Stores a new group.
///
/// # Errors
/// 403 and 409, see [`resource::insert`].
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    changes: &Changes,
) -> Result<DeploymentGroup> {
    let action = Permission::DeploymentGroupCreate;
    resource::insert::<DeploymentGroup>(tx, scope, new, &changes.columns(), action).await?;
    resource::find_own(tx, scope, &new.id).await
}

/// Saves changes to a group. Its visibility may also become narrower: clients that only want to add a
/// member say `tenant`.
///
/// # Errors
/// 403 and 409 for what may not become global.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    changes: &Changes,
    action: Permission,
) -> Result<()> {
    let mut columns = changes.columns();
    let widened = changes.visibility.filter(|next| *next > group.0.visibility);
    if let Some(next) = changes.visibility.filter(|next| *next < group.0.visibility) {
        columns.push(("visibility", next.into()));
    }
    resource::save(tx, scope, group, widened, &columns, action).await
}

/// What new deployments of a group are made from.
pub async fn defaults(db: &impl Db, group: &DeploymentGroup) -> Result<Defaults> {
    let sql = "select json_object('blueprint_id', (select b.id from blueprints b where b.key = g.default_blueprint_key),
                   'inputs', json(g.default_inputs), 'creation_counter', g.creation_counter)
               from deployment_groups g where g.key = ?1";
    let found = db.first_json(sql, params![group.0.key]).await?;
    found.ok_or_else(|| Error::not_found(DEPLOYMENT_GROUPS.name, &group.0.id))
}

/// Remembers how many numbers were given out.
pub async fn count_up(tx: &impl Tx, group: &DeploymentGroup, next: i64) -> Result<()> {
    let sql = "update deployment_groups set creation_counter = ?2 where key = ?1";
    tx.execute(sql, params![group.0.key, next]).await
}

/// Deletes a group; its members stay.
pub async fn delete(tx: &impl Tx, scope: &Scope, group: &DeploymentGroup) -> Result<()> {
    resource::delete(tx, scope, group, Permission::DeploymentGroupDelete).await
}

#[cfg(test)]
mod tests;
