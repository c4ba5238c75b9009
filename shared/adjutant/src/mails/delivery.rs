//! The way of a mail through the queue: written, tried, recorded.

use super::{Stage, State, template, text};
use crate::notifications;
use crate::settings::Settings;
use crate::tasks;
use crate::tokens;
use serde::Deserialize;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::outbound::{Clock, Outbound};
use windlass_core::{Result, Timestamp, log, params};
use windlass_delivery::{Sent, Settings as Delivery, mail};
use windlass_store::queue::{self, Leased};

/// How long after each failed attempt the next one comes, in seconds: about four hours in all, since
/// tokens expire within a day.
const DELAYS: [i64; 8] = [10, 30, 120, 300, 900, 1800, 3600, 7200];

/// A mail as a row of the outbox.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) task_key: i64,
    pub(super) token_key: Option<i64>,
    pub(super) stage: Stage,
    pub(super) recipient: String,
    state: State,
    attempts: i64,
    created_on: Timestamp,
}

pub(super) async fn find(db: &impl Db, id: &str) -> Result<Option<Row>> {
    let sql = "select json_object('id', id, 'task_key', task_key, 'token_key', token_key,
                   'stage', stage, 'recipient', recipient, 'state', state, 'attempts', attempts,
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
    let found = find(db, &row.subject).await?;
    let Some(mail) = found.filter(|mail| mail.state == State::Queued) else {
        return queue::finish(db, holder, &[row.key]).await.map(drop);
    };
    let delivery = Delivery::load().await;
    let Some(written) = write(db, &mail, &delivery).await? else {
        return finish(db, holder, row, &mail, End::Withdrawn, clock.now()).await;
    };
    let sent = mail::send(&written, &delivery, outbound).await;
    let now = clock.now();
    let is_last = usize::try_from(mail.attempts).unwrap_or(0) >= DELAYS.len();
    match sent {
        Sent::Delivered => finish(db, holder, row, &mail, End::Sent, now).await,
        Sent::Later(why, wait) if !is_last && delivery.mail.is_ok() => {
            let place = usize::try_from(mail.attempts).unwrap_or(0);
            let delay = DELAYS.get(place).copied().unwrap_or_default();
            let delay = delay.max(wait.unwrap_or(0).clamp(0, 86_400));
            let sql = "update adjutant_mails set attempts = attempts + 1, error = ?2 where id = ?1";
            db.execute(sql, params![mail.id.as_str(), why.as_str()])
                .await?;
            let later = now.plus_seconds(delay);
            queue::give_back(db, holder, row.key, later, Some(&why), false).await
        }
        Sent::Later(why, _) | Sent::Never(why) | Sent::Gone(why) => {
            finish(db, holder, row, &mail, End::Failed(&why), now).await
        }
    }
}

/// How a mail's way ends.
#[derive(Clone, Copy, Debug)]
enum End<'w> {
    Sent,
    /// For this reason.
    Failed(&'w str),
    Withdrawn,
}

impl End<'_> {
    const fn state(self) -> State {
        match self {
            Self::Sent => State::Sent,
            Self::Failed(_) => State::Failed,
            Self::Withdrawn => State::Withdrawn,
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
        Some(mail) => finish(db, holder, row, &mail, End::Failed(why), now).await,
        None => queue::finish(db, holder, &[row.key]).await.map(drop),
    }
}

/// Records that a mail was sent, or that it never will be: of one that failed administrators are told.
async fn finish<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    mail: &Row,
    end: End<'_>,
    now: Timestamp,
) -> Result<()> {
    if let End::Failed(why) = end {
        let told = [("mail", row.subject.as_str().into()), ("error", why.into())];
        log::line(log::Level::Warning, "a mail was given up", told);
    }
    queue::finishing(db, holder, row, async |tx| {
        let why = match end {
            End::Failed(why) => Some(why),
            End::Sent | End::Withdrawn => None,
        };
        if let (Some(why), Some(task)) = (why, tasks::of_key(tx, mail.task_key).await?) {
            let text = format!(
                "Error: '{why}' while emailing update for task: {}",
                task.uuid
            );
            let notes = json!({ "errors": [text] });
            notifications::insert(tx, task.key, &notes, true, false, now).await?;
        }
        let tries = i64::from(!matches!(end, End::Withdrawn));
        tx.execute(
            "update adjutant_mails set state = ?2, error = ?3, ended_on = ?4,
                 attempts = attempts + ?5 where id = ?1",
            params![mail.id.as_str(), end.state(), why, now, tries],
        )
        .await
    })
    .await
}

/// Writes a mail. Nothing, when it is not wanted any more.
async fn write(db: &impl Db, row: &Row, delivery: &Delivery) -> Result<Option<mail::Mail>> {
    let token = match row.token_key {
        Some(key) => tokens::open(db, key).await?,
        None => None,
    };
    if row.stage == Stage::Token && token.is_none() {
        return Ok(None);
    }
    let Some(written) = letter(db, row, token.as_ref(), delivery).await? else {
        return Ok(None);
    };
    Ok(Some(mail::Mail {
        message_id: format!("{}@{}", row.id, delivery.host()),
        thread: Some(format!("task-{}@{}", written.task, delivery.host())),
        to: row.recipient.clone(),
        subject: written.subject,
        text: written.text,
        html: written.html,
        date: row.created_on,
        unsubscribe_url: None,
        headers: vec![("X-Adjutant-Task-UUID", written.task)],
    }))
}

/// What a mail says.
pub(super) struct Letter {
    /// The id of the task.
    task: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// What a mail says with this token. Nothing where the settings have no such mail any more.
pub(super) async fn letter(
    db: &impl Db,
    row: &Row,
    token: Option<&tokens::Open>,
    delivery: &Delivery,
) -> Result<Option<Letter>> {
    let settings = Settings::load(db).await?;
    let Some(task) = tasks::of_key(db, row.task_key).await? else {
        return Ok(None);
    };
    let Some(template) = template(&settings, task.task_type, row.stage)? else {
        return Ok(None);
    };
    let values = text::values(db, &settings, &task, token, delivery).await?;
    Ok(Some(Letter {
        task: task.uuid,
        subject: text::fill(&template.subject, &values, false),
        text: text::fill(&template.text, &values, false),
        html: text::page(&text::fill(&template.html, &values, true)),
    }))
}
