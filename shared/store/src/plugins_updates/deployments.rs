//! The deployments of an update of plugins: which there are, and which have the copy already.

use serde::{Deserialize, Serialize};
use windlass_core::db::{Db, Tx, Value};
use windlass_core::{Result, Scope, params};

use super::Running;
use crate::blueprints::Blueprint;
use crate::executions::Status;
use crate::pieces::batches;

/// Where the update of one deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It was not begun.
    Waiting,
    /// Its execution is under way.
    Started,
    /// The deployment has the copy.
    Successful,
    /// It could not be begun, or its execution failed.
    Failed,
    /// The deployment was deleted, or is of another blueprint by now.
    Skipped,
}

impl MemberState {
    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl From<MemberState> for Value {
    fn from(state: MemberState) -> Self {
        Self::from(state.name())
    }
}

/// A deployment that an update is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMember {
    /// The deployment's row; none in the record of an update that was made elsewhere.
    pub deployment_key: Option<i64>,
    /// Its tenant.
    pub tenant_name: String,
    /// Its id.
    pub deployment_id: String,
}

/// A deployment of an update.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Member {
    /// The row.
    pub key: i64,
    /// The deployment's row; none when it was deleted.
    pub deployment_key: Option<i64>,
    /// The row of the blueprint that it has now.
    pub blueprint_key: Option<i64>,
    /// The deployment's tenant.
    pub tenant_name: String,
    /// Its id.
    pub deployment_id: String,
    /// The execution that updates it, once that was begun.
    pub execution_id: Option<String>,
    /// Where that stands; none when it is gone.
    pub status: Option<Status>,
}

/// The deployments of a blueprint in the scope's tenant that its caller sees.
pub async fn deployments_of(
    db: &impl Db,
    scope: &Scope,
    blueprint: &Blueprint,
) -> Result<Vec<NewMember>> {
    let sql = format!(
        "select json_object('deployment_key', d.key, 'tenant_name', d.tenant_name,
             'deployment_id', d.id) from deployments d
         where d.blueprint_key = ?4 and d.tenant_name = ?1 and {} order by d.id",
        Scope::visible("d")
    );
    db.json_rows(&sql, &scope.with(&[blueprint.key.into()]))
        .await
}

/// The other tenants in which a blueprint has deployments.
pub async fn other_tenants(
    db: &impl Db,
    scope: &Scope,
    blueprint: &Blueprint,
) -> Result<Vec<String>> {
    let sql = "select json_quote(tenant_name) from (
                   select distinct tenant_name from deployments where blueprint_key = ?1)
               where tenant_name <> ?2 order by tenant_name";
    db.json_rows(sql, params![blueprint.key, scope.tenant()])
        .await
}

/// Those that were made from the blueprint since the update began, as the scope's caller sees them.
pub async fn newcomers(db: &impl Db, scope: &Scope, update: &Running) -> Result<Vec<NewMember>> {
    let sql = format!(
        "select json_object('deployment_key', d.key, 'tenant_name', d.tenant_name,
             'deployment_id', d.id) from deployments d
         where d.blueprint_key = ?4 and d.tenant_name = ?1 and {}
           and not exists (select 1 from plugins_update_deployments m
               where m.update_key = ?5 and m.deployment_key = d.key) order by d.id",
        Scope::visible("d")
    );
    let values = scope.with(params![update.blueprint_key, update.key]);
    db.json_rows(&sql, &values).await
}

/// Adds deployments to an update.
pub async fn insert_members(
    tx: &impl Tx,
    update: i64,
    members: &[NewMember],
    state: MemberState,
) -> Result<()> {
    for members in batches(members) {
        tx.execute(
            "insert or ignore into plugins_update_deployments
                 (update_key, deployment_key, tenant_name, deployment_id, state)
             select ?1, value ->> 'deployment_key', value ->> 'tenant_name',
                 value ->> 'deployment_id', ?3 from json_each(?2)",
            params![update, members?, state],
        )
        .await?;
    }
    Ok(())
}

const MEMBER: &str = "json_object('key', m.key, 'deployment_key', m.deployment_key,
    'blueprint_key', d.blueprint_key, 'tenant_name', m.tenant_name,
    'deployment_id', m.deployment_id, 'execution_id', m.execution_id, 'status', e.status)
    from plugins_update_deployments m left join executions e on e.id = m.execution_id
    left join deployments d on d.key = m.deployment_key";

/// The deployment that is being updated.
pub async fn started_member(db: &impl Db, update: &Running) -> Result<Option<Member>> {
    first_in(db, update, MemberState::Started).await
}

/// The deployment that is updated next.
pub async fn next_member(db: &impl Db, update: &Running) -> Result<Option<Member>> {
    first_in(db, update, MemberState::Waiting).await
}

async fn first_in(db: &impl Db, update: &Running, state: MemberState) -> Result<Option<Member>> {
    let sql =
        format!("select {MEMBER} where m.update_key = ?1 and m.state = ?2 order by m.key limit 1");
    db.first_json(&sql, params![update.key, state]).await
}

/// The update of a deployment is under way, by an execution.
pub async fn begin_member(tx: &impl Tx, member: &Member, execution_id: &str) -> Result<()> {
    let sql = "update plugins_update_deployments set state = 'started', execution_id = ?2
               where key = ?1";
    tx.execute(sql, params![member.key, execution_id]).await
}

/// The update of a deployment has ended so.
pub async fn end_member(tx: &impl Tx, member: &Member, state: MemberState) -> Result<()> {
    let sql = "update plugins_update_deployments set state = ?2 where key = ?1";
    tx.execute(sql, params![member.key, state]).await
}

/// Has what failed be tried again.
pub async fn retry_failed(tx: &impl Tx, update: &Running) -> Result<()> {
    let sql = "update plugins_update_deployments set state = 'waiting', execution_id = null
               where update_key = ?1 and state = 'failed'";
    tx.execute(sql, params![update.key]).await
}

/// How many deployments an update has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Progress {
    /// In all.
    pub total: i64,
    /// Those whose update has ended, well or not.
    pub ended: i64,
}

/// How far an update is.
pub async fn progress(db: &impl Db, update: &Running) -> Result<Progress> {
    let sql = "select json_object('total', count(*),
                   'ended', coalesce(sum(state not in ('waiting', 'started')), 0))
               from plugins_update_deployments where update_key = ?1";
    let found = db.first_json(sql, params![update.key]).await?;
    Ok(found.unwrap_or(Progress { total: 0, ended: 0 }))
}

/// The ids of some of the deployments that have no copy although they should, and how many there are.
pub async fn left_behind(db: &impl Db, update: &Running) -> Result<(Vec<String>, i64)> {
    let of = "from plugins_update_deployments m
         where m.update_key = ?1 and m.state not in ('successful', 'skipped')";
    let sql = format!("select json_quote(m.deployment_id) {of} order by m.key limit 20");
    let named = db.json_rows(&sql, params![update.key]).await?;
    let count = db
        .first(&format!("select count(*) {of}"), params![update.key])
        .await?;
    let count = count.map_or(Ok(0), |row| row.integer(0))?;
    Ok((named, count))
}
