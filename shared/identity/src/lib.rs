//! Finding the caller: passwords, tokens and execution tokens against the tables of identity, and
//! passwords against a directory.
//!
//! An instance remembers whom it has recognised, because a password costs tens of milliseconds to
//! verify. The number in `identity_version` changes with everything such a memory depends on and
//! is read for every request, so a change counts from the next request on, in every instance.

mod attempts;
mod bootstrap;
pub mod credentials;
mod directory;
mod execution_tokens;
mod families;
pub mod jwt;
pub mod keystone;
pub mod ldap;
mod maintenance;
mod memory;
mod passwords;
pub mod project_roles;
pub mod recovery;
pub mod sessions;
pub mod token_uses;
pub mod tokens;
mod user_tokens;
mod verified;

use attempts::Attempts;
use memory::Memory;
use passwords::Login;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, BOOTSTRAP_ADMIN, Caller, Membership};
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::Db;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::token_scope::TokenScope;
use windlass_core::{Error, Family, Request, Result, Scope, Timestamp, app, params};
use windlass_store::tenants;

pub use bootstrap::ADMIN_PASSWORD_KEY;
use bootstrap::token_signing_key;
pub use windlass_core::client::address_of as client_address;
pub use windlass_store::users::locks::FAILED_LOGINS_BEFORE_LOCK;

/// The identity of Conductor's components.
pub struct Identity;

/// The identity of the other families' components. It is a type of its own, so that only they link
/// what verifies signatures.
pub struct Families;

impl app::Identity for Identity {
    async fn prepare(db: &impl Db) -> Result<()> {
        prepare(db).await
    }

    async fn authenticate(db: &impl Db, _family: Family, request: &Request) -> Result<Identified> {
        conductor(db, request).await
    }
}

impl app::Identity for Families {
    async fn prepare(db: &impl Db) -> Result<()> {
        prepare(db).await
    }

    async fn authenticate(db: &impl Db, family: Family, request: &Request) -> Result<Identified> {
        families::authenticate(db, family, request).await
    }
}

async fn prepare(db: &impl Db) -> Result<()> {
    // Every new instance asks, so the usual answer costs one statement.
    #[derive(Deserialize)]
    struct Ready {
        migrations: i64,
        administrators: i64,
    }
    let sql = "select json_object('migrations', count(*),
             'administrators', (select count(*) from users where id = ?1))
         from schema_versions where version <= ?2";
    let values = params![BOOTSTRAP_ADMIN, windlass_store::migrations::latest()];
    if let Ok(Some(ready)) = db.first_json::<Ready>(sql, values).await
        && ready.migrations >= windlass_store::migrations::count()
        && ready.administrators > 0
    {
        return bootstrap::keep_tick_token(db).await;
    }
    windlass_store::migrations::apply(db).await?;
    bootstrap::run(db).await
}

/// What a request offers as proof.
enum Proof<'r> {
    Basic { header: &'r str },
    Token { value: &'r str },
    ExecutionToken { value: &'r str },
}

impl<'r> Proof<'r> {
    /// All that a request offers, in the order of the original: execution token, Basic, token. The
    /// first one that names somebody counts.
    fn all(request: &'r Request) -> Result<Vec<Self>> {
        let execution = single(request, "execution-token")?;
        let basic = single(request, "authorization")?.filter(|header| names_somebody(header));
        let token = single(request, "authentication-token")?;
        let proofs = [
            execution.map(|value| Self::ExecutionToken { value }),
            basic.map(|header| Self::Basic { header }),
            token.map(|value| Self::Token { value }),
        ];
        Ok(proofs.into_iter().flatten().collect())
    }

    fn parts(&self) -> [&str; 2] {
        match self {
            Self::Basic { header } => [attempts::BASIC, header],
            Self::Token { value } => ["token", value],
            Self::ExecutionToken { value } => ["execution", value],
        }
    }
}

/// Whether a header holds a name and a password, and the name is one that a user can have.
fn names_somebody(header: &str) -> bool {
    credentials::basic(header).is_some_and(|(name, _)| is_possible(&name))
}

/// Whether somebody can have this name, here or in a directory: it begins with a letter, or it is an address.
fn is_possible(name: &str) -> bool {
    name.contains('@') || name.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// The value of a header that decides who calls, or in which tenant. It may be given only once: a
/// proxy in front could have checked one value while this application believes the other.
fn single<'r>(request: &'r Request, name: &str) -> Result<Option<&'r str>> {
    let mut values = request.headers.iter().filter(|(known, _)| known == name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Error::bad_parameters(format!(
            "The header {name} is given more than once"
        ))),
        (first, None) => Ok(first.map(|(_, value)| value.as_str())),
    }
}

/// A caller who was recognised.
struct Recognised {
    caller: Caller,
    /// Until when that may be remembered.
    until: Option<Timestamp>,
    /// The tenant that a request is about when it names none.
    tenant: Option<String>,
}

async fn conductor(db: &impl Db, request: &Request) -> Result<Identified> {
    let proofs = Proof::all(request)?;
    if proofs.is_empty() {
        return Err(Error::unauthorized("No authentication info provided"));
    }
    let tenant = single(request, "tenant")?.unwrap_or_default();
    let attempts = Attempts::read(db, request).await?;
    let identified = first_of(db, proofs, (tenant, &request.path), &attempts).await?;
    maintenance::demand_open(attempts.maintenance, request, &identified)?;
    Ok(identified)
}

/// The caller, by the first proof that names somebody. A wrong password leaves a token to speak, as a
/// name that nobody has does: else the answer would tell them apart.
async fn first_of(
    db: &impl Db,
    proofs: Vec<Proof<'_>>,
    (tenant, path): (&str, &str),
    attempts: &Attempts,
) -> Result<Identified> {
    let mut refusal = Error::unauthorized("No authentication info provided");
    for proof in proofs {
        let [kind, value] = proof.parts();
        let memory = attempts.memory_of(kind, value, tenant);
        let recalled = match proof {
            Proof::Basic { header } => {
                let login = || Login::read(header, attempts);
                recalled_password(db, &memory, login, attempts).await?
            }
            Proof::Token { .. } | Proof::ExecutionToken { .. } => memory.recall(),
        };
        if let Some(known) = recalled {
            note_use(&known, path);
            return Ok(known);
        }
        attempts.demand_few()?;
        let found = match proof {
            Proof::Basic { header } => {
                let login = Login::read(header, attempts);
                let Some(found) = by_password(db, &login).await? else {
                    refusal = login.refusal();
                    continue;
                };
                found
            }
            Proof::Token { value } => {
                let found = by_user_token(db, value).await;
                let Some(found) = attempts.counted(db, found).await? else {
                    let found = execution_tokens::find(db, value, tenant).await;
                    let found = found.map_err(|error| execution_tokens::misshapen(value, error));
                    return attempts.counted(db, found).await;
                };
                found
            }
            Proof::ExecutionToken { value } => {
                let found = execution_tokens::find(db, value, tenant).await;
                return attempts.counted(db, found).await;
            }
        };
        let identified = Identified {
            caller: Rc::new(found.caller),
            tenant: tenant_header(db, tenant).await?,
        };
        note_use(&identified, path);
        memory.keep(identified.clone(), found.until);
        return Ok(identified);
    }
    Err(refusal)
}

/// Notes the use of a token, in the tenant that the request is about.
fn note_use(identified: &Identified, path: &str) {
    let tenant = match &identified.tenant {
        TenantHeader::Known(name) => Some(name.as_str()),
        TenantHeader::Absent | TenantHeader::Unknown(_) => None,
    };
    token_uses::note(&identified.caller, tenant, path);
}

/// Whom this instance remembers by name and password, unless the address is held off by now.
async fn recalled_password<'r>(
    db: &impl Db,
    memory: &Memory,
    login: impl FnOnce() -> Login<'r>,
    attempts: &Attempts,
) -> Result<Option<Identified>> {
    let known = memory.recall();
    if known.is_none() || attempts.are_none() {
        return Ok(known);
    }
    let counts = passwords::still_counts(db, &login()).await?;
    Ok(known.filter(|_| counts))
}

async fn tenant_header(db: &impl Db, name: &str) -> Result<TenantHeader> {
    if name.is_empty() {
        return Ok(TenantHeader::Absent);
    }
    let is_known = tenants::exists(db, &Scope::public(), name).await?;
    Ok(if is_known {
        TenantHeader::Known(name.to_owned())
    } else {
        TenantHeader::Unknown(name.to_owned())
    })
}

/// The user of a token or a session, if it is a user's, and one that counts in this family.
async fn by_user_token(db: &impl Db, value: &str) -> Result<Option<Recognised>> {
    let found = user_tokens::find(db, value).await?;
    if let Some(found) = &found {
        let needed = TokenScope::of_family(Family::Conductor);
        found.caller.demand_scope(needed)?;
    }
    Ok(found)
}

/// The user with this name and password. Nothing, and a failure counted, when there is none. Where
/// there is a directory, it decides about everybody but the first administrator.
async fn by_password(db: &impl Db, login: &Login<'_>) -> Result<Option<Recognised>> {
    let found = match directory::settings_for(db, &login.username).await? {
        Some(settings) => {
            let found = directory::verify(db, login, &settings).await?;
            found.map(|(id, until)| (id, Some(until)))
        }
        None => passwords::verify(db, login).await?.map(|id| (id, None)),
    };
    let Some((id, until)) = found else {
        return Ok(None);
    };
    let caller = caller(db, id, AuthMethod::Basic, None).await?;
    Ok(Some(Recognised {
        caller,
        until,
        tenant: None,
    }))
}

/// Whether a time of last use is to be written again. Once a minute is enough.
fn is_stale(last: Option<Timestamp>) -> bool {
    last.is_none_or(|last| last.plus_seconds(60) < Timestamp::now())
}

/// A user, and all roles that make them a caller.
#[derive(Deserialize)]
struct Standing {
    username: String,
    role: String,
    system_roles: Vec<String>,
    memberships: Vec<TenantRole>,
    permissions: Vec<Held>,
}

/// A role that somebody has in a tenant.
#[derive(Deserialize)]
struct TenantRole {
    tenant: String,
    role: String,
}

/// A permission that a role holds.
#[derive(Deserialize)]
struct Held {
    role: String,
    permission: String,
}

/// A user with all that their roles permit: their own and those of their groups, in the system and
/// in each tenant, and what they inherit in tenants below others.
async fn caller(
    db: &impl Db,
    user_id: i64,
    method: AuthMethod,
    execution_id: Option<String>,
) -> Result<Caller> {
    let inherited = tenants::inherited_by("?1");
    let standing: Option<Standing> = db
        .first_json(
            &format!("with system_roles (role) as (
                 select role from users where id = ?1
                 union select g.role from group_users m join user_groups g on g.id = m.group_id
                     where m.user_id = ?1),
             memberships (tenant_name, role) as (
                 select tenant_name, role from tenant_users where user_id = ?1
                 union select g.tenant_name, g.role from group_users m
                     join tenant_groups g on g.group_id = m.group_id where m.user_id = ?1
                 union select tenant_name, role from ({inherited}))
             select json_object('username', u.username, 'role', u.role,
                 'system_roles', json((select json_group_array(role) from system_roles)),
                 'memberships', json((select json_group_array(
                     json_object('tenant', tenant_name, 'role', role)) from memberships)),
                 'permissions', json((select json_group_array(
                     json_object('role', p.role, 'permission', p.permission)) from permissions p
                  where p.role in (select role from system_roles union select role from memberships))))
             from users u where u.id = ?1"),
            params![user_id],
        )
        .await?;
    let standing = standing.ok_or_else(|| Error::unauthorized("Unauthorized"))?;
    let mut of_role: BTreeMap<String, PermissionSet> = BTreeMap::new();
    for held in standing.permissions {
        if let Some(permission) = Permission::find(&held.permission) {
            of_role.entry(held.role).or_default().insert(permission);
        }
    }
    let mut role = standing.role;
    let mut system = PermissionSet::default();
    for system_role in standing.system_roles {
        if let Some(permissions) = of_role.get(&system_role) {
            system.extend(permissions);
        }
        // The rules that name the role itself do not ask where it comes from.
        if system_role == "sys_admin" {
            role = system_role;
        }
    }
    let mut tenants: BTreeMap<String, Membership> = BTreeMap::new();
    for TenantRole { tenant, role } in standing.memberships {
        let membership = tenants.entry(tenant).or_default();
        if let Some(permissions) = of_role.get(&role) {
            membership.permissions.extend(permissions);
        }
        membership.roles.push(role);
    }
    Ok(Caller {
        user_id,
        username: standing.username,
        system,
        role,
        method,
        tenants,
        execution_id,
    })
}

/// A user as they are now, for what is done later in their name. Nothing for somebody who is gone or not
/// active.
///
/// # Errors
/// Of the database.
pub async fn user_later(db: &impl Db, username: &str) -> Result<Option<Caller>> {
    let sql = "select id from users where username = ?1 and active = 1";
    let Some(row) = db.first(sql, params![username]).await? else {
        return Ok(None);
    };
    let method = AuthMethod::ExecutionToken;
    caller(db, row.integer(0)?, method, None).await.map(Some)
}

#[cfg(test)]
mod tests;
