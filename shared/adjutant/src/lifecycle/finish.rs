//! Approving, and what comes after it: tokens, the end, calling off.

use super::{
    By, Outcome, answer, approve_with, finish_with, give_token, guarded, mark_approved, store,
    tell_failure,
};
use crate::actions::Submitted;
use crate::fields;
use crate::tasks::{self, Task};
use crate::tokens::{self, Held};
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope};
use windlass_identity::credentials;

/// Approves a task, also one that was approved before: what was done is not done again, and its token
/// is another one.
///
/// # Errors
/// 404 for a task that the caller does not see, 400 for one that is over or cannot be done, 503 when
/// something failed: then it is approved, and administrators are told.
pub async fn approve<D: Db>(db: &D, by: &By<'_>, id: &str, who: &Value) -> Result<&'static str> {
    let outcome = guarded(
        db,
        async |tx| {
            let Some(task) = tasks::find(tx, by.scope, id).await? else {
                return Ok(Outcome::Refused(tasks::not_found()));
            };
            if let Err(refusal) = task.demand_open() {
                return Ok(Outcome::Refused(refusal));
            }
            if !task.is_valid() {
                return Ok(super::invalid());
            }
            let mut run = by.run(tx, task);
            let outcome = approve_with(&mut run, by, who.clone()).await?;
            store(run, "task_approve").await?;
            Ok(outcome)
        },
        async |tx, what| tell_failed_approval(tx, by, id, who, what).await,
    )
    .await?;
    answer(outcome)
}

/// Records that a task was approved and that something failed over it, for administrators. Nothing, when
/// it was called off, or finished, since the step was taken back.
pub(super) async fn tell_failed_approval(
    tx: &impl Tx,
    by: &By<'_>,
    id: &str,
    who: &Value,
    what: &str,
) -> Result<()> {
    let found = tasks::find(tx, by.scope, id).await?;
    let Some(mut task) = found.filter(|task| task.demand_open().is_ok()) else {
        return Ok(());
    };
    mark_approved(&mut task, who.clone(), by.now);
    tasks::save(tx, by.scope, &task, "task_approve").await?;
    tell_failure(tx, &task, what, "approving", by.now).await
}

/// Calls a task off. What its actions have done stays.
///
/// # Errors
/// 404 for a task that the caller does not see, 400 for one that is over.
pub async fn cancel<D: Db>(db: &D, scope: &Scope, id: &str) -> Result<&'static str> {
    db.transaction(async |tx| {
        let found = tasks::find(tx, scope, id).await?;
        let mut task = found.ok_or_else(tasks::not_found)?;
        task.demand_open()?;
        task.cancelled = true;
        tokens::delete_of(tx, &task).await?;
        tasks::save(tx, scope, &task, "task_cancel").await
    })
    .await?;
    Ok("Task cancelled successfully.")
}

/// Gives a task another token, and mails it.
///
/// # Errors
/// 404 for a task that the caller does not see, 400 for one that is over or not approved.
pub async fn reissue<D: Db>(db: &D, by: &By<'_>, id: &str) -> Result<&'static str> {
    db.transaction(async |tx| {
        let found = tasks::find(tx, by.scope, id).await?;
        let task = found.ok_or_else(tasks::not_found)?;
        task.demand_approved()?;
        if !task.needs_token() {
            return Ok(());
        }
        let mut run = by.run(tx, task);
        give_token(&mut run, by).await?;
        store(run, "token_reissue").await
    })
    .await?;
    Ok("Token reissued.")
}

/// The task of a token that was shown.
///
/// # Errors
/// 404 when it is not there any more, 400 when it is over.
pub async fn confirmable(db: &impl Db, held: &Held) -> Result<Task> {
    let found = tasks::find(db, &Scope::engine(), &held.task).await?;
    let task = found.ok_or_else(tokens::not_found)?;
    task.demand_open()?;
    Ok(task)
}

/// Finishes a task with its token and what came with it.
///
/// # Errors
/// 404 when somebody else was faster, 400 for a task that is over, not approved or cannot be done any
/// more, 503 when something failed.
pub async fn submit<D: Db>(
    db: &D,
    by: &By<'_>,
    held: &Held,
    submitted: &Submitted,
) -> Result<&'static str> {
    let outcome = guarded(
        db,
        async |tx| {
            let found = tasks::find(tx, &Scope::engine(), &held.task).await?;
            let is_there = tokens::is_there(tx, held).await?;
            let Some(task) = found.filter(|_| is_there) else {
                return Ok(Outcome::Refused(tokens::not_found()));
            };
            if let Err(refusal) = task.demand_approved() {
                return Ok(Outcome::Refused(refusal));
            }
            if !task.is_valid() {
                return Ok(super::invalid());
            }
            let mut run = by.run(tx, task);
            let text = "Token submitted successfully.";
            let outcome = finish_with(&mut run, submitted, text).await?;
            store(run, "token_submit").await?;
            Ok(outcome)
        },
        async |tx, what| match tasks::find(tx, &Scope::engine(), &held.task).await? {
            // As the original spells it.
            Some(task) => tell_failure(tx, &task, what, "submiting", by.now).await,
            None => Ok(()),
        },
    )
    .await?;
    answer(outcome)
}

/// What somebody sends with a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    password: Option<String>,
    confirm: bool,
}

impl Brought {
    /// Reads what the token of a task has to come with.
    ///
    /// # Errors
    /// 400 for each field that is missing or not usable.
    pub fn read(task: &Task, body: &Map<String, Value>) -> Result<Self> {
        let (mut brought, mut wrong) = (Self::default(), Vec::new());
        for field in task.token_fields() {
            let why = match (field, body.get(field)) {
                (_, None) => "This field is required.".to_owned(),
                ("confirm", Some(Value::Bool(confirm))) if *confirm || task.may_decline() => {
                    brought.confirm = *confirm;
                    continue;
                }
                ("confirm", Some(Value::Bool(_))) => "This field must be true.".to_owned(),
                ("confirm", Some(_)) => "Must be a valid boolean.".to_owned(),
                (_, Some(Value::String(password))) if !password.is_empty() => {
                    match credentials::check_password(password) {
                        Ok(()) => {
                            brought.password = Some(password.clone());
                            continue;
                        }
                        Err(refusal) => refusal.message().to_owned(),
                    }
                }
                (_, Some(_)) => "This field may not be blank.".to_owned(),
            };
            wrong.push((field.to_owned(), why));
        }
        match wrong.is_empty() {
            true => Ok(brought),
            false => Err(fields::refusal(&wrong)),
        }
    }

    /// The same without the password, which is hashed. That takes tens of milliseconds, so it is done
    /// before the transaction.
    pub fn hashed(&self) -> Result<Submitted> {
        let hash = self.password.as_deref().map(credentials::hash_password);
        Ok(Submitted {
            password_hash: hash.transpose()?,
            confirm: self.confirm,
        })
    }
}

/// In whose name a token's holder acts, for the audit trail: who asked, or whom the task is about.
pub fn holder_scope(task: &Task) -> Scope {
    let mut named = task.actions.iter().map(|action| action.text("email"));
    let about = named.find(|name| !name.is_empty()).unwrap_or("adjutant");
    let name = Some(task.submitter("username")).filter(|name| !name.is_empty());
    Scope::system(
        name.unwrap_or(about),
        task.project_id.as_deref().unwrap_or_default(),
    )
}
