//! Users whom the operator wants in every new project.

use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people::{self, DOMAIN};
use crate::tasks::Action;
use serde_json::json;
use windlass_core::db::Tx;
use windlass_core::{Result, python};
use windlass_store::users::User;

const KIND: ActionKind = ActionKind::AddDefaultUsersToProject;

/// What the action keeps once its users are in a project: the project.
const ADDED: &str = "users_added";

pub(super) fn read(fields: &mut Fields<'_>) {
    fields.text("domain_id", &Text::or(64, DOMAIN.0));
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run).await?.is_some();
    Ok(())
}

/// The users, if all of them are there.
async fn look(run: &mut Run<'_, impl Tx>) -> Result<Option<Vec<User>>> {
    let of = run.task.task_type;
    let mut users = Vec::new();
    let mut all = true;
    for name in run.settings.list_of_action(of, KIND, "default_users") {
        match people::by_name(run.tx, run.scope, &name).await? {
            Some(found) => {
                run.note(KIND, format!("User: {name} exists."));
                users.push(found.user);
            }
            None => {
                run.note(KIND, format!("ERROR: User: {name} does not exist."));
                all = false;
            }
        }
    }
    Ok(all.then_some(users))
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    if action.made(ADDED).is_some() {
        // Who was taken out of the project since stays out.
        run.note(KIND, "Users already added.");
        return Ok(());
    }
    let users = look(run).await?;
    let project = run.made.project.clone();
    action.valid = users.is_some() && project.is_some();
    let (Some(users), Some(project)) = (users, project) else {
        return Ok(());
    };
    let roles = run
        .settings
        .list_of_action(run.task.task_type, KIND, "default_roles");
    for user in users {
        people::grant(run.tx, run.scope, &project, &user, &roles).await?;
        let (name, shown) = (&user.username, python::list(&roles));
        run.note(
            KIND,
            format!("User: \"{name}\" given roles: {shown} on project: {project}."),
        );
    }
    run.note(KIND, "All users added.");
    action.cache.insert(ADDED.into(), json!(project));
    Ok(())
}
