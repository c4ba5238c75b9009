//! Somebody in a project: an invitation, with an account for who has none.

use super::new_project_with_user::{name_of, username};
use super::{ActionKind, Run, Submitted};
use crate::fields::{Fields, Text, WHOLE};
use crate::people::{self, DOMAIN, Extent};
use crate::roles;
use crate::settings::Settings;
use crate::tasks::{Action, State};
use serde_json::{Value, json};
use windlass_core::db::Tx;
use windlass_core::{Result, python};
use windlass_store::users::Contact;

const KIND: ActionKind = ActionKind::NewUser;

pub(super) fn read(fields: &mut Fields<'_>, settings: &Settings) {
    fields.text("domain_id", &Text::or(64, DOMAIN.0));
    fields.email("email");
    username(fields, settings);
    fields.text("project_id", &Text::required(64));
    read_roles(fields);
}

/// Takes the roles that are given, in the project and for all that is below it.
pub(super) fn read_roles(fields: &mut Fields<'_>) {
    let all: Vec<&str> = roles::all().collect();
    fields.choices("roles", &all);
    fields.choices("inherited_roles", &all);
    let is_empty = |name: &str| {
        let list = fields.taken(name).and_then(Value::as_array);
        list.is_none_or(Vec::is_empty)
    };
    let (no_roles, no_inherited) = (is_empty("roles"), is_empty("inherited_roles"));
    let were_taken = fields.taken("roles").is_some() && fields.taken("inherited_roles").is_some();
    if were_taken && no_roles && no_inherited {
        let text = "Must supply either 'roles' or 'inherited_roles', or both.";
        fields.refuse(WHOLE, text);
    }
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?.is_some();
    // Whom an administrator has shut out, an administrator lets in again.
    let is_shut_out = action.valid && action.state == State::Disabled;
    action.auto_approve = Some(!is_shut_out);
    let shown = if is_shut_out { "False" } else { "True" };
    run.note(KIND, format!("Auto approve set to {shown}."));
    Ok(())
}

/// Looks whether the invitation can be carried out, and for whom. The inner value is the user who is
/// there already.
async fn look(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<Option<Option<Contact>>> {
    if !may(run, action).await? {
        return Ok(None);
    }
    let name = name_of(action, run.settings).to_owned();
    let found = people::by_name(run.tx, run.scope, &name).await?;
    let is_valid = match &found {
        None => unknown(run, action, &name).await?,
        Some(found) => known(run, action, &name, found).await?,
    };
    Ok(is_valid.then_some(found))
}

/// Whether who asks may, and whether it is their project.
async fn may(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    let asked = [action.list("roles"), action.list("inherited_roles")].concat();
    if !run.may_manage(&asked).await? {
        return run.refuse(KIND, "User does not have permission to edit role(s).");
    }
    if action.text("domain_id") != run.task.submitter("project_domain_id") {
        return run.refuse(KIND, "Domain id does not match keystone user domain.");
    }
    let project = action.text("project_id");
    if project != run.task.submitter("project_id") {
        return run.refuse(KIND, "Project id does not match keystone user project.");
    }
    if !people::has_project(run.tx, run.scope, project).await? {
        return run.refuse(KIND, format!("Project with id {project} does not exist."));
    }
    run.accept(KIND, format!("Project with id {project} exists."))
}

async fn unknown(run: &mut Run<'_, impl Tx>, action: &mut Action, name: &str) -> Result<bool> {
    if people::are_elsewhere(run.tx, run.scope).await? {
        let text = "Identity backend does not support user editing, cannot create new user.";
        return run.refuse(KIND, text);
    }
    (action.need_token, action.state) = (true, State::Default);
    let text = format!("No user present with username '{name}'. Need to create new user.");
    run.accept(KIND, text)
}

async fn known(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    name: &str,
    found: &Contact,
) -> Result<bool> {
    let wanted = action.text("email");
    let is_theirs = found
        .email
        .as_deref()
        .is_some_and(|email| email.eq_ignore_ascii_case(wanted));
    if !is_theirs {
        let text = "Found matching username, but email did not match. Reporting as invalid.";
        return run.refuse(KIND, text);
    }
    if !found.user.active {
        if people::are_elsewhere(run.tx, run.scope).await? {
            let text = "Identity backend does not support user editing, cannot renable user.";
            return run.refuse(KIND, text);
        }
        // As with a forgotten password: their mailbox must not be the way into everything.
        if found.is_administrator {
            return run.refuse(KIND, "Cannot enable users with blacklisted roles.");
        }
        (action.need_token, action.state) = (true, State::Disabled);
        let text = format!("Existing disabled user '{name}' with matching email.");
        return run.accept(KIND, text);
    }
    let project = action.text("project_id");
    let mut has_all = true;
    for extent in Extent::ALL {
        let (field, _) = extent.names();
        let held = people::roles_in(run.tx, run.scope, project, &found.user, extent).await?;
        has_all &= action.list(field).iter().all(|role| held.contains(role));
    }
    if has_all {
        (action.need_token, action.state) = (false, State::Complete);
        return run.accept(KIND, "Existing user already has roles.");
    }
    (action.need_token, action.state) = (true, State::Existing);
    run.accept(KIND, "Existing user with matching email missing roles.")
}

pub(super) async fn submit(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    submitted: &Submitted,
) -> Result<()> {
    let expected = action.state;
    let looked = look(run, action).await?;
    // What was asked of the token's holder must still be what is needed.
    let found = match looked {
        Some(found) if action.state == expected || action.state == State::Complete => found,
        _ => {
            action.valid = false;
            return Ok(());
        }
    };
    let (tx, scope) = (run.tx, run.scope);
    let (name, project) = (
        name_of(action, run.settings).to_owned(),
        action.text("project_id"),
    );
    let roles = action.list("roles");
    let shown = python::list(&roles);
    let (user, text) = match (action.state, found, &submitted.password_hash) {
        (State::Default, None, Some(hash)) => {
            let user = people::make_user_with(tx, scope, &name, action.text("email"), hash).await?;
            (
                user,
                format!("User {name} has been created, with roles {shown} in project {project}."),
            )
        }
        (State::Disabled, Some(found), Some(hash)) => {
            people::let_in_again(tx, scope, &found.user).await?;
            people::set_password(tx, scope, &found.user, hash).await?;
            run.note(KIND, format!("User {name} password has been changed."));
            let text = format!(
                "Existing user {name} has been re-enabled and given roles {shown} in project {project}."
            );
            (found.user, text)
        }
        (State::Existing, Some(found), _) => {
            let text =
                format!("Existing user {name} has been given roles {shown} in project {project}.");
            (found.user, text)
        }
        (State::Complete, Some(found), _) => {
            let text =
                format!("Existing user {name} already had roles {shown} in project {project}.");
            (found.user, text)
        }
        _ => {
            action.valid = false;
            return Ok(());
        }
    };
    people::grant(tx, scope, project, &user, &roles).await?;
    let below = action.list("inherited_roles");
    people::give(tx, scope, (project, Extent::Below), &user, &below).await?;
    let given_below = (!below.is_empty()).then(|| {
        let shown = python::list(&below);
        format!("User {name} has been given inherited roles {shown} in project {project}.")
    });
    action
        .cache
        .insert("user_id".into(), json!(user.id.to_string()));
    run.note(KIND, text);
    if let Some(text) = given_below {
        run.note(KIND, text);
    }
    Ok(())
}
