//! Keystone v3, as much as OpenStack's clients need to log in and to look around.
//!
//! It is the same identity as everywhere: users, tenants (here projects), groups and roles are read and
//! not made here. What a client is given for its password is a session (`windlass_identity::sessions`).

mod base_url;
mod catalog;
mod discovery;
mod refusals;

windlass_core::component! {
    family: Keystone,
    identity: windlass_identity::Families,
    base: "/v3",
    routes: {
        GET "" => discovery::version;
        GET "/auth/catalog" => catalog::show;
    }
}
