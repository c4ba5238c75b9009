//! Which deployments belong together: parents, children, and who uses whom.
//!
//! A child's `csys-obj-parent` label names its parent, and the parent's `csys-consumer-id` label
//! the child. Users write the first kind, the server the second.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::list::ListQuery;
use windlass_core::{Error, Kind, Result, Scope, params};

use crate::labels::{self, CONSUMER_ID, LabelOwner, OBJECT_PARENT};

/// The children of a deployment: rows and ids.
pub async fn children(db: &impl Db, tenant: &str, id: &str) -> Result<Vec<(i64, String)>> {
    let rows = db
        .query(
            "select c.key, c.id from deployment_labels l
             cross join deployments c on c.key = l.deployment_key
             where l.key = 'csys-obj-parent' and l.value = ?2 and c.tenant_name = ?1
             order by c.key",
            params![tenant, id],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.integer(0)?, row.text(1)?.to_owned())))
        .collect()
}

/// Whether the deployment `id` is below `ancestor`, or is it.
pub async fn is_below(db: &impl Db, tenant: &str, id: &str, ancestor: &str) -> Result<bool> {
    let row = db
        .first(
            "with recursive above (id) as (
                 select ?2 union
                 select l.value from above a
                 cross join deployments d on d.tenant_name = ?1 and d.id = a.id
                 cross join deployment_labels l
                     on l.deployment_key = d.key and l.key = 'csys-obj-parent')
             select 1 from above where id = ?3",
            params![tenant, id, ancestor],
        )
        .await?;
    Ok(row.is_some())
}

/// The parents that labels name.
pub fn parent_ids(labels: &[(String, String)]) -> impl Iterator<Item = &str> {
    labels
        .iter()
        .filter(|(key, _)| key == OBJECT_PARENT)
        .map(|(_, value)| value.as_str())
}

/// The rows of the parents that a deployment is to get.
///
/// # Errors
/// 404 for those that do not exist, 409 for one that is the deployment itself or below it.
pub async fn find_parents(
    db: &impl Db,
    tenant: &str,
    child: &str,
    parents: &[&str],
) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for parent in parents {
        let row = db
            .first(
                "select key from deployments where tenant_name = ?1 and id = ?2",
                params![tenant, *parent],
            )
            .await?;
        match row {
            Some(row) => found.push(row.integer(0)?),
            None => missing.push(*parent),
        }
    }
    if !missing.is_empty() {
        let text = format!(
            "Deployment(s) referenced by `csys-obj-parent` not found: {}. Make sure that the \
             deployment(s) exist before creating the label",
            missing.join(",")
        );
        return Err(Error::new(Kind::DeploymentParentNotFound, text));
    }
    for parent in parents {
        if is_below(db, tenant, parent, child).await? {
            let text = format!("cyclic dependency between deployments {child} and {parent}");
            return Err(Error::conflict(text));
        }
    }
    Ok(found)
}

/// The rows of deployments of a tenant, as far as they exist.
pub async fn find_keys(db: &impl Db, tenant: &str, ids: &[&str]) -> Result<Vec<i64>> {
    let rows = db
        .query(
            "select p.key from json_each(?2) given
             cross join deployments p on p.tenant_name = ?1 and p.id = given.value",
            params![tenant, &json!(ids)],
        )
        .await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// Makes a deployment known to parents that were found.
pub async fn link_parents(db: &impl Db, scope: &Scope, child: &str, parents: &[i64]) -> Result<()> {
    let label = [(CONSUMER_ID.to_owned(), child.to_owned())];
    for parent in parents {
        labels::add(db, LabelOwner::Deployment, *parent, &label, scope).await?;
    }
    Ok(())
}

/// Makes a deployment unknown to former parents.
pub async fn unlink_parents(
    db: &impl Db,
    tenant: &str,
    child: &str,
    parents: &[&str],
) -> Result<()> {
    db.execute(
        "delete from deployment_labels where key = 'csys-consumer-id' and value = ?2
             and deployment_key in (select p.key from json_each(?3) given
                 cross join deployments p on p.tenant_name = ?1 and p.id = given.value)",
        params![tenant, child, &json!(parents)],
    )
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

/// Key and value of every label of a deployment, in the order they were given.
pub async fn label_values(db: &impl Db, key: i64) -> Result<Vec<(String, String)>> {
    let rows = db
        .query(
            "select key, value from deployment_labels where deployment_key = ?1
             order by created_at, value",
            params![key],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .collect()
}

/// Ids and display names of the deployments that use one.
pub async fn consumers(db: &impl Db, tenant: &str, key: i64) -> Result<Vec<(String, String)>> {
    let rows = db
        .query(
            "select c.id, c.display_name from deployment_labels l
             cross join deployments c on c.tenant_name = ?1 and c.id = l.value
             where l.deployment_key = ?2 and l.key = 'csys-consumer-id' order by c.id",
            params![tenant, key],
        )
        .await?;
    rows.iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())))
        .collect()
}
