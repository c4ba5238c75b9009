//! Who may: tokens for everything of Opsera, and those for pipelines alone.

use windlass_core::db::Db;
use windlass_core::token_scope::TokenScope;
use windlass_core::{Context, Result};
use windlass_opsera::access::Asker;

/// Whoever calls.
///
/// # Errors
/// 401 and 403.
pub fn asker(ctx: &Context<impl Db>) -> Result<Asker> {
    Asker::of(ctx, &[TokenScope::Api, TokenScope::Pipeline])
}
