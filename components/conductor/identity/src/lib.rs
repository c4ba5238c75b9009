//! Conductor: who can do what. Tokens, the caller, tenants.

mod tenants;
mod tokens;
mod user;

windlass_core::component! {
    family: Conductor,
    identity: windlass_store::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/tokens" => tokens::list;
        POST "/tokens" => tokens::create;
        GET "/tokens/{token_id}" => tokens::get_one;
        DELETE "/tokens/{token_id}" => tokens::delete;
        GET "/user" => user::get_self;
        GET "/tenants" => tenants::list;
        GET "/tenants/{tenant_name}" => tenants::get;
    }
}
