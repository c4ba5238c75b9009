//! `/v2`: people open, update, close and split what the status page tells of.

use super::desk::*;
use windlass_tests::{Value, json};

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

    let second = opened(desk.operator(), incident(&[volumes]));
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

    let third = opened(desk.operator(), incident(&[volumes, images]));
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
fn lists_have_filters_and_pages() {
    let desk = Desk::open();
    let (volumes, images) = (desk.component("Volumes"), desk.component("Images"));
    let older = with(
        incident(&[images]),
        json!({ "start_date": at(-50), "impact": 1 }),
    );
    let older = opened(desk.operator(), older);
    desk.operator()
        .patch(&format!("/v2/events/{older}"), update("resolved", -5))
        .expect(200);
    let newer = opened(desk.operator(), incident(&[volumes]));
    let planned = opened(desk.operator(), maintenance(&[volumes], 60, 120));
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
