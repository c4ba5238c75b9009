//! Another password for somebody who forgot theirs. Administrators are left out: their mailbox must not
//! be the way into everything.

use super::new_project_with_user::{name_of, username};
use super::{ActionKind, Run, Submitted};
use crate::fields::{Fields, Text};
use crate::people::{self, DOMAIN};
use crate::settings::Settings;
use crate::tasks::Action;
use serde_json::json;
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_identity::project_roles::ADMIN;
use windlass_store::users::Contact;

const KIND: ActionKind = ActionKind::ResetUserPassword;

pub(super) fn read(fields: &mut Fields<'_>, settings: &Settings) {
    fields.text("domain_name", &Text::or(64, DOMAIN.1));
    fields.email("email");
    username(fields, settings);
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    let found = look(run, action).await?;
    action.valid = found.is_some();
    action.need_token = true;
    action.auto_approve = Some(true);
    if let Some(found) = found {
        action
            .cache
            .insert("user_id".into(), json!(found.user.id.to_string()));
    }
    Ok(())
}

/// The user who is meant, if they may have another password in this way.
async fn look(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<Option<Contact>> {
    if action.text("domain_name") != DOMAIN.1 {
        run.note(KIND, "Domain does not exist.");
        return Ok(None);
    }
    let name = name_of(action, run.settings);
    let found = match run.settings.username_is_email {
        true => people::by_name_or_address(run.tx, run.scope, name).await?,
        false => people::by_name(run.tx, run.scope, name).await?,
    };
    let Some(found) = found.filter(|found| found.user.active) else {
        run.note(KIND, "No user present with username");
        return Ok(None);
    };
    if people::are_elsewhere(run.tx, run.scope).await? {
        run.note(
            KIND,
            "Identity backend does not support user editing, cannot change password.",
        );
        return Ok(None);
    }
    let of = run.task.task_type;
    let blacklisted = run.settings.list_of_action(of, KIND, "blacklisted_roles");
    if holds_any(run, &found, &blacklisted).await? {
        run.note(KIND, "Cannot reset users with blacklisted roles.");
        return Ok(None);
    }
    let email = action.text("email");
    let is_theirs = found
        .email
        .as_deref()
        .is_some_and(|known| known.eq_ignore_ascii_case(email));
    run.note(
        KIND,
        match is_theirs {
            true => "Existing user with matching email.",
            false => "Existing user with non-matching email.",
        },
    );
    Ok(is_theirs.then_some(found))
}

async fn holds_any(
    run: &Run<'_, impl Tx>,
    found: &Contact,
    blacklisted: &[String],
) -> Result<bool> {
    if found.is_administrator && blacklisted.iter().any(|role| role == ADMIN) {
        return Ok(true);
    }
    let held = people::roles_anywhere(run.tx, run.scope, &found.user).await?;
    Ok(held.iter().any(|role| blacklisted.contains(role)))
}

pub(super) async fn submit(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    submitted: &Submitted,
) -> Result<()> {
    let before = action.made("user_id").unwrap_or_default().to_owned();
    let found = look(run, action).await?;
    let same = found.filter(|found| found.user.id.to_string() == before);
    let (Some(found), Some(hash)) = (same, &submitted.password_hash) else {
        action.valid = false;
        return Ok(());
    };
    people::set_password(run.tx, run.scope, &found.user, hash).await?;
    let text = format!("User {} password has been changed.", found.user.username);
    run.note(KIND, text);
    Ok(())
}
