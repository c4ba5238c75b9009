//! Keystone v3, as much as OpenStack's clients need to log in and to look around.
//!
//! It is the same identity as everywhere: users, tenants (here projects), groups and roles are read and
//! not made here. What a client is given for its password is a session (`windlass_identity::sessions`).

mod auth_body;
mod base_url;
mod catalog;
mod discovery;
mod flags;
mod passwords;
mod refusals;
mod token_view;
mod tokens;

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
        POST "/users/{user_id}/password" => passwords::set_password;
    }
}

#[cfg(test)]
mod tests;
