//! The driver: carries out what a step wants, in one transaction.
//!
//! It loads an execution with the open part of its graph, applies what happened, and writes
//! states, events, instances, queue rows and the execution itself. Everything it does follows
//! from what it reads, so doing it again after a crash, or once too often, changes nothing.

mod acts;
pub(crate) mod by_worker;
mod effects;
mod findings;
mod islands;
mod late;
mod parts;
mod patience;
mod plugins_update;
mod retry;
pub(crate) mod rows;
mod scaling;
mod update;

pub(crate) use effects::event_of;

use crate::dequeue;
use crate::ending;
use crate::environments::{self, Ran};
use crate::graph::{Graph, RetryDefaults};
use crate::plan::Topology;
use crate::plugins_updates;
use crate::start;
use crate::step::{End, Event, LateFailures, Mode, Report, State, steps};
use crate::texts;
use crate::workflows::{self, Memory, PartKind, Refusal, Workflow};
use effects::Effects;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, ids};
use windlass_store::executions::{Execution, Status, deployment_status};
use windlass_store::queue::{self, Work};
use windlass_store::tasks_graphs::TasksGraph;
use windlass_store::{
    config, events, executions, node_instances, operation_leases, operations, tasks_graphs,
    workflow_leases,
};

/// What the engine keeps with a graph.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct GraphState {
    /// Which part of the workflow it is.
    #[serde(default)]
    part: usize,
    /// What the workflow remembers from part to part.
    #[serde(default)]
    memory: Memory,
    /// What failed in it for good.
    #[serde(default)]
    failures: Vec<String>,
    /// What failed in it without stopping anything.
    #[serde(default, skip_serializing_if = "LateFailures::is_empty")]
    late: LateFailures,
    /// When that was first noticed, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_at: Option<i64>,
}

/// Takes an execution as far as it goes: starts a pending one, applies reports to a started
/// one, ends a cancelled one. Answers its status afterwards; nothing when it does not exist
/// (its deployment was deleted).
///
/// Reports for operations that do not run change nothing. Those for an execution that is over are
/// kept with the operation, and nothing follows from them. `now` is moved forward where events of the execution are newer.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn drive(
    tx: &impl Tx,
    execution_id: &str,
    reports: Vec<Report>,
    now: Timestamp,
) -> Result<Option<Status>> {
    let Some(execution) = executions::find_if_any(tx, &Scope::engine(), execution_id).await? else {
        return Ok(None);
    };
    if let Some(place) = workflow_leases::place(tx, &execution).await?
        && !(reports.is_empty() && matches!(execution.status, Status::Queued | Status::Scheduled))
    {
        return by_worker::drive(tx, execution, place, reports, now).await;
    }
    // One that waits for its turn to go on has calls of before under way: what comes of them is kept.
    if execution.status == Status::Queued && !reports.is_empty() {
        late::note(tx, execution, reports, now).await?;
        return Ok(Some(Status::Queued));
    }
    // A resumed execution begins anew before what was still under way ends.
    if execution.status == Status::Pending && !reports.is_empty() {
        drive_once(tx, execution, Vec::new(), now).await?;
        let Some(execution) = executions::find_if_any(tx, &Scope::engine(), execution_id).await?
        else {
            return Ok(None);
        };
        return drive_once(tx, execution, reports, now).await;
    }
    drive_once(tx, execution, reports, now).await
}

async fn drive_once(
    tx: &impl Tx,
    mut execution: Execution,
    reports: Vec<Report>,
    now: Timestamp,
) -> Result<Option<Status>> {
    if execution.status == Status::Queued {
        // Somebody says that it, and others, may be able to start.
        dequeue::start_waiting(tx, now).await?;
        let found = executions::find_if_any(tx, &Scope::engine(), &execution.id).await?;
        execution = found.unwrap_or(execution);
    }
    let status = execution.status;
    if status.has_ended() && !reports.is_empty() {
        late::note(tx, execution, reports, now).await?;
        return Ok(Some(status));
    }
    if status.has_ended() {
        plugins_updates::follow_end(tx, &execution).await?;
        return Ok(Some(status));
    }
    if matches!(status, Status::Queued | Status::Scheduled) {
        return Ok(Some(status));
    }
    let now = events::newest(tx, &execution)
        .await?
        .map_or(now, |newest| newest.max(now));
    let mut drive = Drive::new(tx, execution, now);
    match status {
        Status::ForceCancelling | Status::KillCancelling => drive.abandon().await?,
        Status::Pending => drive.begin().await?,
        _ => drive.go_on(reports).await?,
    }
    let status = drive.execution.status;
    drive.save().await?;
    Ok(Some(status))
}

/// Ends an execution as failed without looking at its graph: the last resort for one that cannot
/// be driven.
///
/// # Errors
/// Of the database.
pub async fn give_up(tx: &impl Tx, execution_id: &str, error: &str, now: Timestamp) -> Result<()> {
    let Some(execution) = executions::find_if_any(tx, &Scope::engine(), execution_id).await? else {
        return Ok(());
    };
    if execution.status.has_ended() {
        return Ok(());
    }
    let end = End::Failed(error.to_owned());
    if workflow_leases::place(tx, &execution).await?.is_some() {
        return by_worker::end(tx, execution, end, now).await.map(drop);
    }
    let mut drive = Drive::new(tx, execution, now);
    drive.withdraw_running().await?;
    drive.end(end);
    drive.save().await
}

struct Drive<'a, T: Tx> {
    tx: &'a T,
    execution: Execution,
    was: Status,
    now: Timestamp,
    effects: Effects,
    begins: bool,
    /// Whether its deployment took it along.
    is_gone: bool,
    /// Whether calls run in a part of the graph that was not read.
    others_run: bool,
}

impl<'a, T: Tx> Drive<'a, T> {
    fn new(tx: &'a T, execution: Execution, now: Timestamp) -> Self {
        let was = execution.status;
        let effects = Effects::new(now, execution.is_dry_run);
        Self {
            tx,
            execution,
            was,
            now,
            effects,
            begins: false,
            is_gone: false,
            others_run: false,
        }
    }

    async fn begin(&mut self) -> Result<()> {
        let definition = start::definition(self.tx, &self.execution).await?;
        if definition.as_ref().is_some_and(workflows::is_a_workers) {
            return workflow_leases::offer(self.tx, &self.execution, by_worker::QUEUE).await;
        }
        let execution = &mut self.execution;
        execution.status = Status::Started;
        execution.started_at = Some(self.now);
        self.begins = true;
        let text = texts::workflow_started(
            &execution.workflow_id,
            execution.resume,
            execution.is_dry_run,
        );
        self.effects.tell("workflow_started", &text);
        if environments::is_one(&self.execution.workflow_id) {
            return self.run_environment().await;
        }
        if plugins_updates::is_one(&self.execution) {
            return Box::pin(self.run_plugins_update()).await;
        }
        let workflow = match self.understood(definition) {
            Ok(workflow) => workflow,
            Err(Refusal(text)) => {
                self.end(End::Failed(text));
                return Ok(());
            }
        };
        match tasks_graphs::find_current(self.tx, &self.execution).await? {
            Some(row) => self.resume(&workflow, row).await,
            None => self.run_from(&workflow, Some(0), Memory::default()).await,
        }
    }

    /// Makes the environment of the deployment, or takes it away.
    async fn run_environment(&mut self) -> Result<()> {
        match environments::run(self.tx, &self.execution).await? {
            Ran::Ended(end) => self.end(end),
            Ran::Gone => self.is_gone = true,
        }
        Ok(())
    }

    async fn workflow(&self) -> Result<Result<Workflow, Refusal>> {
        let definition = start::definition(self.tx, &self.execution).await?;
        Ok(self.understood(definition))
    }

    fn understood(&self, definition: Option<Value>) -> std::result::Result<Workflow, Refusal> {
        let name = &self.execution.workflow_id;
        let definition = definition.ok_or_else(|| {
            Refusal(format!(
                "The deployment has no workflow `{name}` that could be run"
            ))
        })?;
        Workflow::new(name, &definition, &self.execution.parameters)
    }

    async fn defaults(&self) -> Result<RetryDefaults> {
        let standard = RetryDefaults::default();
        let retries = config::integer(self.tx, "task_retries").await?;
        let after = config::number(self.tx, "task_retry_interval").await?;
        let subgraphs = config::integer(self.tx, "subgraph_retries").await?;
        Ok(RetryDefaults {
            retries: retries.unwrap_or(standard.retries),
            after: after.map_or(standard.after, workflows::milliseconds),
            subgraphs: subgraphs.unwrap_or(standard.subgraphs),
        })
    }

    /// The deployment as it is now; of its no-ops only the operations of these names.
    async fn topology(&self, named: &[&str]) -> Result<Topology> {
        if self.execution.deployment_key.is_none() {
            return Ok(Topology::default());
        }
        let nodes = node_instances::nodes_for_engine(self.tx, &self.execution, named).await?;
        let instances = node_instances::for_engine(self.tx, &self.execution).await?;
        Ok(Topology::new(nodes, instances))
    }

    /// One step; its commands become effects.
    fn step(
        &mut self,
        graph: Graph,
        (failures, late): (Vec<String>, LateFailures),
        events: Vec<Event>,
        topology: Option<&mut Topology>,
    ) -> (State, Option<End>) {
        let mode = match self.execution.status {
            Status::Started => Mode::Running,
            status if status.has_ended() || status == Status::Queued => Mode::Over,
            _ => Mode::Cancelling,
        };
        let state = State {
            graph,
            mode,
            dry_run: self.execution.is_dry_run,
            failures,
            late,
            to_retry: Vec::new(),
            others_run: self.others_run,
        };
        let (state, commands) = steps(state, events);
        if let Some(topology) = topology {
            for command in &commands {
                if let crate::step::Command::SetState { instance, state } = command {
                    topology.set_state(instance, state);
                }
            }
        }
        let end = self.effects.take(&state.graph, commands);
        (state, end)
    }

    /// Progress: what is new from `stored` on counts in, what has ended by now as finished.
    fn count(&mut self, graph: &Graph, stored: usize) {
        for (place, operation) in graph.operations.iter().enumerate() {
            if operation.task.counts() {
                self.execution.total_operations += i64::from(place >= stored);
                self.execution.finished_operations += i64::from(operation.state.has_ended());
            }
        }
    }

    /// Goes on with the last graph after a resume.
    async fn resume(&mut self, workflow: &Workflow, row: TasksGraph) -> Result<()> {
        let kept = graph_state(&row)?;
        let open = operations::open_of_graph(self.tx, &row).await?;
        let mut graph = rows::from_rows(open)?;
        let stored = graph.operations.len();
        let part = workflow.parts.get(kept.part);
        if part.is_some_and(|part| part.kind == PartKind::Install) {
            let topology = self.topology(&workflow.named_operations()).await?;
            let defaults = self.defaults().await?;
            graph = workflows::clean_up_before(graph, &topology, defaults, &mut ids::new_uuid);
        }
        let kept = GraphState {
            part: kept.part,
            memory: kept.memory,
            ..GraphState::default()
        };
        let begin = vec![Event::Begin];
        self.apply(row, kept, graph, stored, begin).await
    }

    async fn go_on(&mut self, reports: Vec<Report>) -> Result<()> {
        if plugins_updates::is_one(&self.execution) {
            return Box::pin(self.run_plugins_update()).await;
        }
        let cancelling = self.execution.status == Status::Cancelling;
        let Some(row) = tasks_graphs::find_current(self.tx, &self.execution).await? else {
            if cancelling {
                self.end(End::Cancelled);
                return Ok(());
            }
            // Started without a graph: somebody set the status by hand.
            return self.begin().await;
        };
        let kept = graph_state(&row)?;
        let (open, others_run) = self.concerned(&row, &kept, &reports).await?;
        self.others_run = others_run;
        let graph = rows::from_rows(open)?;
        let stored = graph.operations.len();
        let mut events: Vec<Event> = reports.into_iter().map(Event::Reported).collect();
        if cancelling {
            events.push(Event::Cancel);
        }
        self.apply(row, kept, graph, stored, events).await
    }

    /// Applies events to a stored graph, and builds the next part when it is done. Operations
    /// from `stored` on are new.
    async fn apply(
        &mut self,
        row: TasksGraph,
        kept: GraphState,
        graph: Graph,
        stored: usize,
        events: Vec<Event>,
    ) -> Result<()> {
        let (mut state, mut end) = self.step(
            graph,
            (kept.failures.clone(), kept.late.clone()),
            events,
            None,
        );
        if !state.to_retry.is_empty() {
            (state, end) = self.retry_subgraphs(state).await?;
        }
        let failed_at = kept.failed_at;
        let (state, end, failed_at) = self.wait_or_end(state, end, failed_at).await?;
        self.count(&state.graph, stored);
        let changes = rows::to_changes(&state.graph, stored);
        operations::update_all(self.tx, &changes, self.now).await?;
        operations::give_up(self.tx, &rows::given_up(&state.graph)).await?;
        if state.graph.operations.len() > stored {
            let new = rows::to_rows(&self.execution, &state.graph, stored);
            operations::forget_islands(self.tx, &row).await?;
            operations::insert_all(self.tx, &self.execution, &row, &new, self.now).await?;
            rows::wait_for_new(self.tx, &state.graph, stored).await?;
        }
        let part = kept.part;
        let before = (&kept.failures, &kept.late, kept.failed_at);
        if (&state.failures, &state.late, failed_at) != before || self.begins {
            let kept = GraphState {
                part,
                memory: kept.memory.clone(),
                failures: state.failures,
                late: state.late,
                failed_at,
            };
            tasks_graphs::save_state(self.tx, &row, &json_text(&kept)?).await?;
        }
        match end {
            Some(end) => self.go_on_after(part, end, kept.memory).await,
            None => Ok(()),
        }
    }

    /// Ends at once, whatever still runs: its results will not matter.
    async fn abandon(&mut self) -> Result<()> {
        self.withdraw_running().await?;
        self.end(End::Cancelled);
        Ok(())
    }

    async fn withdraw_running(&mut self) -> Result<()> {
        if let Some(row) = tasks_graphs::find_current(self.tx, &self.execution).await? {
            let running = operations::on_their_way(self.tx, &row).await?;
            let ids: Vec<&str> = running.iter().map(|call| call.id.as_str()).collect();
            operation_leases::take_all_away(self.tx, &ids).await?;
            operations::take_back(self.tx, &ids, self.now).await?;
            self.effects
                .withdraw(running.into_iter().map(|call| call.id));
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        let Execution {
            workflow_id,
            is_dry_run,
            ..
        } = &self.execution;
        let (status, event, text, error) = match end {
            End::Succeeded => {
                let text = texts::workflow_succeeded(workflow_id, *is_dry_run);
                (Status::Terminated, "workflow_succeeded", text, None)
            }
            End::Failed(error) => {
                let text = texts::workflow_failed(workflow_id, &error, *is_dry_run);
                (Status::Failed, "workflow_failed", text, Some(error))
            }
            End::Cancelled => {
                let text = texts::workflow_cancelled(workflow_id);
                (Status::Cancelled, "workflow_cancelled", text, None)
            }
        };
        self.effects.tell(event, &text);
        self.execution.status = status;
        self.execution.error = error;
        self.execution.ended_at = Some(self.now);
    }

    /// Writes what is left, then what the new status means for the deployment and for others
    /// that wait.
    async fn save(mut self) -> Result<()> {
        if self.is_gone {
            return dequeue::start_waiting(self.tx, self.now).await;
        }
        self.effects.write(self.tx, &self.execution).await?;
        executions::save(self.tx, &self.execution, self.was).await?;
        let has_ended = self.execution.status.has_ended();
        if self.execution.status == Status::Failed && self.was != Status::Failed {
            ending::tell_failure(&self.execution);
        }
        if self.begins {
            deployment_status::execution_started(self.tx, &self.execution).await?;
            if has_ended {
                ending::follow_begun(self.tx, &self.execution).await?;
            }
        } else if has_ended {
            ending::follow(self.tx, &self.execution).await?;
        }
        if has_ended && self.execution.status != Status::Terminated {
            // What would have woken it, had it waited longer.
            let id = self.execution.id.as_str();
            queue::remove_all(self.tx, Work::Execution, &[id]).await?;
        }
        if has_ended {
            dequeue::start_waiting(self.tx, self.now).await?;
        }
        Ok(())
    }
}

fn graph_state(row: &TasksGraph) -> Result<GraphState> {
    serde_json::from_str(&row.state)
        .map_err(|error| Error::internal(format!("the tasks graph {}: {error}", row.id)))
}

fn json_text(kept: &GraphState) -> Result<String> {
    serde_json::to_string(kept).map_err(Error::internal)
}
