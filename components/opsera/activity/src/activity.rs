//! `/logs/user/..`: for administrators and power users, whose tokens are for everything or for this.

use windlass_core::db::{Db, KeptDb};
use windlass_core::token_scope::TokenScope;
use windlass_core::{Context, Response, Result, Timestamp};
use windlass_identity::token_uses;
use windlass_opsera::access::{Asker, Standing};
use windlass_opsera::activity::{self, Window};

fn asker(ctx: &Context<impl Db>) -> Result<Asker> {
    let asker = Asker::of(ctx, &[TokenScope::Api, TokenScope::SecurityLogs])?;
    asker.demand(Standing::PowerUser)?;
    Ok(asker)
}

/// `GET /logs/user/actions`: changes of the account, of a day or the last seven, newest first.
pub async fn actions(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = asker(ctx)?;
    let window = Window::of(&ctx.request, Timestamp::now())?;
    let of_type = ctx.request.query_value("type");
    let listed = activity::actions(&ctx.db, &asker, &window, of_type).await?;
    Ok(listed.respond_counted(&ctx.db))
}

/// `GET /logs/user/tokens`: uses of tokens in the account, this one among them.
pub async fn tokens(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let asker = asker(ctx)?;
    let window = Window::of(&ctx.request, Timestamp::now())?;
    let scope = ctx.request.query_value("scope");
    token_uses::write(&ctx.db).await?;
    let listed = activity::token_uses(&ctx.db, &asker, &window, scope).await?;
    Ok(listed.respond_counted(&ctx.db))
}
