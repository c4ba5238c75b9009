//! Roles: what Adjutant calls them, and what they are in a tenant.
//!
//! Adjutant gives somebody any number of roles in a project. A member of a tenant has one, and the
//! stronger ones hold what the weaker ones do. So a set of roles is the strongest of them.

use windlass_identity::project_roles::{ADMIN, MEMBER, PROJECT_ADMIN, PROJECT_MOD};

/// The roles that can be given, strongest first, and what each is in a tenant.
const IN_TENANT: [(&str, &str); 3] = [
    (PROJECT_ADMIN, "manager"),
    (PROJECT_MOD, "project_mod"),
    (MEMBER, "user"),
];

/// The names of the roles that somebody can be given.
pub fn all() -> impl Iterator<Item = &'static str> {
    IN_TENANT.into_iter().map(|(name, _)| name)
}

/// The roles that whoever holds these may give and take away.
pub fn manageable(held: &[String]) -> Vec<&'static str> {
    let holds = |role: &str| held.iter().any(|one| one == role);
    let first = if holds(ADMIN) || holds(PROJECT_ADMIN) {
        0
    } else if holds(PROJECT_MOD) {
        1
    } else {
        IN_TENANT.len()
    };
    all().skip(first).collect()
}

/// Whether whoever holds these may give and take away all of those.
pub fn can_manage(held: &[String], roles: &[String]) -> bool {
    let manageable = manageable(held);
    roles.iter().all(|role| manageable.contains(&role.as_str()))
}

/// The roles of a member of a tenant with this role there.
pub fn of_member(tenant_role: Option<&str>) -> Vec<String> {
    let strong = |role: &str| match role {
        "manager" => Some(PROJECT_ADMIN),
        "project_mod" => Some(PROJECT_MOD),
        _ => None,
    };
    let Some(role) = tenant_role else {
        return Vec::new();
    };
    let roles = strong(role).into_iter().chain([MEMBER]);
    roles.map(str::to_owned).collect()
}

/// What a member with this role in the tenant becomes with more roles. Nothing: it stays.
pub fn with(tenant_role: Option<&str>, more: &[String]) -> Option<&'static str> {
    let before = of_member(tenant_role);
    let wanted = |name: &str| more.iter().any(|one| one == name);
    // The strongest one decides, and what somebody is already is not made less.
    IN_TENANT
        .into_iter()
        .find(|(name, _)| wanted(name) || before.iter().any(|held| held == name))
        .filter(|(name, _)| !before.iter().any(|held| held == name))
        .map(|(_, role)| role)
}

/// What becomes of a member who loses roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing changes.
    Same,
    /// Another role in the tenant.
    Role(&'static str),
    /// They are not in it any more.
    Nothing,
}

/// What a member with this role in the tenant is without some roles. Whoever keeps a stronger one
/// stays a member.
pub fn without(tenant_role: Option<&str>, less: &[String]) -> Left {
    let before = of_member(tenant_role);
    let kept: Vec<&String> = before.iter().filter(|held| !less.contains(held)).collect();
    match (before.first(), kept.first()) {
        (None, _) => Left::Same,
        (Some(_), None) => Left::Nothing,
        (Some(before), Some(kept)) if before == *kept => Left::Same,
        (Some(_), Some(kept)) => IN_TENANT
            .into_iter()
            .find(|(name, _)| name == kept)
            .map_or(Left::Same, |(_, role)| Left::Role(role)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(roles: &[&str]) -> Vec<String> {
        roles.iter().map(|role| (*role).to_owned()).collect()
    }

    #[test]
    fn nobody_gives_more_than_they_hold() {
        for (held, want) in [
            (
                &["admin"][..],
                &["project_admin", "project_mod", "member"][..],
            ),
            (
                &["project_admin", "member"],
                &["project_admin", "project_mod", "member"],
            ),
            (&["project_mod", "member"], &["project_mod", "member"]),
            (&["member"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(manageable(&owned(held)), want, "{held:?}");
        }
        assert!(!can_manage(
            &owned(&["project_mod"]),
            &owned(&["member", "project_admin"])
        ));
        assert!(!can_manage(&owned(&["admin"]), &owned(&["admin"])));
    }

    #[test]
    fn more_roles_make_the_strongest_of_them() {
        for (before, more, after) in [
            (None, &["member"][..], Some("user")),
            (None, &["member", "project_admin"], Some("manager")),
            (Some("viewer"), &["member"], None),
            (Some("viewer"), &["project_mod"], Some("project_mod")),
            (Some("manager"), &["project_mod"], None),
            (Some("user"), &["project_admin"], Some("manager")),
            (None, &[], None),
        ] {
            assert_eq!(with(before, &owned(more)), after, "{before:?} {more:?}");
        }
    }

    #[test]
    fn fewer_roles_make_what_is_left() {
        for (before, less, after) in [
            (None, &["member"][..], Left::Same),
            (Some("user"), &["member"], Left::Nothing),
            (Some("viewer"), &["member"], Left::Nothing),
            (Some("manager"), &["project_admin"], Left::Role("user")),
            (Some("manager"), &["member"], Left::Same),
            (Some("manager"), &["member", "project_admin"], Left::Nothing),
            (Some("user"), &["project_admin"], Left::Same),
        ] {
            assert_eq!(without(before, &owned(less)), after, "{before:?} {less:?}");
        }
    }
}
