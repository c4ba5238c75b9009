//! Opsera: people, projects, how they belong together, and what that tells.

mod gate;
mod hierarchy;
mod import;
mod insights;
mod mappings;
mod people;
mod projects;

windlass_core::component! {
    family: Opsera,
    identity: windlass_identity::Families,
    base: "/api/v2",
    routes: {
        GET "/data/people" => people::list;
        POST "/data/people" => people::create;
        GET "/data/people/{email}" => people::get;
        PATCH "/data/people/{email}" => people::update;
        DELETE "/data/people/{email}" => people::delete;
        GET "/data/project" => projects::list;
        GET "/data/projects" => projects::list;
        POST "/data/project" => projects::create;
        GET "/data/project/{project_id}" => projects::get;
        PATCH "/data/project/{project_id}" => projects::update;
        DELETE "/data/project/{project_id}" => projects::delete;
        GET "/data/mapping" => mappings::list;
        GET "/data/mappings" => mappings::list;
        POST "/data/mapping" => mappings::create;
        GET "/data/mapping/{id}" => mappings::get;
        PATCH "/data/mapping/{id}" => mappings::update;
        DELETE "/data/mapping/{id}" => mappings::delete;
        GET "/data/org-hierarchy" => hierarchy::list;
        POST "/data/org-hierarchy" => hierarchy::create;
        POST "/data/import/{kind}" => import::import;
        GET "/insights/dora" => insights::dora;
        GET "/insights/dora/{metric}" => insights::list;
    }
}
