//! Executions that speak for themselves: whatever runs one reports with its token.

use windlass_core::caller::Reach;
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Result, Scope};

/// Demands a permission, or the token of any execution. [`demand_own`] sees to it that such a
/// token changes nothing but what belongs to its own execution.
pub fn allow_or_execution<D: Db>(ctx: &Context<D>, permission: Permission) -> Result<Scope> {
    match ctx.identity_names() {
        Some((caller, Some(tenant))) if caller.execution_id.is_some() => Ok(Scope::of(
            ctx.caller()?.clone(),
            Reach::Tenant(tenant.to_owned()),
            ctx.origin.clone(),
        )),
        _ => ctx.allow(permission),
    }
}

/// Demands that the caller is this execution, or else the permission.
pub fn demand_own<D: Db>(ctx: &Context<D>, id: &str, permission: Permission) -> Result<()> {
    if speaks_for(ctx, id) {
        return Ok(());
    }
    ctx.allow(permission).map(drop)
}

/// Whether the caller is this execution.
pub fn speaks_for<D: Db>(ctx: &Context<D>, id: &str) -> bool {
    ctx.caller()
        .is_ok_and(|caller| caller.execution_id.as_deref() == Some(id))
}
