//! What users are in tenants because of what they are in one above: a role that is inherited counts in
//! everything below the tenant that it was given in, and not in that itself.

/// The query of [`inherited_by`], as a text that constants can hold.
macro_rules! inherited_by_sql {
    ($user:literal) => {
        concat!(
            "with recursive below (tenant_name, role) as (
                 select c.name, i.role from inherited_roles i cross join tenants c on c.parent_name = i.tenant_name
                     where i.user_id = ",
            $user,
            "    union select c.name, b.role from below b cross join tenants c on c.parent_name = b.tenant_name)
             select tenant_name, role from below"
        )
    };
}

/// The query of [`heirs_of`], as a text that constants can hold.
macro_rules! heirs_of_sql {
    ($tenant:literal) => {
        concat!(
            "with recursive above (name) as (
                 select c.parent_name from tenants c where c.parent_name is not null and c.name = ",
            $tenant,
            "    union select c.parent_name from above a cross join tenants c on c.name = a.name
                     where c.parent_name is not null)
             select i.user_id, i.role from above a cross join inherited_roles i on i.tenant_name = a.name"
        )
    };
}

pub(crate) use {heirs_of_sql, inherited_by_sql};

/// The tenants that a user is in by inheritance, and as what, as a query of `tenant_name` and `role`. The
/// user's number is given as SQL. A tenant that is reached in several ways is there once for each role.
#[must_use]
pub fn inherited_by(user: &str) -> String {
    format!(inherited_by_sql!("{0}"), user)
}

/// The users who are in a tenant by inheritance, and as what, as a query of `user_id` and `role`. The
/// tenant's name is given as SQL.
#[must_use]
pub fn heirs_of(tenant: &str) -> String {
    format!(heirs_of_sql!("{0}"), tenant)
}
