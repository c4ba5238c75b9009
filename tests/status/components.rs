//! `/v2/components` and `/v2/availability`: what there is, and how much of the time it works.

use super::desk::*;
use windlass_tests::json;

#[test]
fn the_catalogue_grows_and_tells_its_availability() {
    let desk = Desk::open();
    let volumes = desk.component("Volumes");
    let shown = desk
        .anybody()
        .get(&format!("/v2/components/{volumes}"))
        .expect(200);
    assert_eq!(shown, with(component("Volumes"), json!({ "id": volumes })));
    assert_eq!(
        desk.anybody().get("/v2/components").expect(200),
        json!([shown])
    );
    refused(
        desk.anybody().get("/v2/components/99"),
        404,
        "component does not exist",
    );
    refused(
        desk.anybody().get("/v2/components/x"),
        404,
        "component does not exist",
    );
    refused(
        desk.creator().post("/v2/components", component("Volumes")),
        400,
        "component already exists",
    );
    let part = |name: &str, value: &str| json!({ "name": name, "value": value });
    for (body, text) in [
        (
            json!({ "attributes": [] }),
            "Missing name in json request body",
        ),
        (
            json!({ "name": "Images" }),
            "Missing attributes in json request body",
        ),
        (
            json!({ "name": "Images", "attributes": [] }),
            "component attribute has invalid format",
        ),
        (
            json!({ "name": "Images", "attributes": [part("type", "a"), part("region", "b")] }),
            "component attribute has invalid format",
        ),
        (
            json!({ "name": "Images", "attributes": [part("type", "a"), part("type", "b"), part("region", "c")] }),
            "component attribute has invalid format",
        ),
        (
            json!({ "name": "Images", "attributes": [part("type", "a"), part("region", ""), part("category", "c")] }),
            "component attribute has invalid format",
        ),
        (
            json!({ "name": "Images", "attributes": [part("type", "a"), part("region", "b"), part("colour", "c")] }),
            "component attribute has invalid format",
        ),
        (
            json!({ "name": "Images", "attributes": "type" }),
            "attributes parameter is expected to be of type list but is of type str",
        ),
    ] {
        refused(desk.creator().post("/v2/components", body), 400, text);
    }

    // An outage of an hour that is over, told by a person.
    let outage = with(
        incident(&[volumes]),
        json!({ "impact": 3, "start_date": at(-61) }),
    );
    let id = placed(&desk.operator().post("/v2/events", outage).expect(200));
    desk.operator()
        .patch(&format!("/v2/events/{id}"), update("resolved", -1))
        .expect(200);
    let told = desk.anybody().get("/v2/availability").expect(200);
    let told = &told["data"][0];
    assert_eq!(
        (&told["id"], &told["name"], &told["region"]),
        (&json!(volumes), &json!("Volumes"), &json!("EU"))
    );
    let months = told["availability"].as_array().expect("a list of months");
    assert_eq!(months.len(), 12);
    let lost: f64 = months
        .iter()
        .filter_map(|month| Some(100.0 - month["percentage"].as_f64()?))
        .sum();
    // An hour of a month with 28 to 31 days.
    assert!((0.134..0.15).contains(&lost), "{told}");
}
