//! Tasks, tokens and notifications as administrators see them.

use super::people::{Office, path};
use windlass_tests::{Options, Recorder, json};

#[test]
fn tasks_are_listed_filtered_and_paged() {
    let office = Office::open();
    let admin = office.admin();
    for project in ["pier", "mole", "jetty"] {
        office
            .sign_up(&format!("{project}@example.com"), project)
            .expect(202);
    }
    let all = admin.get("/v1/tasks/").expect(200);
    assert_eq!(all["tasks"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        all["tasks"][0]["actions"][0]["data"]["project_name"],
        "jetty"
    );
    let page = admin.get("/v1/tasks?tasks_per_page=2&page=2").expect(200);
    assert_eq!(page["tasks"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&page["pages"], &page["has_more"], &page["has_prev"]),
        (&json!(2), &json!(false), &json!(true))
    );
    for (query, text) in [
        ("tasks_per_page=2&page=3", "Empty page"),
        ("tasks_per_page=2&page=x", "Page not an integer"),
        (
            "tasks_per_page=none",
            "tasks_per_page must be a positive integer",
        ),
        (
            "filters=%7B%22uuid%22%3A%22x%22%7D",
            "Filters incorrectly formatted. Required format: {'filters': {'fieldname': { 'operation': 'value'}}",
        ),
    ] {
        let refusal = admin.get(&format!("/v1/tasks?{query}")).expect(400);
        assert_eq!(refusal, json!({ "errors": [text] }));
    }
    let filter = "%7B%22action__action_data%22%3A%7B%22contains%22%3A%22mole%22%7D%7D";
    let found = admin
        .get(&format!("/v1/tasks?filters={filter}"))
        .expect(200);
    assert_eq!(found["tasks"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_json_or_not_a_method_is_told_so() {
    let office = Office::open();
    let admin = office.admin();
    office.sign_up("bob@example.com", "pier").expect(202);
    let task = path("/v1/tasks", &office.task()["uuid"]);
    let required = json!({ "errors": { "approved": ["this is a required boolean field."] } });
    for body in [
        "{",
        "[]",
        "{}",
        "{\"approved\": \"true\"}",
        "{\"approved\": 1}",
    ] {
        let refusal = admin
            .raw("POST", &task, "application/json", body)
            .expect(400);
        assert_eq!(refusal, required, "{body}");
    }
    admin
        .raw("POST", &task, "text/plain", "approved")
        .expect(415);
    admin.raw("PUT", &task, "application/json", "{").expect(400);
    let refusal = admin
        .raw("PATCH", &task, "application/json", "{}")
        .expect(405);
    assert!(refusal["errors"].is_array(), "{refusal}");
    let refusal = admin.get("/v1/nothing").expect(404);
    assert!(refusal["errors"].is_array(), "{refusal}");
    assert_eq!(office.task()["approved"], false);
}

#[test]
fn a_task_is_changed_called_off_and_never_started_again() {
    let office = Office::open();
    let admin = office.admin();
    office.sign_up("bob@example.com", "pier").expect(202);
    let task = path("/v1/tasks", &office.task()["uuid"]);
    let body = json!({ "email": "bob@example.com", "project_name": "mole", "region": "RegionOne" });
    admin.put(&task, body.clone()).expect(200);
    assert_eq!(office.task()["actions"][0]["data"]["project_name"], "mole");
    let missing = admin.put(&task, json!({})).expect(400);
    assert_eq!(
        missing["errors"]["email"],
        json!(["This field is required."])
    );
    admin.delete(&task).expect(200);
    let over = json!({ "errors": ["This task has been cancelled."] });
    assert_eq!(admin.delete(&task).expect(400), over);
    assert_eq!(admin.put(&task, body).expect(400), over);
    assert_eq!(
        admin.post(&task, json!({ "approved": true })).expect(400),
        over
    );
    admin.get(&task).expect(200);
}

#[test]
fn notifications_wait_until_somebody_has_seen_to_them() {
    let office = Office::open();
    let admin = office.admin();
    office.sign_up("bob@example.com", "pier").expect(202);
    office.sign_up("eve@example.com", "mole").expect(202);
    let waiting = admin.get("/v1/notifications").expect(200);
    let notes = &waiting["notifications"];
    assert_eq!(
        notes[0]["notes"],
        json!({ "notes": ["'create_project_and_user' task needs approval."] })
    );
    let (one, other) = (&notes[0]["uuid"], &notes[1]["uuid"]);
    let first = path("/v1/notification", one);
    admin.get(&first).expect(200);
    let refusal = admin.post(&first, json!({})).expect(400);
    assert_eq!(
        refusal,
        json!({ "acknowledged": ["this field is required."] })
    );
    let yes = json!({ "acknowledged": true });
    for text in [
        "Notification acknowledged.",
        "Notification already acknowledged.",
    ] {
        assert_eq!(
            admin.post(&first, yes.clone()).expect(200),
            json!({ "notes": [text] })
        );
    }
    let refusal = admin
        .post("/v1/notifications", json!({ "notifications": [] }))
        .expect(400);
    assert_eq!(
        refusal["notifications"],
        json!(["this field is required and needs to be a list."])
    );
    admin
        .post(
            "/v1/notifications",
            json!({ "notifications": [other, "nothing"] }),
        )
        .expect(200);
    let waiting = admin.get("/v1/notifications").expect(200);
    assert_eq!(waiting["notifications"], json!([]));
    let filter = "%7B%22acknowledged%22%3A%7B%22in%22%3A%5Btrue%2Cfalse%5D%7D%7D";
    let all = admin
        .get(&format!("/v1/notifications?filters={filter}"))
        .expect(200);
    assert_eq!(all["notifications"].as_array().map(Vec::len), Some(2));
}

#[test]
fn mail_that_cannot_be_sent_is_told_to_administrators() {
    let broken = Recorder::answering(|_| (400, json!({})));
    let windlass = Options::default()
        .variable("mail_url", &format!("{}/send", broken.url()))
        .variable("mail_from", "desk@example.com")
        .start();
    let admin = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&admin);
    let body = json!({ "email": "bob@example.com", "project_name": "pier" });
    windlass
        .passer_by()
        .post("/v1/openstack/sign-up", body)
        .expect(202);
    windlass.run_pending_work();
    let status = admin.get("/v1/status").expect(200);
    let told = status["error_notifications"][0]["notes"]["errors"][0].to_string();
    assert!(
        told.contains("while emailing update for task: "),
        "{status}"
    );
    assert_eq!(status["last_created_task"]["completed"], false);
    assert_eq!(status["last_completed_task"], json!(null));
}

#[test]
fn strangers_may_not_ask_for_ever() {
    let office = Office::open();
    for number in 0..60 {
        let body = json!({ "email": format!("n{number}@example.com") });
        office
            .anybody()
            .post("/v1/openstack/users/password-reset", body)
            .expect(202);
    }
    let body = json!({ "email": "one-more@example.com" });
    let refused = office.anybody().post("/v1/actions/ResetPassword", body);
    let refused = refused.expect_answer(429);
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_token_is_told_to_administrators_and_to_nobody_else() {
    let office = Office::open();
    office.sign_up("bob@example.com", "pier").expect(202);
    let approved = office.approve(&office.task()).text();
    let tokens = office.admin().get("/v1/tokens").expect(200);
    let token = tokens["tokens"][0]["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    assert_eq!(token, office.mailed_token("bob@example.com"));
    assert!(!approved.contains(&token));
    let task = path("/v1/tasks", &office.task()["uuid"]);
    assert!(!office.admin().get(&task).text().contains(&token));
    office
        .anybody()
        .get(&format!("/v1/tokens/{token}"))
        .expect(200);
    let stopped = office.windlass.stop();
    assert!(!stopped.logged.contains(&token), "no log line has it");
}
