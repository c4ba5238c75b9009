//! `/v2`: people open, update, close and split what the status page tells of.

use super::desk::*;
use windlass_tests::{Caller, Value, json};

#[test]
fn a_person_opens_an_incident_and_tells_how_it_goes() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let opened = desk
        .creator()
        .post("/v2/events", incident(&[volumes]))
        .expect(200);
    let id = placed(&opened);
    assert_eq!(
        opened,
        json!({ "result": [{ "component_id": volumes, "incident_id": id }] })
    );

    // The same event under both addresses; what is for people only is not public.
    let public = desk
        .anybody()
        .get(&format!("/api/v2/status/events/{id}"))
        .expect(200);
    let internal = desk.viewer().get(&format!("/v2/events/{id}")).expect(200);
    assert_eq!(public["status"], "detected");
    assert_eq!(internal["creator"], "carl");
    assert_eq!(internal["version"], 1);
    for field in ["creator", "contact_email", "version"] {
        assert_eq!(public.get(field), None, "{field}");
        assert!(internal.get(field).is_some(), "{field}");
        let to_monitor = desk.monitor().get(&format!("/v2/events/{id}")).expect(200);
        assert_eq!(to_monitor.get(field), None, "{field}");
    }

    let path = format!("/v2/events/{id}");
    let told = desk
        .creator()
        .patch(&path, update("analyzing", -20))
        .expect(200);
    assert_eq!(
        (&told["status"], &told["version"]),
        (&json!("analysing"), &json!(2))
    );
    let worse = with(
        update("impact changed", -15),
        json!({ "impact": 3, "title": "Volumes are gone" }),
    );
    let told = desk.operator().patch(&path, worse).expect(200);
    assert_eq!(
        (&told["impact"], &told["title"]),
        (&json!(3), &json!("Volumes are gone"))
    );
    let told = desk
        .creator()
        .patch(&path, update("resolved", -10))
        .expect(200);
    assert_eq!(told["end_date"], told["updates"][3]["timestamp"]);
    assert_eq!(
        statuses(&told),
        ["detected", "analysing", "impact changed", "resolved"]
    );

    // A closed one takes what corrects its end.
    refused(
        desk.operator().patch(&path, update("fixing", -5)),
        400,
        "wrong status for closed incident",
    );
    let told = desk
        .operator()
        .patch(&path, update("reopened", -5))
        .expect(200);
    assert_eq!(told["end_date"], Value::Null);
    desk.operator()
        .patch(&path, update("resolved", -3))
        .expect(200);
    refused(
        desk.operator().patch(&path, update("changed", -2)),
        400,
        "New end date field cannot be empty",
    );
    let end = at(-4);
    let told = desk
        .operator()
        .patch(
            &path,
            with(update("changed", -2), json!({ "end_date": end })),
        )
        .expect(200);
    assert_eq!(
        (&told["status"], &told["end_date"]),
        (&json!("resolved"), &json!(end))
    );

    let update = format!("{path}/updates/0");
    let told = desk
        .operator()
        .patch(&update, json!({ "text": "A probe noticed it." }))
        .expect(200);
    assert_eq!(
        (&told[0]["text"], &told[0]["id"]),
        (&json!("A probe noticed it."), &json!(0))
    );
    refused(
        desk.creator()
            .patch(&update, json!({ "text": "No, we noticed it." })),
        403,
        "User `carl` is not permitted to perform the action status_event_manage in the tenant `default_tenant`",
    );
    refused(
        desk.operator().patch(
            &format!("{path}/updates/9"),
            json!({ "text": "A probe noticed it." }),
        ),
        404,
        "update does not exist",
    );
    refused(
        desk.operator().patch(&update, json!({})),
        400,
        "text field is required",
    );
}

#[test]
fn components_move_to_the_newest_incident_and_get_one_of_their_own() {
    let desk = Desk::open();
    let (volumes, images) = (desk.component("Volumes"), desk.component("<Images>"));
    let reported = with(
        incident(&[volumes, images]),
        json!({ "system": true, "title": "<Slow>" }),
    );
    let reported = desk.monitor().post("/v2/events", reported).expect(200);
    let first = placed(&reported);
    assert_eq!(reported["result"][1]["incident_id"], first);
    assert_eq!(desk.event(first)["system"], true);

    let second = placed(
        &desk
            .operator()
            .post("/v2/events", incident(&[volumes]))
            .expect(200),
    );
    let event = desk.event(first);
    assert_eq!(
        (&event["components"], &event["end_date"]),
        (&json!([images]), &Value::Null)
    );
    let text = format!(
        "Volumes (disk, EU, Storage) moved to <a href='/incidents/{second}'>Volumes are slow</a>"
    );
    let updates = event["updates"].as_array().expect("a list");
    assert_eq!(updates.last().map(|u| &u["text"]), Some(&json!(text)));
    let event = desk.event(second);
    let text = format!(
        "Volumes (disk, EU, Storage) moved from <a href='/incidents/{first}'>&lt;Slow&gt;</a>"
    );
    assert_eq!(event["updates"][1]["text"], text);

    let third = placed(
        &desk
            .operator()
            .post("/v2/events", incident(&[volumes, images]))
            .expect(200),
    );
    assert_eq!(desk.event(first)["status"], "resolved");
    let path = format!("/v2/events/{third}/extract");
    let part = desk
        .operator()
        .post(&path, json!({ "components": [images] }))
        .expect(200);
    assert_eq!(part["title"], "Volumes are slow (<Images>)");
    assert_eq!(part["components"], json!([images]));
    assert_eq!(part["start_date"], desk.event(third)["start_date"]);
    assert_eq!(desk.event(third)["components"], json!([volumes]));
    for (body, text) in [
        (
            json!({ "components": [volumes] }),
            "can not move all components to the new incident, keep at least one".to_owned(),
        ),
        (
            json!({ "components": [images] }),
            format!("component {images} is not in the incident"),
        ),
        (
            json!({ "components": [] }),
            "components must name at least one".to_owned(),
        ),
        (
            json!({ "components": ["x"] }),
            "components[0] parameter is expected to be of type int but is of type str".to_owned(),
        ),
        (
            json!({}),
            "Missing components in json request body".to_owned(),
        ),
    ] {
        refused(desk.operator().post(&path, body), 400, &text);
    }
    let path = format!("/v2/events/{first}/extract");
    refused(
        desk.operator()
            .post(&path, json!({ "components": [images] })),
        400,
        "wrong status for closed incident",
    );
    refused(
        desk.operator()
            .post("/v2/events/99/extract", json!({ "components": [images] })),
        404,
        "event does not exist",
    );
}

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

    let id = placed(&desk.operator().post("/v2/events", new).expect(200));
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
    let id = placed(
        &desk
            .operator()
            .post("/v2/events", incident(&[volumes]))
            .expect(200),
    );
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

#[test]
fn lists_have_filters_and_pages() {
    let desk = Desk::open();
    let (volumes, images) = (desk.component("Volumes"), desk.component("Images"));
    let older = with(
        incident(&[images]),
        json!({ "start_date": at(-50), "impact": 1 }),
    );
    let older = placed(&desk.operator().post("/v2/events", older).expect(200));
    desk.operator()
        .patch(&format!("/v2/events/{older}"), update("resolved", -5))
        .expect(200);
    let newer = placed(
        &desk
            .operator()
            .post("/v2/events", incident(&[volumes]))
            .expect(200),
    );
    let planned = placed(
        &desk
            .operator()
            .post("/v2/events", maintenance(&[volumes], 60, 120))
            .expect(200),
    );
    for (query, want) in [
        (String::new(), vec![planned, newer, older]),
        ("?type=incident".into(), vec![newer, older]),
        ("?type=maintenance,info".into(), vec![planned]),
        ("?active=true".into(), vec![newer]),
        ("?status=resolved".into(), vec![older]),
        (format!("?start_date={}", at(-40)), vec![planned, newer]),
        (format!("?end_date={}", at(0)), vec![older]),
        ("?impact=2".into(), vec![newer]),
        ("?system=false".into(), vec![planned, newer, older]),
        ("?system=true".into(), vec![]),
        (format!("?components={images},99"), vec![older]),
        (format!("?components={volumes}&type=incident"), vec![newer]),
    ] {
        let list = desk
            .anybody()
            .get(&format!("/v2/events{query}"))
            .expect(200);
        assert_eq!(ids(&list), want, "{query}");
        assert_eq!(list["pagination"]["totalRecords"], want.len(), "{query}");
        let list = desk
            .anybody()
            .get(&format!("/v2/incidents{query}"))
            .expect(200);
        assert_eq!(
            (ids(&list), list.get("pagination")),
            (want, None),
            "{query}"
        );
    }
    let list = desk.anybody().get("/v2/events?limit=10&page=2").expect(200);
    assert_eq!(
        list,
        json!({ "data": [], "pagination": {
        "pageIndex": 2, "recordsPerPage": 10, "totalRecords": 3, "totalPages": 1,
    } })
    );
    for query in [
        "limit=15",
        "page=0",
        "active=false",
        "type=x",
        "status=x",
        "impact=9",
        "components=x",
        "start_date=x",
    ] {
        let text = "filter query parameter has an invalid format or value";
        refused(
            desk.anybody().get(&format!("/v2/events?{query}")),
            400,
            text,
        );
    }
}
