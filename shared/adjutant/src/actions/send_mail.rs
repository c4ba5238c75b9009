//! One more mail at a stage, beside those that every task can have.

use super::{ActionKind, Run};
use crate::mails::Extra;
use crate::people;
use crate::settings::Template;
use crate::tasks::Action;
use windlass_core::db::Tx;
use windlass_core::{Error, Result};

const KIND: ActionKind = ActionKind::SendAdditionalEmail;

/// Puts the mail of a stage into the outbox, if the settings have one. It goes to the address of who
/// asked, as it is before the task changes it.
pub(super) async fn run(
    run: &mut Run<'_, impl Tx>,
    action: &mut Action,
    stage: &'static str,
) -> Result<()> {
    action.valid = true;
    let Some(template) = template(run, stage)? else {
        return Ok(());
    };
    run.note(KIND, "Adding the current user's email address");
    let user = people::by_id(run.tx, run.scope, run.task.submitter("user_id")).await?;
    let Some(to) = user.and_then(|user| user.email) else {
        run.note(KIND, format!("Email address not set. Stage: {stage}"));
        return Ok(());
    };
    run.note(KIND, format!("Additional email sent. Stage: {stage}"));
    drop(template);
    run.outbox.extra.push(Extra { stage, to });
    Ok(())
}

/// What the mail of a stage says, if there is one.
fn template(run: &Run<'_, impl Tx>, stage: &str) -> Result<Option<Template>> {
    crate::mails::extra_template(run.settings, run.task.task_type, stage)
        .map_err(|error| Error::internal(format!("the mail of {stage}: {error}")))
}
