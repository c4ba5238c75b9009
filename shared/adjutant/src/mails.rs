//! Mail about tasks: what it says, to whom it goes, and its way through the queue.
//!
//! A mail is a row from the transaction that wants it on, and is written when it is sent: the token in
//! it is encrypted until then, and one that was used, reissued or called off takes its mail with it.

mod text;

use crate::actions::ActionKind;
use crate::notifications;
use crate::people;
use crate::settings::{Settings, Template};
use crate::task_type::TaskType;
use crate::tasks::{self, Task};
use crate::tokens;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::outbound::{Clock, Outbound};
use windlass_core::{Error, Result, Scope, Timestamp, ids, params};
use windlass_delivery::{Sent, Settings as Delivery, mail};
use windlass_store::queue::{self, Leased, Work};

/// How long after each failed attempt the next one comes, in seconds: about four hours in all, since
/// tokens expire within a day.
const DELAYS: [i64; 8] = [10, 30, 120, 300, 900, 1800, 3600, 7200];

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

/// Queues the mail of a stage, if the settings have one and somebody to send it to.
pub(crate) async fn queue_stage(
    tx: &impl Tx,
    scope: &Scope,
    settings: &Settings,
    task: &Task,
    stage: Stage,
    token_key: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    if template(settings, task.task_type, stage)?.is_none() {
        return Ok(());
    }
    let addresses = addresses(tx, scope, task).await?;
    match addresses.as_slice() {
        [] => Ok(()),
        [to] => queue_one(tx, task, stage.name(), to, token_key, now).await,
        _ => {
            let text = "Error: Unable to send update, more than one email for task: ";
            let notes = json!({ "errors": [format!("{text}{}", task.uuid)] });
            notifications::insert(tx, task.key, &notes, true, false, now).await
        }
    }
}

/// Queues a mail to an address.
pub(crate) async fn queue_one(
    tx: &impl Tx,
    task: &Task,
    stage: &str,
    to: &str,
    token_key: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    let id = ids::new_uuid();
    tx.execute(
        "insert into adjutant_mails (id, task_key, token_key, stage, recipient, created_on)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id.as_str(), task.key, token_key, stage, to, now],
    )
    .await?;
    queue::push(tx, Work::AdjutantMail, &id, &Value::Null, now, now).await
}

/// A mail on its way.
#[derive(Clone, Debug, Deserialize)]
struct Pending {
    id: String,
    task_key: i64,
    token_key: Option<i64>,
    stage: Stage,
    recipient: String,
    attempts: i64,
    created_on: Timestamp,
}

async fn find(db: &impl Db, id: &str) -> Result<Option<Pending>> {
    let sql = "select json_object('id', id, 'task_key', task_key, 'token_key', token_key,
                   'stage', stage, 'recipient', recipient, 'attempts', attempts,
                   'created_on', created_on) from adjutant_mails where id = ?1";
    db.first_json(sql, params![id]).await
}

/// Sends a mail that the queue holds.
///
/// # Errors
/// Of the database; the row is tried again. What the other side says is recorded, not an error.
pub async fn deliver(
    db: &impl Db,
    outbound: &impl Outbound,
    clock: &impl Clock,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let Some(pending) = find(db, &row.subject).await? else {
        return queue::finish(db, holder, &[row.key]).await.map(drop);
    };
    let delivery = Delivery::load().await;
    let Some(mail) = write(db, &pending, &delivery).await? else {
        return finish(db, holder, row, &pending, None, clock.now()).await;
    };
    let sent = mail::send(&mail, &delivery, outbound).await;
    let now = clock.now();
    let is_last = usize::try_from(pending.attempts).unwrap_or(0) >= DELAYS.len();
    match sent {
        Sent::Delivered => finish(db, holder, row, &pending, None, now).await,
        Sent::Later(why, wait) if !is_last && delivery.mail.is_ok() => {
            let place = usize::try_from(pending.attempts).unwrap_or(0);
            let delay = DELAYS.get(place).copied().unwrap_or_default();
            let delay = delay.max(wait.unwrap_or(0).clamp(0, 86_400));
            let sql = "update adjutant_mails set attempts = attempts + 1 where id = ?1";
            db.execute(sql, params![pending.id.as_str()]).await?;
            let later = now.plus_seconds(delay);
            queue::give_back(db, holder, row.key, later, Some(&why), false).await
        }
        Sent::Later(why, _) | Sent::Never(why) | Sent::Gone(why) => {
            finish(db, holder, row, &pending, Some(&why), now).await
        }
    }
}

/// Gives a mail up that could not even be written.
///
/// # Errors
/// Of the database.
pub async fn give_up<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    match find(db, &row.subject).await? {
        Some(pending) => finish(db, holder, row, &pending, Some(why), now).await,
        None => queue::finish(db, holder, &[row.key]).await.map(drop),
    }
}

/// Forgets a mail that was sent, or that never will be: then administrators are told.
async fn finish<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    pending: &Pending,
    failure: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        if let (Some(why), Some(task)) = (failure, tasks::of_key(tx, pending.task_key).await?) {
            let text = format!(
                "Error: '{why}' while emailing update for task: {}",
                task.uuid
            );
            let notes = json!({ "errors": [text] });
            notifications::insert(tx, task.key, &notes, true, false, now).await?;
        }
        let sql = "delete from adjutant_mails where id = ?1";
        tx.execute(sql, params![pending.id.as_str()]).await
    })
    .await
}

/// Writes a mail. Nothing, when it is not wanted any more.
async fn write(db: &impl Db, pending: &Pending, delivery: &Delivery) -> Result<Option<mail::Mail>> {
    let settings = Settings::load(db).await?;
    let Some(task) = tasks::of_key(db, pending.task_key).await? else {
        return Ok(None);
    };
    let Some(template) = template(&settings, task.task_type, pending.stage)? else {
        return Ok(None);
    };
    let token = match pending.token_key {
        Some(key) => match tokens::open(db, key).await? {
            Some(token) => Some(token),
            None => return Ok(None),
        },
        None => None,
    };
    let values = text::values(db, &settings, &task, token.as_ref(), delivery).await?;
    Ok(Some(mail::Mail {
        message_id: format!("{}@{}", pending.id, delivery.host()),
        thread: Some(format!("task-{}@{}", task.uuid, delivery.host())),
        to: pending.recipient.clone(),
        subject: text::fill(&template.subject, &values, false),
        text: text::fill(&template.text, &values, false),
        html: text::page(&text::fill(&template.html, &values, true)),
        date: pending.created_on,
        unsubscribe_url: None,
        headers: vec![("X-Adjutant-Task-UUID", task.uuid.clone())],
    }))
}
