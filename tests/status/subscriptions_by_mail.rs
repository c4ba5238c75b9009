//! Subscriptions: `/status/subscriptions` by mail, from the form to the last letter.

use super::pages::without_own_script;
use super::subscribers::*;
use windlass_tests::{Options, Recorder, Value, json};

#[test]
fn an_address_is_told_after_its_reader_confirmed() {
    let mails = Recorder::start();
    let options = Options::default()
        .variable("mail_url", &format!("{}/send", mails.url()))
        .variable("mail_from", "Harbour <status@example.com>")
        .variable("public_url", "https://status.example.com");
    let windlass = dashboard_with(options, &[("Volumes", "EU"), ("Mail", "EU")]);
    let form = "kind=email&email=ann%40example.com&region=&url=";
    let asked = browse(&windlass, "POST", SUBSCRIPTIONS, Some(form));
    assert_eq!(asked.status, 202, "{}", text(&asked));
    windlass.run_pending_work();
    assert_eq!(mails.requests().len(), 1);
    let mail = mails.requests()[0].json.clone();
    assert_eq!(mail["to"], "ann@example.com");
    let said = mail["text"].as_str().expect("a text");
    let confirm = link(said, "confirm");

    report(&windlass, "Volumes", 1, "Slow");
    windlass.run_pending_work();
    let page = browse(&windlass, "GET", &confirm, None);
    assert_eq!(page.status, 200);
    assert!(
        text(&page).contains("<form method=\"post\""),
        "{}",
        text(&page)
    );
    assert!(!without_own_script(&text(&page)).contains("<script"));
    report(&windlass, "Volumes", 2, "Slower");
    windlass.run_pending_work();
    assert_eq!(
        mails.requests().len(),
        1,
        "a program that opens links confirms nothing"
    );

    assert_eq!(browse(&windlass, "POST", &confirm, None).status, 200);
    assert_eq!(
        browse(&windlass, "POST", &confirm, None).status,
        200,
        "twice is fine"
    );
    // Asking again looks the same as the first time, and says nothing to the address.
    let again = browse(&windlass, "POST", SUBSCRIPTIONS, Some(form));
    assert_eq!((again.status, text(&again)), (202, text(&asked)));
    report(&windlass, "Volumes", 3, "Down");
    windlass.run_pending_work();
    assert_eq!(mails.requests().len(), 2);
    let mail = mails.requests()[1].json.clone();
    assert_eq!(mail["subject"], "Incident updated: Slow");
    let header = mail["headers"]["List-Unsubscribe"]
        .as_str()
        .expect("a header");
    assert!(
        header.starts_with("<https://status.example.com/"),
        "{header}"
    );
    assert_eq!(
        mail["headers"]["List-Unsubscribe-Post"],
        "List-Unsubscribe=One-Click"
    );

    // As a mail program does it.
    let end = link(header, "unsubscribe");
    let ended = browse(&windlass, "POST", &end, Some("List-Unsubscribe=One-Click"));
    assert_eq!(ended.status, 200);
    report(&windlass, "Mail", 3, "Late");
    windlass.run_pending_work();
    assert_eq!(mails.requests().len(), 2);
    assert_eq!(browse(&windlass, "POST", &confirm, None).status, 404);
}

#[test]
fn an_address_is_not_flooded() {
    let mails = Recorder::start();
    let options = Options::default()
        .variable("mail_url", &mails.url())
        .variable("mail_from", "status@example.com");
    let windlass = dashboard_with(options, &[("Volumes", "EU"), ("Mail", "EU")]);
    let body = |more: Value| {
        let mut body = json!({ "kind": "email", "email": "ann@example.com" });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        body
    };
    for more in [
        json!({}),
        json!({}),
        json!({ "components": [1] }),
        json!({ "email": "ANN@example.com" }),
    ] {
        let answer = windlass
            .passer_by()
            .post(SUBSCRIPTIONS, body(more))
            .expect(202);
        assert!(answer["message"].is_string(), "{answer}");
    }
    windlass.run_pending_work();
    assert_eq!(mails.requests().len(), 1);
    let statuses: Vec<u16> = (0..25)
        .map(|number| {
            let email = json!({ "email": format!("n{number}@example.com") });
            windlass
                .passer_by()
                .post(SUBSCRIPTIONS, body(email))
                .status()
        })
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 202).count(),
        16,
        "{statuses:?}"
    );
    assert_eq!(statuses.last(), Some(&429));
}
