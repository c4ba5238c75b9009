//! `/v2/events`: what is refused, with the original's words, and who may not write.

use super::desk::*;
use windlass_tests::{Caller, Value, json};

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let new = incident(&[volumes]);
    let planned = maintenance(&[volumes], 60, 120);
    let long = "x".repeat(201);
    for (body, text) in [
        (json!({}), "Missing components in json request body"),
        (
            with(new.clone(), json!({ "title": null })),
            "Missing title in json request body",
        ),
        (
            with(new.clone(), json!({ "title": 5 })),
            "title parameter is expected to be of type str but is of type int",
        ),
        (
            with(new.clone(), json!({ "title": "short" })),
            "title must have 8 to 200 characters, has 5",
        ),
        (
            with(new.clone(), json!({ "title": long })),
            "title must have 8 to 200 characters, has 201",
        ),
        (
            with(new.clone(), json!({ "type": "accident" })),
            "event type is invalid, must be 'maintenance' 'info' or 'incident'",
        ),
        (
            with(new.clone(), json!({ "impact": null })),
            "Missing impact in json request body",
        ),
        (
            with(new.clone(), json!({ "impact": "minor" })),
            "impact parameter is expected to be of type int but is of type str",
        ),
        (
            with(new.clone(), json!({ "impact": 0 })),
            "impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'",
        ),
        (
            with(new.clone(), json!({ "impact": 4 })),
            "impact must be between 0 and 3",
        ),
        (
            with(new.clone(), json!({ "components": [volumes, 99] })),
            "component does not exist, component_id: 99",
        ),
        (
            with(new.clone(), json!({ "start_date": null })),
            "Missing start_date in json request body",
        ),
        (
            with(new.clone(), json!({ "start_date": "soon" })),
            "start_date: `soon` is not a time in ISO 8601",
        ),
        (
            with(new.clone(), json!({ "start_date": at(5) })),
            "event start_date should not be in the future",
        ),
        (
            with(new.clone(), json!({ "end_date": at(5) })),
            "event end_date should be empty",
        ),
        (
            with(new.clone(), json!({ "updates": [{ "text": "first" }] })),
            "event updates should be empty",
        ),
        (
            with(planned.clone(), json!({ "system": true })),
            "system incident must be of type 'incident'",
        ),
        (
            with(planned.clone(), json!({ "description": null })),
            "description is required for maintenance",
        ),
        (
            with(planned.clone(), json!({ "description": "x".repeat(1501) })),
            "event description should be 1500 characters or fewer",
        ),
        (
            with(planned.clone(), json!({ "contact_email": null })),
            "contact_email is required for maintenance",
        ),
        (
            with(planned.clone(), json!({ "contact_email": "olga" })),
            "contact_email has invalid format",
        ),
        (
            with(planned.clone(), json!({ "end_date": null })),
            "maintenance end_date is empty",
        ),
        (
            with(planned.clone(), json!({ "end_date": at(30) })),
            "Start date cannot be later than or equal to the end date",
        ),
        (
            with(planned.clone(), json!({ "impact": 1 })),
            "impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'",
        ),
    ] {
        refused(desk.operator().post("/v2/events", body), 400, text);
    }
    let broken = desk
        .operator()
        .raw("POST", "/v2/events", "application/json", "{\"title\":");
    assert!(broken.expect(400)["errMsg"].is_string());
    desk.operator()
        .raw("POST", "/v2/events", "text/plain", "{}")
        .expect(415);
    let none = json!({ "data": [], "pagination": { "pageIndex": 1, "recordsPerPage": 50, "totalRecords": 0, "totalPages": 0 } });
    assert_eq!(desk.operator().get("/v2/events").expect(200), none);

    let id = opened(desk.operator(), new);
    let before = desk.event(id);
    let path = format!("/v2/events/{id}");
    for (body, text) in [
        (json!({}), "Missing message in json request body"),
        (
            json!({ "message": "As we have just seen." }),
            "Missing status in json request body",
        ),
        (
            json!({ "message": "As we have just seen.", "status": "fixing" }),
            "Missing update_date in json request body",
        ),
        (
            with(update("fixing", 0), json!({ "message": "short" })),
            "message must have 10 to 200 characters, has 5",
        ),
        (update("planned", 0), "wrong status for incident"),
        (update("reopened", 0), "wrong status for incident"),
        (update("fixing", 5), "The date cannot be in the future"),
        (
            update("fixing", -40),
            "The date cannot be before the start date",
        ),
        (
            with(update("fixing", 0), json!({ "impact": 1 })),
            "wrong status for changing impact",
        ),
        (
            with(update("impact changed", 0), json!({ "impact": 0 })),
            "can not change impact to 0",
        ),
        (
            with(update("fixing", 0), json!({ "start_date": at(-5) })),
            "can not change start date for open incident",
        ),
        (
            with(update("fixing", 0), json!({ "type": "maintenance" })),
            "can not change event type",
        ),
        (
            with(update("fixing", 0), json!({ "version": "1" })),
            "version parameter is expected to be of type int but is of type str",
        ),
    ] {
        refused(desk.operator().patch(&path, body), 400, text);
    }
    refused(
        desk.operator()
            .patch(&path, with(update("fixing", 0), json!({ "version": 7 }))),
        409,
        "version conflict: event has been modified by another user",
    );
    for id in ["99", "x", "-1", "99999999999999999999"] {
        let path = format!("/v2/events/{id}");
        refused(
            desk.operator().patch(&path, update("fixing", 0)),
            404,
            "event does not exist",
        );
        refused(desk.anybody().get(&path), 404, "event does not exist");
    }
    assert_eq!(desk.event(id), before);

    // What was told last is not followed by anything earlier.
    let told = update("fixing", -10);
    desk.operator().patch(&path, told.clone()).expect(200);
    for again in [told, update("observing", -11)] {
        let text = "The date cannot be before any other status-update timestamp or equal";
        refused(desk.operator().patch(&path, again), 400, text);
    }
}

#[test]
fn everybody_reads_and_those_who_may_write() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let id = opened(desk.operator(), incident(&[volumes]));
    let not_permitted = |name: &str, action: &str| {
        format!(
            "User `{name}` is not permitted to perform the action {action} in the tenant `default_tenant`"
        )
    };
    for (method, path, body, action) in [
        (
            "POST",
            "/v2/events".to_owned(),
            incident(&[volumes]),
            "status_event_create",
        ),
        (
            "PATCH",
            format!("/v2/events/{id}"),
            update("fixing", 0),
            "status_event_create",
        ),
        (
            "PATCH",
            format!("/v2/events/{id}/updates/0"),
            json!({ "text": "In other words." }),
            "status_event_manage",
        ),
        (
            "POST",
            format!("/v2/events/{id}/extract"),
            json!({ "components": [volumes] }),
            "status_event_manage",
        ),
        (
            "POST",
            "/v2/components".to_owned(),
            component("Images"),
            "status_component_create",
        ),
    ] {
        for path in [path.clone(), path.replace("/v2", "/api/v2/status")] {
            let send = |caller: Caller<'_>| {
                let request = caller.compose(
                    method,
                    &path,
                    Some("application/json"),
                    Some(body.to_string().into()),
                );
                let answer = desk.windlass.send(&request);
                let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                (
                    answer.status,
                    body["errMsg"].as_str().unwrap_or_default().to_owned(),
                )
            };
            assert_eq!(
                send(desk.anybody()),
                (401, "not authenticated".into()),
                "{method} {path}"
            );
            assert_eq!(
                send(desk.anybody().with_bearer("nonsense")),
                (401, "not authenticated".into()),
                "{method} {path}"
            );
            assert_eq!(
                send(desk.viewer()),
                (403, not_permitted("vera", action)),
                "{method} {path}"
            );
            let text = match (method, path.ends_with("/events")) {
                ("POST", true) => "monitors may create system incidents only".to_owned(),
                _ => not_permitted("monitor:probe", action),
            };
            assert_eq!(send(desk.monitor()), (403, text), "{method} {path}");
        }
    }
    for path in ["/events", "/incidents", "/components", "/availability"] {
        let read = |base: &str| desk.anybody().get(&format!("{base}{path}")).expect(200);
        assert_eq!(read("/v2"), read("/api/v2/status"), "{path}");
        // Bad credentials open what is open.
        desk.anybody()
            .with_bearer("nonsense")
            .get(&format!("/v2{path}"))
            .expect(200);
    }
}
