//! Opsera: pipelines, their runs and logs.

mod body;
mod gate;
mod logs;
mod pipelines;
mod runs;
mod webhook;

windlass_core::component! {
    family: Opsera,
    identity: windlass_identity::Families,
    base: "/api/v1",
    routes: {
        GET "/pipeline/pipelines" => pipelines::list;
        POST "/pipeline/summary" => pipelines::summary;
        POST "/pipeline/create" => pipelines::create;
        POST "/pipeline/update" => pipelines::update;
        POST "/pipeline/delete" => pipelines::delete;
        POST "/pipeline/duplicate" => pipelines::duplicate;
        POST "/pipeline/lock" => pipelines::lock;
        POST "/pipeline/unlock" => pipelines::unlock;
        POST "/pipeline/run" => runs::run;
        POST "/pipeline/status" => runs::status;
        POST "/pipeline/reset" => runs::reset;
        POST "/pipeline/stop" => runs::stop;
        POST "/pipeline/approve" => runs::approve;
        POST "/pipeline/deny" => runs::deny;
        POST "/pipeline/resume" => runs::resume;
        POST "/pipeline/demo" => runs::demo;
        POST "/pipeline/logs" => logs::list;
        POST "/pipeline/webhook" => webhook::set;
        POST "/pipeline/webhook/{pipeline_id}" => webhook::take;
    }
}
