//! Executions that have ended are cleared away, with all that belongs to them.

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::ListQuery;
use windlass_core::{Result, Scope, Timestamp};

use super::{EXECUTIONS, Status};
use crate::pieces::batches;

/// Which of the ended executions that match a query are to be removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// All of them.
    #[default]
    All,
    /// Those made before a moment.
    Before(Timestamp),
    /// All but so many of the most recent ones.
    AllBut(u64),
}

/// What a removal has to know of an execution.
#[derive(Deserialize)]
struct Ended {
    id: String,
    tenant_name: String,
    deployment_id: Option<String>,
    workflow_id: String,
    status: Status,
    created_at: Timestamp,
}

impl Ended {
    /// The deployment that this execution made.
    fn created_deployment(&self) -> Option<(&str, &str)> {
        let created = self.workflow_id == "create_deployment_environment"
            && self.status == Status::Terminated;
        let deployment = self.deployment_id.as_deref()?;
        created.then_some((self.tenant_name.as_str(), deployment))
    }
}

/// Removes ended executions with their graphs, operations and events, and answers how many. The events go
/// by a trigger.
///
/// A deployment's last successful creation stays: it is how a deployment knows that it is ready.
/// Global executions of other tenants are visible, but not removed.
pub async fn delete(
    tx: &impl Tx,
    scope: &Scope,
    query: &ListQuery,
    removal: Removal,
) -> Result<usize> {
    let ended = ended(tx, scope, query).await?;
    let ids = removable(&ended, removal);
    if ids.is_empty() {
        return Ok(0);
    }
    for batch in batches(&ids) {
        let names = Value::from(batch?);
        for sql in [
            "update deployments set latest_execution = null
             where latest_execution in (select value from json_each(?1))",
            "delete from executions where id in (select value from json_each(?1))",
        ] {
            tx.execute(sql, std::slice::from_ref(&names)).await?;
        }
    }
    crate::audit::insert_each(tx, scope, "execution_delete", "Execution", &ids).await?;
    Ok(ids.len())
}

/// The ended executions of the caller's tenants that match, oldest first.
async fn ended(db: &impl Db, scope: &Scope, query: &ListQuery) -> Result<Vec<Ended>> {
    let mut query = ListQuery {
        conditions: query.conditions.clone(),
        ..ListQuery::everything()
    };
    query.include = EXECUTIONS.parse_include(Some(
        "id,tenant_name,deployment_id,workflow_id,status,created_at",
    ))?;
    let own = match scope.reach() {
        Reach::Everywhere => None,
        Reach::Nowhere => Some(Vec::new()),
        Reach::Tenant(name) => Some(vec![name.clone()]),
        Reach::Tenants(names) => Some(names.clone()),
    };
    if let Some(names) = own {
        let names = Value::from(&serde_json::Value::from(names));
        query.and(
            "t.tenant_name in (select value from json_each({}))",
            [names],
        );
    }
    let ended = Status::sql_list(Status::has_ended);
    query.and(format!("t.status in {ended}"), []);
    EXECUTIONS.page(db, scope, &query).await?.parse()
}

/// The ids that a removal takes of these, which are in the order of their creation.
fn removable(ended: &[Ended], removal: Removal) -> Vec<&str> {
    let mut last_creation = BTreeMap::new();
    for execution in ended {
        if let Some(deployment) = execution.created_deployment() {
            last_creation.insert(deployment, execution.id.as_str());
        }
    }
    let stays = |execution: &&Ended| {
        let deployment = execution.created_deployment();
        deployment.is_some_and(|name| last_creation.get(&name) == Some(&execution.id.as_str()))
    };
    let taken = match removal {
        Removal::AllBut(kept) => ended
            .len()
            .saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX)),
        Removal::All | Removal::Before(_) => ended.len(),
    };
    ended
        .iter()
        .take(taken)
        .filter(|execution| match removal {
            Removal::Before(moment) => execution.created_at < moment,
            Removal::All | Removal::AllBut(_) => true,
        })
        .filter(|execution| !stays(execution))
        .map(|execution| execution.id.as_str())
        .collect()
}
