//! What becomes of a subgraph that failed and is tried again.

use super::Run;
use super::words::Command;
use crate::graph::{OperationState, RetryWith, Task};

/// The longest pause between tries that never end, in milliseconds.
const LONGEST_PAUSE: i64 = 15_000;

/// How many tries may follow each other at once before they have to wait.
const AT_ONCE: i64 = 3;

/// The least pause before another try, in milliseconds, after `retries` others of `total`. Tries
/// that never end would keep everybody busy without one, so theirs grows.
pub(crate) fn least_pause(retries: i64, total: i64) -> i64 {
    if total >= 0 || retries < AT_ONCE {
        return 0;
    }
    let doublings = (retries - AT_ONCE).min(8);
    (100_i64 << doublings).min(LONGEST_PAUSE)
}

impl Run {
    /// The outermost subgraph around an operation that fails for good, if that one is tried again
    /// for it. Once something has failed without another try, nothing is tried again either.
    pub(super) fn subgraph_to_retry(&self, place: usize) -> Option<usize> {
        if !self.starts_work() {
            return None;
        }
        let outermost = self.outermost(place)?;
        let Task::Subgraph(Some(retry)) = &self.state.graph.operations[outermost].task else {
            return None;
        };
        if retry.with == RetryWith::Heal {
            return None;
        }
        let may_retry = retry.total_retries < 0 || retry.retries < retry.total_retries;
        may_retry.then_some(outermost)
    }

    /// The outermost subgraph around an operation.
    pub(super) fn outermost(&self, place: usize) -> Option<usize> {
        let operations = &self.state.graph.operations;
        let mut outermost = operations[place].subgraph?;
        while let Some(outer) = operations[outermost].subgraph {
            outermost = outer;
        }
        Some(outermost)
    }

    /// Whether an operation runs although its subgraph was given up.
    pub(super) fn was_given_up(&self, place: usize) -> bool {
        let operation = &self.state.graph.operations[place];
        operation.given_up || operation.call().is_some_and(|call| call.given_up)
    }

    /// Gives up a failed subgraph with all that is in it. Nobody is told of members that did not
    /// run. Those that do stay open, so that whatever takes the subgraph's place can wait for them;
    /// their results are kept, their failures count for nothing.
    pub(super) fn give_up(&mut self, subgraph: usize) {
        for place in 0..self.state.graph.operations.len() {
            let operation = &self.state.graph.operations[place];
            if operation.state == OperationState::Succeeded
                || !self.state.graph.is_within(place, subgraph)
            {
                continue;
            }
            let is_on_its_way = matches!(
                operation.state,
                OperationState::Sending | OperationState::Sent | OperationState::Rescheduled
            );
            let runs = operation.state == OperationState::Started && operation.call().is_some();
            if is_on_its_way && operation.call().is_some() {
                self.commands.push(Command::Withdraw { operation: place });
            }
            if !runs {
                self.set(place, OperationState::Failed);
            }
            self.state.graph.operations[place].given_up = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::{
        Builder, Call, Graph, OperationState, RetryDefaults, RetryWith, Sequence, Task,
    };
    use crate::step::{
        CallError, Command, End, Event, LateFailures, Mode, Outcome, Report, State, step, steps,
    };
    use OperationState::{Failed, Pending, Sent, Started, Succeeded};

    fn call() -> Task {
        Task::Call(Box::new(Call {
            instance: "db_1".into(),
            ..Call::default()
        }))
    }

    /// `install` with `create`, `links` (`left` and `right` next to each other) and `start`, one
    /// after the other, and `after`, which waits for it.
    fn graph(subgraphs: i64) -> Graph {
        let mut count = 0;
        let mut ids = move || {
            count += 1;
            format!("id-{count}")
        };
        let defaults = RetryDefaults {
            subgraphs,
            ..RetryDefaults::default()
        };
        let mut builder = Builder::new(defaults, &mut ids);
        let install = builder.subgraph(None, "install");
        builder.try_again(install, "db_1", RetryWith::Reinstall);
        let mut sequence = Sequence::new(install);
        sequence.then(&mut builder, "create", call());
        let links = builder.subgraph(Some(install), "links");
        sequence.join(&mut builder, vec![links]);
        let left_and_right = ["left", "right"].map(|name| (name.to_owned(), call()));
        Sequence::new(links).fork(&mut builder, left_and_right.into());
        sequence.then(&mut builder, "start", call());
        let after = builder.add(None, "after".into(), call());
        builder.depend(after, install);
        builder.into_graph()
    }

    fn begun(subgraphs: i64) -> State {
        let state = State {
            graph: graph(subgraphs),
            mode: Mode::Running,
            dry_run: false,
            failures: Vec::new(),
            late: LateFailures::default(),
            to_retry: Vec::new(),
            others_run: false,
        };
        step(state, Event::Begin).0
    }

    fn ends(state: &State, name: &str, outcome: Outcome) -> Event {
        let mut operations = state.graph.operations.iter();
        let operation = operations.find(|known| known.name == name).unwrap();
        Event::Reported(Report {
            operation: operation.id.clone(),
            outcome,
        })
    }

    fn well() -> Outcome {
        Outcome::Succeeded {
            result: serde_json::Value::Null,
            runtime_properties: serde_json::Map::new(),
        }
    }

    fn badly() -> Outcome {
        Outcome::Failed(CallError::fatal("no"))
    }

    fn states(state: &State) -> Vec<(&str, OperationState, bool)> {
        let operations = state.graph.operations.iter();
        operations
            .map(|known| (known.name.as_str(), known.state, known.given_up))
            .collect()
    }

    #[test]
    fn a_failed_subgraph_that_is_tried_again_is_given_up_with_all_that_is_in_it() {
        let state = begun(1);
        let event = ends(&state, "create", well());
        let (state, _) = step(state, event);
        let event = ends(&state, "right", badly());
        let (state, commands) = step(state, event);
        assert_eq!(
            states(&state),
            [
                ("install", Failed, true),
                ("create", Succeeded, false),
                ("links", Failed, true),
                ("left", Failed, true),
                ("right", Failed, true),
                ("start", Failed, true),
                ("after", Pending, false),
            ]
        );
        assert_eq!(state.to_retry, [0]);
        assert_eq!(state.failures, Vec::<String>::new());
        let withdrawn = Command::Withdraw { operation: 3 };
        assert!(commands.contains(&withdrawn), "{commands:?}");
        let told = commands.iter().filter_map(|command| match command {
            Command::Tell { text, .. } => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "Task failed 'right' -> no",
                "Subgraph failed 'links'",
                "Subgraph failed 'install'",
            ]
        );
        let is_over = commands
            .iter()
            .any(|command| matches!(command, Command::End(_)));
        assert!(!is_over, "{commands:?}");
    }

    #[test]
    fn what_comes_of_a_call_that_was_given_up_counts_for_nothing() {
        let state = begun(1);
        let event = ends(&state, "create", well());
        let (mut state, _) = step(state, event);
        state.graph.operations[3].state = Started;
        let events = [
            ends(&state, "right", badly()),
            ends(&state, "left", badly()),
        ];
        let (state, commands) = steps(state, events);
        assert_eq!(state.to_retry, [0]);
        assert_eq!(state.failures, Vec::<String>::new());
        let withdrawn = commands
            .iter()
            .any(|command| matches!(command, Command::Withdraw { .. }));
        assert!(!withdrawn, "it runs, so its end is awaited: {commands:?}");
    }

    #[test]
    fn nothing_is_tried_again_without_a_try_left_or_after_another_failure_or_a_cancel() {
        for (name, subgraphs, mode, failures) in [
            ("no tries", 0, Mode::Running, vec![]),
            ("cancel", 1, Mode::Cancelling, vec![]),
            ("failure", 1, Mode::Running, vec!["before".to_owned()]),
        ] {
            let mut state = begun(subgraphs);
            (state.mode, state.failures) = (mode, failures);
            let event = ends(&state, "create", badly());
            let (state, commands) = step(state, event);
            assert_eq!(state.to_retry, [0; 0], "{name}");
            let end = commands.last();
            assert!(
                matches!(end, Some(Command::End(End::Failed(_)))),
                "{name}: {commands:?}"
            );
            assert_eq!(states(&state)[5], ("start", Pending, false), "{name}");
        }
    }

    #[test]
    fn the_number_of_tries_is_kept_and_minus_one_never_ends() {
        for (total, before, again) in [(2, 1, true), (2, 2, false), (-1, 1_000_000, true)] {
            let mut state = begun(total);
            if let Task::Subgraph(Some(retry)) = &mut state.graph.operations[0].task {
                retry.retries = before;
            }
            let event = ends(&state, "create", badly());
            let (state, commands) = step(state, event);
            assert_eq!(!state.to_retry.is_empty(), again, "{total} {before}");
            let limit = if total < 0 {
                String::new()
            } else {
                format!("/{total}")
            };
            let text = format!("Subgraph failed 'install' [retry {before}{limit}]");
            let told = commands.iter().any(
                |command| matches!(command, Command::Tell { text: told, .. } if *told == text),
            );
            assert!(told, "{commands:?}");
        }
        let sent = begun(1).graph.operations[1].state;
        assert_eq!(sent, Sent);
    }
}
