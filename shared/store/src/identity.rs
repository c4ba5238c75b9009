//! Finding the caller: passwords, tokens and execution tokens against the tables of identity.
//!
//! An instance remembers whom it has recognised, because a password costs tens of milliseconds to
//! verify. The number in `identity_version` changes with everything such a memory depends on and
//! is read for every request, so a change counts from the next request on, in every instance.

mod bootstrap;
mod memory;
mod passwords;
mod verified;

use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, BOOTSTRAP_ADMIN, Caller, Membership};
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::Db;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::{Error, Family, Kind, Request, Result, Timestamp, app, credentials, params};

pub use bootstrap::{ADMIN_PASSWORD_KEY, encryption_key};
pub use passwords::FAILED_LOGINS_BEFORE_LOCK;

/// The identity of the application, as components name it.
pub struct Identity;

impl app::Identity for Identity {
    async fn prepare(db: &impl Db) -> Result<()> {
        // Every new instance asks, so the usual answer costs one statement.
        let ready = "select coalesce(max(version), 0), exists (select 1 from users where id = ?1)
             from schema_versions";
        if let Ok(Some(row)) = db.first(ready, params![BOOTSTRAP_ADMIN]).await
            && row.integer(0)? >= crate::migrations::latest()
            && row.boolean(1)?
        {
            return Ok(());
        }
        crate::migrations::apply(db).await?;
        bootstrap::run(db).await
    }

    async fn authenticate(db: &impl Db, family: Family, request: &Request) -> Result<Identified> {
        match family {
            Family::Conductor => conductor(db, request).await,
            // Their own ways to log in come with their components.
            Family::Adjutant | Family::Opsera | Family::StatusDashboard => {
                Err(Error::unauthorized("No authentication info provided"))
            }
        }
    }
}

/// What a request offers as proof.
enum Proof<'r> {
    Basic { header: &'r str },
    Token { value: &'r str },
    ExecutionToken { value: &'r str },
}

impl<'r> Proof<'r> {
    /// The usable ones, in the order of the original: execution token, Basic, token. The first
    /// that names somebody counts.
    fn all(request: &'r Request) -> Result<Vec<Self>> {
        let execution = single(request, "execution-token")?;
        let basic = single(request, "authorization")?.filter(|header| {
            credentials::basic(header).is_some_and(|(name, _)| {
                name.starts_with(|first: char| first.is_ascii_alphabetic())
            })
        });
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
            Self::Basic { header } => ["basic", header],
            Self::Token { value } => ["token", value],
            Self::ExecutionToken { value } => ["execution", value],
        }
    }
}

/// The value of a header that decides who calls or where. Given twice, a proxy in front may have
/// checked the one and this application would believe the other: then it is refused.
fn single<'r>(request: &'r Request, name: &str) -> Result<Option<&'r str>> {
    let mut values = request.headers.iter().filter(|(known, _)| known == name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Error::bad_parameters(format!(
            "The header {name} is given more than once"
        ))),
        (first, None) => Ok(first.map(|(_, value)| value.as_str())),
    }
}

/// The refusal of a text that may have been meant as either kind of token: the original says when
/// it has the shape of none.
fn misshapen(value: &str, refusal: Error) -> Error {
    if refusal.kind() != Kind::Unauthorized || value.splitn(3, '-').count() == 3 {
        return refusal;
    }
    Error::unauthorized("Invalid token structure")
}

/// A caller who was recognised, and until when that may be remembered.
struct Recognised {
    caller: Caller,
    until: Option<Timestamp>,
}

async fn conductor(db: &impl Db, request: &Request) -> Result<Identified> {
    let proofs = Proof::all(request)?;
    let tenant = single(request, "tenant")?.unwrap_or_default();
    let version = version(db).await?;
    for proof in proofs {
        let [kind, value] = proof.parts();
        let key = credentials::memory_key(&[kind, value, tenant]);
        if let Some(known) = memory::recall(&key, version) {
            return Ok(known);
        }
        let found = match proof {
            Proof::ExecutionToken { value } => return by_execution_token(db, value, tenant).await,
            Proof::Basic { header } => by_password(db, header).await?,
            Proof::Token { value } => match by_token(db, value).await? {
                Some(found) => Some(found),
                None => {
                    let found = by_execution_token(db, value, tenant).await;
                    return found.map_err(|error| misshapen(value, error));
                }
            },
        };
        let Some(Recognised { caller, until }) = found else {
            continue;
        };
        let caller = Rc::new(caller);
        let identified = Identified {
            caller,
            tenant: tenant_header(db, tenant).await?,
        };
        memory::remember(key, identified.clone(), version, until);
        return Ok(identified);
    }
    Err(Error::unauthorized("No authentication info provided"))
}

async fn version(db: &impl Db) -> Result<i64> {
    let row = db
        .first("select version from identity_version", &[])
        .await?;
    row.map_or(Ok(0), |row| row.integer(0))
}

async fn tenant_header(db: &impl Db, name: &str) -> Result<TenantHeader> {
    if name.is_empty() {
        return Ok(TenantHeader::Absent);
    }
    let known = db
        .first("select 1 from tenants where name = ?1", params![name])
        .await?;
    Ok(if known.is_some() {
        TenantHeader::Known(name.to_owned())
    } else {
        TenantHeader::Unknown(name.to_owned())
    })
}

/// The user whose name and password these are; nothing when nobody has the name.
async fn by_password(db: &impl Db, header: &str) -> Result<Option<Recognised>> {
    let (username, password) = credentials::basic(header).unwrap_or_default();
    let Some(id) = passwords::verify(db, &username, &password).await? else {
        return Ok(None);
    };
    let caller = caller(db, id, AuthMethod::Basic, None).await?;
    Ok(Some(Recognised {
        caller,
        until: None,
    }))
}

/// Whether a time of last use is old enough to be written again: once a minute is enough.
fn is_stale(last: Option<&str>) -> Result<bool> {
    let Some(last) = last else { return Ok(true) };
    Ok(Timestamp::parse("last use", last)?.plus_seconds(60) < Timestamp::now())
}

/// The user of a token, or nothing when the text may be an execution's token instead.
async fn by_token(db: &impl Db, value: &str) -> Result<Option<Recognised>> {
    let mut parts = value.splitn(3, '-');
    let (Some(prefix), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    if prefix != "ctok" {
        return Ok(None);
    }
    let row = db
        .first(
            "select t.user_id, t.secret_hash, t.expiration_date, u.active, t.last_used
             from tokens t join users u on u.id = t.user_id where t.id = ?1",
            params![id],
        )
        .await?;
    let unknown = || Error::unauthorized("Unauthorized");
    let row = row.ok_or_else(unknown)?;
    if !credentials::same(row.text(1)?, &credentials::digest(secret)) || !row.boolean(3)? {
        return Err(unknown());
    }
    let until = row
        .optional_text(2)?
        .map(|end| Timestamp::parse("expiration_date", end))
        .transpose()?;
    if until.is_some_and(|end| end <= Timestamp::now()) {
        return Err(Error::unauthorized("Token is expired"));
    }
    if is_stale(row.optional_text(4)?)? {
        let now = Timestamp::now();
        db.execute(
            "update tokens set last_used = ?2 where id = ?1",
            params![id, now],
        )
        .await?;
    }
    let caller = caller(db, row.integer(0)?, AuthMethod::Token, None).await?;
    Ok(Some(Recognised { caller, until }))
}

/// The creator of the execution whose token this is, while the execution may still act.
/// Never remembered: what the token may do ends with the execution.
async fn by_execution_token(db: &impl Db, value: &str, tenant: &str) -> Result<Identified> {
    let row = db
        .first(
            "select e.id, u.id, e.tenant_name from executions e
             join users u on u.username = e.created_by
             where e.token_hash = ?1 and u.active and (e.status in ('pending', 'started',
                 'cancelling', 'force_cancelling', 'kill_cancelling')
                 or (e.status = 'scheduled' and e.scheduled_for > ?2)
                 or (e.status = 'cancelled' and e.finished_operations < e.total_operations))",
            params![
                credentials::digest(value),
                Timestamp::now().plus_seconds(-60)
            ],
        )
        .await?;
    let Some(row) = row else {
        return Err(Error::unauthorized(
            "Authentication failed, invalid Execution Token",
        ));
    };
    let execution = row.text(0)?.to_owned();
    let caller = caller(
        db,
        row.integer(1)?,
        AuthMethod::ExecutionToken,
        Some(execution),
    )
    .await?;
    let tenant = if tenant.is_empty() {
        row.text(2)?
    } else {
        tenant
    };
    Ok(Identified {
        caller: Rc::new(caller),
        tenant: tenant_header(db, tenant).await?,
    })
}

/// A user with all that their roles permit.
async fn caller(
    db: &impl Db,
    user_id: i64,
    method: AuthMethod,
    execution_id: Option<String>,
) -> Result<Caller> {
    let row = db
        .first(
            "select u.username, u.role,
                 (select json_group_array(json_array(m.tenant_name, m.role))
                  from tenant_users m where m.user_id = u.id),
                 (select json_group_array(json_array(p.role, p.permission)) from permissions p
                  where p.role = u.role
                     or p.role in (select m.role from tenant_users m where m.user_id = u.id))
             from users u where u.id = ?1",
            params![user_id],
        )
        .await?
        .ok_or_else(|| Error::unauthorized("Unauthorized"))?;
    let mut of_role: BTreeMap<String, PermissionSet> = BTreeMap::new();
    for (role, name) in row.json::<Vec<(String, String)>>(3)? {
        if let Some(permission) = Permission::find(&name) {
            of_role.entry(role).or_default().insert(permission);
        }
    }
    let role = row.text(1)?.to_owned();
    let mut tenants: BTreeMap<String, Membership> = BTreeMap::new();
    for (tenant, role) in row.json::<Vec<(String, String)>>(2)? {
        let membership = tenants.entry(tenant).or_default();
        if let Some(permissions) = of_role.get(&role) {
            membership.permissions.extend(permissions);
        }
        membership.roles.push(role);
    }
    Ok(Caller {
        user_id,
        username: row.text(0)?.to_owned(),
        system: of_role.get(&role).cloned().unwrap_or_default(),
        role,
        method,
        tenants,
        execution_id,
    })
}

#[cfg(test)]
#[path = "identity/tests.rs"]
mod tests;
