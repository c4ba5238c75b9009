//! Accounts: from a sign-up to a password, invitations, and what somebody forgot.

use super::people::{Office, path};
use windlass_tests::{Value, json};

#[test]
fn who_signs_up_and_is_approved_logs_in_everywhere() {
    let office = Office::open();
    assert_eq!(
        office.sign_up("bob@example.com", "pier").expect(202),
        json!({ "notes": ["task created"] })
    );
    let task = office.task();
    assert_eq!(task["task_type"], "create_project_and_user");
    assert_eq!(task["keystone_user"], json!({}));
    assert_eq!(task["approved"], false);
    let names: Vec<&Value> = (0..3)
        .map(|place| &task["actions"][place]["action_name"])
        .collect();
    let all = [
        "NewProjectWithUserAction",
        "NewProjectDefaultNetworkAction",
        "SetProjectQuotaAction",
    ];
    assert_eq!(names, all);
    let again = office.sign_up("bob@example.com", "pier").expect(409);
    assert_eq!(again, json!({ "errors": ["This Task already exists."] }));

    assert_eq!(
        office.approve(&task).expect(200),
        json!({ "notes": ["Created Token."] })
    );
    let token = office.mailed_token("bob@example.com");
    let page = format!("/v1/token/{token}");
    assert_eq!(
        office.anybody().get(&page).expect(200),
        json!({
            "actions": all, "required_fields": ["password"],
            "task_type": "create_project_and_user", "requires_authentication": false,
        })
    );
    let missing = office.anybody().post(&page, json!({})).expect(400);
    assert_eq!(
        missing,
        json!({ "errors": { "password": ["This field is required."] } })
    );
    let body = json!({ "password": "correct horse" });
    assert_eq!(
        office.anybody().post(&page, body.clone()).expect(200),
        json!({ "notes": ["Token submitted successfully."] })
    );
    office.anybody().post(&page, body).expect(404);

    let bob = office
        .windlass
        .user("bob@example.com")
        .with_password("correct horse");
    bob.naming_tenant("pier").get("/blueprints").expect(200);
    bob.naming_tenant("default_tenant")
        .get("/blueprints")
        .expect(403);
    let token = bob.own_token();
    let users = office
        .anybody()
        .with_bearer(&token)
        .get("/v1/openstack/users")
        .expect(200);
    assert_eq!(users["users"][0]["name"], "bob@example.com");
    assert_eq!(
        users["users"][0]["roles"],
        json!(["project_admin", "member"])
    );
    office.windlass.run_pending_work();
    let subjects: Vec<Value> = office
        .mails
        .requests()
        .iter()
        .map(|mail| mail.json["subject"].clone())
        .collect();
    assert_eq!(
        subjects,
        [
            "Your request for the project pier",
            "The project pier is ready for you",
            "Welcome to the project pier"
        ]
    );
}

#[test]
fn an_invitation_brings_somebody_into_one_project_only() {
    let office = Office::open();
    let bob = office.newcomer("bob@example.com", "pier");
    let zoe = office.newcomer("zoe@example.com", "mole");
    let bob = office.anybody().with_bearer(&bob);
    let zoe = office.anybody().with_bearer(&zoe);
    // As the Python client writes it.
    let body = json!({ "username": null, "email": "eve@example.com", "roles": ["project_mod"] });
    bob.post("/v1/openstack/users", body).expect(202);
    let invited = bob.get("/v1/openstack/users").expect(200)["users"][1].clone();
    assert_eq!(
        (&invited["cohort"], &invited["status"]),
        (&json!("Invited"), &json!("Invited"))
    );
    // Another project's invitation is not there.
    for method in ["GET", "DELETE"] {
        let path = path("/v1/tasks", &invited["id"]);
        zoe.raw(method, &path, "application/json", "").expect(404);
    }
    assert_eq!(
        zoe.delete(&path("/v1/openstack/users", &invited["id"]))
            .expect(404),
        "Not found."
    );
    let body = json!({ "task": invited["id"] });
    zoe.post("/v1/tokens", body.clone()).expect(404);

    let first = office.mailed_token("eve@example.com");
    bob.post("/v1/tokens", body).expect(200);
    let second = office.mailed_token("eve@example.com");
    assert_ne!(first, second);
    let password = json!({ "password": "correct horse" });
    office
        .anybody()
        .post(&format!("/v1/tokens/{first}"), password.clone())
        .expect(404);
    office
        .anybody()
        .post(&format!("/v1/tokens/{second}"), password)
        .expect(200);
    let eve = office.log_in("eve@example.com", "correct horse");
    let eve = office.anybody().with_bearer(&eve);
    // A moderator gives no more than they hold.
    let roles = eve.get("/v1/openstack/roles").expect(200);
    let names: Vec<&Value> = (0..2).map(|place| &roles["roles"][place]["name"]).collect();
    assert_eq!(names, ["project_mod", "member"]);
    let body = json!({ "email": "max@example.com", "roles": ["project_admin"] });
    let refusal = eve.post("/v1/openstack/users", body).expect(400);
    assert_eq!(refusal, json!({ "errors": ["actions invalid"] }));
}

#[test]
fn a_forgotten_password_is_replaced_and_strangers_learn_nothing() {
    let office = Office::open();
    office.newcomer("bob@example.com", "pier");
    office.windlass.run_pending_work();
    let before = office.mails.requests().len();
    let answers = ["bob@example.com", "nobody@example.com"].map(|email| {
        let body = json!({ "email": email });
        office
            .anybody()
            .post("/v1/openstack/users/password-reset", body)
            .expect(202)
    });
    assert_eq!(answers[0], answers[1]);
    let token = office.mailed_token("bob@example.com");
    assert_eq!(
        office.mails.requests().len(),
        before + 1,
        "only who has an account gets mail"
    );
    let body = json!({ "password": "another horse" });
    office
        .anybody()
        .post(&format!("/v1/tokens/{token}"), body)
        .expect(200);
    office.log_in("bob@example.com", "another horse");
    let bob = office
        .windlass
        .user("bob@example.com")
        .with_password("correct horse");
    bob.naming_tenant("pier").get("/blueprints").expect(401);
}

#[test]
fn roles_and_quotas_change_at_once_and_addresses_with_a_mail() {
    let office = Office::open();
    let token = office.newcomer("bob@example.com", "pier");
    let bob = office.anybody().with_bearer(&token);
    let _ = office.windlass.user("ann").with_role_in("viewer", "pier");
    let users = bob.get("/v1/openstack/users").expect(200);
    let ann = path("/v1/openstack/users", &users["users"][0]["id"]);
    let roles = |roles: Value| json!({ "roles": roles });
    bob.put(&format!("{ann}/roles"), roles(json!(["project_mod"])))
        .expect(202);
    let shown = bob.get(&format!("{ann}/roles")).expect(200);
    assert_eq!(shown["roles"], json!(["project_mod", "member"]));
    let all = roles(json!(["project_mod", "member"])).to_string();
    bob.raw("DELETE", &format!("{ann}/roles"), "application/json", all)
        .expect(202);
    bob.get(&ann).expect(404);

    let size = |size: &str| json!({ "size": size, "regions": null });
    let done = bob
        .post("/v1/openstack/quotas/", size("medium"))
        .expect(200);
    assert_eq!(done, json!({ "notes": ["Task completed successfully."] }));
    bob.post("/v1/openstack/quotas/", size("large")).expect(202);
    let quotas = bob.get("/v1/openstack/quotas/").expect(200);
    assert_eq!(quotas["regions"][0]["current_quota_size"], "medium");
    let tasks = &quotas["active_quota_tasks"];
    assert_eq!(tasks[0]["status"], "Awaiting Approval");
    assert_eq!(tasks[1]["status"], "Completed");
    let refusal = bob.get("/v1/openstack/quotas?regions=Mars").expect(400);
    assert_eq!(refusal, json!({ "ERROR": ["Region: Mars is not valid"] }));

    let body = json!({ "new_email": "robert@example.com" });
    // Whoever has the address can have another password: a token for an hour is not enough.
    let himself = office
        .windlass
        .user("bob@example.com")
        .with_password("correct horse");
    let short = himself.post("/api/v3.1/tokens", json!({ "expiration_date": "+1h" }));
    let short = short.expect(200);
    let short = short["value"].as_str().expect("a token");
    office
        .anybody()
        .with_bearer(short)
        .post("/v1/openstack/users/email-update", body.clone())
        .expect(403);
    bob.post("/v1/openstack/users/email-update", body)
        .expect(202);
    let token = office.mailed_token("robert@example.com");
    let warned = office.mails.requests();
    assert!(
        warned
            .iter()
            .any(|mail| mail.json["to"] == "bob@example.com"
                && mail.json["subject"] == "Your address is about to be changed")
    );
    office
        .anybody()
        .post(&format!("/v1/tokens/{token}"), json!({ "confirm": true }))
        .expect(200);
    let users = bob.get("/v1/openstack/users").expect(200);
    assert_eq!(users["users"][0]["email"], "robert@example.com");
}

#[test]
fn a_project_has_no_more_than_its_quota() {
    let office = Office::open();
    office.newcomer("bob@example.com", "pier");
    let bob = office
        .windlass
        .user("bob@example.com")
        .with_password("correct horse")
        .naming_tenant("pier");
    let limit =
        "update tenant_quotas set quota = 1 where tenant_name = 'pier' and service = 'windlass'";
    let database = office.windlass.open_database();
    database.execute(limit, []).expect("quotas are rows");
    crate::samples::deployed(bob, "crane");
    let refused = bob.upload(
        "winch",
        "winch.yaml",
        &[("winch.yaml", crate::samples::CRANE)],
    );
    let text = refused.refused(403, "forbidden_error");
    assert!(text.contains("it may have 1 blueprints at most"), "{text}");
    let body = json!({ "blueprint_id": "crane" });
    bob.put("/deployments/winch", body)
        .refused(403, "forbidden_error");
    bob.execute("crane", "install");
    office.windlass.run_pending_work();
    let none = "update tenant_quotas set quota = 0 where resource = 'executions'";
    database.execute(none, []).expect("quotas are rows");
    let body = json!({ "deployment_id": "crane", "workflow_id": "uninstall" });
    let text = bob
        .post("/executions", body)
        .refused(403, "forbidden_error");
    assert!(text.contains("it may have 0 executions at most"), "{text}");
}
