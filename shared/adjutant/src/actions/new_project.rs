//! A project for somebody who has an account. No type of tasks has this by itself; settings can add it.

use super::new_project_with_user::project_name;
use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people::{self, DOMAIN};
use crate::tasks::Action;
use serde_json::{Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, python};

const KIND: ActionKind = ActionKind::NewProject;

/// The longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1000;

pub(super) fn read(fields: &mut Fields<'_>) {
    fields.text("domain_id", &Text::or(64, DOMAIN.0));
    fields.text("parent_id", &Text::or(64, Value::Null));
    project_name(fields);
    fields.text(
        "description",
        &Text::or(LONGEST_DESCRIPTION, "").may_be_blank(),
    );
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?;
    Ok(())
}

async fn look(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    if action.text("domain_id") != run.task.submitter("project_domain_id") {
        return run.refuse(KIND, "Domain id does not match keystone user domain.");
    }
    if let Some(parent) = action.optional_text("parent_id")
        && parent != run.task.submitter("project_id")
    {
        return run.refuse(KIND, "Parent id does not match keystone user project.");
    }
    let name = action.text("project_name");
    if people::has_project(run.tx, run.scope, name).await? {
        return run.refuse(KIND, format!("Existing project with name '{name}'."));
    }
    run.accept(KIND, format!("No existing project with name '{name}'."))
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    let project = action.text("project_name").to_owned();
    run.made.project = Some(project.clone());
    if action.made("project_id").is_some() {
        run.note(KIND, "Project already created.");
        run.note(KIND, "User already given roles.");
        return Ok(());
    }
    let user = people::by_id(run.tx, run.scope, run.task.submitter("user_id")).await?;
    action.valid = look(run, action).await? && user.is_some();
    let Some(found) = user.filter(|_| action.valid) else {
        return Ok(());
    };
    let parent = action.optional_text("parent_id");
    people::make_project(run.tx, run.scope, &project, parent).await?;
    run.note(KIND, format!("New project '{project}' created."));
    let roles = run
        .settings
        .list_of_action(run.task.task_type, KIND, "default_roles");
    people::grant(run.tx, run.scope, &project, &found.user, &roles).await?;
    let (name, shown) = (&found.user.username, python::list(&roles));
    let text = format!("Existing user '{name}' attached to project {project} with roles: {shown}");
    run.note(KIND, text);
    action.cache.insert("project_id".into(), json!(project));
    Ok(())
}
