//! Conductor: snapshots.
// The futures of a restoration are nested deeply.
#![recursion_limit = "256"]

mod archive;
mod background;
mod restore;
mod snapshots;

windlass_core::component! {
    family: Conductor,
    identity: windlass_identity::Identity,
    base: "/api/v3.1",
    routes: {
        GET "/snapshots" => snapshots::list;
        GET "/snapshots/{snapshot_id}" => snapshots::get;
        PUT "/snapshots/{snapshot_id}" => snapshots::create;
        DELETE "/snapshots/{snapshot_id}" => snapshots::delete;
        PATCH "/snapshots/{snapshot_id}" => snapshots::update_status;
        GET "/snapshots/{snapshot_id}/archive" => archive::download;
        PUT "/snapshots/{snapshot_id}/archive" => archive::upload, streamed;
        POST "/snapshots/{snapshot_id}/restore" => restore::restore;
        POST "/snapshots/{execution_id}/carry-out" => background::carry_out;
        GET "/snapshot-status" => restore::status;
    }
}
