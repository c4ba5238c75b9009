//! Conductor: who can do what. Tenants, users, groups, permissions, tokens.

mod answers;
mod body;
mod directory;
mod ldap;
mod members;
mod permissions;
mod recovery;
mod tenants;
mod tokens;
mod user_groups;
mod users;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/tokens" => tokens::list;
        POST "/tokens" => tokens::create;
        GET "/tokens/{token_id}" => tokens::get_one;
        DELETE "/tokens/{token_id}" => tokens::delete;
        GET "/ldap" => ldap::status;
        POST "/ldap" => ldap::set;
        POST "/ldap/logins" => directory::login;
        GET "/tenants" => tenants::list;
        GET "/tenants/{tenant_name}" => tenants::get;
        POST "/tenants/{tenant_name}" => tenants::create;
        DELETE "/tenants/{tenant_name}" => tenants::delete;
        POST "/tenants/users" => tenants::create_reserved;
        PUT "/tenants/users" => members::add_user;
        PATCH "/tenants/users" => members::update_user;
        DELETE "/tenants/users" => members::remove_user;
        POST "/tenants/user-groups" => tenants::create_reserved;
        PUT "/tenants/user-groups" => members::add_group;
        PATCH "/tenants/user-groups" => members::update_group;
        DELETE "/tenants/user-groups" => members::remove_group;
        GET "/user" => users::get_self;
        GET "/users" => users::list;
        PUT "/users" => users::create;
        GET "/users/{username}" => users::get;
        POST "/users/{username}" => users::update;
        DELETE "/users/{username}" => users::delete;
        POST "/users/active/{username}" => users::active;
        POST "/users/unlock/{username}" => users::unlock;
        POST "/users/recovery/reset-password" => recovery::reset_password;
        POST "/users/recovery/unlock" => recovery::unlock;
        GET "/user-groups" => user_groups::list;
        POST "/user-groups" => user_groups::create;
        PUT "/user-groups/users" => user_groups::add_user;
        DELETE "/user-groups/users" => user_groups::remove_user;
        GET "/user-groups/{group_name}" => user_groups::get;
        POST "/user-groups/{group_name}" => user_groups::set_role;
        DELETE "/user-groups/{group_name}" => user_groups::delete;
        GET "/permissions" => permissions::list;
        GET "/permissions/{role_name}" => permissions::list_role;
        PUT "/permissions/{role_name}/{permission_name}" => permissions::add;
        DELETE "/permissions/{role_name}/{permission_name}" => permissions::delete;
    }
}

#[cfg(test)]
mod tests;
