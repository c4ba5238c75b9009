//! `/users` and `/user`: who can log in.
//!
//! Users read themselves, choose their own passwords and turn off their own tour. Administrators do all
//! else. Hashing a password takes tens of milliseconds, so it is done before the
//! transaction that stores it.

use crate::answers::show;
use crate::body;
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::Resource;
use windlass_core::python;
use windlass_core::{Body, Context, Error, Kind, Permission, Response, Result, Scope, ids};
use windlass_identity::credentials;
use windlass_store::permissions::{RoleType, demand_role};
use windlass_store::users::{
    self, BY_NAME, Changes, DETAILED_USERS, DETAILED_USERS_WITH_HASH, NewUser, USERS,
    USERS_WITH_HASH,
};

windlass_core::named_enum! {
    /// What may become of whether a user is active.
    enum Action {
        /// They may log in.
        Activate = "activate",
        /// They may not, nor may their tokens.
        Deactivate = "deactivate",
    }
}

/// The system role of a user for whom none is named.
const DEFAULT_ROLE: &str = "default";

/// The fields with numbers or, with `_get_data`, those with details. With `_include_hash` the hash is
/// among them, for a caller who may have it.
fn resource(ctx: &Context<impl Db>) -> Result<&'static Resource> {
    let flag = |name| Ok::<_, Error>(ctx.request.query_bool(name)?.unwrap_or(false));
    let details = flag("_get_data")?;
    let hash = flag("_include_hash")? && ctx.allow_anywhere(Permission::GetPasswordHash).is_ok();
    let resource = match (details, hash) {
        (false, false) => &USERS,
        (true, false) => &DETAILED_USERS,
        (false, true) => &USERS_WITH_HASH,
        (true, true) => &DETAILED_USERS_WITH_HASH,
    };
    // Unknown names in `_include` are refused before anything is changed.
    ctx.include(resource)?;
    Ok(resource)
}

/// Refuses to make users and memberships here when they come from a directory.
pub async fn demand_own_users(ctx: &Context<impl Db>) -> Result<()> {
    if !users::are_from_directory(&ctx.db, &Scope::public()).await? {
        return Ok(());
    }
    Err(Error::new(
        Kind::MethodNotAllowed,
        "This is not allowed while users come from an LDAP server",
    ))
}

/// `GET /user`: the user that the credentials of this request stand for.
pub async fn get_self(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserGetSelf)?;
    show(
        ctx,
        resource(ctx)?,
        &scope,
        BY_NAME,
        &scope.caller()?.username,
    )
    .await
}

/// `GET /users`: everybody who can log in.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserList)?;
    let resource = resource(ctx)?;
    let query = ctx.list_query(resource, &[])?;
    ctx.page(resource, &scope, &query).await
}

/// `GET /users/{username}`: one user. Everybody may read themselves.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let username = ctx.path("username");
    let scope = match is_self(ctx, username)? {
        true => ctx.allow_anywhere(Permission::UserGetSelf)?,
        false => ctx.allow_anywhere(Permission::UserGet)?,
    };
    show(ctx, resource(ctx)?, &scope, BY_NAME, username).await
}

/// `PUT /users`: a user who is in no tenant yet.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserCreate)?;
    demand_own_users(ctx).await?;
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    let user = new_user(ctx, &scope, &body).await?;
    ctx.db
        .transaction(async |tx| users::insert(tx, &scope, &user).await)
        .await?;
    let mut response = show(ctx, resource, &scope, BY_NAME, user.username).await?;
    response.status = 201;
    Ok(response)
}

/// What the body makes of a user, checked in the order that the API documents; the hash comes last.
async fn new_user<'b>(
    ctx: &Context<impl Db>,
    scope: &Scope,
    body: &'b Body,
) -> Result<NewUser<'b>> {
    let (username, password) = (
        body.required_text("username")?,
        body.required_text("password")?,
    );
    body.text("role")?;
    let is_prehashed = body.boolean("is_prehashed")?.unwrap_or(false);
    let active = body.boolean("active")?.unwrap_or(true);
    let times = ["created_at", "first_login_at", "last_login_at"];
    if times.iter().any(|key| body.get(key).is_some()) {
        ctx.allow_anywhere(Permission::SetTimestamp)?;
    }
    let [created_at, first_login_at, last_login_at] = times.map(|key| body.zoned_time(key));
    let (created_at, first_login_at, last_login_at) =
        (created_at?, first_login_at?, last_login_at?);
    credentials::check_password(password)?;
    ids::check("username", username)?;
    let role = body::role(body)?.unwrap_or(DEFAULT_ROLE);
    demand_role(&ctx.db, scope, role, RoleType::System).await?;
    users::demand_free(&ctx.db, scope, username).await?;
    Ok(NewUser {
        username,
        password_hash: match is_prehashed {
            true => prehashed(password)?,
            false => credentials::hash_password(password)?,
        },
        role,
        active,
        created_at,
        first_login_at,
        last_login_at,
    })
}

/// `POST /users/{username}`: another password, another role, or no tour any more.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let username = ctx.path("username");
    let own = is_self(ctx, username)?;
    let mut scope = match own {
        true => ctx.allow_anywhere(Permission::UserGetSelf)?,
        false => ctx.allow_anywhere(Permission::UserUpdate)?,
    };
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    let (password, role) = (body.text("password")?, body.text("role")?);
    let show_getting_started = body.boolean("show_getting_started")?;
    // What speaks for a user for a while only, or for some purposes, must not become the user.
    if own && (role.is_some() || !scope.caller()?.method.is_unlimited()) {
        scope = ctx.allow_anywhere(Permission::UserUpdate)?;
    }
    if password.is_some() && role.is_some() {
        return Err(Error::bad_parameters(
            "Password and role cannot be changed in the same request",
        ));
    }
    if password.is_none() && role.is_none() && show_getting_started.is_none() {
        return Err(Error::bad_parameters(
            "The request must carry one of: password, role, show_getting_started",
        ));
    }
    if let Some(role) = role {
        ids::check("role", role)?;
        demand_role(&ctx.db, &scope, role, RoleType::System).await?;
    }
    if let Some(password) = password {
        credentials::check_password(password)?;
        users::find(&ctx.db, &scope, username).await?;
    }
    let changes = Changes {
        password_hash: password.map(credentials::hash_password).transpose()?,
        role,
        show_getting_started,
    };
    ctx.db
        .transaction(async |tx| {
            let user = users::find(tx, &scope, username).await?;
            users::save(tx, &scope, &user, &changes).await
        })
        .await?;
    show(ctx, resource, &scope, BY_NAME, username).await
}

/// `DELETE /users/{username}`: with memberships and tokens.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserDelete)?;
    let username = ctx.path("username");
    ctx.db
        .transaction(async |tx| {
            let user = users::find(tx, &scope, username).await?;
            users::delete(tx, &scope, &user).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// `POST /users/active/{username}`: lets a user in, or shuts them out with all their tokens.
pub async fn active(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserSetActivated)?;
    let username = ctx.path("username");
    let resource = resource(ctx)?;
    let body = Body::of(ctx)?;
    let name = body.required_text("action")?;
    let action = Action::named(name).ok_or_else(|| {
        Error::bad_parameters(format!(
            "Invalid action: `{name}`. Valid actions are: {}",
            python::list(Action::ALL.iter().map(|action| action.name()))
        ))
    })?;
    let active = action == Action::Activate;
    ctx.db
        .transaction(async |tx| {
            let user = users::find(tx, &scope, username).await?;
            users::set_active(tx, &scope, &user, active).await
        })
        .await?;
    show(ctx, resource, &scope, BY_NAME, username).await
}

/// `POST /users/unlock/{username}`: the right password counts again at once.
pub async fn unlock(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::UserUnlock)?;
    let username = ctx.path("username");
    let resource = resource(ctx)?;
    ctx.db
        .transaction(async |tx| {
            let user = users::find(tx, &scope, username).await?;
            users::unlock(tx, &scope, &user).await
        })
        .await?;
    show(ctx, resource, &scope, BY_NAME, username).await
}

fn is_self(ctx: &Context<impl Db>, username: &str) -> Result<bool> {
    Ok(ctx.caller()?.username.eq_ignore_ascii_case(username))
}

/// A hash made elsewhere, as `_include_hash` shows them.
fn prehashed(hash: &str) -> Result<String> {
    if credentials::is_usable_hash(hash) {
        return Ok(hash.to_owned());
    }
    Err(Error::bad_parameters(
        "The password is not an argon2id hash in PHC form of ordinary cost",
    ))
}
