//! `/openstack/quotas`: how much the project of the request may have.

use crate::asked::create;
use crate::body::{self, bare_refusal, notes};
use crate::gate;
use serde_json::{Value, json};
use windlass_adjutant::lifecycle::COMPLETED;
use windlass_adjutant::{Settings, TaskType, quotas};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result};

/// `GET /openstack/quotas`: what the project has, may have and could have, in all regions or those of
/// `regions=`.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    let settings = Settings::load(&ctx.db).await?;
    let named = ctx.request.query_value("regions").unwrap_or_default();
    let named = named
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut regions: Vec<String> = named.map(str::to_owned).collect();
    if let Some(unknown) = regions.iter().find(|name| !settings.regions.contains(name)) {
        return bare_refusal("ERROR", &format!("Region: {unknown} is not valid"));
    }
    if regions.is_empty() {
        regions.clone_from(&settings.regions);
    }
    let shown = quotas::overview(&ctx.db, &asker.scope, &settings.quotas, project, &regions);
    ctx.ok(shown.await?)
}

/// `POST /openstack/quotas`: another size, in all regions or those that are named.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let project = asker.demand_project()?;
    let mut body = body::object(ctx)?;
    let settings = Settings::load(&ctx.db).await?;
    body.insert("project_id".into(), json!(project));
    match body.get("regions") {
        None | Some(Value::Null) => {
            body.insert("regions".into(), json!(settings.regions));
        }
        Some(Value::Array(names)) => {
            let known = |name: &Value| settings.regions.iter().any(|region| name == region);
            let unknown: Vec<&str> = names
                .iter()
                .filter(|name| !known(name))
                .map(|name| name.as_str().unwrap_or("?"))
                .collect();
            if !unknown.is_empty() {
                let text = format!("Invalid regions: {}", unknown.join(", "));
                return Err(Error::bad_parameters(text));
            }
        }
        Some(_) => {}
    }
    // Clients read the status: whether it was done at once, or waits for an administrator.
    let of = TaskType::UpdateQuota;
    match create(ctx, &settings, of, &body, Some(&asker)).await? {
        COMPLETED => notes(200, COMPLETED),
        _ => notes(202, "task created"),
    }
}
