//! check_status and check_drift: what each instance says of itself, kept in its system properties.
//!
//! A check is tried once, unless its operation says how often: whoever asks wants to know how it is
//! now. An instance without an implementation is not checked and keeps what is known of it.

use super::relationships::{self, Direction};
use super::selection::Selection;
use super::steps::Subject;
use crate::graph::{Builder, Check, Task};
use crate::plan::Topology;

const STATUS: &str = "cloudify.interfaces.validation.check_status";
const DRIFT: &str = "cloudify.interfaces.lifecycle.check_drift";

/// How the checks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checks {
    /// What is looked at.
    pub check: Check,
    /// Whether targets are looked at before their dependents.
    pub by_dependency: bool,
    /// Whether the workflow succeeds although checks fail.
    pub ignore_failure: bool,
}

/// Builds the graph: one call for each instance, and for drift two for each relationship after
/// that of its source.
pub fn build(topology: &Topology, selection: &Selection, checks: &Checks, builder: &mut Builder) {
    let retries = std::mem::replace(&mut builder.defaults.retries, 0);
    builder.ignore_failure = checks.ignore_failure;
    let operation = match checks.check {
        Check::Status => STATUS,
        Check::Drift => DRIFT,
    };
    let mut places = Vec::with_capacity(topology.len());
    for place in 0..topology.len() {
        let call = selection.contains(place).then(|| {
            let subject = Subject::at(topology, place);
            subject.call(builder, operation)
        });
        let (name, task) = call
            .flatten()
            .unwrap_or_else(|| ("NOPLocalWorkflowTask".to_owned(), Task::Nothing));
        let own = builder.add(None, name, checking(task, checks.check));
        places.push(own);
        if checks.check == Check::Drift && selection.contains(place) {
            for (name, task) in relationships::calls_of(topology, builder, place, "check_drift") {
                let of_relationship = builder.add(None, name, checking(task, Check::Drift));
                builder.depend(of_relationship, own);
            }
        }
    }
    if checks.by_dependency {
        let direction = Direction::TargetsFirst;
        relationships::order(topology, selection, &places, direction, builder);
    }
    builder.defaults.retries = retries;
    builder.ignore_failure = false;
}

fn checking(task: Task, check: Check) -> Task {
    match task {
        Task::Call(mut call) => {
            call.check = Some(check);
            Task::Call(call)
        }
        other => other,
    }
}
