//! Keystone v3, as much as OpenStack's clients need to log in and to look around.
//!
//! It is the same identity as everywhere: users, tenants (here projects), groups and roles are read and
//! not made here. What a client is given for its password is a session (`windlass_identity::sessions`).

mod auth_body;
mod base_url;
mod catalog;
mod discovery;
mod domains;
mod flags;
mod groups;
mod lists;
mod passwords;
mod projects;
mod refusals;
mod role_assignments;
mod roles;
mod token_view;
mod tokens;
mod users;

windlass_core::component! {
    family: Keystone,
    identity: windlass_identity::Families,
    base: "/v3",
    routes: {
        GET "" => discovery::version;
        GET "/auth/tokens" => tokens::validate;
        POST "/auth/tokens" => tokens::issue;
        DELETE "/auth/tokens" => tokens::revoke;
        GET "/auth/catalog" => catalog::show;
        GET "/auth/projects" => projects::list_own;
        GET "/auth/domains" => domains::list_own;
        GET "/projects" => projects::list;
        GET "/projects/{project_id}" => projects::get;
        GET "/users" => users::list;
        GET "/users/{user_id}" => users::get;
        GET "/users/{user_id}/projects" => users::projects;
        GET "/users/{user_id}/groups" => users::groups;
        POST "/users/{user_id}/password" => passwords::set_password;
        GET "/groups" => groups::list;
        GET "/groups/{group_id}" => groups::get;
        GET "/groups/{group_id}/users" => groups::users;
        GET "/roles" => roles::list;
        GET "/roles/{role_id}" => roles::get;
        GET "/role_assignments" => role_assignments::list;
        GET "/domains" => domains::list;
        GET "/domains/{domain_id}" => domains::get;
    }
}

#[cfg(test)]
mod tests;
