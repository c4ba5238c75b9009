//! Operations of nodes: finding them by name, and reading their definitions.

use crate::plan::Fields;
use serde_json::Value;

/// The plugin that the control plane runs itself. It makes HTTP requests.
pub const HTTP_PLUGIN: &str = "windlass-http";

/// The definition of an operation in a plan.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a>(&'a Value);

impl<'a> Operation<'a> {
    /// Finds an operation of a node by its full or short name. A short name that several interfaces
    /// have does not name an operation.
    pub fn of_node(node: &'a Fields, name: &str) -> Option<Self> {
        node.operation("operations", name).map(Self)
    }

    /// Finds an operation on the source side of a relationship.
    pub fn of_source(relationship: &'a Fields, name: &str) -> Option<Self> {
        relationship.operation("source_operations", name).map(Self)
    }

    /// Finds an operation on the target side of a relationship.
    pub fn of_target(relationship: &'a Fields, name: &str) -> Option<Self> {
        relationship.operation("target_operations", name).map(Self)
    }

    /// Reads a definition that is given as JSON.
    pub const fn from_value(value: &'a Value) -> Self {
        Self(value)
    }

    /// The name of the plugin. It is empty if there is no implementation.
    pub fn plugin(&self) -> &'a str {
        self.0["plugin"].as_str().unwrap_or_default()
    }

    /// The name of the function in the plugin.
    pub fn function(&self) -> &'a str {
        self.0["operation"].as_str().unwrap_or_default()
    }

    /// Whether the operation does nothing.
    pub fn is_noop(&self) -> bool {
        self.function().is_empty()
    }

    /// Whether the control plane runs it itself, with an HTTP request.
    pub fn is_http(&self) -> bool {
        self.plugin() == HTTP_PLUGIN
    }

    /// Who runs it: `central_deployment_agent`, `host_agent` or `auto`. An operation that does
    /// nothing has no executor.
    pub fn executor(&self) -> Option<&'a str> {
        self.0["executor"].as_str()
    }

    /// The inputs. Functions in them are not evaluated.
    pub fn inputs(&self) -> &'a Value {
        &self.0["inputs"]
    }

    /// How often it is tried again after a failure. -1 means without end, `None` means as often as
    /// the system's setting says.
    pub fn max_retries(&self) -> Option<i64> {
        self.0["max_retries"].as_i64()
    }

    /// The seconds between two tries. `None` means the system's setting.
    pub fn retry_interval(&self) -> Option<f64> {
        self.0["retry_interval"].as_f64()
    }

    /// How many seconds it may take.
    pub fn timeout(&self) -> Option<f64> {
        self.0["timeout"].as_f64()
    }

    /// Whether it is tried again after a timeout.
    pub fn timeout_recoverable(&self) -> Option<bool> {
        self.0["timeout_recoverable"].as_bool()
    }
}
