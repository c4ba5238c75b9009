//! The driver: carries out what a step wants, in one transaction.
//!
//! It loads an execution with the open part of its graph, applies what happened, and writes
//! states, events, instances, queue rows and the execution itself. Everything it does follows
//! from what it reads, so doing it again after a crash, or once too often, changes nothing.

mod effects;
mod late;
mod patience;
mod retry;
pub(crate) mod rows;

pub(crate) use effects::event_of;

use crate::dequeue;
use crate::graph::{Graph, RetryDefaults};
use crate::plan::Topology;
use crate::step::{End, Event, Mode, Report, State, steps};
use crate::texts;
use crate::workflows::{self, Part, Refusal, Workflow};
use effects::Effects;
use serde::{Deserialize, Serialize};
use windlass_core::db::Tx;
use windlass_core::{Error, Result, Scope, Timestamp, ids};
use windlass_store::executions::{Execution, Status, deployment_status};
use windlass_store::operations::NewDependencies;
use windlass_store::queue::{self, Work};
use windlass_store::tasks_graphs::{NewTasksGraph, TasksGraph};
use windlass_store::{config, events, executions, node_instances, operations, tasks_graphs};

/// What the engine keeps with a graph.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct GraphState {
    /// Which part of the workflow it is.
    #[serde(default)]
    part: usize,
    /// What failed in it for good.
    #[serde(default)]
    failures: Vec<String>,
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
    execution: Execution,
    reports: Vec<Report>,
    now: Timestamp,
) -> Result<Option<Status>> {
    let status = execution.status;
    if status.has_ended() && !reports.is_empty() {
        late::note(tx, execution, reports, now).await?;
        return Ok(Some(status));
    }
    if status.has_ended() || matches!(status, Status::Queued | Status::Scheduled) {
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
    let mut drive = Drive::new(tx, execution, now);
    drive.withdraw_running().await?;
    drive.end(End::Failed(error.to_owned()));
    drive.save().await
}

struct Drive<'a, T: Tx> {
    tx: &'a T,
    execution: Execution,
    was: Status,
    now: Timestamp,
    effects: Effects,
    begins: bool,
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
        }
    }

    async fn begin(&mut self) -> Result<()> {
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
        let workflow = match self.workflow().await? {
            Ok(workflow) => workflow,
            Err(Refusal(text)) => {
                self.end(End::Failed(text));
                return Ok(());
            }
        };
        match tasks_graphs::find_current(self.tx, &self.execution).await? {
            Some(row) => self.resume(&workflow, row).await,
            None => self.run_from(&workflow, 0).await,
        }
    }

    async fn workflow(&self) -> Result<Result<Workflow, Refusal>> {
        let name = &self.execution.workflow_id;
        let Some(definition) = executions::workflow(self.tx, &self.execution).await? else {
            let text = format!("The deployment has no workflow `{name}` that could be run");
            return Ok(Err(Refusal(text)));
        };
        Ok(Workflow::new(name, &definition, &self.execution.parameters))
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

    /// Builds and runs the parts of a workflow from one on, until one has to wait.
    async fn run_from(&mut self, workflow: &Workflow, first: usize) -> Result<()> {
        let defaults = self.defaults().await?;
        let mut topology = self.topology(&workflow.named_operations()).await?;
        for part in first..workflow.parts.len().max(1) {
            if part > first && !self.execution.is_dry_run {
                // The states that this part starts from were changed by the one before.
                self.effects.write(self.tx, &self.execution).await?;
                topology = self.topology(&workflow.named_operations()).await?;
            }
            let graph = match workflow.build(part, &topology, defaults, &mut ids::new_uuid) {
                Ok(graph) => graph,
                Err(Refusal(text)) => {
                    self.end(End::Failed(text));
                    return Ok(());
                }
            };
            let (state, end) =
                self.step(graph, Vec::new(), vec![Event::Begin], Some(&mut topology));
            self.count(&state.graph, 0);
            if !self.execution.is_dry_run {
                self.insert_graph(workflow, part, &state).await?;
            }
            match end {
                Some(End::Succeeded) if part + 1 < workflow.parts.len() => {}
                Some(end) => {
                    self.end(end);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    async fn insert_graph(&self, workflow: &Workflow, part: usize, state: &State) -> Result<()> {
        let kept = GraphState {
            part,
            failures: state.failures.clone(),
            failed_at: None,
        };
        let name = workflow
            .parts
            .get(part)
            .map_or("", |(name, _)| name.as_str());
        let new = NewTasksGraph {
            id: &ids::new_uuid(),
            name,
            state: &json_text(&kept)?,
            created_at: self.now,
        };
        let graph = tasks_graphs::insert(self.tx, &self.execution, &new).await?;
        let rows = rows::to_rows(&self.execution, &state.graph, 0);
        operations::insert_all(self.tx, &self.execution, &graph, &rows, self.now).await
    }

    /// One step; its commands become effects.
    fn step(
        &mut self,
        graph: Graph,
        failures: Vec<String>,
        events: Vec<Event>,
        topology: Option<&mut Topology>,
    ) -> (State, Option<End>) {
        let mode = match self.execution.status {
            Status::Started => Mode::Running,
            status if status.has_ended() => Mode::Over,
            _ => Mode::Cancelling,
        };
        let state = State {
            graph,
            mode,
            dry_run: self.execution.is_dry_run,
            failures,
            to_retry: Vec::new(),
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
        if matches!(workflow.parts.get(kept.part), Some((_, Part::Install))) {
            let topology = self.topology(&workflow.named_operations()).await?;
            let defaults = self.defaults().await?;
            graph = workflows::clean_up_before(graph, &topology, defaults, &mut ids::new_uuid);
        }
        let kept = GraphState {
            part: kept.part,
            ..GraphState::default()
        };
        let begin = vec![Event::Begin];
        self.apply(row, kept, graph, stored, begin).await
    }

    async fn go_on(&mut self, reports: Vec<Report>) -> Result<()> {
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
        let graph = rows::from_rows(operations::open_of_graph(self.tx, &row).await?)?;
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
        let (mut state, mut end) = self.step(graph, kept.failures.clone(), events, None);
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
            operations::insert_all(self.tx, &self.execution, &row, &new, self.now).await?;
            rows_wait_for_new(self.tx, &state.graph, stored).await?;
        }
        let part = kept.part;
        if (&state.failures, failed_at) != (&kept.failures, kept.failed_at) || self.begins {
            let kept = GraphState {
                part,
                failures: state.failures,
                failed_at,
            };
            tasks_graphs::save_state(self.tx, &row, &json_text(&kept)?).await?;
        }
        if end == Some(End::Succeeded)
            && let Ok(workflow) = self.workflow().await?
            && part + 1 < workflow.parts.len()
        {
            self.effects.write(self.tx, &self.execution).await?;
            return self.run_from(&workflow, part + 1).await;
        }
        if let Some(end) = end {
            self.end(end);
        }
        Ok(())
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
        self.effects.write(self.tx, &self.execution).await?;
        executions::save(self.tx, &self.execution, self.was).await?;
        let has_ended = self.execution.status.has_ended();
        if self.begins {
            deployment_status::execution_started(self.tx, &self.execution).await?;
        } else if has_ended {
            deployment_status::execution_ended(self.tx, &self.execution).await?;
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

/// Stored operations that wait for new ones say so in their rows.
async fn rows_wait_for_new(tx: &impl Tx, graph: &Graph, stored: usize) -> Result<()> {
    let waiting: Vec<NewDependencies> = graph
        .operations
        .iter()
        .take(stored)
        .map(|operation| NewDependencies {
            id: &operation.id,
            dependencies: operation
                .dependencies
                .iter()
                .filter(|place| **place >= stored)
                .filter_map(|place| graph.operations.get(*place))
                .map(|new| new.id.as_str())
                .collect(),
        })
        .filter(|item| !item.dependencies.is_empty())
        .collect();
    operations::add_dependencies(tx, &waiting).await
}
