//! `/v2/events`: maintenances that begin and end by themselves.

use super::desk::*;
use windlass_tests::{Value, at_once, json};

#[test]
fn a_maintenance_starts_and_completes_by_itself() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let id = opened(desk.operator(), maintenance(&[volumes], 60, 120));
    desk.windlass.run_pending_work();
    assert_eq!(statuses(&desk.event(id)), ["planned"]);

    let path = format!("/v2/events/{id}");
    refused(
        desk.operator().patch(&path, update("modified", 0)),
        400,
        "version is required for maintenance events",
    );
    let moved = with(
        update("modified", 0),
        json!({ "version": 1, "start_date": at(-10) }),
    );
    let told = desk.operator().patch(&path, moved).expect(200);
    assert_eq!(told["version"], 2);
    desk.windlass.run_pending_work();
    let event = desk.event(id);
    assert_eq!(event["status"], "in_progress");
    let started = event["updates"]
        .as_array()
        .and_then(|all| all.iter().find(|u| u["status"] == "in_progress"));
    assert_eq!(
        started.map(|u| &u["timestamp"]),
        Some(&event["start_date"]),
        "{event}"
    );
    assert_eq!(
        ids(&desk
            .anybody()
            .get("/v2/events?active=true&type=maintenance")
            .expect(200)),
        [id]
    );

    // Meanwhile nobody opens an incident on it.
    let told = desk
        .operator()
        .post("/v2/events", incident(&[volumes]))
        .expect(409);
    assert_eq!(
        told["result"],
        json!([{
            "component_id": volumes, "incident_id": id,
            "error": "event creation failed, component has active or planned maintenance",
        }])
    );
    let told = desk
        .monitor()
        .post(
            "/v2/events",
            with(incident(&[volumes]), json!({ "system": true })),
        )
        .expect(409);
    assert_eq!(placed(&told), id);

    let done = with(update("completed", 0), json!({ "version": 2 }));
    let told = desk.operator().patch(&path, done).expect(200);
    desk.windlass.run_pending_work();
    assert_eq!(told["status"], "completed");
    assert_eq!(desk.event(id), told, "the clock has nothing to add");
    let again = with(
        update("modified", 0),
        json!({ "version": 3, "end_date": at(60) }),
    );
    refused(
        desk.operator().patch(&path, again),
        409,
        "status transition not allowed for current event state",
    );
}

#[test]
fn what_was_missed_while_nobody_ran_is_made_up_for() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let id = opened(desk.operator(), maintenance(&[volumes], 60, 120));
    let Desk {
        windlass, operator, ..
    } = desk;
    // Two hours pass: everything that is kept gets older.
    let database = windlass.open_database();
    let (from, to) = (at(-60), at(-30));
    for (sql, parameters) in [
        (
            "update status_incidents set started_at = ?1, ended_at = ?2",
            vec![&from, &to],
        ),
        (
            "update status_updates set at = '2026-01-01T00:00:00.000Z'",
            vec![],
        ),
        (
            "update queue set not_before = not_before - 7200000 where kind = 'status_maintenance'",
            vec![],
        ),
    ] {
        let parameters = rusqlite::params_from_iter(parameters);
        assert_eq!(database.execute(sql, parameters).expect(sql), 1, "{sql}");
    }
    drop(database);
    let windlass = windlass.kill().start();
    windlass.run_pending_work();
    let caller = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&operator);
    let event = caller.get(&format!("/v2/events/{id}")).expect(200);
    assert_eq!(statuses(&event), ["planned", "in_progress", "completed"]);
    assert_eq!(event["updates"][1]["timestamp"], json!(from));
    assert_eq!(event["updates"][2]["timestamp"], json!(to));
    windlass.run_pending_work();
    assert_eq!(caller.get(&format!("/v2/events/{id}")).expect(200), event);
}

#[test]
fn a_proposed_maintenance_is_reviewed_before_anybody_knows_of_it() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let id = opened(desk.creator(), maintenance(&[volumes], 60, 120));
    let path = format!("/v2/events/{id}");
    for caller in [desk.anybody(), desk.monitor()] {
        refused(caller.get(&path), 404, "event does not exist");
        assert_eq!(ids(&caller.get("/v2/events").expect(200)), [0; 0]);
    }
    assert_eq!(
        desk.viewer().get(&path).expect(200)["status"],
        "pending_review"
    );

    // Its creator may still think about it, nobody else's creator may.
    let later = with(
        update("pending_review", 0),
        json!({ "version": 1, "end_date": at(180) }),
    );
    desk.creator().patch(&path, later).expect(200);
    let approved = with(update("planned", 0), json!({ "version": 2 }));
    refused(
        desk.creator().patch(&path, approved.clone()),
        409,
        "status transition not allowed for current event state",
    );
    let other = opened(desk.operator(), incident(&[volumes]));
    refused(
        desk.creator()
            .patch(&format!("/v2/events/{other}"), update("fixing", 0)),
        403,
        "only operators may change an event of somebody else",
    );

    let reviewed = with(update("reviewed", 0), json!({ "version": 2 }));
    desk.operator().patch(&path, reviewed).expect(200);
    desk.windlass.run_pending_work();
    assert_eq!(desk.anybody().get(&path).expect(200)["status"], "planned");
}

#[test]
fn of_two_operators_who_saw_the_same_one_is_heard() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let id = opened(desk.operator(), maintenance(&[volumes], 60, 120));
    let path = format!("/v2/events/{id}");
    let bodies: Vec<Value> = (0..8)
        .map(|number| json!({ "version": 1, "end_date": at(130 + number) }))
        .map(|change| with(update("modified", 0), change))
        .collect();
    let answers: Vec<(u16, String)> = at_once(bodies.len(), |number| {
        let reply = desk.operator().patch(&path, bodies[number].clone());
        (reply.status(), reply.text())
    });
    let heard = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(heard, 1, "{answers:?}");
    let stale = r#"{"errMsg":"version conflict: event has been modified by another user"}"#;
    assert!(
        answers
            .iter()
            .all(|(status, text)| *status == 200 || text == stale),
        "{answers:?}"
    );
    let event = desk.event(id);
    assert_eq!((&event["version"], statuses(&event).len()), (&json!(2), 2));
}
