//! `/db-nodes`: where the database is. There is one, and the platform decides where; nobody can be told
//! of another.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::list::{Page, Paging};
use windlass_core::{Body, Context, Error, Permission, Response, Result, limits};

/// `GET /db-nodes`: the only one.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::DbNodesGet)?;
    only(ctx)
}

/// `POST /db-nodes` with the action `update`: the same, for tools that have changed nodes.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::ClusterNodeConfigUpdate)?;
    let body = Body::of(ctx)?;
    let action = body.text("action")?.unwrap_or("update");
    if action != "update" {
        return Err(Error::bad_parameters(format!(
            "Invalid action: {action}, Valid action values are: ['update']"
        )));
    }
    only(ctx)
}

fn only(ctx: &Context<impl Db>) -> Result<Response> {
    let paging = Paging::parse(&ctx.request, limits::PAGE_SIZE)?;
    let nodes = json!([{ "name": "windlass", "host": "127.0.0.1", "is_external": false }]);
    Ok(Page::of(nodes, 1).respond(paging))
}
