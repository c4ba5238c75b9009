//! What new projects begin with: a deployment of the operator's blueprint, ordered when the project is
//! approved and made by the queue.
//!
//! The plan of a blueprint takes its time to be put in place, and what is wrong with it is nothing that
//! somebody who signs up could mend. So the task goes on, and its notes tell what became of the order.

use crate::actions::ActionKind;
use crate::notifications;
use crate::tasks::{self, Task};
use crate::wire;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp};
use windlass_store::queue::{self, Leased, Work};

/// Which action orders them.
const KIND: ActionKind = ActionKind::NewDeployment;

/// What its action keeps while a deployment is ordered, or made.
pub(crate) const ORDERED: &str = "deployment_id";

/// A deployment that a project is to get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The project.
    pub project: String,
    /// In whose name it is made: who begins with the project.
    pub owner: String,
    /// The id of the blueprint.
    pub blueprint: String,
    /// The id that the deployment will have.
    pub deployment: String,
    /// Values for the blueprint's inputs.
    pub inputs: Map<String, Value>,
    /// Whether it is installed, too.
    pub install: bool,
}

impl Order {
    /// The order that a row of the queue holds.
    ///
    /// # Errors
    /// Internal, for a row of another kind.
    pub fn read(row: &Leased) -> Result<Self> {
        serde_json::from_value(row.payload.clone()).map_err(Error::internal)
    }
}

/// Has a deployment made, once the step that orders it is done.
pub(crate) async fn order(tx: &impl Tx, task: &Task, order: &Order, now: Timestamp) -> Result<()> {
    let payload = serde_json::to_value(order).map_err(Error::internal)?;
    let work = Work::AdjutantDeployment;
    queue::push(tx, work, &task.uuid, &payload, now, now).await
}

/// Notes that a deployment was made, in the transaction that makes it.
///
/// # Errors
/// Of the database.
pub async fn tell_made(tx: &impl Tx, row: &Leased, order: &Order, now: Timestamp) -> Result<()> {
    let Some(mut task) = tasks::find(tx, &Scope::engine(), &row.subject).await? else {
        return Ok(());
    };
    let (deployment, project) = (&order.deployment, &order.project);
    let mut text = format!("Deployment '{deployment}' created in project {project}.");
    if order.install {
        text.push_str(" It is being installed.");
    }
    note(&mut task, &text, now);
    tasks::save(tx, &Scope::engine(), &task, "task_deployment").await
}

/// Notes why a deployment was not made, and tells administrators. It can be ordered again, by approving
/// the task once more.
///
/// # Errors
/// Of the database.
pub async fn tell_failure(
    tx: &impl Tx,
    row: &Leased,
    order: &Order,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    let Some(mut task) = tasks::find(tx, &Scope::engine(), &row.subject).await? else {
        return Ok(());
    };
    let (deployment, project) = (&order.deployment, &order.project);
    let text =
        format!("Error: '{why}' while creating deployment '{deployment}' in project {project}");
    note(&mut task, &text, now);
    for action in task.actions.iter_mut().filter(|one| one.kind == KIND) {
        action.cache.remove(ORDERED);
    }
    tasks::save(tx, &Scope::engine(), &task, "task_deployment").await?;
    let notes = json!({ "errors": [text] });
    notifications::insert(tx, task.key, &notes, true, false, now).await
}

fn note(task: &mut Task, text: &str, now: Timestamp) {
    let notes = task.action_notes.entry(KIND).or_default();
    notes.push(wire::note(text, now));
}
