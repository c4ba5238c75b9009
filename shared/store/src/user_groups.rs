//! User groups: what a group is in the system and in tenants, each of its users is too.

use crate::{audit, users};
use windlass_core::db::Db;
use windlass_core::list::{Field, Resource};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};

/// The fields of a group, of which some are numbers or details.
const fn fields(tenants: Field, users: Field) -> [Field; 5] {
    [
        Field::text("name", "t.name"),
        Field::text("ldap_dn", "t.ldap_dn"),
        Field::text("role", "t.role"),
        tenants,
        users,
    ]
}

static PLAIN: [Field; 5] = fields(
    Field::integer(
        "tenants",
        "(select count(*) from tenant_groups g where g.group_id = t.id)",
    ),
    Field::integer(
        "users",
        "(select count(*) from group_users m where m.group_id = t.id)",
    ),
);

static DETAILED: [Field; 5] = fields(
    Field::json(
        "tenants",
        "(select json_group_object(tenant_name, role) from (
              select g.tenant_name, g.role from tenant_groups g
              where g.group_id = t.id order by g.tenant_name))",
    ),
    Field::json(
        "users",
        "(select json_group_array(username) from (
              select u.username from group_users m join users u on u.id = m.user_id
              where m.group_id = t.id order by u.username))",
    ),
);

/// Groups, with numbers where their details are many.
pub static USER_GROUPS: Resource = Resource {
    name: "Group",
    table: "(select *, id as key from user_groups) t",
    fields: &PLAIN,
    search: Some("t.name"),
    of_tenant: false,
};

/// Groups with their details, as `_get_data` asks for.
pub static DETAILED_USER_GROUPS: Resource = Resource {
    fields: &DETAILED,
    ..USER_GROUPS
};

/// The number of the group of this name, and the name in the case it was given in.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, _scope: &Scope, name: &str) -> Result<(i64, String)> {
    let row = db
        .first(
            "select id, name from user_groups where name = ?1",
            params![name],
        )
        .await?;
    let row = row.ok_or_else(|| Error::not_found(USER_GROUPS.name, name))?;
    Ok((row.integer(0)?, row.text(1)?.to_owned()))
}

/// Makes a group with nobody in it.
///
/// # Errors
/// 409 when there is one of this name, or of this name in the directory, whatever their case.
pub async fn insert(
    db: &impl Db,
    scope: &Scope,
    name: &str,
    ldap_dn: Option<&str>,
    role: &str,
) -> Result<()> {
    let known = db
        .first(
            "select name, 'name' from user_groups where name = ?1
             union all select name, 'LDAP group DN' from user_groups where ldap_dn = ?2 limit 1",
            params![name, ldap_dn],
        )
        .await?;
    if let Some(known) = known {
        return Err(Error::conflict(format!(
            "The group `{name}` cannot be created: a group of this {} already exists, `{}`",
            known.text(1)?,
            known.text(0)?
        )));
    }
    db.execute(
        "insert into user_groups (name, ldap_dn, role, created_at) values (?1, ?2, ?3, ?4)",
        params![name, ldap_dn, role, Timestamp::now()],
    )
    .await?;
    audit::insert(db, scope, "user_group_create", "Group", name).await
}

/// Gives a group, and so each of its users, another system role.
pub async fn set_role(db: &impl Db, scope: &Scope, name: &str, role: &str) -> Result<()> {
    let (id, name) = find(db, scope, name).await?;
    db.execute(
        "update user_groups set role = ?2 where id = ?1",
        params![id, role],
    )
    .await?;
    audit::insert(db, scope, "user_group_update", "Group", &name).await
}

/// Removes a group. Its users stay, without what they were through it.
pub async fn delete(db: &impl Db, scope: &Scope, name: &str) -> Result<()> {
    let (id, name) = find(db, scope, name).await?;
    db.execute("delete from user_groups where id = ?1", params![id])
        .await?;
    audit::insert(db, scope, "user_group_delete", "Group", &name).await
}

/// Puts a user into a group.
///
/// # Errors
/// 404 for the group or the user; 409 when they are in it.
pub async fn add_user(db: &impl Db, scope: &Scope, group: &str, username: &str) -> Result<()> {
    let place = Place::find(db, scope, group, username).await?;
    if place.is_taken {
        return Err(Error::conflict(format!(
            "The user `{}` is already in the group `{}`",
            place.username, place.group
        )));
    }
    db.execute(
        "insert into group_users (group_id, user_id) values (?1, ?2)",
        params![place.group_id, place.user_id],
    )
    .await?;
    audit::insert(db, scope, "user_group_add_user", "Group", &place.group).await
}

/// Takes a user out of a group.
///
/// # Errors
/// 404 for the group, the user, and for a user who is not in it.
pub async fn remove_user(db: &impl Db, scope: &Scope, group: &str, username: &str) -> Result<()> {
    let place = Place::find(db, scope, group, username).await?;
    if !place.is_taken {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "The user `{}` is not in the group `{}`",
                place.username, place.group
            ),
        ));
    }
    db.execute(
        "delete from group_users where group_id = ?1 and user_id = ?2",
        params![place.group_id, place.user_id],
    )
    .await?;
    audit::insert(db, scope, "user_group_remove_user", "Group", &place.group).await
}

/// A user's place in a group, taken or not.
struct Place {
    group_id: i64,
    group: String,
    user_id: i64,
    username: String,
    is_taken: bool,
}

impl Place {
    async fn find(db: &impl Db, scope: &Scope, group: &str, username: &str) -> Result<Self> {
        let (group_id, group) = find(db, scope, group).await?;
        let user = users::find(db, scope, username).await?;
        let row = db
            .first(
                "select 1 from group_users where group_id = ?1 and user_id = ?2",
                params![group_id, user.id],
            )
            .await?;
        Ok(Self {
            group_id,
            group,
            user_id: user.id,
            username: user.username,
            is_taken: row.is_some(),
        })
    }
}
