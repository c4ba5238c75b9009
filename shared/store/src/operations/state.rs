//! Where an operation stands, as far as the engine is concerned.
//!
//! Clients that keep operations themselves may write any text as a state; what is none of these
//! words means nothing to the engine.

use serde::{Deserialize, Serialize};

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// Waits for what it depends on.
    Pending,
    /// On its way to whoever runs it.
    Sending,
    /// Waits for whoever runs it.
    Sent,
    /// Runs.
    Started,
    /// Has an answer that was not applied yet: other engines use it, this one never does.
    ResponseSent,
    /// Failed, and waits to be tried again.
    Rescheduled,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
}

impl OperationState {
    /// Every state, in the order in which an operation may come to them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Sending,
        Self::Sent,
        Self::Started,
        Self::ResponseSent,
        Self::Rescheduled,
        Self::Succeeded,
        Self::Failed,
    ];

    /// The word in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Started => "started",
            Self::ResponseSent => "response-sent",
            Self::Rescheduled => "rescheduled",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it is over for good.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// Whether this try of it is over: what the progress of clients' own operations counts.
    pub const fn ends_a_try(self) -> bool {
        self.has_ended() || matches!(self, Self::Rescheduled)
    }

    /// Whether somebody has it, or will soon.
    pub const fn is_with_a_worker(self) -> bool {
        matches!(
            self,
            Self::Sending | Self::Sent | Self::Started | Self::ResponseSent
        )
    }

    /// The states of a set as an SQL list: `('pending', 'sending')`.
    pub fn sql_list(is_in: impl Fn(Self) -> bool) -> String {
        let words: Vec<String> = Self::ALL
            .into_iter()
            .filter(|state| is_in(*state))
            .map(|state| format!("'{}'", state.name()))
            .collect();
        format!("({})", words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_uses_the_words_of_the_database() {
        for state in OperationState::ALL {
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.name(), "{state:?}");
            assert_eq!(OperationState::named(state.name()), Some(state));
        }
    }
}
