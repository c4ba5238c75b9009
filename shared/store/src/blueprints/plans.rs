//! The plans of blueprints: as clients see them, and in the small form that deployments are made from.
//!
//! What clients see can be a hundred megabytes for a blueprint of a few kilobytes, because it repeats
//! the operations of a type for each node. So it is only stored while it is small, or when it
//! is not what the stored form says. No list reads it: lists say where it belongs, see [`PLACE`].

use serde_json::{Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, params};

use super::Blueprint;
use crate::pieces::batches;
use crate::plugins::Package;

/// The most bytes of a plan in one value; what is larger is stored in pieces.
pub const PIECE: usize = 512 << 10;

/// A plan as text, in both forms that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanTexts {
    /// As clients see it, unless it is large and what `stored` says.
    pub full: Option<String>,
    /// As `Plan::to_stored` writes it.
    pub stored: String,
    /// The blueprints it imports.
    pub imports: Vec<String>,
    /// The packages that it wants installed.
    pub packages: Vec<Package>,
}

/// What stands in the JSON of a blueprint for its plan: this, the row's key, and a quotation mark. No
/// other text reads so: whatever writes JSON here writes a slash without a backslash.
pub const PLACE: &str = "\"\\/plan\\/";

/// The expression of that place, of a row `t`; null where there is no plan.
pub(super) const PLACE_SQL: &str = r#"(select '"\/plan\/' || p.blueprint_key || '"'
     from blueprint_plans p where p.blueprint_key = t.key)"#;

/// Replaces a blueprint's plan.
pub(super) async fn save(tx: &impl Tx, key: i64, plan: &PlanTexts) -> Result<()> {
    let full = plan.full.as_deref().unwrap_or_default();
    let in_row = |text| if str::len(text) > PIECE { "" } else { text };
    tx.execute(
        "insert into blueprint_plans (blueprint_key, plan, stored) values (?1, ?2, ?3)
         on conflict (blueprint_key) do update set plan = excluded.plan, stored = excluded.stored",
        params![key, in_row(full), in_row(&plan.stored)],
    )
    .await?;
    for sql in [
        "delete from blueprint_plan_pieces where blueprint_key = ?1",
        "delete from blueprint_imports where blueprint_key = ?1",
        "delete from blueprint_plugins where blueprint_key = ?1",
    ] {
        tx.execute(sql, params![key]).await?;
    }
    for (form, text) in [("plan", full), ("stored", plan.stored.as_str())] {
        for (number, piece) in pieces(text).into_iter().enumerate() {
            tx.execute(
                "insert into blueprint_plan_pieces (blueprint_key, form, number, text)
                 values (?1, ?2, ?3, ?4)",
                params![key, form, number, piece],
            )
            .await?;
        }
    }
    if !plan.imports.is_empty() {
        tx.execute(
            "insert or ignore into blueprint_imports (blueprint_key, imported_id)
             select ?1, value from json_each(?2)",
            params![key, &json!(plan.imports)],
        )
        .await?;
    }
    for packages in batches(&plan.packages) {
        // One without a version is in use by no plugin in particular.
        tx.execute(
            "insert or ignore into blueprint_plugins (blueprint_key, package_name, package_version)
             select ?1, value ->> 'name', value ->> 'version' from json_each(?2)
             where value ->> 'version' is not null",
            params![key, packages?],
        )
        .await?;
    }
    Ok(())
}

/// The pieces of a text; none of one that fits into its row.
fn pieces(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    if text.len() <= PIECE {
        return pieces;
    }
    while !text.is_empty() {
        let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE));
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// The plan of a blueprint in the form that `Plan::from_stored` (and serde's `Plan`) reads; null
/// when there is none.
pub async fn plan(db: &impl Db, blueprint: &Blueprint) -> Result<Value> {
    let stored = stored_text(db, blueprint.key).await?;
    stored.map_or(Ok(Value::Null), |text| {
        serde_json::from_str(&text).map_err(windlass_core::Error::internal)
    })
}

/// The plugin of this name, as the plan of a deployment's blueprint says it of the plugins that have workflows.
pub async fn workflow_plugin(
    db: &impl Db,
    deployment_key: i64,
    name: &str,
) -> Result<Option<Value>> {
    let sql = "select blueprint_key from deployments where key = ?1";
    let Some(row) = db.first(sql, params![deployment_key]).await? else {
        return Ok(None);
    };
    let Some(text) = stored_text(db, row.integer(0)?).await? else {
        return Ok(None);
    };
    let plan: Value = serde_json::from_str(&text).map_err(windlass_core::Error::internal)?;
    let plugins = plan
        .pointer("/sections/workflow_plugins_to_install")
        .and_then(Value::as_array);
    let found = plugins
        .into_iter()
        .flatten()
        .find(|plugin| plugin["name"] == name);
    Ok(found.cloned())
}

/// Whether a blueprint has a plan.
pub async fn has_plan(db: &impl Db, blueprint: &Blueprint) -> Result<bool> {
    let sql = "select 1 from blueprint_plans where blueprint_key = ?1";
    Ok(db.first(sql, params![blueprint.key]).await?.is_some())
}

/// The plan of a blueprint's row as clients see it, or in the stored form, which says it in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanText {
    /// As clients see it.
    Full(String),
    /// As `Plan::to_stored` writes it.
    Stored(String),
}

/// A plan that is to be shown. None when the blueprint has gone.
pub async fn text_to_show(db: &impl Db, key: i64) -> Result<Option<PlanText>> {
    match text(db, key, "plan").await? {
        Some(full) if !full.is_empty() => Ok(Some(PlanText::Full(full))),
        _ => Ok(stored_text(db, key).await?.map(PlanText::Stored)),
    }
}

async fn stored_text(db: &impl Db, key: i64) -> Result<Option<String>> {
    text(db, key, "stored").await
}

/// A form of a plan, which is in its row or in pieces. None when there is no row.
async fn text(db: &impl Db, key: i64, form: &str) -> Result<Option<String>> {
    let rows = db
        .query(
            "select iif(?2 = 'plan', plan, stored) as text, -1 as number
             from blueprint_plans where blueprint_key = ?1
             union all select text, number from blueprint_plan_pieces
             where blueprint_key = ?1 and form = ?2 order by number",
            params![key, form],
        )
        .await?;
    let texts: Result<Vec<&str>> = rows.iter().map(|row| row.text(0)).collect();
    let texts = texts?;
    Ok((!texts.is_empty()).then(|| texts.concat()))
}
