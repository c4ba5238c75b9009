//! Node instances as the engine reads and changes them, with what it reads of their nodes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};

use crate::executions::Execution;
use crate::json_text;
use crate::pieces::{self, batches};

/// The operations of a JSON object that have an implementation, or one of the names in `?2`.
/// Short names are left out: each stands for a full one.
fn implemented(operations: &str) -> String {
    format!(
        "json((select json_group_object(o.key, json(o.value)) from json_each({operations}) o
               where (instr(o.key, '.') > 0 and coalesce(o.value ->> '$.operation', '') <> '')
                  or o.key in (select value from json_each(?2))))"
    )
}

/// The nodes of an execution's deployment as the engine plans with them: a list of objects with `id`, `types`,
/// `operations`, `relationships`, `install_agent`, `install_method`. No-op operations are left
/// out but for those named, because a plan consists of little else.
pub async fn nodes_for_engine<T: DeserializeOwned>(
    db: &impl Db,
    execution: &Execution,
    named_operations: &[&str],
) -> Result<Vec<T>> {
    let sql = format!(
        "select json_object(
             'id', id, 'types', json(type_hierarchy),
             'operations', {operations},
             'relationships', json((
                 select json_group_array(json_object(
                     'target_id', r.value ->> '$.target_id', 'type', r.value ->> '$.type',
                     'operation', r.value ->> '$.properties.operation',
                     'is_containment', json(iif(exists (
                         select 1 from json_each(r.value, '$.type_hierarchy') t
                         where t.value = 'cloudify.relationships.contained_in'), 'true', 'false')),
                     'source_operations', {source}, 'target_operations', {target}))
                 from json_each(relationships) r)),
             'install_agent', properties -> '$.install_agent',
             'install_method', properties -> '$.agent_config.install_method') as item
         from whole_nodes where deployment_key = ?1 order by key",
        operations = implemented("operations"),
        source = implemented("coalesce(r.value -> '$.source_operations', '{}')"),
        target = implemented("coalesce(r.value -> '$.target_operations', '{}')"),
    );
    let named = Value::from(named_operations);
    pieces::read(db, &sql, params![execution.deployment_key, &named]).await
}

/// The instances of an execution's deployment as the engine plans with them: a list of objects with `id`,
/// `node_id`, `host_id`, `state`, `relationships`.
pub async fn for_engine<T: DeserializeOwned>(
    db: &impl Db,
    execution: &Execution,
) -> Result<Vec<T>> {
    let sql = "select json_object('id', id, 'node_id', node_id, 'host_id', host_id,
                   'state', state, 'relationships', json(relationships)) as item
               from node_instances where deployment_key = ?1 order by key";
    pieces::read(db, sql, params![execution.deployment_key]).await
}

/// The instances of a deployment with all that functions may ask for.
pub async fn for_evaluation<T: DeserializeOwned>(
    db: &impl Db,
    deployment_key: i64,
) -> Result<Vec<T>> {
    let sql = "select json_object('id', id, 'node_id', node_id, 'host_id', host_id,
                   'index', \"index\", 'state', state,
                   'relationships', json(relationships), 'scaling_groups', json(scaling_groups),
                   'runtime_properties', json(runtime_properties)) as item
               from node_instances where deployment_key = ?1 order by key";
    pieces::read(db, sql, params![deployment_key]).await
}

/// The properties of a deployment's nodes, by node.
pub async fn node_properties(db: &impl Db, deployment_key: i64) -> Result<HashMap<String, Value>> {
    let sql = "select json_array(id, json(properties)) as item
               from nodes where deployment_key = ?1";
    let rows = pieces::read(db, sql, params![deployment_key]).await?;
    Ok(rows.into_iter().collect())
}

/// The states that occur among the instances of an execution's deployment.
pub async fn states(db: &impl Db, execution: &Execution) -> Result<Vec<String>> {
    let sql = "select distinct state from node_instances where deployment_key = ?1";
    let rows = db.query(sql, params![execution.deployment_key]).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The types that occur among a deployment's nodes, with those they derive from.
pub async fn node_types(db: &impl Db, deployment_key: i64) -> Result<Vec<String>> {
    let sql = "select distinct t.value from whole_nodes n, json_each(n.type_hierarchy) t
               where deployment_key = ?1";
    let rows = db.query(sql, params![deployment_key]).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The instances of an execution's deployment that have drifted.
pub async fn drifted(db: &impl Db, execution: &Execution) -> Result<Vec<String>> {
    let sql = "select id from node_instances
               where deployment_key = ?1 and has_configuration_drift = 1 order by key";
    let rows = db.query(sql, params![execution.deployment_key]).await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// The runtime properties of some instances of an execution's tenant, by instance.
pub async fn runtime_properties(
    db: &impl Db,
    execution: &Execution,
    ids: &[&str],
) -> Result<HashMap<String, Map<String, Value>>> {
    let sql = "select json_array(id, json(runtime_properties)) as item
               from node_instances
               where tenant_name = ?1 and id in (select value from json_each(?2))";
    let rows = pieces::read(db, sql, params![&execution.tenant_name, json_text(ids)?]).await?;
    Ok(rows.into_iter().collect())
}

/// The system properties of some instances of an execution's tenant, by instance.
pub async fn system_properties(
    db: &impl Db,
    execution: &Execution,
    ids: &[&str],
) -> Result<HashMap<String, Map<String, Value>>> {
    let sql = "select json_array(id, json(system_properties)) as item
               from node_instances
               where tenant_name = ?1 and id in (select value from json_each(?2))";
    let rows = pieces::read(db, sql, params![&execution.tenant_name, json_text(ids)?]).await?;
    Ok(rows.into_iter().collect())
}

/// What is known of how an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<bool>")]
pub enum Health {
    /// No check has looked at it since it was started or healed, or none ever did.
    Unchecked,
    /// Whether its last check went well.
    Checked(bool),
}

impl From<Option<bool>> for Health {
    fn from(ok: Option<bool>) -> Self {
        ok.map_or(Self::Unchecked, Self::Checked)
    }
}

/// How the instances of an execution's deployment are, by instance.
pub async fn health(db: &impl Db, execution: &Execution) -> Result<HashMap<String, Health>> {
    let sql = "select json_array(id, json(case
                   when system_properties ->> '$.status.task' is null then 'null'
                   when is_status_check_ok then 'true' else 'false' end)) as item
               from node_instances where deployment_key = ?1";
    let rows = pieces::read(db, sql, params![execution.deployment_key]).await?;
    Ok(rows.into_iter().collect())
}

/// What happened to an instance since it was read. One that was started or configured keeps a mark
/// of it in its system properties.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstanceChange {
    /// Which one, by its id.
    pub id: String,
    /// The last new state, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The first new state. One that the instance has already is no change and raises no version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_state: Option<String>,
    /// How many changes this stands for: so much the version is raised.
    pub times: i64,
    /// All runtime properties, where they are new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_properties: Option<Map<String, Value>>,
    /// All system properties, where they are new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_properties: Option<Map<String, Value>>,
    /// Whether it was started.
    pub was_started: bool,
    /// Whether it was configured.
    pub was_configured: bool,
}

/// The `+` keeps the tenant's index out: each change has to find its row by the id, or all
/// instances of the tenant would be compared with all changes.
const UPDATE_ALL: &str = "update node_instances set
         state = coalesce(change.value ->> 'state', state),
         version = version + (change.value ->> 'times')
             - coalesce(change.value ->> 'first_state' = state, 0),
         runtime_properties = coalesce(change.value -> 'runtime_properties', runtime_properties),
         system_properties = case
             when change.value ->> 'was_started' and change.value ->> 'was_configured' then
                 json_set(coalesce(change.value -> 'system_properties', system_properties),
                     '$.status', json(?3), '$.previous_status', null,
                     '$.configuration_drift', json(?3))
             when change.value ->> 'was_started' then
                 json_set(coalesce(change.value -> 'system_properties', system_properties),
                     '$.status', json(?3), '$.previous_status', null)
             when change.value ->> 'was_configured' then
                 json_set(coalesce(change.value -> 'system_properties', system_properties),
                     '$.configuration_drift', json(?3))
             else coalesce(change.value -> 'system_properties', system_properties) end
     from json_each(?2) as change
     where +node_instances.tenant_name = ?1 and node_instances.id = change.value ->> 'id'";

/// Changes instances of an execution's tenant.
pub async fn update_all(
    tx: &impl Tx,
    execution: &Execution,
    changes: &[InstanceChange],
    now: Timestamp,
) -> Result<()> {
    let mark = serde_json::json!({ "ok": true, "result": null, "task": null, "timestamp": now });
    let tenant = execution.tenant_name.as_str();
    for batch in batches(changes) {
        tx.execute(UPDATE_ALL, params![tenant, batch?, &mark])
            .await?;
    }
    Ok(())
}

/// Whether an instance belongs to the deployment of an execution.
pub async fn owns_instance(db: &impl Db, execution: &Execution, id: &str) -> Result<bool> {
    let row = db
        .first(
            "select 1 from node_instances where tenant_name = ?1 and id = ?2 and deployment_key = ?3",
            params![&execution.tenant_name, id, execution.deployment_key],
        )
        .await?;
    Ok(row.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    #[test]
    fn changes_find_their_instances_by_id() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            crate::migrations::apply(&db).await.unwrap();
            let plan = db.plan(UPDATE_ALL, params!["t", "[]", "{}"]).await.unwrap();
            assert!(plan.iter().any(|line| line.contains("(id=?)")), "{plan:?}");
        });
    }
}
