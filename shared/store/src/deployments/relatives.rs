//! Which deployments belong together: parents, children, and who uses whom.
//!
//! A child's `csys-obj-parent` label names its parent, and the parent's `csys-consumer-id` label
//! the child. Users write the first kind, the server the second.

use serde::Deserialize;
use serde_json::json;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::ListQuery;
use windlass_core::{Error, Kind, Result, Scope, params};

use super::Owner;
use super::row::OWNER_RECORD;
use crate::executions::Execution;
use crate::labels::{self, CONSUMER_ID, Label, OBJECT_PARENT};
use crate::pieces;

/// The children of a deployment.
pub async fn children(db: &impl Db, parent: &Owner) -> Result<Vec<Owner>> {
    let sql = format!(
        "select {OWNER_RECORD} as item from (
             select c.* from deployment_labels l
             cross join deployments c on c.key = l.deployment_key
             where l.key = '{OBJECT_PARENT}' and l.value = ?2 and c.tenant_name = ?1
             order by c.key) d"
    );
    pieces::read(db, &sql, params![&parent.tenant_name, &parent.id]).await
}

/// A deployment that uses another one as its environment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// The ids of those beside it that depend on it.
    pub users: Vec<String>,
}

/// The services of an execution's deployment that whoever started it sees, and who of them uses whom.
///
/// # Errors
/// Of the database.
pub async fn services(db: &impl Db, execution: &Execution) -> Result<Vec<Service>> {
    pieces::read(db, &services_sql(), &below_whom(execution)).await
}

/// The rows of all deployments that a recursive workflow takes along: services, and theirs.
///
/// # Errors
/// Of the database.
pub async fn all_services(db: &impl Db, execution: &Execution) -> Result<Vec<i64>> {
    pieces::read(db, &all_services_sql(), &below_whom(execution)).await
}

fn below_whom(execution: &Execution) -> [Value; 4] {
    [
        execution.tenant_name.as_str().into(),
        execution.deployment_id.as_deref().into(),
        execution.created_by.as_str().into(),
        execution.deployment_key.into(),
    ]
}

pub(super) fn services_sql() -> String {
    format!(
        "with services as materialized (
             select c.key, c.id from deployment_labels l
             cross join deployments c on c.key = l.deployment_key
             where l.key = '{OBJECT_PARENT}' and l.value = ?2 and c.tenant_name = ?1 and c.key <> ?4
                 and (c.visibility <> 'private' or c.created_by = ?3))
         select json_object('id', s.id, 'users', (
             select json_group_array(distinct d.source_deployment_id)
             from inter_deployment_dependencies d
             where d.target_key = s.key and d.source_key in (select key from services)
                 and d.source_key <> s.key)) as item
         from services s order by s.key"
    )
}

pub(super) fn all_services_sql() -> String {
    format!(
        "with recursive below (key, id) as (
             select ?4, ?2 union
             select c.key, c.id from below b
             cross join deployment_labels l on l.key = '{OBJECT_PARENT}' and l.value = b.id
             cross join deployments c on c.key = l.deployment_key
             where c.tenant_name = ?1 and (c.visibility <> 'private' or c.created_by = ?3))
         select json_quote(key) as item from below where key <> ?4"
    )
}

/// Whether the deployment `id` is below `ancestor`, or is it.
pub(super) async fn is_below(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    ancestor: &str,
) -> Result<bool> {
    let sql = format!(
        "with recursive above (id) as (
             select ?2 union
             select l.value from above a
             cross join deployments d on d.tenant_name = ?1 and d.id = a.id
             cross join deployment_labels l
                 on l.deployment_key = d.key and l.key = '{OBJECT_PARENT}')
         select 1 from above where id = ?3"
    );
    let row = db
        .first(&sql, params![scope.tenant(), id, ancestor])
        .await?;
    Ok(row.is_some())
}

/// The parents that labels name.
pub fn parent_ids(labels: &[Label]) -> impl Iterator<Item = &str> {
    let parents = labels.iter().filter(|label| label.key == OBJECT_PARENT);
    parents.map(|label| label.value.as_str())
}

/// The parents that a deployment of the scope's tenant is to get, whoever may see them.
///
/// # Errors
/// 404 for those that do not exist, 409 for one that is the deployment itself or below it.
pub async fn find_parents(
    db: &impl Db,
    scope: &Scope,
    child: &str,
    parents: &[&str],
) -> Result<Vec<Owner>> {
    let found = find_existing(db, scope, parents).await?;
    let exists = |id: &&str| found.iter().any(|parent| parent.id == *id);
    let missing: Vec<&str> = parents.iter().copied().filter(|id| !exists(id)).collect();
    if !missing.is_empty() {
        let text = format!(
            "Deployment {child}: is referencing deployments using label `{OBJECT_PARENT}` that does \
             not exist, make sure that deployment(s) {} exist before creating deployment",
            missing.join(",")
        );
        return Err(Error::new(Kind::DeploymentParentNotFound, text));
    }
    for parent in parents {
        if is_below(db, scope, parent, child).await? {
            let text = format!("cyclic dependency between deployments {child} and {parent}");
            return Err(Error::conflict(text));
        }
    }
    Ok(found)
}

/// Those deployments of the scope's tenant that exist, whoever may see them.
pub async fn find_existing(db: &impl Db, scope: &Scope, ids: &[&str]) -> Result<Vec<Owner>> {
    let sql = format!(
        "select {OWNER_RECORD} as item from json_each(?2) given
         cross join deployments d on d.tenant_name = ?1 and d.id = given.value
         order by given.key"
    );
    pieces::read_few(db, &sql, params![scope.tenant(), &json!(ids)]).await
}

/// Makes a deployment known to parents that were found.
pub async fn link_parents(
    tx: &impl Tx,
    scope: &Scope,
    child: &str,
    parents: &[Owner],
) -> Result<()> {
    let label = [Label::new(CONSUMER_ID, child)];
    for parent in parents {
        labels::add(tx, scope, parent, &label).await?;
    }
    Ok(())
}

/// Makes a deployment unknown to former parents, unless it uses them otherwise.
pub async fn unlink_parents(tx: &impl Tx, child: &Owner, parents: &[&str]) -> Result<()> {
    let sql = format!(
        "delete from deployment_labels where key = '{CONSUMER_ID}' and value = ?2
             and deployment_key in (select p.key from json_each(?3) given
                 cross join deployments p on p.tenant_name = ?1 and p.id = given.value)
             and not exists (select 1 from inter_deployment_dependencies i
                 where i.source_key = ?4 and i.target_key = deployment_labels.deployment_key)"
    );
    let values = params![&child.tenant_name, &child.id, &json!(parents), child.key];
    tx.execute(&sql, values).await
}

/// Makes a deployment that is about to go unknown to all that it used.
pub async fn forget_consumer(tx: &impl Tx, consumer: &Owner) -> Result<()> {
    let sql = format!(
        "delete from deployment_labels where key = '{CONSUMER_ID}' and value = ?2
             and deployment_key in (select d.key from deployment_labels l
                 cross join deployments d on d.key = l.deployment_key and d.tenant_name = ?1
                 where l.key = '{CONSUMER_ID}' and l.value = ?2)"
    );
    tx.execute(&sql, params![&consumer.tenant_name, &consumer.id])
        .await
}

/// Keeps only those deployments in a list that `id` depends on, directly or not.
pub fn only_dependencies_of(query: &mut ListQuery, tenant: &str, id: &str) {
    query.and(
        "t.key in (with recursive used (key, id) as (
             select d.key, d.id from deployments d where d.tenant_name = {} and d.id = {}
             union select d.key, d.id from used u
             cross join deployment_labels l on l.key = 'csys-consumer-id' and l.value = u.id
             cross join deployments d on d.key = l.deployment_key and d.tenant_name = {})
             select key from used where id <> {})",
        [tenant.into(), id.into(), tenant.into(), id.into()],
    );
}

/// Leaves out of a list what is a component of another deployment.
pub fn without_components(query: &mut ListQuery) {
    query.and(
        "not exists (select 1 from inter_deployment_dependencies i
             where i.target_key = t.key and i.dependency_creator like 'component.%')",
        [],
    );
}

/// A deployment that uses another, as functions see it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Consumer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub display_name: String,
}

/// The deployments that use one, by id.
pub async fn consumers(db: &impl Db, used: &Owner) -> Result<Vec<Consumer>> {
    let sql = format!(
        "select json_object('id', c.id, 'display_name', c.display_name) as item
         from deployment_labels l
         cross join deployments c on c.tenant_name = ?1 and c.id = l.value
         where l.deployment_key = ?2 and l.key = '{CONSUMER_ID}' order by c.id"
    );
    pieces::read_few(db, &sql, params![&used.tenant_name, used.key]).await
}
