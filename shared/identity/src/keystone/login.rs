//! Logging in: who somebody is, and what their session may be about.
//!
//! Whatever is wrong is a 401 in the same words. So nobody learns which names, projects or tokens there
//! are, and a name that nobody has takes the time of a wrong password.

use super::{is_domain, number};
use crate::attempts::{Attempts, BASIC};
use crate::families::only_tenant;
use crate::passwords;
use crate::project_roles;
use crate::sessions::{self, Extent, Method, Shown};
use crate::user_tokens;
use crate::{Recognised, is_possible, recalled_password};
use serde::Deserialize;
use std::rc::Rc;
use windlass_core::caller::AuthMethod;
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::{Db, Tx};
use windlass_core::token_scope::TokenScope;
use windlass_core::{Caller, Error, Family, Kind, Request, Result, Scope, params};
use windlass_store::tenants;

/// Whom a password is for.
#[derive(Clone, Debug)]
pub enum UserName<'b> {
    /// By name.
    Name(&'b str),
    /// By id.
    Id(&'b str),
    /// Somebody of a domain that there is not.
    Stranger,
}

/// What a request proves with.
#[derive(Clone, Debug)]
pub enum Proof<'b> {
    /// A user's password.
    Password(UserName<'b>, &'b str),
    /// A session or a token.
    Token(&'b str),
    /// The two parts of a token that a user made for a program.
    ApplicationCredential(&'b str, &'b str),
}

/// What a session is asked to be about.
#[derive(Clone, Debug, Default)]
pub enum Wanted<'b> {
    /// The project of what is shown, or the only one that the user is in, or nothing.
    #[default]
    Usual,
    /// Nothing.
    Unscoped,
    /// A project.
    Project(&'b str),
    /// The domain.
    Domain,
    /// The whole installation.
    System,
    /// A domain, or a project in one, that there is not.
    Elsewhere,
}

/// Somebody who has proved who they are.
#[derive(Debug)]
pub struct Login {
    /// Who they are.
    pub caller: Rc<Caller>,
    /// What they showed.
    pub shown: Shown,
    /// The tenant that it is about, if it is about one.
    tenant: Option<String>,
}

impl Login {
    /// Refuses a password that was changed, or whose user was shut out, since it was verified: that takes
    /// a while, and the old one must not win.
    ///
    /// # Errors
    /// 401.
    pub async fn demand_current(&self, tx: &impl Tx) -> Result<()> {
        let Shown::Password(Some(epoch)) = self.shown else {
            return Ok(());
        };
        let sql = "select 1 from users where id = ?1 and active and session_epoch = ?2";
        let row = tx.first(sql, params![self.caller.user_id, epoch]).await?;
        row.map(drop).ok_or_else(refusal)
    }
}

fn refusal() -> Error {
    Error::unauthorized("Unauthorized")
}

/// Whoever proves who they are.
///
/// # Errors
/// 401, and 429 for an address that failed too often.
pub async fn prove(db: &impl Db, request: &Request, proof: &Proof<'_>) -> Result<Login> {
    let proved = match proof {
        Proof::Password(user, password) => by_password(db, request, user, password).await,
        Proof::Token(value) => by_token(db, request, value, Method::Token).await,
        Proof::ApplicationCredential(id, secret) => {
            let value = format!("ctok-{id}-{secret}");
            by_token(db, request, &value, Method::ApplicationCredential).await
        }
    };
    // A token for other purposes is not good here.
    proved.map_err(|error| match error.kind() {
        Kind::Forbidden => refusal(),
        _ => error,
    })
}

/// A user as a login looks for one.
#[derive(Deserialize)]
struct Account {
    username: String,
    epoch: i64,
}

/// The user with this password.
///
/// # Errors
/// 401, and 429 for an address that failed too often.
pub async fn by_password(
    db: &impl Db,
    request: &Request,
    user: &UserName<'_>,
    password: &str,
) -> Result<Login> {
    // Before anything is verified: with another password than this one's there is another epoch.
    let account = account(db, user).await?;
    let attempts = Attempts::read(db, request).await?;
    let username = match &account {
        Some(account) => account.username.clone(),
        None => no_account(user),
    };
    let credential = format!("{}:{username}{password}", username.len());
    let memory = attempts.memory_of(BASIC, &credential, "keystone");
    let login = || passwords::Login {
        username: username.clone(),
        password: password.to_owned(),
        address: attempts.address(),
    };
    let recalled = recalled_password(db, &memory, login, &attempts).await?;
    let caller = match recalled {
        Some(known) => known.caller,
        None => {
            attempts.demand_few()?;
            let login = login();
            let found = crate::by_password(db, &login).await?;
            let Recognised { caller, until, .. } = found.ok_or_else(|| login.refusal())?;
            let identified = Identified {
                caller: Rc::new(caller),
                tenant: TenantHeader::Absent,
            };
            memory.keep(identified.clone(), until);
            identified.caller
        }
    };
    Ok(Login {
        caller,
        shown: Shown::Password(account.map(|account| account.epoch)),
        tenant: None,
    })
}

async fn account(db: &impl Db, user: &UserName<'_>) -> Result<Option<Account>> {
    let (column, value) = match user {
        UserName::Name(name) if is_possible(name) => ("username", (*name).into()),
        UserName::Id(id) => ("id", number(id).into()),
        UserName::Name(_) | UserName::Stranger => return Ok(None),
    };
    let sql = format!(
        "select json_object('username', username, 'epoch', session_epoch)
         from users where {column} = ?1"
    );
    db.first_json(&sql, &[value]).await
}

/// The name to verify for somebody without an account: a directory may know it. Else it is one that
/// nobody has anywhere, because no name holds a colon.
fn no_account(user: &UserName<'_>) -> String {
    match user {
        UserName::Name(name) if is_possible(name) => (*name).to_owned(),
        UserName::Name(text) | UserName::Id(text) => format!(":{text}"),
        UserName::Stranger => ":".to_owned(),
    }
}

/// The user of a session or a token.
async fn by_token(db: &impl Db, request: &Request, value: &str, method: Method) -> Result<Login> {
    let attempts = Attempts::read(db, request).await?;
    attempts.demand_few()?;
    let found = user_tokens::find(db, value).await;
    let found = found.and_then(|found| found.ok_or_else(refusal));
    let found = attempts.counted(db, found).await?;
    let Recognised { caller, tenant, .. } = found;
    caller.demand_scope(TokenScope::of_family(Family::Keystone))?;
    let shown = match caller.method {
        AuthMethod::Token(token) => Shown::Token(method, token),
        AuthMethod::Session(_) => {
            let session = sessions::find(db, value).await?;
            Shown::Session(Box::new(session.ok_or_else(refusal)?))
        }
        AuthMethod::Basic | AuthMethod::Monitor | AuthMethod::ExecutionToken => {
            return Err(refusal());
        }
    };
    Ok(Login {
        caller: Rc::new(caller),
        shown,
        tenant,
    })
}

impl Login {
    /// What the session will be about.
    ///
    /// # Errors
    /// 401 for what the user has no role in.
    pub async fn extent(
        &self,
        db: &impl Db,
        wanted: &Wanted<'_>,
    ) -> Result<(Extent, Option<String>)> {
        let has_role = |project: &str| !project_roles::of(&self.caller, Some(project)).is_empty();
        let project = match wanted {
            Wanted::Unscoped => return Ok((Extent::Unscoped, None)),
            Wanted::Domain if self.caller.is_admin() => return Ok((Extent::Domain, None)),
            Wanted::System if self.caller.is_admin() => return Ok((Extent::System, None)),
            Wanted::Domain | Wanted::System | Wanted::Elsewhere => return Err(refusal()),
            Wanted::Project(project) if has_role(project) => Some((*project).to_owned()),
            Wanted::Project(_) => return Err(refusal()),
            Wanted::Usual => {
                let usual = self.tenant.clone().or_else(|| only_tenant(&self.caller));
                usual.filter(|project| has_role(project))
            }
        };
        let Some(project) = project else {
            return Ok((Extent::Unscoped, None));
        };
        // An administrator has a role in whatever it is called.
        let is_known = self.caller.tenants.contains_key(&project)
            || tenants::exists(db, &Scope::public(), &project).await?;
        match is_known {
            true => Ok((Extent::Project, Some(project))),
            false => Err(refusal()),
        }
    }
}

impl<'b> UserName<'b> {
    /// Somebody of a domain, if the request names one.
    #[must_use]
    pub fn of_domain(self, domain: Option<&str>) -> Self {
        match domain.is_none_or(is_domain) {
            true => self,
            false => Self::Stranger,
        }
    }
}
