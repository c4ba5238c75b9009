//! Mail about tasks: to whom it goes, how much of it, and what becomes of it.
//!
//! A mail is a row from the transaction that wants it on, and is written when it is sent: the token in
//! it is encrypted until then, and one that was used, reissued or called off keeps its mail from being
//! sent. The rows stay for a month as the outbox that administrators read.

mod delivery;
mod outbox;
pub(crate) mod text;

pub use delivery::{deliver, give_up};
pub use outbox::{forget_old, list, show};

use crate::actions::ActionKind;
use crate::notifications;
use crate::people;
use crate::settings::{Settings, Template};
use crate::task_type::TaskType;
use crate::tasks::Task;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, ids, params};
use windlass_store::queue::{self, Work};

/// Within how many seconds the mails to an address count together.
const WINDOW: i64 = 3600;

windlass_core::named_enum! {
    /// What became of a mail.
    pub enum State {
        /// It is on its way.
        Queued = "queued",
        /// The mail server has taken it.
        Sent = "sent",
        /// It was given up.
        Failed = "failed",
        /// The address got too many within an hour already.
        Withheld = "withheld",
        /// It was not wanted any more.
        Withdrawn = "withdrawn",
    }
}

windlass_core::named_enum! {
    /// When a mail is sent.
    pub enum Stage {
        /// After the task was asked for.
        Initial = "initial",
        /// With a token.
        Token = "token",
        /// When the task is done.
        Completed = "completed",
        /// An additional one, when it was asked for.
        Prepare = "prepare",
        /// An additional one, when it was approved.
        Approve = "approve",
        /// An additional one, when it is done.
        Submit = "submit",
    }
}

/// What stands where a mail that is shown would have its token.
const WITHOUT_TOKEN: &str = "...";

/// One more mail, of the action that sends additional ones.
#[derive(Clone, Debug)]
pub struct Extra {
    /// At which stage.
    pub stage: &'static str,
    /// To whom.
    pub to: String,
}

/// The mails that a step wants to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Those of the action that sends additional ones.
    pub extra: Vec<Extra>,
}

/// What a mail of a stage says, if there is one.
fn template(settings: &Settings, of: TaskType, stage: Stage) -> Result<Option<Template>> {
    let emails = &settings.task(of)?.emails;
    Ok(match stage {
        Stage::Initial => emails.initial.clone(),
        Stage::Token => emails.token.clone(),
        Stage::Completed => emails.completed.clone(),
        Stage::Prepare | Stage::Approve | Stage::Submit => {
            extra_template(settings, of, stage.name()).map_err(Error::internal)?
        }
    })
}

/// What the additional mail of a stage says, if there is one.
///
/// # Errors
/// Where the settings have something else there.
pub(crate) fn extra_template(
    settings: &Settings,
    of: TaskType,
    stage: &str,
) -> std::result::Result<Option<Template>, serde_json::Error> {
    let found = settings.of_action(of, ActionKind::SendAdditionalEmail, stage);
    let found = found.filter(|value| !value.is_null());
    found.map(Template::deserialize).transpose()
}

/// The addresses that the actions of a task name.
async fn addresses(db: &impl Db, scope: &Scope, task: &Task) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for action in &task.actions {
        let address = match action.kind {
            ActionKind::NewProjectWithUser
            | ActionKind::NewUser
            | ActionKind::ResetUserPassword => Some(action.text("email").to_owned()),
            ActionKind::UpdateUserEmail => Some(action.text("new_email").to_owned()),
            ActionKind::UpdateProjectQuotas => {
                let user = people::by_id(db, scope, task.submitter("user_id")).await?;
                user.and_then(|user| user.email)
            }
            _ => None,
        };
        let is_new = |address: &String| !found.iter().any(|one| one.eq_ignore_ascii_case(address));
        found.extend(address.filter(is_new));
    }
    Ok(found)
}

/// What comes of wanting a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// There is none, or nobody to send it to.
    Nothing,
    /// It is on its way.
    Queued,
    /// The address got too many already, so it stays.
    Withheld,
}

/// Queues the mail of a stage, if the settings have one and somebody to send it to.
pub(crate) async fn queue_stage(
    tx: &impl Tx,
    scope: &Scope,
    settings: &Settings,
    task: &Task,
    stage: Stage,
    token_key: Option<i64>,
    now: Timestamp,
) -> Result<Wanted> {
    if template(settings, task.task_type, stage)?.is_none() {
        return Ok(Wanted::Nothing);
    }
    let addresses = addresses(tx, scope, task).await?;
    match addresses.as_slice() {
        [] => Ok(Wanted::Nothing),
        [to] => queue_one(tx, settings, task, stage.name(), to, token_key, now).await,
        _ => {
            let text = "Error: Unable to send update, more than one email for task: ";
            let notes = json!({ "errors": [format!("{text}{}", task.uuid)] });
            notifications::insert(tx, task.key, &notes, true, false, now).await?;
            Ok(Wanted::Nothing)
        }
    }
}

/// How many mails an address got, so many at most.
const COUNT: &str = "select count(*) from (
     select 1 from adjutant_mails m join adjutant_tasks t on t.key = m.task_key
     where m.recipient = ?1 and m.created_on > ?2 and m.state <> 'withheld' and t.task_type = ?3
     limit ?4)";

/// Whether an address got as many mails about tasks of a type as it may within an hour. Each type counts
/// for itself: else somebody could learn from sign-ups whether passwords were asked for.
async fn has_enough(
    tx: &impl Tx,
    settings: &Settings,
    of: TaskType,
    to: &str,
    now: Timestamp,
) -> Result<bool> {
    let (since, most) = (now.plus_seconds(-WINDOW), settings.mails_per_hour);
    let row = tx.first(COUNT, params![to, since, of, most]).await?;
    let count = row.map_or(Ok(0), |row| row.integer(0))?;
    Ok(count >= most)
}

/// Queues a mail to an address, unless it got too many already. It is in the outbox in either case.
pub(crate) async fn queue_one(
    tx: &impl Tx,
    settings: &Settings,
    task: &Task,
    stage: &str,
    to: &str,
    token_key: Option<i64>,
    now: Timestamp,
) -> Result<Wanted> {
    let id = ids::new_uuid().replace('-', "");
    let has_enough = has_enough(tx, settings, task.task_type, to, now).await?;
    let state = match has_enough {
        true => State::Withheld,
        false => State::Queued,
    };
    tx.execute(
        "insert into adjutant_mails (id, task_key, token_key, stage, recipient, state, created_on)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id.as_str(), task.key, token_key, stage, to, state, now],
    )
    .await?;
    if has_enough {
        return Ok(Wanted::Withheld);
    }
    queue::push(tx, Work::AdjutantMail, &id, &Value::Null, now, now).await?;
    Ok(Wanted::Queued)
}

#[cfg(test)]
mod tests;
