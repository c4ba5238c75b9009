//! User groups: what a group is in the system and in tenants, each of its users is too.

use crate::audit;
use crate::counts;
use crate::users::{self, User};
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, Resource, Search};
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

/// The condition that finds the group of a name, in any case of its letters.
pub const BY_NAME: &str = "t.name = {}";

/// Groups, with numbers where their details are many.
pub static USER_GROUPS: Resource = Resource {
    name: "Group",
    table: "(select *, id as key from user_groups) t",
    fields: &PLAIN,
    search: Some(Search::scan("t.name")),
    of_tenant: false,
    counts: &[&counts::USER_GROUPS],
};

/// Groups with their details, as `_get_data` asks for.
pub static DETAILED_USER_GROUPS: Resource = Resource {
    fields: &DETAILED,
    ..USER_GROUPS
};

/// A group as the rules on groups look at one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// The number that memberships refer to.
    pub id: i64,
    /// The name in the case it was given in.
    pub name: String,
    /// The name of the directory's group that it stands for; empty when it stands for none.
    pub ldap_dn: String,
}

/// The group of this name, in any case of its letters.
///
/// # Errors
/// 404 when there is none.
pub async fn find(db: &impl Db, _scope: &Scope, name: &str) -> Result<Group> {
    let found = db
        .first_json(
            "select json_object('id', id, 'name', name, 'ldap_dn', coalesce(ldap_dn, ''))
             from user_groups where name = ?1",
            params![name],
        )
        .await?;
    found.ok_or_else(|| Error::not_found(USER_GROUPS.name, name))
}

/// Makes a group with nobody in it.
///
/// # Errors
/// 409 when there is one of this name, or of this name in the directory, whatever their case.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    name: &str,
    ldap_dn: Option<&str>,
    role: &str,
) -> Result<()> {
    #[derive(Deserialize)]
    struct Known {
        name: String,
        same: String,
    }
    let known: Option<Known> = tx
        .first_json(
            "select json_object('name', name, 'same', 'name') from user_groups where name = ?1
             union all
             select json_object('name', name, 'same', 'LDAP group DN') from user_groups
             where ldap_dn = ?2 limit 1",
            params![name, ldap_dn],
        )
        .await?;
    if let Some(known) = known {
        return Err(Error::conflict(format!(
            "The group `{name}` cannot be created: a group of this {} already exists, `{}`",
            known.same, known.name
        )));
    }
    tx.execute(
        "insert into user_groups (name, ldap_dn, role, created_at) values (?1, ?2, ?3, ?4)",
        params![name, ldap_dn, role, Timestamp::now()],
    )
    .await?;
    audit::insert(tx, scope, "user_group_create", "Group", name).await
}

/// Gives a group, and so each of its users, another system role.
pub async fn set_role(tx: &impl Tx, scope: &Scope, group: &Group, role: &str) -> Result<()> {
    tx.execute(
        "update user_groups set role = ?2 where id = ?1",
        params![group.id, role],
    )
    .await?;
    audit::insert(tx, scope, "user_group_update", "Group", &group.name).await
}

/// Removes a group. Its users stay, without what they were through it.
pub async fn delete(tx: &impl Tx, scope: &Scope, group: &Group) -> Result<()> {
    tx.execute("delete from user_groups where id = ?1", params![group.id])
        .await?;
    audit::insert(tx, scope, "user_group_delete", "Group", &group.name).await
}

/// A user's place in a group, taken or not.
#[derive(Clone, Debug)]
pub struct Place {
    /// The group.
    pub group: Group,
    /// The user.
    pub user: User,
    /// Whether the user is in the group.
    pub is_taken: bool,
}

/// The place of a user in a group.
///
/// # Errors
/// 404 for the group or the user.
pub async fn find_place(db: &impl Db, scope: &Scope, group: &str, username: &str) -> Result<Place> {
    let group = find(db, scope, group).await?;
    let user = users::find(db, scope, username).await?;
    let row = db
        .first(
            "select 1 from group_users where group_id = ?1 and user_id = ?2",
            params![group.id, user.id],
        )
        .await?;
    Ok(Place {
        group,
        user,
        is_taken: row.is_some(),
    })
}

/// The places of a user in the groups that stand for one of a directory.
pub async fn directory_places(db: &impl Db, _scope: &Scope, user: &User) -> Result<Vec<Place>> {
    #[derive(Deserialize)]
    struct Found {
        group: Group,
        is_taken: bool,
    }
    let found: Option<Vec<Found>> = db
        .first_json(
            "select json_group_array(json_object(
                 'group', json_object('id', g.id, 'name', g.name, 'ldap_dn', g.ldap_dn),
                 'is_taken', json(iif(m.user_id is null, 'false', 'true'))))
             from user_groups g left join group_users m on m.group_id = g.id and m.user_id = ?1
             where coalesce(g.ldap_dn, '') <> ''",
            params![user.id],
        )
        .await?;
    let places = found.unwrap_or_default().into_iter().map(|found| Place {
        group: found.group,
        user: user.clone(),
        is_taken: found.is_taken,
    });
    Ok(places.collect())
}

/// Puts a user into a group.
///
/// # Errors
/// 409 when they are in it.
pub async fn add_user(tx: &impl Tx, scope: &Scope, place: &Place) -> Result<()> {
    if place.is_taken {
        return Err(Error::conflict(format!(
            "The user `{}` is already in the group `{}`",
            place.user.username, place.group.name
        )));
    }
    let sql = "insert into group_users (group_id, user_id) values (?1, ?2)";
    change_place(tx, scope, place, sql, "user_group_add_user").await
}

/// Takes a user out of a group.
///
/// # Errors
/// 404 for a user who is not in it.
pub async fn remove_user(tx: &impl Tx, scope: &Scope, place: &Place) -> Result<()> {
    if !place.is_taken {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "The user `{}` is not in the group `{}`",
                place.user.username, place.group.name
            ),
        ));
    }
    let sql = "delete from group_users where group_id = ?1 and user_id = ?2";
    change_place(tx, scope, place, sql, "user_group_remove_user").await
}

async fn change_place(
    tx: &impl Tx,
    scope: &Scope,
    place: &Place,
    sql: &str,
    action: &str,
) -> Result<()> {
    tx.execute(sql, params![place.group.id, place.user.id])
        .await?;
    audit::insert(tx, scope, action, "Group", &place.group.name).await
}
