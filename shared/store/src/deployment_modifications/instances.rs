//! The instances that a modification is about: kept as they were, added, removed and restored.

use super::DeploymentModification;
use crate::deployments::Owner;
use crate::pieces::{self, batches};
use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

windlass_core::named_enum! {
    /// What is kept of a modification's instances, as clients name it.
    pub enum Part {
        /// New instances, and those that are related to them.
        Added = "added_and_related",
        /// Instances that go, and those that are related to them.
        Removed = "removed_and_related",
        /// All of those that were there, as they were when it began.
        Before = "before_modification",
        /// All of them as they were when it was taken back.
        BeforeRollback = "before_rollback",
    }
}

windlass_core::named_enum! {
    /// What happens to an instance.
    pub enum Change {
        /// It is new.
        Added = "added",
        /// It goes.
        Removed = "removed",
    }
}

/// An instance to be kept.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Modified<'a> {
    /// Which one.
    pub id: &'a str,
    /// `added` or `removed`; nothing for one that is only related.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modification: Option<&'static str>,
    /// Its relationships to what comes or goes; all of its own where they are absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relationships: Option<Vec<Map<String, Value>>>,
}

impl<'a> Modified<'a> {
    /// An instance as it is.
    pub fn of(id: &'a str) -> Self {
        Self {
            id,
            ..Self::default()
        }
    }
}

/// A node instance as clients see it, of the rows `i` and `given`.
const SHOWN: &str =
    "json_object('id', i.id, 'node_id', i.node_id, 'deployment_id', i.deployment_id,
     'host_id', i.host_id, 'index', i.\"index\",
     'relationships', json(coalesce(given.value -> 'relationships', i.relationships)),
     'scaling_groups', json(i.scaling_groups),
     'runtime_properties', json(i.runtime_properties),
     'system_properties', json(i.system_properties), 'state', i.state, 'version', i.version,
     'is_status_check_ok', json(iif(i.is_status_check_ok, 'true', 'false')),
     'has_configuration_drift', json(iif(i.has_configuration_drift, 'true', 'false')),
     'modification', given.value ->> 'modification', 'created_by', i.created_by,
     'tenant_name', i.tenant_name, 'visibility', i.visibility)";

/// Keeps instances as they are now.
pub async fn keep(
    tx: &impl Tx,
    modification: &DeploymentModification,
    part: Part,
    instances: &[Modified<'_>],
) -> Result<()> {
    let sql = format!(
        "insert into modified_instances
             (modification_key, part, number, instance_id, modification, instance)
         select ?1, ?2, ?3 + given.key, i.id, given.value ->> 'modification', {SHOWN}
         from json_each(?4) given
         cross join node_instances i on i.tenant_name = ?5 and i.id = given.value ->> 'id'"
    );
    let mut first = 0_i64;
    for batch in batches(instances) {
        let (key, tenant) = (modification.key, &modification.tenant_name);
        tx.execute(&sql, params![key, part.name(), first, batch?, tenant])
            .await?;
        // The numbers only tell an order, so they may have gaps.
        first += i64::try_from(instances.len()).unwrap_or(i64::MAX >> 8);
    }
    Ok(())
}

/// Keeps all instances that a modification touches, or has added, as they are before it is taken back.
pub async fn keep_all(tx: &impl Tx, modification: &DeploymentModification) -> Result<()> {
    let sql = "select json_quote(instance_id) as item from (
                   select distinct instance_id from modified_instances
                   where modification_key = ?1 and part in ('before_modification', 'added_and_related')
                   order by instance_id)";
    let ids: Vec<String> = pieces::read(tx, sql, params![modification.key]).await?;
    let all: Vec<Modified> = ids.iter().map(|id| Modified::of(id)).collect();
    keep(tx, modification, Part::BeforeRollback, &all).await
}

/// The ids of the instances that a modification has added.
pub async fn added_ids(db: &impl Db, modification: &DeploymentModification) -> Result<Vec<String>> {
    let sql = "select json_quote(instance_id) as item from modified_instances
               where modification_key = ?1 and part = 'added_and_related' and modification = 'added'
               order by number";
    pieces::read(db, sql, params![modification.key]).await
}

/// How many instances are read at a time.
const AT_ONCE: i64 = 200;

/// The JSON of some instances after this number, separated by commas, and the number of the last;
/// nothing when there are no more.
pub async fn instances_text(
    db: &impl Db,
    modification_key: i64,
    part: Part,
    after: i64,
) -> Result<Option<(String, i64)>> {
    let sql = "select instance, number from modified_instances
               where modification_key = ?1 and part = ?2 and number > ?3 order by number limit ?4";
    let values = params![modification_key, part.name(), after, AT_ONCE];
    let rows = db.query(sql, values).await?;
    let Some(last) = rows.last() else {
        return Ok(None);
    };
    let last = last.integer(1)?;
    let texts: Vec<&str> = rows.iter().map(|row| row.text(0)).collect::<Result<_>>()?;
    Ok(Some((texts.join(", "), last)))
}

/// Gives instances of a deployment other relationships.
pub async fn change_relationships(
    tx: &impl Tx,
    owner: &Owner,
    instances: &[Modified<'_>],
) -> Result<()> {
    let sql = "update node_instances set relationships = given.value -> 'relationships',
                   version = version + 1
               from json_each(?1) given
               where +node_instances.tenant_name = ?2 and node_instances.id = given.value ->> 'id'";
    for batch in batches(instances) {
        tx.execute(sql, params![batch?, &owner.tenant_name]).await?;
    }
    Ok(())
}

/// Deletes what a modification was to remove.
pub async fn remove_removed(tx: &impl Tx, modification: &DeploymentModification) -> Result<()> {
    remove(tx, modification, Part::Removed, Change::Removed).await
}

/// Deletes what a modification has added.
pub async fn remove_added(tx: &impl Tx, modification: &DeploymentModification) -> Result<()> {
    remove(tx, modification, Part::Added, Change::Added).await
}

async fn remove(
    tx: &impl Tx,
    modification: &DeploymentModification,
    part: Part,
    change: Change,
) -> Result<()> {
    tx.execute(
        "delete from node_instances where deployment_key = ?1 and tenant_name = ?2 and id in (
             select instance_id from modified_instances
             where modification_key = ?3 and part = ?4 and modification = ?5)",
        params![
            modification.deployment_key,
            &modification.tenant_name,
            modification.key,
            part.name(),
            change.name()
        ],
    )
    .await
}

/// Takes relationships to removed instances away from those that stay.
pub async fn shorten_relationships(
    tx: &impl Tx,
    modification: &DeploymentModification,
) -> Result<()> {
    tx.execute(
        "update node_instances set version = version + 1, relationships = (
             select json_group_array(json(r.value)) from json_each(node_instances.relationships) r
             where not exists (select 1 from modified_instances m
                 where m.modification_key = ?1 and m.part = 'removed_and_related'
                     and m.instance_id = r.value ->> 'target_id' and m.modification = 'removed'))
         where tenant_name = ?2 and deployment_key = ?3 and id in (
             select instance_id from modified_instances
             where modification_key = ?1 and part = 'removed_and_related'
                 and modification is null and instance ->> '$.relationships' <> '[]')",
        params![
            modification.key,
            &modification.tenant_name,
            modification.deployment_key
        ],
    )
    .await
}

/// Makes the instances that were there what they were before a modification: those that are there
/// still, and those that somebody has deleted meanwhile.
pub async fn restore(
    tx: &impl Tx,
    modification: &DeploymentModification,
    owner: &Owner,
) -> Result<()> {
    tx.execute(
        "update node_instances set version = version + 1, state = m.instance ->> 'state',
             relationships = m.instance -> 'relationships',
             runtime_properties = m.instance -> 'runtime_properties',
             system_properties = m.instance -> 'system_properties'
         from modified_instances m
         where m.modification_key = ?1 and m.part = 'before_modification'
             and +node_instances.tenant_name = ?2 and node_instances.id = m.instance_id
             and (state, json(relationships), json(runtime_properties), json(system_properties)) <>
                 (m.instance ->> 'state', m.instance -> 'relationships',
                  m.instance -> 'runtime_properties', m.instance -> 'system_properties')",
        params![modification.key, &owner.tenant_name],
    )
    .await?;
    tx.execute(
        "insert into node_instances (deployment_key, deployment_id, tenant_name, created_by,
             visibility, id, node_id, host_id, \"index\", relationships, scaling_groups,
             runtime_properties, system_properties, state, version)
         select ?2, ?3, ?4, ?5, ?6, m.instance_id, m.instance ->> 'node_id',
             m.instance ->> 'host_id', m.instance ->> 'index', m.instance -> 'relationships',
             m.instance -> 'scaling_groups', m.instance -> 'runtime_properties',
             m.instance -> 'system_properties', m.instance ->> 'state', m.instance ->> 'version' + 1
         from modified_instances m
         where m.modification_key = ?1 and m.part = 'before_modification'
             and not exists (select 1 from node_instances i
                 where i.tenant_name = ?4 and i.id = m.instance_id)",
        params![
            modification.key,
            owner.key,
            &owner.id,
            &owner.tenant_name,
            &owner.created_by,
            owner.visibility
        ],
    )
    .await
}
