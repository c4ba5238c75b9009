use super::*;
use crate::lifecycle::tests::at;
use windlass_core::Kind;

mod maintenances;

fn incident(ended_at: Option<i64>) -> Standing {
    Standing {
        kind: EventKind::Incident,
        status: "analysing".into(),
        impact: 1,
        started_at: at(-60),
        ended_at: ended_at.map(at),
        last_update: Some(at(-30)),
    }
}

fn maintenance(status: &str, from: i64, to: i64) -> Standing {
    Standing {
        kind: EventKind::Maintenance,
        status: status.into(),
        impact: 0,
        started_at: at(from),
        ended_at: Some(at(to)),
        last_update: Some(at(-200)),
    }
}

fn patch(status: &str) -> Patch<'_> {
    Patch {
        message: "We know more now.",
        status,
        update_date: Some(at(0)),
        ..Patch::default()
    }
}

/// What an update comes to: the change, or status code and text.
fn outcome(standing: &Standing, patch: &Patch<'_>) -> Result<Change, (u16, String)> {
    let told = standing.apply(patch, true, at(0));
    told.map_err(|error| (error.kind().wire().0, error.message().to_owned()))
}

#[test]
fn an_incident_becomes_what_its_update_says() {
    let same = |status| Change {
        update_status: status,
        at: at(0),
        status,
        impact: 1,
        started_at: at(-60),
        ended_at: None,
    };
    for (what, standing, patch, want) in [
        ("goes on", incident(None), patch("fixing"), same("fixing")),
        (
            "in the other spelling",
            incident(None),
            patch("analyzing"),
            same("analysing"),
        ),
        (
            "is worse",
            incident(None),
            Patch {
                impact: Some(3),
                ..patch("impact changed")
            },
            Change {
                impact: 3,
                ..same("impact changed")
            },
        ),
        (
            "says its impact again",
            incident(None),
            Patch {
                impact: Some(1),
                ..patch("observing")
            },
            same("observing"),
        ),
        (
            "is over",
            incident(None),
            Patch {
                update_date: Some(at(-10)),
                ..patch("resolved")
            },
            Change {
                at: at(-10),
                ended_at: Some(at(-10)),
                ..same("resolved")
            },
        ),
        (
            "is not over",
            incident(Some(-20)),
            patch("reopened"),
            same("reopened"),
        ),
        (
            "was over earlier",
            incident(Some(-20)),
            Patch {
                end_date: Some(at(-25)),
                ..patch("changed")
            },
            Change {
                status: "resolved",
                ended_at: Some(at(-25)),
                ..same("changed")
            },
        ),
        (
            "was all at another time",
            incident(Some(-20)),
            Patch {
                start_date: Some(at(-90)),
                end_date: Some(at(-50)),
                ..patch("changed")
            },
            Change {
                status: "resolved",
                started_at: at(-90),
                ended_at: Some(at(-50)),
                ..same("changed")
            },
        ),
        (
            "is told by a clock that is fast",
            incident(None),
            Patch {
                update_date: Some(at(0).plus_seconds(4)),
                ..patch("resolved")
            },
            Change {
                ended_at: Some(at(0)),
                ..same("resolved")
            },
        ),
    ] {
        assert_eq!(outcome(&standing, &patch), Ok(want), "an incident {what}");
    }
}

#[test]
fn an_incident_refuses_what_cannot_be() {
    let long = "x".repeat(201);
    let description = "x".repeat(1501);
    for (what, standing, patch, want) in [
        (
            "no message",
            incident(None),
            Patch {
                message: "",
                ..patch("fixing")
            },
            "message must have 10 to 200 characters, has 0",
        ),
        (
            "a short message",
            incident(None),
            Patch {
                message: "  too short  ",
                ..patch("fixing")
            },
            "message must have 10 to 200 characters, has 9",
        ),
        (
            "a long message",
            incident(None),
            Patch {
                message: &long,
                ..patch("fixing")
            },
            "message must have 10 to 200 characters, has 201",
        ),
        (
            "a short title",
            incident(None),
            Patch {
                title: Some("1234567"),
                ..patch("fixing")
            },
            "title must have 8 to 200 characters, has 7",
        ),
        (
            "a long title",
            incident(None),
            Patch {
                title: Some(&long),
                ..patch("fixing")
            },
            "title must have 8 to 200 characters, has 201",
        ),
        (
            "an unprintable message",
            incident(None),
            Patch {
                message: "We know\nmore now.\0",
                ..patch("fixing")
            },
            "message must not hold control characters",
        ),
        (
            "two lines of title",
            incident(None),
            Patch {
                title: Some("a title\nin two"),
                ..patch("fixing")
            },
            "title must not hold control characters",
        ),
        (
            "a long description",
            incident(None),
            Patch {
                description: Some(&description),
                ..patch("fixing")
            },
            "event description should be 1500 characters or fewer",
        ),
        (
            "an unknown status",
            incident(None),
            patch("planned"),
            "wrong status for incident",
        ),
        (
            "a status of the closed",
            incident(None),
            patch("reopened"),
            "wrong status for incident",
        ),
        (
            "the other status of the closed",
            incident(None),
            patch("changed"),
            "wrong status for incident",
        ),
        (
            "a status of the open",
            incident(Some(-20)),
            patch("fixing"),
            "wrong status for closed incident",
        ),
        (
            "another impact by the way",
            incident(None),
            Patch {
                impact: Some(2),
                ..patch("fixing")
            },
            "wrong status for changing impact",
        ),
        (
            "no impact",
            incident(None),
            patch("impact changed"),
            "impact is required with the status impact changed",
        ),
        (
            "an impact of nothing",
            incident(None),
            Patch {
                impact: Some(0),
                ..patch("impact changed")
            },
            "can not change impact to 0",
        ),
        (
            "an unknown impact",
            incident(None),
            Patch {
                impact: Some(4),
                ..patch("impact changed")
            },
            "impact must be between 0 and 3",
        ),
        (
            "another impact of the closed",
            incident(Some(-20)),
            Patch {
                impact: Some(2),
                ..patch("reopened")
            },
            "wrong status for changing impact",
        ),
        (
            "another start",
            incident(None),
            Patch {
                start_date: Some(at(-5)),
                ..patch("fixing")
            },
            "can not change start date for open incident",
        ),
        (
            "an end without being over",
            incident(None),
            Patch {
                end_date: Some(at(-5)),
                ..patch("fixing")
            },
            "event end_date should be empty",
        ),
        (
            "an end at another time",
            incident(None),
            Patch {
                end_date: Some(at(-5)),
                ..patch("resolved")
            },
            "wrong end date with resolved status",
        ),
        (
            "dates of the reopened",
            incident(Some(-20)),
            Patch {
                end_date: Some(at(-5)),
                ..patch("reopened")
            },
            "wrong status for closed incident",
        ),
        (
            "no new end",
            incident(Some(-20)),
            patch("changed"),
            "New end date field cannot be empty",
        ),
        (
            "a new end before the start",
            incident(Some(-20)),
            Patch {
                end_date: Some(at(-60)),
                ..patch("changed")
            },
            "Start date cannot be later than or equal to the end date",
        ),
        (
            "a new end in the future",
            incident(Some(-20)),
            Patch {
                end_date: Some(at(1)),
                ..patch("changed")
            },
            "The date cannot be in the future",
        ),
        (
            "an update in the future",
            incident(None),
            Patch {
                update_date: Some(at(1)),
                ..patch("fixing")
            },
            "The date cannot be in the future",
        ),
        (
            "no date",
            incident(None),
            Patch {
                update_date: None,
                ..patch("fixing")
            },
            "Missing update_date in json request body",
        ),
        (
            "an update before the start",
            incident(None),
            Patch {
                update_date: Some(at(-61)),
                ..patch("fixing")
            },
            "The date cannot be before the start date",
        ),
        (
            "an update before another",
            incident(None),
            Patch {
                update_date: Some(at(-31)),
                ..patch("fixing")
            },
            "The date cannot be before any other status-update timestamp or equal",
        ),
        (
            "an update with another",
            incident(None),
            Patch {
                update_date: Some(at(-30)),
                ..patch("fixing")
            },
            "The date cannot be before any other status-update timestamp or equal",
        ),
    ] {
        assert_eq!(
            outcome(&standing, &patch),
            Err((400, want.to_owned())),
            "{what}"
        );
    }
}
