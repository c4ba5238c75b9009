//! Users as who looks after accounts has to know them: with their address and their number.

use super::{USER, User};
use crate::audit;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};

/// A user and how to reach them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Contact {
    /// The user.
    pub user: User,
    /// Where mail to them goes, if that is known.
    pub email: Option<String>,
    /// Whether they are an administrator, by themselves or through a group.
    pub is_administrator: bool,
}

fn select(condition: &str) -> String {
    format!(
        "select json_object('user', {USER}, 'email', email,
             'is_administrator', json(iif(role = 'sys_admin' or exists (
                 select 1 from group_users m join user_groups g on g.id = m.group_id
                 where m.user_id = users.id and g.role = 'sys_admin'), 'true', 'false')))
         from users where {condition}"
    )
}

/// The user of this name, in any case of its letters.
pub async fn contact_named(db: &impl Db, _scope: &Scope, name: &str) -> Result<Option<Contact>> {
    db.first_json(&select("username = ?1"), params![name]).await
}

/// The user of this number.
pub async fn contact_numbered(db: &impl Db, _scope: &Scope, id: i64) -> Result<Option<Contact>> {
    db.first_json(&select("id = ?1"), params![id]).await
}

/// The users with this address, in any case of its letters; two at most are looked for.
pub async fn contacts_at(db: &impl Db, _scope: &Scope, email: &str) -> Result<Vec<Contact>> {
    let sql = select("email = ?1 order by id limit 2");
    db.json_rows(&sql, params![email]).await
}

/// Gives a user another address. The name stays: what a user owns refers to them by it.
pub async fn set_email(tx: &impl Tx, scope: &Scope, user: &User, email: &str) -> Result<()> {
    let sql = "update users set email = ?2 where id = ?1";
    tx.execute(sql, params![user.id, email]).await?;
    audit::insert(tx, scope, "user_set_email", "User", &user.username).await
}
