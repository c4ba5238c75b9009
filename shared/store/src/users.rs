//! Users: who can log in, and what they are in which tenants, by themselves and through groups.
//!
//! There is always an active administrator: whatever would take away the last one is refused.

use crate::{audit, tenants};
use windlass_core::caller::BOOTSTRAP_ADMIN;
use windlass_core::db::{Db, Row};
use windlass_core::list::{Field, Resource};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};

const TABLE: &str = "(select *, id as key from users) t";

const TENANTS: Field = Field::integer(
    "tenants",
    "(select count(*) from (
          select m.tenant_name from tenant_users m where m.user_id = t.id
          union select g.tenant_name from group_users m
              join tenant_groups g on g.group_id = m.group_id where m.user_id = t.id))",
);

const DETAILED_TENANTS: Field = Field::json(
    "tenants",
    "(select json_group_object(tenant_name, json_object('tenant-role', direct, 'roles', json(roles)))
      from (select tenant_name, max(direct) as direct, json_group_array(role) as roles from (
          select tenant_name, role, max(direct) as direct from (
              select m.tenant_name, m.role, m.role as direct from tenant_users m where m.user_id = t.id
              union all select g.tenant_name, g.role, null from group_users m
                  join tenant_groups g on g.group_id = m.group_id where m.user_id = t.id)
          group by tenant_name, role order by tenant_name, role) group by tenant_name))",
);

const TENANT_ROLES: Field = Field::json(
    "tenant_roles",
    "json_object(
      'direct', (select json_group_object(tenant_name, role) from (
          select m.tenant_name, m.role from tenant_users m where m.user_id = t.id order by 1)),
      'groups', (select json_group_object(tenant_name, json(roles)) from (
          select tenant_name, json_group_object(role, json(names)) as roles from (
              select g.tenant_name, g.role, json_group_array(u.name) as names from group_users m
              join tenant_groups g on g.group_id = m.group_id join user_groups u on u.id = m.group_id
              where m.user_id = t.id group by g.tenant_name, g.role) group by tenant_name)))",
);

const GROUPS: Field = Field::integer(
    "groups",
    "(select count(*) from group_users m where m.user_id = t.id)",
);

const DETAILED_GROUPS: Field = Field::json(
    "groups",
    "(select json_group_array(name) from (select g.name from group_users m
          join user_groups g on g.id = m.group_id where m.user_id = t.id order by g.name))",
);

/// The fields of a user, of which some are numbers or details, and one is for few.
const fn fields(tenants: Field, roles: Field, groups: Field, hash: &'static str) -> [Field; 13] {
    [
        Field::text("username", "t.username"),
        Field::text("role", "t.role"),
        Field::json(
            "group_system_roles",
            "(select json_group_object(role, json(names)) from (
                  select g.role, json_group_array(g.name) as names from group_users m
                  join user_groups g on g.id = m.group_id where m.user_id = t.id group by g.role))",
        ),
        tenants,
        roles,
        groups,
        Field::boolean("active", "t.active"),
        Field::boolean(
            "is_locked",
            "(t.failed_logins > coalesce((select cast(value as integer) from config
                  where scope = 'rest' and name = 'failed_logins_before_account_lock'), 4)
              and coalesce(t.last_failed_login_at, '') > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-'
                  || coalesce((select cast(value as integer) from config
                      where scope = 'rest' and name = 'account_lock_period'), 30) || ' minutes'))",
        ),
        Field::text("first_login_at", "t.first_login_at"),
        Field::text("last_login_at", "t.last_login_at"),
        Field::text("created_at", "t.created_at"),
        Field::boolean("show_getting_started", "t.show_getting_started"),
        Field::text("password_hash", hash),
    ]
}

const NO_ROLES: Field = Field::json("tenant_roles", "null");

static PLAIN: [Field; 13] = fields(TENANTS, NO_ROLES, GROUPS, "null");
static WITH_HASH: [Field; 13] = fields(TENANTS, NO_ROLES, GROUPS, "t.password_hash");
static DETAILED: [Field; 13] = fields(DETAILED_TENANTS, TENANT_ROLES, DETAILED_GROUPS, "null");
static DETAILED_WITH_HASH: [Field; 13] = fields(
    DETAILED_TENANTS,
    TENANT_ROLES,
    DETAILED_GROUPS,
    "t.password_hash",
);

/// Users, with numbers where their details are many.
pub static USERS: Resource = Resource {
    name: "User",
    table: TABLE,
    fields: &PLAIN,
    search: Some("t.username"),
    of_tenant: false,
};

/// Users with their details, as `_get_data` asks for.
pub static DETAILED_USERS: Resource = Resource {
    fields: &DETAILED,
    ..USERS
};

/// [`USERS`] with the hashes of their passwords, for who may have those.
pub static USERS_WITH_HASH: Resource = Resource {
    fields: &WITH_HASH,
    ..USERS
};

/// [`DETAILED_USERS`] with the hashes of their passwords.
pub static DETAILED_USERS_WITH_HASH: Resource = Resource {
    fields: &DETAILED_WITH_HASH,
    ..USERS
};

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

/// What is to change about a user. What is absent stays.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

impl User {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.integer(0)?,
            username: row.text(1)?.to_owned(),
            role: row.text(2)?.to_owned(),
            active: row.boolean(3)?,
        })
    }
}

/// The user of this name, in any case of its letters.
///
/// # Errors
/// 404 when nobody has it.
pub async fn find(db: &impl Db, _scope: &Scope, username: &str) -> Result<User> {
    let row = db
        .first(
            "select id, username, role, active from users where username = ?1",
            params![username],
        )
        .await?;
    row.ok_or_else(|| Error::not_found("User", username))
        .and_then(|row| User::from_row(&row))
}

/// Refuses a name that somebody has.
pub async fn demand_free(db: &impl Db, scope: &Scope, username: &str) -> Result<()> {
    match find(db, scope, username).await {
        Ok(user) => Err(exists(&user.username)),
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn exists(username: &str) -> Error {
    Error::conflict(format!("The user `{username}` already exists"))
}

/// Makes a user, who is in no tenant yet.
///
/// # Errors
/// 409 when somebody has the name.
pub async fn insert(db: &impl Db, scope: &Scope, user: &NewUser<'_>) -> Result<()> {
    demand_free(db, scope, user.username).await?;
    db.execute(
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
    audit::insert(db, scope, "user_create", "User", user.username).await
}

/// Makes the first administrator and the tenant `default_tenant`, which every installation has.
/// Nobody asks for it and nothing is audited: there is nobody yet who could.
pub async fn insert_first_administrator(db: &impl Db, password_hash: &str) -> Result<()> {
    let now = Timestamp::now();
    db.execute(
        "insert into tenants (id, name, created_at) values (0, 'default_tenant', ?1)",
        params![now],
    )
    .await?;
    db.execute(
        "insert into users (id, username, password_hash, role, created_at)
         values (?1, 'admin', ?2, 'sys_admin', ?3)",
        params![BOOTSTRAP_ADMIN, password_hash, now],
    )
    .await?;
    db.execute(
        "insert into tenant_users (tenant_name, user_id, role) values ('default_tenant', ?1, 'user')",
        params![BOOTSTRAP_ADMIN],
    )
    .await
}

/// Changes a user. Whoever was remembered by the password of before has to log in again.
///
/// # Errors
/// 404; 400 for taking its role from the last active administrator.
pub async fn save(
    db: &impl Db,
    scope: &Scope,
    username: &str,
    changes: &Changes<'_>,
) -> Result<()> {
    let user = find(db, scope, username).await?;
    if changes.role.is_some_and(|role| role != user.role) {
        demand_another_administrator(db, &user, "Cannot modify the role of").await?;
    }
    db.execute(
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
    audit::insert(db, scope, "user_update", "User", &user.username).await
}

/// Lets a user in or shuts them out.
///
/// # Errors
/// 404; 409 when it is so already; 400 for shutting out the last active administrator.
pub async fn set_active(db: &impl Db, scope: &Scope, username: &str, active: bool) -> Result<()> {
    let user = find(db, scope, username).await?;
    if user.active == active {
        let state = if active { "active" } else { "not active" };
        return Err(Error::conflict(format!(
            "The user `{}` is already {state}",
            user.username
        )));
    }
    if !active {
        demand_another_administrator(db, &user, "Cannot deactivate").await?;
    }
    db.execute(
        "update users set active = ?2 where id = ?1",
        params![user.id, active],
    )
    .await?;
    audit::insert(db, scope, "user_set_activated", "User", &user.username).await
}

/// Forgets a user's failed logins, so that the right password counts again.
pub async fn unlock(db: &impl Db, scope: &Scope, username: &str) -> Result<()> {
    let user = find(db, scope, username).await?;
    db.execute(
        "update users set failed_logins = 0, last_failed_login_at = null where id = ?1",
        params![user.id],
    )
    .await?;
    audit::insert(db, scope, "user_unlock", "User", &user.username).await
}

/// Removes a user with their memberships and tokens. Somebody who gets the name later must not
/// find anything of theirs, so who owns resources stays.
///
/// # Errors
/// 404; 400 for the last active administrator; 409 for the first one, for the caller and for who
/// owns resources.
pub async fn delete(db: &impl Db, scope: &Scope, username: &str) -> Result<()> {
    let user = find(db, scope, username).await?;
    demand_another_administrator(db, &user, "Cannot delete").await?;
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
    let owned = tenants::resources(db, "created_by", &user.username).await?;
    if !owned.is_empty() {
        return refuse(&format!("it still owns {}", owned.join(", ")));
    }
    db.execute("delete from users where id = ?1", params![user.id])
        .await?;
    audit::insert(db, scope, "user_delete", "User", &user.username).await
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

/// Whether users and their groups come from a directory, and are not to be made here.
pub async fn are_from_directory(db: &impl Db) -> Result<bool> {
    let row = db
        .first(
            "select coalesce(value ->> '$', '') <> '' from config
             where scope = 'rest' and name = 'ldap_server'",
            &[],
        )
        .await?;
    row.map_or(Ok(false), |row| row.boolean(0))
}

#[cfg(test)]
#[path = "users/tests.rs"]
mod tests;
