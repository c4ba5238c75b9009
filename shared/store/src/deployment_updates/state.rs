//! Where an update stands.

use serde::{Deserialize, Serialize};
use windlass_core::db::Value;

/// Where an update stands, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateState {
    /// It was asked for, and its execution has not begun.
    Updating,
    /// Its execution installs, uninstalls and changes instances.
    ExecutingWorkflow,
    /// Nothing is left but to record the new blueprint.
    Finalizing,
    /// The deployment is of the new blueprint.
    Successful,
    /// Its execution failed or was cancelled, or it was refused. The deployment can be updated again.
    Failed,
    /// Somebody wanted to know what an update would do.
    Preview,
}

impl UpdateState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Updating,
        Self::ExecutingWorkflow,
        Self::Finalizing,
        Self::Successful,
        Self::Failed,
        Self::Preview,
    ];

    /// The word in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::ExecutingWorkflow => "executing_workflow",
            Self::Finalizing => "finalizing",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Preview => "preview",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl From<UpdateState> for Value {
    fn from(state: UpdateState) -> Self {
        Self::from(state.name())
    }
}
