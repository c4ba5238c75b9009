//! A project, and the user who begins with it: what somebody asks for who signs up.

use super::{ActionKind, Run, Submitted};
use crate::fields::{Fields, Text};
use crate::people::{self, DOMAIN};
use crate::settings::Settings;
use crate::tasks::{Action, State};
use serde_json::{Value, json};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, ids, python};
use windlass_store::tenants::RESERVED;

const KIND: ActionKind = ActionKind::NewProjectWithUser;

pub(super) fn read(fields: &mut Fields<'_>, settings: &Settings) {
    fields.text("domain_id", &Text::or(64, DOMAIN.0));
    fields.email("email");
    username(fields, settings);
    fields.text("parent_id", &Text::or(64, Value::Null));
    project_name(fields);
}

/// Takes a user's name where it is not the address.
pub(super) fn username(fields: &mut Fields<'_>, settings: &Settings) {
    if settings.username_is_email {
        return;
    }
    fields.text("username", &Text::required(255));
    let name = fields.taken("username").and_then(Value::as_str);
    if let Some(fault) = name.and_then(|name| ids::check("username", name).err()) {
        fields.refuse("username", fault.message().to_owned());
    }
}

/// Takes the name of a new project, which becomes the name of a tenant.
pub(super) fn project_name(fields: &mut Fields<'_>) {
    fields.text("project_name", &Text::required(64));
    let name = fields.taken("project_name").and_then(Value::as_str);
    let fault = name.and_then(|name| match ids::check("project_name", name) {
        Err(fault) => Some(fault.message().to_owned()),
        Ok(()) if RESERVED.contains(&name) => {
            Some(format!("`{name}` is not allowed as a project's name."))
        }
        Ok(()) => None,
    });
    if let Some(fault) = fault {
        fields.refuse("project_name", fault);
    }
}

/// What the user is or will be called.
pub(super) fn name_of<'a>(action: &'a Action, settings: &Settings) -> &'a str {
    action.text(if settings.username_is_email {
        "email"
    } else {
        "username"
    })
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = place(run, action).await? && user(run, action).await?;
    Ok(())
}

/// Whether the project can be made.
async fn place(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<bool> {
    if action.text("domain_id") != DOMAIN.0 {
        return run.refuse(KIND, "Domain does not exist.");
    }
    if let Some(parent) = action.optional_text("parent_id")
        && !people::has_project(run.tx, run.scope, parent).await?
    {
        return run.refuse(KIND, format!("Parent id: '{parent}' does not exist."));
    }
    let name = action.text("project_name");
    if people::has_project(run.tx, run.scope, name).await? {
        return run.refuse(KIND, format!("Existing project with name '{name}'."));
    }
    run.accept(KIND, format!("No existing project with name '{name}'."))
}

/// Whether there is the user already, and as what.
async fn user(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<bool> {
    let name = name_of(action, run.settings).to_owned();
    let elsewhere = people::are_elsewhere(run.tx, run.scope).await?;
    let Some(found) = people::by_name(run.tx, run.scope, &name).await? else {
        action.state = State::Default;
        if elsewhere {
            let text = "Identity backend does not support user editing, cannot create new user.";
            return run.refuse(KIND, text);
        }
        action.need_token = true;
        let text = format!("No user present with username '{name}'. Need to create new user.");
        return run.accept(KIND, text);
    };
    let is_theirs = found
        .email
        .as_deref()
        .is_some_and(|email| email.eq_ignore_ascii_case(action.text("email")));
    if !is_theirs {
        let text = format!("Existing user '{name}' with non-matching email.");
        return run.refuse(KIND, text);
    }
    action.need_token = !found.user.active;
    if found.user.active {
        action.state = State::Existing;
        return run.accept(KIND, format!("Existing user '{name}' with matching email."));
    }
    action.state = State::Disabled;
    let text = format!("Existing disabled user '{name}' with matching email.");
    if elsewhere {
        let text = "Identity backend does not support user editing, cannot renable user.";
        return run.refuse(KIND, text);
    }
    run.accept(KIND, text)
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    let project = action.text("project_name").to_owned();
    let is_new = action.made("project_id").is_none();
    let has_user = action.made("user_id").is_some();
    // Both are looked at before either is made: a project without its user would stay for good.
    action.valid =
        (!is_new || place(run, action).await?) && (has_user || user(run, action).await?);
    if !action.valid {
        return Ok(());
    }
    if !is_new {
        run.note(KIND, "Project already created.");
    } else {
        let parent = action.optional_text("parent_id");
        people::make_project(run.tx, run.scope, &project, parent).await?;
        run.note(KIND, format!("New project '{project}' created."));
        action.cache.insert("project_id".into(), json!(project));
    }
    run.made.project = Some(project.clone());
    if has_user {
        let id = action.made("user_id").unwrap_or_default();
        let found = people::by_id(run.tx, run.scope, id).await?;
        run.made.owner = found.map(|found| found.user.username);
        run.note(KIND, "User already setup.");
        return Ok(());
    }
    set_up(run, action, &project).await
}

/// Makes the user, or lets them in, and gives them their roles.
async fn set_up(run: &mut Run<'_, impl Tx>, action: &mut Action, project: &str) -> Result<()> {
    let (tx, scope) = (run.tx, run.scope);
    let name = name_of(action, run.settings).to_owned();
    let of = run.task.task_type;
    let roles = run.settings.list_of_action(of, KIND, "default_roles");
    let shown = python::list(&roles);
    let (user, text) = match action.state {
        State::Default | State::Complete => {
            let user = people::make_user(tx, scope, &name, action.text("email")).await?;
            let text =
                format!("New user '{name}' created for project {project} with roles: {shown}");
            (user, text)
        }
        State::Existing | State::Disabled => {
            let found = people::by_name(tx, scope, &name).await?;
            let found = found.ok_or_else(|| Error::internal("the user has gone"))?;
            let mut spaces = "  ";
            if action.state == State::Disabled {
                people::let_in_again(tx, scope, &found.user).await?;
                run.note(KIND, format!("User {name} password has been changed."));
                spaces = " ";
            }
            // The original writes two spaces where nobody had to be let in again.
            let text = format!(
                "Existing user '{name}' setup on project {project}{spaces}with roles: {shown}"
            );
            (found.user, text)
        }
    };
    people::grant(tx, scope, project, &user, &roles).await?;
    run.made.owner = Some(user.username.clone());
    run.note(KIND, text);
    action
        .cache
        .insert("user_id".into(), json!(user.id.to_string()));
    action.cache.insert("roles_granted".into(), json!(roles));
    Ok(())
}

pub(super) async fn submit(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    submitted: &Submitted,
) -> Result<()> {
    let name = name_of(action, run.settings).to_owned();
    if action.state == State::Existing {
        let project = action.text("project_name");
        let text = format!("Existing user '{name}' already attached to project {project}");
        run.note(KIND, text);
        return Ok(());
    }
    let user = people::by_id(
        run.tx,
        run.scope,
        action.made("user_id").unwrap_or_default(),
    )
    .await?;
    // The number may have been given to somebody else since.
    let user = user.filter(|found| found.user.username.eq_ignore_ascii_case(&name));
    let (Some(found), Some(hash)) = (user, &submitted.password_hash) else {
        action.valid = false;
        return Ok(());
    };
    people::set_password(run.tx, run.scope, &found.user, hash).await?;
    run.note(KIND, format!("User {name} password has been changed."));
    Ok(())
}
