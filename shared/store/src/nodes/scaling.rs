//! How many instances a deployment's nodes have and are to have, and what decides which those are.

use crate::deployments::Owner;
use crate::pieces::{self, batches};
use serde::Serialize;
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

/// A deployment's nodes in the form of a plan, with what their instances follow from: `name`,
/// `type_hierarchy`, `host_id`, the present and planned numbers under `capabilities`, and
/// relationships without their operations.
pub async fn for_scaling(db: &impl Db, owner: &Owner) -> Result<Vec<Json>> {
    let sql = "select json_object(
            'name', id, 'id', id, 'type', type, 'type_hierarchy', json(type_hierarchy),
            'host_id', host_id,
            'capabilities', json_object('scalable', json_object('properties', json_object(
                'current_instances', number_of_instances,
                'planned_instances', planned_number_of_instances))),
            'relationships', json((select json_group_array(json_object(
                 'type', r.value ->> '$.type', 'target_id', r.value ->> '$.target_id',
                 'type_hierarchy', r.value -> '$.type_hierarchy',
                 'properties', r.value -> '$.properties'))
             from json_each(relationships) r))) as item
        from whole_nodes where deployment_key = ?1 order by key";
    pieces::read(db, sql, params![owner.key]).await
}

/// Numbers of a node's instances; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NewNumbers<'a> {
    /// The node's name.
    pub id: &'a str,
    /// The present number in each container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The planned number in each container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<i64>,
    /// The planned number over all scaling groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual_planned: Option<i64>,
}

/// Writes other numbers of instances.
pub async fn save_numbers(tx: &impl Tx, owner: &Owner, numbers: &[NewNumbers<'_>]) -> Result<()> {
    let sql = "update nodes set
                   number_of_instances = coalesce(n.value ->> 'number', number_of_instances),
                   planned_number_of_instances =
                       coalesce(n.value ->> 'planned', planned_number_of_instances),
                   actual_planned_number_of_instances =
                       coalesce(n.value ->> 'actual_planned', actual_planned_number_of_instances)
               from json_each(?1) n where deployment_key = ?2 and nodes.id = n.value ->> 'id'";
    for batch in batches(numbers) {
        tx.execute(sql, params![batch?, owner.key]).await?;
    }
    Ok(())
}
