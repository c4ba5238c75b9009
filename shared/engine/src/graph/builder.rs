//! Making graphs: operations are added one after the other, and what turns out to do nothing is
//! left out in the end.
#![allow(
    clippy::indexing_slicing,
    reason = "a place is an index that the graph itself gave out, and nothing leaves a graph"
)]

use super::{Graph, Operation, OperationState, RetryDefaults, RetryWith, SubgraphRetry, Task};

/// Makes a graph.
pub struct Builder<'a> {
    graph: Graph,
    ids: &'a mut dyn FnMut() -> String,
    /// How failures are tried again.
    pub defaults: RetryDefaults,
    /// Whether the calls that are added next may fail.
    pub ignore_failure: bool,
}

impl<'a> Builder<'a> {
    /// An empty graph; `ids` gives new operation ids.
    pub fn new(defaults: RetryDefaults, ids: &'a mut dyn FnMut() -> String) -> Self {
        Self {
            graph: Graph::default(),
            ids,
            defaults,
            ignore_failure: false,
        }
    }

    /// Goes on with a graph.
    pub fn extend(
        graph: Graph,
        defaults: RetryDefaults,
        ids: &'a mut dyn FnMut() -> String,
    ) -> Self {
        Self {
            graph,
            ids,
            defaults,
            ignore_failure: false,
        }
    }

    /// The graph as it is by now.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Adds an operation to a subgraph (or to none) and answers its place.
    pub fn add(&mut self, subgraph: Option<usize>, name: String, task: Task) -> usize {
        self.graph.operations.push(Operation {
            id: (self.ids)(),
            name,
            state: OperationState::Pending,
            dependencies: Vec::new(),
            subgraph,
            task,
            changed: true,
            error: None,
            given_up: false,
        });
        self.graph.operations.len() - 1
    }

    /// Adds a subgraph.
    pub fn subgraph(&mut self, inside: Option<usize>, name: impl Into<String>) -> usize {
        self.add(inside, name.into(), Task::Subgraph(None))
    }

    /// Has the subgraph of an instance tried again when it fails, as often as the setting says.
    pub fn try_again(&mut self, subgraph: usize, instance: &str, with: RetryWith) {
        if self.defaults.subgraphs != 0 {
            self.retry_of(
                subgraph,
                SubgraphRetry {
                    instance: instance.to_owned(),
                    with,
                    retries: 0,
                    total_retries: self.defaults.subgraphs,
                },
            );
        }
    }

    /// Says how a subgraph is tried again when it fails.
    pub fn retry_of(&mut self, subgraph: usize, retry: SubgraphRetry) {
        self.graph.operations[subgraph].task = Task::Subgraph(Some(Box::new(retry)));
    }

    /// Has the first call in a subgraph, however deep, wait for some milliseconds.
    pub fn pause_before(&mut self, subgraph: usize, millis: i64) {
        let operations = self.graph.operations.iter_mut().skip(subgraph);
        let mut calls = operations.filter_map(|operation| match &mut operation.task {
            Task::Call(call) => Some(call),
            _ => None,
        });
        if let Some(first) = calls.next() {
            first.pause = millis;
        }
    }

    /// Makes `later` wait for `earlier`.
    pub fn depend(&mut self, later: usize, earlier: usize) {
        let dependencies = &mut self.graph.operations[later].dependencies;
        if later != earlier && !dependencies.contains(&earlier) {
            dependencies.push(earlier);
        }
    }

    /// The places of the members of a subgraph that wait for a call of one of its instances. Members
    /// stand behind their subgraph and before the next one that is in none, so only those are
    /// looked at.
    pub fn after_call(&self, subgraph: usize, operation: &str, instance: &str) -> Vec<usize> {
        let inside = self.graph.operations.iter().enumerate().skip(subgraph + 1);
        let inside = inside.take_while(|(_, operation)| operation.subgraph.is_some());
        let members: Vec<(usize, &Operation)> = inside
            .filter(|(_, known)| known.subgraph == Some(subgraph))
            .collect();
        let found = members.iter().find(|(_, known)| {
            let call = known.call();
            call.is_some_and(|call| call.operation == operation && call.instance == instance)
        });
        let Some((found, _)) = found else {
            return Vec::new();
        };
        let waiting = members
            .iter()
            .filter(|(_, known)| known.dependencies.contains(found));
        waiting.map(|(place, _)| *place).collect()
    }

    /// Makes `later` wait for everything that `like` waits for.
    pub fn depend_like(&mut self, later: usize, like: usize) {
        for earlier in self.graph.operations[like].dependencies.clone() {
            self.depend(later, earlier);
        }
    }

    /// The graph as it is, with everything that was added.
    pub fn into_graph(self) -> Graph {
        self.graph
    }

    /// The finished graph. Subgraphs without members become no-ops, and no-ops that nobody waits
    /// for, or that wait for nobody, are left out.
    pub fn finish(self) -> Graph {
        let mut operations = self.graph.operations;
        let mut members = vec![0_usize; operations.len()];
        for operation in &operations {
            if let Some(place) = operation.subgraph {
                members[place] += 1;
            }
        }
        for (operation, members) in operations.iter_mut().zip(&members) {
            if operation.is_subgraph() && *members == 0 {
                operation.task = Task::Nothing;
            }
        }
        let mut waited_for = vec![0_usize; operations.len()];
        for operation in &operations {
            for place in &operation.dependencies {
                waited_for[*place] += 1;
            }
        }
        let mut waits_for: Vec<usize> = operations
            .iter()
            .map(|operation| operation.dependencies.len())
            .collect();
        let mut dependents = vec![Vec::new(); operations.len()];
        for (place, operation) in operations.iter().enumerate() {
            for earlier in &operation.dependencies {
                dependents[*earlier].push(place);
            }
        }
        let mut keep = vec![true; operations.len()];
        let mut candidates: Vec<usize> = (0..operations.len()).collect();
        while let Some(place) = candidates.pop() {
            let at_an_edge = waits_for[place] == 0 || waited_for[place] == 0;
            if !keep[place] || operations[place].task != Task::Nothing || !at_an_edge {
                continue;
            }
            keep[place] = false;
            for earlier in &operations[place].dependencies {
                waited_for[*earlier] = waited_for[*earlier].saturating_sub(1);
                candidates.push(*earlier);
            }
            for later in &dependents[place] {
                waits_for[*later] = waits_for[*later].saturating_sub(1);
                candidates.push(*later);
            }
        }
        if keep.iter().all(|keep| *keep) {
            return Graph { operations };
        }
        let mut next = 0;
        let places: Vec<Option<usize>> = keep
            .iter()
            .map(|keep| {
                keep.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        let operations = operations
            .into_iter()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(mut operation, _)| {
                operation.dependencies = operation
                    .dependencies
                    .iter()
                    .filter_map(|place| places[*place])
                    .collect();
                operation.subgraph = operation.subgraph.and_then(|place| places[place]);
                operation
            })
            .collect();
        Graph { operations }
    }
}

/// Operations of a subgraph that run one after the other.
#[derive(Clone, Debug)]
pub struct Sequence {
    subgraph: Option<usize>,
    last: Vec<usize>,
}

impl Sequence {
    /// An empty sequence in a subgraph.
    pub const fn new(subgraph: usize) -> Self {
        Self {
            subgraph: Some(subgraph),
            last: Vec::new(),
        }
    }

    /// Adds an operation after what was added last.
    pub fn then(&mut self, builder: &mut Builder, name: impl Into<String>, task: Task) -> usize {
        let place = builder.add(self.subgraph, name.into(), task);
        self.join(builder, vec![place]);
        place
    }

    /// Adds operations that exist already, next to each other, after what was added last.
    pub fn join(&mut self, builder: &mut Builder, places: Vec<usize>) {
        for place in &places {
            for earlier in &self.last {
                builder.depend(*place, *earlier);
            }
        }
        if !places.is_empty() {
            self.last = places;
        }
    }

    /// Adds tasks next to each other after what was added last.
    pub fn fork(&mut self, builder: &mut Builder, tasks: Vec<(String, Task)>) {
        let places = tasks
            .into_iter()
            .map(|(name, task)| builder.add(self.subgraph, name, task))
            .collect();
        self.join(builder, places);
    }
}
