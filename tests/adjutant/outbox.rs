//! The outbox: what administrators see of the mail that goes out, and how much of it there is.

use super::people::{Office, path};
use windlass_tests::{Options, Recorder, Value, json};

/// The newest mails: recipient, stage, state and tries.
fn told(office: &Office) -> Vec<Value> {
    let all = office.admin().get("/v1/outbox").expect(200);
    let mails = all["mails"].as_array().expect("a list").clone();
    let names = ["recipient", "stage", "state", "attempts"];
    mails
        .iter()
        .map(|mail| names.iter().map(|name| mail[*name].clone()).collect())
        .collect()
}

#[test]
fn administrators_see_what_was_mailed_to_whom() {
    let office = Office::open();
    office.newcomer("bob@example.com", "pier");
    office.windlass.run_pending_work();
    let bob = "bob@example.com";
    assert_eq!(
        told(&office),
        [
            json!([bob, "completed", "sent", 1]),
            json!([bob, "token", "sent", 1]),
            json!([bob, "initial", "sent", 1]),
        ]
    );
    let filter = "%7B%22stage%22%3A%7B%22exact%22%3A%22token%22%7D%7D";
    let page = format!("/v1/outbox?filters={filter}&mails_per_page=1");
    let found = office.admin().get(&page).expect(200);
    assert_eq!(
        (&found["pages"], &found["has_more"]),
        (&json!(1), &json!(false))
    );
    let mail = &found["mails"][0];
    assert_eq!(mail["task"], office.task()["uuid"]);
    assert!(
        mail["ended_on"].is_string() && mail["error"].is_null(),
        "{mail}"
    );
    let shown = office
        .admin()
        .get(&path("/v1/outbox", &mail["uuid"]))
        .expect(200);
    let sent = office.mails.requests();
    let token = |text: &str| text.split("/account/token/").nth(1).map(str::to_owned);
    let of_mail = sent
        .iter()
        .find_map(|mail| token(mail.json["text"].as_str()?));
    let of_mail = of_mail.expect("it has a link");
    let secret = of_mail.split_whitespace().next().expect("a token");
    assert!(!shown.to_string().contains(secret), "{shown}");
    assert_eq!(shown["subject"], "The project pier is ready for you");
    office.admin().get("/v1/outbox/nothing").expect(404);
}

#[test]
fn a_mail_that_fails_says_why() {
    let broken = Recorder::answering(|_| (400, json!({})));
    let windlass = Options::default()
        .variable("mail_url", &format!("{}/send", broken.url()))
        .variable("mail_from", "desk@example.com")
        .start();
    let token = windlass.admin().own_token();
    let body = json!({ "email": "bob@example.com", "project_name": "pier" });
    windlass
        .passer_by()
        .post("/v1/openstack/sign-up", body)
        .expect(202);
    windlass.run_pending_work();
    let admin = windlass.passer_by().with_bearer(&token);
    let mail = admin.get("/v1/outbox").expect(200)["mails"][0].clone();
    assert_eq!(
        (&mail["state"], &mail["attempts"]),
        (&json!("failed"), &json!(1))
    );
    assert!(
        mail["error"]
            .as_str()
            .is_some_and(|why| why.contains("400")),
        "{mail}"
    );
}

#[test]
fn nobody_is_flooded_with_mail() {
    let office = Office::open();
    let ann = office.newcomer("ann@example.com", "pier");
    let settings = json!({ "value": { "mails_per_hour": 2, "requests_per_hour": 5 } });
    office
        .windlass
        .admin()
        .put("/config/adjutant.adjutant_settings", settings)
        .expect(200);
    // A stranger is told nothing, whoever they ask for.
    for _ in 0..4 {
        let body = json!({ "email": "ann@example.com" });
        let path = "/v1/openstack/users/password-reset";
        office.anybody().post(path, body).expect(202);
        office.windlass.run_pending_work();
    }
    let filter = "%7B%22task__task_type%22%3A%7B%22exact%22%3A%22reset_password%22%7D%7D";
    let mails = office
        .admin()
        .get(&format!("/v1/outbox?filters={filter}"))
        .expect(200);
    let states: Vec<&Value> = (0..4)
        .map(|place| &mails["mails"][place]["state"])
        .collect();
    assert_eq!(states, ["withheld", "withheld", "sent", "sent"]);
    assert_eq!(
        office.mails.requests().len(),
        5,
        "three of the sign-up, and two"
    );

    // A user is told, and has a limit of their own.
    let ann = office.anybody().with_bearer(&ann);
    let invite = json!({ "email": "eve@example.com", "roles": ["member"] });
    ann.post("/v1/openstack/users", invite).expect(202);
    let again = json!({ "task": office.task()["uuid"] });
    ann.post("/v1/tokens", again.clone()).expect(200);
    let refused = ann.post("/v1/tokens", again.clone()).expect_answer(429);
    assert!(refused.header("retry-after").is_some());
    assert!(String::from_utf8_lossy(&refused.body).contains("Too many mails went to this address"));
    ann.post("/v1/tokens", again.clone()).expect(429);
    ann.post("/v1/tokens", again.clone()).expect(429);
    let refused = ann.post("/v1/tokens", again).expect(429);
    assert_eq!(
        refused,
        json!({ "errors": ["Too many requests from this user, try again later."] })
    );
}
