//! Asking for something, and asking for something else instead.

use super::{By, Outcome, answer, guarded, prepare, store, tell_failure};
use crate::fields;
use crate::settings::Settings;
use crate::task_type::{DuplicatePolicy, TaskType};
use crate::tasks::{self, Action, Task};
use crate::tokens::{self, Fresh};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, hashing};
use windlass_identity::project_roles::ADMIN;
use windlass_store::queue::{self, Leased, Work};

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Submission<'s> {
    /// The type of the task.
    pub task_type: TaskType,
    /// The fields of all of its actions.
    pub body: &'s Map<String, Value>,
    /// Who asks; an empty object for somebody without an account.
    pub submitter: Value,
    /// The project it is asked from.
    pub project: Option<&'s str>,
    /// The address it is asked from.
    pub address: Option<&'s str>,
}

impl Submission<'_> {
    /// The task that is asked for.
    ///
    /// # Errors
    /// 400 for fields that are missing or wrong.
    fn task(&self, settings: &Settings, now: Timestamp) -> Result<Task> {
        let actions = read(settings, self.task_type, self.body)?;
        let mut task = Task::new(self.task_type, actions, now);
        task.hash_key = hash(&task);
        task.keystone_user = self.submitter.clone();
        task.project_id = self.project.map(str::to_owned);
        task.ip_address = self.address.map(str::to_owned);
        Ok(task)
    }
}

impl TaskType {
    /// Refuses a request whose fields are missing or wrong, before anything is kept of it.
    ///
    /// # Errors
    /// 400 for each of them.
    pub fn check(self, settings: &Settings, body: &Map<String, Value>) -> Result<()> {
        read(settings, self, body).map(drop)
    }
}

/// Reads the fields of all actions of a type of tasks.
fn read(settings: &Settings, of: TaskType, body: &Map<String, Value>) -> Result<Vec<Action>> {
    let (mut actions, mut wrong) = (Vec::new(), Vec::new());
    for kind in settings.actions(of)? {
        match kind.read(body, settings) {
            Ok(data) => actions.push(Action::new(kind, data)),
            Err(refused) => wrong.extend(refused),
        }
    }
    if wrong.is_empty() {
        return Ok(actions);
    }
    Err(fields::refusal(&wrong))
}

/// What two requests have in common that ask for the same.
fn hash(task: &Task) -> String {
    let mut parts = vec![json!(task.task_type)];
    for action in &task.actions {
        let mut values: Vec<(&String, &Value)> = action.data.iter().collect();
        values.sort_by_key(|(name, _)| *name);
        parts.push(json!([action.kind, values]));
    }
    hashing::digest(&Value::from(parts).to_string())
}

/// Looks for open tasks that ask for the same: they are in the way, or they are over.
async fn make_way(tx: &impl Tx, by: &By<'_>, task: &Task) -> Result<Option<Error>> {
    let but = Some(task.key).filter(|key| *key != 0);
    let duplicates = tasks::duplicates(tx, &task.hash_key, but).await?;
    let policy = by.settings.task(task.task_type)?.duplicate_policy;
    if policy == DuplicatePolicy::Block && !duplicates.is_empty() {
        return Ok(Some(Error::conflict("This Task already exists.")));
    }
    for mut duplicate in duplicates {
        tasks::cancel_duplicate(&mut duplicate, by.now);
        tokens::delete_of(tx, &duplicate).await?;
        tasks::save(tx, by.scope, &duplicate, "task_cancel").await?;
    }
    Ok(None)
}

/// Stores a request and prepares it.
///
/// # Errors
/// 400 for wrong fields, and when it approves itself but cannot be done: then it is stored. 409 for a
/// duplicate; 503 when something failed, of which administrators are told.
pub async fn create<D: Db>(
    db: &D,
    by: &By<'_>,
    submission: &Submission<'_>,
) -> Result<&'static str> {
    let new = submission.task(by.settings, by.now)?;
    let outcome = guarded(
        db,
        async |tx| {
            let mut task = new.clone();
            if let Some(refusal) = make_way(tx, by, &task).await? {
                return Ok(Outcome::Refused(refusal));
            }
            tasks::insert(tx, by.scope, &mut task).await?;
            let mut run = by.run(tx, task);
            let outcome = prepare(&mut run, by).await?;
            store(run, "task_prepare").await?;
            Ok(outcome)
        },
        async |tx, what| {
            let mut task = new.clone();
            tasks::insert(tx, by.scope, &mut task).await?;
            tell_failure(tx, &task, what, "setting up", by.now).await
        },
    )
    .await?;
    answer(outcome)
}

/// Stores a request that is prepared later, by the queue. How long the answer takes then tells nothing
/// about what there is.
///
/// # Errors
/// 400 for wrong fields.
pub async fn create_later<D: Db>(db: &D, by: &By<'_>, submission: &Submission<'_>) -> Result<()> {
    let mut task = submission.task(by.settings, by.now)?;
    db.transaction(async |tx| {
        if let Some(refusal) = make_way(tx, by, &task).await? {
            return Err(refusal);
        }
        tasks::insert(tx, by.scope, &mut task).await?;
        let work = Work::AdjutantPreparation;
        queue::push(tx, work, &task.uuid, &Value::Null, by.now, by.now).await
    })
    .await
}

/// Prepares a task that the queue holds.
///
/// # Errors
/// Of the database; the row is tried again.
pub async fn prepare_queued<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    now: Timestamp,
) -> Result<()> {
    let settings = Settings::load(db).await?;
    let (scope, fresh) = (Scope::engine(), Fresh::new().await?);
    let by = By {
        scope: &scope,
        settings: &settings,
        fresh: &fresh,
        now,
    };
    guarded(
        db,
        async |tx| {
            if queue::finish(tx, holder, &[row.key]).await?.is_empty() {
                return Ok(());
            }
            let found = tasks::find(tx, by.scope, &row.subject).await?;
            let Some(task) = found.filter(|task| task.demand_open().is_ok() && !task.approved)
            else {
                return Ok(());
            };
            let mut run = by.run(tx, task);
            // Whoever asked was answered already.
            prepare(&mut run, &by).await?;
            store(run, "task_prepare").await
        },
        async |tx, what| {
            queue::finish(tx, holder, &[row.key]).await?;
            match tasks::find(tx, &scope, &row.subject).await? {
                Some(task) => tell_failure(tx, &task, what, "setting up", now).await,
                None => Ok(()),
            }
        },
    )
    .await
    .map(drop)
}

/// Puts another request in the place of one that nobody has approved. Whoever changes it must be able
/// to give the roles in it, as who asked first.
///
/// # Errors
/// 404 for a task that the caller does not see, 400 for one that is over or approved and for wrong
/// fields, 409 for a duplicate, 503 when something failed.
pub async fn update<D: Db>(
    db: &D,
    by: &By<'_>,
    id: &str,
    body: &Map<String, Value>,
    editor_roles: &[String],
) -> Result<&'static str> {
    let outcome = guarded(
        db,
        async |tx| {
            let mut task = match changeable(tx, by, id, body, editor_roles).await? {
                Ok(task) => task,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            task.hash_key = hash(&task);
            if let Some(refusal) = make_way(tx, by, &task).await? {
                return Ok(Outcome::Refused(refusal));
            }
            let mut run = by.run(tx, task);
            run.editor_roles = Some(editor_roles.to_vec());
            // Whether it can be done is for its reader to see.
            prepare(&mut run, by).await?;
            store(run, "task_update").await?;
            Ok(Outcome::Done("Task successfully updated."))
        },
        async |tx, what| match tasks::find(tx, by.scope, id).await? {
            Some(task) => tell_failure(tx, &task, what, "setting up", by.now).await,
            None => Ok(()),
        },
    )
    .await?;
    answer(outcome)
}

/// The task as it is with another request, or why it cannot be changed.
async fn changeable(
    tx: &impl Tx,
    by: &By<'_>,
    id: &str,
    body: &Map<String, Value>,
    editor_roles: &[String],
) -> Result<Result<Task>> {
    let Some(mut task) = tasks::find(tx, by.scope, id).await? else {
        return Ok(Err(tasks::not_found()));
    };
    // What leads to somebody's account is changed by them, whoever looks after the project.
    let is_personal = matches!(
        task.task_type,
        TaskType::UpdateUserEmail | TaskType::ResetUserPassword
    );
    let is_own = by.scope.caller()?.user_id.to_string() == task.submitter("user_id");
    if is_personal && !is_own && !editor_roles.iter().any(|role| role == ADMIN) {
        return Ok(Err(tasks::not_found()));
    }
    if let Err(refusal) = task.demand_open() {
        return Ok(Err(refusal));
    }
    if task.approved {
        let text = "This task has already been approved.";
        return Ok(Err(Error::bad_parameters(text)));
    }
    // The actions stay those that it was made with, also where the settings have others now.
    let mut wrong = Vec::new();
    for action in &mut task.actions {
        match action.kind.read(body, by.settings) {
            Ok(data) => *action = Action::new(action.kind, data),
            Err(refused) => wrong.extend(refused),
        }
    }
    Ok(match wrong.is_empty() {
        true => Ok(task),
        false => Err(fields::refusal(&wrong)),
    })
}
