use super::*;

/// Minutes after the noon at which all of this happens.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp::parse("noon", "2026-05-06T12:00:00Z")
        .unwrap()
        .plus_seconds(minutes * 60)
}

#[test]
fn each_status_is_found_by_its_name_and_its_other_spellings() {
    for status in IncidentStatus::ALL {
        assert_eq!(IncidentStatus::named(status.name()), Some(*status));
    }
    for status in MaintenanceStatus::ALL {
        assert_eq!(MaintenanceStatus::named(status.name()), Some(*status));
    }
    for status in InfoStatus::ALL {
        assert_eq!(InfoStatus::named(status.name()), Some(*status));
    }
    for (text, want) in [
        ("analyzing", Some("analysing")),
        ("in progress", Some("in_progress")),
        ("impact_changed", Some("impact changed")),
        ("active", Some("active")),
        ("SYSTEM", None),
        ("", None),
    ] {
        assert_eq!(any_status(text), want, "{text}");
    }
}

#[test]
fn an_open_incident_goes_on_and_a_closed_one_is_corrected() {
    use IncidentStatus::*;
    for (status, when_open, when_closed) in [
        (Detected, true, false),
        (Analysing, true, false),
        (Fixing, true, false),
        (ImpactChanged, true, false),
        (Observing, true, false),
        (Resolved, true, false),
        (Reopened, false, true),
        (Changed, false, true),
    ] {
        let allowed = (status.is_for(true), status.is_for(false));
        assert_eq!(allowed, (when_open, when_closed), "{status:?}");
    }
}

#[test]
fn a_maintenance_never_comes_back() {
    use MaintenanceStatus::*;
    for (from, next, operator, creator) in [
        (PendingReview, PendingReview, true, true),
        (PendingReview, Cancelled, true, true),
        (PendingReview, Reviewed, true, false),
        (PendingReview, Planned, true, false),
        (PendingReview, Modified, true, false),
        (PendingReview, InProgress, false, false),
        (Planned, PendingReview, false, false),
        (Planned, InProgress, true, false),
        (Planned, Completed, true, false),
        (Modified, Cancelled, true, false),
        (InProgress, Planned, false, false),
        (InProgress, Modified, true, false),
        (InProgress, Completed, true, false),
        (Completed, Modified, false, false),
        (Completed, InProgress, false, false),
        (Cancelled, Planned, false, false),
        (Cancelled, Cancelled, false, false),
    ] {
        let allowed = (from.can_become(next), from.can_become_for_creator(next));
        assert_eq!(allowed, (operator, creator), "{from:?} -> {next:?}");
    }
}

#[test]
fn what_is_new_must_be_able_to_begin() {
    use EventKind::*;
    for (kind, impact, start, end, want) in [
        (Incident, 1, 0, None, Ok(at(0))),
        (Incident, 3, -1000, None, Ok(at(-1000))),
        (
            Incident,
            0,
            0,
            None,
            Err("impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'"),
        ),
        (Incident, 4, 0, None, Err("impact must be between 0 and 3")),
        (Incident, -1, 0, None, Err("impact must be between 0 and 3")),
        (
            Incident,
            1,
            0,
            Some(5),
            Err("event end_date should be empty"),
        ),
        (
            Incident,
            1,
            1,
            None,
            Err("event start_date should not be in the future"),
        ),
        (Maintenance, 0, 5, Some(6), Ok(at(5))),
        (Maintenance, 0, -6, Some(-5), Ok(at(-6))),
        (
            Maintenance,
            1,
            5,
            Some(6),
            Err("impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'"),
        ),
        (
            Maintenance,
            0,
            5,
            None,
            Err("maintenance end_date is empty"),
        ),
        (
            Maintenance,
            0,
            5,
            Some(5),
            Err("Start date cannot be later than or equal to the end date"),
        ),
        (Info, 0, 5, None, Ok(at(5))),
        (
            Info,
            0,
            5,
            Some(4),
            Err("Start date cannot be later than or equal to the end date"),
        ),
        (
            Info,
            2,
            5,
            None,
            Err("impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'"),
        ),
    ] {
        let told = check_new(kind, impact, at(start), end.map(at), at(0));
        let told = told.map_err(|error| error.message().to_owned());
        let want = want.map_err(str::to_owned);
        assert_eq!(told, want, "{kind:?} {impact} {start} {end:?}");
    }
}

#[test]
fn whom_to_ask_is_an_address() {
    use EventKind::{Incident, Maintenance};
    let long = format!("{}@example.com", "x".repeat(250));
    for (kind, email, want) in [
        (Incident, None, Ok(())),
        (Incident, Some(""), Ok(())),
        (Maintenance, Some("anna@example.com"), Ok(())),
        (Maintenance, Some("anna+night@ops.example.co.uk"), Ok(())),
        (
            Maintenance,
            None,
            Err("contact_email is required for maintenance"),
        ),
        (
            Maintenance,
            Some(""),
            Err("contact_email is required for maintenance"),
        ),
        (
            Maintenance,
            Some("anna"),
            Err("contact_email has invalid format"),
        ),
        (
            Maintenance,
            Some("anna@"),
            Err("contact_email has invalid format"),
        ),
        (
            Maintenance,
            Some("@example.com"),
            Err("contact_email has invalid format"),
        ),
        (
            Maintenance,
            Some("anna@localhost"),
            Err("contact_email has invalid format"),
        ),
        (
            Maintenance,
            Some("anna@a@example.com"),
            Err("contact_email has invalid format"),
        ),
        (
            Maintenance,
            Some("anna@example.com\r\nBcc: all@example.com"),
            Err("contact_email has invalid format"),
        ),
        (
            Incident,
            Some(long.as_str()),
            Err("contact_email has invalid format"),
        ),
    ] {
        let told = check_contact(kind, email).map_err(|error| error.message().to_owned());
        assert_eq!(told, want.map_err(str::to_owned), "{kind:?} {email:?}");
    }
}

#[test]
fn the_clock_makes_up_for_what_it_missed() {
    use EventKind::{Incident, Info, Maintenance};
    for (kind, status, from, to, steps, next) in [
        (Maintenance, "planned", 10, Some(20), vec![], Some(10)),
        (
            Maintenance,
            "planned",
            0,
            Some(20),
            vec![("in_progress", 0)],
            Some(20),
        ),
        (
            Maintenance,
            "planned",
            -20,
            Some(-10),
            vec![("in_progress", -20), ("completed", -10)],
            None,
        ),
        (
            Maintenance,
            "modified",
            -20,
            Some(10),
            vec![("in_progress", -20)],
            Some(10),
        ),
        (Maintenance, "in_progress", -20, Some(10), vec![], Some(10)),
        (
            Maintenance,
            "in_progress",
            -20,
            Some(0),
            vec![("completed", 0)],
            None,
        ),
        (
            Maintenance,
            "reviewed",
            10,
            Some(20),
            vec![("planned", 0)],
            Some(10),
        ),
        (
            Maintenance,
            "reviewed",
            -20,
            Some(-10),
            vec![("planned", -20), ("in_progress", -20), ("completed", -10)],
            None,
        ),
        (Maintenance, "pending_review", -20, Some(-10), vec![], None),
        (Maintenance, "completed", -20, Some(-10), vec![], None),
        (Maintenance, "cancelled", -20, Some(-10), vec![], None),
        (Info, "planned", -20, None, vec![("active", -20)], None),
        (Info, "active", -20, Some(-1), vec![("completed", -1)], None),
        (Info, "cancelled", -20, Some(-1), vec![], None),
        (Incident, "fixing", -20, None, vec![], None),
    ] {
        let (made, then) = due(kind, status, at(from), to.map(at), at(0));
        let made: Vec<_> = made.iter().map(|step| (step.status, step.at)).collect();
        let steps: Vec<_> = steps
            .into_iter()
            .map(|(status, when)| (status, at(when)))
            .collect();
        assert_eq!(
            (made, then),
            (steps, next.map(at)),
            "{kind:?} {status} {from} {to:?}"
        );
    }
}
