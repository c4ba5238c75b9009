//! Agents: what runs on the hosts of deployments and carries out their operations.
//!
//! An agent is made by whoever installs it and tells its own state; no state follows from another, so
//! any may be told. It belongs to a node instance and goes with it. Workers that ask for operations are listed
//! among them, for as long as they do.

use crate::counts;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::Deserialize;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, ListQuery, Resource, Search, concat};
use windlass_core::{Error, Permission, Result, Scope, Timestamp, params};

static FIELDS: [Field; 22] = concat(
    &[
        Field::text("name", "t.name"),
        // Clients of the list know an agent by its instance; a worker has none.
        Field::text("id", "coalesce(t.node_instance_id, t.name)"),
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
        // Where a worker takes operations from.
        Field::json("queues", "t.queues"),
        Field::text("rabbitmq_exchange", "t.rabbitmq_exchange"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
    ],
    &COMMON,
);

static DETAILED: [Field; 24] = concat(
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

/// A worker is written down again when it was last seen so many seconds ago.
const SEEN_EVERY: i64 = 20;
/// A worker that was not seen for so many seconds is gone.
const GONE_AFTER: i64 = 60;

/// Notes that a worker asks for operations of these queues. Mostly a read. One that is called as an agent of the
/// tenant is not listed.
pub async fn see_worker(
    db: &impl Db,
    scope: &Scope,
    (name, queues, version): (&str, &[String], Option<&str>),
    now: Timestamp,
) -> Result<()> {
    let queues = crate::json_text(queues)?;
    let sql = "select 1 from agents where tenant_name = ?1 and name = ?2 and (seen_at is null
                   or seen_at > ?3 and queues = ?4 and version is ?5 and created_by = ?6)";
    let lately = now.plus_seconds(-SEEN_EVERY);
    let (tenant, user) = (scope.tenant(), scope.username());
    let known = params![tenant, name, lately, &queues, version, user];
    if db.first(sql, known).await?.is_some() {
        return Ok(());
    }
    let sql = "insert into agents (name, tenant_name, created_by, visibility, created_at, updated_at, state,
                   install_method, version, queues, seen_at)
               values (?1, ?2, ?3, 'tenant', ?4, ?4, 'started', 'worker', ?5, ?6, ?4)
               on conflict (tenant_name, name) do update set created_by = excluded.created_by,
                   updated_at = excluded.updated_at, state = excluded.state, version = excluded.version,
                   queues = excluded.queues, seen_at = excluded.seen_at
               where seen_at is not null";
    db.execute(sql, params![name, tenant, user, now, version, queues])
        .await
}

/// Notes that a worker waits for an operation of these queues; answers how many do, itself included. Nobody waits
/// for the disk with it, as when it has work: after a failure of the power they ask anew.
pub async fn worker_waits(
    db: &impl Db,
    scope: &Scope,
    (name, queues): (&str, &[String]),
    (now, until): (Timestamp, Timestamp),
) -> Result<i64> {
    let sql = "update agents set waits_until = ?3
               where tenant_name = ?1 and name = ?2 and seen_at is not null";
    db.query_unsynced(sql, params![scope.tenant(), name, until])
        .await?;
    let values = params![scope.tenant(), crate::json_text(queues)?, now];
    let row = db.first(WAITING, values).await?;
    row.map_or(Ok(1), |row| row.integer(0))
}

const WAITING: &str = "select count(*) from agents
    where tenant_name = ?1 and queues = ?2 and waits_until > ?3";

/// Notes that a worker waits no longer.
pub async fn worker_has_work(db: &impl Db, scope: &Scope, name: &str) -> Result<()> {
    let sql = "update agents set waits_until = null
               where tenant_name = ?1 and name = ?2 and waits_until is not null";
    db.query_unsynced(sql, params![scope.tenant(), name])
        .await
        .map(drop)
}

/// Forgets workers that nobody has seen for a while. Reads only, where there are none.
pub async fn forget_workers(db: &impl Db, now: Timestamp) -> Result<()> {
    let before = now.plus_seconds(-GONE_AFTER);
    if db.first(GONE, params![before]).await?.is_none() {
        return Ok(());
    }
    let sql = "delete from agents where seen_at is not null and seen_at <= ?1";
    db.execute(sql, params![before]).await
}

const GONE: &str = "select 1 from agents where seen_at is not null and seen_at <= ?1 limit 1";

/// Notes that the worker of a lease is there; it takes nothing while it has no room. Only where it was not
/// seen lately.
pub(crate) async fn see_busy_worker(
    db: &impl Db,
    scope: &Scope,
    name: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "update agents set seen_at = ?3, updated_at = ?3
               where tenant_name = ?1 and name = ?2 and seen_at <= ?4";
    let lately = now.plus_seconds(-SEEN_EVERY);
    db.execute(sql, params![scope.tenant(), name, now, lately])
        .await
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
            let queues = "[\"central_deployment_agent\"]";
            let waiting = params!["harbour", queues, Timestamp::now()];
            for (sql, values, index) in [
                (WAITING, waiting, "COVERING INDEX agents_waiting"),
                (GONE, params![Timestamp::now()], "INDEX agents_seen"),
            ] {
                let plan = db.plan(sql, values).await.unwrap().join("\n");
                assert!(plan.contains(index), "{plan}");
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
