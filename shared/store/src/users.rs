//! Users: who can log in, and what they are in which tenants, by themselves and through groups.
//!
//! There is always an active administrator. Whatever would take away the last one is refused.

mod contact;
mod fields;
pub mod locks;
pub mod logins;

pub use contact::{Contact, contact_named, contact_numbered, contacts_at, set_email};
pub use fields::{BY_NAME, DETAILED_USERS, DETAILED_USERS_WITH_HASH, USERS, USERS_WITH_HASH};

use crate::{audit, tenants};
use serde::Deserialize;
use windlass_core::caller::BOOTSTRAP_ADMIN;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};

/// What a new user begins as.
#[derive(Clone, Debug)]
pub struct NewUser<'r> {
    /// The name, unique whatever the case of its letters.
    pub username: &'r str,
    /// The hash of the password.
    pub password_hash: String,
    /// The system role.
    pub role: &'r str,
    /// Whether they may log in.
    pub active: bool,
    /// Another time of creation than now.
    pub created_at: Option<Timestamp>,
    /// When they first logged in, where they come from.
    pub first_login_at: Option<Timestamp>,
    /// When they last logged in there.
    pub last_login_at: Option<Timestamp>,
}

/// What changes about a user. What is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Changes<'r> {
    /// The hash of another password.
    pub password_hash: Option<String>,
    /// Another system role.
    pub role: Option<&'r str>,
    /// Whether the console greets them with a tour.
    pub show_getting_started: Option<bool>,
}

/// A user as the rules on users look at one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The number that memberships refer to.
    pub id: i64,
    /// The name in the case it was given in.
    pub username: String,
    /// The user's own system role.
    pub role: String,
    /// Whether they may log in.
    pub active: bool,
}

/// A row as the JSON that [`User`] is read from.
const USER: &str = "json_object('id', id, 'username', username, 'role', role,
    'active', json(iif(active, 'true', 'false')))";

/// The user of this name, in any case of its letters.
///
/// # Errors
/// 404 when nobody has it.
pub async fn find(db: &impl Db, scope: &Scope, username: &str) -> Result<User> {
    let found = find_if_any(db, scope, username).await?;
    found.ok_or_else(|| Error::not_found("User", username))
}

async fn find_if_any(db: &impl Db, _scope: &Scope, username: &str) -> Result<Option<User>> {
    let sql = format!("select {USER} from users where username = ?1");
    db.first_json(&sql, params![username]).await
}

/// The name of the user whom a request names as the creator of something, in its own letter case.
///
/// # Errors
/// 400 when there is no such user.
pub async fn creator(db: &impl Db, scope: &Scope, username: &str) -> Result<String> {
    match find_if_any(db, scope, username).await? {
        Some(user) => Ok(user.username),
        None => Err(Error::bad_parameters(format!(
            "User {username} does not exist."
        ))),
    }
}

/// Refuses a name that somebody has.
pub async fn demand_free(db: &impl Db, scope: &Scope, username: &str) -> Result<()> {
    match find_if_any(db, scope, username).await? {
        None => Ok(()),
        Some(user) => Err(Error::conflict(format!(
            "The user `{}` already exists",
            user.username
        ))),
    }
}

/// Makes a user, who is in no tenant yet.
///
/// # Errors
/// 409 when somebody has the name.
pub async fn insert(tx: &impl Tx, scope: &Scope, user: &NewUser<'_>) -> Result<()> {
    demand_free(tx, scope, user.username).await?;
    tx.execute(
        "insert into users (username, password_hash, role, active, created_at, first_login_at,
             last_login_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.username,
            user.password_hash.as_str(),
            user.role,
            user.active,
            user.created_at.unwrap_or_else(Timestamp::now),
            user.first_login_at,
            user.last_login_at
        ],
    )
    .await?;
    audit::insert(tx, scope, "user_create", "User", user.username).await
}

/// Makes the first administrator and the tenant `default_tenant`, which every installation has.
/// It is not audited: there is nobody yet who could have asked for it.
pub async fn insert_first_administrator(tx: &impl Tx, password_hash: &str) -> Result<()> {
    let now = Timestamp::now();
    tx.execute(
        "insert into tenants (id, name, created_at) values (0, 'default_tenant', ?1)",
        params![now],
    )
    .await?;
    tx.execute(
        "insert into users (id, username, password_hash, role, created_at)
         values (?1, 'admin', ?2, 'sys_admin', ?3)",
        params![BOOTSTRAP_ADMIN, password_hash, now],
    )
    .await?;
    tx.execute(
        "insert into tenant_users (tenant_name, user_id, role) values ('default_tenant', ?1, 'user')",
        params![BOOTSTRAP_ADMIN],
    )
    .await
}

/// Whether there is the first administrator: the application was used before.
pub async fn has_first_administrator(db: &impl Db) -> Result<bool> {
    let sql = "select 1 from users where id = ?1";
    Ok(db.first(sql, params![BOOTSTRAP_ADMIN]).await?.is_some())
}

/// Changes a user. Whoever was remembered by the password of before has to log in again.
///
/// # Errors
/// 400 for taking its role from the last active administrator.
pub async fn save(tx: &impl Tx, scope: &Scope, user: &User, changes: &Changes<'_>) -> Result<()> {
    if changes.role.is_some_and(|role| role != user.role) {
        demand_another_administrator(tx, user, "Cannot modify the role of").await?;
    }
    tx.execute(
        "update users set password_hash = coalesce(?2, password_hash), role = coalesce(?3, role),
             show_getting_started = coalesce(?4, show_getting_started) where id = ?1",
        params![
            user.id,
            changes.password_hash.as_deref(),
            changes.role,
            changes.show_getting_started
        ],
    )
    .await?;
    audit::insert(tx, scope, "user_update", "User", &user.username).await
}

/// Lets a user in or shuts them out.
///
/// # Errors
/// 409 when it is so already; 400 for shutting out the last active administrator.
pub async fn set_active(tx: &impl Tx, scope: &Scope, user: &User, active: bool) -> Result<()> {
    if user.active == active {
        let state = if active { "active" } else { "not active" };
        return Err(Error::conflict(format!(
            "The user `{}` is already {state}",
            user.username
        )));
    }
    if !active {
        demand_another_administrator(tx, user, "Cannot deactivate").await?;
    }
    tx.execute(
        "update users set active = ?2 where id = ?1",
        params![user.id, active],
    )
    .await?;
    audit::insert(tx, scope, "user_set_activated", "User", &user.username).await
}

/// Forgets a user's failed logins, so that the right password counts again, from everywhere.
pub async fn unlock(tx: &impl Tx, scope: &Scope, user: &User) -> Result<()> {
    locks::forget(tx, &user.username).await?;
    audit::insert(tx, scope, "user_unlock", "User", &user.username).await
}

/// Whether pipelines that others made run as a user, by the clock and by pushes.
pub(crate) const RUNS_PIPELINES: &str = "select 1 from pipelines where runs_as = ?1 limit 1";

/// Removes a user with their memberships and tokens. Somebody who gets the name later must not
/// find anything of theirs, so a user who owns resources stays.
///
/// # Errors
/// 400 for the last active administrator; 409 for the first one, for the caller and for a user who
/// owns resources or in whose name pipelines run.
pub async fn delete(tx: &impl Tx, scope: &Scope, user: &User) -> Result<()> {
    demand_another_administrator(tx, user, "Cannot delete").await?;
    let refuse = |why: &str| {
        Err(Error::conflict(format!(
            "Cannot delete the user `{}`: {why}",
            user.username
        )))
    };
    if user.id == BOOTSTRAP_ADMIN {
        return refuse("the application was set up with it");
    }
    if user.id == scope.caller()?.user_id {
        return refuse("nobody deletes themselves");
    }
    let owned = tenants::resources(tx, "created_by", &user.username).await?;
    if !owned.is_empty() {
        return refuse(&format!("it still owns {}", owned.join(", ")));
    }
    let runs = tx
        .first(RUNS_PIPELINES, params![user.username.as_str()])
        .await?;
    if runs.is_some() {
        return refuse("pipelines still run in its name");
    }
    tx.execute("delete from users where id = ?1", params![user.id])
        .await?;
    audit::insert(tx, scope, "user_delete", "User", &user.username).await
}

/// Refuses to take away an administrator when no other active one is left.
async fn demand_another_administrator(db: &impl Db, user: &User, what: &str) -> Result<()> {
    if user.role != "sys_admin" || !user.active {
        return Ok(());
    }
    let other = db
        .first(
            "select 1 from users where role = 'sys_admin' and active and id <> ?1 limit 1",
            params![user.id],
        )
        .await?;
    match other {
        Some(_) => Ok(()),
        None => Err(Error::illegal_action(format!(
            "{what} the last active sys_admin"
        ))),
    }
}

/// Whether users and their groups come from a directory. Then none are made here.
pub async fn are_from_directory(db: &impl Db, _scope: &Scope) -> Result<bool> {
    let row = db
        .first(
            "select 1 from config where scope = 'rest' and name = 'ldap_server'
                 and coalesce(value ->> '$', '') <> ''",
            &[],
        )
        .await?;
    Ok(row.is_some())
}

#[cfg(test)]
mod tests;
