//! Executions as clients list, read and clear them away.
//!
//! Starting and running one is the engine's business; here is what an execution looks like from
//! outside, and the removal of those that have ended. Executions of system workflows stay out of
//! lists unless somebody asks for them, as in the original API.

mod transitions;

use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::caller::Reach;
use windlass_core::db::{Db, Value};
use windlass_core::list::{self, COMMON, Field, ListQuery, Resource, concat};
use windlass_core::{Result, Scope, Timestamp, params};

static FIELDS: [Field; 24] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("workflow_id", "t.workflow_id"),
        Field::text("deployment_id", "t.deployment_id"),
        Field::text(
            "deployment_display_name",
            "(select d.display_name from deployments d where d.key = t.deployment_key)",
        ),
        Field::text("blueprint_id", "t.blueprint_id"),
        Field::text("status", "t.status"),
        Field::text(
            "status_display",
            "case t.status when 'terminated' then 'completed' else t.status end",
        ),
        Field::text("error", "t.error"),
        Field::json("parameters", "t.parameters"),
        Field::boolean("is_system_workflow", "t.is_system_workflow"),
        Field::boolean("is_dry_run", "t.is_dry_run"),
        Field::text("created_at", "t.created_at"),
        Field::text("started_at", "t.started_at"),
        Field::text("ended_at", "t.ended_at"),
        Field::text("scheduled_for", "t.scheduled_for"),
        Field::boolean("allow_custom_parameters", "t.allow_custom_parameters"),
        Field::boolean("resume", "t.resume"),
        Field::integer("total_operations", "t.total_operations"),
        Field::integer("finished_operations", "t.finished_operations"),
    ],
    &COMMON,
);

/// Executions as the API shows them.
pub static EXECUTIONS: Resource = Resource {
    name: "Execution",
    table: "executions t",
    fields: &FIELDS,
    search: None,
    of_tenant: true,
};

/// Leaves executions of system workflows out of a list.
pub fn without_system_workflows(query: &mut ListQuery) {
    query.and("t.is_system_workflow = 0", []);
}

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

/// Gives an execution another creator and another time of creation, where they are given.
pub async fn set_origin(
    db: &impl Db,
    key: i64,
    created_by: Option<&str>,
    created_at: Option<Timestamp>,
) -> Result<()> {
    if created_by.is_none() && created_at.is_none() {
        return Ok(());
    }
    db.execute(
        "update executions set created_by = coalesce(?2, created_by),
             created_at = coalesce(?3, created_at) where key = ?1",
        params![key, created_by, created_at],
    )
    .await
}

/// What a removal has to know of an execution.
#[derive(Deserialize)]
struct Ended {
    id: String,
    tenant_name: String,
    deployment_id: Option<String>,
    workflow_id: String,
    status: String,
    created_at: Timestamp,
}

impl Ended {
    /// The deployment that this execution made.
    fn created_deployment(&self) -> Option<(&str, &str)> {
        let created =
            self.workflow_id == "create_deployment_environment" && self.status == "terminated";
        let deployment = self.deployment_id.as_deref()?;
        created.then_some((self.tenant_name.as_str(), deployment))
    }
}

/// Removes ended executions with their graphs, operations and events, and answers how many.
///
/// A deployment's last successful creation stays: it is how a deployment knows that it is ready.
/// Global executions of other tenants are visible, but not removed.
pub async fn delete(
    db: &impl Db,
    scope: &Scope,
    query: &ListQuery,
    removal: Removal,
) -> Result<usize> {
    let ended = ended(db, scope, query).await?;
    let ids = removable(&ended, removal);
    if ids.is_empty() {
        return Ok(0);
    }
    let names = Value::from(&serde_json::Value::from(ids.as_slice()));
    for sql in [
        "delete from events where execution_id in (select value from json_each(?1))",
        "update deployments set latest_execution = null
         where latest_execution in (select value from json_each(?1))",
        "delete from executions where id in (select value from json_each(?1))",
    ] {
        db.execute(sql, std::slice::from_ref(&names)).await?;
    }
    crate::audit::insert_each(db, scope, "execution_delete", "Execution", &ids).await?;
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
    query.and("t.status in ('terminated', 'failed', 'cancelled')", []);
    list::page(db, &EXECUTIONS.page_statement(scope, &query))
        .await?
        .parse()
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

#[cfg(test)]
#[path = "executions_list/tests.rs"]
pub(crate) mod tests;
