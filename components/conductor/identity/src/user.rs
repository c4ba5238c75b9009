//! `/user`: the caller, whom clients ask for at login.

use windlass_core::db::Db;
use windlass_core::{Context, Permission, Response, Result};
use windlass_store::users::{DETAILED_USERS, USERS};

/// `GET /user`: the user that the credentials of this request stand for.
pub async fn get_self(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGetSelf)?;
    let details = ctx.request.query_bool("_get_data")?.unwrap_or(false);
    let resource = if details { &DETAILED_USERS } else { &USERS };
    let caller = scope.caller()?;
    ctx.one(
        resource,
        &scope,
        &caller.username,
        "t.key = {}",
        [caller.user_id.into()],
    )
    .await
}
