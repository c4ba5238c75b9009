//! Where an execution stands, and which sets of statuses there are.

/// Where an execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the API")]
pub enum Status {
    Scheduled,
    Queued,
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
    const ALL: [Self; 10] = [
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
}
