//! What a person's update makes of an event.

use super::rules::{check_contact, check_description, check_message, check_title, check_window};
use super::{EventKind, IncidentStatus, InfoStatus, MaintenanceStatus, not_in_the_future, refused};
use crate::events::BAD;
use serde::Deserialize;
use windlass_core::{Error, Result, Timestamp};

/// An event as an update finds it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Standing {
    /// What it is.
    pub kind: EventKind,
    /// Where it stands.
    pub status: String,
    /// How bad it is.
    pub impact: i64,
    /// When it begins or began.
    pub started_at: Timestamp,
    /// When it ends or ended.
    pub ended_at: Option<Timestamp>,
    /// When its latest update happened, the first one and those of monitors left out.
    pub last_update: Option<Timestamp>,
}

/// What a person says about an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch<'a> {
    /// What is told.
    pub message: &'a str,
    /// Where it stands now.
    pub status: &'a str,
    /// When that happened.
    pub update_date: Option<Timestamp>,
    /// The title from now on; absent when it stays.
    pub title: Option<&'a str>,
    /// The description from now on; absent when it stays.
    pub description: Option<&'a str>,
    /// Whom to ask from now on; absent when that stays.
    pub contact_email: Option<&'a str>,
    /// How bad it is from now on; absent when that stays.
    pub impact: Option<i64>,
    /// When it begins instead; absent when that stays.
    pub start_date: Option<Timestamp>,
    /// When it ends instead; absent when that stays.
    pub end_date: Option<Timestamp>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The status that its update has.
    pub update_status: &'static str,
    /// When the update happened.
    pub at: Timestamp,
    /// Where the event stands then.
    pub status: &'static str,
    /// How bad it is then.
    pub impact: i64,
    /// When it begins then.
    pub started_at: Timestamp,
    /// When it ends then.
    pub ended_at: Option<Timestamp>,
}

impl Standing {
    /// What a person's update makes of this event. `is_operator` is whoever may more than change
    /// what they opened themselves.
    ///
    /// # Errors
    /// 400 naming what is wrong; 409 where the event does not stand so that it could.
    pub fn apply(&self, patch: &Patch<'_>, is_operator: bool, now: Timestamp) -> Result<Change> {
        check_message("message", patch.message)?;
        if let Some(title) = patch.title {
            check_title(title)?;
        }
        if patch.description.is_some() {
            check_description(self.kind, patch.description)?;
        }
        if patch.contact_email.is_some() {
            check_contact(self.kind, patch.contact_email)?;
        }
        let at = patch
            .update_date
            .ok_or_else(|| Error::missing("update_date"))?;
        let at = not_in_the_future(at, now)
            .ok_or_else(|| Error::bad_parameters("The date cannot be in the future"))?;
        let change = match self.kind {
            EventKind::Incident => self.apply_to_incident(patch, at, now)?,
            EventKind::Maintenance => self.apply_to_maintenance(patch, at, is_operator)?,
            EventKind::Info => self.apply_to_info(patch, at)?,
        };
        if self.last_update.is_some_and(|last| at <= last) {
            refused("The date cannot be before any other status-update timestamp or equal")?;
        }
        Ok(change)
    }

    fn unchanged(&self, status: &'static str, at: Timestamp) -> Change {
        Change {
            update_status: status,
            at,
            status,
            impact: self.impact,
            started_at: self.started_at,
            ended_at: self.ended_at,
        }
    }

    fn apply_to_incident(
        &self,
        patch: &Patch<'_>,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Change> {
        use IncidentStatus::{Changed, ImpactChanged, Reopened, Resolved};
        let Some(status) = IncidentStatus::named(patch.status) else {
            return Err(Error::bad_parameters("wrong status for incident"));
        };
        let is_open = self.ended_at.is_none();
        if !status.is_for(is_open) {
            return Err(Error::bad_parameters(match is_open {
                true => "wrong status for incident",
                false => "wrong status for closed incident",
            }));
        }
        let mut change = self.unchanged(status.name(), at);
        match patch.impact {
            Some(0) => refused("can not change impact to 0")?,
            Some(impact) if !BAD.contains(&impact) => {
                refused("impact must be between 0 and 3")?;
            }
            Some(impact) if impact != self.impact && status != ImpactChanged => {
                refused("wrong status for changing impact")?;
            }
            Some(impact) => change.impact = impact,
            None if status == ImpactChanged => {
                refused("impact is required with the status impact changed")?;
            }
            None => {}
        }
        let mut dates = (patch.start_date, patch.end_date);
        if is_open {
            if dates.0.is_some() {
                refused("can not change start date for open incident")?;
            }
            match dates.1 {
                Some(_) if status != Resolved => refused("event end_date should be empty")?,
                Some(end) if end != at => refused("wrong end date with resolved status")?,
                _ => {}
            }
        } else if status == Reopened {
            if dates != (None, None) {
                refused("wrong status for closed incident")?;
            }
        } else {
            // A fast clock may be a little ahead here too.
            for date in [&mut dates.0, &mut dates.1].into_iter().flatten() {
                *date = not_in_the_future(*date, now)
                    .ok_or_else(|| Error::bad_parameters("The date cannot be in the future"))?;
            }
            if dates.1.is_none() {
                refused("New end date field cannot be empty")?;
            }
            change.started_at = dates.0.unwrap_or(self.started_at);
            change.ended_at = dates.1;
            check_window(change.started_at, change.ended_at)?;
        }
        if at < change.started_at {
            refused("The date cannot be before the start date")?;
        }
        match status {
            Resolved => change.ended_at = Some(at),
            Reopened => change.ended_at = None,
            // The end was corrected; the incident is as over as before.
            Changed => change.status = Resolved.name(),
            _ => {}
        }
        Ok(change)
    }

    fn apply_to_maintenance(
        &self,
        patch: &Patch<'_>,
        at: Timestamp,
        is_operator: bool,
    ) -> Result<Change> {
        use MaintenanceStatus::{
            Cancelled, Completed, InProgress, Modified, PendingReview, Planned, Reviewed,
        };
        let Some(next) = MaintenanceStatus::named(patch.status) else {
            return Err(Error::bad_parameters("wrong status for maintenance"));
        };
        if patch.impact.is_some_and(|impact| impact != 0) {
            refused("can not change impact for maintenance")?;
        }
        let stands = MaintenanceStatus::named(&self.status)
            .ok_or_else(|| Error::internal(format!("a maintenance is `{}`", self.status)))?;
        let allowed = match is_operator {
            true => stands.can_become(next),
            false => stands.can_become_for_creator(next),
        };
        if !allowed {
            return Err(Error::conflict(
                "status transition not allowed for current event state",
            ));
        }
        let mut change = self.unchanged(next.name(), at);
        match next {
            PendingReview | Reviewed | Planned | Modified => {
                if next == Modified && (patch.start_date, patch.end_date) == (None, None) {
                    refused("New end date field cannot be empty")?;
                }
                change.started_at = patch.start_date.unwrap_or(self.started_at);
                change.ended_at = patch.end_date.or(self.ended_at);
                // Work that goes on is not planned again, unless it is put off.
                if stands == InProgress && change.started_at <= at {
                    change.status = InProgress.name();
                }
            }
            InProgress => {
                // Begun early, it begins when that was said.
                change.started_at = patch.start_date.unwrap_or(self.started_at.min(at));
                if change.started_at > at {
                    refused("The date cannot be before the start date")?;
                }
                change.ended_at = patch.end_date.or(self.ended_at);
            }
            Completed => {
                if patch.start_date.is_some() || patch.end_date.is_some_and(|end| end != at) {
                    refused("wrong status for changing the dates of a maintenance")?;
                }
                if at <= self.started_at {
                    refused("The date cannot be before the start date")?;
                }
                change.ended_at = Some(at);
            }
            Cancelled => {
                if patch.start_date.is_some() || patch.end_date.is_some() {
                    refused("wrong status for changing the dates of a maintenance")?;
                }
                // What was cancelled under way took place until then.
                if self.started_at < at && self.ended_at.is_none_or(|end| end > at) {
                    change.ended_at = Some(at);
                }
            }
        }
        check_window(change.started_at, change.ended_at)?;
        Ok(change)
    }

    fn apply_to_info(&self, patch: &Patch<'_>, at: Timestamp) -> Result<Change> {
        let Some(next) = InfoStatus::named(patch.status) else {
            return Err(Error::bad_parameters("wrong status for info event"));
        };
        if patch.impact.is_some_and(|impact| impact != 0) {
            refused("can not change impact for maintenance")?;
        }
        let stands = InfoStatus::named(&self.status)
            .ok_or_else(|| Error::internal(format!("an announcement is `{}`", self.status)))?;
        if !stands.can_become(next) {
            return Err(Error::conflict(
                "status transition not allowed for current event state",
            ));
        }
        let mut change = self.unchanged(next.name(), at);
        change.started_at = patch.start_date.unwrap_or(self.started_at);
        change.ended_at = patch.end_date.or(self.ended_at);
        if matches!(next, InfoStatus::Completed | InfoStatus::Cancelled) && change.started_at < at {
            change.ended_at = Some(change.ended_at.map_or(at, |end| end.min(at)));
        }
        check_window(change.started_at, change.ended_at)?;
        Ok(change)
    }
}

#[cfg(test)]
mod tests;
