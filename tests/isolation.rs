//! What one tenant has, another does not see, by any URL.

use crate::samples::{self, ids};
use windlass_tests::{Windlass, json};

#[test]
fn nothing_of_a_tenant_is_visible_from_another() {
    let windlass = Windlass::start();
    let owner = windlass.user("owner").in_tenant("harbour");
    let stranger = windlass.user("stranger").in_tenant("quay");
    samples::deployed(owner, "crane");
    let execution = owner.execute("crane", "install");
    windlass.run_pending_work();
    let execution = execution["id"].as_str().expect("an id");
    let instances = owner.get("/node-instances").expect(200);
    let instance = ids(&instances)[0];

    for list in [
        "/blueprints",
        "/deployments",
        "/nodes",
        "/node-instances",
        "/executions",
        "/events",
    ] {
        assert_ne!(
            owner.get(list).expect(200)["metadata"]["pagination"]["total"],
            0,
            "{list}"
        );
        for query in ["", "?_get_all_results=true", "?_all_tenants=true"] {
            // Events have no such parameter and leave it alone.
            let seen = stranger.get(&format!("{list}{query}")).expect(200);
            assert_eq!(
                seen["metadata"]["pagination"]["total"], 0,
                "{list}{query}: {seen}"
            );
        }
    }
    let version = json!({ "version": 9, "runtime_properties": { "stolen": true } });
    for (method, path, body) in [
        ("GET", "/blueprints/crane".to_owned(), json!(null)),
        ("GET", "/blueprints/crane/archive".into(), json!(null)),
        ("DELETE", "/blueprints/crane".into(), json!(null)),
        ("PATCH", "/blueprints/crane".into(), json!({ "labels": [] })),
        ("GET", "/deployments/crane".into(), json!(null)),
        ("GET", "/deployments/crane/outputs".into(), json!(null)),
        ("GET", "/deployments/crane/capabilities".into(), json!(null)),
        (
            "PATCH",
            "/deployments/crane".into(),
            json!({ "display_name": "mine" }),
        ),
        ("DELETE", "/deployments/crane".into(), json!(null)),
        (
            "PUT",
            "/deployments/other".into(),
            json!({ "blueprint_id": "crane" }),
        ),
        ("GET", format!("/executions/{execution}"), json!(null)),
        (
            "POST",
            format!("/executions/{execution}"),
            json!({ "action": "cancel" }),
        ),
        (
            "PATCH",
            format!("/executions/{execution}"),
            json!({ "status": "failed" }),
        ),
        (
            "POST",
            "/executions".into(),
            json!({ "deployment_id": "crane", "workflow_id": "uninstall" }),
        ),
        ("GET", format!("/node-instances/{instance}"), json!(null)),
        ("PATCH", format!("/node-instances/{instance}"), version),
        (
            "POST",
            "/evaluate/functions".into(),
            json!({ "deployment_id": "crane", "payload": {} }),
        ),
    ] {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let reply = stranger.raw(method, &path, "application/json", body);
        let answer = format!("{method} {path}: {}", reply.text());
        assert_eq!(reply.status(), 404, "{answer}");
        // The stranger's own words may come back, the owner's may not.
        assert!(!answer.contains("harbour"), "{answer}");
    }
    // The same id is free in the other tenant, and stays the other tenant's.
    samples::deployed(stranger, "crane");
    let state = |caller: windlass_tests::Caller<'_>| {
        caller.get("/deployments/crane").expect(200)["tenant_name"].clone()
    };
    assert_eq!(
        (state(owner), state(stranger)),
        (json!("harbour"), json!("quay"))
    );
}

#[test]
fn a_member_of_no_tenant_gets_nowhere() {
    let windlass = Windlass::start();
    samples::crane(windlass.user("owner").in_tenant("harbour"), "crane");
    let stranger = windlass
        .user("stranger")
        .in_tenant("quay")
        .naming_tenant("harbour");
    stranger.get("/blueprints").refused(403, "forbidden_error");
    stranger
        .get("/blueprints/crane")
        .refused(403, "forbidden_error");
    // The administrator is at home everywhere.
    windlass
        .admin()
        .naming_tenant("harbour")
        .get("/blueprints/crane")
        .expect(200);
    assert_eq!(
        ids(&windlass
            .admin()
            .get("/blueprints?_all_tenants=true")
            .expect(200)),
        ["crane"]
    );
}

#[test]
fn roles_decide_what_a_member_may_do() {
    let windlass = Windlass::start();
    let owner = windlass.user("owner").in_tenant("harbour");
    samples::crane(owner, "crane");
    let viewer = windlass.user("viewer").with_role_in("viewer", "harbour");
    viewer.get("/blueprints/crane").expect(200);
    let refusal = viewer.upload("mine", "crane.yaml", &[("crane.yaml", samples::CRANE)]);
    assert_eq!(
        refusal.refused(403, "forbidden_error"),
        "User `viewer` is not permitted to perform the action blueprint_upload in the tenant `harbour`"
    );
    viewer
        .put("/deployments/mine", json!({ "blueprint_id": "crane" }))
        .refused(403, "forbidden_error");
    let operator = windlass
        .user("operator")
        .with_role_in("operations", "harbour");
    operator
        .delete("/blueprints/crane")
        .refused(403, "forbidden_error");
    operator
        .put("/deployments/theirs", json!({ "blueprint_id": "crane" }))
        .expect(201);
    assert_eq!(ids(&owner.get("/deployments").expect(200)), ["theirs"]);
}

#[test]
fn a_private_blueprint_is_seen_by_its_creator_and_the_managers() {
    let windlass = Windlass::start();
    let owner = windlass.user("owner").in_tenant("harbour");
    let archive = windlass_tests::Archive::blueprint(&[("crane.yaml", samples::CRANE)]).tar_gz();
    let params = json!({ "application_file_name": "crane.yaml", "visibility": "private" });
    owner.upload_form("secret", &params, archive).expect(201);
    let colleague = windlass.user("colleague").in_tenant("harbour");
    colleague
        .get("/blueprints/secret")
        .refused(404, "not_found_error");
    assert_eq!(
        ids(&colleague.get("/blueprints").expect(200)),
        Vec::<&str>::new()
    );
    windlass
        .user("boss")
        .with_role_in("manager", "harbour")
        .get("/blueprints/secret")
        .expect(200);
    owner
        .patch(
            "/blueprints/secret/set-visibility",
            json!({ "visibility": "tenant" }),
        )
        .expect(200);
    colleague.get("/blueprints/secret").expect(200);
}
