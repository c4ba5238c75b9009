//! The workflows of deployments, in a list that is stored ready to be shown.
//!
//! Whether a workflow is available depends on the states of the node instances, of which there are
//! only five situations to tell apart. Code that makes a list says in which of them each workflow is
//! available; triggers bring the list up to date when a deployment gets from one into another.
//! So lists of deployments evaluate no rules.

use serde_json::{Value as Json, json};
use windlass_core::Result;
use windlass_core::db::Db;
use windlass_core::params;

/// Node instance states that stand for each situation, in the order of the bits: no instances;
/// all started; none begun; none started; some started.
pub const SITUATIONS: [&[&str]; 5] = [
    &[],
    &["started"],
    &["uninitialized"],
    &["starting"],
    &["started", "uninitialized"],
];

/// Takes apart a list whose `is_available` are sets of situations: those sets, and the list as it
/// is to be shown while there are no instances.
pub(super) fn split(list: &Json) -> (Json, Json) {
    let mut shown = list.clone();
    let mut situations = Vec::new();
    for workflow in shown.as_array_mut().into_iter().flatten() {
        let set = workflow["is_available"].as_i64().unwrap_or(0);
        situations.push(set);
        workflow["is_available"] = Json::Bool(set & 1 == 1);
    }
    (situations.into(), shown)
}

/// Replaces a deployment's workflows by a list whose `is_available` are sets of situations.
pub(super) async fn save(db: &impl Db, key: i64, list: &Json) -> Result<()> {
    let (situations, shown) = split(list);
    db.execute(
        "update deployments set workflow_situations = ?2, workflows = ?3 where key = ?1",
        params![key, &situations, &shown],
    )
    .await?;
    db.execute(
        "update deployments set workflows =
             (select a.workflows from available_workflows a where a.key = ?1) where key = ?1",
        params![key],
    )
    .await
}

/// The workflows of several deployments with the deployments' times of creation, in this order.
pub async fn of_each(db: &impl Db, keys: &[i64]) -> Result<Vec<(String, Vec<Json>)>> {
    let sql = "select json_group_array(json_array(created_at, json(workflows))) from
             (select t.created_at, t.workflows from json_each(?1) given
              cross join deployments t on t.key = given.value order by given.key)";
    Ok(db
        .first_json(sql, params![&json!(keys)])
        .await?
        .unwrap_or_default())
}
