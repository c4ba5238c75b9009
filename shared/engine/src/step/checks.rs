//! What checks and heals find out, and what their failures mean.

use super::Run;
use super::words::{CallError, Checked, Command, Finding, Mode};
use crate::graph::{Check, OperationState, RetryWith, Task};
use crate::texts;
use serde_json::Value;

impl Run {
    /// Keeps what the end of a call says about its instance, if the call is a check.
    pub(super) fn found(&mut self, place: usize, ok: bool, result: Value) {
        let operation = &self.state.graph.operations[place];
        let Some(call) = operation.call() else { return };
        let Some(check) = call.check else { return };
        let checked = Checked {
            ok,
            task: operation.name.clone(),
            result,
        };
        let finding = match check {
            Check::Status => Finding::Status(checked),
            Check::Drift => Finding::Drift {
                related: call.related.clone(),
                checked,
            },
        };
        let instance = call.instance.clone();
        self.commands.push(Command::Found { instance, finding });
    }

    /// A check has failed for good. It stops no other, because people want to know of all of them.
    pub(super) fn check_failed(&mut self, place: usize, error: &CallError) {
        self.found(place, false, error.message.as_str().into());
        self.set(place, OperationState::Failed);
        let operation = &self.state.graph.operations[place];
        if operation.call().is_some_and(|call| !call.ignore_failure) {
            let text = texts::failure(operation, &error.kind, &error.message);
            self.state.late.add(text);
        }
        self.ended(place);
    }

    /// The heal around an operation that fails for good: the others go on without it.
    pub(super) fn heal_to_pass_over(&self, place: usize) -> Option<usize> {
        let subgraph = self.outermost(place)?;
        let is_heal = self.is_heal(subgraph) && self.state.mode == Mode::Running;
        is_heal.then_some(subgraph)
    }

    /// Keeps that an instance was healed, if that is what a subgraph did.
    pub(super) fn healed(&mut self, place: usize) {
        if !self.is_heal(place) || self.state.dry_run {
            return;
        }
        if let Task::Subgraph(Some(heal)) = &self.state.graph.operations[place].task {
            self.commands.push(Command::Found {
                instance: heal.instance.clone(),
                finding: Finding::Healed,
            });
        }
    }

    fn is_heal(&self, place: usize) -> bool {
        let task = &self.state.graph.operations[place].task;
        matches!(task, Task::Subgraph(Some(handler)) if handler.with == RetryWith::Heal)
    }
}
