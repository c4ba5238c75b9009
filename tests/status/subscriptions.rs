//! Subscriptions: `/status/subscriptions`, what subscribers are sent, and what administrators see of it.

use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use windlass_tests::{
    Answer, Caller, MONITORS_SECRET, Options, Outgoing, Recorded, Recorder, Value, Windlass, json,
    monitor_token,
};

const SUBSCRIPTIONS: &str = "/status/subscriptions";

/// A Windlass that knows its monitors' secret and may call this machine, with these components.
pub(super) fn dashboard(components: &[(&str, &str)]) -> Windlass {
    dashboard_with(Options::default(), components)
}

fn dashboard_with(options: Options, components: &[(&str, &str)]) -> Windlass {
    let windlass = options
        .variable("status_jwt_secret", MONITORS_SECRET)
        .variable("outbound_allow_private", "true")
        .start();
    let components: Vec<Value> = components
        .iter()
        .map(|(name, region)| json!({ "name": name, "attributes": { "region": region } }))
        .collect();
    let token = admin_token(&windlass);
    let catalogue = json!({ "components": components });
    let admin = anybody(&windlass).with_bearer(&token);
    admin.put("/api/v1/catalogue", catalogue).expect(200);
    windlass
}

/// A token of the administrator's, which the Status Dashboard takes.
pub(super) fn admin_token(windlass: &Windlass) -> String {
    let token = windlass.admin().post("/tokens", json!({})).expect(200);
    token["value"].as_str().expect("a token").to_owned()
}

pub(super) fn anybody(windlass: &Windlass) -> Caller<'_> {
    windlass.nobody().without_tenant().at_root()
}

/// A monitor's report; the incident.
pub(super) fn report(windlass: &Windlass, name: &str, impact: i64, text: &str) -> Value {
    let token = monitor_token("probe");
    let body = json!({ "name": name, "impact": impact, "text": text });
    let monitor = anybody(windlass).with_bearer(&token);
    monitor.post("/api/v1/component_status", body).expect(201)
}

/// A receiver that confirms whatever it is asked to, and answers the rest with a status.
fn receiver(answer: impl Fn(&Recorded) -> u16 + Send + Sync + 'static) -> Recorder {
    Recorder::answering(move |request| match &request.json["data"]["challenge"] {
        Value::Null => (answer(request), json!({})),
        challenge => (200, json!({ "challenge": challenge })),
    })
}

/// A webhook's subscription; the answer to it.
fn subscribe(windlass: &Windlass, recorder: &Recorder, more: Value) -> Value {
    let mut body = json!({ "kind": "webhook", "url": format!("{}/hook", recorder.url()) });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let answer = anybody(windlass).post(SUBSCRIPTIONS, body).expect(201);
    windlass.run_pending_work();
    answer
}

/// What arrived beside challenges.
fn told(recorder: &Recorder) -> Vec<Recorded> {
    let mut requests = recorder.requests();
    requests.retain(|request| request.json["type"] != "subscription.confirmation");
    requests
}

/// Lets everything that waits for another try be due.
fn hurry(windlass: &Windlass) {
    let database = windlass.open_database();
    let hurry =
        "update queue set not_before = 0 where kind in ('status_delivery', 'status_confirmation')";
    database.execute(hurry, []).expect("the queue is there");
    windlass.run_pending_work();
}

/// A request for a path with its query, as a browser sends it.
fn browse(windlass: &Windlass, method: &str, path: &str, form: Option<&str>) -> Answer {
    let content_type = (
        "content-type".to_owned(),
        "application/x-www-form-urlencoded".to_owned(),
    );
    windlass.send(&Outgoing {
        method: method.into(),
        path: path.into(),
        headers: form.iter().map(|_| content_type.clone()).collect(),
        body: form
            .map(|form| form.as_bytes().to_vec())
            .or_else(|| (method == "POST").then(Vec::new)),
    })
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// Path and query of the link in a text that holds this word.
fn link(text: &str, word: &str) -> String {
    let part = format!("{SUBSCRIPTIONS}/{word}?token=");
    let begin = text
        .find(&part)
        .unwrap_or_else(|| panic!("no {word} in {text}"));
    let link = &text[begin..];
    let end = link.find(|c: char| c.is_whitespace() || "\"<>".contains(c));
    link[..end.unwrap_or(link.len())].to_owned()
}

fn demand_signed(request: &Recorded, secret: &str) {
    let header = |name: &str| request.headers[name].as_str();
    let engine = base64::engine::general_purpose::STANDARD;
    let key = secret
        .strip_prefix("whsec_")
        .expect("the prefix of Standard Webhooks");
    let key = engine.decode(key).expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    mac.update(format!("{id}.{time}.{}", request.json).as_bytes());
    let want = format!("v1,{}", engine.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), want);
}

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
        anybody(&windlass)
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
    let token = admin_token(&windlass);
    let stats = anybody(&windlass)
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
    assert!(!text(&page).contains("<script"));
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
        let answer = anybody(&windlass)
            .post(SUBSCRIPTIONS, body(more))
            .expect(202);
        assert!(answer["message"].is_string(), "{answer}");
    }
    windlass.run_pending_work();
    assert_eq!(mails.requests().len(), 1);
    let statuses: Vec<u16> = (0..25)
        .map(|number| {
            let email = json!({ "email": format!("n{number}@example.com") });
            anybody(&windlass).post(SUBSCRIPTIONS, body(email)).status()
        })
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 202).count(),
        16,
        "{statuses:?}"
    );
    assert_eq!(statuses.last(), Some(&429));
}

#[test]
fn what_cannot_be_subscribed_is_named() {
    let windlass = Options::default()
        .variable("status_jwt_secret", MONITORS_SECRET)
        .start();
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
        let refusal = anybody(&windlass)
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
    let token = admin_token(&windlass);
    let admin = anybody(&windlass).with_bearer(&token);
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
    let creator = creator.post("/tokens", json!({})).expect(200)["value"].clone();
    let creator = creator.as_str().expect("a token");
    for path in [
        "/v2/subscriptions",
        "/v2/notifications/stats",
        "/v2/notifications/failed",
    ] {
        anybody(&windlass).get(path).expect(401);
        anybody(&windlass)
            .with_bearer(creator)
            .get(path)
            .expect(403);
    }
    admin.get("/v2/subscriptions?limit=x").expect(400);
    let path = format!("/v2/subscriptions/{}", id.as_str().unwrap_or_default());
    anybody(&windlass)
        .with_bearer(creator)
        .delete(&path)
        .expect(403);
    admin.delete(&path).expect(204);
    admin.delete(&path).expect(404);
}
