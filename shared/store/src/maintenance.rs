//! Maintenance mode: operators ask for quiet, what runs is let run to its end, and then hardly anything is
//! answered until they say that it is over.
//!
//! The word is kept with the version of identity, where every request reads it; whoever looks at the mode
//! while it is activating and finds that nothing runs any more moves it on.

use crate::audit;
use crate::executions::Status as ExecutionStatus;
use crate::queue::{self, Work};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Permission, Result, Scope, Timestamp, params};

windlass_core::named_enum! {
    /// How far it is.
    #[derive(Default)]
    pub enum Mode {
        /// Everything is answered.
        #[default]
        Deactivated = "deactivated",
        /// What runs goes on, and nothing new begins.
        Activating = "activating",
        /// Nothing runs, and hardly anything is answered.
        Activated = "activated",
    }
}

/// The mode as clients read it: what is not known is an empty text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// How far it is.
    pub status: Mode,
    /// When it was asked for.
    pub activation_requested_at: String,
    /// When everything had ended.
    pub activated_at: String,
    /// What still runs; null unless it is activating.
    pub remaining_executions: Value,
    /// Who asked for it.
    pub requested_by: String,
}

/// How many executions are named that still run.
const NAMED: i64 = 1000;

/// The mode at this moment.
pub async fn state(db: &impl Db, _scope: &Scope) -> Result<State> {
    let sql = format!(
        "select json_object('status', v.maintenance,
             'activation_requested_at', coalesce(m.activation_requested_at, ''),
             'activated_at', coalesce(m.activated_at, ''),
             'requested_by', coalesce(m.requested_by, ''),
             'remaining_executions', json(iif(v.maintenance = 'activating', (
                 select json_group_array(json_object('id', id, 'status', status,
                     'deployment_id', deployment_id, 'workflow_id', workflow_id)) from (
                     select id, status, deployment_id, workflow_id from executions
                     where status in {} order by key limit ?1)), 'null')))
         from identity_version v, maintenance m",
        ExecutionStatus::sql_list(ExecutionStatus::is_active)
    );
    let state = db.first_json(&sql, params![NAMED]).await?;
    Ok(state.unwrap_or_default())
}

/// The same; where everything has ended in the meantime, it is activated from now on.
pub async fn look(db: &impl Db, scope: &Scope) -> Result<State> {
    let now = state(db, scope).await?;
    let is_quiet = now
        .remaining_executions
        .as_array()
        .is_some_and(Vec::is_empty);
    if now.status != Mode::Activating || !is_quiet {
        return Ok(now);
    }
    db.transaction(async |tx| {
        let now = state(tx, scope).await?;
        let is_quiet = now
            .remaining_executions
            .as_array()
            .is_some_and(Vec::is_empty);
        if now.status == Mode::Activating && is_quiet {
            set(tx, Mode::Activated).await?;
            let sql = "update maintenance set activated_at = ?1";
            tx.execute(sql, params![Timestamp::now()]).await?;
        }
        state(tx, scope).await
    })
    .await
}

/// Asks for it. Answers whether that changed anything.
pub async fn activate(tx: &impl Tx, scope: &Scope) -> Result<bool> {
    if state(tx, scope).await?.status != Mode::Deactivated {
        return Ok(false);
    }
    set(tx, Mode::Activating).await?;
    tx.execute(
        "update maintenance set activation_requested_at = ?1, activated_at = null, requested_by = ?2",
        params![Timestamp::now(), scope.username()],
    )
    .await?;
    record(tx, scope, "activate").await?;
    Ok(true)
}

/// Ends it. Answers whether that changed anything.
pub async fn deactivate(tx: &impl Tx, scope: &Scope) -> Result<bool> {
    if state(tx, scope).await?.status == Mode::Deactivated {
        return Ok(false);
    }
    set(tx, Mode::Deactivated).await?;
    let sql = "update maintenance set activation_requested_at = null, activated_at = null,
                   requested_by = null";
    tx.execute(sql, &[]).await?;
    record(tx, scope, "deactivate").await?;
    wake_queued(tx).await?;
    Ok(true)
}

/// Has the engine look at the oldest execution that was queued in the meantime: it starts as many as may.
async fn wake_queued(tx: &impl Tx) -> Result<()> {
    let sql = "select id from executions where status = 'queued' order by key limit 1";
    let Some(row) = tx.first(sql, &[]).await? else {
        return Ok(());
    };
    let now = Timestamp::now();
    queue::push(tx, Work::Execution, row.text(0)?, &Value::Null, now, now).await
}

/// Whether nothing new may begin: what waits for others stays where it is.
pub async fn is_under_way(db: &impl Db) -> Result<bool> {
    let sql = "select 1 from identity_version where maintenance <> 'deactivated'";
    Ok(db.first(sql, &[]).await?.is_some())
}

async fn set(tx: &impl Tx, mode: Mode) -> Result<()> {
    tx.execute(
        "update identity_version set maintenance = ?1",
        params![mode],
    )
    .await
}

async fn record(tx: &impl Tx, scope: &Scope, what: &str) -> Result<()> {
    let action = Permission::MaintenanceModeSet.name();
    audit::insert(tx, scope, action, "MaintenanceMode", what).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use windlass_core::db::NativeDb;

    async fn turn(db: &NativeDb, scope: &Scope, on: bool) -> bool {
        db.transaction(async |tx| match on {
            true => activate(tx, scope).await,
            false => deactivate(tx, scope).await,
        })
        .await
        .unwrap()
    }

    #[test]
    fn what_runs_is_let_run_to_its_end() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("admin", "");
            assert_eq!(look(&db, &scope).await.unwrap(), State::default());
            assert!(!turn(&db, &scope, false).await);
            db.execute(
                "insert into executions (id, tenant_name, created_by, visibility, created_at,
                     workflow_id, status)
                 values ('e', 'default_tenant', 'a', 'tenant', '', 'install', 'started'),
                     ('f', 'default_tenant', 'a', 'tenant', '', 'install', 'queued')",
                &[],
            )
            .await
            .unwrap();
            assert!(turn(&db, &scope, true).await && !turn(&db, &scope, true).await);
            let activating = look(&db, &scope).await.unwrap();
            assert_eq!(activating.status, Mode::Activating);
            let remaining = json!([{ "id": "e", "status": "started", "deployment_id": null, "workflow_id": "install" }]);
            assert_eq!(activating.remaining_executions, remaining);
            assert_eq!(
                (
                    activating.requested_by.as_str(),
                    activating.activated_at.as_str()
                ),
                ("admin", "")
            );
            assert!(is_under_way(&db).await.unwrap());
            let ended = "update executions set status = 'terminated' where id = 'e'";
            db.execute(ended, &[]).await.unwrap();
            let activated = look(&db, &scope).await.unwrap();
            assert_eq!(activated.status, Mode::Activated);
            assert!(
                activated.activated_at.ends_with('Z') && activated.remaining_executions.is_null()
            );
            assert!(turn(&db, &scope, false).await);
            assert_eq!(look(&db, &scope).await.unwrap(), State::default());
            assert!(!is_under_way(&db).await.unwrap());
            let queued = "select subject from queue where kind = 'execution'";
            let queued = db.first(queued, &[]).await.unwrap().unwrap();
            assert_eq!(queued.text(0).unwrap(), "f", "it may start now");
        });
    }
}
