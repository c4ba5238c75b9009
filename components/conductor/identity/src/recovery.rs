//! `/users/recovery/..`: a way in for whoever runs the application, when nobody can log in any more.
//!
//! These endpoints are private: they want the tick's token, which whoever holds the state can read or set.
//! `windlass-host reset-password` and `unlock` call them; under Spin any client does.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Response, Result};
use windlass_identity::recovery;

/// `POST /users/recovery/reset-password`: a new password, which is answered.
pub async fn reset_password(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::of(ctx)?;
    let username = body.required_text("username")?;
    let password = recovery::reset_password(&ctx.db, username).await?;
    ctx.ok(json!({ "username": username, "password": password }))
}

/// `POST /users/recovery/unlock`: failed logins are forgotten.
pub async fn unlock(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::of(ctx)?;
    let username = body.required_text("username")?;
    recovery::unlock(&ctx.db, username).await?;
    ctx.ok(json!({ "username": username }))
}
