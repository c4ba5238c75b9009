//! What a host does besides its lifecycle: it becomes reachable, gets an agent, loses it again.
//!
//! The operations of the agent belong to the plugin `agent`, so workers run them.

use super::steps::{Steps, Subject};
use crate::graph::Builder;

const AGENT: &str = "cloudify.interfaces.cloudify_agent";
const MONITORING: &str = "cloudify.interfaces.monitoring_agent";

/// Ways to install an agent in which the host fetches it itself.
const BY_SCRIPT: [&str; 3] = ["provided", "plugin", "init_script"];

/// After `start`: wait for the host, create the agent.
pub fn after_start(subject: &Subject, builder: &Builder, steps: &mut Steps) {
    steps.tasks(subject.call(builder, "cloudify.interfaces.host.get_state"));
    let method = subject.node.agent_install_method();
    if method != "none" {
        steps.tasks([subject.event("Creating agent")]);
        steps.tasks(subject.call(builder, &format!("{AGENT}.create")));
        steps.tasks([subject.event("Agent created")]);
        if ["plugin", "init_script"].contains(&method) {
            steps.tasks([subject.event("Waiting for agent to start")]);
            steps.tasks(subject.call(builder, &format!("{AGENT}.start")));
            steps.tasks([subject.event("Agent started")]);
        }
    }
    steps.tasks(subject.call(builder, &format!("{MONITORING}.install")));
    steps.tasks(subject.call(builder, &format!("{MONITORING}.start")));
}

/// Before `stop`: take the agent away.
pub fn before_stop(subject: &Subject, builder: &Builder, steps: &mut Steps) {
    steps.tasks(subject.call(builder, &format!("{MONITORING}.stop")));
    steps.tasks(subject.call(builder, &format!("{MONITORING}.uninstall")));
    let method = subject.node.agent_install_method();
    if method == "none" {
        return;
    }
    steps.tasks([subject.event("Stopping agent")]);
    let stop = if BY_SCRIPT.contains(&method) {
        "stop_amqp"
    } else {
        "stop"
    };
    steps.tasks(subject.call(builder, &format!("{AGENT}.{stop}")));
    steps.tasks([subject.event("Deleting agent")]);
    steps.tasks(subject.call(builder, &format!("{AGENT}.delete")));
    steps.tasks([subject.event("Agent deleted")]);
}
