//! Who may: Adjutant's roles in the project of the request, and what they let somebody see.

use serde_json::Value;
use windlass_core::caller::{Caller, Reach};
use windlass_core::context::Context;
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope};
use windlass_identity::project_roles::{self, ADMIN, PROJECT_ADMIN, PROJECT_MOD};

/// Somebody who has logged in, and may.
pub struct Asker {
    /// What they see: administrators everything, others their project.
    pub scope: Scope,
    /// The project of the request, if it has one.
    pub project: Option<String>,
    /// Their roles there.
    pub roles: Vec<String>,
    /// Who they are, as tasks keep it.
    pub identity: Value,
}

impl Asker {
    /// The project that the request is about.
    ///
    /// # Errors
    /// 400 for an administrator's request that is about none.
    pub fn demand_project(&self) -> Result<&str> {
        self.project.as_deref().ok_or_else(|| {
            Error::bad_parameters("The request names no project: use a token of one.")
        })
    }

    /// The user's number, as tasks keep it.
    pub fn user_id(&self) -> &str {
        let id = self.identity.get("user_id").and_then(Value::as_str);
        id.unwrap_or_default()
    }
}

/// An administrator.
pub fn admin(ctx: &Context<impl Db>) -> Result<Asker> {
    asker(ctx, &[ADMIN])
}

/// Somebody who looks after the members of a project, or an administrator.
pub fn moderator(ctx: &Context<impl Db>) -> Result<Asker> {
    asker(ctx, &[PROJECT_ADMIN, PROJECT_MOD, ADMIN])
}

/// Everybody who has logged in.
pub fn anybody(ctx: &Context<impl Db>) -> Result<Asker> {
    asker(ctx, &[])
}

fn asker(ctx: &Context<impl Db>, any_of: &[&str]) -> Result<Asker> {
    // Refuses who has not logged in, and tenants that do not exist.
    ctx.allow_everybody()?;
    let caller = ctx.caller()?;
    let project = ctx.identity_names().and_then(|(_, tenant)| tenant);
    if !any_of.is_empty() {
        project_roles::demand(caller, project, any_of)?;
    }
    let roles = project_roles::of(caller, project);
    // Nobody asks for something in the name of a project that they are not in.
    let project = project.filter(|_| !roles.is_empty());
    let scope = Scope::of(caller.clone(), reach(&roles, project), ctx.origin.clone());
    Ok(Asker {
        scope,
        project: project.map(str::to_owned),
        identity: identity(caller, project),
        roles: roles.into_iter().map(str::to_owned).collect(),
    })
}

fn reach(roles: &[&str], project: Option<&str>) -> Reach {
    match project {
        _ if roles.contains(&ADMIN) => Reach::Everywhere,
        Some(project) => Reach::Tenant(project.to_owned()),
        None => Reach::Nowhere,
    }
}

fn identity(caller: &Caller, project: Option<&str>) -> Value {
    project_roles::identity(caller, project.unwrap_or_default())
}
