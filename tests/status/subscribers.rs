//! Those who are told what happens on the status page: how they subscribe, and what reaches them.

use base64::Engine as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use windlass_tests::{
    Answer, Options, Outgoing, Recorded, Recorder, Value, Windlass, json, monitor_token,
};

/// Where everybody asks to be told.
pub const SUBSCRIPTIONS: &str = "/status/subscriptions";

/// A Windlass that knows its monitors' secret and may call this machine, with these components.
pub fn dashboard(components: &[(&str, &str)]) -> Windlass {
    dashboard_with(Options::default(), components)
}

/// The same with further variables.
pub fn dashboard_with(options: Options, components: &[(&str, &str)]) -> Windlass {
    let windlass = options
        .with_monitors()
        .variable("outbound_allow_private", "true")
        .start();
    let with_region =
        |(name, region): &(&str, &str)| (name.to_string(), json!({ "region": region }));
    windlass.set_catalogue(components.iter().map(with_region));
    windlass
}

/// A monitor's report; the incident.
pub fn report(windlass: &Windlass, name: &str, impact: i64, text: &str) -> Value {
    let token = monitor_token("probe");
    let body = json!({ "name": name, "impact": impact, "text": text });
    let monitor = windlass.passer_by().with_bearer(&token);
    monitor.post("/api/v1/component_status", body).expect(201)
}

/// A receiver that confirms whatever it is asked to, and answers the rest with a status.
pub fn receiver(answer: impl Fn(&Recorded) -> u16 + Send + Sync + 'static) -> Recorder {
    Recorder::answering(move |request| match &request.json["data"]["challenge"] {
        Value::Null => (answer(request), json!({})),
        challenge => (200, json!({ "challenge": challenge })),
    })
}

/// A webhook's subscription; the answer to it.
pub fn subscribe(windlass: &Windlass, recorder: &Recorder, more: Value) -> Value {
    let mut body = json!({ "kind": "webhook", "url": format!("{}/hook", recorder.url()) });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let answer = windlass.passer_by().post(SUBSCRIPTIONS, body).expect(201);
    windlass.run_pending_work();
    answer
}

/// What arrived beside challenges.
pub fn told(recorder: &Recorder) -> Vec<Recorded> {
    let mut requests = recorder.requests();
    requests.retain(|request| request.json["type"] != "subscription.confirmation");
    requests
}

/// Lets everything that waits for another try be due.
pub fn hurry(windlass: &Windlass) {
    let database = windlass.open_database();
    let hurry =
        "update queue set not_before = 0 where kind in ('status_delivery', 'status_confirmation')";
    database.execute(hurry, []).expect("the queue is there");
    windlass.run_pending_work();
}

/// A request for a path with its query, as a browser sends it.
pub fn browse(windlass: &Windlass, method: &str, path: &str, form: Option<&str>) -> Answer {
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

pub fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// Path and query of the link in a text that holds this word.
pub fn link(text: &str, word: &str) -> String {
    let part = format!("{SUBSCRIPTIONS}/{word}?token=");
    let begin = text
        .find(&part)
        .unwrap_or_else(|| panic!("no {word} in {text}"));
    let link = &text[begin..];
    let end = link.find(|c: char| c.is_whitespace() || "\"<>".contains(c));
    link[..end.unwrap_or(link.len())].to_owned()
}

pub fn demand_signed(request: &Recorded, secret: &str) {
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
