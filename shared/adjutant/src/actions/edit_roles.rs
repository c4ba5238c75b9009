//! More or fewer roles in a project, for somebody who has an account.

use super::new_user::read_roles;
use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people;
use crate::roles::{self, Left};
use crate::tasks::{Action, State};
use windlass_core::db::Tx;
use windlass_core::{Result, python};
use windlass_identity::project_roles::ADMIN;
use windlass_store::users::Contact;

const KIND: ActionKind = ActionKind::EditUserRoles;

pub(super) fn read(fields: &mut Fields<'_>) {
    fields.text("user_id", &Text::required(64));
    fields.text("project_id", &Text::required(64));
    read_roles(fields);
    fields.boolean("remove", false);
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?.is_some();
    action.auto_approve = Some(true);
    run.note(KIND, "Auto approve set to True.");
    Ok(())
}

/// The user who is meant, if whoever asks may do this to them.
async fn look(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<Option<Contact>> {
    let project = action.text("project_id").to_owned();
    if project != run.task.submitter("project_id") {
        run.note(KIND, "Project id does not match keystone user project.");
        return Ok(None);
    }
    if !people::has_project(run.tx, run.scope, &project).await? {
        run.note(KIND, format!("Project with id {project} does not exist."));
        return Ok(None);
    }
    run.note(KIND, format!("Project with id {project} exists."));
    let Some(found) = people::by_id(run.tx, run.scope, action.text("user_id")).await? else {
        run.note(KIND, "No user present with user_id");
        return Ok(None);
    };
    // Who is not in the project is invited, and agrees. A number alone must not tell who that is.
    let tenant_role = people::tenant_role(run.tx, run.scope, &project, &found.user).await?;
    let is_admin = run.task.submitter_roles().iter().any(|role| role == ADMIN);
    if tenant_role.is_none() && !is_admin {
        run.note(KIND, "No user present with user_id");
        return Ok(None);
    }
    let held = people::roles_in(run.tx, run.scope, &project, &found.user).await?;
    let asked = action.list("roles");
    if !run.may_manage(&held) || !run.may_manage(&asked) {
        run.note(KIND, "Not all user roles are manageable.");
        return Ok(None);
    }
    run.note(KIND, "All user roles are manageable.");
    let tenant_role = tenant_role.as_deref();
    let (changes, text) = if action.flag("remove") {
        match roles::without(tenant_role, &asked) {
            Left::Same => (false, "User doesn't have roles to remove."),
            Left::Role(_) | Left::Nothing => (true, "User has roles to remove."),
        }
    } else {
        match roles::with(tenant_role, &asked) {
            None => (false, "User already has roles."),
            Some(_) => (true, "User missing roles."),
        }
    };
    run.note(KIND, text);
    action.state = if changes {
        State::Existing
    } else {
        State::Complete
    };
    Ok(Some(found))
}

pub(super) async fn submit(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    let Some(found) = look(run, action).await? else {
        action.valid = false;
        return Ok(());
    };
    let (tx, scope) = (run.tx, run.scope);
    let (project, asked) = (action.text("project_id"), action.list("roles"));
    let (name, shown) = (&found.user.username, python::list(&asked));
    let has_changed = action.state != State::Complete;
    let text = match (action.flag("remove"), has_changed) {
        (true, true) => {
            people::revoke(tx, scope, project, &found.user, &asked).await?;
            format!("User {name} has had roles {shown} removed from project {project}.")
        }
        (false, true) => {
            people::grant(tx, scope, project, &found.user, &asked).await?;
            format!("User {name} has been given roles {shown} in project {project}.")
        }
        (true, false) => format!("User {name} didn't have roles {shown} in project {project}."),
        (false, false) => format!("User {name} already had roles {shown} in project {project}."),
    };
    run.note(KIND, text);
    Ok(())
}
