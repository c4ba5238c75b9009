//! The pure heart of the engine: what happens next in a graph.
//!
//! `step` takes a state and something that happened, and answers the new state and what has to be
//! done about it. It knows no clock, no database and no network. Everything local that becomes
//! ready is carried out at once, so a graph without calls is done in one step.
#![allow(
    clippy::indexing_slicing,
    reason = "a place is an index that the graph itself gave out, and nothing leaves a graph"
)]

mod checks;
mod retry;
mod words;

pub(crate) use retry::least_pause;
pub use words::{
    CallError, Checked, Command, End, Event, Finding, LateFailures, Mode, Outcome, Report, State,
};

use crate::graph::{OperationState, Task};
use crate::texts::{self, TaskEvent};
use serde_json::Value;
use std::collections::VecDeque;

/// What happens next: the new state, and what to do about it, in order.
pub fn step(state: State, event: Event) -> (State, Vec<Command>) {
    steps(state, [event])
}

/// The same for several things that happened, in order.
pub fn steps(state: State, events: impl IntoIterator<Item = Event>) -> (State, Vec<Command>) {
    let mut run = Run::new(state);
    for event in events {
        match event {
            Event::Begin => {}
            Event::Reported(report) => run.report(report),
            Event::Cancel => run.state.mode = Mode::Cancelling,
        }
    }
    if run.state.mode != Mode::Over {
        run.advance();
    }
    (run.state, run.commands)
}

struct Run {
    state: State,
    commands: Vec<Command>,
    /// How many that have not ended an operation waits for, its own subgraph not counted.
    waits_for: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    members: Vec<Vec<usize>>,
    open_members: Vec<usize>,
    ready: VecDeque<usize>,
}

impl Run {
    fn new(state: State) -> Self {
        let operations = &state.graph.operations;
        let count = operations.len();
        let mut waits_for = vec![0; count];
        let mut dependents = vec![Vec::new(); count];
        let mut members = vec![Vec::new(); count];
        let mut open_members = vec![0; count];
        for (place, operation) in operations.iter().enumerate() {
            for earlier in &operation.dependencies {
                if !operations[*earlier].state.has_ended() {
                    waits_for[place] += 1;
                    dependents[*earlier].push(place);
                }
            }
            if let Some(subgraph) = operation.subgraph
                && !operation.state.has_ended()
            {
                members[subgraph].push(place);
                open_members[subgraph] += 1;
            }
        }
        let ready = VecDeque::new();
        Self {
            state,
            commands: Vec::new(),
            waits_for,
            dependents,
            members,
            open_members,
            ready,
        }
    }

    fn starts_work(&self) -> bool {
        self.state.mode == Mode::Running && self.state.failures.is_empty()
    }

    fn set(&mut self, place: usize, state: OperationState) {
        let operation = &mut self.state.graph.operations[place];
        operation.state = state;
        operation.changed = true;
    }

    fn tell(
        &mut self,
        place: usize,
        event: TaskEvent,
        detail: Option<&str>,
        causes: Option<Value>,
    ) {
        let operation = &self.state.graph.operations[place];
        let text = texts::of_operation(event, operation, detail, self.state.dry_run);
        self.commands.push(Command::Tell {
            operation: place,
            event,
            text,
            causes,
        });
    }

    fn report(&mut self, Report { operation, outcome }: Report) {
        let known = self
            .state
            .graph
            .operations
            .iter()
            .position(|known| known.id == operation);
        let Some(place) = known else { return };
        let operation = &self.state.graph.operations[place];
        let runs = matches!(
            operation.state,
            OperationState::Sent | OperationState::Started
        );
        let Some(call) = operation.call().filter(|_| runs) else {
            return;
        };
        match outcome {
            Outcome::Succeeded {
                result,
                runtime_properties,
            } => {
                if !runtime_properties.is_empty() {
                    let instance = call.instance.clone();
                    let properties = runtime_properties;
                    self.commands.push(Command::SetProperties {
                        instance,
                        properties,
                    });
                }
                self.set(place, OperationState::Succeeded);
                let detail = texts::result(&result);
                self.found(place, true, result);
                self.tell(place, TaskEvent::Succeeded, detail.as_deref(), None);
                self.ended(place);
            }
            Outcome::Failed(error) => self.failed(place, &error, TaskEvent::Failed),
            Outcome::Rescheduled(error) => self.failed(place, &error, TaskEvent::Rescheduled),
        }
    }

    fn failed(&mut self, place: usize, error: &CallError, event: TaskEvent) {
        let asks_again = event == TaskEvent::Rescheduled;
        self.state.graph.operations[place].error = Some(error.message.clone());
        self.tell(place, event, Some(&error.message), Some(error.causes()));
        if self.state.mode == Mode::Over {
            self.found(place, false, error.message.as_str().into());
            self.set(place, OperationState::Failed);
            return;
        }
        if self.was_given_up(place) {
            self.set(place, OperationState::Failed);
            self.ended(place);
            return;
        }
        let Task::Call(call) = &mut self.state.graph.operations[place].task else {
            return;
        };
        let may_retry = call.total_retries < 0 || call.retries < call.total_retries;
        // What may fail is passed over at its first failure, unless it asks for another try.
        if may_retry && (asks_again || error.recoverable && !call.ignore_failure) {
            let after = error.retry_after.unwrap_or(call.retry_after).max(0);
            let after = after.max(retry::least_pause(call.retries, call.total_retries));
            call.retries += 1;
            self.set(place, OperationState::Rescheduled);
            self.commands.push(Command::Call {
                operation: place,
                after,
            });
            return;
        }
        if call.check.is_some() {
            return self.check_failed(place, error);
        }
        if call.ignore_failure {
            let instance = call.instance.clone();
            let name = &self.state.graph.operations[place].name;
            let text = format!("Ignoring task {name} failure");
            self.commands.push(Command::TellInstance { instance, text });
            self.set(place, OperationState::Failed);
            self.ended(place);
            return;
        }
        let passed_over = self.heal_to_pass_over(place);
        let retried = self.subgraph_to_retry(place);
        self.set(place, OperationState::Failed);
        let operation = &self.state.graph.operations[place];
        let text = texts::failure(operation, &error.kind, &error.message);
        let mut subgraph = operation.subgraph;
        while let Some(outer) = subgraph {
            if self.state.graph.operations[outer].state.has_ended() {
                break;
            }
            self.set(outer, OperationState::Failed);
            self.tell(outer, TaskEvent::Failed, None, None);
            subgraph = self.state.graph.operations[outer].subgraph;
        }
        match (retried, passed_over) {
            (Some(subgraph), _) => {
                self.state.to_retry.push(subgraph);
                self.give_up(subgraph);
            }
            (None, Some(heal)) => {
                self.give_up(heal);
                self.ended(heal);
            }
            (None, None) => self.state.failures.push(text),
        }
    }

    /// Lets go on who waited for an operation, and ends the subgraph it was the last of.
    fn ended(&mut self, place: usize) {
        let mut places = vec![place];
        while let Some(place) = places.pop() {
            for later in std::mem::take(&mut self.dependents[place])
                .into_iter()
                .rev()
            {
                self.waits_for[later] = self.waits_for[later].saturating_sub(1);
                if self.waits_for[later] == 0 {
                    // In front: one instance gets as far as it can before the next begins.
                    self.ready.push_front(later);
                }
            }
            let Some(subgraph) = self.state.graph.operations[place].subgraph else {
                continue;
            };
            self.open_members[subgraph] = self.open_members[subgraph].saturating_sub(1);
            let state = self.state.graph.operations[subgraph].state;
            if self.open_members[subgraph] == 0 && state == OperationState::Started {
                self.succeed(subgraph);
                places.push(subgraph);
            }
        }
    }

    fn advance(&mut self) {
        if self.starts_work() {
            let all = 0..self.state.graph.operations.len();
            for place in all.clone() {
                let operation = &self.state.graph.operations[place];
                let is_open = operation.state == OperationState::Started;
                if is_open && operation.is_subgraph() && self.open_members[place] == 0 {
                    self.close(place);
                }
            }
            let mut ready: VecDeque<usize> =
                all.filter(|place| self.waits_for[*place] == 0).collect();
            ready.extend(std::mem::take(&mut self.ready));
            self.ready = ready;
        }
        while self.starts_work()
            && let Some(place) = self.ready.pop_front()
        {
            self.start(place);
        }
        self.finish();
    }

    fn is_ready(&self, place: usize) -> bool {
        let operation = &self.state.graph.operations[place];
        operation.state == OperationState::Pending
            && self.waits_for[place] == 0
            && operation.subgraph.is_none_or(|subgraph| {
                self.state.graph.operations[subgraph].state == OperationState::Started
            })
    }

    fn start(&mut self, place: usize) {
        if !self.is_ready(place) {
            return;
        }
        let command = match &self.state.graph.operations[place].task {
            Task::Subgraph(_) => return self.open(place),
            Task::Call(_) => return self.call(place),
            Task::Nothing => None,
            Task::SetState { instance, state } => Some(Command::SetState {
                instance: instance.clone(),
                state: state.clone(),
            }),
            Task::SendEvent { instance, text } => Some(Command::TellInstance {
                instance: instance.clone(),
                text: text.clone(),
            }),
        };
        self.commands.extend(command);
        self.set(place, OperationState::Succeeded);
        self.ended(place);
    }

    fn open(&mut self, place: usize) {
        self.set(place, OperationState::Started);
        self.tell(place, TaskEvent::Started, None, None);
        if self.open_members[place] == 0 {
            self.close(place);
            return;
        }
        for member in self.members[place].clone().into_iter().rev() {
            if self.waits_for[member] == 0 {
                self.ready.push_front(member);
            }
        }
    }

    fn close(&mut self, place: usize) {
        self.succeed(place);
        self.ended(place);
    }

    fn succeed(&mut self, place: usize) {
        self.set(place, OperationState::Succeeded);
        self.tell(place, TaskEvent::Succeeded, None, None);
        self.healed(place);
    }

    fn call(&mut self, place: usize) {
        if self.state.dry_run {
            return self.close(place);
        }
        let operation = &self.state.graph.operations[place];
        let after = operation.call().map_or(0, |call| call.pause);
        self.set(place, OperationState::Sent);
        self.tell(place, TaskEvent::Sending, None, None);
        self.commands.push(Command::Call {
            operation: place,
            after,
        });
    }

    /// Ends the run when nothing is left, or nothing that is waited for.
    fn finish(&mut self) {
        if !self.state.to_retry.is_empty() {
            // What takes their place is not there yet.
            return;
        }
        let stops = !self.starts_work();
        let mut runs = self.state.others_run;
        let mut waits = false;
        let mut left = false;
        for place in 0..self.state.graph.operations.len() {
            let operation = &self.state.graph.operations[place];
            let is_call = operation.call().is_some();
            match operation.state {
                OperationState::Succeeded | OperationState::Failed => continue,
                OperationState::Sending | OperationState::Sent if stops && is_call => {
                    // Nobody has begun with it: it is taken back, a resume sends it again.
                    self.set(place, OperationState::Pending);
                    self.commands.push(Command::Withdraw { operation: place });
                }
                OperationState::Rescheduled if stops => {
                    self.commands.push(Command::Withdraw { operation: place });
                }
                OperationState::Rescheduled => waits = true,
                OperationState::Pending => {}
                _ => runs |= is_call,
            }
            left = true;
        }
        let end = if runs && self.state.mode == Mode::Running {
            return;
        } else if !self.state.failures.is_empty() {
            End::Failed(texts::execution_error(&self.state.failures))
        } else if self.state.mode == Mode::Cancelling {
            End::Cancelled
        } else if !left && !self.state.late.is_empty() {
            End::Failed(texts::late_failures(&self.state.late))
        } else if !left {
            End::Succeeded
        } else if waits {
            return;
        } else {
            End::Failed("The operations that are left wait for each other".into())
        };
        self.commands.push(Command::End(end));
    }
}
