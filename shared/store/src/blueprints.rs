//! Blueprints: what was uploaded, how far that came, and the plan it was found to mean.
//!
//! An upload ends in one transaction, so a row is never half of one; while it goes on in the
//! background its state says how far it is. One that failed stays, with
//! the reason, until an upload of the same id replaces it. The plan is kept in tables of its own.

mod copies;
mod plans;
mod removal;
mod retention;
mod row;
mod state;
mod under_way;
mod update;
mod upload;

pub use copies::{insert_copy, remove_copy, take_plan};
pub use plans::{PIECE, PLACE, PlanText, PlanTexts, has_plan, plan, text_to_show, workflow_plugin};
pub use removal::{delete, dependent_deployments, is_imported};
pub use retention::{FAILED_SETTING, forget_failed};
pub use row::{
    Archive, Blueprint, exists_elsewhere, find, find_optional, find_own, upload_execution,
};
pub use state::State;
pub use under_way::{UnderWay, UploadRest, advance, end, find_under_way, give_up, take_archive};
pub use update::{
    Changes, demand_execution, demand_visibility, save, save_archive, set_visibility,
};
pub use upload::{
    Found, Upload, UploadExecution, demand_absent, demand_free, insert, insert_validation,
};

use crate::counts;
use crate::labels::LabelOwner;
use crate::resource::fields::CREATED_AT;
use windlass_core::list::{COMMON, Field, Resource, Search, concat};

/// The `upload_blueprint` execution, nested as clients expect it.
const UPLOAD_EXECUTION: &str = "(select json_object('id', e.id, 'workflow_id', e.workflow_id, \
     'deployment_id', e.deployment_id, 'deployment_display_name', null, \
     'blueprint_id', e.blueprint_id, 'status', e.status, \
     'status_display', case e.status when 'terminated' then 'completed' else e.status end, \
     'error', iif(e.status in ('terminated', 'failed', 'cancelled'), coalesce(e.error, ''), \
         e.error), 'parameters', json(e.parameters), \
     'is_system_workflow', json(iif(e.is_system_workflow, 'true', 'false')), \
     'is_dry_run', json(iif(e.is_dry_run, 'true', 'false')), \
     'created_at', e.created_at, 'started_at', e.started_at, 'ended_at', e.ended_at, \
     'scheduled_for', e.scheduled_for, \
     'allow_custom_parameters', json(iif(e.allow_custom_parameters, 'true', 'false')), \
     'resume', json(iif(e.resume, 'true', 'false')), \
     'total_operations', e.total_operations, 'finished_operations', e.finished_operations, \
     'created_by', e.created_by, 'tenant_name', e.tenant_name, 'visibility', e.visibility, \
     'private_resource', json(iif(e.visibility = 'private', 'true', 'false')), \
     'resource_availability', e.visibility) from executions e where e.id = t.upload_execution)";

static FIELDS: [Field; 18] = concat(
    &[
        Field::text("id", "t.id"),
        Field::text("main_file_name", "t.main_file_name"),
        Field::json("plan", plans::PLACE_SQL),
        Field::json("requirements", "t.requirements"),
        Field::text("description", "t.description"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
        Field::json("labels", LabelOwner::Blueprint.json_sql()),
        Field::text("state", "t.state"),
        Field::text("error", "t.error"),
        Field::text("error_traceback", "t.error_traceback"),
        Field::boolean("is_hidden", "t.is_hidden"),
        Field::json("upload_execution", UPLOAD_EXECUTION),
    ],
    &COMMON,
);

/// Blueprints as the API shows them. Lists leave hidden ones out, see [`NOT_HIDDEN`].
pub static BLUEPRINTS: Resource = Resource {
    name: "Blueprint",
    table: "blueprints t",
    fields: &FIELDS,
    search: Some(Search::indexed("t.id", "blueprints_search")),
    of_tenant: true,
    counts: &[&counts::BLUEPRINTS],
};

/// The condition that every list of blueprints carries.
pub const NOT_HIDDEN: &str = "t.is_hidden = 0";

#[cfg(test)]
mod tests;
