//! Finding the caller: passwords, tokens and execution tokens against the tables of identity.
//!
//! An instance remembers whom it has recognised, because a password costs tens of milliseconds to
//! verify. The number in `identity_version` changes with everything such a memory depends on and
//! is read for every request, so a change counts from the next request on, in every instance.

mod bootstrap;
mod memory;
mod verified;

use std::collections::BTreeMap;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Caller, Membership};
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::Db;
use windlass_core::permission::{Permission, PermissionSet};
use windlass_core::{Error, Family, Request, Result, Timestamp, app, credentials, params};

pub use bootstrap::ADMIN_PASSWORD_KEY;

/// How many failed logins an account takes before it is locked.
pub const FAILED_LOGINS_BEFORE_LOCK: i64 = 4;

/// The identity of the application, as components name it.
pub struct Identity;

impl app::Identity for Identity {
    async fn prepare(db: &impl Db) -> Result<()> {
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
    /// The first usable one, in the order of the original: execution token, Basic, token.
    fn of(request: &'r Request) -> Option<Self> {
        if let Some(value) = request.get_header("execution-token") {
            return Some(Self::ExecutionToken { value });
        }
        let basic = request.get_header("authorization").filter(|header| {
            credentials::basic(header).is_some_and(|(name, _)| {
                name.starts_with(|first: char| first.is_ascii_alphabetic())
            })
        });
        if let Some(header) = basic {
            return Some(Self::Basic { header });
        }
        request
            .get_header("authentication-token")
            .map(|value| Self::Token { value })
    }

    fn parts(&self) -> [&str; 2] {
        match self {
            Self::Basic { header } => ["basic", header],
            Self::Token { value } => ["token", value],
            Self::ExecutionToken { value } => ["execution", value],
        }
    }
}

async fn conductor(db: &impl Db, request: &Request) -> Result<Identified> {
    let Some(proof) = Proof::of(request) else {
        return Err(Error::unauthorized("No authentication info provided"));
    };
    let tenant = request.get_header("tenant").unwrap_or_default();
    let [kind, value] = proof.parts();
    let key = credentials::memory_key(&[kind, value, tenant]);
    let version = version(db).await?;
    if let Some(known) = memory::recall(&key, version) {
        return Ok(known);
    }
    let caller = match proof {
        Proof::Basic { header } => by_password(db, header).await?,
        Proof::ExecutionToken { value } => return by_execution_token(db, value, tenant).await,
        Proof::Token { value } => match by_token(db, value).await? {
            Some(caller) => caller,
            None => return by_execution_token(db, value, tenant).await,
        },
    };
    let identified = Identified {
        caller: Rc::new(caller),
        tenant: tenant_header(db, tenant).await?,
    };
    memory::remember(key, identified.clone(), version);
    Ok(identified)
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

async fn by_password(db: &impl Db, header: &str) -> Result<Caller> {
    let (username, password) = credentials::basic(header).unwrap_or_default();
    let row = db
        .first(
            "select id, username, password_hash, active, failed_logins, last_failed_login_at,
                 last_login_at from users where username = ?1",
            params![username.as_str()],
        )
        .await?;
    let Some(row) = row else {
        return Err(Error::unauthorized("No authentication info provided"));
    };
    let name = row.text(1)?;
    let refusal = || {
        Error::unauthorized(format!(
            "Authentication failed for <User username=`{name}`>. Wrong credentials or locked account"
        ))
    };
    let id = row.integer(0)?;
    if !row.boolean(3)? || is_locked(db, row.integer(4)?, row.optional_text(5)?).await? {
        return Err(refusal());
    }
    let hash = row.text(2)?;
    if !verified::is_known(db, name, &password, hash).await? {
        if !credentials::verify_password(&password, hash) {
            db.execute(
                "update users set failed_logins = failed_logins + 1, last_failed_login_at = ?2
                 where id = ?1",
                params![id, Timestamp::now()],
            )
            .await?;
            return Err(refusal());
        }
        verified::note(db, name, &password, hash).await?;
    }
    if row.integer(4)? > 0 || is_stale(row.optional_text(6)?)? {
        db.execute(
            "update users set failed_logins = 0, last_login_at = ?2,
                 first_login_at = coalesce(first_login_at, ?2) where id = ?1",
            params![id, Timestamp::now()],
        )
        .await?;
    }
    caller(db, id, AuthMethod::Basic, None).await
}

/// Whether a time of last use is old enough to be written again: once a minute is enough.
fn is_stale(last: Option<&str>) -> Result<bool> {
    let Some(last) = last else { return Ok(true) };
    Ok(Timestamp::parse("last use", last)?.plus_seconds(60) < Timestamp::now())
}

/// Whether so many failures, the last at that time, keep the account locked.
pub async fn is_locked(db: &impl Db, failures: i64, last: Option<&str>) -> Result<bool> {
    if failures <= FAILED_LOGINS_BEFORE_LOCK {
        return Ok(false);
    }
    let Some(last) = last else { return Ok(false) };
    let minutes = crate::config::integer(db, "account_lock_period")
        .await?
        .unwrap_or(30);
    let until = Timestamp::parse("last_failed_login_at", last)?.plus_seconds(minutes * 60);
    Ok(Timestamp::now() < until)
}

/// The user of a token, or nothing when the text may be an execution's token instead.
async fn by_token(db: &impl Db, value: &str) -> Result<Option<Caller>> {
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
    if let Some(end) = row.optional_text(2)?
        && Timestamp::parse("expiration_date", end)? <= Timestamp::now()
    {
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
    caller(db, row.integer(0)?, AuthMethod::Token, None)
        .await
        .map(Some)
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
        // The original says which of the two the text failed to be.
        let reason = if value.splitn(3, '-').count() == 3 {
            "Authentication failed, invalid Execution Token"
        } else {
            "Invalid token structure"
        };
        return Err(Error::unauthorized(reason));
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
