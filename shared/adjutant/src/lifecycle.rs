//! The life of a task: asked for, prepared, approved, finished with a token, or called off.
//!
//! Each step is one transaction. What an action cannot do is noted in the task; what fails on the way
//! is taken back as a whole, and administrators are told of it by a notification.

mod asked;
mod finish;

pub use asked::{Submission, create, create_later, prepare_queued, update};
pub use finish::{Brought, approve, cancel, confirmable, holder_scope, reissue, submit};

use crate::actions::{Made, Run, Submitted};
use crate::mails::text::Values;
use crate::mails::{self, Outbox, Stage, Wanted};
use crate::notifications;
use crate::settings::Settings;
use crate::tasks::{self, Task};
use crate::tokens::{self, Fresh};
use serde_json::{Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, log};

/// What is answered when a token went out. The original said `created token` with status 202 for a while.
pub const CREATED_TOKEN: &str = "Created Token.";

/// What is answered when a task needed no token.
pub const COMPLETED: &str = "Task completed successfully.";

/// What came of a step: it is stored in both cases.
pub(crate) enum Outcome {
    /// It went well, with this to answer.
    Done(&'static str),
    /// The caller is refused.
    Refused(Error),
}

/// After how many seconds somebody may have another mail sent to an address that got too many.
const MAIL_AGAIN: u32 = 600;

fn invalid() -> Outcome {
    Outcome::Refused(Error::bad_parameters("actions invalid"))
}

/// Who does something, with what it takes.
pub struct By<'r> {
    /// In whose name.
    pub scope: &'r Scope,
    /// The settings.
    pub settings: &'r Settings,
    /// A token, should the task need one.
    pub fresh: &'r Fresh,
    /// The moment.
    pub now: Timestamp,
}

impl<'r> By<'r> {
    fn run<T: Tx>(&self, tx: &'r T, task: Task) -> Run<'r, T> {
        Run {
            tx,
            scope: self.scope,
            settings: self.settings,
            now: self.now,
            editor_roles: None,
            task,
            asked: Values::new(),
            made: Made::default(),
            outbox: Outbox::default(),
        }
    }
}

/// Does a step in a transaction. What fails is recorded in another one, by `record`: then there is
/// nothing to answer.
async fn guarded<D: Db, T>(
    db: &D,
    step: impl AsyncFnOnce(&D::Tx) -> Result<T>,
    record: impl AsyncFnOnce(&D::Tx, &str) -> Result<()>,
) -> Result<Option<T>> {
    let failure = match db.transaction(step).await {
        Ok(done) => return Ok(Some(done)),
        // Nothing was done and another try will do.
        Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::TooManyRequests) => {
            return Err(error);
        }
        Err(error) => error,
    };
    log::error("a task failed", &failure);
    let (_, code) = failure.kind().wire();
    let told = format!("Error: {code}({})", failure.message());
    db.transaction(async |tx| record(tx, &told).await).await?;
    Ok(None)
}

/// Tells administrators that a step of a task failed.
async fn tell_failure(
    tx: &impl Tx,
    task: &Task,
    what: &str,
    doing: &str,
    now: Timestamp,
) -> Result<()> {
    let text = format!("{what} while {doing} task. See task itself for details.");
    notifications::insert(tx, task.key, &json!({ "errors": [text] }), true, false, now).await
}

/// Prepares the actions of a task, and approves it if they say so.
async fn prepare<T: Tx>(run: &mut Run<'_, T>, by: &By<'_>) -> Result<Outcome> {
    run.prepare().await?;
    mail(run, Stage::Initial, None).await?;
    let wishes: Vec<Option<bool>> = run
        .task
        .actions
        .iter()
        .map(|one| one.auto_approve)
        .collect();
    let wants = !wishes.contains(&Some(false)) && wishes.contains(&Some(true));
    let may = run.settings.task(run.task.task_type)?.allow_auto_approve;
    if wants && may {
        run.task
            .note("Action allow auto approval. Auto approving.", run.now);
        if !run.task.is_valid() {
            return Ok(invalid());
        }
        let submitter = run.task.keystone_user.clone();
        return approve_with(run, by, submitter).await;
    }
    if wants {
        // As the original spells it.
        let text = "Actions allow auto aproval, but task does not.";
        run.task.note(text, run.now);
    }
    let text = format!("'{}' task needs approval.", run.task.task_type.name());
    let notes = json!({ "notes": [text] });
    notifications::insert(run.tx, run.task.key, &notes, false, false, run.now).await?;
    Ok(Outcome::Done("task created"))
}

/// Approves the actions of a task; then it is done, or waits for its token.
async fn approve_with<T: Tx>(run: &mut Run<'_, T>, by: &By<'_>, who: Value) -> Result<Outcome> {
    mark_approved(&mut run.task, who, run.now);
    run.approve().await?;
    if !run.task.is_valid() {
        return Ok(invalid());
    }
    if run.task.needs_token() {
        give_token(run, by).await?;
        return Ok(Outcome::Done(CREATED_TOKEN));
    }
    finish_with(run, &Submitted::default(), COMPLETED).await
}

fn mark_approved(task: &mut Task, who: Value, now: Timestamp) {
    task.approved = true;
    task.approved_by = who;
    task.approved_on = Some(now);
}

/// Gives a task a token and mails it.
async fn give_token<T: Tx>(run: &mut Run<'_, T>, by: &By<'_>) -> Result<()> {
    let lifetime = run.settings.task(run.task.task_type)?.token_expiry;
    let key = tokens::issue(run.tx, &run.task, by.fresh, lifetime, run.now).await?;
    run.task.note("Token created for task.", run.now);
    let wanted = mail(run, Stage::Token, Some(key)).await?;
    // Who is not logged in must not learn how many mails somebody gets.
    if wanted == Wanted::Withheld && run.scope.caller().is_ok() {
        let text = "Too many mails went to this address, try again later.";
        return Err(Error::new(Kind::TooManyRequests, text).retry_after(MAIL_AGAIN));
    }
    Ok(())
}

/// Submits the actions of a task, which ends it if they agree.
async fn finish_with<T: Tx>(
    run: &mut Run<'_, T>,
    submitted: &Submitted,
    text: &'static str,
) -> Result<Outcome> {
    run.submit(submitted).await?;
    if !run.task.is_valid() {
        return Ok(invalid());
    }
    run.task.completed = true;
    run.task.completed_on = Some(run.now);
    tokens::delete_of(run.tx, &run.task).await?;
    mail(run, Stage::Completed, None).await?;
    Ok(Outcome::Done(text))
}

async fn mail<T: Tx>(run: &Run<'_, T>, stage: Stage, token: Option<i64>) -> Result<Wanted> {
    mails::queue_stage(
        run.tx,
        run.scope,
        run.settings,
        &run.task,
        stage,
        token,
        run.now,
    )
    .await
}

/// Stores what a step made of its task, and queues the mails of its actions.
async fn store<T: Tx>(run: Run<'_, T>, action: &str) -> Result<()> {
    for extra in &run.outbox.extra {
        let (task, settings) = (&run.task, run.settings);
        mails::queue_one(
            run.tx,
            settings,
            task,
            extra.stage,
            &extra.to,
            None,
            run.now,
        )
        .await?;
    }
    tasks::save(run.tx, run.scope, &run.task, action).await
}

/// The answer of a step.
fn answer(outcome: Option<Outcome>) -> Result<&'static str> {
    match outcome {
        Some(Outcome::Done(text)) => Ok(text),
        Some(Outcome::Refused(error)) => Err(error),
        None => Err(Error::new(
            Kind::Unavailable,
            "Service temporarily unavailable, try again later.",
        )),
    }
}

#[cfg(test)]
mod tests;
