//! Rooms of chats: `POST /v2/subscriptions`, notices as Slack, Teams and Discord take them.

use super::subscribers::{dashboard, hurry, report};
use windlass_tests::{Recorder, Windlass, json};

/// A room, and its subscription's id.
fn add(windlass: &Windlass, kind: &str, room: &Recorder) -> String {
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let body =
        json!({ "kind": kind, "url": format!("{}/hooks/key", room.url()), "components": [1] });
    let added = admin.post("/v2/subscriptions", body.clone()).expect(201);
    assert_eq!(
        (&added["kind"], &added["state"]),
        (&json!(kind), &json!("active"))
    );
    admin.post("/v2/subscriptions", body).expect(409);
    added["id"].as_str().expect("an id").to_owned()
}

#[test]
fn rooms_are_told_in_their_own_form() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Mail", "EU")]);
    let (slack, teams, discord) = (Recorder::start(), Recorder::start(), Recorder::start());
    for (kind, room) in [("slack", &slack), ("teams", &teams), ("discord", &discord)] {
        add(&windlass, kind, room);
    }
    windlass.run_pending_work();
    assert!(
        slack.requests().is_empty(),
        "nobody asks a room for a challenge"
    );
    report(&windlass, "Mail", 2, "Not for these rooms");
    report(&windlass, "Volumes", 3, "Down <!channel> @everyone");
    windlass.run_pending_work();

    let told = &slack.requests()[0].json;
    assert_eq!(slack.requests().len(), 1);
    let text = told["text"].as_str().expect("a text");
    let headline = "Incident opened: Down &lt;!channel&gt; @\u{200b}everyone\nImpact: outage\n";
    assert!(text.starts_with(headline), "{text}");
    assert!(
        text.ends_with("/incidents/2"),
        "Mattermost shows all of it: {text}"
    );
    assert_eq!(told["blocks"][0]["text"]["type"], "plain_text");
    let card = &teams.requests()[0].json["attachments"][0]["content"];
    assert_eq!(card["type"], "AdaptiveCard");
    let url = card["actions"][0]["url"].as_str().expect("a link");
    assert!(url.ends_with("/incidents/2"), "{url}");
    let embed = &discord.requests()[0].json;
    assert_eq!(embed["allowed_mentions"]["parse"], json!([]));
    assert_eq!(
        embed["embeds"][0]["title"],
        "Incident opened: Down \\<!channel\\> \\@everyone"
    );
}

#[test]
fn a_room_that_refuses_is_tried_again() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let room = Recorder::answering(|_| (429, json!({ "retry_after": 1 })));
    let id = add(&windlass, "discord", &room);
    report(&windlass, "Volumes", 3, "Down");
    windlass.run_pending_work();
    hurry(&windlass);
    windlass.run_pending_work();
    assert!(room.requests().len() >= 2);
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let listed = admin.get("/v2/subscriptions").expect(200);
    assert_eq!(listed["data"][0]["kind"], "discord");
    let target = listed["data"][0]["target"].as_str().expect("a text");
    assert!(!target.contains("key"), "{target}");
    admin.delete(&format!("/v2/subscriptions/{id}")).expect(204);
}

#[test]
fn rooms_are_added_by_administrators_and_by_the_rule_for_urls() {
    let windlass = windlass_tests::Options::default().with_monitors().start();
    let operator = windlass
        .user("olga")
        .with_role_in("operations", "default_tenant");
    let operator = operator.own_token();
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let body = |kind: &str, url: &str| json!({ "kind": kind, "url": url });
    let slack = "https://hooks.slack.com/services/T0/B0/key";
    let path = "/v2/subscriptions";
    windlass
        .passer_by()
        .post(path, body("slack", slack))
        .expect(401);
    let olga = windlass.passer_by().with_bearer(&operator);
    olga.post(path, body("slack", slack)).expect(403);
    for (body, words) in [
        (json!({}), "kind"),
        (body("pigeon", slack), "kind"),
        (body("standard", slack), "kind"),
        (body("slack", "http://127.0.0.1/x"), "private"),
        (body("teams", "ftp://example.com"), "absolute"),
        (body("slack", "https://example.com?key=a/b"), "path"),
        (
            json!({ "kind": "slack", "url": slack, "components": [99] }),
            "component 99",
        ),
        (
            json!({ "kind": "slack", "url": slack, "region": "MARS" }),
            "region `MARS`",
        ),
        (
            json!({ "kind": "slack", "url": slack, "secret": "x" }),
            "secret",
        ),
    ] {
        let refusal = admin.post(path, body.clone()).expect(400).to_string();
        assert!(refusal.contains(words), "{body}: {refusal}");
    }
    assert_eq!(admin.get(path).expect(200)["pagination"]["total"], 0);
    admin.post(path, body("slack", slack)).expect(201);
}
