//! Where an update of plugins stands.

use serde::{Deserialize, Serialize};
use windlass_core::db::Value;

/// Where an update stands, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginsUpdateState {
    /// It was asked for, and its execution has not begun.
    Updating,
    /// Its execution updates deployments.
    ExecutingWorkflow,
    /// Nothing is left but to give the blueprint its new plan.
    Finalizing,
    /// The blueprint and its deployments have the new plugins.
    Successful,
    /// Its execution failed or was cancelled.
    Failed,
    /// There were no newer plugins.
    NoChangesRequired,
}

impl PluginsUpdateState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Updating,
        Self::ExecutingWorkflow,
        Self::Finalizing,
        Self::Successful,
        Self::Failed,
        Self::NoChangesRequired,
    ];

    /// The states in which no other update of the same blueprint may begin, as a list in SQL.
    pub(super) const ACTIVE: &str = "('updating', 'executing_workflow', 'finalizing')";

    /// The word in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::ExecutingWorkflow => "executing_workflow",
            Self::Finalizing => "finalizing",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::NoChangesRequired => "no_changes_required",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it has ended.
    pub const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Successful | Self::Failed | Self::NoChangesRequired
        )
    }
}

impl From<PluginsUpdateState> for Value {
    fn from(state: PluginsUpdateState) -> Self {
        Self::from(state.name())
    }
}
