//! `/auth/tokens`: logging in, asking whose a token is, and giving one back.
//!
//! A token is a session. The tokens that users make for programs are shown for one, as application
//! credentials or in place of another token; they are no tokens here themselves.

use crate::auth_body::{self, LoginBody};
use crate::base_url::base_url;
use crate::flags::flag;
use crate::refusals::{demand, demand_login, expecting, not_valid};
use crate::token_view::{Shape, token};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope};
use windlass_identity::keystone::{self, Proof};
use windlass_identity::sessions::{self, Session};

/// The header in which a token is given and asked about.
const SUBJECT: &str = "x-subject-token";

/// `POST /auth/tokens`: a token for a password, for another token, or for an application credential.
pub async fn issue(ctx: &Context<impl Db>) -> Result<Response> {
    let body = auth_body::read(ctx)?;
    let LoginBody { proof, wanted } = LoginBody::read(&body)?;
    // Clients show a token twice. If it is not good, that is one failure.
    if let Proof::Token(value) = proof
        && ctx.request.get_header("x-auth-token") == Some(value)
    {
        ctx.caller()?;
    }
    let login = keystone::prove(&ctx.db, &ctx.request, &proof).await?;
    let (extent, tenant) = login.extent(&ctx.db, &wanted).await?;
    let (caller, shown) = (&login.caller, &login.shown);
    let made = sessions::insert(&ctx.db, caller, shown, extent, tenant.as_deref()).await?;
    let (value, session) = made;
    let shown = token(&session, caller, &shape(ctx).await);
    // What it is about was found a moment ago among the user's own.
    let shown = shown.ok_or_else(|| Error::internal("a new session is about nothing"))?;
    let answer = Response::json(201, &shown)?.header(SUBJECT, value);
    Ok(uncached(answer))
}

/// `GET /auth/tokens`: whose a token is, and what it is about. Whoever has one may ask about their own,
/// services and administrators about all.
pub async fn validate(ctx: &Context<impl Db>) -> Result<Response> {
    let (session, _) = find(ctx, Permission::TokenValidate, "identity:validate_token").await?;
    let value = subject(ctx)?;
    let user = sessions::user(&ctx.db, &session).await;
    let shown = token(&session, &user.map_err(|_| not_valid())?, &shape(ctx).await);
    let answer = ctx.ok(shown.ok_or_else(not_valid)?)?;
    Ok(uncached(answer.header(SUBJECT, value)))
}

/// `DELETE /auth/tokens`: a token stops working, and what it was shown for.
pub async fn revoke(ctx: &Context<impl Db>) -> Result<Response> {
    let permission = Permission::ManageOthersTokens;
    let (session, scope) = find(ctx, permission, "identity:revoke_token").await?;
    ctx.db
        .transaction(async |tx| sessions::delete(tx, &scope, &session).await)
        .await?;
    Ok(Response::empty(204))
}

/// The token that a request is about, if it is the caller's or the permission is held.
async fn find(
    ctx: &Context<impl Db>,
    others: Permission,
    action: &str,
) -> Result<(Session, Scope)> {
    let scope = demand_login(ctx, action)?;
    let session = sessions::find(&ctx.db, subject(ctx)?).await?;
    let session = session.ok_or_else(not_valid)?;
    if session.user_id == scope.caller()?.user_id {
        return Ok((session, scope));
    }
    let scope = demand(ctx, others, action)?;
    Ok((session, scope))
}

/// The value of the token that a request is about.
fn subject(ctx: &Context<impl Db>) -> Result<&str> {
    let mut values = (ctx.request.headers.iter()).filter(|(name, _)| name == SUBJECT);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value.trim()),
        (None, _) => Err(not_valid()),
        (Some(_), Some(_)) => Err(expecting("one X-Subject-Token", "the headers")),
    }
}

async fn shape(ctx: &Context<impl Db>) -> Shape {
    Shape {
        base: base_url(ctx).await,
        has_catalog: flag(&ctx.request, "nocatalog") != Some(true),
    }
}

/// An answer that holds a secret, or tells of one: nobody on the way may keep it.
fn uncached(answer: Response) -> Response {
    answer
        .header("vary", "X-Auth-Token")
        .header("cache-control", "no-store")
}
