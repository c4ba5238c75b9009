//! The labels of a group, which are labels of its members too.
//!
//! Members get them when they become ones and when the group gets them; they lose them with the group,
//! not when they leave it.

use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, Timestamp, params};

use super::DeploymentGroup;
use super::members::parents_of;
use crate::deployments::{self, Owner};
use crate::executions::deployment_status;
use crate::labels::{self, Label, Labelled, OBJECT_PARENT};
use crate::pieces::{self, batches};
use crate::resource::TenantRow;

/// What deployments count as for those above them.
const OBJECT_TYPE: &str = "csys-obj-type";

fn labelled(group: &DeploymentGroup) -> Labelled {
    Labelled::group(group.head().key)
}

/// The labels of a group, by key and value.
pub async fn find_labels(db: &impl Db, group: &DeploymentGroup) -> Result<Vec<Label>> {
    labels::find(db, labelled(group)).await
}

/// Makes these the labels of a group. Its members get those that are new and lose those that are gone.
///
/// # Errors
/// 404 and 409 for parents that members cannot have.
pub async fn replace_labels(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    given: &[Label],
    members: &[i64],
) -> Result<()> {
    let before = find_labels(tx, group).await?;
    let only = |of: &[Label], not: &[Label]| -> Vec<Label> {
        let left = of.iter().filter(|label| !not.contains(label));
        left.cloned().collect()
    };
    labels::replace(tx, scope, labelled(group), given).await?;
    remove_labels(tx, members, &only(&before, given)).await?;
    add_labels(tx, scope, members, &only(given, &before)).await
}

/// Gives labels to deployments. New parents come to know them.
///
/// # Errors
/// 404 and 409 for parents that they cannot have.
pub async fn add_labels(
    tx: &impl Tx,
    scope: &Scope,
    members: &[i64],
    labels: &[Label],
) -> Result<()> {
    if labels.is_empty() || members.is_empty() {
        return Ok(());
    }
    let parents: Vec<&str> = deployments::parent_ids(labels).collect();
    if !parents.is_empty() {
        for member in owners(tx, members).await? {
            let found = deployments::find_parents(tx, scope, &member.id, &parents).await?;
            deployments::link_parents(tx, scope, &member.id, &found).await?;
        }
    }
    let sql = "insert or ignore into deployment_labels (deployment_key, key, value, created_at, created_by)
               select m.value, l.value ->> '$.key', l.value ->> '$.value', ?3, ?4
               from json_each(?1) m, json_each(?2) l";
    let given = crate::json_text(labels)?;
    for batch in batches(members) {
        let values = params![batch?, given.as_str(), Timestamp::now(), scope.username()];
        tx.execute(sql, values).await?;
    }
    tell_parents(tx, members, labels).await
}

/// Takes labels from deployments. Those that do not have them are no error.
pub async fn remove_labels(tx: &impl Tx, members: &[i64], labels: &[Label]) -> Result<()> {
    if labels.is_empty() || members.is_empty() {
        return Ok(());
    }
    let above = parents_of(tx, members).await?;
    let sql = "delete from deployment_labels
               where deployment_key in (select value from json_each(?1)) and (key, value) in
                   (select value ->> '$.key', value ->> '$.value' from json_each(?2))";
    let given = crate::json_text(labels)?;
    for batch in batches(members) {
        tx.execute(sql, params![batch?, given.as_str()]).await?;
    }
    let parents: Vec<&str> = deployments::parent_ids(labels).collect();
    if !parents.is_empty() {
        for member in owners(tx, members).await? {
            deployments::unlink_parents(tx, &member, &parents).await?;
        }
    }
    if concerns_parents(labels) {
        for parent in above {
            deployment_status::recompute(tx, &parent).await?;
        }
    }
    Ok(())
}

fn concerns_parents(labels: &[Label]) -> bool {
    let mut keys = labels.iter().map(|label| label.key.as_str());
    keys.any(|key| key == OBJECT_PARENT || key == OBJECT_TYPE)
}

/// Parents count what is below them.
async fn tell_parents(tx: &impl Tx, members: &[i64], labels: &[Label]) -> Result<()> {
    if concerns_parents(labels) {
        for parent in parents_of(tx, members).await? {
            deployment_status::recompute(tx, &parent).await?;
        }
    }
    Ok(())
}

async fn owners(db: &impl Db, members: &[i64]) -> Result<Vec<Owner>> {
    let sql = "select json_object('key', d.key, 'id', d.id, 'tenant_name', d.tenant_name,
                   'created_by', d.created_by, 'visibility', d.visibility) as item
               from json_each(?1) given cross join deployments d on d.key = given.value";
    let mut all = Vec::new();
    for batch in batches(members) {
        all.extend(pieces::read::<Owner>(db, sql, params![batch?]).await?);
    }
    Ok(all)
}
