//! `/sites`: places that deployments can be at.

use crate::samples;
use windlass_tests::{Value, Windlass, json};

#[test]
fn a_deployment_stays_at_its_site_until_that_is_deleted() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let site = admin
        .put("/sites/pier", json!({ "location": "34.767420,-1" }))
        .expect(200);
    assert_eq!(site["location"], "34.76742, -1.0");

    admin
        .post(
            "/deployments/crane/set-site",
            json!({ "site_name": "jetty" }),
        )
        .refused(404, "not_found_error");
    let moored = json!({ "site_name": "pier", "detach_site": false });
    admin
        .post("/deployments/crane/set-site", moored)
        .expect(200);
    admin
        .post("/sites/pier", json!({ "new_name": "jetty" }))
        .expect(200);
    let deployment = admin.get("/deployments?site_name=jetty").expect(200);
    assert_eq!(deployment["items"][0]["id"], "crane");

    admin.delete("/sites/jetty").expect_answer(204);
    admin.get("/sites/jetty").refused(404, "not_found_error");
    let deployment = admin.get("/deployments/crane").expect(200);
    assert_eq!(deployment["site_name"], Value::Null);
}

#[test]
fn a_site_of_another_tenant_is_not_there_unless_it_is_global() {
    let windlass = Windlass::start();
    let ann = windlass.user("ann").in_tenant("harbour");
    let quentin = windlass.user("quentin").in_tenant("quay");
    ann.put("/sites/pier", json!({})).expect(200);
    quentin.get("/sites/pier").refused(404, "not_found_error");
    windlass
        .admin()
        .naming_tenant("harbour")
        .post("/sites/pier", json!({ "visibility": "global" }))
        .expect(200);
    let list = quentin.get("/sites?_search=PIE").expect(200);
    assert_eq!(list["items"][0]["tenant_name"], "harbour");
    quentin
        .put("/sites/pier", json!({}))
        .refused(409, "conflict_error");
    quentin
        .delete("/sites/pier")
        .refused(400, "illegal_action_error");
}
