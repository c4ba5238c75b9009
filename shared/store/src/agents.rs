//! Agents: what runs on the hosts of deployments and carries out their operations.
//!
//! An agent is made by whoever installs it and tells its own state; no state follows from another, so
//! any may be told. It belongs to a node instance and goes with it.

use crate::counts;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::Deserialize;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, ListQuery, Resource, Search, concat};
use windlass_core::{Error, Permission, Result, Scope, Timestamp, params};

static FIELDS: [Field; 21] = concat(
    &[
        Field::text("name", "t.name"),
        // Clients of the list know an agent by its instance.
        Field::text("id", "t.node_instance_id"),
        Field::text(
            "host_id",
            "(select coalesce(i.host_id, i.id) from node_instances i where i.key = t.node_instance_key)",
        ),
        Field::text("node_instance_id", "t.node_instance_id"),
        Field::text("node", "t.node_id"),
        Field::text("deployment", "t.deployment_id"),
        Field::text("deployment_id", "t.deployment_id"),
        Field::text("ip", "t.ip"),
        Field::text("system", "t.system"),
        Field::text("version", "t.version"),
        Field::text("install_method", "t.install_method"),
        // What documents of the original call it.
        Field::text("install_methods", "t.install_method"),
        Field::text("state", "t.state"),
        Field::text("rabbitmq_exchange", "t.rabbitmq_exchange"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
    ],
    &COMMON,
);

static DETAILED: [Field; 23] = concat(
    &FIELDS,
    &[
        Field::text("rabbitmq_username", "t.rabbitmq_username"),
        // There is no broker, so nobody needs it and it is not kept.
        Field::text("rabbitmq_password", "null"),
    ],
);

/// Agents as lists show them.
pub static AGENTS: Resource = Resource {
    name: "Agent",
    table: "agents t",
    fields: &FIELDS,
    search: Some(Search::scan("t.name")),
    of_tenant: true,
    counts: &[&counts::AGENTS],
};

/// An agent with its account at the broker.
pub static DETAILED_AGENTS: Resource = Resource {
    fields: &DETAILED,
    ..AGENTS
};

windlass_core::named_enum! {
    /// What an agent says about itself.
    pub enum State {
        /// It is being installed.
        Creating = "creating",
        /// It is there.
        Created = "created",
        /// It is being told where its manager is.
        Configuring = "configuring",
        /// It knows.
        Configured = "configured",
        /// Its process begins.
        Starting = "starting",
        /// It works.
        Started = "started",
        /// Its process ends.
        Stopping = "stopping",
        /// It does nothing.
        Stopped = "stopped",
        /// It is being removed.
        Deleting = "deleting",
        /// It is gone.
        Deleted = "deleted",
        /// Its process begins anew.
        Restarting = "restarting",
        /// It has.
        Restarted = "restarted",
        /// It is being replaced by a newer version.
        Upgrading = "upgrading",
        /// It was.
        Upgraded = "upgraded",
        /// It could not be installed.
        Failed = "failed",
        /// It does not answer.
        Nonresponsive = "nonresponsive",
        /// It came with a snapshot.
        Restored = "restored",
    }
}

impl State {
    /// The state of this word.
    ///
    /// # Errors
    /// 400 for a word that is none.
    pub fn read(word: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|state| state.name() == word);
        known
            .copied()
            .ok_or_else(|| Error::bad_parameters(format!("Invalid agent state: `{word}`.")))
    }
}

/// An agent's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Agent(Head);

impl TenantRow for Agent {
    const RESOURCE: &'static Resource = &AGENTS;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// What is reported about an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its address.
    pub ip: Option<String>,
    /// How it was installed.
    pub install_method: Option<String>,
    /// The system it runs on.
    pub system: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its account at the broker.
    pub rabbitmq_username: Option<String>,
    /// Where it listens at the broker.
    pub rabbitmq_exchange: Option<String>,
}

/// The instance that an agent belongs to.
#[derive(Deserialize)]
struct Instance {
    key: i64,
    node_id: String,
    deployment_id: String,
}

/// Whether the tenant has an agent of this name.
pub async fn exists(db: &impl Db, scope: &Scope, name: &str) -> Result<bool> {
    let sql = "select 1 from agents where tenant_name = ?1 and name = ?2";
    let found = db.first(sql, params![scope.tenant(), name]).await?;
    Ok(found.is_some())
}

/// A node instance of the caller's tenant that the caller sees.
async fn instance(db: &impl Db, scope: &Scope, id: &str) -> Result<Instance> {
    let sql = format!(
        "select json_object('key', i.key, 'node_id', i.node_id, 'deployment_id', i.deployment_id)
         from node_instances i where i.id = ?4 and {}",
        Scope::own("i")
    );
    let found = db.first_json(&sql, &scope.with(params![id])).await?;
    found.ok_or_else(|| Error::not_found("NodeInstance", id))
}

/// Refuses a node instance that the caller does not see.
///
/// # Errors
/// 404.
pub async fn demand_instance(db: &impl Db, scope: &Scope, id: &str) -> Result<()> {
    instance(db, scope, id).await.map(drop)
}

/// Stores a new agent of a node instance of the caller's tenant.
///
/// # Errors
/// 404 for an instance that is not there; see [`resource::insert`].
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    node_instance_id: &str,
    state: State,
    report: &Report,
) -> Result<()> {
    let instance = instance(tx, scope, node_instance_id).await?;
    let columns = [
        ("node_instance_key", instance.key.into()),
        ("node_instance_id", node_instance_id.into()),
        ("node_id", instance.node_id.into()),
        ("deployment_id", instance.deployment_id.into()),
        ("state", state.name().into()),
        ("ip", report.ip.as_deref().into()),
        ("install_method", report.install_method.as_deref().into()),
        ("system", report.system.as_deref().into()),
        ("version", report.version.as_deref().into()),
        (
            "rabbitmq_username",
            report.rabbitmq_username.as_deref().into(),
        ),
        (
            "rabbitmq_exchange",
            report.rabbitmq_exchange.as_deref().into(),
        ),
    ];
    resource::insert::<Agent>(tx, scope, new, &columns, Permission::AgentCreate).await
}

/// Saves what an agent says about itself; what it does not say stays.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    agent: &Agent,
    state: Option<State>,
    report: &Report,
) -> Result<()> {
    let mut columns = vec![("updated_at", Timestamp::now().into())];
    if let Some(state) = state {
        columns.push(("state", state.name().into()));
    }
    for (column, value) in [("system", &report.system), ("version", &report.version)] {
        if let Some(value) = value {
            columns.push((column, value.as_str().into()));
        }
    }
    resource::save(tx, scope, agent, None, &columns, Permission::AgentUpdate).await
}

/// Narrows a list to some of the values of a column, which is none of the fields by that name.
pub fn narrow(query: &mut ListQuery, by: Narrowing, values: &[&str]) {
    if values.is_empty() {
        return;
    }
    let condition = match values {
        [_] => format!("{} = {{}}", by.column()),
        several => format!(
            "{} in ({})",
            by.column(),
            vec!["{}"; several.len()].join(", ")
        ),
    };
    let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
    query.and(condition, values);
}

/// What lists of agents are narrowed by under names of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// `node_ids`.
    Nodes,
    /// `node_instance_ids`.
    NodeInstances,
}

impl Narrowing {
    const fn column(self) -> &'static str {
        match self {
            Self::Nodes => "t.node_id",
            Self::NodeInstances => "t.node_instance_id",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::Request;
    use windlass_core::http::Method;

    #[test]
    fn lists_and_lookups_of_agents_follow_indexes() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("ann", "harbour");
            for (text, by, index) in [
                ("", None, "agents_by_tenant"),
                ("_sort=created_at", None, "agents_by_creation"),
                ("deployment_id=crane", None, "agents_by_deployment"),
                ("", Some(Narrowing::Nodes), "agents_by_node"),
                ("", Some(Narrowing::NodeInstances), "agents_by_instance"),
            ] {
                let request = Request::new(Method::GET, &format!("/agents?{text}"));
                let mut query = ListQuery::parse(&AGENTS, &request, &[]).unwrap();
                if let Some(by) = by {
                    narrow(&mut query, by, &["a"]);
                }
                let statement = AGENTS.page_statement(&scope, &query);
                let plan = db.plan(&statement.sql, &statement.parameters).await;
                let plan = plan.unwrap().join("\n");
                assert!(plan.contains(index), "{text} {by:?}: {plan}");
            }
            let one = AGENTS.named_statement(&scope, None, "arm");
            let plan = db.plan(&one.sql, &one.parameters).await.unwrap();
            assert!(plan.join("\n").contains("agents_by_name"), "{plan:?}");
        });
    }

    #[test]
    fn a_state_is_one_of_the_words() {
        assert_eq!(State::read("nonresponsive").unwrap(), State::Nonresponsive);
        let refusal = State::read("asleep").unwrap_err();
        assert_eq!(refusal.message(), "Invalid agent state: `asleep`.");
    }
}
