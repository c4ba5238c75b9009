//! The workflows of deployments, in lists that are stored ready to be shown.
//!
//! Whether a workflow is available depends on the states of the node instances, of which there are
//! only five situations to tell apart. Code that makes a list says in which of them each workflow is
//! available. The list of each situation is a part that all deployments of a blueprint name, and
//! `instance_counts` says in which one a deployment is. So lists of deployments evaluate no rules.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::rc::Rc;
use windlass_core::db::Db;
use windlass_core::list::{Field, ListQuery};
use windlass_core::{Result, Scope, Timestamp, params};

use super::DEPLOYMENT;
use crate::plan_parts::WORKFLOWS;

/// Node instance states that stand for each situation, in the order of the bits: no instances;
/// all started; none begun; none started; some started.
pub const SITUATIONS: [&[&str]; 5] = [
    &[],
    &["started"],
    &["uninitialized"],
    &["starting"],
    &["started", "uninitialized"],
];

/// A list whose `is_available` are sets of situations, as text: as it is shown in each of them. Most
/// situations have the same text, which is made once.
pub(super) fn in_each_situation(list: &Json) -> Vec<Rc<str>> {
    let sets: Vec<i64> = list.as_array().map_or_else(Vec::new, |list| {
        let sets = list
            .iter()
            .map(|workflow| workflow["is_available"].as_i64());
        sets.map(Option::unwrap_or_default).collect()
    });
    let mut shown = list.clone();
    let mut texts: HashMap<Vec<bool>, Rc<str>> = HashMap::new();
    let in_situation = |place: usize| {
        let available: Vec<bool> = sets.iter().map(|set| set >> place & 1 == 1).collect();
        if let Some(text) = texts.get(&available) {
            return text.clone();
        }
        let workflows = shown.as_array_mut().into_iter().flatten();
        for (workflow, is_available) in workflows.zip(&available) {
            workflow["is_available"] = Json::Bool(*is_available);
        }
        let text: Rc<str> = shown.to_string().into();
        texts.insert(available, text.clone());
        text
    };
    (0..SITUATIONS.len()).map(in_situation).collect()
}

/// The workflows of one deployment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DeploymentWorkflows {
    /// When the deployment was made.
    pub created_at: Timestamp,
    /// Its workflows, as they are shown.
    pub workflows: Vec<Map<String, Json>>,
}

static KEY: Field = Field::integer("key", "t.key");
static BLUEPRINT_KEY: Field = Field::integer("blueprint_key", "t.blueprint_key");

/// The workflows of the first deployment of each blueprint among those a query selects, in its
/// order: deployments of a blueprint have the same workflows.
pub async fn of_each_blueprint(
    db: &impl Db,
    scope: &Scope,
    query: &ListQuery,
) -> Result<Vec<DeploymentWorkflows>> {
    let keys = first_of_each_blueprint(db, scope, query).await?;
    of_each(db, &keys).await
}

pub(super) async fn first_of_each_blueprint(
    db: &impl Db,
    scope: &Scope,
    query: &ListQuery,
) -> Result<Vec<i64>> {
    #[derive(Deserialize)]
    struct Pair {
        key: i64,
        blueprint_key: i64,
    }
    let mut query = query.clone();
    query.include = Some(vec![&KEY, &BLUEPRINT_KEY]);
    query.paging.all_results = true;
    query.paging.offset = 0;
    let pairs: Vec<Pair> = DEPLOYMENT.page(db, scope, &query).await?.parse()?;
    let mut seen = std::collections::HashSet::new();
    let first = pairs
        .into_iter()
        .filter(|pair| seen.insert(pair.blueprint_key));
    Ok(first.map(|pair| pair.key).collect())
}

/// The workflows of several deployments, in this order.
pub(super) async fn of_each(db: &impl Db, keys: &[i64]) -> Result<Vec<DeploymentWorkflows>> {
    let sql = format!(
        "select json_group_array(json_object('created_at', created_at,
             'workflows', json(workflows))) from
         (select t.created_at, {WORKFLOWS} as workflows from json_each(?1) given
          cross join deployments t on t.key = given.value order by given.key)"
    );
    let workflows = db.first_json(&sql, params![&json!(keys)]).await?;
    Ok(workflows.unwrap_or_default())
}
