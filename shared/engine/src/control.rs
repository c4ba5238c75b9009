//! Cancelling and resuming: what callers may ask of an execution under way, or after its end.
//!
//! Each only writes the wish and queues the work; the driver fulfils it. So a wish that came
//! back as accepted survives any crash.

use crate::{components, dequeue, driver, ending, texts};
use serde_json::Value;
use windlass_core::db::Tx;
use windlass_core::{Error, Kind, Result, Scope, Timestamp};
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Execution, Status, deployment_status};
use windlass_store::queue::{self, Work};
use windlass_store::quotas::{self, Limited};
use windlass_store::{operations, sent_operations, tasks_graphs, workflow_leases};

/// What may be asked of an execution after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It ends, and nothing more starts. What runs is not waited for; what comes of it is kept with
    /// the operation.
    Cancel,
    /// The same, and nobody wants to know any more what comes of what runs; also for one that is
    /// being cancelled.
    ForceCancel,
    /// The same in whatever status it is, unless it has ended.
    Kill,
    /// It goes on after its last finished operation. What has finished is not run again; what
    /// failed, or waits for another try, is.
    Resume,
    /// The same, and what was on its way is sent again too. Not for one that runs.
    ForceResume,
    /// Looks again whether one that waits may start.
    Requeue,
}

impl Action {
    /// Every action, as a refusal lists them.
    pub const ALL: [Self; 6] = [
        Self::Cancel,
        Self::ForceCancel,
        Self::Kill,
        Self::Resume,
        Self::ForceResume,
        Self::Requeue,
    ];

    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::ForceCancel => "force-cancel",
            Self::Kill => "kill",
            Self::Resume => "resume",
            Self::ForceResume => "force-resume",
            Self::Requeue => "requeue",
        }
    }

    /// The action of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it stops an execution of this status.
    pub const fn may_stop(self, status: Status) -> bool {
        match self {
            Self::Cancel => matches!(status, Status::Pending | Status::Started),
            Self::ForceCancel => {
                matches!(
                    status,
                    Status::Pending | Status::Started | Status::Cancelling
                )
            }
            Self::Kill => status.is_active(),
            Self::Resume | Self::ForceResume | Self::Requeue => false,
        }
    }

    /// The action's name in the audit trail.
    fn in_audit(self) -> String {
        format!("execution_{}", self.name().replace('-', "_"))
    }
}

/// Does what a caller asks of an execution, and answers it as it is then.
///
/// # Errors
/// 404; 400 when it is in no status that can be cancelled; 409 when it is in none that can be
/// resumed or looked at again.
pub async fn act(
    tx: &impl Tx,
    scope: &Scope,
    action: Action,
    id: &str,
    now: Timestamp,
) -> Result<Execution> {
    use Status::{
        Cancelled, Cancelling, Failed, ForceCancelling, KillCancelling, Pending, Started,
    };
    let execution = executions::find(tx, scope, id).await?;
    scope.demand_own_tenant(id, &execution.tenant_name)?;
    let wish = Wish { scope, action, now };
    match action {
        Action::Cancel => {
            wish.stop(tx, execution, &[Pending, Started], Cancelling)
                .await
        }
        Action::ForceCancel => {
            let allowed = [Pending, Started, Cancelling];
            wish.stop(tx, execution, &allowed, ForceCancelling).await
        }
        Action::Kill => {
            let allowed = [
                Pending,
                Started,
                Cancelling,
                ForceCancelling,
                KillCancelling,
            ];
            wish.stop(tx, execution, &allowed, KillCancelling).await
        }
        Action::Resume => {
            wish.go_on(tx, execution, &[Started, Failed, Cancelled], false)
                .await
        }
        Action::ForceResume => wish.go_on(tx, execution, &[Failed, Cancelled], true).await,
        Action::Requeue => wish.requeue(tx, execution).await,
    }
}

/// Lets an execution of a group that has ended wait for its turn to go on, by a resume.
///
/// # Errors
/// 404; 409 when it is in no status that can be resumed.
pub(crate) async fn queue_again(
    tx: &impl Tx,
    scope: &Scope,
    action: Action,
    id: &str,
    now: Timestamp,
) -> Result<()> {
    let mut execution = executions::find(tx, scope, id).await?;
    let was = execution.status;
    let also_running = action == Action::ForceResume;
    quotas::demand_room(tx, &execution.tenant_name, Limited::Executions).await?;
    let again = wait_no_longer(tx, &execution, also_running, now).await?;
    execution.finished_operations = (execution.finished_operations - again).max(0);
    execution.status = Status::Queued;
    execution.resume = true;
    execution.error = None;
    execution.ended_at = None;
    executions::save_for(tx, scope, &action.in_audit(), &execution, was).await?;
    workflow_leases::offer_again(tx, &execution).await?;
    components::resume_below(tx, action, &execution, now).await
}

/// Who wants what, and when.
struct Wish<'a> {
    scope: &'a Scope,
    action: Action,
    now: Timestamp,
}

impl Wish<'_> {
    async fn save(&self, tx: &impl Tx, execution: &Execution, was: Status) -> Result<()> {
        executions::save_for(tx, self.scope, &self.action.in_audit(), execution, was).await
    }

    async fn stop(
        &self,
        tx: &impl Tx,
        mut execution: Execution,
        allowed: &[Status],
        next: Status,
    ) -> Result<Execution> {
        let was = execution.status;
        if matches!(was, Status::Queued | Status::Scheduled) {
            // Nothing of it has begun, so there is nothing to wait for.
            execution.status = Status::Cancelled;
            execution.ended_at = Some(self.now);
            self.save(tx, &execution, was).await?;
            let text = texts::workflow_cancelled(&execution.workflow_id);
            let event = EngineEvent::of_execution("workflow_cancelled", text);
            events::insert_all(tx, &execution, &[event], self.now).await?;
            ending::follow(tx, &execution).await?;
            dequeue::start_waiting(tx, self.now).await?;
            return Ok(execution);
        }
        if !allowed.contains(&was) {
            return Err(Error::illegal_action(format!(
                "Can't {} execution {} because it's in status {}",
                self.action.name(),
                execution.id,
                was.name()
            )));
        }
        execution.status = next;
        self.save(tx, &execution, was).await?;
        push(tx, &execution, self.now).await?;
        components::stop_below(tx, self.action, &execution, self.now).await?;
        Ok(execution)
    }

    async fn go_on(
        &self,
        tx: &impl Tx,
        mut execution: Execution,
        allowed: &[Status],
        also_running: bool,
    ) -> Result<Execution> {
        let was = execution.status;
        if !allowed.contains(&was) {
            return Err(Error::conflict(format!(
                "Cannot {} execution: `{}` in state: `{}`",
                self.action.name(),
                execution.id,
                was.name()
            )));
        }
        if was.has_ended() {
            quotas::demand_room(tx, &execution.tenant_name, Limited::Executions).await?;
        }
        let again = wait_no_longer(tx, &execution, also_running, self.now).await?;
        execution.finished_operations = (execution.finished_operations - again).max(0);
        execution.status = Status::Pending;
        execution.resume = true;
        execution.error = None;
        execution.ended_at = None;
        self.save(tx, &execution, was).await?;
        workflow_leases::offer_again(tx, &execution).await?;
        push(tx, &execution, self.now).await?;
        components::resume_below(tx, self.action, &execution, self.now).await?;
        Ok(execution)
    }

    async fn requeue(&self, tx: &impl Tx, execution: Execution) -> Result<Execution> {
        if execution.status != Status::Queued {
            return Err(Error::conflict(format!(
                "Cannot requeue execution: `{}` in state: `{}`",
                execution.id,
                execution.status.name()
            )));
        }
        executions::note_requeue(tx, self.scope, &execution).await?;
        dequeue::start_waiting(tx, self.now).await?;
        Ok(execution)
    }
}

/// Gives an execution something to do.
async fn push(tx: &impl Tx, execution: &Execution, now: Timestamp) -> Result<()> {
    queue::push(tx, Work::Execution, &execution.id, &Value::Null, now, now).await
}

/// Puts back what is to be run again by a resume; what waits for another try does not wait any
/// longer. Answers how many operations had ended and have not any more.
pub(crate) async fn wait_no_longer(
    tx: &impl Tx,
    execution: &Execution,
    also_running: bool,
    now: Timestamp,
) -> Result<i64> {
    let Some(graph) = tasks_graphs::find_current(tx, execution).await? else {
        if workflow_leases::place(tx, execution).await?.is_some() {
            return sent_operations::reset(tx, execution, also_running, now).await;
        }
        return Ok(0);
    };
    let before = operations::on_their_way(tx, &graph).await?;
    let again = operations::reset(tx, &graph, also_running, now).await?;
    let still = operations::on_their_way(tx, &graph).await?;
    let gone: Vec<&str> = before
        .iter()
        .filter(|call| !still.contains(call))
        .map(|call| call.id.as_str())
        .collect();
    queue::remove_all(tx, Work::Operation, &gone).await?;
    for call in still.iter().filter(|call| call.queue.is_none()) {
        // A call that was under way when the execution ended has lost its row.
        queue::push(tx, Work::Operation, &call.id, &Value::Null, now, now).await?;
    }
    Ok(again)
}

/// Gives an execution the status that whoever runs it reports, with what that means: for its
/// deployment, and for others that wait.
///
/// # Errors
/// 404; 400 for a status that cannot follow the present one.
pub async fn report_status(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    (next, error): (Status, &str),
    now: Timestamp,
) -> Result<()> {
    let mut execution = executions::find(tx, scope, id).await?;
    scope.demand_own_tenant(id, &execution.tenant_name)?;
    let was = execution.status;
    if was == next {
        return Ok(());
    }
    demand_possible(&execution, next)?;
    execution.status = next;
    execution.error = Some(error.to_owned());
    if next == Status::Started {
        execution.started_at = Some(now);
    }
    if next.has_ended() {
        execution.ended_at = Some(now);
    }
    executions::save_for(tx, scope, "execution_status_update", &execution, was).await?;
    if next.is_active() {
        // The engine takes it from here, if it has anything to do with it.
        push(tx, &execution, now).await?;
    }
    if next == Status::Started {
        deployment_status::execution_started(tx, &execution).await?;
    } else if next.has_ended() {
        ending::follow(tx, &execution).await?;
        dequeue::start_waiting(tx, now).await?;
    }
    Ok(())
}

/// Ends an execution that the application carries out itself, without a graph: one that has ended
/// meanwhile, because somebody cancelled it for good, stays as it is.
///
/// # Errors
/// 404 when it is gone.
pub async fn end_system(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    (next, error): (Status, &str),
    now: Timestamp,
) -> Result<()> {
    let mut execution = executions::find(tx, scope, id).await?;
    let was = execution.status;
    if was.has_ended() {
        return Ok(());
    }
    execution.status = next;
    execution.error = Some(error.to_owned());
    execution.ended_at = Some(now);
    executions::save(tx, &execution, was).await?;
    ending::follow(tx, &execution).await?;
    dequeue::start_waiting(tx, now).await
}

fn demand_possible(execution: &Execution, next: Status) -> Result<()> {
    // A snapshot holds the row of the execution that made it, still running.
    if execution.status.can_become(next) || execution.workflow_id == "create_snapshot" {
        return Ok(());
    }
    Err(Error::new(
        Kind::InvalidExceptionStatusUpdate,
        format!(
            "Invalid relationship - can't change status from {} to {} for \"{}\" execution while \
             running \"{}\" workflow.",
            execution.status.name(),
            next.name(),
            execution.id,
            execution.workflow_id
        ),
    ))
}

/// Applies the end of calls that workers carried out, all of one execution. The same transaction
/// has made sure that the workers still hold their leases.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn report(
    tx: &impl Tx,
    execution_id: &str,
    reports: Vec<crate::step::Report>,
    now: Timestamp,
) -> Result<()> {
    driver::drive(tx, execution_id, reports, now)
        .await
        .map(drop)
}
