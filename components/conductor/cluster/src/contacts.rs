//! `/idp` and `/contacts`: who knows the users, and the registration that clients of the community edition
//! begin with.

use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result, ids};
use windlass_store::users;

/// `GET /idp`: `"ldap"` where users come from a directory, else `"local"`.
pub async fn idp(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::IdentityProviderGet)?;
    let is_directory = users::are_from_directory(&ctx.db, &scope).await?;
    ctx.ok(if is_directory { "ldap" } else { "local" })
}

/// `POST /contacts`: a customer id for whoever accepts the terms. Nothing is sent anywhere, and what was
/// told about the person is not kept.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_everywhere(Permission::CommunityContactCreate)?;
    let body = Body::of(ctx)?;
    for name in ["first_name", "last_name", "phone"] {
        body.required_text(name)?;
    }
    let email = body.required_text("email")?;
    let is_address = email.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !email.contains(char::is_whitespace)
    });
    if !is_address {
        return Err(Error::bad_parameters(format!(
            "`{email}` is no email address"
        )));
    }
    if body.boolean("is_eula")? != Some(true) {
        return Err(Error::bad_parameters(
            "You must accept the End User License Agreement to register",
        ));
    }
    ctx.ok(json!({ "customer_id": format!("COMMUNITY-{}", ids::new_uuid()) }))
}
