//! Where an execution stands, and which sets of statuses there are.
//!
//! Statements that ask for a set take its words from here, see [`Status::sql_list`].

use serde::{Deserialize, Serialize};
use windlass_core::db::Value;

/// Where an execution stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the API")]
pub enum Status {
    Scheduled,
    Queued,
    #[default]
    Pending,
    Started,
    Cancelling,
    ForceCancelling,
    KillCancelling,
    Terminated,
    Failed,
    Cancelled,
}

impl Status {
    /// Every status, in the order in which an execution may come to them.
    pub const ALL: [Self; 10] = [
        Self::Scheduled,
        Self::Queued,
        Self::Pending,
        Self::Started,
        Self::Cancelling,
        Self::ForceCancelling,
        Self::KillCancelling,
        Self::Terminated,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word in the database and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Cancelling => "cancelling",
            Self::ForceCancelling => "force_cancelling",
            Self::KillCancelling => "kill_cancelling",
            Self::Terminated => "terminated",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether it is over.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Terminated | Self::Failed | Self::Cancelled)
    }

    /// Whether it keeps others of its deployment waiting.
    pub const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Pending
                | Self::Started
                | Self::Cancelling
                | Self::ForceCancelling
                | Self::KillCancelling
        )
    }

    /// Whether it is to end without having succeeded.
    pub const fn is_cancelling(self) -> bool {
        matches!(
            self,
            Self::Cancelling | Self::ForceCancelling | Self::KillCancelling
        )
    }

    /// Whether it runs, or waits for others to end: what its deployment shows as being in progress.
    pub const fn is_in_progress(self) -> bool {
        self.is_active() || matches!(self, Self::Queued)
    }

    /// The statuses of a set as an SQL list: `('pending', 'started')`.
    pub fn sql_list(is_in: impl Fn(Self) -> bool) -> String {
        let words: Vec<String> = Self::ALL
            .into_iter()
            .filter(|status| is_in(*status))
            .map(|status| format!("'{}'", status.name()))
            .collect();
        format!("({})", words.join(", "))
    }

    /// Whether an execution in this status may be reported to have `next`.
    pub const fn can_become(self, next: Self) -> bool {
        if self as u8 == next as u8 {
            return true;
        }
        match self {
            Self::Terminated | Self::Failed | Self::Cancelled => false,
            Self::Cancelling | Self::ForceCancelling => {
                !next.is_active() && !matches!(next, Self::Terminated)
            }
            Self::Scheduled
            | Self::Queued
            | Self::Pending
            | Self::Started
            | Self::KillCancelling => true,
        }
    }
}

impl From<Status> for Value {
    fn from(status: Status) -> Self {
        Self::from(status.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::*;

    #[test]
    fn an_execution_that_is_cancelled_cannot_succeed() {
        for (from, next, allowed) in [
            (Pending, Started, true),
            (Queued, Pending, true),
            (Started, Terminated, true),
            (Started, Failed, true),
            (Started, Queued, true),
            (KillCancelling, Terminated, true),
            (Cancelling, Cancelled, true),
            (Cancelling, Failed, true),
            (Cancelling, Queued, true),
            (Cancelling, Cancelling, true),
            (Cancelling, Terminated, false),
            (Cancelling, Started, false),
            (Cancelling, ForceCancelling, false),
            (ForceCancelling, Cancelled, true),
            (ForceCancelling, Cancelling, false),
            (ForceCancelling, Terminated, false),
            (Terminated, Terminated, true),
            (Terminated, Started, false),
            (Terminated, Failed, false),
            (Failed, Pending, false),
            (Cancelled, Failed, false),
        ] {
            assert_eq!(from.can_become(next), allowed, "{from:?} -> {next:?}");
        }
    }

    #[test]
    fn serde_and_sql_use_the_same_words() {
        for status in Status::ALL {
            let json = serde_json::to_value(status).unwrap();
            assert_eq!(json, status.name(), "{status:?}");
            assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
            assert_eq!(Status::named(status.name()), Some(status));
        }
        assert_eq!(
            Status::sql_list(Status::is_cancelling),
            "('cancelling', 'force_cancelling', 'kill_cancelling')"
        );
    }
}
