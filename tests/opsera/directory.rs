//! The directory, and what it tells of deliveries.

use windlass_tests::{Windlass, json};

#[test]
fn a_directory_is_brought_in_and_walked() {
    let windlass = Windlass::start();
    let token = windlass
        .user("mia")
        .with_role_in("manager", "harbour")
        .own_token();
    let client = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&token);
    let people =
        "email,firstName,team\nann@harbour.example,Ann,Cranes\nbob@harbour.example,Bob,Boats\n";
    let stored = client
        .raw("POST", "/api/v2/data/import/people", "text/csv", people)
        .expect(200);
    assert_eq!(stored["count"], 2);
    let again = client
        .raw(
            "POST",
            "/api/v2/data/import/people",
            "text/csv; charset=utf-8",
            people,
        )
        .expect(400);
    assert_eq!(
        again["errors"]["line 2"],
        json!(["Duplicate email address"])
    );
    client
        .raw(
            "POST",
            "/api/v2/data/import/people",
            "application/json",
            "{}",
        )
        .expect(415);
    for (parent, child) in [
        ("Harbour", "Docks"),
        ("Docks", "Cranes"),
        ("Docks", "Boats"),
    ] {
        client
            .post(
                "/api/v2/data/org-hierarchy",
                json!({ "parent": parent, "child": child }),
            )
            .expect(200);
    }
    let circle = client
        .post(
            "/api/v2/data/org-hierarchy",
            json!({ "parent": "Boats", "child": "Harbour" }),
        )
        .expect(400);
    assert_eq!(circle["message"], "cyclic hierarchy");
    let below = client.get("/api/v2/data/people?under=Docks").expect(200);
    assert_eq!(below["count"], 2);
    let tree = client
        .get("/api/v2/data/org-hierarchy?tree=true")
        .expect(200);
    assert_eq!(tree["data"][0]["name"], "Harbour");
    let page = client.get("/api/v2/data/people?page=2&size=1").expect(200);
    assert_eq!(page["data"][0]["email"], "bob@harbour.example");
    let ann = client
        .get("/api/v2/data/people/ANN%40harbour.example")
        .expect(200);
    assert_eq!(ann["firstName"], "Ann");
    client.get("/api/v2/data/people/nobody").expect(400);
    client
        .patch(
            "/api/v2/data/people/ann@harbour.example",
            json!({ "team": null, "group": "North" }),
        )
        .expect(200);
    client
        .delete("/api/v2/data/people/ann@harbour.example")
        .expect(200);
    client
        .get("/api/v2/data/people/ann@harbour.example")
        .expect(404);
    let project = json!({ "projectId": 7, "projectName": "Crane", "team": "Cranes" });
    client
        .post("/api/v2/data/project", project.clone())
        .expect(200);
    assert_eq!(
        client.post("/api/v2/data/project", project).expect(409)["message"],
        "Duplicate projectId"
    );
    assert_eq!(
        client.get("/api/v2/data/project/7").expect(200)["projectName"],
        "Crane"
    );
    let user = windlass.user("ann").in_tenant("harbour").own_token();
    let user = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&user);
    assert_eq!(user.get("/api/v2/data/projects").expect(200)["count"], 1);
    user.post("/api/v2/data/people", json!({ "email": "x@y.example" }))
        .expect(403);
}

#[test]
fn deliveries_are_measured_as_json_lines_and_a_picture() {
    let windlass = Windlass::start();
    let token = windlass
        .user("mia")
        .with_role_in("manager", "harbour")
        .own_token();
    let client = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&token);
    let plan = json!([{ "name": "ok", "tool": { "tool_identifier": "approval" } }]);
    let made = client.post(
        "/api/v1/pipeline/create",
        json!({ "name": "P", "project": "crane", "workflow": { "plan": plan } }),
    );
    let id = &made.expect(200)["_id"];
    for answer in ["approve", "deny"] {
        client
            .post("/api/v1/pipeline/run", json!({ "pipelineId": id }))
            .expect(200);
        client
            .post(
                &format!("/api/v1/pipeline/{answer}"),
                json!({ "pipelineId": id }),
            )
            .expect(200);
    }
    let told = client.get("/api/v2/insights/dora?by=project").expect(200);
    let group = &told["data"][0];
    assert_eq!(
        (&group["group"], &group["deployments"], &group["failures"]),
        (&json!("crane"), &json!(1), &json!(1))
    );
    assert_eq!(
        group["changeFailureRate"],
        json!({ "value": 0.5, "band": "low" })
    );
    let failures = client.get("/api/v2/insights/dora/failures").expect(200);
    assert_eq!(
        (&failures["count"], &failures["data"][0]["subject"]),
        (&json!(1), id)
    );
    let lines = client
        .get("/api/v2/insights/dora?format=csv")
        .expect_answer(200);
    assert!(
        String::from_utf8(lines.body)
            .unwrap()
            .starts_with("group,deployments,failures,")
    );
    let picture = client
        .get("/api/v2/insights/dora?format=svg")
        .expect_answer(200);
    assert!(String::from_utf8(picture.body).unwrap().starts_with("<svg"));
    client
        .get("/api/v2/insights/dora?from=yesterday")
        .expect(400);
    client.get("/api/v2/insights/dora/everything").expect(404);
}
