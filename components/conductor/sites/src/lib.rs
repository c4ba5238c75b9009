//! Conductor: sites, the places where deployments are.

mod sites;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/sites" => sites::list;
        GET "/sites/{site_name}" => sites::get;
        PUT "/sites/{site_name}" => sites::create;
        POST "/sites/{site_name}" => sites::update;
        DELETE "/sites/{site_name}" => sites::delete;
    }
}

#[cfg(test)]
mod tests;
