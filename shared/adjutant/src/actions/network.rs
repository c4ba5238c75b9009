//! The network of a project. Windlass has none: what is asked for is looked at as in the original,
//! so that requests of its clients are taken, and nothing is made.

use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people;
use crate::tasks::Action;
use windlass_core::Result;
use windlass_core::db::Tx;

pub(super) fn read(fields: &mut Fields<'_>) {
    fields.boolean("setup_network", true);
    fields.text("project_id", &Text::required(64));
    fields.text("region", &Text::required(100));
}

pub(super) fn read_of_new_project(fields: &mut Fields<'_>) {
    fields.boolean("setup_network", false);
    fields.text("region", &Text::required(100));
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?;
    Ok(())
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?;
    if action.valid && action.flag("setup_network") {
        run.note(
            action.kind,
            "There are no networks here, so none was created.",
        );
    }
    Ok(())
}

async fn look(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    let region = action.text("region");
    if !run.settings.regions.iter().any(|known| known == region) {
        return run.refuse(action.kind, "ERROR: Region does not exist.");
    }
    run.note(action.kind, format!("Region: {region} exists."));
    if action.kind == ActionKind::NewProjectDefaultNetwork {
        return Ok(true);
    }
    let project = action.text("project_id");
    if !people::has_project(run.tx, run.scope, project).await? {
        return run.refuse(
            action.kind,
            format!("Project with id {project} does not exist."),
        );
    }
    run.note(action.kind, format!("Project with id {project} exists."));
    if project != run.task.submitter("project_id") {
        return run.refuse(
            action.kind,
            "Project id does not match keystone user project.",
        );
    }
    Ok(true)
}
