//! Updates of maintenances and announcements.

use super::*;

#[test]
fn a_maintenance_keeps_its_window_in_order() {
    let same = |status, from, to| Change {
        update_status: status,
        at: at(0),
        status,
        impact: 0,
        started_at: at(from),
        ended_at: Some(at(to)),
    };
    for (what, standing, patch, want) in [
        (
            "is put off",
            maintenance("planned", 10, 20),
            Patch {
                start_date: Some(at(30)),
                end_date: Some(at(40)),
                ..patch("modified")
            },
            Ok(same("modified", 30, 40)),
        ),
        (
            "takes longer",
            maintenance("in_progress", -10, 20),
            Patch {
                end_date: Some(at(40)),
                ..patch("modified")
            },
            Ok(Change {
                status: "in_progress",
                ..same("modified", -10, 40)
            }),
        ),
        (
            "is modified into nothing else",
            maintenance("planned", 10, 20),
            patch("modified"),
            Err((400, "New end date field cannot be empty")),
        ),
        (
            "ends before it begins",
            maintenance("planned", 10, 20),
            Patch {
                end_date: Some(at(10)),
                ..patch("modified")
            },
            Err((
                400,
                "Start date cannot be later than or equal to the end date",
            )),
        ),
        (
            "begins early",
            maintenance("planned", 10, 20),
            patch("in progress"),
            Ok(same("in_progress", 0, 20)),
        ),
        (
            "begins in time",
            maintenance("planned", -1, 20),
            patch("in_progress"),
            Ok(same("in_progress", -1, 20)),
        ),
        (
            "begins later than now",
            maintenance("planned", 10, 20),
            Patch {
                start_date: Some(at(5)),
                ..patch("in_progress")
            },
            Err((400, "The date cannot be before the start date")),
        ),
        (
            "is done early",
            maintenance("in_progress", -10, 20),
            patch("completed"),
            Ok(same("completed", -10, 0)),
        ),
        (
            "is done before it began",
            maintenance("planned", 10, 20),
            patch("completed"),
            Err((400, "The date cannot be before the start date")),
        ),
        (
            "is done at another time",
            maintenance("in_progress", -10, 20),
            Patch {
                end_date: Some(at(5)),
                ..patch("completed")
            },
            Err((400, "wrong status for changing the dates of a maintenance")),
        ),
        (
            "is called off",
            maintenance("planned", 10, 20),
            patch("cancelled"),
            Ok(same("cancelled", 10, 20)),
        ),
        (
            "is broken off",
            maintenance("in_progress", -10, 20),
            patch("cancelled"),
            Ok(same("cancelled", -10, 0)),
        ),
        (
            "gets an impact",
            maintenance("planned", 10, 20),
            Patch {
                impact: Some(1),
                ..patch("planned")
            },
            Err((400, "can not change impact for maintenance")),
        ),
        (
            "gets a status of incidents",
            maintenance("planned", 10, 20),
            patch("fixing"),
            Err((400, "wrong status for maintenance")),
        ),
        (
            "comes back",
            maintenance("completed", -20, -10),
            patch("in_progress"),
            Err((409, "status transition not allowed for current event state")),
        ),
        (
            "loses its description",
            maintenance("planned", 10, 20),
            Patch {
                description: Some("  "),
                ..patch("planned")
            },
            Err((400, "description is required for maintenance")),
        ),
        (
            "is asked about nobody",
            maintenance("planned", 10, 20),
            Patch {
                contact_email: Some("nobody"),
                ..patch("planned")
            },
            Err((400, "contact_email has invalid format")),
        ),
    ] {
        let want = want.map_err(|(status, text)| (status, text.to_owned()));
        assert_eq!(outcome(&standing, &patch), want, "a maintenance {what}");
    }
    let refusal = maintenance("planned", 10, 20).apply(&patch("modified"), false, at(0));
    assert_eq!(
        refusal.unwrap_err().kind(),
        Kind::Conflict,
        "for its creator"
    );
}
