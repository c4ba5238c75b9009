//! What deployments have of their plans: the inputs in the row, all else as parts that many rows name.

use serde_json::{Map, Value as Json};
use std::rc::Rc;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::{Error, Result, limits, params};

use super::{Owner, workflows};
use crate::plan_parts::{self, WORKFLOWS, object_part_sql, part_sql};

/// What comes from the plan. All but `description` is JSON. In `workflows`, `is_available` is the
/// set of [`super::SITUATIONS`] in which it is true, a bit for each.
pub const PLAN_COLUMNS: [&str; 10] = [
    "description",
    "inputs",
    "outputs",
    "capabilities",
    "groups",
    "policy_types",
    "policy_triggers",
    "scaling_groups",
    "workflows",
    "resource_tags",
];

/// The column that says which part a name of [`PLAN_COLUMNS`] is; none for what is in the row.
fn part_column(name: &str) -> Option<&'static str> {
    Some(match name {
        "description" => "description_part",
        "outputs" => "outputs_part",
        "capabilities" => "capabilities_part",
        "groups" => "groups_part",
        "policy_types" => "policy_types_part",
        "policy_triggers" => "policy_triggers_part",
        "scaling_groups" => "scaling_groups_part",
        "resource_tags" => "resource_tags_part",
        _ => return None,
    })
}

/// The text of a part; none for what is absent or an empty object.
fn part_text(name: &str, value: &Json) -> Option<String> {
    match (name, value) {
        (_, Json::Null) => None,
        ("description", Json::String(text)) => Some(text.clone()),
        ("description" | "resource_tags", value) => Some(value.to_string()),
        (_, Json::Object(object)) if object.is_empty() => None,
        (_, value) => Some(value.to_string()),
    }
}

/// The columns of these parts of a plan and their values. Stores the parts that are new.
///
/// # Errors
/// 413 for a part that is larger than what is kept as one value.
pub(super) async fn columns(
    tx: &impl Tx,
    plan: &Map<String, Json>,
) -> Result<Vec<(&'static str, Value)>> {
    let mut columns = Vec::new();
    let mut texts: Vec<Rc<str>> = Vec::new();
    // The columns of parts, and where their texts are.
    let mut named = Vec::new();
    for (name, value) in plan {
        limits::check_bytes(name, value)?;
        match part_column(name) {
            Some(column) => match part_text(name, value) {
                Some(text) => {
                    named.push((column, texts.len()));
                    texts.push(text.into());
                }
                None => columns.push((column, Value::Null)),
            },
            None if name == "inputs" && value.is_null() => columns.push(("inputs", "{}".into())),
            None if name == "inputs" => columns.push(("inputs", value.into())),
            None => {}
        }
    }
    let shown = plan.get("workflows").map(workflows::in_each_situation);
    let first = texts.len();
    texts.extend(shown.iter().flatten().cloned());
    let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
    let keys = plan_parts::keep(tx, &texts).await?;
    for (column, place) in named {
        columns.push((column, keys.get(place).copied().into()));
    }
    if shown.is_some() {
        let workflows: Json = keys.get(first..).unwrap_or_default().into();
        columns.push(("workflow_parts", (&workflows).into()));
    }
    Ok(columns)
}

/// What a deployment has of its plan, by the names in [`PLAN_COLUMNS`]; its workflows as they are shown
/// now.
pub async fn plan_of(db: &impl Db, owner: &Owner) -> Result<Map<String, Json>> {
    let expressions = [
        ("inputs", "t.inputs"),
        ("outputs", object_part_sql!("t", "outputs")),
        ("capabilities", object_part_sql!("t", "capabilities")),
        ("groups", object_part_sql!("t", "groups")),
        ("policy_types", object_part_sql!("t", "policy_types")),
        ("policy_triggers", object_part_sql!("t", "policy_triggers")),
        ("scaling_groups", object_part_sql!("t", "scaling_groups")),
        ("workflows", WORKFLOWS),
        ("resource_tags", part_sql!("t", "resource_tags")),
    ];
    // Each is a value of its own: together they could be more than a value may be.
    let columns: Vec<&str> = expressions.iter().map(|(_, sql)| *sql).collect();
    let sql = format!(
        "select {}, {} from deployments t where t.key = ?1",
        part_sql!("t", "description"),
        columns.join(", ")
    );
    let row = db.first(&sql, params![owner.key]).await?;
    let row = row.ok_or_else(|| Error::internal("a deployment that was found is there"))?;
    let mut plan = Map::new();
    plan.insert("description".to_owned(), row.optional_text(0)?.into());
    for (place, (name, _)) in (1..).zip(expressions) {
        let value = match row.optional_text(place)? {
            Some(_) => row.json(place)?,
            None => Json::Null,
        };
        plan.insert(name.to_owned(), value);
    }
    Ok(plan)
}
