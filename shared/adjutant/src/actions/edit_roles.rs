//! More or fewer roles in a project and below it, for somebody who has an account.

use super::new_user::read_roles;
use super::{ActionKind, Run};
use crate::fields::{Fields, Text};
use crate::people::{self, Extent};
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
    let mut held = Vec::new();
    let (mut is_known, mut changes) = (false, false);
    for extent in Extent::ALL {
        let (field, _) = extent.names();
        let role = people::tenant_role(run.tx, run.scope, &project, &found.user, extent).await?;
        is_known |= role.is_some();
        changes |= has_change(action, role.as_deref(), &action.list(field));
        held.extend(roles::of_member(role.as_deref()));
    }
    // Who is not in the project is invited, and agrees. A number alone must not tell who that is.
    let is_admin = run.task.submitter_roles().iter().any(|role| role == ADMIN);
    if !is_known && !is_admin {
        run.note(KIND, "No user present with user_id");
        return Ok(None);
    }
    let asked = [action.list("roles"), action.list("inherited_roles")].concat();
    if !run.may_manage(&held).await? || !run.may_manage(&asked).await? {
        run.note(KIND, "Not all user roles are manageable.");
        return Ok(None);
    }
    run.note(KIND, "All user roles are manageable.");
    let text = match (action.flag("remove"), changes) {
        (true, true) => "User has roles to remove.",
        (true, false) => "User doesn't have roles to remove.",
        (false, true) => "User missing roles.",
        (false, false) => "User already has roles.",
    };
    run.note(KIND, text);
    action.state = if changes {
        State::Existing
    } else {
        State::Complete
    };
    Ok(Some(found))
}

/// Whether somebody with this role would be something else afterwards.
fn has_change(action: &Action, tenant_role: Option<&str>, asked: &[String]) -> bool {
    if action.flag("remove") {
        roles::without(tenant_role, asked) != Left::Same
    } else {
        roles::with(tenant_role, asked).is_some()
    }
}

pub(super) async fn submit(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    let Some(found) = look(run, action).await? else {
        action.valid = false;
        return Ok(());
    };
    let (tx, scope) = (run.tx, run.scope);
    let (project, name) = (action.text("project_id"), &found.user.username);
    let has_changed = action.state != State::Complete;
    for extent in Extent::ALL {
        let (field, word) = extent.names();
        let asked = action.list(field);
        if asked.is_empty() {
            continue;
        }
        let (shown, place) = (python::list(&asked), (project, extent));
        let text = match (action.flag("remove"), has_changed) {
            (true, true) => {
                people::take(tx, scope, place, &found.user, &asked).await?;
                format!("User {name} has had {word} {shown} removed from project {project}.")
            }
            (false, true) => {
                people::give(tx, scope, place, &found.user, &asked).await?;
                format!("User {name} has been given {word} {shown} in project {project}.")
            }
            (true, false) => {
                format!("User {name} didn't have {word} {shown} in project {project}.")
            }
            (false, false) => {
                format!("User {name} already had {word} {shown} in project {project}.")
            }
        };
        run.note(KIND, text);
    }
    Ok(())
}
