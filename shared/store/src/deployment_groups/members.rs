//! Which deployments are in a group.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use windlass_core::db::{Db, Tx};
use windlass_core::limits::PIECE;
use windlass_core::list::{ListQuery, Statement};
use windlass_core::{Error, Result, Scope, params};

use super::{DEPLOYMENT_GROUPS, DeploymentGroup};
use crate::deployments::{self, Owner};
use crate::filters::selection;
use crate::filters::{Rule, Target};
use crate::pieces::{self, batches};
use crate::resource::{self, TenantRow};

/// How many members a group may have. Their ids are one value of an answer.
pub const MEMBERS: i64 = 10_000;

/// Deployments by their ids, which the caller may put into groups of their tenant. Each once.
///
/// # Errors
/// 404 for the first that there is none of; 400 for a global one of another tenant.
pub async fn find_deployments(db: &impl Db, scope: &Scope, ids: &[String]) -> Result<Vec<i64>> {
    #[derive(Deserialize)]
    struct Known {
        key: i64,
        id: String,
    }
    let sql = format!(
        "select json_object('key', d.key, 'id', d.id) as item from json_each(?4) given
         cross join deployments d on d.tenant_name = ?1 and d.id = given.value
         where {} group by d.key",
        Scope::own("d")
    );
    let mut known: Vec<Known> = Vec::new();
    for batch in batches(ids) {
        known.extend(pieces::read::<Known>(db, &sql, &scope.with(&[batch?.into()])).await?);
    }
    let names: std::collections::HashSet<&str> = known.iter().map(|one| one.id.as_str()).collect();
    if let Some(id) = ids.iter().find(|id| !names.contains(id.as_str())) {
        deployments::find_own(db, scope, id).await?;
    }
    let mut keys: Vec<i64> = known.iter().map(|one| one.key).collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// The deployments of the caller's tenant that rules select, as far as the caller may see them. One more than a
/// group may have, at most.
pub async fn select(db: &impl Db, scope: &Scope, rules: &[Rule]) -> Result<Vec<i64>> {
    let mut query = ListQuery::everything();
    selection::apply(db, Target::Deployments, rules, &mut query).await?;
    let mut statement = Statement::under(scope);
    let conditions = statement.conditions(&query);
    let among = match query.among.take() {
        Some(keys) => format!(
            " and t.key in (select value from json_each({}))",
            statement.parameter(keys)
        ),
        None => String::new(),
    };
    let sql = format!(
        "select t.key as item from deployments t where {}{conditions}{among} order by t.key limit {}",
        Scope::own("t"),
        MEMBERS + 1
    );
    pieces::read(db, &sql, &statement.parameters).await
}

/// The rows of a group's members, as far as the caller may see them.
pub async fn members(db: &impl Db, scope: &Scope, group: &DeploymentGroup) -> Result<Vec<i64>> {
    let sql = format!(
        "select d.key as item from deployment_group_members m
         cross join deployments d on d.key = m.deployment_key
         where m.group_key = ?4 and {} order by d.key",
        Scope::visible("d")
    );
    pieces::read(db, &sql, &scope.with(params![group.head().key])).await
}

/// The members of a group as functions see it: their ids. None for a group that the scope does not see.
pub async fn members_of(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Vec<String>>> {
    let group: DeploymentGroup = match resource::find(db, scope, id).await {
        Ok(group) => group,
        Err(error) if error.kind() == windlass_core::Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let sql = format!(
        "select json_quote(d.id) as item from deployment_group_members m
         cross join deployments d on d.key = m.deployment_key
         where m.group_key = ?4 and {} order by d.key",
        Scope::visible("d")
    );
    let ids = pieces::read(db, &sql, &scope.with(params![group.head().key])).await?;
    Ok(Some(ids))
}

/// Makes deployments members; answers those that were none before.
async fn add(tx: &impl Tx, group: &DeploymentGroup, deployments: &[i64]) -> Result<Vec<i64>> {
    let mut added = Vec::new();
    for batch in batches(deployments) {
        let rows = tx
            .query(
                "insert or ignore into deployment_group_members (group_key, deployment_key)
                 select ?1, value from json_each(?2) where true returning deployment_key",
                params![group.head().key, batch?],
            )
            .await?;
        for row in &rows {
            added.push(row.integer(0)?);
        }
    }
    Ok(added)
}

/// Makes deployments members, with the labels that members have.
///
/// # Errors
/// 404 and 409 for parents among the labels that they cannot have.
pub async fn join(
    tx: &impl Tx,
    scope: &Scope,
    group: &DeploymentGroup,
    deployments: &[i64],
) -> Result<()> {
    let added = add(tx, group, deployments).await?;
    let given = super::find_labels(tx, group).await?;
    super::labels::add_labels(tx, scope, &added, &given).await
}

/// Whether a group may have one more member.
pub async fn has_room(db: &impl Db, group: &DeploymentGroup) -> Result<bool> {
    let sql = "select count(*) from deployment_group_members where group_key = ?1";
    let row = db.first(sql, params![group.head().key]).await?;
    Ok(row.map_or(Ok(0), |row| row.integer(0))? < MEMBERS)
}

/// Refuses a group that became too large.
///
/// # Errors
/// 400.
pub async fn demand_room(tx: &impl Tx, group: &DeploymentGroup) -> Result<()> {
    let sql = "select count(*), coalesce(sum(octet_length(d.id) + 3), 0)
               from deployment_group_members m cross join deployments d on d.key = m.deployment_key
               where m.group_key = ?1";
    let row = tx.first(sql, params![group.head().key]).await?;
    let row = row.ok_or_else(|| Error::internal("a count answers a row"))?;
    let (count, bytes) = (row.integer(0)?, row.integer(1)?);
    if count <= MEMBERS && bytes <= PIECE {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "A deployment group can have at most {MEMBERS} deployments, whose ids have at most {PIECE} bytes: \
         `{}` would have {count} with {bytes}",
        group.head().id
    )))
}

/// Takes deployments out of a group. Those that are no members are no error.
pub async fn remove(tx: &impl Tx, group: &DeploymentGroup, deployments: &[i64]) -> Result<()> {
    let sql = "delete from deployment_group_members
               where group_key = ?1 and deployment_key in (select value from json_each(?2))";
    for batch in batches(deployments) {
        tx.execute(sql, params![group.head().key, batch?]).await?;
    }
    Ok(())
}

/// Takes all deployments out of a group.
pub async fn clear(tx: &impl Tx, group: &DeploymentGroup) -> Result<()> {
    let sql = "delete from deployment_group_members where group_key = ?1";
    tx.execute(sql, params![group.head().key]).await
}

/// Keeps only the members of a group in a list of deployments.
///
/// # Errors
/// 404 for a group that the caller does not see.
pub async fn only_members(
    db: &impl Db,
    scope: &Scope,
    query: &mut ListQuery,
    id: &str,
) -> Result<()> {
    let sql = format!(
        "select json_group_array(key) from deployment_groups where {} and id = ?4",
        Scope::VISIBLE
    );
    let found: Option<Vec<i64>> = db.first_json(&sql, &scope.with(&[id.into()])).await?;
    let keys = found.unwrap_or_default();
    if keys.is_empty() {
        return Err(Error::not_found(DEPLOYMENT_GROUPS.name, id));
    }
    query.and(
        "t.key in (select m.deployment_key from json_each({}) g
             cross join deployment_group_members m on m.group_key = g.value)",
        [(&json!(keys)).into()],
    );
    Ok(())
}

/// Those of the deployments that have one of these as a parent, or are it.
pub(super) async fn parents_of(db: &impl Db, deployments: &[i64]) -> Result<Vec<Owner>> {
    let mut all: Vec<Owner> = Vec::new();
    for batch in batches(deployments) {
        let sql = "select json_object('key', p.key, 'id', p.id, 'tenant_name', p.tenant_name,
                       'created_by', p.created_by, 'visibility', p.visibility) as item
                   from json_each(?1) given
                   cross join deployments d on d.key = given.value
                   cross join deployment_labels l on l.deployment_key = d.key and l.key = 'csys-obj-parent'
                   cross join deployments p on p.tenant_name = d.tenant_name and p.id = l.value
                   group by p.key";
        let batch: Json = serde_json::from_str(&batch?).map_err(Error::internal)?;
        for parent in pieces::read::<Owner>(db, sql, params![&batch]).await? {
            if all.iter().all(|known| known.key != parent.key) {
                all.push(parent);
            }
        }
    }
    Ok(all)
}
