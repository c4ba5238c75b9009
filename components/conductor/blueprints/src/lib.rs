//! Conductor: blueprints, their labels, and updates of the plugins that they import.

mod archive;
mod background;
mod blueprints;
mod body_fields;
mod icon;
mod labels;
mod limits;
mod multipart;
mod plans;
mod plugins_updates;
mod reading;
mod receive;
mod repack;
mod request;
mod upload;
mod visibility;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        POST "/searches/blueprints" => blueprints::search;
        GET "/blueprints" => blueprints::list;
        GET "/blueprints/{blueprint_id}" => blueprints::get;
        PUT "/blueprints/{blueprint_id}" => upload::upload, streamed;
        PATCH "/blueprints/{blueprint_id}" => blueprints::update;
        DELETE "/blueprints/{blueprint_id}" => blueprints::delete;
        PUT "/blueprints/{blueprint_id}/validate" => upload::validate, streamed;
        POST "/blueprints/{blueprint_id}/continue-upload" => background::continue_upload;
        GET "/blueprints/{blueprint_id}/archive" => archive::archive_get;
        PUT "/blueprints/{blueprint_id}/archive" => archive::archive_put, streamed;
        PATCH "/blueprints/{blueprint_id}/set-visibility" => visibility::set_visibility;
        PATCH "/blueprints/{blueprint_id}/icon" => icon::icon;
        GET "/plugins-updates" => plugins_updates::list;
        GET "/plugins-updates/{plugins_update_id}" => plugins_updates::get;
        POST "/plugins-updates/{blueprint_id}/update/initiate" => plugins_updates::initiate;
        POST "/plugins-updates/{plugins_update_id}/update/finalize" => plugins_updates::finalize;
        GET "/labels/blueprints" => labels::blueprints_keys;
        GET "/labels/blueprints/{label_key}" => labels::blueprints_values;
    }
}

#[cfg(test)]
mod tests;
