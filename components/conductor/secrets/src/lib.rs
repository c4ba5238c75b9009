//! Conductor: secrets, and the providers that keep values elsewhere.

mod exchange;
mod passphrase;
mod providers;
mod schema;
mod secrets;
mod update;
mod value;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/secrets" => secrets::list;
        GET "/secrets/share/export" => exchange::export;
        POST "/secrets/share/import" => exchange::import;
        PATCH "/secrets/share/import" => exchange::import;
        GET "/secrets/{secret_key}" => secrets::get;
        PUT "/secrets/{secret_key}" => secrets::create;
        PATCH "/secrets/{secret_key}" => update::update;
        DELETE "/secrets/{secret_key}" => secrets::delete;
        PATCH "/secrets/{secret_key}/set-visibility" => update::set_visibility;
        GET "/secrets-providers" => providers::list;
        PUT "/secrets-providers" => providers::create;
        GET "/secrets-providers/{provider_name}" => providers::get;
        PATCH "/secrets-providers/{provider_name}" => providers::update;
        DELETE "/secrets-providers/{provider_name}" => providers::delete;
        GET "/secrets-provider/{provider_name}" => providers::get;
    }
}

#[cfg(test)]
mod tests;
