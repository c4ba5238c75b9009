//! `/status`: whether the parts of the application work.

use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};

/// `GET /ok`: for load balancers, open to everybody.
pub async fn ok(ctx: &Context<impl Db>) -> Result<Response> {
    match ctx.db.first("select 1", &[]).await {
        Ok(_) => Ok(Response::json_text(200, "\"OK\"")),
        Err(_) => Ok(Response::json_text(500, "\"FAIL\"")),
    }
}

/// `GET /status`: the overall state and, unless `summary` is asked for, each part's.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::StatusGet)?;
    let summary = ctx.request.query_bool("summary")?.unwrap_or(false);
    let mut services = Map::new();
    if !summary {
        for (name, unit) in [
            ("Manager Rest-Service", "windlass-api"),
            ("PostgreSQL", "windlass-store"),
            ("Management Worker", "windlass-scheduler"),
            ("Webserver", "windlass-host"),
        ] {
            services.insert(name.into(), service(name, unit));
        }
    }
    ctx.ok(json!({ "status": "OK", "services": services }))
}

fn service(name: &str, unit: &str) -> Value {
    json!({
        "status": "Active",
        "is_remote": false,
        "extra_info": { "systemd": {
            "display_name": name,
            "unit_id": unit,
            "instances": [{
                "LoadState": "loaded", "Description": name, "state": "running",
                "MainPID": 0, "Id": unit, "ActiveState": "active", "SubState": "running",
            }],
        } },
    })
}
