//! What a caller may do with events.

use windlass_core::caller::Reach;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Result, Scope};
use windlass_status::TENANT;

/// What a caller who may open events may do beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing: a monitor, which reports what it measures.
    Reporter,
    /// Change what they opened.
    Creator,
    /// Change everything.
    Operator,
}

/// What the caller reads with. A monitor is no person, and credentials that are not good are none: both
/// see what everybody sees.
pub fn reader(ctx: &Context<impl Db>) -> Scope {
    match ctx.caller() {
        Ok(caller) if caller.monitor().is_none() => {
            Scope::of(caller.clone(), Reach::Nowhere, ctx.origin.clone())
        }
        _ => ctx.public(),
    }
}

/// Demands what opening events takes.
///
/// # Errors
/// 401 and 403.
pub fn reporter(ctx: &Context<impl Db>) -> Result<(Scope, Role)> {
    match ctx.caller()?.monitor() {
        Some(_) => Ok((ctx.allow_everybody()?, Role::Reporter)),
        None => creator(ctx),
    }
}

/// Demands what changing events takes, at least one's own.
///
/// # Errors
/// 401 and 403.
pub fn creator(ctx: &Context<impl Db>) -> Result<(Scope, Role)> {
    if let Ok(scope) = operator(ctx) {
        return Ok((scope, Role::Operator));
    }
    let scope = ctx.allow_in(TENANT, Permission::StatusEventCreate)?;
    Ok((scope, Role::Creator))
}

/// Demands what changing everybody's events takes.
///
/// # Errors
/// 401 and 403.
pub fn operator(ctx: &Context<impl Db>) -> Result<Scope> {
    ctx.allow_in(TENANT, Permission::StatusEventManage)
}
