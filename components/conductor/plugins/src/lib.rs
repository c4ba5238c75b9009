//! Conductor: plugins.

mod archive;
mod full_archive;
mod installation;
mod package;
mod plugins;
mod unpacked;
mod upload;
mod visibility;
mod wagon;
mod yaml;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/plugins" => plugins::list;
        POST "/plugins" => upload::upload, streamed;
        GET "/plugins/{plugin_id}" => plugins::get;
        PATCH "/plugins/{plugin_id}" => plugins::update;
        DELETE "/plugins/{plugin_id}" => plugins::delete;
        POST "/plugins/{plugin_id}" => installation::install;
        PUT "/plugins/{plugin_id}" => installation::set_state;
        GET "/plugins/{plugin_id}/archive" => archive::archive;
        GET "/plugins/{plugin_id}/yaml" => yaml::yaml;
        PATCH "/plugins/{plugin_id}/set-visibility" => visibility::set_visibility;
    }
}

#[cfg(test)]
mod tests;
