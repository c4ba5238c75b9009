//! Subscriptions: `/status/subscriptions`, what webhooks are sent, and what administrators see of it.

use super::subscribers::*;
use windlass_tests::{Options, Recorder, json};

#[test]
fn a_webhook_that_answers_the_challenge_is_told_signed_texts() {
    let windlass = dashboard(&[("Volumes", "EU"), ("Mail", "EU"), ("Volumes", "US")]);
    let (all, mail, american) = (receiver(|_| 204), receiver(|_| 200), receiver(|_| 200));
    let subscription = subscribe(&windlass, &all, json!({}));
    subscribe(&windlass, &mail, json!({ "components": [2] }));
    subscribe(&windlass, &american, json!({ "region": "US" }));
    let secret = subscription["secret"].as_str().expect("a secret");
    demand_signed(&all.requests()[0], secret);
    assert_eq!(
        all.requests()[0].json["data"]["subscription_id"],
        subscription["id"]
    );

    report(&windlass, "Volumes", 1, "Slow <disks>");
    windlass.run_pending_work();
    let opened = told(&all);
    assert_eq!(opened.len(), 1);
    demand_signed(&opened[0], secret);
    assert_eq!(opened[0].json["type"], "incident.opened");
    assert_eq!(opened[0].json["data"]["title"], "Slow <disks>");
    assert_eq!(opened[0].json["data"]["impact_name"], "minor");
    assert_eq!((told(&mail).len(), told(&american).len()), (0, 0));

    report(&windlass, "Mail", 1, "Late");
    windlass.run_pending_work();
    let joined = &told(&mail)[0].json;
    assert_eq!(joined["type"], "incident.updated");
    assert_eq!(
        joined["data"]["updates"][0]["text"], "Mail (EU) added to Slow <disks>",
        "plain text: {joined}"
    );
    assert_eq!((told(&all).len(), told(&american).len()), (2, 0));

    let end = subscription["unsubscribe_url"].as_str().expect("a link");
    let end = link(end, "unsubscribe");
    assert_eq!(browse(&windlass, "GET", &end, None).status, 200);
    report(&windlass, "Mail", 2, "Worse");
    windlass.run_pending_work();
    // Mail left for an incident of its own: both are news.
    assert_eq!(told(&all).len(), 4, "a look at the link ends nothing");
    assert_eq!(browse(&windlass, "POST", &end, None).status, 200);
    assert_eq!(browse(&windlass, "POST", &end, None).status, 404);
    report(&windlass, "Mail", 3, "Down");
    windlass.run_pending_work();
    assert_eq!(told(&all).len(), 4);
}

#[test]
fn a_webhook_that_does_not_answer_the_challenge_is_told_nothing() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let stranger = Recorder::start();
    subscribe(&windlass, &stranger, json!({}));
    hurry(&windlass);
    report(&windlass, "Volumes", 3, "Down");
    windlass.run_pending_work();
    assert!(told(&stranger).is_empty());
    assert_eq!(
        stranger.requests().len(),
        2,
        "it was asked, and asked again"
    );
    let ids: Vec<_> = stranger
        .requests()
        .iter()
        .map(|one| one.headers["webhook-id"].clone())
        .collect();
    assert_eq!(ids[0], ids[1]);
    let more = json!({ "kind": "webhook", "url": format!("{}/hook", stranger.url()) });
    for status in [201, 201, 409] {
        windlass
            .passer_by()
            .post(SUBSCRIPTIONS, more.clone())
            .expect(status);
    }
}

#[test]
fn what_did_not_arrive_is_tried_again_under_the_same_id() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let failures = std::sync::atomic::AtomicU32::new(2);
    let recorder = receiver(move |_| {
        let left = failures.load(std::sync::atomic::Ordering::Relaxed);
        failures.store(left.saturating_sub(1), std::sync::atomic::Ordering::Relaxed);
        if left > 0 { 503 } else { 200 }
    });
    subscribe(&windlass, &recorder, json!({}));
    report(&windlass, "Volumes", 3, "Down");
    windlass.run_pending_work();
    assert_eq!(told(&recorder).len(), 1);
    hurry(&windlass);
    hurry(&windlass);
    hurry(&windlass);
    let requests = told(&recorder);
    assert_eq!(requests.len(), 3);
    assert!(
        requests
            .iter()
            .all(|one| one.headers["webhook-id"] == requests[0].headers["webhook-id"])
    );
    assert!(requests.iter().all(|one| one.json == requests[0].json));
    let token = windlass.admin().own_token();
    let stats = windlass
        .passer_by()
        .with_bearer(&token)
        .get("/v2/notifications/stats")
        .expect(200);
    assert_eq!(
        (&stats["delivered"], &stats["pending"]),
        (&json!(1), &json!(0)),
        "{stats}"
    );
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_process_that_dies_tells_once_or_again_but_never_as_something_else() {
    for commit in [1, 2, 3, 4] {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = dashboard(&[("Volumes", "EU")]);
            let recorder = receiver(|_| 200);
            subscribe(&windlass, &recorder, json!({}));
            let database = windlass.open_database();
            // Queued by the trigger, but not for the tick that follows the report.
            database
                .execute_batch(
                    "create trigger later after insert on queue begin
                     update queue set not_before = 99999999999999 where key = new.key; end",
                )
                .expect("a trigger of the test's own");
            report(&windlass, "Volumes", 3, "Down");
            let stopped = windlass.kill();
            database
                .execute_batch("drop trigger later; update queue set not_before = 0")
                .expect("the trigger goes");
            drop(database);
            let windlass = stopped.start_with(&fault);
            while windlass.try_tick().is_some_and(|answer| answer["ran"] != 0) {}
            let windlass = windlass.kill().start();
            windlass.expire_leases();
            windlass.run_pending_work();
            let requests = told(&recorder);
            assert!(
                (1..=2).contains(&requests.len()),
                "{fault}: {}",
                requests.len()
            );
            let ids: Vec<_> = requests
                .iter()
                .map(|one| &one.headers["webhook-id"])
                .collect();
            assert!(ids.iter().all(|id| *id == ids[0]), "{fault}: {ids:?}");
            let delivered: i64 = windlass
                .open_database()
                .query_row(
                    "select count(*) from status_deliveries where state = 'delivered'",
                    [],
                    |row| row.get(0),
                )
                .expect("deliveries are rows");
            assert_eq!(delivered, 1, "{fault}");
        }
    }
}

#[test]
fn what_cannot_be_subscribed_is_named() {
    let windlass = Options::default().with_monitors().start();
    let page = browse(&windlass, "GET", "/status/subscribe", None);
    assert!(
        text(&page).contains("E-mail is not offered here"),
        "{}",
        text(&page)
    );
    let hook = "https://hooks.example.com/";
    for (body, field) in [
        (json!({}), "kind"),
        (json!({ "kind": "pigeon" }), "kind"),
        (
            json!({ "kind": "email", "email": "ann@example.com" }),
            "kind",
        ),
        (json!({ "kind": "webhook" }), "url"),
        (json!({ "kind": "webhook", "url": 7 }), "url"),
        (
            json!({ "kind": "webhook", "url": "ftp://example.com" }),
            "url",
        ),
        (
            json!({ "kind": "webhook", "url": "http://127.0.0.1/" }),
            "url",
        ),
        (
            json!({ "kind": "webhook", "url": "http://scheduler.spin.internal/internal/tick" }),
            "url",
        ),
        (
            json!({ "kind": "webhook", "url": hook, "components": [99] }),
            "components",
        ),
        (
            json!({ "kind": "webhook", "url": hook, "components": "1" }),
            "components",
        ),
        (
            json!({ "kind": "webhook", "url": hook, "region": "Mars" }),
            "region",
        ),
        (
            json!({ "kind": "webhook", "url": hook, "secret": "x" }),
            "secret",
        ),
    ] {
        let refusal = windlass
            .passer_by()
            .post(SUBSCRIPTIONS, body.clone())
            .expect(400);
        assert!(
            refusal["errors"]["json"][field].is_array(),
            "{body}: {refusal}"
        );
    }
    let page = browse(
        &windlass,
        "POST",
        SUBSCRIPTIONS,
        Some("kind=webhook&url=http://10.0.0.1/"),
    );
    assert_eq!(page.status, 400);
    assert!(
        text(&page).contains("private or local address"),
        "{}",
        text(&page)
    );
    for path in ["confirm?token=x", "unsubscribe?token=", "confirm"] {
        for method in ["GET", "POST"] {
            let answer = browse(&windlass, method, &format!("{SUBSCRIPTIONS}/{path}"), None);
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    let count: i64 = windlass
        .open_database()
        .query_row("select count(*) from status_subscriptions", [], |row| {
            row.get(0)
        })
        .expect("subscriptions are rows");
    assert_eq!(count, 0);
}

#[test]
fn administrators_see_who_is_told_and_what_failed() {
    let windlass = dashboard(&[("Volumes", "EU")]);
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = broken.clone();
    let recorder = receiver(move |_| {
        if is_broken.load(std::sync::atomic::Ordering::Relaxed) {
            500
        } else {
            200
        }
    });
    let id = subscribe(&windlass, &recorder, json!({ "region": "EU" }))["id"].clone();
    report(&windlass, "Volumes", 3, "Down");
    windlass.run_pending_work();
    for _ in 0..10 {
        hurry(&windlass);
    }
    let token = windlass.admin().own_token();
    let admin = windlass.passer_by().with_bearer(&token);
    let listed = admin.get("/v2/subscriptions").expect(200);
    let one = &listed["data"][0];
    assert_eq!(
        (&one["id"], &one["state"], &one["region"]),
        (&id, &json!("active"), &json!("EU"))
    );
    assert!(!listed.to_string().contains("whsec_"), "{listed}");
    let failed = admin.get("/api/v2/status/notifications/failed").expect(200);
    let delivery = failed["data"][0].clone();
    assert_eq!(delivery["attempts"], 11, "{failed}");
    assert_eq!(delivery["last_error"], "the receiver answered 500");
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    admin
        .post("/v2/notifications/failed/dlv_unknown/redrive", json!({}))
        .expect(404);
    let path = format!(
        "/v2/notifications/failed/{}/redrive",
        delivery["id"].as_str().unwrap_or_default()
    );
    assert_eq!(
        admin.post(&path, json!({})).expect(200),
        json!({ "redriven": 1 })
    );
    windlass.run_pending_work();
    let requests = told(&recorder);
    assert_eq!(requests.len(), 12);
    assert_eq!(
        requests[11].headers["webhook-id"],
        requests[0].headers["webhook-id"]
    );

    let creator = windlass
        .user("carl")
        .with_role_in("manager", "default_tenant");
    let creator = &creator.own_token();
    for path in [
        "/v2/subscriptions",
        "/v2/notifications/stats",
        "/v2/notifications/failed",
    ] {
        windlass.passer_by().get(path).expect(401);
        windlass
            .passer_by()
            .with_bearer(creator)
            .get(path)
            .expect(403);
    }
    admin.get("/v2/subscriptions?limit=x").expect(400);
    let path = format!("/v2/subscriptions/{}", id.as_str().unwrap_or_default());
    windlass
        .passer_by()
        .with_bearer(creator)
        .delete(&path)
        .expect(403);
    admin.delete(&path).expect(204);
    admin.delete(&path).expect(404);
}
