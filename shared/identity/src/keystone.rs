//! Keystone v3, as far as OpenStack's clients need it: who logs in how, and what they read of users,
//! projects, groups and roles.
//!
//! A project is a tenant and has its name as id; a user's id is the number. There is one domain. Roles are
//! those of [`project_roles`](crate::project_roles), which follow from what somebody is in the system
//! and in a tenant.

mod assignments;
mod groups;
mod login;
mod projects;
mod users;

pub use assignments::{Assignment, Filter, MOST_ASSIGNMENTS, Place, assignments};
pub use groups::{group, groups, groups_of};
pub use login::{Login, Proof, UserName, Wanted, by_password, prove};
pub use projects::{project, projects, projects_of};
pub use users::{user, users, users_in};

use serde_json::Value;
use windlass_core::db;
use windlass_core::list::Statement;

/// The id of the one domain.
pub const DOMAIN_ID: &str = "default";

/// What the one domain is called.
pub const DOMAIN_NAME: &str = "Default";

/// Whether an id or a name is the one domain's. As names are compared by Keystone, case does not matter.
pub fn is_domain(text: &str) -> bool {
    text.eq_ignore_ascii_case(DOMAIN_NAME)
}

/// The number that an id stands for. What is no number is nobody's.
fn number(id: &str) -> Option<i64> {
    let is_plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    id.parse().ok().filter(|_| is_plain)
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default)]
pub struct Window<'q> {
    /// The id of the last item that was seen.
    pub marker: Option<&'q str>,
    /// How many items.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug)]
pub struct Part {
    /// The items.
    pub items: Vec<Value>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A statement for a part of a list, as its conditions are gathered.
struct Selection(Statement);

impl Selection {
    /// The items, as JSON, of a table with a first condition.
    fn new(item: &str, from: &str, condition: &str) -> Self {
        let sql = format!("select {item} from {from} where {condition}");
        Self(Statement {
            sql,
            parameters: Vec::new(),
        })
    }

    /// Demands a condition, in which `{}` is a value.
    fn and(&mut self, condition: &str, value: impl Into<db::Value>) {
        let name = self.0.parameter(value);
        let condition = condition.replace("{}", &name);
        self.0.sql.push_str(&format!(" and {condition}"));
    }

    /// Reads the part in this order.
    async fn part(
        mut self,
        db: &impl db::Db,
        order: &str,
        window: &Window<'_>,
    ) -> windlass_core::Result<Part> {
        // One more tells whether there is one.
        let limit = self.0.parameter(window.limit + 1);
        let sql = format!("{} order by {order} limit {limit}", self.0.sql);
        let mut items = db.json_rows::<Value>(&sql, &self.0.parameters).await?;
        let has_more = items.len() > window.limit;
        items.truncate(window.limit);
        Ok(Part { items, has_more })
    }
}

#[cfg(test)]
mod tests;
