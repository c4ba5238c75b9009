//! Operations of nodes: finding one by name, and what its definition says.

use crate::plan::Fields;
use serde_json::Value;

/// The plugin that the control plane runs itself, by outbound HTTP.
pub const HTTP_PLUGIN: &str = "windlass-http";

/// An operation's definition in a plan.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a>(&'a Value);

impl<'a> Operation<'a> {
    /// The operation of this full or short name. A short name that several interfaces have
    /// is no operation's name.
    pub fn of_node(node: &'a Fields, name: &str) -> Option<Self> {
        node.operation("operations", name).map(Self)
    }

    /// The same for a relationship's source side.
    pub fn of_source(relationship: &'a Fields, name: &str) -> Option<Self> {
        relationship.operation("source_operations", name).map(Self)
    }

    /// The same for a relationship's target side.
    pub fn of_target(relationship: &'a Fields, name: &str) -> Option<Self> {
        relationship.operation("target_operations", name).map(Self)
    }

    /// Wraps an operation's JSON.
    pub const fn from_value(value: &'a Value) -> Self {
        Self(value)
    }

    /// The plugin; empty for an operation without an implementation.
    pub fn plugin(&self) -> &'a str {
        self.0["plugin"].as_str().unwrap_or_default()
    }

    /// The function of the plugin.
    pub fn function(&self) -> &'a str {
        self.0["operation"].as_str().unwrap_or_default()
    }

    /// Whether nothing is to be run.
    pub fn is_noop(&self) -> bool {
        self.function().is_empty()
    }

    /// Whether the control plane runs it by outbound HTTP.
    pub fn is_http(&self) -> bool {
        self.plugin() == HTTP_PLUGIN
    }

    /// Who runs it: `central_deployment_agent`, `host_agent`, `auto`; `None` for a no-op.
    pub fn executor(&self) -> Option<&'a str> {
        self.0["executor"].as_str()
    }

    /// The inputs, with functions still in them.
    pub fn inputs(&self) -> &'a Value {
        &self.0["inputs"]
    }

    /// How often it is tried again: -1 for ever, `None` for the system's setting.
    pub fn max_retries(&self) -> Option<i64> {
        self.0["max_retries"].as_i64()
    }

    /// Seconds between tries, `None` for the system's setting.
    pub fn retry_interval(&self) -> Option<f64> {
        self.0["retry_interval"].as_f64()
    }

    /// Seconds it may take.
    pub fn timeout(&self) -> Option<f64> {
        self.0["timeout"].as_f64()
    }

    /// Whether it is tried again after a timeout.
    pub fn timeout_recoverable(&self) -> Option<bool> {
        self.0["timeout_recoverable"].as_bool()
    }
}
