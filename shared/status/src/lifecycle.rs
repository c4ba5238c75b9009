//! The life of an event: which status may follow which, what a person may say of it and when.
//!
//! Pure: no clock and no database. An *incident* is open until somebody resolves it, and then takes
//! only what corrects its end. A *maintenance* has a window that the clock follows by itself; one
//! that still has to be reviewed is invisible to the public. An *info* is a maintenance without work.

use super::events::EventKind;
use windlass_core::{Error, Result, Timestamp};

mod patch;
mod rules;

pub use patch::{Change, Patch, Standing};
pub use rules::{
    check_contact, check_description, check_message, check_new, check_system_title, check_title,
};

/// How far a client's clock may be ahead: what is said to happen until then happens now.
const CLOCK_SKEW_SECONDS: i64 = 5;

windlass_core::named_enum! {
    /// What an incident's update says.
    pub enum IncidentStatus {
        /// It was noticed.
        Detected = "detected",
        /// Its cause is looked for.
        Analysing = "analysing" | "analyzing",
        /// The cause is known.
        Fixing = "fixing",
        /// It is worse or better than was said.
        ImpactChanged = "impact changed" | "impact_changed",
        /// It seems to be over.
        Observing = "observing",
        /// It is over.
        Resolved = "resolved",
        /// It was not over.
        Reopened = "reopened",
        /// It was over at another time than was said.
        Changed = "changed",
    }

    /// Where a maintenance stands.
    pub enum MaintenanceStatus {
        /// Somebody proposes it.
        PendingReview = "pending_review" | "pending review",
        /// It was agreed to; the clock plans it.
        Reviewed = "reviewed",
        /// It will take place.
        Planned = "planned",
        /// It will take place at another time than was said.
        Modified = "modified",
        /// It takes place.
        InProgress = "in_progress" | "in progress",
        /// It took place.
        Completed = "completed",
        /// It does not take place, or not any more.
        Cancelled = "cancelled" | "canceled",
    }

    /// Where an announcement stands.
    pub enum InfoStatus {
        /// It will count.
        Planned = "planned",
        /// It counts.
        Active = "active",
        /// It counted.
        Completed = "completed",
        /// It never came to count, or does not any more.
        Cancelled = "cancelled" | "canceled",
    }
}

impl IncidentStatus {
    /// Whether an update of an incident that is open, or is not, may have this status.
    pub fn is_for(self, is_open: bool) -> bool {
        use IncidentStatus::*;
        match self {
            Detected | Analysing | Fixing | ImpactChanged | Observing | Resolved => is_open,
            Reopened | Changed => !is_open,
        }
    }
}

impl MaintenanceStatus {
    /// Whether a person may take a maintenance from here to `next`.
    pub fn can_become(self, next: Self) -> bool {
        use MaintenanceStatus::*;
        match self {
            PendingReview => !matches!(next, InProgress | Completed),
            Reviewed | Planned | Modified => next != PendingReview,
            InProgress => matches!(next, InProgress | Modified | Completed | Cancelled),
            Completed | Cancelled => false,
        }
    }

    /// Whether whoever proposed a maintenance may do the same without being an operator.
    pub fn can_become_for_creator(self, next: Self) -> bool {
        use MaintenanceStatus::*;
        match self {
            PendingReview => matches!(next, PendingReview | Cancelled),
            Reviewed | Planned | Modified | InProgress | Completed | Cancelled => false,
        }
    }

    /// Whether the public sees it.
    pub fn is_public(self) -> bool {
        use MaintenanceStatus::*;
        match self {
            PendingReview | Reviewed => false,
            Planned | Modified | InProgress | Completed | Cancelled => true,
        }
    }
}

impl InfoStatus {
    /// Whether a person may take an announcement from here to `next`.
    pub fn can_become(self, next: Self) -> bool {
        use InfoStatus::*;
        match self {
            Planned => true,
            Active => next != Planned,
            Completed | Cancelled => matches!(next, Completed | Cancelled) && next == self,
        }
    }
}

/// Whether any kind of event has a status of this name; its spelling in the database.
pub fn any_status(text: &str) -> Option<&'static str> {
    IncidentStatus::named(text)
        .map(IncidentStatus::name)
        .or_else(|| MaintenanceStatus::named(text).map(MaintenanceStatus::name))
        .or_else(|| InfoStatus::named(text).map(InfoStatus::name))
}

/// The status that a new event begins with, and what its first update says. What somebody merely
/// proposes has to be reviewed first.
pub fn beginning(kind: EventKind, is_operator: bool) -> (&'static str, &'static str) {
    match (kind, is_operator) {
        (EventKind::Incident, _) => (
            IncidentStatus::Detected.name(),
            "The incident was detected.",
        ),
        (EventKind::Maintenance, true) => (
            MaintenanceStatus::Planned.name(),
            "The maintenance is planned.",
        ),
        (EventKind::Maintenance, false) => (
            MaintenanceStatus::PendingReview.name(),
            "The maintenance waits for its review.",
        ),
        (EventKind::Info, _) => (InfoStatus::Planned.name(), "The announcement is planned."),
    }
}

/// One step that the clock makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The status it leads to.
    pub status: &'static str,
    /// What its update says.
    pub text: &'static str,
    /// When it was due.
    pub at: Timestamp,
}

/// The steps that an event with this status and window should have made by now, missed ones
/// included, and when the next one is due.
pub fn due(
    kind: EventKind,
    status: &str,
    start: Timestamp,
    end: Option<Timestamp>,
    now: Timestamp,
) -> (Vec<Step>, Option<Timestamp>) {
    use MaintenanceStatus::{InProgress, Modified, Planned, Reviewed};
    let info = kind == EventKind::Info;
    let (reviewed, begun) = match kind {
        EventKind::Incident => return (Vec::new(), None),
        EventKind::Maintenance => match MaintenanceStatus::named(status) {
            Some(Reviewed) => (true, false),
            Some(Planned | Modified) => (false, false),
            Some(InProgress) => (false, true),
            _ => return (Vec::new(), None),
        },
        EventKind::Info => match InfoStatus::named(status) {
            Some(InfoStatus::Planned) => (false, false),
            Some(InfoStatus::Active) => (false, true),
            _ => return (Vec::new(), None),
        },
    };
    let mut steps = Vec::new();
    if reviewed {
        steps.push(Step {
            status: Planned.name(),
            text: "The maintenance is planned.",
            at: start.min(now),
        });
    }
    if !begun {
        if start > now {
            return (steps, Some(start));
        }
        steps.push(Step {
            status: if info {
                InfoStatus::Active.name()
            } else {
                InProgress.name()
            },
            text: if info {
                "The announcement counts."
            } else {
                "The maintenance is in progress."
            },
            at: start,
        });
    }
    match end {
        Some(end) if end <= now => {
            steps.push(Step {
                status: InfoStatus::Completed.name(),
                text: if info {
                    "The announcement is over."
                } else {
                    "The maintenance is successfully completed."
                },
                at: end,
            });
            (steps, None)
        }
        later => (steps, later),
    }
}

/// A moment that a client says is past, which a fast clock may have put a little ahead.
fn not_in_the_future(at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    (at <= now.plus_seconds(CLOCK_SKEW_SECONDS)).then(|| at.min(now))
}

fn refused(text: &'static str) -> Result<()> {
    Err(Error::bad_parameters(text))
}

#[cfg(test)]
mod tests;
