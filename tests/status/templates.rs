//! Templates: `/v2/templates`, and events that are opened by one.

use super::desk::*;
use windlass_tests::json;

#[test]
fn a_template_opens_what_was_written_in_quiet() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let path = "/v2/templates/slow";
    let template = json!({
        "title": "Volumes are slow", "type": "incident", "impact": 2, "components": [volumes],
        "description": "Writing takes seconds.",
    });
    desk.anybody().put(path, template.clone()).expect(401);
    desk.creator().put(path, template.clone()).expect(403);
    desk.operator().put(path, template).expect(200);
    for (caller, status) in [
        (desk.creator(), 200),
        (desk.viewer(), 403),
        (desk.monitor(), 403),
    ] {
        caller.get(path).expect(status);
    }
    let body = json!({ "template": "slow", "impact": 3 });
    desk.viewer().post("/v2/events", body.clone()).expect(403);
    let id = placed(&desk.creator().post("/v2/events", body).expect(200));
    let event = desk.event(id);
    assert_eq!(event["title"], "Volumes are slow");
    assert_eq!(event["description"], "Writing takes seconds.");
    assert_eq!(event["impact"], 3, "what is given goes first");
    let unknown = json!({ "template": "fast" });
    desk.creator().post("/v2/events", unknown).expect(404);
    let nobodys =
        json!({ "title": "Mail is slow", "type": "incident", "impact": 1, "components": [99] });
    desk.operator()
        .put("/v2/templates/mail", nobodys)
        .expect(400);

    let planned = json!({
        "title": "New disks", "type": "maintenance", "impact": 0, "components": [volumes],
        "description": "Disks are exchanged.", "contact_email": "desk@example.com", "duration_minutes": 90,
    });
    desk.operator()
        .put("/v2/templates/disks", planned)
        .expect(200);
    let body = json!({ "template": "disks", "start_date": "2126-05-01T10:00:00Z" });
    let id = placed(&desk.operator().post("/v2/events", body).expect(200));
    let event = desk.event(id);
    assert_eq!(
        event["end_date"].as_str().map(|end| &end[..16]),
        Some("2126-05-01T11:30")
    );
    assert_eq!(
        desk.operator().get("/v2/templates").expect(200)["pagination"]["total"],
        2
    );
    desk.operator().delete(path).expect(204);
    desk.creator().get(path).expect(404);
}
