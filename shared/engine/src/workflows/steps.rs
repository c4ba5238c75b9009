//! The building blocks of the lifecycle workflows: steps that vanish with their operation.

use crate::components;
use crate::graph::{Builder, Call, Related, Sequence, Task};
use crate::plan::{Implementation, Instance, Node, Topology};
use serde_json::Map;

/// The plugin that the scheduler runs itself.
use windlass_blueprint::operations::HTTP_PLUGIN;

/// An instance with its node.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Its node.
    pub node: &'a Node,
}

impl<'a> Subject<'a> {
    /// The instance at a place.
    pub fn at(topology: &'a Topology, place: usize) -> Self {
        Self {
            instance: topology.instance(place),
            node: topology.node(place),
        }
    }

    /// Changes the instance's state.
    pub fn state(&self, state: &str) -> (String, Task) {
        let task = Task::SetState {
            instance: self.instance.id.clone(),
            state: state.into(),
        };
        ("SetNodeInstanceStateTask".into(), task)
    }

    /// Tells about the instance.
    pub fn event(&self, text: &str) -> (String, Task) {
        let task = Task::SendEvent {
            instance: self.instance.id.clone(),
            text: text.into(),
        };
        ("SendNodeEventTask".into(), task)
    }

    /// Whether the instance's state is one of these.
    pub fn is_in(&self, states: &[&str]) -> bool {
        states.contains(&self.instance.state.as_str())
    }

    /// The call of one of the node's operations; none for a no-op.
    pub fn call(&self, builder: &Builder, operation: &str) -> Option<(String, Task)> {
        let implementation = self.node.operations.get(operation)?;
        self.call_of(builder, operation, implementation, None)
    }

    /// The call of an operation on this instance; none for a no-op.
    pub fn call_of(
        &self,
        builder: &Builder,
        operation: &str,
        implementation: &Implementation,
        related: Option<Related>,
    ) -> Option<(String, Task)> {
        if implementation.is_noop() {
            return None;
        }
        let plugin = implementation.plugin.clone().unwrap_or_default();
        let function = implementation.operation.clone().unwrap_or_default();
        let is_built_in = plugin == HTTP_PLUGIN;
        // Functions of other plugins are module paths that say where they come from.
        let name = if is_built_in {
            format!("{plugin}.{function}")
        } else {
            function
        };
        let is_ours = is_built_in || components::is_one(&plugin, &name);
        let queue = (!is_ours).then(|| self.queue(implementation));
        let seconds = implementation
            .retry_interval
            .filter(|seconds| seconds.is_finite());
        let call = Call {
            instance: self.instance.id.clone(),
            node: self.node.id.clone(),
            host: self.instance.host_id.clone(),
            related,
            operation: operation.to_owned(),
            plugin,
            executor: implementation.executor.clone(),
            queue,
            inputs: implementation.inputs.clone().unwrap_or_default(),
            has_functions: implementation.has_intrinsic_functions.unwrap_or(true),
            total_retries: implementation
                .max_retries
                .unwrap_or(builder.defaults.retries),
            retry_after: seconds.map_or(builder.defaults.after, milliseconds),
            timeout: implementation.timeout.filter(|seconds| *seconds > 0.0),
            timeout_recoverable: implementation.timeout_recoverable.unwrap_or(false),
            ignore_failure: builder.ignore_failure,
            ..Call::default()
        };
        Some((name, Task::Call(Box::new(call))))
    }

    /// The queue of the worker that is to run an operation: the host's agent by its instance
    /// id, or the workers of the control plane.
    fn queue(&self, implementation: &Implementation) -> String {
        let on_host = match implementation.executor.as_deref() {
            Some("host_agent") => true,
            // What the parser puts in for scripts: on the host where there is an agent.
            Some("auto") => self.node.is_host() && self.node.agent_install_method() != "none",
            _ => false,
        };
        match &self.instance.host_id {
            Some(host) if on_host => host.clone(),
            _ => "central_deployment_agent".into(),
        }
    }
}

/// The longest wait for another try, in seconds: a year. The setting's schema says so too.
const LONGEST_WAIT: f64 = 31_536_000.0;

/// Seconds of a blueprint or a setting as milliseconds, within a year.
pub fn milliseconds(seconds: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "clamped to a year")]
    let millis = (seconds.clamp(0.0, LONGEST_WAIT) * 1000.0) as i64;
    millis
}

/// The steps of one instance, collected before it is known whether there is anything to do.
#[derive(Default)]
pub struct Steps {
    steps: Vec<Step>,
}

enum Step {
    Tasks(Vec<(String, Task)>),
    Place(usize),
}

impl Steps {
    /// Adds tasks that run next to each other.
    pub fn tasks(&mut self, tasks: impl IntoIterator<Item = (String, Task)>) {
        let tasks: Vec<_> = tasks.into_iter().collect();
        if !tasks.is_empty() {
            self.steps.push(Step::Tasks(tasks));
        }
    }

    /// Adds an operation that exists in the graph already.
    pub fn place(&mut self, place: usize) {
        self.steps.push(Step::Place(place));
    }

    /// A call with what goes before and after it; nothing at all when there is no call.
    /// Answers whether there is one.
    pub fn around<const B: usize, const A: usize>(
        &mut self,
        before: [(String, Task); B],
        call: Option<(String, Task)>,
        after: [(String, Task); A],
    ) -> bool {
        let Some(call) = call else {
            return false;
        };
        self.tasks(before);
        self.tasks([call]);
        self.tasks(after);
        true
    }

    /// Puts the steps into a subgraph, one after the other.
    pub fn into_sequence(self, builder: &mut Builder, subgraph: usize) {
        let mut sequence = Sequence::new(subgraph);
        for step in self.steps {
            match step {
                Step::Tasks(tasks) => sequence.fork(builder, tasks),
                Step::Place(place) => sequence.join(builder, vec![place]),
            }
        }
    }
}

/// Inputs of a run over those of the blueprint.
///
/// # Errors
/// The names of declared inputs that would be replaced although that is not allowed.
pub fn merge_inputs(
    implementation: &Implementation,
    inputs: &Map<String, serde_json::Value>,
    allow_override: bool,
) -> Result<Implementation, String> {
    let mut merged = implementation.clone();
    let declared = merged.inputs.get_or_insert_default();
    if !allow_override && let Some(name) = inputs.keys().find(|name| declared.contains_key(*name)) {
        return Err(format!(
            "Duplicate definition of {name} in operation properties and in kwargs. To allow \
             redefinition, pass \"allow_kwargs_override\" to \"execute_operation\""
        ));
    }
    declared.extend(inputs.clone());
    if !inputs.is_empty() {
        merged.has_intrinsic_functions = Some(true);
    }
    Ok(merged)
}
