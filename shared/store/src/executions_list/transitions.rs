//! Which status an execution may be reported to have, by whoever runs it.

use crate::executions::Status;

impl Status {
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
