//! The workflows of deployments: stored as the list that the API shows, but for one value.
//!
//! Whether a workflow is available depends on the states of the node instances, of which there are
//! only five situations to tell apart. So `is_available` is stored as the set of situations in
//! which it is, one bit each; a list of deployments then evaluates no rules.

use serde_json::Value as Json;
use windlass_core::Result;
use windlass_core::db::Db;
use windlass_core::params;

/// Node instance states that stand for each situation, in the order of the bits: no instances;
/// all started; none started and none begun; none started; some started.
pub const SITUATIONS: [&[&str]; 5] =
    [&[], &["started"], &["uninitialized"], &["starting"], &["started", "uninitialized"]];

/// The situation of the deployment `t`, as the number of its bit.
macro_rules! situation {
    () => {
        "coalesce((select case when n.instances = 0 then 0 when n.started = n.instances then 1
             when n.started > 0 then 4 when n.idle = n.instances then 2 else 3 end
         from instance_counts n where n.deployment_key = t.key), 0)"
    };
}

/// The list of the deployment `t`, with `is_available` as truth values.
pub(super) const WORKFLOWS_SQL: &str = concat!(
    "(select json_group_array(json_set(w.value, '$.is_available',
         json(case (w.value ->> '$.is_available') >> s.situation & 1
             when 1 then 'true' else 'false' end)))
     from (select ",
    situation!(),
    " as situation) s cross join json_each(t.workflows) w)"
);

/// The workflows of one deployment, as the API shows them.
pub async fn find(db: &impl Db, deployment_key: i64) -> Result<Vec<Json>> {
    let sql = format!("select {WORKFLOWS_SQL} from deployments t where t.key = ?1");
    Ok(db.first_json(&sql, params![deployment_key]).await?.unwrap_or_default())
}

/// The workflows of several deployments with the deployments' times of creation, in this order.
pub async fn of_each(db: &impl Db, keys: &[i64]) -> Result<Vec<(String, Vec<Json>)>> {
    let sql = format!(
        "select json_group_array(json_array(created_at, json(workflows))) from
             (select t.created_at, {WORKFLOWS_SQL} as workflows from json_each(?1) given
              cross join deployments t on t.key = given.value order by given.key)"
    );
    Ok(db.first_json(&sql, params![&serde_json::json!(keys)]).await?.unwrap_or_default())
}
