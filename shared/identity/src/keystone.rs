//! Keystone v3, as far as OpenStack's clients need it: who logs in how, and what they read of users,
//! projects, groups and roles.
//!
//! A project is a tenant and has its name as id; a user's id is the number. There is one domain. Roles are
//! those of [`project_roles`](crate::project_roles), which follow from what somebody is in the system
//! and in a tenant.

mod login;

pub use login::{Login, Proof, UserName, Wanted, by_password, prove};

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

#[cfg(test)]
mod tests;
