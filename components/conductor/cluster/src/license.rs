//! `/license`: none is needed here, so nothing is refused for want of one.
//!
//! Clients of the premium edition ask before they upload, and go no further without an answer.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::list::{Page, Paging};
use windlass_core::{Context, Permission, Response, Result, limits};

/// `GET /license`: the licenses that were uploaded, which are none.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::LicenseList)?;
    let paging = Paging::parse(&ctx.request, limits::PAGE_SIZE)?;
    Ok(Page::of(json!([]), 0).respond_unfiltered(paging))
}

/// `GET /license-check`: whether work may go on, for whoever has logged in.
pub async fn check(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_everybody()?;
    Ok(Response::json_text(200, "\"OK\""))
}
