//! `/users/{user_id}/password`: a user chooses another one.

use crate::auth_body::{self, PasswordChange};
use crate::refusals::{forbidden, invalid};
use windlass_core::caller::Reach;
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Scope};
use windlass_identity::credentials;
use windlass_identity::keystone::{self, UserName};
use windlass_store::users::{self, Changes};

/// `POST /users/{user_id}/password`: another password, by whoever knows the one of now. As in Keystone no
/// token is asked for, and the user's sessions end.
pub async fn set_password(ctx: &Context<impl Db>) -> Result<Response> {
    let body = auth_body::read(ctx)?;
    let PasswordChange { original, new } = PasswordChange::read(&body)?;
    credentials::check_password(new)
        .map_err(|refusal| invalid("user/password", refusal.message()))?;
    let name = UserName::Id(ctx.path("user_id"));
    let login = keystone::by_password(&ctx.db, &ctx.request, &name, original).await?;
    let scope = Scope::of(login.caller.clone(), Reach::Nowhere, ctx.origin.clone());
    let is_kept_here = scope.caller()?.is_bootstrap_admin();
    if !is_kept_here && users::are_from_directory(&ctx.db, &scope).await? {
        return Err(forbidden("identity:change_password"));
    }
    let changes = Changes {
        password_hash: Some(credentials::hash_password(new)?),
        ..Changes::default()
    };
    ctx.db
        .transaction(async |tx| {
            login.demand_current(tx).await?;
            let user = users::find(tx, &scope, scope.username()).await?;
            users::save(tx, &scope, &user, &changes).await
        })
        .await?;
    Ok(Response::empty(204))
}
