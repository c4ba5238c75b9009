//! validate_agents and install_new_agents: what hosts do about their agents.
//!
//! The operations belong to the plugin `agent`, so workers run them; where no host has an agent there
//! is nothing to do.

use super::Refusal;
use super::selection::Selection;
use super::steps::{Steps, Subject, merge_inputs};
use crate::graph::Builder;
use crate::plan::Topology;
use serde_json::{Map, Value, json};

const AGENT: &str = "cloudify.interfaces.cloudify_agent";

/// The ways in which an agent is installed; one that is provided is somebody else's.
const INSTALLED: [&str; 3] = ["remote", "plugin", "init_script"];

/// What is done about agents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agents {
    /// The ways to install an agent that count; all when absent.
    pub install_methods: Option<Vec<String>>,
    /// Whether people selected hosts: then each of them must be one with an agent.
    pub is_selected: bool,
    /// Whether it is asked whether agents can be reached.
    pub validate: bool,
    /// Inputs of the installation of new ones, where those are wanted.
    pub install: Option<Map<String, Value>>,
    /// Where agents find the control plane, and what they trust.
    pub manager: [Value; 2],
}

/// Builds the graph: one sequence for each host, and where both are wanted, all validations before
/// the first installation.
///
/// # Errors
/// Selected instances that are no hosts or have no agent, and hosts that are not started.
pub fn build(
    topology: &Topology,
    selection: &Selection,
    agents: &Agents,
    builder: &mut Builder,
) -> Result<(), Refusal> {
    let hosts = hosts(topology, selection, agents)?;
    let mut validation = None;
    if agents.validate {
        let subgraph = builder.subgraph(None, "validate");
        let of_new = agents.install.is_some();
        for host in &hosts {
            validate(
                &Subject::at(topology, *host),
                agents,
                !of_new,
                builder,
                subgraph,
            )?;
        }
        validation = Some(subgraph);
    }
    if let Some(inputs) = &agents.install {
        let subgraph = builder.subgraph(None, "install");
        for host in &hosts {
            install(topology, *host, inputs, builder, subgraph)?;
        }
        if let Some(validation) = validation {
            builder.depend(subgraph, validation);
        }
    }
    Ok(())
}

fn hosts(
    topology: &Topology,
    selection: &Selection,
    agents: &Agents,
) -> Result<Vec<usize>, Refusal> {
    let method = |place: usize| topology.node(place).agent_install_method();
    let mut hosts: Vec<usize> = selection.places().collect();
    if agents.is_selected {
        let wrong: Vec<String> = hosts
            .iter()
            .filter_map(|place| {
                let id = &topology.instance(*place).id;
                match (topology.node(*place).is_host(), method(*place)) {
                    (false, _) => Some(format!("Node instance {id} is not host.")),
                    (true, "none") => Some(format!(
                        "Agent should not be installed on node instance {id}"
                    )),
                    _ => None,
                }
            })
            .collect();
        if !wrong.is_empty() {
            let wrong = wrong.join("\n");
            let text = format!("Specified filters are not correct:\n{wrong}");
            return Err(Refusal(text));
        }
    } else {
        hosts.retain(|place| {
            let counts = match &agents.install_methods {
                Some(methods) => methods.iter().any(|known| known == method(*place)),
                None => INSTALLED.contains(&method(*place)),
            };
            topology.node(*place).is_host() && counts
        });
    }
    let mut states = hosts.iter().map(|place| topology.instance(*place));
    match states.find(|instance| instance.state != "started") {
        None => Ok(hosts),
        Some(instance) => Err(Refusal(format!(
            "Node {} is not started (state: {})",
            instance.id, instance.state
        ))),
    }
}

/// The call of an operation of the agent with inputs over the blueprint's.
fn call(
    subject: &Subject,
    operation: &str,
    inputs: &Map<String, Value>,
    builder: &Builder,
    steps: &mut Steps,
) -> Result<(), Refusal> {
    let operation = format!("{AGENT}.{operation}");
    if let Some(found) = subject.node.operations.get(&operation) {
        let merged = merge_inputs(found, inputs, true).map_err(Refusal)?;
        steps.tasks(subject.call_of(builder, &operation, &merged, None));
    }
    Ok(())
}

fn validate(
    subject: &Subject,
    agents: &Agents,
    is_current: bool,
    builder: &mut Builder,
    subgraph: usize,
) -> Result<(), Refusal> {
    let [ip, certificate] = &agents.manager;
    let inputs = Map::from_iter([
        ("current_amqp".to_owned(), json!(is_current)),
        ("manager_ip".to_owned(), ip.clone()),
        ("manager_certificate".to_owned(), certificate.clone()),
    ]);
    let mut steps = Steps::default();
    steps.tasks([subject.event("Validating agent connection.")]);
    call(subject, "validate_amqp", &inputs, builder, &mut steps)?;
    steps.tasks([subject.event("Validation done")]);
    steps.into_sequence(builder, subgraph);
    Ok(())
}

fn install(
    topology: &Topology,
    host: usize,
    inputs: &Map<String, Value>,
    builder: &mut Builder,
    subgraph: usize,
) -> Result<(), Refusal> {
    let subject = Subject::at(topology, host);
    let mut steps = Steps::default();
    steps.tasks([subject.event("Installing new agent")]);
    call(&subject, "create_amqp", inputs, builder, &mut steps)?;
    steps.tasks([subject.event("New agent installed.")]);
    let current = Map::from_iter([("current_amqp".to_owned(), json!(true))]);
    call(&subject, "validate_amqp", &current, builder, &mut steps)?;
    for place in topology.with_contained(vec![host]) {
        let contained = Subject::at(topology, place);
        steps.tasks(contained.call(builder, "cloudify.interfaces.monitoring.start"));
    }
    steps.into_sequence(builder, subgraph);
    Ok(())
}
