//! execute_operation: one operation on the selected instances that have it. No state changes.

use super::Refusal;
use super::relationships::{self, Direction};
use super::selection::Selection;
use super::steps::{Steps, Subject, merge_inputs};
use crate::graph::Builder;
use crate::plan::Topology;
use serde_json::{Map, Value};

/// What is to be run.
pub struct Order<'a> {
    /// The operation's full or short name.
    pub operation: &'a str,
    /// Inputs over those of the blueprint.
    pub inputs: &'a Map<String, Value>,
    /// Whether those may replace declared ones.
    pub allow_override: bool,
    /// Whether targets go before their dependents.
    pub by_dependency: bool,
}

/// Builds the graph: one subgraph for each instance.
///
/// # Errors
/// Inputs that would replace declared ones although that is not allowed.
pub fn build(
    topology: &Topology,
    selection: &Selection,
    order: &Order,
    builder: &mut Builder,
) -> Result<(), Refusal> {
    let Order {
        operation, inputs, ..
    } = order;
    let mut begin = format!("Starting operation {operation}");
    if !inputs.is_empty() {
        let shown = windlass_core::python::repr(&Value::Object((*inputs).clone()));
        begin.push_str(&format!(" (Operation parameters: {shown})"));
    }
    let end = format!("Finished operation {operation}");
    let mut subgraphs = Vec::with_capacity(topology.len());
    for place in 0..topology.len() {
        let subject = Subject::at(topology, place);
        let subgraph = builder.subgraph(None, subject.instance.id.clone());
        subgraphs.push(subgraph);
        let implementation = subject.node.operations.get(*operation);
        let Some(implementation) = implementation.filter(|_| selection.contains(place)) else {
            continue;
        };
        let mut steps = Steps::default();
        steps.tasks([subject.event(&begin)]);
        if !implementation.is_noop() {
            let merged =
                merge_inputs(implementation, inputs, order.allow_override).map_err(Refusal)?;
            steps.tasks(subject.call_of(builder, operation, &merged, None));
        }
        steps.tasks([subject.event(&end)]);
        steps.into_sequence(builder, subgraph);
    }
    if order.by_dependency {
        relationships::order(
            topology,
            selection,
            &subgraphs,
            Direction::TargetsFirst,
            builder,
        );
    }
    Ok(())
}
