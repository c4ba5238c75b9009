//! Another address for somebody. They keep their name: what they own refers to them by it.

use super::{ActionKind, Run, Submitted};
use crate::fields::{Fields, Text};
use crate::people;
use crate::tasks::Action;
use windlass_core::Result;
use windlass_core::db::Tx;
use windlass_store::users::{self, Contact};

const KIND: ActionKind = ActionKind::UpdateUserEmail;

pub(super) fn read(fields: &mut Fields<'_>) {
    fields.text("user_id", &Text::required(64));
    fields.email("new_email");
}

pub(super) async fn prepare(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?.is_some();
    action.auto_approve = Some(true);
    run.note(KIND, "Auto approve set to True.");
    Ok(())
}

pub(super) async fn approve(run: &mut Run<'_, impl Tx>, action: &mut Action) -> Result<()> {
    action.valid = look(run, action).await?.is_some();
    action.need_token = action.valid;
    Ok(())
}

/// The user who is meant, if the address can be theirs.
async fn look(run: &mut Run<'_, impl Tx>, action: &Action) -> Result<Option<Contact>> {
    let found = people::by_id(run.tx, run.scope, action.text("user_id")).await?;
    // Who asked, and nobody who was given the number since.
    let name = run.task.submitter("username");
    let Some(found) = found.filter(|found| found.user.username == name) else {
        run.note(KIND, "Unable to find target user.");
        return Ok(None);
    };
    if run.settings.username_is_email {
        let new = action.text("new_email");
        if people::is_taken(run.tx, run.scope, new).await? {
            run.note(KIND, "User with same username already exists");
            return Ok(None);
        }
        run.note(KIND, "No user with same username");
    }
    Ok(Some(found))
}

pub(super) async fn submit(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    submitted: &Submitted,
) -> Result<()> {
    let found = look(run, action).await?;
    action.valid = found.is_some();
    let Some(found) = found.filter(|_| submitted.confirm) else {
        return Ok(());
    };
    let new = action.text("new_email");
    users::set_email(run.tx, run.scope, &found.user, new).await?;
    let name = &found.user.username;
    run.note(
        KIND,
        format!("The email for user {name} has been changed to {new}."),
    );
    Ok(())
}
