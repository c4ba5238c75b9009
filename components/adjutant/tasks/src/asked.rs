//! The requests that create tasks: accounts, invitations, passwords, addresses, roles.

use crate::body::{self, notes};
use crate::gate::{self, Asker};
use serde_json::{Map, Value, json};
use windlass_adjutant::lifecycle::{self, By};
use windlass_adjutant::people::DOMAIN;
use windlass_adjutant::submissions::{self, Asker as Counted};
use windlass_adjutant::tokens::Fresh;
use windlass_adjutant::{Settings, Submission, TaskType};
use windlass_core::caller::AuthMethod;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Timestamp, platform};
use windlass_identity::project_roles::ADMIN;
use windlass_identity::{client_address, sessions};

const CREATED: &str = "task created";

/// The same for every address, so that nobody learns which there are.
const RESET: &str = "If user with email exists, reset token will be issued.";

/// `POST /openstack/sign-up`: a project, and an account to begin with. Open to everybody.
pub async fn sign_up(ctx: &Context<impl Db>) -> Result<Response> {
    create_account(ctx, body::object(ctx)?).await?;
    notes(202, CREATED)
}

/// Creates the task of a sign-up.
pub async fn create_account(ctx: &Context<impl Db>, mut body: Map<String, Value>) -> Result<()> {
    let settings = Settings::load(&ctx.db).await?;
    // Where the project will be is not for strangers to say.
    body.insert("region".into(), json!(settings.default_region));
    body.insert("domain_id".into(), json!(DOMAIN.0));
    body.insert("parent_id".into(), json!(settings.default_parent));
    let of = TaskType::CreateProjectAndUser;
    of.check(&settings, &body)?;
    count(ctx, &settings).await?;
    let asker = gate::anybody(ctx).ok();
    let created = create(ctx, &settings, of, &body, asker.as_ref()).await;
    created.map(drop)
}

/// `POST /openstack/users`: somebody else in the project.
pub async fn invite(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let mut body = body::object(ctx)?;
    default_to(&mut body, "project_id", asker.project.as_deref());
    default_to(&mut body, "domain_id", Some(DOMAIN.0));
    let settings = Settings::load(&ctx.db).await?;
    TaskType::InviteUserToProject.check(&settings, &body)?;
    count_mailing(ctx, &settings, &asker).await?;
    ask(
        ctx,
        &settings,
        TaskType::InviteUserToProject,
        &body,
        Some(&asker),
    )
    .await
}

/// `POST /openstack/users/password-reset`: another password. Open to everybody.
pub async fn reset_password(ctx: &Context<impl Db>) -> Result<Response> {
    forget_password(ctx, &body::object(ctx)?).await?;
    notes(202, RESET)
}

/// Creates the task of a forgotten password. What there is is looked at afterwards, so this takes the
/// same time for everybody.
pub async fn forget_password(ctx: &Context<impl Db>, body: &Map<String, Value>) -> Result<()> {
    let settings = Settings::load(&ctx.db).await?;
    let of = TaskType::ResetUserPassword;
    of.check(&settings, body)?;
    count(ctx, &settings).await?;
    let (scope, fresh) = (ctx.public(), Fresh::new().await?);
    let by = By {
        scope: &scope,
        settings: &settings,
        fresh: &fresh,
        now: Timestamp::now(),
    };
    let address = client_address(&ctx.request).await;
    let submission = Submission {
        task_type: of,
        body,
        submitter: json!({}),
        project: None,
        address: address.as_deref(),
    };
    lifecycle::create_later(&ctx.db, &by, &submission).await?;
    platform::nudge();
    Ok(())
}

/// `POST /openstack/users/password-set`: an administrator has somebody choose another password.
pub async fn set_password(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::admin(ctx)?;
    let mut body = body::object(ctx)?;
    // What client 1.6.0 makes of its arguments is an object inside of the field.
    if let Some(Value::Object(inner)) = body.get("email") {
        body = inner.clone();
    }
    let settings = Settings::load(&ctx.db).await?;
    ask(
        ctx,
        &settings,
        TaskType::ResetUserPassword,
        &body,
        Some(&asker),
    )
    .await
}

/// `POST /openstack/users/email-update`: another address for the caller. Whoever has it can have another
/// password, so it takes what stands for the whole account: what speaks for it for a while only, or for
/// some purposes, must not become it.
///
/// # Errors
/// 403 for a token with scopes or an end, and for a session that was not given for the password.
pub async fn update_email(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::anybody(ctx)?;
    let is_whole = match ctx.caller()?.method {
        AuthMethod::Session(session) => sessions::is_of_password(&ctx.db, session.key).await?,
        method => method.is_unlimited(),
    };
    if !is_whole {
        let text = "Log in with the password: this token cannot change the address.";
        return Err(Error::forbidden(text));
    }
    let mut body = body::object(ctx)?;
    body.insert("user_id".into(), json!(asker.user_id()));
    let settings = Settings::load(&ctx.db).await?;
    TaskType::UpdateUserEmail.check(&settings, &body)?;
    count_mailing(ctx, &settings, &asker).await?;
    ask(
        ctx,
        &settings,
        TaskType::UpdateUserEmail,
        &body,
        Some(&asker),
    )
    .await
}

/// `POST /actions/EditUser`: more or fewer roles for a member.
pub async fn edit_user(ctx: &Context<impl Db>) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let body = body::object(ctx)?;
    let settings = Settings::load(&ctx.db).await?;
    ask(ctx, &settings, TaskType::EditUserRoles, &body, Some(&asker)).await
}

/// `PUT /openstack/users/{id}/roles`: more roles for a member.
pub async fn add_roles(ctx: &Context<impl Db>) -> Result<Response> {
    edit_roles(ctx, false).await
}

/// `DELETE /openstack/users/{id}/roles`: fewer. The body says which.
pub async fn remove_roles(ctx: &Context<impl Db>) -> Result<Response> {
    edit_roles(ctx, true).await
}

async fn edit_roles(ctx: &Context<impl Db>, remove: bool) -> Result<Response> {
    let asker = gate::moderator(ctx)?;
    let mut body = body::object(ctx)?;
    body.insert("user_id".into(), json!(ctx.path("id")));
    body.insert("remove".into(), json!(remove));
    default_to(&mut body, "project_id", asker.project.as_deref());
    let settings = Settings::load(&ctx.db).await?;
    ask(ctx, &settings, TaskType::EditUserRoles, &body, Some(&asker)).await
}

/// Puts a value where the request has none.
pub fn default_to(body: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if body.get(name).is_none_or(Value::is_null)
        && let Some(value) = value
    {
        body.insert(name.into(), json!(value));
    }
}

/// Counts a stranger's request.
async fn count(ctx: &Context<impl Db>, settings: &Settings) -> Result<()> {
    let address = client_address(&ctx.request).await;
    let address = address.unwrap_or_else(|| "unknown".to_owned());
    let (most, now) = (settings.submissions_per_hour, Timestamp::now());
    ctx.db
        .transaction(async |tx| submissions::count(tx, Counted::Address(&address), most, now).await)
        .await
}

/// Counts a user's request that has mail sent to somebody. Administrators are trusted.
///
/// # Errors
/// 429 for who asks too often.
pub async fn count_mailing(
    ctx: &Context<impl Db>,
    settings: &Settings,
    asker: &Asker,
) -> Result<()> {
    if asker.roles.iter().any(|role| role == ADMIN) {
        return Ok(());
    }
    let (most, now) = (settings.requests_per_hour, Timestamp::now());
    let user = Counted::User(asker.user_id());
    ctx.db
        .transaction(async |tx| submissions::count(tx, user, most, now).await)
        .await
}

/// Creates a task of what was asked for, and says so.
async fn ask(
    ctx: &Context<impl Db>,
    settings: &Settings,
    of: TaskType,
    body: &Map<String, Value>,
    asker: Option<&Asker>,
) -> Result<Response> {
    create(ctx, settings, of, body, asker).await?;
    notes(202, CREATED)
}

/// Creates a task of what was asked for. Answers how far it came.
pub async fn create(
    ctx: &Context<impl Db>,
    settings: &Settings,
    of: TaskType,
    body: &Map<String, Value>,
    asker: Option<&Asker>,
) -> Result<&'static str> {
    let (public, fresh) = (ctx.public(), Fresh::new().await?);
    let by = By {
        scope: asker.map_or(&public, |asker| &asker.scope),
        settings,
        fresh: &fresh,
        now: Timestamp::now(),
    };
    let address = client_address(&ctx.request).await;
    let submission = Submission {
        task_type: of,
        body,
        submitter: asker.map_or_else(|| json!({}), |asker| asker.identity.clone()),
        project: asker.and_then(|asker| asker.project.as_deref()),
        address: address.as_deref(),
    };
    let came_to = lifecycle::create(&ctx.db, &by, &submission).await?;
    platform::nudge();
    Ok(came_to)
}
